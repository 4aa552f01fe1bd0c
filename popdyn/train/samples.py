"""What a readout is fitted to: rates or filtered spikes at the steps that count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.resample import Seed, as_generator, spawn
from popdyn.simulation.memory import available_memory
from popdyn.simulation.run import simulate
from popdyn.simulation.start import initial_states, noise_per_step, read_trials
from popdyn.simulation.steps import evolve

Array = NDArray[np.float64]

_TILE = 256


@dataclass(frozen=True)
class Samples:
    """Rates, or slow and fast filtered spikes, and targets at the steps that count."""

    rates: Array  # (sample, neuron), or (sample, 2 neurons) of a spiking network
    target: Array  # (sample, output)
    step: NDArray[np.intp]  # (sample,)
    trial: NDArray[np.intp]  # (sample,), position of the trial

    def loss(self, output: Array) -> float:
        """Return the mean squared error over the steps of a trial, averaged over trials."""
        error = ((self.rates @ output.T - self.target) ** 2).mean(axis=1)
        n_steps = np.bincount(self.trial)
        per_trial = np.bincount(self.trial, weights=error)[n_steps > 0] / n_steps[n_steps > 0]
        return float(per_trial.mean())

    def part(self, keep: NDArray[np.bool_]) -> Samples:
        """Return some of the rows."""
        return Samples(self.rates[keep], self.target[keep], self.step[keep], self.trial[keep])


def collect(net: Rate | Spiking, trials: xr.Dataset, noise_density: float, rng: Seed) -> Samples:
    """Run a network and keep its rates, or filtered spikes, where the mask is set.

    Parameters
    ----------
    net : Rate or Spiking
        The network.
    trials : Dataset
        From ``task.sample``.
    noise_density : float
        As in `popdyn.simulate`.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    Samples

    Raises
    ------
    TensorError
        If trials do not fit the network, a trial has no step in its mask, or the samples do not
        fit in memory.
    """
    mask = trials["mask"].transpose("step_time", "trial").to_numpy().astype(bool)
    n_masked = mask.sum(axis=0)
    if (n_masked == 0).any():
        message = (
            f"{int((n_masked == 0).sum())} of {len(n_masked)} trials have no step that counts "
            "(mask all zero): there is nothing to fit in them"
        )
        raise TensorError(message)
    _check_memory(net, mask)
    if isinstance(net, Rate):
        return _rates(net, trials, mask, noise_density, rng)
    return _spikes(net, trials, mask, noise_density, rng)


def filtered_spikes(net: Spiking, counts: Array) -> Array:
    """Filter spikes as the outputs of a network see them.

    Parameters
    ----------
    net : Spiking
        Gives the time constants and the step.
    counts : ndarray, shape (step, neuron)
        Spikes in each step.

    Returns
    -------
    ndarray, shape (step, 2 neurons)
        At the end of each step: with `tau_slow` of all neurons, then with `tau_fast`.
    """
    keep = np.exp(-net.dt / np.repeat([net.tau_slow, net.tau_fast], net.n_neurons))
    filtered = np.concatenate([counts, counts], axis=1)
    for step in range(1, len(filtered)):
        filtered[step] += keep * filtered[step - 1]
    return filtered


def _rates(
    net: Rate, trials: xr.Dataset, mask: NDArray[np.bool_], noise_density: float, rng: Seed
) -> Samples:
    """Keep the rates of a rate network."""
    run = read_trials(net, trials)
    target = trials["target"].transpose("step_time", "trial", "output").to_numpy()
    generators = spawn(rng, run.n_trials)
    initial = initial_states(net, None, run.n_trials, generators, random=False)
    noise_std = noise_per_step(net.dt, noise_density, 0.0)
    kept: list[tuple[Array, Array, NDArray[np.intp], NDArray[np.intp]]] = []
    tiles = [slice(i, min(i + _TILE, run.n_trials)) for i in range(0, run.n_trials, _TILE)]
    for part in tiles:
        path = evolve(net, run.inputs[:, part], initial[part], noise_std, generators[part])
        next(path)
        for step, rate in enumerate(watched(path, len(mask), "running the reservoir")):
            here = np.flatnonzero(mask[step, part])
            at = here + part.start
            kept.append((rate[here], target[step, at], np.full_like(at, step), at))
    rates, targets, steps, owners = (np.concatenate(column) for column in zip(*kept, strict=True))
    return Samples(rates, targets, steps, owners)


def _spikes(
    net: Spiking, trials: xr.Dataset, mask: NDArray[np.bool_], noise_density: float, rng: Seed
) -> Samples:
    """Keep the filtered spikes of a spiking network."""
    generator = as_generator(rng)[0]
    session = simulate(net, trials, rng=generator, record=("spikes",), noise_density=noise_density)
    target = trials["target"].transpose("trial", "step_time", "output").to_numpy()
    spike_time = session["spike_time"].to_numpy()
    neuron = np.repeat(np.arange(net.n_neurons), np.diff(session["neuron_start"].to_numpy()))
    owner, start = _owners(session, spike_time)
    step = np.floor((spike_time - start[owner]) / net.dt).astype(np.int64)
    order = np.argsort(owner, kind="stable")
    edges = np.searchsorted(owner[order], np.arange(len(start) + 1))
    kept = []
    for trial in range(len(start)):
        own = order[edges[trial] : edges[trial + 1]]
        counts = np.zeros((len(mask), net.n_neurons))
        np.add.at(counts, (step[own], neuron[own]), 1.0)
        at = np.flatnonzero(mask[:, trial])
        rows = filtered_spikes(net, counts)[at]
        kept.append((rows, target[trial, at], at, np.full_like(at, trial)))
    rates, targets, steps, owners = (np.concatenate(column) for column in zip(*kept, strict=True))
    return Samples(rates, targets, steps, owners)


def _owners(session: xr.Dataset, spike_time: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the position of each spike's trial, and when trials start."""
    start = session["start_time"].to_numpy()
    order = np.argsort(start, kind="stable")
    return order[np.searchsorted(start[order], spike_time, side="right") - 1], start


def _check_memory(net: Rate | Spiking, mask: NDArray[np.bool_]) -> None:
    """Refuse samples that do not fit in memory."""
    n_regressors = net.n_neurons * (1 if isinstance(net, Rate) else 2)
    # A fold of them is copied.
    needed = 8.0 * 1.3 * n_regressors * int(mask.sum())
    available = available_memory()
    if available is not None and needed > available:
        message = (
            f"{mask.shape[1]} trials have {int(mask.sum())} steps that count: with {n_regressors} "
            f"regressors they need {needed / 1e9:.3g} GB of memory, {available / 1e9:.3g} GB are "
            "free. Fit on fewer trials (n_trials), or with a longer dt"
        )
        raise TensorError(message)
