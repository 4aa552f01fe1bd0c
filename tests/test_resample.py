from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.resample import (
    as_generator,
    first_in_order,
    percentile_bounds,
    permute_labels,
    shuffled_orders,
    spawn,
    upper_p_value,
)

TABLE = pd.DataFrame(
    {"choice": ["left", "right", "left", None, "right", "right"]}, index=list("abcdef")
)


def test_every_draw_keeps_the_number_of_trials_of_each_condition():
    plan = pdn.bootstrap(TABLE, by="choice", n_draws=50, rng=3)
    choice = TABLE["choice"].to_numpy()
    for draw in plan:
        assert sorted(choice[draw].tolist()) == ["left"] * 2 + ["right"] * 3


def test_a_draw_does_not_depend_on_how_many_there_are():
    few = pdn.bootstrap(TABLE, by="choice", n_draws=5, rng=3).indices
    many = pdn.bootstrap(TABLE, by="choice", n_draws=50, rng=3).indices
    assert np.array_equal(few, many[:5])
    assert not np.array_equal(many[0], many[1])


def test_trials_are_drawn_with_equal_chance():
    drawn = pdn.bootstrap(TABLE, n_draws=4000, rng=0).times_drawn()
    assert drawn.sum(axis=1) == pytest.approx(6)
    # Standard error of a mean of 4000 counts of variance 5/6.
    assert np.abs(drawn.mean(axis=0) - 1).max() < 5 * np.sqrt(5 / 6 / 4000)
    assert drawn.var(axis=0) == pytest.approx(5 / 6, rel=0.1)


def test_times_drawn_counts_the_indices_of_any_chunk():
    plan = pdn.bootstrap(TABLE, by="choice", n_draws=9, rng=1)
    expected = np.array([np.bincount(draw, minlength=6) for draw in plan])
    assert np.array_equal(plan.times_drawn(), expected)
    assert np.array_equal(plan.times_drawn(4, 7), expected[4:7])


def test_a_tensor_and_its_trial_table_give_the_same_plan():
    table = TABLE.assign(choice=["left", "right", "left", "left", "right", "right"])
    tensor = pdn.make_tensor(np.ones((2, 3, 6)), [0.0, 0.1, 0.2], trials=table)
    plans = [pdn.bootstrap(x, by="choice", n_draws=4, rng=0) for x in (tensor, table)]
    assert np.array_equal(plans[0].indices, plans[1].indices)
    plans[0].check_trials(table)


def test_a_plan_made_for_other_trials_is_refused():
    plan = pdn.bootstrap(TABLE, n_draws=2)
    with pytest.raises(pdn.TensorError, match="made for 6 trials .a, b, c, .*but 5 trials"):
        plan.check_trials(TABLE.iloc[1:])


def test_nothing_to_draw_from_is_said():
    with pytest.raises(pdn.TensorError, match="choice"):
        pdn.bootstrap(TABLE.iloc[[3]], by="choice")
    average = pdn.condition_average(
        pdn.make_tensor(np.ones((1, 2, 2)), [0.0, 0.1], trials={"choice": [0, 1]}), "choice"
    )
    with pytest.raises(pdn.TensorError, match="condition average has none left"):
        pdn.bootstrap(average["rate"])
    with pytest.raises(pdn.PopdynError, match="n_draws must be at least 1, found 0"):
        pdn.bootstrap(TABLE, n_draws=0)


@pytest.mark.parametrize("rng", [None, -1, True, 0.5, "seed"])
def test_what_is_no_seed_is_refused(rng):
    with pytest.raises(pdn.PopdynError, match="rng must be an integer of at least 0"):
        as_generator(rng)


def test_the_state_of_a_generator_gives_the_same_draws_again():
    generator = np.random.default_rng(5)
    generator.normal(size=3)
    plan = pdn.bootstrap(TABLE, n_draws=3, rng=generator)
    again = np.random.default_rng()
    again.bit_generator.state = json.loads(plan.seed)
    assert np.array_equal(pdn.bootstrap(TABLE, n_draws=3, rng=again).indices, plan.indices)


def test_every_bit_generator_has_a_state_that_can_be_stored():
    for kind in (np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM):
        text = as_generator(np.random.Generator(kind(1)))[1]
        assert json.loads(text)["bit_generator"] == kind.__name__


def test_spawning_twice_from_one_generator_gives_different_children():
    generator = np.random.default_rng(0)
    first, second = spawn(generator, 3), spawn(generator, 3)
    numbers = {float(child.random()) for child in first + second}
    assert len(numbers) == 6


@given(
    known=st.lists(st.booleans(), min_size=1, max_size=12),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_the_first_known_trials_in_an_order_are_taken(known, share, seed):
    known = np.array(known)
    n_first = int(share * known.sum())
    order = shuffled_orders(len(known), 4, seed)
    taken = first_in_order(order, known, n_first)
    assert (taken.sum(axis=1) == n_first).all()
    assert not taken[:, ~known].any()
    for row, one in zip(taken, order, strict=True):
        expected = [trial for trial in one if known[trial]][:n_first]
        assert set(np.flatnonzero(row)) == set(expected)


def test_labels_stay_in_their_stratum_when_shuffled():
    labels, strata = np.arange(20), np.repeat([0, 1], 10)
    shuffled = permute_labels(labels, 0, strata)
    assert sorted(shuffled[:10].tolist()) == list(range(10))
    assert not np.array_equal(shuffled, labels)
    assert sorted(permute_labels(labels, 0).tolist()) == list(range(20))
    assert np.array_equal(labels, np.arange(20))


def test_bounds_are_percentiles_and_leave_out_nan():
    draws = np.arange(101.0)
    assert percentile_bounds(draws) == pytest.approx([2.5, 97.5])
    with_nan = np.stack([np.append(draws, np.nan), np.full(102, np.nan)], axis=1)
    bounds = percentile_bounds(with_nan)
    assert bounds[:, 0] == pytest.approx([2.5, 97.5])
    assert np.isnan(bounds[:, 1]).all()


def test_a_p_value_is_never_zero_and_counts_ties():
    null = np.array([0.0, 1.0, 2.0, 3.0])
    assert float(upper_p_value(9.0, null)) == pytest.approx(1 / 5)
    assert float(upper_p_value(2.0 + 1e-14, null)) == pytest.approx(3 / 5)
    assert np.isnan(upper_p_value(np.nan, null))


def test_a_plan_is_shown_without_its_numbers():
    table = pd.DataFrame({"choice": [0, 1, 0, 1]})
    shown = repr(pdn.bootstrap(table, by="choice", n_draws=50, rng=3))
    assert shown == "ResamplePlan(50 draws of 4 trials, by=('choice',), seed=3)"
