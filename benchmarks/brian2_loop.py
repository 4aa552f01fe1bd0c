"""Run by an interpreter that has Brian2: CPU seconds of the simulation loop of one network.

``python brian2_loop.py cpp_standalone|cython|numpy N_NEURONS SECONDS N_RUNS``; prints the rate
(Hz) and the CPU seconds of each loop.  Building, compiling and connecting are not counted.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import brian2 as b2
import numpy as np

EQUATIONS = """
dv/dt = (bias - v + current) / (20*ms) : 1 (unless refractory)
dcurrent/dt = -current / (10*ms) : 1
"""


def network(n_neurons: int) -> tuple[b2.Network, b2.SpikeMonitor]:
    """The network of `benchmarks.spiking`: dense random weights, 1 ms steps."""
    b2.defaultclock.dt = 1 * b2.ms
    group = b2.NeuronGroup(
        n_neurons,
        EQUATIONS,
        threshold="v >= 1",
        reset="v = 0",
        refractory=3 * b2.ms,
        method="exact",
        namespace={"bias": 1.15},
    )
    rng = np.random.default_rng(0)
    group.v = rng.random(n_neurons)
    weights = rng.normal(-1 / n_neurons, 0.9 / n_neurons**0.5, (n_neurons, n_neurons))
    np.fill_diagonal(weights, 0.0)
    synapses = b2.Synapses(group, group, "w : 1", on_pre="current_post += w")
    synapses.connect()
    # Without `i=` and `j=` Brian2 lists the synapses sender by sender.
    synapses.w = weights.T.ravel()
    monitor = b2.SpikeMonitor(group)
    return b2.Network(group, synapses, monitor), monitor


def standalone(n_neurons: int, seconds: float, n_runs: int) -> tuple[float, list[float]]:
    """C++ built twice, for the whole run and for one step; the difference is the loop."""
    spent = []
    for duration in (0.001, seconds):
        with tempfile.TemporaryDirectory() as folder:
            b2.device.reinit()
            b2.set_device("cpp_standalone", build_on_run=False)
            net, monitor = network(n_neurons)
            net.run(duration * b2.second)
            b2.device.build(directory=folder, compile=True, run=False)
            spent.append([run_of(folder) for _ in range(n_runs)])
            rate = monitor.num_spikes / n_neurons / seconds
    set_up = min(spent[0])
    return rate, [whole - set_up for whole in spent[1]]


def run_of(folder: str) -> float:
    """CPU seconds of one run of a built program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    b2.device.run(folder, with_output=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def runtime(target: str, n_neurons: int, seconds: float, n_runs: int) -> tuple[float, list[float]]:
    """Steps driven from Python; the first run, which compiles, is not counted."""
    b2.prefs.codegen.target = target
    net, monitor = network(n_neurons)
    net.run(0.1 * b2.second)
    before, loops = monitor.num_spikes, []
    for _ in range(n_runs):
        start = time.process_time()
        net.run(seconds * b2.second)
        loops.append(time.process_time() - start)
    return (monitor.num_spikes - before) / n_neurons / seconds / n_runs, loops


def main() -> None:
    """Run what was asked for, print what came out."""
    target, n_neurons, seconds, n_runs = sys.argv[1], *map(float, sys.argv[2:])
    run = standalone if target == "cpp_standalone" else runtime
    arguments = (int(n_neurons), seconds, int(n_runs))
    if run is runtime:
        arguments = (target, *arguments)
    with Path(os.devnull).open("w") as nowhere:
        kept, sys.stdout = sys.stdout, nowhere
        try:
            rate, loops = run(*arguments)
        finally:
            sys.stdout = kept
    print(rate, *loops)


if __name__ == "__main__":
    main()
