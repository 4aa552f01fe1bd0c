"""Loss and gradient of a rate network by plain NumPy, with the weights as a network has them."""

from __future__ import annotations

import numpy as np
from scipy.special import erf, expit

FUNCTIONS = {
    "tanh": (np.tanh, lambda a: 1 / np.cosh(a) ** 2),
    "relu": (lambda a: np.maximum(a, 0.0), lambda a: (a > 0) * 1.0),
    "linear": (lambda a: a, np.ones_like),
    "softplus": (lambda a: np.logaddexp(0.0, a), expit),
    "sigmoid": (expit, lambda a: expit(a) * expit(-a)),
    "erf": (erf, lambda a: 2 / np.sqrt(np.pi) * np.exp(-(a**2))),
}


def connectivity(p):
    """Recurrent and output weights, whatever the rank."""
    n = len(p["input"])
    if "m" in p:
        return p["m"] @ p["n"].T / n, p["output"] / n
    return p["recurrent"], p["output"]


def run(p, share, gain, f, inputs, noise):
    """States ``(step + 1, trial, neuron)``; noise ``(trial, step, neuron)``."""
    recurrent, _ = connectivity(p)
    states = [np.tile(p["initial"], (len(inputs), 1))]
    for t in range(inputs.shape[1]):
        x = states[-1]
        drive = f(gain * x) @ recurrent.T + inputs[:, t] @ p["input"].T + p["bias"]
        states.append(x + share * (drive - x) + noise[:, t])
    return np.array(states)


def loss_and_gradient(p, circuit, lesson, noise):
    """As `popdyn.train.backprop_gradient.loss_and_gradient`; all parameters must be given."""
    f, slope = FUNCTIONS[circuit.nonlinearity]
    share, gain = circuit.share, circuit.gain
    states = run(p, share, gain, f, lesson.inputs, noise)
    rates, slopes = f(gain * states), gain * slope(gain * states)
    recurrent, output = connectivity(p)
    d = {name: np.zeros_like(values, dtype=float) for name, values in p.items()}
    d_recurrent, d_output = np.zeros_like(recurrent), np.zeros_like(output)
    n_trials, n_steps, n = len(lesson.inputs), lesson.inputs.shape[1], len(share)
    inside = np.arange(n_steps) < lesson.n_steps[:, None]
    price = circuit.activity / (lesson.n_steps.sum() * n)
    loss, g = 0.0, np.zeros((n_trials, n))
    for t in range(n_steps - 1, -1, -1):
        x, r = states[t + 1], rates[t + 1]
        on = inside[:, t, None]
        q = g * 0 if t == n_steps - 1 else (share * g) @ recurrent
        q = q + on * 2 * price * r
        direct = np.zeros_like(q)
        loss += price * (on * r**2).sum()
        if circuit.held == "output":
            p_t = r @ output.T + p["output_bias"]
        else:
            p_t = p["scale"] * (r if circuit.held == "rate" else x) + p["offset"]
        w = lesson.weight[:, t] * on
        y = np.where(w != 0, lesson.target[:, t], 0.0)
        if circuit.poisson:
            loss += (w * (np.exp(p_t) - y * p_t)).sum()
            e = w * (np.exp(p_t) - y)
        else:
            loss += (w * (p_t - y) ** 2).sum()
            e = 2 * w * (p_t - y)
        if circuit.held == "output":
            d_output += e.T @ r
            d["output_bias"] += e.sum(axis=0)
            q = q + e @ output
        elif circuit.held == "rate":
            d["scale"] += (e * r).sum(axis=0)
            q = q + e * p["scale"]
        else:
            d["scale"] += (e * x).sum(axis=0)
            direct = e * p["scale"]
        if circuit.held != "output":
            d["offset"] += e.sum(axis=0)
        g = (1 - share) * g + q * slopes[t + 1] + direct
        d_recurrent += (share * g).T @ rates[t]
        d["input"] += (share * g).T @ lesson.inputs[:, t]
        d["bias"] += (share * g).sum(axis=0)
    d["initial"] = ((1 - share) * g + (share * g) @ recurrent * slopes[0]).sum(axis=0)
    if "m" in p:
        d["m"], d["n"] = d_recurrent @ p["n"] / n, d_recurrent.T @ p["m"] / n
        d["output"] = d_output / n
    else:
        d["recurrent"], d["output"] = d_recurrent, d_output
    return loss, d
