"""Run by an interpreter that has Brian2 (2.9), which needs an older NumPy than popdyn may have.

``python brian2_runs.py NETWORK.npz SPIKES.npz``: run the network of the first file in Brian2,
potentials and currents by its exact integration, and write the spikes.  Nothing of popdyn is
imported here.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

import numpy as np

EQUATIONS = """
dv/dt = (rest - v + fast + slow + drive(t, i)) / tau_membrane : 1 (unless refractory)
dfast/dt = -fast / tau_fast : 1
dslow/dt = -slow / tau_slow : 1
"""


def run(given: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the step and the neuron of each spike."""
    import brian2 as b2  # the collector of doctests imports this file too

    dt = float(given["dt"])
    b2.prefs.codegen.target = "numpy"
    b2.defaultclock.dt = dt * b2.second
    n_neurons = given["recurrent_fast"].shape[0]
    n_delay = round(float(given["delay"]) / dt)
    n_refractory = round(float(given["refractory"]) / dt)
    names = {name: float(given[name]) for name in ("rest", "reset", "threshold")}
    for name in ("tau_membrane", "tau_fast", "tau_slow"):
        names[name] = float(given[name]) * b2.second
    names["drive"] = b2.TimedArray(given["drive"], dt=dt * b2.second)
    # Brian2 counts the refractory time from the start of the step at whose end a neuron spikes.
    group = b2.NeuronGroup(
        n_neurons,
        EQUATIONS,
        threshold="v >= threshold",
        reset="v = reset",
        refractory=(n_refractory + 1) * dt * b2.second,
        method="exact",
        namespace=names,
    )
    group.v = given["potential"]
    parts: list[object] = [group]
    for name in ("fast", "slow"):
        weights = given[f"recurrent_{name}"]
        target, sender = np.nonzero(weights)
        if not target.size:
            continue
        synapses = b2.Synapses(group, group, "w : 1", on_pre=f"{name}_post += w")
        synapses.connect(i=sender, j=target)
        synapses.w = weights[target, sender]
        synapses.delay = n_delay * dt * b2.second
        parts.append(synapses)
    monitor = b2.SpikeMonitor(group)
    b2.Network(*parts, monitor).run(len(given["drive"]) * dt * b2.second)
    return np.rint(np.asarray(monitor.t) / dt).astype(np.int64), np.asarray(monitor.i)


def main() -> None:
    """Read, run, write."""
    source, target = sys.argv[1:]
    step, neuron = run(dict(np.load(source)))
    np.savez(target, step=step, neuron=neuron, version=version("brian2"))


if __name__ == "__main__":
    main()
