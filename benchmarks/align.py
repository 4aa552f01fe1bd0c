"""Align and bin: 500 neurons, 4.65 million spikes, 1000 trials x 150 bins of 10 ms.

Windows do not overlap, so that pynapple's ``build_tensor`` can run; no spike lies on an edge of
a bin, so that every contestant must find exactly the same counts.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.measure import Contestant, peak_memory, race, timed
from benchmarks.subject import Bar, Outcome

N_NEURONS, N_SPIKES, N_TRIALS, N_BINS = 500, 4_650_000, 1000, 150
BIN_WIDTH, WINDOW, TRIAL_INTERVAL = 0.010, (-0.5, 1.0), 2.0
EVENT = "cue_time"


class Recording:
    """Made-up spikes: flat times (s), offsets of the neurons, and event times (s)."""

    def __init__(self, n_spikes: int = N_SPIKES, n_trials: int = N_TRIALS) -> None:
        rng = np.random.default_rng(2026)
        duration = int(n_trials * TRIAL_INTERVAL * 1e6)
        counts = rng.multinomial(n_spikes, rng.dirichlet(np.full(N_NEURONS, 2.0)))
        self.neuron_start = np.concatenate(([0], np.cumsum(counts)))
        self.spike_time = np.empty(n_spikes)
        for start, stop in zip(self.neuron_start[:-1], self.neuron_start[1:], strict=True):
            # Half a microsecond off the grid that events and edges lie on.
            ticks = np.sort(rng.integers(0, duration, stop - start))
            self.spike_time[start:stop] = (ticks + 0.5) * 1e-6
        self.events = 0.5 + TRIAL_INTERVAL * np.arange(n_trials)

    def spikes(self) -> list[np.ndarray]:
        """Spike times (s) of each neuron."""
        return np.split(self.spike_time, self.neuron_start[1:-1])

    def session(self) -> xr.Dataset:
        """The same as a popdyn session."""
        from popdyn.tensor.session import make_session

        units = {"units": "s", "clock": "session"}
        return make_session(
            self.spike_time,
            self.neuron_start,
            trials={EVENT: self.events},
            column_attrs={EVENT: units},
        )


def plain_numpy(recording: Recording) -> np.ndarray:
    """Count with searchsorted and bincount: (neuron, time, trial) float32."""
    left = recording.events + WINDOW[0]
    n_trials = left.size
    counts = np.empty((N_NEURONS, N_BINS, n_trials), np.float32)
    for neuron, times in enumerate(recording.spikes()):
        trial = np.searchsorted(left, times, side="right") - 1
        in_bin = np.floor((times - left[trial]) / BIN_WIDTH).astype(np.int64)
        keep = (trial >= 0) & (in_bin < N_BINS)
        cell = in_bin[keep] * n_trials + trial[keep]
        counts[neuron] = np.bincount(cell, minlength=N_BINS * n_trials).reshape(N_BINS, n_trials)
    return counts


def popdyn_align(recording: Recording) -> Callable[[], xr.DataArray]:
    """``popdyn.align`` on a session made beforehand."""
    session = recording.session()
    return lambda: pdn.align(session, EVENT, WINDOW, BIN_WIDTH)


def pynapple_build_tensor(recording: Recording) -> Callable[[], np.ndarray]:
    """``pynapple.build_tensor`` on a group made beforehand."""
    import pynapple as nap

    group = nap.TsGroup({neuron: nap.Ts(t) for neuron, t in enumerate(recording.spikes())})
    epochs = nap.IntervalSet(recording.events + WINDOW[0], recording.events + WINDOW[1])
    return lambda: nap.build_tensor(group, epochs, bin_size=BIN_WIDTH)


def contestants(recording: Recording, outcome: Outcome) -> list[Contestant]:
    """Every contestant that is installed; the others are remarked on."""
    entrants = [
        Contestant("popdyn align", popdyn_align(recording)),
        Contestant("NumPy searchsorted + bincount", lambda: plain_numpy(recording)),
    ]
    if importlib.util.find_spec("pynapple"):
        entrants.append(Contestant("pynapple build_tensor", pynapple_build_tensor(recording)))
    else:
        outcome.remarks.append("pynapple is not installed: skipped (make bench installs it)")
    return entrants


def same_counts(entrants: list[Contestant], outcome: Outcome) -> None:
    """Refuse to compare the speed of contestants that count differently."""
    made = np.asarray(entrants[0].run())
    for other in entrants[1:]:
        counts = np.asarray(other.run())
        if other.name.startswith("pynapple"):  # its order is (neuron, trial, time)
            counts = counts.transpose(0, 2, 1)
        if made.shape != counts.shape or not np.array_equal(made, counts):
            message = f"{entrants[0].name} and {other.name} found different counts"
            raise RuntimeError(message)
    outcome.remarks.append(f"all contestants found the same {int(made.sum()):,} spikes in windows")


def memory_in_a_process_of_its_own(name: str) -> list[float]:
    """Peak memory of one contestant over the size of its result: allocated, resident."""
    command = [sys.executable, "-m", "benchmarks.align", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def cold_call() -> float:
    """CPU seconds of the first call where nothing was ever compiled."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.align", "cold"]
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def measure(n_calls: int = 3) -> Outcome:
    """Race, check that the counts agree, measure memory and the first call ever."""
    outcome = Outcome("align and bin: 500 neurons, 4.65 M spikes, 1000 trials x 150 bins")
    recording = Recording()
    entrants = contestants(recording, outcome)
    timings = {timing.name: timing.row() for timing in race(entrants, n_calls)}
    same_counts(entrants, outcome)
    for name, row in timings.items():
        allocated, resident = memory_in_a_process_of_its_own(name)
        row["memory_over_result"] = round(max(allocated, resident), 3)
        outcome.rows.append(row)
    outcome.remarks.append(f"popdyn align, compiled for the first time: {cold_call():.2f} s CPU")
    ours = timings["popdyn align"]
    outcome.bars.append(Bar("CPU seconds of align", float(ours["cpu_s"]), 0.6))
    outcome.bars.append(
        Bar("peak memory of align over its result", float(ours["memory_over_result"]), 1.5)
    )
    if "pynapple build_tensor" in timings:
        ratio = float(timings["pynapple build_tensor"]["cpu_s"]) / float(ours["cpu_s"])
        bar = Bar("times faster than pynapple build_tensor", round(ratio, 2), 7.0, at_most=False)
        outcome.bars.append(bar)
    return outcome


def measure_spike_growth(n_calls: int = 5) -> Outcome:
    """More spikes in the same trials: time must not grow faster than spikes."""
    outcome = Outcome("align: growth with the number of spikes (500 neurons, 1000 trials)")
    sizes = [N_SPIKES, 2 * N_SPIKES, 4 * N_SPIKES]
    entrants = [
        Contestant(f"popdyn align, {size / 1e6:.2f} M spikes", popdyn_align(Recording(size)))
        for size in sizes
    ]
    return _growth(outcome, entrants, n_calls)


def measure_trial_growth(n_calls: int = 5) -> Outcome:
    """More trials, and spikes with them: nothing may be quadratic in trials."""
    outcome = Outcome("align: growth with the number of trials (500 neurons, 1163 spikes a trial)")
    entrants = [
        Contestant(f"popdyn align, {n} trials", popdyn_align(Recording(1163 * n, n)))
        for n in (500, 1000, 2000)
    ]
    return _growth(outcome, entrants, n_calls)


def _growth(outcome: Outcome, entrants: list[Contestant], n_calls: int) -> Outcome:
    """Race three sizes, each twice the one before: the second rise is twice the first.

    Of the least seconds: what others do to the memory of the machine only ever adds.
    """
    seconds = []
    for timing in race(entrants, n_calls):
        outcome.rows.append(timing.row())
        seconds.append(min(timing.cpu))
    growth = (seconds[2] - seconds[1]) / max(seconds[1] - seconds[0], 1e-9)
    text = "growth from 2x to 4x over growth from 1x to 2x (linear: 2)"
    outcome.bars.append(Bar(text, round(growth, 2), 3.0))
    return outcome


def _print_memory(name: str) -> None:
    """Entry of the process that measures one contestant's memory."""
    recording = Recording()
    (entrant,) = [c for c in contestants(recording, Outcome("memory")) if c.name == name]
    made = entrant.run()
    size = np.asarray(made).nbytes
    del made
    peak = peak_memory(entrant.run)
    print(peak["allocated"] / size, peak["resident"] / size)


def _print_cold_call() -> None:
    """Entry of the process that compiles for the first time."""
    run = popdyn_align(Recording(50_000, 10))
    print(timed(run)[0])


if __name__ == "__main__":
    if sys.argv[1] == "cold":
        _print_cold_call()
    else:
        _print_memory(sys.argv[1])
