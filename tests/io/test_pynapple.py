"""pynapple's objects in and out: the same spikes, the same trials, the same counts."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import PopdynError, PopdynWarning, TensorError
from popdyn.io.bridges.series import as_series
from popdyn.tensor.behavior import add_behavior
from tests.io.recordings import ALM, HUMAN, THALAMUS

nap = pytest.importorskip("pynapple", minversion="0.11.3")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:pynapple")


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def messages(function, *args, **kwargs):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    return result, [str(one.message) for one in seen if one.category is PopdynWarning]


def small_session(**kwargs):
    given = {
        "spike_time": [0.5, 1.5, 6.5, 0.25, 7.0],
        "neuron_start": [0, 3, 5],
        "neurons": {"id": [4, 2], "area": ["ALM", "M1"]},
        "trials": {"start_time": [0.0, 5.0], "stop_time": [4.0, 9.0], "go_time": [1.0, 6.0]},
        "obs": ([0.0, 0.0], [10.0, 10.0], [0, 1]),
        "column_attrs": dict.fromkeys(
            ("start_time", "stop_time", "go_time"), {"units": "s", "clock": "session"}
        ),
    }
    return pdn.make_session(**{**given, **kwargs})


def group(**kwargs):
    support = nap.IntervalSet(0.0, 10.0)
    trains = {3: nap.Ts(t=np.array([1.0, 2.5])), 8: nap.Ts(t=np.array([0.5, 4.0, 9.5]))}
    return nap.TsGroup(trains, time_support=support, **kwargs)


def assert_same_session(back, session):
    """Everything but the history and the digest is bit for bit the same."""
    plain = [one.drop_attrs(deep=False) for one in (back, session)]
    xr.testing.assert_identical(plain[0].reset_coords(), plain[1].reset_coords())


# --- round trips -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "table"),
    [
        (HUMAN, "encoding_table"),
        (HUMAN, "recognition_table"),
        (THALAMUS, "trials"),
        (ALM["369963"], "trials"),
        (ALM["372793"], "trials"),
    ],
    ids=lambda value: getattr(value, "stem", value),
)
def test_a_shipped_recording_comes_back_from_pynapple_bit_for_bit(path, table):
    session = quietly(pdn.read_session, path, table)
    back = quietly(lambda: pdn.from_pynapple(pdn.to_pynapple(session)))
    assert_same_session(back, session)
    assert back.attrs["problems"] == session.attrs["problems"]
    assert back.attrs["source_id"] == session.attrs["source_id"]
    assert '"step": "from_pynapple"' in back.attrs["popdyn"]


def test_without_what_popdyn_kept_spikes_and_trials_are_still_the_same():
    session = quietly(pdn.read_session, HUMAN, "encoding_table")
    objects = quietly(pdn.to_pynapple, session)
    back = quietly(pdn.from_pynapple, objects["units"], objects["trials"])
    for name in ("spike_time", "neuron_start", "obs_start", "obs_stop", "start_time", "stop_time"):
        np.testing.assert_array_equal(back[name], session[name])
    assert back["boundary1_time"].attrs["clock"] == "session"
    assert back.attrs["source_id"] == "pynapple"


def test_a_session_without_stated_observation_stays_observed_all_the_time():
    session = small_session(obs=None)
    back = quietly(lambda: pdn.from_pynapple(pdn.to_pynapple(session)))
    assert np.isneginf(back["obs_start"]).all() and np.isposinf(back["obs_stop"]).all()


def test_neurons_come_in_the_order_of_their_ids_and_keep_their_own():
    back = quietly(lambda: pdn.from_pynapple(pdn.to_pynapple(small_session())))
    assert back["neuron"].values.tolist() == [2, 4]
    assert back["area"].values.tolist() == ["M1", "ALM"]
    assert back["spike_time"].values.tolist() == [0.25, 7.0, 0.5, 1.5, 6.5]


def test_names_of_neurons_and_ids_of_trials_survive():
    session = small_session(
        neurons={"id": ["b", "a"]},
        trials={"id": ["x", "y"], "start_time": [5.0, 0.0], "stop_time": [9.0, 4.0]},
    )
    objects = pdn.to_pynapple(session)
    assert objects["units"].metadata["neuron"].tolist() == ["b", "a"]
    back = pdn.from_pynapple(objects)
    assert back["neuron"].values.tolist() == ["b", "a"]
    assert back["trial"].values.tolist() == ["y", "x"]
    assert back["start_time"].values.tolist() == [0.0, 5.0]


@pytest.mark.parametrize(("units", "scale"), [("ms", 1e3), ("us", 1e6)])
@pytest.mark.parametrize("stop", [4.0, np.nan], ids=["IntervalSet", "DataFrame"])
def test_trials_in_milliseconds_are_the_same_times_when_they_come_back(units, scale, stop):
    about = dict.fromkeys(
        ("start_time", "stop_time", "go_time"), {"units": units, "clock": "session"}
    )
    times = {"start_time": [0.8, 5.0], "stop_time": [stop, 9.0], "go_time": [1.0, 6.0]}
    trials = {name: np.array(values) * scale for name, values in times.items()}
    session = small_session(trials=trials, column_attrs=about, obs=None)
    objects = quietly(pdn.to_pynapple, session)
    assert objects["units"].time_support.end.tolist() == [9.0]
    back = quietly(pdn.from_pynapple, objects)
    for name, seconds in times.items():
        factor = {"s": 1.0, units: scale}[back[name].attrs["units"]]
        np.testing.assert_array_equal(back[name].values / factor, seconds)
    assert back["start_time"].attrs == {"units": "s", "clock": "session"}


def test_behavior_goes_out_as_pynapple_has_it_and_comes_back():
    session = small_session(neurons=None)
    session = add_behavior(
        session, as_series("speed", [0.0, 0.1, 0.2], [1.0, np.nan, 3.0], units="cm/s")
    )
    session = add_behavior(
        session, as_series("eye", [0.0, 1.0], [[1.0, 2.0], [3.0, 4.0]], channels=["x", "y"])
    )
    session = add_behavior(
        session, as_series("licks", [0.3, 0.7], kind="events", description="left port")
    )
    session = add_behavior(session, as_series("trials", [0.3], [5.0]))
    objects = pdn.to_pynapple(session)
    kinds = [type(objects[name]).__name__ for name in ("speed", "eye", "licks", "behavior_trials")]
    assert kinds == ["Tsd", "TsdFrame", "Ts", "Tsd"]
    assert list(objects["eye"].columns) == ["x", "y"]
    assert_same_session(pdn.from_pynapple(objects), session)


@settings(deadline=None, max_examples=40)
@given(
    trains=st.lists(
        st.lists(st.floats(-1e4, 1e6, allow_subnormal=False), max_size=8), min_size=1, max_size=4
    ),
    starts=st.lists(st.floats(0.0, 1e4), min_size=1, max_size=6, unique=True),
    length=st.floats(1e-3, 100.0),
)
def test_whatever_the_times_a_round_trip_changes_none(trains, starts, length):
    starts = np.array(starts)
    session = quietly(
        pdn.make_session,
        np.concatenate([np.sort(t) for t in trains]),
        np.concatenate([[0], np.cumsum([len(t) for t in trains])]),
        trials={"start_time": starts, "stop_time": starts + length},
    )
    back = quietly(lambda: pdn.from_pynapple(pdn.to_pynapple(session)))
    back = back.sel(trial=session["trial"].values)
    for name in ("spike_time", "neuron_start", "start_time", "stop_time"):
        np.testing.assert_array_equal(back[name], session[name])


# --- counts against pynapple's own -----------------------------------------------------------


def off_the_edges(session, edges_of):
    """Leave out spikes within a nanosecond of an edge: there rounding decides."""
    edges = np.sort(np.ravel(edges_of))
    spikes = session["spike_time"].values
    at = np.clip(np.searchsorted(edges, spikes), 1, edges.size - 1)
    far = np.minimum(np.abs(spikes - edges[at - 1]), np.abs(spikes - edges[at])) > 1e-8
    owner = np.repeat(np.arange(session.sizes["neuron"]), np.diff(session["neuron_start"]))
    counts = np.bincount(owner[far], minlength=session.sizes["neuron"])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    obs = tuple(session[name].values for name in ("obs_start", "obs_stop", "obs_neuron"))
    trials = {name: session[name].values for name in ("start_time",)}
    return pdn.make_session(spikes[far], offsets, trials=trials, obs=obs)


def test_align_counts_what_pynapples_build_tensor_and_count_do():
    session = quietly(pdn.read_session, HUMAN, "encoding_table")
    starts = session["start_time"].values
    edges = starts[:, None] + np.arange(11) * 0.1
    session = off_the_edges(session, edges)
    ours = pdn.align(session, "start_time", (0.0, 1.0), 0.1)
    objects = quietly(pdn.to_pynapple, session)["units"]
    windows = nap.IntervalSet(starts, starts + 1.0)
    theirs = nap.build_tensor(objects, windows, bin_size=0.1)  # neuron, trial, time
    np.testing.assert_array_equal(ours.values, theirs[:, :, :10].transpose(0, 2, 1))
    whole = objects.count(ep=windows)
    np.testing.assert_array_equal(ours.sum("time").values.T, whole.values)
    assert ours.sum() > 5_000


def test_align_counts_what_pynapples_perievent_does():
    session = quietly(pdn.read_session, HUMAN, "encoding_table")
    ours = pdn.align(session, "boundary1_time", (-0.5, 0.5), 0.5)
    units = quietly(pdn.to_pynapple, session)["units"]
    events = nap.Ts(t=session["boundary1_time"].values)
    theirs = quietly(nap.compute_perievent, units, events, window=(-0.5, 0.5))
    for position, neuron in enumerate(session["neuron"].values):
        aligned = theirs[int(neuron)]
        for trial in range(session.sizes["trial"]):
            times = aligned[trial].t
            counts = [((times >= a) & (times < a + 0.5)).sum() for a in (-0.5, 0.0)]
            np.testing.assert_array_equal(ours.values[position, :, trial], counts)


def test_a_spike_on_the_right_edge_is_in_pynapples_interval_and_not_in_our_bin():
    """pynapple's intervals are closed on both sides; its bins, like ours, open on the right."""
    session = small_session(spike_time=[0.0, 1.0, 2.0], neuron_start=[0, 3], neurons=None, obs=None)
    ours = pdn.align(session, "start_time", (0.0, 1.0), 1.0).values[0, 0, 0]
    units = quietly(pdn.to_pynapple, session)["units"]
    closed = units.count(ep=nap.IntervalSet(0.0, 1.0)).values[0, 0]
    binned = units.count(1.0, ep=nap.IntervalSet(0.0, 1.0)).values[0, 0]
    assert (ours, binned, closed) == (1.0, 1, 2)


# --- from pynapple ---------------------------------------------------------------------------


def test_index_metadata_and_time_support_become_ids_columns_and_observation():
    session = pdn.from_pynapple(group(metadata={"area": ["a", "b"], "depth": [1.5, np.nan]}))
    assert session["neuron"].values.tolist() == [3, 8]
    assert session["area"].values.tolist() == ["a", "b"]
    assert session["depth"].attrs["units"] == "unknown"
    assert "rate" not in session and "neuron_rate" not in session
    assert session["obs_start"].values.tolist() == [0.0, 0.0]
    assert session["obs_stop"].values.tolist() == [10.0, 10.0]
    assert session.sizes["trial"] == 0


def test_an_interval_set_becomes_the_trials_with_its_metadata():
    trials = nap.IntervalSet(
        [0.0, 5.0], [4.0, 9.0], metadata={"go_time": [1.0, 6.0], "side": ["l", "r"], "id": [7, 7]}
    )
    session = pdn.from_pynapple(group(), trials, column_attrs={"go_time": {"description": "beep"}})
    assert session["start_time"].attrs == {"units": "s", "clock": "session"}
    assert session["stop_time"].values.tolist() == [4.0, 9.0]
    assert session["go_time"].attrs == {"units": "s", "clock": "session", "description": "beep"}
    assert session["side"].values.dtype.kind == "U"
    assert session["trial_id"].values.tolist() == [7, 7]


def test_times_relative_to_the_trial_are_found_and_the_users_word_wins():
    n = 20
    frame = pd.DataFrame({"start": np.arange(n) * 5.0, "end": np.arange(n) * 5.0 + 4.0})
    frame["go_time"] = 1.5
    assert pdn.from_pynapple(group(), frame)["go_time"].attrs["clock"] == "trial"
    stated = pdn.from_pynapple(group(), frame, clocks={"go_time": "session"})
    assert stated["go_time"].attrs["clock"] == "session"
    milliseconds = pdn.from_pynapple(group(), frame, column_attrs={"go_time": {"units": "ms"}})
    assert milliseconds["go_time"].attrs["units"] == "ms"


def test_a_dict_of_ts_with_names_and_a_single_ts_are_sessions_too():
    support = nap.IntervalSet(0.0, 3.0)
    one = nap.Ts(t=np.array([1.0, 2.0]), time_support=support)
    named = pdn.from_pynapple({"left": one, "right": one})
    assert named["neuron"].values.tolist() == ["left", "right"]
    single = pdn.from_pynapple(one, source_id="lab/mouse")
    assert single["spike_time"].values.tolist() == [1.0, 2.0]
    assert single["obs_stop"].values.tolist() == [3.0]
    assert single.attrs["source_id"] == "lab_mouse"


def test_a_default_time_support_is_not_taken_for_an_observation_interval():
    trains = {0: nap.Ts(t=np.array([1.0, 2.0])), 1: nap.Ts(t=np.array([0.0, 9.0]))}
    session, said = messages(pdn.from_pynapple, trains)
    assert session["obs_start"].values.tolist() == [0.0, 1.0, 0.0, 1.0]
    assert session["obs_stop"].values.tolist() == [9.0, 2.0, 9.0, 2.0]
    assert "the time support of 2 of 2 neurons is pynapple's default" in said[0]
    assert "(observed='own' keeps to it)" in session.attrs["problems"]
    own = pdn.from_pynapple(trains, observed="own")
    assert own["obs_stop"].values.tolist() == [2.0, 9.0]
    always = pdn.from_pynapple(trains, observed="session")
    assert np.isposinf(always["obs_stop"]).all()


def test_a_stated_time_support_of_one_neuron_is_its_own():
    half = nap.Ts(t=np.array([1.0, 2.0]), time_support=nap.IntervalSet(0.0, 5.0))
    whole = nap.Ts(t=np.array([0.5, 9.0]), time_support=nap.IntervalSet(0.0, 10.0))
    session = pdn.from_pynapple({0: half, 1: whole})
    assert session["obs_stop"].values.tolist() == [5.0, 10.0]


def test_tsd_frames_and_ts_become_behavior():
    times = np.array([0.0, 0.5, 1.0])
    behavior = {
        "speed": nap.Tsd(t=times, d=np.array([1, 2, 3])),
        "eye": nap.TsdFrame(t=times, d=np.ones((3, 2)), columns=["x", "y"]),
        "licks": nap.Ts(t=times),
    }
    session = pdn.from_pynapple(group(), behavior=behavior)
    assert session.attrs["behavior"] == '["speed", "eye", "licks"]'
    assert session["speed"].dims == ("speed_time",) and session["speed"].dtype == np.float64
    assert session["eye"].dims == ("eye_time", "eye_channel")
    assert session["eye_channel"].values.tolist() == ["x", "y"]
    assert session["licks"].attrs["kind"] == "events"
    assert session["speed"].attrs["kind"] == "series"


def test_a_file_opened_by_pynapple_is_read_by_its_keys():
    opened = quietly(nap.load_file, str(HUMAN))
    session, said = messages(pdn.from_pynapple, opened, "encoding_table")
    opened.close()
    direct = quietly(pdn.read_session, HUMAN, "encoding_table")
    np.testing.assert_array_equal(session["spike_time"], direct["spike_time"])
    np.testing.assert_array_equal(session["boundary1_time"], direct["boundary1_time"])
    left = next(line for line in said if line.startswith("not taken:"))
    assert "recognition_table" in left and "behavior=[...]" in left


# --- to pynapple: nothing is lost silently ---------------------------------------------------


def test_spikes_outside_the_observation_intervals_are_named():
    session = small_session(obs=([0.0, 0.0], [5.0, 10.0], [0, 1]))
    objects, said = messages(pdn.to_pynapple, session)
    assert any(
        "1 of 5 spikes lie outside the observation intervals of their neuron, and pynapple drops "
        "them (neurons 4)" in line for line in said
    )  # fmt: skip
    assert any("1 of 2 neurons were observed for a part of the time only" in line for line in said)
    assert objects["units"][4].time_support.end.tolist() == [5.0]


def test_intervals_that_touch_are_joined_before_pynapple_cuts_them():
    session = small_session(
        spike_time=[0.9999995, 1.5], neuron_start=[0, 2], neurons=None,
        obs=([0.0, 1.0], [1.0, 10.0], [0, 0]),
    )  # fmt: skip
    objects, said = messages(pdn.to_pynapple, session)
    assert objects["units"][0].t.tolist() == [0.9999995, 1.5] and not said


def test_trials_that_touch_keep_their_exact_end():
    session = small_session(trials={"start_time": [0.0, 4.0], "stop_time": [4.0, 9.0]})
    objects, said = messages(pdn.to_pynapple, session)
    assert objects["trials"].end.tolist() == [4.0 - 1e-6, 9.0]
    assert said[0] == (
        "pynapple moved the ends of 1 of 2 trials, by up to 1e-06 s (it parts trials that touch, "
        "and some versions round): the metadata stop_time keep the exact times."
    )
    assert pdn.from_pynapple(objects)["stop_time"].values.tolist() == [4.0, 9.0]


def test_trials_that_fit_no_interval_set_come_as_a_table_with_the_reasons():
    trials = {
        "id": [11, 12, 13, 14, 15],
        "start_time": [0.0, 1.0, 5.0, 7.0, 8.0],
        "stop_time": [4.0, 2.0, np.nan, 7.0, 9.0],
    }
    session = small_session(trials=trials)
    objects, said = messages(pdn.to_pynapple, session)
    assert isinstance(objects["trials"], pd.DataFrame)
    assert said[0] == (
        "3 of 5 trials fit no IntervalSet (no duration: 14; no stop_time: 13; overlapping "
        "another: 11): so all trials come as a pandas DataFrame (drop_trials=True leaves those "
        "out)."
    )
    assert_trials = pdn.from_pynapple(objects)
    assert assert_trials["trial"].values.tolist() == trials["id"]
    np.testing.assert_array_equal(assert_trials["stop_time"], trials["stop_time"])
    dropped, said = messages(pdn.to_pynapple, session, drop_trials=True)
    assert dropped["trials"].metadata["trial"].tolist() == [12, 15]
    assert said[0].endswith("left out.")


def test_events_relative_to_the_trial_and_hidden_metadata_are_named():
    session = small_session(
        neurons={"area": ["a", "b"], "count": [1, 2], "my depth": [1.0, 2.0]},
        column_attrs={"go_time": {"units": "s", "clock": "trial"}},
    )
    objects, said = messages(pdn.to_pynapple, session)
    assert any("columns go_time count from the trial's start" in line for line in said)
    assert any("metadata count, my depth by get_info only" in line for line in said)
    assert objects["units"].get_info("count").tolist() == [1, 2]


def test_rounding_by_a_version_of_pynapple_is_said_and_trials_stay_exact(monkeypatch):
    """As pynapple before 0.11.3 does, to nine digits."""
    spikes, intervals = nap.Ts, nap.IntervalSet
    monkeypatch.setattr(nap, "Ts", lambda t, **kwargs: spikes(t=np.round(t, 9), **kwargs))
    monkeypatch.setattr(
        nap,
        "IntervalSet",
        lambda a, b, **kwargs: intervals(np.round(a, 9), np.round(b, 9), **kwargs),
    )
    third = 1.0 / 3.0
    session = small_session(
        spike_time=[third], neuron_start=[0, 1], neurons=None, obs=None,
        trials={"start_time": [third], "stop_time": [2 * third]},
    )  # fmt: skip
    objects, said = messages(pdn.to_pynapple, session)
    assert said[0].startswith(
        "this version of pynapple rounds times: spikes moved by up to 3.3e-10"
    )
    assert said[1].startswith("pynapple moved the ends of 1 of 1 trials, by up to 3e-10 s")
    back = pdn.from_pynapple(objects)
    assert back["start_time"].values.tolist() == [third]
    assert back["stop_time"].values.tolist() == [2 * third]
    assert back["spike_time"].values.tolist() == [round(third, 9)]


def test_a_pynapple_without_metadata_is_refused(monkeypatch):
    monkeypatch.setattr(nap, "__version__", "0.7.1")
    with pytest.raises(
        PopdynError, match=r"needs pynapple 0.8 or newer.* found 0.7.1: pip install"
    ):
        pdn.to_pynapple(small_session())


def test_a_session_is_not_changed_by_being_carried():
    session = small_session()
    before = session.copy(deep=True)
    objects = quietly(pdn.to_pynapple, session)
    quietly(pdn.from_pynapple, objects)
    xr.testing.assert_identical(session, before)


# --- in the right words ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (np.array([1.0, 2.0]), "Found ndarray."),
        ({0: np.array([1.0])}, "Found ndarray (in a mapping)."),
        ("file.nwb", "Found str."),
        (None, "Found NoneType."),
    ],
)
def test_what_is_no_spike_train_is_refused_with_what_is_accepted(wrong, found):
    with pytest.raises(TensorError) as error:
        pdn.from_pynapple(wrong)
    assert str(error.value).startswith("expected a TsGroup, a dict of Ts, a single Ts")
    assert str(error.value).endswith(found) and "popdyn.from_spikes" in str(error.value)


def test_trials_of_another_kind_are_refused():
    with pytest.raises(TensorError, match=r"trials must be an IntervalSet .* found list"):
        pdn.from_pynapple(group(), [(0.0, 1.0)])


def test_trials_that_stop_before_they_start_are_refused_with_their_rows():
    frame = pd.DataFrame({"start": [0.0, 5.0], "end": [1.0, 4.0]})
    with pytest.raises(TensorError, match=r"1 of 2 trials stop .* \(rows 1; the first: 5 to 4 s\)"):
        pdn.from_pynapple(group(), frame)


def test_names_need_a_mapping_that_holds_them():
    with pytest.raises(TensorError, match=r"can be named only where .* found TsGroup"):
        pdn.from_pynapple(group(), "trials")
    with pytest.raises(TensorError, match="there is no 'encoding'; there are units, eye"):
        pdn.from_pynapple({"units": group(), "eye": 1}, "encoding")


def test_unknown_policies_and_clocks_are_refused():
    with pytest.raises(TensorError, match="observed must be 'auto', 'own' or 'session'; got 'all'"):
        pdn.from_pynapple(group(), observed="all")
    trials = nap.IntervalSet([0.0], [4.0], metadata={"go_time": [1.0]})
    with pytest.raises(TensorError, match=r"clocks names 'go_tim'.* Did you mean 'go_time'\?"):
        pdn.from_pynapple(group(), trials, clocks={"go_tim": "trial"})
    with pytest.raises(TensorError, match="must be 'session' or 'trial', got 'ms'"):
        pdn.from_pynapple(group(), trials, clocks={"go_time": "ms"})


def test_behavior_that_is_none_or_has_too_many_dims_is_refused():
    with pytest.raises(TensorError, match=r"behavior 'x' must be a Tsd.* found list"):
        pdn.from_pynapple(group(), behavior={"x": [1.0]})
    tensor = nap.TsdTensor(t=np.arange(3.0), d=np.ones((3, 2, 2)))
    with pytest.raises(TensorError, match=r"shape \(3, 2, 2\) \(a TsdTensor\)"):
        pdn.from_pynapple(group(), behavior={"x": tensor})


def test_metadata_that_hold_no_single_value_are_left_out_and_named():
    one = group(metadata={"area": ["a", "b"]})
    made = SimpleNamespace(t=np.array([1.0]), time_support=SimpleNamespace(start=[0.0], end=[2.0]))

    class Group(dict):
        time_support = made.time_support
        metadata = {"shape": np.ones((1, 3)), "area": np.array(["a"])}

    session, said = messages(pdn.from_pynapple, Group({0: made}))
    assert said == [
        "columns of the neuron table that do not hold one number or word per row were left out: "
        "shape."
    ]
    assert session["area"].values.tolist() == ["a"]
    assert one.metadata["area"].tolist() == ["a", "b"]


def test_spike_times_that_are_not_numbers_or_not_sorted_are_said():
    support = SimpleNamespace(start=[0.0], end=[9.0])
    train = SimpleNamespace(t=[3.0, 1.0, np.nan], time_support=support)
    session, said = messages(pdn.from_pynapple, train)
    assert said == [
        "1 of 3 spike times are NaN or infinite and were left out",
        "1 spike times are earlier than the one before: sorted",
    ]
    assert session["spike_time"].values.tolist() == [1.0, 3.0]


def test_a_session_without_any_time_cannot_tell_how_long_it_lasted():
    with pytest.raises(TensorError, match="pynapple needs to know how long it lasted"):
        pdn.to_pynapple(pdn.make_session([], [0, 0]))


def test_what_is_no_session_is_refused():
    with pytest.raises(TensorError, match="expected a Session"):
        pdn.to_pynapple(xr.Dataset())


def test_without_pynapple_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynapple", None)
    with pytest.raises(PopdynError, match=r"^to_pynapple needs the package pynapple: pip install"):
        pdn.to_pynapple(small_session())


def test_reading_pynapples_objects_needs_no_pynapple():
    code = """
import sys
sys.modules["pynapple"] = None
from types import SimpleNamespace as Made
import popdyn as pdn
train = Made(t=[1.0], time_support=Made(start=[0.0], end=[2.0]))
print(pdn.from_pynapple(train).sizes["spike"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
