"""Detection: faint stimuli at unknown times, reports, and what they are worth."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tasks import Detection, task_of


def test_half_of_the_trials_have_one_of_nine_amplitudes():
    trials = Detection().sample(90, rng=0)
    amplitude, counts = np.unique(trials["stimulus"].values, return_counts=True)
    assert counts.tolist() == [45] + [5] * 9
    assert np.allclose(amplitude[1:], np.logspace(-1, 0, 9), atol=1e-4)
    assert json.loads(trials.attrs["n_trials_by_condition"])["0"] == 45


def test_the_stimulus_comes_anywhere_in_its_window_and_only_if_present():
    trials = Detection(stimulus_noise=0.0).sample(2000, rng=0, dt=0.02)
    onset = (trials["stimulus_on_time"] - trials["start_time"]).values
    present = trials["stimulus"].values > 0
    assert (np.isfinite(onset) == present).all()
    assert np.nanmin(onset) >= 1.5 - 0.011
    assert np.nanmax(onset) <= 3.5 + 0.011
    assert np.nanmean(onset) == pytest.approx(2.5, abs=4 * 2 / np.sqrt(12 * 1000))
    assert np.allclose(trials["inputs"].values[1].sum(axis=0) * 0.02, 0.3 * trials["stimulus"])
    assert np.allclose(trials["inputs"].values[0].sum(axis=0) * 0.02, 0.1)


@pytest.mark.parametrize("dt", [0.001, 0.007, 0.02])
def test_the_report_comes_at_the_same_time_whether_there_was_a_stimulus_or_not(dt):
    trials = Detection().sample(30, rng=0, dt=dt)
    report = (trials["decision_time"] - trials["start_time"]).values
    assert np.allclose(report, report[0])
    assert report[0] == pytest.approx(3.5 + 0.3 + 3.0, abs=1.5 * dt)
    step = trials["step_time"].values[:, None]
    stop = (trials["stop_time"] - trials["start_time"]).values
    inside = (step > report - dt / 2) & (step < stop - dt / 2)
    right = np.where(trials["stimulus"] > 0, 1.0, -1.0)
    assert (trials["mask"].values == inside).all()
    assert (trials["target"].values[0] == inside * right).all()


def as_output(trials, values):
    steps = np.broadcast_to(values, trials["mask"].shape)
    return xr.DataArray(steps[None] * 1.0, dims=("output", "step_time", "trial"))


@pytest.mark.parametrize("no_target", [-1.0, 0.0])
def test_outcomes_are_those_of_signal_detection(no_target):
    task = Detection(no_target=no_target)
    trials = task.sample(40, rng=0)
    present = trials["stimulus"].values > 0
    says_yes = np.arange(40) % 3 == 0
    high = np.where(says_yes, 0.6, no_target + 0.1)
    behavior = task.response(as_output(trials, np.where(trials["mask"].values, high, 77)), trials)
    words = {
        (True, True): "hit",
        (True, False): "miss",
        (False, True): "false alarm",
        (False, False): "correct rejection",
    }
    expected = [words[pair] for pair in zip(present.tolist(), says_yes.tolist(), strict=True)]
    assert behavior["outcome"].values.tolist() == expected
    assert (behavior["choice"].values == np.where(says_yes, 1, -1)).all()
    assert (behavior["correct"].values == (present == says_yes)).all()


def test_no_choice_has_no_outcome():
    task = Detection()
    trials = task.sample(4, rng=0)
    behavior = task.response(as_output(trials, 0.0), trials)
    assert set(behavior["outcome"].values.tolist()) == {""}
    assert np.isnan(behavior["choice"]).all()


def test_a_go_cue_comes_with_the_report():
    trials = Detection(go_cue=True).sample(3, rng=0)
    cue = trials["inputs"].values[0]
    at = np.flatnonzero(np.diff(cue[:, 0], prepend=0) > 0) * 0.01
    assert at == pytest.approx([0.0, float(trials["decision_time"][0] - trials["start_time"][0])])


def test_noise_is_on_the_stimulus_channel_alone():
    trials = Detection(stimulus_noise=0.2).sample(50, rng=0, dt=0.01)
    assert trials["inputs"].values[1, :150].std() == pytest.approx(0.2 * np.sqrt(2), rel=0.05)
    assert set(np.unique(trials["inputs"].values[0])) == {0.0, 1.0}


def test_own_amplitudes_and_shares():
    task = Detection(stimuli=(0.5, (1.0, 3)), absent_fraction=0.2, onset=1.0)
    trials = task.sample(50, rng=0)
    values, counts = np.unique(trials["stimulus"].values, return_counts=True)
    assert dict(zip(values, counts, strict=True)) == {0.0: 10, 0.5: 10, 1.0: 30}
    assert task_of(trials) == task
    always = Detection(absent_fraction=0.0, balanced=False).sample(200, rng=0, dt=0.02)
    assert (always["stimulus"] > 0).all()


def test_independent_trials_come_as_often_as_chance_says():
    stimulus = Detection(balanced=False).sample(3000, rng=0, dt=0.05)["stimulus"].values
    share = (stimulus == 0).mean()
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / 3000)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stimuli": "log"}, "stimuli must be 'logarithmic', or a list"),
        ({"stimuli": (0.0, 1.0)}, "positive and finite"),
        ({"absent_fraction": 1}, "absent_fraction must be below 1, found 1"),
        ({"absent_fraction": -0.1}, "absent_fraction must be zero or positive"),
        ({"no_target": 0.5}, "no_target must be -1 or 0, found 0.5"),
        ({"onset": ("exponential", 1, 2)}, r"onset must be seconds or \(earliest, latest\)"),
        ({"onset": 0.1}, r"cue_duration \(0.1 s\) must end before the earliest onset \(0.1 s\)"),
        ({"mask": "report"}, "mask must be 'response' or 'trial'"),
        ({"report_duration": 0}, "report_duration must be a positive number of seconds"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        Detection(**arguments)
