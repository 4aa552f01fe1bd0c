"""What chance would make of the axes of one side: arrays only.

Two unrelated subspaces of few dimensions lie far apart in the space that both fill, so that
patterns drawn from that space are no null for them.  Here one side keeps its own axes, and only
what would relate them to the other side is taken away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.statespace_samples import checked_values, same_neurons
from popdyn.analysis.subspace_angles import covariance_of, orthonormal, random_subspaces
from popdyn.analysis.subspace_sides import centered
from popdyn.analysis.trials import Array
from popdyn.errors import TensorError
from popdyn.resample import spawn

BOTH = "both"


def drawn_subspaces(  # noqa: PLR0913, PLR0917  # two sides and how to draw
    axes: Array,
    covariances: tuple[Array, Array],
    covariance: Any,
    complete: NDArray[np.bool_] | None,
    neurons: xr.DataArray,
    n_draws: int,
    rng: np.random.Generator,
) -> Array:
    """Draw what takes the place of the axes of the first side.

    Parameters
    ----------
    axes : ndarray, shape (feature, component)
        Orthonormal axes of the first side.
    covariances : pair of ndarray, each (feature, feature)
        Of both sides.
    covariance : None, "both", array or data
        None for the side's own axes made unrelated, else the covariance of random patterns.
    complete : ndarray of bool, shape (time, condition), or None
        Samples that are the features, conditions following each other; None for neurons.
    neurons : DataArray (neuron,)
        Neurons that are the features.
    n_draws : int
        Number of draws.
    rng : numpy.random.Generator
        To draw from.

    Returns
    -------
    ndarray, shape (draw, feature, component)
        Orthonormal columns.
    """
    generators = spawn(rng, n_draws)
    if covariance is None and complete is None:
        return np.stack([flipped_neurons(axes, own) for own in generators])
    if covariance is None:
        return np.stack([moved_courses(axes, complete, own) for own in generators])  # type: ignore[arg-type]
    if isinstance(covariance, str):
        if covariance != BOTH:
            message = f"expected covariance={BOTH!r}, an array or data, found {covariance!r}"
            raise TensorError(message)
        return random_subspaces(covariances[0] + covariances[1], axes.shape[1], generators)
    if complete is not None:
        message = (
            "covariance= of arrays and data is one over neurons; with space='sample' leave it out"
        )
        raise TensorError(message)
    return random_subspaces(given_covariance(covariance, neurons), axes.shape[1], generators)


def flipped_neurons(axes: Array, rng: np.random.Generator) -> Array:
    """Turn the sign of every neuron at random, in all axes (neuron, component) alike.

    How much each neuron takes part stays.  Exact for patterns of neurons whose signs are
    independent, whatever the variance of each.
    """
    return np.asarray(rng.choice([-1.0, 1.0], size=(len(axes), 1)) * axes)


def moved_courses(axes: Array, complete: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Move courses in time, give them to other conditions and turn the signs of conditions.

    Parameters
    ----------
    axes : ndarray, shape (sample, component)
        Orthonormal courses; conditions follow each other.
    complete : ndarray of bool, shape (time, condition)
        Samples that are known; conditions known at other times keep their places.
    rng : numpy.random.Generator
        To draw from.

    Returns
    -------
    ndarray, shape (sample, component)
        As smooth as they were: a course is continued by its mirror image, and a stretch as long
        as the course is taken out of both.
    """
    n_times, n_conditions = complete.shape
    turn, sign = rng.random(), rng.choice([-1.0, 1.0], size=n_conditions)
    own = np.split(np.arange(len(axes)), complete.sum(axis=0).cumsum()[:-1])
    order = rng.permutation(n_conditions) if complete.all() else np.arange(n_conditions)
    moved = [
        sign[to] * axes[own[source][_stretch(turn, own[source].size)]]
        for to, source in enumerate(order)
    ]
    matrix = np.concatenate(moved)
    found = orthonormal(matrix - matrix.mean(axis=0))
    missing = axes.shape[1] - found.shape[1]
    # A stretch and its mirror image may hold fewer dimensions than the courses.
    return np.pad(found, ((0, 0), (0, missing))) if missing else found


def _stretch(turn: float, n_times: int) -> NDArray[np.intp]:
    """Find the times of a stretch of course and mirror image."""
    place = (np.arange(n_times) + int(turn * 2 * n_times)) % max(2 * n_times, 1)
    return np.asarray(np.where(place < n_times, place, 2 * n_times - 1 - place))


def given_covariance(given: Any, neurons: xr.DataArray) -> Array:
    """Covariance (neuron, neuron) from data, or as it is."""
    if isinstance(given, np.ndarray) or (isinstance(given, xr.DataArray) and given.ndim == 2):
        matrix = np.asarray(given, dtype=np.float64)
        if matrix.shape != (neurons.size, neurons.size) or not np.allclose(matrix, matrix.T):
            message = (
                f"expected a symmetric covariance of {neurons.size} x {neurons.size} neurons, "
                f"found an array {matrix.shape}"
            )
            raise TensorError(message)
        return matrix
    values = same_neurons(checked_values(given), neurons)
    (matrix,) = centered([values.to_numpy().reshape(neurons.size, -1).astype(float)], "neuron")
    return covariance_of(matrix)
