"""What a target network is told: the true stimuli, the target and hints, on the very trials."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.tasks.lesson import lesson_of
from popdyn.tasks.registry import TASKS

EVERY = pytest.mark.parametrize("name", sorted(TASKS))
# Tasks in which the measured stimulus is a duration, so that it moves events.
TIMED = ("IntervalDiscrimination", "IntervalProduction", "ReadySetGo")
# Tasks whose trials are one epoch, about which there is nothing to hint.
WITHOUT_HINTS = ("FlipFlop", "Oscillation")
drawn = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
seeds = st.integers(0, 10_000)
steps = st.sampled_from([0.001, 0.005, 0.007, 0.01, 0.02])


def fields(name):
    return {field.name for field in dataclasses.fields(TASKS[name])}


def named(lesson, ending):
    """Hints whose name has an ending, (hint, step, trial)."""
    return lesson["hints"].values[[str(n).endswith(ending) for n in lesson["hint"].values]]


def seconds(trials, event):
    return (trials[event] - trials["start_time"]).values


@EVERY
@drawn
@given(seed=seeds, dt=steps)
def test_without_noise_the_inputs_of_the_lesson_are_those_of_the_trials(name, seed, dt):
    task = TASKS[name](stimulus_noise=0.0)
    trials = task.sample(5, rng=seed, dt=dt)
    lesson = task.teach(trials)
    assert np.array_equal(lesson["inputs"], trials["inputs"])
    assert lesson["target"].identical(trials["target"])
    assert lesson["trial"].identical(trials["trial"])


@EVERY
@drawn
@given(seed=seeds, dt=steps)
def test_hints_are_finite_zero_after_the_end_and_in_at_most_one_phase(name, seed, dt):
    catch = {"catch_fraction": 0.3} if "catch_fraction" in fields(name) else {}
    task = TASKS[name](**catch)
    trials = task.sample(6, rng=seed, dt=dt)
    lesson = lesson_of(task, trials)
    hints = lesson["hints"].transpose("hint", "step_time", "trial").values
    assert (len(hints) == 0) == (name in WITHOUT_HINTS)
    assert np.isfinite(hints).all()
    after = trials["step_time"].values[:, None] >= seconds(trials, "stop_time") - 1e-9
    assert (hints[:, after] == 0).all()
    phases = named(lesson, " phase")
    assert set(np.unique(phases)) <= {0.0, 1.0}
    assert set(np.unique(phases.sum(axis=0))) <= {0.0, 1.0}


@EVERY
def test_phases_start_at_events_and_fill_the_trial_from_fixation_on(name):
    if name in (*WITHOUT_HINTS, "IntervalProduction", "ReadySetGo"):
        return
    task = TASKS[name]()
    trials = task.sample(12, rng=0)
    phases = named(task.teach(trials), " phase")
    first = 0.0 if name == "Detection" else trials["fixation_duration"].values
    time = trials["step_time"].values[:, None] + 0.005
    inside = (time > first) & (time < seconds(trials, "stop_time"))
    assert np.array_equal(phases.sum(axis=0) == 1, inside)
    assert phases.any(axis=1).all()
    starts = (np.argmax(phases, axis=1) * 0.01).T
    for trial in range(12):
        events = [seconds(trials, str(c))[trial] for c in trials.coords if str(c).endswith("_time")
                  and trials[c].dims == ("trial",)]  # fmt: skip
        assert all(np.nanmin(np.abs(np.array(events) - start)) < 1e-6 for start in starts[trial])


@EVERY
def test_noise_of_the_inputs_never_reaches_the_lesson(name):
    quiet, noisy = (TASKS[name](stimulus_noise=noise) for noise in (0.0, 0.5))
    one, other = quiet.sample(8, rng=4), noisy.sample(8, rng=4)
    assert not np.array_equal(one["inputs"], other["inputs"])
    for variable in ("inputs", "target", "hints"):
        assert quiet.teach(one)[variable].equals(noisy.teach(other)[variable])


@pytest.mark.parametrize("name", sorted(set(TASKS) - set(TIMED)))
def test_errors_of_the_senses_never_reach_the_lesson(name):
    if "weber" not in fields(name):
        return
    exact, erring = (
        TASKS[name](stimulus_noise=0.0, sensory_noise=noise, weber=noise / 10)
        for noise in (0.0, 1.0)
    )
    one, other = exact.sample(12, rng=4), erring.sample(12, rng=4)
    assert not np.array_equal(one["inputs"], other["inputs"])
    for variable in ("inputs", "target", "hints"):
        assert np.array_equal(exact.teach(one)[variable], erring.teach(other)[variable])


@pytest.mark.parametrize("name", TIMED)
def test_intervals_last_as_measured_and_hints_hold_the_true_ones(name):
    task = TASKS[name](weber=0.2)
    trials = task.sample(30, rng=1, dt=0.001)
    lesson = task.teach(trials)
    assert np.array_equal(lesson["inputs"], trials["inputs"])
    off = "stimulus_off_time" if name == "IntervalDiscrimination" else "set_time"
    middle, half = {"IntervalDiscrimination": (0.6, 0.3), "IntervalProduction": (0.75, 0.25),
                    "ReadySetGo": (0.84, 0.36)}[name]  # fmt: skip
    memory = lesson["hints"].sel(hint="memory").values
    at = np.rint(seconds(trials, off) / 0.001).astype(int)
    held = memory[at + 100, np.arange(30)]
    assert held == pytest.approx((trials["stimulus"].values - middle) / half)
    last = memory[at - 1, np.arange(30)]
    assert last == pytest.approx((trials["measured_stimulus"].values - middle) / half)
    assert np.abs(last - held).max() > 0.2


@EVERY
def test_catch_trials_are_told_nothing_but_the_phase(name):
    if "catch_fraction" not in fields(name):
        return
    task = TASKS[name](catch_fraction=0.4)
    trials = task.sample(20, rng=0)
    lesson = task.teach(trials)
    caught = (trials["target"].values == 0).all(axis=(0, 1))
    assert caught.sum() == 8
    assert (lesson["inputs"].values[..., caught] == 0).all()
    told = [not str(n).endswith(" phase") for n in lesson["hint"].values]
    assert (lesson["hints"].values[told][..., caught] == 0).all()
    assert lesson["hints"].values[told][..., ~caught].any(axis=(0, 1)).all()
    assert named(lesson, " phase")[..., caught].any(axis=(0, 1)).all()


@EVERY
def test_a_part_of_the_trials_is_taught_like_the_whole(name, tmp_path):
    task = TASKS[name]()
    trials = task.sample(9, rng=3)
    whole = task.teach(trials)
    chosen = trials.isel(trial=[7, 2, 4])
    assert task.teach(chosen).equals(whole.isel(trial=[7, 2, 4]))
    pdn.save(trials, tmp_path / "trials.nc")
    loaded = pdn.load(tmp_path / "trials.nc")
    assert pdn.tasks.task_of(loaded).teach(loaded).equals(whole)
    turned = trials.transpose("trial", "step_time", ...)
    assert task.teach(turned)["hints"].equals(whole["hints"])


@EVERY
def test_lessons_leave_the_trials_as_they_were_and_say_what_they_are(name):
    task = TASKS[name]()
    trials = task.sample(4, rng=3)
    before = trials.copy(deep=True)
    lesson = task.teach(trials)
    lesson["inputs"].values[:] = 7.0
    lesson["target"].values[:] = 7.0
    assert trials.identical(before)
    assert lesson.attrs["method"] == "lesson"
    assert lesson["hints"].dims == ("hint", "step_time", "trial")
    assert lesson["hint"].dtype.kind == "U"
    assert len(set(lesson["hint"].values.tolist())) == lesson.sizes["hint"]
    assert {lesson[v].attrs["units"] for v in ("inputs", "target", "hints")} == {"1"}
