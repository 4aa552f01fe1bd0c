"""How many groups of selectivity there are, and which neuron belongs where: mixtures of Gaussians.

Clouds are first made round, and lengths that are more spread than those of a Gaussian cloud are
brought back to these: a mixture would take the long and the short vectors of heavy tails for two
groups.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv
from threadpoolctl import threadpool_limits

from popdyn.analysis.gaussian_mixture import SHAPES, adjusted_rand, fit_mixture
from popdyn.analysis.selectivity_angles import robustly_whitened
from popdyn.analysis.selectivity_errors import noisy_clouds
from popdyn.analysis.selectivity_input import Loadings
from popdyn.analysis.selectivity_neighbors import prepare
from popdyn.analysis.selectivity_null import Draw, draw_rows, drawn_again, drawn_once
from popdyn.analysis.selectivity_variants import VARIANTS
from popdyn.errors import TensorError, warn
from popdyn.resample import Seed, spawn, upper_p_value

Array = NDArray[np.float64]

_LARGEST = 8
_TESTED = 4
_N_STARTS = 10
_EQUAL = 1e-6
_N_FOLDS = 5
_N_SUBSAMPLES = 20
_N_SURROGATES = 20
_KEPT = 0.8


class Number(NamedTuple):
    """How many groups there are.

    Attributes
    ----------
    n_groups : int
        The smallest number whose gain is within one standard error of the largest gain.
    shape : str
        Shape of covariances that predicts held-out neurons best, see `fit_mixture`.
    gain : ndarray, shape (number,)
        Log likelihood of held-out neurons beyond that of one group of this shape, per neuron.
    error : ndarray, shape (number,)
        Standard error of the difference between this gain and the largest.
    """

    n_groups: int
    shape: str
    gain: Array
    error: Array


def cluster_test(
    given: Loadings, n_draws: int, rng: Seed, n_jobs: int | None
) -> tuple[dict[str, Any], dict[str, int]]:
    """Test one group against several, choose their number, and say who belongs where.

    Parameters
    ----------
    given : Loadings
        The data.
    n_draws, rng, n_jobs
        As for `popdyn.selectivity_test`.

    Returns
    -------
    variables : dict
        Of the result.
    said : dict
        What there is to say of it.

    Raises
    ------
    TensorError
        If there are too few neurons.
    """
    length = np.linalg.norm(given.values, axis=1)
    if np.ptp(length) < _EQUAL * length.mean():
        warn(
            "all vectors have the same length: they lie on a sphere, which mixtures take for "
            "groups. Give them as they were before they were scaled"
        )
    cloud = tamed_lengths(prepare(given, VARIANTS["epairs"]["default"]))
    n_neurons, n_features = cloud.shape
    largest = min(_LARGEST, n_neurons // (2 * (n_features + 1)))
    if largest < 2:
        message = (
            f"two groups in {n_features} dimensions need at least {4 * (n_features + 1)} neurons, "
            f"found {n_neurons}: take fewer features, the main components for instance"
        )
        raise TensorError(message)
    tested = min(_TESTED, largest)
    for_null, for_number, for_groups, for_stability, for_surrogates = spawn(rng, 5)
    drawn = _without_groups(given, cloud.shape)

    def by_chance(statistic: Any, said: tuple[Any, ...], n: int, own: np.random.Generator) -> Array:
        """Draw a statistic of clouds without groups: unless there are errors, once for a size."""

        def one(own: np.random.Generator) -> Array:
            return np.array([statistic(drawn(own), *said, own)])

        key = (statistic, said, n, cloud.shape)
        seed = rng if given.error is None else own
        return drawn_once(key, seed, lambda: draw_rows(one, n, own, n_jobs)[:, 0]).copy()

    with threadpool_limits(limits=1, user_api="blas"):
        null = by_chance(log_ratio, (tested,), n_draws, for_null)
        statistic = log_ratio(cloud, tested, for_groups)
        number = number_of_groups(cloud, largest, for_number)
        variables = _groups(given, cloud, number, for_groups)
        variables["stability"] = ((), np.nan)
        if number.n_groups > 1:
            said = (number.n_groups, number.shape)
            variables["stability"] = ((), stability(cloud, *said, for_stability))
            surrogates = by_chance(stability, said, _N_SURROGATES, for_surrogates)
            variables["null_stability"] = ("surrogate", surrogates)
    variables |= {
        "statistic": ((), statistic, {"units": "nat"}),
        "null_statistic": ("draw", null, {"units": "nat"}),
        "p": ((), float(upper_p_value(statistic, null))),
        "held_out_gain": ("number", number.gain, {"units": "nat"}),
        "held_out_error": ("number", number.error, {"units": "nat"}),
        "number": ("number", np.arange(1, largest + 1)),
        "n_clusters": ((), number.n_groups),
        "covariance_shape": ((), number.shape),
    }
    return variables, {"n_tested": tested, "n_features": n_features}


def _without_groups(given: Loadings, shape: tuple[int, ...]) -> Draw:
    """Say how clouds of one group are drawn: with errors, if there are any."""
    clouds = None if given.error is None else noisy_clouds(given.values, given.error)

    def draw(rng: np.random.Generator) -> Array:
        values = rng.standard_normal(shape) if clouds is None else clouds(rng)
        return tamed_lengths(robustly_whitened(values))

    return drawn_again(draw)


def gaussian_lengths(vectors: Array) -> Array:
    """Give vectors the lengths of a Gaussian cloud, in the order of their own.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> heavy = rng.standard_cauchy((1000, 1)) * rng.standard_normal((1000, 3))
    >>> bool(np.allclose((gaussian_lengths(heavy) ** 2).sum(axis=1).mean(), 3.0, atol=0.05))
    True
    """
    length = np.maximum(np.linalg.norm(vectors, axis=1), np.finfo(float).tiny)
    n_neurons, n_features = vectors.shape
    quantile = (length.argsort().argsort() + 0.5) / n_neurons
    wanted = np.sqrt(2.0 * gammaincinv(n_features / 2, quantile))
    return np.asarray(vectors * (wanted / length)[:, None])


def tamed_lengths(vectors: Array) -> Array:
    """Bring lengths that are further from the median than those of a Gaussian cloud back to these.

    Of heavy tails what `gaussian_lengths` makes of them is left; groups as far from the center as
    each other keep their lengths, which that would stretch.

    Examples
    --------
    >>> angle = np.linspace(0.0, 6.0, 100)
    >>> ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    >>> bool(np.ptp(np.linalg.norm(tamed_lengths(ring), axis=1)) < 1e-9)
    True
    """
    length = np.linalg.norm(vectors, axis=1)
    gaussian = gaussian_lengths(vectors)
    most = np.linalg.norm(gaussian, axis=1)
    middle = np.median(most)
    length = length * (middle / np.median(length))
    tamed = np.where(most > middle, np.minimum(length, most), np.maximum(length, most))
    return np.asarray(gaussian * (tamed / most)[:, None])


def ranked(cloud: Array) -> Array:
    """Order vectors by their lengths: with one seed, any order of the neurons gives the same."""
    return cloud[np.argsort(np.linalg.norm(cloud, axis=1), kind="stable")]


def log_ratio(cloud: Array, n_groups: int, rng: np.random.Generator) -> float:
    """Logarithm of the likelihood ratio of several groups against one, per neuron.

    Of directions, whatever the lengths: these are replaced by those of a Gaussian cloud.
    """
    cloud = ranked(gaussian_lengths(cloud))
    several, one = (
        fit_mixture(cloud, n, rng, _N_STARTS).log_density(cloud).mean() for n in (n_groups, 1)
    )
    return float(several - one)


def number_of_groups(cloud: Array, largest: int, rng: np.random.Generator) -> Number:
    """Choose the number of groups, and the shape of their covariances, by held-out neurons.

    Parameters
    ----------
    cloud : ndarray, shape (neuron, feature)
        The vectors.
    largest : int
        The largest number that is tried.
    rng : Generator
        Deals neurons into folds, and starts fits.

    Returns
    -------
    Number
    """
    cloud = ranked(cloud)
    fold = rng.permutation(np.arange(len(cloud)) % _N_FOLDS)
    density = np.empty((len(SHAPES), largest, len(cloud)))
    for held in range(_N_FOLDS):
        inside, outside = cloud[fold != held], cloud[fold == held]
        for own, shape in zip(density, SHAPES, strict=True):
            for i in range(largest):
                mixture = fit_mixture(inside, i + 1, rng, _N_STARTS, shape)
                own[i, fold == held] = mixture.log_density(outside)
    chosen, best = np.unravel_index(density.mean(axis=2).argmax(), density.shape[:2])
    less = density[chosen, best] - density[chosen]
    error = less.std(axis=1) / np.sqrt(len(cloud))
    n_groups = int((less.mean(axis=1) <= error).argmax()) + 1
    return Number(n_groups, SHAPES[chosen], less[0].mean() - less.mean(axis=1), error)


def _groups(
    given: Loadings, cloud: Array, number: Number, rng: np.random.Generator
) -> dict[str, Any]:
    """Who belongs where, the largest group first."""
    n_groups = number.n_groups
    mixture = fit_mixture(ranked(cloud), n_groups, rng, 20, number.shape)
    probability = mixture.membership(cloud)
    count = np.bincount(probability.argmax(axis=1), minlength=n_groups)
    probability = probability[:, np.argsort(-count, kind="stable")]
    label = probability.argmax(axis=1)
    of_all = np.full((n_groups, given.known.size), np.nan)
    of_all[:, given.known] = probability.T
    names = np.full(given.known.size, "", dtype=np.str_).astype("<U2")
    names[given.known] = (label + 1).astype(np.str_)
    center = probability.T @ given.values / probability.sum(axis=0)[:, None]
    return {
        "cluster": ("cluster", np.arange(1, n_groups + 1).astype(np.str_)),
        "label": ("neuron", names),
        "probability": (("cluster", "neuron"), of_all),
        "share": ("cluster", np.bincount(label, minlength=n_groups) / len(cloud)),
        "center": (("cluster", "feature"), center),
    }


def stability(cloud: Array, n_groups: int, shape: str, rng: np.random.Generator) -> float:
    """Mean adjusted Rand index of groups in pairs of subsamples, over the neurons of both.

    Parameters
    ----------
    cloud : ndarray, shape (neuron, feature)
        The vectors.
    n_groups : int
        How many groups.
    shape : str
        Of their covariances.
    rng : Generator
        Draws subsamples, four fifths of the neurons each.

    Returns
    -------
    float
        1 where the groups are always the same, 0 where they agree by chance.
    """
    cloud = ranked(cloud)
    n_kept = int(_KEPT * len(cloud))
    labels = np.full((_N_SUBSAMPLES, len(cloud)), -1)
    for own in labels:
        chosen = rng.permutation(len(cloud))[:n_kept]
        mixture = fit_mixture(cloud[chosen], n_groups, rng, shape=shape)
        own[chosen] = mixture.joint_density(cloud[chosen]).argmax(axis=1)
    scores = []
    for first, second in combinations(labels, 2):
        both = (first >= 0) & (second >= 0)
        scores.append(adjusted_rand(first[both], second[both]))
    return float(np.mean(scores))
