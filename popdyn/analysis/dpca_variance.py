"""How much of the variance of averages is noise, and how far the shares would move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.dpca_solve import Components, Products
from popdyn.analysis.dpca_terms import Marginalization, split
from popdyn.analysis.dpca_trials import Trials
from popdyn.analysis.statespace_splits import error_bounds

Array = NDArray[np.float64]
N_GROUPS, FEWEST_GROUPS = 10, 4


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over the trials of a group, by which it is left out.

    Attributes
    ----------
    n : ndarray, shape (neuron or 1, cell)
        Number of trials.
    value, square : ndarray, shape (neuron, time, cell)
        Sums around the mean over all trials, and sums of their squares.
    square_of_mean : ndarray, shape (neuron, cell)
        Sums of squares of the trials' means over time.
    """

    n: Array
    value: Array
    square: Array
    square_of_mean: Array

    def __sub__(self, other: _Sums) -> _Sums:
        """Leave out a group."""
        return _Sums(
            self.n - other.n,
            self.value - other.value,
            self.square - other.square,
            self.square_of_mean - other.square_of_mean,
        )


def _sums(trials: Trials, center: Array, chosen: NDArray[np.bool_]) -> _Sums:
    """Add up chosen trials (neuron or 1, trial)."""
    members = trials.members()
    shape = (len(trials.values), trials.n_times, trials.n_cells)
    value, square, of_mean = np.empty(shape), np.empty(shape), np.empty(shape[::2])
    own = chosen & trials.known
    if len(own) == 1:  # the same trials for all: only these are looked at
        used = np.flatnonzero(own[0])
        members = members[used]
    for part, values in trials.slabs():
        if len(own) == 1:
            deviation = values[:, :, used] - center[part, :, None]
        else:
            deviation = (values - center[part, :, None]) * own[part, None, :]
        value[part] = deviation @ members
        square[part] = np.square(deviation) @ members
        of_mean[part] = np.square(deviation.mean(axis=1)) @ members
    n = own.astype(np.float64) @ trials.members()
    return _Sums(n, value, square, of_mean)


def _noise(sums: _Sums, shape: Sequence[int], chosen: Sequence[Marginalization]) -> Array:
    """Variance that noise alone would give each marginalization, and the whole."""
    n = np.broadcast_to(sums.n, sums.square_of_mean.shape)
    within = (sums.square - sums.value**2 / n[:, None]).sum(axis=1)
    by_bin = float((within / (n * (n - 1.0))).sum())
    of_mean = sums.square_of_mean - sums.value.mean(axis=1) ** 2 / n
    by_mean = float((of_mean / (n * (n - 1.0))).sum()) * sums.value.shape[1]
    powers = [sum(_share(term, shape, by_bin, by_mean) for term in one.terms) for one in chosen]
    return np.array([*powers, by_bin - by_mean / np.prod(shape)])


def _share(term: frozenset[int], shape: Sequence[int], by_bin: float, by_mean: float) -> float:
    """Noise of one term: its share of the cells, along time or in the mean over time."""
    time = len(shape)
    share = np.prod([shape[axis] - 1.0 for axis in term if axis != time]) / np.prod(shape)
    return float(share * (by_bin - by_mean if time in term else by_mean))


def noise_power(trials: Trials, chosen: Sequence[Marginalization]) -> Array:
    """Variance that the trials' noise alone would give each marginalization, and the whole.

    Parameters
    ----------
    trials : Trials
        With two trials or more in every cell.
    chosen : sequence of Marginalization
        The marginalizations.

    Returns
    -------
    ndarray, shape (marginalization + 1,)
        In sums of squares over the grid, the whole last.  Every part holds its share of the
        degrees of freedom; noise may be correlated over time.
    """
    everything = np.ones((1, len(trials.cell)), dtype=bool)
    return _noise(_sums(trials, trials.center(), everything), trials.shape, chosen)


@dataclass(frozen=True, eq=False)
class _Shares:
    """What bounds are wanted of.

    Attributes
    ----------
    noise : ndarray, shape (marginalization + 1,)
        Sums of squares; the whole last.
    signal : ndarray, shape (marginalization,)
        Shares of the variance without noise.
    ratio : ndarray, shape (component,)
        Shares of the variance that components, as they are, explain.
    """

    noise: Array
    signal: Array
    ratio: Array


def _shares(
    sums: _Sums,
    center: Array,
    trials: Trials,
    chosen: Sequence[Marginalization],
    found: Components,
) -> _Shares:
    """Find the shares of some trials."""
    grid = trials.grid(sums.value / sums.n[:, None, :] + center[:, :, None])
    flat = grid.reshape(len(grid), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    total = float(np.einsum("ns,ns->", flat, flat))
    noise = _noise(sums, trials.shape, chosen)
    signal = np.array([part.power() for part in split(grid, chosen)]) - noise[:-1]
    all_signal = total - noise[-1]
    share = signal / all_signal if all_signal > 0 else np.full(len(chosen), np.nan)
    state = found.decoder @ flat
    explained = 2.0 * np.einsum("ks,ks->k", state, found.encoder @ flat)
    explained -= (found.encoder**2).sum(axis=1) * np.einsum("ks,ks->k", state, state)
    return _Shares(noise, share, explained / total)


def _groups(trials: Trials, n_groups: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Put every neuron's trials of every cell into groups of equal size, (neuron or 1, trial)."""
    n_rows = len(trials.known) if trials.together else len(trials.values)
    score = rng.random((1 if trials.together else n_rows, len(trials.cell)))
    order = np.argsort(2.0 * trials.cell + ~trials.known + score / 2.0, axis=1)
    group = np.empty(order.shape, dtype=np.intp)
    sizes = np.bincount(trials.cell, minlength=trials.n_cells)
    rank = np.concatenate([np.arange(size) for size in sizes])
    np.put_along_axis(group, order, np.broadcast_to(rank % n_groups, order.shape), axis=1)
    return group


def of_trials(
    trials: Trials,
    chosen: Sequence[Marginalization],
    found: Components,
    known: Products,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Variables that trials give: shares without the noise, and bounds.

    Parameters
    ----------
    trials : Trials
        With two trials or more in every cell.
    chosen : sequence of Marginalization
        The marginalizations.
    found : Components
        The components.
    known : Products
        Of the averages.
    rng : Generator
        Puts trials into groups.

    Returns
    -------
    dict
        As for a Dataset.  A bootstrap would not do for the bounds: it draws few trials, so that
        the noise of drawn averages is of very different size from draw to draw, where that of
        averages over many neurons and bins is not.  A tenth of the trials is left out in turn.
    """
    center, one = trials.center(), {"units": "1"}
    every = _sums(trials, center, np.ones((1, len(trials.cell)), dtype=bool))
    whole = _shares(every, center, trials, chosen, found)
    n_groups = int(min(N_GROUPS, every.n.min()))
    parts = []
    if n_groups >= FEWEST_GROUPS:
        group = _groups(trials, n_groups, rng)
        for number in range(n_groups):
            rest = every - _sums(trials, center, group == number)
            parts.append(_shares(rest, center, trials, chosen, found))
    shape = (len(trials.values), trials.n_cells)
    return {
        "noise_ratio": ("marginalization", whole.noise[:-1] / known.power, one),
        "total_noise_ratio": ((), whole.noise[-1] / known.power, one),
        "signal_ratio": ("marginalization", whole.signal, one),
        "signal_ratio_bound": (
            ("bound", "marginalization"), _bound(whole.signal, [part.signal for part in parts]),
        ),
        "explained_variance_ratio_bound": (
            ("bound", "component"), _bound(whole.ratio, [part.ratio for part in parts]),
        ),
        "n_trials": (("neuron", "condition"), np.broadcast_to(every.n, shape).astype(np.int64)),
    }  # fmt: skip


def _bound(estimate: Array, left_out: Sequence[Array]) -> Array:
    """Student bounds (bound, ...) from leaving out groups in turn; NaN with too few."""
    if not left_out:
        return np.full((2, *estimate.shape), np.nan)
    error = np.sqrt((len(left_out) - 1) * np.var(left_out, axis=0))
    return error_bounds(estimate, error, len(left_out))
