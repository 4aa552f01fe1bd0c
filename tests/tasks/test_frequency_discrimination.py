"""Frequency discrimination: the published set, three codings, noisy senses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from popdyn.errors import TensorError
from popdyn.tasks import FrequencyDiscrimination


def test_the_first_frequency_has_the_published_distribution():
    trials = FrequencyDiscrimination().sample(200, rng=0)
    frequency, counts = np.unique(trials["stimulus"].values, return_counts=True)
    assert frequency.tolist() == [10, 14, 18, 22, 26, 30, 34]
    assert (counts / 200).tolist() == [0.1, 0.1, 0.2, 0.2, 0.2, 0.1, 0.1]
    assert (abs(trials["stimulus"] - trials["stimulus_2"]) == 8).all()
    assert (trials["target_choice"] == np.sign(trials["stimulus_2"] - trials["stimulus"])).all()


@settings(max_examples=30, deadline=None)
@given(
    dt=st.sampled_from([0.001, 0.005, 0.007, 0.02]),
    coding=st.sampled_from(["current", "centered", "opponent"]),
)
def test_inputs_are_the_coded_frequencies_for_as_long_as_stimuli_last(dt, coding):
    task = FrequencyDiscrimination(coding=coding, sensory_noise=2.0, delay_duration=(0.5, 1.0))
    trials = task.sample(9, rng=0, dt=dt)
    integral = trials["inputs"].sum("step_time").values * dt
    lasting = trials["stimulus_duration"].values, trials["stimulus_2_duration"].values
    shown = trials["measured_stimulus"].values, trials["measured_stimulus_2"].values
    codes = {
        "current": [lambda f: 0.8 + 0.4 * (f - 22) / 12],
        "centered": [lambda f: (f - 22) / 24],
        "opponent": [lambda f: 0.4 + 0.8 * (f - 10) / 24, lambda f: 0.4 + 0.8 * (34 - f) / 24],
    }[coding]
    assert len(integral) == len(codes)
    for channel, code in zip(integral, codes, strict=True):
        expected = sum(code(f) * t for f, t in zip(shown, lasting, strict=True))
        assert np.allclose(channel, expected)
    assert np.allclose(lasting, 0.5, atol=dt / 2 + 1e-9)


def test_a_frequency_is_the_same_input_in_every_set():
    own = FrequencyDiscrimination(((22, 30), (30, 22))).sample(4, rng=0)
    assert set(np.unique(own["inputs"].values).round(9)) == {0.0, 0.8, round(0.8 + 0.4 * 8 / 12, 9)}


def test_the_senses_err_in_hertz_or_by_a_share_of_the_frequency():
    quick = {"delay_duration": 0.1, "stimulus_duration": 0.1, "stimulus_2_duration": 0.1}
    task = FrequencyDiscrimination(
        ((20.0, 30.0),), sensory_noise=(5.0, 1.0), weber=(0, 0.1), **quick
    )
    trials = task.sample(4000, rng=0, dt=0.02)
    for column, mean, std in (
        ("measured_stimulus", 20, 5.0),
        ("measured_stimulus_2", 30, np.hypot(1, 3)),
    ):
        assert trials[column].mean() == pytest.approx(mean, abs=4 * std / np.sqrt(4000))
        assert trials[column].std() == pytest.approx(std, rel=0.05)
    assert (trials["stimulus"] == 20).all()


def test_equal_frequencies_have_no_right_choice():
    task = FrequencyDiscrimination(((20, 20), (20, 28)))
    trials = task.sample(10, rng=0)
    correct = task.response(trials["target"] + 1.0, trials)["correct"].values
    assert np.isnan(correct).sum() == 5


def test_noise_is_added_to_every_channel_all_the_time():
    task = FrequencyDiscrimination(coding="opponent", stimulus_noise=0.05, fixation_duration=1.0)
    fixation = task.sample(50, rng=0, dt=0.01)["inputs"].values[:, :100]
    assert fixation.std(axis=(1, 2)) == pytest.approx([0.05 * np.sqrt(2)] * 2, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"stimuli": "romeo"},
            "stimuli must be 'romo', or a list of your own.*did you mean 'romo'",
        ),
        ({"coding": "rate"}, "'current' or 'centered' or 'opponent', found 'rate'"),
        ({"frequency_range": (34, 10)}, "frequency_range must rise from low to high"),
        ({"frequency_range": 34}, r"frequency_range must be \(low, high\) in Hz, found 34"),
        ({"frequency_range": (10, "x")}, "frequency_range must be zero or positive, found 'x'"),
        ({"stimulus_noise": -1}, "stimulus_noise must be zero or positive"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        FrequencyDiscrimination(**arguments)
