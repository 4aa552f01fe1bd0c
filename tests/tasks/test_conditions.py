"""Stimulus sets are read from names or rows, drawn by their weights and counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from popdyn.errors import TensorError
from popdyn.tasks.conditions import (
    count_conditions,
    draw_positions,
    read_conditions,
)

PUBLISHED = {"diagonal": ((0.3, 0.45), (0.3, 0.15)), "horizontal": ((0.2, 0.45),)}
COLUMNS = ("first (s)", "second (s)")


def test_sets_are_read_by_name_or_from_rows_with_or_without_weights():
    named = read_conditions("stimuli", "diagonal", COLUMNS, PUBLISHED)
    assert named.values.tolist() == [[0.3, 0.45], [0.3, 0.15]]
    own = read_conditions("stimuli", np.array([[1, 2], [2, 1]]), COLUMNS)
    assert own.weights.tolist() == [0.5, 0.5]
    mixed = read_conditions("stimuli", [(1, 2), (2, 1, 3)], COLUMNS)
    assert mixed.weights.tolist() == [0.25, 0.75]
    single = read_conditions("stimuli", (0.5, (1.0, 4)), ("interval (s)",))
    assert single.values[:, 0].tolist() == [0.5, 1.0]
    assert single.weights.tolist() == [0.2, 0.8]


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ("diagnal", "'diagonal' or 'horizontal', or a list.*did you mean 'diagonal'"),
        ((), r"a list of \(first \(s\), second \(s\)\), each perhaps with a weight; found \(\)"),
        (3, "a list of"),
        (((1, 2, 3, 4),), "a list of"),
        (((1, "2"),), "a list of"),
        (((1, -2),), "positive and finite"),
        (((1, np.inf),), "positive and finite"),
        (((1, 2, 0),), "positive and finite"),
        (((1, 2), (1, 2, 3)), "each of stimuli must be there once"),
    ],
)
def test_sets_that_make_no_sense_are_refused(given_, words):
    with pytest.raises(TensorError, match=words):
        read_conditions("stimuli", given_, COLUMNS, PUBLISHED)


@settings(deadline=None)
@given(
    weights=st.lists(st.floats(0.05, 5.0), min_size=1, max_size=8),
    n_trials=st.integers(1, 200),
    seed=st.integers(0, 1000),
)
def test_balanced_counts_are_the_shares_rounded_down_or_up(weights, n_trials, seed):
    share = np.array(weights) / np.sum(weights)
    generator = np.random.default_rng(seed)
    position = draw_positions(len(share), n_trials, True, generator, share)
    counts = np.bincount(position, minlength=len(share))
    assert counts.sum() == n_trials
    assert (counts >= np.floor(share * n_trials - 1e-6)).all()
    assert (counts <= np.ceil(share * n_trials + 1e-6)).all()


def test_shares_that_are_whole_numbers_come_out_exactly():
    share = np.array([0.1, 0.2, 0.7])
    for seed in range(50):
        position = draw_positions(3, 30, True, np.random.default_rng(seed), share)
        assert np.bincount(position).tolist() == [3, 6, 21]


def test_what_is_left_over_goes_by_the_weights():
    share = np.array([0.2, 0.3, 0.5])
    drawn = [draw_positions(3, 1, True, np.random.default_rng(s), share)[0] for s in range(3000)]
    frequency = np.bincount(drawn) / 3000
    assert (np.abs(frequency - share) < 4 * np.sqrt(share * (1 - share) / 3000)).all()


def test_independent_draws_come_as_often_as_their_weights_say():
    share = np.array([0.1, 0.6, 0.3])
    drawn = draw_positions(3, 20_000, False, np.random.default_rng(0), share)
    frequency = np.bincount(drawn) / 20_000
    assert (np.abs(frequency - share) < 4 * np.sqrt(share * (1 - share) / 20_000)).all()


def test_order_is_random_and_not_blocked():
    position = draw_positions(2, 1000, True, np.random.default_rng(0))
    changes = (np.diff(position) != 0).mean()
    assert changes == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 999))


def test_values_are_drawn_from_the_list():
    drawn = np.array([2.5, 7.5])[draw_positions(2, 10, True, np.random.default_rng(0))]
    assert sorted(drawn) == [2.5] * 5 + [7.5] * 5


def test_conditions_are_counted_in_order_and_catch_trials_last():
    counts = count_conditions(
        np.array([10.0, np.nan, 2.0, 10.0]), np.array([1.0, np.nan, 3.0, 1.0])
    )
    assert list(counts.items()) == [("2, 3", 1), ("10, 1", 2), ("catch", 1)]
