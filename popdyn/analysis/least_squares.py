"""Least squares for all neurons and time bins at once: one factorization serves them all.

Neurons observed on other trials get a factorization of their own; ridge and robust standard
errors come from the same matrix that maps trials to coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.design import Design
from popdyn.analysis.slabs import observed_alike, slabs

Array = NDArray[np.float64]
Robust = Literal["HC1", "HC3"] | None

# Below this share of its own variance a regressor is nothing but the others (as in `design`).
_OWN_SHARE = 1e-10


@dataclass(frozen=True, eq=False)
class Fit:
    """Regressions of every neuron and time bin; NaN where the trials do not determine them.

    Attributes
    ----------
    coefficient, standard_error : ndarray, shape (regressor, neuron, time)
        In the unit of the data per unit of the regressor.
    degrees_of_freedom : ndarray, shape (neuron, time)
        Trials less the (effective) number of coefficients.
    residual_variance : ndarray, shape (neuron, time)
        Residual sum of squares over degrees of freedom; the square of the data's unit.
    total_variance : ndarray, shape (neuron, time)
        Variance of the data over the same trials, with n - 1.
    n_trials : ndarray of int, shape (neuron, time)
        Trials observed, of those the design keeps.
    """

    coefficient: Array
    standard_error: Array
    degrees_of_freedom: Array
    residual_variance: Array
    total_variance: Array
    n_trials: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Solver:
    """What one set of trials needs: the singular vectors of its regressors.

    The regressors are brought to mean 0 and standard deviation 1 (with n) first.

    Attributes
    ----------
    mean, scale : ndarray, shape (regressor,)
        Of the regressors without the intercept.
    left : ndarray, shape (trial, regressor)
        Orthonormal, and orthogonal to the intercept.
    back : ndarray, shape (regressor, regressor)
        From projections on `left` to coefficients of the regressors as they were.
    kept : ndarray, shape (regressor,)
        Share of each projection that the penalty leaves in the fitted values; 1 without.
    """

    mean: Array
    scale: Array
    left: Array
    back: Array
    kept: Array

    @property
    def hat(self) -> Array:
        """Leverage of each trial, the intercept's share among it."""
        leverage: Array = 1.0 / len(self.left) + self.left**2 @ self.kept
        return leverage

    @property
    def trials_to_coefficients(self) -> Array:
        """Matrix (regressor, trial) from data to coefficients, the intercept last."""
        slopes = self.back @ self.left.T
        return np.vstack([slopes, 1.0 / len(self.left) - self.mean @ slopes])


def make_solver(matrix: Array, penalty: float = 0.0) -> Solver | None:
    """Factorize a design.

    Parameters
    ----------
    matrix : ndarray, shape (trial, regressor)
        The intercept is the last column.
    penalty : float, default 0.0
        Ridge on the coefficients of regressors of unit variance, per trial; not on the intercept.

    Returns
    -------
    Solver or None
        None where these trials do not determine the coefficients.
    """
    n_trials, n_columns = matrix.shape
    if n_trials <= n_columns:
        return None
    columns = matrix[:, :-1]
    mean = columns.mean(axis=0)
    centered = columns - mean
    # A second pass takes off what rounding left of a large mean.
    centered -= centered.mean(axis=0)
    scale = np.sqrt((centered**2).mean(axis=0))
    if (scale <= 1e-12 * np.abs(columns).max(axis=0)).any():
        return None
    left, singular, right = np.linalg.svd(centered / scale, full_matrices=False)
    if singular.size and singular[-1] ** 2 < _OWN_SHARE * n_trials:
        return None
    shrunken = singular / (singular**2 + n_trials * penalty)
    return Solver(mean, scale, left, (right.T * shrunken) / scale[:, None], singular * shrunken)


def fit_least_squares(
    values: NDArray[np.floating[Any]],
    design: Design,
    *,
    penalty: float | Array = 0.0,
    robust: Robust = None,
) -> Fit:
    """Regress every neuron and time bin on the design.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        All trials of the tensor; NaN where not observed.
    design : Design
        Says which trials are used.
    penalty : float or ndarray, shape (neuron,), default 0.0
        Ridge: added to the mean square of each regressor when all are brought to unit variance,
        so that 1 halves the coefficient of a regressor on its own.
    robust : {None, "HC1", "HC3"}
        Standard errors that allow each trial its own variance (MacKinnon and White 1985).

    Returns
    -------
    Fit
        Of a ridge the standard errors are those of the shrunken coefficients.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> from popdyn.analysis.design import make_design
    >>> x = pdn.make_tensor(np.arange(5.0).reshape(1, 1, 5) ** 2, [0.0], bin_width=0.1,
    ...                     trials={"speed": np.arange(5.0)})
    >>> fit_least_squares(x.values, make_design(x, ["speed"])).coefficient.ravel().round(9)
    array([ 4., -2.])
    """
    fits = _empty(values.shape[:2], design.matrix.shape[1])
    penalties = np.broadcast_to(np.asarray(penalty, dtype=np.float64), values.shape[:1])
    solvers: dict[tuple[bytes, float], Solver | None] = {}
    for neurons, rows in slabs(values, design.kept):
        per_row = np.repeat(penalties[neurons], values.shape[1])
        # Views of the slab's rows: what is set here is set in the fit.
        part = {
            name: array[..., neurons, :].reshape(*array.shape[:-2], len(rows))
            for name, array in fits.items()
        }
        for observed, members, known in observed_alike(rows):
            for size in np.unique(per_row[members]):
                chosen = per_row[members] == size
                key = (observed.tobytes(), float(size))
                if key not in solvers:
                    solvers[key] = make_solver(design.matrix[observed], float(size))
                own = members if chosen.all() else members[chosen]
                part["n_trials"][own] = int(observed.sum())
                solver = solvers[key]
                if solver is not None:
                    _solve(solver, known if chosen.all() else known[chosen], own, part, robust)
        for name, array in fits.items():
            array[..., neurons, :] = part[name].reshape(array[..., neurons, :].shape)
        if len(solvers) > _MOST_SOLVERS:
            solvers.clear()
    return Fit(**fits)


# Each holds about twice the design.
_MOST_SOLVERS = 64


def _empty(shape: tuple[int, ...], n_columns: int) -> dict[str, Any]:
    """Arrays of a fit, NaN."""
    names = ("degrees_of_freedom", "residual_variance", "total_variance")
    fits: dict[str, Any] = {name: np.full(shape, np.nan) for name in names}
    fits["coefficient"] = np.full((n_columns, *shape), np.nan)
    fits["standard_error"] = np.full((n_columns, *shape), np.nan)
    fits["n_trials"] = np.zeros(shape, dtype=np.int64)
    return fits


def _solve(
    solver: Solver, values: Array, members: NDArray[np.intp], fits: dict[str, Any], robust: Robust
) -> None:
    """Fit rows observed on the same trials; ``values`` is used up."""
    n_trials = values.shape[1]
    degrees = n_trials - 1.0 - solver.kept.sum()
    # Sums of squares lose their digits to a large mean: each row is measured from its first value.
    first = values[:, 0].copy()
    values -= first[:, None]
    mean = values.mean(axis=1)
    total = np.maximum(np.einsum("rn,rn->r", values, values) - n_trials * mean**2, 0.0)
    # A constant row may differ from its mean by rounding, which is no variance.
    flat = total <= n_trials * (1e-13 * first) ** 2
    values[flat], mean[flat], total[flat] = 0.0, 0.0, 0.0
    projected = values @ solver.left
    slopes = projected @ solver.back.T
    # What is left over is large enough to be had by subtraction, but for nearly perfect fits.
    rss = total - projected**2 @ (solver.kept * (2.0 - solver.kept))
    exact = np.flatnonzero(rss < 1e-4 * total) if robust is None else np.arange(len(values))
    residual = values[exact] - mean[exact, None]
    residual -= (projected[exact] * solver.kept) @ solver.left.T
    rss[exact] = np.einsum("rn,rn->r", residual, residual)
    fits["coefficient"][:-1, members] = slopes.T
    fits["coefficient"][-1, members] = first + mean - slopes @ solver.mean
    fits["degrees_of_freedom"][members] = degrees
    fits["residual_variance"][members] = rss / degrees
    fits["total_variance"][members] = total / (n_trials - 1)
    squared = solver.trials_to_coefficients**2
    if robust is None:
        variance = np.outer(squared.sum(axis=1), rss / degrees)
    else:
        if robust == "HC3":
            squared = squared / (1.0 - solver.hat) ** 2
        else:
            squared = squared * (n_trials / degrees)
        variance = squared @ residual.T**2
    fits["standard_error"][:, members] = np.sqrt(variance)
