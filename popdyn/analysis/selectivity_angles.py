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

_MOST_STEPS = 500
_SETTLED = 1e-7
_FOR_EVER = 1e6
# Squared lengths, as a share of their median: a vector at the center has no direction.
_LEAST_LENGTH = 1e-20
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

    Its center weighs long vectors less; its scatter is that of Tyler (1987), the one that makes
    directions from the center alike along all axes, whatever the lengths.

    Raises
    ------
    FitError
        If too many vectors lie in one plane for that scatter to exist.
    """
    vectors = covariance_whitened(vectors)
    n_neurons, n_features = vectors.shape
    stretch = np.eye(n_features)
    for _ in range(_MOST_STEPS):
        mean, typical = _center(vectors)
        vectors = vectors - mean
        square = np.maximum((vectors**2).sum(axis=1), _LEAST_LENGTH * typical)
        scatter = n_features / n_neurons * (vectors.T / square) @ vectors
        size, axes = np.linalg.eigh(scatter)
        moved = float(np.abs(mean).max()) / np.sqrt(typical) if typical else np.inf
        settled = max(moved, np.abs(scatter - np.eye(n_features)).max()) < _SETTLED
        # Where no scatter exists, some direction is stretched for ever.
        if settled and np.linalg.cond(stretch) < _FOR_EVER:
            return np.asarray(vectors)
        if settled or not typical or np.abs(stretch).max() > _FOR_EVER:
            break
        stretch = stretch @ (axes / np.sqrt(size))
        vectors = vectors @ (axes / np.sqrt(size))
    message = (
        "these vectors cannot be made round by a robust scatter: too many of them are equal, or "
        'lie on one line or plane. Leave features out, or give variant="covariance"'
    )
    raise FitError(message)


def _center(vectors: Array) -> tuple[Array, float]:
    """Return the mean of vectors, long ones weighing less, and the median squared length."""
    square = (vectors**2).sum(axis=1)
    typical = float(np.median(square))
    weight = typical / (typical + square) if typical else np.ones_like(square)
    return np.asarray(weight @ vectors / weight.sum()), typical
