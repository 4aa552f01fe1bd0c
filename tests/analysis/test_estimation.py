"""Whether distances follow the stimulus or its estimate: known answers, invariances, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.analysis.estimation_alternatives import cross_validated_errors
from popdyn.analysis.estimation_errors import error, lack_of_fit, normalized_error
from popdyn.analysis.estimation_noise import JointNoise, noise_of_draws
from popdyn.analysis.estimation_verdict import Evidence, verdict_of

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
    }
    for name, values in planted.items():
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


def test_noise_that_conditions_share_is_taken_from_draws():
    rng = np.random.default_rng(12)
    draws = STIMULUS + 0.02 * rng.normal(size=(300, 1)) * (STIMULUS - 0.7) ** 2
    draws = draws + 0.001 * rng.normal(size=(300, 11))
    bent = STIMULUS + 0.03 * (STIMULUS - 0.7) ** 2
    result = pdn.estimation_test(bent, STIMULUS, perceived(0.1), draws=draws)
    p, _ = lack_of_fit(STIMULUS, bent, np.cov(draws.T), 299.0)
    assert result.lack_of_fit_p_true.item() == pytest.approx(p)
    assert p > 0.05


def test_few_trials_drawn_again_know_little_of_their_noise():
    """With 8 trials per condition lack of fit holds its level; without the correction it is 3 x."""
    rng, found, naive = np.random.default_rng(13), [], []
    for _ in range(300):
        trials = STIMULUS[:, None] + rng.standard_normal((11, 8))
        drawn = rng.integers(0, 8, size=(200, 11, 8))
        draws = trials[np.arange(11)[:, None], drawn].mean(axis=-1)
        for n_trials, p in ((8.0, found), (np.inf, naive)):
            noise = noise_of_draws(draws, None, n_trials)
            own = lack_of_fit(STIMULUS, trials.mean(axis=1), noise.of_distance, noise.freedom)
            p.append(own[0] < 0.05)
    assert np.mean(found) < 0.09
    assert np.mean(naive) > 0.15


def test_draws_of_a_few_networks_leave_out_noise_and_this_is_said():
    rng = np.random.default_rng(14)
    networks = perceived(0.1) + 0.01 * rng.standard_normal((5, 11))
    draws = networks[rng.integers(0, 5, size=(300, 5))].mean(axis=1)
    with pytest.warns(pdn.PopdynWarning, match="in 4 directions only, of 11 .*pool_estimation"):
        pdn.estimation_test(networks.mean(axis=0), STIMULUS, perceived(0.1), draws=draws)


def test_estimates_are_found_by_their_stimulus():
    shown = np.append(STIMULUS[::-1], 1.1)
    own = xr.DataArray(perceived(0.1, shown=shown), {"stimulus": shown}, ("stimulus",))
    found = pdn.estimation_test(STIMULUS, STIMULUS, own, covariance=1e-4 * np.eye(11))
    same = pdn.estimation_test(STIMULUS, STIMULUS, perceived(0.1), covariance=1e-4 * np.eye(11))
    np.testing.assert_array_equal(found.estimate, same.estimate)


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
    assert "in the direction of the estimate, but by 5" in result.attrs["reason"]


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


def test_distances_and_observers_go_in_as_they_come_out():
    """Trials of neurons that follow an observer's estimate, and behavior of the same trials."""
    rng = np.random.default_rng(10)
    stimulus = np.repeat(STIMULUS, 12)
    observer = pdn.observer.Production(weber=0.10, motor_weber=0.03, prior=("uniform", 0.5, 1.0))
    table = observer.simulate({"stimulus": stimulus}, rng=1)
    direction = rng.uniform(0.5, 1.5, size=(20, 1, 1))
    rate = 20.0 * direction * perceived(0.10, shown=stimulus) + np.zeros((1, 30, 1))
    values = np.maximum(rate + rng.normal(size=(20, 30, stimulus.size)), 0.0)
    x = pdn.make_tensor(values, 0.02 * np.arange(30), trials=dict(table))
    plan = pdn.bootstrap(x, by="stimulus", n_draws=60, rng=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pdn.PopdynWarning)
        distance = pdn.relative_distance(
            x, "stimulus", alignment="time", n_components=2, n_splits=0, resample=plan
        )
        fitted = pdn.observer.Production(prior=("uniform", 0.5, 1.0), free=["weber", "motor_weber"])
        fitted = fitted.fit(x, resample=plan)
    result = pdn.estimation_test(
        distance, estimate=fitted.estimates(STIMULUS), behavior=pdn.contraction(x, n_draws=50)
    )
    assert result.p_true < 0.05 < result.p_estimate
    assert result.attrs["verdict"] == "compatible with the estimate"
    assert result.draw_rmse_true.size == 60
    assert result.mean_distance.attrs["units"].startswith("Hz")
    again = xr.Dataset.from_dict(result.to_dict())
    assert again.identical(result)


REFUSALS = [
    ({"estimate": None}, "estimate= is needed"),
    ({"covariance": None}, "either draws= .* or covariance="),
    ({"stimulus": None}, "takes stimulus="),
    ({"stimulus": STIMULUS[:5]}, r"distances of shape \(11,\) and stimuli of shape \(5,\)"),
    ({"estimate": STIMULUS[:5]}, r"estimates of shape \(5,\) for 11 conditions"),
    ({"estimate": 1000 * STIMULUS}, "1e.03 times as large as stimuli.*seconds or hertz"),
    ({"covariance": np.eye(4)}, r"symmetric of shape \(11, 11\).*found shape \(4, 4\)"),
    ({"covariance": -np.eye(11)}, "negative eigenvalues"),
    ({"sets": np.repeat(["a", "b", "c"], [4, 4, 3])}, "two stimulus sets.*found 3"),
    ({"behavior": xr.Dataset()}, r"result of pdn\.contraction, found method 'none'"),
    ({"distance": xr.Dataset()}, "without mean_distance or stimulus"),
    ({"estimate": {"a": STIMULUS}}, "estimates of sets a, distances of one set"),
    (
        {"estimate": xr.DataArray([1.0], {"stimulus": [7.0]}, ("stimulus",))},
        "no estimate of stimulus 0.5, .*there are those of 7",
    ),
]


@pytest.mark.parametrize(("changes", "words"), REFUSALS, ids=range(len(REFUSALS)))
def test_what_does_not_belong_together_is_refused_in_words(changes, words):
    arguments = {
        "distance": STIMULUS, "stimulus": STIMULUS, "estimate": perceived(0.1),
        "covariance": KNOWN,
    }  # fmt: skip
    arguments |= changes
    with pytest.raises(pdn.TensorError, match=words):
        pdn.estimation_test(arguments.pop("distance"), **arguments)


def test_too_few_stimuli_draws_or_differences_are_refused():
    estimate = perceived(0.1)
    with pytest.raises(pdn.FitError, match="3 stimuli with a distance"):
        pdn.estimation_test(estimate[:3], STIMULUS[:3], estimate[:3], covariance=np.eye(3))
    with pytest.raises(pdn.FitError, match="all distances are the same, 2"):
        pdn.estimation_test(np.full(11, 2.0), STIMULUS, estimate, covariance=KNOWN)
    with pytest.raises(pdn.FitError, match="20 usable draws for 11 conditions.*at least 33"):
        draws = np.random.default_rng(0).normal(size=(20, 11))
        pdn.estimation_test(estimate, STIMULUS, estimate, draws=draws)
    with pytest.warns(pdn.PopdynWarning, match="4 stimuli: fewer than 5"):
        pdn.estimation_test(estimate[::3], STIMULUS[::3], estimate[::3], covariance=KNOWN[:4, :4])


def test_draws_of_different_plans_are_refused():
    own = xr.Dataset(
        {
            "estimate": ("stimulus", STIMULUS),
            "draw_estimate": (("draw", "stimulus"), np.ones((7, 11))),
        },
        coords={"stimulus": STIMULUS},
    )
    draws = np.random.default_rng(0).normal(size=(50, 11))
    with pytest.raises(pdn.TensorError, match="50 draws of distances and 7 of estimates"):
        pdn.estimation_test(STIMULUS, STIMULUS, own, draws=draws)


def test_conditions_without_distance_are_left_out_and_said():
    estimate = perceived(0.1)
    distance = np.where(np.arange(11) == 2, np.nan, estimate)
    with pytest.warns(pdn.PopdynWarning, match=r"conditions 0\.6 have no distance"):
        result = pdn.estimation_test(distance, STIMULUS, estimate, covariance=9e-6 * np.eye(11))
    assert result.sizes["condition"] == 10
    assert result.attrs["verdict"] == "compatible with the estimate"


def test_negative_stimuli_have_no_logarithm_and_are_compared_with_the_rest():
    stimulus = STIMULUS - 0.75
    estimate = perceived(0.1) - 0.75
    result = pdn.estimation_test(estimate, stimulus, estimate, covariance=9e-6 * np.eye(11))
    errors = result.alternative_error
    assert np.isnan(errors.sel(alternative=["log", "power"])).all()
    assert np.isfinite(errors.drop_sel(alternative=["log", "power"])).all()


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
