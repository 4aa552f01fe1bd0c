"""Bad input to any task: a sentence that names the argument, never another exception."""

from __future__ import annotations

import dataclasses

import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError
from popdyn.tasks.registry import TASKS

EVERY = pytest.mark.parametrize("name", sorted(TASKS))


def fields(name):
    return {field.name for field in dataclasses.fields(TASKS[name])}


@EVERY
def test_what_makes_no_sense_is_refused_in_a_sentence_that_names_the_argument(name):
    wrong = (-1, "nonsense", float("nan"), float("inf"), None, (), [], {}, (1, 2, 3, 4), object())
    n_refused = dict.fromkeys(fields(name), 0)
    for field in fields(name):
        for value in wrong:
            try:
                TASKS[name](**{field: value})
            except TensorError as error:
                assert field in str(error), (field, value, str(error))
                n_refused[field] += 1
    assert min(n_refused.values()) >= len(wrong) - 3, n_refused


@EVERY
def test_shares_lie_between_0_and_1_and_flags_are_true_or_false(name):
    shares = ("catch_fraction", "absent_fraction", "pulse_probability", "weber")
    for field in set(shares) & set(fields(name)):
        with pytest.raises(TensorError, match=rf"{field} .*1, found 1\.5"):
            TASKS[name](**{field: 1.5})
    for field in {"balanced", "go_cue", "start_with_pulse"} & set(fields(name)):
        with pytest.raises(TensorError, match=f"{field} must be True or False, found 'random'"):
            TASKS[name](**{field: "random"})


@EVERY
def test_milliseconds_instead_of_seconds_are_doubted_or_refused(name):
    timed = [f for f in fields(name) if f.endswith("_duration") or f in ("onset", "inter_trial")]
    assert timed
    for field in timed:
        with pytest.raises((TensorError, PopdynWarning), match=field):
            TASKS[name](**{field: 500})
    with pytest.raises(
        TensorError, match=r"_duration of .* s is (shorter than one step|not)|dt=10"
    ):
        TASKS[name]().sample(3, dt=10)


def test_the_doubt_about_milliseconds_says_what_to_give():
    with pytest.warns(PopdynWarning, match="delay_duration has 500 s: .* give 0.5"):
        pdn.tasks.DelayedMatch(delay_duration=500)
    with pytest.warns(PopdynWarning, match="stimuli has 900 s: .* give 0.9"):
        pdn.tasks.IntervalDiscrimination(((600, 900), (900, 600)))


@EVERY
def test_steps_and_counts_of_the_wrong_type_are_refused(name):
    task = TASKS[name]()
    for dt in ("0.01", float("nan"), [0.01]):
        with pytest.raises(TensorError, match="dt must be a positive number of seconds"):
            task.sample(2, dt=dt)
    for n_trials in (2.5, "3", True, -1):
        with pytest.raises(TensorError, match="n_trials must be a whole number of at least 1"):
            task.sample(n_trials)
