"""Writing: a session of 500 neurons and 2 M spikes, by popdyn and by pynwb's own ways."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.made_files import write_recording
from benchmarks.measure import Contestant, race
from benchmarks.subject import Bar, Outcome

N_NEURONS, N_SPIKES, N_TRIALS = 500, 2_000_000, 300
_LOOP = "pynwb, add_unit for each neuron"
_POPDYN = "popdyn write_nwb"


def popdyn_writes(session: xr.Dataset, path: Path) -> None:
    """``popdyn.write_nwb``: all columns, header, checked, moved into place when complete."""
    pdn.write_nwb(path, session, overwrite=True)


def pynwb_adds_units(session: xr.Dataset, path: Path) -> None:
    """Spikes, observation intervals and trials, a row at a time, as tutorials do."""
    from pynwb import NWBHDF5IO

    file = _file_with_trials(session)
    file.add_unit_column("quality", "of sorting")
    starts, times = session["neuron_start"].values, session["spike_time"].values
    for row, (first, last) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        interval = [float(session[name].values[row]) for name in ("obs_start", "obs_stop")]
        quality = float(session["quality"].values[row])
        file.add_unit(spike_times=times[first:last], obs_intervals=[interval], quality=quality)
    with NWBHDF5IO(path, "w") as out:
        out.write(file)


def pynwb_writes_columns(session: xr.Dataset, path: Path) -> None:
    """The spikes as one column with its index: the floor within pynwb, spikes and trials only."""
    from hdmf.common import VectorData, VectorIndex
    from pynwb import NWBHDF5IO
    from pynwb.misc import Units

    file = _file_with_trials(session)
    starts = session["neuron_start"].values
    times = session["spike_time"].values
    spikes = VectorData(name="spike_times", description="s", data=times)
    ends = VectorIndex(name="spike_times_index", data=starts[1:], target=spikes)
    file.units = Units(
        name="units",
        description="made up",
        id=np.arange(starts.size - 1),
        columns=[spikes, ends],
        colnames=["spike_times"],
    )
    with NWBHDF5IO(path, "w") as out:
        out.write(file)


def _file_with_trials(session: xr.Dataset) -> Any:
    from pynwb import NWBFile

    file = NWBFile("made up", "made up", datetime(2020, 1, 1, tzinfo=UTC))
    bounds = zip(session["start_time"].values, session["stop_time"].values, strict=True)
    for start, stop in bounds:
        file.add_trial(start_time=float(start), stop_time=float(stop))
    return file


WRITERS: dict[str, tuple[Callable[[xr.Dataset, Path], None], str]] = {
    _POPDYN: (popdyn_writes, ""),
    _LOOP: (pynwb_adds_units, "checks, electrodes; not atomic"),
    "pynwb, columns at once": (pynwb_writes_columns, "everything but spikes and trials"),
}


def measure(n_calls: int = 5) -> Outcome:
    """Race the writers, and look whether the spikes came back."""
    outcome = Outcome("writing 500 neurons, 2 M spikes, 300 trials")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.nwb"
        write_recording(made, N_NEURONS, N_SPIKES, N_TRIALS)
        session = pdn.read_session(made)
        runs = {
            name: partial(write, session, Path(folder) / f"{number}.nwb")
            for number, (name, (write, _)) in enumerate(WRITERS.items())
        }
        timings = race([Contestant(name, run) for name, run in runs.items()], n_calls)
        for number, timing in enumerate(timings):
            path = Path(folder) / f"{number}.nwb"
            back = pdn.read_session(path)
            more = {
                "file_MB": round(path.stat().st_size / 1e6, 1),
                "spikes_as_before": back["spike_time"].equals(session["spike_time"]),
                "leaves_out": WRITERS[timing.name][1],
            }
            outcome.rows.append(timing.row() | more)
    seconds = {timing.name: float(np.median(timing.cpu)) for timing in timings}
    ratio = round(seconds[_POPDYN] / seconds[_LOOP], 3)
    outcome.bars.append(Bar("CPU seconds over those of pynwb's add_unit", ratio, 1.0))
    return outcome
