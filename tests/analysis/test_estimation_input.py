"""What goes into the test, what is refused, and how noise is known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.estimation_errors import lack_of_fit
from popdyn.analysis.estimation_noise import noise_of_draws
from popdyn.errors import TensorError
from tests.analysis.test_estimation import KNOWN, STIMULUS, perceived


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
    ({"covariance": np.zeros((11, 11))}, "covariance is zero"),
    ({"covariance": None, "draws": np.ones((11, 100))}, r"\(draw, condition\).*found \(11, 100\)"),
    ({"estimate": perceived(0.1)[::-1]}, "estimates fall with the stimulus"),
    (
        {"behavior": xr.Dataset({"slope_bound": 0.1}, attrs={"method": "serial_dependence"})},
        r"result of pdn\.contraction, found 'serial_dependence'",
    ),
    ({"covariance": -np.eye(11)}, "negative eigenvalues"),
    ({"covariance": np.full((11, 11), np.nan)}, "covariance is not finite"),
    ({"covariance": np.triu(np.ones((11, 11)))}, "found one that is not symmetric"),
    ({"sets": np.repeat(["a", "b", "c"], [4, 4, 3])}, "two stimulus sets.*found 3"),
    ({"behavior": xr.Dataset()}, r"result of pdn\.contraction, found 'Dataset'"),
    ({"behavior": {"slope": 0.8}}, r"result of pdn\.contraction, found 'dict'"),
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


@pytest.mark.parametrize(
    "change", [lambda d: 1000.0 * d, lambda d: -d, lambda d: d + 5.0], ids=["unit", "sign", "place"]
)
def test_draws_of_something_else_are_refused(change):
    draws = STIMULUS - 0.75 + 0.005 * np.random.default_rng(0).normal(size=(200, 11))
    result = pdn.estimation_test(STIMULUS - 0.75, STIMULUS, perceived(0.1), draws=draws)
    assert result.attrs["verdict"] == "true"
    with pytest.raises(pdn.TensorError, match="no draws of these distances"):
        pdn.estimation_test(STIMULUS - 0.75, STIMULUS, perceived(0.1), draws=change(draws))


def test_lines_from_elsewhere_are_in_the_same_unit():
    arguments = {"stimulus": STIMULUS, "estimate": perceived(0.1), "covariance": KNOWN}
    with pytest.raises(pdn.TensorError, match=r"stimuli of the training are 1e\+03 times"):
        pdn.decode_then_compare((STIMULUS, 1000 * STIMULUS), STIMULUS, **arguments)
    with pytest.raises(pdn.TensorError, match="training is a result or a pair"):
        pdn.decode_then_compare(STIMULUS, STIMULUS, **arguments)


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


def test_a_stimulus_that_comes_twice_needs_its_sets():
    stimulus = np.array([0.5, 0.6, 0.7, 0.8, 0.8, 0.9])
    with pytest.raises(TensorError, match="some stimuli come twice"):
        pdn.estimation_test(stimulus, stimulus, stimulus + 0.1, covariance=np.eye(6))


def test_an_observer_is_asked_for_its_estimates():
    stimulus = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    observer = pdn.observer.Production(weber=0.1, prior=stimulus)
    with pytest.raises(TensorError, match=r"give observer.estimates\(stimulus\)"):
        pdn.estimation_test(stimulus, stimulus, observer, covariance=np.eye(5))


@pytest.mark.parametrize("name", ["n_draws", "n_repeats"])
def test_numbers_of_draws_are_whole_and_positive(name):
    stimulus = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    with pytest.raises(TensorError, match=f"{name} is a whole number"):
        pdn.estimation_test(stimulus, stimulus, stimulus, covariance=np.eye(5), **{name: 0})


def test_tests_are_pooled_in_one_unit_and_by_name():
    def tested(scale, units=""):
        own = xr.DataArray(
            scale * perceived(0.1), {"stimulus": scale * STIMULUS}, ("stimulus",),
            attrs={"units": units},
        )  # fmt: skip
        return pdn.estimation_test(
            STIMULUS, scale * STIMULUS, own, covariance=1e-4 * np.eye(11), n_draws=50, n_repeats=2
        )

    seconds = {str(i): tested(1.0) for i in range(6)}
    for other in (tested(1000.0), tested(1.0, "Hz")):
        with pytest.raises(pdn.TensorError, match="stimuli are in different units, and so are er"):
            pdn.pool_estimation_tests({"0": tested(1.0, "s"), "other": other})
        with pytest.raises(pdn.TensorError, match="6 around|other around"):
            pdn.pool_estimation_tests(
                {**seconds, "0": tested(1.0, "s")}, control={"6": other, "7": other}
            )
    with pytest.raises(pdn.TensorError, match="results is a mapping of names .*, found list"):
        pdn.pool_estimation_tests(list(seconds.values()))
