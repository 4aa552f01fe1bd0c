"""Recursive least squares and FORCE as they are written: one update after the other."""

from __future__ import annotations

import numpy as np


def least_squares(p, w, regressors, targets):
    """``P``, ``W`` and the outputs before each update, all of them new arrays."""
    p, w, outputs = p.copy(), w.copy(), []
    for r, f in zip(regressors, targets, strict=True):
        z = w @ r
        k = p @ r / (1.0 + r @ p @ r)
        w -= np.outer(z - f, k)
        p -= np.outer(k, p @ r)
        outputs.append(z)
    return p, w, np.array(outputs)


def force(net, x, p, stream, activation):
    """State, ``P``, output weights and outputs of a network that starts without output.

    ``stream`` holds inputs, noise, targets and whether to learn, each by step.
    """
    w, z, outputs = np.zeros_like(net.output), np.zeros(net.n_outputs), []
    gain = 1.0 if net.gain is None else net.gain
    feedback = np.zeros((net.n_neurons, net.n_outputs)) if net.feedback is None else net.feedback
    for u, noise, f, learns in zip(*stream, strict=True):
        drive = net.recurrent @ activation(gain * x) + net.input @ u + feedback @ z + net.bias
        x = x + net.dt / net.tau * (drive - x) + noise
        r = activation(gain * x)
        z = w @ r
        outputs.append(z)
        if learns:
            k = p @ r / (1.0 + r @ p @ r)
            p = p - np.outer(k, p @ r)
            w = w - np.outer(z - f, k)
    return x, p, w, np.array(outputs)
