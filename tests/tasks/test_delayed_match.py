"""Delayed match: the same or not, after a delay of any length."""

from __future__ import annotations

import json

import numpy as np
import pytest

from popdyn.errors import TensorError
from popdyn.tasks import DelayedMatch


def test_a_match_is_the_same_sample_and_test():
    trials = DelayedMatch().sample(80, rng=0)
    match = trials["sample"].values == trials["test"].values
    assert (trials["target_choice"].values == np.where(match, 1, -1)).all()
    assert match.sum() == 40
    assert json.loads(trials.attrs["n_trials_by_condition"]) == {
        "A, A": 20,
        "A, B": 20,
        "B, A": 20,
        "B, B": 20,
    }


def test_delays_are_uniform():
    trials = DelayedMatch().sample(2000, rng=0, dt=0.02)
    delay = np.sort(trials["delay_duration"].values)
    expected = 0.5 + 2.5 * (np.arange(2000) + 0.5) / 2000
    # Kolmogorov's distance at p = 0.001 is 1.95 / sqrt(2000).
    assert np.abs(delay - expected).max() / 2.5 < 1.95 / np.sqrt(2000) + 0.01


def test_each_stimulus_has_its_channel():
    task = DelayedMatch(stimulus_noise=0.0)
    trials = task.sample(12, rng=0)
    assert task.stimuli == ("A", "B")
    step = trials["step_time"] + trials["start_time"] + 0.005
    for channel, name in enumerate(task.stimuli):
        shown = (step > trials["sample_on_time"]) & (step < trials["sample_off_time"])
        shown = shown & (trials["sample"] == name)
        tested = (step > trials["test_on_time"]) & (step < trials["decision_time"])
        expected = shown | (tested & (trials["test"] == name))
        assert (trials["inputs"][channel] == expected).all()


def test_pairs_of_your_own_bring_channels_and_weights():
    task = DelayedMatch(pairs=[["C", "C", 3], ["A", "C", 1]], delay_duration=0.1)
    trials = task.sample(40, rng=0)
    assert task.stimuli == ("C", "A")
    assert (trials["target_choice"] == 1).sum() == 30
    assert trials.sizes["channel"] == 2


def test_unbalanced_pairs_come_as_often_as_chance_says():
    short = dict.fromkeys(
        [f"{n}_duration" for n in ("fixation", "sample", "delay", "test", "decision")], 0.01
    )
    trials = DelayedMatch(balanced=False, **short).sample(4000, rng=0)
    for pair in (("A", "A"), ("A", "B")):
        share = ((trials["sample"] == pair[0]) & (trials["test"] == pair[1])).values.mean()
        assert share != 0.25
        assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ((), "pairs must be a list of pairs of names"),
        ("AB", "pairs must be a list of pairs of names"),
        ((("A",),), r"pairs must hold pairs of names.*found \('A',\)"),
        ((("A", 1),), "pairs must hold pairs of names"),
        ((("A", "B", -1),), "followed by a positive weight"),
        ((("A", ""),), "pairs must hold pairs of names"),
        ((("A", "B"), ("A", "B", 2)), r"each of pairs must be there once \(give weights instead\)"),
    ],
)
def test_what_is_no_pair_is_refused(pairs, words):
    with pytest.raises(TensorError, match=words):
        DelayedMatch(pairs=pairs)
