"""Small sound files of several layouts, the same bytes whenever they are made, to be damaged."""

from __future__ import annotations

import datetime
import random
import uuid
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np
import pynwb
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.common import DynamicTable

from tests.io.recordings import ALM, BESIDE, HUMAN, THALAMUS, add_intervals, empty_file

_BEGIN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_N_TRIALS = 12
# Name of each source and of the table whose rows are its trials.
TABLES = {
    "plain": "trials",
    "compressed": "trials",
    "newest": "trials",
    "checked": "trials",
    "one neuron": "trials",
    "human": "encoding_table",
    "alm": "trials",
    "thalamus": "trials",
    "obs_intervals": "trials",
    "intervals": "epochs",
}
_ON_DISK = {
    "human": HUMAN,
    "alm": ALM["369963"],
    "thalamus": THALAMUS,
    "obs_intervals": BESIDE / "awkward" / "synthetic_obs_intervals.nwb",
    "intervals": BESIDE / "awkward" / "nwbexplorer_test_TimeIntervals.nwb",
}
# How the columns of made files are stored, and with which version of HDF5's own format.
_LAYOUTS: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({}, "earliest"),
    "one neuron": ({}, "earliest"),
    "compressed": ({"compression": "gzip", "shuffle": True, "chunks": (8,)}, "earliest"),
    "newest": ({"compression": "lzf", "chunks": (8,)}, "latest"),
    "checked": ({"fletcher32": True, "chunks": (16,)}, "latest"),
}


def source(name: str, folder: Path) -> Path | None:
    """Return a sound file by name, made in a folder if need be; None if it is not here."""
    if name in _ON_DISK:
        return _ON_DISK[name] if _ON_DISK[name].is_file() else None
    path = folder / f"{name.replace(' ', '_')}.nwb"
    return path if path.is_file() else _make(name, path)


def _make(name: str, path: Path) -> Path:
    storage, version = _LAYOUTS[name]
    names = random.Random(name)

    def same_uuid() -> uuid.UUID:
        return uuid.UUID(int=names.getrandbits(128), version=4)

    with warnings.catch_warnings(), mock.patch("hdmf.container.uuid4", same_uuid):
        warnings.simplefilter("ignore")
        content = _content(1 if name == "one neuron" else 4)
        if storage:
            for table in (content.units, content.trials, content.electrodes):
                _store(table, storage)
        with (
            h5py.File(path, "w", libver=version) as file,
            pynwb.NWBHDF5IO(file=file, mode="w") as writer,
        ):
            writer.write(content, cache_spec=False)
    return path


def _store(table: DynamicTable, storage: dict[str, Any]) -> None:
    for column in (table.id, *table.columns):
        numbers = np.asarray(column.data)
        if numbers.dtype.kind in "iuf" and numbers.ndim == 1:
            column.set_data_io(H5DataIO, dict(storage))


def _content(n_neurons: int) -> pynwb.NWBFile:
    rng = np.random.default_rng(20)
    content = empty_file(file_create_date=_BEGIN, timestamps_reference_time=_BEGIN)
    device = content.create_device(name="probe")
    groups = [
        content.create_electrode_group(f"shank{k}", "of a probe", place, device)
        for k, place in enumerate(("ALM", "thalamus"))
    ]
    for k in range(6):
        content.add_electrode(group=groups[k % 2], location=groups[k % 2].location)
    content.add_unit_column("quality", "how good")
    content.add_unit_column("depth", "below the surface (um)")
    for k in range(n_neurons):
        content.add_unit(
            spike_times=np.sort(rng.uniform(0, 60, 40 + 10 * k)).round(6),
            obs_intervals=[[0.0, 20.0 + k], [25.0, 60.0]],
            electrodes=[k, k + 1],
            electrode_group=groups[k % 2],
            quality=("good", "fair")[k % 2],
            depth=100.0 * k + 50.0,
        )
    start = np.arange(_N_TRIALS) * 5.0
    add_intervals(content, "trials", _trials(start, rng), {})
    content.trials.add_column(
        "outcome", "what came of it", data=[k % 3 for k in range(_N_TRIALS)],
        enum=["hit", "miss", "early"],
    )  # fmt: skip
    add_intervals(content, "rests", {"start_time": [1.0, 30.0], "stop_time": [2.0, 33.0]}, {})
    pupil = pynwb.TimeSeries(name="pupil", data=rng.normal(size=50), unit="mm", rate=10.0)
    content.add_acquisition(pupil)
    return content


def _trials(start: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    n = start.size
    return {
        "start_time": start,
        "stop_time": start + 4.0,
        "go_time": start + rng.uniform(1.0, 2.0, n).round(6),
        "choice": [("left", "right")[k % 2] for k in range(n)],
        "correct": [bool(k % 2) for k in range(n)],
        "n_licks": rng.integers(0, 9, n),
        "contrast": rng.uniform(0, 1, n).astype(np.float32),
        "position": rng.normal(size=(n, 2)).round(3),
        "tags": [["a", "b"][: 1 + k % 2] for k in range(n)],
    }
