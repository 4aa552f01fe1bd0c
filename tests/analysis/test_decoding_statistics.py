"""Bounds, nulls and clusters of decoding against what they must be by construction."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import popdyn as pdn
from popdyn.analysis.clusters_in_time import cluster_p
from popdyn.analysis.quantity_decoding import _Bin, _Bins, _bootstrap_weights, _bounds, _gathered
from popdyn.analysis.shuffle_test import over_matrix, over_time, standard_scores
from tests.analysis.test_decoding import planted


def test_bins_of_shuffles_below_the_threshold_are_in_no_cluster():
    null = np.full((99, 5), 1.9)
    p, _ = cluster_p(np.array([0.0, 2.1, 2.1, 0.0, 0.0]), null, 2.0)
    assert p.tolist() == [1.0, 0.01, 0.01, 1.0, 1.0]


def test_clusters_are_of_bins_above_the_95_percent_quantile_of_a_normal_distribution():
    rng = np.random.default_rng(0)
    limit = stats.norm.ppf(0.95)
    observed, null = rng.normal(size=400), rng.normal(size=(60, 400))
    above = standard_scores(observed, null)[0] > limit
    assert 5 < above.sum() < 40
    np.testing.assert_array_equal(over_time(observed, null)["cluster"][1] > 0, above)
    plane, shuffles = observed.reshape(20, 20), null.reshape(60, 20, 20).copy()
    np.testing.assert_array_equal(
        over_matrix(plane, shuffles)["cluster"][1] > 0, above.reshape(20, 20)
    )


def test_independent_trials_have_no_variance_from_their_decoders():
    # Errors are drawn for every trial alone: R2 varies as a bootstrap of trials says, no more.
    rng = np.random.default_rng(0)
    n_draws, n_trials, n_bins = 3000, 50, 2
    problem = SimpleNamespace(
        values=np.zeros((n_bins, n_trials, 1)), target=np.zeros((n_draws, 50))
    )

    def bins(shared):
        for _ in range(n_bins):
            error = rng.chisquare(4, size=(n_draws, n_trials)) / 4 + shared
            baseline = np.ones((n_draws, n_trials))
            r2 = 1 - error.mean(axis=1)
            influence = (error - (1 - r2)[:, None] * baseline) / n_trials
            yield _Bin(error[0], error[0], baseline[0], r2, np.ones(5), influence)

    alone = _gathered(bins(0.0), problem)
    by_trials = 0.5 / n_trials
    assert alone.training_variance < 0.15 * by_trials
    assert alone.training_variance_of_mean < 0.15 * by_trials / n_bins
    together = _gathered(bins(0.3 * rng.normal(size=(n_draws, 1))), problem)
    assert together.training_variance == pytest.approx(0.09, rel=0.1)
    assert together.training_variance_of_mean == pytest.approx(0.09, rel=0.1)


@pytest.mark.parametrize("r2", [0.0, 0.5, 0.9])
def test_bounds_are_widened_by_the_share_of_variance_that_is_not_predicted(r2):
    rng = np.random.default_rng(0)
    n_trials, added = 200, 0.02
    error = (1 - r2) * rng.chisquare(4, size=(1, n_trials)) / 4
    baseline = np.ones((1, n_trials))
    score = 1 - error.sum(axis=1, keepdims=True) / baseline.sum(axis=1, keepdims=True)
    weights = rng.multinomial(n_trials, np.full(n_trials, 1 / n_trials), size=1000).astype(float)
    plain, wide = (
        _bounds(
            _Bins(error, error, baseline, score, np.ones((1, 5)), variance, variance), weights, "s"
        )
        for variance in (0.0, added)
    )
    variance = (1 - (weights @ error.T) / (weights @ baseline.T)).var()
    expected = np.sqrt(1 + added * (1 - score[0, 0]) / variance)
    for name in ("r2_bound", "mean_r2_bound"):
        below = [score[0, 0] - np.ravel(bound[name][1])[0] for bound in (plain, wide)]
        assert below[1] / below[0] == pytest.approx(expected, rel=1e-6)


def test_the_bootstrap_draws_whole_groups():
    group = np.repeat(np.arange(5), [4, 10, 2, 7, 7])
    problem = SimpleNamespace(fold=np.zeros(30, dtype=int), group=group)
    weights = _bootstrap_weights(problem, np.random.default_rng(0))
    first = np.unique(group, return_index=True)[1]
    np.testing.assert_array_equal(weights, weights[:, first][:, group])
    assert (weights[:, first].sum(axis=1) == 5).all()
    assert weights[:, first].var() == pytest.approx(0.8, rel=0.1)  # of 5 draws among 5
    alone = _bootstrap_weights(SimpleNamespace(fold=group, group=None), np.random.default_rng(0))
    assert (alone.sum(axis=1) == 30).all()
    assert (alone[:, 0] != alone[:, 1]).any()


def test_shuffles_of_sessions_are_paired_at_random():
    result = pdn.decode(planted(effect=0.0), "choice", n_draws=200)
    # The same shuffles in both: paired as they are, their average would vary as much as each.
    other = result.assign(accuracy=result["accuracy"] + 0.01)
    pooled = pdn.pool_decoding({"one": result, "other": other})
    ratio = pooled["null_accuracy"].std("draw") / result["null_accuracy"].std("draw")
    np.testing.assert_allclose(ratio, np.sqrt(0.5), atol=0.15)
    np.testing.assert_allclose(
        pooled["null_accuracy"].mean("draw"), result["null_accuracy"].mean("draw")
    )


def test_the_upper_limit_of_the_null_across_time_is_its_95_percent_quantile():
    tensor = planted(effect=0.0, n_bins=4)
    options = {"n_draws": 60, "rng": 3}
    across = pdn.temporal_generalization(tensor, "choice", **options)
    null = pdn.decode(tensor, "choice", **options)["null_accuracy"]
    expected = np.quantile(null, 0.95, axis=0)
    np.testing.assert_allclose(np.diagonal(across["null_upper"]), expected, atol=1e-6)
    np.testing.assert_allclose(np.diagonal(across["null_mean"]), null.mean("draw"), atol=1e-6)
    assert (expected - np.quantile(null, 0.9, axis=0) > 0.01).any()
