"""Expectation maximization of mixtures of Gaussians, compiled: arrays only.

Points lie by feature ``(feature, point)``, so that inner loops run over points.  Loops are written
out: expressions of arrays take longer to compile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from popdyn.analysis.gaussian_mixture_start import (
    NO_POINTS,
    REORDERED,
    share_axes,
    share_nearest,
)

Array = NDArray[np.float64]

# Covariances of each group's own, one for all groups, or a variance of each group's own.
FULL, SHARED, SPHERICAL = range(3)
_LOG_CIRCLE = float(np.log(2.0 * np.pi))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def fit_best(
    points: Array,
    uniform: Array,
    shape: int,
    least_variance: float,
    tolerance: float,
    most_steps: int,
) -> tuple[float, Array, Array, Array]:  # pragma: no cover - compiled
    """Fit from several starts; return the best mean log likelihood, weights, means, covariances.

    `uniform` are random numbers ``(start, group)``; k-means and axes take turns.  The likelihood is
    NaN or minus infinity if no start led to one.
    """
    n_starts, n_groups = uniform.shape
    share = np.empty((n_groups, points.shape[1]))
    share_nearest(points, uniform[0], share)
    best = ascend(points, share, shape, least_variance, tolerance, most_steps)
    for start in range(1, n_starts):
        if start % 2:
            share_axes(points, uniform[start], share)
        else:
            share_nearest(points, uniform[start], share)
        found = ascend(points, share, shape, least_variance, tolerance, most_steps)
        if not best[0] >= found[0]:
            best = found
    return best


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def ascend(
    points: Array,
    share: Array,
    shape: int,
    least_variance: float,
    tolerance: float,
    most_steps: int,
) -> tuple[float, Array, Array, Array]:  # pragma: no cover - compiled
    """Raise the likelihood from shares ``(group, point)`` until a step gains less than `tolerance`.

    `share` is changed in place.  Returned as by `fit_best`.
    """
    n_groups, n_features = len(share), len(points)
    weight = np.empty(n_groups)
    mean = np.empty((n_groups, n_features))
    covariance = np.empty((n_groups, n_features, n_features))
    maximize(points, share, shape, least_variance, weight, mean, covariance)
    before = -np.inf
    found = -np.inf
    for _ in range(most_steps):
        found = expect(points, weight, mean, covariance, share)
        maximize(points, share, shape, least_variance, weight, mean, covariance)
        if not found - before >= tolerance:
            break
        before = found
    return found, weight, mean, covariance


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def maximize(
    points: Array,
    share: Array,
    shape: int,
    least_variance: float,
    weight: Array,
    mean: Array,
    covariance: Array,
) -> None:  # pragma: no cover - compiled
    """Weights, means and covariances of shares, in place."""
    n_groups, n_points = share.shape
    n_features = len(points)
    for g in range(n_groups):
        weight[g] = moments(points, share[g], mean[g], covariance[g])
    if shape == SHARED:
        pool(weight, covariance)
    for g in range(n_groups):
        if shape == SPHERICAL:
            make_round(covariance[g])
        for a in range(n_features):
            covariance[g, a, a] += least_variance
        weight[g] /= n_points + n_groups * NO_POINTS


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def moments(
    points: Array, share: Array, mean: Array, covariance: Array
) -> float:  # pragma: no cover - compiled
    """Mean and covariance of one group, in place; return its number of points."""
    n_features, n_points = points.shape
    moved = np.empty((n_features, n_points))
    shared = np.empty(n_points)
    total = NO_POINTS
    for i in range(n_points):
        total += share[i]
    for a in range(n_features):
        row, out = points[a], moved[a]
        center = 0.0
        for i in range(n_points):
            center += share[i] * row[i]
        center /= total
        mean[a] = center
        for i in range(n_points):
            out[i] = row[i] - center
            shared[i] = share[i] * out[i]
        for b in range(a + 1):
            other = moved[b]
            product = 0.0
            for i in range(n_points):
                product += shared[i] * other[i]
            covariance[a, b] = covariance[b, a] = product / total
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def pool(weight: Array, covariance: Array) -> None:  # pragma: no cover - compiled
    """Give all groups the mean covariance, in place."""
    n_groups, n_features = covariance.shape[:2]
    everything = 0.0
    for g in range(n_groups):
        everything += weight[g]
    for a in range(n_features):
        for b in range(n_features):
            total = 0.0
            for g in range(n_groups):
                total += weight[g] * covariance[g, a, b]
            for g in range(n_groups):
                covariance[g, a, b] = total / everything


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def make_round(covariance: Array) -> None:  # pragma: no cover - compiled
    """Give a covariance its mean variance in all directions, in place."""
    n_features = len(covariance)
    total = 0.0
    for a in range(n_features):
        total += covariance[a, a]
    for a in range(n_features):
        for b in range(n_features):
            covariance[a, b] = total / n_features if a == b else 0.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def expect(
    points: Array, weight: Array, mean: Array, covariance: Array, share: Array
) -> Any:  # pragma: no cover - compiled
    """Shares of groups in points, in place; return the mean log density (NaN: not positive)."""
    log_joint(points, weight, mean, covariance, share)
    n_groups, n_points = share.shape
    largest = share[0].copy()
    for g in range(1, n_groups):
        own = share[g]
        for i in range(n_points):
            largest[i] = max(largest[i], own[i])
    density = np.zeros(n_points)
    for g in range(n_groups):
        own = share[g]
        for i in range(n_points):
            own[i] = np.exp(own[i] - largest[i])
            density[i] += own[i]
    total = 0.0
    for i in range(n_points):
        total += largest[i] + np.log(density[i])
        density[i] = 1.0 / density[i]
    for g in range(n_groups):
        own = share[g]
        for i in range(n_points):
            own[i] *= density[i]
    return total / n_points


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def log_joint(
    points: Array, weight: Array, mean: Array, covariance: Array, found: Array
) -> None:  # pragma: no cover - compiled
    """Log of weight times density of points in groups, into `found` ``(group, point)``."""
    n_features, n_points = points.shape
    root = np.empty((n_features, n_features))
    scaled = np.empty((n_features, n_points))
    for g in range(len(weight)):
        factorize(covariance[g], root)
        constant = np.log(weight[g]) - n_features * _LOG_CIRCLE / 2.0
        own = found[g]
        for i in range(n_points):
            own[i] = 0.0
        for a in range(n_features):
            row, out = points[a], scaled[a]
            center = mean[g, a]
            for i in range(n_points):
                out[i] = row[i] - center
            for b in range(a):
                other, factor = scaled[b], root[a, b]
                for i in range(n_points):
                    out[i] -= factor * other[i]
            factor = 1.0 / root[a, a]
            constant += np.log(factor)
            for i in range(n_points):
                out[i] *= factor
                own[i] += out[i] * out[i]
        for i in range(n_points):
            own[i] = constant - own[i] / 2.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def factorize(covariance: Array, root: Array) -> None:  # pragma: no cover - compiled
    """Lower triangular root of a matrix, in place; NaN if it is not positive."""
    for a in range(len(root)):
        for b in range(a + 1):
            left = covariance[a, b]
            for c in range(b):
                left -= root[a, c] * root[b, c]
            root[a, b] = np.sqrt(left) if a == b else left / root[b, b]
