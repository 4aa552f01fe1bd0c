"""Behavior on the trials and bins of the spikes."""

from __future__ import annotations

import json
import time as clock

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.tensor.behavior import Series, add_behavior, behavior_names
from popdyn.tensor.session import session_neurons


def session(starts=(1.0, 2.0, np.nan, 4.0), **columns):
    table = {"start_time": list(starts), **columns}
    return pdn.make_session(
        [0.5, 1.1, 2.2, 1.3, 4.4], [0, 3, 5], trials=table, neurons={"area": ["a", "b"]}
    )


def aligned(series, window=(-0.5, 1.0), bin_width=0.25, **more):
    with pytest.warns(pdn.PopdynWarning, match="1 of 4 trials have no 'start_time'"):
        return pdn.align_behavior(
            add_behavior(session(), series), "start_time", window, bin_width, **more
        )


def mean_by_loop(time, values, starts, window, width):
    n_bins = round((window[1] - window[0]) / width)
    found = np.full((n_bins, len(starts)), np.nan)
    for trial, start in enumerate(starts):
        for k in range(n_bins):
            inside = [
                value
                for at, value in zip(time, values, strict=True)
                if start + (window[0] + k * width) <= at < start + (window[0] + (k + 1) * width)
                and np.isfinite(value)
            ]
            if inside:
                found[k, trial] = sum(inside) / len(inside)
    return found


def test_samples_in_a_bin_are_averaged_as_a_loop_does():
    rng = np.random.default_rng(0)
    time = np.sort(rng.uniform(0, 6, 700))
    values = rng.normal(size=700)
    values[rng.random(700) < 0.1] = np.nan
    found = aligned(Series("pupil", time, values))["pupil"]
    wanted = mean_by_loop(time, values, (1.0, 2.0, 4.0), (-0.5, 1.0), 0.25)
    assert found.dims == ("time", "trial")
    np.testing.assert_allclose(found.values, wanted, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=60),
    st.lists(st.floats(0, 10), min_size=1, max_size=8),
)
def test_events_are_counted_as_spikes_are(times, starts):
    times = np.sort(times)
    both = pdn.make_session(times, [0, times.size], trials={"start_time": starts})
    both = add_behavior(both, Series("licks", times, np.ones(times.size), kind="events"))
    counts = pdn.align(both, "start_time", (-1.0, 2.0), 0.5)
    licks = pdn.align_behavior(both, "start_time", (-1.0, 2.0), 0.5)["licks"]
    np.testing.assert_array_equal(licks.values, counts.values[0])


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 1000))
def test_the_order_of_trials_does_not_matter(order, seed):
    rng = np.random.default_rng(seed)
    starts = np.array([0.1, 0.9, 1.0, 2.5, 3.0, 4.7])
    series = Series("x", np.sort(rng.uniform(0, 5, 200)), rng.normal(size=200))
    one = add_behavior(session(starts), series)
    other = add_behavior(session(starts[list(order)]), series)
    args = ("start_time", (-0.5, 0.5), 0.1)
    np.testing.assert_array_equal(
        pdn.align_behavior(one, *args)["x"].values[:, list(order)],
        pdn.align_behavior(other, *args)["x"].values,
    )


def test_both_fit_into_one_dataset():
    whole = add_behavior(session(), Series("pupil", np.arange(60) / 10, np.arange(60.0)))
    args = ("start_time", (-0.5, 1.0), 0.25)
    with pytest.warns(pdn.PopdynWarning):
        tensor, behavior = pdn.align(whole, *args), pdn.align_behavior(whole, *args)
    both = xr.Dataset({"spike_count": tensor, **behavior})
    assert dict(both.sizes) == {"neuron": 2, "time": 6, "trial": 3}
    xr.testing.assert_identical(
        both["spike_count"].reset_coords(drop=True), tensor.reset_coords(drop=True)
    )
    xr.testing.assert_equal(
        both["pupil"].drop_vars(["area", "neuron"], errors="ignore"), behavior["pupil"]
    )
    assert set(both["pupil"].coords) == {"time", "trial", "start_time", "align_time"}
    for name in ("time", "trial", "start_time", "align_time"):
        xr.testing.assert_identical(
            tensor[name].reset_coords(drop=True), behavior[name].reset_coords(drop=True)
        )


def test_what_was_done_is_written_on_it():
    found = aligned(Series("pupil", np.arange(60) / 10, np.arange(60.0), units="mm", path="/p"))
    attrs = found["pupil"].attrs
    assert (attrs["units"], attrs["kind"], attrs["align"]) == ("mm", "series", "start_time")
    assert (attrs["bin_width"], attrs["path"], attrs["n_dropped"]) == (0.25, "/p", 1)
    step = json.loads(found.attrs["popdyn"])[-1]
    assert step["step"] == "align_behavior"
    assert step["parameters"]["series"] == ["pupil"]


def test_channels_keep_their_names():
    values = np.stack([np.arange(60.0), -np.arange(60.0)], axis=1)
    found = aligned(Series("position", np.arange(60) / 10, values, channels=("x", "y")))
    assert found["position"].dims == ("position_channel", "time", "trial")
    np.testing.assert_array_equal(
        found["position"].sel(position_channel="x"), -found["position"].sel(position_channel="y")
    )


def test_events_with_labels_are_counted_by_label():
    marks = np.array([[1, 0], [0, 1], [1, 0]])
    found = aligned(
        Series("cue", np.array([1.0, 1.1, 1.2]), marks, kind="events", channels=("left", "right"), units="1"),
        window=(0.0, 0.5), bin_width=0.5,
    )["cue"]  # fmt: skip
    assert found.sel(cue_channel="left").values[0].tolist() == [2, 0, 0]
    assert found.sel(cue_channel="right").values[0].tolist() == [1, 0, 0]
    assert found.attrs["units"] == "1"


def test_sampling_slower_than_the_bins_is_a_line_at_their_centers():
    time = np.arange(0, 8, 0.5)
    found = aligned(Series("pupil", time, 3 * time), window=(0.0, 1.0), bin_width=0.1)
    centers = found["align_time"].values + found["time"].values[:, None]
    np.testing.assert_allclose(found["pupil"].values, 3 * centers, rtol=1e-12)


def test_a_line_is_drawn_over_three_intervals_and_no_more():
    time = np.delete(np.arange(0, 6, 0.1), [12, 13, 42, 43, 44])
    found = aligned(Series("pupil", time, time), window=(0.0, 1.0), bin_width=0.1)["pupil"].values
    # From 1.1 to 1.4 s is three intervals; from 4.1 to 4.5 s is four.
    assert np.isfinite(found[:, 0]).all()
    assert np.flatnonzero(np.isnan(found[:, 2])).tolist() == [2, 3, 4]
    assert found[2, 0] == pytest.approx(1.25)


def test_nothing_goes_beyond_the_first_and_the_last_sample():
    time = np.arange(1.5, 4.2, 0.2)
    found = aligned(Series("pupil", time, np.ones(time.size)), bin_width=0.1)["pupil"].values
    centers = np.array([1.0, 2.0, 4.0]) + (np.arange(15)[:, None] * 0.1 - 0.45)
    np.testing.assert_array_equal(np.isfinite(found), (centers >= time[0]) & (centers <= time[-1]))


def test_a_bin_centered_on_the_last_sample_has_its_value():
    found = aligned(
        Series("pupil", np.array([0.5, 2.5, 4.5]), np.array([1.0, 2.0, 7.0])),
        window=(0.0, 1.0), bin_width=1.0,
    )["pupil"].values  # fmt: skip
    assert found.tolist() == [[1.5, 2.0, 7.0]]


def test_a_blink_is_missing_in_every_bin_it_fills():
    time = np.arange(0, 6, 0.01)
    values = np.where((time >= 1.2) & (time < 1.6), np.nan, 4.0)
    found = aligned(Series("pupil", time, values), window=(0.0, 1.0), bin_width=0.1)["pupil"]
    assert np.flatnonzero(np.isnan(found.values[:, 0])).tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(("period", "units"), [(2 * np.pi, "rad"), (360.0, "deg")])
def test_angles_are_averaged_on_the_circle(period, units):
    time = np.arange(0, 6, 0.05)
    values = np.mod(period * (0.99 + 0.02 * (np.arange(time.size) % 2)), period)
    for bin_width in (0.1, 0.5):
        found = aligned(
            Series("head", time, values, units=units, period=period), bin_width=bin_width
        )
        turned = np.mod(found["head"].values / period + 0.5, 1.0)
        np.testing.assert_allclose(turned, 0.5, atol=1e-9)
        assert found["head"].values.min() >= 0


def test_opposite_directions_have_no_mean():
    series = Series("head", np.arange(0, 6, 0.1), np.tile([0.0, 180.0], 30), period=360.0)
    assert np.isnan(aligned(series, window=(0.0, 0.6), bin_width=0.2)["head"].values).all()


def test_trials_are_selected_and_dropped_as_align_does():
    whole = add_behavior(
        session(side=["l", "r", "l", "r"]), Series("pupil", np.arange(60) / 10, np.arange(60.0))
    )
    args = ("start_time", (0.0, 1.0), 0.5, {"side": "r"})
    tensor, behavior = pdn.align(whole, *args), pdn.align_behavior(whole, *args)
    assert behavior["trial"].values.tolist() == tensor["trial"].values.tolist() == [1, 3]
    assert behavior.attrs["n_dropped"] == tensor.attrs["n_dropped"] == 0


def test_a_series_is_chosen_by_name_and_a_wrong_name_is_helped():
    whole = add_behavior(
        session((1.0, 2.0)),
        [Series(n, np.arange(60) / 10, np.ones(60)) for n in ("pupil", "speed")],
    )
    found = pdn.align_behavior(whole, "start_time", (0.0, 1.0), 0.5, series="speed")
    assert list(found.data_vars) == ["speed"]
    with pytest.raises(pdn.TensorError, match="no behavior 'pupl'. Did you mean 'pupil'"):
        pdn.align_behavior(whole, "start_time", (0.0, 1.0), 0.5, series="pupl")


def test_a_session_without_behavior_says_how_to_read_some():
    with pytest.raises(pdn.TensorError, match=r"has no behavior. Read it .*behavior=\[...\]"):
        pdn.align_behavior(session(), "start_time", (0.0, 1.0))


@pytest.mark.parametrize(("series", "message"), [
    (Series("x", np.array([0.0, 2.0, 1.0]), np.ones(3)), "fall 1 times, first from 2 to 1 s at sample 2"),
    (Series("x", np.array([0.0, np.nan]), np.ones(2)), "1 of 2 times are not finite"),
    (Series("x", np.zeros(2), np.ones(3)), r"times of shape \(2,\) and values of shape \(3,\)"),
    (Series("x", np.zeros(2), np.ones(2), kind="trace"), "kind must be one of series, events, got 'trace'"),
    (Series("x", np.zeros(2), np.ones((2, 2)), channels=("a",)), "1 names of channels for values"),
])  # fmt: skip
def test_what_is_no_series_is_refused(series, message):
    with pytest.raises(pdn.TensorError, match=message):
        add_behavior(session(), series)


def test_names_that_are_taken_give_way():
    times = np.arange(3.0)
    whole = add_behavior(session(), [
        Series("area", times, times), Series("rate", times, times), Series("eye/x", times, times),
        Series("eye/x", times, times),
    ])  # fmt: skip
    assert behavior_names(whole) == ["behavior_area", "behavior_rate", "eye_x", "behavior_eye_x"]
    assert whole["behavior_area"].attrs["file_name"] == "area"
    assert whole["area"].dims == ("neuron",)


def test_the_input_is_not_changed():
    before = session()
    copy = before.copy(deep=True)
    values = np.ones(3)
    added = add_behavior(before, Series("pupil", np.arange(3.0), values))
    added["pupil"][...] = 7
    xr.testing.assert_identical(before, copy)
    assert values.tolist() == [1, 1, 1]


def test_behavior_is_saved_and_loaded(tmp_path):
    whole = add_behavior(session(), [
        Series("pupil", np.arange(60) / 10, np.arange(60.0), units="mm"),
        Series("cue", np.arange(4.0), np.eye(4)[:, :2], kind="events", channels=("a b", "c")),
    ])  # fmt: skip
    assert pdn.load(pdn.save(whole, tmp_path / "s.nc")).identical(whole)
    with pytest.warns(pdn.PopdynWarning):
        found = pdn.align_behavior(whole, "start_time", (-0.5, 1.0), 0.25)
    assert pdn.load(pdn.save(found, tmp_path / "b.nc")).identical(found)


def test_a_choice_of_neurons_keeps_the_behavior():
    whole = add_behavior(session(), Series("pupil", np.arange(60) / 10, np.arange(60.0)))
    part = session_neurons(whole, np.array([True, False]))
    assert behavior_names(part) == ["pupil"]
    xr.testing.assert_identical(part["pupil"], whole["pupil"])


def test_means_and_lines_are_those_of_pynapple():
    nap = pytest.importorskip("pynapple")
    rng = np.random.default_rng(1)
    time, values = np.sort(rng.uniform(0, 100, 10_000)), rng.normal(size=10_000)
    starts = np.arange(5.0, 95.0, 5.0)
    whole = add_behavior(
        pdn.make_session([1.0], [0, 1], trials={"start_time": starts}),
        [Series("fast", time, values), Series("slow", np.arange(0, 100, 0.5), values[:200])],
    )
    fast = pdn.align_behavior(whole, "start_time", (0.0, 2.0), 0.1)["fast"].values
    slow = pdn.align_behavior(whole, "start_time", (0.0, 2.0), 0.01)["slow"]
    for trial, start in enumerate(starts):
        mean = nap.Tsd(time, values).bin_average(0.1, ep=nap.IntervalSet(start, start + 2))
        np.testing.assert_allclose(fast[:, trial], mean.values, atol=1e-12)
        at = nap.Ts(start + slow["time"].values)
        line = nap.Tsd(np.arange(0, 100, 0.5), values[:200]).interpolate(at)
        np.testing.assert_allclose(slow.values[:, trial], line.values, atol=1e-6)


def test_three_hours_at_a_kilohertz_take_less_than_a_second():
    time = np.arange(3 * 3600 * 1000) / 1000
    starts = np.linspace(10, 10_700, 1000)
    rng = np.random.default_rng(0)
    whole = add_behavior(
        pdn.make_session([1.0], [0, 1], trials={"start_time": rng.permutation(starts)}),
        Series("pupil", time, rng.normal(size=time.size)),
    )
    pdn.align_behavior(whole, "start_time", (-1.0, 2.0), 0.01)
    lasted = []
    for _ in range(3):
        began = clock.process_time()
        pdn.align_behavior(whole, "start_time", (-1.0, 2.0), 0.01)
        lasted.append(clock.process_time() - began)
    assert min(lasted) < 1.0
