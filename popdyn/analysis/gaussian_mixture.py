"""Mixtures of Gaussians by expectation maximization, and agreement of the groups they find."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError

Array = NDArray[np.float64]

SHAPES = ("full", "shared", "spherical")
# Added to variances: no group shrinks to a point.
_LEAST_VARIANCE = 1e-3
_TOLERANCE = 1e-3
_MOST_STEPS = 100


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
        """Log density of each point in each group, times its share ``(point, group)``.

        Raises
        ------
        FitError
            If it is no number.
        """
        # Compiling is put off until a mixture is wanted.
        from popdyn.analysis.gaussian_mixture_kernel import log_joint

        found = np.empty((len(self.weight), len(points)))
        log_joint(np.ascontiguousarray(points.T, np.float64), *self, found)
        if not np.isfinite(found).all():
            raise _no_likelihood(len(self.weight), len(points))
        return found.T

    def log_density(self, points: Array) -> Array:
        """Log density of each point ``(point,)``, in nats."""
        joint = self.joint_density(points)
        largest = joint.max(axis=1)
        return np.asarray(largest + np.log(np.exp(joint - largest[:, None]).sum(axis=1)))

    def membership(self, points: Array) -> Array:
        """Probability of each group given the point ``(point, group)``."""
        joint = self.joint_density(points)
        share = np.exp(joint - joint.max(axis=1, keepdims=True))
        return np.asarray(share / share.sum(axis=1, keepdims=True))


def fit_mixture(
    points: Array, n_groups: int, rng: np.random.Generator, n_starts: int = 4, shape: str = "full"
) -> GaussianMixture:
    """Fit a mixture; of several starts the most likely is kept.

    Parameters
    ----------
    points : ndarray, shape (point, feature)
        The vectors, of lengths about 1: 0.001 is added to variances.
    n_groups : int
        How many groups.
    rng : Generator
        Where fits start: groups of k-means and groups about axes through the mean, in turn.
    n_starts : int
        Fits.
    shape : {"full", "shared", "spherical"}
        Covariances of each group's own, one for all groups, or a variance of each group's own.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    FitError
        If there are fewer points than groups, or no start leads to a likelihood.
    """
    from popdyn.analysis.gaussian_mixture_kernel import fit_best

    by_feature = np.ascontiguousarray(np.transpose(points), np.float64)
    if by_feature.shape[1] < n_groups:
        message = f"{n_groups} groups need at least as many points, found {by_feature.shape[1]}"
        raise FitError(message)
    uniform = rng.random((n_starts if n_groups > 1 else 1, n_groups))
    number = SHAPES.index(shape)
    likelihood, *found = fit_best(
        by_feature, uniform, number, _LEAST_VARIANCE, _TOLERANCE, _MOST_STEPS
    )
    if not np.isfinite(likelihood):
        raise _no_likelihood(n_groups, by_feature.shape[1])
    return GaussianMixture(*found)


def _no_likelihood(n_groups: int, n_points: int) -> FitError:
    """Say that densities are lost to rounding."""
    message = (
        f"a mixture of {n_groups} Gaussians has no likelihood on these {n_points} points: some "
        "are NaN or infinite, or so large that numbers are lost; give points of lengths about 1"
    )
    return FitError(message)


def adjusted_rand(first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
    """Compare two labelings, from 0, of the same points (adjusted Rand index).

    Parameters
    ----------
    first, second : ndarray of int, shape (point,)
        Groups of the same points.

    Returns
    -------
    float
        1 if they are the same, 0 on average by chance.

    Examples
    --------
    >>> round(adjusted_rand(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 2])), 4)
    0.5714
    """
    n_groups = int(second.max()) + 1
    table = np.bincount(first * n_groups + second, minlength=n_groups * (int(first.max()) + 1))
    table = table.reshape(-1, n_groups).astype(np.float64)
    together, of_first, of_second, everything = (
        float((n * (n - 1.0)).sum() / 2.0)
        for n in (table, table.sum(axis=1), table.sum(axis=0), table.sum())
    )
    by_chance = of_first * of_second / everything if everything else 0.0
    most = (of_first + of_second) / 2.0
    return (together - by_chance) / (most - by_chance) if most != by_chance else 1.0
