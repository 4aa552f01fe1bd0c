"""Psychometric curves over some stimuli: their shares, and the scale on which they are fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from popdyn.behavior.maximum_likelihood import Problem

Array = NDArray[np.float64]

CURVES = ("normal", "logistic", "weibull")
_MOST_LAPSE = 0.4
_TINY = 1e-300
_LARGE = 2.0  # of the range of stimuli: a spread that says nothing
# Curves hardly bend over so small a part of their spread, and are flat so many spreads away.
_FINE, _FAR = 1 / 16, 12.0


@dataclass(frozen=True, eq=False)
class Levels:
    """Stimuli shown, how often, and how often the answer was 1."""

    stimulus: Array
    n_larger: Array
    n: Array

    @property
    def counts(self) -> Array:
        """How often the answer was 1, then how often it was not."""
        return np.concatenate([self.n_larger, self.n - self.n_larger])

    def merged(self, which: NDArray[np.intp]) -> Levels:
        """Take levels with the same number together, at their mean stimulus."""
        n = np.bincount(which, self.n).astype(np.float64)
        stimulus = np.bincount(which, self.n * self.stimulus) / n
        return Levels(stimulus, np.bincount(which, self.n_larger).astype(np.float64), n)


@dataclass(frozen=True, eq=False)
class Family:
    """Curves of one kind over stimuli from `low` to `high`.

    Fits have a scale of their own, so that units do not matter: stimuli go from 0 to 1, of a
    Weibull curve logarithms from 0; spreads are logarithms.
    """

    curve: str
    guess: float | str | None
    lapse: float | str
    low: float
    high: float

    def problem(self, stimulus: Array) -> Problem:
        """Return the likelihood of answers to some stimuli."""
        reach = self._reach
        spread = (1e-3 * reach, _LARGE * reach) if self.curve != "weibull" else (0.02, 10.0)
        given = [rate for rate in (self.guess, self.lapse) if isinstance(rate, float)]
        most = min(_MOST_LAPSE, 0.9 * (1 - sum(given)))
        pairs = [(-reach, 2 * reach), tuple(np.log(spread)), *[(0.0, most)] * self._n_rates]
        lower, upper = np.array(pairs, dtype=np.float64).T

        def terms(point: Array) -> Array:
            return np.log(np.maximum(np.concatenate(self.shares(point, stimulus)), _TINY))

        return Problem(terms, _expected, lower, upper)

    def plausible(self) -> Array:
        """Return between what fits begin to look (end, parameter)."""
        spread = np.log(np.array([0.05, 0.5]) * (self._reach if self.curve != "weibull" else 1.0))
        return np.array([[0.0, self._reach], spread, *[[0.0, 0.1]] * self._n_rates]).T

    def natural(self, point: Array) -> Array:
        """Return threshold, spread, guess and lapse at a point of the fit."""
        rest = list(point[2:])
        guess = rest.pop(0) if self.guess == "free" else self.guess
        lapse = rest.pop(0) if self.lapse == "free" else self.lapse
        guess = lapse if guess is None else guess
        spread = np.exp(point[1])
        if self.curve == "weibull":
            place = self.low * np.exp(point[0])
        else:
            reach = self.high - self.low
            place, spread = self.low + reach * point[0], reach * spread
        return np.array([place, spread, float(guess), float(lapse)])

    def shares(self, point: Array, stimulus: Array) -> tuple[Array, Array]:
        """Return the shares of answers 1, and of the others, each without loss of digits."""
        place, spread, guess, lapse = self.natural(point)
        z = self._away(stimulus, place, spread)
        if self.curve == "weibull":
            power = np.exp(np.clip(z, -700, 700))
            above, below = -np.expm1(-power), np.exp(-power)
        else:
            above, below = (ndtr(z), ndtr(-z)) if self.curve == "normal" else (expit(z), expit(-z))
        inner = 1 - guess - lapse
        return guess + inner * above, lapse + inner * below

    def grouped(self, levels: Levels, point: Array) -> Levels:
        """Take stimuli together over which the curve at a point does not bend."""
        if levels.n.size <= 2 * _FAR / _FINE:
            return levels
        place, spread, _, _ = self.natural(point)
        z = np.clip(self._away(levels.stimulus, place, spread), -_FAR, _FAR)
        return levels.merged(np.unique(np.round(z / _FINE), return_inverse=True)[1].ravel())

    @property
    def _n_rates(self) -> int:
        return [self.guess, self.lapse].count("free")

    @property
    def _reach(self) -> float:
        """From the least to the largest stimulus, on the scale of thresholds."""
        return float(np.log(self.high / self.low)) if self.curve == "weibull" else 1.0

    def _away(self, stimulus: Array, place: float, spread: float) -> Array:
        if self.curve == "weibull":
            return np.asarray(np.log(stimulus / place) / spread)
        return np.asarray((stimulus - place) / spread)


def _expected(counts: Array, terms: Array) -> Array:
    larger, smaller = np.split(counts, 2)
    return np.asarray(np.tile(larger + smaller, 2) * np.exp(terms))
