"""Averages over what an observer may measure, with a bound of their error.

Estimates are smooth in the measurement, and the trapezoidal rule converges faster than any power of
its step; where they jump (mode and median of discrete priors) the pieces between the jumps are
taken whole, with the normal distribution's own function; where they bend (mode of a prior with
ends) Gauss and Legendre's rule goes from bend to bend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from popdyn.errors import FitError
from popdyn.observer.noise import Noise
from popdyn.observer.posterior import Observed
from popdyn.observer.prior import legendre

Array = NDArray[np.float64]

# Beyond 8.5 standard deviations lies less than 1e-16 of a measurement.
REACH = 8.5
# Nodes for each of the smallest standard deviations: the resolution that fits begin with.
RESOLUTION = 2.0
_MOST_NODES = 200_000
# A mean is doubled in resolution until it changes by less than this, over the stimuli's size.
_TOLERANCE = 1e-9
_FINEST = 4096.0
_SHARPEST = 4.0


@dataclass(frozen=True, eq=False)
class Measurements:
    """Representative measurements, their estimates, and how probable each stimulus makes them.

    Attributes
    ----------
    measured, estimate : ndarray, shape (node,)
        Of pieces `measured` is their middle.
    noise : Noise
    edges : ndarray or None
        Ends of pieces; None for nodes.
    weight : ndarray or None, shape (node,)
        Of nodes in an integral; None for a regular grid.
    """

    measured: Array
    estimate: Array
    noise: Noise
    edges: Array | None = None
    weight: Array | None = None

    def probability(self, stimulus: Array) -> Array:
        """Return the probability of each node (stimulus, node)."""
        deviation = self.noise.deviation(stimulus)[:, None]
        if self.edges is not None:
            whole = np.concatenate([[-np.inf], self.edges[1:-1], [np.inf]])
            below = ndtr((whole - stimulus[:, None]) / deviation)
            return np.asarray(np.diff(below, axis=1))
        step = self.measured[1] - self.measured[0] if self.weight is None else self.weight
        away = (self.measured - stimulus[:, None]) / deviation
        return np.asarray(np.exp(-0.5 * away**2) * (step / np.sqrt(2 * np.pi)) / deviation)


def measurements(
    observed: Observed, stimulus: Array, resolution: float = RESOLUTION, smoothest: float = np.inf
) -> Measurements:
    """Lay nodes over all measurements that some stimuli may give.

    Parameters
    ----------
    observed : Observed
        Prior, noise and rule of the estimate.
    stimulus : ndarray, shape (stimulus,)
        The stimuli.
    resolution : float
        Nodes for each of the smallest standard deviations.
    smoothest : float
        Width of what will be averaged besides, if it is narrower than the noise.

    Returns
    -------
    Measurements

    Raises
    ------
    FitError
        If a stimulus has no noise, or the nodes would be too many.
    """
    deviation = observed.noise.deviation(stimulus)
    if not (deviation > 0).all():
        message = (
            f"a stimulus of {stimulus[deviation <= 0][0]:g} is measured without noise: Weber noise "
            "alone needs stimuli above 0, and sigma or weber must be above 0"
        )
        raise FitError(message)
    lower = float((stimulus - REACH * deviation).min())
    upper = float((stimulus + REACH * deviation).max())
    if observed.has_steps:
        edges, estimate = observed.steps(lower, upper)
        return Measurements((edges[:-1] + edges[1:]) / 2, estimate, observed.noise, edges)
    step = min(float(deviation.min()), smoothest) / (resolution * _sharpness(observed, deviation))
    n_nodes = int(np.ceil((upper - lower) / step)) + 1
    if n_nodes > _MOST_NODES:
        message = (
            f"the noise ({deviation.min():.3g}) is too small beside the stimuli, from "
            f"{stimulus.min():g} to {stimulus.max():g}, to average over measurements"
        )
        raise FitError(message)
    bends = observed.bends(lower, upper)
    if bends.size:
        measured, weight = _between(np.concatenate([[lower], bends, [upper]]), step)
        return Measurements(measured, observed.estimate(measured), observed.noise, None, weight)
    # An odd number, so that doubling keeps every node.
    measured = np.linspace(lower, upper, n_nodes + 1 - n_nodes % 2)
    return Measurements(measured, observed.estimate(measured), observed.noise)


def _between(ends: Array, step: float) -> tuple[Array, Array]:
    """Lay nodes and weights of Gauss and Legendre between ends, twice as dense as a step says."""
    nodes, weights = [], []
    for low, high in zip(ends[:-1], ends[1:], strict=True):
        place, weight = legendre(int(np.ceil(2 * (high - low) / step)) + 1)
        nodes.append(low + (high - low) / 2 * (place + 1))
        weights.append((high - low) / 2 * weight)
    return np.concatenate(nodes), np.concatenate(weights)


def _sharpness(observed: Observed, deviation: Array) -> float:
    """Return how much narrower than the noise the steps of a posterior mean are."""
    if not observed.prior.is_discrete or observed.estimator != "mean":
        return 1.0
    gap = float(np.diff(observed.prior.values).max(initial=0.0))
    # Steps of width deviation²/gap, whose middle lies gap/2 away: beyond 6 nobody gets there.
    return min(max(gap / float(deviation.min()) / 1.5, 1.0), _SHARPEST)


def mean_estimate(observed: Observed, stimulus: Array) -> tuple[Array, float]:
    """Average the estimate over the measurements of each stimulus.

    Parameters
    ----------
    observed : Observed
        Prior, noise and rule of the estimate.
    stimulus : ndarray, shape (stimulus,)
        The stimuli.

    Returns
    -------
    mean : ndarray, shape (stimulus,)
    error : float
        Bound of the error: how much the last doubling of the nodes changed, and rounding.

    Examples
    --------
    >>> from popdyn.observer.prior import make_prior
    >>> observed = Observed(make_prior(("gaussian", 20.0, 6.0)), Noise(sigma=3.0))
    >>> mean, error = mean_estimate(observed, np.array([10.0, 30.0]))
    >>> mean.round(6).tolist(), error < 1e-6
    ([12.0, 28.0], True)
    """
    # Estimates of different stimuli need not share a grid: each gets what its own noise asks for.
    each = [_mean_of_one(observed, stimulus[i : i + 1]) for i in range(stimulus.size)]
    return np.array([mean for mean, _ in each]), max((error for _, error in each), default=0.0)


def _mean_of_one(observed: Observed, stimulus: Array) -> tuple[float, float]:
    size = max(float(np.abs(stimulus).max()), observed.prior.deviation)
    rounding = 1e-13 * size
    if observed.has_steps:
        found = measurements(observed, stimulus)
        # The reach leaves less than 1e-16; jumps are known to the last digit.
        return float((found.probability(stimulus) @ found.estimate)[0]), 10 * rounding
    resolution, before = RESOLUTION, np.inf
    while True:
        found = measurements(observed, stimulus, resolution)
        mean = float((found.probability(stimulus) @ found.estimate)[0])
        change = abs(mean - before)
        if change < _TOLERANCE * size or resolution >= _FINEST:
            return mean, change + rounding
        resolution, before = 2 * resolution, mean
