"""Flip-flop: outputs hold the sign of the last pulse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from popdyn.errors import TensorError
from popdyn.tasks import FlipFlop


def held(pulses):
    """Slow and plain: walk through the steps and remember."""
    target = np.zeros_like(pulses)
    for bit, trial in np.ndindex(pulses.shape[0], pulses.shape[2]):
        memory = 0.0
        for step, value in enumerate(pulses[bit, :, trial]):
            memory = np.sign(value) if value else memory
            target[bit, step, trial] = memory
    return target


@settings(max_examples=40, deadline=None)
@given(
    n_bits=st.integers(1, 4),
    p=st.floats(0.05, 1.0),
    first=st.booleans(),
    dt=st.sampled_from([0.005, 0.01, 0.02]),
    width=st.sampled_from([0.02, 0.06, 0.1]),
    seed=st.integers(0, 99),
)
def test_the_target_is_the_sign_of_the_last_pulse(n_bits, p, first, dt, width, seed):
    task = FlipFlop(
        n_bits=n_bits, pulse_probability=p, n_slots=12, start_with_pulse=first, pulse_duration=width
    )
    trials = task.sample(3, rng=seed, dt=dt)
    assert (trials["target"].values == held(trials["inputs"].values)).all()
    integral = np.abs(trials["inputs"]).sum(["channel", "step_time"]) * dt
    assert np.allclose(integral, trials["n_pulses"] * width)
    assert (trials["target"].values[:, 0] != 0).all() or not first


def test_pulses_come_as_often_as_chance_says_with_either_sign():
    trials = FlipFlop(pulse_probability=0.25, n_slots=64).sample(100, rng=0, dt=0.1)
    pulses = trials["inputs"].values
    n = pulses.size
    assert trials.sizes["step_time"] == 64
    assert abs((pulses != 0).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / n)
    assert abs((pulses > 0).mean() - 0.125) < 4 * np.sqrt(0.125 * 0.875 / n)
    assert len(np.unique(trials["target_choice"].dropna("trial"))) == 8


def test_the_choice_is_the_corner_in_which_the_bits_end():
    task = FlipFlop()
    trials = task.sample(30, rng=0)
    last = trials["target"].values[:, -1]
    corner = (last[0] > 0) * 1 + (last[1] > 0) * 2 + (last[2] > 0) * 4
    behavior = task.response(trials["target"], trials)
    assert (behavior["choice"].values == corner).all()
    assert np.array_equal(behavior["choice"], trials["target_choice"])
    assert np.allclose(behavior["response"], 0)


def test_outputs_have_time_to_settle_after_a_flip():
    task = FlipFlop(settling_duration=0.3)
    trials = task.sample(20, rng=0)
    target = trials["target"]
    late = target.shift(step_time=29, fill_value=0.0)
    assert (task.response(late, trials)["correct"] == 1).all()
    too_late = target.shift(step_time=31, fill_value=0.0)
    assert (task.response(too_late, trials)["correct"] < 1).all()
    impatient = FlipFlop(settling_duration=0.0)
    assert (impatient.response(late, trials)["correct"] < 1).all()


def test_correct_is_the_share_of_steps_in_which_all_bits_are_right():
    task = FlipFlop(
        n_bits=2, n_slots=4, pulse_probability=0.0, start_with_pulse=True, settling_duration=0.0
    )
    trials = task.sample(6, rng=0)
    output = trials["target"].copy()
    output[0, :10] *= -1
    output[1, 5:20] *= -1
    assert np.allclose(task.response(output, trials)["correct"], 0.5)


def test_bits_never_set_are_not_judged():
    task = FlipFlop(n_slots=2, pulse_probability=0.01)
    trials = task.sample(20, rng=0)
    silent = trials["n_pulses"].values == 0
    assert silent.any()
    correct = task.response(trials["target"], trials)["correct"].values
    assert np.isnan(correct[silent]).all()
    assert np.isnan(trials["target_choice"].values[silent]).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_bits": 0}, "n_bits must be a whole number of at least 1, found 0"),
        ({"n_slots": 2.5}, "n_slots must be a whole number of at least 1, found 2.5"),
        ({"n_bits": True}, "n_bits must be a whole number"),
        ({"pulse_probability": 1.5}, "pulse_probability must be at most 1, found 1.5"),
        ({"pulse_probability": 0}, "pulse_probability of 0 makes trials without a pulse"),
        ({"pulse_duration": 0.2}, "must not be longer than slot_duration of 0.1 s"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        FlipFlop(**arguments)


def test_slots_shorter_than_a_step_are_refused():
    with pytest.raises(
        TensorError, match=r"slot_duration of 0.1 s is shorter than one step of dt=0.3"
    ):
        FlipFlop().sample(2, dt=0.3)
