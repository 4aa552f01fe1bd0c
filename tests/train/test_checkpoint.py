"""Files that a training goes on from: written at once or not at all, refused if of another."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from popdyn.errors import PopdynWarning, SourceError
from popdyn.train import checkpoint as module
from popdyn.train.checkpoint import FORMAT, Checkpoint

RUN = {"method": "force", "seed": "3", "noise_density": 0.1, "task": "Oscillation"}
ARRAYS = {"learned/weights": np.arange(6.0).reshape(2, 3), "best/w": np.array([], np.float32)}
PROGRESS = {"n_blocks": 2, "accuracy": [0.5, float("nan")]}


@pytest.fixture
def place(tmp_path):
    return Checkpoint.at(tmp_path / "run.npz", RUN)


def assert_holds(found, arrays=ARRAYS, progress=PROGRESS):
    assert set(found[0]) == set(arrays)
    for name, array in arrays.items():
        assert np.array_equal(found[0][name], array)
        assert found[0][name].dtype == array.dtype
    assert json.dumps(found[1]) == json.dumps(progress)


def test_what_was_written_is_read(place):
    assert place.read() is None
    place.write(ARRAYS, PROGRESS)
    assert_holds(place.read())
    assert [path.name for path in place.path.parent.iterdir()] == ["run.npz"]


def test_the_file_is_one_that_numpy_reads(place):
    place.write(ARRAYS, PROGRESS)
    with np.load(place.path) as stored:
        assert np.array_equal(stored["learned/weights"], ARRAYS["learned/weights"])
        assert json.loads(str(stored["header"]))["run"] == RUN


@pytest.mark.parametrize("name", ["run.nc", "run"])
def test_a_file_with_another_ending_is_refused(tmp_path, name):
    with pytest.raises(SourceError, match=r"must be a file that ends in .npz, found '.*run"):
        Checkpoint.at(tmp_path / name, RUN)


def test_a_missing_folder_is_said_before_anything_is_learned(tmp_path):
    with pytest.raises(SourceError, match="the folder of the checkpoint .* make it first"):
        Checkpoint.at(tmp_path / "missing" / "run.npz", RUN)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seed": "4"}, "seed: 3, now 4"),
        ({"task": "Detection"}, "task: Oscillation, now Detection"),
        ({"noise_density": 0.2}, "noise_density: 0.1, now 0.2"),
        ({"hints": {"memory": 0.0}}, 'hints: none, now {"memory": 0.0}'),
        ({"task_parameters": '{"tolerance": 0.2}'}, 'task_parameters: none, now {"tolerance"'),
        ({"seed": "4", "method": "full_force"}, "method: force, now full_force; seed: 3, now 4"),
    ],
)
def test_a_file_of_another_training_is_refused_with_what_differs(place, changed, words):
    place.write(ARRAYS, PROGRESS)
    before = place.path.read_bytes()
    with pytest.raises(SourceError, match=f"is of another training .{words}") as error:
        Checkpoint.at(place.path, {**RUN, **changed}).read()
    assert "give another place or remove it" in str(error.value)
    assert place.path.read_bytes() == before


def test_a_file_of_another_format_says_which_version_wrote_it(place, monkeypatch):
    monkeypatch.setattr(module, "FORMAT", FORMAT + 1)
    monkeypatch.setattr(module, "__version__", "9.9")
    place.write(ARRAYS, PROGRESS)
    monkeypatch.setattr(module, "FORMAT", FORMAT)
    words = rf"written by popdyn 9.9 in format {FORMAT + 1}, this version reads {FORMAT}"
    with pytest.raises(SourceError, match=words):
        place.read()


def test_what_differs_within_the_parameters_of_a_task_is_said_with_both_values(tmp_path):
    text = '{"sines": [[2.0, 1.0]], "rest": "%s", "tolerance": %s}'
    first = Checkpoint.at(tmp_path / "a.npz", {**RUN, "task_parameters": text % ("x" * 200, 0.1)})
    first.write(ARRAYS, PROGRESS)
    other = Checkpoint.at(first.path, {**RUN, "task_parameters": text % ("x" * 200, 0.2)})
    words = r"of another training \(task_parameters.tolerance: 0.1, now 0.2\): repeat"
    with pytest.raises(SourceError, match=words):
        other.read()


def test_a_file_of_another_version_is_gone_on_from_with_a_word(place, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(module, "__version__", "0.0.9")
        place.write(ARRAYS, PROGRESS)
    with pytest.warns(PopdynWarning, match=r"written by popdyn 0.0.9, and goes on .* not promised"):
        found = place.read()
    assert_holds(found)


def doctored(place, name, array):
    """Another array under a name, all else as it was."""
    with zipfile.ZipFile(place.path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(place.path, "w") as archive:
        for member, stored in members.items():
            if member != f"{name}.npy":
                archive.writestr(member, stored)
                continue
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 2)), r"learned/weights is \['<f8', 3, 2\], \['<f8', 2, 3\] was written"),
        (np.zeros((2, 3), np.float32), r"learned/weights is \['<f4', 2, 3\]"),
        (np.full((2, 3), np.nan), "learned/weights holds NaN or infinite numbers"),
        (np.full((2, 3), np.inf), "learned/weights holds NaN or infinite numbers"),
    ],
    ids=["shape", "kind", "nan", "infinite"],
)
def test_arrays_that_cannot_be_gone_on_from_are_refused_before_use(place, array, words):
    place.write(ARRAYS, PROGRESS)
    doctored(place, "learned/weights", ARRAYS["learned/weights"])
    assert_holds(place.read())
    doctored(place, "learned/weights", array)
    with pytest.raises(SourceError, match=f"or is damaged .{words}"):
        place.read()


@pytest.mark.parametrize("path", [3, None, 1.5, ["a.npz"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(SourceError, match=r"must be a file that ends in .npz, found "):
        Checkpoint.at(path, RUN)


def no_zip(path):
    path.write_text("not a checkpoint")


def one_array(path):
    with path.open("wb") as file:
        np.save(file, np.arange(3.0))


def without_header(path):
    np.savez(path, weights=np.arange(3.0))


def header_of_another(path):
    np.savez(path, header=np.array(json.dumps([1, 2])))


def header_without_format(path):
    np.savez(path, header=np.array(json.dumps({"run": {}, "progress": {}})))


def objects(path):
    np.savez(path, header=np.array([{"a": 1}], dtype=object))


def compressed(path):
    np.savez_compressed(path, header=np.array("{}"))


def no_arrays(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", "text")


def empty(path):
    path.touch()


def folder(path):
    path.mkdir()


OTHERS = (no_zip, one_array, without_header, header_of_another, header_without_format, objects,
          compressed, no_arrays, empty, folder)  # fmt: skip


@pytest.mark.parametrize("make", OTHERS, ids=lambda make: make.__name__)
def test_whatever_else_the_file_is_it_is_refused_in_one_sentence(place, make):
    make(place.path)
    with pytest.raises(SourceError, match="run.npz' is no checkpoint of a training, or is dam"):
        place.read()


def test_a_file_cut_short_anywhere_is_refused(place):
    place.write(ARRAYS, PROGRESS)
    whole = place.path.read_bytes()
    for size in range(0, len(whole), 7):
        place.path.write_bytes(whole[:size])
        with pytest.raises(SourceError, match="or is damaged"):
            place.read()


def test_a_damaged_file_is_refused_or_still_holds_the_same(place):
    place.write(ARRAYS, PROGRESS)
    whole = place.path.read_bytes()
    rng, n_refused = np.random.default_rng(0), 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        place.path.write_bytes(damaged)
        try:
            found = place.read()
        except SourceError:
            n_refused += 1
            continue
        assert_holds(found)
    assert n_refused > 200


def test_a_full_disk_is_said_and_the_file_before_is_kept(place):
    place.write(ARRAYS, PROGRESS)
    before = place.path.read_bytes()
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    # What is written beside the file first goes to a disk that is full.
    partial = place.path.with_name(".run.npz.partial")
    partial.symlink_to("/dev/full")
    large = {"weights": np.zeros((400, 400))}
    with pytest.warns(PopdynWarning, match="No space left on device.*the one before is kept"):
        place.write(large, PROGRESS)
    assert place.path.read_bytes() == before
    assert not partial.is_symlink()
    assert Path("/dev/full").exists()


def test_a_limit_on_the_size_of_files_leaves_nothing_behind(place):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.warns(PopdynWarning, match="File too large.*there is none before it"):
            place.write({"weights": np.zeros((400, 400))}, PROGRESS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(place.path.parent.iterdir()) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_error_at_the_last_moment_keeps_the_file_before(place, monkeypatch, step):
    place.write(ARRAYS, PROGRESS)
    before = place.path.read_bytes()

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full)
    with pytest.warns(PopdynWarning, match="training goes on, the one before is kept. Make room"):
        place.write({"weights": np.zeros(3)}, PROGRESS)
    monkeypatch.undo()
    assert place.path.read_bytes() == before
    assert [path.name for path in place.path.parent.iterdir()] == ["run.npz"]


def test_a_folder_that_was_taken_away_is_said(place):
    place.path.parent.rmdir()
    with pytest.warns(PopdynWarning, match="No such file or directory"):
        place.write(ARRAYS, PROGRESS)
