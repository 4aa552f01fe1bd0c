"""Whether distances follow the stimulus or its estimate: known answers and invariances."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.analysis.estimation_alternatives import cross_validated_errors
from popdyn.analysis.estimation_errors import error, lack_of_fit, normalized_error
from popdyn.analysis.estimation_noise import JointNoise

STIMULUS = 0.5 + 0.05 * np.arange(11)


KNOWN = 1e-6 * np.eye(11)


def perceived(weber, low=0.5, high=1.0, shown=STIMULUS):
    observer = pdn.observer.Production(weber=weber, prior=("uniform", low, high))
    return observer.estimate(shown).values


def scaled(target, deviation):
    """A target around its middle, with a deviation."""
    return (target - target[5]) / target.std() * deviation


@pytest.mark.parametrize(
    ("weber", "of_true", "of_estimate"),
    [(0.05, 10.22, 9.42), (0.10, 14.60, 11.48), (0.15, 13.05, 8.18)],
)
def test_each_hypothesis_misses_perfect_distances_of_the_other_by_the_known_error(
    weber, of_true, of_estimate
):
    """B7 and B8 of the methods, in ms."""
    estimate = perceived(weber)
    follows = pdn.estimation_test(estimate, STIMULUS, estimate, covariance=KNOWN)
    assert 1000 * follows.rmse_true.item() == pytest.approx(of_true, abs=0.05)
    assert follows.rmse_estimate.item() == pytest.approx(0.0, abs=1e-9)
    veridical = pdn.estimation_test(STIMULUS, STIMULUS, estimate, covariance=KNOWN)
    assert 1000 * veridical.rmse_estimate.item() == pytest.approx(of_estimate, abs=0.05)
    assert veridical.rmse_true.item() == pytest.approx(0.0, abs=1e-9)


def test_raw_errors_prefer_the_estimate_of_true_distances_as_often_as_is_known():
    """B9: the estimate is compressed, so a regression on noise misses it by less."""
    estimate, rng = perceived(0.10), np.random.default_rng(0)
    true = scaled(STIMULUS, estimate.std())
    for noise, share in ((0.010, 0.14), (0.020, 0.65), (0.040, 0.96)):
        drawn = true + noise * rng.standard_normal((4000, 11))
        prefers = error(estimate, drawn) < error(STIMULUS, drawn)
        assert prefers.mean() == pytest.approx(share, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.005, 0.010])
@pytest.mark.parametrize("truth", ["true", "estimate"])
def test_the_calibrated_test_has_its_size_and_finds_the_other(truth, noise):
    """B10, in 400 data sets."""
    estimate = perceived(0.10)
    target = scaled(STIMULUS if truth == "true" else estimate, estimate.std())
    covariance = noise**2 * np.eye(11)
    found = []
    for rng in np.random.default_rng(1).spawn(400):
        distance = target + noise * rng.standard_normal(11)
        result = pdn.estimation_test(
            distance, STIMULUS, estimate, covariance=covariance, n_draws=400, n_repeats=1, rng=rng
        )
        found.append([result.p_true < 0.05, result.p_estimate < 0.05])
    rejected = dict(zip(["true", "estimate"], np.mean(found, axis=0), strict=True))
    other = {"true": "estimate", "estimate": "true"}[truth]
    assert 0.02 <= rejected[truth] <= 0.09
    assert rejected[other] > 0.95


def test_normalized_errors_are_the_same_whichever_is_regressed_on_the_other():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 9))
    r = np.corrcoef(x, y)[0, 1]
    assert normalized_error(x, y) == pytest.approx(np.sqrt(1 - r**2))
    assert error(y, x) / y.std() == pytest.approx(error(x, y) / x.std())
    coefficients, residual, *_ = np.polyfit(x, y, 1, full=True)
    assert error(y, x) == pytest.approx(np.sqrt(residual[0] / 9))
    assert coefficients.size == 2


def test_lack_of_fit_is_generalized_least_squares_where_the_covariance_is_regular():
    from scipy.stats import chi2

    rng = np.random.default_rng(3)
    root = rng.normal(size=(8, 8))
    covariance, target = root @ root.T, np.arange(8.0)
    seen = rng.multivariate_normal(2.0 + 3.0 * target, covariance)
    weight = np.linalg.inv(covariance)
    design = np.column_stack([np.ones(8), target])
    beta = np.linalg.solve(design.T @ weight @ design, design.T @ weight @ seen)
    left = seen - design @ beta
    p, n_left = lack_of_fit(target, seen, covariance, np.inf)
    assert n_left == 6
    assert p == pytest.approx(chi2.sf(left @ weight @ left, 6), rel=1e-8)


def test_lack_of_fit_holds_its_level_where_the_reference_has_no_noise_of_its_own():
    """The covariance is singular, and estimated from draws."""
    rng = np.random.default_rng(4)
    found = []
    for _ in range(2000):
        noise = rng.standard_normal((101, 11))
        noise -= noise[:, [5]]
        distance = STIMULUS - STIMULUS[5] + noise[0]
        found.append(lack_of_fit(STIMULUS, distance, np.cov(noise[1:].T), 99.0))
    p, n_left = np.array(found).T
    assert set(n_left) == {8}
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.015)


def test_a_singular_covariance_is_drawn_with_its_own_covariance():
    difference = np.eye(5) - np.eye(5)[2]
    full = np.zeros((10, 10))
    full[:5, :5] = difference @ difference.T
    noise = JointNoise(full, np.inf)
    drawn, of_estimate = noise.sample(40_000, np.random.default_rng(5))
    np.testing.assert_allclose(np.cov(drawn.T), full[:5, :5], atol=0.05)
    assert np.abs(drawn[:, 2]).max() < 1e-6
    assert not of_estimate.any()


def test_noise_that_distances_and_estimates_share_is_drawn_together():
    rng = np.random.default_rng(6)
    common = 0.01 * rng.standard_normal((500, 1)) * (STIMULUS - 0.75)
    estimate = perceived(0.10)
    draws = STIMULUS + common + 0.002 * rng.standard_normal((500, 11))
    own = xr.Dataset(
        {
            "estimate": ("stimulus", estimate),
            "draw_estimate": (("draw", "stimulus"), estimate + common),
        },
        coords={"stimulus": STIMULUS},
    )
    result = pdn.estimation_test(STIMULUS, STIMULUS, own, draws=draws)
    together = error(estimate + common, draws)
    np.testing.assert_allclose(result.draw_rmse_estimate, together)
    assert result.draw_rmse_true.sizes["resample"] == 500


def test_a_code_that_is_in_a_family_is_predicted_best_by_it():
    rng = np.random.default_rng(7)
    noise = JointNoise(np.diag(np.repeat([1e-6, 0.0], 11)), np.inf)
    member = np.zeros(11, dtype=bool)
    planted = {
        "log": np.log(STIMULUS),
        "quadratic": (STIMULUS - 0.2) ** 2 + STIMULUS,
        "sigmoid": np.tanh((STIMULUS - 0.75) / 0.15),
        "arc": np.sin(0.5 * np.deg2rad(150.0) * (STIMULUS - 0.75) / 0.25),
        "arc of 240": np.sin(0.5 * np.deg2rad(240.0) * (STIMULUS - 0.75) / 0.25),
    }
    for code, values in planted.items():
        name = code.split()[0]
        found = cross_validated_errors(
            STIMULUS, perceived(0.1), values, noise, 0.75, member, 200, rng
        )
        assert found[name] < found["estimate"], name
        assert found[name] < 1.05 * min(found.values()), name
        assert found["true"] > 3 * found[name], name


def test_held_out_conditions_are_predicted_as_by_a_fit_without_them():
    """One curve and no noise: the slow way is to leave out one condition after the other."""
    values = np.random.default_rng(8).normal(size=11)
    noise = JointNoise(np.zeros((22, 22)), np.inf)
    found = cross_validated_errors(
        STIMULUS, perceived(0.1), values, noise, 0.75, np.zeros(11, dtype=bool), 1,
        np.random.default_rng(0),
    )  # fmt: skip
    for name, degree, x in (("log", 1, np.log(STIMULUS)), ("quadratic", 2, STIMULUS)):
        missed = []
        for k in range(11):
            others = np.arange(11) != k
            missed.append(
                values[k] - np.polyval(np.polyfit(x[others], values[others], degree), x[k])
            )
        assert found[name] == pytest.approx(np.sqrt(np.mean(np.square(missed))), rel=1e-6)


@given(
    factor=st.floats(0.01, 100.0),
    offset=st.floats(-50.0, 50.0),
    sign=st.sampled_from([-1.0, 1.0]),
)
@settings(max_examples=8, deadline=None)
def test_units_and_direction_of_distances_do_not_matter(factor, offset, sign):
    estimate = perceived(0.10)
    distance = estimate + 0.008 * np.random.default_rng(9).standard_normal(11)
    scale = factor * sign
    plain = pdn.estimation_test(distance, STIMULUS, estimate, covariance=64e-6 * np.eye(11))
    other = pdn.estimation_test(
        offset + scale * distance, STIMULUS, estimate, covariance=64e-6 * scale**2 * np.eye(11)
    )
    np.testing.assert_allclose(other.alternative_error, plain.alternative_error, rtol=0.1)
    for name in ("rmse_true", "nrmse_estimate", "lack_of_fit_p_true"):
        assert other[name].item() == pytest.approx(plain[name].item(), rel=1e-5)
    assert other.p_true.item() == pytest.approx(plain.p_true.item(), abs=0.02)


def test_power_is_the_share_of_data_sets_in_which_the_other_is_rejected():
    estimate, noise = perceived(0.10), 0.015
    covariance, found, told = noise**2 * np.eye(11), [], []
    for rng in np.random.default_rng(11).spawn(200):
        distance = estimate + noise * rng.standard_normal(11)
        result = pdn.estimation_test(
            distance, STIMULUS, estimate, covariance=covariance, n_draws=400, n_repeats=1, rng=rng
        )
        found.append(result.p_true.item() < 0.05)
        told.append(result.power_true.item())
    assert 0.3 < np.mean(found) < 0.95
    assert np.mean(told) == pytest.approx(np.mean(found), abs=0.1)


def test_parts_of_the_repeats_have_independent_noise():
    """Noise that all conditions share: the parts differ by the sum of both, not their difference."""
    full = np.zeros((22, 22))
    full[:11, :11] = 1e-4
    found = cross_validated_errors(
        STIMULUS, perceived(0.1), STIMULUS, JointNoise(full, np.inf), 0.75,
        np.zeros(11, dtype=bool), 4000, np.random.default_rng(0),
    )  # fmt: skip
    assert found["true"] == pytest.approx(0.01 * (np.sqrt(0.5) + np.sqrt(2.0)), rel=0.05)
