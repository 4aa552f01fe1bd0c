"""Noise and inputs that act on states during a step, compiled: arrays only.

The noise are normal numbers that depend on a key, a step and a neuron alone.

Philox-2x32-10 (Salmon, Moraes, Dror & Shaw 2011) turns key and counter into 64 random bits, and
Box & Muller's formulas these into two normal numbers.  There is no state, so that trials may be
run in any order and on any number of threads; and all neurons of a step are drawn side by side in
the vector registers, at about 2 ns a number.  Numbers have 24 random bits, and none is beyond 5.8.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from popdyn.simulation.rate_kernel import FUSED

Array = NDArray[Any]

_MULTIPLIER, _KEY_STEP = np.uint64(0xD256D193), np.uint64(0x9E3779B9)
_LOW, _HALF_WORD, _EIGHT = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(8)
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_TWO, _FOUR, _QUARTER = np.float32(2), np.float32(4), np.float32(0.25)
_UNIT, _TURN = np.float32(2.0**-24), np.float32(2 * math.pi)
_LOG2, _ROOT = np.float32(math.log(2.0)), np.float32(math.sqrt(2.0))
# 2/(2n + 1), and the series of sine and cosine.
_L = tuple(np.float32(2.0 / (2 * n + 1)) for n in range(5))
_SIN = tuple(np.float32((-1.0) ** n / math.factorial(2 * n + 1)) for n in range(5))
_COS = tuple(np.float32((-1.0) ** n / math.factorial(2 * n)) for n in range(5))


@njit(inline="always")
def _mix(first: Any, second: Any, key: Any) -> Any:  # pragma: no cover - compiled
    """Return the first word after a round; the second is `_low` of what it was."""
    return ((_MULTIPLIER * first) >> _HALF_WORD) ^ key ^ second


@njit(inline="always")
def _low(first: Any) -> Any:  # pragma: no cover - compiled
    """Return the second word after a round."""
    return (_MULTIPLIER * first) & _LOW


@njit(inline="always")
def philox(a: Any, b: Any, key: Any) -> Any:  # pragma: no cover - compiled
    """Return two words of 32 random bits for a counter of two and a key, all as uint64."""
    # Ten rounds written out: a loop would not run side by side.
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    a, b, key = _mix(a, b, key), _low(a), (key + _KEY_STEP) & _LOW
    return _mix(a, b, key), _low(a)


@njit(inline="always", error_model="numpy", fastmath=FUSED)
def _minus_two_log(u: Any) -> Any:  # pragma: no cover - compiled
    """``-2 log(u)`` of a float32 between 2^-24 and 1."""
    bits = np.float32(u).view(np.int32)
    exponent = np.int32((bits >> np.int32(23)) - np.int32(127))
    f = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    above = f > _ROOT
    f = _HALF * f if above else f
    exponent = exponent + np.int32(1) if above else exponent
    s = (f - _ONE) / (f + _ONE)
    y = s * s
    p = ((_L[4] * y + _L[3]) * y + _L[2]) * y + _L[1]
    return -_TWO * (np.float32(exponent) * _LOG2 + (p * y + _L[0]) * s)


@njit(inline="always", error_model="numpy", fastmath=FUSED)
def _pair(first: Any, second: Any) -> Any:  # pragma: no cover - compiled
    """Turn two words of 32 bits into two normal numbers."""
    u = np.float32(np.int32(first >> _EIGHT) + np.int32(1)) * _UNIT
    v = np.float32(np.int32(second >> _EIGHT)) * _UNIT
    radius = np.sqrt(_minus_two_log(u))
    quarter = np.floor(_FOUR * v + _HALF)
    a = _TURN * (v - _QUARTER * quarter)
    y = a * a
    sine = ((((_SIN[4] * y + _SIN[3]) * y + _SIN[2]) * y + _SIN[1]) * y + _ONE) * a
    cosine = (((_COS[4] * y + _COS[3]) * y + _COS[2]) * y + _COS[1]) * y + _ONE
    turn = np.int32(quarter)
    odd = (turn & np.int32(1)) != 0
    c = sine if odd else cosine
    s = cosine if odd else sine
    # Quarters 1 and 2 turn the cosine around, 2 and 3 the sine.
    c = -c if ((turn + np.int32(1)) & np.int32(2)) != 0 else c
    s = -s if (turn & np.int32(2)) != 0 else s
    return radius * c, radius * s


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def add_noise(x: Array, std: Any, key: Any, step: int) -> None:  # pragma: no cover - compiled
    """Add `std` times the normal numbers of a step to `x (neuron,)`, for a key below 2^32."""
    half = (x.size + 1) // 2
    ahead, behind = x[:half], x[half:]
    word = np.uint64(step)
    for i in range(behind.size):
        first, second = philox(np.uint64(i), word, key)
        one, other = _pair(first, second)
        ahead[i] += std * one
        behind[i] += std * other
    if behind.size < half:
        first, second = philox(np.uint64(half - 1), word, key)
        ahead[half - 1] += std * _pair(first, second)[0]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def add_inputs(x: Array, weights: Array, inputs: Array) -> None:  # pragma: no cover - compiled
    """Add inputs ``(channel,)`` by way of `weights (channel, neuron)` to states."""
    zero = x.dtype.type(0)
    for k in range(inputs.size):
        value = inputs[k]
        if value != zero:
            row = weights[k]
            for i in range(x.size):
                x[i] += value * row[i]
