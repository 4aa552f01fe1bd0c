import json
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.tensor.session import make_session, neuron_spikes
from tests.io.recordings import HUMAN, THALAMUS
from tests.oracles import warp as oracle

EVENTS = ["cue_time", "set_time", "go_time"]
quiet = pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")


def session_of(times, spikes, events=EVENTS, obs=None, **columns):
    """A session from event times (trial, event) and spike trains, one per neuron."""
    starts = np.concatenate([[0], np.cumsum([len(train) for train in spikes])])
    table = dict(zip(events, np.asarray(times, dtype=float).T, strict=True)) | columns
    clock = {event: {"units": "s", "clock": "session"} for event in events}
    return make_session(
        np.concatenate([np.sort(train) for train in spikes]),
        starts,
        trials=table,
        obs=obs,
        column_attrs=clock,
    )


def unequal(n_trials=8, seed=0):
    """Event times (trial, 3) with unequal durations between 0.6 and 1.4 s, 4 s apart."""
    durations = np.random.default_rng(seed).uniform(0.6, 1.4, (n_trials, 2))
    return np.cumsum(np.column_stack([np.full(n_trials, 0.3), durations]), axis=1) + (
        4.0 * np.arange(n_trials)[:, None]
    )


def poisson(rate=20.0, duration=40.0, n_neurons=3, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.uniform(0, duration, rng.poisson(rate * duration)) for _ in range(n_neurons)]


def binned(session, n_bins=250, bin_width=0.01, start=0.0):
    """The session as a tensor of counts from the cue on."""
    window = (start, start + n_bins * bin_width)
    return pdn.align(session, "cue_time", window, bin_width)


def said(caught):
    return [str(one.message) for one in caught if issubclass(one.category, pdn.PopdynWarning)]


def warnings_of(*args, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pdn.warp(*args, **kwargs)
    return said(caught)


@pytest.mark.filterwarnings("ignore:durations differ")
@settings(max_examples=40, deadline=None)
@given(
    durations=st.lists(
        st.tuples(st.floats(0.05, 3.0), st.floats(0.05, 3.0)), min_size=1, max_size=5
    ),
    n_bins=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    seed=st.integers(0, 1000),
)
def test_rates_times_durations_are_exactly_the_spikes_between_events(durations, n_bins, seed):
    durations = np.array(durations)
    times = 8.0 * np.arange(len(durations))[:, None] + np.pad(
        np.cumsum(durations, axis=1), ((0, 0), (1, 0))
    )
    spikes = poisson(duration=8.0 * len(durations), n_neurons=2, seed=seed)
    warped = pdn.warp(session_of(times, spikes), EVENTS, list(n_bins))
    for k, (column, n) in enumerate(zip(["cue_set", "set_go"], n_bins, strict=True)):
        rates = warped.isel(phase=warped["phase"].values // 1 == k)
        total = (rates * warped[f"duration_{column}"] / n).sum("phase").values
        for neuron, train in enumerate(spikes):
            inside = (train >= times[:, k, None]) & (train < times[:, k + 1, None])
            np.testing.assert_allclose(total[neuron], inside.sum(axis=1), rtol=1e-12, atol=1e-12)


def test_a_session_is_warped_as_the_plain_loop_says():
    times, spikes = unequal(), poisson()
    warped = pdn.warp(session_of(times, spikes), EVENTS, [4, 9])
    expected = [[oracle.warp_spikes(train, t, (4, 9)) for t in times] for train in spikes]
    np.testing.assert_array_equal(warped.values, np.moveaxis(expected, 1, 2))
    assert warped.dims == ("neuron", "phase", "trial")
    assert (warped.name, warped.attrs["units"], warped.dtype) == ("rate", "Hz", np.float64)


def test_a_tensor_is_warped_as_the_overlaps_and_the_cumulative_count_say():
    times = unequal()
    counts = binned(session_of(times, poisson()), bin_width=0.013, n_bins=240)
    warped = pdn.warp(counts, EVENTS, [4, 9])
    for formula in (oracle.warp_binned, oracle.warp_cumulative):
        expected = [
            [
                formula(train, 0.0, 0.013, t - t[0], (4, 9))
                for t, train in zip(times, one.T, strict=True)
            ]
            for one in counts.values.astype(float) / 0.013
        ]
        np.testing.assert_allclose(warped.values, np.moveaxis(expected, 1, 2), rtol=1e-10)
    rates = pdn.warp(pdn.rate(counts), EVENTS, [4, 9])
    np.testing.assert_allclose(rates.values, warped.values, rtol=1e-6)  # counts are single


@pytest.mark.filterwarnings("ignore:.*are seen in")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n_bins=st.integers(150, 300))
def test_nan_and_the_end_of_a_tensor_make_nan_wherever_a_bin_touches_them(seed, n_bins):
    times = unequal(seed=seed)
    counts = binned(session_of(times, poisson(seed=seed)), n_bins, 0.009).astype(float)
    unseen = np.random.default_rng(seed).random(counts.shape) < 0.02
    counts = counts.copy(data=np.where(unseen, np.nan, counts.values))
    warped = pdn.warp(counts, EVENTS, [4, 9])
    expected = [
        [
            oracle.warp_binned(train, 0.0, 0.009, t - t[0], (4, 9))
            for t, train in zip(times, one.T, strict=True)
        ]
        for one in counts.values / 0.009
    ]
    np.testing.assert_allclose(warped.values, np.moveaxis(expected, 1, 2), rtol=1e-9)


def test_a_bin_that_ends_just_past_the_tensor_is_nan():
    times = np.array([[0.0, 1.0], [3.0, 4.05]])
    session = session_of(times, poisson(), ["cue_time", "go_time"])
    with pytest.warns(pdn.PopdynWarning, match="1 of 2 trials are seen in some phases only"):
        warped = pdn.warp(
            pdn.align(session, "cue_time", (0.0, 1.0), 0.1), ["cue_time", "go_time"], 5
        )
    assert np.isnan(warped.values[0]).tolist() == [[False] * 2] * 4 + [[False, True]]


def test_fine_bins_of_a_tensor_come_close_to_the_session():
    session = session_of(unequal(), poisson())
    exact = pdn.warp(session, EVENTS, 5).values
    error = {}
    for width, n_bins in ((0.05, 60), (0.001, 3000)):
        error[width] = np.abs(pdn.warp(binned(session, n_bins, width), EVENTS, 5) - exact).mean()
    assert error[0.001] < 0.05 * error[0.05]


def test_regular_spikes_keep_their_rate_whatever_the_durations():
    times = unequal(30, seed=3)
    regular = [np.arange(0.0005, 130, 0.001)]
    warped = pdn.warp(session_of(times, regular), EVENTS, [10, 10])
    # A bin of 60 ms and more holds one spike more or less than its width says.
    np.testing.assert_allclose(warped.values, 1000.0, atol=1 / 0.059)


@pytest.mark.parametrize("level", [-3.7, 0.1, 12.0])
def test_a_constant_of_a_network_stays_constant(level):
    times = unequal()
    x = pdn.make_tensor(
        np.full((2, 300, 8), level, dtype=np.float32),
        0.005 + 0.01 * np.arange(300),
        trials=dict(zip(EVENTS, times.T, strict=True)),
        units="1",
        align_time=times[:, 0],
        column_attrs={event: {"units": "s", "clock": "session"} for event in EVENTS},
    )
    warped = pdn.warp(x, EVENTS, [7, 13])
    np.testing.assert_allclose(warped.values, np.float32(level), rtol=1e-12)
    assert (warped.name, warped.attrs["units"]) == ("rate", "1")
    potential = pdn.warp(x.rename("potential").assign_attrs(units="mV"), EVENTS, 3)
    assert (potential.name, potential.attrs["units"]) == ("potential", "mV")


def test_a_response_locked_to_phase_becomes_aligned():
    times = unequal(40, seed=5)
    # Ten spikes in the sixth tenth of the second segment of every trial, which no delay shares.
    at = times[:, 1, None] + (times[:, 2] - times[:, 1])[:, None] * np.linspace(0.505, 0.595, 10)
    session = session_of(times, [at.ravel()])
    warped = pdn.warp(session, EVENTS, 10).values[0]
    assert (np.flatnonzero(warped.any(axis=1)) == [15]).all()
    assert (warped[15] > 0).all()
    aligned = pdn.align(session, "set_time", (0.0, 1.5), 0.1).values[0]
    assert (aligned > 0).any(axis=1).sum() >= 4


def test_equal_durations_are_the_plain_alignment():
    start = 3.0 * np.arange(6) + 0.1234
    times = np.column_stack([start, start + 0.8, start + 2.0])
    session = session_of(times, poisson())
    counts = pdn.align(session, "cue_time", (0.0, 2.0), 0.1)
    warped = pdn.warp(session, EVENTS, [8, 12])
    np.testing.assert_allclose(warped.values * 0.1, counts.values, rtol=1e-9)
    from_tensor = pdn.warp(counts, EVENTS, [8, 12])
    np.testing.assert_allclose(from_tensor.values * 0.1, counts.values, rtol=1e-9)
    np.testing.assert_allclose(warped["stretch_cue_set"], 1.0, rtol=1e-9)


def test_the_axis_says_segments_durations_and_stretch():
    times = unequal()
    session = session_of(times, poisson(), side=["l", "r"] * 4)
    warped = pdn.warp(session, EVENTS, [2, 4])
    assert warped["phase"].values.tolist() == [0.25, 0.75, 1.125, 1.375, 1.625, 1.875]
    assert warped["segment"].values.tolist() == ["cue to set"] * 2 + ["set to go"] * 4
    durations = np.diff(times)
    median = np.median(durations, axis=0)
    for k, name in enumerate(["cue_set", "set_go"]):
        np.testing.assert_allclose(warped[f"duration_{name}"], durations[:, k])
        np.testing.assert_allclose(warped[f"stretch_{name}"], median[k] / durations[:, k])
        assert warped[f"duration_{name}"].attrs["units"] == "s"
    assert warped.attrs["method"] == "warp"
    assert json.loads(warped.attrs["events"]) == EVENTS
    assert json.loads(warped.attrs["n_bins"]) == [2, 4]
    np.testing.assert_allclose(json.loads(warped.attrs["median_durations"]), median)
    history = json.loads(warped.attrs["popdyn"])
    assert history[-1]["step"] == "warp"
    assert history[-1]["parameters"]["events"] == EVENTS
    assert "bin_width" not in warped.attrs
    table = pdn.trial_table(warped)
    np.testing.assert_allclose(table["go_time"], times[:, 2] - times[:, 0])
    assert table["side"].tolist() == ["l", "r"] * 4


def test_a_warped_tensor_is_stored_and_its_input_left_alone(tmp_path):
    session = session_of(unequal(), poisson())
    counts = binned(session, 300)
    before = session.copy(deep=True), counts.copy(deep=True)
    warped = pdn.warp(session, EVENTS, 3)
    pdn.warp(counts, EVENTS, 3)
    assert session.identical(before[0])
    assert counts.identical(before[1])
    assert pdn.load(pdn.save(warped, tmp_path / "warped.nc")).identical(warped)


def test_columns_that_have_a_name_of_the_axis_keep_their_values():
    session = session_of(unequal(2), poisson(), segment=["a", "b"], duration_cue_set=[7.0, 8.0])
    warped = pdn.warp(session, EVENTS, 2)
    assert warped["trial_segment"].values.tolist() == ["a", "b"]
    assert warped["trial_duration_cue_set"].values.tolist() == [7.0, 8.0]
    assert warped["trial_segment"].attrs["file_name"] == "segment"
    np.testing.assert_allclose(warped["duration_cue_set"], np.diff(unequal(2))[:, 0])


def test_events_that_differ_by_their_ending_keep_it():
    times = unequal(3)
    session = session_of(times, poisson(), events=["cue", "cue_time", "go_time"])
    warped = pdn.warp(session, ["cue", "cue_time", "go_time"], 1)
    assert warped["segment"].values.tolist() == ["cue to cue_time", "cue_time to go_time"]


def test_trials_without_a_whole_sequence_are_left_out_and_counted():
    times = unequal(8)
    times[0, 2] = np.nan
    times[1, 1] = times[1, 2] + 0.1
    times[2, 1] = times[2, 0]
    session = session_of(times, poisson())
    with pytest.warns(pdn.PopdynWarning) as caught:
        warped = pdn.warp(session, EVENTS, 2)
    assert said(caught)[0] == (
        "of 8 trials, 1 lack an event (NaN), 1 have events out of order, 1 have a segment of zero "
        "length (cue_time, set_time, go_time); they were left out."
    )
    assert warped.attrs["n_dropped"] == 3
    assert warped["trial"].values.tolist() == [3, 4, 5, 6, 7]
    with pytest.warns(pdn.PopdynWarning, match="1 of 8 trials have no 'go_time'"):
        aligned = pdn.align(session, "go_time", (-3.0, 0.1), 0.05)
    with pytest.warns(pdn.PopdynWarning, match="of 7 trials, 1 have events out of order, 1 have"):
        assert pdn.warp(aligned, EVENTS, 2).attrs["n_dropped"] == 3


def test_no_trial_left_is_an_error_that_says_why():
    session = session_of(unequal(3), poisson())
    with pytest.raises(pdn.TensorError, match="none of the 3 selected trials .* out of order"):
        pdn.warp(session, EVENTS[::-1], 2)
    empty = make_session([0.1], [0, 1])
    with pytest.raises(pdn.TensorError, match="no trials to warp"):
        pdn.warp(empty, EVENTS, 2)


@pytest.mark.parametrize(
    ("events", "n_bins", "message"),
    [
        ("cue_time", 3, "two or more different columns of event times, got 'cue_time'"),
        (["cue_time"], 3, "two or more different columns"),
        (["cue_time", "go_time", "cue_time"], 3, "two or more different columns"),
        (EVENTS, [3], r"each of the 2 segments between the 3 events, got \[3\]"),
        (EVENTS, 0, "whole number of at least 1 .* got 0"),
        (EVENTS, [3, 2.5], "whole number of at least 1"),
        (["cue_time", "go_tme"], 3, "Did you mean 'go_time'"),
    ],
)
def test_bad_events_and_numbers_of_bins_are_refused(events, n_bins, message):
    with pytest.raises(pdn.TensorError, match=message):
        pdn.warp(session_of(unequal(2), poisson()), events, n_bins)


def test_what_cannot_be_warped_is_refused():
    with pytest.raises(pdn.TensorError, match="max_stretch is a factor of at least 1, got 0.5"):
        pdn.warp(session_of(unequal(2), poisson()), EVENTS, 2, max_stretch=0.5)
    with pytest.raises(pdn.TensorError, match="found ndarray"):
        pdn.warp(np.ones((1, 2, 3)), EVENTS, 2)
    x = pdn.make_tensor(
        np.ones((1, 3, 2)), [0.0, 0.1, 0.2], trials={"a_time": [0, 0], "b_time": [1, 1]}
    )
    with pytest.raises(pdn.TensorError, match="session time of its zero"):
        pdn.warp(x, ["a_time", "b_time"], 2)
    far = x.assign_coords(align_time=("trial", [500.0, 500.0]))
    with pytest.raises(
        pdn.TensorError, match="outside the tensor's time .-0.05 to 0.25 s. in all 2"
    ):
        pdn.warp(far, ["a_time", "b_time"], 2)


def test_durations_that_differ_too_much_are_said():
    times = np.array([[0.0, 1.0, 2.0], [4.0, 5.0, 6.0], [8.0, 9.0, 11.5]])
    (message,) = warnings_of(session_of(times, poisson()), EVENTS, 2)
    assert message.startswith(
        "durations differ from the median by more than a factor of 2: 'set to go' lasts 1 to 2.5 s "
        "(median 1 s; 1 of 3 trials). Warping assumes that activity scales with duration"
    )
    assert warnings_of(session_of(times, poisson()), EVENTS, 2, max_stretch=3.0) == []
    times[2, 2] = 9.3
    (quick,) = warnings_of(session_of(times, poisson()), EVENTS, 2)
    assert "'set to go' lasts 0.3 to 1 s (median 1 s; 1 of 3 trials)" in quick


def test_a_window_that_ends_before_the_last_event_is_said_and_seen():
    times = np.column_stack([4.0 * np.arange(4), 4.0 * np.arange(4) + [1.0, 1.1, 1.6, 1.8]])
    session = session_of(times, poisson(), events=["cue_time", "go_time"])
    counts = pdn.align(session, "cue_time", (0.0, 1.2), 0.1)
    with pytest.warns(pdn.PopdynWarning) as caught:
        warped = pdn.warp(counts, ["cue_time", "go_time"], 4)
    (message,) = said(caught)
    assert message == (
        "2 of 4 trials are seen in some phases only (at the first bin 4 trials, at the last 2; "
        "median length of trials seen throughout 1.05 s, of the others 1.7 s): phases show "
        "different trials. Cause: the tensor's time (0 to 1.2 s) or its NaN; a longer window or "
        "the session helps. plot.warp shows how many remain."
    )
    remaining = np.isfinite(warped).all("neuron").sum("trial").values
    assert remaining.tolist() == [4, 4, 3, 2]
    assert np.isfinite(pdn.warp(session, ["cue_time", "go_time"], 4)).all()


def test_bins_outside_observation_are_nan_and_said():
    times = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    obs = ([0.0, 0.0], [2.6, 10.0], [0, 1])
    session = session_of(times, poisson(n_neurons=2), ["cue_time", "go_time"], obs)
    warped = pdn.warp(session, ["cue_time", "go_time"], 4)
    assert np.isfinite(warped.values[1]).all()
    assert np.isnan(warped.values[0]).sum(axis=0).tolist() == [0, 2, 4]
    alone = {"neurons": [0]}
    (message,) = warnings_of(session, ["cue_time", "go_time"], 4, **alone)
    assert "1 of 3 trials are seen in some phases only" in message
    assert "1 of 3 trials are seen in no phase" in message
    assert "outside the observation intervals" in message


def test_bins_finer_than_those_of_the_tensor_are_said():
    session = session_of(unequal(), poisson())
    counts = binned(session, 30, 0.1)
    (message,) = warnings_of(counts, EVENTS, [50, 5])
    assert message.startswith("the phase bins of 'cue to set' (")
    assert "narrower than the tensor's bins of 0.1 s" in message


def test_trials_and_neurons_are_selected_as_in_align():
    session = session_of(unequal(), poisson(), side=["l", "r"] * 4)
    some = pdn.warp(session, EVENTS, 3, {"side": "r"}, neurons=[2, 0])
    whole = pdn.warp(session, EVENTS, 3)
    assert some["trial"].values.tolist() == [1, 3, 5, 7]
    np.testing.assert_array_equal(some.values, whole.sel(neuron=[0, 2], trial=[1, 3, 5, 7]).values)
    counts = binned(session, 300)
    np.testing.assert_array_equal(
        pdn.warp(counts, EVENTS, 3, {"side": "r"}, neurons=[0]).values,
        pdn.warp(counts, EVENTS, 3).sel(neuron=[0], trial=[1, 3, 5, 7]).values,
    )


def test_the_order_of_trials_and_of_neurons_does_not_matter():
    session = session_of(unequal(), poisson())
    counts = binned(session, 300)
    mixed = counts.isel(trial=[5, 2, 7, 0, 1, 3, 6, 4], neuron=[2, 0, 1])
    a = pdn.warp(counts, EVENTS, 4)
    b = pdn.warp(mixed, EVENTS, 4)
    xr.testing.assert_equal(a, b.sortby("trial").sortby("neuron"))


def test_the_average_of_warped_trials_counts_what_remains_and_keeps_durations():
    times = unequal(8)
    session = session_of(times, poisson(), side=["l", "r"] * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warped = pdn.warp(binned(session, 240), EVENTS, [2, 4])
    average = pdn.condition_average(warped, "side")
    assert average["rate"].dims == ("neuron", "phase", "condition")
    left = warped.values[..., ::2]
    np.testing.assert_array_equal(
        average["n_trials"].values[..., 0], np.isfinite(left).sum(axis=-1)
    )
    assert average["n_trials"].values.min() < 4
    np.testing.assert_allclose(average["rate"].values[..., 0], np.nanmean(left, axis=-1))
    np.testing.assert_allclose(
        average["duration_set_go"].values, [np.median(np.diff(times)[k::2, 1]) for k in (0, 1)]
    )
    assert average["duration_set_go"].dims == ("condition",)
    assert average["segment"].values[-1] == "set to go"
    for key in ("events", "n_bins", "median_durations"):
        assert average.attrs[key] == warped.attrs[key]


def test_analyses_in_time_refuse_the_phase_axis_in_words():
    warped = pdn.warp(session_of(unequal(), poisson(), side=["l", "r"] * 4), EVENTS, 3)
    for step in (pdn.smooth, pdn.rate, lambda x: pdn.decode(x, "side")):
        with pytest.raises(pdn.TensorError, match="expected time in seconds, found a warped array"):
            step(warped)
    average = pdn.condition_average(warped, "side")
    with pytest.raises(pdn.TensorError, match="expected time in seconds, found a warped array"):
        pdn.soft_normalize(average)


def test_a_simulated_network_is_warped_like_a_recording():
    task = pdn.tasks.PerceptualDecision()
    trials = task.sample(4, rng=0)
    net = pdn.network.Rate.random(20, rng=1)
    rates = pdn.simulate(net, trials, rng=2)["rate"]
    events = ["start_time", "stimulus_on_time"]
    warped = pdn.warp(rates, events, 5)
    assert (warped.name, warped.attrs["units"]) == ("rate", rates.attrs["units"])
    assert warped.attrs["source"] == "network"
    assert np.isfinite(warped).all()


@quiet
def test_the_human_recording_warps_to_its_reaction_times():
    session = pdn.read_session(HUMAN, trials="timediscrimination_table")
    events = ["fixcross_time", "start_time", "response_time"]
    warped = pdn.warp(session, events, [5, 20])
    times = np.stack([session[event].values for event in events], axis=1)
    assert dict(warped.sizes) == {"neuron": 35, "phase": 25, "trial": 180}
    assert (
        warped["duration_start_response"].values.max()
        / (warped["duration_start_response"].values.min())
        > 6
    )
    for neuron in (0, 17):
        train = neuron_spikes(session, neuron)
        for trial in (3, 100):
            np.testing.assert_allclose(
                warped.values[neuron, :, trial],
                oracle.warp_spikes(train, times[trial], (5, 20)),
                rtol=1e-9,
            )


def test_events_set_to_the_start_where_they_do_not_exist_are_left_out():
    session = pdn.read_session(HUMAN, trials="encoding_table")
    with pytest.warns(pdn.PopdynWarning, match="of 90 trials, 60 have a segment of zero length"):
        warped = pdn.warp(session, ["start_time", "boundary2_time", "stop_time"], 4, max_stretch=10)
    assert warped.sizes["trial"] == 30


@quiet
def test_the_mouse_recording_keeps_what_its_neurons_were_not_recorded_in():
    session = pdn.read_session(THALAMUS)
    warped = pdn.warp(session, ["pole_in_time", "pole_out_time", "cue_start_time"], 13)
    assert warped.attrs["n_dropped"] == 70
    seen = np.isfinite(warped).all("phase").sum("trial").values
    aligned = pdn.align(session, "pole_in_time", (0.0, 2.6), 0.1)
    n_aligned = np.isfinite(aligned).all("time").sum("trial").values
    assert (np.abs(seen - n_aligned) <= 2).all()
    assert seen.min() < 0.5 * seen.max()


@quiet
@pytest.mark.filterwarnings("ignore")
def test_pynapple_counts_the_same_spikes():
    pynapple = pytest.importorskip("pynapple")
    session = session_of(unequal(), poisson())
    warped = pdn.warp(session, ["cue_time", "go_time"], 7)
    trains = pynapple.TsGroup({n: pynapple.Ts(neuron_spikes(session, n)) for n in range(3)})
    epochs = pynapple.IntervalSet(session["cue_time"].values, session["go_time"].values)
    counts = pynapple.warp_tensor(trains, epochs, num_bins=7)
    ours = (warped * warped["duration_cue_go"] / 7).transpose("neuron", "trial", "phase")
    np.testing.assert_allclose(ours, counts, atol=1e-9)


def test_spikes_exactly_on_events_belong_to_the_bin_that_begins_there():
    times = np.array([[1.0, 2.0, 4.0]])
    # On the first event and an edge within a segment; on the second event and on the last.
    session = session_of(times, [[1.0, 3.0], [2.0, 4.0]])
    warped = pdn.warp(session, EVENTS, 2)
    widths = np.array([0.5, 0.5, 1.0, 1.0])
    counts = (warped.values[..., 0] * widths).tolist()
    assert counts == [[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]]


def test_nan_within_the_window_makes_nan_where_it_overlaps_and_nowhere_else():
    times = np.array([[0.0, 1.0, 3.0], [5.0, 6.1, 8.0]])
    session = session_of(times, poisson(duration=10.0, n_neurons=2))
    counts = binned(session, 30, 0.1).astype(float)
    # From 0.5 to 0.8 s after the cue, of one neuron in both trials.
    gap = np.zeros(counts.shape, dtype=bool)
    gap[1, 5:8] = True
    holed = counts.copy(data=np.where(gap, np.nan, counts.values))
    with pytest.warns(pdn.PopdynWarning, match="seen in some phases only"):
        alone = pdn.warp(holed, EVENTS, 10, neurons=[1])
    whole = pdn.warp(counts, EVENTS, 10)
    warped = pdn.warp(holed, EVENTS, 10)
    # Bins of 0.1 s in the first segment of the first trial; of 0.11 s in that of the second,
    # where the fifth and the eighth reach into the gap.
    unseen = np.zeros(whole.shape, dtype=bool)
    unseen[1, 5:8, 0] = True
    unseen[1, 4:8, 1] = True
    np.testing.assert_array_equal(np.isnan(warped.values), unseen)
    np.testing.assert_array_equal(np.isnan(alone.values[0]), unseen[1])
    np.testing.assert_allclose(warped.values[~unseen], whole.values[~unseen], rtol=1e-12)
