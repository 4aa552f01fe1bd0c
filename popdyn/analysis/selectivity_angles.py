"""How near the nearest neighbors of each vector point: the angles that PAIRS and ePAIRS average.

Clouds of vectors are made round first.  The usual way, by their own covariance, does so only for
Gaussian clouds: of others a few long vectors decide it.  The scatter of Tyler (1987, Annals of
Statistics 15:234) is that of directions alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from popdyn.errors import FitError

Array = NDArray[np.float64]

_MOST_STEPS = 3000
_FOR_EVER = 1e8
_SETTLED = 1e-7
# Of Student's t that gives the center.
_FREEDOM = 3.0
# A vector at the center, by its squared length, has no direction.
_LEAST_LENGTH = 1e-24
# Directions whose variance is a smaller share of the largest one are empty.
_FILLED = 1e-10


def neighbor_angles(vectors: Array, n_neighbors: int) -> Array:
    """Angles in rad to the nearest neighbors.

    A tree of the directions is searched rather than all pairs, so that memory grows with the
    number of vectors alone; angles come from chords, which keep the digits of small ones.

    Parameters
    ----------
    vectors : ndarray, shape (neuron, feature)
        None of them zero.
    n_neighbors : int
        How many, less than there are neurons.

    Returns
    -------
    ndarray, shape (neuron, neighbor)
        The nearest first.

    Examples
    --------
    >>> square = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> bool(np.allclose(neighbor_angles(square, 2), np.pi / 2))
    True
    """
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    chord = KDTree(directions).query(directions, n_neighbors + 1)[0][:, 1:]
    return np.asarray(2.0 * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0)))


def mean_angle(angles: Array) -> Array:
    """Mean over neighbors ``(neuron)``."""
    return np.asarray(angles.mean(axis=1))


def angle_of_mean_cosine(angles: Array) -> Array:
    """Angle whose cosine is the mean over neighbors ``(neuron)``."""
    return np.asarray(np.arccos(np.clip(np.cos(angles).mean(axis=1), -1.0, 1.0)))


def as_given(vectors: Array) -> Array:
    """Change nothing."""
    return vectors


def centered(vectors: Array) -> Array:
    """Take off the mean vector."""
    return np.asarray(vectors - vectors.mean(axis=0))


def filled_axes(vectors: Array) -> Array:
    """Axes ``(feature, axis)`` that give a centered cloud unit covariance, where it has any."""
    scale = np.sqrt((vectors**2).mean(axis=0))
    scale[scale == 0] = 1.0
    size, axes = np.linalg.eigh((vectors / scale).T @ (vectors / scale) / len(vectors))
    filled = size > _FILLED * size[-1]
    return np.asarray(axes[:, filled] / np.sqrt(size[filled]) / scale[:, None])


def covariance_whitened(vectors: Array) -> Array:
    """Center a cloud and give it unit covariance, in the directions that it fills."""
    moved = centered(vectors)
    return np.asarray(moved @ filled_axes(moved))


def robustly_whitened(vectors: Array) -> Array:
    """Center a cloud and make it round by its directions.

    Its center is that of Student's t with three degrees of freedom; its scatter is that of Tyler
    (1987), the one that makes directions from the center alike along all axes, whatever the
    lengths.

    Raises
    ------
    FitError
        If too many vectors lie in one plane for that scatter to exist.
    """
    try:
        return _round_directions(_about_its_center(covariance_whitened(vectors)))
    except np.linalg.LinAlgError as error:
        message = (
            "these vectors cannot be made round by a robust scatter: too many of them are equal, "
            'or lie on one line or plane. Leave features out, or give variant="covariance"'
        )
        raise FitError(message) from error


def _about_its_center(vectors: Array) -> Array:
    """Move and stretch a cloud until center and scatter of Student's t are 0 and 1."""
    for _ in range(_MOST_STEPS):
        weight = 1.0 / (_FREEDOM + (vectors**2).sum(axis=1))
        weight /= weight.sum()
        mean = weight @ vectors
        vectors = vectors - mean
        scatter = (vectors.T * weight) @ vectors
        if max(np.abs(mean).max(), _distance_from_one(scatter)) < _SETTLED:
            return vectors
        vectors = np.asarray(np.linalg.solve(np.linalg.cholesky(scatter), vectors.T).T)
    raise np.linalg.LinAlgError


def _round_directions(vectors: Array) -> Array:
    """Stretch a cloud until its directions are alike along all axes."""
    n_neurons, n_features = vectors.shape
    for _ in range(_MOST_STEPS):
        weight = n_features / n_neurons / np.maximum((vectors**2).sum(axis=1), _LEAST_LENGTH)
        scatter = (vectors.T * weight) @ vectors
        if _distance_from_one(scatter) < _SETTLED:
            return vectors
        # Where no scatter exists, some direction is stretched for ever.
        if np.abs(vectors).max() > _FOR_EVER:
            break
        vectors = np.asarray(np.linalg.solve(np.linalg.cholesky(scatter), vectors.T).T)
    raise np.linalg.LinAlgError


def _distance_from_one(scatter: Array) -> float:
    """Largest difference from the identity."""
    return float(np.abs(scatter - np.eye(len(scatter))).max())
