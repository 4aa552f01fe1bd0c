"""Files made for the benchmarks: many neurons, or two gigabytes; written a piece at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

_PIECE = 1_000_000
_N_CHANNELS = 32
# s from one trial to the next, and of a trial.
_PERIOD, _TRIAL = 7.0, 5.0


def write_recording(
    path: Path, n_neurons: int, n_spikes: int, n_trials: int, n_raw: int = 0
) -> None:
    """Write a recording of neurons that fire at different rates, and of raw data beside them.

    Parameters
    ----------
    path : Path
    n_neurons, n_spikes, n_trials : int
        How many in the whole file.
    n_raw : int
        Samples of raw data on 32 channels, two bytes each; none by default.
    """
    import h5py
    from pynwb import NWBHDF5IO

    rng = np.random.default_rng(2026)
    duration = _PERIOD * n_trials
    n_each = rng.multinomial(n_spikes, rng.dirichlet(np.full(n_neurons, 3.0)))
    file = _skeleton(n_each, n_trials, n_raw)
    with NWBHDF5IO(path, "w") as out:
        out.write(file)
    with h5py.File(path, "r+") as content:
        spikes = content["units/spike_times"]
        first = 0
        for n_own in n_each.tolist():
            spikes[first : first + n_own] = np.sort(rng.uniform(0.0, duration, n_own))
            first += n_own
        for start in range(0, n_raw, _PIECE):
            stop = min(start + _PIECE, n_raw)
            noise = rng.integers(-100, 100, (stop - start, _N_CHANNELS), dtype=np.int16)
            content["acquisition/raw/data"][start:stop] = noise


def _skeleton(n_each: np.ndarray, n_trials: int, n_raw: int) -> Any:
    """Everything but the bulk, which has a place of the right size."""
    from hdmf.backends.hdf5 import H5DataIO
    from hdmf.common import VectorData, VectorIndex
    from pynwb import NWBFile, TimeSeries
    from pynwb.misc import Units

    def place(*shape: int, dtype: type) -> Any:
        return H5DataIO(shape=shape, dtype=np.dtype(dtype))

    file = NWBFile("made up", "made up", datetime(2020, 1, 1, tzinfo=UTC))
    for row in range(n_trials):
        file.add_trial(start_time=_PERIOD * row, stop_time=_PERIOD * row + _TRIAL)
    n_neurons = n_each.size
    spikes = VectorData(
        name="spike_times", description="s", data=place(int(n_each.sum()), dtype=np.float64)
    )
    whole = np.tile([0.0, _PERIOD * n_trials], (n_neurons, 1))
    observed = VectorData(name="obs_intervals", description="s", data=whole)
    quality = VectorData(
        name="quality", description="of sorting", data=np.linspace(0, 1, n_neurons)
    )
    spike_ends = VectorIndex(name="spike_times_index", data=np.cumsum(n_each), target=spikes)
    rows = np.arange(n_neurons)
    observed_ends = VectorIndex(name="obs_intervals_index", data=rows + 1, target=observed)
    file.units = Units(
        name="units",
        description="made up",
        id=rows,
        columns=[spikes, spike_ends, observed, observed_ends, quality],
        colnames=["spike_times", "obs_intervals", "quality"],
    )
    if n_raw:
        data = place(n_raw, _N_CHANNELS, dtype=np.int16)
        file.add_acquisition(TimeSeries(name="raw", data=data, rate=30_000.0, unit="V"))
    return file
