"""Distance to the separatrix: a bistable toy whose boundary is known, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

import popdyn as pdn


def bistable(n_trials, seed=0, every=10):
    """Detection by ``x' = 12 x (1 - x) (x - b(t))`` with pulses of 0.3 s, ``b`` dipping at 2.75 s.

    Returns the tensor (one neuron), the boundary and the course of correct rejections.
    """
    rng = np.random.default_rng(seed)
    step, n_steps = 0.005, 1200
    time = step * np.arange(n_steps)
    boundary = 0.55 - 0.25 * np.exp(-(((time - 2.75) / 0.7) ** 2))
    present = rng.random(n_trials) < 0.9
    onset = rng.uniform(1.2, 4.2, n_trials)
    amplitude = np.where(present, rng.uniform(0.0, 2.6, n_trials), 0.0)
    x = np.full(n_trials, 0.02)
    kept = np.empty((n_steps // every, n_trials))
    for i in range(n_steps):
        pulse = amplitude * ((time[i] >= onset) & (time[i] < onset + 0.3))
        x = x + step * (12.0 * x * (1 - x) * (x - boundary[i]) + pulse)
        x = np.clip(x + 0.03 * np.sqrt(step) * rng.normal(size=n_trials), -0.3, 1.3)
        if i % every == every // 2:
            kept[i // every] = x
    columns = {
        "stimulus": amplitude,
        "choice": np.where(x > 0.6, 1, -1),
        "stimulus_on_time": np.where(present, onset, np.nan),
        "stimulus_off_time": np.where(present, onset + 0.3, np.nan),
    }
    tensor = pdn.make_tensor(
        kept[None], every * step * (np.arange(len(kept)) + 0.5), trials=columns, units="1"
    )
    return tensor, time, boundary


@pytest.fixture(scope="module")
def toy():
    return bistable(40_000)


OPTIONS = {"smooth": None, "n_components": None, "onset_bins": np.linspace(1.3, 4.1, 15)}


@pytest.fixture(scope="module")
def result(toy):
    return pdn.separatrix_distance(toy[0], n_draws=50, **OPTIONS)


def test_the_distance_follows_the_criterion_and_the_boundary(toy, result):
    tensor, time, boundary = toy
    quiet = (tensor.choice < 0) & (tensor.stimulus == 0)
    course = tensor.values[0][:, quiet.values].mean(axis=1)
    after = result.onset.values + 0.3
    true = np.interp(after, time, boundary) - np.interp(after, tensor.time, course)
    assert float(result.correlation) >= 0.90
    assert np.corrcoef(result.separatrix_distance, true)[0, 1] >= 0.75
    assert (result.n_misses >= 10).all()
    low, high = result.separatrix_distance_bound.values
    assert ((low < result.separatrix_distance) & (result.separatrix_distance < high)).all()


def test_misses_of_all_amplitudes_follow_the_boundary_less_closely(toy, result):
    tensor, time, boundary = toy
    every = pdn.separatrix_distance(tensor, n_draws=0, near=(0.0, 1.0), **OPTIONS)
    assert (every.n_misses > 2 * result.n_misses).all()
    assert float(every.separatrix_distance.mean()) < float(result.separatrix_distance.mean())


def planted(n_neurons=30, noise=1.0, n_trials=400, seed=0):
    """Missed states 5 away from correct rejections in one direction, in noise."""
    rng = np.random.default_rng(seed)
    time = 0.1 * np.arange(20)
    amplitude = np.tile([0.0, 1.0, 2.0, 3.0], n_trials // 4)
    onset = rng.choice([0.5, 1.0], n_trials)
    detected = {0.0: 0.0, 1.0: 0.05, 2.0: 0.5, 3.0: 0.95}
    chance = np.array([detected[one] for one in amplitude])
    choice = np.where(rng.random(n_trials) < chance, 1, 0)
    after = (time[:, None] >= onset) * (amplitude > 0)
    size = np.where(choice == 1, 12.0, 2.5 * amplitude)
    values = rng.normal(0.0, noise, (n_neurons, 20, n_trials))
    values[0] += after * size
    columns = {
        "amplitude": amplitude, "said": np.where(choice == 1, "yes", "no"),
        "on": np.where(amplitude > 0, onset, np.nan),
        "off": np.where(amplitude > 0, onset + 0.3, np.nan),
    }  # fmt: skip
    return pdn.make_tensor(values, time, trials=columns, units="1")


ROLES = {
    "stimulus": "amplitude",
    "choice": {"column": "said", "values": {"yes": 1, "no": 0}},
}
PLANTED = {"roles": ROLES, "onset": "on", "offset": "off", "onset_bins": [0.4, 0.75, 1.1]}


def test_a_planted_distance_is_found_without_the_noise_of_many_neurons():
    result = pdn.separatrix_distance(
        planted(noise=3.0), smooth=None, n_components=None, n_draws=0, **PLANTED
    )
    assert (result.separatrix_distance > 5.4).all()
    np.testing.assert_allclose(result.corrected_distance, 5.0, atol=0.9)
    np.testing.assert_allclose(result.threshold, 2.0, atol=0.2)
    assert np.isnan(result.correlation)  # two onsets


def test_components_and_the_nearest_state_find_it_too():
    x = planted(noise=0.5)
    for options in ({"n_components": 1}, {"match": "nearest", "n_components": None}):
        result = pdn.separatrix_distance(x, smooth=None, n_draws=0, **PLANTED, **options)
        np.testing.assert_allclose(result.corrected_distance, 5.0, atol=0.4)
    assert result.separatrix_distance.attrs["units"] == "1"


def test_draws_are_the_same_for_the_same_seed():
    x = planted()
    one, other = (
        pdn.separatrix_distance(x, n_draws=5, rng=3, **PLANTED).draw_separatrix_distance
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)


def test_few_misses_have_no_distance():
    x = planted(n_trials=160)
    at_first = (x.on < 0.75).values & (x.amplitude == 2.0).values & (x.said == "no").values
    x = x.isel(trial=np.flatnonzero(~at_first | (np.cumsum(at_first) <= 4)))
    with pytest.warns(pdn.PopdynWarning, match="no distance .fewer than 10.*at onsets 0.575 s"):
        result = pdn.separatrix_distance(x, n_draws=5, near=(0.2, 0.99), **PLANTED)
    assert int(result.n_misses[0]) < 10
    assert np.isnan(result.separatrix_distance[0])
    assert np.isfinite(result.separatrix_distance[1])


def test_without_a_near_threshold_amplitude_all_misses_count_and_it_is_said():
    with pytest.warns(pdn.PopdynWarning, match="no miss is near threshold"):
        result = pdn.separatrix_distance(planted(), n_draws=0, near=(0.60, 0.62), **PLANTED)
    assert (result.separatrix_distance < 5.0).all()


def test_the_correction_is_the_squared_standard_errors_of_both_means():
    """By hand, at one onset: an unbiased variance, so many misses are not needed to tell."""
    x = planted(n_neurons=4, noise=2.0, n_trials=240, seed=3)
    result = pdn.separatrix_distance(
        x, smooth=None, n_components=None, n_draws=0,
        **PLANTED | {"near": (0.3, 0.8), "onset_bins": [0.4, 0.75]},
    )  # fmt: skip
    missed = (x.amplitude == 2.0) & (x.said == "no") & (x.on < 0.75)
    at = x.values[:, 8]
    missed, rejected = at[:, missed.values], at[:, (x.amplitude == 0.0).values]
    assert result.n_misses[0] == missed.shape[1]
    square = ((missed.mean(axis=1) - rejected.mean(axis=1)) ** 2).sum()
    errors = [np.cov(own).trace() / own.shape[1] for own in (missed, rejected)]
    np.testing.assert_allclose(result.separatrix_distance[0], np.sqrt(square))
    np.testing.assert_allclose(result.corrected_distance[0], np.sqrt(square - sum(errors)))


@pytest.mark.slow
def test_bounds_hold_the_planted_distance_as_often_as_they_say():
    held = []
    for seed in range(200):
        result = pdn.separatrix_distance(
            planted(n_neurons=3, noise=3.0, seed=seed), smooth=None, n_components=None,
            n_draws=200, rng=seed, **PLANTED,
        )  # fmt: skip
        low, high = result.separatrix_distance_bound.values
        held += ((low <= 5.0) & (high >= 5.0)).tolist()
    assert 0.91 < np.mean(held) < 0.985


def test_bounds_of_few_misses_are_widened_as_those_of_a_mean_are():
    """By hand: a mean of n has a standard error with n - 1 below the root, and Student's t."""
    x = planted(n_neurons=4, noise=2.0, n_trials=240, seed=3)
    result = pdn.separatrix_distance(
        x, smooth=None, n_components=None, n_draws=400,
        **PLANTED | {"near": (0.3, 0.8), "onset_bins": [0.4, 0.75]},
    ).isel(onset=0)  # fmt: skip
    n = int(result.n_misses)
    assert 10 <= n < 25
    square, corrected = (
        float(result.separatrix_distance) ** 2,
        float(result.corrected_distance) ** 2,
    )
    drawn = np.quantile(result.draw_separatrix_distance.values**2, [0.025, 0.975])
    wider = student.ppf(0.975, n - 1) / norm.ppf(0.975) * np.sqrt(n / (n - 1))
    wanted = corrected + wider * (drawn - square - (square - corrected))
    np.testing.assert_allclose(result.separatrix_distance_bound**2, wanted, rtol=1e-6)


def test_bounds_are_never_negative_and_those_of_nothing_reach_zero():
    x = planted(n_neurons=60, noise=3.0)
    x[0] = x[1]
    result = pdn.separatrix_distance(x, smooth=None, n_components=None, n_draws=50, **PLANTED)
    np.testing.assert_array_equal(result.separatrix_distance_bound[0], 0.0)
    assert (result.separatrix_distance_bound[1] > 0.0).all()


def test_components_that_leave_the_distance_out_are_said():
    """What varies most is another neuron's course, which is the same in all trials."""
    x = planted(noise=0.3)
    x[1] += 100.0 * np.sin(np.arange(20))[:, None]
    with pytest.warns(pdn.PopdynWarning, match="1 components hold .* n_components=None keeps all"):
        result = pdn.separatrix_distance(x, smooth=None, n_components=1, n_draws=0, **PLANTED)
    assert (result.separatrix_distance < 2.0).all()


def test_one_amplitude_has_a_distance_and_no_threshold_and_it_is_said():
    x = planted()
    x = x.isel(trial=np.flatnonzero(np.isin(x.amplitude, (0.0, 2.0))))
    with pytest.warns(pdn.PopdynWarning, match="no threshold .*at onsets 0.575, 0.925 s"):
        result = pdn.separatrix_distance(x, n_draws=0, **PLANTED)
    assert np.isfinite(result.separatrix_distance).all() and np.isnan(result.threshold).all()


def changed(name, values):
    """Planted trials with another column."""
    x = planted()
    return x.assign_coords({name: ("trial", values(x.coords[name].values))})


@pytest.mark.parametrize(
    ("x", "options", "error", "words"),
    [
        (planted(), {"match": "close"}, pdn.TensorError, "match must be 'same' or 'nearest'"),
        (planted(), {"onset": "go"}, pdn.TensorError, "no column 'go', found amplitude"),
        (planted(), {"roles": {"stimulus": "amplitude", "choice": "said"}}, pdn.TensorError,
         "choice must be 1 .yes. or 0 or -1 .no., found no, yes"),
        (planted(), {"roles": {"stimulus": "amplitude", "choice": "amplitude"}}, pdn.TensorError,
         "choice must be binary"),
        (changed("off", lambda off: 1000 * off), {}, pdn.TensorError, "times are in s"),
        (changed("off", lambda off: off - 0.8), {}, pdn.TensorError,
         "300 of 300 stimuli end before they begin"),
        (changed("off", lambda off: off + np.arange(400) / 40), {}, pdn.TensorError,
         "from the trial's start and not the session's"),
        (planted(), {"near": (25, 75)}, pdn.TensorError, "near must be two rising probabilities"),
        (planted(), {"near": (0.75, 0.25)}, pdn.TensorError, "found .0.75, 0.25"),
        (changed("on", lambda on: np.where(np.isfinite(on), 0.5, on)), {"onset_bins": 7},
         pdn.TensorError, "onsets must vary"),
        (planted(), {"onset_bins": [1.0, 0.5]}, pdn.TensorError, "rising edges"),
        (planted(), {"smooth": 40}, pdn.TensorError, "40 ms is 0.040"),
        (changed("amplitude", lambda a: a + 1.0), {}, pdn.FitError, "is a correct rejection"),
        (changed("said", lambda _: np.where(planted().amplitude > 0, "yes", "no")), {},
         pdn.FitError, "no trial is a miss"),
        (planted(n_trials=16), {"near": (0.0, 1.0)}, pdn.FitError, "no onset bin has 10 misses that count"),
    ],
    ids=["match", "column", "text", "binary", "ms", "exchanged", "session", "percent",
         "falling", "onset", "edges", "smooth", "rejection",
         "miss", "few"],
)  # fmt: skip
def test_bad_requests_are_refused_in_plain_words(x, options, error, words):
    with pytest.raises(error, match=words):
        pdn.separatrix_distance(x, n_draws=0, **(PLANTED | options))
