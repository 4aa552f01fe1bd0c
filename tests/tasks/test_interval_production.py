"""Interval production: three pulses, a ramp or a bump, and the interval an output produces."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from popdyn.errors import TensorError
from popdyn.tasks import IntervalProduction, task_of


def since(trials, event, shift=0.0):
    at = (trials[event] - trials["start_time"]).values
    return trials["step_time"].values[:, None] + shift - at


def as_output(values):
    return xr.DataArray(values[None], dims=("output", "step_time", "trial"))


def test_there_are_eleven_intervals_equally_often():
    trials = IntervalProduction().sample(33, rng=0)
    counts = json.loads(trials.attrs["n_trials_by_condition"])
    assert [float(key) for key in counts] == np.arange(0.5, 1.01, 0.05).round(2).tolist()
    assert set(counts.values()) == {3}


@settings(max_examples=25, deadline=None)
@given(dt=st.sampled_from([0.001, 0.005, 0.007, 0.01, 0.02]), seed=st.integers(0, 99))
def test_pulses_stand_at_their_events(dt, seed):
    trials = IntervalProduction(weber=0.1).sample(9, rng=seed, dt=dt)
    for channel, events in ((0, ("ready_time", "set_time")), (1, ("go_time",))):
        inputs = trials["inputs"].values[channel]
        assert np.allclose(inputs.sum(axis=0) * dt, 0.05 * len(events))
        for event in events:
            at = since(trials, event)
            inside = (at > -dt / 2) & (at < 0.05 - 1e-9)
            assert np.allclose(np.where(inside, inputs, 0).sum(axis=0) * dt, 0.05)
    shown = (trials["set_time"] - trials["ready_time"]).values
    assert np.allclose(shown, trials["measured_stimulus"].values)


@pytest.mark.parametrize("dt", [0.001, 0.007, 0.02])
def test_the_ramp_reaches_one_at_the_interval_and_ends_later(dt):
    trials = IntervalProduction(weber=0.2).sample(22, rng=0, dt=dt)
    # Outputs belong to the end of their step.
    elapsed = since(trials, "go_time", shift=dt)
    interval = trials["stimulus"].values
    on = (elapsed > 1e-9) & (elapsed <= 1.35 * interval + 1e-9)
    assert np.allclose(trials["target"].values[0], np.where(on, elapsed / interval, 0.0))
    assert (trials["mask"].values == on).all()


@pytest.mark.parametrize("threshold", [None, 0.2, 0.9])
def test_the_bump_rises_through_its_threshold_at_the_interval(threshold):
    task = IntervalProduction(target_shape="bump", threshold=threshold)
    trials = task.sample(22, rng=0, dt=0.001)
    target = trials["target"].values[0]
    assert target.max() == pytest.approx(1.0, abs=1e-4)
    elapsed = since(trials, "go_time", shift=0.001)
    lasting = (target > 0).sum(axis=0) * 0.001
    assert np.allclose(lasting, 0.5, atol=0.0021)
    peak = np.take_along_axis(elapsed, target.argmax(axis=0)[None], axis=0)[0]
    x = 0.5 * (1 - np.sqrt(1 - (threshold or 0.5) ** (1 / 3)))
    assert np.allclose(peak, trials["stimulus"].values + 0.5 * (0.5 - x), atol=0.0011)
    produced = task.response(trials["target"], trials)["produced_interval"]
    assert np.allclose(produced, trials["stimulus"], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    factor=st.floats(0.7, 1.3),
    dt=st.sampled_from([0.001, 0.005, 0.02]),
    threshold=st.sampled_from([None, 0.6]),
)
def test_a_ramp_of_another_speed_produces_another_interval(factor, dt, threshold):
    task = IntervalProduction(threshold=threshold, tolerance=0.2)
    trials = task.sample(11, rng=1, dt=dt)
    interval = trials["stimulus"].values
    ramp = (threshold or 1.0) * since(trials, "go_time", shift=dt) / (factor * interval)
    behavior = task.response(as_output(ramp), trials)
    assert np.allclose(behavior["produced_interval"], factor * interval)
    assert (behavior["response"] == behavior["produced_interval"]).all()
    expected = abs(factor - 1) <= 0.2
    if abs(abs(factor - 1) - 0.2) > 1e-6:
        assert (behavior["correct"].values == expected).all()
    assert np.allclose(behavior["production_time"], trials["go_time"] + factor * interval)
    assert behavior["production_time"].attrs["clock"] == "session"


def test_without_a_crossing_there_is_no_interval_and_it_is_not_correct():
    task = IntervalProduction()
    trials = task.sample(5, rng=0)
    flat = as_output(np.full(trials["mask"].shape, 0.99))
    behavior = task.response(flat, trials)
    assert np.isnan(behavior["produced_interval"]).all()
    assert np.isnan(behavior["production_time"]).all()
    assert (behavior["correct"] == 0).all()


def test_crossings_before_the_earliest_time_are_passed_over():
    task = IntervalProduction(earliest=0.1)
    trials = task.sample(6, rng=0, dt=0.01)
    elapsed = since(trials, "go_time", shift=0.01)
    twitch = np.where((elapsed > 0.03) & (elapsed < 0.06), 5.0, 0.0)
    output = np.where(elapsed > 0.0, twitch, 0.0) + np.where(elapsed > 0.405, 2.0, 0.0)
    produced = task.response(as_output(output), trials)["produced_interval"]
    assert np.allclose(produced, 0.405)
    eager = IntervalProduction(earliest=0.0).response(as_output(output), trials)
    assert (eager["produced_interval"] < 0.06).all()


def test_late_responses_count_until_the_trial_ends():
    task = IntervalProduction(((0.5),), settle_duration=0.5)
    trials = task.sample(3, rng=0)
    lasts = (trials["stop_time"] - trials["go_time"]).values
    assert np.allclose(lasts, 1.35 * 0.5 + 0.5, atol=0.0051)
    late = as_output(since(trials, "go_time", shift=0.01) / 1.1)
    assert np.allclose(task.response(late, trials)["produced_interval"], 1.1)


def test_the_senses_err_and_the_target_does_not():
    task = IntervalProduction((0.8,), weber=0.1, sensory_noise=0.06, delay_duration=0.1)
    trials = task.sample(3000, rng=0, dt=0.01)
    std = np.hypot(0.06, 0.08)
    assert trials["measured_stimulus"].std() == pytest.approx(std, rel=0.06)
    assert trials["measured_stimulus"].mean() == pytest.approx(0.8, abs=4 * std / np.sqrt(3000))
    assert (trials["target_interval"] == 0.8).all()


def test_weighted_sets_and_all_steps_may_count():
    task = IntervalProduction(((0.5, 3), 0.7), mask="trial", fixation_duration=0.3)
    trials = task.sample(40, rng=0)
    assert (trials["stimulus"] == 0.5).sum() == 30
    before = (
        trials["step_time"].values[:, None]
        < (trials["stop_time"] - trials["start_time"]).values - 1e-9
    )
    assert (trials["mask"].values == before).all()
    assert task_of(trials) == task


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stimuli": "500-100"}, "stimuli must be '500-1000', or a list.*did you mean '500-1000'"),
        ({"stimuli": (0.5, 0.5)}, "each of stimuli must be there once"),
        ({"stimuli": (0.04, 0.5)}, r"pulse_duration \(0.05 s\) must be shorter than the shortest"),
        ({"delay_duration": 0.04}, r"shortest interval and delay \(0.04 s\)"),
        ({"earliest": 0.5}, r"\(0.5 s\) must be longer than earliest \(0.5 s\)"),
        ({"stimuli": (0.12,), "target_shape": "bump"}, r"the rise of a bump \(0.136"),
        ({"ramp_end": 1.0}, "ramp_end must be above 1 interval, found 1.0"),
        ({"target_shape": "step"}, "target_shape must be 'ramp' or 'bump'"),
        ({"target_shape": "bump", "threshold": 1.0}, "below 1, the peak of the bump, found 1"),
        ({"threshold": 0}, "threshold must be positive"),
        ({"tolerance": 0}, "tolerance must be positive"),
        ({"weber": (0.1, 0.1)}, "weber must be one number"),
        ({"settle_duration": -1}, "settle_duration must be zero or positive"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        IntervalProduction(**arguments)


def test_a_step_too_coarse_for_the_ramp_is_refused():
    task = IntervalProduction(ramp_end=1.05)
    with pytest.raises(TensorError, match=r"ends at 1.05 of 0.5 s does not reach .* dt=0.05 s"):
        task.sample(20, dt=0.05)
