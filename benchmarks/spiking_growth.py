"""Spiking networks: what limits the steps, and how cost grows."""

from __future__ import annotations

import os
import time

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.spiking import DT, Steps, in_turns, network, reader, share_of_reading
from benchmarks.subject import Bar, Outcome
from popdyn.network import Spiking


def measure_bandwidth(n_runs: int = 7) -> Outcome:
    """Weights read per second, beside plain reading of the same matrix."""
    outcome = Outcome("spiking: weights read per second, single precision")
    for n_neurons in (1000, 2000, 4000):
        steps = Steps(network(n_neurons), "float32", seconds=2.0)
        read = reader(steps.machine.weights.fast.rows)
        least = in_turns({"steps": steps, "read": read}, n_runs)
        share = share_of_reading(steps, least["steps"], least["read"])
        outcome.rows.append(
            {
                "contestant": f"popdyn float32, N={n_neurons}",
                "weights_gb_per_s": round(share / least["read"], 2),
                "plain_reading_gb_per_s": round(1 / least["read"], 2),
            }
        )
        text = f"N={n_neurons}: weights read over plain reading"
        outcome.bars.append(Bar(text, share, 0.7, at_most=False))
    return outcome


def batch_of(net: Spiking, n_trials: int) -> xr.Dataset:
    """Trials of 1 s without inputs."""
    inputs = xr.DataArray(
        np.zeros((1, round(1 / net.dt), n_trials)), dims=("channel", "step_time", "trial")
    )
    return xr.Dataset({"inputs": inputs}, attrs={"dt": net.dt})


def measure_threads() -> Outcome:
    """A batch of trials through `simulate`, on one thread and on two, in wall seconds.

    Wall seconds mean something on a machine that does nothing else.  The share of CPU seconds that
    the calling thread takes while two others run the trials says, on any, what a second core can
    gain at most.
    """
    outcome = Outcome("spiking: batches of 1 s trials through simulate, one thread and two")
    for n_neurons, n_trials, n_runs in ((1000, 100, 9), (5000, 40, 3)):
        net = network(n_neurons)
        trials = batch_of(net, n_trials)
        alone = {1: (0.0, 0.0), 2: (0.0, 0.0)}

        def run(n_jobs: int, net=net, trials=trials, alone=alone) -> float:
            start, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
            pdn.simulate(net, trials, record=("spikes",), n_jobs=n_jobs)
            alone[n_jobs] = (time.thread_time() - own, time.process_time() - cpu)
            return time.perf_counter() - start

        run(1)
        load = os.getloadavg()[0]
        least = in_turns({f"{n}": lambda n=n, run=run: run(n) for n in (1, 2)}, n_runs)
        name = f"N={n_neurons}, {n_trials} trials"
        share = alone[2][0] / alone[2][1]
        most = 2 / (1 + share)
        for n, seconds in least.items():
            outcome.rows.append({"contestant": f"{name}, threads {n}", "wall_s": round(seconds, 4)})
        outcome.rows[-1] |= {"share_of_the_calling_thread": round(share, 3)}
        outcome.rows[-1] |= {"gain_at_most": round(most, 2)}
        why = (
            f"others kept {load:.1f} of {os.cpu_count()} cores busy meanwhile, and of the CPU "
            f"seconds {share:.0%} are the calling thread's (digest of the network, sorting spikes "
            f"into the session), which allows {most:.2f}"
        )
        ratio = round(least["1"] / least["2"], 2)
        outcome.bars.append(Bar(f"{name}: gain of the second core", ratio, 1.8, False, why))
    return outcome


def measure_growth(n_runs: int = 5) -> Outcome:
    """Cost against size, density (weights stored as rows and as lists) and step."""
    outcome = Outcome("spiking: cost of 2 s against size, density and step (float64)")
    cases = [(n, 1.0, DT, "dense") for n in (250, 500, 1000, 2000, 5000)]
    cases += [
        (2000, density, DT, layout)
        for density in (1.0, 0.5, 0.2, 0.15, 0.1, 0.05)
        for layout in ("dense", "sparse")
    ]
    cases += [(1000, 1.0, dt, "dense") for dt in (0.0005, 0.0002, 0.0001)]
    for n_neurons, density, dt, layout in dict.fromkeys(cases):
        steps = Steps(network(n_neurons, density, dt), "float64", 2.0, layout)
        seconds = min(steps() for _ in range(n_runs))
        outcome.rows.append(
            {
                "contestant": f"N={n_neurons}, density {density:g} {layout}, dt {dt * 1e3:g} ms",
                "cpu_s": round(seconds, 5),
                "us_per_step": round(1e6 * seconds / len(steps.inputs), 3),
                "rate_hz": round(steps.n_spikes / n_neurons / 2.0, 2),
            }
        )
    return outcome


def measure_batches(n_runs: int = 5) -> Outcome:
    """Cost of a trial against the number of trials of a call."""
    outcome = Outcome("spiking: cost of a 1 s trial against the number of trials, N=1000, float64")
    net = network(1000)
    for n_trials in (1, 2, 5, 10, 20, 50, 100):
        trials = batch_of(net, n_trials)

        def run(trials: xr.Dataset = trials) -> float:
            start = time.process_time()
            pdn.simulate(net, trials, record=("spikes",))
            return time.process_time() - start

        run()
        seconds = min(run() for _ in range(n_runs)) / n_trials
        outcome.rows.append(
            {"contestant": f"simulate, {n_trials} trials", "cpu_s_per_trial": round(seconds, 5)}
        )
    return outcome


SUBJECTS = {
    "spiking_bandwidth": measure_bandwidth,
    "spiking_threads": measure_threads,
    "spiking_growth": measure_growth,
    "spiking_batches": measure_batches,
}
