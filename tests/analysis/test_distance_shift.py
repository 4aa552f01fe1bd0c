"""Shifts between sets: p values from draws that are known, and draws that are scaled."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from tests.analysis.test_kinet_axis import FIRST, measured, two_sets


def with_draws(result, added):
    """The result with draws that lie around its distances; ``added`` (draw,) to the second set."""
    mean = result.mean_axis_distance.values
    drawn = mean + np.outer(added, result.context.values == 1)
    return result.assign(draw_mean_axis_distance=(("draw", "condition"), drawn))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_p_is_twice_the_share_of_turned_draws_beyond_zero_and_agrees_with_the_bounds(side):
    """A shift of 2; draws turned round it are beyond 0 where they lie 2 or more above it."""
    result = measured(two_sets(noise=0.0, along=side * 2.0 / np.sqrt(30)), n_draws=99)
    np.testing.assert_allclose(pdn.distance_shift(result)["set_shift"], side * 2.0, atol=1e-6)
    for n_beyond in (0, 1, 4, 10):
        # Below the estimate they never reach far: draws as they are would be beyond 0 in none.
        added = np.concatenate([np.full(n_beyond, 2.1), np.linspace(-1.0, 1.0, 99 - n_beyond)])
        shift = pdn.distance_shift(with_draws(result, side * added))
        np.testing.assert_allclose(shift["set_shift"], side * (2.0 - added.mean()), atol=1e-6)
        np.testing.assert_allclose(shift["p"], 2 * (n_beyond + 1) / 100)
        np.testing.assert_allclose(shift["mean_p"], 2 * (n_beyond + 1) / 100)
        low, high = shift["mean_set_shift_bound"].values
        assert bool(low <= 0.0 <= high) is (n_beyond > 2)


def test_each_draw_of_two_sources_is_scaled_by_its_own_distances():
    first = measured(two_sets(noise=0.0).isel(trial=slice(50)), reference="stimulus=0.7, context=0")
    size = np.random.default_rng(0).uniform(0.9, 1.1, (2, 100, 1))
    mean = first.mean_axis_distance.values
    one, other = (
        first.assign(draw_mean_axis_distance=(("draw", "condition"), mean * own)) for own in size
    )
    shift = pdn.distance_shift(one, other)
    assert shift.stimulus.values.tolist() == FIRST.tolist()
    np.testing.assert_allclose(shift["draw_set_shift"], 0.0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:noise of the averages")
def test_the_set_whose_axis_it_is_not_does_not_seem_to_shift():
    """A straight code in noise: along the axis of the first set, the second one shrinks."""
    plain, found, held = [], [], []
    for seed in range(12):
        result = measured(two_sets(noise=9.0, n_trials=5, seed=seed), n_components=None, n_draws=50)
        shift = pdn.distance_shift(result)
        shared = np.isin(result.stimulus.values.round(6), shift.stimulus.values.round(6))
        own = result.mean_axis_distance.values
        first, second = (own[shared & (result.context.values == one)] for one in (0, 1))
        plain.append((second - first).mean())
        found.append(shift["mean_set_shift"].item())
        held.append(bool(np.ptp(np.sign(shift["mean_set_shift_bound"].values))))
    assert np.mean(plain) < -3 * np.std(plain) / np.sqrt(12)
    assert abs(np.mean(found)) < 0.4 * abs(np.mean(plain))
    assert np.mean(held) > 0.8
