"""Events of a file can be its trials, however they are written."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pynwb
import pytest

import popdyn as pdn
from tests.io.recordings import ALM, add_intervals, add_units, empty_file, make_file, save

# Written by ndx-events 0.2.0 itself (pynwb 2.8.3), without its specification in the file: an
# Events, a LabeledEvents, a TTLs in acquisition, an AnnotatedEventsTable in processing.
NDX = Path(__file__).parent / "ndx_events_0.2.0.nwb"
pytestmark = [
    pytest.mark.filterwarnings("ignore::popdyn.errors.PopdynWarning"),
    # pynwb writes what it calls deprecated; files are full of it.
    pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning"),
]


def columns(path, name):
    session = pdn.read_session(path, name)
    return {
        str(key): session[key].values.tolist()
        for key in session.coords
        if session[key].dims == ("trial",) and key != "trial"
    }


def file_with(path, *acquisition, events=(), trials=False):
    content = empty_file()
    add_units(content, [np.arange(0.05, 10, 0.1)], {})
    for item in acquisition:
        content.add_acquisition(item)
    for table in events:
        content.add_events_table(table)
    if trials:
        add_intervals(content, "trials", {"start_time": [0.0, 5.0], "stop_time": [4.0, 9.0]}, {})
    return save(content, path)


def series(name, data, timestamps, **more):
    return pynwb.TimeSeries(name=name, data=data, timestamps=timestamps, unit="n/a", **more)


def test_the_extension_that_wrote_the_file_is_not_needed():
    with pytest.raises(ImportError):
        __import__("ndx_events")
    with h5py.File(NDX) as file:
        assert "specifications" not in file


def test_plain_events_become_trials():
    assert columns(NDX, "Events") == {"start_time": [0.0, 1.0, 2.0]}


def test_labeled_events_have_their_labels_and_codes():
    found = columns(NDX, "LabeledEvents")
    assert found["start_time"] == [0.0, 0.5, 0.6, 2.0, 2.05, 3.0, 3.5, 3.6, 4.0]
    assert found["code"] == [0, 1, 2, 3, 5, 0, 1, 2, 4]
    assert found["label"][3:5] == ["response_left", "reward"]
    assert columns(NDX, "TTLs")["label"] == ["a", "b", "c"]


def test_a_row_per_type_becomes_a_row_per_event_in_order_of_time():
    found = columns(NDX, "AnnotatedEventsTable")
    assert found["start_time"] == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert found["label"] == ["Reward", "Nosepoke", "Reward", "Nosepoke", "Reward"]
    assert found["extra"] == ["x", "y", "x", "y", "x"]


def test_spikes_are_aligned_to_events():
    session = pdn.read_session(NDX, "LabeledEvents")
    tensor = pdn.align(session, "start_time", (0.0, 0.7), 0.7, trials={"label": "trial_start"})
    # Spikes at 0.1, 0.5 and 1.2 s; the trials start at 0 and 3 s.
    assert tensor.sizes["trial"] == 2
    assert tensor.values[0, 0, 0] == 2


def test_codes_without_a_label_are_said(tmp_path):
    path = tmp_path / "x.nwb"
    path.write_bytes(NDX.read_bytes())
    with h5py.File(path, "r+") as file:
        file["acquisition/TTLs/data"][...] = [0, 9, 1]
    session = pdn.read_session(path, "TTLs")
    assert session["label"].values.tolist() == ["a", "", "b"]
    assert "TTLs: 1 of 3 codes have no label" in session.attrs["problems"]


def events_table(name="licks", **more):
    core = pytest.importorskip("pynwb.event", reason="this pynwb has no EventsTable")
    length = [0.5, np.nan, 0.25]
    table = core.EventsTable(name=name, description="licks", columns=[
        core.TimestampVectorData(name="timestamp", description="when", data=[4.0, 1.0, 2.0]),
        core.DurationVectorData(name="duration", description="how long", data=length),
    ])  # fmt: skip
    table.add_column("side", "which", data=["left", "right", "left"])
    return table


def test_the_events_table_of_the_core_keeps_its_columns(tmp_path):
    path = file_with(tmp_path / "x.nwb", events=[events_table()])
    found = columns(path, "licks")
    assert found["start_time"] == [4.0, 1.0, 2.0]
    assert found["side"] == ["left", "right", "left"]
    np.testing.assert_array_equal(found["stop_time"], [4.5, np.nan, 2.25])
    summary = pdn.describe_nwb(path)
    assert [table.name for table in summary.tables] == ["licks"]
    assert "trials='licks'" in summary.suggestion


def test_a_column_of_timestamps_under_another_name_counts(tmp_path):
    path = file_with(tmp_path / "x.nwb", events=[events_table()])
    with h5py.File(path, "r+") as file:
        table = file["events/licks"]
        table.move("timestamp", "lick_onset")
        table.attrs["colnames"] = ["lick_onset", "duration", "side"]
    assert columns(path, "licks")["start_time"] == [4.0, 1.0, 2.0]


def test_behavioral_events_are_events_with_their_values(tmp_path):
    box = pynwb.behavior.BehavioralEvents(name="rewards")
    box.add_timeseries(series("water", [1.0, 2.5], [3.0, 6.0]))
    path = file_with(tmp_path / "x.nwb", box)
    assert columns(path, "water") == {"start_time": [3.0, 6.0], "value": [1.0, 2.5]}


def test_a_trace_among_behavioral_events_is_no_list_of_events(tmp_path):
    box = pynwb.behavior.BehavioralEvents(name="sensor")
    box.add_timeseries(pynwb.TimeSeries(name="trace", data=[0.0, 1.0], rate=1.0, unit="V"))
    path = file_with(tmp_path / "x.nwb", box, trials=True)
    with pytest.raises(pdn.SourceError, match="has no interval table 'trace'"):
        pdn.read_session(path, "trace")


def test_annotations_are_events_with_text(tmp_path):
    notes = pynwb.misc.AnnotationSeries(name="notes", data=["on", "off"], timestamps=[1.0, 2.0])
    path = file_with(tmp_path / "x.nwb", notes)
    assert columns(path, "notes") == {"start_time": [1.0, 2.0], "label": ["on", "off"]}


def test_interval_series_become_intervals_with_start_and_stop(tmp_path):
    states = pynwb.misc.IntervalSeries(
        name="states", data=np.array([1, 2, -1, -2, 1], dtype=np.int8),
        timestamps=[0.0, 1.0, 2.0, 3.0, 5.0],
    )  # fmt: skip
    path = file_with(tmp_path / "x.nwb", states)
    found = columns(path, "states")
    assert found["start_time"] == [0.0, 1.0, 5.0]
    np.testing.assert_array_equal(found["stop_time"], [2.0, 3.0, np.nan])
    assert found["code"] == [1, 2, 1]
    problems = pdn.read_session(path, "states").attrs["problems"]
    assert "1 starts or stops of intervals have no partner" in problems


def test_events_do_not_hide_tables_of_intervals(tmp_path):
    box = pynwb.behavior.BehavioralEvents(name="task")
    box.add_timeseries(series("trials", [1.0, 1.0, 1.0], [0.5, 1.5, 2.5]))
    path = file_with(tmp_path / "x.nwb", box, trials=True)
    assert columns(path, "trials")["start_time"] == [0.0, 5.0]
    assert columns(path, "task/trials")["start_time"] == [0.5, 1.5, 2.5]


def test_events_with_one_name_are_told_apart_by_where_they_lie(tmp_path):
    boxes = []
    for side in ("left", "right"):
        boxes.append(pynwb.behavior.BehavioralEvents(name=side))
        boxes[-1].add_timeseries(series("licks", [1.0], [1.0 if side == "left" else 2.0]))
    path = file_with(tmp_path / "x.nwb", *boxes)
    assert columns(path, "left/licks")["start_time"] == [1.0]
    assert columns(path, "right/licks")["start_time"] == [2.0]


def test_a_list_of_tables_does_not_drown_in_events(tmp_path):
    box = pynwb.behavior.BehavioralEvents(name="many")
    for k in range(40):
        box.add_timeseries(series(f"ttl_{k}", [1.0], [1.0]))
    path = file_with(tmp_path / "x.nwb", box, trials=True)
    with pytest.raises(pdn.SourceError) as caught:
        pdn.read_session(path, "ttl_99")
    message = str(caught.value)
    assert "it has trials (2 rows)" in message
    assert "and 37 more" in message
    assert len(message) < 300
    text = str(pdn.describe_nwb(path))
    assert text.count("ttl_") < 40
    assert "and 28 more" in text


def test_a_file_of_events_only_says_what_can_be_trials():
    with pytest.raises(pdn.SourceError) as caught:
        pdn.read_session(NDX)
    assert "has no interval tables" in str(caught.value)
    assert "Events can be trials too: Events (3)" in str(caught.value)


def test_damaged_events_are_said_and_keep_nothing_else_from_being_read(tmp_path):
    path = tmp_path / "x.nwb"
    path.write_bytes(NDX.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["acquisition/TTLs/timestamps"]
        file["acquisition/TTLs/timestamps"] = np.zeros(7)
    assert columns(path, "Events")["start_time"] == [0.0, 1.0, 2.0]
    session = pdn.read_session(path, "TTLs")
    assert session.sizes["trial"] == 0
    assert "its parts differ in length: 7 start_time, 3 label" in session.attrs["problems"]


def test_frames_of_a_video_are_no_events(tmp_path):
    video = pynwb.image.ImageSeries(
        name="camera", external_file=["a.avi"], format="external", starting_frame=[0],
        timestamps=[0.0, 0.1, 0.2], unit="n/a",
    )  # fmt: skip
    path = file_with(tmp_path / "x.nwb", video, trials=True)
    with pytest.raises(pdn.SourceError, match="has no interval table 'camera'"):
        pdn.read_session(path, "camera")


def test_events_of_a_shipped_recording_are_trials_in_order():
    session = pdn.read_session(ALM["369963"], "lick_left_times")
    times = session["start_time"].values
    with h5py.File(ALM["369963"]) as file:
        stored = file["acquisition/lick_times/lick_left_times/timestamps"][:]
    np.testing.assert_array_equal(times, np.sort(stored))
    np.testing.assert_array_equal(stored[session["trial"].values], times)
    assert "72 of 782 events have the time of another" in session.attrs["problems"]


def test_a_file_without_events_names_none(tmp_path):
    with pytest.raises(pdn.SourceError) as caught:
        pdn.read_session(make_file(tmp_path / "x.nwb"), "other")
    assert "Events" not in str(caught.value)
