"""What noise that neurons share adds to the error of a measure over neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.design import Design
from popdyn.analysis.least_squares import Fit, fit_least_squares
from popdyn.resample import percentile_bounds

Array = NDArray[np.float64]

# Draws that are fitted at once: as many copies of the data are held.
_AT_ONCE = 50


def slope_noise(
    values: NDArray[np.floating[Any]],
    design: Design,
    fit: Fit,
    n_draws: int,
    rng: np.random.Generator,
) -> Array:
    """Draw errors of slopes, shared by neurons as their noise is: a wild bootstrap.

    Residuals of each trial are turned round or not, those of all neurons together.

    Parameters
    ----------
    values : ndarray, shape (neuron, 1, trial)
        What was fitted.
    design : Design
        Of the fit.
    fit : Fit
        Of the values.
    n_draws : int
        Draws.
    rng : Generator
        Draws signs.

    Returns
    -------
    ndarray, shape (draw, neuron, slope)
        In the unit of the coefficients.
    """
    fitted = np.moveaxis(np.tensordot(design.matrix, fit.coefficient, 1), 0, -1)
    residual = np.full(values.shape, np.nan)
    residual[..., design.kept] = values[..., design.kept] - fitted
    with np.errstate(invalid="ignore", divide="ignore"):
        residual *= np.sqrt(fit.n_trials / fit.degrees_of_freedom)[..., None]
    drawn = []
    for first in range(0, n_draws, _AT_ONCE):
        count = min(_AT_ONCE, n_draws - first)
        signs = rng.choice([-1.0, 1.0], (count, values.shape[-1]))
        drawn.append(fit_least_squares(residual * signs, design).coefficient[:-1])
    return np.moveaxis(np.concatenate(drawn, axis=2), (2, 1, 0), (0, 1, 2))


def widened_by_sharing(draws: Array, shared: Array, private: Array) -> Array:
    """Move draws of neurons away from the estimate by what noise they share adds.

    Draws of neurons have the scatter of noise that each neuron has for itself.  The squared
    widths of intervals add up: what draws of shared noise exceed those of private noise by.

    Parameters
    ----------
    draws, shared, private : ndarray, shape (1 + draw, ...)
        The estimate, then it of other neurons, of other noise, and of other private noise.

    Returns
    -------
    ndarray, shape (1 + draw, ...)
    """
    own, other, alone = (
        np.ptp(percentile_bounds(x[1:]), axis=0) ** 2 for x in (draws, shared, private)
    )
    extra = np.maximum(other - alone, 0.0)
    factor = np.sqrt(1 + np.divide(extra, own, out=np.zeros_like(own), where=own > 0))
    return np.asarray(draws[:1] + factor * (draws - draws[:1]))
