"""Columns of every type and name survive NWB, or are refused in words."""

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import TensorError
from tests.io.written import arrays_by_pynwb, read_back, remarks, same_session

N = 3
TIMES = {"start_time": [0.0, 1.0, 2.0], "stop_time": [0.5, 1.5, 2.5]}


def session_of(neurons=None, trials=None, column_attrs=None, **ids):
    neurons = {**({"id": ids["neuron_ids"]} if "neuron_ids" in ids else {}), **(neurons or {})}
    trials = {**({"id": ids["trial_ids"]} if "trial_ids" in ids else {}), **TIMES, **(trials or {})}
    return pdn.make_session(
        [0.1, 1.2, 2.3], [0, 1, 2, 3], neurons=neurons, trials=trials, column_attrs=column_attrs
    )


def survives(tmp_path, session):
    path = pdn.write_nwb(tmp_path / "a.nwb", session, overwrite=True)
    same_session(read_back(path), session)
    return path


VALUES = {
    "bool": [True, False, True],
    "int64": np.array([-5, 2**53 + 1, 2**62]),
    "int8": np.array([1, -2, 3], dtype=np.int8),
    "uint16": np.array([1, 2, 65535], dtype=np.uint16),
    "uint64": np.array([1, 2, 2**64 - 1], dtype=np.uint64),
    "float64": [0.1, np.nan, -0.0],
    "infinite": [np.inf, -np.inf, np.nan],
    "float32": np.array([0.1, np.nan, 3e38], dtype=np.float32),
    "all missing": [np.nan, np.nan, np.nan],
    "text": ["left", "", "right"],
    "empty text": ["", "", ""],
    "unicode": ["λ", "日本語", "é\u0301 🐒"],
    "slash": ["a/b", "/", "//"],
    "white": [" a ", "b\nc", "\t"],
    "numbers as text": ["1", "2.5", "nan"],
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_of_every_type_come_back(tmp_path, kind):
    values = np.array(VALUES[kind])
    path = survives(tmp_path, session_of({"mine": values}, {"yours": values}))
    found = arrays_by_pynwb(path)
    for table, name in (("neurons", "mine"), ("trials", "yours")):
        got = np.asarray(found[table][name])
        np.testing.assert_array_equal(got.astype(values.dtype), values)
        assert got.dtype.kind in ("OU" if values.dtype.kind == "U" else values.dtype.kind)


RESERVED = [
    ["spike_times", "obs_intervals", "electrodes", "electrode_group", "waveforms"],
    ["waveform_mean", "spike_times_index", "electrodes_index", "electrodes_"],
    ["timeseries", "tags", "tags_index", "timeseries_index"],
    ["name", "description", "colnames", "columns", "parent", "neurodata_type", "object_id"],
    ["time", "trial", "neuron", "spike", "interval", "align_time", "rate"],
    ["block", "block_index", "a b", "ä", "x.y", "1", "-", "None", ".", ".."],
    ["a/b", "a_b", "trial_a_b", "c:d", "e\\f", "neuron_id", "trial_id", " "],
]


@pytest.mark.parametrize("names", RESERVED, ids=lambda names: names[0])
def test_names_that_nwb_or_popdyn_reserve_come_back(tmp_path, names):
    columns = {name: np.arange(N) + i for i, name in enumerate(names)}
    path = survives(tmp_path, session_of(columns, columns))
    if "description" in names:
        assert [line for line in remarks(path)[1] if line[0] != "BEST_PRACTICE_SUGGESTION"] == []
    survives(tmp_path, session_of(None, {name: ["a", "", "c"] for name in names}))


def test_tags_are_a_list_of_one_word_as_nwb_wants_it(tmp_path):
    path = survives(tmp_path, session_of(None, {"tags": ["go", "", "no, go"]}))
    tags = arrays_by_pynwb(path)["trials"]["tags"]
    assert [list(words) for words in tags] == [["go"], [""], ["no, go"]]


def test_a_name_that_collides_is_stored_as_the_file_had_it(tmp_path):
    session = session_of({"time": [1, 2, 3], "x": [1, 2, 3]}, {"x": [4, 5, 6]})
    assert session["neuron_x"].attrs["file_name"] == "x"
    found = arrays_by_pynwb(survives(tmp_path, session))
    assert set(found["neurons"]) == {"time", "x"}
    assert {"x", "start_time", "stop_time"} == set(found["trials"])


@pytest.mark.parametrize(
    "ids",
    [
        np.array(["a", "b/c", "λ"]),
        np.array([7, 3, 5]),
        np.array([-1, 0, 1], dtype=np.int16),
        np.array([0.5, 1.5, 2.5]),
        np.array([1, 2, 2**64 - 1], dtype=np.uint64),
    ],
    ids=lambda ids: ids.dtype.name,
)
def test_ids_of_every_type_come_back(tmp_path, ids):
    path = survives(tmp_path, session_of(neuron_ids=ids, trial_ids=ids))
    found = arrays_by_pynwb(path)
    if ids.dtype.kind == "i":
        assert found["ids"].tolist() == ids.tolist()
    else:
        assert found["ids"].tolist() == [0, 1, 2]
        assert np.asarray(found["neurons"]["neuron_id"]).tolist() == ids.tolist()


def test_attributes_of_columns_come_back_and_are_told_to_others(tmp_path):
    attrs = {
        "ts": {"units": "ms", "description": "sample interval"},
        "cue_time": {"units": "s", "clock": "trial"},
        "power": {"units": "mW", "description": "none", "order": '["a"]', "n": 3, "x": 0.5},
    }
    columns = {"ts": [480, 560, 640], "cue_time": [0.1, 0.2, 0.3], "power": [1.0, 2.0, 3.0]}
    path = survives(tmp_path, session_of(None, columns, attrs))
    with h5py.File(path) as file:
        table = file["intervals/trials"]
        said = {name: table[name].attrs["description"] for name in attrs}
    assert said == {
        "ts": "sample interval (ms)",
        "cue_time": "cue_time of each trial (s), relative to the trial's start",
        "power": "power of each trial (mW)",
    }


def test_trials_without_a_start_need_one_named(tmp_path):
    trials = {"go_time": [0.5, 1.5], "choice": ["l", "r"]}
    clock = {"go_time": {"clock": "session", "units": "s"}}
    session = pdn.make_session([0.1], [0, 1], trials=trials, column_attrs=clock)
    with pytest.raises(TensorError, match="no start_time, which NWB asks for.*can: go_time"):
        pdn.write_nwb(tmp_path / "a.nwb", session)
    with pytest.raises(TensorError, match="names 'choice', which is no column of numbers"):
        pdn.write_nwb(tmp_path / "a.nwb", session, trial_start="choice")
    path = pdn.write_nwb(tmp_path / "a.nwb", session, trial_start="go_time")
    found = arrays_by_pynwb(path)["trials"]
    assert list(found["start_time"]) == [0.5, 1.5]
    assert np.isnan(found["stop_time"]).all()
    same_session(read_back(path), session)


@pytest.mark.parametrize(("units", "scale"), [("ms", 1e3), ("us", 1e6), ("s", 1), ("unknown", 1)])
def test_a_start_taken_from_another_column_is_in_seconds(tmp_path, units, scale):
    trials = {"go_time": [1.25 * scale, 21.25 * scale]}
    about = {"go_time": {"clock": "session", "units": units}}
    session = pdn.make_session([0.1], [0, 1], trials=trials, column_attrs=about)
    path = pdn.write_nwb(tmp_path / "a.nwb", session, trial_start="go_time")
    assert list(arrays_by_pynwb(path)["trials"]["start_time"]) == [1.25, 21.25]
    same_session(read_back(path), session)


@pytest.mark.parametrize(("units", "scale"), [("ms", 1000), ("us", 1_000_000)])
def test_trials_in_milliseconds_are_written_and_come_back_in_seconds(tmp_path, units, scale):
    start, stop = np.array([800, 21_250]) * scale // 1000, np.array([1500, 22_000]) * scale // 1000
    about = {name: {"clock": "session", "units": units} for name in ("start_time", "stop_time")}
    about["stop_time"]["description"] = f"when it ends ({units})"
    trials = {"start_time": start, "stop_time": stop}
    session = pdn.make_session([0.1, 30.0], [0, 2], trials=trials, column_attrs=about)
    path = pdn.write_nwb(tmp_path / "a.nwb", session)
    found = arrays_by_pynwb(path)
    assert list(found["trials"]["start_time"]) == [0.8, 21.25]
    assert list(found["trials"]["stop_time"]) == [1.5, 22.0]
    # Neurons observed all the time are written as observed for as long as the session lasts.
    assert found["obs_intervals"][0].tolist() == [[0.0, 30.0]]
    again = read_back(path)
    assert again["start_time"].values.tolist() == [0.8, 21.25]
    assert (again["start_time"].attrs["units"], again["stop_time"].attrs["units"]) == ("s", "s")
    words = f"Stop of the trial (s), converted from {units}: when it ends ({units})"
    assert again["stop_time"].attrs["description"] == words
    same_session(read_back(pdn.write_nwb(tmp_path / "b.nwb", again)), again)


def test_a_start_that_is_no_session_time_is_refused(tmp_path):
    trials = {"level": [0.5, 1.5], "go_time": [0.1, 0.2]}
    about = {"level": {"units": "mV"}, "go_time": {"clock": "trial", "units": "s"}}
    session = pdn.make_session([0.1], [0, 1], trials=trials, column_attrs=about)
    with pytest.raises(TensorError, match="'level' has units 'mV'; expected those of time: s, ms"):
        pdn.write_nwb(tmp_path / "a.nwb", session, trial_start="level")
    with pytest.raises(TensorError, match="names 'go_time', which counts from the start of each"):
        pdn.write_nwb(tmp_path / "a.nwb", session, trial_start="go_time")
    assert list(tmp_path.iterdir()) == []


def test_starts_that_are_whole_numbers_are_seconds_all_the_same(tmp_path):
    session = pdn.make_session([0.1], [0, 1], trials={"start_time": [0, 2], "stop_time": [1, 3]})
    path = survives(tmp_path, session)
    assert arrays_by_pynwb(path)["trials"]["start_time"].dtype == np.float64
    words = pdn.make_session([0.1], [0, 1], trials={"start_time": ["a", "b"]})
    with pytest.raises(TensorError, match="start_time of the trial table must hold seconds"):
        pdn.write_nwb(tmp_path / "b.nwb", words)


@pytest.mark.parametrize(
    ("word", "words"),
    [("a\x00b", "HDF5 cannot store"), ("\ud800", "HDF5 cannot store"), ("b'left'", "plain text")],
)
def test_text_that_would_not_come_back_is_refused(tmp_path, word, words):
    with pytest.raises(TensorError, match=f"column 'x' of the trial table.*{words}"):
        pdn.write_nwb(tmp_path / "a.nwb", session_of(None, {"x": [word, "", ""]}))
    if word == "a\x00b":
        with pytest.raises(TensorError, match="the name of column"):
            pdn.write_nwb(tmp_path / "a.nwb", session_of({word: [1, 2, 3]}))
        with pytest.raises(TensorError, match="the neuron ids"):
            pdn.write_nwb(tmp_path / "a.nwb", session_of(neuron_ids=[word, "1", "2"]))
    assert list(tmp_path.iterdir()) == []


LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\x00")
TEXTS = st.text(LETTERS, max_size=6).filter(lambda word: not word.startswith(("b'", 'b"')))
COLUMN = st.one_of(
    st.lists(st.floats(), min_size=N, max_size=N),
    st.lists(st.booleans(), min_size=N, max_size=N),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=N, max_size=N),
    st.lists(TEXTS, min_size=N, max_size=N),
)
NAMES = st.text(LETTERS, min_size=1, max_size=8)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    neurons=st.dictionaries(NAMES, COLUMN, max_size=3),
    trials=st.dictionaries(NAMES, COLUMN, max_size=3),
)
def test_any_table_survives(tmp_path, neurons, trials):
    survives(tmp_path, session_of(neurons, {k: v for k, v in trials.items() if k not in TIMES}))
