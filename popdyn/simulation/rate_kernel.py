"""Steps of a rate network, compiled: arrays only.

Of many trials the matrix product is left to BLAS, and one sweep does all the rest of the step.
A trial by itself reads all recurrent weights at every step, and where they fit into the cache
half of the time NumPy takes goes to calls.  The weights lie by sender, the targets of one side by
side, and are added eight senders at a time in a fixed order.  Products may be fused with the sum
they go into, no more: one machine gives the same bits every time.  The plain form is in
`popdyn.simulation.steps`.

The tanh is ``-m / (2 + m)`` with ``m = exp(-2|x|) - 1``, the exponential by its series on
``|r| <= log(2) / 2`` times a power of two put together from its bits.  Its error is below 3e-16 in
double and 1.6e-7 in single precision, and below 3 units in the last place for any ``x``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
Parts = tuple[Array, Array, Array, Array]

# Half of the time of the sweep over the states.
FUSED = {"contract"}

# Which function `activate` takes.
KINDS = {"tanh": 0, "relu": 1, "linear": 2}

_PER_LOG2 = 1 / np.log(2.0)
# log(2) in two parts, the first with zeros at its end: k times it is exact.
_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_PER_LOG2_SINGLE = np.float32(_PER_LOG2)
_LOG2_HIGH_SINGLE, _LOG2_LOW_SINGLE = np.float32(0.693359375), np.float32(-2.12194440e-4)
# 1/n!, for the series of (exp(r) - 1) / r.
_C = tuple(1.0 / np.prod(np.arange(1.0, n + 1)) for n in range(1, 14))
_S = tuple(np.float32(value) for value in _C[:8])
_TWO, _ONE, _HALF, _ZERO = np.float32(2), np.float32(1), np.float32(0.5), np.float32(0)
_END = np.float32(10.0)


@njit(inline="always", error_model="numpy", fastmath=FUSED)
def tanh_double(x: Any) -> Any:  # pragma: no cover - compiled
    """Hyperbolic tangent of a float64."""
    a = abs(x)
    a = -2.0 * (20.0 if a > 20.0 else a)
    k = np.floor(a * _PER_LOG2 + 0.5)
    r = (a - k * _LOG2_HIGH) - k * _LOG2_LOW
    p = _C[12]
    p = p * r + _C[11]
    p = p * r + _C[10]
    p = p * r + _C[9]
    p = p * r + _C[8]
    p = p * r + _C[7]
    p = p * r + _C[6]
    p = p * r + _C[5]
    p = p * r + _C[4]
    p = p * r + _C[3]
    p = p * r + _C[2]
    p = p * r + _C[1]
    p = (p * r) * r + r
    power = np.int64((np.int64(k) + 1023) << 52).view(np.float64)
    m = power * p + (power - 1.0)
    return np.copysign(m / (2.0 + m), x)


@njit(inline="always", error_model="numpy", fastmath=FUSED)
def tanh_single(x: Any) -> Any:  # pragma: no cover - compiled
    """Hyperbolic tangent of a float32."""
    a = abs(x)
    a = -_TWO * (_END if a > _END else a)
    k = np.floor(a * _PER_LOG2_SINGLE + _HALF)
    r = (a - k * _LOG2_HIGH_SINGLE) - k * _LOG2_LOW_SINGLE
    p = _S[7]
    p = p * r + _S[6]
    p = p * r + _S[5]
    p = p * r + _S[4]
    p = p * r + _S[3]
    p = p * r + _S[2]
    p = p * r + _S[1]
    p = (p * r) * r + r
    power = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    m = power * p + (power - _ONE)
    return np.copysign(m / (_TWO + m), x)


@njit(nogil=True, inline="always", error_model="numpy", fastmath=FUSED)
def activate_double(x: Array, gain: Array, rate: Array, kind: int) -> None:  # pragma: no cover
    """Put the rates of float64 states into `rate`."""
    if kind == 0:
        for i in range(x.size):
            rate[i] = tanh_double(gain[i] * x[i])
    elif kind == 1:
        for i in range(x.size):
            rate[i] = 0.0 if gain[i] * x[i] < 0.0 else gain[i] * x[i]
    else:
        for i in range(x.size):
            rate[i] = gain[i] * x[i]


@njit(nogil=True, inline="always", error_model="numpy", fastmath=FUSED)
def activate_single(x: Array, gain: Array, rate: Array, kind: int) -> None:  # pragma: no cover
    """Put the rates of float32 states into `rate`."""
    if kind == 0:
        for i in range(x.size):
            rate[i] = tanh_single(gain[i] * x[i])
    elif kind == 1:
        for i in range(x.size):
            rate[i] = _ZERO if gain[i] * x[i] < _ZERO else gain[i] * x[i]
    else:
        for i in range(x.size):
            rate[i] = gain[i] * x[i]


@njit(nogil=True, error_model="numpy", fastmath=FUSED)
def add_product(y: Array, weights: Array, r: Array) -> None:  # pragma: no cover - compiled
    """Add ``r @ weights`` to `y`, eight rows of the weights at a time."""
    n = r.size
    whole = n - n % 8
    for j in range(0, whole, 8):
        r0, r1, r2, r3 = r[j], r[j + 1], r[j + 2], r[j + 3]
        r4, r5, r6, r7 = r[j + 4], r[j + 5], r[j + 6], r[j + 7]
        for i in range(n):
            y[i] += (
                (r0 * weights[j, i] + r1 * weights[j + 1, i])
                + (r2 * weights[j + 2, i] + r3 * weights[j + 3, i])
            ) + (
                (r4 * weights[j + 4, i] + r5 * weights[j + 5, i])
                + (r6 * weights[j + 6, i] + r7 * weights[j + 7, i])
            )
    for j in range(whole, n):
        for i in range(n):
            y[i] += r[j] * weights[j, i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def advance_double(
    recurrent: Array, keep: Array, gain: Array, drive: Array, kind: int, states: Array, rates: Array
) -> None:  # pragma: no cover - compiled
    """Step one trial in float64.

    ``states`` and ``rates (step + 1, neuron)`` hold those at the start in their first row; the
    others are filled: ``states[k + 1] = keep * states[k] + drive[k] + rates[k] @ recurrent``.
    """
    for step in range(drive.shape[0]):
        state = states[step + 1]
        for i in range(state.size):
            state[i] = states[step, i] * keep[i] + drive[step, i]
        add_product(state, recurrent, rates[step])
        activate_double(state, gain, rates[step + 1], kind)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def advance_single(
    recurrent: Array, keep: Array, gain: Array, drive: Array, kind: int, states: Array, rates: Array
) -> None:  # pragma: no cover - compiled
    """Step one trial in float32, as `advance_double` does in float64."""
    for step in range(drive.shape[0]):
        state = states[step + 1]
        for i in range(state.size):
            state[i] = states[step, i] * keep[i] + drive[step, i]
        add_product(state, recurrent, rates[step])
        activate_single(state, gain, rates[step + 1], kind)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def finish_double(
    parts: Parts, inputs: Array, kind: int, before: Array, state: Array, rate: Array
) -> None:  # pragma: no cover - compiled
    """End one step of all trials in float64, after the matrix product with the rates.

    ``parts`` are keep, gain, bias ``(neuron,)`` and the input weights ``(channel, neuron)``;
    ``inputs (trial, channel)``; ``before``, ``state``, ``rate (trial, neuron)``, of which `rate`
    holds the product, and the last two are filled:
    ``state = keep * before + product + bias + inputs @ weights``.
    """
    keep, gain, bias, weights = parts
    for trial in range(state.shape[0]):
        x, y, product = state[trial], before[trial], rate[trial]
        for i in range(x.size):
            x[i] = (y[i] * keep[i] + product[i]) + bias[i]
        for channel in range(inputs.shape[1]):
            for i in range(x.size):
                x[i] += inputs[trial, channel] * weights[channel, i]
        activate_double(x, gain, rate[trial], kind)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def finish_single(
    parts: Parts, inputs: Array, kind: int, before: Array, state: Array, rate: Array
) -> None:  # pragma: no cover - compiled
    """End one step of all trials in float32, as `finish_double` does in float64."""
    keep, gain, bias, weights = parts
    for trial in range(state.shape[0]):
        x, y, product = state[trial], before[trial], rate[trial]
        for i in range(x.size):
            x[i] = (y[i] * keep[i] + product[i]) + bias[i]
        for channel in range(inputs.shape[1]):
            for i in range(x.size):
                x[i] += inputs[trial, channel] * weights[channel, i]
        activate_single(x, gain, rate[trial], kind)


ADVANCE = {"float64": advance_double, "float32": advance_single}
FINISH = {"float64": finish_double, "float32": finish_single}
