"""Psychometric curves and signal detection: other people's fits, known answers, refusals."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr
from scipy.stats import chi2

import popdyn as pdn
from popdyn.errors import FitError, PopdynError, PopdynWarning, TensorError

# Fits of psychofit 1.0.0 (International Brain Laboratory) to these answers.
SHOWN = np.array([-50, -25, -12.5, -6.25, 0, 6.25, 12.5, 25, 50.0])
N = np.array([120, 110, 100, 90, 130, 95, 105, 115, 125])
K = np.array([6, 9, 15, 25, 62, 66, 86, 107, 121])
TIED = {"threshold": 0.6312878815, "spread": 15.7905788 / np.sqrt(2), "lapse": 0.0496805447}
FREE = {
    "threshold": 1.0518951401,
    "spread": 15.8738901877 / np.sqrt(2),
    "guess": 0.0580353,
    "lapse": 0.0403005,
}


def _trials():
    choice = np.concatenate([np.repeat([1, 0], [k, n - k]) for k, n in zip(K, N, strict=True)])
    return choice, np.repeat(SHOWN, N)


@pytest.mark.parametrize(
    ("guess", "known", "log_likelihood"),
    [(None, TIED, -396.3545614), ("free", FREE, -396.0285706)],
    ids=["tied", "free"],
)
def test_fits_are_those_of_psychofit(guess, known, log_likelihood):
    result = pdn.psychometric(*_trials(), guess=guess, n_draws=10)
    # psychofit sums k log p + (n - k) log (1 - p), as here.
    assert float(result["log_likelihood"][0]) == pytest.approx(log_likelihood, abs=0.01)
    assert float(result["log_likelihood"][0]) >= log_likelihood - 1e-4
    for name, value in known.items():
        assert float(result[name][0]) == pytest.approx(value, rel=0.02)


@pytest.mark.parametrize("curve", ["normal", "logistic", "weibull"])
def test_curves_give_back_their_parameters(curve):
    rng = np.random.default_rng(0)
    shown = rng.choice([0.5, 1.0, 2.0, 3.0, 4.0, 8.0], 20_000)
    if curve == "weibull":
        share = 1 - np.exp(-((shown / 2.5) ** (1 / 0.5)))
    elif curve == "normal":
        share = ndtr((shown - 2.5) / 0.5)
    else:
        share = 1 / (1 + np.exp(-(shown - 2.5) / 0.5))
    choice = rng.random(shown.size) < 0.1 + (1 - 0.1 - 0.04) * share
    result = pdn.psychometric(choice, shown, curve=curve, guess="free", n_draws=40)
    known = {"threshold": 2.5, "spread": 0.5, "guess": 0.1, "lapse": 0.04}
    for name, value in known.items():
        low, high = result[f"{name}_profile_bound"].values[:, 0]
        assert low - 0.35 * (high - low) <= value <= high + 0.35 * (high - low)
        assert low < float(result[name][0]) < high
        drawn = np.diff(result[f"{name}_bound"].values[:, 0])[0]
        assert drawn == pytest.approx(high - low, rel=0.5)


@pytest.mark.parametrize("curve", ["normal", "logistic", "weibull"])
@pytest.mark.parametrize("unit", [1e-6, 1e-4, 1e5])
def test_the_unit_of_the_stimulus_changes_nothing(curve, unit):
    rng = np.random.default_rng(3)
    shown = rng.choice([0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9], 700)
    choice = rng.random(700) < 0.03 + 0.94 * ndtr((shown - 0.457) / 0.15)
    one, other = (
        pdn.psychometric(choice, s, curve=curve, n_draws=5) for s in (shown, unit * shown)
    )
    for name in ("threshold", "spread", "lapse"):
        scale = 1.0 if name == "lapse" or (name, curve) == ("spread", "weibull") else unit
        for part in ("", "_bound", "_profile_bound"):
            found = other[name + part].values / scale
            assert np.allclose(found, one[name + part].values, rtol=1e-3, atol=1e-4)
    assert np.allclose(other["log_likelihood"], one["log_likelihood"], atol=1e-6)


def test_conditions_are_fitted_apart():
    choice, shown = _trials()
    both = pdn.psychometric(
        np.concatenate([choice, choice]),
        np.concatenate([shown, shown + 10]),
        by=np.repeat(["a", "b"], choice.size),
        n_draws=5,
    )
    assert float(both["threshold"][1] - both["threshold"][0]) == pytest.approx(10, abs=1e-3)
    assert both["condition"].values.tolist() == ["a", "b"]


def test_choices_that_leave_a_curve_open_are_warned_of():
    with pytest.warns(PopdynWarning, match="leave .*spread open"):
        pdn.psychometric([0] * 9 + [1] + [0] + [1] * 9, [1.0] * 10 + [2.0] * 10, n_draws=2)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1, 2, 3], [1, 2, 3]), TensorError, "choices are -1 and 1"),
        (([1, 0], [1, 2, 3]), TensorError, "a value per trial, found choice 2, stimulus 3"),
        (([1, 1, 1], [1, 2, 3]), FitError, "both answers"),
        (([1, 0, 1], [2, 2, 2]), FitError, "1 stimuli"),
    ],
    ids=["values", "lengths", "one answer", "one stimulus"],
)
def test_bad_choices_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        pdn.psychometric(*arguments)


def _plain_profile(choice, shown, side):
    """Where the likelihood, the best over spreads, has fallen by 1.92: by scipy, trial by trial."""

    def loss(threshold, log_spread):
        z = (shown - threshold) / np.exp(log_spread)
        return -np.log(0.02 + 0.96 * ndtr(np.where(choice, z, -z))).sum()

    def best(threshold):
        found = minimize_scalar(lambda x: loss(threshold, x), bounds=(-2.0, 1.0), method="bounded",
                                options={"xatol": 1e-9})  # fmt: skip
        return found.fun

    top = minimize_scalar(best, bounds=(-0.5, 1.0), method="bounded", options={"xatol": 1e-8})
    end = brentq(lambda t: best(t) - top.fun - chi2.ppf(0.95, 1) / 2, top.x, top.x + 2 * side)
    return top.x, end


@pytest.mark.parametrize("n_trials", [150, 1500])
def test_profiles_of_stimuli_that_all_differ_are_those_of_single_trials(n_trials):
    rng = np.random.default_rng(n_trials)
    shown = rng.normal(size=n_trials)
    choice = rng.random(n_trials) < 0.02 + 0.96 * ndtr((shown - 0.3) / 0.8)
    found = pdn.psychometric(choice, shown, guess=0.02, lapse=0.02, n_draws=200)
    for i, side in enumerate((-1, 1)):
        top, end = _plain_profile(choice, shown, side)
        assert float(found["threshold"][0]) == pytest.approx(top, abs=1e-4)
        # Profiles are followed to 3 % of the fall.
        ours = float(found["threshold_profile_bound"][i, 0])
        assert ours == pytest.approx(end, abs=0.02 * abs(end - top))
        assert float(found["threshold_bound"][i, 0]) == pytest.approx(
            end, abs=0.25 * abs(end - top)
        )


def test_ten_thousand_different_stimuli_are_taken_together():
    from popdyn.behavior.psychometric_curve import Family, Levels

    shown = np.sort(np.random.default_rng(0).normal(size=10_000))
    levels = Levels(shown, np.zeros(10_000), np.ones(10_000))
    family = Family("normal", 0.0, 0.0, *shown[[0, -1]])
    point = np.array([0.5, np.log(0.1)])
    grouped = family.grouped(levels, point)
    assert grouped.n.size < 300
    assert grouped.n.sum() == 10_000
    # Expected answers hardly change.
    single, together = (
        (family.shares(point, own.stimulus)[0] * own.n).sum() for own in (levels, grouped)
    )
    assert together == pytest.approx(single, rel=1e-4)


def test_intervals_go_no_further_than_rates_can():
    """Two answers of sixty are wrong, one at each end: lapses are more than 0, and not many."""
    n_larger = np.array([1, 0, 3, 7, 10, 9])
    choice = (np.arange(10) < n_larger[:, None]).ravel()
    shown = np.repeat(np.arange(6.0), 10)
    found = pdn.psychometric(choice, shown, n_draws=300)
    low, high = found["lapse_bound"].values[:, 0]
    assert low == 0.0
    assert 0.05 < high < 0.4


def test_unknown_curves_and_weibull_below_zero_are_refused():
    with pytest.raises(PopdynError, match="curve must be one of"):
        pdn.psychometric([0, 1], [1, 2], curve="probit")
    with pytest.raises(TensorError, match="stimuli above 0, found -1"):
        pdn.psychometric([0, 1], [-1, 2], curve="weibull")


def test_sensitivity_and_criterion_have_their_known_values():
    present = np.repeat([1, 0], 10**6)
    n_yes = [841345, 158655]
    choice = np.concatenate([np.repeat([1, -1], [n, 10**6 - n]) for n in n_yes])
    result = pdn.detection(present, choice, n_draws=20)
    assert float(result["d_prime"]) == pytest.approx(2.0, abs=1e-3)
    assert float(result["criterion"]) == pytest.approx(0.0, abs=1e-4)


def test_shares_are_corrected_so_that_none_is_whole():
    result = pdn.detection([1, 1, 1, 0, 0], [1, 1, 1, 0, 0], n_draws=5)
    assert float(result["hit_rate"]) == pytest.approx(3.5 / 4)
    assert float(result["false_alarm_rate"]) == pytest.approx(0.5 / 3)


def test_a_criterion_that_moves_with_time_is_seen():
    rng = np.random.default_rng(0)
    present = rng.random(40_000) < 0.5
    onset = np.where(present, rng.uniform(1.5, 3.5, present.size), np.nan)
    amplitude = np.where(present, rng.choice([0.6, 1.2, 1.8], present.size), 0.0)
    bar = np.where(present, 1.5 - 0.4 * np.nan_to_num(onset), 0.5)
    choice = amplitude + rng.normal(size=present.size) > bar
    result = pdn.detection(
        present, choice, onset=onset, amplitude=amplitude, bins=[1.5, 2.0, 2.5, 3.0, 3.5],
        n_draws=20,
    )  # fmt: skip
    assert (np.diff(result["onset_criterion"]) < 0).all()
    # Half are detected where the amplitude is the bar: lower by 0.2 every 0.5 s.
    assert np.allclose(np.diff(result["half_amplitude"]), -0.2, atol=0.1)
    assert result["onset"].values.tolist() == [1.75, 2.25, 2.75, 3.25]


def test_stimuli_outside_of_the_bins_are_no_false_alarms():
    rng = np.random.default_rng(0)
    present = rng.random(6000) < 0.7
    onset = np.where(present, rng.uniform(0, 3, present.size), np.nan)
    amplitude = np.where(present, rng.choice([4.0, 8, 12, 16, 20, 24], present.size), 0.0)
    seen = 0.05 + 0.95 * ndtr((amplitude - 14) / 4)
    choice = rng.random(present.size) < np.where(present, seen, 0.05)
    every, some = (
        pdn.detection(present, choice, onset=onset, amplitude=amplitude, bins=bins, n_draws=5)
        for bins in ([0, 1, 2, 3.001], [0, 1])
    )
    first = float(some["half_amplitude"][0])
    assert first == pytest.approx(14.0, abs=0.5)
    assert first == pytest.approx(float(every["half_amplitude"][0]), abs=1e-6)


def test_detection_refuses_what_it_cannot_use():
    with pytest.raises(TensorError, match="2 of 2 trials have a stimulus"):
        pdn.detection([1, 1], [1, 0])
    with pytest.raises(TensorError, match="found present 2, choice 3"):
        pdn.detection([1, 0], [1, 0, 1])
    with pytest.raises(TensorError, match="has an onset"):
        pdn.detection([1, 0], [1, 0], onset=[np.nan, np.nan])
