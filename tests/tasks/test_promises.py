"""What the docs promise of tasks, held task by task; the first table says who promises what."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn
from popdyn.tasks.registry import TASKS

EVERY = pytest.mark.parametrize("name", sorted(TASKS))
PAGE = Path(__file__).parents[2] / "docs" / "tasks.rst"
# The field that holds the stimulus set; bits and durations are all that a flip-flop has.
SETS = dict.fromkeys(TASKS, "stimuli") | {
    "DelayedMatch": "pairs",
    "DualTask": "pairs",
    "ReadySetGo": "priors",
    "Oscillation": "sines",
}
del SETS["FlipFlop"]
NO_CATCH = {"FlipFlop", "Oscillation", "Detection"}
# The others have stimuli without a size, or none.
SENSES = [
    *("FrequencyDiscrimination", "IntervalDiscrimination", "ParametricWorkingMemory"),
    *("IntervalProduction", "ReadySetGo"),
    *("Detection", "PerceptualDecision", "ContextDecision", "MultisensoryDecision"),
]
SIZELESS = {"DelayedMatch", "DualTask", "FlipFlop", "Oscillation"}
ARGUMENTS = ("balanced", "catch_fraction", "mask", "weber")


def fields(name):
    return {field.name: field for field in dataclasses.fields(TASKS[name])}


def relative(trials):
    names = json.loads(trials.attrs["events"])
    return np.stack([trials[event].values for event in names]) - trials["start_time"].values


@EVERY
def test_the_page_says_which_task_takes_which_argument(name):
    row = re.search(rf"\* - `~popdyn\.tasks\.{name}`((?:\n +- [^\n]*)+)", PAGE.read_text())
    said = re.findall(r"- ([^\n]*)", row.group(1))
    assert said[0].strip("`") == SETS.get(name, "none")
    assert [cell == "yes" for cell in said[1:]] == [word in fields(name) for word in ARGUMENTS]
    assert (name in SENSES) == ("weber" in fields(name)) == ("sensory_noise" in fields(name))
    assert (name in SIZELESS) == (name not in SENSES)
    assert (name not in NO_CATCH) == ("catch_fraction" in fields(name))


@EVERY
def test_every_task_has_a_section_that_says_where_its_numbers_come_from(name):
    section = PAGE.read_text().split(f"(`popdyn.tasks.{name}`)")
    assert len(section) == 2
    assert "source" in section[1].split("*A response*")[0]


@EVERY
def test_the_set_is_plain_data_that_lists_replace(name):
    if name not in SETS:
        return
    task = TASKS[name]()
    rows = getattr(task, SETS[name])
    if isinstance(rows, str):
        module = importlib.import_module(TASKS[name].__module__)
        rows = module.STIMULI[rows]
    assert isinstance(rows, tuple)
    as_lists = json.loads(json.dumps(rows))
    replaced = TASKS[name](**{SETS[name]: as_lists})
    assert isinstance(getattr(replaced, SETS[name]), tuple)
    assert hash(replaced) is not None
    one, other = task.sample(5, rng=2), replaced.sample(5, rng=2)
    assert one["inputs"].equals(other["inputs"])
    assert one["target"].equals(other["target"])
    also = {"respond_to": as_lists[:1]} if name == "DualTask" else {}
    fewer = TASKS[name](**{SETS[name]: as_lists[:1]}, **also).sample(4, rng=0)
    counts = json.loads(fewer.attrs["n_trials_by_condition"])
    assert sum(counts.values()) == 4
    assert len(counts) <= len(json.loads(task.sample(400, dt=0.02).attrs["n_trials_by_condition"]))


@EVERY
def test_durations_are_the_nearest_whole_steps_and_what_came_out_is_said(name):
    dt, task = 0.007, TASKS[name]()
    trials = task.sample(30, rng=0, dt=dt)
    events = relative(trials)
    assert all((np.diff(times[np.isfinite(times)]) > 0).all() for times in events.T)
    n_checked = 0
    for field in fields(name):
        if field not in trials.coords or not field.endswith("_duration"):
            continue
        realised = trials[field].values[np.isfinite(trials[field].values)]
        low, high = np.broadcast_to(getattr(task, field), 2)
        assert np.allclose(realised / dt, np.round(realised / dt))
        assert (realised >= low - dt / 2 - 1e-9).all()
        assert (realised <= high + dt / 2 + 1e-9).all()
        n_checked += 1
    assert n_checked or name == "FlipFlop"


def of_names(trials, durations):
    channels = json.loads(trials["inputs"].attrs["channels"])
    return np.array(
        [
            sum((trials[column].values == channel) * seconds for column, seconds in durations)
            for channel in channels
        ]
    )


def frequencies(trials, scale):
    return sum(scale(trials[name].values) for name in ("stimulus", "stimulus_2"))


# Integral of each input channel over a trial as asked for, dimensionless times seconds.
INTEGRALS = {
    "Detection": lambda t: [0.1, 0.3 * t["stimulus"].values],
    "PerceptualDecision": lambda t: [0.8 * t["stimulus"].values],
    "FrequencyDiscrimination": lambda t: [
        0.5 * frequencies(t, lambda f: 0.8 + 0.8 * (f - 22) / 24)
    ],
    "ParametricWorkingMemory": lambda t: [0.1 * frequencies(t, lambda f: (f - 22) / 24)],
    "IntervalDiscrimination": lambda _: [4 * 0.05],
    "IntervalProduction": lambda _: [2 * 0.05, 0.05],
    "ReadySetGo": lambda t: [
        0.05,
        0.05,
        np.where(t["context"] == "short", 0.5, 1.0) * (t["stop_time"] - t["start_time"]).values,
    ],
    "ContextDecision": lambda t: [
        0.8 * t["stimulus"].values,
        0.8 * t["stimulus_2"].values,
        *(0.1 * 1.25 * (t["context"].values == word) for word in ("motion", "color")),
    ],
    "MultisensoryDecision": lambda t: [
        0.8 * t["stimulus"].values,
        0.8 * t["stimulus_2"].values,
        *(
            0.1 * 1.15 * np.isin(t["modality"].values, (word, "both"))
            for word in ("visual", "auditory")
        ),
    ],
    "DelayedMatch": lambda t: of_names(t, [("sample", 0.5), ("test", 0.5)]),
    "DualTask": lambda t: of_names(t, [("sample", 1.0), ("test", 1.0), ("distractor", 1.0)]),
    "Oscillation": lambda _: [0.5 * 0.05],
}


@EVERY
@pytest.mark.parametrize("dt", [0.001, 0.007, 0.02])
def test_the_integral_of_inputs_is_amplitude_times_duration_within_a_step(name, dt):
    trials = TASKS[name](stimulus_noise=0.0).sample(24, rng=1, dt=dt)
    inputs = trials["inputs"].values
    if name == "FlipFlop":
        found, wanted = np.abs(inputs).sum(axis=(0, 1)) * dt, 0.1 * trials["n_pulses"].values
        assert (np.abs(found - wanted) <= trials["n_pulses"].values * dt / 2 + 1e-9).all()
        return
    wanted = INTEGRALS[name](trials)
    assert len(wanted) == len(inputs)
    for channel, integral in zip(inputs, wanted, strict=True):
        # Two stimuli, or epochs in a row: up to four ends are rounded, each by half a step.
        most = 2 * dt * np.abs(channel).max(axis=0) + 1e-9
        assert (np.abs(channel.sum(axis=0) * dt - integral) <= most).all()


@EVERY
def test_conditions_come_as_often_as_they_should(name):
    if "balanced" not in fields(name):
        return
    n_trials = 2000
    counts = {
        balanced: json.loads(
            TASKS[name](balanced=balanced)
            .sample(n_trials, rng=3, dt=0.02)
            .attrs["n_trials_by_condition"]
        )
        for balanced in (True, False)
    }
    assert list(counts[True]) == list(counts[False])
    assert sum(counts[False].values()) == n_trials
    share = np.full(len(counts[True]), 1 / len(counts[True]))
    if name == "Detection":
        share = np.array([0.5] + [0.5 / 9] * 9)
    if name == "MultisensoryDecision":
        # Each modality a third; with both senses 9 pairs of strengths for either sign.
        share = np.array([1 / 54 if key.endswith("both") else 1 / 18 for key in counts[True]])
    exact, chance = (np.array(list(counts[key].values())) for key in (True, False))
    assert (np.abs(exact - n_trials * share) < 1).all()
    assert (np.abs(chance / n_trials - share) < 4 * np.sqrt(share * (1 - share) / n_trials)).all()
    assert np.ptp(chance[share == share[0]]) > 1 or name == "Detection"


@EVERY
def test_every_duration_may_vary_between_bounds_or_as_an_exponential(name):
    usual = TASKS[name]().sample(3, rng=0)
    varied = [field for field in fields(name) if field in usual.coords]
    varied = [field for field in varied if field not in ("stimulus", "stimulus_duration")]
    for field in varied:
        task = TASKS[name](**{field: (0.3, 0.6)})
        seconds = task.sample(60, rng=0)[field].values
        assert seconds.min() >= 0.295
        assert seconds.max() <= 0.605
        assert len(np.unique(seconds.round(6))) > 10
        task = TASKS[name](**{field: ("exponential", 0.2, 0.3)})
        seconds = task.sample(400, rng=0, dt=0.02)[field].values
        assert seconds.min() >= 0.19
        assert seconds.mean() == pytest.approx(0.5, abs=4 * 0.3 / np.sqrt(400))
        assert pdn.tasks.task_of(task.sample(2)) == task


@EVERY
def test_catch_trials_show_nothing_ask_for_nothing_and_count_in_no_accuracy(name):
    if "catch_fraction" not in fields(name):
        return
    task = TASKS[name](catch_fraction=0.25, stimulus_noise=0.0)
    trials = task.sample(40, rng=0)
    assert json.loads(trials.attrs["n_trials_by_condition"])["catch"] == 10
    silent = (trials["inputs"].values == 0).all(axis=(0, 1))
    assert silent.sum() == 10
    assert (trials["target"].values[..., silent] == 0).all()
    assert trials["mask"].values[:, silent].any(axis=0).all()
    behavior = task.response(trials["target"], trials)
    assert np.isnan(behavior["correct"].values[silent]).all()
    assert (behavior["correct"].values[~silent] == 1).all()
    for trial in np.flatnonzero(silent)[:2]:
        assert pdn.plot.task(trials, trial=trial).get_title().endswith("catch trial")
    shown = TASKS[name](catch_fraction=0.0, stimulus_noise=0.0).sample(40, rng=0)
    assert not (shown["inputs"].values == 0).all(axis=(0, 1)).any()


@EVERY
def test_noise_of_inputs_summed_over_time_does_not_depend_on_the_step(name):
    for dt in (0.005, 0.02):
        quiet = TASKS[name](stimulus_noise=0.0).sample(30, rng=5, dt=dt)
        noisy = TASKS[name](stimulus_noise=0.1).sample(30, rng=5, dt=dt)
        difference = (noisy["inputs"] - quiet["inputs"]).values
        stop = (noisy["stop_time"] - noisy["start_time"]).values
        inside = noisy["step_time"].values[:, None] < stop - 1e-9
        stds = [channel[inside].std() for channel in difference if (channel != 0).any()]
        assert stds == pytest.approx([0.1 * np.sqrt(0.02 / dt)] * len(stds), rel=0.05)


@pytest.mark.parametrize("name", SENSES)
def test_the_senses_err_by_a_constant_and_by_a_share_of_the_stimulus(name):
    in_hertz = name in ("FrequencyDiscrimination", "ParametricWorkingMemory")
    least, most = (12.0, 30.0) if in_hertz else (0.5, 1.5)
    rows = [(least, most), (most, least)]
    stimuli = {"priors": ((least, most),)} if name == "ReadySetGo" else {"stimuli": rows}
    in_seconds = name in ("IntervalDiscrimination", "IntervalProduction", "ReadySetGo")
    if not in_hertz and name not in ("IntervalDiscrimination", "ReadySetGo"):
        stimuli = {"stimuli": (least, most)}
    constant = 0.05 * least
    for noise, weber in ((constant, 0.0), (0.0, 0.1), (constant, 0.1)):
        task = TASKS[name](**stimuli, sensory_noise=noise, weber=weber)
        trials = task.sample(1200, rng=0, dt=0.02)
        for true in (least, most):
            there = trials["stimulus"].values == true
            measured = trials["measured_stimulus"].values[there]
            # Intervals are shown in whole steps, which adds the variance of rounding.
            rounding = 0.02 / np.sqrt(12) if in_seconds else 0.0
            std = np.sqrt(noise**2 + (weber * true) ** 2 + rounding**2)
            assert measured.std() == pytest.approx(std, rel=4 / np.sqrt(2 * there.sum()))
            assert measured.mean() == pytest.approx(true, abs=4 * std / np.sqrt(there.sum()))


@EVERY
def test_trials_run_as_a_stream_without_reset_in_their_order(name):
    task = TASKS[name](inter_trial=(0.1, 0.4), stimulus_noise=0.1)
    trials = task.sample(4, rng=0, dt=0.02)
    sizes = {"n_inputs": trials.sizes["channel"], "n_outputs": trials.sizes["output"]}
    net = pdn.network.Rate.random(20, dt=0.02, rng=0, g=1.5, **sizes)
    apart = pdn.simulate(net, trials, bin_width=0.02)
    stream = pdn.simulate(net, trials, bin_width=0.02, continuous=True)
    assert stream["trial"].values.tolist() == [0, 1, 2, 3]
    assert np.array_equal(stream["start_time"], trials["start_time"])
    same = [
        np.allclose(apart["rate"][:, 0, trial], stream["rate"][:, 0, trial]) for trial in range(4)
    ]
    assert same == [True, False, False, False]
    assert {"response", "correct"} <= set(stream.coords)
