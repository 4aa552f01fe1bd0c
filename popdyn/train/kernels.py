"""Recursive least squares and the closed loop of a rate network, compiled: arrays only.

One update with the regressors ``r`` and the errors ``e = W r - f`` of all targets is

    ``k = P r / (1 + r P r)``,  ``P <- P - k (P r)^T``,  ``W <- W - e k^T``.

Done as it stands, every update reads and writes all of ``P``.  Here both matrices lag behind:

    ``P = P0 - V V^T``,  ``W = W0 - E V^T``,  with a column ``v = P r / sqrt(1 + r P r)`` of ``V``
    and ``e / sqrt(1 + r P r)`` of ``E`` for each of the last updates,

which is exact.  A product with ``P`` is one with ``P0``, of which half is read because it is
symmetric, and two small ones with ``V``; every 32 updates the columns go into the matrices by one
matrix product.  The plain form is ``tests/oracles/least_squares.py``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from popdyn.simulation.rate_kernel import activate_double, add_product

Array = NDArray[Any]
# recurrent, input, feedback, bias, keep, gain, kind.
Machine = tuple[Array, Array, Array, Array, Array, Array, int]
# inputs, noise, targets, whether to learn.
Stream = tuple[Array, Array, Array, Array]

# Updates between two flushes: columns that stay in the cache, rows enough for a matrix product.
N_PENDING = 32
# Rows of a panel of P or W that is flushed at once.
_PANEL = 64
# Sums may be taken in another order, so that they run side by side.
_REORDERED = {"contract", "reassoc", "nsz", "arcp"}

# Which function `activate` takes, after those of `rate_kernel`.
KINDS = {"tanh": 0, "relu": 1, "linear": 2, "softplus": 3, "sigmoid": 4, "erf": 5}


@njit(nogil=True, inline="always", error_model="numpy", fastmath=_REORDERED)
def triangle(p: Array, r: Array, y: Array, first: int, stop: int) -> None:  # pragma: no cover
    """Add to `y` what a triangle on the diagonal gives."""
    for i in range(first, stop):
        y[i] += p[i, i] * r[i]
        for j in range(i + 1, stop):
            y[i] += p[i, j] * r[j]
            y[j] += p[i, j] * r[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDERED)
def times_symmetric(p: Array, r: Array, y: Array) -> None:  # pragma: no cover - compiled
    """Put ``p @ r`` into `y`, reading the upper triangle alone, eight rows at a time."""
    n = r.size
    whole = n - n % 8
    y[:] = 0.0
    for i in range(0, whole, 8):
        p0, p1, p2, p3 = p[i], p[i + 1], p[i + 2], p[i + 3]
        p4, p5, p6, p7 = p[i + 4], p[i + 5], p[i + 6], p[i + 7]
        r0, r1, r2, r3 = r[i], r[i + 1], r[i + 2], r[i + 3]
        r4, r5, r6, r7 = r[i + 4], r[i + 5], r[i + 6], r[i + 7]
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
        for j in range(i + 8, n):
            q0, q1, q2, q3, s = p0[j], p1[j], p2[j], p3[j], r[j]
            q4, q5, q6, q7 = p4[j], p5[j], p6[j], p7[j]
            a0, a1, a2, a3 = a0 + q0 * s, a1 + q1 * s, a2 + q2 * s, a3 + q3 * s
            a4, a5, a6, a7 = a4 + q4 * s, a5 + q5 * s, a6 + q6 * s, a7 + q7 * s
            y[j] += ((q0 * r0 + q1 * r1) + (q2 * r2 + q3 * r3)) + (
                (q4 * r4 + q5 * r5) + (q6 * r6 + q7 * r7)
            )
        y[i], y[i + 1], y[i + 2], y[i + 3] = y[i] + a0, y[i + 1] + a1, y[i + 2] + a2, y[i + 3] + a3
        y[i + 4], y[i + 5] = y[i + 4] + a4, y[i + 5] + a5
        y[i + 6], y[i + 7] = y[i + 6] + a6, y[i + 7] + a7
        triangle(p, r, y, i, i + 8)
    triangle(p, r, y, whole, n)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDERED)
def times_rows(w: Array, r: Array, y: Array) -> None:  # pragma: no cover - compiled
    """Put ``w @ r`` into `y`."""
    for m in range(w.shape[0]):
        row = w[m]
        a = 0.0
        for j in range(r.size):
            a += row[j] * r[j]
        y[m] = a


def _of_width(width: int) -> tuple[Any, Any]:
    """Return the products with the first columns: loops of a known length need no loop."""

    @njit(nogil=True, error_model="numpy", fastmath=_REORDERED)
    def take_off(columns: Array, h: Array, y: Array) -> None:  # pragma: no cover - compiled
        for i in range(y.size):
            row = columns[i]
            a = 0.0
            for j in range(width):
                a += row[j] * h[j]
            y[i] -= a

    @njit(nogil=True, error_model="numpy", fastmath=_REORDERED)
    def pending_part(v: Array, r: Array, h: Array) -> None:  # pragma: no cover - compiled
        h[:] = 0.0
        for i in range(r.size):
            row, ri = v[i], r[i]
            for j in range(width):
                h[j] += row[j] * ri

    return take_off, pending_part


_take_8, _part_8 = _of_width(8)
_take_16, _part_16 = _of_width(16)
_take_32, _part_32 = _of_width(N_PENDING)


@njit(nogil=True, error_model="numpy")
def take_off(
    columns: Array, h: Array, n_pending: int, y: Array
) -> None:  # pragma: no cover - compiled
    """Subtract ``columns @ h`` from `y`; columns from `n_pending` on are 0."""
    if n_pending <= 8:
        _take_8(columns, h, y)
    elif n_pending <= 16:
        _take_16(columns, h, y)
    else:
        _take_32(columns, h, y)


@njit(nogil=True, error_model="numpy")
def pending_part(v: Array, r: Array, n_pending: int, h: Array) -> None:  # pragma: no cover
    """Put ``v.T @ r`` into `h`; columns from `n_pending` on are 0."""
    if n_pending <= 8:
        _part_8(v, r, h)
    elif n_pending <= 16:
        _part_16(v, r, h)
    else:
        _part_32(v, r, h)


@njit(cache=True, nogil=True, error_model="numpy")
def flush(p: Array, w: Array, v: Array, e: Array, room: Array) -> None:  # pragma: no cover
    """Bring P (its upper triangle) and W up to date and empty the columns.

    ``room`` holds a panel, 64 rows of P: new memory for each would cost half as much again.
    """
    n, m = p.shape[0], w.shape[0]
    for first in range(0, n, _PANEL):
        stop = min(first + _PANEL, n)
        change = room[: (stop - first) * (n - first)].reshape((stop - first, n - first))
        np.dot(v[first:stop], v[first:].T, change)
        for i in range(stop - first):
            row = p[first + i]
            for j in range(i, n - first):
                row[first + j] -= change[i, j]
    for first in range(0, m, _PANEL):
        stop = min(first + _PANEL, m)
        change = room[: (stop - first) * n].reshape((stop - first, n))
        np.dot(e[first:stop], v.T, change)
        w[first:stop] -= change
    v[:] = 0.0
    e[:] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def mirror(p: Array) -> None:  # pragma: no cover - compiled
    """Copy the upper triangle into the lower one, square by square."""
    n = p.shape[0]
    for first in range(0, n, _PANEL):
        for second in range(first, n, _PANEL):
            for i in range(first, min(first + _PANEL, n)):
                for j in range(max(second, i + 1), min(second + _PANEL, n)):
                    p[j, i] = p[i, j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDERED)
def update(
    p: Array, v: Array, n_pending: int, r: Array, h: Array, q: Array
) -> float:  # pragma: no cover - compiled
    """Note one update as the next column of `v`; return what scales it, and the errors.

    ``h`` is what `pending_part` made of `r`; ``q`` is room for ``P r``.
    """
    times_symmetric(p, r, q)
    take_off(v, h, n_pending, q)
    size = 0.0
    for i in range(r.size):
        size += q[i] * r[i]
    scale = 1.0 / math.sqrt(1.0 + size)
    for i in range(r.size):
        v[i, n_pending] = scale * q[i]
    return scale


@njit(cache=True, nogil=True, error_model="numpy")
def least_squares(
    p: Array, w: Array, regressors: Array, targets: Array, outputs: Array
) -> None:  # pragma: no cover - compiled
    """Learn from one row of regressors after the other; P and W are changed in place.

    Parameters
    ----------
    p : ndarray, shape (regressor, regressor)
        Symmetric.
    w : ndarray, shape (target, regressor)
        Weights.
    regressors, targets : ndarray, shape (step, regressor) and (step, target)
        What to learn from.
    outputs : ndarray, shape (step, target)
        Filled with what the weights made of the regressors before the update of the step.
    """
    v = np.zeros((p.shape[0], N_PENDING))
    e = np.zeros((w.shape[0], N_PENDING))
    h, q, room = np.zeros(N_PENDING), np.zeros(p.shape[0]), np.empty(_PANEL * p.shape[0])
    n_pending = 0
    for step in range(regressors.shape[0]):
        r, z = regressors[step], outputs[step]
        pending_part(v, r, n_pending, h)
        times_rows(w, r, z)
        take_off(e, h, n_pending, z)
        scale = update(p, v, n_pending, r, h, q)
        for m in range(z.size):
            e[m, n_pending] = scale * (z[m] - targets[step, m])
        n_pending += 1
        if n_pending == N_PENDING:
            flush(p, w, v, e, room)
            n_pending = 0
    if n_pending:
        flush(p, w, v, e, room)
    mirror(p)


@njit(nogil=True, error_model="numpy")
def activate(x: Array, gain: Array, rate: Array, kind: int) -> None:  # pragma: no cover - compiled
    """Put the rates of states into `rate`."""
    if kind < 3:
        activate_double(x, gain, rate, kind)
        return
    for i in range(x.size):
        y = gain[i] * x[i]
        if kind == 3:
            rate[i] = max(y, 0.0) + math.log1p(math.exp(-abs(y)))
        elif kind == 4:
            small = math.exp(-abs(y))
            rate[i] = (1.0 if y > 0.0 else small) / (1.0 + small)
        else:
            rate[i] = math.erf(y)


@njit(cache=True, nogil=True, error_model="numpy")
def closed_loop(
    machine: Machine,
    state: Array,
    output: Array,
    p: Array,
    w: Array,
    stream: Stream,
    outputs: Array,
) -> None:  # pragma: no cover - compiled
    """Step a rate network whose output weights learn; P, W and what is below change in place.

    Parameters
    ----------
    machine : tuple
        Recurrent weights ``(sender, receiver)``, input and feedback weights
        ``(channel or output, neuron)`` and the bias, all times the share of a step; what is kept
        of a state in a step and the gain of each neuron; the kind of its nonlinearity.
    state, output : ndarray, shape (neuron,) and (output,)
        State and output at the start, then at the end.
    p, w : ndarray, shape (neuron, neuron) and (output, neuron)
        As for `least_squares`.
    stream : tuple
        Inputs ``(step, channel)``; noise added to the states ``(step, neuron)``, or no rows;
        targets of the outputs at the end of each step ``(step, output)``; and whether to learn
        at a step.
    outputs : ndarray, shape (step, output)
        Filled with the output at the end of each step, before it learns.  This is also what
        feeds back during the next step.
    """
    recurrent, into, feedback, bias, keep, gain, kind = machine
    inputs, noise, targets, learns = stream
    n = state.size
    v, unused = np.zeros((n, N_PENDING)), np.zeros((0, N_PENDING))
    h, q, r, room = np.zeros(N_PENDING), np.zeros(n), np.zeros(n), np.empty(_PANEL * n)
    activate(state, gain, r, kind)
    n_pending = 0
    for step in range(inputs.shape[0]):
        for i in range(n):
            state[i] = state[i] * keep[i] + bias[i]
        add_product(state, recurrent, r)
        add_scaled(state, into, inputs[step])
        add_scaled(state, feedback, output)
        if noise.shape[0]:
            for i in range(n):
                state[i] += noise[step, i]
        activate(state, gain, r, kind)
        times_rows(w, r, output)
        outputs[step] = output
        if not learns[step]:
            continue
        pending_part(v, r, n_pending, h)
        scale = update(p, v, n_pending, r, h, q)
        for m in range(output.size):
            error = scale * (output[m] - targets[step, m])
            for i in range(n):
                w[m, i] -= error * v[i, n_pending]
        n_pending += 1
        if n_pending == N_PENDING:
            flush(p, w[:0], v, unused, room)
            n_pending = 0
    if n_pending:
        flush(p, w[:0], v, unused, room)
    mirror(p)


@njit(nogil=True, error_model="numpy")
def add_scaled(y: Array, weights: Array, values: Array) -> None:  # pragma: no cover - compiled
    """Add ``values @ weights`` to `y`, leaving out values that are 0."""
    for channel in range(values.size):
        value = values[channel]
        if value != 0.0:
            for i in range(y.size):
                y[i] += value * weights[channel, i]
