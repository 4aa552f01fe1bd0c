"""How well distances tell a target: errors of the straight line through them, and lack of fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc

Array = NDArray[np.float64]

# Eigenvalues of a covariance below this share of the largest are rounding.
_RANK_TOLERANCE = 1e-9


def normalized_error(target: Array, distance: Array) -> Array:
    """Root of the mean squared residual of a straight line, over the deviation of the target.

    It is ``sqrt(1 - r^2)``, and so the same whichever of the two is regressed on the other.

    Parameters
    ----------
    target, distance : ndarray, shape (..., condition)
        Broadcast against each other.

    Returns
    -------
    ndarray, shape (...)
        Between 0 and 1; 1 where either is constant.
    """
    x, y = _centered(distance), _centered(target)
    product = (x * x).sum(axis=-1) * (y * y).sum(axis=-1)
    explained = (x * y).sum(axis=-1) ** 2
    share = np.divide(explained, product, out=np.zeros(product.shape), where=product > 0)
    return np.asarray(np.sqrt(np.clip(1.0 - share, 0.0, 1.0)))


def error(target: Array, distance: Array) -> Array:
    """Root of the mean squared residual of the target on distances, in units of the target."""
    return np.asarray(normalized_error(target, distance) * target.std(axis=-1))


def line(target: Array, distance: Array) -> tuple[Array, Array]:
    """Intercept and slope of distances (..., condition) on a target, by least squares."""
    x = _centered(target)
    slope = (x * _centered(distance)).sum(axis=-1) / (x * x).sum(axis=-1)
    return distance.mean(axis=-1) - slope * target.mean(axis=-1), slope


def lack_of_fit(
    target: Array, distance: Array, covariance: Array, freedom: float
) -> tuple[float, int]:
    """P value of what a straight line through the target leaves of distances.

    Residuals are weighed by the pseudo-inverse of the covariance: directions without noise, as
    that of the reference whose distance is 0, tell nothing here.

    Parameters
    ----------
    target, distance : ndarray, shape (condition,)
    covariance : ndarray, shape (condition, condition)
        Of the residuals; may be singular.
    freedom : float
        Degrees of freedom of the covariance; infinite if it is known.

    Returns
    -------
    p : float
        NaN with no degree of freedom left.
    n_left : int
        Rank of the covariance less the two numbers of the line.
    """
    value, vector = np.linalg.eigh(covariance)
    kept = value > _RANK_TOLERANCE * max(value.max(), 0.0)
    whiten = (vector[:, kept] / np.sqrt(value[kept])).T
    design = whiten @ np.column_stack([np.ones(target.size), target])
    n_left = int(kept.sum()) - int(np.linalg.matrix_rank(design))
    if n_left < 1:
        return np.nan, n_left
    seen = whiten @ distance
    left = seen - design @ np.linalg.lstsq(design, seen, rcond=None)[0]
    statistic = float(left @ left)
    if not np.isfinite(freedom):
        return float(chdtrc(n_left, statistic)), n_left
    rest = freedom - n_left + 1.0
    return float(fdtrc(n_left, rest, statistic * rest / (freedom * n_left))), n_left


def _centered(values: Array) -> Array:
    return np.asarray(values - values.mean(axis=-1, keepdims=True))
