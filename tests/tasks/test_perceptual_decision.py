"""Perceptual decision: what the trials hold, and the checks every task must pass."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.tasks import PerceptualDecision, task_of

EVENTS = ["start_time", "stimulus_on_time", "stimulus_off_time", "decision_time", "stop_time"]
DURATIONS = ["fixation_duration", "stimulus_duration", "delay_duration", "decision_duration"]

seconds = st.floats(0.02, 0.6)
bounds = st.one_of(seconds, st.tuples(seconds, seconds).map(lambda pair: tuple(sorted(pair))))


@st.composite
def tasks(draw):
    durations = {name: draw(bounds) for name in DURATIONS}
    return PerceptualDecision(
        **durations, inter_trial=draw(st.floats(0.0, 1.0)), stimulus_noise=0.0
    )


@settings(max_examples=60, deadline=None)
@given(task=tasks(), dt=st.sampled_from([0.001, 0.005, 0.007, 0.01, 0.02]))
def test_events_rise_and_durations_are_the_nearest_steps(task, dt):
    trials = task.sample(7, rng=1, dt=dt)
    times = np.stack([trials[name].values for name in EVENTS])
    assert (np.diff(times, axis=0) > 0).all()
    assert (times[0, 1:] >= times[-1, :-1] - 1e-9).all()
    assert json.loads(trials.attrs["events"]) == EVENTS
    for name, realised in zip(DURATIONS, np.diff(times, axis=0), strict=True):
        assert np.allclose(realised, trials[name].values, atol=1e-9)
        low, high = np.broadcast_to(getattr(task, name), 2)
        assert (realised >= low - dt / 2 - 1e-6).all()
        assert (realised <= high + dt / 2 + 1e-6).all()


@settings(max_examples=60, deadline=None)
@given(task=tasks(), dt=st.sampled_from([0.001, 0.005, 0.007, 0.01, 0.02]))
def test_the_input_pulse_is_the_stimulus_times_its_duration(task, dt):
    trials = task.sample(7, rng=2, dt=dt)
    integral = trials["inputs"].sum(["channel", "step_time"]) * dt
    assert np.allclose(integral, trials["stimulus"] * trials["stimulus_duration"])
    low, high = np.broadcast_to(task.stimulus_duration, 2)
    stimulus = trials["stimulus"].values
    assert (np.abs(integral / stimulus) >= low - dt).all()
    assert (np.abs(integral / stimulus) <= high + dt).all()


def test_target_and_mask_are_the_decision_and_nothing_else():
    trials = PerceptualDecision(delay_duration=(0.1, 0.5)).sample(20, rng=0)
    step = trials["step_time"] + trials["start_time"]
    inside = (step > trials["decision_time"] - 1e-9) & (step < trials["stop_time"] - 1e-9)
    assert (trials["mask"] == inside).all()
    assert (trials["target"] == inside * np.sign(trials["stimulus"])).all()
    after = step >= trials["stop_time"] - 1e-9
    assert after.any()
    assert (trials["inputs"].where(after, 0) == 0).all()
    assert set(np.unique(trials["target_choice"])) == {-1, 1}


@settings(max_examples=40, deadline=None)
@given(n_trials=st.integers(1, 60), n_stimuli=st.integers(1, 7), seed=st.integers(0, 99))
def test_balanced_trials_differ_by_at_most_one_per_stimulus(n_trials, n_stimuli, seed):
    stimuli = np.linspace(-1, 1, n_stimuli)
    trials = PerceptualDecision(stimuli=tuple(stimuli)).sample(n_trials, rng=seed)
    counts = [(trials["stimulus"].values == value).sum() for value in stimuli]
    assert max(counts) - min(counts) <= 1
    reported = json.loads(trials.attrs["n_trials_by_condition"])
    assert sum(reported.values()) == n_trials


def test_unbalanced_stimuli_come_as_often_as_chance_says():
    task = PerceptualDecision(balanced=False, decision_duration=0.01, stimulus_duration=0.01)
    values = task.sample(6000, rng=4)["stimulus"].values
    share = np.array([(values == stimulus).mean() for stimulus in task.stimuli])
    assert (np.abs(share - 1 / 6) < 4 * np.sqrt(1 / 6 * 5 / 6 / 6000)).all()
    assert len(np.unique([(values == stimulus).sum() for stimulus in task.stimuli])) > 1


@pytest.mark.parametrize("dt", [0.005, 0.01, 0.02])
def test_noise_summed_over_time_does_not_depend_on_the_step(dt):
    trials = PerceptualDecision(stimulus_noise=0.1).sample(300, rng=5, dt=dt)
    fixation = trials["inputs"].values[0, : round(0.1 / dt)]
    assert fixation.std() == pytest.approx(0.1 * np.sqrt(0.02 / dt), rel=0.05)
    summed = fixation.sum(axis=0) * dt
    assert summed.std() == pytest.approx(0.1 * np.sqrt(0.02 * 0.1), rel=0.12)


def test_trials_carry_units_clocks_and_roles():
    trials = PerceptualDecision().sample(3, rng=0)
    for name in EVENTS:
        assert trials[name].attrs == {"units": "s", "clock": "session"}
    assert "clock" not in trials["stimulus_duration"].attrs
    assert trials["stimulus_duration"].attrs["units"] == "s"
    assert json.loads(trials.attrs["roles"]) == {"stimulus": "stimulus"}
    assert (trials.attrs["seed"], trials.attrs["dt"]) == ("0", 0.01)
    assert dict(trials.sizes) == {"channel": 1, "output": 1, "step_time": 102, "trial": 3}


def test_one_seed_gives_one_set_of_trials():
    task = PerceptualDecision(delay_duration=(0.1, 0.3))
    assert task.sample(9, rng=3).identical(task.sample(9, rng=3))
    assert not task.sample(9, rng=3).equals(task.sample(9, rng=4))
    generator = np.random.default_rng(3)
    assert task.sample(9, rng=generator).equals(task.sample(9, rng=3))


def test_trials_survive_saving_and_know_their_task(tmp_path):
    task = PerceptualDecision(stimuli=[-1, 0, 1], delay_duration=(0.1, 0.3))
    trials = task.sample(6, rng=0)
    pdn.save(trials, tmp_path / "trials.nc")
    loaded = pdn.load(tmp_path / "trials.nc")
    assert loaded.identical(trials)
    assert task_of(loaded) == task
    assert task_of(loaded.assign_attrs(task="PerceptualDecision", seed="5")) == task


def test_trials_without_a_task_or_of_an_unknown_one_say_so():
    trials = PerceptualDecision().sample(2)
    assert task_of(xr.Dataset()) is None
    with pytest.raises(
        TensorError, match="'Juggling', popdyn has .*PerceptualDecision.*: pass the"
    ):
        task_of(trials.assign_attrs(task="Juggling"))


def as_output(trials, values):
    steps = np.broadcast_to(values, (trials.sizes["step_time"], trials.sizes["trial"]))
    return xr.DataArray(steps[None] * 1.0, dims=("output", "step_time", "trial"))


def test_the_choice_is_the_sign_of_the_output_while_it_counts():
    trials = PerceptualDecision(stimuli=(-1, 0, 1)).sample(30, rng=0)
    mask, target = trials["mask"].values, np.sign(trials["stimulus"].values)
    # Loud and wrong before the decision, right in it.
    behavior = PerceptualDecision().response(
        as_output(trials, np.where(mask, 0.01 * target + 0.001, -50 * target)), trials
    )
    catch = target == 0
    assert (behavior["choice"].values[~catch] == target[~catch]).all()
    assert (behavior["correct"].values[~catch] == 1).all()
    assert np.isnan(behavior["correct"].values[catch]).all()
    assert behavior["response"].values == pytest.approx(0.01 * target + 0.001)
    wrong = PerceptualDecision().response(as_output(trials, -target), trials)
    assert (wrong["correct"].values[~catch] == 0).all()


def test_an_output_of_exactly_zero_is_no_choice_and_not_correct():
    trials = PerceptualDecision().sample(6, rng=0)
    behavior = PerceptualDecision().response(as_output(trials, 0.0), trials)
    assert np.isnan(behavior["choice"].values).all()
    assert (behavior["correct"].values == 0).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stimuli": ()}, "stimuli must be a list of finite numbers"),
        ({"stimuli": (0.1, np.nan)}, "finite numbers"),
        ({"stimuli": (0.1, 0.1)}, "each of stimuli must be there once"),
        ({"delay_duration": 0}, "delay_duration must be a positive number of seconds"),
        ({"delay_duration": (0.1, 0.2, 0.3)}, "or a pair of them"),
        ({"delay_duration": (0.3, 0.1)}, r"must be \(shortest, longest\)"),
        ({"stimulus_noise": -1}, "stimulus_noise must be zero or positive, found -1"),
        ({"inter_trial": np.inf}, "inter_trial must be zero or positive"),
        ({"dt": 0}, "dt must be positive, found 0"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        PerceptualDecision(**arguments)


def test_impossible_samples_are_refused():
    task = PerceptualDecision()
    with pytest.raises(TensorError, match="n_trials must be a whole number of at least 1, found 0"):
        task.sample(0)
    with pytest.raises(TensorError, match="dt must be a positive number of seconds, found -1"):
        task.sample(2, dt=-1)
    with pytest.raises(TensorError, match=r"decision_duration of 0.02 s is shorter than one step"):
        task.sample(2, dt=0.05)


def test_a_task_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PerceptualDecision().dt = 0.1


def test_stimuli_and_counts_that_are_no_numbers_are_refused():
    with pytest.raises(pdn.TensorError, match="list of finite numbers, found"):
        pdn.tasks.PerceptualDecision(stimuli=("a", "b"))
    with pytest.raises(pdn.TensorError, match="whole number of at least 1, found 2.5"):
        pdn.tasks.PerceptualDecision().sample(2.5, 0)
