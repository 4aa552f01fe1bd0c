"""A null that carries the error of each neuron: few trials make structure of their own.

Neurons with few trials have noisy coefficients.  Where their errors point along other axes than the
selectivity does, noisy and precise neurons form two clouds of different shape, which no single
Gaussian cloud has.  The null here is a Gaussian cloud of true coefficients to which each neuron's
error is added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.selectivity_null import Draw

Array = NDArray[np.float64]

_MOST_STEPS = 1000
_SETTLED = 1e-6


def true_covariance(values: Array, error: Array) -> Array:
    """Covariance of Gaussian vectors that were seen with known errors, by maximum likelihood.

    Expectation maximization: precise neurons weigh more than noisy ones.

    Parameters
    ----------
    values, error : ndarray, shape (neuron, feature)
        What was seen, and its standard errors, independent between features.

    Returns
    -------
    ndarray, shape (feature, feature)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> error = np.repeat([[0.1, 0.1], [3.0, 0.1]], 2000, axis=0)
    >>> seen = rng.standard_normal((4000, 2)) + error * rng.standard_normal((4000, 2))
    >>> bool(np.allclose(true_covariance(seen, error), np.eye(2), atol=0.1))
    True
    """
    n_features = values.shape[1]
    noise = error[:, :, None] ** 2 * np.eye(n_features)
    mean, covariance = values.mean(axis=0), np.cov(values.T)
    for _ in range(_MOST_STEPS):
        gain = np.linalg.solve(covariance + noise, np.broadcast_to(covariance, noise.shape))
        expected = mean + np.einsum("nji,nj->ni", gain, values - mean)
        mean = expected.mean(axis=0)
        left = covariance - np.einsum("ij,njk->nik", covariance, gain)
        moved = expected - mean
        found = moved.T @ moved / len(values) + left.mean(axis=0)
        change = np.abs(found - covariance).max()
        covariance = (found + found.T) / 2.0
        if change <= _SETTLED * np.trace(covariance):
            break
    return np.asarray(covariance)


def noisy_clouds(values: Array, error: Array) -> Draw:
    """Say how vectors of a null that carries errors are drawn.

    Parameters
    ----------
    values, error : ndarray, shape (neuron, feature)
        The data and their standard errors.

    Returns
    -------
    function
        From a generator to vectors ``(neuron, feature)``.
    """
    size, axes = np.linalg.eigh(true_covariance(values, error))
    root = np.sqrt(np.clip(size, 0.0, None))[:, None] * axes.T

    def draw(rng: np.random.Generator) -> Array:
        true = rng.standard_normal(values.shape) @ root
        return np.asarray(true + error * rng.standard_normal(values.shape))

    return draw
