"""Parametric working memory: two frequencies and their difference."""

from __future__ import annotations

import json

import numpy as np
import pytest

from popdyn.errors import TensorError
from popdyn.tasks import ParametricWorkingMemory
from popdyn.tasks.parametric_working_memory import STIMULI


def test_the_published_pairs_differ_by_8_16_or_24_hz_within_10_to_34():
    first, second = np.array(STIMULI).T
    assert len(STIMULI) == 2 * (17 + 9 + 1)
    assert set(np.abs(second - first)) == {8, 16, 24}
    assert (first.min(), first.max(), second.min(), second.max()) == (10, 34, 10, 34)
    assert {(b, a) for a, b in STIMULI} == set(STIMULI)


def test_the_target_is_the_difference_in_units_of_the_span():
    trials = ParametricWorkingMemory().sample(108, rng=0)
    difference = (trials["stimulus"] - trials["stimulus_2"]) / 24
    assert np.allclose(
        trials["target"].where(trials["mask"]).max(["output", "step_time"]), difference
    )
    assert np.allclose(
        trials["target"].where(trials["mask"]).min(["output", "step_time"]), difference
    )
    assert (trials["target_choice"] == np.sign(difference)).all()
    assert set(json.loads(trials.attrs["n_trials_by_condition"]).values()) == {2}


@pytest.mark.parametrize("dt", [0.005, 0.01, 0.02])
def test_each_pulse_is_its_frequency_times_its_duration(dt):
    trials = ParametricWorkingMemory(stimulus_noise=0.0).sample(54, rng=0, dt=dt)
    step = trials["step_time"] + trials["start_time"] + dt / 2
    first = trials["inputs"][0].where(step < trials["stimulus_off_time"], 0).sum("step_time") * dt
    both = trials["inputs"][0].sum("step_time") * dt
    assert np.allclose(first, (trials["stimulus"] - 22) / 24 * 0.1)
    assert np.allclose(both - first, (trials["stimulus_2"] - 22) / 24 * 0.1)


def test_delays_are_uniform():
    trials = ParametricWorkingMemory().sample(2000, rng=0)
    delay = trials["delay_duration"].values
    assert (delay.min(), delay.max()) == pytest.approx((0.5, 1.0), abs=0.011)
    assert delay.mean() == pytest.approx(0.75, abs=4 * 0.5 / np.sqrt(12 * 2000))
    assert np.var(delay) == pytest.approx(0.25 / 12, rel=0.1)


def test_the_senses_err_once_per_stimulus_and_the_target_knows_better():
    task = ParametricWorkingMemory(sensory_noise=(5.0, 0.0), weber=(0.0, 0.1), stimulus_noise=0.0)
    trials = task.sample(2000, rng=0)
    first = (trials["measured_stimulus"] - trials["stimulus"]).values
    second = ((trials["measured_stimulus_2"] - trials["stimulus_2"]) / trials["stimulus_2"]).values
    assert first.std() == pytest.approx(5.0, rel=0.07)
    assert second.std() == pytest.approx(0.1, rel=0.07)
    step = trials["step_time"] + trials["start_time"] + 0.005
    shown = trials["inputs"][0].where(step < trials["stimulus_off_time"], 0).sum("step_time") * 0.01
    assert np.allclose(shown, (trials["measured_stimulus"] - 22) / 24 * 0.1)
    assert (trials["target_choice"] == np.sign(trials["stimulus"] - trials["stimulus_2"])).all()


def test_weights_say_how_often_a_pair_comes():
    task = ParametricWorkingMemory(stimuli=[(10, 18, 3), (18, 10, 1)])
    assert task.stimuli == ((10, 18, 3), (18, 10, 1))
    assert (task.sample(40, rng=0)["stimulus"] == 10).sum() == 30


def test_equal_frequencies_have_no_right_answer():
    task = ParametricWorkingMemory(stimuli=[(20, 20), (20, 30)])
    trials = task.sample(10, rng=0)
    assert (trials["target_choice"] == 0).sum() == 5
    assert np.isnan(task.response(trials["target"], trials)["correct"]).sum() == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stimuli": ()}, r"stimuli must be a list of \(first frequency \(Hz\), second"),
        ({"stimuli": [(10, 18), (10, 18)]}, "each of stimuli must be there once"),
        ({"stimuli": [(10,)]}, "stimuli must be a list of"),
        ({"stimuli": [(10, 18, 0)]}, "weights must be positive"),
        ({"stimuli": "romo"}, "found 'romo'"),
        ({"weber": (0.1,)}, "weber must be one number or 2 of them"),
        ({"span": 0}, "span must be positive, found 0"),
        ({"center": "middle"}, "center must be zero or positive, found 'middle'"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        ParametricWorkingMemory(**arguments)
