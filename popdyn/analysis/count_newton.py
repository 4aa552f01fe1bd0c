"""Maximum likelihood of spike counts with a logarithmic link, for many regressions at once.

Newton's method on all rows (neuron, bin) that share a design: each iteration is two matrix
products over trials and one small linear system per row.  Rows leave as they converge.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MOST_STEPS = 60
_MOST_HALVINGS = 30
# Newton squares the error, so that a step this small leaves nothing behind it.
_SMALL_STEP = 1e-6
# A regressor of unit variance that changes the rate e^20 times is running away to infinity.
_RUNAWAY = 20.0


class Likelihood(Protocol):
    """Log likelihood of rows in their parameters, which begin with the coefficients."""

    def value(self, parameters: Array, rows: NDArray[np.intp]) -> Array:
        """Log likelihood (row), up to a constant per row."""

    def slope(self, parameters: Array, rows: NDArray[np.intp]) -> tuple[Array, Array]:
        """Gradient (row, parameter) and negative Hessian (row, parameter, parameter)."""


def maximize(likelihood: Likelihood, start: Array) -> Array:
    """Climb to the maximum of every row's likelihood.

    Parameters
    ----------
    likelihood : Likelihood
        Of all rows.
    start : ndarray, shape (row, parameter)
        Where to begin; rows with NaN are left out.

    Returns
    -------
    ndarray, shape (row, parameter)
        NaN where it did not converge: no spike in some level, say, so that the estimate is
        infinite.
    """
    parameters = np.full(start.shape, np.nan)
    rows = np.flatnonzero(np.isfinite(start).all(axis=1))
    now = start[rows]
    value = likelihood.value(now, rows)
    for _ in range(_MOST_STEPS):
        if not rows.size:
            break
        gradient, curvature = likelihood.slope(now, rows)
        step = _step(gradient, curvature)
        now, value, moved = _climb(likelihood, rows, now, value, step)
        done = moved < _SMALL_STEP
        parameters[rows[done]] = now[done]
        going = ~done & (np.abs(now[:, :-1]).max(axis=1, initial=0.0) < _RUNAWAY)
        rows, now, value = rows[going], now[going], value[going]
    return parameters


def information_at(likelihood: Likelihood, parameters: Array) -> Array:
    """Negative Hessian of every row's likelihood.

    Parameters
    ----------
    likelihood : Likelihood
        Of all rows.
    parameters : ndarray, shape (row, parameter)
        Where to take it; rows with NaN are left out.

    Returns
    -------
    ndarray, shape (row, parameter, parameter)
        NaN where the parameters are.
    """
    n_rows, n_parameters = parameters.shape
    information = np.full((n_rows, n_parameters, n_parameters), np.nan)
    known = np.flatnonzero(np.isfinite(parameters).all(axis=1))
    if known.size:
        information[known] = likelihood.slope(parameters[known], known)[1]
    return information


def _step(gradient: Array, curvature: Array) -> Array:
    """Newton's step; along the gradient's own curvatures where that does not climb."""
    diagonal = np.einsum("rpp->rp", curvature)
    size = np.maximum(
        np.abs(diagonal), 1e-12 * np.abs(diagonal).max(axis=1, keepdims=True) + 1e-300
    )
    # A trace of a diagonal keeps the system solvable; the maximum does not depend on it.
    ridge = 1e-13 * size[:, :, None] * np.eye(curvature.shape[1])
    step = np.linalg.solve(curvature + ridge, gradient[..., None])[..., 0]
    falling = ~(np.einsum("rp,rp->r", step, gradient) >= 0)
    step[falling] = gradient[falling] / size[falling]
    # Far from the maximum the curvature says little: no step of more than e^2 in the rate.
    return np.asarray(step / np.maximum(np.abs(step).max(axis=1, keepdims=True) / 2.0, 1.0))


def _climb(
    likelihood: Likelihood, rows: NDArray[np.intp], now: Array, value: Array, step: Array
) -> tuple[Array, Array, Array]:
    """Take the step, halved where it goes down."""
    factor = np.ones(len(rows))
    new, new_value = now + step, likelihood.value(now + step, rows)
    moved = np.abs(step).max(axis=1)
    slack = 1e-10 * (np.abs(value) + 1.0)
    for _ in range(_MOST_HALVINGS):
        down = np.flatnonzero(~(new_value >= value - slack))
        if not down.size:
            break
        factor[down] /= 2.0
        new[down] = now[down] + factor[down, None] * step[down]
        new_value[down] = likelihood.value(new[down], rows[down])
    return new, new_value, moved
