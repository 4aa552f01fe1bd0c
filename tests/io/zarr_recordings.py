"""Zarr stores for tests, and how they were made.

``sample.zarr.tar.xz`` and ``mouse_alm_delay_anm369963.zarr.tar.xz`` were written by hdmf-zarr
0.13.0 (zarr 2.18.7), which needs an older zarr than popdyn is tested with: by ``export`` below,
from ``sample()`` and from the shipped recording, without the cached schemas.
"""

import datetime
import importlib
import json
import tarfile
import warnings
from pathlib import Path

import h5py
import numpy as np
import pynwb
from pynwb.epoch import TimeIntervals

from tests.io.recordings import save

HERE = Path(__file__).parent
MOUSE = "mouse_alm_delay_anm369963"


def unpacked(name: str, folder: Path) -> Path:
    """Unpack a store that hdmf-zarr wrote."""
    with tarfile.open(HERE / f"{name}.zarr.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / f"{name}.nwb.zarr"


def export(source: Path, store: Path) -> None:
    """Write an HDF5 recording as Zarr; needs hdmf-zarr."""
    zarr_io = importlib.import_module("hdmf_zarr.nwb").NWBZarrIO
    with pynwb.NWBHDF5IO(str(source), "r") as reader, zarr_io(str(store), mode="w") as writer:
        writer.export(src_io=reader, write_args={"link_data": False})


def sample(path: Path) -> Path:
    """Write the recording that the sample store holds, as HDF5."""
    rng = np.random.default_rng(1)
    content = pynwb.NWBFile(
        session_description="a small session", identifier="zarr/sample",
        session_start_time=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        lab="a lab", experimenter=["A", "B"],
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        add_units(content, rng)
    add_trials(content)
    for name in ("lick", "pupil"):
        content.add_acquisition(
            pynwb.TimeSeries(name=name, data=np.arange(20.0), unit="V", rate=1.0)
        )
    return save(content, path)


def add_units(content: pynwb.NWBFile, rng: np.random.Generator) -> None:
    device = content.create_device("probe")
    groups = [
        content.create_electrode_group(f"shank{k}", "a shank", place, device)
        for k, place in enumerate(("CA1", "VISp"))
    ]
    for k in range(4):
        content.add_electrode(
            location=groups[k // 2].location, group=groups[k // 2], group_name=f"shank{k // 2}"
        )
    for name, words in {
        "quality": "by hand", "snr": "signal to noise", "is_single": "one neuron"
    }.items():  # fmt: skip
        content.add_unit_column(name, words)
    content.add_unit_column("labels", "words", index=True)
    for k in range(5):
        content.add_unit(
            spike_times=np.sort(rng.uniform(0, 60, 40 * (k != 3))), electrodes=[k % 4],
            electrode_group=groups[k % 4 // 2], quality=["good", "mua", "größer"][k % 3],
            snr=1.5 * k, is_single=bool(k % 2), labels=["a", "b"][: k % 3],
            obs_intervals=[[0.0, 60.0]],
        )  # fmt: skip


def add_trials(content: pynwb.NWBFile) -> None:
    for name in ("cue_time", "side", "correct", "n_licks"):
        content.add_trial_column(name, f"about {name}")
    for k in range(11):
        content.add_trial(
            start_time=5.0 * k, stop_time=5.0 * k + 4.0, side=["left", "right"][k % 2],
            cue_time=np.nan if k == 4 else 5.0 * k + 1.0, correct=bool(k % 3), n_licks=k,
        )  # fmt: skip
    table = TimeIntervals(name="stimuli", description="what was shown")
    table.add_column(name="kind", description="words")
    for k in range(3):
        table.add_row(start_time=10.0 * k, stop_time=10.0 * k + 1, kind="abc"[k])
    content.add_time_intervals(table)


def as_format_3(source: Path, store: Path) -> Path:
    """Write an HDF5 recording as Zarr of format 3, references and links as hdmf-zarr has them."""
    zarr = importlib.import_module("zarr")
    with h5py.File(source) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = zarr.open_group(str(store), mode="w", zarr_format=3)
        root.attrs.update(plain_attributes(file, file))

        def put(name: str, node: h5py.Group | h5py.Dataset) -> None:
            if name.startswith("specifications"):
                return
            if isinstance(node, h5py.Group):
                made = root.create_group(name)
            elif h5py.check_ref_dtype(node.dtype):
                return
            else:
                values = node.asstr()[()] if h5py.check_string_dtype(node.dtype) else node[()]
                values = np.atleast_1d(np.asarray(values, dtype=str if node.dtype == "O" else None))
                made = root.create_array(
                    name, data=values.astype(np.dtypes.StringDType()) if values.dtype.kind == "U" else values,
                    chunks=(max(1, len(values) // 2), *values.shape[1:]),
                    config={"write_empty_chunks": True},
                )  # fmt: skip
            made.attrs.update(plain_attributes(file, node))

        # Not visititems: h5py is locked within, and Zarr writes in another thread.
        names: list[str] = []
        file.visit(names.append)
        for name in names:
            put(name, file[name])
    return store


def plain_attributes(file: h5py.File, node: h5py.Group | h5py.Dataset) -> dict:
    found = {}
    for name, value in node.attrs.items():
        if isinstance(value, h5py.Reference):
            target = {"source": ".", "path": file[value].name}
            found[name] = {"zarr_dtype": "object", "value": target}
        else:
            found[name] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return found


def edit_json(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | changes))
