"""Neighbor angles by chance: of Gaussian vectors, as many as there are neurons.

The null of clouds that are made round depends on nothing but the numbers of neurons, features and
neighbors.  It is drawn once for each and kept in memory, for all data sets of that size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import joblib
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.selectivity_angles import neighbor_angles
from popdyn.analysis.selectivity_variants import Variant
from popdyn.errors import FitError
from popdyn.progress import watched
from popdyn.resample import Seed, spawn

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator], Array]
T = TypeVar("T")

QUANTILE = np.linspace(0.0, 1.0, 1001)
_MOST_KEPT = 256
_MOST_TRIES = 20


class Null(NamedTuple):
    """What is kept of the angles of a null.

    Attributes
    ----------
    median : ndarray, shape (draw,)
        Median over neurons of each draw.
    mean : float
        Of all angles.
    spread : float
        Standard deviation of all angles.
    angle : ndarray, shape (quantile,)
        Quantiles of all angles.
    """

    median: Array
    mean: float
    spread: float
    angle: Array


_kept: dict[tuple[object, ...], object] = {}


def drawn_once(key: tuple[object, ...], rng: Seed, draw: Callable[[], T]) -> T:
    """Draw what depends on nothing but a key and the seed; keep it for the next data set.

    Parameters
    ----------
    key : tuple
        All that it depends on, beside the seed.
    rng : int or Generator
        What is drawn from a generator is not kept.
    draw : function
        Draws it.

    Returns
    -------
    object
        What was drawn; not to be changed.
    """
    if isinstance(rng, np.random.Generator):
        return draw()
    key = (*key, int(rng))
    if key not in _kept:
        found = draw()
        while len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = found
    return cast(T, _kept[key])


def described(angles: Array) -> Null:
    """Describe angles ``(draw, neuron)``."""
    median, quantiles = np.median(angles, axis=1), np.quantile(angles, QUANTILE)
    # Kept for the next data set: whoever wants to change them takes a copy.
    for kept in (median, quantiles):
        kept.setflags(write=False)
    return Null(median, float(angles.mean()), float(angles.std()), quantiles)


def draw_rows(draw: Draw, n_draws: int, rng: Seed, n_jobs: int | None = None) -> Array:
    """Draw numbers, each draw with random numbers of its own, whoever computes it.

    Parameters
    ----------
    draw : function
        From a generator to a row of numbers, the angle of each neuron for instance.
    n_draws : int
        How often.
    rng : int or Generator
        Seed or generator.
    n_jobs : int, optional
        Draws at once, in threads.

    Returns
    -------
    ndarray, shape (draw, column)
    """
    with threadpool_limits(limits=1, user_api="blas"):
        results = joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
            joblib.delayed(draw)(own) for own in spawn(rng, n_draws)
        )
        drawn = enumerate(watched(results, n_draws, "drawing the null"))
        angles = np.empty((0, 0))
        for i, own in drawn:
            if not i:
                angles = np.empty((n_draws, own.size))
            angles[i] = own
    return angles


def drawn_again(draw: Draw) -> Draw:
    """Draw again where a cloud cannot be made round: of very few neurons some cannot.

    Parameters
    ----------
    draw : function
        From a generator to a row of numbers.

    Returns
    -------
    function
        The same, of clouds that can be.
    """

    def draw_one(rng: np.random.Generator) -> Array:
        for _ in range(_MOST_TRIES):
            with contextlib.suppress(FitError):
                return draw(rng)
        return draw(rng)

    return draw_one


def gaussian_draw(test: Variant, prepared: Array, n_neighbors: int) -> Draw:
    """Say how the null of a test is drawn.

    Parameters
    ----------
    test : Variant
        The test.
    prepared : ndarray, shape (neuron, feature)
        The data, as the test prepares them.
    n_neighbors : int
        How many neighbors.

    Returns
    -------
    function
        From a generator to the angle of each neuron.
    """
    n_neurons, n_features = prepared.shape
    root = np.eye(n_features)
    if test.null == "covariance":
        size, axes = np.linalg.eigh(prepared.T @ prepared / n_neurons)
        root = np.sqrt(np.clip(size, 0.0, None))[:, None] * axes.T
    elif test.null == "diagonal":
        root = np.diag(prepared.std(axis=0))

    def draw(rng: np.random.Generator) -> Array:
        vectors = rng.standard_normal((n_neurons, n_features)) @ root
        return test.angles(test.prepare(vectors) if test.null == "own" else vectors, n_neighbors)

    return drawn_again(draw)


def pivotal_null(
    test: Variant,
    shape: tuple[int, int],
    n_neighbors: int,
    n_draws: int,
    rng: Seed,
    n_jobs: int | None = None,
) -> Null:
    """Null of a test that is the same for all data sets of one size, kept for the next one.

    Parameters
    ----------
    test : Variant
        The test.
    shape : tuple of int
        Numbers of neurons and features.
    n_neighbors, n_draws : int
        Neighbors, and draws.
    rng : int or Generator
        A null drawn from a generator is not kept.
    n_jobs : int, optional
        Draws at once, in threads.

    Returns
    -------
    Null
    """
    draw = gaussian_draw(test, np.zeros(shape), n_neighbors)
    return drawn_once(
        (test, *shape, n_neighbors, n_draws),
        rng,
        lambda: described(draw_rows(draw, n_draws, rng, n_jobs)),
    )


def enough_neighbors(shape: tuple[int, int], target: float, n_draws: int = 10) -> int:
    """Smallest number of neighbors whose mean angle is at the median at least `target` by chance.

    Raposo et al. (2014) choose the number so: few vectors in many directions are far from each
    other anyway.  The number is the same whatever the seed of the test.
    """
    clouds = [own.standard_normal(shape) for own in spawn(np.random.default_rng(shape), n_draws)]
    most = shape[0] - 1
    tried = min(8, most)
    while True:
        number = np.arange(1, tried + 1)
        # One cloud at a time: all angles of many neurons would fill the memory.
        medians = [
            np.median(neighbor_angles(cloud, tried).cumsum(axis=1) / number, axis=0)
            for cloud in clouds
        ]
        enough = np.flatnonzero(np.mean(medians, axis=0) >= target)
        if enough.size or tried == most:
            return int(enough[0]) + 1 if enough.size else most
        tried = min(2 * tried, most)
