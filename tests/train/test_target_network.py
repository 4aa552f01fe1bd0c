"""Target networks: drawn for a task, told targets and hints, with the currents that flow in them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import FitError, TensorError
from popdyn.train.components import find_components
from popdyn.train.course import Lessons
from popdyn.train.stream import Filters, stream_of
from popdyn.train.target_network import TargetRun, hint_factors, target_network, target_trials

DT = 0.001
PRODUCTION = pdn.tasks.IntervalProduction()
SINE = pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.2)


def test_it_is_told_targets_hints_and_inputs():
    net = target_network(PRODUCTION, 30, g=1.4, rng=5)
    lesson = PRODUCTION.teach(PRODUCTION.sample(1))
    assert net.input.shape == (30, 1 + lesson.sizes["hint"] + 2)
    assert np.abs(net.input).max() <= 1
    assert net.input.std() == pytest.approx(1 / np.sqrt(3), rel=0.1)
    assert net.recurrent.std() == pytest.approx(1.4 / np.sqrt(30), rel=0.1)
    assert not net.output.any()
    again, other = (target_network(PRODUCTION, 30, g=1.4, rng=seed) for seed in (5, 6))
    assert np.array_equal(again.input, net.input)
    assert not np.array_equal(other.input, net.input)


def test_trials_for_it_hold_what_it_is_told():
    trials = PRODUCTION.sample(3, 1, dt=DT)
    told = target_trials(PRODUCTION, trials, hints={"clock": 0.0, "memory": 2.0},
                         target_filter=0.0, hint_filter=0.0)  # fmt: skip
    lesson = PRODUCTION.teach(trials)
    names = lesson["hint"].values.tolist()
    inputs = told["inputs"].transpose("channel", "step_time", "trial").values
    assert np.array_equal(inputs[:1], trials["target"].transpose("output", "step_time", "trial"))
    factor = np.array([{"clock": 0.0, "memory": 2.0}.get(name, 1.0) for name in names])
    hints = lesson["hints"].transpose("hint", "step_time", "trial").values
    assert np.array_equal(inputs[1 : 1 + len(names)], hints * factor[:, None, None])
    assert np.array_equal(inputs[1 + len(names) :], lesson["inputs"].values)
    assert told["target"].equals(trials["target"])


def test_filters_start_anew_in_each_trial():
    trials = PRODUCTION.sample(3, 1, dt=DT)
    together = target_trials(PRODUCTION, trials)["inputs"]
    for trial in range(3):
        alone = target_trials(PRODUCTION, trials.isel(trial=[trial]))["inputs"]
        assert np.array_equal(together.values[:, :, trial], alone.values[:, :, 0])


@pytest.mark.parametrize("name", ["target_filter", "hint_filter"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0005, "must be 0 .none. or at least a step, 0.001 s; found 0.0005"),
        (-1.0, "must be 0 .none. or at least a step"),
        (np.nan, "must be a number of seconds, found nan"),
        ("10 ms", "must be a number of seconds, found '10 ms'"),
    ],
)
def test_a_time_constant_below_a_step_is_refused(name, value, words):
    trials = PRODUCTION.sample(1, 1, dt=DT)
    with pytest.raises(TensorError, match=f"{name} {words}"):
        target_trials(PRODUCTION, trials, **{name: value})


@pytest.mark.parametrize(
    ("hints", "words"),
    [
        ({"memroy": 1.0}, "hints may hold memory, clock, found 'memroy'; did you mean 'memory'"),
        ({3: 1.0}, "found 3"),
        ({"clock": np.inf}, "hints.'clock'. must be a finite number, found inf"),
        ({"clock": "big"}, "hints.'clock'. must be a finite number, found 'big'"),
        ({"clock": True}, "hints.'clock'. must be a finite number, found True"),
        ("memory", "hints must map names of hints to their factors, found 'memory'"),
        (["memory"], "hints must map names"),
    ],
)
def test_factors_of_hints_without_sense_are_refused(hints, words):
    with pytest.raises(TensorError, match=words):
        hint_factors(["memory", "clock"], hints)


def test_factors_may_be_numbers_of_numpy():
    assert hint_factors(["a", "b"], {"b": np.float32(0.5)}).tolist() == [1.0, 0.5]
    assert hint_factors(["a"], None).tolist() == [1.0]
    with pytest.raises(TensorError, match="this task has no hints, found hints={'a': ...}"):
        hint_factors([], {"a": 1.0})


def test_a_class_and_trials_in_place_of_the_task_are_refused():
    with pytest.raises(TensorError, match="for example pdn.tasks.PerceptualDecision"):
        target_network(pdn.tasks.IntervalProduction)
    with pytest.raises(TensorError, match="the task comes first, then its trials"):
        target_trials(PRODUCTION.sample(3), PRODUCTION)


@pytest.mark.parametrize("name", ["target_filter", "hint_filter"])
def test_filters_that_look_like_milliseconds_are_warned_of(name):
    with pytest.warns(pdn.PopdynWarning, match=f"{name}=40: these durations .* milliseconds"):
        target_trials(PRODUCTION, PRODUCTION.sample(3), **{name: 40.0})


def test_a_network_of_other_numbers_is_refused():
    with pytest.raises(TensorError, match="n_neurons"):
        target_network(PRODUCTION, 0)
    with pytest.raises(TensorError, match="tau"):
        target_network(PRODUCTION, 10, tau=-1.0)


def told_run(net, rng=0, task=SINE, n_trials=3):
    filters = Filters.of(0.0, 0.0, net.dt)
    stream = stream_of(task, task.sample(n_trials, 0, dt=net.dt), filters)
    run = TargetRun(net, np.ones(stream.hint.shape[1]), 1, np.random.default_rng(rng))
    return stream, run


def test_currents_equal_the_plain_equation():
    net = target_network(SINE, 40, dt=DT, rng=0)
    stream, run = told_run(net)
    x = run.state.astype(np.float64)
    keep = np.exp(-DT / 0.010)
    told = np.concatenate([stream.target, stream.hint], axis=1)
    n_told = told.shape[1]
    expected = []
    for heard, shown in zip(told, stream.shown, strict=True):
        current = net.recurrent @ np.tanh(x) + net.input[:, :n_told] @ heard
        expected.append(current)
        drive = current + net.input[:, n_told:] @ shown
        x = drive + (x - drive) * keep
    ((part, found),) = run.currents(stream)
    assert part == slice(0, 600)
    # Single precision, and a chaotic network: the first half.
    assert np.abs(found[:300] - np.array(expected)[:300]).max() < 1e-3 * np.abs(expected).max()
    assert np.abs(found[:50] - np.array(expected)[:50]).max() < 1e-5 * np.abs(expected).max()


def test_simulate_gives_the_same_activity():
    net = target_network(SINE, 40, dt=DT, rng=0)
    stream, run = told_run(net, n_trials=1)
    state = run.state.astype(np.float64)
    trials = target_trials(SINE, SINE.sample(1, 0, dt=DT), target_filter=0.0)
    sim = pdn.simulate(
        net, trials, method="exponential", bin_width=DT, record=("state",), initial_state=state
    )
    for _ in run.currents(stream):
        pass
    last = sim["potential"].values[:, -2:, 0]
    assert np.abs(run.state - (1.5 * last[:, 1] - 0.5 * last[:, 0])).max() < 0.02


def test_long_blocks_go_on_in_parts(monkeypatch):
    net = target_network(SINE, 30, dt=DT, rng=0)
    stream, run = told_run(net)
    ((_, whole),) = run.currents(stream)
    monkeypatch.setattr(sys.modules[TargetRun.__module__], "_CHUNK", 256)
    stream, run = told_run(net)
    parts = list(run.currents(stream))
    assert [part.stop for part, _ in parts] == [256, 512, 600]
    assert np.array_equal(np.concatenate([currents for _, currents in parts]), whole)


def lessons():
    return Lessons(SINE, DT, Filters.of(0.0, 0.0, DT), np.random.SeedSequence(0))


def components(share, net=None):
    net = target_network(SINE, 30, dt=DT, rng=0) if net is None else net
    run = TargetRun(net, np.ones(told_run(net)[0].hint.shape[1]), 1, np.random.default_rng(0))
    return find_components(run, lessons(), share)


def test_components_are_as_few_as_explain_the_share():
    many, few = components(0.999), components(0.8)
    assert 1 <= few.shape[1] < many.shape[1] < 30
    assert many.T @ many == pytest.approx(np.eye(many.shape[1]), abs=1e-12)
    assert np.abs(many[:, : few.shape[1]]) == pytest.approx(np.abs(few), abs=1e-12)
    assert np.array_equal(components(1.0), np.eye(30))
    # On currents that were not looked at.
    net = target_network(SINE, 30, dt=DT, rng=0)
    stream, run = told_run(net, n_trials=20)
    ((_, currents),) = run.currents(stream)
    currents = currents[1000:].astype(np.float64)
    for weights, share in ((many, 0.999), (few, 0.8)):
        explained = np.sum((currents @ weights) ** 2) / np.sum(currents**2)
        assert explained > share - 0.02


def test_a_target_network_that_is_told_nothing_is_refused():
    net = target_network(SINE, 30, g=0.0, dt=DT, rng=0)
    net = type(net)(net.recurrent, np.zeros_like(net.input), net.output, tau=0.010, dt=DT)
    with pytest.raises(FitError, match="currents of the target network are 0 or not finite"):
        components(0.9, net)
