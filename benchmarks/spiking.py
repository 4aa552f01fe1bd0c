"""Spiking networks: leaky integrate-and-fire neurons, exponential synapses, about 14 Hz.

Loops only: what is built before the first step (and compiled, and connected) is not counted, for
nobody.  CPU seconds of one thread, the least of several runs in turns: other work on the machine
only adds.  Two threads against one is measured in wall seconds and means something on a machine
that does nothing else.
Brian2 runs in an interpreter of its own (``BRIAN2_PYTHON``), because it needs an older NumPy.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

import popdyn as pdn
from benchmarks.subject import Bar, Outcome
from popdyn.network import Spiking
from popdyn.simulation.spiking_setup import first_state, prepare
from popdyn.simulation.spiking_trial import Wish, run_trial

SECONDS, DT, BIAS = 10.0, 0.001, 1.15
LIMITS = {"cpp_standalone": {"float64": 4.0, "float32": 9.0}, "cython": {"float64": 20.0}}
PROGRAM = Path(__file__).with_name("brian2_loop.py")


def network(n_neurons: int, density: float = 1.0, dt: float = DT) -> Spiking:
    """The network of the race, as in `brian2_loop.py`."""
    return Spiking.random(
        n_neurons, density=density, tau_fast=0.010, bias=BIAS, refractory=0.002, dt=dt, rng=0
    )


class Steps:
    """The steps of one trial, set up before the clock starts."""

    def __init__(self, net: Spiking, dtype: str, seconds: float = SECONDS) -> None:
        self.net, self.machine = net, prepare(net, dtype)
        self.inputs = np.zeros((round(seconds / net.dt), 1))
        self.n_spikes = 0
        self()

    def __call__(self) -> float:
        """Run once from the same start; return the CPU seconds."""
        state = first_state(self.machine, np.random.default_rng(0).random(self.net.n_neurons))
        start = time.thread_time()
        quiet = np.random.default_rng(0)
        trace = run_trial(self.machine, state, self.inputs, np.zeros(()), quiet, Wish(10))
        seconds = time.thread_time() - start
        self.n_spikes = trace.spike_neuron.size
        return seconds


def numpy_steps(net: Spiking, seconds: float = SECONDS) -> Callable[[], float]:
    """The same equations in NumPy, one matrix product with the spikes per step."""
    constants = prepare(net).constants
    weights = net.recurrent_fast

    def run() -> float:
        v = np.random.default_rng(0).random(net.n_neurons)
        current, left = np.zeros_like(v), np.zeros_like(v)
        start = time.thread_time()
        for _ in range(round(seconds / net.dt)):
            v = constants.leak * v + constants.gain * net.bias + constants.gain_fast * current
            v[left > 0] = 0.0
            left -= 1
            current *= constants.decay[0]
            spikes = v >= 1.0
            if spikes.any():
                current += weights @ spikes
                v[spikes], left[spikes] = 0.0, 2.0
        return time.thread_time() - start

    return run


def brian2_python() -> str | None:
    """The interpreter that has Brian2, if there is one."""
    if "BRIAN2_PYTHON" in os.environ:
        return os.environ["BRIAN2_PYTHON"]
    return sys.executable if importlib.util.find_spec("brian2") else None


def brian2_loops(target: str, n_neurons: int, n_runs: int) -> tuple[float, list[float]]:
    """Rate (Hz) and seconds of each loop, in a process of its own."""
    command = [brian2_python(), PROGRAM, target, str(n_neurons), str(SECONDS), str(n_runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rate, *loops = map(float, done.stdout.split())
    return rate, loops


def in_turns(runs: dict[str, Callable[[], float]], n_runs: int) -> dict[str, float]:
    """Least seconds of each contestant, taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(n_runs):
        for name, run in runs.items():
            seconds[name].append(run())
    return {name: min(values) for name, values in seconds.items()}


def row(
    name: str, seconds: float, n_neurons: int, rate: float, dt: float = DT
) -> dict[str, object]:
    """One line of the table."""
    per_second = n_neurons * SECONDS / dt / seconds / 1e6
    return {
        "contestant": name,
        "cpu_s": round(seconds, 5),
        "million_neuron_steps_per_s": round(per_second, 1),
        "rate_hz": round(rate, 2),
    }


def measure_one_trial(n_runs: int = 7) -> Outcome:
    """Race on one trial of 10 s, N=400 and N=1000, dense."""
    outcome = Outcome("spiking: one trial of 10 s, dense, dt 1 ms")
    for n_neurons in (400, 1000):
        net = network(n_neurons)
        # On one thread, as everybody else here.
        both = {dtype: Steps(net, dtype) for dtype in ("float64", "float32")}
        with threadpool_limits(1):
            least = in_turns({**both, "NumPy": numpy_steps(net)}, n_runs)
        for dtype, steps in both.items():
            rate = steps.n_spikes / n_neurons / SECONDS
            name = f"popdyn {dtype}, N={n_neurons}"
            outcome.rows.append(row(name, least[dtype], n_neurons, rate))
        outcome.rows.append(row(f"NumPy, N={n_neurons}", least["NumPy"], n_neurons, rate))
        if brian2_python() is None:
            outcome.remarks.append("Brian2 is not installed (BRIAN2_PYTHON): skipped")
            continue
        for target, runs in (("cpp_standalone", n_runs), ("cython", 2)):
            rate, loops = brian2_loops(target, n_neurons, runs)
            outcome.rows.append(row(f"Brian2 {target}, N={n_neurons}", min(loops), n_neurons, rate))
            bars = (
                {"float64": 4.0, "float32": 9.0} if target == "cpp_standalone" else {"float64": 20}
            )
            for dtype, limit in bars.items():
                text = f"N={n_neurons}: {dtype} times faster than Brian2 {target}"
                ratio = round(min(loops) / least[dtype], 2)
                outcome.bars.append(Bar(text, ratio, limit, at_most=False))
    return outcome


@njit(nogil=True, error_model="numpy", fastmath=True)
def read_all(values: np.ndarray) -> float:
    """Read a matrix once: the fastest that weights can come in."""
    total = values[0, 0] - values[0, 0]
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            total += values[i, j]
    return total


def measure_bandwidth(n_runs: int = 7) -> Outcome:
    """Weights read per second, beside plain reading of the same matrix."""
    outcome = Outcome("spiking: share of the read bandwidth, single precision")
    for n_neurons in (1000, 2000, 4000):
        net = network(n_neurons)
        steps = Steps(net, "float32", seconds=2.0)
        rows = steps.machine.weights.fast.rows
        n_reads = max(1, 200_000_000 // rows.nbytes)

        def read(rows: np.ndarray = rows, n_reads: int = n_reads) -> float:
            start = time.thread_time()
            for _ in range(n_reads):
                read_all(rows)
            return time.thread_time() - start

        read()
        least = in_turns({"steps": steps, "read": read}, n_runs)
        plain = rows.nbytes * n_reads / least["read"] / 1e9
        ours = steps.n_spikes * n_neurons * 4 / least["steps"] / 1e9
        outcome.rows.append(
            {
                "contestant": f"popdyn float32, N={n_neurons}",
                "weights_gb_per_s": round(ours, 2),
                "plain_reading_gb_per_s": round(plain, 2),
            }
        )
        text = f"N={n_neurons}: weights read over plain reading"
        outcome.bars.append(Bar(text, round(ours / plain, 2), 0.7, at_most=False))
    return outcome


def measure_threads(n_runs: int = 5) -> Outcome:
    """A batch of trials through `simulate`, on one thread and on two."""
    import xarray as xr

    outcome = Outcome("spiking: batches of 1 s trials through simulate, one thread and two")
    outcome.remarks.append(f"load at the start: {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores")
    for n_neurons, n_trials in ((1000, 40), (5000, 8)):
        net = network(n_neurons)
        inputs = xr.DataArray(np.zeros((1, 1000, n_trials)), dims=("channel", "step_time", "trial"))
        trials = xr.Dataset({"inputs": inputs}, attrs={"dt": net.dt})

        def run(n_jobs: int, net: Spiking = net, trials: xr.Dataset = trials) -> float:
            start = time.perf_counter()
            pdn.simulate(net, trials, record=("spikes",), n_jobs=n_jobs)
            return time.perf_counter() - start

        run(1)
        least = in_turns({f"{n}": lambda n=n, run=run: run(n) for n in (1, 2)}, n_runs)
        name = f"N={n_neurons}, {n_trials} trials"
        for n, seconds in least.items():
            outcome.rows.append({"contestant": f"{name}, threads {n}", "wall_s": round(seconds, 4)})
        ratio = round(least["1"] / least["2"], 2)
        outcome.bars.append(Bar(f"{name}: gain of the second core", ratio, 1.8, at_most=False))
    return outcome


def measure_growth(n_runs: int = 3) -> Outcome:
    """Cost against size, density and step."""
    outcome = Outcome("spiking: cost of 2 s against size, density and step (float64)")
    cases = [(n, 1.0, DT) for n in (250, 500, 1000, 2000, 4000)]
    cases += [(4000, density, DT) for density in (0.2, 0.1, 0.05, 0.01)]
    cases += [(1000, 1.0, dt) for dt in (0.0005, 0.0001)]
    runs = {
        f"N={n}, density {density:g}, dt {dt * 1e3:g} ms": Steps(
            network(n, density, dt), "float64", 2.0
        )
        for n, density, dt in cases
    }
    for name, seconds in in_turns(runs, n_runs).items():
        n_steps = len(runs[name].inputs)
        outcome.rows.append(
            {
                "contestant": name,
                "cpu_s": round(seconds, 5),
                "us_per_step": round(1e6 * seconds / n_steps, 3),
                "rate_hz": round(runs[name].n_spikes / runs[name].net.n_neurons / 2.0, 2),
            }
        )
    return outcome


SUBJECTS = {
    "spiking": measure_one_trial,
    "spiking_bandwidth": measure_bandwidth,
    "spiking_threads": measure_threads,
    "spiking_growth": measure_growth,
}

if __name__ == "__main__":
    from benchmarks.__main__ import table

    for name in sys.argv[1:] or SUBJECTS:
        print(table(SUBJECTS[name]()))
