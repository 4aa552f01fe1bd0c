"""From states to rates and the slopes there, compiled for both precisions: arrays only.

Loops over these functions run side by side in the vector registers of the processor, which those
of the C library do not: 0.1 to 0.3 ns a number in single precision where ``np.tanh`` in compiled
loops takes 20.  Errors, as largest absolute ones of rates between -1 and 1, otherwise relative:

- float32: tanh 1.6e-7, sigmoid 1.6e-7, softplus 4e-7, exponential 3e-7;
- float64: tanh 3e-16, sigmoid 3e-16, softplus 7e-16, exponential 7e-16.

The error function is that of the C library.  Each function is also the plain Python one, which is
what runs where numba compiles nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload
from numpy.typing import NDArray

from popdyn.simulation.rate_kernel import FUSED, tanh_double, tanh_single

Array = NDArray[Any]

_PER_LOG2 = 1 / math.log(2.0)
# log(2) in two parts, the first with zeros at its end: k times it is exact.
_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_PER_LOG2_SINGLE = np.float32(_PER_LOG2)
_LOG2_HIGH_SINGLE, _LOG2_LOW_SINGLE = np.float32(0.693359375), np.float32(-2.12194440e-4)
# 1/n!, and the series of log1p: 2/(2n + 1).
_C = tuple(1.0 / math.factorial(n) for n in range(14))
_S = tuple(np.float32(value) for value in _C[:9])
_L = tuple(2.0 / (2 * n + 1) for n in range(18))
_M = tuple(np.float32(value) for value in _L[:8])
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_LEAST, _MOST = np.float32(-87.0), np.float32(88.0)
_ERF_SLOPE = 2 / math.sqrt(math.pi)


def tanh_of(x: Any) -> Any:
    """Hyperbolic tangent."""
    return np.tanh(x)


def exp_of(x: Any) -> Any:
    """Exponential, of numbers that are not too large: from 88, or 709, it grows no more."""
    return np.exp(np.minimum(x, 88.0 if x.dtype == np.float32 else 709.0))


def log1p_of(x: Any) -> Any:
    """``log(1 + x)`` for ``x`` from 0 to 1."""
    return np.log1p(x)


@njit(inline="always", error_model="numpy", fastmath=FUSED)
def _exp_double(x: Any) -> Any:  # pragma: no cover - compiled
    """Exponential of a float64: series about the nearest power of two."""
    x = -708.0 if x < -708.0 else (709.0 if x > 709.0 else x)
    k = np.floor(x * _PER_LOG2 + 0.5)
    r = (x - k * _LOG2_HIGH) - k * _LOG2_LOW
    p = _C[13]
    p = p * r + _C[12]
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
    p = p * r + 1.0
    p = p * r + 1.0
    # NaN has no power of two of its own: the series keeps it.
    return p * np.int64((np.int64(k) + 1023) << 52).view(np.float64)


@njit(inline="always", error_model="numpy", fastmath=FUSED)
def _exp_single(x: Any) -> Any:  # pragma: no cover - compiled
    """Exponential of a float32."""
    x = _LEAST if x < _LEAST else (_MOST if x > _MOST else x)
    k = np.floor(x * _PER_LOG2_SINGLE + _HALF)
    r = (x - k * _LOG2_HIGH_SINGLE) - k * _LOG2_LOW_SINGLE
    p = _S[8]
    p = p * r + _S[7]
    p = p * r + _S[6]
    p = p * r + _S[5]
    p = p * r + _S[4]
    p = p * r + _S[3]
    p = p * r + _S[2]
    p = p * r + _ONE
    p = p * r + _ONE
    return p * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(inline="always", error_model="numpy", fastmath=FUSED)
def _log1p_double(x: Any) -> Any:  # pragma: no cover - compiled
    """``log(1 + x) = 2 atanh(x / (2 + x))`` of a float64 from 0 to 1, by its series."""
    s = x / (2.0 + x)
    y = s * s
    p = _L[17]
    p = p * y + _L[16]
    p = p * y + _L[15]
    p = p * y + _L[14]
    p = p * y + _L[13]
    p = p * y + _L[12]
    p = p * y + _L[11]
    p = p * y + _L[10]
    p = p * y + _L[9]
    p = p * y + _L[8]
    p = p * y + _L[7]
    p = p * y + _L[6]
    p = p * y + _L[5]
    p = p * y + _L[4]
    p = p * y + _L[3]
    p = p * y + _L[2]
    p = p * y + _L[1]
    p = p * y + _L[0]
    return p * s


@njit(inline="always", error_model="numpy", fastmath=FUSED)
def _log1p_single(x: Any) -> Any:  # pragma: no cover - compiled
    """``log(1 + x)`` of a float32 from 0 to 1."""
    s = x / (_TWO + x)
    y = s * s
    p = _M[7]
    p = p * y + _M[6]
    p = p * y + _M[5]
    p = p * y + _M[4]
    p = p * y + _M[3]
    p = p * y + _M[2]
    p = p * y + _M[1]
    p = p * y + _M[0]
    return p * s


def _offer(function: Any, single: Any, double: Any) -> None:
    """Compile a function as the one of the precision it is called with."""

    @overload(function)
    def choose(x: Any) -> Any:  # pragma: no cover - compiled
        return single.py_func if x == types.float32 else double.py_func


_offer(tanh_of, tanh_single, tanh_double)
_offer(exp_of, _exp_single, _exp_double)
_offer(log1p_of, _log1p_single, _log1p_double)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def _activate_smooth(
    kind: int, gain: Array, x: Array, rate: Array
) -> None:  # pragma: no cover - compiled
    """Put the rates of softplus, sigmoid and error function into `rate`."""
    zero = x.dtype.type(0)
    half = x.dtype.type(0.5)
    if kind == 3:
        for i in range(x.size):
            a = gain[i] * x[i]
            rate[i] = (zero if a < zero else a) + log1p_of(exp_of(-abs(a)))
    elif kind == 4:
        for i in range(x.size):
            rate[i] = half + half * tanh_of(half * gain[i] * x[i])
    else:
        for i in range(x.size):
            rate[i] = math.erf(gain[i] * x[i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def activate(kind: int, gain: Array, x: Array, rate: Array) -> None:  # pragma: no cover - compiled
    """Put the rates ``f(gain x)`` of states into `rate`; `kind` as in `popdyn.train.kernels`."""
    zero = x.dtype.type(0)
    if kind == 0:
        for i in range(x.size):
            rate[i] = tanh_of(gain[i] * x[i])
    elif kind == 1:
        for i in range(x.size):
            rate[i] = zero if gain[i] * x[i] < zero else gain[i] * x[i]
    elif kind == 2:
        for i in range(x.size):
            rate[i] = gain[i] * x[i]
    else:
        _activate_smooth(kind, gain, x, rate)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def _times_smooth_slope(
    kind: int, gain: Array, x: Array, rate: Array, q: Array
) -> None:  # pragma: no cover - compiled
    """Multiply `q` by the slopes of softplus, sigmoid and error function."""
    one = x.dtype.type(1)
    if kind == 3:
        for i in range(q.size):
            q[i] *= gain[i] * (one - exp_of(-rate[i]))
    elif kind == 4:
        for i in range(q.size):
            q[i] *= gain[i] * (rate[i] - rate[i] * rate[i])
    else:
        for i in range(q.size):
            a = gain[i] * x[i]
            q[i] *= gain[i] * x.dtype.type(_ERF_SLOPE) * exp_of(-a * a)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def times_slope(
    kind: int, gain: Array, x: Array, rate: Array, q: Array
) -> None:  # pragma: no cover - compiled
    """Multiply `q` by the slopes ``gain f'(gain x)``; `x` is read for the error function alone."""
    zero = x.dtype.type(0)
    one = x.dtype.type(1)
    if kind == 0:
        for i in range(q.size):
            q[i] *= gain[i] * (one - rate[i] * rate[i])
    elif kind == 1:
        for i in range(q.size):
            q[i] = gain[i] * q[i] if rate[i] > zero else zero
    elif kind == 2:
        for i in range(q.size):
            q[i] *= gain[i]
    else:
        _times_smooth_slope(kind, gain, x, rate, q)
