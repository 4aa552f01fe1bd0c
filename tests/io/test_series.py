"""Series of a file: found by what they hold, read with what is wrong said."""

from __future__ import annotations

import h5py
import numpy as np
import pynwb
import pytest
from pynwb.behavior import CompassDirection, Position, PupilTracking, SpatialSeries

import popdyn as pdn
from popdyn.io.behavior.reading import read_series
from tests.io.recordings import ALM, HUMAN, add_intervals, add_units, empty_file, save

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning")
TIMES = np.arange(400) / 20


def series(name="pupil", data=None, **more):
    data = np.arange(400.0) if data is None else data
    if "rate" not in more:
        more.setdefault("timestamps", TIMES[: len(data)])
    return pynwb.TimeSeries(**{"name": name, "data": data, "unit": "mm", **more})


def spatial(name="position", **more):
    about = {"data": np.arange(800.0).reshape(400, 2), "reference_frame": "corner", "rate": 20.0}
    return SpatialSeries(**{"name": name, **about, **more})


def file_with(path, *acquisition, behavior=(), trials=None):
    content = empty_file()
    add_units(content, [np.arange(0.05, 20, 0.1)], {})
    for item in acquisition:
        content.add_acquisition(item)
    if behavior:
        module = content.create_processing_module(name="behavior", description="what it did")
        for item in behavior:
            module.add(item)
    table = trials or {"start_time": [1.0, 5.0, 9.0], "stop_time": [4.0, 8.0, 12.0]}
    add_intervals(content, "trials", table, {})
    return save(content, path)


def listed(path):
    return {one.name: one for one in pdn.describe_nwb(path).series}


def refusal(path, name="pupil"):
    with pytest.raises(pdn.SourceError) as caught:
        pdn.read_session(path, behavior=[name])
    return str(caught.value)


def test_position_pupil_and_a_plain_series_are_found_and_read(tmp_path):
    path = file_with(tmp_path / "x.nwb", series("speed"), behavior=[
        Position(spatial_series=spatial()), PupilTracking(time_series=series("diameter")),
    ])  # fmt: skip
    assert list(listed(path)) == ["speed", "position", "diameter"]
    session = pdn.read_session(path, behavior=["position", "diameter", "speed"])
    assert session.attrs["behavior"] == '["position", "diameter", "speed"]'
    np.testing.assert_array_equal(session["position"].values, np.arange(800.0).reshape(400, 2))
    np.testing.assert_allclose(session["position_time"].values, TIMES)
    assert session["position"].attrs["units"] == "m"
    assert session["position"].attrs["path"] == "/processing/behavior/Position/position"
    found = pdn.align_behavior(session, "start_time", (0.0, 2.0), 0.5)
    # Samples 20 to 29 lie in the first bin of the first trial.
    assert found["diameter"].values[0, 0] == pytest.approx(np.mean(np.arange(20.0, 30.0)))
    assert found["position"].dims == ("position_channel", "time", "trial")


def test_a_line_says_channels_rate_span_and_units(tmp_path):
    path = file_with(tmp_path / "x.nwb", behavior=[Position(spatial_series=spatial())])
    summary = pdn.describe_nwb(path)
    assert "behavior      position (2 channels, 20 Hz, 0-19.95 s, m)" in str(summary)
    assert "position (2 channels, 20 Hz, 0-19.95 s, m)" in summary._repr_html_()
    dataset = summary.to_dataset()
    assert dataset["series"].values.tolist() == ["position"]
    assert dataset["sampling_rate"].values.tolist() == [20.0]
    assert dataset["n_channels"].values.tolist() == [2]
    assert "behavior=['position']" in str(summary)


def test_conversion_and_offset_are_applied_and_said(tmp_path):
    stored = np.arange(400, dtype=np.int16)
    path = file_with(tmp_path / "x.nwb", series(data=stored, conversion=0.5, offset=2.0))
    session = pdn.read_session(path, behavior="pupil")
    np.testing.assert_array_equal(session["pupil"].values, stored * 0.5 + 2.0)
    assert "stored values x 0.5 + 2" in session["pupil"].attrs["description"]


def test_timestamps_may_be_those_of_another_series(tmp_path):
    first = series("speed")
    path = file_with(tmp_path / "x.nwb", first, series("pupil", timestamps=first))
    with h5py.File(path) as file:
        link = file["acquisition/pupil"].get("timestamps", getlink=True)
        assert isinstance(link, (h5py.SoftLink, h5py.HardLink))
    session = pdn.read_session(path, behavior="pupil")
    np.testing.assert_array_equal(session["pupil_time"].values, TIMES)


@pytest.mark.parametrize("target", ["acquisition/speed", "acquisition/speed/timestamps"])
def test_timestamps_may_be_a_reference(tmp_path, target):
    path = file_with(tmp_path / "x.nwb", series("speed"), series("pupil"))
    with h5py.File(path, "r+") as file:
        del file["acquisition/pupil/timestamps"]
        reference = file[target].ref
        file["acquisition/pupil"].create_dataset("timestamps", data=reference, dtype=h5py.ref_dtype)
    session = pdn.read_session(path, behavior="pupil")
    np.testing.assert_array_equal(session["pupil_time"].values, TIMES)


def test_a_type_of_an_unknown_extension_counts_by_what_it_holds(tmp_path):
    path = file_with(tmp_path / "x.nwb", series("pupil"))
    with h5py.File(path, "r+") as file:
        file["acquisition/pupil"].attrs["neurodata_type"] = "GazeOfTheFuture"
        file["acquisition/pupil"].attrs["namespace"] = "ndx-nowhere"
    assert listed(path)["pupil"].type == "GazeOfTheFuture"
    assert pdn.read_session(path, behavior="pupil")["pupil"].size == 400


def test_electrodes_videos_and_arrays_are_listed_but_asked_for_by_path(tmp_path):
    frames = np.zeros((4, 3, 2), dtype=np.uint8)
    video = pynwb.image.ImageSeries(
        name="video", data=frames, timestamps=[0.0, 1.0, 2.0, 3.0], unit="n/a"
    )
    wide = series("wide", data=np.ones((5, 65)))
    path = file_with(tmp_path / "x.nwb", video, wide, series("pupil"))
    found = listed(path)
    assert set(found) == {"video", "wide", "pupil"}
    assert found["video"].why_not
    assert "it has 5 x 65 values" in refusal(path, "wide")
    assert "'acquisition/wide'" in refusal(path, "wide")
    assert "behavior      wide" not in str(pdn.describe_nwb(path))
    session = pdn.read_session(path, behavior="acquisition/wide")
    assert session["wide"].shape == (5, 65)


def test_series_of_one_name_are_called_by_their_container(tmp_path):
    boxes = [
        Position(name=eye, spatial_series=spatial("trace", data=np.full((400, 2), value)))
        for eye, value in (("left", 1.0), ("right", 2.0))
    ]
    path = file_with(tmp_path / "x.nwb", behavior=boxes)
    assert list(listed(path)) == ["left/trace", "right/trace"]
    session = pdn.read_session(path, behavior=["right/trace"])
    assert (session["right_trace"].values == 2).all()
    assert session["right_trace"].attrs["file_name"] == "right/trace"


def test_an_unknown_name_is_helped():
    message = refusal(ALM["369963"], "lick_left")
    assert "has no series 'lick_left'. Did you mean 'lick_left_times'?" in message
    assert "lick_left_times, lick_right_times" in message


def test_head_direction_is_averaged_on_the_circle(tmp_path):
    turning = np.mod(0.1 + 0.2 * (np.arange(400) % 2) - 0.2, 2 * np.pi)
    head = spatial("head", data=turning, unit="radians")
    path = file_with(tmp_path / "x.nwb", behavior=[CompassDirection(spatial_series=head)])
    session = pdn.read_session(path, behavior="head")
    found = pdn.align_behavior(session, "start_time", (0.0, 1.0), 0.5)["head"].values
    np.testing.assert_allclose(np.cos(found), 1.0, atol=1e-9)


@pytest.mark.parametrize(("data", "timestamps", "message"), [
    (np.ones(3), [3.0, 2.0, 1.0], "times that fall 2 times, first from 3 to 2 s at sample 1: they run backwards"),
    (np.arange(4.0), [0.0, 9.0, 0.5, 1.0], "fall 1 time, first from 9 to 0.5 s at sample 2: did the clock start anew"),
    (np.ones(3), [np.nan] * 3, "has times that are all NaN"),
    (np.ones(0), np.ones(0), "is empty: it has no samples"),
    (np.ones(4), [0.0, 1.0, 2.0], r"has 3 times for data of shape (4,)"),
    (np.ones((2, 3)), [0.0, 1.0, 2.0], "stored with channels first"),
])  # fmt: skip
def test_times_that_cannot_be_are_refused_and_described(tmp_path, data, timestamps, message):
    box = spatial("pupil", data=np.ones((5, 2)))
    path = file_with(tmp_path / "x.nwb", behavior=[Position(spatial_series=box)])
    with h5py.File(path, "r+") as file:
        group = file["processing/behavior/Position/pupil"]
        attrs = dict(group["data"].attrs)
        for name in ("data", "starting_time"):
            del group[name]
        group["data"], group["timestamps"] = data, np.asarray(timestamps)
        group["data"].attrs.update(attrs)
    assert message in refusal(path)
    assert message in "\n".join(pdn.describe_nwb(path).problems)


@pytest.mark.parametrize("rate", [0.0, np.nan, -5.0, None])
def test_a_rate_that_is_none_is_refused(tmp_path, rate):
    path = file_with(tmp_path / "x.nwb", series(rate=20.0))
    with h5py.File(path, "r+") as file:
        attrs = file["acquisition/pupil/starting_time"].attrs
        del attrs["rate"]
        if rate is not None:
            attrs["rate"] = rate
    assert "expected a finite start and a rate above 0" in refusal(path)
    assert "a rate above 0" in "\n".join(pdn.describe_nwb(path).problems)


@pytest.mark.parametrize(("change", "message"), [
    ({"timestamps": np.append(TIMES[:-1], np.nan)}, "1 of 400 samples have no time: left out"),
    ({"timestamps": np.append(TIMES[:-1], TIMES[-2])}, "1 of 400 samples have the time of the one before"),
    ({"unit": "n/a"}, "the file does not say its units"),
    ({"timestamps": TIMES * 1000}, "397 of 400 times lie far outside the session"),
    ({"timestamps": TIMES + 900}, "all its times lie outside the session"),
])  # fmt: skip
def test_what_can_be_read_but_looks_wrong_is_said(tmp_path, change, message):
    path = file_with(tmp_path / "x.nwb", series(**change))
    with pytest.warns(pdn.PopdynWarning, match=message):
        session = pdn.read_session(path, behavior="pupil")
    assert message in session.attrs["problems"]
    assert message in "\n".join(pdn.describe_nwb(path).problems)


def test_timestamps_in_another_unit_are_said(tmp_path):
    path = file_with(tmp_path / "x.nwb", series())
    with h5py.File(path, "r+") as file:
        file["acquisition/pupil/timestamps"].attrs["unit"] = "milliseconds"
    with pytest.warns(pdn.PopdynWarning, match="stated in 'milliseconds', where NWB expects"):
        pdn.read_session(path, behavior="pupil")


@pytest.mark.parametrize(("data", "kind"), [
    (np.ones(6), "events"),
    (np.array([0.1, 0.7, 3.0, 3.1, 9.0, 15.0]), "events"),
    (np.array([1, 2, 1, 2, 1, 2]), "events"),
    (np.array(["on", "off"] * 3), "events"),
    (np.array([0.5, 0.1, 0.3, 0.9, 0.2, 0.7]), "series"),
])  # fmt: skip
def test_events_are_told_by_their_times_and_values(tmp_path, data, kind):
    path = file_with(
        tmp_path / "x.nwb", series(data=data, timestamps=[0.1, 0.7, 3.0, 3.1, 9.0, 15.0])
    )
    assert listed(path)["pupil"].kind == kind


def test_codes_become_a_channel_each(tmp_path):
    codes = series(
        "ttl", data=np.array([1, 2, 1, 1, 2, 1]), timestamps=[1.1, 1.2, 1.3, 5.1, 5.2, 9.9]
    )
    session = pdn.read_session(file_with(tmp_path / "x.nwb", codes), behavior="ttl")
    assert session["ttl_channel"].values.tolist() == ["1", "2"]
    found = pdn.align_behavior(session, "start_time", (0.0, 1.0), 1.0)["ttl"]
    assert found.sel(ttl_channel="1").values.tolist() == [[2, 1, 1]]
    assert found.sel(ttl_channel="2").values.tolist() == [[1, 1, 0]]


def test_events_with_channels_are_counted_in_those_they_belong_to(tmp_path):
    box = pynwb.behavior.BehavioralEvents(name="cues")
    marks = np.array([[1, 0], [0, 1], [1, 1]])
    box.add_timeseries(series("cue", data=marks, timestamps=[1.1, 1.2, 1.3]))
    session = pdn.read_session(file_with(tmp_path / "x.nwb", box), behavior="cue")
    assert session["cue"].attrs["kind"] == "events"
    found = pdn.align_behavior(session, "start_time", (0.0, 1.0), 1.0)["cue"]
    assert found.values[:, 0, 0].tolist() == [2, 2]


def test_licks_of_each_trial_are_events(tmp_path):
    table = {
        "start_time": [1.0, 5.0, 9.0], "stop_time": [4.0, 8.0, 12.0],
        "lick_times": [[1.5, 2.5], [6.0], [9.1, 9.2, 9.9]],
    }  # fmt: skip
    path = file_with(tmp_path / "x.nwb", trials=table)
    assert str(listed(path)["lick_times"]) == "lick_times (6 events, 1.5-9.9 s)"
    session = pdn.read_session(path, behavior="lick_times")
    found = pdn.align_behavior(session, "start_time", (0.0, 1.0), 0.5)["lick_times"]
    assert found.values.tolist() == [[0, 0, 2], [1, 0, 1]]


def test_licks_counted_from_the_start_of_their_trial_are_moved_and_said(tmp_path):
    table = {
        "start_time": [100.0, 105.0, 109.0], "stop_time": [104.0, 108.0, 112.0],
        "lick_times": [[0.5, 1.5], [1.0], [0.1, 0.2, 0.9]],
    }  # fmt: skip
    path = file_with(tmp_path / "x.nwb", trials=table)
    with pytest.warns(
        pdn.PopdynWarning, match="relative to the trial's start: start_time was added"
    ):
        licks = read_series(path, "lick_times")[0]
    np.testing.assert_allclose(licks.time, [100.5, 101.5, 106.0, 109.1, 109.2, 109.9])


def test_licks_stored_with_two_trials_are_counted_once():
    with h5py.File(ALM["369963"]) as file:
        stored = file["acquisition/lick_times/lick_left_times/timestamps"][:]
    with pytest.warns(pdn.PopdynWarning, match="72 of 782 events are stored twice"):
        licks = read_series(ALM["369963"], "lick_left_times")[0]
    np.testing.assert_array_equal(licks.time, np.unique(stored))


def test_one_wrong_time_among_many_is_counted():
    problems = "\n".join(pdn.describe_nwb(HUMAN).problems)
    assert "events: 1 of 1717 times lie far outside the session" in problems


def test_a_damaged_series_does_not_keep_the_others_from_being_described(tmp_path):
    path = file_with(tmp_path / "x.nwb", series("pupil"), series("speed"))
    with h5py.File(path, "r+") as file:
        del file["acquisition/pupil/data"]
        file["acquisition/pupil/data"] = h5py.SoftLink("/nowhere")
    assert str(listed(path)["speed"]).startswith("speed (20 Hz")
    assert "pupil" in "\n".join(pdn.describe_nwb(path).problems)
    assert "is a link to /nowhere, which is not there" in refusal(path)
