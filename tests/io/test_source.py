"""Files that cannot be read: one line each, that says what was found and what to do."""

import h5py
import numpy as np
import pynwb
import pytest

import popdyn as pdn
from popdyn.errors import SourceError
from popdyn.io.tree.source import open_nwb
from tests.io.recordings import ALM, HUMAN, beside, make_file

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:9f28\nsize 197790462\n"


def refusal(path, read=pdn.describe_nwb):
    with pytest.raises(SourceError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def written(tmp_path, content, name="file.nwb"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("path", beside("invalid"), ids=lambda path: path.name)
def test_invalid_files_beside_the_checkout_give_one_line_naming_the_file(path):
    for read in (pdn.describe_nwb, pdn.read_session, pdn.read_nwb):
        assert path.name in refusal(path, read)


def test_a_git_lfs_pointer_says_git_lfs_pull_and_the_real_size(tmp_path):
    message = refusal(written(tmp_path, POINTER))
    assert "Git LFS pointer" in message
    assert "`git lfs pull`" in message
    assert "197,790,462" in message


def test_git_annex_pointers_and_dangling_links_say_how_to_fetch_them(tmp_path):
    pointer = written(tmp_path, b"/annex/objects/SHA256E-s5--abc.nwb\n")
    assert "git annex get" in refusal(pointer)
    link = tmp_path / "link.nwb"
    link.symlink_to(tmp_path / ".git" / "annex" / "gone")
    assert "`datalad get link.nwb`" in refusal(link)


@pytest.mark.parametrize("share", [0.03, 0.3, 0.9, 0.9999])
def test_a_truncated_file_says_how_many_bytes_are_there(tmp_path, share):
    whole = HUMAN.read_bytes()
    n_kept = int(len(whole) * share)
    message = refusal(written(tmp_path, whole[:n_kept]))
    assert f"{n_kept:,} of {len(whole):,} bytes" in message
    assert "download it again" in message


def test_a_missing_file_names_the_nearest_one():
    near = HUMAN.with_name("human_mtl_boundaries_sub-4_ses-5.nwb")
    assert f"Nearest name there: {HUMAN.name}." in refusal(near)
    assert HUMAN.name in refusal(HUMAN.with_name("xyz"))
    message = refusal(HUMAN.parent / "no" / "such" / "folder" / "x.nwb")
    assert f"ends at {HUMAN.parent}" in message


def test_a_directory_lists_the_recordings_in_it(tmp_path):
    assert ALM["369963"].name in refusal(HUMAN.parent)
    assert "has no .nwb" in refusal(tmp_path)
    (tmp_path / ".zgroup").write_text("{}")
    assert "Zarr" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty (0 bytes)"),
        (b"spikes,trials\n1,2\n", "is a text file that begins 'spikes,trials 1,2'"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page"),
        (b"\x1f\x8b\x08rest", "gunzip"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64\x00\x01", "MATLAB"),
        (b"\x93NUMPY\x01\x00", "popdyn.make_tensor"),
        (b"\x00\x01\x02\xff" * 9, "is not an HDF5 file (36 bytes"),
    ],
)
def test_a_file_that_is_not_hdf5_is_called_by_its_kind(tmp_path, content, words):
    assert words in refusal(written(tmp_path, content))


def test_an_hdf5_file_that_is_not_nwb_says_what_it_holds(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["spikes"] = np.arange(3)
        file.create_group("lfp")
    message = refusal(path)
    assert "HDF5 file but not NWB" in message
    assert "it holds lfp, spikes" in message
    with h5py.File(path, "w"):
        pass
    assert "it holds nothing" in refusal(path)


def test_an_nwb_1_file_without_content_says_what_it_lacks(tmp_path):
    path = tmp_path / "old.nwb"
    with h5py.File(path, "w") as file:
        file["nwb_version"] = b"NWB-1.0.6"
    message = refusal(path)
    assert "is an NWB 1 file (schema 1.0.6) without content" in message
    assert "it lacks processing (neurons), epochs (trials)" in message
    assert "it holds nwb_version" in message


def test_a_file_of_an_early_matnwb_says_so(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file:
        # Early MatNWB stored attributes as arrays.
        for name in ("neurodata_type", "namespace"):
            file.attrs[name] = np.array([file.attrs[name].encode()])
        file.attrs["nwb_version"] = np.array([b"2.0b"])
    message = refusal(path)
    assert "early MatNWB (schema 2.0b)" in message
    assert "Export it again" in message


def test_what_pynwb_refuses_is_read_where_it_does_not_concern_the_neurons(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file:
        del file["session_description"]
    with pytest.raises(Exception, match="session_description"), pynwb.NWBHDF5IO(path, "r") as io:
        io.read()
    assert pdn.read_session(path).sizes["spike"] == 7


def test_an_index_past_the_end_of_the_spikes_is_one_line(tmp_path):
    path = make_file(tmp_path / "x.nwb")
    with h5py.File(path, "r+") as file:
        file["units/spike_times_index"][...] = [4, 90]
    line = "units/spike_times_index does not fit: 2 entries for 2 rows, the last at 90 of 7"
    assert line in refusal(path, pdn.read_session)
    assert line in "".join(pdn.describe_nwb(path).problems)


def test_what_is_not_a_path_is_refused():
    assert "got int" in refusal(3)
    assert "popdyn reads http and https addresses" in refusal("dandi://dandi/000006/x.nwb")
    assert "File name too long" in refusal("x" * 5000)


def test_a_mistake_of_a_caller_in_the_block_is_not_renamed():
    with pytest.raises(pdn.TensorError), open_nwb(HUMAN):
        raise pdn.TensorError


def test_a_file_of_popdyn_is_told_from_a_foreign_one(tmp_path):
    path = pdn.save(pdn.make_tensor([[[1.0, 2.0]]], [0.0], bin_width=0.1), tmp_path / "x.nc")
    with pytest.raises(pdn.SourceError, match="use popdyn.load"):
        pdn.describe_nwb(path)
