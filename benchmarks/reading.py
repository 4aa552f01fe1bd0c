"""Reading: the shipped human recording, and a made-up file of 2000 neurons.

What costs is asking the file once per neuron; a reader that asks once per column does not
notice how many neurons there are.
"""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import popdyn as pdn
from benchmarks.measure import Contestant, race
from benchmarks.subject import Bar, Outcome

HUMAN = Path(__file__).parents[1] / "data" / "human_mtl_boundaries_sub-4_ses-4.nwb"
N_NEURONS, N_SPIKES, N_TRIALS = 2000, 4_000_000, 300


def popdyn_reads(path: Path, trials: str) -> object:
    """``popdyn.read_session``: spikes, neuron table, trial table, coverage, problems."""
    return pdn.read_session(path, trials=trials)


def h5py_reads_columns(path: Path) -> object:
    """The floor: the two columns that hold the spikes, nothing else."""
    import h5py

    with h5py.File(path, "r") as file:
        return file["units/spike_times"][:], file["units/spike_times_index"][:]


def pynwb_reads_neuron_by_neuron(path: Path) -> object:
    """What a loop over pynwb's table of units costs; spikes only."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as file:
        units = file.read().units
        return [np.asarray(units["spike_times"][row]) for row in range(len(units))]


def pynapple_reads(path: Path) -> object:
    """``pynapple.load_file`` and its group of units."""
    import pynapple as nap

    file = nap.load_file(str(path))
    group = file["units"]
    file.io.close()
    return group


def write_many(path: Path) -> None:
    """Write a file of many neurons, each with `N_SPIKES / N_NEURONS` spikes."""
    from pynwb import NWBHDF5IO, NWBFile

    rng = np.random.default_rng(2026)
    file = NWBFile("made up", "many", datetime(2020, 1, 1, tzinfo=UTC))
    for start in range(N_TRIALS):
        file.add_trial(start_time=2.0 * start, stop_time=2.0 * start + 1.5)
    for _ in range(N_NEURONS):
        times = np.sort(rng.uniform(0.0, 2.0 * N_TRIALS, N_SPIKES // N_NEURONS))
        file.add_unit(spike_times=times)
    with NWBHDF5IO(path, "w") as out:
        out.write(file)


def quiet(run: Callable[..., object], *arguments: object) -> Callable[[], object]:
    """What files have wrong with them is said elsewhere."""

    def call() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return run(*arguments)

    return call


def contestants(path: Path, trials: str, outcome: Outcome) -> list[Contestant]:
    """Every reader that is installed; the others are remarked on."""
    entrants = [
        Contestant("popdyn read_session", quiet(popdyn_reads, path, trials)),
        Contestant("pynwb, neuron by neuron (spikes)", quiet(pynwb_reads_neuron_by_neuron, path)),
        Contestant("h5py, two columns (spikes)", quiet(h5py_reads_columns, path)),
    ]
    if importlib.util.find_spec("pynapple"):
        entrants.append(Contestant("pynapple load_file", quiet(pynapple_reads, path)))
    else:
        outcome.remarks.append("pynapple is not installed: skipped (make bench installs it)")
    return entrants


def measure_human(n_calls: int = 3) -> Outcome:
    """Race the readers on the human recording."""
    outcome = Outcome("reading the human recording (35 neurons, 214,278 spikes)")
    entrants = contestants(HUMAN, "encoding_table", outcome)
    outcome.rows.extend(timing.row() for timing in race(entrants, n_calls))
    return outcome


def measure_many(n_calls: int = 3) -> Outcome:
    """Race the readers on many neurons: no slower than pynapple, which reads as much."""
    outcome = Outcome("reading 2000 neurons, 4 M spikes, 300 trials")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.nwb"
        write_many(path)
        entrants = contestants(path, "trials", outcome)
        outcome.rows.extend(timing.row() for timing in race(entrants, n_calls))
    seconds = {str(row["contestant"]): float(str(row["cpu_s"])) for row in outcome.rows}
    if "pynapple load_file" in seconds:
        ratio = seconds["popdyn read_session"] / seconds["pynapple load_file"]
        outcome.bars.append(Bar("CPU seconds over those of pynapple", round(ratio, 3), 1.0))
    return outcome
