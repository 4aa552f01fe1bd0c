"""How often the second of two stimuli is called larger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from popdyn.observer.measurement import REACH, RESOLUTION, Measurements, measurements
from popdyn.observer.noise import Noise
from popdyn.observer.posterior import Observed, climb_rows
from popdyn.observer.prior import Prior

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Parameters = Mapping[str, float]

COMPARISONS = ("first", "both", "joint")
_TINY = 1e-300
_N_HALVINGS = 60
_N_NEWTON = 12
_N_GRID = 1025
_N_PLACES = 33
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
        lower, upper = self.limits(observed, nodes, noise_2, unique_2, parameters["bias"])
        probability = nodes.probability(unique_1)
        # No noise at all of the second stimulus would be a step; its sign is kept.
        deviation = np.maximum(deviation, _TINY)[:, None]
        above, below = ((unique_2[:, None] - limit) / deviation for limit in (upper, lower))
        # By Weber's law the least measurements speak for large stimuli, which vary more.
        odd = ndtr(-below)
        shares = ndtr(above) + odd, np.maximum(ndtr(-above) - odd, 0.0)
        share = [_averaged(probability, which_1, part, which_2) for part in shares]
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

    def limits(
        self, observed: Observed, nodes: Measurements, noise_2: Noise, second: Array, bias: float
    ) -> tuple[Array, Array]:
        """Return the measurements of the second stimulus between which it is called smaller."""
        if self.compare == "first":
            upper = nodes.estimate - bias
            return np.full_like(upper, -np.inf), upper
        if self.compare == "joint":
            lower, upper = self.boundaries(nodes.measured, observed.noise, noise_2)
            return lower - bias, upper - bias
        second_one = Observed(self.prior_2, noise_2, self.estimator, observed.contraction)
        return inverse(second_one, nodes.estimate - bias, second)

    def boundaries(self, measured: Array, noise: Noise, noise_2: Noise) -> tuple[Array, Array]:
        """Return the second measurements that make both orders equally probable."""
        first, second, weight = self.pairs.T
        spread = REACH * float(noise_2.deviation(second).max())
        known = noise.log_likelihood(measured[:, None], first) + np.log(weight)

        def odds(measured_2: Array) -> Array:
            return _odds(known, measured_2, noise_2, first, second)

        ends = [
            np.full(measured.size, end) for end in (second.min() - spread, second.max() + spread)
        ]
        if noise_2.weber == 0:
            return np.full(measured.size, -np.inf), _root(odds, *ends)
        least = _least(odds, *ends)
        lower, upper = (_root(odds, least, end) for end in ends)
        return np.where(np.isfinite(lower), lower, -np.inf), upper


def _least(odds: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Find where odds that fall and rise again are least, each row by itself."""
    grid = np.linspace(low, high, _N_PLACES)
    best = np.stack([odds(place) for place in grid]).argmin(axis=0)
    rows = np.arange(low.size)
    ends = grid[np.maximum(best - 1, 0), rows], grid[np.minimum(best + 1, _N_PLACES - 1), rows]
    return climb_rows(lambda place: -odds(place), *ends)


def _root(odds: Callable[[Array], Array], inside: Array, outside: Array) -> Array:
    """Halve to where odds turn above 0 on the way out; infinite where they never or always are."""
    always, never = odds(inside) > 0, odds(outside) < 0
    near, far = inside, outside
    for _ in range(_N_HALVINGS):
        middle = (near + far) / 2
        above = odds(middle) > 0
        near, far = np.where(above, near, middle), np.where(above, middle, far)
    return np.where(always, -np.inf, np.where(never, np.inf, (near + far) / 2))


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


def inverse(observed: Observed, estimate: Array, stimulus: Array) -> tuple[Array, Array]:
    """Find the measurements between which estimates are smaller than wanted.

    Parameters
    ----------
    observed : Observed
        With an estimate that grows with the measurement; by Weber's law it may first fall.
    estimate : ndarray, shape (estimate,)
        What is wanted.
    stimulus : ndarray
        Stimuli whose measurements are looked through.

    Returns
    -------
    lower, upper : ndarray, shape (estimate,)
        Infinite beyond all estimates, both -inf where none is smaller.
    """
    lower = np.full(estimate.size, -np.inf)
    if observed.estimator == "none":
        return lower, estimate
    if observed.estimator == "linear":
        center = observed.prior.mean
        return lower, center + (estimate - center) / max(observed.contraction, 1e-6)
    deviation = observed.noise.deviation(stimulus)
    ends = (stimulus - REACH * deviation).min(), (stimulus + REACH * deviation).max()
    grid = np.linspace(*ends, _N_GRID)
    value = observed.estimate(grid)
    least = int(value.argmin()) if observed.noise.weber > 0 else 0
    upper = _outwards(observed, estimate, grid[least:], value[least:])
    upper = np.where(estimate <= value[least], -np.inf, upper)
    if least > 0:
        found = _outwards(observed, estimate, grid[least::-1], value[least::-1])
        lower = np.where((estimate > value[least]) & np.isfinite(found), found, -np.inf)
    return lower, upper


def _outwards(observed: Observed, estimate: Array, grid: Array, value: Array) -> Array:
    """Find measurements of estimates that grow along a grid; infinite beyond its end."""
    if grid.size < 2:
        return np.full(estimate.size, np.inf)
    value = np.maximum.accumulate(value)
    inside = (estimate > value[0]) & (estimate < value[-1])
    place = np.clip(np.searchsorted(value, estimate) - 1, 0, grid.size - 2)
    near, far = grid[place], grid[place + 1]
    rise = value[place + 1] - value[place]
    share = np.where(rise > 0, (estimate - value[place]) / np.where(rise > 0, rise, 1.0), 0.5)
    point = near + share * (far - near)
    sign = np.sign(grid[1] - grid[0])
    for _ in range(_N_NEWTON):
        now, slope = observed.mean_and_slope(point)
        near, far = np.where(now < estimate, point, near), np.where(now < estimate, far, point)
        step = point + sign * (estimate - now) / np.maximum(sign * slope, _TINY)
        within = (sign * (step - near) > 0) & (sign * (far - step) > 0)
        following = np.where(within, step, (near + far) / 2)
        moved, point = np.abs(following - point)[inside].max(initial=0.0), following
        if moved < 1e-12 * np.abs(grid).max():
            break
    return np.where(estimate >= value[-1], np.inf, point)
