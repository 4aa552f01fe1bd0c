"""Clocks, units, codes and types of columns, told by what the file says and holds."""

import h5py
import numpy as np
import pandas as pd
import pynwb
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning
from tests.io.recordings import (
    STARTS,
    add_intervals,
    add_units,
    described,
    empty_file,
    make_file,
    problems,
    replace_dataset,
    save,
    trials,
)


@pytest.mark.parametrize(
    ("values", "clock", "line"),
    [
        (STARTS + 1.0, "session", ""),
        (STARTS - 2.0, "session", ""),
        (np.full(10, 1.5), "trial", "is relative to the trial's start"),
        (np.linspace(0.0, 3.0, 10), "trial", "is relative to the trial's start"),
        (np.full(10, np.nan), "session", ""),
        (STARTS * 1000, "session", "fits neither clock"),
    ],
)
def test_the_values_tell_the_clock(tmp_path, values, clock, line):
    path = make_file(tmp_path / "x.nwb", trials=trials(go_time=values))
    session = pdn.read_session(path)
    assert session["go_time"].attrs["clock"] == clock
    assert ("go_time" in problems(session)) == bool(line or np.isnan(values).all())
    assert line in problems(session)


def test_a_relative_event_is_added_to_the_start_when_aligning(tmp_path):
    path = make_file(tmp_path / "x.nwb", [[6.6]], trials(goTime=np.full(10, 1.5)))
    with pytest.warns(PopdynWarning, match="start_time was added"):
        tensor = pdn.read_nwb(path, "goTime", (0.0, 0.2), 0.1)
    assert np.argwhere(np.nan_to_num(tensor.values)).tolist() == [[0, 1, 1]]
    assert tensor["align_time"].values.tolist() == (STARTS + 1.5).tolist()
    as_stands = pdn.read_session(path, clocks={"goTime": "session"})
    assert as_stands["goTime"].attrs["clock"] == "session"
    assert "goTime" not in problems(as_stands)


def test_durations_are_no_events_and_unnamed_session_times_are(tmp_path):
    path = make_file(
        tmp_path / "x.nwb",
        trials=trials(
            RT=np.full(10, 0.4), reaction_time=np.full(10, 0.5), fix_time_dur=np.full(10, 0.3),
            reward=STARTS + 2.0, contrast=np.linspace(0.0, 1.0, 10),
        ),
    )  # fmt: skip
    (table,) = pdn.describe_nwb(path).tables
    assert table.events == ("start_time", "stop_time", "reward")
    session = pdn.read_session(path)
    assert session["reward"].attrs["units"] == "s"
    assert "clock" not in session["contrast"].attrs


def test_zeros_for_events_that_did_not_happen_do_not_decide_the_clock(tmp_path):
    values = np.where(np.arange(10) < 7, 0.0, STARTS + 1.0)
    path = make_file(
        tmp_path / "x.nwb",
        trials=trials(second_time=values),
        descriptions={"second_time": "time of the second cue, 0 if it does not exist"},
    )
    session = pdn.read_session(path)
    assert session["second_time"].attrs["clock"] == "session"
    assert "7 values are 0 and 1 equal start_time" in problems(session)
    assert session["second_time"].values.tolist() == values.tolist()


def test_one_trial_is_enough(tmp_path):
    table = {"start_time": [2.0], "stop_time": [3.0], "go_time": [2.5]}
    path = make_file(tmp_path / "x.nwb", trials=table)
    assert pdn.read_session(path)["go_time"].attrs["clock"] == "session"


@pytest.mark.parametrize(
    ("name", "description", "units"),
    [
        ("x", "position (mm)", "mm"),
        ("x", "produced interval, in milliseconds", "ms"),
        ("tp_ms", "produced", "ms"),
        ("x", "about x (see methods)", "unknown"),
        ("go_time", "when the cue came", "s"),
        ("x", "power [mW]", "mW"),
    ],
)
def test_units_come_from_the_files_own_words(tmp_path, name, description, units):
    path = make_file(
        tmp_path / "x.nwb",
        trials=trials(**{name: STARTS + 1 if "time" in name else np.full(10, 0.5)}),
        descriptions={name: description},
    )
    assert pdn.read_session(path)[name].attrs["units"] == units


def test_an_event_in_milliseconds_is_said_and_aligned_rightly(tmp_path):
    path = make_file(
        tmp_path / "x.nwb",
        [[6.6]],
        trials(go_time=(STARTS + 1.5) * 1e3),
        descriptions={"go_time": "time of go (ms)"},
    )
    assert "is stated in ms, where NWB expects seconds" in described(path)
    tensor = pdn.read_nwb(path, "go_time", (0.0, 0.2), 0.1)
    assert np.argwhere(np.nan_to_num(tensor.values)).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(
    ("description", "values", "words"),
    [
        ("1=no, 2=soft, 3=hard", [0, 1, 2] * 3 + [0], "holds 0 (4 rows)"),
        ("1=no, 2=soft, 3=hard", [1, 2, 3] * 3 + [1], ""),
        ("range = 2-7, -1=timeout", [2, 7, -1, 4, 5] * 2, ""),
        ("range = 2-7, -1=timeout", [2, 7, 8, 4, 5] * 2, "holds 8 (2 rows)"),
        ("correct = 2, incorrect 1, no response = 0", [0, 1, 2, 1, 2] * 2, ""),
        ("TTL = 11", [3] * 10, ""),
        ("", [3] * 10, ""),
    ],
)
def test_codes_are_held_against_their_description(tmp_path, description, values, words):
    path = make_file(
        tmp_path / "x.nwb", trials=trials(code=values), descriptions={"code": description or " "}
    )
    lines = described(path)
    assert words in lines
    assert bool(words) == ("does not explain" in lines)
    assert pdn.read_session(path)["code"].values.tolist() == values


def test_text_in_every_disguise_becomes_plain_text(tmp_path):
    words = ["b'left'", 'b"right"'] + ["plain"] * 8
    path = make_file(tmp_path / "x.nwb", trials=trials(side=words))
    session = pdn.read_session(path)
    assert session["side"].values[:3].tolist() == ["left", "right", "plain"]
    assert session["side"].dtype.kind == "U"
    assert "side: 2 of 10 values were written as b'...'; unwrapped" in problems(session)


def test_booleans_stay_booleans(tmp_path):
    path = make_file(tmp_path / "x.nwb", trials=trials(correct=[True, False] * 5))
    session = pdn.read_session(path)
    assert session["correct"].dtype == bool
    assert "units" not in session["correct"].attrs


def test_columns_that_are_not_one_value_per_row_are_left_out_and_said(tmp_path):
    content = empty_file()
    shown = pynwb.TimeSeries(name="shown", data=[1.0, 2.0], unit="m", rate=1.0)
    content.add_acquisition(shown)
    add_units(content, [[0.1], [0.2]], {"waveform_mean": np.ones((2, 9)).tolist()})
    table = trials(licks=[[1.0, 2.0]] * 10, words=[["a", "b"]] * 10, place=[(1.0, 2.0)] * 10)
    add_intervals(content, "trials", table, {})
    content.add_epoch(0.0, 1.0, timeseries=shown)
    path = save(content, tmp_path / "x.nwb")
    session = pdn.read_session(path)
    assert session["words"].values[0] == "a, b"
    assert not {"licks", "place", "waveform_mean"} & set(session.coords)
    said = problems(session)
    assert "neurons: left out waveform_mean (holds an array (2 x 9), not one value per row)" in said
    assert "licks (holds several values per row)" in said
    assert session["place_1"].values.tolist() == [2.0] * 10
    assert session["place_1"].attrs["description"] == "about place; part 1 of place"
    left_out = "epochs: left out timeseries (holds records of idx_start, count, timeseries)"
    assert left_out in described(path)


def test_a_column_of_the_wrong_length_is_left_out_and_said(tmp_path):
    path = make_file(tmp_path / "x.nwb", trials=trials(extra=np.arange(10.0)))
    replace_dataset(path, "intervals/trials/extra", np.arange(7.0))
    session = pdn.read_session(path)
    assert "extra" not in session.coords
    assert "trials: left out extra (has 7 values for 10 rows)" in problems(session)


@pytest.mark.parametrize("with_index", [True, False])
def test_locations_come_from_electrodes_with_or_without_an_index(tmp_path, with_index):
    content = empty_file()
    device = content.create_device("probe")
    group = content.create_electrode_group("shank", "d", location="ALM", device=device)
    for place in ("ALM", "M1", "V1"):
        content.add_electrode(location=place, group=group)
    add_units(content, [[0.1], [0.2]], {"electrodes": [[0], [2]]})
    add_intervals(content, "trials", trials(), {})
    path = save(content, tmp_path / "x.nwb")
    if not with_index:
        with h5py.File(path, "r+") as file:
            del file["units/electrodes_index"]
    session = pdn.read_session(path)
    assert session["location"].values.tolist() == ["ALM", "V1"]
    assert session["group_name"].values.tolist() == ["shank", "shank"]


def test_locations_of_several_electrodes_are_joined_and_groups_serve_without(tmp_path):
    content = empty_file()
    device = content.create_device("probe")
    group = content.create_electrode_group(
        "shank", "d", location="area: ALM; layer: 5", device=device
    )
    for place in ("ALM", "M1"):
        content.add_electrode(location=place, group=group)
    add_units(content, [[0.1], [0.2]], {"electrodes": [[0, 1], [1, 1]]})
    path = save(content, tmp_path / "x.nwb")
    session = pdn.read_session(path, trials=None)
    assert session["location"].values.tolist() == ["ALM, M1", "M1"]

    content = empty_file()
    device = content.create_device("probe")
    group = content.create_electrode_group(
        "shank", "d", location="area: ALM; layer: 5", device=device
    )
    add_units(content, [[0.1], [0.2]], {"electrode_group": [group, group]})
    session = pdn.read_session(save(content, tmp_path / "y.nwb"), trials=None)
    assert session["area"].values.tolist() == ["ALM", "ALM"]
    assert session["layer"].values.tolist() == ["5", "5"]


def test_missing_text_is_counted_and_stays(tmp_path):
    words = ["N/A", "", "none", "left", "right"] * 2
    path = make_file(tmp_path / "x.nwb", trials=trials(side=words))
    (table,) = pdn.describe_nwb(path).tables
    assert {c.name: c.n_missing for c in table.columns}["side"] == 6
    assert pdn.read_session(path)["side"].values.tolist() == words


def test_stops_before_starts_and_starts_out_of_order_are_said(tmp_path):
    starts = STARTS[[0, 2, 1, *range(3, 10)]]
    stops = starts + np.where(np.arange(10) == 4, -1.0, 1.0)
    path = make_file(tmp_path / "x.nwb", trials={"start_time": starts, "stop_time": stops})
    assert "start_time falls 1 time; rows are out of order" in described(path)
    assert "1 row end before the start" in described(path)


def test_an_empty_table_is_described(tmp_path):
    content = empty_file()
    add_units(content, [[0.1]], {})
    content.add_time_intervals(pynwb.epoch.TimeIntervals(name="none_yet", description="rows"))
    path = save(content, tmp_path / "x.nwb")
    assert "none_yet" in str(pdn.describe_nwb(path))
    assert pd.Series(described(path).splitlines()).str.contains("none_yet has no rows").any()
