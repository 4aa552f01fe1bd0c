"""Points of subjective equality: the second stimulus that is called larger as often as smaller.

A cumulative normal is fitted to the choices of each first stimulus.  Where choices leave it open,
because none or all of them are wrong, a weak prior decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

Array = NDArray[np.float64]

# Standard deviation, of the normal priors of the location and of the logarithm of the spread in
# units of the largest difference that was shown; the second has the mean -1.
_PRIOR_DEVIATION = 5.0
_LOG_SPREAD = -1.0
_MOST_STEPS = 200
_CLOSE = 1e-10


@dataclass(frozen=True)
class Equality:
    """Fits, one for each row.

    Attributes
    ----------
    difference : ndarray
        Second stimulus minus first at which both answers are equally likely.
    spread : ndarray
        Standard deviation of the cumulative normal.
    """

    difference: Array
    spread: Array


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
    if not known.any() or scale == 0:
        nothing = np.full(len(known), np.nan)
        return Equality(nothing, nothing)
    problem = _Problem(difference[known] / scale, n_larger[known], n_trials[known])
    place, log_spread = problem.solve()
    fitted = np.full((2, len(known)), np.nan)
    fitted[:, known] = scale * place, scale * np.exp(log_spread)
    return Equality(*fitted)


@dataclass(frozen=True, eq=False)
class _Problem:
    """Posterior of location and logarithm of the spread, each row by itself."""

    level: Array
    n_larger: Array
    n_trials: Array

    def solve(self) -> Array:
        """Climb to the top by damped Fisher scoring; ``(location or log spread, row)``."""
        point = np.zeros((2, len(self.level)))
        point[1] = _LOG_SPREAD
        loss = self.loss(point)
        damping = np.full(len(loss), 1e-3)
        left = np.arange(len(loss))
        for _ in range(_MOST_STEPS):
            part = _Problem(self.level[left], self.n_larger[left], self.n_trials[left])
            step = part._step(point[:, left], damping[left])
            there = part.loss(point[:, left] + step)
            better = there < loss[left]
            point[:, left] += np.where(better, step, 0.0)
            loss[left] = np.where(better, there, loss[left])
            damping[left] *= np.where(better, 0.1, 10.0)
            left = left[(np.abs(step) > _CLOSE).any(axis=0)]
            if not left.size:
                break
        return point

    def loss(self, point: Array) -> Array:
        """Return minus the logarithm of the posterior of each row."""
        eta = self._eta(point)
        said = self.n_larger * log_ndtr(eta) + (self.n_trials - self.n_larger) * log_ndtr(-eta)
        away = point - np.array([[0.0], [_LOG_SPREAD]])
        loss: Array = -said.sum(axis=1) + (away**2).sum(axis=0) / (2 * _PRIOR_DEVIATION**2)
        return loss

    def _eta(self, point: Array) -> Array:
        # Beyond 40 standard deviations a probability is 0 in double precision.
        eta: Array = np.clip((self.level - point[0, :, None]) * np.exp(-point[1, :, None]), -40, 40)
        return eta

    def _step(self, point: Array, damping: Array) -> Array:
        """Return the next step, of two unknowns written out."""
        eta = self._eta(point)
        log_density = -(eta**2) / 2 - np.log(2 * np.pi) / 2
        rise, fall = np.exp(log_density - log_ndtr(eta)), np.exp(log_density - log_ndtr(-eta))
        slope = self.n_larger * rise - (self.n_trials - self.n_larger) * fall
        weight = self.n_trials * rise * fall
        by_place, by_spread = -np.exp(-point[1, :, None]), -eta
        precision = 1 / _PRIOR_DEVIATION**2
        first = (slope * by_place).sum(axis=1) - precision * point[0]
        second = (slope * by_spread).sum(axis=1) - precision * (point[1] - _LOG_SPREAD)
        a = (weight * by_place**2).sum(axis=1) + precision
        b = (weight * by_place * by_spread).sum(axis=1)
        c = (weight * by_spread**2).sum(axis=1) + precision
        a, c = a * (1 + damping), c * (1 + damping)
        determinant = a * c - b**2
        step = np.array([c * first - b * second, a * second - b * first]) / determinant
        # A spread changes by no more than a factor e at once.
        longest = np.maximum(np.abs(step).max(axis=0), 1.0)
        shortened: Array = step / longest
        return shortened
