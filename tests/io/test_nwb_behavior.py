"""Behavior series lie in a written file where NWB keeps them."""

import h5py
import numpy as np
import pynwb
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.io.writing.restore import restore_attributes
from popdyn.tensor.behavior import Series, add_behavior
from tests.io.written import quietly, remarks, stored_text

TIMES = {"start_time": [0.0, 1.0], "stop_time": [0.5, 1.5]}
REGULAR = 2.5 + np.arange(50) / 30
UNEVEN = np.cumsum(np.random.default_rng(0).random(40))


def session_with(*series):
    return add_behavior(pdn.make_session([0.1, 1.2], [0, 2], trials=TIMES), series)


ALL = (
    Series("pupil", REGULAR, np.where(REGULAR > 3, np.nan, 1.5), units="mm", description="width"),
    Series("eye/left", UNEVEN, np.ones((40, 2)), units="deg", channels=("x", "y"), period=360.0),
    Series("licks", UNEVEN[::4], np.ones(10), kind="events", units="1"),
)


def test_series_and_events_are_where_pynwb_looks_for_them(tmp_path):
    path = pdn.write_nwb(tmp_path / "a.nwb", session_with(*ALL))
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        module = reader.read().processing["behavior"]
        pupil, eye = module["pupil"], module["eye_left"]
        licks = module["BehavioralEvents"]["licks"]
        assert (pupil.unit, pupil.description, pupil.rate) == ("mm", "width", 30.0)
        assert pupil.starting_time == 2.5
        np.testing.assert_array_equal(pupil.data[:], ALL[0].values)
        assert eye.timestamps[:].tobytes() == UNEVEN.tobytes()
        assert eye.data.shape == (40, 2)
        assert licks.timestamps[:].tobytes() == UNEVEN[::4].tobytes()
    who = {"experimenter": "Doe, Jane", "institution": "Institute"}
    assert remarks(pdn.write_nwb(tmp_path / "b.nwb", session_with(*ALL), **who)) == ([], [])


@pytest.mark.parametrize("rate", [1000.0, 30.0, 29.97, 60.0, 1 / 3, 1250.5])
@pytest.mark.parametrize("start", [0.0, 0.1, 1234.567])
def test_a_rate_stands_for_times_only_if_it_gives_them_bit_for_bit(tmp_path, rate, start):
    times = start + np.arange(300) / rate
    noisy = np.nextafter(times, np.inf)
    noisy[0] = times[0]
    one = Series("one", times, np.ones(300))
    two = Series("two", noisy, np.ones(300))
    with h5py.File(pdn.write_nwb(tmp_path / "a.nwb", session_with(one, two))) as file:
        for name, wanted in (("one", times), ("two", noisy)):
            group = file[f"processing/behavior/{name}"]
            if "timestamps" in group:
                found = group["timestamps"][:]
            else:
                stored = group["starting_time"]
                found = stored[()] + np.arange(300) / stored.attrs["rate"]
            np.testing.assert_array_equal(found, wanted)


def test_attributes_and_channels_come_back_to_series_that_were_read(tmp_path):
    session = session_with(*ALL)
    path = pdn.write_nwb(tmp_path / "a.nwb", session)
    bare = Series("eye_left", UNEVEN, np.ones((40, 2)), path="processing/behavior/eye_left")
    read = add_behavior(quietly(pdn.read_session, path), bare)
    new = restore_attributes(read, stored_text(path))
    assert new["eye_left_channel"].values.tolist() == ["x", "y"]
    attrs = {**session["eye_left"].attrs, "path": "processing/behavior/eye_left"}
    assert new["eye_left"].attrs == attrs


CODES = np.resize([0.0, 1.0, 2.0], 40)
AS_THEY_WERE = {
    "codes of a series": Series("code", UNEVEN, CODES),
    "codes of events": Series("code", UNEVEN, CODES, kind="events", units="V"),
    "a constant series": Series("light", UNEVEN, np.ones(40), units="lx"),
    "times as values": Series("own", UNEVEN, UNEVEN),
    "one channel": Series("one", UNEVEN, CODES[:, None], channels=("only",)),
    "many channels": Series("many", UNEVEN, np.ones((40, 500)), channels=tuple(map(str, range(500)))),
    "marks": Series("cue", UNEVEN, np.eye(40)[:, :2], kind="events", channels=("a", "b")),
    "twice the same event": Series("lick", np.repeat(UNEVEN, 2), np.ones(80), kind="events"),
    "events at regular times": Series("pulse", REGULAR, np.ones(50), kind="events"),
    "no events": Series("none", np.zeros(0), np.zeros(0), kind="events"),
    "a regular series": Series("pupil", REGULAR, np.where(REGULAR > 3, np.nan, 1.5), units="mm"),
}  # fmt: skip


@pytest.mark.parametrize("series", AS_THEY_WERE.values(), ids=AS_THEY_WERE.keys())
def test_a_written_series_comes_back_as_it_was(tmp_path, series):
    long = pdn.make_session([0.1, 30.0], [0, 2], trials=TIMES)
    session = add_behavior(long, series)
    path = pdn.write_nwb(tmp_path / "a.nwb", session)
    again = pdn.read_session(path, behavior=[series.name])
    for name in (series.name, f"{series.name}_time"):
        assert again[name].dims == session[name].dims
        assert again[name].values.tobytes() == session[name].values.tobytes()
    attrs = {key: value for key, value in session[series.name].attrs.items() if key != "path"}
    found = dict(again[series.name].attrs)
    assert found.pop("path").strip("/").startswith("processing/behavior/")
    assert found == attrs
    if series.channels:
        assert again[f"{series.name}_channel"].values.tolist() == list(series.channels)
    (listed,) = pdn.describe_nwb(path).series
    assert (listed.name, listed.kind, listed.why_not) == (series.name, series.kind, "")


def test_a_series_that_the_file_replaced_by_words_is_read_as_words(tmp_path):
    path = pdn.write_nwb(tmp_path / "a.nwb", session_with(Series("code", UNEVEN, CODES)))
    with h5py.File(path, "r+") as file:
        group = file["processing/behavior/code"]
        about = dict(group["data"].attrs)
        del group["data"]
        group["data"] = [b"left", b"right"] * 20
        group["data"].attrs.update(about)
    again = quietly(pdn.read_session, path, behavior="code")
    assert again["code_channel"].values.tolist() == ["left", "right"]


def test_without_a_record_the_values_decide(tmp_path):
    path = pdn.write_nwb(tmp_path / "a.nwb", session_with(Series("code", UNEVEN, CODES)))
    with h5py.File(path, "r+") as file:
        file["scratch/popdyn"][...] = "{}"
    again = quietly(pdn.read_session, path, behavior="code")
    assert (again["code"].attrs["kind"], again["code"].shape) == ("events", (40, 3))


def test_behavior_that_is_not_there_is_refused(tmp_path):
    session = session_with(*ALL).drop_vars("pupil")
    with pytest.raises(TensorError, match="names 'pupil', but the session has no variable"):
        pdn.write_nwb(tmp_path / "a.nwb", session)
