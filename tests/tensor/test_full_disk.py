"""A full disk costs the file that is written, not the interpreter nor the file before."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import popdyn as pdn
from popdyn.tensor.patient_file import PatientFile

# HDF5 crashed at exit: only another process can tell.
SAVE = textwrap.dedent("""
    import resource, sys
    import numpy as np, xarray as xr, popdyn as pdn
    x = pdn.make_tensor(np.random.default_rng(0).random((40, 50, 4)), np.arange(50) * 0.01)
    objects = {
        "network": pdn.network.Rate.random(80),
        "tensor": x,
        "tree": xr.DataTree.from_dict({"/a": xr.Dataset({"x": x}), "/b/c": xr.Dataset({"x": x})}),
    }
    for kind, obj in objects.items():
        path = pdn.save(obj, f"{sys.argv[1]}/{kind}.nc")
        whole = path.read_bytes()
        for limit in [0, 1, 100, 2048, 5000, 8000, 20_000, len(whole) // 2, len(whole) - 1]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            for name in (kind, "new"):
                try:
                    pdn.save(obj, f"{sys.argv[1]}/{name}.nc")
                except pdn.SourceError as error:
                    print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole), resource.RLIM_INFINITY))
        assert path.read_bytes() == whole
        assert pdn.save(obj, path).read_bytes() == whole
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
""")
KINDS = ["network", "tensor", "tree"]


def test_without_room_nothing_is_replaced_and_the_interpreter_lives(tmp_path):
    pytest.importorskip("resource", reason="limits on files are of Unix")
    done = subprocess.run(
        [sys.executable, "-c", SAVE, str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    names = [name for kind in KINDS for name in [kind, "new"] * 9]
    for line, name in zip(done.stdout.splitlines(), names, strict=True):
        assert line == (
            f"cannot write {tmp_path / name}.nc (File too large): what was there before is as it "
            "was. Make room, or choose another place."
        )
    assert sorted(path.stem for path in tmp_path.iterdir()) == KINDS


def test_a_folder_that_takes_no_files_is_one_line(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(pdn.SourceError, match=r"cannot write .*x.nc \(Permission denied\)"):
        pdn.save(pdn.make_tensor(np.ones((1, 2, 1)), [0.0, 0.1]), tmp_path / "x.nc")


def test_a_patient_file_is_a_file_until_a_write_fails(tmp_path):
    with PatientFile(str(tmp_path / "a")) as file:
        assert file.write(np.arange(4, dtype="<u2")) == 8
        file.seek(2)
        read = bytearray(b"......")
        assert file.readinto(read) == 6
        assert read == b"\x01\x00\x02\x00\x03\x00"
        assert file.truncate(6) == 6
        assert file.failure is None
        assert pickle.loads(pickle.dumps(file)) == str(tmp_path / "a")  # noqa: S301
    assert (tmp_path / "a").read_bytes() == b"\x00\x00\x01\x00\x02\x00"
    with PatientFile(str(tmp_path / "b")) as file:
        file.write(b"whole")
        file.failure = OSError(28, "No space left on device")
        assert file.write(b"lost") == 4
        assert file.tell() == 9
        assert file.truncate(100) == 100
        file.seek(3)
        read = bytearray(b"......")
        assert file.readinto(read) == 6
        assert read == b"le\x00\x00\x00\x00"
    assert (tmp_path / "b").read_bytes() == b"whole"
