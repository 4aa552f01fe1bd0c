"""Reading: the shipped human recording (35 neurons, 214,278 spikes) from its NWB file."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import numpy as np

import popdyn as pdn
from benchmarks.measure import Contestant, race
from benchmarks.subject import Outcome

FILE = Path(__file__).parents[1] / "data" / "human_mtl_boundaries_sub-4_ses-4.nwb"


def popdyn_reads() -> object:
    """``popdyn.read_session``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pdn.read_session(FILE, trials="encoding_table")


def h5py_reads_columns() -> object:
    """The floor: the two columns that hold the spikes, nothing else."""
    import h5py

    with h5py.File(FILE, "r") as file:
        return file["units/spike_times"][:], file["units/spike_times_index"][:]


def pynwb_reads_neuron_by_neuron() -> object:
    """What a loop over pynwb's table of units costs."""
    from pynwb import NWBHDF5IO

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(FILE, "r") as file:
            units = file.read().units
            return [np.asarray(units["spike_times"][row]) for row in range(len(units))]


def pynapple_reads() -> object:
    """``pynapple.load_file`` and its group of units."""
    import pynapple as nap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = nap.load_file(str(FILE))
        group = file["units"]
        file.io.close()
    return group


def measure(n_calls: int = 3) -> Outcome:
    """Race the readers."""
    outcome = Outcome("reading the human recording (35 neurons, 214,278 spikes)")
    entrants = [
        Contestant("popdyn read_session", popdyn_reads),
        Contestant("pynwb, neuron by neuron (spikes only)", pynwb_reads_neuron_by_neuron),
        Contestant("h5py, two columns (spikes only)", h5py_reads_columns),
    ]
    if importlib.util.find_spec("pynapple"):
        entrants.append(Contestant("pynapple load_file", pynapple_reads))
    else:
        outcome.remarks.append("pynapple is not installed: skipped (make bench installs it)")
    outcome.rows.extend(timing.row() for timing in race(entrants, n_calls))
    return outcome
