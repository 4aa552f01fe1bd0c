"""Context decision: the cued channel alone decides."""

from __future__ import annotations

import json

import numpy as np
import pytest

from popdyn.errors import TensorError
from popdyn.tasks import ContextDecision


def test_the_target_is_the_sign_of_the_cued_channel():
    trials = ContextDecision().sample(720, rng=0)
    motion = trials["context"].values == "motion"
    cued = np.where(motion, trials["stimulus"], trials["stimulus_2"])
    other = np.where(motion, trials["stimulus_2"], trials["stimulus"])
    assert (trials["target_choice"].values == np.sign(cued)).all()
    # Half of the trials are in conflict, so that one channel alone is right by chance only.
    assert (np.sign(other) != np.sign(cued)).mean() == 0.5


def test_all_combinations_come_equally_often():
    trials = ContextDecision().sample(144, rng=0)
    counts = json.loads(trials.attrs["n_trials_by_condition"])
    assert len(counts) == 72
    assert set(counts.values()) == {2}
    assert counts["-0.4, 0.1, color"] == 2


def test_unbalanced_conditions_come_as_often_as_chance_says():
    short = dict.fromkeys(
        [f"{n}_duration" for n in ("fixation", "context", "stimulus", "delay", "decision")], 0.01
    )
    trials = ContextDecision(balanced=False, **short).sample(6000, rng=0)
    for column, values in (("context", ("motion", "color")), ("stimulus_2", (-0.4, 0.1))):
        p = 1 / 2 if column == "context" else 1 / 6
        for value in values:
            share = (trials[column].values == value).mean()
            assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / 6000)


def test_inputs_are_two_stimuli_and_a_constant_for_the_context():
    task = ContextDecision(stimulus_noise=0.0, context_strength=0.5)
    trials = task.sample(20, rng=0, dt=0.005)
    integral = trials["inputs"].sum("step_time").values * 0.005
    assert np.allclose(integral[0], 0.8 * trials["stimulus"])
    assert np.allclose(integral[1], 0.8 * trials["stimulus_2"])
    cue = 0.5 * (0.35 + 0.8 + 0.1)
    assert np.allclose(integral[2], cue * (trials["context"] == "motion"))
    assert np.allclose(integral[3], cue * (trials["context"] == "color"))
    step = trials["step_time"] + trials["start_time"] + 0.0025
    cued = (step > trials["context_on_time"]) & (step < trials["decision_time"])
    assert ((trials["inputs"][2] + trials["inputs"][3] == 0.5) == cued).all()


def test_published_constants():
    task = ContextDecision()
    trials = task.sample(1, rng=0)
    lasted = [float(trials[f"{n}_duration"][0]) for n in ("fixation", "context", "stimulus")]
    assert lasted == pytest.approx([0.1, 0.35, 0.8])
    assert float(trials["decision_duration"][0]) == pytest.approx(0.02)
    assert task.stimuli == (-0.4, -0.2, -0.1, 0.1, 0.2, 0.4)
    assert (task.stimulus_noise, task.context_strength) == (0.1, 0.1)


def test_the_context_carries_no_noise():
    trials = ContextDecision(stimulus_noise=0.3).sample(8, rng=0)
    assert set(np.unique(trials["inputs"][2:])) == {0.0, 0.1}


def test_one_context_alone_keeps_the_channels():
    trials = ContextDecision(contexts=["color"]).sample(6, rng=0)
    assert trials.sizes["channel"] == 4
    assert (trials["context"] == "color").all()


def test_a_cued_strength_of_zero_is_a_catch_trial():
    task = ContextDecision(stimuli=(0.0, 0.5))
    trials = task.sample(16, rng=0)
    catch = trials["target_choice"].values == 0
    assert catch.sum() == 8
    assert np.isnan(task.response(trials["target"], trials)["correct"].values[catch]).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stimuli": ()}, "stimuli must be a list of finite numbers"),
        ({"stimuli": ("a", "b")}, "list of finite numbers, found"),
        ({"stimuli": (0.1, 0.1)}, "each of stimuli must be there once"),
        ({"contexts": ("motion", "colour")}, "'colour'; did you mean 'color'?"),
        ({"contexts": ()}, "contexts must hold at least one name"),
        ({"contexts": ("color", "color")}, "each of them once"),
        ({"contexts": 3}, "contexts may hold 'motion', 'color', found 3"),
        ({"context_strength": 0}, "context_strength must be positive, found 0"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        ContextDecision(**arguments)
