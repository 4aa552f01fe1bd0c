"""Where mixtures of Gaussians start, compiled: groups of k-means, or about axes through the mean.

Groups that share a center, each along another axis, are not found from those of k-means.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Sums may be taken in another order, so that they run side by side; NaN stays NaN.
REORDERED = {"contract", "reassoc", "nsz", "arcp"}
# A group without points has this many: its weight is not 0, its center the origin.
NO_POINTS = 10.0 * float(np.finfo(np.float64).eps)
_MOST_MOVES = 100


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def share_nearest(
    points: Array, uniform: Array, share: Array
) -> None:  # pragma: no cover - compiled
    """Shares, 0 or 1, of the groups of k-means, from centers far from each other (k-means++)."""
    n_groups, n_points = share.shape
    n_features = len(points)
    center = np.empty(n_features)
    distance = np.full(n_points, np.inf)
    label = np.zeros(n_points, np.int64)
    for g in range(n_groups):
        chosen = drawn(distance, uniform[g]) if g else int(uniform[g] * n_points)
        for a in range(n_features):
            center[a] = points[a, chosen]
        take(points, center, g, distance, label)
    for _ in range(_MOST_MOVES):
        for g in range(n_groups):
            for i in range(n_points):
                share[g, i] = 1.0 if label[i] == g else 0.0
        for i in range(n_points):
            distance[i] = np.inf
        for g in range(n_groups):
            to_mean(points, share[g], center)
            take(points, center, g, distance, label)
        n_moved = 0
        for i in range(n_points):
            n_moved += share[label[i], i] == 0.0
        if not n_moved:
            break


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def share_axes(points: Array, uniform: Array, share: Array) -> None:  # pragma: no cover - compiled
    """Shares, 0 or 1, of groups about axes from the mean through points that are drawn."""
    n_groups, n_points = share.shape
    n_features = len(points)
    center = np.empty(n_features)
    to_mean(points, np.ones(n_points), center)
    axis = np.empty(n_features)
    distance = np.zeros(n_points)
    label = np.zeros(n_points, np.int64)
    taken = np.zeros(n_points, np.bool_)
    for g in range(n_groups):
        chosen = int(uniform[g] * n_points)
        # Between groups about one axis rounding would decide.
        while taken[chosen]:
            chosen = (chosen + 1) % n_points
        taken[chosen] = True
        size = 0.0
        for a in range(n_features):
            axis[a] = points[a, chosen] - center[a]
            size += axis[a] ** 2
        for i in range(n_points):
            along = 0.0
            for a in range(n_features):
                along += axis[a] * (points[a, i] - center[a])
            if -along * along < distance[i] * size:
                distance[i] = -along * along / size
                label[i] = g
    for g in range(n_groups):
        for i in range(n_points):
            share[g, i] = 1.0 if label[i] == g else 0.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def to_mean(points: Array, share: Array, center: Array) -> None:  # pragma: no cover - compiled
    """Move a center to the mean of its points, in place."""
    n_own = NO_POINTS
    for i in range(len(share)):
        n_own += share[i]
    for a in range(len(center)):
        row = points[a]
        total = 0.0
        for i in range(len(share)):
            total += share[i] * row[i]
        center[a] = total / n_own


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def drawn(distance: Array, uniform: float) -> int:  # pragma: no cover - compiled
    """Draw a point, the more likely the larger its distance."""
    total = 0.0
    for i in range(len(distance)):
        total += distance[i]
    left = uniform * total
    for i in range(len(distance)):
        left -= distance[i]
        if left < 0.0:
            return i
    return int(uniform * len(distance))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def take(
    points: Array, center: Array, group: int, distance: Array, label: NDArray[Any]
) -> None:  # pragma: no cover - compiled
    """Give a group the points that are nearer to its center than to those before, in place."""
    n_points = len(distance)
    found = np.zeros(n_points)
    for a in range(len(points)):
        row, own = points[a], center[a]
        for i in range(n_points):
            found[i] += (row[i] - own) ** 2
    for i in range(n_points):
        if found[i] < distance[i]:
            distance[i] = found[i]
            label[i] = group
