"""Interval discrimination: pulses or filled intervals, two sets, noisy senses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from popdyn.errors import TensorError
from popdyn.tasks import IntervalDiscrimination, task_of


def test_the_published_sets_are_what_the_docs_say():
    pairs = {}
    for name in ("diagonal", "horizontal"):
        trials = IntervalDiscrimination(name).sample(84, rng=0)
        pairs[name] = set(zip(trials["stimulus"].values, trials["stimulus_2"].values, strict=True))
        assert set(json.loads(trials.attrs["n_trials_by_condition"]).values()) == {
            84 // len(pairs[name])
        }
    assert len(pairs["diagonal"]) == 14
    assert {round(abs(b - a), 9) for a, b in pairs["diagonal"]} == {0.15}
    assert {a for a, _ in pairs["diagonal"]} == {0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
    assert len(pairs["horizontal"]) == 12
    assert {b for _, b in pairs["horizontal"]} == {0.45, 0.75}
    assert {round(a - b, 9) for a, b in pairs["horizontal"]} == {-0.2, -0.15, -0.1, 0.1, 0.15, 0.2}


@settings(max_examples=30, deadline=None)
@given(dt=st.sampled_from([0.001, 0.005, 0.007, 0.01, 0.02]), seed=st.integers(0, 99))
def test_four_pulses_stand_at_the_events(dt, seed):
    trials = IntervalDiscrimination(weber=0.1).sample(9, rng=seed, dt=dt)
    inputs = trials["inputs"].values[0]
    assert np.allclose(inputs.sum(axis=0) * dt, 4 * 0.05)
    step = trials["step_time"].values[:, None] + trials["start_time"].values
    for event in ("stimulus_on_time", "stimulus_off_time", "stimulus_2_on_time", "decision_time"):
        at = trials[event].values
        inside = (step > at - dt / 2) & (step < at + 0.05 - 1e-9)
        assert np.allclose(np.where(inside, inputs, 0).sum(axis=0) * dt, 0.05)


def test_filled_intervals_last_as_long_as_they_are():
    task = IntervalDiscrimination(coding="filled", weber=0.1)
    trials = task.sample(20, rng=0, dt=0.001)
    area = trials["inputs"].values[0].sum(axis=0) * 0.001
    both = trials["measured_stimulus"] + trials["measured_stimulus_2"]
    assert np.allclose(area, both.values)
    assert np.allclose(trials["measured_stimulus"], trials["stimulus_duration"])


def test_the_target_is_about_the_true_intervals_and_waits_for_the_decision():
    trials = IntervalDiscrimination(weber=0.3, mask="trial").sample(60, rng=0)
    right = np.where(trials["stimulus_2"] > trials["stimulus"], 1.0, -1.0)
    step = trials["step_time"].values[:, None] + trials["start_time"].values
    decision = (step > trials["decision_time"].values - 1e-9) & (
        step < trials["stop_time"].values - 1e-9
    )
    assert (trials["target"].values[0] == decision * right).all()
    assert (trials["target_choice"].values == right).all()
    assert (trials["mask"].values == (step < trials["stop_time"].values - 1e-9)).all()
    short = IntervalDiscrimination(weber=0.3).sample(60, rng=0)
    assert (short["mask"].values == decision).all()


def test_the_senses_err_by_a_share_of_the_interval():
    # Filled, so that hardly any interval is cut at the length of a pulse.
    task = IntervalDiscrimination(
        ((0.4, 0.9),), coding="filled", weber=(0.15, 0.05), balanced=False
    )
    trials = task.sample(4000, rng=0, dt=0.001)
    for column, mean, std in (
        ("measured_stimulus", 0.4, 0.06),
        ("measured_stimulus_2", 0.9, 0.045),
    ):
        assert trials[column].mean() == pytest.approx(mean, abs=4 * std / np.sqrt(4000))
        assert trials[column].std() == pytest.approx(std, rel=0.05)
    shown = trials["stimulus_off_time"] - trials["stimulus_on_time"]
    assert np.allclose(shown, trials["measured_stimulus"])
    quiet = IntervalDiscrimination(((0.4, 0.9),), coding="filled").sample(40, rng=0, dt=0.001)
    assert np.allclose(quiet["measured_stimulus"], 0.4)
    constant = IntervalDiscrimination(((0.4, 0.9),), coding="filled", sensory_noise=0.02)
    std = constant.sample(2000, rng=0, dt=0.001)["measured_stimulus_2"].std()
    assert std == pytest.approx(0.02, rel=0.07)


@pytest.mark.filterwarnings("ignore:.*shorter than a pulse:popdyn.errors.PopdynWarning")
def test_measured_intervals_are_never_shorter_than_a_pulse():
    trials = IntervalDiscrimination(((0.1, 0.2),), weber=1.0).sample(300, rng=0)
    assert trials["measured_stimulus"].min() >= 0.06 - 1e-9


def test_noise_of_the_senses_changes_no_other_draw():
    loud = IntervalDiscrimination(weber=0.1).sample(30, rng=2)
    quiet = IntervalDiscrimination().sample(30, rng=2)
    for column in ("stimulus", "stimulus_2", "delay_duration", "fixation_duration"):
        assert (loud[column] == quiet[column]).all()


def test_independent_pairs_come_as_often_as_weights_say():
    task = IntervalDiscrimination(((0.3, 0.5), (0.5, 0.3, 3)), balanced=False, delay_duration=0.2)
    n = 4000
    share = (task.sample(n, rng=0, dt=0.02)["stimulus"].values == 0.5).mean()
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / n)


def test_catch_trials_show_nothing_and_count_for_nothing():
    task = IntervalDiscrimination(catch_fraction=0.25)
    trials = task.sample(80, rng=0)
    catch = np.isnan(trials["stimulus"].values)
    assert catch.sum() == 20
    assert json.loads(trials.attrs["n_trials_by_condition"])["catch"] == 20
    assert (trials["inputs"].values[:, :, catch] == 0).all()
    assert (trials["target"].values[:, :, catch] == 0).all()
    assert (trials["target_choice"].values[catch] == 0).all()
    correct = task.response(trials["target"] + 1.5, trials)["correct"].values
    assert (np.isnan(correct) == catch).all()


def test_the_choice_is_read_after_the_response_delay():
    task = IntervalDiscrimination(response_delay=0.15)
    trials = task.sample(12, rng=0)
    since = (
        trials["step_time"].values[:, None]
        + (trials["start_time"] - trials["decision_time"]).values
    )
    right = trials["target_choice"].values
    output = np.where(since < 0.15 - 1e-9, -100 * right, right)
    labelled = xr.DataArray(output[None], dims=("output", "step_time", "trial"))
    labelled = labelled.where(since < 0.4 - 1e-9, 0.0)
    behavior = task.response(labelled, trials)
    assert (behavior["correct"] == 1).all()
    assert behavior["response"].values == pytest.approx(right)
    assert (task.response(-labelled, trials)["choice"].values == -right).all()


def test_a_coarse_step_leaves_one_to_read_the_choice_from():
    task = IntervalDiscrimination(((0.3, 0.5),), response_delay=0.39)
    trials = task.sample(4, rng=0, dt=0.05)
    assert (task.response(trials["target"], trials)["choice"] == 1).all()


def test_own_sets_are_kept_as_tuples_and_survive():
    task = IntervalDiscrimination([[0.3, 0.5], [0.5, 0.3, 2]])
    assert task.stimuli == ((0.3, 0.5), (0.5, 0.3, 2))
    assert task_of(task.sample(3)) == task
    assert IntervalDiscrimination(np.array([[0.3, 0.5]])).stimuli == ((0.3, 0.5),)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stimuli": "diagnal"}, "did you mean 'diagonal'"),
        ({"stimuli": ((0.3,),)}, r"a list of \(first interval \(s\), second interval \(s\)\)"),
        ({"coding": "pulse"}, "coding must be 'pulses' or 'filled', found 'pulse'; did you mean"),
        (
            {"pulse_duration": 0.2},
            r"pulse_duration \(0.2 s\) must be shorter than the shortest int",
        ),
        ({"delay_duration": (0.04, 1)}, r"shorter than delay_duration \(0.04 s\)"),
        ({"decision_duration": 0.03, "response_delay": 0.0}, "shorter than decision_duration"),
        ({"response_delay": 0.4}, r"response_delay \(0.4 s\) must end before the decision does"),
        ({"weber": (0.1, 0.1, 0.1)}, "weber must be one number or 2 of them"),
        ({"sensory_noise": -0.1}, "sensory_noise must be zero or positive"),
        ({"catch_fraction": 1.0}, "catch_fraction must be below 1"),
        ({"mask": "decision"}, "mask must be 'response' or 'trial'"),
        ({"fixation_duration": 0}, "fixation_duration must be a positive number of seconds"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        IntervalDiscrimination(**arguments)


def test_a_step_that_makes_a_pair_alike_is_refused():
    task = IntervalDiscrimination(((0.30, 0.32), (0.32, 0.30)))
    assert task.sample(4, dt=0.02)["target_choice"].values.any()
    with pytest.raises(TensorError, match="dt=0.05 s is too coarse to tell 0.3 from 0.32 s"):
        task.sample(4, dt=0.05)
