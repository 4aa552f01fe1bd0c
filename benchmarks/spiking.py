"""Spiking networks: leaky integrate-and-fire neurons, exponential synapses, about 14 Hz.

Loops only: what is built before the first step (and compiled, and connected) is not counted, for
nobody.  CPU seconds of one thread, the least of several runs in turns: other work on the machine
only adds.  Peers that run in processes of their own take their turns between the runs of popdyn.
Brian2 has an interpreter of its own (``BRIAN2_PYTHON``, see the Makefile), because it needs an
older NumPy; what it does at each ``run`` before the first step is in the figures of its cython and
numpy targets (as a loop of 1 ms, which is shown beside them), not in those of cpp_standalone.
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

from benchmarks.rate import gemm_seconds
from benchmarks.spiking_peers import Batch, installed, spent
from benchmarks.subject import Bar, Outcome
from popdyn.network import Spiking
from popdyn.simulation.spiking_setup import first_state, prepare
from popdyn.simulation.spiking_trial import Wish, run_trial

SECONDS, DT, BIAS = 10.0, 0.001, 1.15
FOLDER = Path(__file__).parent
# Times faster than each, by precision.
LIMITS = {
    "Brian2 cpp_standalone": {"float64": 4.0, "float32": 9.0},
    "Brian2 cython": {"float64": 20.0},
    "NEST": {"float64": 10.0},
}
BATCH_LIMITS = {"jax": 6.0, "torch": 8.0, "norse": 8.0, "snntorch": 8.0}
WHY = {
    "N=1000, float64: times faster than Brian2 cython": (
        "Brian2 makes 25 to 30 million neuron-steps per second here, not the 2.6 that the bar was "
        "set by: a twentieth of its time is about half of what plain reading of the weights of "
        "all spikes takes"
    ),
}


def network(n_neurons: int, density: float = 1.0, dt: float = DT) -> Spiking:
    """The network of the race, as in `brian2_loop.py`."""
    return Spiking.random(
        n_neurons,
        density=density,
        tau_fast=0.010,
        bias=BIAS,
        refractory=0.002,
        output_slow=np.zeros((1, n_neurons)),  # nobody else reads out
        dt=dt,
        rng=0,
    )


class Steps:
    """The steps of one trial, set up before the clock starts."""

    def __init__(
        self, net: Spiking, dtype: str, seconds: float = SECONDS, layout: str | None = None
    ) -> None:
        self.net, self.machine = net, prepare(net, dtype, layout)
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


class NumPySteps:
    """The same equations in NumPy, one matrix product with the spikes per step."""

    def __init__(self, net: Spiking, seconds: float = SECONDS) -> None:
        self.net, self.constants = net, prepare(net).constants
        self.n_steps = round(seconds / net.dt)
        self.n_spikes = 0

    def __call__(self) -> float:
        """Run once from the same start; return the CPU seconds."""
        net, constants = self.net, self.constants
        v = np.random.default_rng(0).random(net.n_neurons)
        current, left = np.zeros_like(v), np.zeros_like(v)
        self.n_spikes = 0
        start = time.thread_time()
        for _ in range(self.n_steps):
            v = constants.leak * v + constants.gain * net.bias + constants.gain_fast * current
            v[left > 0] = 0.0
            left -= 1
            current *= constants.decay[0]
            spikes = v >= 1.0
            if spikes.any():
                current += net.recurrent_fast @ spikes
                v[spikes], left[spikes] = 0.0, 2.0
                self.n_spikes += int(spikes.sum())
        return time.thread_time() - start


def brian2_python() -> str | None:
    """The interpreter that has Brian2, if there is one."""
    named = os.environ.get("BRIAN2_PYTHON", "")
    if named and Path(named).exists():
        return named
    return sys.executable if importlib.util.find_spec("brian2") else None


def programs() -> dict[str, list[str]]:
    """Command of each peer that runs by itself: arguments are neurons, seconds and runs."""
    found = {}
    python = brian2_python()
    if python is not None:
        for target in ("cpp_standalone", "cython", "numpy"):
            found[f"Brian2 {target}"] = [python, str(FOLDER / "brian2_loop.py"), target]
    if importlib.util.find_spec("nest") is not None:
        found["NEST"] = [sys.executable, str(FOLDER / "nest_loop.py")]
    return found


def loops_of(command: list[str], n_neurons: int, seconds: float, n_runs: int) -> list[float]:
    """Rate (Hz) and seconds of each loop, in a process of its own."""
    command = [*command, str(n_neurons), str(seconds), str(n_runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # What others print about themselves comes first.
    return [float(number) for number in done.stdout.strip().splitlines()[-1].split()]


def in_turns(runs: dict[str, Callable[[], float]], n_runs: int) -> dict[str, float]:
    """Least seconds of each contestant, taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(n_runs):
        for name, run in runs.items():
            seconds[name].append(run())
    return {name: min(values) for name, values in seconds.items()}


@njit(nogil=True, error_model="numpy", fastmath=True)
def read_all(values: np.ndarray) -> float:
    """Read a matrix once: the fastest that weights can come in."""
    total = values[0, 0] - values[0, 0]
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            total += values[i, j]
    return total


def reader(rows: np.ndarray) -> Callable[[], float]:
    """Seconds of plain reading per GB of a matrix that was read before."""
    n_reads = max(1, 200_000_000 // rows.nbytes)

    def read() -> float:
        start = time.thread_time()
        for _ in range(n_reads):
            read_all(rows)
        return (time.thread_time() - start) / n_reads / rows.nbytes * 1e9

    read()
    return read


def share_of_reading(steps: Steps, seconds: float, per_gb: float) -> float:
    """Share of plain reading that the weights of the spikes came in at."""
    weights = steps.n_spikes * steps.net.n_neurons * steps.machine.dtype.itemsize / 1e9
    return round(weights * per_gb / seconds, 2)


def row(name: str, seconds: float, n_neurons: int, rate: float, share: object = "") -> dict:
    """One line of the table, for a run of 10 s."""
    return {
        "contestant": f"{name}, N={n_neurons}",
        "cpu_s": round(seconds, 5),
        "million_neuron_steps_per_s": round(n_neurons * SECONDS / DT / seconds / 1e6, 1),
        "rate_hz": round(rate, 2),
        "share_of_plain_reading_of_weights": share,
    }


def measure_one_trial(n_runs: int = 7, n_rounds: int = 3) -> Outcome:
    """Race on one trial of 10 s, N=400 and N=1000, dense."""
    outcome = Outcome("spiking: one trial of 10 s, dense, dt 1 ms")
    for name in LIMITS:
        if name not in programs():
            where = " (BRIAN2_PYTHON)" if "Brian2" in name else ""
            outcome.remarks.append(f"{name} is not installed{where}: skipped")
    for n_neurons in (400, 1000):
        _race(outcome, n_neurons, n_runs, n_rounds)
    return outcome


def _race(outcome: Outcome, n_neurons: int, n_runs: int, n_rounds: int) -> None:
    """One size: rows and bars."""
    both = {dtype: Steps(network(n_neurons), dtype) for dtype in ("float64", "float32")}
    readers = {f"read {k}": reader(v.machine.weights.fast.rows) for k, v in both.items()}
    own = {**both, **readers}
    least = dict.fromkeys(own, np.inf)
    peers = dict.fromkeys(programs(), (0.0, np.inf))
    with threadpool_limits(1):  # on one thread, as everybody else
        for _ in range(n_rounds):
            for name, seconds in in_turns(own, n_runs).items():
                least[name] = min(least[name], seconds)
            for name in peers:
                peers[name] = _another(name, peers[name][1], n_neurons, n_runs)
        plain = NumPySteps(both["float64"].net)
        seconds = min(plain() for _ in range(2))
    peers["NumPy"] = (plain.n_spikes / n_neurons / SECONDS, seconds)
    for dtype, steps in both.items():
        rate = steps.n_spikes / n_neurons / SECONDS
        share = share_of_reading(steps, least[dtype], least[f"read {dtype}"])
        outcome.rows.append(row(f"popdyn {dtype}", least[dtype], n_neurons, rate, share))
    for name, (rate, seconds) in peers.items():
        outcome.rows.append(row(name, seconds, n_neurons, rate))
        if name in ("Brian2 cython", "Brian2 numpy"):
            before = min(loops_of(programs()[name], n_neurons, DT, 5)[1:])
            outcome.rows[-1]["cpu_s_of_1_ms"] = round(before, 5)
        for dtype, limit in LIMITS.get(name, {}).items():
            text = f"N={n_neurons}, {dtype}: times faster than {name}"
            ratio = round(seconds / least[dtype], 2)
            outcome.bars.append(Bar(text, ratio, limit, False, WHY.get(text, "")))


def _another(name: str, before: float, n_neurons: int, n_runs: int) -> tuple[float, float]:
    """Rate of a peer, and its least seconds for 10 s so far."""
    n_runs = n_runs if name == "Brian2 cpp_standalone" else 2
    rate, *loops = loops_of(programs()[name], n_neurons, SECONDS, n_runs)
    return rate, min(before, *loops)


def popdyn_loop(batch: Batch) -> Callable[[], float]:
    """Trials one after the other, as `simulate` runs them."""
    machine, inputs = prepare(batch.net, "float32"), np.zeros((batch.n_steps, 1))

    def run() -> float:
        quiet, n_spikes = np.random.default_rng(0), 0
        for potential in batch.start:
            state = first_state(machine, potential)
            trace = run_trial(machine, state, inputs, np.zeros(()), quiet, Wish(10))
            n_spikes += trace.spike_neuron.size
        return n_spikes

    return run


def measure_batch(n_runs: int = 3) -> Outcome:
    """100 trials of 0.5 s at once, in single precision, on one thread."""
    batch = Batch(network(1000), n_trials=100, n_steps=500)
    outcome = Outcome("spiking: 100 trials of 0.5 s, N=1000, dense, dt 1 ms, float32, one thread")
    loops = {
        "popdyn": popdyn_loop(batch),
        **{name: make(batch) for name, make in installed().items()},
    }
    outcome.remarks += [
        f"{name} is not installed: skipped" for name in BATCH_LIMITS if name not in loops
    ]
    n_spikes = {name: loop() for name, loop in loops.items()}
    least = in_turns({n: lambda loop=loop: spent(loop) for n, loop in loops.items()}, n_runs)
    product = gemm_seconds(1000, batch.n_trials, np.dtype("float32")) * batch.n_steps
    n_each = batch.net.n_neurons * batch.n_trials
    for name, seconds in least.items():
        outcome.rows.append(
            {
                "contestant": name,
                "cpu_s": round(seconds, 4),
                "million_neuron_steps_per_s": round(n_each * batch.n_steps / seconds / 1e6, 1),
                "rate_hz": round(n_spikes[name] / n_each / (batch.n_steps * DT), 2),
                "matrix_product_alone_over_it": round(product / seconds, 2),
            }
        )
        if name in BATCH_LIMITS:
            ratio = round(seconds / least["popdyn"], 2)
            outcome.bars.append(Bar(f"times faster than {name}", ratio, BATCH_LIMITS[name], False))
    return outcome


SUBJECTS = {"spiking": measure_one_trial, "spiking_batch": measure_batch}
