"""Dual task: an association across a delay in which something else is decided."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tasks import DualTask


def test_the_pairs_asked_for_and_go_ask_for_a_response():
    trials = DualTask().sample(80, rng=0)
    pair = np.char.add(trials["sample"].values, trials["test"].values)
    assert (trials["target_choice"].values == np.where(np.isin(pair, ["AC", "BD"]), 1, -1)).all()
    go = trials["distractor"].values == "go"
    assert (trials["target_distractor_choice"].values == np.where(go, 1, -1)).all()
    # Nothing in the sample, the test or the distractor alone tells the answer.
    for column in ("sample", "test", "distractor"):
        for value in np.unique(trials[column]):
            assert trials["target_choice"].values[trials[column].values == value].mean() == 0


def test_both_decisions_are_read_apart():
    task = DualTask()
    trials = task.sample(16, rng=0)
    step = trials["step_time"] + trials["start_time"] + 0.005
    late = step > trials["test_on_time"]
    output = xr.where(late, trials["target_choice"], -trials["target_distractor_choice"])
    behavior = task.response(output.expand_dims("output"), trials)
    assert (behavior["correct"] == 1).all()
    assert (behavior["distractor_correct"] == 0).all()
    assert (behavior["distractor_choice"] == -trials["target_distractor_choice"]).all()


def test_without_a_distractor_nothing_is_shown_or_asked_in_between():
    task = DualTask(distractors=("go", "none"), stimulus_noise=0.0)
    trials = task.sample(16, rng=0)
    none = trials["distractor"].values == "none"
    step = trials["step_time"] + trials["start_time"] + 0.005
    between = ((step > trials["sample_off_time"]) & (step < trials["test_on_time"])).values
    assert none.sum() == 8
    assert (trials["inputs"].values.sum(axis=0) * between)[:, none].sum() == 0
    assert not (trials["mask"].values & between)[:, none].any()
    assert (trials["mask"].values & between)[:, ~none].any(axis=0).all()
    behavior = task.response(trials["target"], trials)
    assert np.isnan(behavior["distractor_correct"].values[none]).all()
    assert np.isnan(behavior["distractor_choice"].values[none]).all()
    assert (behavior["distractor_correct"].values[~none] == 1).all()


def test_every_stimulus_has_its_channel_and_its_duration():
    task = DualTask(stimulus_noise=0.0)
    trials = task.sample(24, rng=0)
    assert task.stimuli == ("A", "B", "C", "D", "go", "nogo")
    integral = trials["inputs"].sum("step_time").values * 0.01
    for channel, name in enumerate(task.stimuli):
        shown = sum((trials[c].values == name) * 1.0 for c in ("sample", "test", "distractor"))
        assert np.allclose(integral[channel], shown)


def test_a_stimulus_may_be_sample_and_test():
    task = DualTask(pairs=(("A", "A"), ("A", "B")), respond_to=(("A", "A"),))
    assert task.stimuli == ("A", "B", "go", "nogo")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"respond_to": (("A", "E"),)}, r"respond_to may hold pairs of \('A', 'C'\).*'E'"),
        ({"respond_to": "AC"}, "respond_to may hold pairs of"),
        ({"distractors": ("stop",)}, "distractors may hold 'go', 'nogo', 'none', found 'stop'"),
        ({"pairs": (("go", "C"),), "respond_to": ()}, "'go' and 'nogo' have channels of their own"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        DualTask(**arguments)
