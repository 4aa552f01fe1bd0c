"""What noise does to distances: corrections, draws and bounds in numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import popdyn as pdn
from popdyn.analysis.kinet import match_states
from popdyn.analysis.kinet_distance import expected_inflation
from tests.analysis.test_kinet_axis import measured, two_sets
from tests.analysis.test_kinet_trials import recorded


def test_inflation_counts_the_noise_of_both_averages():
    """Squared distance 8, squared errors 1 and 3: 4 are left."""
    mean = np.zeros((2, 2, 5))
    mean[1] = 2.0
    match = match_states(mean, np.ones((2, 5), dtype=bool), 0, "time")
    error = np.array([np.full(5, 3.0), np.full(5, 1.0)])
    np.testing.assert_allclose(expected_inflation(match, error, 0), [0.0, np.sqrt(2.0) - 1.0])


@pytest.mark.filterwarnings("ignore:noise of the averages")
@pytest.mark.filterwarnings("ignore:.*nearest state is the first or last")
def test_products_below_zero_are_no_distance():
    """Conditions that are the same: half of the products are negative."""
    x = recorded(noise=1.0)
    same = x.copy(data=np.tile(x.values[:, :, 24:36], (1, 1, 5)))
    rng = np.random.default_rng(0)
    same = same.copy(data=np.where(np.isnan(same), np.nan, rng.normal(size=same.shape)))
    result = pdn.relative_distance(same, "stimulus", n_components=None, n_draws=0)
    others = result.cross_validated_distance[:, [0, 1, 3, 4]].values
    assert 0.1 < (others[np.isfinite(others)] == 0.0).mean() < 0.9


def test_draws_of_few_sources_scatter_as_their_mean_does():
    results = {
        str(seed): measured(two_sets(cue=2.0, noise=1.0, seed=seed), n_draws=0) for seed in range(3)
    }
    pooled = pdn.pool_distances(results, n_draws=4000, normalize=False)
    for name in ("mean_distance", "mean_axis_distance"):
        own = pooled[f"source_{name}"].values
        variance = pooled[f"draw_{name}"].var("draw").values
        np.testing.assert_allclose(variance, own.var(axis=0, ddof=1) / 3, rtol=0.1, atol=1e-12)


def test_bounds_of_a_shift_reach_as_far_down_as_draws_go_up():
    result = measured(two_sets(cue=1.0), n_draws=400)
    drawn = result.draw_mean_axis_distance.values.copy()
    skewed = np.random.default_rng(1).exponential(size=len(drawn))
    drawn[:, result.context.values == 1] += skewed[:, None]
    shift = pdn.distance_shift(
        result.assign(draw_mean_axis_distance=(("draw", "condition"), drawn))
    )
    seen, draws = shift["set_shift"].values, shift["draw_set_shift"].values
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(shift.set_shift_bound, [2 * seen - high, 2 * seen - low], atol=0.02)
    assert (seen - shift.set_shift_bound[0] > 1.5 * (shift.set_shift_bound[1] - seen)).all()
    total = shift["mean_set_shift"].item()
    low, high = np.quantile(draws.mean(axis=1), [0.025, 0.975])
    wanted = [2 * total - high, 2 * total - low]
    np.testing.assert_allclose(shift.mean_set_shift_bound, wanted, atol=0.02)


@pytest.mark.filterwarnings("ignore:noise of the averages")
def test_the_test_warns_of_lengths_that_noise_bends_and_not_of_distances_along_the_axis():
    x = two_sets(noise=6.0).isel(trial=slice(50))
    stimulus = np.unique(x["stimulus"])
    for method, expected in (("arc_length", True), ("kinet", False), ("coding_axis", False)):
        distance = pdn.relative_distance(
            x, "stimulus", method=method, alignment="time", n_splits=0, n_draws=60
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pdn.estimation_test(
                distance, estimate=0.7 + 0.6 * np.tanh(stimulus - 0.7), n_draws=50, n_repeats=2
            )
        assert any("noise makes distances up to" in str(one.message) for one in caught) is expected


@pytest.mark.filterwarnings("ignore:noise of the averages")
def test_cross_validated_distances_along_the_axis_hold_no_noise_that_chose_it():
    """Conditions that are the same: the axis points to what noise made the last one."""
    ends = []
    for seed in range(8):
        x = two_sets(seed=seed).isel(trial=slice(50))
        x = x.copy(data=np.random.default_rng(seed).normal(size=x.shape))
        result = pdn.relative_distance(
            x, "stimulus", method="coding_axis", alignment="time", n_components=None,
            n_draws=0, n_splits=4,
        )  # fmt: skip
        crossed = result.cross_validated_distance.mean("time").values
        ends.append([np.ptp(result.mean_distance[[0, -1]].values), crossed[-1] - crossed[0]])
    plain, crossed = np.mean(ends, axis=0)
    assert abs(crossed) < 0.25 * plain
