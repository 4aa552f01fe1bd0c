"""Map the states of one source onto those of another: arrays only.

States are arrays (component, sample); a map is an affine one, ``matrix @ state + offset``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from popdyn.analysis.trials import Array, principal_axes

METHODS = ("procrustes", "regression")
N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Space:
    """Main axes of one source.

    Attributes
    ----------
    mean : ndarray, shape (neuron,)
        Taken off before projecting.
    axes : ndarray, shape (neuron, component)
        Orthonormal.
    """

    mean: Array
    axes: Array

    def project(self, matrix: Array) -> Array:
        """Give the states (component, sample) of rates (neuron, sample)."""
        state: Array = self.axes.T @ (matrix - self.mean[:, None])
        return state


@dataclass(frozen=True, eq=False)
class Map:
    """An affine map: ``matrix @ state + offset``."""

    matrix: Array
    offset: Array

    def apply(self, state: Array) -> Array:
        """Map states (component, sample)."""
        mapped: Array = self.matrix @ state + self.offset[:, None]
        return mapped


def space_of(matrix: Array, n_components: int) -> Space:
    """Find the main axes of samples (neuron, sample)."""
    mean = matrix.mean(axis=1)
    return Space(mean, principal_axes(matrix - mean[:, None], n_components)[0])


def fit_map(source: Array, target: Array, method: str) -> Map:
    """Find the map of states that leaves least of the target unexplained.

    Parameters
    ----------
    source, target : ndarray, shape (component, sample)
        States at the same samples.
    method : {"procrustes", "regression"}
        A rotation (or reflection) with one scale, or any linear map.

    Returns
    -------
    Map
    """
    means = source.mean(axis=1), target.mean(axis=1)
    x, y = source - means[0][:, None], target - means[1][:, None]
    if method == "procrustes":
        turn, total = scipy.linalg.orthogonal_procrustes(x.T, y.T)
        power = (x**2).sum()
        matrix = (total / power if power > 0 else 0.0) * turn.T
    else:
        matrix = np.linalg.lstsq(x.T, y.T, rcond=None)[0].T
    return Map(matrix, means[1] - matrix @ means[0])


def dealt(
    n_times: int, n_conditions: int, hold_out: str, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Fold of every sample (time, condition): whole conditions, or runs of time of all."""
    if hold_out == "condition":
        n_folds = min(10, n_conditions)
        fold = rng.permutation(n_conditions) % n_folds
        return np.tile(fold, (n_times, 1))
    run = np.arange(n_times) * N_FOLDS // n_times
    return np.tile(run[:, None], (1, n_conditions))


def held_out_share(
    source: Array, target: Array, fold: NDArray[np.intp], n_components: int, method: str
) -> float:
    """Share of the variance of the target's held-out samples that the source predicts.

    Parameters
    ----------
    source, target : ndarray, shape (neuron, time, condition)
        Averages of both; a sample with NaN in either takes no part.
    fold : ndarray of int, shape (time, condition)
        Fold of every sample.
    n_components : int
        Dimensions of either space, found without the samples held out, as the map is.
    method : {"procrustes", "regression"}
        How states are mapped.

    Returns
    -------
    float
        Over all neurons, about their means over the samples fitted to; NaN without samples.
    """
    known = np.isfinite(source).all(axis=0) & np.isfinite(target).all(axis=0)
    x, y, fold = source[:, known], target[:, known], fold[known]
    error = total = 0.0
    for one in np.unique(fold):
        train, test = fold != one, fold == one
        if train.sum() <= n_components + 1:
            continue
        own, other = space_of(x[:, train], n_components), space_of(y[:, train], n_components)
        fitted = fit_map(own.project(x[:, train]), other.project(y[:, train]), method)
        mapped = other.axes @ fitted.apply(own.project(x[:, test]))
        about = y[:, test] - other.mean[:, None]
        error += float(((about - mapped) ** 2).sum())
        total += float((about**2).sum())
    return 1.0 - error / total if total > 0 else float("nan")


def mismatched(source: Array, null: str, rng: np.random.Generator) -> Array:
    """Give the source's courses to other conditions, and for "time" rotate them in time.

    Parameters
    ----------
    source : ndarray, shape (neuron, time, condition)
        Averages.
    null : {"condition", "time"}
        What is broken: the match of conditions, or also that of times.
    rng : numpy.random.Generator
        Draws.
    """
    shuffled = source[:, :, rng.permutation(source.shape[2])]
    if null == "time":
        shuffled = np.roll(shuffled, int(rng.integers(source.shape[1])), axis=1)
    return shuffled


def canonical_correlations(source: Array, target: Array) -> Array:
    """Correlations of the pairs of directions of two state spaces, falling.

    Parameters
    ----------
    source, target : ndarray, shape (component, sample)
        States at the same samples.

    Returns
    -------
    ndarray, shape (component,)
    """
    bases = [
        np.linalg.qr((state - state.mean(axis=1, keepdims=True)).T)[0] for state in (source, target)
    ]
    found: Array = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return found.clip(0.0, 1.0)
