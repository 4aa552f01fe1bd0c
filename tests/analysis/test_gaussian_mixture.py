"""Mixtures equal scikit-learn's, find planted groups, and refuse what has no likelihood."""

import concurrent.futures
import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

from popdyn.analysis.gaussian_mixture import SHAPES, GaussianMixture, adjusted_rand, fit_mixture
from popdyn.errors import FitError

PEERS = {"full": "full", "shared": "tied", "spherical": "spherical"}


def clumps(rng, n_points=150, n_features=4, n_groups=3, scatter=0.5):
    group = rng.permutation(np.arange(n_points) % n_groups)
    center = 3.0 * rng.normal(size=(n_groups, n_features))
    return center[group] + scatter * rng.normal(size=(n_points, n_features)), group


def peer(shape, points, share, n_steps, tolerance):
    """scikit-learn's expectation maximization from given shares."""
    from sklearn.mixture import GaussianMixture as Peer
    from sklearn.mixture._gaussian_mixture import (
        _compute_precision_cholesky,
        _estimate_gaussian_parameters,
    )

    kind = PEERS[shape]
    weight, mean, covariance = _estimate_gaussian_parameters(points, share, 1e-3, kind)
    root = _compute_precision_cholesky(covariance, kind)
    precision = root**2 if kind == "spherical" else root @ np.swapaxes(root, -1, -2)
    model = Peer(
        share.shape[1], covariance_type=kind, reg_covar=1e-3, max_iter=n_steps, tol=tolerance,
        weights_init=weight / weight.sum(), means_init=mean, precisions_init=precision,
    )  # fmt: skip
    return model.fit(points)


def as_full(model, shape):
    n_groups, n_features = model.means_.shape
    if shape == "full":
        return model.covariances_
    if shape == "shared":
        return np.broadcast_to(model.covariances_, (n_groups, n_features, n_features))
    return model.covariances_[:, None, None] * np.eye(n_features)


@pytest.mark.parametrize("tolerance", [0.0, 1e-3])
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_from_the_same_shares_are_those_of_scikit_learn(shape, tolerance):
    from sklearn.exceptions import ConvergenceWarning

    from popdyn.analysis.gaussian_mixture_kernel import ascend

    rng = np.random.default_rng(0)
    points = clumps(rng, 90, 3, scatter=2.0)[0]
    share = rng.dirichlet(np.full(4, 0.5), 90)
    n_steps = 100 if tolerance else 12
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = peer(shape, points, share, n_steps, tolerance)
    by_feature, by_group = np.ascontiguousarray(points.T), np.ascontiguousarray(share.T)
    found = ascend(by_feature, by_group, SHAPES.index(shape), 1e-3, tolerance, n_steps)
    assert found[0] == pytest.approx(model.lower_bound_, abs=1e-8)
    expected = (model.weights_, model.means_, as_full(model, shape))
    for one, other in zip(found[1:], expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)
    mixture = GaussianMixture(*found[1:])
    np.testing.assert_allclose(mixture.membership(points), model.predict_proba(points), atol=1e-8)


def test_fits_are_as_likely_as_those_of_scikit_learn():
    from sklearn.mixture import GaussianMixture as Peer

    ours, theirs = [], []
    for seed in range(20):
        points = np.random.default_rng(seed).normal(size=(150, 4))
        mixture = fit_mixture(points, 4, np.random.default_rng(seed))
        ours.append(mixture.log_density(points).mean())
        theirs.append(Peer(4, reg_covar=1e-3, random_state=seed).fit(points).score(points))
    assert np.mean(ours) > np.mean(theirs)


def test_densities_are_those_of_scipy():
    rng = np.random.default_rng(0)
    mixture = fit_mixture(clumps(rng)[0], 3, rng)
    points = rng.normal(size=(20, 4))
    each = [
        weight * multivariate_normal(*own).pdf(points)
        for weight, *own in zip(*mixture, strict=True)
    ]
    np.testing.assert_allclose(np.exp(mixture.joint_density(points)), np.transpose(each))
    np.testing.assert_allclose(np.exp(mixture.log_density(points)), np.sum(each, axis=0))


@pytest.mark.parametrize("shape", SHAPES)
def test_planted_groups_are_recovered(shape):
    rng = np.random.default_rng(3)
    points, group = clumps(rng, 300)
    mixture = fit_mixture(points, 3, rng, shape=shape)
    assert adjusted_rand_score(group, mixture.membership(points).argmax(axis=1)) == 1.0
    np.testing.assert_allclose(mixture.weight, 1 / 3)
    means = np.array([points[group == g].mean(axis=0) for g in range(3)])
    order = np.array([np.abs(means - own).sum(axis=1).argmin() for own in mixture.mean])
    np.testing.assert_allclose(mixture.mean, means[order], atol=1e-6)
    np.testing.assert_allclose(np.trace(mixture.covariance, axis1=1, axis2=2), 4 * 0.25, rtol=0.25)


def test_rotations_turn_the_mixture():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(120, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for shape in SHAPES:
        one = fit_mixture(points, 3, np.random.default_rng(1), shape=shape)
        other = fit_mixture(points @ turn, 3, np.random.default_rng(1), shape=shape)
        np.testing.assert_allclose(other.weight, one.weight, atol=1e-8)
        np.testing.assert_allclose(other.mean, one.mean @ turn, atol=1e-8)
        np.testing.assert_allclose(other.covariance, turn.T @ one.covariance @ turn, atol=1e-8)


def test_the_order_of_points_makes_no_difference_to_clear_groups():
    rng = np.random.default_rng(0)
    points = clumps(rng)[0]
    order = rng.permutation(len(points))
    one, other = (fit_mixture(x, 3, np.random.default_rng(1)) for x in (points, points[order]))
    np.testing.assert_allclose(other.log_density(points), one.log_density(points), atol=1e-8)


def test_threads_make_no_difference():
    clouds = np.random.default_rng(0).normal(size=(8, 100, 3))

    def fit(seed):
        return fit_mixture(clouds[seed], 4, np.random.default_rng(seed))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for alone, beside in zip(map(fit, range(8)), pool.map(fit, range(8)), strict=True):
            for one, other in zip(alone, beside, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "points",
    [
        np.zeros((20, 3)),
        np.repeat(np.eye(3), 5, axis=0),
        np.outer(np.linspace(-1, 1, 30), [1.0, 2.0, -1.0]),
        np.random.default_rng(0).normal(size=(5, 3)),
        1e6 * np.random.default_rng(0).normal(size=(30, 3)),
    ],
    ids=["all equal", "three points", "a line", "as many as groups", "large"],
)
def test_points_that_hardly_fill_groups_give_numbers(points, shape):
    mixture = fit_mixture(points, 5, np.random.default_rng(0), shape=shape)
    assert all(np.isfinite(part).all() for part in mixture)
    np.testing.assert_allclose(mixture.membership(points).sum(axis=1), 1.0)
    assert mixture.weight.sum() == pytest.approx(1.0)


def test_what_has_no_likelihood_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(FitError, match="5 groups need at least as many points, found 4"):
        fit_mixture(rng.normal(size=(4, 2)), 5, rng)
    points = rng.normal(size=(40, 2))
    points[3, 1] = np.nan
    lost = "a mixture of 2 Gaussians has no likelihood on these 40 points: some are NaN"
    with pytest.raises(FitError, match=lost):
        fit_mixture(points, 2, rng)
    flat = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 4))
    with pytest.raises(FitError, match=lost):
        fit_mixture(1e9 * flat, 2, rng)
    with pytest.raises(FitError, match="on these 1 points"):
        fit_mixture(flat, 2, rng).log_density(points[3:4, [0, 1, 0, 1]])


@pytest.mark.parametrize("n_groups", [1, 2, 5])
def test_the_index_of_two_labelings_is_that_of_scikit_learn(n_groups):
    rng = np.random.default_rng(n_groups)
    first, second = rng.integers(0, n_groups, (2, 40))
    second[:20] = first[:20]
    for one, other in ((first, second), (first, first), (second, first)):
        expected = adjusted_rand_score(one, other)
        assert adjusted_rand(one, other) == pytest.approx(expected, abs=1e-12)
