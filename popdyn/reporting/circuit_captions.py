"""What the pictures of the mechanism of low-rank networks show, in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from popdyn.reporting.captions import Results, told_by_source
from popdyn.reporting.wording import band, counted, number


def population_loadings(results: Results) -> tuple[str, ...]:
    """Describe the loadings of neurons by population.

    Parameters
    ----------
    results
        Results of `populations`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> population_loadings({})[0][:32]
    'Loadings of each neuron on the f'
    """
    return (
        "Loadings of each neuron on the first latent: how it drives the latent (n) against the "
        "loading, of those that make its state, whose mean product with n differs most between "
        "populations (of a single one: is largest); a choice by the data, for the picture. The "
        "slope of a population's cloud is what it adds to the circuit.",
        *told_by_source(results, _shares),
    )


def _shares(result: xr.Dataset) -> list[str]:
    names = [str(name) for name in result["population"].values]
    if len(names) == 1:
        return [f"{counted(result.sizes['neuron'], 'neuron')} in one population"]
    shares = [number(float(share), spread=0.1) for share in result["share"].values]
    told = ", ".join(f"{name}: {share}" for name, share in zip(names, shares, strict=True))
    return [f"{counted(result.sizes['neuron'], 'neuron')}, shares of populations {told}"]


def needed_populations(results: Results) -> tuple[str, ...]:
    """Describe how well networks drawn from populations do the task.

    Parameters
    ----------
    results
        Results of `populations`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> needed_populations({})[0][:35]
    'Share of correct trials of networks'
    """
    return (
        "Share of correct trials of networks whose loadings were drawn anew from as many Gaussian "
        "populations (blue: each network; black: mean, 95 % interval over networks and trials), "
        "beside the network they come from (dashed) and what counts as doing the task (dotted).",
        *told_by_source(results, population_details),
    )


def population_details(result: xr.Dataset) -> list[str]:
    """Tell how many populations the task needs, and how well one does it.

    Parameters
    ----------
    result
        Of `populations`.

    Returns
    -------
    list of str
    """
    needed, tried = float(result["n_populations"]), result["tried"].values
    told = [
        f"needs {counted(int(needed), 'population')}"
        if np.isfinite(needed)
        else f"none up to {counted(int(tried.max()), 'population')} is enough"
    ]
    for count in tried:
        own = result.sel(tried=count)
        low, high = own["mean_accuracy_bound"].values
        value = number(float(own["mean_accuracy"]), spread=high - low)
        told.append(f"{counted(int(count), 'population')}: {value} ({band(low, high)})")
    return [*told, f"the network itself {number(float(result['network_accuracy']))}"]


def latent_flow(results: Results) -> tuple[str, ...]:
    """Describe the flow of the latents.

    Parameters
    ----------
    results
        Results of the step ``flow``, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> latent_flow({})[0][:34]
    'How the first latents κ of the net'
    """
    return (
        "How the first latents κ of the network move under the mean input of each context; filled "
        "circles: stable fixed points, open: unstable. On a plane stream lines of the reduced "
        "network and the mean trajectories of the conditions; of a single latent its velocity, of "
        "the reduced network and (dashed) of the network itself, with ticks where mean "
        "trajectories end. Where the two differ, populations are no Gaussians, or too few.",
        *told_by_source(results, flow_details),
    )


def flow_details(result: xr.Dataset) -> list[str]:
    """Tell the stable fixed points in each context.

    Parameters
    ----------
    result
        Of the step ``flow``.

    Returns
    -------
    list of str
    """
    told = []
    for name in [str(one) for one in result["condition"].values]:
        own = of_context(result, name)
        stable = own["fixed_latent"].values[own["stable"].values]
        at = ["(" + ", ".join(number(float(v)) for v in point) + ")" for point in stable]
        told.append(
            f"{name}: {counted(len(stable), 'stable fixed point')} {', '.join(at)}".rstrip()
        )
    return told


def circuits(results: Results) -> tuple[str, ...]:
    """Describe the effective circuit.

    Parameters
    ----------
    results
        Results of `effective_couplings`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> circuits({})[0][:36]
    'Who drives which latent under the me'
    """
    return (
        "Who drives which latent under the mean input of each context, at latents of 0: inputs u, "
        "latents κ, and couplings, sums over populations of overlap times gain (blue: excite, "
        "orange: inhibit; thin gray: below 5 % of the strongest). Below: the gain of each "
        "population, the mean slope of its neurons, 1 where none is saturated.",
        *told_by_source(results, coupling_details),
    )


def coupling_details(result: xr.Dataset) -> list[str]:
    """Tell the couplings of the first latent, and gains, in each context.

    Parameters
    ----------
    result
        Of `effective_couplings`.

    Returns
    -------
    list of str
    """
    told, sources = [], [str(one) for one in result["source"].values if str(one) != "bias"]
    for name in [str(one) for one in result["condition"].values]:
        own = result.sel(condition=name)
        values = [
            f"{source} {number(float(own['coupling'][0].sel(source=source)), spread=0.1)}"
            for source in sources
        ]
        told.append(f"{name}: onto latent 1 from {', '.join(values)}")
    return told


def inactivations(results: Results) -> tuple[str, ...]:
    """Describe what is lost without each part of a network.

    Parameters
    ----------
    results
        Results of the step ``inactivate``, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> inactivations({})[0][:36]
    'Share of correct trials with the neu'
    """
    return (
        "Share of correct trials with the neurons of a population silent for all that hear them, "
        "or a latent driven by nothing (points: 95 % interval over trials); dashed with its "
        "interval in gray: the network as it was, in the same trials with the same noise. Of tasks "
        "that know no right and wrong, how far mean trajectories move, over how much they vary.",
        *told_by_source(results, inactivation_details),
    )


def inactivation_details(result: xr.Dataset) -> list[str]:
    """Tell what each inactivation does to the share of correct trials.

    Parameters
    ----------
    result
        Of the step ``inactivate``.

    Returns
    -------
    list of str
    """
    told = []
    if "accuracy" in result:
        told.append(f"as it was {number(float(result['control_accuracy']))} correct")
    for name in [str(one) for one in result["inactivation"].values]:
        own = result.sel(inactivation=name)
        if "accuracy_change" in own:
            low, high = own["accuracy_change_bound"].values
            change = number(float(own["accuracy_change"]), spread=high - low)
            told.append(f"without {name} {change} ({band(low, high)})")
        else:
            moved = float(own["mean_distance"].mean()) / float(own["modulation"])
            told.append(f"without {name} trajectories move by {number(moved)} of their variation")
    return [*told, counted(result.sizes["trial"], "trial")]


def of_context(result: xr.Dataset, name: str) -> xr.Dataset:
    """Return the flow in one context, with the fixed points that it has.

    Parameters
    ----------
    result
        Of the step ``flow``.
    name
        Of the context.

    Returns
    -------
    xarray.Dataset
        As of ``pdn.dynamics.flow``.
    """
    own = result.drop_dims(["trial", "time"], errors="ignore").sel(condition=name)
    own = own.isel(fixed_point=np.flatnonzero(np.isfinite(own["fixed_latent"].values).all(axis=1)))
    return own.assign(stable=own["stable"] > 0)


DETAILS: dict[str, Callable[[xr.Dataset], list[str]]] = {
    "populations": population_details,
    "flow": flow_details,
    "effective_couplings": coupling_details,
    "inactivate": inactivation_details,
}
