"""Which components are larger than those of neurons that share nothing?  A null by shuffles.

Parallel analysis (Horn 1965, Psychometrika 30:179), one component after another: arrays only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from popdyn.analysis.statespace_dimensions import complete_samples
from popdyn.analysis.trials import Array
from popdyn.resample import upper_p_value

LEVEL = 0.05
# Components that hold less are not tested: in a simulation without noise all are real.
LEAST_SHARE = 1e-4
_KEPT_SHUFFLES = 2**23  # numbers of the shuffles that are kept from component to component
Index = NDArray[np.intp]


def parallel_analysis(
    samples: Array, n_most: int, generators: Sequence[np.random.Generator]
) -> tuple[Array, Array]:
    """Hold each component against the first one of shuffled neurons, largest first.

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, item)
        Samples.
    n_most : int
        Number of components.
    generators : sequence of numpy.random.Generator
        One per draw.

    Returns
    -------
    null : ndarray, shape (draw, component)
        Share of the variance along the first axis of what the components before leave over,
        shuffled: every neuron's time courses are moved by a number of bins of its own, the
        same for all items, and given to other items.  Each keeps its variance and smoothness.
    p : ndarray, shape (component,)
        NaN after the first above `LEVEL` and from the first that holds less than `LEAST_SHARE`,
        where it ends.  All NaN for a single item: `testable`.
    """
    complete = complete_samples(samples)
    rest = samples[:, complete] - samples[:, complete].mean(axis=1)[:, None]
    total = float((rest**2).sum())
    null, p = np.full((len(generators), n_most), np.nan), np.full(n_most, np.nan)
    shuffles = _Shuffles(complete, len(rest), generators)
    axes = np.zeros((len(rest), 0))  # of the components before
    for k in range(n_most if total > 0 and testable(samples) else 0):
        power, axis = _first_axis(rest)
        if power < LEAST_SHARE * total:
            break
        noise = rest * _noise_scale(rest, axes)[:, None]
        for draw, source in enumerate(shuffles):
            null[draw, k] = _first_power(_shuffled(noise, source), axes) / total
        p[k] = float(upper_p_value(power / total, null[:, k]))
        if p[k] > LEVEL:
            break
        rest = rest - np.outer(axis, axis @ rest)
        axes = np.column_stack([axes, axis])
    return null, p


def testable(samples: Array) -> bool:
    """Whether there are two items or more: courses of a single one can only be moved in time.

    Moved in time, slow courses lose the trend that they share by chance, and independent neurons
    pass.
    """
    return int(complete_samples(samples).any(axis=0).sum()) > 1


def leading(p: Array) -> int:
    """Count the leading components with a p of at most `LEVEL`."""
    above = ~(p <= LEVEL)
    return int(above.argmax()) if above.any() else p.size


class _Shuffles:
    """Where every sample of every neuron comes from, once per draw; the same each time.

    A course is continued by its mirror image, so that no jump makes it less smooth than it was,
    and a stretch as long as the course is taken out of both.

    Parameters
    ----------
    complete : ndarray of bool, shape (time, item)
        Samples that are known.
    n_neurons : int
        Number of neurons.
    generators : sequence of numpy.random.Generator
        One per draw.
    """

    def __init__(
        self,
        complete: NDArray[np.bool_],
        n_neurons: int,
        generators: Sequence[np.random.Generator],
    ) -> None:
        self.complete, self.n_neurons, self.generators = complete, n_neurons, generators
        n_numbers = len(generators) * n_neurons * int(complete.sum())
        self.kept = list(self._drawn()) if n_numbers <= _KEPT_SHUFFLES else None

    def __iter__(self) -> Iterator[Index]:
        """Give the positions in the flat array (neuron, sample), one array per draw."""
        return self._drawn() if self.kept is None else iter(self.kept)

    def _drawn(self) -> Iterator[Index]:
        place = np.cumsum(self.complete.ravel()).reshape(self.complete.shape) - 1
        own = np.arange(self.n_neurons)[:, None] * int(self.complete.sum())
        for rng in copy.deepcopy(list(self.generators)):
            yield own + self._one(place, rng)

    def _one(self, place: Index, rng: np.random.Generator) -> Index:
        """Positions among a neuron's own samples, (neuron, sample)."""
        n_times, n_items = self.complete.shape
        turn = np.asarray(rng.random(size=(self.n_neurons,)))
        if self.complete.all():
            items = np.tile(np.arange(n_items), (self.n_neurons, 1))
            order = rng.permuted(items, axis=1)
            source = _mirrored(turn, n_times)
            return np.asarray(place[source[:, :, None], order[:, None, :]]).reshape(len(turn), -1)
        # Items known at other times cannot change places: each moves within its own times.
        found = np.empty((self.n_neurons, *self.complete.shape), dtype=np.intp)
        for item, known in enumerate(self.complete.T):
            times = np.flatnonzero(known)
            found[:, times, item] = place[times, item][_mirrored(turn, times.size)]
        return found[:, self.complete]


def _mirrored(turn: Array, n_times: int) -> Index:
    """Find the times (neuron, time) of a stretch of course and mirror image, from these turns."""
    step = (turn * 2 * n_times).astype(np.intp)
    place = (np.arange(n_times)[None, :] + step[:, None]) % max(2 * n_times, 1)
    return np.asarray(np.where(place < n_times, place, 2 * n_times - 1 - place))


def _shuffled(noise: Array, source: Index) -> Array:
    """Shuffle samples (neuron, sample), center them and give neurons the squares they had."""
    moved = np.take(noise.ravel(), source)
    moved -= moved.mean(axis=1)[:, None]
    before, after = (np.einsum("ns,ns->n", one, one) for one in (noise, moved))
    moved *= np.sqrt(np.divide(before, after, out=np.zeros(len(after)), where=after > 0))[:, None]
    return moved


def _noise_scale(rest: Array, axes: Array) -> Array:
    """Factor by which each neuron's rest is smaller than its noise was before projecting.

    Taking components off makes the noise of the neurons smaller and correlated.  Shuffling
    undoes the second but not the first: the null would be too small.
    """
    if not axes.shape[1]:
        return np.ones(len(rest))
    left = np.eye(len(rest)) - axes @ axes.T
    power = (rest**2).sum(axis=1)
    noise = np.linalg.lstsq(left**2, power, rcond=1e-6)[0].clip(0.0)
    scale = np.divide(noise, power, out=np.ones(power.shape), where=power > 0)
    factor: Array = np.sqrt(scale)
    return factor


def _first_axis(matrix: Array) -> tuple[float, Array]:
    """Sum of squares along the main axis, and the axis."""
    if len(matrix) <= matrix.shape[1]:
        power, vectors = _largest(matrix @ matrix.T)
        return power, vectors
    power, vectors = _largest(matrix.T @ matrix)
    axis = matrix @ vectors
    return power, axis / max(float(np.linalg.norm(axis)), 1e-300)


def _first_power(matrix: Array, axes: Array) -> float:
    """Sum of squares along the main axis of what is left of a matrix without these axes."""
    left = matrix - axes @ (axes.T @ matrix) if axes.shape[1] else matrix
    gram = left @ left.T if len(left) <= left.shape[1] else left.T @ left
    last = len(gram) - 1
    found = scipy.linalg.eigh(
        gram, eigvals_only=True, subset_by_index=[last, last], overwrite_a=True, check_finite=False
    )
    return float(found[0])


def _largest(gram: Array) -> tuple[float, Array]:
    """Largest eigenvalue and its vector."""
    last = len(gram) - 1
    power, vectors = scipy.linalg.eigh(gram, subset_by_index=[last, last], check_finite=False)
    return float(power[0]), vectors[:, 0]
