"""Oscillation: published sums of sines, and how far an output is from them."""

from __future__ import annotations

import numpy as np
import pytest

from popdyn.errors import TensorError
from popdyn.tasks import Oscillation


def test_the_force_target_is_the_published_sum():
    task = Oscillation("force", oscillation_duration=2.4, pulse_amplitude=0)
    trials = task.sample(2, dt=0.001)
    # Sussillo and Abbott's target in units of 10 ms, at the end of each step.
    t = (np.arange(2400) + 1) * 0.1
    wave = 1.3 / 1.5 * np.sin(np.pi * t / 60) + 1.3 / 3 * np.sin(2 * np.pi * t / 60)
    wave += 1.3 / 9 * np.sin(3 * np.pi * t / 60) + 1.3 / 4.5 * np.sin(4 * np.pi * t / 60)
    assert np.allclose(trials["target"].values[0, :, 1], wave, atol=1e-9)
    assert task.period == pytest.approx(1.2)
    assert (trials["inputs"] == 0).all()


def test_the_full_force_target_is_four_equal_sines_with_a_maximum_of_one():
    task = Oscillation()
    trials = task.sample(1, dt=0.001)
    t = (np.arange(1000) + 1) * 0.001
    wave = sum(np.sin(2 * np.pi * f * t) for f in (1, 2, 3, 5))
    assert np.allclose(trials["target"].values[0, :, 0], wave / wave.max(), atol=2e-6)
    assert task.target(np.linspace(0, 1, 200001)).max() == pytest.approx(1, abs=1e-6)
    assert task.period == pytest.approx(1)


@pytest.mark.parametrize("dt", [0.001, 0.01, 0.02])
def test_the_pulse_starts_the_trial(dt):
    trials = Oscillation().sample(3, dt=dt)
    assert np.allclose(trials["inputs"].sum("step_time") * dt, 0.5 * 0.05)
    assert (trials["inputs"].sel(step_time=slice(0.06, None)) == 0).all()
    assert trials["mask"].all()


def test_trials_without_a_pause_follow_each_other_in_phase():
    task = Oscillation("force", oscillation_duration=1.2, pulse_amplitude=0)
    trials = task.sample(3)
    stream = trials["target"].values[0].T.ravel()
    assert np.allclose(stream, task.target((np.arange(360) + 1) * 0.01))
    assert np.allclose(trials["start_time"], [0, 1.2, 2.4])


def test_the_error_is_that_of_the_first_period_over_the_variance():
    task = Oscillation([(2.0, 1.0)], oscillation_duration=2.0)
    trials = task.sample(4)
    wave = trials["target"]
    drifts = wave.copy()
    drifts[:, 50:] = 7.0
    assert np.allclose(task.response(drifts, trials)["response"], 0)
    assert np.allclose(task.response(1.1 * wave, trials)["response"], 0.01)
    assert np.allclose(task.response(0 * wave, trials)["response"], 1)
    # A constant 0.5 beside it adds 0.25 to a variance of 0.5.
    assert np.allclose(task.response(wave + 0.5, trials)["response"], 0.5)
    near, far = task.response(0.7 * wave, trials), task.response(0.6 * wave, trials)
    assert (near["correct"] == 1).all()
    assert (far["correct"] == 0).all()


def test_trials_shorter_than_a_period_are_judged_as_a_whole():
    task = Oscillation([(1.0, 1.0), (np.sqrt(2), 1.0)], oscillation_duration=(0.3, 0.6))
    trials = task.sample(5, rng=0)
    assert np.isinf(task.period)
    output = trials["target"].copy()
    output[0, 20:] = 0
    error = task.response(output, trials)["response"].values
    assert (error > 0).all()
    n_steps = np.rint(trials["oscillation_duration"].values / 0.01).astype(int)
    for k, n in enumerate(n_steps):
        wave = trials["target"].values[0, :n, k]
        assert error[k] == pytest.approx((wave[20:] ** 2).mean() / wave.var() * (n - 20) / n)


def test_phases_shift_a_sine():
    task = Oscillation([(1.0, 2.0, np.pi / 2)])
    assert task.target([0.0, 0.25, 0.5]) == pytest.approx([2, 0, -2])
    assert task.sines == ((1.0, 2.0, np.pi / 2),)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sines": "forse"}, "sines must be 'full_force' or 'force', found 'forse'; did you mean"),
        ({"sines": ()}, r"or a list of \(frequency in Hz, amplitude\)"),
        ({"sines": [(0.0, 1.0)]}, "or a list of"),
        ({"sines": [(1.0, np.nan)]}, "or a list of"),
        ({"sines": [(1.0,)]}, "or a list of"),
        ({"sines": [1.0, 2.0]}, "or a list of"),
        ({"sines": [(1.0, 0.0)]}, "at least one of sines must have an amplitude other than 0"),
        ({"tolerance": 0}, "tolerance must be positive"),
        ({"pulse_duration": 0}, "pulse_duration must be positive"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        Oscillation(**arguments)


def test_steps_too_long_for_the_fastest_sine_are_refused():
    with pytest.raises(
        TensorError, match=r"dt=0.2 s is longer than half a period of 5 Hz: use .* 0.1 s"
    ):
        Oscillation().sample(1, dt=0.2)
