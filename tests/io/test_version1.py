"""Files of NWB 1 read like those of NWB 2.

The layouts are built as the converters and readers of public recordings have them: the NWB 1.0.5
specification and its ``create_scripts`` (CRCNS alm-1, hc-3, ret-1), the DataJoint ingestion of
alm-1, and AllenSDK's reader of NWB 1 Neuropixels sessions.
"""

import h5py
import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import SourceError
from popdyn.io.tree import probe
from tests.io.recordings import described, problems

STARTS = np.arange(1, 13) * 8.0


def header(file, version="NWB-1.0.6"):
    file["nwb_version"] = version.encode()
    file["identifier"] = b"old/one"
    file["session_description"] = b"a delayed response task"
    file["session_start_time"] = b"Fri Jun 28 2013 14:58:30"
    file["general/subject/subject_id"] = b"ANM210861"
    for name in ("acquisition/timeseries", "analysis", "epochs", "processing", "stimulus"):
        file.require_group(name)


def spikes_of(k, n=300):
    return np.sort(np.random.default_rng(k).uniform(0.0, 110.0, n))


def add_unit(interface, name, times, **more):
    unit = interface.create_group(name)
    unit["times"] = times
    for key, value in more.items():
        unit[key] = value


def add_epoch(file, name, start=None, stop=None, **more):
    epoch = file.require_group("epochs").create_group(name)
    for key, value in {"start_time": start, "stop_time": stop, **more}.items():
        if value is not None:
            epoch[key] = value
    return epoch


def alm(path, names=("unit_01", "unit_02", "unit_10"), unit_list=None, n_trials=12):
    """A file as CRCNS alm-1 has them."""
    with h5py.File(path, "w") as file:
        header(file)
        units = file.create_group("processing/extracellular_units/UnitTimes")
        for k, name in enumerate(names):
            add_unit(units, name, spikes_of(k), unit_description=b"pyramidal", source=b"matlab")
            units[name]["trial_ids"] = np.ones(300, dtype=int)
        if unit_list is not None:
            units["unit_list"] = np.array(unit_list)
        for k in range(n_trials):
            start = STARTS[k]
            tags = np.array([b"HitR", b"Good trial"])
            trial = add_epoch(
                file,
                f"Trial_{k + 1:03d}",
                start,
                start + 7.0,
                tags=tags,
                units=np.array(names, "S"),
            )
            trial["lick_trace/idx_start"] = 5
        for name, delay in {"auditory_cue": 2.5, "pole_in": 0.5}.items():
            file[f"stimulus/presentation/{name}/timestamps"] = STARTS[:n_trials] + delay
            file[f"stimulus/presentation/{name}"].attrs["description"] = f"the {name}"
        file["acquisition/timeseries/lick_trace/data"] = np.zeros(5)
        file["acquisition/timeseries/lick_trace"].attrs["neurodata_type"] = "TimeSeries"
        file["analysis/good_trials"] = np.arange(n_trials) % 2
        file["analysis/trial_type_string"] = np.array([b"HitR", b"HitL"])
        kinds = np.zeros((2, n_trials))
        kinds[np.arange(n_trials) % 2, np.arange(n_trials)] = 1
        file["analysis/trial_type_mat"] = kinds
    return path


def test_an_alm_1_file_gives_its_neurons_trials_and_cues(tmp_path):
    path = alm(tmp_path / "old.nwb", unit_list=[b"unit_01", b"unit_02", b"unit_10"])
    session = pdn.read_session(path)
    assert session.attrs["source_id"] == "old_one"
    assert session.attrs["nwb_version"] == "1.0.6"
    assert session["neuron"].values.tolist() == ["unit_01", "unit_02", "unit_10"]
    np.testing.assert_array_equal(
        session["spike_time"].values, np.concatenate([spikes_of(k) for k in range(3)])
    )
    assert session["unit_description"].values.tolist() == ["pyramidal"] * 3
    assert session["trial"].values.tolist() == list(range(1, 13))
    assert session["epoch"].values[:2].tolist() == ["Trial_001", "Trial_002"]
    assert set(session["tags"].values) == {"HitR, Good trial"}
    np.testing.assert_array_equal(session["auditory_cue_time"].values, STARTS + 2.5)
    assert session["auditory_cue_time"].attrs["clock"] == "session"
    assert session["auditory_cue_time"].attrs["units"] == "s"
    assert session["good_trials"].values.tolist() == [0, 1] * 6
    assert session["HitR"].values.tolist() == [1, 0] * 6
    assert session["HitL"].values.tolist() == [0, 1] * 6


def test_spikes_around_a_cue_are_those_counted_by_hand(tmp_path):
    path = alm(tmp_path / "old.nwb")
    tensor = pdn.read_nwb(path, "auditory_cue_time", window=(-1.0, 1.0), bin_width=0.5)
    for k in range(3):
        for row, cue in enumerate(STARTS + 2.5):
            counts = np.histogram(spikes_of(k) - cue, [-1.0, -0.5, 0.0, 0.5, 1.0])[0]
            assert tensor.values[k, :, row].tolist() == counts.tolist()


def test_a_description_shows_header_tables_and_series(tmp_path):
    words = str(pdn.describe_nwb(alm(tmp_path / "old.nwb")))
    assert "NWB 1.0.6" in words
    assert "ANM210861" in words
    assert "3 with 900 spikes" in words
    assert "trials (12 rows)" in words
    assert "acquisition: lick_trace (TimeSeries)" in words
    assert "trial_ids (holds several values in 3 of 3 rows)" in words


def test_neurons_are_in_the_order_of_an_unsorted_unit_list(tmp_path):
    path = alm(tmp_path / "old.nwb", unit_list=[b"unit_10", b"unit_01", b"unit_02"])
    session = pdn.read_session(path)
    assert session["neuron"].values.tolist() == ["unit_10", "unit_01", "unit_02"]
    np.testing.assert_array_equal(session["spike_time"].values[:300], spikes_of(2))


def test_without_a_unit_list_neurons_are_in_the_order_of_their_numbers(tmp_path):
    path = alm(tmp_path / "old.nwb", names=("cell_10", "cell_9", "cell_1"))
    assert pdn.read_session(path)["neuron"].values.tolist() == ["cell_1", "cell_9", "cell_10"]


def test_units_missing_from_the_list_are_read_and_names_in_vain_are_said(tmp_path):
    path = alm(tmp_path / "old.nwb", unit_list=[b"unit_02", b"unit_77"])
    assert pdn.read_session(path)["neuron"].values.tolist() == ["unit_02", "unit_01", "unit_10"]
    assert "1 of 2 units of unit_list (unit_77: no such group in" in described(path)


def test_units_named_by_numbers_have_numbers_as_ids(tmp_path):
    path = alm(tmp_path / "old.nwb", names=("2", "11", "0"))
    session = pdn.read_session(path)
    assert session["neuron"].values.tolist() == [0, 2, 11]
    np.testing.assert_array_equal(session["spike_time"].values[:300], spikes_of(2))


def test_names_that_are_numbers_twice_stay_text(tmp_path):
    path = alm(tmp_path / "old.nwb", names=("1", "01", "2"))
    assert pdn.read_session(path)["neuron"].values.tolist() == ["01", "1", "2"]


def test_a_unit_without_spikes_is_a_silent_neuron(tmp_path):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        add_unit(file["processing/extracellular_units/UnitTimes"], "unit_03", np.zeros(0))
    session = pdn.read_session(path)
    assert np.diff(session["neuron_start"].values).tolist() == [300, 300, 0, 300]


def test_a_unit_whose_times_cannot_be_read_is_no_neuron_and_is_said(tmp_path):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        units = file["processing/extracellular_units/UnitTimes"]
        del units["unit_02/times"]
        units.create_group("unit_03")["times"] = b"gone"
        units["unit_04"] = h5py.SoftLink("/nowhere")
        units.create_group("unit_05").create_dataset("times", (10,), "f8", chunks=(5,))
    assert pdn.read_session(path)["neuron"].values.tolist() == ["unit_01", "unit_10"]
    said = described(path)
    assert "unit_02 (its data set times is not there; no such neuron is read)" in said
    assert "unit_03 (its data set times holds no numbers; no such neuron is read)" in said
    assert "unit_04 (is a link to /nowhere, which is not there; no such neuron is read)" in said
    assert "unit_05 (its times cannot be read: 2 of its 2 pieces were never written" in said


def test_lists_over_the_units_become_columns_in_the_order_of_the_names_in_them(tmp_path):
    path = alm(tmp_path / "old.nwb", unit_list=[b"unit_10", b"unit_01", b"unit_02"])
    with h5py.File(path, "r+") as file:
        units = file["processing/extracellular_units/UnitTimes"]
        units["cell_types"] = np.array([b"unit_01 - PT", b"unit_02 - FS", b"unit_10 - IT"])
        units["ElectrodeDepths"] = np.array([1.0, 2.0, 3.0])
        del units["unit_01/times"]
    session = pdn.read_session(path)
    assert session["neuron"].values.tolist() == ["unit_10", "unit_02"]
    assert session["cell_types"].values.tolist() == ["IT", "FS"]
    assert session["ElectrodeDepths"].values.tolist() == [1.0, 3.0]


def probes(path):
    """A file as AllenSDK's reader of NWB 1 expects them."""
    with h5py.File(path, "w") as file:
        header(file, "NWB-1.0.5")
        for p, name in enumerate(("probeA", "probeB")):
            module = file.create_group(f"processing/{name}")
            module["unit_list"] = np.array([43, 7])
            for k, unit in enumerate((43, 7)):
                add_unit(
                    module.require_group("UnitTimes"), str(unit), spikes_of(10 * p + k),
                    channel=100 + k, snr=2.5 + p, ccf_structure=b"VISp" if p else b"CA1",
                    waveform=np.zeros(82),
                )  # fmt: skip
        shown = file.create_group("stimulus/presentation/flash_250ms_1")
        shown["timestamps"] = np.stack([STARTS, STARTS + 0.25], axis=1)
        shown["features"] = np.array([b"color", b"frame"])
        shown["data"] = np.stack([np.tile([-1.0, 1.0], 6), np.arange(12.0)], axis=1)
        file["stimulus/presentation/spontaneous/timestamps"] = np.zeros((3, 1))
    return path


def test_units_of_several_probes_are_one_table(tmp_path):
    session = pdn.read_session(probes(tmp_path / "old.nwb"), trials="flash_250ms_1")
    assert session["neuron"].values.tolist() == ["probeA:43", "probeA:7", "probeB:43", "probeB:7"]
    assert session["module"].values.tolist() == ["probeA", "probeA", "probeB", "probeB"]
    assert session["channel"].values.tolist() == [100, 101, 100, 101]
    assert session["ccf_structure"].values.tolist() == ["CA1", "CA1", "VISp", "VISp"]
    np.testing.assert_array_equal(session["spike_time"].values[600:900], spikes_of(10))


def test_stimuli_with_start_and_stop_are_trials_with_their_features(tmp_path):
    path = probes(tmp_path / "old.nwb")
    session = pdn.read_session(path, trials="flash_250ms_1")
    np.testing.assert_array_equal(session["start_time"].values, STARTS)
    np.testing.assert_array_equal(session["stop_time"].values, STARTS + 0.25)
    assert session["color"].values.tolist() == [-1.0, 1.0] * 6
    assert session["frame"].values.tolist() == list(range(12))
    with pytest.raises(SourceError, match="trials='flash_250ms_1'"):
        pdn.read_session(path)


def test_epochs_in_any_order_of_names_are_rows_in_the_order_of_their_numbers(tmp_path):
    path = tmp_path / "old.nwb"
    with h5py.File(path, "w") as file:
        header(file)
        add_unit(file.create_group("processing/u/UnitTimes"), "1", spikes_of(1))
        for k in (10, 2, 1, 100):
            add_epoch(file, f"trial_{k}", 1.0 * k, 1.0 * k + 0.5)
    session = pdn.read_session(path)
    assert session["trial"].values.tolist() == [1, 2, 10, 100]
    assert session["start_time"].values.tolist() == [1.0, 2.0, 10.0, 100.0]
    assert session.attrs["problems"] == "[]"


def test_epochs_that_are_no_trials_are_a_table_of_their_own(tmp_path):
    path = tmp_path / "old.nwb"
    with h5py.File(path, "w") as file:
        header(file)
        add_unit(file.create_group("processing/shank 1/UnitTimes"), "1", spikes_of(1))
        add_epoch(file, "Linear track", 0.0, 90.0, description=b"one of several")
        add_epoch(file, "sleep", 90.0, 100.0)
    session = pdn.read_session(path, trials="epochs")
    assert session["epoch"].values.tolist() == ["Linear track", "sleep"]
    assert session["description"].values.tolist() == ["one of several", ""]
    with pytest.raises(SourceError, match="trials='epochs'"):
        pdn.read_session(path)


def test_epochs_lacking_start_or_stop_have_nan_there_and_are_counted(tmp_path):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        del file["epochs/Trial_002/stop_time"]
        del file["epochs/Trial_003/start_time"]
    session = pdn.read_session(path)
    assert np.flatnonzero(np.isnan(session["stop_time"].values)).tolist() == [1]
    assert np.flatnonzero(np.isnan(session["start_time"].values)).tolist() == [2]
    assert "1 of 12 rows have no start_time" in problems(session)
    assert "trials.stop_time is missing (NaN) in 1 of 12 rows" in problems(session)


def test_a_file_whose_epochs_all_lack_stop_time_is_read(tmp_path):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        for name in file["epochs"]:
            del file[f"epochs/{name}/stop_time"]
    assert "stop_time" not in pdn.read_session(path).coords
    assert pdn.read_nwb(path, "pole_in_time", (0.0, 1.0), 0.5).sizes["trial"] == 12


def test_a_stop_time_relative_to_its_trial_is_said(tmp_path):
    # As in data_structure_ANM214429_20130806: trial_268 starts at 3317.15 and stops at 2.68.
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        file["epochs/Trial_012/stop_time"][...] = 2.683177
    assert "trials: 1 row end before the start" in described(path)


def test_damaged_values_of_single_epochs_are_said(tmp_path):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        for name in ("Trial_004", "Trial_005"):
            del file[f"epochs/{name}/stop_time"]
            file[f"epochs/{name}/stop_time"] = h5py.SoftLink("/nowhere")
        del file["epochs/Trial_007"]
        file["epochs/Trial_007"] = h5py.SoftLink("/gone")
    session = pdn.read_session(path)
    assert session.sizes["trial"] == 11
    assert int(np.isnan(session["stop_time"].values).sum()) == 2
    assert "stop_time of Trial_004 and 1 more (is a link to /nowhere" in problems(session)
    assert "Trial_007 (is a link to /gone, which is not there; there is no row of it)" in problems(
        session
    )


def test_lists_that_do_not_have_one_value_per_trial_are_no_columns(tmp_path):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        del file["analysis/good_trials"], file["stimulus/presentation/pole_in/timestamps"]
        file["analysis/good_trials"] = np.ones(11)
        file["stimulus/presentation/pole_in/timestamps"] = STARTS[:10]
    columns = pdn.read_session(path).coords
    assert "good_trials" not in columns
    assert "pole_in_time" not in columns
    assert "auditory_cue_time" in columns


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        (([0], [1], [3]), ["M2", "M2", "V1"]),  # a zero: counted from 0
        (([1], [2], [4]), ["M2", "M2", "V1"]),  # as many as there are: counted from 1
        (([1], [2], [3]), ["M2", "", "V1"]),  # both fit, and differ for the second
    ],
)
def test_locations_are_given_where_the_count_of_electrodes_leaves_no_doubt(
    tmp_path, indices, expected
):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        ephys = file.create_group("general/extracellular_ephys")
        ephys["electrode_group"] = np.array([b"shank_1", b"shank_1", b"shank_2", b"shank_2"])
        ephys["shank_1/location"] = b"M2"
        ephys["shank_2/location"] = b"V1"
        waves = file.create_group("processing/extracellular_units/EventWaveform")
        for name, electrodes in zip(("unit_01", "unit_02", "unit_10"), indices, strict=True):
            waves[f"{name}/electrode_idx"] = electrodes
    assert pdn.read_session(path)["location"].values.tolist() == expected


def test_a_file_without_units_says_what_it_has(tmp_path):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        del file["processing/extracellular_units"]
    assert pdn.describe_nwb(path).neurons is None
    with pytest.raises(SourceError, match=r"has no neurons .* trials \(12 rows\)"):
        pdn.read_session(path)


def test_a_file_without_epochs_is_read_without_trials(tmp_path):
    path = alm(tmp_path / "old.nwb", n_trials=0)
    assert pdn.read_session(path, trials=None).sizes["neuron"] == 3
    with pytest.raises(SourceError, match="has no interval tables"):
        pdn.read_session(path)


def test_a_series_that_every_trial_links_to_is_tried_once(tmp_path, monkeypatch):
    path = alm(tmp_path / "old.nwb")
    with h5py.File(path, "r+") as file:
        for trial in file["epochs"].values():
            trial["lick_trace/timeseries"] = h5py.SoftLink("/acquisition/timeseries/lick_trace")
            trial["again"] = file["acquisition/timeseries/lick_trace"]
    touched = []
    monkeypatch.setattr(probe, "_touch_values", lambda *given: touched.append(given[2].size))
    probe.touch(str(path))
    assert touched.count(5) == 1
    assert touched.count(300) == 6
