"""Small cases of the split halves, computed by hand or by their definition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import popdyn as pdn
from popdyn.analysis import statespace_splits
from popdyn.analysis.statespace_result import trajectory_bound
from popdyn.analysis.statespace_splits import (
    error_bounds,
    jackknife_error,
    split_shares,
    student_factor,
)
from popdyn.analysis.trials import condition_trials


def quarters_of(values, seed):
    """Average the quarters of 8 trials as a split with this seed does, and the generator after."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(8)
    rng.integers(0, 2)
    flat = values.reshape(8, values.shape[1], -1)
    return [flat[order[start : start + 2]].mean(axis=0) for start in (0, 2, 4, 6)], rng


def centered(matrix):
    return matrix - matrix.mean(axis=1, keepdims=True)


def test_bounds_are_as_wide_as_students_t_says():
    # The 97.5 % point of Student's t is 2.776 with 4 degrees of freedom and 2.262 with 9.
    low, high = error_bounds(np.array([1.0]), np.array([2.0]), 5)
    assert [low[0], high[0]] == pytest.approx([1 - 2 * 2.7764451, 1 + 2 * 2.7764451])
    assert student_factor(10) == pytest.approx(2.2621572 / 1.9599640)
    assert np.isnan(student_factor(1))


def test_the_jackknife_of_an_average_is_its_standard_error(monkeypatch):
    values = np.random.default_rng(0).normal(size=10)

    def weighted_average(trials, n_components, generators, weights):
        assert len(weights[0]) == len(generators)
        return trials[0].ravel() @ weights[0][0] / weights[0][0].sum()

    monkeypatch.setattr(statespace_splits, "split_shares", weighted_average)
    monkeypatch.setattr(statespace_splits, "summaries", lambda average: average)
    error, n_groups = jackknife_error([values.reshape(10, 1, 1)], 1, 0)
    assert n_groups == 10
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(10))


def test_the_null_takes_axes_of_one_shuffled_half_to_the_other_half():
    values = np.random.default_rng(1).normal(size=(8, 4, 12)) * np.array([1, 2, 3, 4])[:, None]
    found = split_shares([values], 2, [np.random.default_rng(3)], with_null=True).null[0]
    quarters, rng = quarters_of(values, 3)
    first, second = centered(quarters[0] + quarters[1]) / 2, centered(quarters[2] + quarters[3]) / 2
    axes = np.linalg.svd(rng.permuted(first, axis=1))[0][:, :2]
    expected = ((axes.T @ second) ** 2).sum(axis=1) / (second**2).sum()
    np.testing.assert_allclose(found, expected)


def test_the_participation_ratio_is_of_products_between_quarters():
    values = np.random.default_rng(2).normal(size=(8, 3, 10))
    found = split_shares([values], 2, [np.random.default_rng(4)]).participation[0]
    a, b, c, d = (centered(quarter) for quarter in quarters_of(values, 4)[0])
    first, second = (a @ b.T + b @ a.T) / 18, (c @ d.T + d @ c.T) / 18
    assert found[0] == pytest.approx(np.trace(first) * np.trace(second))
    assert found[1] == pytest.approx((first * second).sum())


def test_bounds_of_trajectories_are_bootstrapped_averages_widened_for_few_trials():
    values = np.random.default_rng(5).normal(size=(6, 7, 8))
    tensor = pdn.make_tensor(values, 0.1 * np.arange(7), {"choice": [0] * 5 + [1] * 3}, units="1")
    pca = pdn.PCA(2, by="choice", n_splits=2, n_draws=40)
    pca.fit(tensor)
    trials = condition_trials(tensor, "choice")
    found = trajectory_bound(trials, pca.loading_, pca.mean_, 40, np.random.default_rng(6))
    plan = pdn.bootstrap(tensor, "choice", 40, np.random.default_rng(6))
    state = pca.transform(tensor).values
    for condition, members in enumerate((range(5), range(5, 8))):
        n, average = len(members), state[:, :, list(members)].mean(axis=2)
        drawn = np.stack(
            [state[:, :, [k for k in draw if k in members]].mean(axis=2) for draw in plan]
        )
        wider = scipy.stats.t.ppf(0.975, n - 1) / scipy.stats.norm.ppf(0.975)
        error = (drawn - average) * np.sqrt(n / (n - 1)) * wider
        expected = average + np.quantile(error, [0.025, 0.975], axis=0)
        np.testing.assert_allclose(found[..., condition], expected, atol=1e-12)
