"""How the time of reading grows with spikes, and with neurons where the spikes are as many."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.fresh import counted_reads
from benchmarks.made_files import write_recording
from benchmarks.measure import Contestant, race
from benchmarks.readers import popdyn_reads, quiet
from benchmarks.subject import Bar, Outcome

N_TRIALS = 300
SPIKES = (2_000_000, 4_000_000, 8_000_000, 16_000_000, 32_000_000)
NEURONS = (100, 1000, 10_000)


def measure_spikes(n_calls: int = 7) -> Outcome:
    """Sizes from 2 M to 32 M spikes, in turns."""
    outcome = Outcome("popdyn read_session: growth with spikes (500 neurons)")
    seconds, _ = _grow([(500, n_spikes) for n_spikes in SPIKES], outcome, n_calls)
    for row, n_spikes, least in zip(outcome.rows, SPIKES, seconds, strict=True):
        row["least_ns_per_spike"] = round(1e9 * least / n_spikes, 1)
    # The small ones hold much that does not grow; the large ones show where it leads.
    for what, some in (("all sizes", slice(None)), ("the three largest", slice(-3, None))):
        exponent = float(np.polyfit(np.log(SPIKES[some]), np.log(seconds[some]), 1)[0])
        outcome.bars.append(
            Bar(f"exponent of the least CPU seconds over spikes, {what}", round(exponent, 3), 1.1)
        )
    return outcome


def measure_neurons(n_calls: int = 5) -> Outcome:
    """The same 4 M spikes of 100, 1000 and 10,000 neurons, in turns."""
    outcome = Outcome("popdyn read_session: growth with neurons (4 M spikes)")
    seconds, n_reads = _grow([(n_neurons, 4_000_000) for n_neurons in NEURONS], outcome, n_calls)
    more = n_reads[-1] / n_reads[0]
    outcome.bars.append(Bar("reads of 10,000 neurons over those of 100", more, 1.0))
    exponent = float(np.polyfit(np.log(NEURONS), np.log(seconds), 1)[0])
    outcome.bars.append(
        Bar("exponent of the least CPU seconds over neurons", round(exponent, 3), 1.1)
    )
    return outcome


def _grow(
    sizes: list[tuple[int, int]], outcome: Outcome, n_calls: int
) -> tuple[list[float], list[int]]:
    """Race over files of several sizes; return the least CPU seconds and the reads of each."""
    n_reads = []
    with tempfile.TemporaryDirectory() as folder:
        entrants = []
        for n_neurons, n_spikes in sizes:
            path = Path(folder) / f"{n_neurons}_{n_spikes}.nwb"
            write_recording(path, n_neurons, n_spikes, N_TRIALS)
            name = f"{n_neurons} neurons, {n_spikes / 1e6:g} M spikes"
            read = partial(quiet, popdyn_reads, path, "trials")
            with counted_reads() as counts:
                read()
            n_reads.append(sum(counts.values()))
            entrants.append(Contestant(name, read))
        timings = race(entrants, n_calls)
    for timing, reads in zip(timings, n_reads, strict=True):
        outcome.rows.append(timing.row() | {"reads": reads})
    # Whether 256 MB come as few large pages or as many small ones is luck, and only ever adds.
    return [min(timing.cpu) for timing in timings], n_reads
