"""Euler steps of a rate network as the first version took them: the bits that later ones keep."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "softplus": lambda x: np.logaddexp(0.0, x),
    "sigmoid": expit,
    "linear": np.positive,
}


def first_version(net, inputs, initial, noise):
    """Rates ``(step + 1, trial, neuron)``; `noise (step, trial, neuron)` is added to the states."""
    share = net.dt / net.tau
    activation = ACTIVATIONS[net.nonlinearity]
    recurrent = np.ascontiguousarray(share * net.recurrent.T)
    input_weights = np.ascontiguousarray(share * net.input.T)
    bias = share * net.bias
    state = initial.astype(np.float64)
    rates = [activation(state)]
    for drive, jump in zip(inputs, noise, strict=True):
        state *= 1.0 - share
        state += rates[-1] @ recurrent
        state += drive @ input_weights
        state += bias
        state += jump
        rates.append(activation(state))
    return np.array(rates)


def one_by_one(net, inputs, initial, *, exponential=False):
    """One trial, one neuron at a time, as the equation is written: states and rates by step."""
    f = {
        "tanh": np.tanh,
        "relu": lambda x: max(x, 0.0),
        "linear": lambda x: x,
        "softplus": lambda x: np.log(1 + np.exp(x)),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    }[net.nonlinearity]
    tau = np.broadcast_to(net.tau, net.n_neurons)
    gain = np.ones(net.n_neurons) if net.gain is None else net.gain
    states, rates = [list(initial)], [[f(gain[i] * x) for i, x in enumerate(initial)]]
    for u in inputs:
        z = [sum(w * r for w, r in zip(row, rates[-1], strict=True)) for row in net.output]
        state = []
        for i, x in enumerate(states[-1]):
            drive = net.bias[i]
            drive += sum(w * r for w, r in zip(net.recurrent[i], rates[-1], strict=True))
            drive += sum(w * value for w, value in zip(net.input[i], u, strict=True))
            if net.feedback is not None:
                drive += sum(w * value for w, value in zip(net.feedback[i], z, strict=True))
            if exponential:
                state.append(drive + (x - drive) * np.exp(-net.dt / tau[i]))
            else:
                state.append(x + net.dt / tau[i] * (-x + drive))
        states.append(state)
        rates.append([f(gain[i] * x) for i, x in enumerate(state)])
    return np.array(states), np.array(rates)
