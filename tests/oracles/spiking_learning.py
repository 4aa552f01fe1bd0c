"""Spiking networks that learn, in plain NumPy: one step after the other, P and D changed at once."""

from __future__ import annotations

import numpy as np


def learn(neurons, wiring, traces, learned, state, task):
    """Run through some steps; everything is a new array.

    Returns
    -------
    dict
        ``output (step, output)``, ``spikes`` (list of (step, neuron)), ``weights``, ``inverse``,
        ``mean_current``, and the state at the end by name.
    """
    d, p = learned.weights.copy(), learned.inverse.copy()
    v, left, fast, slow, s, heard = (np.array(part) for part in state)
    n_heard, n_senders = heard.size, s.size // 2
    found = {"output": [], "spikes": [], "mean_current": np.zeros_like(v)}
    for step, inputs in enumerate(task.inputs):
        drive = neurons.bias + heard @ wiring.spread + inputs @ wiring.input
        v = neurons.leak * v + neurons.gain * drive
        v = v + neurons.gain_fast * fast + neurons.gain_slow * slow
        if len(task.noise):
            v = v + task.noise[step]
        v = np.where(left > 0, neurons.reset, v)
        left = left - 1
        fast, slow = fast * traces.decay[1], slow * traces.decay[0]
        s = s * np.repeat(traces.decay, n_senders)
        for neuron in np.flatnonzero(v >= neurons.threshold):
            found["spikes"].append((step, int(neuron)))
            v[neuron], left[neuron] = neurons.reset[neuron], neurons.n_refractory[neuron]
            fast = fast + (wiring.fast[neuron] if len(wiring.fast) else 0.0)
            slow = slow + (wiring.slow[neuron] if len(wiring.slow) else 0.0)
            place = wiring.place[neuron]
            if place >= 0:
                s[place] += traces.jump[0]
                s[n_senders + place] += traces.jump[1]
        made = d.T @ s
        heard = task.target[step, :n_heard].copy() if task.forced else made[:n_heard]
        found["output"].append(made[n_heard:])
        if task.forced:
            found["mean_current"] += heard @ wiring.spread
        if task.update[step]:
            k = p @ s / (1.0 + s @ p @ s)
            d = d - np.outer(k, made - task.target[step])
            p = p - np.outer(k, p @ s)
    ends = {"potential": v, "refractory": left, "fast": fast, "slow": slow, "trace": s}
    found["output"] = np.array(found["output"])
    return {**found, **ends, "heard": heard, "weights": d, "inverse": p}
