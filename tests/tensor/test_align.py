import warnings

import numpy as np
import pytest
from hypothesis import given, settings

import popdyn as pdn
from popdyn.tensor.align import mask_unobserved
from popdyn.tensor.contract import bin_edges
from popdyn.tensor.kernels import count_spikes, count_spikes_plain
from popdyn.tensor.session import make_session, neuron_spikes
from tests.strategies import sessions, windows


def aligned(session, window, bin_width, **given_):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pdn.PopdynWarning)
        return pdn.align(session, "go_time", window, bin_width, **given_)


@given(session=sessions(), window=windows)
@settings(max_examples=150, deadline=None)
def test_counts_sum_to_the_spikes_inside_the_observed_bins(session, window):
    first, n_bins, width = window
    limits = (first * width, (first + n_bins) * width)
    before = session.copy(deep=True)
    x = aligned(session, limits, width)
    assert session.identical(before)
    edges = bin_edges(limits, width)
    owner = session["obs_neuron"].values
    for neuron in range(x.sizes["neuron"]):
        spikes = neuron_spikes(session, neuron)
        spans = [
            (session["obs_start"].values[i], session["obs_stop"].values[i])
            for i in np.flatnonzero(owner == neuron)
        ]
        for trial, event in enumerate(x.align_time.values):
            counts = x.values[neuron, :, trial]
            for b in range(n_bins):
                left, right = event + edges[b], event + edges[b + 1]
                number = np.sum((spikes >= left) & (spikes < right))
                # A bin counts as observed up to rounding: at the very edge both are right.
                if _covers(spans, left, right, -2e-9):
                    assert counts[b] == number
                elif not _covers(spans, left, right, 2e-9):
                    assert np.isnan(counts[b])
                else:
                    assert np.isnan(counts[b]) or counts[b] == number


def _covers(spans, left, right, slack):
    """Whether the union of intervals holds a bin, with some slack at its ends."""
    reach = left - slack
    started = any(start <= left + slack and stop >= left + slack for start, stop in spans)
    for start, stop in sorted(spans):
        if start <= reach + 2 * slack:
            reach = max(reach, stop)
    return started and reach >= right - slack


@given(session=sessions(), window=windows)
@settings(max_examples=60, deadline=None)
def test_total_over_observed_windows_is_the_number_of_spikes_in_them(session, window):
    first, n_bins, width = window
    limits = (first * width, (first + n_bins) * width)
    x = aligned(session, limits, width)
    for neuron in range(x.sizes["neuron"]):
        spikes = neuron_spikes(session, neuron)
        for trial, event in enumerate(x.align_time.values):
            if np.isfinite(x.values[neuron, :, trial]).all():
                inside = (spikes >= event + limits[0]) & (spikes < event + limits[1])
                assert x.values[neuron, :, trial].sum() == inside.sum()


@given(session=sessions(), window=windows)
@settings(max_examples=60, deadline=None)
def test_kernel_equals_plain_numpy(session, window):
    first, n_bins, width = window
    edges = bin_edges((first * width, (first + n_bins) * width), width)
    times = session.go_time.values[np.isfinite(session.go_time.values)]
    shape = (session.sizes["neuron"], n_bins, times.size)
    fast, plain = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    data = (session["spike_time"].values, session["neuron_start"].values, times, edges, width)
    count_spikes(*data, fast)
    count_spikes_plain(*data, plain)
    np.testing.assert_array_equal(fast, plain)
    interpreted = np.zeros(shape, np.float32)
    count_spikes.py_func(*data, interpreted)
    np.testing.assert_array_equal(interpreted, plain)


def test_spikes_on_an_edge_belong_to_the_bin_on_their_right():
    session = make_session([0.0, 0.1, 0.2, 0.3], [0, 4], trials={"go_time": [0.0]})
    x = pdn.align(session, "go_time", (0.0, 0.3), 0.1)
    assert x.values.ravel().tolist() == [1, 1, 1]


def test_time_is_bin_centers_and_the_same_for_every_source():
    session = make_session([0.0], [0, 1], trials={"go_time": [0.0]})
    x = pdn.align(session, "go_time", (-0.3, 0.6), 0.1)
    np.testing.assert_allclose(x.time.values, -0.25 + 0.1 * np.arange(9), atol=1e-12)
    assert x.attrs["bin_width"] == 0.1
    assert x.dtype == np.float32


def test_a_window_that_is_no_whole_number_of_bins_names_the_two_nearest():
    session = make_session([0.0], [0, 1], trials={"go_time": [0.0]})
    with pytest.raises(pdn.TensorError, match=r"\(0, 0.2\) with 2 bins, \(0, 0.3\) with 3 bins"):
        pdn.align(session, "go_time", (0.0, 0.25), 0.1)


@pytest.mark.parametrize("window", [(1.0, 0.0), (0.0, np.nan), (0.0,), "ab"])
def test_a_window_that_is_no_window_is_refused(window):
    session = make_session([0.0], [0, 1], trials={"go_time": [0.0]})
    with pytest.raises(pdn.TensorError, match="window must be"):
        pdn.align(session, "go_time", window, 0.1)


def test_trials_without_the_event_are_dropped_counted_and_said():
    session = make_session([0.5], [0, 1], trials={"go_time": [0.0, np.nan, 1.0]})
    with pytest.warns(pdn.PopdynWarning, match="1 of 3 trials have no 'go_time'"):
        x = pdn.align(session, "go_time", (0.0, 1.0), 0.5)
    assert x.attrs["n_dropped"] == 1
    assert x.trial.values.tolist() == [0, 2]


def test_no_trial_with_the_event_is_an_error():
    session = make_session([0.5], [0, 1], trials={"go_time": [np.nan, np.nan]})
    with pytest.raises(pdn.TensorError, match="none of the 2 selected trials"):
        pdn.align(session, "go_time", (0.0, 1.0), 0.5)


def test_times_relative_to_the_trial_start_are_added_and_said():
    session = make_session(
        [11.0, 22.0],
        [0, 2],
        trials={"start_time": [10.0, 20.0], "go_time": [1.0, 2.0]},
        column_attrs={"go_time": {"units": "s", "clock": "trial"}},
    )
    with pytest.warns(pdn.PopdynWarning, match="relative to the trial's start"):
        x = pdn.align(session, "go_time", (0.0, 0.5), 0.5)
    assert x.align_time.values.tolist() == [11.0, 22.0]
    assert x.values.ravel().tolist() == [1, 1]


def test_events_in_milliseconds_are_converted():
    session = make_session(
        [1.0], [0, 1], trials={"go": [1000.0]}, column_attrs={"go": {"units": "ms"}}
    )
    assert pdn.align(session, "go", (0.0, 0.1), 0.1).values.item() == 1


def test_an_unknown_event_names_the_nearest():
    session = make_session([0.0], [0, 1], trials={"go_time": [0.0], "choice": ["left"]})
    with pytest.raises(pdn.TensorError, match="Did you mean 'go_time'"):
        pdn.align(session, "goo_time", (0.0, 1.0), 0.5)
    with pytest.raises(pdn.TensorError, match="holds no numbers"):
        pdn.align(session, "choice", (0.0, 1.0), 0.5)


def test_neurons_and_trials_are_selected_by_column():
    session = make_session(
        [0.1, 0.2, 1.1],
        [0, 1, 3],
        neurons={"id": [7, 9], "area": ["a", "b"]},
        trials={"go_time": [0.0, 1.0], "choice": ["l", "r"]},
        obs=([0.0, 0.0], [2.0, 2.0], [0, 1]),
    )
    x = pdn.align(session, "go_time", (0.0, 0.5), 0.5, {"choice": "r"}, neurons={"area": "b"})
    assert x.neuron.values.tolist() == [9]
    assert x.values.ravel().tolist() == [1]
    with pytest.raises(pdn.TensorError, match="l \\(1\\), r \\(1\\), never 'x'"):
        pdn.align(session, "go_time", (0.0, 0.5), 0.5, {"choice": "x"})


def test_bins_outside_the_observation_intervals_are_nan_not_zero():
    session = make_session([0.05, 0.35], [0, 2], trials={"go_time": [0.0]}, obs=([0.1], [0.3], [0]))
    x = pdn.align(session, "go_time", (0.0, 0.4), 0.1)
    np.testing.assert_array_equal(x.values.ravel(), [np.nan, 0, 0, np.nan])


def test_a_neuron_without_any_interval_is_all_nan():
    session = make_session([0.05], [0, 1, 1], trials={"go_time": [0.0]}, obs=([0.0], [1.0], [0]))
    x = pdn.align(session, "go_time", (0.0, 0.2), 0.1)
    assert np.isfinite(x.values[0]).all()
    assert np.isnan(x.values[1]).all()
    counts = np.zeros((2, 2, 1), np.float32)
    mask_unobserved(counts, session, np.array([0.0]), np.array([0.0, 0.1, 0.2]))
    np.testing.assert_array_equal(np.isnan(counts[:, :, 0]), [[False, False], [True, True]])


def test_a_tensor_is_aligned_again_by_whole_bins():
    rng = np.random.default_rng(0)
    session = make_session(
        np.sort(rng.uniform(0, 40, 3000)),
        [0, 3000],
        trials={"start_time": [2.0, 8.0, 14.0], "go_time": [2.5, 8.8, 14.2]},
        column_attrs={"go_time": {"clock": "session", "units": "s"}},
    )
    long = pdn.align(session, "start_time", (-1.0, 3.0), 0.1)
    again = pdn.align(long, "go_time", (-0.5, 0.5))
    direct = pdn.align(session, "go_time", (-0.5, 0.5), 0.1)
    np.testing.assert_array_equal(again.values, direct.values)
    np.testing.assert_allclose(again.align_time, direct.align_time)
    with pytest.raises(pdn.TensorError, match="cannot be rebinned"):
        pdn.align(long, "go_time", (-0.5, 0.5), 0.05)
    with pytest.raises(pdn.TensorError, match="outside the tensor's time"):
        pdn.align(long, "go_time", (10.0, 11.0))


def test_bins_outside_a_tensor_become_nan_when_it_is_aligned_again():
    session = make_session([0.5], [0, 1], trials={"start_time": [0.0], "go_time": [0.5]})
    long = pdn.align(session, "start_time", (0.0, 1.0), 0.5)
    with pytest.warns(pdn.PopdynWarning, match="in 1 of 1 trials"):
        again = pdn.align(long, "go_time", (-1.0, 1.0))
    np.testing.assert_array_equal(again.values.ravel(), [np.nan, 0, 1, np.nan])


def test_from_spikes_takes_unsorted_lists_and_tables():
    x = pdn.from_spikes(
        {"a": [1.2, 0.1], "b": []},
        [0.0, 1.0],
        (0.0, 0.5),
        0.5,
        trials={"event_time": [5, 6], "choice": ["l", "r"]},
        neurons={"id": ["a", "b"], "choice": [1, 2]},
    )
    assert x.values[0].ravel().tolist() == [1, 1]
    assert x.neuron.values.tolist() == ["a", "b"]
    assert x.event_time.values.tolist() == [5, 6]
    assert x.trial_choice.values.tolist() == ["l", "r"]
    assert x.neuron_choice.values.tolist() == [1, 2]


def test_duplicate_ids_are_refused():
    with pytest.raises(pdn.TensorError, match="neuron ids must be unique.*7"):
        make_session([0.1, 0.2], [0, 1, 2], neurons={"id": [7, 7]})
    with pytest.raises(pdn.TensorError, match="trial ids must be unique"):
        make_session([0.1], [0, 1], trials={"id": [1, 1], "go": [0.0, 1.0]})


def test_unsorted_spikes_are_sorted_within_neurons_and_counted():
    session = make_session([3.0, 1.0, 2.0, 0.5], [0, 3, 4])
    assert session["spike_time"].values.tolist() == [1.0, 2.0, 3.0, 0.5]
    assert session.attrs["n_unsorted"] == 1


def test_a_column_that_nothing_calls_a_time_is_used_but_said():
    session = make_session([0.5], [0, 1], trials={"code": [0, 1]})
    with pytest.warns(pdn.PopdynWarning, match="nothing says that column 'code' holds times"):
        pdn.align(session, "code", (0.0, 1.0), 0.5)


def test_bins_past_the_end_of_a_tensor_are_said():
    session = make_session([0.5], [0, 1], trials={"start_time": [0.0, 2.0], "go_time": [0.5, 2.0]})
    long = pdn.align(session, "start_time", (0.0, 1.0), 0.5)
    with pytest.warns(pdn.PopdynWarning, match="in 1 of 2 trials the window"):
        pdn.align(long, "go_time", (0.0, 1.0))


def test_one_flat_list_of_spikes_is_refused():
    with pytest.raises(pdn.TensorError, match=r"one list of times per neuron.*\[times\]"):
        pdn.from_spikes([0.1, 0.2], [0.0], (0.0, 0.4), 0.2)
    with pytest.raises(pdn.TensorError, match="are no numbers"):
        pdn.from_spikes([["a"]], [0.0], (0.0, 0.4), 0.2)


def test_a_warning_points_at_the_line_that_caused_it():
    with pytest.warns(pdn.PopdynWarning) as caught:
        pdn.from_spikes([[0.1]], [0.0, np.nan], (0.0, 0.4), 0.2)
    assert caught[0].filename == __file__


def test_single_precision_values_select_what_they_were_written_as():
    session = make_session([0.5], [0, 1], trials={"go_time": [0.0, 2.0], "stimulus": [0.1, 0.2]})
    x = pdn.align(session, "go_time", (0.0, 1.0), 0.5, {"stimulus": np.float32(0.1)})
    assert x.trial.values.tolist() == [0]


def test_a_tensor_made_with_its_zero_is_aligned_anew():
    x = pdn.make_tensor(
        np.arange(20.0).reshape(1, 10, 2), 0.1 * np.arange(10) + 0.05,
        trials={"go_time": [10.3, 20.5]}, align_time=[10.0, 20.0],
    )  # fmt: skip
    again = pdn.align(x, "go_time", (0.0, 0.2))
    np.testing.assert_array_equal(again.values[0], [[6.0, 11.0], [8.0, 13.0]])
    without = pdn.make_tensor(np.ones((1, 2, 1)), [0.0, 0.1], trials={"go_time": [0.0]})
    with pytest.raises(pdn.TensorError, match=r"make_tensor\(..., align_time=...\)"):
        pdn.align(without, "go_time", (0.0, 0.1))
    with pytest.raises(pdn.TensorError, match="is not a column of the trial table"):
        pdn.align(without, "went", (0.0, 0.1))


def test_milliseconds_for_seconds_are_said():
    session = make_session([0.5], [0, 1], trials={"go_time": [0.0, 2.0, 4.0]})
    with pytest.warns(pdn.PopdynWarning, match="bins of 50 s are very wide"):
        pdn.align(session, "go_time", (-500, 1000), 50)
    with pytest.warns(pdn.PopdynWarning, match="far longer than the 2 s between events"):
        pdn.align(session, "go_time", (-500, 800), 1.0)
    with pytest.warns(pdn.PopdynWarning, match="bins of 100 s are very wide"):
        pdn.make_tensor(np.ones((1, 3, 1)), np.arange(3) * 100.0)
