"""What a network that is trained by its gradient is held to, compiled: arrays only.

The loss is a sum over trials, steps and channels, each with its weight:

    ``sum weight (p - target)²``, or ``sum weight (mean - target log mean)`` for counts (Poisson),

where ``p`` is an output of the network, or ``scale x + offset`` of the rate or of the state ``x``
of a neuron, and the mean of counts is ``exp(p)`` or ``log(1 + exp(p))``.  What has no weight may
be anything, NaN too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from popdyn.train.backprop_functions import exp_of, log1p_of

Array = NDArray[Any]

# What is held to the targets.
OUTPUT, RATE, STATE = range(3)
# Sums may be taken in another order, so that they run side by side; NaN stays NaN.
REORDERED = {"contract", "reassoc", "nsz", "arcp"}


class Constants(NamedTuple):
    """What is not learned.

    Attributes
    ----------
    keep, gain : ndarray, shape (neuron,)
        What is left of a state after a step, and the slope of each neuron.
    numbers : ndarray, shape (3,)
        Standard deviation of the noise of a step, the price of a squared rate, and the part of the
        first step that is made.
    kind : int
        Nonlinearity, see `popdyn.train.kernels.KINDS`.
    held : int
        ``OUTPUT``, ``RATE`` or ``STATE``: what is held to the targets.
    poisson : int
        1 or 2 if targets are counts: their mean is ``exp(p)`` or ``log(1 + exp(p))``; 0 if not.
    """

    keep: Array
    gain: Array
    numbers: Array
    kind: int
    held: int
    poisson: int


class Lesson(NamedTuple):
    """A batch of trials, and what is asked for on them.

    Attributes
    ----------
    inputs : ndarray, shape (trial, step, input)
        What the network is shown.
    target, weight : ndarray, shape (trial, step, output) or (trial, step, neuron)
        What is asked for at the end of each step, and how much it counts.
    n_steps : ndarray of int, shape (trial,)
        Steps of each trial that are run.
    keys : ndarray of uint64, shape (trial,)
        Of the noise of each trial, below 2^32.
    """

    inputs: Array
    target: Array
    weight: Array
    n_steps: NDArray[np.int64]
    keys: NDArray[np.uint64]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def neuron_loss(
    poisson: int,
    observed: tuple[Array, Array, Array, Array],
    x: Array,
    target: Array,
    weight: Array,
    slope: Array,
) -> float:  # pragma: no cover - compiled
    """Return the loss of a step; add its slope along rates or states `x (neuron,)` to `slope`.

    ``observed`` are scale and offset of each neuron, and their gradients, which are added to.
    """
    scale, offset, d_scale, d_offset = observed
    zero = x.dtype.type(0)
    one = x.dtype.type(1)
    two = x.dtype.type(2)
    least = x.dtype.type(1e-30)
    loss = zero
    for i in range(x.size):
        if weight[i] != zero:
            p = scale[i] * x[i] + offset[i]
            if poisson == 2:
                small = exp_of(-abs(p))
                mean = (zero if p < zero else p) + log1p_of(small)
                # Far down it would be 0, of which there is no logarithm.
                mean = mean if mean > least else least
                loss += weight[i] * mean
                if target[i] != zero:
                    loss -= weight[i] * target[i] * np.log(mean)
                error = weight[i] * (one - target[i] / mean)
                error *= (small if p < zero else one) / (one + small)
            elif poisson == 1:
                mean = exp_of(p)
                loss += weight[i] * (mean - target[i] * p)
                error = weight[i] * (mean - target[i])
            else:
                miss = p - target[i]
                loss += weight[i] * miss * miss
                error = two * weight[i] * miss
            slope[i] += error * scale[i]
            d_scale[i] += error * x[i]
            d_offset[i] += error
    return float(loss)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def output_loss(
    rate: Array, readout: tuple[Array, Array], target: Array, weight: Array, error: Array
) -> float:  # pragma: no cover - compiled
    """Return the loss of a step; put its slopes along the outputs into `error (output,)`."""
    weights, bias = readout
    zero = rate.dtype.type(0)
    two = rate.dtype.type(2)
    loss = 0.0
    for o in range(weights.shape[0]):
        error[o] = zero
        if weight[o] != zero:
            z = zero
            row = weights[o]
            for i in range(rate.size):
                z += row[i] * rate[i]
            miss = z + bias[o] - target[o]
            loss += float(weight[o] * miss * miss)
            error[o] = two * weight[o] * miss
    return loss


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def step_loss(
    w: Any,
    c: Constants,
    asked: tuple[Array, Array],
    state: Array,
    rate: Array,
    d: Any,
    work: Array,
    error: Array,
) -> float:  # pragma: no cover - compiled
    """Return the loss of the end of a step; put its slopes along rates and states into `work`.

    ``w`` are the weights and ``d`` their gradient, which is added to; ``work (3, neuron)`` holds
    the slopes along rates in its row 1 and those along states in its row 2; ``error (output,)``
    is room.
    """
    target, weight = asked
    zero = rate.dtype.type(0)
    two = rate.dtype.type(2)
    q, direct = work[1], work[2]
    price = c.numbers[1]
    squares = zero
    for i in range(q.size):
        squares += rate[i] * rate[i]
        q[i] = two * price * rate[i]
        direct[i] = zero
    loss = float(price * squares)
    if c.held == OUTPUT:
        loss += output_loss(rate, (w.output, w.output_bias), target, weight, error)
        for o in range(error.size):
            if error[o] != zero:
                row, d_row = w.output[o], d.output[o]
                d.output_bias[o] += error[o]
                for i in range(q.size):
                    q[i] += error[o] * row[i]
                    d_row[i] += error[o] * rate[i]
        return loss
    observed = (w.scale, w.offset, d.scale, d.offset)
    if c.held == RATE:
        return loss + neuron_loss(c.poisson, observed, rate, target, weight, q)
    return loss + neuron_loss(c.poisson, observed, state, target, weight, direct)
