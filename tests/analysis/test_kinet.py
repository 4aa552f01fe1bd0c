"""Geometry of KiNeT: the authors' numbers, planted orbits, and what is refused."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.analysis.kinet import Layout, match_states, neighbor_geometry, signed_distance
from tests.oracles.kinet import cheapest_path

REFERENCE = Path(__file__).parent / "reference" / "kinet_matlab.npz"
STIMULUS = 0.5 + 0.05 * np.arange(11)


def average_of(orbits, stimulus=STIMULUS, step=0.01):
    """Condition average from (neuron, time, condition)."""
    return xr.DataArray(
        orbits,
        dims=("neuron", "time", "condition"),
        coords={
            "time": step * np.arange(orbits.shape[1]),
            "stimulus": ("condition", stimulus, {"units": "s"}),
        },
    )


def cylinder(n_neurons=50, step=0.001, stimulus=STIMULUS):
    """Planted orbits: distance 4 (d - 0.75), speed 0.75 / d, in random directions."""
    time = step * np.arange(round(1.0 / step))
    phase = 1.2 * np.pi * time[:, None] / stimulus
    height = np.broadcast_to(4.0 * (stimulus - 0.75), phase.shape)
    planted = np.stack([np.cos(phase), np.sin(phase), height])
    planted = np.where(time[:, None] < stimulus - 1e-9, planted, np.nan)
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(n_neurons, 3)))[0]
    return average_of(np.einsum("nk,ktc->ntc", axes, planted), stimulus, step)


@contextmanager
def quiet():
    """Let warnings of saturated matches pass where the test is about something else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*nearest state is the first or last")
        yield


def exact(x, **options):
    """Distances in all neurons as they are."""
    return pdn.relative_distance(x, **({"smooth": None, "n_components": None} | options))


@pytest.mark.parametrize("case", [0, 1, 2, 3])
def test_every_number_equals_that_of_the_authors(case):
    stored = np.load(REFERENCE)
    scores = stored[f"scores_{case}"].transpose(0, 2, 1)
    n_times = stored[f"matched_{case}"].shape[0]
    with quiet():
        result = exact(average_of(scores, np.arange(scores.shape[2])))
    result = result.isel(time=slice(n_times))
    np.testing.assert_allclose(
        result.matched_time, 0.01 * (stored[f"matched_{case}"] - 1), atol=1e-12
    )
    for name in ("distance", "angle", "rotation", "similarity"):
        np.testing.assert_allclose(result[name], stored[f"{name}_{case}"], atol=1e-12)


def test_planted_distances_and_speeds_are_found():
    result = exact(cylinder())
    np.testing.assert_allclose(result.mean_distance, 4.0 * (STIMULUS - 0.75), atol=0.005)
    np.testing.assert_allclose(1.0 / result.speed, STIMULUS / 0.75, atol=0.002)
    ended = np.isfinite(result.distance).all("condition")
    assert (np.sign(result.distance[ended.values]) == np.sign(STIMULUS - 0.75).round(9)).all()
    assert float(abs(result.angle).max()) < 0.05
    assert float(result.similarity.min()) > 0.99
    assert int(ended.sum()) == 750
    assert result.attrs["reference"] == "5"
    assert result.attrs["distance_method"] == "kinet"


def test_components_hold_the_distances_of_planted_orbits():
    full, part = exact(cylinder()), exact(cylinder(), n_components=3)
    np.testing.assert_allclose(part.distance, full.distance, atol=1e-9)
    assert part.attrs["n_components"] == 3
    assert part.sizes["component"] == 3


def test_variants_measure_the_same_planted_line():
    for method in ("arc_length", "coding_axis"):
        result = exact(cylinder(), method=method)
        np.testing.assert_allclose(result.mean_distance, 4.0 * (STIMULUS - 0.75), atol=0.02)
        assert result.attrs["distance_method"] == method


def test_the_line_through_conditions_on_an_arc_is_longer_than_the_chord():
    turn = np.linspace(0.0, np.pi, 11)
    states = np.stack([np.cos(turn), np.sin(turn), np.zeros(11)])
    time = 0.3 * np.arange(40)
    orbits = states[:, None, :] + np.array([0.0, 0.0, 1.0])[:, None, None] * time[:, None]
    chord, arc = exact(average_of(orbits)), exact(average_of(orbits), method="arc_length")
    at = turn - np.pi / 2
    np.testing.assert_allclose(chord.mean_distance, 2 * np.sin(at / 2), atol=1e-9)
    np.testing.assert_allclose(arc.mean_distance, 10 * np.sin(np.pi / 20) * at / (np.pi / 2))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(2, 7))
def test_the_monotone_path_is_the_cheapest_that_never_goes_back(seed, n_own, n_other):
    rng = np.random.default_rng(seed)
    n_times = max(n_own, n_other)
    mean = rng.normal(size=(2, 2, n_times))
    known = np.arange(n_times) < np.array([[n_own], [n_other]])
    match = match_states(mean, known, 0, "monotone")
    path = match.index[:n_own, 1]
    assert (np.diff(path) >= 0).all()
    cost = ((mean[0, :, :n_own, None] - mean[1, :, None, :n_other]) ** 2).sum(axis=0)
    assert cost[np.arange(n_own), path].sum() == pytest.approx(cheapest_path(cost))
    assert (match.index[n_own:] == -1).all()


def test_orbits_that_cross_themselves_jump_unless_the_path_or_the_reach_forbids_it():
    time = 0.01 * np.arange(200)
    phase = 2 * np.pi * time[:, None] + np.zeros(5)
    drift = 0.01 * time[:, None] * np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    orbits = np.stack(
        [np.cos(phase) + drift, np.sin(phase), np.broadcast_to(np.arange(5.0), phase.shape)]
    )
    x = average_of(orbits, np.arange(5.0))
    apart = {}
    for options in ({}, {"alignment": "monotone"}, {"reach": 0.1}, {"alignment": "time"}):
        with quiet():
            matched = exact(x, **options).matched_time
        apart[str(options)] = float(abs(matched - matched.time).max())
    assert apart["{}"] > 0.9
    assert all(jump < 0.11 for options, jump in apart.items() if options != "{}")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_distances_do_not_depend_on_rotation_shift_or_order_of_neurons(seed):
    rng = np.random.default_rng(seed)
    orbits = rng.normal(size=(6, 30, 5)).cumsum(axis=1)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    moved = np.einsum("nm,mtc->ntc", turn, orbits) + rng.normal(size=(6, 1, 1))
    with quiet():
        one, other = (exact(average_of(x, np.arange(5.0))) for x in (orbits, moved))
        scaled = exact(average_of(3.0 * orbits, np.arange(5.0)))
    for name in ("distance", "matched_time", "angle", "rotation", "similarity"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-9)
    np.testing.assert_allclose(3.0 * one.distance, scaled.distance)


def test_conditions_in_any_order_are_ordered_by_the_stimulus():
    x = cylinder(step=0.01)
    shuffled = x.isel(condition=[3, 10, 0, 7, 5, 1, 9, 2, 8, 4, 6])
    one, other = exact(x), exact(shuffled)
    np.testing.assert_array_equal(other.stimulus, STIMULUS)
    np.testing.assert_allclose(one.mean_distance, other.mean_distance)


def test_equally_near_states_give_the_earliest():
    mean = np.zeros((2, 1, 6))
    mean[1, 0] = [2.0, 1.0, 1.0, 3.0, 1.0, 1.0]
    match = match_states(mean, np.ones((2, 6), dtype=bool), 0)
    assert (match.index[:, 1] == 1).all()


def test_sides_are_unknown_where_an_end_of_the_row_lies_on_the_reference():
    mean = np.arange(5.0)[:, None, None] * np.ones((5, 2, 3))
    mean[0] = mean[2]
    match = match_states(mean, np.ones((5, 3), dtype=bool), 2, "time")
    distance = signed_distance(match, Layout(2, np.arange(5)))
    assert np.isnan(distance[:, [1, 3, 4]]).all()
    assert (distance[:, [0, 2]] == 0).all()
    along = signed_distance(match, Layout(2, np.arange(5)), "axis")
    np.testing.assert_allclose(along[0], np.sqrt(2) * np.array([0, -1, 0, 1, 2]))


def test_other_directions_have_no_similarity_and_turn_by_a_right_angle():
    line = np.arange(5.0)[:, None] - 2.0
    first, second = np.zeros((5, 2)), np.zeros((5, 2))
    first[:, :1], second[:, 1:] = line, line
    mean = np.stack([first, second], axis=2)
    match = match_states(mean, np.ones((5, 2), dtype=bool), 2, "time")
    angle, rotation, similarity = neighbor_geometry(match, Layout(2, np.arange(5)))
    np.testing.assert_allclose(angle, 0.0, atol=1e-7)
    np.testing.assert_allclose(rotation, [0.0, np.pi / 2])
    np.testing.assert_allclose(similarity, [1.0, 0.0], atol=1e-12)


def test_two_conditions_have_sides_along_their_line():
    result = exact(cylinder(stimulus=np.array([0.7, 0.8]), step=0.01), sign="axis")
    np.testing.assert_allclose(result.mean_distance, [-0.4, 0.0], atol=0.005)
    assert np.isnan(result.angle).all()


def test_matches_at_an_end_are_flagged_and_told():
    x = cylinder(step=0.01)
    short = x.where(x.time < 0.5 * x.stimulus / 0.5, drop=False)
    short = short.where((short.time < 0.3) | (short.stimulus != 0.6))
    with pytest.warns(pdn.PopdynWarning, match="2: the nearest state is the first or last"):
        result = exact(short)
    at_end = result.saturated[:, 2].values
    assert result.matched_time[:, 2].values[at_end] == pytest.approx(0.29)
    assert float(result.saturated_share[2]) == pytest.approx(at_end.sum() / 75)
    assert float(result.speed[2]) == pytest.approx(0.75 / 0.6, rel=0.02)


def test_a_part_of_the_times_can_be_averaged():
    x = cylinder(step=0.01)
    whole, part = exact(x), exact(x, mean_over=(0.1, 0.3))
    wanted = whole.distance.sel(time=slice(0.0999, 0.2999)).mean("time")
    np.testing.assert_allclose(part.mean_distance, wanted)
    with pytest.raises(pdn.TensorError, match=r"mean_over = \(100, 300\) s does not lie in"):
        exact(x, mean_over=(100, 300))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"method": "kinnet"}, pdn.TensorError, "no distance method 'kinnet'; there is 'kinet'"),
        ({"alignment": "near"}, pdn.TensorError, "alignment must be one of 'nearest'"),
        ({"sign": "left"}, pdn.TensorError, "sign must be one of 'direction', 'axis'"),
        ({"reach": -1.0}, pdn.TensorError, "reach is a time in s"),
        ({"reach": 100.0}, pdn.TensorError, "reach = 100 s is much longer.*100 ms are 0.1"),
        ({"unit": "session"}, pdn.TensorError, "unit must be one of 'trial', 'neuron'"),
        ({"draw_components": "new"}, pdn.TensorError, "draw_components must be one of 'fixed'"),
        ({"smooth": 40}, pdn.TensorError, "40 ms is 0.040"),
        (
            {"mean_over": 0.4},
            pdn.TensorError,
            r"mean_over is a pair \(start, stop\) in s, found 0.4",
        ),
        ({"mean_over": ("a", 1)}, pdn.TensorError, "mean_over must be a pair"),
        ({"mean_over": (0, 400)}, pdn.TensorError, "0 to 0.99 s: 400 ms are 0.4"),
        ({"mean_over": (0.4, 0.2)}, pdn.TensorError, "does not lie in the window"),
        ({"n_draws": -1}, pdn.TensorError, "n_draws is a whole number, 0 for none, found -1"),
        ({"n_splits": 0.5}, pdn.TensorError, "n_splits is a whole number, 0 for none, found 0.5"),
        ({"reference": 0.62}, pdn.TensorError, "no condition 0.62 to take as reference"),
        ({"reference": 0.5}, pdn.FitError, "first or last condition"),
        ({"by": "tone"}, pdn.TensorError, "no column tone on condition, found stimulus"),
    ],
)
def test_bad_requests_are_refused_in_plain_words(options, error, words):
    with pytest.raises(error, match=words):
        exact(cylinder(step=0.01), **options)


def test_activity_that_does_not_vary_has_no_distances():
    with pytest.raises(pdn.FitError, match="none of 50 neurons varies: averages are the same"):
        exact(0.0 * cylinder(step=0.01) + 3.0)


def test_few_conditions_need_another_rule_for_sides():
    x = cylinder(step=0.01, stimulus=STIMULUS[[0, 3, 5, 8]])
    with pytest.raises(pdn.FitError, match="at least 5 conditions, found 4"):
        exact(x)
    assert exact(x, sign="axis").mean_distance[0] < 0


def test_one_stimulus_is_no_comparison():
    x = cylinder(step=0.01).assign_coords(stimulus=("condition", np.full(11, 0.5)))
    with pytest.raises(pdn.FitError, match="needs two values of the stimulus, found one"):
        exact(x)


def test_conditions_without_numbers_have_no_order():
    x = (
        cylinder(step=0.01)
        .drop_vars("stimulus")
        .assign_coords(side=("condition", list("abcdefghijk")))
    )
    with pytest.raises(pdn.TensorError, match="no numbers to be ordered by"):
        exact(x)
    with pytest.raises(pdn.TensorError, match="'side' holds a, b, c, d"):
        exact(x, by="side")


def test_milliseconds_are_converted_where_they_are_declared_and_refused_where_not():
    x = cylinder(step=0.01)
    in_ms = x.assign_coords(stimulus=("condition", 1000 * STIMULUS, {"units": "ms"}))
    result = exact(in_ms)
    np.testing.assert_allclose(result.stimulus, STIMULUS)
    assert result.stimulus.attrs["units"] == "s"
    wrong = x.assign_coords(stimulus=("condition", 1000 * STIMULUS, {"units": "s"}))
    with pytest.raises(pdn.TensorError, match="look like milliseconds; say units 'ms'"):
        exact(wrong)


def noisy_cylinder(noise):
    """Planted orbits in 50 neurons with white noise in every bin of 1 ms."""
    x = cylinder()
    return x + noise * np.random.default_rng(1).normal(size=x.shape)


@pytest.mark.parametrize(
    ("noise", "options", "near", "far"),
    [
        (0.05, {}, 0.43, None),
        (0.10, {}, 0.65, None),
        (0.05, {"n_components": 3}, 0.12, None),
        (0.10, {"n_components": 3}, 0.07, None),
        (0.05, {"n_components": 3, "smooth": 0.010}, 0.195, 0.99),
        (0.10, {"n_components": 3, "smooth": 0.010}, 0.195, 0.99),
    ],
    ids=["all", "all, noisier", "components", "components, noisier", "smooth", "smooth, noisier"],
)
def test_noise_inflates_in_all_neurons_deflates_in_components_and_is_smoothed_away(
    noise, options, near, far
):
    with quiet():
        mean = abs(exact(noisy_cylinder(noise), **options).mean_distance)
    assert float(mean[[4, 6]].mean()) == pytest.approx(near, abs=0.02)
    if far:
        assert float(mean[[0, 10]].mean()) == pytest.approx(far, abs=0.02)
