"""How many groups of selectivity there are, and which neuron belongs where: mixtures of Gaussians.

Clouds are first made round, and lengths replaced by those of a Gaussian cloud, in their order: a
mixture would take the long and the short vectors of heavy tails for two groups.
"""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv
from threadpoolctl import threadpool_limits

from popdyn.analysis.selectivity_angles import robustly_whitened
from popdyn.analysis.selectivity_errors import noisy_clouds
from popdyn.analysis.selectivity_input import Loadings
from popdyn.analysis.selectivity_neighbors import prepare
from popdyn.analysis.selectivity_null import draw_rows
from popdyn.analysis.selectivity_variants import VARIANTS
from popdyn.errors import TensorError
from popdyn.resample import Seed, spawn, upper_p_value

Array = NDArray[np.float64]

_LARGEST = 8
_TESTED = 4
_N_FOLDS = 5
_N_SUBSAMPLES = 20
_N_SURROGATES = 20
_KEPT = 0.8
# Added to variances: no group shrinks to a point.
_LEAST_VARIANCE = 1e-3


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
    cloud = gaussian_lengths(prepare(given, VARIANTS["epairs"]["default"]))
    n_neurons, n_features = cloud.shape
    largest = min(_LARGEST, n_neurons // (2 * (n_features + 1)))
    if largest < 2:
        message = (
            f"two groups in {n_features} dimensions need at least {4 * (n_features + 1)} neurons, "
            f"found {n_neurons}: take fewer features, the main components for instance"
        )
        raise TensorError(message)
    tested = min(_TESTED, largest)
    for_null, for_number, for_groups = spawn(rng, 3)
    clouds = None if given.error is None else noisy_clouds(given.values, given.error)

    def drawn(own: np.random.Generator) -> Array:
        if clouds is None:
            return gaussian_lengths(robustly_whitened(own.standard_normal(cloud.shape)))
        return gaussian_lengths(robustly_whitened(clouds(own)))

    def ratio(own: np.random.Generator) -> Array:
        return np.array([log_ratio(drawn(own), tested, own)])

    with threadpool_limits(limits=1):
        null = draw_rows(ratio, n_draws, for_null, n_jobs)[:, 0]
        statistic = log_ratio(cloud, tested, for_groups)
        held_out = held_out_gain(cloud, largest, for_number)
        n_groups = int(held_out.argmax()) + 1
        variables = _groups(given, cloud, n_groups, for_groups)
        variables |= _stability(cloud, n_groups, drawn, for_groups)
    variables |= {
        "statistic": ((), statistic, {"units": "nat"}),
        "null_statistic": ("draw", null, {"units": "nat"}),
        "p": ((), float(upper_p_value(statistic, null))),
        "held_out_gain": ("number", held_out, {"units": "nat"}),
        "number": ("number", np.arange(1, largest + 1)),
        "n_clusters": ((), n_groups),
    }
    return variables, {"n_tested": tested, "n_features": n_features}


def gaussian_lengths(vectors: Array) -> Array:
    """Give vectors the lengths of a Gaussian cloud, in the order of their own.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> heavy = rng.standard_cauchy((1000, 1)) * rng.standard_normal((1000, 3))
    >>> bool(np.allclose((gaussian_lengths(heavy) ** 2).sum(axis=1).mean(), 3.0, atol=0.05))
    True
    """
    length = np.linalg.norm(vectors, axis=1)
    n_neurons, n_features = vectors.shape
    quantile = (length.argsort().argsort() + 0.5) / n_neurons
    wanted = np.sqrt(2.0 * gammaincinv(n_features / 2, quantile))
    return np.asarray(vectors * (wanted / length)[:, None])


def fitted(cloud: Array, n_groups: int, rng: np.random.Generator, n_starts: int = 2) -> Any:
    """Fit a mixture of Gaussians with covariances of their own."""
    # scikit-learn is wanted only here.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model: Any = GaussianMixture(  # type: ignore[no-untyped-call]
        n_groups,
        n_init=n_starts if n_groups > 1 else 1,
        reg_covar=_LEAST_VARIANCE,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(cloud)


def log_ratio(cloud: Array, n_groups: int, rng: np.random.Generator) -> float:
    """Logarithm of the likelihood ratio of several groups against one, per neuron."""
    several, one = (fitted(cloud, n, rng).score(cloud) for n in (n_groups, 1))
    return float(several - one)


def held_out_gain(cloud: Array, largest: int, rng: np.random.Generator) -> Array:
    """Log likelihood of held-out neurons beyond that of one group ``(number)``, per neuron."""
    fold = rng.permutation(np.arange(len(cloud)) % _N_FOLDS)
    total = np.zeros(largest)
    for held in range(_N_FOLDS):
        inside, outside = cloud[fold != held], cloud[fold == held]
        for i in range(largest):
            total[i] += fitted(inside, i + 1, rng).score_samples(outside).sum()
    return np.asarray((total - total[0]) / len(cloud))


def _groups(
    given: Loadings, cloud: Array, n_groups: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Who belongs where, the largest group first."""
    probability = fitted(cloud, n_groups, rng, 10).predict_proba(cloud)
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


def _stability(cloud: Array, n_groups: int, drawn: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Agreement of groups between subsamples, beside that of clouds without groups."""
    if n_groups < 2:
        return {"stability": ((), np.nan)}
    own = agreement(cloud, n_groups, rng)
    null = [agreement(drawn(one), n_groups, one) for one in spawn(rng, _N_SURROGATES)]
    return {"stability": ((), own), "null_stability": ("surrogate", np.array(null))}


def agreement(cloud: Array, n_groups: int, rng: np.random.Generator) -> float:
    """Mean adjusted Rand index of groups in pairs of subsamples, over the neurons of both.

    Parameters
    ----------
    cloud : ndarray, shape (neuron, feature)
        The vectors.
    n_groups : int
        How many groups.
    rng : Generator
        Draws subsamples, four fifths of the neurons each.

    Returns
    -------
    float
        1 where the groups are always the same, 0 where they agree by chance.
    """
    from sklearn.metrics import adjusted_rand_score

    n_kept = int(_KEPT * len(cloud))
    labels = np.full((_N_SUBSAMPLES, len(cloud)), -1)
    for own in labels:
        chosen = rng.permutation(len(cloud))[:n_kept]
        own[chosen] = fitted(cloud[chosen], n_groups, rng, 1).predict(cloud[chosen])
    scores = []
    for first, second in combinations(labels, 2):
        both = (first >= 0) & (second >= 0)
        scores.append(adjusted_rand_score(first[both], second[both]))
    return float(np.mean(scores))
