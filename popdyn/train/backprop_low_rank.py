"""Loss and gradient of a low-rank network, one trial after the other, compiled: arrays only.

States follow ``x[t+1] = keep x[t] + m κ[t] + u[t] input + bias + noise`` with the latents
``κ = n r`` and the rates ``r = f(gain x)``; weights hold the share of a step and 1/N already.  A
trial runs forward and back while its rates sit in the cache: rates and latents are all that is
kept of it.  Going back from the last step that counts, with ``g = dL/dx[t+1]`` and
``q = dL/dr[t]``,

    ``q = n (m g) + ...``,  ``dm += κ g``,  ``dn += (m g) r``,  ``g <- keep g + q f'``.

The plain form is ``tests/oracles/backprop.py``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from popdyn.train.backprop_functions import activate, times_slope
from popdyn.train.backprop_loss import REORDERED, STATE, Constants, Lesson, step_loss
from popdyn.train.backprop_noise import add_drive

Array = NDArray[Any]


class LowRankWeights(NamedTuple):
    """What can be learned, or the gradient of it; vectors of neurons lie in rows.

    Attributes
    ----------
    m, n : ndarray, shape (rank, neuron)
        Loadings.
    input : ndarray, shape (input, neuron)
        Input weights.
    output : ndarray, shape (output, neuron)
        Output weights.
    bias, initial : ndarray, shape (neuron,)
        Constant input, and the first state.
    output_bias : ndarray, shape (output,)
        Constant part of the outputs.
    scale, offset : ndarray, shape (neuron,)
        From rates or states to what is observed of them.
    """

    m: Array
    n: Array
    input: Array
    output: Array
    bias: Array
    initial: Array
    output_bias: Array
    scale: Array
    offset: Array


class _Trace(NamedTuple):
    """What is kept of a trial; of the states two rows, unless they are needed."""

    states: Array
    rates: Array
    latents: Array
    normal: NDArray[np.float32]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _forward(
    w: LowRankWeights, c: Constants, inputs: Array, n_steps: int, key: Any, trace: _Trace
) -> None:  # pragma: no cover - compiled
    """Run a trial."""
    zero = w.m.dtype.type(0)
    every = trace.states.shape[0] > 2
    trace.states[0, :] = w.initial
    activate(c.kind, c.gain, trace.states[0], trace.rates[0])
    for t in range(n_steps):
        before = trace.states[t if every else t % 2]
        x = trace.states[t + 1 if every else (t + 1) % 2]
        rate = trace.rates[t]
        for i in range(x.size):
            x[i] = c.keep[i] * before[i] + w.bias[i]
        for k in range(w.m.shape[0]):
            loading, along = w.m[k], w.n[k]
            latent = zero
            for i in range(x.size):
                latent += along[i] * rate[i]
            trace.latents[t, k] = latent
            for i in range(x.size):
                x[i] += latent * loading[i]
        add_drive(x, w.input, inputs[t], (c.numbers[0], key, t), trace.normal)
        activate(c.kind, c.gain, x, trace.rates[t + 1])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _recurrent(
    w: LowRankWeights, d: LowRankWeights, latents: Array, rate: Array, g: Array, q: Array
) -> None:  # pragma: no cover - compiled
    """Go back through the loadings: from the slope of the states after a step to rates before."""
    for k in range(w.m.shape[0]):
        loading, along, d_loading, d_along = w.m[k], w.n[k], d.m[k], d.n[k]
        latent = latents[k]
        s = g.dtype.type(0)
        for i in range(g.size):
            s += loading[i] * g[i]
            d_loading[i] += latent * g[i]
        for i in range(g.size):
            q[i] += s * along[i]
            d_along[i] += s * rate[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _backward(
    w: LowRankWeights,
    c: Constants,
    inputs: Array,
    lesson: tuple[Array, Array],
    n_steps: int,
    trace: _Trace,
    d: LowRankWeights,
    work: Array,
    error: Array,
) -> float:  # pragma: no cover - compiled
    """Return the loss of a trial that was run; add its gradient to `d`."""
    zero = w.m.dtype.type(0)
    g, q, direct = work[0], work[1], work[2]
    every = trace.states.shape[0] > 2
    g[:] = zero
    loss = 0.0
    for t in range(n_steps - 1, -1, -1):
        rate = trace.rates[t + 1]
        x = trace.states[t + 1 if every else 0]
        loss += step_loss(w, c, (lesson[0][t], lesson[1][t]), x, rate, d, work, error)
        if t < n_steps - 1:
            _recurrent(w, d, trace.latents[t + 1], rate, g, q)
        times_slope(c.kind, c.gain, x, rate, q)
        for i in range(g.size):
            g[i] = c.keep[i] * g[i] + q[i] + direct[i]
            d.bias[i] += g[i]
        for k in range(inputs.shape[1]):
            value = inputs[t, k]
            if value != zero:
                d_row = d.input[k]
                for i in range(g.size):
                    d_row[i] += value * g[i]
    if n_steps > 0:
        q[:] = zero
        _recurrent(w, d, trace.latents[0], trace.rates[0], g, q)
        times_slope(c.kind, c.gain, trace.states[0], trace.rates[0], q)
        for i in range(g.size):
            d.initial[i] += c.keep[i] * g[i] + q[i]
    return loss


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def low_rank_tile(
    w: LowRankWeights, c: Constants, lesson: Lesson, first: int, stop: int, d: LowRankWeights
) -> float:  # pragma: no cover - compiled
    """Return the loss of some trials; add its gradient to `d`."""
    kind = w.m.dtype
    n_steps, n = lesson.inputs.shape[1], w.m.shape[1]
    # The slope of the error function is one of the state.
    n_states = n_steps + 3 if c.kind == 5 or c.held == STATE else 2
    trace = _Trace(
        np.empty((n_states, n), kind),
        np.empty((n_steps + 1, n), kind),
        np.empty((n_steps, w.m.shape[0]), kind),
        np.empty(n, np.float32),
    )
    work = np.empty((3, n), kind)
    error = np.empty(w.output.shape[0], kind)
    loss = 0.0
    for trial in range(first, stop):
        inputs, asked = lesson.inputs[trial], (lesson.target[trial], lesson.weight[trial])
        _forward(w, c, inputs, lesson.n_steps[trial], lesson.keys[trial], trace)
        loss += _backward(w, c, inputs, asked, lesson.n_steps[trial], trace, d, work, error)
    return loss
