"""Strengths as the senses measure them: what is shown, to whom, and what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.tasks.registry import TASKS

# The seconds in which each task shows a strength, and the channels that do.
SHOWN = {
    "Detection": (0.3, [1]),
    "PerceptualDecision": (0.8, [0]),
    "ContextDecision": (0.8, [0, 1]),
    "MultisensoryDecision": (0.8, [0, 1]),
}
TWO = ("ContextDecision", "MultisensoryDecision")
COLUMNS = ("stimulus", "stimulus_2")
EVERY = pytest.mark.parametrize("name", SHOWN)


def errors(trials, column):
    return (trials[f"measured_{column}"] - trials[column]).values


@EVERY
def test_inputs_carry_what_was_measured_as_long_as_a_stimulus_lasts(name):
    seconds, channels = SHOWN[name]
    trials = TASKS[name](stimulus_noise=0.0, sensory_noise=0.3, weber=0.2).sample(40, rng=0)
    for channel, column in zip(channels, COLUMNS, strict=False):
        integral = trials["inputs"].values[channel].sum(axis=0) * 0.01
        assert np.allclose(integral, seconds * trials[f"measured_{column}"])
        assert errors(trials, column).std() > 0.1


@EVERY
def test_errors_of_the_senses_change_nothing_else(name):
    arguments = {"inter_trial": (0.5, 1.5), "delay_duration": (0.1, 0.4)}
    generators = [np.random.Generator(np.random.SFC64(4)) for _ in range(2)]
    exact = TASKS[name](**arguments).sample(30, generators[0])
    erring = TASKS[name](**arguments, sensory_noise=5.0, weber=0.5).sample(30, generators[1])
    assert generators[0].random() == generators[1].random()
    measured = [column for column in exact.coords if str(column).startswith("measured_")]
    assert len(measured) == len(SHOWN[name][1])
    for column in measured:
        assert exact[column].equals(exact[str(column).removeprefix("measured_")])
        assert not exact[column].equals(erring[column])
    same = ["inputs", *measured]
    assert exact.drop_vars(same).equals(erring.drop_vars(same))
    # The noise is the same, too, wherever no stimulus is.
    step = exact["step_time"] + exact["start_time"] + 0.005
    on = (step > exact["stimulus_on_time"]) & (step < exact["stimulus_off_time"])
    before, after = (trials["inputs"].values[:, ~on.values] for trials in (exact, erring))
    assert (before == after).all()
    assert (before != 0).any()
    behavior = TASKS[name]().response(erring["target"], erring)
    assert (behavior["correct"] == 1).all()


@pytest.mark.parametrize(
    ("name", "channel", "step", "trial", "strength", "value", "start"),
    [
        ("Detection", 1, 300, 3, 0.5623, 0.6294714547516658, 32.91),
        ("PerceptualDecision", 0, 13, 4, 0.1, 0.2806403386594145, 8.04),
        ("ContextDecision", 1, 48, 4, None, 0.4055276757912904, 9.89),
        ("MultisensoryDecision", 1, 48, 4, None, 0.5324599905524883, 8.71),
    ],
)
def test_trials_without_errors_are_those_drawn_before_there_were_any(
    name, channel, step, trial, strength, value, start
):
    trials = TASKS[name](inter_trial=(0.5, 1.5)).sample(5, rng=3)
    assert strength in (None, float(trials["stimulus"][trial]))
    assert trials["inputs"].values[channel, step, trial] == pytest.approx(value, abs=1e-12)
    assert float(trials["start_time"][4]) == pytest.approx(start)


@pytest.mark.parametrize("name", TWO)
def test_each_of_two_strengths_has_an_error_of_its_own(name):
    quick = {"stimulus_duration": 0.02, "delay_duration": 0.02, "inter_trial": 0.0}
    both = {"modalities": ("both",)} if name == "MultisensoryDecision" else {}
    task = TASKS[name](sensory_noise=(0.3, 0.1), weber=(0.0, 0.5), **quick, **both)
    trials = task.sample(6000, rng=0, dt=0.02)
    first, second = (errors(trials, column) for column in COLUMNS)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(6000)
    assert first.std() == pytest.approx(0.3, rel=4 / np.sqrt(2 * 6000))
    for strength in (-0.4, 0.1):
        there = second[trials["stimulus_2"].values == strength]
        std = np.sqrt(0.1**2 + (0.5 * strength) ** 2)
        assert there.std() == pytest.approx(std, rel=4 / np.sqrt(2 * len(there)))
    assert pdn.tasks.task_of(trials) == task


def test_the_choices_of_one_who_reads_what_is_shown_are_a_normal_curve():
    task = pdn.tasks.PerceptualDecision(sensory_noise=0.2, weber=0.3, stimulus_noise=0.0)
    trials = task.sample(9000, rng=0, dt=0.02)
    summed = trials["inputs"].rename(channel="output").sum("step_time") * trials["mask"]
    output = summed.transpose("output", "step_time", "trial")
    correct = task.response(output, trials)["correct"]
    for strength in task.stimuli:
        there = correct.values[trials["stimulus"].values == strength]
        share = norm.cdf(abs(strength) / np.hypot(0.2, 0.3 * strength))
        assert there.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 1500))


def test_senses_do_not_err_about_what_is_not_there():
    detection = pdn.tasks.Detection(sensory_noise=1.0).sample(60, rng=0)
    absent = detection["stimulus"].values == 0
    assert (detection["measured_stimulus"].values[absent] == 0).all()
    assert (detection["measured_stimulus"].values[~absent] != 0).all()
    senses = pdn.tasks.MultisensoryDecision(sensory_noise=1.0, catch_fraction=0.2)
    trials = senses.sample(90, rng=0)
    for column, sense in zip(COLUMNS, ("visual", "auditory"), strict=True):
        there = np.isin(trials["modality"].values, (sense, "both"))
        wrong = errors(trials, column)
        assert (wrong[there] != 0).all()
        assert (wrong[~there & (trials["modality"].values != "")] == 0).all()
        assert np.isnan(wrong[trials["modality"].values == ""]).all()


@pytest.mark.parametrize("name", ["PerceptualDecision", *TWO])
def test_catch_trials_show_nothing_but_a_strength_of_zero_is_shown(name):
    task = TASKS[name](
        stimuli=(-0.5, 0.0, 0.5), sensory_noise=0.2, stimulus_noise=0.0, catch_fraction=0.25
    )
    trials = task.sample(80, rng=0)
    catch = np.isnan(trials["stimulus"].values)
    assert catch.sum() == 20
    assert np.isnan(trials["measured_stimulus"].values[catch]).all()
    assert (trials["inputs"].values[..., catch] == 0).all()
    zero = (trials["stimulus"].values == 0) & (trials["inputs"].values[0] != 0).any(axis=0)
    assert zero.sum() >= 10
    assert trials["measured_stimulus"].values[zero].std() == pytest.approx(0.2, rel=0.5)
    asked = trials["target_choice"].values != 0
    correct = task.response(trials["target"], trials)["correct"].values
    assert (np.isfinite(correct) == asked).all()


@EVERY
def test_errors_that_make_no_sense_are_refused(name):
    many = "one number or 2 of them" if name in TWO else "one number, found"
    for field in ("sensory_noise", "weber"):
        with pytest.raises(TensorError, match=f"{field} must be {many}"):
            TASKS[name](**{field: (0.1, 0.1, 0.1)})
        with pytest.raises(TensorError, match=f"{field} must be zero or positive, found -0.1"):
            TASKS[name](**{field: -0.1})
    with pytest.raises(TensorError, match=r"weber is a share of the stimulus, at most 1, found 2"):
        TASKS[name](weber=2)


@pytest.mark.parametrize("name", ["IntervalDiscrimination", "IntervalProduction", "ReadySetGo"])
def test_intervals_that_senses_make_shorter_than_a_pulse_are_said(name):
    make = getattr(pdn.tasks, name)
    make(weber=0.15).sample(200, rng=0)
    with pytest.warns(pdn.PopdynWarning, match=r"% of the intervals shown would be shorter"):
        make(weber=1.0).sample(200, rng=0)
