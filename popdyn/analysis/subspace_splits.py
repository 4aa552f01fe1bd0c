"""Overlap of two subspaces without the noise, from halves of the trials: arrays only.

Noise turns the axes of both sides away from each other, so that the overlap of averages is too
small.  Axes of one half of the trials are judged on signal variance of the other half, and the
loss within one side tells how much of the loss between the sides is noise.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.statespace_splits import joined, quarter_averages
from popdyn.analysis.subspace_angles import axes_of, captured, principal_angles
from popdyn.analysis.subspace_sides import Side, centered_pair
from popdyn.analysis.trials import Array, mean_trial
from popdyn.progress import watched
from popdyn.resample import spawn

N_GROUPS = 10


def same_trials(first: Side, second: Side) -> bool:
    """Whether both were recorded in the same trials, so that their noise may be shared."""
    if first.ids is None or second.ids is None or len(first.ids) != len(second.ids):
        return False
    return all(np.array_equal(a, b) for a, b in zip(first.ids, second.ids, strict=True))


def split_overlap(
    first: Side,
    second: Side,
    n_components: int,
    space: str,
    generators: Sequence[np.random.Generator],
    weights: tuple[list[Array], list[Array]] | None = None,
) -> Array:
    """Compare halves of the trials, averaged over splits.

    Parameters
    ----------
    first, second : Side
        With trials.
    n_components : int
        Dimensions of the subspaces.
    space : {"neuron", "sample"}
        What the axes run over.
    generators : sequence of numpy.random.Generator
        One per split.
    weights : pair of list of ndarray, each (split, trial), optional
        Per side and condition the weight of each trial.

    Returns
    -------
    ndarray
        The index without noise, then the angles between halves of the two sides, then the
        angles within the sides; NaN without quarters of the trials.
    """
    other = generators
    if not same_trials(first, second):
        other = [spawn(copy.deepcopy(own), 1)[0] for own in generators]
    sides = []
    for number, (side, own) in enumerate(((first, generators), (second, other))):
        assert side.trials is not None  # noqa: S101  # only reached with trials
        weight = None if weights is None else weights[number]
        sides.append(quarter_averages(side.trials, copy.deepcopy(list(own)), weight))
    rows = [
        _one_split([(means[:, at], totals[:, at]) for means, totals in sides], n_components, space)
        for at in range(len(generators))
    ]
    known = [row for row in rows if row is not None]
    if not known:
        return np.full(1 + 2 * n_components, np.nan)
    variance, total, angles = (np.mean([row[i] for row in known], axis=0) for i in range(3))
    return np.concatenate([[_index(variance, total)], *angles])


def _index(variance: Array, total: Array) -> float:
    """Variance across sides over variance within, (of, along), in shares of each side's total.

    In shares, because otherwise the stronger side, whose axes are better known, would weigh
    more below the line than above it.
    """
    if (total <= 0).any():
        return float("nan")
    share = variance / total[:, None]
    own = share[0, 0] + share[1, 1]
    return float((share[0, 1] + share[1, 0]) / own) if own > 0 else float("nan")


def _one_split(
    sides: list[tuple[Array, Array]], n_components: int, space: str
) -> tuple[Array, Array, Array] | None:
    """Signal variance (of, along), in all (of), and angles (between or within, component)."""
    parts = [
        [*means, joined(means[:2], totals[:2]), joined(means[2:], totals[2:])]
        for means, totals in sides
    ]
    parts = list(centered_pair(parts[0], parts[1], space))
    if any(min(part.shape) <= n_components for side in parts for part in side):
        return None
    variance, total = np.zeros((2, 2)), np.zeros(2)
    axes = [[axes_of(side[half], n_components) for half in (4, 5)] for side in parts]
    for half, quarters in ((0, (2, 3)), (1, (0, 1))):
        for of, side in enumerate(parts):
            # The noise of two quarters is independent, also of that of the axes.
            one, two = (side[quarter] for quarter in quarters)
            signal = one @ two.T
            total[of] += np.trace(signal)
            for along in (0, 1):
                variance[of, along] += captured(axes[along][half], (signal + signal.T) / 2.0)
    within = [principal_angles(*own) for own in axes]
    between = [principal_angles(axes[0][half], axes[1][1 - half]) for half in (0, 1)]
    return variance, total, np.array([np.mean(between, axis=0), np.mean(within, axis=0)])


def jackknife_overlap(
    first: Side,
    second: Side,
    n_components: int,
    space: str,
    generators: Sequence[np.random.Generator],
    rng: np.random.Generator,
) -> tuple[Array, int]:
    """Find standard errors by leaving out a tenth of the trials at a time.

    Parameters
    ----------
    first, second, n_components, space
        As for `split_overlap`.
    generators : sequence of numpy.random.Generator
        Splits, the same for every group left out.
    rng : numpy.random.Generator
        Deals the trials out into groups.

    Returns
    -------
    error : ndarray
        Of what `split_overlap` returns, then of the principal angles of the averages.
    n_groups : int
        Number of groups; with fewer than four the errors are NaN.
    """
    assert first.trials is not None and second.trials is not None  # noqa: S101, PT018
    sizes = [len(values) for side in (first, second) for values in side.trials or ()]
    n_groups = min(N_GROUPS, min(sizes))
    if n_groups < 4:
        return np.full(1 + 3 * n_components, np.nan), n_groups
    groups = [_dealt(first, n_groups, rng)]
    groups.append(groups[0] if same_trials(first, second) else _dealt(second, n_groups, rng))
    rows = []
    for left_out in watched(range(n_groups), n_groups, "leaving trials out"):
        kept = [[group != left_out for group in side] for side in groups]
        weights = tuple(
            [np.tile(keep.astype(np.float64), (len(generators), 1)) for keep in side]
            for side in kept
        )
        split = split_overlap(first, second, n_components, space, generators, weights)  # type: ignore[arg-type]
        averages = [_average(side, keep) for side, keep in zip((first, second), kept, strict=True)]
        (a,), (b,) = centered_pair([averages[0]], [averages[1]], space)
        angles = principal_angles(axes_of(a, n_components), axes_of(b, n_components))
        rows.append(np.concatenate([split, angles]))
    return np.sqrt((n_groups - 1) * np.var(rows, axis=0)), n_groups


def _dealt(side: Side, n_groups: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Group of each trial of each condition."""
    return [rng.permutation(len(values)) % n_groups for values in side.trials or ()]


def _average(side: Side, kept: list[NDArray[np.bool_]]) -> Array:
    """Averages (neuron, condition and time) of the trials kept."""
    trials = side.trials or ()
    means = [mean_trial(values[keep]) for values, keep in zip(trials, kept, strict=True)]
    return np.concatenate(means, axis=1)
