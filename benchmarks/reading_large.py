"""Reading two gigabytes: 1000 neurons and 50 M spikes beside raw data, here and by http ranges.

Every reading has a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import mmap
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fresh import Figures, measure_fresh
from benchmarks.made_files import write_recording
from benchmarks.readers import DESCRIBE, LEAVES_OUT, POPDYN, PYNAPPLE
from benchmarks.reading import able_readers
from benchmarks.subject import Bar, Outcome

N_NEURONS, N_SPIKES, N_TRIALS, N_RAW = 1000, 50_000_000, 1000, 25_000_000
SPIKE_BYTES = 8 * N_SPIKES
TRIALS = "trials"
_SHOWN = 1e6


@contextmanager
def large_file() -> Iterator[tuple[Path, Path]]:
    """Make the large file, and a small one of the same form; both are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.nwb", Path(folder) / "small.nwb"
        write_recording(small, 10, 1000, 10, n_raw=1000)
        write_recording(large, N_NEURONS, N_SPIKES, N_TRIALS, N_RAW)
        yield large, small


def measure(n_calls: int = 3) -> Outcome:
    """Let every reader read the large file, in turns and each time in a process of its own."""
    outcome = Outcome("reading 2 GB: 1000 neurons, 50 M spikes, 1000 trials, and raw data")
    with large_file() as (path, small):
        able = able_readers(path, TRIALS, outcome.remarks, warm=small)
        readers = [*able, DESCRIBE]
        rounds = [
            {name: measure_fresh(name, path, TRIALS, small) for name in readers}
            for _ in range(n_calls)
        ]
    figures = {name: [one[name] for one in rounds] for name in readers}
    outcome.rows.extend(
        _row(name, found) | {"leaves_out": LEAVES_OUT.get(name, "")}
        for name, found in figures.items()
    )
    outcome.bars.extend(_bars(figures))
    return outcome


def measure_remote() -> Outcome:
    """Read the large file from a server on this machine."""
    from tests.io.range_server import RangeServer

    outcome = Outcome("reading 2 GB by http ranges, from a server on this machine")
    with large_file() as (path, small), path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        for name in (POPDYN, DESCRIBE):
            with RangeServer(content) as server:  # type: ignore[arg-type]
                found = measure_fresh(name, server.address, TRIALS, small)
                n_bytes, n_requests = server.n_bytes, len(server.gets)
            row = _row(name, [found])
            del row["MB_read"]
            fetched = {
                "requests": n_requests,
                "MB_fetched": round(n_bytes / _SHOWN, 1),
                "share_of_the_file": round(n_bytes / len(content), 4),
            }
            outcome.rows.append(row | fetched)
            ratio = round(n_bytes / SPIKE_BYTES, 4)
            outcome.bars.append(Bar(f"bytes {name} fetches over those of the spikes", ratio, 1.05))
        content.close()
    return outcome


def _row(name: str, found: list[Figures]) -> dict[str, object]:
    cpu = [one.cpu for one in found]
    peak = _median(one.peak for one in found)
    return {
        "contestant": name,
        "cpu_s": round(statistics.median(cpu), 3),
        "cpu_s_least": round(min(cpu), 3),
        "cpu_s_most": round(max(cpu), 3),
        "wall_s": round(_median(one.wall for one in found), 3),
        "peak_MB": round(peak / _SHOWN, 1),
        "peak_over_spikes": round(peak / SPIKE_BYTES, 3),
        "MB_read": round(_median(one.from_disk for one in found) / _SHOWN, 1),
        "most_reads_of_a_data_set": max(found[0].reads.values(), default=0),
        "reads_in_all": sum(found[0].reads.values()),
    }


def _bars(figures: dict[str, list[Figures]]) -> list[Bar]:
    own = figures[POPDYN]
    most = max(n for name in (POPDYN, DESCRIBE) for n in figures[name][0].reads.values())
    bars = [Bar("times popdyn reads a data set, at most", float(most), 1.0)]
    for name in (POPDYN, DESCRIBE):
        peak = round(_median(one.peak for one in figures[name]) / SPIKE_BYTES, 3)
        bars.append(Bar(f"peak memory of {name} over the {SPIKE_BYTES / _SHOWN:.0f} MB", peak, 1.5))
    if PYNAPPLE in figures:
        ratio = _median(one.cpu for one in own) / _median(one.cpu for one in figures[PYNAPPLE])
        bars.append(Bar("CPU seconds over those of pynapple", round(ratio, 3), 1.0))
    return bars


def _median(values: Iterator[float]) -> float:
    return float(statistics.median(values))
