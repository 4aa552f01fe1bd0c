"""Run by an interpreter that has NEST: CPU seconds of the simulation loop of one network.

``python nest_loop.py N_NEURONS SECONDS N_RUNS``; prints the rate (Hz) and the CPU seconds of each
loop.  Building and connecting are not counted.
"""

from __future__ import annotations

import sys
import time

import nest
import numpy as np


def network(n_neurons: int) -> nest.NodeCollection:
    """The network of `benchmarks.spiking`: dense random weights, 1 ms steps."""
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": 1.0, "local_num_threads": 1})
    neuron = {
        "tau_m": 20.0, "C_m": 20.0, "tau_syn_ex": 10.0, "tau_syn_in": 10.0, "t_ref": 2.0,
        "E_L": 0.0, "V_reset": 0.0, "V_th": 1.0, "I_e": 1.15,
    }  # fmt: skip
    group = nest.Create("iaf_psc_exp", n_neurons, params=neuron)
    rng = np.random.default_rng(0)
    group.V_m = rng.random(n_neurons)
    weights = rng.normal(-1 / n_neurons, 0.9 / n_neurons**0.5, (n_neurons, n_neurons))
    np.fill_diagonal(weights, 0.0)
    nest.Connect(group, group, "all_to_all", {"weight": weights, "delay": 1.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(group, recorder)
    return recorder


def main() -> None:
    """Run what was asked for, print what came out."""
    n_neurons, seconds, n_runs = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    nest.verbosity = nest.VerbosityLevel.ERROR
    recorder = network(n_neurons)
    nest.Simulate(100.0)
    before, loops = recorder.n_events, []
    for _ in range(n_runs):
        start = time.process_time()
        nest.Simulate(1000 * seconds)
        loops.append(time.process_time() - start)
    rate = (recorder.n_events - before) / n_neurons / seconds / n_runs
    # NEST prints a greeting: what counts is the last line.
    print(rate, *loops)


if __name__ == "__main__":
    main()
