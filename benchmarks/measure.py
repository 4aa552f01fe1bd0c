"""How a contestant is measured: CPU time, wall time, and peak memory, each in the open.

CPU time is that of the process and of those it started and waited for.

Contestants take turns (a, b, c, a, b, c, ...), so that a machine that slows down slows all of
them.  The first call of each is kept apart: it holds compilation and first imports.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Contestant:
    """One way of doing the task: `run` takes nothing and returns what it made."""

    name: str
    run: Callable[[], object]


@dataclass
class Timing:
    """Seconds of one contestant: the first call, then every timed call."""

    name: str
    first_cpu: float = 0.0
    first_wall: float = 0.0
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def row(self) -> dict[str, object]:
        """Median, range and number of calls, as the results file keeps them."""
        return {
            "contestant": self.name,
            "cpu_s": round(statistics.median(self.cpu), 6),
            "cpu_s_least": round(min(self.cpu), 6),
            "cpu_s_most": round(max(self.cpu), 6),
            "wall_s": round(statistics.median(self.wall), 6),
            "first_call_cpu_s": round(self.first_cpu, 6),
            "n_calls": len(self.cpu),
        }


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of one call; what it made is dropped before the next."""
    gc.collect()
    wall, cpu = time.perf_counter(), cpu_seconds()
    made = run()
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    del made
    return cpu, wall


def cpu_seconds() -> float:
    """CPU seconds of this process so far, with those of the processes it started."""
    try:
        import resource
    except ImportError:  # not on Windows
        return time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def race(contestants: Sequence[Contestant], n_calls: int) -> list[Timing]:
    """Time all contestants in turns, the first call of each apart."""
    timings = [Timing(contestant.name) for contestant in contestants]
    for timing, contestant in zip(timings, contestants, strict=True):
        timing.first_cpu, timing.first_wall = timed(contestant.run)
    for _ in range(n_calls):
        for timing, contestant in zip(timings, contestants, strict=True):
            cpu, wall = timed(contestant.run)
            timing.cpu.append(cpu)
            timing.wall.append(wall)
    return timings


def peak_memory(run: Callable[[], object]) -> dict[str, float]:
    """Peak memory of one call beyond what was held before it, in bytes.

    Two views: what Python's allocators saw (`allocated`), and how far the resident size of the
    process rose (`resident`, Linux only; NaN elsewhere).
    """
    gc.collect()
    tracemalloc.start()
    made = run()
    allocated = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del made
    gc.collect()
    return {"allocated": float(allocated), "resident": resident_rise(run)}


def resident_rise(run: Callable[[], object]) -> float:
    """How far the resident size of the process rises during a call (bytes; NaN if not on Linux).

    Not by ``ru_maxrss``: in a process that a larger one started it begins with the peak of that.
    """
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        return float("nan")
    before = _status("VmRSS")
    try:
        reset.write_text("5")  # the kernel starts a new high-water mark
    except OSError:
        return float("nan")
    made = run()
    after = _status("VmHWM")
    del made
    return after - before


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024.0 * float(line.split()[1])
    return float("nan")
