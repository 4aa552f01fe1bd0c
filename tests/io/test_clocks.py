"""Times that are not seconds on one clock: said and warned of, mended by an argument only."""

import json
import re
import warnings

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import PopdynWarning, SourceError
from popdyn.io.clock_problems import restart_row
from tests.io.recordings import SHIPPED, described, make_file, problems, replace_dataset

N_TRIALS, GAP, LENGTH = 40, 5.0, 4.0
START = 10.0 + GAP * np.arange(N_TRIALS)


def spikes(n_neurons=3, stop=None, seed=0):
    """Poisson spikes of 12 Hz from 0 to a little after the last trial."""
    rng = np.random.default_rng(seed)
    stop = START[-1] + GAP if stop is None else stop
    return [np.sort(rng.uniform(0, stop, int(12 * stop))) for _ in range(n_neurons)]


def table(start=START, **columns):
    return {"start_time": start, "stop_time": start + LENGTH, "go_time": start + 1.0, **columns}


@pytest.fixture
def sound(tmp_path):
    return pdn.read_session(make_file(tmp_path / "sound.nwb", spikes(), table()))


def read(path, **asked):
    """Read without a warning, as a user does who has given the right argument."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PopdynWarning)
        return pdn.read_session(path, **asked)


def warned(path, **asked):
    """All warnings of reading, joined."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pdn.read_session(path, **asked)
    return " ".join(str(warning.message) for warning in caught)


def assert_same(mended, sound, atol=1e-9):
    np.testing.assert_allclose(mended["spike_time"], sound["spike_time"], atol=atol)
    for name in ("start_time", "stop_time", "go_time"):
        np.testing.assert_allclose(mended[name], sound[name], atol=atol)
        assert mended[name].attrs["units"] == "s"
    counts = [pdn.align(x, "go_time", (-0.5, 1.0), 0.5) for x in (mended, sound)]
    xr.testing.assert_equal(counts[0].drop_vars("align_time"), counts[1].drop_vars("align_time"))


def test_the_sound_file_has_nothing_to_be_said(sound):
    assert json.loads(sound.attrs["problems"]) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_no_real_file_is_suspected_of_another_clock(path):
    said = described(path)
    for word in ("milliseconds", "samples", "restarted", "counted from each trial"):
        assert word not in said


def test_spikes_in_milliseconds(tmp_path, sound):
    path = make_file(tmp_path / "x.nwb", [1e3 * s for s in spikes()], table())
    with pytest.warns(PopdynWarning, match="spike times reach 209,.*spikes in milliseconds"):
        session = pdn.read_session(path)
    assert session["spike_time"].max() > 2e5
    assert "units={'spike_times': 'ms'}" in described(path)
    assert_same(read(path, units={"spike_times": "ms"}), sound)
    assert_same(read(path, units={"spike_times": 0.001}), sound)


def test_trials_in_milliseconds(tmp_path, sound):
    slow = {name: 1e3 * values for name, values in table().items()}
    path = make_file(tmp_path / "x.nwb", spikes(), slow)
    assert re.search("trials in milliseconds.*units={'trials': 'ms'}", warned(path))
    assert_same(read(path, units={"trials": "ms"}), sound)


def test_everything_in_milliseconds(tmp_path, sound):
    slow = {name: 1e3 * values for name, values in table().items()}
    path = make_file(tmp_path / "x.nwb", [1e3 * s for s in spikes()], slow)
    with pytest.warns(PopdynWarning, match="the median neuron fires at 0.012 Hz.*milliseconds"):
        pdn.read_session(path)
    assert_same(read(path, units={"spike_times": "ms", "trials": "ms"}), sound)


@pytest.mark.parametrize("resolution", [1 / 30_000, None])
def test_spikes_as_whole_samples(tmp_path, sound, resolution):
    path = make_file(tmp_path / "x.nwb", spikes(), table())
    samples = np.round(np.concatenate(spikes()) * 30_000).astype(np.int64)
    replace_dataset(path, "units/spike_times", samples)
    if resolution is not None:
        with h5py.File(path, "r+") as file:
            file["units/spike_times"].attrs["resolution"] = resolution
    words = "resolution of 3.33333e-05" if resolution else "1/30000"
    with pytest.warns(PopdynWarning, match=f"stored as int64: samples, not seconds.*{words}"):
        pdn.read_session(path)
    assert_same(read(path, units={"spike_times": 1 / 30_000}), sound, atol=1 / 30_000)


def test_single_precision_is_said_and_exact(tmp_path):
    late = [s + 20_000.0 for s in spikes()]
    path = make_file(tmp_path / "x.nwb", late, table(START + 20_000.0))
    stored = np.concatenate(late).astype(np.float32)
    replace_dataset(path, "units/spike_times", stored)
    session = read(path)
    assert "stored as float32: late in the session they are known to 2 ms only" in problems(session)
    assert sorted(session["spike_time"].values) == sorted(stored.astype(np.float64))


def test_spikes_counted_from_each_trials_start(tmp_path, sound):
    relative = []
    for own in spikes():
        own = own[(own >= START[0]) & (own < START[-1] + GAP)]
        row = np.searchsorted(START, own, side="right") - 1
        relative.append(own - START[row])
    path = make_file(tmp_path / "x.nwb", relative, table())
    assert "counted from each trial's start" in warned(path)
    assert "milliseconds" not in warned(path)
    mended = read(path, clocks={"spike_times": "trial"})
    counts = [pdn.align(x, "go_time", (-0.5, 1.0), 0.5) for x in (mended, sound)]
    assert np.array_equal(counts[0], counts[1])


def test_spikes_that_cannot_be_shared_out_among_the_trials_are_refused(tmp_path):
    relative = [np.tile([0.5, 1.0, 2.0], N_TRIALS - 1)]
    path = make_file(tmp_path / "x.nwb", relative, table())
    with pytest.raises(SourceError, match="38 times, which makes 39 trials, but there are 40"):
        pdn.read_session(path, clocks={"spike_times": "trial"})
    with pytest.raises(SourceError, match="needs trials with a start_time"):
        pdn.read_session(path, None, clocks={"spike_times": "trial"})


def test_spikes_that_run_backwards_are_sorted_and_said(tmp_path, sound):
    path = make_file(tmp_path / "x.nwb", [s[::-1] for s in spikes()], table())
    session = pdn.read_session(path)
    assert_same(session, sound)
    assert "spike times run backwards in 3 of 3 neurons; sorted when read" in problems(session)


def test_a_clock_that_restarts_in_the_middle(tmp_path, sound):
    back = START[N_TRIALS // 2] - 0.5
    halves = [np.concatenate([s[s < back], s[s >= back] - back]) for s in spikes()]
    start = np.where(back > START, START, START - back)
    path = make_file(tmp_path / "x.nwb", halves, table(start))
    with pytest.warns(PopdynWarning) as caught:
        pdn.read_session(path)
    said = " ".join(str(warning.message) for warning in caught)
    assert "the spike times of 3 of 3 neurons go back once, from about 109 to 0 s" in said
    assert "trials.start_time goes back once" in said
    assert_same(read(path, restart_offset=back), sound)


def test_a_neuron_that_never_goes_back_is_named_when_others_are_moved(tmp_path):
    back = START[N_TRIALS // 2] - 0.5
    halves = [np.concatenate([s[s < back], s[s >= back] - back]) for s in spikes()]
    path = make_file(tmp_path / "x.nwb", [*halves, np.linspace(0, back, 500)], table())
    with pytest.warns(PopdynWarning) as caught:
        pdn.read_session(path, restart_offset=back)
    said = " ".join(str(warning.message) for warning in caught)
    assert "of 4 neurons, 1 neuron goes back nowhere far (3)" in said
    assert "start_time never goes back far, so no trial was moved" in said


def test_merged_clusters_are_not_a_clock_that_restarts(tmp_path):
    own = spikes(4)
    merged = [np.concatenate([own[0], spikes(1, seed=9)[0]]), *own[1:]]
    session = read(make_file(tmp_path / "x.nwb", merged, table()))
    assert "restarted" not in problems(session)
    assert "not sorted (1 earlier than the one before)" in problems(session)


def test_trials_on_another_clock_are_moved_by_a_shift(tmp_path, sound):
    path = make_file(tmp_path / "x.nwb", spikes(), table(START + 1.6e9))
    words = "every row lies before the first or after the last spike.*shift={'trials': SECONDS}"
    assert re.search(words, warned(path))
    assert_same(read(path, shift={"trials": -1.6e9}), sound, atol=1e-6)
    moved = read(path, shift={"spike_times": 1.6e9})
    counts = [pdn.align(x, "go_time", (-0.5, 1.0), 0.5) for x in (moved, sound)]
    assert np.mean(counts[0].values == counts[1].values) > 0.99


def test_shifted_spikes_take_their_observation_intervals_along(tmp_path):
    path = make_file(tmp_path / "x.nwb", spikes(1), table(),
                     neurons={"obs_intervals": [[[0.0, 300.0]]]})  # fmt: skip
    session = pdn.read_session(path, shift={"spike_times": 100.0})
    assert (session["obs_start"].item(), session["obs_stop"].item()) == (100.0, 400.0)


def test_observation_intervals_in_milliseconds(tmp_path):
    path = make_file(tmp_path / "x.nwb", spikes(1), table(),
                     neurons={"obs_intervals": [[[0.0, 300_000.0]]]})  # fmt: skip
    session = pdn.read_session(path, units={"obs_intervals": "ms"})
    assert session["obs_stop"].item() == 300.0


def test_an_event_outside_the_session_is_said(tmp_path):
    go = START + 1.0
    go[3] = 9_000.0
    path = make_file(tmp_path / "x.nwb", spikes(), table() | {"go_time": go})
    assert "trials.go_time: 1 of 40 events lie outside the session" in described(path)


def test_trials_that_overlap_are_said_kept_dropped_or_cut(tmp_path):
    stop = START + LENGTH
    stop[4] = START[6] + 1.0
    path = make_file(tmp_path / "x.nwb", spikes(), table() | {"stop_time": stop})
    session = pdn.read_session(path)
    assert "2 rows begin before an earlier one has ended (ids 5, 6)" in problems(session)
    assert session.sizes["trial"] == 40
    dropped = pdn.read_session(path, overlaps="drop")
    assert set(range(40)) - set(dropped["trial"].values.tolist()) == {5, 6}
    cut = pdn.read_session(path, overlaps="cut")
    assert cut["stop_time"].values[4] == START[5]
    assert "begin before" not in problems(cut)
    with pytest.raises(SourceError, match="overlaps must be one of keep, drop, cut; got 'ignore'"):
        pdn.read_session(path, overlaps="ignore")


def test_a_unit_of_something_that_is_no_time_is_a_label(tmp_path):
    path = make_file(tmp_path / "x.nwb", spikes(), table(speed=np.ones(N_TRIALS)))
    session = pdn.read_session(path, units={"speed": "cm/s"})
    assert session["speed"].attrs["units"] == "cm/s"
    assert (session["speed"] == 1.0).all()


def test_what_was_corrected_is_in_the_history(tmp_path):
    path = make_file(tmp_path / "x.nwb", [1e3 * s for s in spikes()], table())
    session = pdn.read_session(path, units={"spike_times": "ms"}, shift={"trials": 0.0})
    (step,) = json.loads(session.attrs["popdyn"])
    assert step["parameters"]["units"] == {"spike_times": "ms"}
    assert step["parameters"]["shift"] == {"trials": 0.0}
    assert "restart_offset" not in step["parameters"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"units": {"spike_time": "ms"}}, "Did you mean 'spike_times'"),
        ({"units": {"spike_times": "furlong"}}, "must be one of s, ms, us"),
        ({"units": {"spike_times": -1.0}}, "got -1.0"),
        ({"units": {"trials": True}}, "got True"),
        ({"units": {"go_time": "parsec"}}, "the unit of 'go_time' must be one of"),
        ({"clocks": {"go_tim": "trial"}}, "Did you mean 'go_time'"),
        ({"clocks": {"go_time": "moon"}}, "must be 'session' or 'trial', got 'moon'"),
        ({"shift": {"go_time": 1.0}}, "It may name spike_times, trials"),
        ({"shift": {"trials": "a bit"}}, "must be a number of seconds, got 'a bit'"),
        ({"restart_offset": np.nan}, "must be a number of seconds, got nan"),
    ],
)
def test_corrections_that_make_no_sense_are_refused(tmp_path, asked, words):
    path = make_file(tmp_path / "x.nwb", spikes(1), table())
    with pytest.raises(SourceError, match=words):
        pdn.read_session(path, **asked)


def test_events_relative_to_the_trial_are_not_moved_twice(tmp_path):
    relative = table() | {"go_time": np.full(N_TRIALS, 1.0)}
    path = make_file(tmp_path / "x.nwb", spikes(), relative)
    moved = pdn.read_session(path, shift={"trials": 0.5})
    assert moved["go_time"].attrs["clock"] == "trial"
    np.testing.assert_array_equal(moved["go_time"], 1.0)
    with pytest.warns(PopdynWarning, match="start_time was added"):
        tensor = pdn.align(moved, "go_time", (0.0, 1.0), 0.5)
    np.testing.assert_allclose(tensor["align_time"], START + 1.5)


def test_only_times_are_converted_and_moved_and_each_in_its_own_unit(tmp_path):
    columns = table(
        target_offset=np.tile([-3.0, 3.0], N_TRIALS // 2),
        stim_on=START + 1.2,
        cue_time=1e3 * (START + 0.5),
        speed=np.linspace(1.0, 9.0, N_TRIALS),
    )
    about = {"target_offset": "where (deg)", "cue_time": "onset (ms)", "stim_on": "stimulus"}
    path = make_file(tmp_path / "x.nwb", spikes(), columns, descriptions=about)
    moved = pdn.read_session(path, shift={"trials": 12.5})
    np.testing.assert_array_equal(moved["target_offset"], columns["target_offset"])
    np.testing.assert_array_equal(moved["speed"], columns["speed"])
    np.testing.assert_allclose(moved["stim_on"], columns["stim_on"] + 12.5)
    assert moved["stim_on"].attrs["clock"] == "session"
    np.testing.assert_allclose(moved["cue_time"], columns["cue_time"] + 12_500)
    assert moved["cue_time"].attrs["units"] == "ms"


def test_times_known_by_their_values_are_converted_with_the_others(tmp_path):
    slow = {name: 1e3 * values for name, values in table(stim_on=START + 1.2).items()}
    path = make_file(tmp_path / "x.nwb", spikes(), slow)
    mended = pdn.read_session(path, units={"trials": "ms"})
    np.testing.assert_allclose(mended["stim_on"], START + 1.2)


def test_trials_stated_in_milliseconds_are_used_as_such(tmp_path):
    slow = {name: 1e3 * values for name, values in table().items()}
    about = dict.fromkeys(("start_time", "stop_time", "go_time"), "time (ms)")
    path = make_file(tmp_path / "x.nwb", spikes(), slow, descriptions=about)
    # pynwb has descriptions of its own for these two.
    with h5py.File(path, "r+") as file:
        for name in ("start_time", "stop_time"):
            file[f"intervals/trials/{name}"].attrs["description"] = "time (ms)"
    session = read(path)
    assert session["go_time"].attrs["clock"] == "session"
    assert session["start_time"].attrs["units"] == "ms"
    tensor = pdn.align(session, "go_time", (0.0, 1.0), 0.5)
    np.testing.assert_allclose(tensor["align_time"], START + 1.0)
    assert np.isfinite(tensor).all()
    again = read(path, units={"trials": "ms"})
    np.testing.assert_allclose(again["start_time"], START)


def test_a_start_in_milliseconds_is_added_in_seconds():
    session = pdn.make_session(
        [21.3], [0, 1], trials={"start_time": [20_000.0], "go_time": [1.25]},
        column_attrs={"start_time": {"units": "ms", "clock": "session"},
                      "go_time": {"units": "s", "clock": "trial"}},
    )  # fmt: skip
    with pytest.warns(PopdynWarning, match="start_time was added"):
        tensor = pdn.align(session, "go_time", (0.0, 0.1), 0.1)
    assert tensor["align_time"].item() == 21.25
    assert pdn.trial_table(tensor)["go_time"].item() == 0.0


def test_spikes_are_shared_out_before_trials_are_dropped(tmp_path):
    stop = START + LENGTH
    stop[3] = START[4] + 1.0
    relative = []
    for own in spikes():
        own = own[(own >= START[0]) & (own < START[-1] + GAP)]
        row = np.searchsorted(START, own, side="right") - 1
        relative.append(own - START[row])
    path = make_file(tmp_path / "x.nwb", relative, table() | {"stop_time": stop})
    kept = pdn.read_session(path, clocks={"spike_times": "trial"})
    dropped = pdn.read_session(path, clocks={"spike_times": "trial"}, overlaps="drop")
    assert np.array_equal(kept["spike_time"], dropped["spike_time"])
    assert 4 not in dropped["trial"]


def test_trials_that_only_touch_do_not_overlap(tmp_path):
    start = np.arange(100) * 0.7
    touching = {"start_time": start, "stop_time": start + 0.7}
    path = make_file(tmp_path / "x.nwb", spikes(), touching)
    for overlaps in ("drop", "cut"):
        session = pdn.read_session(path, overlaps=overlaps)
        assert session.sizes["trial"] == 100
        assert np.array_equal(session["stop_time"], start + 0.7)


def test_rows_out_of_order_are_cut_where_they_belong(tmp_path):
    chain = {"start_time": [12.0, 0.0, 5.0], "stop_time": [20.0, 10.0, 15.0]}
    path = make_file(tmp_path / "x.nwb", spikes(), chain)
    cut = pdn.read_session(path, overlaps="cut")
    assert cut["stop_time"].values.tolist() == [20.0, 5.0, 12.0]
    said = "2 rows begin before an earlier one has ended (ids 2, 0)"
    assert said in problems(pdn.read_session(path))
    assert pdn.read_session(path, overlaps="drop")["trial"].values.tolist() == [1]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_a_restart_is_found_wherever_in_the_session_it_is(tmp_path, sound, share):
    back = START[int(N_TRIALS * share)] - 0.5
    halves = [np.concatenate([s[s < back], s[s >= back] - back]) for s in spikes()]
    start = np.where(back > START, START, START - back)
    path = make_file(tmp_path / "x.nwb", halves, table(start))
    assert "trials.start_time goes back once" in warned(path)
    assert "the spike times of 3 of 3 neurons go back once" in warned(path)
    assert_same(read(path, restart_offset=back), sound)


def test_intervals_on_the_clock_that_restarts_move_with_it(tmp_path):
    back = START[20] - 0.5
    halves = [np.concatenate([s[s < back], s[s >= back] - back]) for s in spikes(1)]
    start = np.where(back > START, START, START - back)
    obs = {"obs_intervals": [[[0.0, back], [0.0, 300.0 - back]]]}
    path = make_file(tmp_path / "x.nwb", halves, table(start), neurons=obs)
    session = pdn.read_session(path, restart_offset=back)
    assert session["obs_start"].values.tolist() == [0.0, back]
    assert session["obs_stop"].values.tolist() == [back, 300.0]


def test_behavior_that_corrections_do_not_reach_is_said(tmp_path):
    licks = [[t + 0.1, t + 0.2] for t in START]
    path = make_file(tmp_path / "x.nwb", spikes(), table(lick_times=licks))
    with pytest.raises(SourceError, match="units, shift and restart_offset do not reach them"):
        pdn.read_session(path, behavior=["lick_times"], shift={"trials": 7.0})


@pytest.mark.parametrize("rate", [0.02, 0.05, 1.0, 40.0, 120.0])
def test_sound_recordings_of_any_rate_raise_no_alarm(tmp_path, rate):
    rng = np.random.default_rng(3)
    stop = 3600.0 if rate < 1 else 300.0
    trains = [np.sort(rng.uniform(0, stop, max(3, rng.poisson(rate * stop)))) for _ in range(10)]
    start = np.arange(10.0, stop - 20, 10.0)
    path = make_file(tmp_path / "x.nwb", trains, {"start_time": start, "stop_time": start + 5.0})
    said = described(path)
    for word in ("milliseconds", "samples", "restarted", "counted from"):
        assert word not in said


@pytest.mark.parametrize("merged", [0.3, 0.6, 0.9])
def test_clusters_merged_end_to_end_raise_no_alarm(tmp_path, merged):
    trains = spikes(10)
    extra = spikes(10, seed=8)
    n_merged = int(10 * merged)
    joined = [
        np.concatenate([a, b]) if k < n_merged else a
        for k, (a, b) in enumerate(zip(trains, extra, strict=True))
    ]
    assert "restarted" not in described(make_file(tmp_path / "x.nwb", joined, table()))


def test_one_neuron_that_goes_back_is_no_clock(tmp_path):
    own = np.concatenate([*spikes(2)])
    path = make_file(tmp_path / "x.nwb", [own], {"start_time": [1.0], "stop_time": [2.0]})
    assert "restarted" not in described(path)


def test_a_clock_that_restarts_twice_is_warned_of_and_has_no_mending(tmp_path):
    thirds = [START[13] - 0.5, START[26] - 0.5]
    parts = [
        np.concatenate([s[s < thirds[0]], s[(s >= thirds[0]) & (s < thirds[1])] - thirds[0],
                        s[s >= thirds[1]] - thirds[1]])
        for s in spikes()
    ]  # fmt: skip
    path = make_file(tmp_path / "x.nwb", parts, table())
    assert "go back 2 times: a clock that restarted each time?" in warned(path)


def test_windows_in_which_nothing_was_observed_are_warned_of(tmp_path):
    go = {"go_time": START + 5_000.0}
    path = make_file(tmp_path / "x.nwb", spikes(), table() | go)
    session = pdn.read_session(path)
    with pytest.warns(PopdynWarning, match="no neuron was observed in any bin: all 40 windows"):
        pdn.align(session, "go_time", (0.0, 1.0), 0.5)


def test_a_neuron_without_a_sound_interval_was_never_observed(tmp_path):
    obs = {"obs_intervals": [[[0.0, 300.0]], [[300.0, 0.0]]]}
    path = make_file(tmp_path / "x.nwb", spikes(2), table(), neurons=obs)
    tensor = pdn.align(pdn.read_session(path), "go_time", (0.0, 1.0), 0.5)
    assert np.isfinite(tensor[0]).all()
    assert np.isnan(tensor[1]).all()


@pytest.mark.parametrize("asked", [{"units": "ms"}, {"shift": 5.0}, {"clocks": ["go_time"]}])
def test_corrections_that_name_nothing_are_refused(tmp_path, asked):
    path = make_file(tmp_path / "x.nwb", spikes(1), table())
    with pytest.raises(SourceError, match="must name what it is for"):
        pdn.read_session(path, **asked)


@given(
    st.lists(st.floats(0, 1e4, allow_nan=False), min_size=2, max_size=60, unique=True),
    st.integers(1, 59),
)
@settings(max_examples=200, deadline=None)
def test_a_restart_is_found_where_it_is(values, cut):
    rising = np.sort(values)
    cut = min(cut, rising.size - 1)
    before, after = rising[:cut], rising[cut:] - rising[cut]
    joined = np.concatenate([before, after])
    found = restart_row(joined)
    fall = before[-1] - after[0]
    span = joined.max() - joined.min()
    if joined.size >= 4 and fall > 0.0500001 * span:
        assert found == cut
    elif fall < 0.0499999 * span:
        assert found is None
