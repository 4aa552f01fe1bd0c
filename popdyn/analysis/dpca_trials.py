"""Trials on the grid of the factors, held out and shuffled, and the covariance of their noise.

A neuron's trial takes part if it was observed throughout the window.  Neurons recorded together
are held out and shuffled together, neurons recorded apart on their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.dpca_grid import Grid
from popdyn.errors import FitError, TensorError

Array = NDArray[np.float64]
Index = NDArray[np.intp]
_SLAB = 2**20  # numbers in memory at once


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials and their place on a grid.

    Attributes
    ----------
    values : ndarray, shape (neuron, time, trial)
        0 where a neuron's trial is not known.
    known : ndarray of bool, shape (neuron, trial)
        Whether the neuron was observed throughout; a single row if that is the same for all.
    cell : ndarray of int, shape (trial,)
        Place of each trial.
    shape : tuple of int
        Levels of each factor.
    together : bool
        Whether the neurons were recorded together.
    """

    values: NDArray[np.floating[Any]]
    known: NDArray[np.bool_]
    cell: Index
    shape: tuple[int, ...]
    together: bool

    @property
    def n_cells(self) -> int:
        """Number of combinations."""
        return int(np.prod(self.shape))

    @property
    def n_times(self) -> int:
        """Number of bins."""
        return int(self.values.shape[1])

    def members(self) -> Array:
        """1 where a trial is in a cell, (trial, cell)."""
        return np.asarray(self.cell[:, None] == np.arange(self.n_cells), dtype=np.float64)

    def counts(self) -> Array:
        """Trials per neuron (or of all neurons alike, one row) and cell."""
        return np.asarray(self.known.astype(np.float64) @ self.members())

    def averages(self) -> Array:
        """Averages (neuron, time, cell)."""
        members = self.members()
        sums = np.concatenate([part @ members for _, part in self.slabs()])
        averages: Array = sums / self.counts()[:, None, :]
        return averages

    def center(self) -> Array:
        """Mean over all trials, (neuron, time)."""
        sums = np.concatenate([part.sum(axis=2) for _, part in self.slabs()])
        return np.asarray(sums / self.known.sum(axis=1)[:, None])

    def grid(self, averages: Array) -> Array:
        """Averages (neuron, time, cell) on the grid (neuron, level, ..., time)."""
        return np.moveaxis(averages, 2, 1).reshape(len(averages), *self.shape, -1)

    def slabs(self) -> Iterator[tuple[slice, Array]]:
        """Give some neurons at a time, in double precision."""
        step = max(1, _SLAB // max(1, self.values[0].size))
        for start in range(0, len(self.values), step):
            part = slice(start, start + step)
            yield part, self.values[part].astype(np.float64, copy=False)

    def chosen(self, rng: np.random.Generator) -> Index:
        """Draw one trial of every cell, for each neuron, or for all alike (one row)."""
        score = rng.random((1 if self.together else len(self.values), len(self.cell)))
        score = np.where(self.known, score, -1.0)
        found = np.empty((len(score), self.n_cells), dtype=np.intp)
        for cell in range(self.n_cells):
            own = np.flatnonzero(self.cell == cell)
            found[:, cell] = own[score[:, own].argmax(axis=1)]
        return found

    def take(self, index: Index) -> Array:
        """Trials (neuron, time, cell) that were chosen."""
        if len(index) == 1:
            return self.values[:, :, index[0]].astype(np.float64)
        return np.take_along_axis(self.values, index[:, None, :], axis=2).astype(np.float64)

    def shuffled(self, rng: np.random.Generator, stratum: Index | None = None) -> Trials:
        """Shuffle trials among the cells, within strata of trials if given.

        Every neuron keeps its number of trials in every cell.
        """
        strata = np.zeros(len(self.cell), dtype=np.intp) if stratum is None else stratum
        n_rows = 1 if self.together and len(self.known) == 1 else len(self.values)
        score = rng.random((1 if self.together else n_rows, len(self.cell)))
        block = 2 * strata + ~self.known
        slots = np.argsort(block + np.arange(len(self.cell)) / (2 * len(self.cell)), axis=1)
        sources = np.argsort(block + score / 2, axis=1)
        if n_rows == 1:
            cell = np.empty_like(self.cell)
            cell[sources[0]] = self.cell[slots[0]]
            return replace(self, cell=cell)
        source = np.empty((n_rows, len(self.cell)), dtype=np.intp)
        np.put_along_axis(source, np.broadcast_to(slots, source.shape), sources, axis=1)
        return replace(self, values=np.take_along_axis(self.values, source[:, None, :], axis=2))


def make_trials(grid: Grid) -> Trials:
    """Take the trials of a grid.

    Raises
    ------
    FitError
        If some neuron has fewer than two trials in some combination.
    """
    if grid.cell is None:
        message = (
            "a condition average has no trials left: fit a tensor (neuron, time, trial) for "
            "cross-validation, noise and significance"
        )
        raise TensorError(message)
    values = grid.source.to_numpy()
    used = grid.cell >= 0
    known = np.stack([np.isfinite(own).all(axis=0) for own in values])
    used &= known.any(axis=0)
    if not used.all():
        values, known = values[:, :, used], known[:, used]
    if not known.all():
        values = np.where(known[:, None, :], values, values.dtype.type(0.0))
    if known.all():
        known = known[:1]
    together = int(grid.source.attrs.get("simultaneous", 1)) == 1
    shape = tuple(len(level) for level in grid.levels.values())
    trials = Trials(values, known, grid.cell[used], shape, together)
    _check_counts(trials, grid)
    return trials


def _check_counts(trials: Trials, grid: Grid) -> None:
    """Refuse single trials."""
    counts = trials.counts()
    if counts.min() >= 2:
        return
    neuron, cell = np.unravel_index(counts.argmin(), counts.shape)
    neurons = grid.source["neuron"].to_numpy()
    who = f"neuron {neurons[neuron]}" if len(counts) > 1 else "every neuron"
    n_few = int((counts < 2).any(axis=1).sum())
    message = (
        f"held-out trials need at least 2 trials in every combination; {who} has "
        f"{int(counts[neuron, cell])} complete in the window of {grid.labels()[cell]}"
        f"{f' ({n_few} neurons in all have too few)' if n_few > 1 else ''}. Leave the neurons out "
        "with select(neurons=...), leave out the level, or fit without cross-validation and noise"
    )
    raise FitError(message)


@dataclass(frozen=True, eq=False)
class Noise:
    """Covariance of trials around the averages, as the loss wants it.

    Attributes
    ----------
    form : {"none", "diagonal", "full"}
        Whether covariance between neurons counts.
    spread : ndarray, shape (neuron,) or (neuron, neuron)
        Sums of squares and products around the mean over all trials, bin by bin.
    center : ndarray, shape (neuron, time)
        That mean.
    """

    form: str
    spread: Array
    center: Array

    def covariance(self, trials: Trials, averages: Array, test: Array | None) -> Array | None:
        """Noise covariance, in sums over the grid; without the held-out trials, if any."""
        if self.form == "none":
            return None
        n = trials.counts()
        between = averages - self.center[:, :, None]
        weight = np.broadcast_to(n[:, None, :], averages.shape)
        within = self.spread - self._products(between, weight)
        if test is not None:
            within = within - self._products(test - averages, weight / (weight - 1.0))
            n = n - 1.0
        if self.form == "diagonal":
            return np.asarray(within / n.mean(axis=1))
        return np.asarray(within * trials.n_cells / n[0].sum())

    def _products(self, deviation: Array, weight: Array) -> Array:
        """Weighted sums of squares, or of products, of deviations (neuron, time, cell)."""
        scaled = deviation * weight
        if self.form == "diagonal":
            return np.asarray(np.einsum("ntc,ntc->n", scaled, deviation))
        return scaled.reshape(len(scaled), -1) @ deviation.reshape(len(scaled), -1).T


def make_noise(trials: Trials, form: str | None) -> Noise:
    """Prepare the noise covariance; without a form, full for neurons recorded together.

    Raises
    ------
    FitError
        If ``"full"`` is asked for and the neurons do not share their trials.
    """
    shares = trials.together and len(trials.known) == 1
    if form is None:
        form = "full" if shares else "diagonal"
    if form == "full" and not shares:
        why = "recorded apart (simultaneous = 0)"
        if trials.together:
            why = "not all observed on the same trials"
        message = (
            f"noise_covariance='full' needs neurons observed on the same trials, these are {why}: "
            "use noise_covariance='diagonal', or keep the shared trials with select(trials=...)"
        )
        raise FitError(message)
    center = trials.center()
    n_neurons = len(trials.values)
    spread = np.zeros((n_neurons, n_neurons) if form == "full" else n_neurons)
    if form == "none":
        return Noise(form, spread, center)
    step = max(1, _SLAB // max(1, n_neurons * trials.n_times))
    for start in range(0, len(trials.cell), step):
        chunk = slice(start, start + step)
        deviation = trials.values[:, :, chunk] - center[:, :, None]
        if form == "diagonal":
            deviation *= trials.known[:, None, chunk]
            spread += np.einsum("ntk,ntk->n", deviation, deviation)
        else:
            flat = deviation.reshape(n_neurons, -1)
            spread += flat @ flat.T
    return Noise(form, spread, center)
