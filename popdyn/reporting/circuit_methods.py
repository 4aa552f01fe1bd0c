"""Sentences for a methods section on the mechanism of low-rank networks."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from popdyn.reporting.phrases import setting, short
from popdyn.reporting.provenance import parameters

_DUBREUIL = "Dubreuil et al. 2022"


def population_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section about populations.

    Parameters
    ----------
    result
        Of `populations`.

    Returns
    -------
    list of str
    """
    values = parameters(result)
    enough = short(100 * float(values.get("accuracy", 0.95)))
    return [
        "Loadings of the neurons of the low-rank network, in its canonical form, were fitted by "
        f"mixtures of Gaussians about zero (variational Bayes, {values.get('n_starts', '?')} "
        f"random starts; {_DUBREUIL}).",
        f"For each number of populations {values.get('n_resamples', '?')} networks of "
        f"{values.get('n_neurons', '?')} neurons were drawn from the Gaussians and tested on "
        f"{values.get('n_trials', '?')} fresh trials of {values.get('task', 'the task')} each, "
        f"with noise of {short(float(values.get('noise_step', 0.0)))} a step; the smallest number "
        f"whose networks are right in {enough}\u00a0% of trials on average is what the task needs.",
    ]


def flow_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section about the flow of latents.

    Parameters
    ----------
    result
        Of the step ``flow``.

    Returns
    -------
    list of str
    """
    return [
        "The latents κ of the low-rank network follow τ dκ/dt = −κ + ⟨n f(m κ + B u)⟩, where the "
        "mean is taken over the Gaussians of its populations (Beiran et al. 2021); u is the "
        f"{_mean_input(result)}. Fixed points are its zeros. Trajectories are the latents of the "
        f"network itself {setting(result)}, averaged over the trials of each condition.",
    ]


def coupling_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section about the effective circuit.

    Parameters
    ----------
    result
        Of `effective_couplings`.

    Returns
    -------
    list of str
    """
    return [
        "Couplings of the effective circuit are sums over populations of their share, the overlap "
        f"of loadings and the mean slope of f at the {_mean_input(result)} and κ = 0 "
        f"({_DUBREUIL}).",
    ]


def inactivation_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section about inactivations.

    Parameters
    ----------
    result
        Of the step ``inactivate``.

    Returns
    -------
    list of str
    """
    n_draws = parameters(result).get("n_draws", "?")
    return [
        "Each population was inactivated by holding its neurons at a rate of 0 for all that hear "
        "them, other neurons and outputs, each latent by removing what drives it; networks ran on "
        "the same trials with the same noise, with and without. Intervals (95 %) are from "
        f"{n_draws} bootstrap draws of trials, the same with and without.",
    ]


def _mean_input(result: xr.Dataset) -> str:
    during = result.attrs.get("during")
    return f"mean input of each context from {during}" if during else "mean input of each context"


SENTENCES: dict[str, Callable[[xr.Dataset], list[str]]] = {
    "populations": population_methods,
    "flow": flow_methods,
    "effective_couplings": coupling_methods,
    "inactivate": inactivation_methods,
}
