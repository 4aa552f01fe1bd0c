"""Distances along the axis of the conditions: what moves chords and not them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.kinet import Layout, Match
from popdyn.analysis.kinet_axis import axis_distance, coding_axis

FIRST = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
SECOND = FIRST + 0.2
AXES = np.linalg.qr(np.random.default_rng(98).normal(size=(30, 4)))[0]
BY = ["stimulus", "context"]


def two_sets(cue=0.0, along=0.0, noise=0.3, n_trials=10, seed=0):
    """Two sets on one line of slope 4, circling; the second lies ``cue`` aside, ``along`` ahead."""
    stimulus, context = np.concatenate([FIRST, SECOND]), np.repeat([0, 1], 5)
    phase = 2.0 * 0.02 * np.arange(40)[:, None] * np.ones(10)
    planted = np.stack([
        5.0 * np.cos(phase),
        5.0 * np.sin(phase),
        np.broadcast_to(4.0 * (stimulus - 0.7) + along * context, phase.shape),
        np.broadcast_to(cue * context, phase.shape),
    ])  # fmt: skip
    mean = np.einsum("nk,ktc->ntc", AXES * np.sqrt(30), planted)
    values = np.repeat(mean, n_trials, axis=2)
    values = values + np.random.default_rng(seed).normal(0.0, noise, values.shape)
    table = {
        "stimulus": np.repeat(stimulus, n_trials),
        "context": np.repeat(context, n_trials),
    }
    return pdn.make_tensor(values, 0.02 * np.arange(40), trials=table, units="1")


def measured(x, **options):
    """Distances from the middle of the first set, at the same time."""
    given = {"reference": "stimulus=0.7, context=0", "alignment": "time", "n_splits": 0}
    return pdn.relative_distance(x, BY, **(given | {"n_draws": 100} | options))


def test_a_cue_moves_chords_and_not_distances_along_the_axis():
    result = measured(two_sets(cue=2.0))
    planted = 4.0 * (result.stimulus.values - 0.7) * np.sqrt(30)
    np.testing.assert_allclose(result.mean_axis_distance, planted, atol=0.1)
    chords = np.abs(result.mean_distance.values)[result.context.values == 1]
    assert (chords > 9.0).all()
    shift = pdn.distance_shift(result)
    np.testing.assert_allclose(shift["set_shift"], 0.0, atol=0.1)
    assert float(shift.mean_p) > 0.05


def test_what_shifts_along_the_axis_is_found_beside_a_cue():
    shift = pdn.distance_shift(measured(two_sets(cue=2.0, along=0.4)))
    np.testing.assert_allclose(shift["set_shift"], 0.4 * np.sqrt(30), atol=0.15)
    assert float(shift.mean_p) < 0.05


@pytest.mark.filterwarnings("ignore:noise of the averages")
@pytest.mark.parametrize("unit", ["trial", "neuron"])
def test_the_axis_is_that_of_all_neurons_whatever_the_components(unit):
    """Two components hold the circle and nothing of cue or stimulus."""
    x = two_sets(cue=0.5, noise=0.6)
    few = measured(x, n_components=2, unit=unit)
    whole = measured(x, n_components=None, unit=unit)
    np.testing.assert_allclose(few.mean_axis_distance, whole.mean_axis_distance, atol=1e-9)
    assert np.abs(few.mean_distance - whole.mean_distance).max() > 0.5
    np.testing.assert_allclose(
        few.draw_mean_axis_distance, whole.draw_mean_axis_distance, atol=1e-9
    )


def test_the_method_by_the_axis_gives_the_same_numbers():
    x = two_sets(cue=0.5)
    chord, axis = measured(x), measured(x, method="coding_axis")
    for name in ("mean_{}distance", "draw_mean_{}distance", "mean_{}distance_bound"):
        np.testing.assert_allclose(axis[name.format("")], chord[name.format("axis_")], atol=1e-9)
    assert "mean_axis_distance" not in axis
    assert "expected_inflation" not in axis


def test_the_axis_is_that_of_the_times_averaged_over():
    """The conditions lie on one line in the first half, on another in the second."""
    line = np.where(np.arange(20)[:, None] < 10, np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    x = xr.DataArray(
        line.T[:, :, None] * (FIRST - 0.7),
        dims=("neuron", "time", "condition"),
        coords={"time": 0.02 * np.arange(20), "stimulus": ("condition", FIRST)},
    )
    options = {"smooth": None, "n_components": None, "alignment": "time"}
    half = pdn.relative_distance(x, mean_over=(0.2, 0.4), **options)
    np.testing.assert_allclose(half.mean_axis_distance, FIRST - 0.7, atol=1e-12)
    whole = pdn.relative_distance(x, **options)
    np.testing.assert_allclose(whole.mean_axis_distance, (FIRST - 0.7) / np.sqrt(2), atol=1e-12)


def test_sources_pool_both_kinds_of_distances():
    results = {str(seed): measured(two_sets(cue=2.0, seed=seed)) for seed in range(3)}
    pooled = pdn.pool_distances(results, n_draws=50)
    own = [
        one.mean_axis_distance / np.abs(one.mean_axis_distance).mean() for one in results.values()
    ]
    np.testing.assert_allclose(pooled.mean_axis_distance, np.mean(own, axis=0))
    assert pooled.draw_mean_axis_distance.dims == ("draw", "condition")


def test_noise_lengthens_no_distance_along_the_axis():
    """Nor its step next to the reference, which bends chords."""
    true, found = 4.0 * (FIRST - 0.7) * np.sqrt(30), []
    for seed in range(20):
        x = two_sets(noise=8.0, seed=seed)
        with pytest.warns(pdn.PopdynWarning, match="distance"):
            result = pdn.relative_distance(
                x.isel(trial=slice(50)), "stimulus", n_components=None, n_draws=0, n_splits=0
            )
        found.append([result.mean_distance, result.mean_axis_distance])
    chord, axis = np.mean(found, axis=0)
    assert abs(chord[3] / true[3]) > 1.2
    np.testing.assert_allclose(axis, true, atol=0.06 * true.max())


ROW = Layout(reference=1, chain=np.arange(3))
EVERY = np.ones(6, dtype=bool)


def three(seed=0):
    """States (condition, neuron, time) of three conditions; the last ends after four times."""
    states = np.random.default_rng(seed).normal(size=(3, 8, 6))
    states[2, :, 4:] = np.nan
    return states


def at_once(states):
    """States of the same time belong together, where they are known."""
    index = np.where(np.isfinite(states[:, 0]), np.arange(states.shape[2]), -1).T
    return Match(index, states, states)


def test_the_axis_is_that_of_the_times_at_which_all_conditions_are_known():
    states = three()
    known = coding_axis(at_once(states[:, :, :4]), states[:, :, :4], ROW, EVERY[:4])
    assert np.isfinite(known).all()
    np.testing.assert_allclose(coding_axis(at_once(states), states, ROW, EVERY), known)


def test_the_axis_is_that_of_the_average_of_matched_states():
    """Times in any order, some twice, some never, one not known; by singular values by hand."""
    states = np.random.default_rng(3).normal(size=(3, 8, 6))
    states[1, :, 2] = np.nan
    index = np.array([[0, 1, 5], [1, 3, 5], [2, 0, 0], [3, 4, 4], [4, -1, 2], [5, 1, 1]])
    rows = np.array([True, True, False, True, True, True])
    center = np.stack([states[c][:, index[[0, 1, 3, 5], c]].mean(axis=1) for c in range(3)])
    axis = np.linalg.svd(center - center.mean(axis=0))[2][0]
    axis = axis * np.sign((center[2] - center[0]) @ axis)
    match = Match(index, states, states)
    np.testing.assert_allclose(coding_axis(match, states, ROW, rows), axis, atol=1e-12)
    found = axis_distance(match, states, ROW, rows)
    for time, chosen in enumerate(index):
        for c, own in enumerate(chosen):
            if own < 0 or chosen[1] < 0:
                assert np.isnan(found[time, c])
            else:
                away = axis @ (states[c][:, own] - states[1][:, chosen[1]])
                assert found[time, c] == pytest.approx(away, abs=1e-12)


def test_the_axis_points_from_the_first_condition_to_the_last():
    """A principal axis has no sign of its own."""
    row = Layout(reference=2, chain=np.arange(5))
    for seed in range(20):
        states = np.random.default_rng(seed).normal(size=(5, 30, 1))
        away = (states[-1] - states[0])[:, 0]
        assert coding_axis(at_once(states), states, row, EVERY[:1]) @ away > 0.0
