"""The reduced network run beside the network itself, on the same trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.reduce import first_coefficients, reduce
from popdyn.dynamics.reduced_form import count, mixture_of, names_of
from popdyn.network.low_rank import LowRank
from popdyn.network.low_rank_factors import latent_weights
from popdyn.resample import Seed
from popdyn.simulation.bin_means import BinMeans
from popdyn.simulation.label import behavior_of, judges
from popdyn.simulation.run import simulate
from popdyn.simulation.start import TrialInputs, noise_per_step, read_trials
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

_OWN = ("latent", "output")


def simulate_reduced(
    net: LowRank,
    trials: xr.Dataset,
    populations: Any = None,
    rng: Seed = 0,
    *,
    bin_width: float | None = None,
    noise_density: float = 0.0,
    noise_step: float = 0.0,
) -> xr.Dataset:
    """Run a network and its reduction on the same trials, and say how far they are apart.

    The reduction knows of the network what `reduce` says: it has as many variables as the network
    has latents and inputs.  Where it stays close, these populations and their overlaps explain what
    the network computes.

    Parameters
    ----------
    net : LowRank
        The network.
    trials : Dataset
        As for `popdyn.simulate`.
    populations : array, shape (n_neurons,), optional
        See `reduce`.
    rng : int or numpy.random.Generator
        Seed of the network's noise.
    bin_width : float, optional
        In seconds; see `popdyn.simulate`.
    noise_density, noise_step : float
        Noise of the neurons, see `popdyn.simulate`.  The reduction knows its variance, which
        lowers the mean slopes, and not its draws.

    Returns
    -------
    xarray.Dataset
        ``network_latent (latent, time, trial)`` and ``network_output (output, time, trial)``,
        ``reduced_latent`` and ``reduced_output``; latents are what the states tell of them, see
        ``record="latent"`` of `popdyn.simulate`: where an input is parallel to `m` they share
        its drive;
        ``latent_distance (latent)`` and ``output_distance (output)``: root mean square of their
        difference over that of the network's; with a task that has a choice
        ``reduced_choice (trial)`` and ``choice_agreement``, the share of trials with the same
        choice; all columns of the trials.  Dimensionless.

    Raises
    ------
    TensorError
        As `reduce` and `popdyn.simulate`.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(2000, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt)
    >>> both = pdn.dynamics.simulate_reduced(net, trials)
    >>> both["network_latent"].sizes == both["reduced_latent"].sizes
    True
    """
    reduced = reduce(net, populations)
    sim = simulate(
        net,
        trials,
        rng=rng,
        bin_width=bin_width,
        record=("latent",),
        noise_density=noise_density,
        noise_step=noise_step,
    )
    run = read_trials(net, trials)
    std = noise_per_step(net.dt, noise_density, noise_step)
    heard = _run(net, reduced, run, std)
    n_ranks = net.n_ranks
    every = round(float(sim.attrs["bin_width"]) / net.dt)
    means = BinMeans(every).add(heard).transpose(2, 0, 1)
    past = np.arange(means.shape[1])[:, None] >= run.n_steps // every
    means[:, past] = np.nan
    units, dims = {"units": "1"}, ("time", "trial")
    variables: dict[str, Any] = {
        "network_latent": (("latent", *dims), sim["latent"].to_numpy(), units),
        "network_output": (("output", *dims), sim["output"].to_numpy(), units),
        "reduced_latent": (("latent", *dims), means[:n_ranks], units),
        "reduced_output": (("output", *dims), means[n_ranks:], units),
    }
    for name in ("latent", "output"):
        own, other = (variables[f"{whose}_{name}"][1] for whose in ("network", "reduced"))
        variables[f"{name}_distance"] = (name, _distance(own, other), units)
    variables |= _choices(net, trials, sim, heard[1:, :, n_ranks:])
    return make_result(
        variables,
        coords={
            **{str(name): coord for name, coord in sim.coords.items() if name not in _OWN},
            "latent": names_of(reduced, "m"),
        },
        method="simulate_reduced",
        parameters={
            "noise_density": noise_density,
            "noise_step": noise_step,
            "n_populations": reduced.sizes["population"],
        },
        source=reduced,
        seed=str(sim.attrs["seed"]),
    )


def _run(net: LowRank, reduced: xr.Dataset, run: TrialInputs, std: float) -> Array:
    """Return latents and outputs at the start and the end of each step, ``(step, trial, both)``."""
    mixture, n_ranks, n_inputs = mixture_of(reduced), net.n_ranks, net.n_inputs
    share = net.dt / float(net.tau)
    # What is read from states as latents, as in `simulate`: where loadings are parallel, not k.
    told = latent_weights(net) @ np.column_stack([net.m, net.input, net.bias])
    first = np.concatenate([first_coefficients(net), np.ones(count(reduced, "initial"))])
    state = np.tile(first, (run.n_trials, 1))
    # Where coefficients go: latents to what they hear, inputs to theirs, bias to 1, the rest to 0.
    goal = np.zeros_like(state)
    goal[:, n_ranks + n_inputs] = 1.0
    square_gain = reduced["square_gain"].to_numpy()
    both, variance = np.empty((len(run.inputs) + 1, run.n_trials, n_ranks + net.n_outputs)), 0.0
    for step in range(len(both)):
        heard = mixture.read(state, variance * square_gain)
        both[step, :, :n_ranks] = state[:, : told.shape[1]] @ told.T
        both[step, :, n_ranks:] = heard[:, n_ranks:]
        if step < len(run.inputs):
            goal[:, :n_ranks] = heard[:, :n_ranks]
            goal[:, n_ranks : n_ranks + n_inputs] = run.inputs[step]
            state = state + share * (goal - state)
            variance = (1 - share) ** 2 * variance + std**2
    both[..., n_ranks:] += reduced["output_bias"].to_numpy()
    return both


def _distance(own: Array, other: Array) -> Array:
    """Return the root mean square of the difference over that of the network's, by row."""
    size = np.nanmean(own**2, axis=(1, 2))
    ratio = np.nanmean((own - other) ** 2, axis=(1, 2)) / np.where(size > 0, size, np.nan)
    return np.asarray(np.sqrt(ratio))


def _choices(net: LowRank, trials: xr.Dataset, sim: xr.Dataset, output: Array) -> dict[str, Any]:
    """Return the choices of the reduction, and how often they are the network's."""
    judge = judges(None, trials, net.n_outputs)
    found = behavior_of(judge, trials, np.ascontiguousarray(output.transpose(2, 0, 1)))
    if "choice" not in found or "choice" not in sim:
        return {}
    chosen, attrs = found["choice"]
    return {
        "reduced_choice": ("trial", chosen, attrs),
        "choice_agreement": ((), float(np.mean(chosen == sim["choice"].to_numpy()))),
    }
