"""Traps built on purpose: each file has one thing wrong, and reading says so."""

import json

import h5py
import numpy as np
import pandas as pd
import pynwb
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning, SourceError
from popdyn.io.tables import Column, _fill
from tests.io.recordings import add_intervals, add_units, empty_file, make_file, save

STARTS = np.arange(10) * 5.0


def problems(session):
    return "\n".join(json.loads(session.attrs["problems"]))


def described(path):
    return "\n".join(pdn.describe_nwb(path).problems)


def replace_dataset(path, name, values):
    with h5py.File(path, "r+") as file:
        attrs = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attrs)
        if f"{name}_index" in file:
            file[f"{name}_index"].attrs["target"] = file[name].ref


def trials(**columns):
    return {"start_time": STARTS, "stop_time": STARTS + 4.0, **columns}


def steady(rate, start, stop):
    return np.arange(start, stop, 1.0 / rate)


def test_a_sound_minimal_file_has_no_problems_and_no_warning(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    assert pdn.describe_nwb(path).problems == ()
    session = pdn.read_session(path)
    assert session.attrs["problems"] == "[]"
    assert session.attrs["source_id"] == "made_for tests"
    assert session["spike_time"].values.tolist() == [0.1, 0.5, 1.2, 5.5, 0.3, 2.2, 4.4]
    tensor = pdn.read_nwb(path, window=(0.0, 1.0), bin_width=0.5)
    assert tensor.values[0].T.tolist() == [[1, 1], [0, 0], [0, 0]]


def test_a_file_without_an_identifier_is_named_after_itself(tmp_path):
    path = make_file(tmp_path / "mouse_7.nwb", identifier=" ")
    assert pdn.read_session(path).attrs["source_id"] == "mouse_7"


def test_a_file_without_units_says_what_it_does_have(tmp_path):
    content = empty_file()
    content.add_acquisition(pynwb.TimeSeries(name="lick", data=[1.0], unit="V", rate=1.0))
    add_intervals(content, "trials", trials(), {})
    path = save(content, tmp_path / "x.nwb")
    with pytest.raises(SourceError) as caught:
        pdn.read_session(path)
    message = str(caught.value)
    assert "x.nwb has no neurons (no `units` table with spike times)" in message
    assert "interval tables: trials (10 rows)" in message
    assert "acquisition: lick (TimeSeries)" in message
    summary = pdn.describe_nwb(path)
    assert summary.neurons is None
    assert "there are no neurons" in str(summary)
    assert "this file has none" in summary.suggestion


def test_a_file_of_a_header_only_is_described_and_refused(tmp_path):
    path = save(empty_file(), tmp_path / "x.nwb")
    assert "there are no interval tables" in str(pdn.describe_nwb(path))
    assert pdn.describe_nwb(path).to_dataset().sizes["neuron"] == 0
    with pytest.raises(SourceError, match="it holds a header and nothing else"):
        pdn.read_session(path)


def test_units_without_spike_times_are_told_apart(tmp_path):
    content = empty_file()
    content.add_unit_column("quality", "how good")
    content.add_unit(quality="good")
    path = save(content, tmp_path / "x.nwb")
    assert "the `units` table has no spike_times" in described(path)
    with pytest.raises(SourceError, match="a `units` table without spike_times"):
        pdn.read_session(path)


def test_a_session_without_trials_is_read_with_none(tmp_path):
    content = empty_file()
    add_units(content, [[0.1, 0.2]], {})
    path = save(content, tmp_path / "x.nwb")
    assert "trials=None" in pdn.describe_nwb(path).suggestion
    with pytest.raises(SourceError, match="no interval tables, so no table 'trials'.*trials=None"):
        pdn.read_session(path)
    session = pdn.read_session(path, trials=None)
    assert (session.sizes["trial"], session.sizes["spike"]) == (0, 2)


def test_any_interval_table_can_be_the_trials_also_one_in_a_processing_module(tmp_path):
    content = empty_file()
    add_units(content, [[0.1, 5.2]], {})
    content.add_epoch(0.0, 6.0, tags=["all", "of it"])
    inner = pynwb.epoch.TimeIntervals(name="stimuli", description="shown")
    inner.add_row(start_time=5.0, stop_time=6.0)
    content.create_processing_module("behavior", "b").add(inner)
    path = save(content, tmp_path / "x.nwb")
    assert [table.name for table in pdn.describe_nwb(path).tables] == ["epochs", "stimuli"]
    assert pdn.describe_nwb(path).suggestion.endswith("trials='stimuli')")
    assert pdn.read_nwb(path, window=(0.0, 1.0), trials="stimuli").sum() == 1
    assert pdn.read_session(path, "epochs")["tags"].values.tolist() == ["all, of it"]


def test_observation_intervals_of_integers_several_per_neuron_are_kept(tmp_path):
    obs = [[[0, 2], [3, 6]], [[1, 6]]]
    path = make_file(tmp_path / "x.nwb", neurons={"obs_intervals": obs})
    replace_dataset(path, "units/obs_intervals", np.array([[0, 2], [3, 6], [1, 6]]))
    session = pdn.read_session(path)
    assert session["obs_start"].values.tolist() == [0.0, 3.0, 1.0]
    assert session["obs_stop"].values.tolist() == [2.0, 6.0, 6.0]
    assert session["obs_neuron"].values.tolist() == [0, 0, 1]
    assert "1 of 7 spikes lie outside the neurons' obs_intervals" in problems(session)
    tensor = pdn.align(session, "start_time", (0.0, 4.0), 1.0)
    assert np.isnan(tensor.values[0, :, 0]).tolist() == [False, False, True, False]
    assert np.isfinite(pdn.read_session(path, observed="session")["obs_start"]).sum() == 0


def test_a_neuron_without_intervals_among_others_with_them_is_said(tmp_path):
    path = make_file(tmp_path / "x.nwb", neurons={"obs_intervals": [[[0, 6]], [[0, 6]]]})
    with h5py.File(path, "r+") as file:
        file["units/obs_intervals_index"][...] = [1, 1]
    session = pdn.read_session(path)
    assert session["obs_neuron"].values.tolist() == [0, 1]
    assert "neurons 1 have no obs_intervals although others do" in problems(session)


@pytest.mark.parametrize(
    ("start", "stop", "rate", "is_partial"),
    [
        (0.0, 48.0, 20.0, False),  # all along
        (20.0, 48.0, 20.0, True),  # 400 spikes missing at the start
        (0.0, 30.0, 20.0, True),  # 380 missing at the end
        (20.0, 48.0, 4.0, False),  # only 80 missing
        (4.0, 48.0, 100.0, False),  # 400 missing, but in less than a tenth
    ],
)
def test_only_long_unlikely_silences_count_as_not_recorded(
    tmp_path, start, stop, rate, is_partial, recwarn
):
    path = make_file(tmp_path / "x.nwb", [steady(rate, start, stop)], trials())
    session = pdn.read_session(path)
    assert len(recwarn) == is_partial
    spikes = session["spike_time"].values
    whole = (0.0, max(spikes[-1], 49.0))
    found = (float(session["obs_start"][0]), float(session["obs_stop"][0]))
    assert found == ((spikes[0], spikes[-1]) if is_partial else whole)
    if is_partial:
        assert "1 of 1 neurons have spikes in a part of the session (0-49 s)" in problems(session)


def test_a_short_suspicious_silence_is_a_line_and_changes_nothing(tmp_path):
    path = make_file(tmp_path / "x.nwb", [steady(20.0, 4.0, 49.0)], trials())
    session = pdn.read_session(path)
    assert "silent for a while" in problems(session)
    assert float(session["obs_start"][0]) == 0.0
    forced = quiet_session(path, observed="spikes")
    assert float(forced["obs_start"][0]) == 4.0


def quiet_session(path, **options):
    with pytest.warns(PopdynWarning):
        return pdn.read_session(path, **options)


def test_an_absurd_stop_time_does_not_make_neurons_unrecorded(tmp_path):
    stops = STARTS + 4.0
    stops[3] = 1e6
    table = {"start_time": STARTS, "stop_time": stops}
    path = make_file(tmp_path / "x.nwb", [steady(20.0, 0.0, 49.0)], table)
    session = pdn.read_session(path)
    assert float(session["obs_stop"][0]) == 49.0
    assert "1 row longer than 10 times the median of 4.0 s: ids 3 (999985 s)" in problems(session)


def test_spike_times_that_are_not_numbers_are_left_out_with_a_warning(tmp_path):
    path = make_file(tmp_path / "x.nwb", [[0.1, np.nan, 0.3], [np.inf, 0.2]])
    with pytest.warns(PopdynWarning, match="2 spike times are NaN or infinite"):
        session = pdn.read_session(path)
    assert session["spike_time"].values.tolist() == [0.1, 0.3, 0.2]
    assert session["neuron_start"].values.tolist() == [0, 2, 3]


def test_unsorted_spikes_and_empty_neurons_are_counted(tmp_path):
    path = make_file(tmp_path / "x.nwb", [[3.0, 1.0, 2.0], [], [0.5]])
    session = pdn.read_session(path)
    assert session["spike_time"].values.tolist() == [1.0, 2.0, 3.0, 0.5]
    assert session.attrs["n_unsorted"] == 1
    assert "not sorted (1 earlier" in problems(session)
    assert "1 of 3 neurons have no spikes" in problems(session)


def test_spikes_in_milliseconds_look_wrong(tmp_path):
    path = make_file(tmp_path / "x.nwb", [np.arange(20) * 5000.0])
    assert "implausible rates" in described(path)
    assert "are spike times in seconds?" in described(path)


def test_trials_and_spikes_on_different_clocks_look_wrong(tmp_path):
    table = {"start_time": STARTS + 1e6, "stop_time": STARTS + 1e6 + 1}
    path = make_file(tmp_path / "x.nwb", trials=table)
    assert "every row lies before the first or after the last spike" in described(path)


def test_repeated_ids_are_replaced_kept_and_said(tmp_path):
    path = make_file(tmp_path / "x.nwb", neurons={"id": [5, 5]})
    with pytest.warns(PopdynWarning, match="neurons: 1 of 2 ids repeat an earlier one"):
        session = pdn.read_session(path)
    assert session["neuron"].values.tolist() == [0, 1]
    assert session["file_id"].values.tolist() == [5, 5]


def test_the_same_column_in_both_tables_keeps_its_own_description_and_units(tmp_path):
    path = make_file(
        tmp_path / "x.nwb",
        trials={"start_time": [0.0], "stop_time": [1.0], "depth": [3.0]},
        neurons={"depth": [1.0, 2.0]},
        descriptions={"depth": "of the lick (mm)"},
    )
    session = pdn.read_session(path)
    assert session["trial_depth"].attrs["units"] == "mm"
    assert session["neuron_depth"].attrs["units"] == "unknown"
    assert session["trial_depth"].attrs["file_name"] == "depth"


# --- clocks --------------------------------------------------------------------------------


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


# --- columns -------------------------------------------------------------------------------


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
    add_units(content, [[0.1], [0.2]], {"waveform_mean": [[1.0, 2.0], [3.0, 4.0]]})
    table = trials(licks=[[1.0, 2.0]] * 10, words=[["a", "b"]] * 10, place=[(1.0, 2.0)] * 10)
    add_intervals(content, "trials", table, {})
    content.add_epoch(0.0, 1.0, timeseries=shown)
    path = save(content, tmp_path / "x.nwb")
    session = pdn.read_session(path)
    assert session["words"].values[0] == "a, b"
    assert not {"licks", "place", "waveform_mean"} & set(session.coords)
    said = problems(session)
    assert "neurons: left out waveform_mean (holds an array (2 x 2), not one value per row)" in said
    assert "licks (holds several values per row)" in said
    assert "place (holds an array (10 x 2)" in said
    assert "epochs: left out timeseries (holds references to other objects)" in described(path)


def test_a_column_of_the_wrong_length_is_refused_by_pynwb_and_would_be_left_out(tmp_path):
    path = make_file(tmp_path / "x.nwb", trials=trials(extra=np.arange(10.0)))
    replace_dataset(path, "intervals/trials/extra", np.arange(7.0))
    with pytest.raises(SourceError, match="pynwb .* refuses .*same length"):
        pdn.read_session(path)
    kept = _fill(Column("extra", "float64", None), np.arange(7.0), 10)
    assert kept.left_out == "has 7 values for 10 rows"


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
