"""Points of subjective equality: the second stimulus that is called larger as often as smaller.

A cumulative normal is fitted to the choices of each first stimulus, and another one to all of
them, whose place is a line in the first stimulus: its slope says whether answers are drawn towards
the middle.  Where choices leave an estimate open, because none or all of them are wrong, a weak
prior decides; intervals reach as far as choices leave it open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.behavior.cumulative_normal import CumulativeNormal

Array = NDArray[np.float64]

# Priors, mean and standard deviation: of places in units of the largest difference that was
# shown, of the logarithm of the spread in these units, of the slope, and of the change of the
# logarithm of the spread from the middle of the first stimuli to the one furthest away.
_PLACE = (0.0, 5.0)
_LOG_SPREAD = (-1.0, 5.0)
_SLOPE = (1.0, 5.0)
_WIDENS = (0.0, 1.0)
# Choices that leave open such slopes do not end them.
_STEEPEST = 20.0


@dataclass(frozen=True)
class Equality:
    """Fits, one for each row.

    Attributes
    ----------
    difference : ndarray, shape (row,)
        Second stimulus minus first at which both answers are equally likely.
    spread : ndarray, shape (row,)
        Standard deviation of the cumulative normal.
    difference_bound, spread_bound : ndarray, shape (2, row)
        Their 95 % profile intervals, infinite where choices do not end them.
    """

    difference: Array
    spread: Array
    difference_bound: Array
    spread_bound: Array


def fit_equality(difference: Array, n_larger: Array, n_trials: Array) -> Equality:
    """Fit a cumulative normal to each row of choices.

    Parameters
    ----------
    difference : ndarray, shape (row, level)
        Second stimulus minus first.
    n_larger : ndarray, shape (row, level)
        How often the second was called larger.
    n_trials : ndarray, shape (row, level)
        Of so many; 0 where there was no such difference.

    Returns
    -------
    Equality
        NaN in rows with fewer than two differences.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.behavior.equality import fit_equality
    >>> shown = np.array([[-1.0, 0.0, 1.0]])
    >>> found = fit_equality(shown, np.array([[0.0, 5.0, 10.0]]), np.full((1, 3), 10.0))
    >>> bool(abs(found.difference[0]) < 1e-9)
    True
    """
    known = (n_trials > 0).sum(axis=1) > 1
    scale = np.abs(difference).max(initial=0.0)
    fitted, bound = np.full((2, len(known)), np.nan), np.full((2, 2, len(known)), np.nan)
    if known.any() and scale > 0:
        one = np.ones((int(known.sum()), difference.shape[1], 1))
        prior = np.array([_PLACE, _LOG_SPREAD]).T
        counts = n_larger[known], n_trials[known]
        model = CumulativeNormal(difference[known] / scale, *counts, one, one, prior)
        best = model.solve(model.start())
        fitted[:, known] = scale * best[:, 0], scale * np.exp(best[:, 1])
        bound[0][:, known] = scale * model.bounds(best, 0)
        bound[1][:, known] = scale * np.exp(model.bounds(best, 1))
    return Equality(*fitted, *bound)


@dataclass(frozen=True)
class Contraction:
    """The slope of points of equality on first stimuli.

    Attributes
    ----------
    slope : ndarray, shape (row,)
        One for each row of counts; NaN where pairs cannot tell it.
    bound : ndarray, shape (2,)
        95 % profile interval of that of the first row, infinite where choices do not end it.
    """

    slope: Array
    bound: Array


def fit_contraction(first: Array, second: Array, n_larger: Array, n_trials: Array) -> Contraction:
    """Fit one cumulative normal to the choices of all pairs, placed on a line in the first.

    The logarithm of its spread is a line in the first stimulus, too.

    Parameters
    ----------
    first, second : ndarray, shape (pair,)
        Stimuli.
    n_larger, n_trials : ndarray, shape (row, pair)
        How often the second was called larger, of so many; each row is fitted by itself.

    Returns
    -------
    Contraction
    """
    n_rows = len(n_trials)
    difference, away = second - first, first - _middle(first, n_trials[0])
    shown = n_trials[0] > 0
    columns = np.stack([np.ones(shown.sum()), away[shown], difference[shown]], axis=1)
    if not shown.any() or np.linalg.matrix_rank(columns) < columns.shape[1]:
        return Contraction(np.full(n_rows, np.nan), np.full(2, np.nan))
    scale, furthest = np.abs(difference).max(), np.abs(away).max()
    # Of stimuli less the middle of the first ones.
    place = np.stack([np.ones(len(first)), away / scale], axis=1)
    spread = np.stack([np.ones(len(first)), away / furthest], axis=1)
    level = (difference + away) / scale

    def each(values: Array) -> Array:
        return np.broadcast_to(values, (n_rows, *values.shape))

    prior = np.array([_PLACE, _SLOPE, _LOG_SPREAD, _WIDENS]).T
    parts = each(level), n_larger, n_trials, each(place), each(spread)
    model = CumulativeNormal(*parts, prior)
    best = model.solve(model.start())
    bound = model.rows(np.arange(1)).bounds(best[:1], 1)[:, 0]
    bound[np.abs(bound - 1) > _STEEPEST] *= np.inf
    # What nothing ends is the prior's, not that of the choices.
    slope = best[:, 1] if np.isfinite(bound).any() else np.full(n_rows, np.nan)
    return Contraction(slope, bound)


def _middle(first: Array, n_trials: Array) -> float:
    """Return the middle of the first stimuli that were shown."""
    shown = first[n_trials > 0]
    return float(shown.min() + shown.max()) / 2 if shown.size else 0.0
