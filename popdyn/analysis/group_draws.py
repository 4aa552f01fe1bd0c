"""Neurons of groups drawn again: what another sample of the same groups would give."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from popdyn.resample import percentile_bounds

Array = NDArray[np.float64]

_NORMAL = 1.959963984540054


def group_weights(
    of_neuron: NDArray[np.intp], n_draws: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.intp], Array]]:
    """Give each group's neurons, and the weight of each in its mean: once each, then drawn.

    Parameters
    ----------
    of_neuron : ndarray of int, shape (neuron,)
        Number of each neuron's group.
    n_draws : int
        Draws with replacement within a group.
    rng : Generator
        Draws.

    Yields
    ------
    own : ndarray of int
        Positions of the neurons of a group.
    weights : ndarray, shape (1 + draw, own)
        Sum to 1; the first row is equal.

    Examples
    --------
    >>> groups = group_weights(np.array([0, 1, 1]), 2, np.random.default_rng(0))
    >>> [weights.shape for _, weights in groups]
    [(3, 1), (3, 2)]
    """
    for number in range(of_neuron.max() + 1):
        own = np.flatnonzero(of_neuron == number)
        drawn = rng.multinomial(own.size, np.full(own.size, 1 / own.size), size=n_draws)
        yield own, np.vstack([np.ones(own.size), drawn]) / own.size


def widened_bounds(draws: Array, n_neurons: NDArray[np.intp]) -> Array:
    """Return 95 % bounds of estimates, wider for groups of few neurons.

    Drawing n neurons with replacement makes estimates vary too little by ``sqrt((n - 1) / n)``,
    and their error is itself an estimate: percentiles are moved away from the estimate by the
    ratio of the quantiles of Student's t and of the normal distribution.

    Parameters
    ----------
    draws : ndarray, shape (1 + draw, group, ...)
        The estimates, then those of the draws.
    n_neurons : ndarray of int, shape (group,)
        Neurons of each group.

    Returns
    -------
    ndarray, shape (2, group, ...)
        Lower and upper bound; NaN for groups of a single neuron.
    """
    n = n_neurons.astype(np.float64)
    left = np.maximum(n - 1, 1)
    factor = np.where(n > 1, stdtrit(left, 0.975) / _NORMAL * np.sqrt(n / left), np.nan)
    bounds = percentile_bounds(draws[1:])
    return np.asarray(draws[0] + factor.reshape(-1, *[1] * (draws.ndim - 2)) * (bounds - draws[0]))


def root_mean_square(slope: Array, error: Array, weights: Array) -> Array:
    """Return the root mean square of slopes ``(draw, ...)``, less what their errors add."""
    square = np.tensordot(weights, slope**2 - error**2, axes=1)
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))


def weighted_mean(values: Array, weights: Array) -> Array:
    """Return means ``(draw, ...)`` over neurons of values ``(draw, neuron, ...)``."""
    return np.asarray(np.einsum("dn,dn...->d...", weights, values))


def ratio(over: Array, under: Array) -> Array:
    """Return a ratio, NaN where what is below is not positive."""
    under = np.broadcast_to(under, over.shape)
    found = np.full(over.shape, np.nan)
    return np.asarray(np.divide(over, under, out=found, where=under > 0))
