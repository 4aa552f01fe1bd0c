"""Files, neurons and tables with one thing wrong each: reading says so."""

import h5py
import numpy as np
import pynwb
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning, SourceError
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
        (8.0, 48.0, 100.0, True),  # 800 missing in a sixth of the session
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
