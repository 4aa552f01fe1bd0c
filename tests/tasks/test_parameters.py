"""Durations of three kinds are checked, drawn and rounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from popdyn.errors import TensorError
from popdyn.tasks.parameters import (
    as_tuples,
    check_duration,
    check_number,
    check_option,
    draw_seconds,
    epoch_steps,
    longest,
    shortest,
    whole_steps,
)


def test_fixed_durations_draw_nothing_from_the_generator():
    generator = np.random.default_rng(1)
    assert (draw_seconds(0.3, 5, generator) == 0.3).all()
    assert (draw_seconds((0.3, 0.3), 5, generator) == 0.3).all()
    assert generator.random() == np.random.default_rng(1).random()


def test_uniform_and_exponential_durations_have_their_moments():
    n = 40_000
    uniform = draw_seconds((0.5, 1.5), n, np.random.default_rng(0))
    assert (uniform.min() >= 0.5) & (uniform.max() <= 1.5)
    assert uniform.mean() == pytest.approx(1.0, abs=5 / np.sqrt(12 * n))
    exponential = draw_seconds(("exponential", 0.4, 2.0), n, np.random.default_rng(0))
    assert exponential.min() >= 0.4
    assert exponential.mean() == pytest.approx(2.4, abs=5 * 2 / np.sqrt(n))
    assert exponential.std() == pytest.approx(2.0, rel=0.05)
    # The median of an exponential is ln 2 of its mean.
    assert np.median(exponential) == pytest.approx(0.4 + 2 * np.log(2), abs=0.06)


@given(seconds=st.floats(0.0, 5.0), dt=st.sampled_from([0.001, 0.005, 0.007, 0.02]))
def test_steps_are_the_nearest(seconds, dt):
    steps = whole_steps(np.array([seconds]), dt)[0]
    assert abs(steps * dt - seconds) <= dt / 2 + 1e-9


def test_drawn_epochs_are_taken_as_they_are_and_too_short_ones_refused():
    generator = np.random.default_rng(0)
    steps = epoch_steps({"a": np.array([0.1, 0.24]), "b": 0.05}, 2, 0.1, generator)
    assert steps["a"].tolist() == [1, 2]
    assert steps["b"].tolist() == [1, 1]
    with pytest.raises(TensorError, match=r"b of 0.04 s is shorter than one step of dt=0.1 s"):
        epoch_steps({"b": 0.04}, 2, 0.1, generator)


def test_bounds_of_durations():
    assert (shortest(0.3), longest(0.3)) == (0.3, 0.3)
    assert (shortest((0.1, 0.2)), longest((0.1, 0.2))) == (0.1, 0.2)
    assert (shortest(("exponential", 0.4, 2.0)), longest(("exponential", 0.4, 2.0))) == (
        0.4,
        np.inf,
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "a must be a positive number of seconds or a pair"),
        ("long", "found 'long'"),
        (("normal", 0.1, 0.2), r"or \('exponential', shortest, mean\), found \('normal'"),
        (("exponential", 0.1), "a positive number of seconds"),
        ((0.1, np.nan), "a positive number"),
        (True, "found True"),
        ([], "a positive number"),
        ((0.3, 0.1), r"a must be \(shortest, longest\), found \(0.3, 0.1\)"),
    ],
)
def test_durations_that_are_none_are_refused(value, words):
    with pytest.raises(TensorError, match=words):
        check_duration("a", value)


def test_durations_may_be_zero_where_allowed():
    assert check_duration("inter_trial", 0, allow_zero=True) == 0
    assert check_duration("inter_trial", [0, 1], allow_zero=True) == (0.0, 1.0)
    assert check_duration("inter_trial", ["exponential", 0, 1], allow_zero=True)[0] == "exponential"
    with pytest.raises(TensorError, match="inter_trial must be zero or positive seconds"):
        check_duration("inter_trial", -1, allow_zero=True)


def test_words_and_numbers_are_checked():
    with pytest.raises(TensorError, match="'ramp' or 'bump', found 'ram'; did you mean 'ramp'?"):
        check_option("target_shape", "ram", ("ramp", "bump"))
    with pytest.raises(TensorError, match="dt must be positive, found '1'"):
        check_number("dt", "1", above_zero=True)
    assert check_number("dt", np.float32(0.5)) == 0.5


def test_arrays_and_lists_become_tuples_of_plain_numbers():
    made = as_tuples([np.array([1.0, 2.0]), [np.int64(3)]])
    assert made == ((1.0, 2.0), (3,))
    assert type(made[1][0]) is int
