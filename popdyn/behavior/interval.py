"""Intervals from bootstrap draws, wide enough where trials are few."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

Array = NDArray[np.float64]

_TAIL = 0.025


def widened(values: Any, draws: Array, n_trials: Any, n_lost: Any) -> Array:
    """Move draws away from the values by as much as too few trials keep them close.

    Draws within classes scatter as if each class's mean were known: too little by ``sqrt(1 -
    n_lost / n_trials)``; and their percentiles are those of a normal distribution where Student's
    is due.

    Parameters
    ----------
    values : float or ndarray
        Of the trials themselves.
    draws : ndarray
        Along the first axis.
    n_trials, n_lost : float or ndarray
        Trials, and how many numbers were fitted to them: classes drawn within, or parameters.

    Returns
    -------
    ndarray
        NaN where no trial is left over.

    Examples
    --------
    >>> widened(1.0, np.array([0.9, 1.1]), 60, 6).round(3).tolist()
    [0.892, 1.108]
    """
    left = np.maximum(np.asarray(n_trials, dtype=np.float64) - n_lost, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.sqrt(n_trials / left) * stdtrit(left, 1 - _TAIL) / ndtri(1 - _TAIL)
        return np.asarray(values + np.where(left > 0, factor, np.nan) * (draws - values))


def draw_bounds(draws: Array) -> Array:
    """Return the ends between which one more draw would fall with probability 0.95.

    Ordinary percentiles of few draws lie too close together: between those of 100 draws one more
    falls with probability 0.93.

    Parameters
    ----------
    draws : ndarray
        Along the first axis; those that are not finite are left out.

    Returns
    -------
    ndarray
        Lower and upper end along the first axis; NaN of fewer than two draws.

    Examples
    --------
    >>> draw_bounds(np.arange(199.0)).round(6).tolist()
    [4.0, 194.0]
    """
    draws = np.where(np.isfinite(draws), draws, np.nan)
    known = np.isfinite(draws).sum(axis=0) > 1
    # A slice without draws would warn; it is given a value here and its NaN back below.
    filled = np.where(known, draws, 0.0)
    ends = np.nanquantile(filled, [_TAIL, 1 - _TAIL], axis=0, method="weibull")
    return np.asarray(np.where(known, ends, np.nan))
