"""Two subspaces beside each other: arrays only.

A subspace is an array (feature, component) of orthonormal columns, a covariance an array
(feature, feature).
"""

from __future__ import annotations

import numpy as np

from popdyn.analysis.trials import Array, principal_axes


def principal_angles(first: Array, second: Array) -> Array:
    """Principal angles between two subspaces, rising.

    Parameters
    ----------
    first, second : ndarray, shape (..., feature, component)
        Orthonormal columns; the numbers of components may differ.

    Returns
    -------
    ndarray, shape (..., smaller number of components)
        In radians.
    """
    if first.shape[-1] < second.shape[-1]:
        first, second = second, first
    product = np.swapaxes(first, -1, -2) @ second
    _, cosine, turn = np.linalg.svd(product, full_matrices=False)
    # Near 1 a cosine has lost the angle to rounding; its sine, the part of each principal
    # direction outside of the other subspace, has not.
    principal = second @ np.swapaxes(turn, -1, -2)
    sine = np.linalg.norm(principal - first @ (np.swapaxes(first, -1, -2) @ principal), axis=-2)
    small = cosine**2 > 0.5
    angle: Array = np.where(
        small, np.arcsin(np.clip(sine, 0.0, 1.0)), np.arccos(np.clip(cosine, 0.0, 1.0))
    )
    return np.sort(angle, axis=-1)


def captured(axes: Array, covariance: Array) -> Array:
    """Variance along a subspace, summed over its axes.

    Parameters
    ----------
    axes : ndarray, shape (..., feature, component)
        Orthonormal columns.
    covariance : ndarray, shape (feature, feature)
        Covariance.

    Returns
    -------
    ndarray, shape (...)
    """
    total: Array = np.einsum("...fk,...fk->...", axes, covariance @ axes)
    return total


def alignment_index(axes: Array, covariance: Array) -> Array:
    """Variance along a subspace, as a share of what a subspace of its size can hold at most.

    Parameters
    ----------
    axes : ndarray, shape (..., feature, component)
        Orthonormal columns.
    covariance : ndarray, shape (feature, feature)
        Covariance.

    Returns
    -------
    ndarray, shape (...)
        Between 0 and 1 (Elsayed et al. 2016).
    """
    most = np.linalg.eigvalsh(covariance)[::-1][: axes.shape[-1]].sum()
    index: Array = captured(axes, covariance) / most
    return index


def random_subspaces(
    covariance: Array, n_components: int, generators: list[np.random.Generator]
) -> Array:
    """Draw subspaces spanned by patterns with this covariance.

    Parameters
    ----------
    covariance : ndarray, shape (feature, feature)
        Covariance of the patterns; the identity for directions that favor nothing.
    n_components : int
        Number of patterns.
    generators : list of numpy.random.Generator
        One per draw.

    Returns
    -------
    ndarray, shape (draw, feature, component)
        Orthonormal columns.
    """
    power, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(power, 0.0))
    noise = np.stack([own.normal(size=(len(covariance), n_components)) for own in generators])
    drawn: Array = np.linalg.qr(root @ noise)[0]
    return drawn


def covariance_of(matrix: Array) -> Array:
    """Covariance of the features of a centered matrix (feature, sample)."""
    covariance: Array = matrix @ matrix.T / max(matrix.shape[1] - 1, 1)
    return covariance


def axes_of(matrix: Array, n_components: int) -> Array:
    """Axes (feature, component) along which a centered matrix varies most."""
    return principal_axes(matrix, n_components)[0]


def orthonormal(axes: Array) -> Array:
    """Orthonormal columns of the same span; directions that depend on others add none."""
    vectors, singular, _ = np.linalg.svd(axes, full_matrices=False)
    basis: Array = vectors[:, singular > 1e-10 * singular.max(initial=0.0)]
    return basis
