"""Bent codes against the estimate, and how errors of distances and estimates go into the test."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import t as student

import popdyn as pdn
from popdyn.analysis.estimation_alternatives import bent_code_p
from popdyn.analysis.estimation_errors import lack_of_fit
from popdyn.analysis.estimation_noise import JointNoise, noise_of_draws
from popdyn.analysis.estimation_verdict import Evidence
from tests.analysis.test_estimation import STIMULUS, perceived
from tests.analysis.test_estimation_verdict import EVIDENCE, two_sets

SECOND = STIMULUS + 0.25
BOTH = np.concatenate([STIMULUS, SECOND])
MEMBER = np.repeat([False, True], 11)


def p_of_codes(values, weber, noise, n_sets):
    """P values of the best bent code in data sets with independent noise."""
    estimate = np.concatenate([perceived(weber), perceived(weber, 0.75, 1.25, SECOND)])
    known = JointNoise(np.diag(np.repeat([noise**2, 0.0], 22)), np.inf)
    return np.array([
        bent_code_p(
            BOTH, estimate, values + noise * rng.standard_normal(22), known, 0.75, MEMBER, 199, rng
        )
        for rng in np.random.default_rng(1).spawn(n_sets)
    ])  # fmt: skip


@pytest.mark.parametrize("noise", [0.010, 0.030])
def test_a_bent_code_with_any_offset_is_rejected_as_seldom_as_the_level_says(noise):
    """The offset is what estimates shift by on average, the slope theirs: the hardest case."""
    log = np.log(BOTH) / np.polyfit(STIMULUS, np.log(STIMULUS), 1)[0]
    shift = perceived(0.15, 0.75, 1.25, SECOND)[:6] - perceived(0.15)[5:]
    offset = shift.mean() / np.polyfit(log[:11], perceived(0.15), 1)[0]
    assert np.mean(p_of_codes(log + offset * MEMBER, 0.15, noise, 100) < 0.05) <= 0.10


def test_bent_codes_are_rejected_where_estimates_are_coded():
    estimate = np.concatenate([perceived(0.10), perceived(0.10, 0.75, 1.25, SECOND)])
    found = p_of_codes(estimate, 0.10, 0.010, 40)
    assert np.mean(found < 0.05) > 0.9
    # However the sets are told apart: the bent codes have an offset already.
    assert np.mean(p_of_codes(np.log(BOTH), 0.10, 0.010, 20)) > 0.3


def test_an_estimate_that_is_better_by_chance_leaves_the_condition_open():
    seen = set()
    for seed in range(6):
        result = pdn.estimation_test(**two_sets(None, 0.035, seed), n_draws=200, n_repeats=20)
        errors = result.alternative_error
        bent = errors.drop_sel(alternative=["true", "estimate"]).min()
        better = bool(errors.sel(alternative="estimate") < bent)
        met = result.condition_met.sel(requirement="alternatives").item()
        wanted = np.nan if better and result.alternative_p >= 0.05 else float(better)
        np.testing.assert_equal(met, wanted)
        seen.add(str(met))
    assert {"nan", "1.0"} <= seen


def test_a_shift_that_a_cue_explains_as_well_is_not_seen():
    """Straight distances, the second set moved by what estimates shift on average."""
    problem = two_sets(lambda s: s, 0.02, 0)
    shift = (problem["estimate"][11:17] - problem["estimate"][5:11]).mean()
    moved = shift * MEMBER / np.polyfit(STIMULUS, problem["estimate"][:11], 1)[0]
    problem |= {"distance": problem["distance"] + moved, "draws": problem["draws"] + moved}
    result = pdn.estimation_test(**problem)
    assert result.shift_p_none < 0.05 <= result.shift_p_amount
    assert result.alternative_p >= 0.05
    assert np.isnan(result.condition_met.sel(requirement="shift"))
    seen = pdn.estimation_test(**two_sets(None, 0.01, 0))
    assert seen.alternative_p < 0.05
    assert seen.condition_met.sel(requirement="shift") == 1


def test_an_estimate_that_lacks_fit_is_not_preferred():
    changes = {"p_true": 0.01, "shift": 1.0}
    assert Evidence(**{**EVIDENCE, **changes}).conditions["rmse"] == 1
    assert Evidence(**{**EVIDENCE, **changes, "lack_estimate": 0.01}).conditions["rmse"] == 0
    assert Evidence(**{**EVIDENCE, **changes, "lack_estimate": np.nan}).conditions["rmse"] == 1


def given(drawn, stimulus, estimate):
    variables = {"estimate": ("stimulus", estimate)}
    variables["draw_estimate"] = (("draw", "stimulus"), drawn)
    return xr.Dataset(variables, coords={"stimulus": stimulus})


def test_errors_that_distances_and_estimates_share_cancel():
    """Distances that are twice the estimate in every draw follow it without any noise."""
    rng = np.random.default_rng(2)
    estimate = perceived(0.10)
    drawn = estimate + 0.01 * rng.standard_normal((200, 11))
    result = pdn.estimation_test(
        2.0 * estimate, STIMULUS, given(drawn, STIMULUS, estimate), draws=2.0 * drawn
    )
    assert float(result.null_difference_estimate.std()) < 1e-6
    assert float(result.null_difference_true.std()) > 1e-3
    second = perceived(0.10, 0.75, 1.25, SECOND)
    other = second + 0.01 * rng.standard_normal((200, 11))
    result = pdn.estimation_test(
        2.0 * np.concatenate([estimate, second]), BOTH,
        {"a": given(drawn, STIMULUS, estimate), "b": given(other, SECOND, second)},
        draws=2.0 * np.hstack([drawn, other]), sets=np.repeat(["a", "b"], 11),
    )  # fmt: skip
    np.testing.assert_allclose(result.shift_ratio_bound, 1.0, atol=1e-6)


def test_residuals_of_the_estimate_have_the_noise_of_both():
    rng = np.random.default_rng(3)
    estimate = perceived(0.15)
    drawn = estimate + 0.02 * rng.standard_normal((400, 11))
    distance = 3.0 * estimate + 0.05 * rng.standard_normal(11)
    draws = distance + 0.03 * rng.standard_normal((400, 11))
    result = pdn.estimation_test(
        distance, STIMULUS, given(drawn, STIMULUS, estimate), draws=draws, n_draws=50, n_repeats=2
    )
    slope = np.polyfit(estimate, distance, 1)[0]
    p, _ = lack_of_fit(estimate, distance, np.cov((draws - slope * drawn).T), 399.0)
    assert result.lack_of_fit_p_estimate.item() == pytest.approx(p, rel=1e-6)


def test_one_direction_that_is_left_is_judged_by_student():
    """Three conditions less a line: the square of one normal number over an estimated variance."""
    target, distance, freedom = np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.9, 2.3]), 7.0
    p, n_left = lack_of_fit(target, distance, 0.04 * np.eye(3), freedom)
    left = distance @ np.array([1.0, -2.0, 1.0]) / np.sqrt(6.0)
    assert n_left == 1
    assert p == pytest.approx(2.0 * student.sf(abs(left) / 0.2, freedom))


def test_a_covariance_of_draws_has_one_degree_of_freedom_less_than_these():
    draws = np.random.default_rng(4).standard_normal((300, 5))
    draws[:3, 0] = np.nan
    assert noise_of_draws(draws, None).freedom == 296
