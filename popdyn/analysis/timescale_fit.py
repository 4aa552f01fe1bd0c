"""Which exponential has the autocovariance that was measured?  Least squares over a grid.

A model of the sample autocovariance is ``amplitude x M r(timescale)``: r is the autocovariance of
a process of this timescale and M what estimation does to it (`expectation_map`; the identity for
the direct fit).  The amplitude follows in closed form, so only the timescale is searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_N_GRID = 121
_N_COARSE = 45
_N_REFINED = 9
_N_ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Model:
    """How a process looks once binned, measured and stripped of white noise.

    Attributes
    ----------
    expectation : ndarray (lag, time)
        From `expectation_map`.
    bin_width : float
        Width of a bin (s).
    averaged : bool
        Whether a bin holds the sum or mean over its width rather than a sample.
    noise_free : bool
        Whether white noise of any size is projected out (of data and model alike).
    """

    expectation: Array
    bin_width: float
    averaged: bool
    noise_free: bool

    def curves(self, timescale: Array) -> Array:
        """Give the expected sample autocovariance of unit processes, (timescale, lag)."""
        truth = unit_autocovariance(
            timescale, self.expectation.shape[1], self.bin_width, self.averaged
        )
        return self.without_noise(truth @ self.expectation.T)

    def without_noise(self, measured: Array) -> Array:
        """Take out what white noise of any size could have added, from rows (row, lag)."""
        if not self.noise_free:
            return measured
        white = self.expectation[:, 0] / np.linalg.norm(self.expectation[:, 0])
        return np.asarray(measured - np.outer(measured @ white, white))


def unit_autocovariance(timescale: Array, n_lags: int, bin_width: float, averaged: bool) -> Array:
    """Autocovariance of an exponentially correlated process of variance 1.

    Parameters
    ----------
    timescale : ndarray (timescale,)
        Seconds.
    n_lags : int
        Lags 0, 1, ... bins.
    bin_width : float
        Seconds.
    averaged : bool
        Of averages over bins; else of samples a bin apart.

    Returns
    -------
    ndarray (timescale, lag)

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.analysis.timescale_fit import unit_autocovariance
    >>> unit_autocovariance(np.array([0.1]), 3, 0.1, False).round(3).tolist()
    [[1.0, 0.368, 0.135]]
    """
    ratio = (bin_width / np.asarray(timescale, dtype=np.float64))[:, np.newaxis]
    lag = np.arange(n_lags)
    if not averaged:
        return np.asarray(np.exp(-ratio * lag))
    later = (np.expm1(-ratio) / ratio) ** 2 * np.exp(-ratio * np.maximum(lag - 1, 0))
    # ratio + expm1(-ratio) cancels for slow processes; its series does not.
    same = np.where(
        ratio < 1e-3, 1 - ratio / 3 + ratio**2 / 12, 2 * (ratio + np.expm1(-ratio)) / ratio**2
    )
    return np.where(lag == 0, same, later)


def grid(shortest: float, longest: float) -> Array:
    """Timescales (s) that are tried first, equally spaced in their logarithm."""
    return np.geomspace(shortest, longest, _N_GRID)


def fit_one(measured: Array, model: Model, timescales: Array) -> tuple[Array, Array]:
    """Fit one exponential to many autocovariances.

    Parameters
    ----------
    measured : ndarray (row, lag)
        Sample autocovariances.
    model : Model
        What is expected of them.
    timescales : ndarray (timescale,)
        From `grid`; a fit at its ends is a fit outside.

    Returns
    -------
    timescale, amplitude : ndarray (row,)
        Amplitude 0 where no rising or falling exponential of the grid fits better than nothing.
    """
    measured = model.without_noise(measured)
    curves = model.curves(timescales)
    gain, _ = _gain(measured, curves)
    best = gain.argmax(axis=1)
    log_step = np.log(timescales[1] / timescales[0])
    # A parabola through the three best points is right to a thousandth of a timescale.
    inner = np.clip(best, 1, timescales.size - 2)
    low, middle, high = (
        np.take_along_axis(gain, (inner + k)[:, None], 1)[:, 0] for k in (-1, 0, 1)
    )
    bend = low - 2 * middle + high
    shift = np.divide(low - high, 2 * bend, out=np.zeros(bend.shape), where=bend < 0)
    timescale = timescales[inner] * np.exp(log_step * np.clip(shift, -1, 1))
    at_end = (best == 0) | (best == timescales.size - 1)
    timescale[at_end] = timescales[best[at_end]]
    own = model.curves(timescale)
    power = np.einsum("rl,rl->r", own, own)
    amplitude = np.maximum(np.einsum("rl,rl->r", measured, own), 0.0) / np.maximum(power, 1e-300)
    return timescale, amplitude


def polish(measured: Array, model: Model, timescale: Array, step: float) -> Array:
    """Refine fits within ``step`` (of the logarithm) by ever finer grids, row by row."""
    measured = model.without_noise(measured)
    for _ in range(_N_ROUNDS):
        offsets = np.linspace(-step, step, _N_REFINED)
        tried = timescale[:, np.newaxis] * np.exp(offsets)
        curves = model.curves(tried.ravel()).reshape(*tried.shape, -1)
        products = np.maximum(np.einsum("rl,rgl->rg", measured, curves), 0.0)
        gain = products**2 / np.maximum(np.einsum("rgl,rgl->rg", curves, curves), 1e-300)
        timescale = np.take_along_axis(tried, gain.argmax(axis=1)[:, np.newaxis], 1)[:, 0]
        step /= (_N_REFINED - 1) / 2
    return timescale


def fit_two(measured: Array, model: Model, timescales: Array) -> tuple[Array, Array]:
    """Fit the sum of two exponentials, none of them negative.

    Returns
    -------
    timescale, amplitude : ndarray (row, 2)
        The shorter first.
    """
    measured = model.without_noise(measured)
    coarse = np.geomspace(timescales[0], timescales[-1], _N_COARSE)
    step = float(np.log(coarse[1] / coarse[0]))
    pairs = np.array(list(combinations(range(_N_COARSE), 2)))
    tried = coarse[pairs]
    gain, _ = _pair_gain(measured, *_pair_curves(model, tried))
    found = tried[gain.argmax(axis=1)]
    for _ in range(_N_ROUNDS):
        offsets = np.exp(np.linspace(-step, step, _N_REFINED))
        factors = np.stack(np.meshgrid(offsets, offsets), axis=-1).reshape(-1, 2)
        for row in range(len(found)):
            tried = found[row] * factors
            gain, _ = _pair_gain(measured[row : row + 1], *_pair_curves(model, tried))
            found[row] = tried[gain[0].argmax()]
        step /= (_N_REFINED - 1) / 4
    amplitude = np.stack(
        [
            _pair_gain(row[np.newaxis], *_pair_curves(model, own[np.newaxis]))[1][0, 0]
            for row, own in zip(measured, found, strict=True)
        ]
    )
    order = found.argsort(axis=1)
    return np.take_along_axis(found, order, 1), np.take_along_axis(amplitude, order, 1)


def _gain(measured: Array, curves: Array) -> tuple[Array, Array]:
    """Sum of squares a curve explains with its best amplitude, never negative; and that one."""
    power = np.einsum("gl,gl->g", curves, curves)
    products = np.maximum(measured @ curves.T, 0.0)
    return products**2 / power, products / power


def _pair_curves(model: Model, pairs: Array) -> tuple[Array, Array]:
    """Curves of the first and of the second timescale of each pair, (pair, lag)."""
    return model.curves(pairs[:, 0]), model.curves(pairs[:, 1])


def _pair_gain(measured: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Sum of squares explained by two curves with amplitudes of at least 0 (row, pair)."""
    a, b = measured @ first.T, measured @ second.T
    aa, bb = np.einsum("pl,pl->p", first, first), np.einsum("pl,pl->p", second, second)
    ab = np.einsum("pl,pl->p", first, second)
    determinant = np.maximum(aa * bb - ab**2, 1e-12 * aa * bb)
    x, y = (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant
    alone_a, alone_b = np.maximum(a, 0.0) ** 2 / aa, np.maximum(b, 0.0) ** 2 / bb
    first_alone = alone_a >= alone_b
    inside = (x >= 0) & (y >= 0)
    x = np.where(inside, x, np.where(first_alone, np.maximum(a, 0.0) / aa, 0.0))
    y = np.where(inside, y, np.where(first_alone, 0.0, np.maximum(b, 0.0) / bb))
    gain = np.where(inside, x * a + y * b, np.maximum(alone_a, alone_b))
    return gain, np.stack([x, y], axis=-1)
