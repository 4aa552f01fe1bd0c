"""Loss and gradient of a low-rank network, one trial after the other, compiled: arrays only.

States follow ``x[t+1] = keep x[t] + drive[t] into + noise``.  The rows of ``into`` are ``m``, the
input weights and the bias; ``drive`` are the latents, the inputs and 1.  The rows of ``read`` are
``n`` and the output weights, so that ``read r[t]`` are latents and outputs at once, with the rates
``r = f(gain x)``; weights hold the share of a step and 1/N already.  A trial runs forward and back
while its rates sit in the cache: rates, latents and outputs are all that is kept of it.  Going back
from the last step that counts, with ``g = dL/dx[t+1]`` and the slopes ``s`` along latents (``m g``
of the step after) and outputs,

    ``q = s read + ...``,  ``dread += s r``,  ``g <- keep g + q f'``,  ``dinto += drive[t] g``.

Rows are taken two or four at a time, which reads and writes the vectors of neurons less often; rows
of zeros fill the last four.  The plain form is ``tests/oracles/backprop.py``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from popdyn.train.backprop_functions import activate, times_slope
from popdyn.train.backprop_loss import (
    OUTPUT,
    RATE,
    REORDERED,
    STATE,
    Constants,
    Lesson,
    neuron_loss,
)
from popdyn.train.backprop_noise import add_noise

Array = NDArray[Any]

# Rows that are added at a time.
_ROWS = 4


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


class _Stacks(NamedTuple):
    """Weights in rows, or the gradient of them: what drives states, and what reads rates."""

    into: Array
    read: Array


class _Trace(NamedTuple):
    """What is kept of a trial; of the states two rows, unless they are needed."""

    states: Array
    rates: Array
    drive: Array
    found: Array


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _products(
    rows: Array, n_rows: int, x: Array, out: Array
) -> None:  # pragma: no cover - compiled
    """Put the products of the first rows with `x (neuron,)` into `out`; one more may be written."""
    for k in range(0, n_rows, 2):
        one, other = rows[k], rows[k + 1]
        a = x.dtype.type(0)
        b = x.dtype.type(0)
        for i in range(x.size):
            a += one[i] * x[i]
            b += other[i] * x[i]
        out[k], out[k + 1] = a, b


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _add_rows(x: Array, rows: Array, by: Array) -> None:  # pragma: no cover - compiled
    """Add ``by rows`` to `x (neuron,)`."""
    for k in range(0, rows.shape[0], _ROWS):
        row0, row1, row2, row3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        a, b, c, d = by[k], by[k + 1], by[k + 2], by[k + 3]
        for i in range(x.size):
            x[i] += a * row0[i] + b * row1[i] + c * row2[i] + d * row3[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _add_products(rows: Array, by: Array, x: Array) -> None:  # pragma: no cover - compiled
    """Add to each row its number in `by` times `x (neuron,)`."""
    for k in range(0, rows.shape[0], _ROWS):
        row0, row1, row2, row3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        a, b, c, d = by[k], by[k + 1], by[k + 2], by[k + 3]
        for i in range(x.size):
            row0[i] += a * x[i]
            row1[i] += b * x[i]
            row2[i] += c * x[i]
            row3[i] += d * x[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _forward(
    w: LowRankWeights,
    stacks: _Stacks,
    c: Constants,
    inputs: Array,
    n_steps: int,
    key: Any,
    trace: _Trace,
) -> None:  # pragma: no cover - compiled
    """Run a trial."""
    rank, n_inputs = w.m.shape[0], w.input.shape[0]
    n_read = rank + w.output.shape[0]
    every = trace.states.shape[0] > 2
    std, first = c.numbers[0], c.numbers[2]
    trace.states[0, :] = w.initial
    activate(c.kind, c.gain, trace.states[0], trace.rates[0])
    _products(stacks.read, n_read, trace.rates[0], trace.found[0])
    for t in range(n_steps):
        before = trace.states[t if every else t % 2]
        x = trace.states[t + 1 if every else (t + 1) % 2]
        drive = trace.drive[t]
        for k in range(rank):
            drive[k] = trace.found[t, k]
        for k in range(n_inputs):
            drive[rank + k] = inputs[t, k]
        drive[rank + n_inputs] = w.m.dtype.type(1)
        for i in range(x.size):
            x[i] = c.keep[i] * before[i]
        _add_rows(x, stacks.into, drive)
        if t == 0 and first != 1:
            for i in range(x.size):
                x[i] = before[i] + first * (x[i] - before[i])
        if std != 0:
            add_noise(x, std, key, t)
        rate = trace.rates[t + 1]
        activate(c.kind, c.gain, x, rate)
        _products(stacks.read, n_read, rate, trace.found[t + 1])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _start_slopes(
    price: Any, rate: Array, q: Array, direct: Array
) -> float:  # pragma: no cover - compiled
    """Return the price of the rates of a step; begin its slopes along rates and states."""
    zero = rate.dtype.type(0)
    two = rate.dtype.type(2)
    squares = zero
    # A loop, as assignments to slices do not run side by side.
    for i in range(q.size):
        squares += rate[i] * rate[i]
        q[i] = two * price * rate[i]
        direct[i] = zero
    return float(price * squares)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _output_loss(
    outputs: Array, bias: Array, target: Array, weight: Array, d_bias: Array, slopes: Array
) -> float:  # pragma: no cover - compiled
    """Return the loss of the outputs of a step; put its slopes along them into `slopes`."""
    two = outputs.dtype.type(2)
    loss = 0.0
    for o in range(bias.size):
        if weight[o] != 0:
            miss = outputs[o] + bias[o] - target[o]
            loss += float(weight[o] * miss * miss)
            slopes[o] = two * weight[o] * miss
            d_bias[o] += slopes[o]
    return loss


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _backward(
    w: LowRankWeights,
    stacks: _Stacks,
    c: Constants,
    lesson: tuple[Array, Array],
    n_steps: int,
    trace: _Trace,
    d: LowRankWeights,
    d_stacks: _Stacks,
    work: Array,
    slopes: Array,
) -> float:  # pragma: no cover - compiled
    """Return the loss of a trial that was run; add its gradient to `d` and `d_stacks`."""
    # Taken out of the tuples once: each time that one is handed on, all its arrays are counted.
    observed = (w.scale, w.offset, d.scale, d.offset)
    bias, d_bias, keep, price = w.output_bias, d.output_bias, c.keep, c.numbers[1]
    first, d_initial = c.numbers[2], d.initial
    target, weight = lesson
    rank = w.m.shape[0]
    zero = w.m.dtype.type(0)
    g, q, direct = work[0], work[1], work[2]
    every = trace.states.shape[0] > 2
    g[:] = zero
    slopes[:] = zero
    loss = 0.0
    for t in range(n_steps - 1, -1, -1):
        rate = trace.rates[t + 1]
        x = trace.states[t + 1 if every else 0]
        _products(stacks.into, rank, g, slopes)
        for k in range(rank, slopes.size):
            slopes[k] = zero
        loss += _start_slopes(price, rate, q, direct)
        if c.held == OUTPUT:
            outputs = trace.found[t + 1, rank:]
            loss += _output_loss(outputs, bias, target[t], weight[t], d_bias, slopes[rank:])
        elif c.held == RATE:
            loss += neuron_loss(c.poisson, observed, rate, target[t], weight[t], q)
        else:
            loss += neuron_loss(c.poisson, observed, x, target[t], weight[t], direct)
        _add_rows(q, stacks.read, slopes)
        _add_products(d_stacks.read, slopes, rate)
        times_slope(c.kind, c.gain, x, rate, q)
        for i in range(g.size):
            g[i] = keep[i] * g[i] + q[i] + direct[i]
        if t == 0 and first != 1:
            for i in range(g.size):
                d_initial[i] += g[i] - first * g[i]
                g[i] = first * g[i]
        _add_products(d_stacks.into, trace.drive[t], g)
    if n_steps > 0:
        _products(stacks.into, rank, g, slopes)
        slopes[rank:] = zero
        q[:] = zero
        _add_rows(q, stacks.read, slopes)
        _add_products(d_stacks.read, slopes, trace.rates[0])
        times_slope(c.kind, c.gain, trace.states[0], trace.rates[0], q)
        for i in range(g.size):
            d_initial[i] += keep[i] * g[i] + q[i]
    return loss


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _trials(
    w: LowRankWeights,
    stacks: _Stacks,
    c: Constants,
    lesson: Lesson,
    first: int,
    stop: int,
    d: LowRankWeights,
    d_stacks: _Stacks,
) -> float:  # pragma: no cover - compiled
    """Return the loss of some trials; add its gradient to `d` and `d_stacks`."""
    kind = w.m.dtype
    n_steps, n = lesson.inputs.shape[1], w.m.shape[1]
    # The slope of the error function is one of the state.
    n_states = n_steps + 3 if c.kind == 5 or c.held == STATE else 2
    trace = _Trace(
        np.empty((n_states, n), kind),
        np.empty((n_steps + 1, n), kind),
        np.zeros((n_steps, len(stacks.into)), kind),
        np.zeros((n_steps + 1, len(stacks.read)), kind),
    )
    work = np.empty((3, n), kind)
    slopes = np.zeros(len(stacks.read), kind)
    loss = 0.0
    for trial in range(first, stop):
        n_run = lesson.n_steps[trial]
        _forward(w, stacks, c, lesson.inputs[trial], n_run, lesson.keys[trial], trace)
        asked = (lesson.target[trial], lesson.weight[trial])
        loss += _backward(w, stacks, c, asked, n_run, trace, d, d_stacks, work, slopes)
    return loss


def low_rank_tile(
    w: LowRankWeights, c: Constants, lesson: Lesson, first: int, stop: int, d: LowRankWeights
) -> float:
    """Return the loss of some trials; add its gradient to `d`."""
    stacks = _Stacks(_stack(w.m, w.input, w.bias[None]), _stack(w.n, w.output))
    slopes = _Stacks(*(np.zeros_like(one) for one in stacks))
    loss = _trials(w, stacks, c, lesson, first, stop, d, slopes)
    rank, n_inputs = len(w.m), len(w.input)
    d.m[...] += slopes.into[:rank]
    d.input[...] += slopes.into[rank : rank + n_inputs]
    d.bias[...] += slopes.into[rank + n_inputs]
    d.n[...] += slopes.read[:rank]
    d.output[...] += slopes.read[rank : rank + len(w.output)]
    return float(loss)


def _stack(*parts: Array) -> Array:
    """Return rows, and rows of zeros up to a whole number of fours."""
    rows = np.concatenate(parts)
    return np.pad(rows, ((0, -len(rows) % _ROWS), (0, 0)))
