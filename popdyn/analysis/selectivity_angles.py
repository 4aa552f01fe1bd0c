"""How near the nearest neighbors of each vector point: the angles that PAIRS and ePAIRS average.

Clouds of vectors are made round first.  The usual way, by their own covariance, does so only for
Gaussian clouds: of others a few long vectors decide it.  The location and scatter of a Cauchy
cloud (Kent, Tyler and Vardi 1994) weigh long vectors less.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from popdyn.errors import FitError

Array = NDArray[np.float64]

_MOST_STEPS = 500
_SETTLED = 1e-7
_FOR_EVER = 1e10
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
    """Center a cloud and make it round by the location and scatter of a Cauchy cloud.

    Raises
    ------
    FitError
        If too many vectors lie in one plane for that scatter to exist.
    """
    vectors = covariance_whitened(vectors)
    n_features = vectors.shape[1]
    stretch = np.eye(n_features)
    for _ in range(_MOST_STEPS):
        weight = 1.0 / (1.0 + (vectors**2).sum(axis=1))
        weight /= weight.sum()
        mean = weight @ vectors
        vectors = vectors - mean
        scatter = (vectors.T * weight) @ vectors
        size, axes = np.linalg.eigh(scatter)
        change = max(np.abs(mean).max(), np.abs(scatter - np.eye(n_features)).max())
        if change < _SETTLED:
            return np.asarray(vectors)
        # Where no scatter exists, some direction is stretched for ever.
        stretch = stretch @ (axes / np.sqrt(size))
        if np.abs(stretch).max() > _FOR_EVER:
            break
        vectors = vectors @ (axes / np.sqrt(size))
    message = (
        "these vectors cannot be made round by a robust scatter: too many of them are equal, or "
        'lie on one line or plane. Leave features out, or give variant="covariance"'
    )
    raise FitError(message)
