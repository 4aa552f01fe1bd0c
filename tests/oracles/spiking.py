"""Steps of a spiking network in plain NumPy, one neuron's rule after the other as documented.

Sums are taken in the documented order, so that the compiled steps must give the same bits.
"""

from __future__ import annotations

import numpy as np


def current_gain(dt, tau_membrane, tau_synapse):
    """Potential after dt per current that starts at 1: the textbook formula."""
    if np.isclose(tau_membrane, tau_synapse, rtol=1e-12):
        return dt / tau_membrane * np.exp(-dt / tau_membrane)
    share = tau_synapse / (tau_synapse - tau_membrane)
    return share * (np.exp(-dt / tau_synapse) - np.exp(-dt / tau_membrane))


def run_plain(machine, potential, inputs, noise=None):
    """Run one trial.

    Returns
    -------
    dict
        ``spikes`` (list of (step, neuron)), ``potential (step, neuron)`` at the end of each step,
        after resets; ``before``, the same before resets; ``output (step, output)``; the final
        currents ``fast`` and ``slow``; ``current (step, neuron)``, mean over each step, with the
        resting potential.
    """
    c, w, kind = machine.constants, machine.weights, machine.dtype
    v = np.array(potential, dtype=kind)
    left, fast, slow = np.zeros_like(v), np.zeros_like(v), np.zeros_like(v)
    z_fast, z_slow = np.zeros(machine.n_outputs, kind), np.zeros(machine.n_outputs, kind)
    inputs = np.asarray(inputs, dtype=kind)
    arrivals = {}
    found = {name: [] for name in ("spikes", "potential", "before", "output", "current")}
    for step, channels in enumerate(inputs):
        drive = w.bias.copy()
        for value, weights in zip(channels, w.input, strict=True):
            drive += value * weights
        all_fast, all_slow = fast.copy(), slow.copy()
        for value, weights in zip(z_fast, w.feedback, strict=False):
            all_fast += value * weights
        for value, weights in zip(z_slow, w.feedback, strict=False):
            all_slow += value * weights
        found["current"].append(drive + c.mean[0] * all_fast + c.mean[1] * all_slow)
        v = (c.leak * v + c.gain * drive) + c.gain_fast * all_fast
        v = v + c.gain_slow * all_slow
        if noise is not None:
            v = v + noise[step]
        v = np.where(left > 0, c.reset, v).astype(kind)
        left = left - 1
        fast, slow = fast * c.decay[0], slow * c.decay[1]
        z_fast, z_slow = z_fast * c.decay[0], z_slow * c.decay[1]
        found["before"].append(v.copy())
        who = np.flatnonzero(v >= c.threshold)
        v[who] = np.broadcast_to(c.reset, v.shape)[who]
        left[who] = np.broadcast_to(c.n_refractory, v.shape)[who]
        for neuron in who:
            z_fast, z_slow = z_fast + w.output_fast[neuron], z_slow + w.output_slow[neuron]
            arrivals.setdefault(step + w.delay[neuron], []).append(neuron)
        for sender in arrivals.pop(step, []):
            fast, slow = fast + row(w.fast, sender, fast), slow + row(w.slow, sender, slow)
        found["spikes"] += [(step, int(neuron)) for neuron in who]
        found["potential"].append(v.copy())
        found["output"].append(z_fast + z_slow)
    found |= {"fast": fast, "slow": slow}
    return {
        name: values if name == "spikes" else np.array(values) for name, values in found.items()
    }


def row(synapses, sender, like):
    """Weights of one sender onto all neurons."""
    if synapses.rows.size:
        return synapses.rows[sender, : like.size]
    weights = np.zeros_like(like)
    if synapses.target.size:
        part = slice(synapses.start[sender], synapses.start[sender + 1])
        weights[synapses.target[part]] = synapses.weight[part]
    return weights
