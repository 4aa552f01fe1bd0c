"""What holds for the trials of every task that popdyn has."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.tasks.registry import TASKS
from popdyn.tensor.roles import ROLES

EVERY = pytest.mark.parametrize("name", sorted(TASKS))


def relative_events(trials):
    names = json.loads(trials.attrs["events"])
    return np.stack([trials[name].values for name in names]) - trials["start_time"].values


@EVERY
@pytest.mark.parametrize("dt", [0.005, 0.01, 0.02])
def test_events_rise_and_trials_follow_each_other(name, dt):
    trials = TASKS[name]().sample(13, rng=3, dt=dt)
    events = relative_events(trials)
    for trial in events.T:
        assert (np.diff(trial[np.isfinite(trial)]) > 0).all()
    whole = events[np.isfinite(events)] / dt
    assert np.allclose(whole, np.round(whole), atol=1e-4)
    start, stop = trials["start_time"].values, trials["stop_time"].values
    assert (start[1:] >= stop[:-1] - 1e-9).all()
    assert trials["step_time"].size == round((stop - start).max() / dt)


@EVERY
def test_every_trial_counts_somewhere_and_is_zero_after_its_end(name):
    trials = TASKS[name]().sample(13, rng=3)
    assert trials["mask"].any("step_time").all()
    stop = (trials["stop_time"] - trials["start_time"]).values
    after = trials["step_time"].values[:, None] >= stop - 1e-9
    for variable in ("inputs", "target"):
        values = trials[variable].values
        assert np.isfinite(values).all()
        assert (values[:, after] == 0).all()
    assert not trials["mask"].values[after].any()


@EVERY
def test_the_target_itself_is_a_right_answer(name):
    task = TASKS[name]()
    trials = task.sample(40, rng=1)
    behavior = task.response(trials["target"], trials)
    correct = behavior["correct"].values
    assert behavior["correct"].dims == ("trial",)
    assert np.isfinite(correct).any()
    assert (correct[np.isfinite(correct)] == 1).all()


@EVERY
def test_an_output_that_says_nothing_is_never_right(name):
    task = TASKS[name]()
    trials = task.sample(40, rng=1)
    silent = task.response(xr.full_like(trials["target"], np.nan), trials)["correct"].values
    assert not (silent == 1).any()


@EVERY
def test_one_seed_gives_one_set_and_the_task_is_known_after_saving(name, tmp_path):
    task = TASKS[name]()
    trials = task.sample(6, rng=5)
    assert trials.identical(task.sample(6, rng=5))
    assert trials.equals(task.sample(6, rng=np.random.default_rng(5)))
    # An oscillation has nothing to draw.
    assert trials.equals(task.sample(6, rng=6)) == (name == "Oscillation")
    pdn.save(trials, tmp_path / "trials.nc")
    loaded = pdn.load(tmp_path / "trials.nc")
    assert loaded.identical(trials)
    assert pdn.tasks.task_of(loaded) == task


@EVERY
def test_roles_are_columns_and_trials_of_conditions_are_counted(name):
    trials = TASKS[name]().sample(23, rng=0)
    roles = json.loads(trials.attrs["roles"])
    assert set(roles) <= set(ROLES)
    assert set(roles.values()) <= set(trials.coords)
    counts = [key for key in trials.attrs if key.startswith("n_trials_by_")]
    assert counts
    assert sum(json.loads(trials.attrs[counts[0]]).values()) == 23


@EVERY
def test_columns_have_units_and_events_the_clock(name):
    trials = TASKS[name]().sample(3, rng=0)
    events = json.loads(trials.attrs["events"])
    for column in trials.coords:
        if trials[column].dims != ("trial",) or column == "trial":
            continue
        if trials[column].dtype.kind == "f":
            assert trials[column].attrs["units"] in ("s", "Hz", "1"), column
        assert (trials[column].attrs.get("clock") == "session") == (column in events), column


@EVERY
def test_a_network_runs_on_the_trials(name):
    task = TASKS[name]()
    trials = task.sample(5, rng=0, dt=0.02)
    sizes = {"n_inputs": trials.sizes["channel"], "n_outputs": trials.sizes["output"]}
    net = pdn.network.Rate.random(20, dt=0.02, rng=0, **sizes)
    sim = pdn.simulate(net, trials, bin_width=0.02)
    assert {"correct", *json.loads(trials.attrs["roles"]).values()} <= set(sim.coords)
    assert json.loads(sim.attrs["roles"])["correct"] == "correct"
    for event in json.loads(trials.attrs["events"]):
        assert np.array_equal(sim[event], trials[event], equal_nan=True)


@EVERY
def test_any_task_is_drawn(name):
    trials = TASKS[name]().sample(3, rng=0)
    ax = pdn.plot.task(trials)
    channels = json.loads(trials["inputs"].attrs["channels"])
    assert len(set(channels)) == trials.sizes["channel"]
    n_lines = trials.sizes["channel"] + trials.sizes["output"]
    assert len(ax.patches) == n_lines
    assert ax.get_xlabel() == "time from start_time (s)"


@EVERY
def test_tasks_are_frozen_and_refuse_impossible_draws(name):
    task = TASKS[name]()
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.dt = 0.1
    with pytest.raises(TensorError, match="n_trials must be a whole number of at least 1, found 0"):
        task.sample(0)
    with pytest.raises(TensorError, match="dt must be a positive number of seconds, found -1"):
        task.sample(2, dt=-1)
    with pytest.raises(TensorError, match="dt must be positive"):
        TASKS[name](dt=0)
    assert len({task, TASKS[name]()}) == 1


@EVERY
def test_time_between_trials_may_be_drawn(name):
    trials = TASKS[name](inter_trial=("exponential", 0.4, 0.5)).sample(200, rng=0)
    pause = trials["start_time"].values[1:] - trials["stop_time"].values[:-1]
    assert pause.min() >= 0.4 - 0.011
    assert pause.mean() == pytest.approx(0.9, abs=4 * 0.5 / np.sqrt(199))
    assert len(np.unique(pause.round(6))) > 20
