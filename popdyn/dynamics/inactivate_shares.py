"""Bounds of shares of trials, where draws alone are too sure: a rare change may not be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from popdyn.resample import percentile_bounds
from popdyn.train.validate import wilson_interval

Array = NDArray[np.float64]


def share_bounds(answers: Array, draws: Array) -> Array:
    """Return 95 % bounds ``(bound, ...)`` of means of numbers from 0 to 1.

    Draws of trials that are all alike do not scatter: the bounds reach at least as far as Wilson's.

    Parameters
    ----------
    answers : ndarray, shape (..., trial)
        Of each trial, NaN if it has none.
    draws : ndarray, shape (draw, ...)
        Means of draws of trials.
    """
    return _at_least(percentile_bounds(draws), _wilson(answers))


def change_bounds(before: Array, after: Array, draws: Array) -> Array:
    """Return 95 % bounds ``(bound, ...)`` of mean changes of the same trials.

    They reach at least as far as those of what was lost and what was gained, each by Wilson, put
    together as Newcombe (1998) does.

    Parameters
    ----------
    before : ndarray, shape (trial,)
        Without inactivation, from 0 to 1.
    after : ndarray, shape (..., trial)
        With it.
    draws : ndarray, shape (draw, ...)
        Mean changes of draws of trials.
    """
    change = after - before
    gain, loss = np.maximum(change, 0.0), np.maximum(-change, 0.0)
    (fewest_gained, most_gained), (fewest_lost, most_lost) = _wilson(gain), _wilson(loss)
    gained, lost = np.nanmean(gain, axis=-1), np.nanmean(loss, axis=-1)
    down = np.hypot(gained - fewest_gained, most_lost - lost)
    up = np.hypot(most_gained - gained, lost - fewest_lost)
    return _at_least(percentile_bounds(draws), gained - lost + np.stack([-down, up]))


def _wilson(values: Array) -> Array:
    """Return Wilson's bounds ``(bound, ...)`` of means over the last axis."""
    known = np.isfinite(values)
    pairs = zip(np.where(known, values, 0.0).sum(axis=-1).flat, known.sum(axis=-1).flat,
                strict=True)  # fmt: skip
    bounds = [wilson_interval(float(total), int(n)) if n else (np.nan, np.nan)
              for total, n in pairs]  # fmt: skip
    return np.array(bounds).T.reshape(2, *values.shape[:-1])


def _at_least(drawn: Array, other: Array) -> Array:
    """Return bounds that hold both intervals."""
    return np.stack([np.fmin(drawn[0], other[0]), np.fmax(drawn[1], other[1])])
