"""Build NWB files for tests: a small sound one, to be damaged by the tests."""

from __future__ import annotations

import datetime
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pynwb
import xarray as xr

import popdyn as pdn

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
HUMAN = DATA / "human_mtl_boundaries_sub-4_ses-4.nwb"
THALAMUS = DATA / "mouse_thalamus_delay_anm00239123.nwb"
ALM = {name: DATA / f"mouse_alm_delay_anm{name}.nwb" for name in ("369963", "372793")}
SHIPPED = [HUMAN, THALAMUS, *ALM.values()]
# Starts of ten trials (s).
STARTS = np.arange(10) * 5.0
# Files that are not part of the project lie beside a checkout, or are not there.
BESIDE = ROOT.parent / "shared" / "data"


def beside(folder: str) -> list[Path]:
    return sorted((BESIDE / folder).glob("*.nwb"))


def empty_file(**arguments: Any) -> pynwb.NWBFile:
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    return pynwb.NWBFile(**{
        "session_description": "a test", "identifier": "made/for tests",
        "session_start_time": start, **arguments,
    })  # fmt: skip


def save(content: pynwb.NWBFile, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pynwb.NWBHDF5IO(str(path), "w") as writer:
            writer.write(content)
    return path


def make_file(
    path: Path,
    spikes: Sequence[Any] = ((0.1, 0.5, 1.2, 5.5), (0.3, 2.2, 4.4)),
    trials: Mapping[str, Sequence[Any]] | None = None,
    *,
    table: str = "trials",
    descriptions: Mapping[str, str] | None = None,
    neurons: Mapping[str, Sequence[Any]] | None = None,
    **arguments: Any,
) -> Path:
    """Write a file with one neuron per list of spike times and one interval table."""
    content = empty_file(**arguments)
    if trials is None:
        trials = {"start_time": [0.0, 2.0, 4.0], "stop_time": [1.5, 3.5, 5.5]}
    add_units(content, spikes, neurons or {})
    add_intervals(content, table, trials, descriptions or {})
    return save(content, path)


def add_units(
    content: pynwb.NWBFile, spikes: Sequence[Any], columns: Mapping[str, Sequence[Any]]
) -> None:
    known = {"id", "electrodes", "electrode_group", "obs_intervals"}
    for name in columns:
        if name not in known:
            content.add_unit_column(name, f"about {name}")
    for row, times in enumerate(spikes):
        values = {name: column[row] for name, column in columns.items()}
        content.add_unit(spike_times=np.asarray(times, dtype=float), **values)


def add_intervals(
    content: pynwb.NWBFile,
    name: str,
    columns: Mapping[str, Sequence[Any]],
    descriptions: Mapping[str, str],
) -> None:
    table = pynwb.epoch.TimeIntervals(name=name, description="rows")
    for column in columns:
        if column not in ("start_time", "stop_time", "tags"):
            is_ragged = isinstance(columns[column][0], list)
            about = descriptions.get(column, f"about {column}")
            table.add_column(column, about, index=is_ragged)
    n_rows = len(columns["start_time"])
    for row in range(n_rows):
        table.add_row(**{column: values[row] for column, values in columns.items()})
    if name == "trials":
        content.trials = table
    else:
        content.add_time_intervals(table)


def problems(session: xr.Dataset) -> str:
    return "\n".join(json.loads(session.attrs["problems"]))


def described(path: Path) -> str:
    return "\n".join(pdn.describe_nwb(path).problems)


def replace_dataset(path: Path, name: str, values: Any) -> None:
    with h5py.File(path, "r+") as file:
        attrs = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attrs)
        if f"{name}_index" in file:
            file[f"{name}_index"].attrs["target"] = file[name].ref


def trials(**columns: Any) -> dict[str, Any]:
    return {"start_time": STARTS, "stop_time": STARTS + 4.0, **columns}
