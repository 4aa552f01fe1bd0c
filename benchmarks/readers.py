"""Readers of spikes, popdyn's and others': each takes a path and the name of a table of trials.

`LEAVES_OUT` says what the others do not do of what `popdyn.read_session` does: read spikes,
trials, neuron columns and observation intervals, sort, check clocks and coverage, and sum up all
of it in a digest.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import popdyn as pdn

Reader = Callable[[Path, str], object]
POPDYN = "popdyn read_session"
DESCRIBE = "popdyn describe_nwb"
PYNAPPLE = "pynapple load_file"


def popdyn_reads(path: Path, trials: str) -> object:
    """``popdyn.read_session``: spikes, neuron table, trial table, coverage, problems."""
    return pdn.read_session(path, trials=trials)


def popdyn_describes(path: Path, _trials: str) -> object:
    """``popdyn.describe_nwb`` as text: all tables and series, and every check."""
    return str(pdn.describe_nwb(path))


def h5py_reads_columns(path: Path, _trials: str) -> object:
    """The floor: the two columns that hold the spikes, nothing else."""
    import h5py

    with h5py.File(path, "r") as file:
        return file["units/spike_times"][:], file["units/spike_times_index"][:]


def pynwb_reads_neuron_by_neuron(path: Path, _trials: str) -> object:
    """What a loop over pynwb's table of units costs; spikes only."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as file:
        units = file.read().units
        return [np.asarray(units["spike_times"][row]) for row in range(len(units))]


def pynwb_reads_in_bulk(path: Path, _trials: str) -> object:
    """The column of spike times and its index in one go each, cut into views; spikes only."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as file:
        index = file.read().units.spike_times_index
        return np.split(index.target.data[:], index.data[:-1])


def pynapple_reads(path: Path, trials: str) -> object:
    """``pynapple.load_file``, its group of units and its trials."""
    import pynapple as nap

    file = nap.load_file(str(path))
    read = file["units"], file[trials] if trials in list(file) else None
    file.io.close()
    return read


def neo_reads(path: Path, _trials: str) -> object:
    """``neo.NWBIO.read_block``, not lazy: lazy, it fails on files that neo did not write."""
    import neo

    source = neo.io.NWBIO(str(path), "r")
    try:
        return source.read_block()
    finally:
        if source._io_nwb is not None:
            source._io_nwb.close()


def spikeinterface_reads(path: Path, _trials: str) -> object:
    """SpikeInterface's sorting as one vector of spikes; times become samples, here at 30 kHz."""
    from spikeinterface.extractors import read_nwb_sorting

    sorting = read_nwb_sorting(str(path), sampling_frequency=30_000.0, t_start=0.0)
    return sorting.to_spike_vector()


CONTESTANTS: dict[str, Reader] = {
    POPDYN: popdyn_reads,
    PYNAPPLE: pynapple_reads,
    "neo NWBIO": neo_reads,
    "SpikeInterface": spikeinterface_reads,
    "pynwb, neuron by neuron": pynwb_reads_neuron_by_neuron,
    "pynwb, in bulk": pynwb_reads_in_bulk,
    "h5py, two columns": h5py_reads_columns,
}
READERS = {**CONTESTANTS, DESCRIBE: popdyn_describes}
LEAVES_OUT = {
    PYNAPPLE: "checks, digest, observation intervals",
    "neo NWBIO": "checks, digest, columns of neurons",
    "SpikeInterface": "everything but spikes, which become samples",
    "pynwb, neuron by neuron": "everything but spikes",
    "pynwb, in bulk": "everything but spikes",
    "h5py, two columns": "everything but spikes and where each neuron's begin",
}
PACKAGES = {PYNAPPLE: "pynapple", "neo NWBIO": "neo", "SpikeInterface": "spikeinterface"}


def quiet(reader: Reader, path: Path, trials: str) -> object:
    """Read, without a word: what files have wrong with them is said elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return reader(path, trials)
