"""Choices are signs of means, produced intervals crossings between steps."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from popdyn.tasks.answers import choose, first_crossing, mean_during


@settings(deadline=None)
@given(
    slope=st.floats(0.2, 5.0),
    threshold=st.floats(0.2, 3.0),
    dt=st.sampled_from([0.001, 0.01, 0.02]),
)
def test_a_straight_line_crosses_where_algebra_says(slope, threshold, dt):
    n_steps = int(1.5 * threshold / slope / dt) + 3
    end_of_step = (np.arange(n_steps) + 1) * dt
    crossing = first_crossing(
        (slope * end_of_step)[:, None], threshold, np.array([0]), np.array([n_steps]), dt
    )
    expected = threshold / slope
    # Within the first step there is no value before to interpolate from.
    assert np.isnan(crossing[0]) if expected <= dt else crossing[0] == pytest.approx(expected)


def slow_crossing(values, threshold, start, stop, dt):
    for k in range(max(start, 1), min(stop, len(values))):
        low, high = values[k - 1], values[k]
        if low < threshold <= high:
            return k * dt + (threshold - low) / (high - low) * dt
    return np.nan


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), threshold=st.floats(-1.5, 1.5))
def test_crossings_agree_with_a_plain_loop(seed, threshold):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((12, 5))
    values[generator.random((12, 5)) < 0.1] = np.nan
    start, stop = generator.integers(0, 6, 5), generator.integers(6, 14, 5)
    found = first_crossing(values, threshold, start, stop, 0.1)
    expected = [slow_crossing(values[:, i], threshold, start[i], stop[i], 0.1) for i in range(5)]
    np.testing.assert_allclose(found, expected)


def test_an_output_that_is_above_from_the_start_has_to_rise_again():
    values = np.array([2.0, 2.0, 0.0, 2.0])[:, None]
    assert first_crossing(values, 1.0, np.array([0]), np.array([4]), 1.0)[0] == 3.5
    assert np.isnan(first_crossing(values[:2], 1.0, np.array([0]), np.array([2]), 1.0)[0])


def test_an_output_that_stays_at_the_threshold_does_not_rise_to_it():
    assert np.isnan(first_crossing(np.ones((5, 1)), 1.0, np.array([0]), np.array([5]), 0.1)[0])


def test_means_are_over_the_steps_asked_for():
    output = xr.DataArray(np.arange(12.0).reshape(1, 6, 2), dims=("output", "step_time", "trial"))
    mean = mean_during(output, np.array([1, 4]), np.array([3, 4]))
    assert mean[0, 0] == np.mean([2.0, 4.0])
    assert np.isnan(mean[0, 1])


def test_choices_are_signs_and_catch_trials_have_no_right_one():
    behavior = choose(np.array([0.2, -0.1, 0.0, 0.3, np.nan]), np.array([1, 1, -1, 0, 1]))
    np.testing.assert_array_equal(behavior["choice"], [1, -1, np.nan, 1, np.nan])
    np.testing.assert_array_equal(behavior["correct"], [1, 0, 0, np.nan, 0])
