"""Checks that every task with epochs, pulses or waves must pass, whatever it asks for."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from popdyn.errors import TensorError
from popdyn.tasks import (
    ContextDecision,
    DelayedMatch,
    DualTask,
    FlipFlop,
    MultisensoryDecision,
    Oscillation,
    ParametricWorkingMemory,
)

EPOCHS = {
    ContextDecision: ["fixation", "context", "stimulus", "delay", "decision"],
    MultisensoryDecision: ["fixation", "cue", "stimulus", "delay", "decision"],
    ParametricWorkingMemory: ["fixation", "stimulus", "delay", "stimulus_2", "decision"],
    DelayedMatch: ["fixation", "sample", "delay", "test", "decision"],
    DualTask: [
        "fixation",
        "sample",
        "delay",
        "distractor",
        "distractor_decision",
        "delay_2",
        "test",
        "decision",
    ],
}
ALL = [*EPOCHS, FlipFlop, Oscillation]
MAY_CATCH = [ContextDecision, MultisensoryDecision, ParametricWorkingMemory, DelayedMatch]

seconds = st.floats(0.02, 0.4)
bounds = st.one_of(seconds, st.tuples(seconds, seconds).map(lambda pair: tuple(sorted(pair))))
steps = st.sampled_from([0.001, 0.005, 0.007, 0.01, 0.02])


@st.composite
def tasks(draw):
    kind = draw(st.sampled_from(list(EPOCHS)))
    durations = {f"{name}_duration": draw(bounds) for name in EPOCHS[kind]}
    return kind(
        **durations,
        inter_trial=draw(st.floats(0.0, 1.0)),
        stimulus_noise=0.0,
        balanced=draw(st.booleans()),
    )


@settings(max_examples=60, deadline=None)
@given(task=tasks(), dt=steps)
def test_events_rise_and_durations_are_the_nearest_steps(task, dt):
    trials = task.sample(5, rng=1, dt=dt)
    events = json.loads(trials.attrs["events"])
    times = np.stack([trials[name].values for name in events])
    assert (events[0], events[-1]) == ("start_time", "stop_time")
    assert (np.diff(times, axis=0) > 0).all()
    assert (times[0, 1:] >= times[-1, :-1] - 1e-9).all()
    for name, realised in zip(EPOCHS[type(task)], np.diff(times, axis=0), strict=True):
        assert np.allclose(realised, trials[f"{name}_duration"].values, atol=1e-9)
        low, high = np.broadcast_to(getattr(task, f"{name}_duration"), 2)
        assert (realised >= low - dt / 2 - 1e-6).all()
        assert (realised <= high + dt / 2 + 1e-6).all()


@settings(max_examples=60, deadline=None)
@given(task=tasks(), dt=steps, seed=st.integers(0, 99))
def test_nothing_is_left_after_a_trial_and_only_decisions_count(task, dt, seed):
    task = dataclasses.replace(task, stimulus_noise=0.1)
    trials = task.sample(6, rng=seed, dt=dt)
    step = trials["step_time"] + trials["start_time"] + dt / 2
    after = step > trials["stop_time"]
    assert not (trials["mask"] & after).any()
    for name in ("inputs", "target"):
        assert (trials[name].where(after, 0) == 0).all()
    assert (trials["target"].where(~trials["mask"], 0) == 0).all()
    counts = (step > trials["decision_time"]) & ~after
    if isinstance(task, DualTask):
        inner = (step > trials["distractor_decision_time"]) & (
            step < trials["distractor_stop_time"]
        )
        counts = counts | inner
    assert (trials["mask"] == counts).all()


@pytest.mark.parametrize(
    ("kind", "noise", "durations"),
    [
        (ContextDecision, 0.1, (0.1, 0.35, 0.8, 0.1, 0.02)),
        (MultisensoryDecision, 0.1, (0.1, 0.35, 0.8, 0.1, 0.02)),
        (ParametricWorkingMemory, 0.01, (0.1, 0.1, (0.5, 1.0), 0.1, 0.1)),
        (DelayedMatch, 0.03, (0.1, 0.5, (0.5, 3.0), 0.5, 1.0)),
    ],
)
def test_epochs_and_noise_are_the_published_ones(kind, noise, durations):
    task = kind()
    assert tuple(getattr(task, f"{name}_duration") for name in EPOCHS[kind]) == durations
    assert task.stimulus_noise == noise
    assert not task.catch_fraction


@pytest.mark.parametrize("kind", EPOCHS)
def test_the_whole_trial_may_count_and_changes_nothing_else(kind):
    answer, whole = kind().sample(12, rng=0), kind(mask="trial").sample(12, rng=0)
    assert (whole["mask"].values == alive(whole)).all()
    assert whole["target"].equals(answer["target"])
    assert whole["inputs"].equals(answer["inputs"])
    output = answer["target"] + 0.2 * answer["inputs"].isel(channel=0)
    assert kind(mask="trial").response(output, whole).equals(kind().response(output, answer))
    with pytest.raises(TensorError, match="mask must be 'response' or 'trial', found 'all'"):
        kind(mask="all")


@pytest.mark.parametrize("kind", ALL)
def test_the_opposite_and_silence_are_wrong(kind):
    task = kind()
    trials = task.sample(24, rng=0)
    for answer in (-1.0, 0.0):
        behavior = task.response(answer * trials["target"], trials)
        assert (behavior["correct"] == 0).all()


@pytest.mark.parametrize("kind", EPOCHS)
def test_the_choice_is_the_sign_of_the_output_while_it_counts(kind):
    task = kind()
    trials = task.sample(24, rng=0)
    right = trials["target_choice"]
    # Loud and wrong before the decision, barely right in it.
    step = trials["step_time"] + trials["start_time"] + 0.005
    output = xr.where(step > trials["decision_time"], 0.01 * right, -50 * right)
    output = output.expand_dims("output")
    behavior = task.response(output, trials)
    assert (behavior["choice"] == right).all()
    assert (behavior["correct"] == 1).all()
    assert np.allclose(behavior["response"], 0.01 * right)


@pytest.mark.parametrize("kind", ALL)
def test_trials_carry_units_clocks_and_counts(kind):
    trials = kind().sample(7, rng=0)
    for name in json.loads(trials.attrs["events"]):
        assert trials[name].attrs == {"units": "s", "clock": "session"}
    for name in trials.coords:
        if str(name).endswith("_duration"):
            assert trials[name].attrs == {"units": "s"}
    assert sum(json.loads(trials.attrs["n_trials_by_condition"]).values()) == 7
    roles = json.loads(trials.attrs["roles"])
    assert set(roles) <= {"stimulus", "stimulus_2", "context"}
    assert all(trials[column].dims == ("trial",) for column in roles.values())
    assert (trials.attrs["task"], trials.attrs["seed"]) == (kind.__name__, "0")


def alive(trials):
    stop = (trials["stop_time"] - trials["start_time"]).values
    return trials["step_time"].values[:, None] + 1e-9 < stop


@pytest.mark.parametrize("kind", MAY_CATCH)
def test_unbalanced_catch_trials_come_as_often_as_chance_says(kind):
    shortest = {f"{name}_duration": 0.01 for name in EPOCHS[kind]}
    trials = kind(catch_fraction=0.2, balanced=False, **shortest).sample(4000, rng=1)
    share = (trials["target_choice"].values == 0).mean()
    assert share != 0.2
    assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 4000)


@pytest.mark.parametrize("kind", EPOCHS)
def test_impossible_durations_are_refused(kind):
    last = f"{EPOCHS[kind][2]}_duration"
    with pytest.raises(TensorError, match=f"{last} must be a positive number of seconds.*found 0"):
        kind(**{last: 0})
    with pytest.raises(TensorError, match=rf"{last} must be \(shortest, longest\)"):
        kind(**{last: (0.3, 0.1)})
    with pytest.raises(TensorError, match=f"{last} of 0.01 s is shorter than one step of dt=0.05"):
        kind(
            **{
                f"{name}_duration": 0.01 if f"{name}_duration" == last else 1.0
                for name in EPOCHS[kind]
            }
        ).sample(2, dt=0.05)
