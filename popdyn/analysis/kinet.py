"""Where other trajectories come nearest to each state of a reference, and on which side.

The geometry of KiNeT (Remington et al. 2018, Neuron 98:1005), equal to the authors' MATLAB code,
and paths that never go back in time.  Arrays only; `popdyn.analysis.kinet_distance` adds labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import Array

Alignment = Literal["nearest", "monotone", "time"]
Sign = Literal["direction", "axis"]

# States are compared through products, whose rounding must not decide between equal ones.
_ROUNDING = 1e-13
# Reference times whose pairs give the slope of matched times.
_N_SLOPE_TIMES = 100


@dataclass(frozen=True, eq=False)
class Layout:
    """Which condition is the reference, and which are in its row.

    ``chain`` holds the conditions of the reference's stimulus set in the order of the stimulus;
    its ends give the directions by which sides are told.
    """

    reference: int
    chain: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Match:
    """States that belong together.

    Attributes
    ----------
    index : ndarray of int, shape (time, condition)
        Position in time of the state matched to the reference's at each time; -1 for none.
    states : ndarray, shape (time, condition, feature)
        These states, NaN for none; the reference's own are its own.
    offset : ndarray, shape (time, condition, feature)
        State of the reference less the matched state.
    """

    index: NDArray[np.intp]
    states: Array
    offset: Array


def match_states(
    mean: Array,
    known: NDArray[np.bool_],
    reference: int,
    alignment: Alignment = "nearest",
    reach: int | None = None,
) -> Match:
    """Find, for each state of the reference, the state of every condition that belongs to it.

    Parameters
    ----------
    mean : ndarray, shape (condition, feature, time)
        Trajectories.
    known : ndarray of bool, shape (condition, time)
        Where they exist.
    reference : int
        Position of the reference.
    alignment : {"nearest", "monotone", "time"}
        The nearest state (of equally near ones the earliest); the path of least summed squared
        distance that never goes back in time; or the state at the same time.
    reach : int, optional
        Farthest a match may be in time, in bins.

    Returns
    -------
    Match
    """
    n_times = mean.shape[2]
    rows = np.flatnonzero(known[reference])
    index = np.full((n_times, len(mean)), -1, dtype=np.intp)
    if alignment == "time":
        index[rows] = np.where(known[:, rows].T, rows[:, None], -1)
    else:
        cost = _cost(mean, known, reference, rows)
        if reach is not None:
            far = np.abs(rows[:, None] - np.arange(n_times)) > reach
            cost[:, far] = np.inf
        path = _monotone(cost) if alignment == "monotone" else _nearest(cost)
        index[rows] = path.T
    index[rows, reference] = rows
    states = states_at(index, mean).transpose(2, 0, 1)
    own = np.where(known[reference], mean[reference], np.nan).T
    return Match(index, states, own[:, None, :] - states)


def _cost(mean: Array, known: NDArray[np.bool_], reference: int, rows: NDArray[np.intp]) -> Array:
    """Squared distances (condition, reference time, time), infinite where nothing is known."""
    center = mean[reference][:, rows].mean(axis=1)[:, None]
    moved = np.where(known[:, None, :], mean - center, 0.0)
    own = moved[reference][:, rows]
    square = np.where(known, (moved**2).sum(axis=1), np.inf)
    cost = np.matmul(own.T * -2.0, moved)
    cost += square[:, None, :]
    cost += (own**2).sum(axis=0)[:, None]
    return np.asarray(cost)


def _nearest(cost: Array) -> NDArray[np.intp]:
    """Position of the least cost along the last axis, the first of those equal up to rounding."""
    finite = cost[np.isfinite(cost)]
    slack = _ROUNDING * float(finite.max(initial=0.0))
    least = cost.min(axis=2)
    index = (cost <= least[:, :, None] + slack).argmax(axis=2)
    return np.where(np.isfinite(least), index, -1)


def _monotone(cost: Array) -> NDArray[np.intp]:
    """Positions (condition, row) of least summed cost that never fall from row to row."""
    n_conditions, n_rows, n_times = cost.shape
    blocked = np.asarray(np.isinf(cost).all(axis=2))
    cost = np.where(blocked[:, :, None], 0.0, cost)
    time = np.arange(n_times)
    origin = np.zeros((n_rows, n_conditions, n_times), dtype=np.intp)
    total = cost[:, 0]
    for row in range(1, n_rows):
        lowest = np.minimum.accumulate(total, axis=1)
        falls = np.ones(total.shape, dtype=bool)
        falls[:, 1:] = lowest[:, 1:] < lowest[:, :-1]
        origin[row] = np.maximum.accumulate(np.where(falls, time, 0), axis=1)
        total = cost[:, row] + lowest
    path = np.empty((n_conditions, n_rows), dtype=np.intp)
    everyone = np.arange(n_conditions)
    path[:, -1] = total.argmin(axis=1)
    for row in range(n_rows - 1, 0, -1):
        path[:, row - 1] = origin[row, everyone, path[:, row]]
    return np.where(blocked, -1, path)


def signed_distance(match: Match, layout: Layout, sign: Sign = "direction") -> Array:
    """Distance of matched states, negative on the side of the first condition.

    Parameters
    ----------
    match : Match
        From `match_states`.
    layout : Layout
        Reference, first and last condition.
    sign : {"direction", "axis"}
        As the authors: the side of the end of the row to whose direction the angle is smaller
        (0 if it is the same); or the side along the line from the first to the last.

    Returns
    -------
    ndarray, shape (time, condition)
        0 for the reference; NaN where nothing is matched, or sides cannot be told because an
        end of the row coincides with the reference.
    """
    offset = match.offset
    length = np.sqrt((offset**2).sum(axis=2))
    first, last = layout.chain[0], layout.chain[-1]
    if sign == "direction":
        unit = np.divide(
            offset, length[..., None], out=np.full(offset.shape, np.nan),
            where=length[..., None] > 0.0,
        )  # fmt: skip
        # A larger cosine is a smaller angle.
        side = np.sign(
            np.einsum("jk,jck->jc", unit[:, last], unit)
            - np.einsum("jk,jck->jc", unit[:, first], unit)
        )
    else:
        axis = match.states[:, last] - match.states[:, first]
        side = -np.sign(np.einsum("jk,jck->jc", axis, offset))
    return np.where(length == 0.0, 0.0, side * length)


def arc_length(match: Match, layout: Layout) -> Array:
    """Length of the line through matched states, condition by condition, from the reference.

    Returns
    -------
    ndarray, shape (time, condition)
        Negative before the reference; NaN for conditions that are not in its row.
    """
    chain = layout.chain
    step = np.sqrt((np.diff(match.states[:, chain], axis=1) ** 2).sum(axis=2))
    along = np.concatenate([np.zeros((len(step), 1)), np.cumsum(step, axis=1)], axis=1)
    own = int(np.flatnonzero(chain == layout.reference)[0])
    length = np.full(match.index.shape, np.nan)
    length[:, chain] = along - along[:, [own]]
    return np.asarray(length)


def states_at(index: NDArray[np.intp], states: Array) -> Array:
    """States (condition, feature, time) at matched positions, NaN for none."""
    at = index.T[:, None, :]
    return np.where(at >= 0, np.take_along_axis(states, np.maximum(at, 0), axis=2), np.nan)


def neighbor_geometry(match: Match, layout: Layout) -> tuple[Array, Array, Array]:
    """How the conditions of the reference's row lie to each other at matched states.

    Returns
    -------
    angle : ndarray, shape (time,)
        Between the steps from each condition to the next, averaged (rad): 0 on a straight line.
    rotation : ndarray, shape (time,)
        Of the mean step against the first time (rad).
    similarity : ndarray, shape (time,)
        Of the scatter of the conditions with that at the first time (Garcia 2012): 1 the same,
        0 in other directions.
    """
    states = match.states[:, layout.chain]
    angle, rotation, similar = (np.full(len(states), np.nan) for _ in range(3))
    rows = np.flatnonzero(np.isfinite(states).all(axis=(1, 2)))
    if not rows.size:
        return angle, rotation, similar
    states = states[rows]
    step = np.diff(states, axis=1)
    length = np.sqrt((step**2).sum(axis=2, keepdims=True))
    unit = np.divide(step, length, out=np.full(step.shape, np.nan), where=length > 0.0)
    if unit.shape[1] > 1:
        angle[rows] = _angle(unit[:, 1:], unit[:, :-1]).mean(axis=1)
    mean = unit.mean(axis=1)
    size = np.sqrt((mean**2).sum(axis=1, keepdims=True))
    mean = np.divide(mean, size, out=np.full(mean.shape, np.nan), where=size > 0.0)
    rotation[rows] = _angle(mean, mean[:1])
    rotation[rows[0]] = 0.0
    similar[rows] = _similarity(states)
    return angle, rotation, similar


def _angle(first: Array, second: Array) -> Array:
    """Angle between unit vectors along the last axis (rad)."""
    return np.asarray(np.arccos(np.clip((first * second).sum(axis=-1), -1.0, 1.0)))


def _similarity(states: Array) -> Array:
    """Similarity of the scatter (time, condition, feature) at each time to the first."""
    centered = states - states.mean(axis=1, keepdims=True)
    _, singular, axes = np.linalg.svd(centered, full_matrices=False)
    n = min(states.shape[1] - 1, states.shape[2])
    axes = axes[:, :n]
    own = _shares(singular[:, :n] ** 2)
    first_in_own = _shares(((centered[0] @ axes.transpose(0, 2, 1)) ** 2).sum(axis=1))
    own_in_first = _shares(((centered @ axes[0].T) ** 2).sum(axis=1))
    apart = np.abs(own - first_in_own) + np.abs(own[:1] - own_in_first)
    similar: Array = 1.0 - apart.sum(axis=1) / 4.0
    return similar


def _shares(variance: Array) -> Array:
    """Each row over its sum; NaN where that is 0."""
    total = variance.sum(axis=1, keepdims=True)
    share = np.divide(variance, total, out=np.full(variance.shape, np.nan), where=total > 0.0)
    return np.asarray(share)


def saturated_matches(match: Match, known: NDArray[np.bool_], reference: int) -> NDArray[np.bool_]:
    """Where the nearest state is a condition's first or last, though not the reference's.

    A state beyond the end of what was kept would be nearer, perhaps.

    Returns
    -------
    ndarray of bool, shape (time, condition)
    """
    n_times = known.shape[1]
    first, last = known.argmax(axis=1), n_times - 1 - known[:, ::-1].argmax(axis=1)
    time = np.arange(n_times)[:, None]
    before = (match.index == first) & (time > first[reference])
    after = (match.index == last) & (time < last[reference])
    saturated: NDArray[np.bool_] = (before | after) & (match.index >= 0)
    saturated[:, reference] = False
    return saturated


def relative_speed(index: NDArray[np.intp], usable: NDArray[np.bool_]) -> Array:
    """Speed of each condition over that of the reference.

    The reciprocal of the median slope between pairs of matched times (Theil and Sen), of at most
    100 reference times.

    Parameters
    ----------
    index : ndarray of int, shape (time, condition)
        Matched positions in time.
    usable : ndarray of bool, shape (time, condition)
        Those that count.

    Returns
    -------
    ndarray, shape (condition,)
        NaN with fewer than two times, or where matched times do not rise.
    """
    speed = np.full(index.shape[1], np.nan)
    for condition in range(index.shape[1]):
        rows = np.flatnonzero(usable[:, condition])
        if rows.size < 2:
            continue
        n_kept = min(rows.size, _N_SLOPE_TIMES)
        rows = rows[np.linspace(0, rows.size - 1, n_kept).round().astype(np.intp)]
        early, late = _pairs(n_kept)
        matched = index[rows, condition]
        slope = np.median((matched[late] - matched[early]) / (rows[late] - rows[early]))
        if slope > 0.0:
            speed[condition] = 1.0 / slope
    return speed


@cache
def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All pairs of earlier and later positions."""
    early, late = np.triu_indices(n, 1)
    return early, late
