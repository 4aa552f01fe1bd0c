"""Shifts between sets, verdicts, networks: what may be said of distances."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.estimation_verdict import Evidence, verdict_of
from tests.analysis.test_estimation import KNOWN, STIMULUS, perceived


def two_sets(code, noise, seed):
    second = STIMULUS + 0.25
    stimulus = np.concatenate([STIMULUS, second])
    estimate = np.concatenate([perceived(0.10), perceived(0.10, 0.75, 1.25, second)])
    error_of = noise * np.random.default_rng(seed).standard_normal((501, 22))
    target = estimate if code is None else code(stimulus)
    target = target / np.polyfit(STIMULUS, target[:11], 1)[0]
    return {
        "distance": target + error_of[0], "stimulus": stimulus, "estimate": estimate,
        "draws": target + error_of[0] + error_of[1:], "sets": np.repeat(["a", "b"], 11),
    }  # fmt: skip


CONTRACTS = xr.Dataset({"slope_bound": ("bound", [0.7, 0.8])}, coords={"bound": ["lower", "upper"]})


def test_estimates_shift_between_sets_and_all_four_conditions_are_met():
    result = pdn.estimation_test(**two_sets(None, 0.005, 0), behavior=CONTRACTS)
    assert result.attrs["verdict"] == "estimate"
    assert (result.condition_met == 1).all()
    np.testing.assert_allclose(result.shared, 0.75 + 0.05 * np.arange(6))
    np.testing.assert_allclose(result.set_shift, result.expected_set_shift, atol=0.02)
    assert result.shift_p_none < 0.01 < result.shift_p_amount
    low, high = result.shift_ratio_bound
    assert low < 1 < high
    assert 0.8 < result.shift_ratio < 1.2


def test_distances_that_fall_with_the_stimulus_shift_downwards():
    problem = two_sets(None, 0.005, 0)
    up = pdn.estimation_test(**problem, behavior=CONTRACTS)
    assert (up.set_shift > 0).all()
    assert (up.expected_set_shift > 0).all()
    problem |= {"distance": -problem["distance"], "draws": -problem["draws"]}
    down = pdn.estimation_test(**problem, behavior=CONTRACTS)
    assert (down.set_shift < 0).all()
    assert down.shift_p_none < 0.01
    assert down.attrs["verdict"] == up.attrs["verdict"] == "estimate"


def test_half_of_the_expected_shift_is_told_with_its_bounds():
    problem = two_sets(None, 0.003, 2)
    common = problem["distance"] + 0.0
    common[11:] -= 0.5 * (common[11:17] - common[5:11]).mean()
    change = common - problem["distance"]
    problem |= {"distance": common, "draws": problem["draws"] + change}
    result = pdn.estimation_test(**problem, behavior=CONTRACTS)
    low, high = result.shift_ratio_bound
    assert low < 0.5 < high < 0.7
    assert result.attrs["verdict"] == "neither"
    assert "in the direction of the estimate, but not by its amount (0.5" in result.attrs["reason"]


@pytest.mark.parametrize("code", [np.log, np.tanh, lambda s: s], ids=["log", "tanh", "linear"])
def test_what_does_not_shift_is_no_estimate_however_bent(code):
    result = pdn.estimation_test(**two_sets(code, 0.005, 1), behavior=CONTRACTS)
    assert result.attrs["verdict"] in ("neither", "true")
    assert result.condition_met.sel(requirement="shift") == 0
    assert result.shift_power > 0.95


def test_without_a_second_set_the_strongest_verdict_is_compatible():
    estimate = perceived(0.10)
    result = pdn.estimation_test(
        estimate, STIMULUS, estimate, covariance=9e-6 * np.eye(11), behavior=CONTRACTS
    )
    assert result.attrs["verdict"] == "compatible with the estimate"
    assert "shift" in result.attrs["reason"]
    assert np.isnan(result.condition_met.sel(requirement="shift"))


def test_behavior_that_does_not_contract_has_no_estimate_to_code():
    estimate = perceived(0.10)
    straight = CONTRACTS.assign(slope_bound=("bound", [0.95, 1.02]))
    result = pdn.estimation_test(
        estimate, STIMULUS, estimate, covariance=9e-6 * np.eye(11), behavior=straight
    )
    assert result.attrs["verdict"] == "neither"
    assert "behavior does not contract" in result.attrs["reason"]


def test_with_much_noise_nothing_is_told_whatever_the_p_values():
    estimate = perceived(0.10)
    result = pdn.estimation_test(estimate, STIMULUS, estimate, covariance=0.04**2 * np.eye(11))
    assert result.attrs["verdict"] == "cannot be told apart"
    assert min(result.power_true, result.power_estimate) < 0.8


def test_an_estimate_that_is_straight_in_the_stimulus_is_not_testable():
    """A Gaussian prior makes estimates straight, as do frequencies with constant noise nearly."""
    observer = pdn.observer.Production(sigma=0.1, prior=("gaussian", 0.75, 0.15))
    estimate = observer.estimate(STIMULUS)
    with pytest.warns(pdn.PopdynWarning, match=r"not testable.*correlate at 1\.00000"):
        result = pdn.estimation_test(estimate, STIMULUS, estimate, covariance=1e-4 * np.eye(11))
    assert result.attrs["verdict"] == "cannot be told apart"


EVIDENCE = {
    "p_true": 0.5, "p_estimate": 0.5, "lack_true": 0.5, "lack_estimate": 0.5, "power_true": 0.9,
    "power_estimate": 0.9, "alternatives": 1.0, "behavior": 1.0, "shift": np.nan,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "both fit"),
        ({"power_true": 0.7, "p_true": 0.001}, "cannot be told apart"),
        ({"p_true": 0.01, "p_estimate": 0.01}, "neither"),
        ({"lack_true": 0.01, "lack_estimate": 0.01}, "neither"),
        ({"lack_true": 0.01}, "cannot be told apart"),
        ({"p_estimate": 0.01}, "true"),
        ({"p_estimate": 0.01, "lack_true": 0.01}, "neither"),
        ({"p_estimate": 0.01, "shift": 1.0}, "neither"),
        ({"p_estimate": 0.01, "shift": 0.0}, "true"),
        ({"p_true": 0.01}, "compatible with the estimate"),
        ({"p_true": 0.01, "shift": 1.0}, "estimate"),
        ({"p_true": 0.01, "shift": 0.0}, "neither"),
        ({"p_true": 0.01, "shift": 1.0, "behavior": np.nan}, "compatible with the estimate"),
        ({"p_true": 0.01, "shift": 1.0, "behavior": 0.0}, "neither"),
        ({"p_true": 0.01, "shift": 1.0, "alternatives": 0.0}, "neither"),
        ({"p_true": 0.01, "shift": 1.0, "lack_estimate": 0.01}, "neither"),
        ({"shift": 0.0, "power_true": 0.1}, "neither"),
    ],
    ids=str,
)
def test_the_verdict_follows_from_the_evidence(changes, verdict):
    found, reason = verdict_of(Evidence(**{**EVIDENCE, **changes}))
    assert found == verdict
    assert reason


def outcome(target, seed):
    noise = 0.006 * np.random.default_rng(seed).standard_normal(11)
    return pdn.estimation_test(
        target + noise, STIMULUS, perceived(0.10), covariance=36e-6 * np.eye(11), n_draws=200
    )


def test_networks_that_agree_are_told_from_a_control():
    learners = {str(seed): outcome(perceived(0.10), seed) for seed in range(6)}
    control = {str(seed): outcome(STIMULUS, 10 + seed) for seed in range(6)}
    result = pdn.pool_estimation_tests(learners, control)
    np.testing.assert_allclose(result.wilcoxon_p.sel(measure="nrmse"), 2 / 2**6)
    np.testing.assert_allclose(result.sign_p.sel(measure="nrmse"), 2 / 2**6)
    assert result.control_p.sel(measure="nrmse") == pytest.approx(2 / 924)  # of 12 choose 6
    assert result.verdict.values[0] == "compatible with the estimate"


def test_five_networks_are_too_few_and_this_is_said():
    five = {str(seed): outcome(perceived(0.10), seed) for seed in range(5)}
    with pytest.warns(pdn.PopdynWarning, match=r"5 sources cannot reach.*0\.0625"):
        pdn.pool_estimation_tests(five)
    with pytest.raises(pdn.FitError, match="results has 1 source"):
        pdn.pool_estimation_tests({"one": five["0"]})
    with pytest.raises(pdn.TensorError, match=r"results\['a'\] is of method 'none'"):
        pdn.pool_estimation_tests({"a": xr.Dataset()})


def test_a_line_from_elsewhere_keeps_the_contraction():
    estimate = perceived(0.10)
    result = pdn.decode_then_compare(
        (2.0 * STIMULUS + 1.0, STIMULUS), 2.0 * estimate + 1.0, STIMULUS, estimate, covariance=KNOWN
    )
    assert result.rmse_estimate.item() == pytest.approx(0.0, abs=1e-9)
    assert result.rmse_true.item() == pytest.approx(np.sqrt(np.mean((estimate - STIMULUS) ** 2)))
    assert result.decoded_slope.item() == pytest.approx(np.polyfit(STIMULUS, estimate, 1)[0])
    with pytest.raises(pdn.FitError, match="a line takes three or more"):
        pdn.decode_then_compare(
            (np.ones(11), STIMULUS), estimate, STIMULUS, estimate, covariance=KNOWN
        )
    with pytest.raises(pdn.TensorError, match="training is a result of relative_distance"):
        pdn.decode_then_compare(xr.Dataset(), estimate, STIMULUS, estimate, covariance=KNOWN)


@pytest.mark.parametrize("bound", [[np.nan, np.nan], [0.97, 0.97]])
def test_a_slope_that_trials_leave_open_is_no_condition(bound):
    behavior = CONTRACTS.assign(slope_bound=("bound", bound))
    result = pdn.estimation_test(**two_sets(None, 0.005, 0), behavior=behavior)
    assert np.isnan(result["condition_met"].sel(requirement="behavior"))
