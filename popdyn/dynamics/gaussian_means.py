"""Means of a nonlinearity and its slopes over a Gaussian argument: arrays only.

They are integrals over a standard normal number by the trapezoidal rule, whose error falls
exponentially with the step for functions without singularities near the real line: a step of a
fraction of the nonlinearity's own width, seen from the Gaussian, leaves 1e-12.  Of relu, which has
a kink, and of linear neurons they are known in closed form.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit, ndtr

Array = NDArray[np.float64]

# Beyond this the normal density is below 1e-17.
_REACH = 8.6
# Step for an argument of variance 1, and at most.
_STEP, _LONGEST = 0.25, 0.25
_MOST_NODES = 200_001
# Arguments that are taken together.
_AT_ONCE = 128


def _tanh(order: int, x: Array) -> Array:
    rate = np.tanh(x)
    slope = 1 - rate**2
    values: tuple[Array, ...] = (rate, slope, -2 * rate * slope, (6 * rate**2 - 2) * slope)
    return values[order]


def _sigmoid(order: int, x: Array) -> Array:
    rate = expit(x)
    slope = rate * expit(-x)
    values: tuple[Array, ...] = (rate, slope, slope * (1 - 2 * rate), slope * (1 - 6 * slope))
    return values[order]


def _softplus(order: int, x: Array) -> Array:
    return np.logaddexp(0.0, x) if order == 0 else _sigmoid(order - 1, x)


def _erf(order: int, x: Array) -> Array:
    if order == 0:
        value: Array = erf(x)
        return value
    slope = 2 / np.sqrt(np.pi) * np.exp(-(x**2))
    values: tuple[Array, ...] = (slope, -2 * x * slope, (4 * x**2 - 2) * slope)
    return values[order - 1]


_SMOOTH: dict[str, Callable[[int, Array], Array]] = {
    "tanh": _tanh, "sigmoid": _sigmoid, "softplus": _softplus, "erf": _erf,
}  # fmt: skip


def gaussian_mean(nonlinearity: str, order: int, mean: Array, variance: Array) -> Array:
    """Return the mean of a slope of the nonlinearity over ``x ~ N(mean, variance)``.

    Parameters
    ----------
    nonlinearity : str
        As of the networks.
    order : int
        0 for the nonlinearity, 1 to 3 for its slopes of that order.
    mean, variance : ndarray
        Of the argument, dimensionless, of one shape.

    Returns
    -------
    ndarray
        Of that shape.

    Examples
    --------
    >>> import numpy as np
    >>> gaussian_mean("tanh", 1, np.zeros(2), np.array([1.0, 4.0])).round(5).tolist()
    [0.60571, 0.36474]
    """
    mean, variance = np.broadcast_arrays(np.asarray(mean, float), np.asarray(variance, float))
    spread = np.sqrt(np.maximum(variance, 0.0))
    if nonlinearity == "linear":
        return mean.copy() if order == 0 else np.full(mean.shape, float(order == 1))
    if nonlinearity == "relu":
        return _relu(order, mean, spread)
    function = _SMOOTH[nonlinearity]
    flat_mean, flat_spread, means = mean.ravel(), spread.ravel(), np.empty(mean.size)
    # Arguments of about the same width share their nodes.
    for part in np.array_split(np.argsort(flat_spread), max(1, -(-mean.size // _AT_ONCE))):
        z, weight = _nodes(float(flat_spread[part].max(initial=0.0)))
        means[part] = function(order, flat_mean[part, None] + flat_spread[part, None] * z) @ weight
    return means.reshape(mean.shape)


def _nodes(widest: float) -> tuple[Array, Array]:
    """Return nodes and weights that see the nonlinearity in the widest argument."""
    step = min(_LONGEST, _STEP / widest if widest > 0 else np.inf)
    z = np.linspace(-_REACH, _REACH, min(2 * int(np.ceil(_REACH / step)) + 1, _MOST_NODES))
    weight = np.exp(-(z**2) / 2)
    return z, weight / weight.sum()


def _relu(order: int, mean: Array, spread: Array) -> Array:
    """Return the closed forms; a slope of higher order at no variance counts as 0."""
    safe = np.where(spread > 0, spread, 1.0)
    ratio = np.where(spread > 0, mean / safe, np.where(mean > 0, np.inf, -np.inf))
    density = np.where(spread > 0, np.exp(-(np.clip(ratio, -40, 40) ** 2) / 2), 0.0)
    density = density / np.sqrt(2 * np.pi)
    if order == 0:
        return np.asarray(mean * ndtr(ratio) + spread * density)
    if order == 1:
        return np.asarray(ndtr(ratio))
    at_kink = density / safe
    return np.asarray(at_kink if order == 2 else -mean / safe**2 * at_kink)
