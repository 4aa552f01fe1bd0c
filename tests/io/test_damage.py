"""What random damage taught: one test for each fault it found, with the line that says it."""

import sys

import h5py
import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning, SourceError
from popdyn.io.tree import local_file
from tests.io.damaged_sources import source
from tests.io.recordings import described, make_file, problems, replace_dataset


def refusal(path):
    with pytest.raises(SourceError) as caught:
        pdn.read_session(path)
    return str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_text_that_claims_gigabytes_is_refused_before_they_are_taken(tmp_path):
    path = source("plain", tmp_path)
    with h5py.File(path) as file:
        begin = file["intervals/trials/choice"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[begin : begin + 4] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    line = "is a damaged HDF5 file (reading it takes more memory than it can need). Copy or"
    assert line in refusal(path)


@pytest.mark.skipif(sys.platform != "linux", reason="signals of Linux")
@pytest.mark.parametrize(
    ("end", "words"),
    [("signal.SIGXCPU", "runs in circles"), ("signal.SIGSEGV", "crashes HDF5")],
)
def test_a_file_that_does_harm_is_tried_once(tmp_path, monkeypatch, end, words):
    path = make_file(tmp_path / "x.nwb")
    script = tmp_path / "harmful.py"
    script.write_text(
        "import os, signal, sys\n"
        "open(sys.argv[1] + '.tried', 'a').write('.')\n"
        f"os.kill(os.getpid(), {end})\n"
    )
    monkeypatch.setattr(local_file.probe, "__file__", str(script))
    for _ in range(2):
        assert f"is a damaged HDF5 file (reading it {words}). Copy or" in refusal(path)
    assert (tmp_path / "x.nwb.tried").read_text() == "."


def test_a_file_of_links_in_circles_is_read_once_and_its_tables_named_briefly(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file:
        file["scratch/again"] = file["/"]
        file["scratch/and_again"] = file["/"]
        for k in range(30):
            file.copy("intervals/trials", f"intervals/table_{k}")
        del file["units"]
    assert pdn.describe_nwb(path).tables[0].name == "trials"
    message = refusal(path)
    assert "(3 rows) and 21 more" in message
    assert len(message) < 700


def test_a_name_that_is_no_text_is_damage(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file:
        file.create_group(b"\xff\xfe")
        file["units"].create_group(b"\xff\xfd")
        file["intervals"].create_group(b"\xff\xfd")
    assert pdn.read_session(path).sizes["neuron"] == 2
    assert pdn.describe_nwb(path).tables[0].name == "trials"


def test_observation_intervals_that_are_lost_are_said(tmp_path):
    path = source("plain", tmp_path)
    with h5py.File(path, "r+") as file:
        del file["units/obs_intervals"]
    line = "neurons.obs_intervals is listed in colnames, but holds no data: as if it were not there"
    assert line in described(path)
    with h5py.File(path, "r+") as file:
        file["units/obs_intervals"] = h5py.SoftLink("/not/there")
    assert "neurons.obs_intervals is a link to /not/there, which is not there" in described(path)


def test_arrays_that_an_index_would_share_out_wrongly_are_not_used(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    with h5py.File(path) as file:
        times = file["units/spike_times"][()]
    replace_dataset(path, "units/spike_times", np.stack([times, times], axis=1))
    assert "/units/spike_times is an array of 7 x 2, not 1 per row" in refusal(path)
    replace_dataset(path, "units/spike_times", times[:, None])
    assert pdn.read_session(path)["spike_time"].values.tolist() == times.tolist()
    path = source("plain", tmp_path)
    replace_dataset(path, "units/obs_intervals", np.arange(24.0).reshape(8, 3))
    line = "neurons.obs_intervals cannot be used: /units/obs_intervals is an array of 8 x 3"
    assert line in described(path)


def test_spike_times_that_are_true_or_false_are_no_numbers(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    replace_dataset(path, "units/spike_times", np.ones(7, dtype=bool))
    assert "/units/spike_times hold no numbers" in refusal(path)


def test_an_index_that_holds_no_whole_numbers_is_not_passed_over(tmp_path):
    path = make_file(tmp_path / "x.nwb", spikes=[(0.1, 0.5)])
    replace_dataset(path, "units/spike_times_index", np.array([1.0]))
    assert "/units/spike_times_index is no index: nothing says which of the 2" in refusal(path)


def test_spikes_behind_the_last_neuron_are_said_and_left_out(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    replace_dataset(path, "units/spike_times_index", np.array([4, 6]))
    with pytest.warns(PopdynWarning, match="the last 1 of 7 values belong to no row"):
        session = pdn.read_session(path)
    assert session["spike_time"].values.tolist() == [0.1, 0.5, 1.2, 5.5, 0.3, 2.2]
    line = "neurons.spike_times: the last 1 of 7 values belong to no row; left out"
    assert line in problems(session)


def test_an_index_that_begins_below_zero_leaves_its_column_out(tmp_path):
    path = source("plain", tmp_path)
    ends = np.arange(12) - 1
    replace_dataset(path, "intervals/trials/tags_index", ends)
    line = "tags (cannot be read: /intervals/trials/tags_index does not fit: 12 entries for 12 rows"
    assert line in described(path)


def test_words_of_an_enumeration_are_no_column_and_are_missed_when_lost(tmp_path):
    path = source("plain", tmp_path)
    assert "outcome" not in described(path)
    assert pdn.read_session(path)["outcome"].values[:3].tolist() == ["hit", "miss", "early"]
    with h5py.File(path, "r+") as file:
        file["intervals/trials/outcome"][0] = 7
    assert "outcome (has codes from 0 to 7 for 3 words)" in described(path)
    replace_dataset(path, "intervals/trials/outcome", np.linspace(0, 2, 12))
    assert "outcome (is an enumeration whose codes or words cannot be used)" in described(path)
    replace_dataset(path, "intervals/trials/outcome", np.arange(12, dtype=np.uint8) % 3)
    with h5py.File(path, "r+") as file:
        del file["intervals/trials/outcome"].attrs["elements"]
    session = pdn.read_session(path)
    assert session["outcome"].values[:3].tolist() == [0, 1, 2]
    line = "trials.outcome: is an enumeration whose words (elements) are not there; codes as stored"
    assert line in problems(session)


def test_references_that_lead_nowhere_are_counted(tmp_path):
    path = source("plain", tmp_path)
    with h5py.File(path, "r+") as file:
        file["units/electrode_group"][1] = h5py.Reference()
    session = pdn.read_session(path)
    assert session["electrode_group"].values.tolist() == ["shank0", "", "shank0", "shank1"]
    line = "neurons.electrode_group: 1 of 4 references lead nowhere; empty there"
    assert line in problems(session)


def test_places_of_electrodes_that_are_lost_are_said(tmp_path):
    path = source("plain", tmp_path)
    with h5py.File(path, "r+") as file:
        place = "general/extracellular_ephys/electrodes/location"
        del file[place]
        file[place] = h5py.ExternalLink("missing.nwb", "/x")
    session = pdn.read_session(path)
    assert "location" not in session.coords
    line = "neurons.electrodes: location of the electrodes is a link to /x in the file missing.nwb"
    assert line in problems(session)
    with h5py.File(path, "r+") as file:
        del file[place]
        file[place] = np.arange(6)
    assert "neurons.electrodes: location of the electrodes is no text" in described(path)


def test_a_column_name_of_many_lines_stays_in_its_line(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file:
        names = [*file["intervals/trials"].attrs["colnames"], "odd\n\nname"]
        file["intervals/trials"].attrs["colnames"] = names
    assert "trials: left out odd name (is listed in colnames, but not stored)" in described(path)


def test_infinite_times_raise_no_warnings_of_numpy(tmp_path):
    times = [0.0, np.inf, np.inf, 1e308, -1e308]
    path = make_file(tmp_path / "x.nwb", trials={"start_time": times, "stop_time": times})
    assert "rows are out of order" in described(path)
    other = make_file(tmp_path / "y.nwb", trials={"start_time": times[:2], "stop_time": times[:2]})
    assert pdn.describe_nwb(other).tables[0].n_rows == 2
    with pytest.warns(PopdynWarning, match="are both on the session's clock"):
        assert pdn.read_session(path).sizes["trial"] == 5


def test_a_look_in_another_process_that_cannot_start_is_no_verdict_on_the_file(
    tmp_path, monkeypatch
):
    path = make_file(tmp_path / "sound.nwb")
    monkeypatch.setattr(local_file.probe, "__file__", str(tmp_path / "moved.py"))
    assert local_file._harm(path) == ""
