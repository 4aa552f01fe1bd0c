"""A folder or list of recordings, and recordings at an address."""

import json
import re
import shutil
import warnings

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import PopdynWarning, SourceError
from popdyn.io.sessions import _named
from tests.io.range_server import RangeServer, Vices
from tests.io.recordings import ALM, HUMAN, make_file, trials


@pytest.fixture
def folder(tmp_path):
    for name, file in ALM.items():
        (tmp_path / f"sub-{name}").mkdir()
        shutil.copy(file, tmp_path / f"sub-{name}" / "ses-1.nwb")
    return tmp_path


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_folder_becomes_sessions_named_after_their_files(folder, n_jobs):
    sessions = pdn.read_sessions(folder, n_jobs=n_jobs)
    assert list(sessions) == ["sub-369963_ses-1", "sub-372793_ses-1"]
    for session, file in zip(sessions.values(), ALM.values(), strict=True):
        alone = pdn.read_session(file)
        assert np.array_equal(session["spike_time"], alone["spike_time"])
        assert session.attrs["input_digest"] == alone.attrs["input_digest"]
    assert [s.attrs["source_id"] for s in sessions.values()] == list(sessions)


def test_arguments_reach_every_file_and_warnings_name_theirs(tmp_path):
    for name in ("a", "b"):
        make_file(tmp_path / f"{name}.nwb", [[0.1, np.nan, 0.5]], trials(go_time=np.ones(10)))
    with pytest.warns(PopdynWarning) as caught:
        sessions = pdn.read_sessions(tmp_path, n_jobs=1, clocks={"go_time": "session"})
    assert {s["go_time"].attrs["clock"] for s in sessions.values()} == {"session"}
    said = [str(warning.message) for warning in caught]
    assert any(line.startswith("a: 1 spike times are NaN") for line in said)
    assert any(line.startswith("b: 1 spike times are NaN") for line in said)
    assert all("test_sessions.py" in warning.filename for warning in caught)


def test_behavior_is_read_with_every_file(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sessions = pdn.read_sessions(folder, n_jobs=1, behavior=["lick_left_times"])
    n_licks = [session.sizes["lick_left_times_time"] for session in sessions.values()]
    assert n_licks[0] == 710
    assert n_licks[1] > 710


def test_files_that_cannot_be_read_are_all_named_or_left_out(folder):
    (folder / "broken.nwb").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (folder / "empty.nwb").write_bytes(b"")
    words = "2 of 4 files cannot be read.*broken.nwb is a Git LFS pointer.*empty.nwb is empty"
    with pytest.raises(SourceError, match=words):
        pdn.read_sessions(folder, n_jobs=1)
    with pytest.warns(PopdynWarning, match="left out: .*(broken|empty).nwb"):
        sessions = pdn.read_sessions(folder, n_jobs=1, on_error="skip")
    assert len(sessions) == 2
    with pytest.raises(SourceError, match="1 of 1 files"):
        pdn.read_sessions([folder / "empty.nwb"], n_jobs=1, on_error="skip")


def test_what_is_no_set_of_files_is_refused(tmp_path):
    for files, words in [
        (tmp_path, "no .nwb file in the folder"),
        ([], "the list is empty"),
        ([HUMAN, HUMAN], "named twice"),
        (3, "got int"),
        (tmp_path / "nothing.nwb", "there is no file"),
    ]:
        with pytest.raises(SourceError, match=words):
            pdn.read_sessions(files)
    with pytest.raises(SourceError, match="on_error must be"):
        pdn.read_sessions(HUMAN, "encoding_table", on_error="ignore")


def test_files_of_one_name_get_their_folders_in_front():
    assert list(_named(["a/x.nwb", "b/x.nwb", "b/y.nwb"])) == ["a_x", "b_x", "b_y"]
    assert list(_named(["https://h.org/x.nwb?token=1", "y.nwb"])) == ["x", "y"]
    assert list(_named(["a//x.nwb", "a/x.nwb"])) == ["a_x_0", "a_x_1"]


def test_a_recording_at_an_address_is_the_recording_on_disk():
    with RangeServer(HUMAN.read_bytes()) as server:
        remote = pdn.read_session(server.address, "encoding_table")
        local = pdn.read_session(HUMAN, "encoding_table")
        xr.testing.assert_equal(remote, local)
        assert remote.attrs["input_digest"] == local.attrs["input_digest"]
        assert remote.attrs["file"] == "recording.nwb"
        summary = pdn.describe_nwb(server.address)
        assert summary.file == "recording.nwb"
        assert summary.problems == pdn.describe_nwb(HUMAN).problems


def test_a_second_reading_fetches_nothing_that_is_cached(tmp_path):
    with RangeServer(HUMAN.read_bytes()) as server:
        address = server.address
        first = pdn.read_session(address, "encoding_table", cache_folder=tmp_path)
        n_bytes = sum(request.n_bytes for request in server.requests)
        again = pdn.read_session(address, "encoding_table", cache_folder=tmp_path)
        assert sum(request.n_bytes for request in server.requests) - n_bytes < 0.2 * n_bytes
    assert again.identical(first)


@pytest.mark.parametrize(
    ("vices", "words"),
    [
        (Vices(ranges=False), "recording.nwb"),
        (Vices(status=404), "404"),
        (Vices(page=True), "page|ranges"),
    ],
    ids=["no ranges", "not found", "a web page"],
)
def test_an_address_that_does_not_serve_the_file_is_one_line(vices, words):
    with RangeServer(HUMAN.read_bytes(), vices) as server, pytest.raises(SourceError) as caught:
        pdn.read_session(server.address + "?signature=secret", "encoding_table")
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    assert re.search(words, message)


def test_what_is_fetched_but_no_recording_is_called_by_its_kind():
    with RangeServer(b"a,b\n1,2\n" * 50) as server, pytest.raises(SourceError) as caught:
        pdn.describe_nwb(server.address)
    assert "it is a text file that begins 'a,b 1,2" in str(caught.value)


def test_a_file_that_is_cut_off_on_the_way_says_so():
    whole = HUMAN.read_bytes()
    with RangeServer(whole[: len(whole) // 2]) as server, pytest.raises(SourceError) as caught:
        pdn.describe_nwb(server.address)
    assert "truncated" in str(caught.value)


def test_addresses_and_files_can_be_mixed_in_one_list():
    with RangeServer(ALM["369963"].read_bytes()) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sessions = pdn.read_sessions([server.address, ALM["372793"]], n_jobs=2)
    assert list(sessions) == ["recording", "mouse_alm_delay_anm372793"]
    assert json.loads(sessions["recording"].attrs["problems"])
