"""Hints against numbers worked out step by step, in milliseconds, as they were published."""

from __future__ import annotations

import math

import numpy as np
import pytest

import popdyn as pdn
from popdyn.tasks.hints import Scale


def milliseconds(one, *events):
    return [round(float(one[event] - one["start_time"]) * 1000) for event in events]


def rows(lesson, trial):
    """Hints of a trial by name, of every millisecond."""
    return dict(
        zip(lesson["hint"].values.tolist(), lesson["hints"].values[..., trial], strict=True)
    )


def production(one):
    """Interval production: memory, clock and four phases, at the end of each millisecond."""
    ready, set_, go, stop = milliseconds(one, "ready_time", "set_time", "go_time", "stop_time")
    interval = float(one["stimulus"]) * 1000
    over = min(go + math.floor(1.35 * interval + 60 + 0.5), stop)
    told = []
    for step in range(stop):
        end = step + 1
        memory = clock = 0.0
        if ready <= step < set_:
            memory = -3 + (end - ready) / 250
        elif set_ <= step < over:
            memory = (interval - 750) / 250
        if go <= step < over:
            clock = min((end - go) / 250, 5.4) - 3
        phases = [ready <= step < set_, set_ <= step < go, go <= step < over,
                  over <= step < min(over + 200, stop)]  # fmt: skip
        told.append([memory, clock, *map(float, phases)])
    return np.array(told)


def intervals(one):
    """Interval discrimination: memory, comparator, choice and four phases."""
    on, off, on_2, off_2, stop = milliseconds(
        one,
        *("stimulus_on_time", "stimulus_off_time", "stimulus_2_on_time"),
        *("decision_time", "stop_time"),
    )
    first, second = (float(one[name]) * 1000 for name in ("stimulus", "stimulus_2"))
    right = 1.0 if second > first else -1.0
    told = []
    for step in range(stop):
        end = step + 1
        memory = comparator = choice = 0.0
        if on <= step < off:
            memory = -2 + (end - on) / 300
        elif off <= step < off_2:
            memory = -2 + first / 300
        if on_2 <= step < off_2:
            comparator = (end - on_2 - first) / 300
            choice = math.tanh(3 * comparator)
        elif step >= off_2:
            choice = right
        phases = [on <= step < off, off <= step < on_2, on_2 <= step < off_2, step >= off_2]
        told.append([memory, comparator, choice, *map(float, phases)])
    return np.array(told)


def frequencies(one):
    """Frequency discrimination: memory, comparator, choice and four phases."""
    on, off, on_2, off_2, stop = milliseconds(
        one,
        *("stimulus_on_time", "stimulus_off_time", "stimulus_2_on_time"),
        *("decision_time", "stop_time"),
    )
    first, second = float(one["stimulus"]), float(one["stimulus_2"])
    right = 1.0 if second > first else -1.0
    told = []
    for step in range(stop):
        end = step + 1
        memory = comparator = choice = 0.0
        if on <= step < off:
            memory = (first - 22) / 8 * (end - on) / 500
        elif off <= step < off_2:
            memory = (first - 22) / 8
        if on_2 <= step < off_2:
            comparator = (second - 22) / 8 * (end - on_2) / 500
            choice = right * (end - on_2) / 500
        elif step >= off_2:
            choice = right
        phases = [on <= step < off, off <= step < on_2, on_2 <= step < off_2, step >= off_2]
        told.append([memory, comparator, choice, *map(float, phases)])
    return np.array(told)


PAIRS = ["stimulus phase", "delay phase", "stimulus 2 phase", "decision phase"]
ORACLES = {
    "IntervalProduction": (
        production,
        {"weber": 0.1},
        ["memory", "clock", *PAIRS[:2], "production phase", "after phase"],
    ),
    "IntervalDiscrimination": (
        intervals,
        {"weber": (0.15, 0.03)},
        ["memory", "comparator", "choice", *PAIRS],
    ),
    "FrequencyDiscrimination": (
        frequencies,
        {"sensory_noise": (5.0, 1.0), "delay_duration": (1.0, 3.0)},
        ["memory", "comparator", "choice", *PAIRS],
    ),
}


@pytest.mark.parametrize("name", ORACLES)
def test_hints_are_those_of_the_recipes(name):
    oracle, arguments, names = ORACLES[name]
    task = getattr(pdn.tasks, name)(**arguments)
    trials = task.sample(12, rng=3, dt=0.001)
    lesson = task.teach(trials)
    assert lesson["hint"].values.tolist() == names
    for trial in range(12):
        told = oracle(trials.isel(trial=trial))
        hints = lesson["hints"].values[..., trial].T
        assert hints[: len(told)] == pytest.approx(told, abs=1e-9)
        assert not hints[len(told) :].any()


def test_inputs_show_the_true_frequency_as_long_as_the_measured_one():
    task = pdn.tasks.FrequencyDiscrimination(sensory_noise=(5.0, 1.0), stimulus_noise=0.3)
    trials = task.sample(20, rng=3)
    shown = task.teach(trials)["inputs"].values[0]
    for trial in range(20):
        one = trials.isel(trial=trial)
        levels = [0.8 + 0.4 * (float(one[n]) - 22) / 12 for n in ("stimulus", "stimulus_2")]
        found = set(shown[:, trial].round(9)) - {0.0}
        assert found == {round(level, 9) for level in levels}


def test_the_long_and_the_short_prior_have_one_scale():
    task = pdn.tasks.ReadySetGo(weber=0.1)
    trials = task.sample(40, rng=0, dt=0.001)
    lesson = task.teach(trials)
    shared = np.flatnonzero(np.isclose(trials["stimulus"].values, 0.8))
    assert set(trials["context"].values[shared]) == {"short", "long"}
    for trial in range(40):
        one = trials.isel(trial=trial)
        ready, set_, stop = milliseconds(one, "ready_time", "set_time", "stop_time")
        told = rows(lesson, trial)
        true = float(one["stimulus"]) * 1000
        assert told["memory"][ready] == pytest.approx((1 - 840) / 360)
        assert told["memory"][set_ : set_ + 500] == pytest.approx((true - 840) / 360)
        assert told["clock"][set_ + 499] == pytest.approx((500 - 840) / 360)
        over = set_ + round(1.35 * true) + 60
        assert told["clock"][over - 2] != 0
        assert not told["clock"][over + 1 :].any()
        assert not told["memory"][over + 1 :].any()
        assert told["after phase"][over + 1 : min(over + 199, stop)].all()
        assert not told["after phase"][: over - 1].any()


def test_with_a_gain_the_clock_has_the_scale_of_what_is_produced():
    task = pdn.tasks.ReadySetGo(gains=(1.0, 1.5))
    trials = task.sample(20, rng=0)
    lesson = task.teach(trials)
    clock = lesson["hints"].sel(hint="clock").values
    set_ = np.rint((trials["set_time"] - trials["start_time"]).values / 0.01).astype(int)
    # Intervals to produce are 0.48 to 1.8 s.
    assert clock[set_ + 29, np.arange(20)] == pytest.approx((0.3 - 1.14) / 0.66)
    memory = lesson["hints"].sel(hint="memory").values
    held = memory[set_ + 20, np.arange(20)]
    assert held == pytest.approx((trials["stimulus"].values - 0.84) / 0.36)


def test_a_bump_is_followed_to_its_end():
    task = pdn.tasks.IntervalProduction(target_shape="bump", settle_duration=0.5)
    trials = task.sample(6, rng=0, dt=0.001)
    told = task.teach(trials)
    target = trials["target"].values[0]
    for trial in range(6):
        last = np.flatnonzero(target[:, trial])[-1]
        over = np.flatnonzero(rows(told, trial)["production phase"])[-1]
        assert over - last == pytest.approx(60, abs=2)
        assert rows(told, trial)["after phase"].sum() == 200


def test_a_short_rest_of_the_trial_cuts_what_comes_after_the_output():
    task = pdn.tasks.IntervalProduction(settle_duration=0.0)
    trials = task.sample(4, rng=0, dt=0.001)
    told = task.teach(trials)
    assert not told["hints"].sel(hint="after phase").any()
    stop = np.rint((trials["stop_time"] - trials["start_time"]).values * 1000).astype(int)
    assert (told["hints"].sel(hint="production phase").values[stop - 1, np.arange(4)] == 1).all()
    later = np.arange(trials.sizes["step_time"])[:, None] >= stop
    assert later.any()
    assert not told["hints"].values[:, later].any()


def test_the_clock_stops_where_the_longest_ramp_ends():
    task = pdn.tasks.IntervalProduction()
    trials = task.sample(11, rng=0, dt=0.001)
    clock = task.teach(trials)["hints"].sel(hint="clock").values
    longest = trials["stimulus"].values.argmax()
    assert clock.max() == pytest.approx(5.4 - 3)
    assert (clock[:, longest] == clock.max()).sum() == 61


def test_hints_span_their_set_whatever_it_is():
    rare = pdn.tasks.IntervalProduction(stimuli=(0.4, 0.6, 1.6))
    lesson = rare.teach(rare.sample(9, rng=0, dt=0.001))
    held = lesson["hints"].sel(hint="memory").max("step_time").values
    assert sorted(set(held.round(9))) == pytest.approx([0.0, 1.0])
    wide = pdn.tasks.ParametricWorkingMemory(stimuli=((100.0, 140.0), (140.0, 100.0)))
    lesson = wide.teach(wide.sample(6, rng=0))
    assert np.abs(lesson["hints"].values).max() == pytest.approx(1.0)
    one = pdn.tasks.IntervalProduction(stimuli=(0.5,))
    lesson = one.teach(one.sample(3, rng=0))
    assert np.isfinite(lesson["hints"].values).all()
    assert Scale.over([0.5]) == Scale(0.5, 0.5, 0.5)
    assert Scale.over([0.0]).unit == 1.0


def test_the_scale_is_that_of_the_task_not_of_the_trials_it_happens_to_see():
    task = pdn.tasks.IntervalProduction()
    trials = task.sample(11, rng=0)
    few = trials.isel(trial=trials["stimulus"].values < 0.7)
    set_ = np.rint((few["set_time"] - few["start_time"]).values / 0.01).astype(int)
    held = task.teach(few)["hints"].sel(hint="memory").values[set_, np.arange(few.sizes["trial"])]
    assert held == pytest.approx((few["stimulus"].values - 0.75) / 0.25)
    probes = pdn.tasks.IntervalProduction(stimuli=(0.75,)).sample(2, rng=0)
    again = task.teach(probes)["hints"].sel(hint="memory")
    at = round(float(probes["set_time"][0] - probes["start_time"][0]) / 0.01)
    assert float(again[at + 10, 0]) == pytest.approx(0.0)


def values_at(lesson, trials, event, trial, after=0.005):
    """Return hints by name just after an event."""
    time = float(trials[event][trial] - trials["start_time"][trial]) + after
    step = int(time / 0.01)
    return {name: row[step] for name, row in rows(lesson, trial).items()}


def test_a_match_is_told_from_memories_by_name():
    task = pdn.tasks.DelayedMatch(pairs=(("A", "A"), ("A", "C"), ("B", "B")))
    trials = task.sample(9, rng=0)
    lesson = task.teach(trials)
    for trial in range(9):
        sample, right = str(trials["sample"][trial].values), trials["target_choice"][trial]
        told = values_at(lesson, trials, "sample_off_time", trial)
        assert {n: v for n, v in told.items() if n.startswith("memory")} == {
            f"memory {name}": float(name == sample) for name in ("A", "C", "B")
        }
        assert told["choice"] == 0
        told = values_at(lesson, trials, "decision_time", trial)
        assert told["choice"] == right
        assert not any(v for n, v in told.items() if n.startswith("memory"))


def test_a_dual_task_tells_both_answers_in_their_time():
    task = pdn.tasks.DualTask(distractors=("go", "nogo", "none"))
    trials = task.sample(24, rng=0)
    lesson = task.teach(trials)
    for trial in range(24):
        told = values_at(lesson, trials, "distractor_decision_time", trial)
        assert told["distractor choice"] == trials["target_distractor_choice"][trial]
        assert told[f"memory {trials['sample'][trial].values}"] == 1
        told = values_at(lesson, trials, "decision_time", trial)
        assert told["choice"] == trials["target_choice"][trial]
        assert told["distractor choice"] == 0


def test_a_stimulus_that_was_detected_is_remembered_to_the_end():
    task = pdn.tasks.Detection(sensory_noise=0.5)
    trials = task.sample(18, rng=0)
    lesson = task.teach(trials)
    for trial in range(18):
        memory, present = rows(lesson, trial)["memory"], float(trials["stimulus"][trial]) > 0
        assert memory.any() == present
        if present:
            on, off = (
                round(
                    float(trials[f"stimulus_{e}_time"][trial] - trials["start_time"][trial]) * 100
                )
                for e in ("on", "off")
            )
            stop = round(float(trials["stop_time"][trial] - trials["start_time"][trial]) * 100)
            assert not memory[:on].any()
            assert memory[on:off] == pytest.approx(np.arange(1, off - on + 1) / (off - on))
            assert (memory[off:stop] == 1).all()
            assert lesson["inputs"].values[1, :, trial].max() == trials["stimulus"].values[trial]


@pytest.mark.parametrize("name", ["PerceptualDecision", "ContextDecision", "MultisensoryDecision"])
def test_choices_rise_over_the_stimulus_and_stay(name):
    task = getattr(pdn.tasks, name)(decision_duration=0.2)
    trials = task.sample(20, rng=0)
    choice = task.teach(trials)["hints"].sel(hint="choice").values
    on, off, stop = (
        np.rint((trials[e] - trials["start_time"]).values / 0.01).astype(int)
        for e in ("stimulus_on_time", "stimulus_off_time", "stop_time")
    )
    for trial in range(20):
        right = trials["target_choice"].values[trial]
        n_steps = off[trial] - on[trial]
        grows = choice[on[trial] : off[trial], trial]
        assert grows == pytest.approx(right * np.arange(1, n_steps + 1) / n_steps)
        assert (choice[off[trial] : stop[trial], trial] == right).all()
        assert not choice[: on[trial], trial].any()


def test_pulses_of_a_flip_flop_are_known_under_any_noise():
    task = pdn.tasks.FlipFlop(stimulus_noise=20.0, n_bits=2)
    trials = task.sample(5, rng=1)
    quiet = pdn.tasks.FlipFlop(stimulus_noise=0.0, n_bits=2).sample(5, rng=1)
    assert np.array_equal(task.teach(trials)["inputs"], quiet["inputs"])
    signs = {"-": -1, "0": 0, "+": 1}
    text = str(trials["pulses"].values[3]).split(" ")
    assert [[signs[letter] for letter in bit] for bit in text] == (
        quiet["inputs"].values[:, ::10, 3].astype(int).tolist()
    )


def test_on_catch_trials_nothing_is_told_of_intervals_that_are_not_there():
    task = pdn.tasks.IntervalDiscrimination(catch_fraction=0.4, dt=0.001)
    trials = task.sample(40, rng=0)
    hints = task.teach(trials)["hints"]
    catch = trials["target_choice"].to_numpy() == 0
    assert 10 < catch.sum() < 22
    for name in ("memory", "comparator", "choice"):
        told = np.abs(hints.sel(hint=name)).max("step_time").to_numpy()
        assert (told[catch] == 0).all(), name
        assert (told[~catch] > 0).all(), name
