"""Mixtures of Gaussians with means and covariances of their own, by expectation maximization."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]


class GaussianMixture(NamedTuple):
    """A mixture of Gaussians.

    Attributes
    ----------
    weight : ndarray, shape (group,)
        Share of each group.
    mean : ndarray, shape (group, feature)
        Their centers.
    covariance : ndarray, shape (group, feature, feature)
        Their shapes.
    """

    weight: Array
    mean: Array
    covariance: Array

    def joint_density(self, points: Array) -> Array:
        """Log density of each point in each group, times its share ``(point, group)``."""
        root = np.linalg.cholesky(self.covariance)
        moved = points[None] - self.mean[:, None]
        scaled = np.linalg.solve(root, moved.transpose(0, 2, 1))
        volume = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        constant = np.log(self.weight) - volume - points.shape[1] / 2 * np.log(2 * np.pi)
        return np.asarray((constant[:, None] - (scaled**2).sum(axis=1) / 2).T)

    def log_density(self, points: Array) -> Array:
        """Log density of each point ``(point,)``, in nats."""
        return np.asarray(logsumexp(self.joint_density(points), axis=1))

    def membership(self, points: Array) -> Array:
        """Probability of each group given the point ``(point, group)``."""
        joint = self.joint_density(points)
        return np.asarray(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)))


def fit_mixture(
    points: Array, n_groups: int, rng: np.random.Generator, n_starts: int = 2
) -> GaussianMixture:
    """Fit a mixture; of several starts the most likely is kept.

    Parameters
    ----------
    points : ndarray, shape (point, feature)
        The vectors.
    n_groups : int
        How many groups.
    rng : Generator
        Where fits start.
    n_starts : int
        Fits.

    Returns
    -------
    GaussianMixture
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture as Reference

    model: Any = Reference(  # type: ignore[no-untyped-call]
        n_groups,
        n_init=n_starts if n_groups > 1 else 1,
        reg_covar=1e-3,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(points)
    return GaussianMixture(model.weights_, model.means_, model.covariances_)
