"""Probit regression of choices, many weightings at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

Array = NDArray[np.float64]

_MOST_STEPS = 60
_CLOSE = 1e-8
# A weak normal prior keeps coefficients finite where choices are never wrong.
_PRIOR_DEVIATION = 30.0


def fit_probit(design: Array, larger: NDArray[np.bool_], weights: Array) -> Array:
    """Fit ``P(larger) = Phi(design @ coefficient)``, once for each row of weights.

    Parameters
    ----------
    design : ndarray, shape (trial, regressor)
        Of size about 1.
    larger : ndarray of bool, shape (trial,)
    weights : ndarray, shape (draw, trial)

    Returns
    -------
    ndarray, shape (draw, regressor)

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import ndtri
    >>> larger = np.repeat([True, False], [84134, 15866])
    >>> found = fit_probit(np.ones((100000, 1)), larger, np.ones((1, 100000)))
    >>> bool(abs(found[0, 0] - ndtri(0.84134)) < 1e-3)
    True
    """
    rows, which = np.unique(np.column_stack([design, larger]), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    starts = np.searchsorted(which.ravel()[order], np.arange(len(rows)))
    counts = np.add.reduceat(weights[:, order], starts, axis=1)
    x = rows[:, :-1] * np.where(rows[:, -1:] > 0, 1.0, -1.0)
    found = np.zeros((len(counts), x.shape[1]))
    for i, own in enumerate(counts):
        found[i] = _climb(x, own, found[0].copy() if i else np.zeros(x.shape[1]))
    return found


def is_separable(design: Array, larger: NDArray[np.bool_]) -> bool:
    """Tell whether a plane parts the answers, so that no coefficients are the most likely.

    Parameters
    ----------
    design : ndarray, shape (trial, regressor)
    larger : ndarray of bool, shape (trial,)

    Returns
    -------
    bool
        True too where answers of both kinds lie on the plane itself.

    Examples
    --------
    >>> design = np.column_stack([np.ones(4), [1.0, 2.0, 3.0, 4.0]])
    >>> is_separable(design, np.array([False, False, True, True]))
    True
    >>> is_separable(design, np.array([False, True, False, True]))
    False
    """
    from scipy.optimize import linprog  # type: ignore[attr-defined]

    rows = np.unique(np.column_stack([design, larger]), axis=0)
    x = rows[:, :-1] * np.where(rows[:, -1:] > 0, 1.0, -1.0)
    # The largest sum of distances from a plane with nothing on its wrong side.
    found = linprog(-x.sum(axis=0), A_ub=-x, b_ub=np.zeros(len(x)), bounds=(-1, 1))
    return bool(-found.fun > _CLOSE * len(x))


def _climb(x: Array, counts: Array, start: Array) -> Array:
    """Newton's steps, halved while they lead down; the loss is convex."""
    point, loss = start, _loss(x, counts, start)
    for _ in range(_MOST_STEPS):
        eta = x @ point
        ratio = np.exp(-(eta**2) / 2 - np.log(2 * np.pi) / 2 - log_ndtr(eta))
        gradient = -(counts * ratio) @ x + point / _PRIOR_DEVIATION**2
        curvature = (x * (counts * ratio * (ratio + eta))[:, None]).T @ x
        curvature += np.eye(point.size) / _PRIOR_DEVIATION**2
        step = -np.linalg.solve(curvature, gradient)
        while _loss(x, counts, point + step) > loss and np.abs(step).max() > _CLOSE:
            step = step / 2
        point = point + step
        loss = _loss(x, counts, point)
        if np.abs(step).max() < _CLOSE:
            break
    return point


def _loss(x: Array, counts: Array, point: Array) -> float:
    prior = float(point @ point) / (2 * _PRIOR_DEVIATION**2)
    return float(-counts @ log_ndtr(x @ point)) + prior
