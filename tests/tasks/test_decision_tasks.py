"""Checks that every task with epochs, pulses or waves must pass, whatever it asks for."""

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
from popdyn.tasks import (
    ContextDecision,
    DelayedMatch,
    DualTask,
    FlipFlop,
    MultisensoryDecision,
    Oscillation,
    ParametricWorkingMemory,
    task_of,
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


@pytest.mark.parametrize("kind", ALL)
def test_channels_have_names(kind):
    trials = kind().sample(1)
    names = json.loads(trials["inputs"].attrs["channels"])
    assert len(set(names)) == trials.sizes["channel"]


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
def test_the_target_itself_is_the_right_answer(kind):
    task = kind()
    trials = task.sample(24, rng=0)
    behavior = task.response(trials["target"], trials)
    assert (behavior["correct"] == 1).all()
    assert behavior["correct"].dims == ("trial",)
    assert all(column.attrs["units"] == "1" for column in behavior.data_vars.values())


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
def test_one_seed_gives_one_set_of_trials(kind):
    task = kind(stimulus_noise=0.1)
    assert task.sample(5, rng=3).identical(task.sample(5, rng=3))
    assert not task.sample(5, rng=3).equals(task.sample(5, rng=4))
    assert task.sample(5, rng=np.random.default_rng(3)).equals(task.sample(5, rng=3))


@pytest.mark.parametrize("kind", ALL)
def test_trials_survive_saving_and_know_their_task(kind, tmp_path):
    task = kind(inter_trial=("exponential", 0.1, 0.3))
    if kind in MAY_CATCH:
        task = dataclasses.replace(task, catch_fraction=0.5)
    trials = task.sample(6, rng=0)
    pdn.save(trials, tmp_path / "trials.nc")
    loaded = pdn.load(tmp_path / "trials.nc")
    assert loaded.identical(trials)
    assert task_of(loaded) == task
    assert task_of(trials) != dataclasses.replace(task, dt=0.02)


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


@pytest.mark.parametrize("kind", ALL)
def test_a_network_runs_on_the_trials_and_is_asked_what_it_did(kind):
    task = kind()
    trials = task.sample(3, rng=0)
    sizes = trials.sizes
    net = pdn.network.Rate.random(
        10, n_inputs=sizes["channel"], n_outputs=sizes["output"], g=0.9, rng=0
    )
    sim = pdn.simulate(net, trials)
    assert sim["correct"].dims == ("trial",)
    for name in json.loads(trials.attrs["events"]):
        assert np.array_equal(sim[name], trials[name])


@pytest.mark.parametrize("dt", [0.005, 0.01, 0.02])
@pytest.mark.parametrize("kind", ALL)
def test_noise_summed_over_time_does_not_depend_on_the_step(kind, dt):
    quiet = kind(stimulus_noise=0.0).sample(40, rng=5, dt=dt)
    noisy = kind(stimulus_noise=0.1).sample(40, rng=5, dt=dt)
    noise = (noisy["inputs"] - quiet["inputs"]).values
    inside = noise[np.broadcast_to(alive(noisy), noise.shape)]
    n_noisy = 2 if kind in (ContextDecision, MultisensoryDecision) else len(noise)
    expected = 0.1 * np.sqrt(0.02 / dt) * np.sqrt(n_noisy / len(noise))
    assert inside.std() == pytest.approx(expected, rel=0.05)


def alive(trials):
    stop = (trials["stop_time"] - trials["start_time"]).values
    return trials["step_time"].values[:, None] + 1e-9 < stop


@pytest.mark.parametrize("kind", MAY_CATCH)
def test_catch_trials_show_nothing_and_have_no_right_answer(kind):
    task = kind(catch_fraction=0.25, stimulus_noise=0.0)
    trials = task.sample(40, rng=0)
    catch = trials["target_choice"].values == 0
    assert catch.sum() == 10
    assert (trials["inputs"].values[..., catch] == 0).all()
    assert (trials["target"].values[..., catch] == 0).all()
    assert (trials["inputs"].values[..., ~catch] != 0).any(axis=(0, 1)).all()
    assert json.loads(trials.attrs["n_trials_by_condition"])["catch"] == 10
    correct = task.response(trials["target"], trials)["correct"].values
    assert np.isnan(correct[catch]).all()
    assert (correct[~catch] == 1).all()


@pytest.mark.parametrize("kind", MAY_CATCH)
def test_unbalanced_catch_trials_come_as_often_as_chance_says(kind):
    shortest = {f"{name}_duration": 0.01 for name in EPOCHS[kind]}
    trials = kind(catch_fraction=0.2, balanced=False, **shortest).sample(4000, rng=1)
    share = (trials["target_choice"].values == 0).mean()
    assert share != 0.2
    assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 4000)


@pytest.mark.parametrize("kind", ALL)
def test_impossible_numbers_are_refused(kind):
    with pytest.raises(TensorError, match="dt must be positive, found 0"):
        kind(dt=0)
    with pytest.raises(TensorError, match="stimulus_noise must be zero or positive, found -1"):
        kind(stimulus_noise=-1)
    with pytest.raises(TensorError, match="inter_trial must be zero or positive.*found -1"):
        kind(inter_trial=-1)
    with pytest.raises(TensorError, match="n_trials must be a whole number of at least 1, found 0"):
        kind().sample(0)
    with pytest.raises(TensorError, match="dt must be a positive number of seconds, found -1"):
        kind().sample(2, dt=-1)


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


@pytest.mark.parametrize("kind", MAY_CATCH)
def test_a_share_of_catch_trials_lies_below_one(kind):
    with pytest.raises(TensorError, match="catch_fraction must be below 1, found 1"):
        kind(catch_fraction=1)
    with pytest.raises(TensorError, match="catch_fraction must be zero or positive, found -0.1"):
        kind(catch_fraction=-0.1)


@pytest.mark.parametrize("kind", ALL)
def test_a_task_is_frozen_and_can_be_a_key(kind):
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind().dt = 0.1
    assert len({kind(), kind()}) == 1
