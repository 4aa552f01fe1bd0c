"""How often the second of two stimuli is called larger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from popdyn.observer.measurement import REACH, RESOLUTION, Measurements, measurements
from popdyn.observer.noise import Noise
from popdyn.observer.posterior import Observed
from popdyn.observer.prior import Prior

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Parameters = Mapping[str, float]

COMPARISONS = ("first", "both", "joint")
_TINY = 1e-300
_N_HALVINGS = 60
_N_NEWTON = 12
_SHARPEST = 4.0


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is known of an observer that compares, but its parameters.

    Attributes
    ----------
    prior, prior_2 : Prior
        Of the first and of the second stimulus.
    estimator : str
    compare : {"first", "both", "joint"}
        What is compared: the estimate of the first stimulus with the measured second one, both
        estimates, or the probabilities of both orders given both measurements.
    pairs : ndarray, shape (pair, 3)
        First, second and probability of the pairs expected, for ``"joint"``.
    """

    prior: Prior
    prior_2: Prior
    estimator: str
    compare: str
    pairs: Array

    def observed(self, parameters: Parameters) -> Observed:
        """Return prior, noise and rule of the first stimulus."""
        noise = Noise(parameters["sigma"], parameters["weber"])
        return Observed(self.prior, noise, self.estimator, parameters["contraction"])

    def log_shares(
        self,
        parameters: Parameters,
        first: Array,
        second: Array,
        resolution: float = RESOLUTION,
    ) -> tuple[Array, Array]:
        """Return the logarithms of how often the second is called larger, and smaller.

        Parameters
        ----------
        parameters : mapping
        first, second : ndarray, shape (cell,)
            The two stimuli.
        resolution : float
            Nodes for each of the smallest standard deviations.
        """
        unique_1, which_1 = np.unique(first, return_inverse=True)
        unique_2, which_2 = np.unique(second, return_inverse=True)
        noise_2 = Noise(parameters["sigma_2"], parameters["weber_2"])
        deviation = noise_2.deviation(unique_2)
        observed = self.observed(parameters)
        narrowest = self._narrowest(float(deviation.min()))
        nodes = measurements(observed, unique_1, resolution, narrowest)
        threshold = self.threshold(observed, nodes, noise_2, unique_2, parameters["bias"])
        probability = nodes.probability(unique_1)
        # No noise at all of the second stimulus would be a step; its sign is kept.
        away = (unique_2[:, None] - threshold) / np.maximum(deviation, _TINY)[:, None]
        share = [_averaged(probability, which_1, ndtr(z), which_2) for z in (away, -away)]
        lapse, guess = parameters["lapse"], parameters["guess"]
        larger = lapse * guess + (1 - lapse) * share[0]
        smaller = lapse * (1 - guess) + (1 - lapse) * share[1]
        return np.log(np.maximum(larger, _TINY)), np.log(np.maximum(smaller, _TINY))

    def _narrowest(self, deviation: float) -> float:
        """Return over how much of a measurement what is averaged may change."""
        if self.compare != "both" or not self.prior_2.is_discrete or self.estimator != "mean":
            return deviation
        # The second estimate rests between the stimuli expected, and moves fast in the middle.
        gap = float(np.diff(self.prior_2.values).max(initial=0.0))
        return deviation / min(max(2 * gap / deviation, 1.0), _SHARPEST)

    def threshold(
        self, observed: Observed, nodes: Measurements, noise_2: Noise, second: Array, bias: float
    ) -> Array:
        """Return the measurement of the second stimulus above which it is called larger."""
        if self.compare == "first":
            return np.asarray(nodes.estimate - bias)
        if self.compare == "joint":
            return self.boundary(nodes.measured, observed.noise, noise_2) - bias
        second_one = Observed(self.prior_2, noise_2, self.estimator, observed.contraction)
        return inverse(second_one, nodes.estimate - bias, second)

    def boundary(self, measured: Array, noise: Noise, noise_2: Noise) -> Array:
        """Return the second measurement that makes both orders equally probable."""
        first, second, weight = self.pairs.T
        spread = REACH * float(noise_2.deviation(second).max())
        low = np.full(measured.size, second.min() - spread)
        high = np.full(measured.size, second.max() + spread)
        known = noise.log_likelihood(measured[:, None], first) + np.log(weight)
        ends = [_odds(known, end, noise_2, first, second) for end in (low, high)]
        for _ in range(_N_HALVINGS):
            middle = (low + high) / 2
            above = _odds(known, middle, noise_2, first, second) > 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        boundary = np.where(ends[0] > 0, -np.inf, (low + high) / 2)
        return np.asarray(np.where(ends[1] < 0, np.inf, boundary))


def _averaged(probability: Array, which_1: Index, share: Array, which_2: Index) -> Array:
    """Average over measurements, for each cell."""
    if len(probability) * len(share) <= 8 * which_1.size + 1000:
        return np.asarray((probability @ share.T)[which_1, which_2])
    return np.asarray(np.einsum("cn,cn->c", probability[which_1], share[which_2]))


def _odds(known: Array, measured_2: Array, noise_2: Noise, first: Array, second: Array) -> Array:
    """Return the logarithm of the odds that the second stimulus is the larger one."""
    joint = known + noise_2.log_likelihood(measured_2[:, None], second)
    larger, smaller = joint[:, second > first], joint[:, second < first]
    return np.asarray(np.logaddexp.reduce(larger, axis=1) - np.logaddexp.reduce(smaller, axis=1))


def inverse(observed: Observed, estimate: Array, stimulus: Array) -> Array:
    """Find the measurements that lead to estimates, infinite beyond all estimates.

    Parameters
    ----------
    observed : Observed
        With an estimate that grows with the measurement.
    estimate : ndarray, shape (estimate,)
        What is wanted.
    stimulus : ndarray
        Stimuli whose measurements are looked through.

    Returns
    -------
    ndarray, shape (estimate,)
    """
    if observed.estimator == "none":
        return estimate
    if observed.estimator == "linear":
        center = observed.prior.mean
        return np.asarray(center + (estimate - center) / max(observed.contraction, 1e-6))
    deviation = observed.noise.deviation(stimulus)
    lower = (stimulus - REACH * deviation).min()
    if observed.noise.weber > 0:
        lower = max(lower, 1e-3 * stimulus.min())
    grid = np.linspace(lower, (stimulus + REACH * deviation).max(), 1025)
    value = np.maximum.accumulate(observed.estimate(grid))
    inside = (estimate > value[0]) & (estimate < value[-1])
    place = np.clip(np.searchsorted(value, estimate) - 1, 0, grid.size - 2)
    low, high = grid[place], grid[place + 1]
    rise = value[place + 1] - value[place]
    share = np.where(rise > 0, (estimate - value[place]) / np.where(rise > 0, rise, 1.0), 0.5)
    point = low + share * (high - low)
    for _ in range(_N_NEWTON):
        now, slope = observed.mean_and_slope(point)
        low, high = np.where(now < estimate, point, low), np.where(now < estimate, high, point)
        step = point + (estimate - now) / np.maximum(slope, 1e-300)
        following = np.where((step > low) & (step < high), step, (low + high) / 2)
        moved, point = np.abs(following - point)[inside].max(initial=0.0), following
        if moved < 1e-12 * grid[-1]:
            break
    outside = np.where(estimate <= value[0], -np.inf, np.inf)
    return np.where(inside, point, outside)
