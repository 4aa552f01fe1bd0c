"""From a measurement to an estimate: mean, mode and median of the posterior, stable in its tails.

A measurement is the stimulus and Gaussian noise, whose standard deviation may grow with the
stimulus; the observer knows this, and what to expect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.observer.noise import Noise
from popdyn.observer.prior import Prior

Array = NDArray[np.float64]

ESTIMATORS = ("mean", "mode", "median", "linear", "none")
_GOLDEN = (np.sqrt(5) - 1) / 2
_N_SECTIONS = 48
_MOST_STEPS = 40
# A prior's end and a place beside it tell where a density falls towards the end.
_BESIDE = 1e-7
_N_LOOKED_AT, _N_HALVINGS = 257, 50


@dataclass(frozen=True, eq=False)
class Observed:
    """Prior, noise and rule: all that turns a measurement into an estimate."""

    prior: Prior
    noise: Noise
    estimator: str = "mean"
    contraction: float = 1.0

    def estimate(self, measured: Array) -> Array:
        """Return the estimate from each measurement."""
        if self.estimator == "none":
            return np.array(measured, dtype=np.float64)
        if self.estimator == "linear":
            center = self.prior.mean
            return np.asarray(center + self.contraction * (measured - center))
        rules = {"mean": self._mean, "mode": self._mode, "median": self._median}
        return rules[self.estimator](np.asarray(measured, dtype=np.float64))

    @property
    def has_steps(self) -> bool:
        """Whether the estimate jumps from stimulus to stimulus."""
        return self.prior.is_discrete and self.estimator in ("mode", "median")

    def log_posterior(self, measured: Array) -> tuple[Array, Array]:
        """Return nodes and the logarithms of their posterior (measurement, node), up to rows."""
        values, log_weight = self.prior.nodes(self.noise)
        log_posterior = self.noise.log_likelihood(measured[:, None], values) + log_weight
        log_posterior -= log_posterior.max(axis=1, keepdims=True)
        return values, log_posterior

    def steps(self, lower: float, upper: float) -> tuple[Array, Array]:
        """Give the measurements where an estimate with steps jumps, and the estimates between.

        Returns
        -------
        edges : ndarray, shape (piece + 1,)
            From `lower` to `upper`.
        estimates : ndarray, shape (piece,)
        """
        n_points = 64 * self.prior.values.size + 64
        grid = np.linspace(lower, upper, n_points)
        value = self.estimate(grid)
        change = np.flatnonzero(np.diff(value) != 0)
        low, high, before = grid[change], grid[change + 1], value[change]
        for _ in range(60):
            middle = (low + high) / 2
            same = self.estimate(middle) == before
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        edges = np.concatenate([[lower], (low + high) / 2, [upper]])
        return edges, np.concatenate([before, value[-1:]])

    def bends(self, lower: float, upper: float) -> Array:
        """Give the measurements between two at which a mode begins to rest at its prior's end."""
        if self.estimator != "mode" or self.prior.is_discrete:
            return np.empty(0)
        ends = np.array([self.prior.lowest(self.noise), self.prior.upper])
        found = []
        for end, within in zip(
            ends, ends + _BESIDE * np.array([1, -1]) * np.ptp(ends), strict=True
        ):

            def falls(measured: Array, end: Any = end, within: Any = within) -> Array:
                rise = self._log_density(measured, within) - self._log_density(measured, end)
                return np.asarray(rise < 0)

            grid = np.linspace(lower, upper, _N_LOOKED_AT)
            change = np.flatnonzero(np.diff(falls(grid)))
            low, high, before = grid[change], grid[change + 1], falls(grid[change])
            for _ in range(_N_HALVINGS):
                middle = (low + high) / 2
                same = falls(middle) == before
                low, high = np.where(same, middle, low), np.where(same, high, middle)
            found.append((low + high) / 2)
        return np.sort(np.concatenate(found))

    def _mean(self, measured: Array) -> Array:
        values, log_posterior = self.log_posterior(measured)
        weight = np.exp(log_posterior)
        mean: Array = weight @ values / weight.sum(axis=1)
        return mean

    def mean_and_slope(self, measured: Array) -> tuple[Array, Array]:
        """Return the posterior's mean and how it grows with the measurement."""
        values, log_posterior = self.log_posterior(measured)
        weight = np.exp(log_posterior)
        weight /= weight.sum(axis=1, keepdims=True)
        mean = weight @ values
        pull = (values - measured[:, None]) / self.noise.deviation(values) ** 2
        slope = (weight * pull * (values - mean[:, None])).sum(axis=1)
        return mean, slope

    def _mode(self, measured: Array) -> Array:
        values, log_posterior = self.log_posterior(measured)
        if self.prior.log_density is None:
            return np.asarray(values[log_posterior.argmax(axis=1)])
        # Weights of nodes are no part of a density.
        density = self._log_density(measured[:, None], values)
        best = density.argmax(axis=1)
        padded = np.concatenate([[self.prior.lowest(self.noise)], values, [self.prior.upper]])
        return climb_rows(lambda s: self._log_density(measured, s), padded[best], padded[best + 2])

    def _log_density(self, measured: Array, stimulus: Array) -> Array:
        assert self.prior.log_density is not None  # only asked of continuous priors
        return self.noise.log_likelihood(measured, stimulus) + self.prior.log_density(stimulus)

    def _median(self, measured: Array) -> Array:
        values, log_posterior = self.log_posterior(measured)
        weight = np.exp(log_posterior)
        below = weight.cumsum(axis=1) / weight.sum(axis=1, keepdims=True)
        first = np.minimum((below < 0.5).sum(axis=1), values.size - 1)
        if self.prior.is_discrete:
            return np.asarray(values[first])
        return self._halve(measured, values[first], self.prior.lowest(self.noise))

    def _halve(self, measured: Array, start: Array, lower: float) -> Array:
        """Find where half of the posterior lies below, by Newton within ever closer brackets."""
        low, high = np.full_like(start, lower), np.full_like(start, self.prior.upper)
        point, shift = start, self._log_density(measured, start)
        total = self._below(measured, high, shift)
        for _ in range(_MOST_STEPS):
            excess = self._below(measured, point, shift) / total - 0.5
            slope = np.exp(self._log_density(measured, point) - shift) / total
            low, high = np.where(excess < 0, point, low), np.where(excess < 0, high, point)
            step = point - excess / np.maximum(slope, 1e-300)
            following = np.where((step > low) & (step < high), step, (low + high) / 2)
            moved = np.abs(following - point).max()
            point = following
            if moved < 1e-13 * self.prior.upper:
                break
        return point

    def _below(self, measured: Array, end: Array, shift: Array) -> Array:
        """Integrate the density up to an end, each row by itself."""
        values, log_weight = self.prior.nodes_below(self.noise, end)
        log_density = self.noise.log_likelihood(measured[:, None], values) + log_weight
        below: Array = np.exp(log_density - shift[:, None]).sum(axis=1)
        return below


def climb_rows(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Find the largest value between two ends by golden sections, each row by itself."""
    first, second = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_first, at_second = function(first), function(second)
    for _ in range(_N_SECTIONS):
        left = at_first > at_second
        low, high = np.where(left, low, first), np.where(left, second, high)
        new = np.where(left, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
        at_new = function(new)
        first, second, at_first, at_second = (
            np.where(left, new, second),
            np.where(left, first, new),
            np.where(left, at_new, at_second),
            np.where(left, at_first, at_new),
        )
    return np.asarray((low + high) / 2)
