"""Regression of spike counts for all neurons and time bins: Poisson and negative binomial.

The rate is the exponential of a sum over regressors, and the bin width is the exposure, so that
coefficients are of the logarithm of a rate in Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from popdyn.analysis.count_likelihood import (
    Counts,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
)
from popdyn.analysis.count_newton import information_at, maximize
from popdyn.analysis.design import Design
from popdyn.analysis.least_squares import Solver, make_solver
from popdyn.analysis.slabs import n_slabs, observed_alike, slabs
from popdyn.progress import watched

Array = NDArray[np.float64]
Index = NDArray[np.intp]
CountFamily = Literal["poisson", "negative_binomial"]


@dataclass(frozen=True, eq=False)
class CountFit:
    """Regressions of counts; NaN where the trials or the spikes do not determine them.

    Attributes
    ----------
    coefficient, standard_error : ndarray, shape (regressor, neuron, time)
        Of the logarithm of the rate (Hz), per unit of the regressor.
    dispersion : ndarray, shape (neuron, time)
        Variance is ``mean + dispersion * mean ** 2``; 0 for Poisson, and where the counts vary
        no more than that.
    deviance, null_deviance : ndarray, shape (neuron, time)
        Of the regression and of the mean alone, at the same dispersion.
    n_trials : ndarray of int, shape (neuron, time)
        Trials observed.
    held_out : ndarray, shape (model, neuron, time)
        Deviance of trials held out: of the mean, of everything, of everything without each term;
        no models without folds.
    """

    coefficient: Array
    standard_error: Array
    dispersion: Array
    deviance: Array
    null_deviance: Array
    n_trials: NDArray[np.int64]
    held_out: Array


def fit_counts(
    values: NDArray[np.floating[Any]],
    design: Design,
    family: CountFamily,
    bin_width: float,
    *,
    robust: bool = False,
    fold: Index | None = None,
) -> CountFit:
    """Regress the counts of every neuron and time bin on the design.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        Whole numbers of spikes; NaN where not observed.
    design : Design
        Says which trials are used.
    family : {"poisson", "negative_binomial"}
        With the latter the dispersion is estimated together with the coefficients, by maximum
        likelihood.
    bin_width : float
        In s.
    robust : bool, default False
        Sandwich standard errors (Poisson), without a factor for small samples.
    fold : ndarray of int, shape (kept trial,), optional
        Fold of each trial, for the held-out deviance.

    Returns
    -------
    CountFit
    """
    models = _models(design) if fold is not None else np.zeros((0, len(design.names)), bool)
    shape, n_columns = values.shape[:2], design.matrix.shape[1]
    fits: dict[str, Any] = {
        name: np.full((n_columns, *shape), np.nan) for name in ("coefficient", "standard_error")
    }
    fits |= {name: np.full(shape, np.nan) for name in ("dispersion", "deviance", "null_deviance")}
    fits["held_out"] = np.full((len(models), *shape), np.nan)
    fits["n_trials"] = np.zeros(shape, dtype=np.int64)
    parts = watched(slabs(values, design.kept), n_slabs(values, design.kept), f"fitting {family}")
    for neurons, rows in parts:
        slab = {
            name: array[..., neurons, :].reshape(*array.shape[:-2], len(rows))
            for name, array in fits.items()
        }
        for observed, members, known in observed_alike(rows):
            slab["n_trials"][members] = int(observed.sum())
            solver = make_solver(design.matrix[observed])
            if solver is None:
                continue
            counts = Counts(known, _scaled(design, solver, observed), float(np.log(bin_width)))
            found = _fit(counts, family, solver, robust)
            if fold is not None:
                found["held_out"] = _held_out(counts, family, models, fold[observed])
            for name in slab.keys() & found.keys():
                slab[name][..., members] = found[name]
        for name, array in fits.items():
            array[..., neurons, :] = slab[name].reshape(array[..., neurons, :].shape)
    return CountFit(**fits)


def _models(design: Design) -> NDArray[np.bool_]:
    """Columns of each model: the intercept, everything, everything without each term."""
    terms = np.array(design.term)
    intercept = np.arange(len(terms)) == len(terms) - 1
    return np.stack([intercept, intercept | True, *(terms != term for term in design.terms)])


def _scaled(design: Design, solver: Solver, observed: NDArray[np.bool_]) -> Array:
    """Regressors of the observed trials with mean 0 and variance 1, the intercept last."""
    regressors = design.matrix[observed].copy()
    regressors[:, :-1] = (regressors[:, :-1] - solver.mean) / solver.scale
    return regressors


def _fit(counts: Counts, family: CountFamily, solver: Solver, robust: bool) -> dict[str, Any]:
    """Estimate rows that share a design."""
    scaled, dispersion = _estimate(counts, family)
    covariance = _covariance(counts, scaled, dispersion)
    if robust:
        covariance = _sandwich(counts, scaled, covariance)
    # Back to the regressors as they were: slopes over their scale, the mean into the intercept.
    back = np.diag(np.append(1.0 / solver.scale, 1.0))
    back[-1, :-1] = -solver.mean / solver.scale
    variance = np.einsum("ij,rjk,ik->ir", back, covariance, back)
    mean = np.exp(counts.log_mean(scaled))
    average = np.broadcast_to(counts.values.mean(axis=1, keepdims=True), mean.shape)
    return {
        "coefficient": back @ scaled.T,
        "standard_error": np.sqrt(variance),
        "dispersion": dispersion,
        "deviance": deviance(counts.values, mean, dispersion),
        "null_deviance": deviance(counts.values, average, dispersion),
    }


def _estimate(counts: Counts, family: CountFamily) -> tuple[Array, Array]:
    """Give coefficients (row, regressor) and the dispersion (row)."""
    poisson = PoissonLikelihood(counts)
    coefficient = maximize(poisson, poisson.start())
    dispersion = np.where(np.isfinite(coefficient[:, 0]), 0.0, np.nan)
    if family == "negative_binomial":
        likelihood = NegativeBinomialLikelihood(counts)
        start = likelihood.start(coefficient)
        wider = np.isfinite(start[:, -1])
        second = maximize(likelihood, start)[wider]
        coefficient[wider], dispersion[wider] = second[:, :-1], np.exp(-second[:, -1])
    return coefficient, dispersion


def _covariance(counts: Counts, coefficient: Array, dispersion: Array) -> Array:
    """Covariance of the coefficients, (row, regressor, regressor), that of the dispersion in it."""
    covariance = _inverse(information_at(PoissonLikelihood(counts), coefficient))
    wider = dispersion > 0
    if wider.any():
        size = -np.log(np.where(wider, dispersion, np.nan))
        likelihood = NegativeBinomialLikelihood(counts)
        inverse = _inverse(information_at(likelihood, np.column_stack([coefficient, size])))
        covariance[wider] = inverse[wider, :-1, :-1]
    return covariance


def _inverse(information: Array) -> Array:
    """Inverses of the matrices that are known."""
    known = np.isfinite(information).all(axis=(1, 2))
    inverse = np.full(information.shape, np.nan)
    inverse[known] = np.linalg.inv(information[known])
    return inverse


def _sandwich(counts: Counts, coefficient: Array, covariance: Array) -> Array:
    """Take the variance of each trial from its own residual."""
    residual = counts.values - np.exp(counts.log_mean(coefficient))
    middle = counts.weighted(residual**2)
    return np.asarray(covariance @ middle @ covariance)


def deviance(values: Array, mean: Array, dispersion: Array) -> Array:
    """Deviance of counts, summed over trials.

    Parameters
    ----------
    values, mean : ndarray, shape (row, trial)
        Counts, and what was expected.
    dispersion : ndarray, shape (row,)
        0 for Poisson.

    Returns
    -------
    ndarray, shape (row,)
        Twice the log likelihood that is missing to a perfect fit.
    """
    ratio = special.xlogy(values, values) - special.xlogy(values, mean)
    a = dispersion[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        # (y + 1/a) log((1 + a y) / (1 + a m)) goes to y - m as a goes to 0.
        relative = a * (values - mean) / (1.0 + a * mean)
        spread = np.where(a > 0, (values + 1.0 / a) * np.log1p(relative), values - mean)
    return np.asarray(2.0 * (ratio - spread).sum(axis=1))


def _held_out(counts: Counts, family: CountFamily, models: NDArray[np.bool_], fold: Index) -> Array:
    """Deviance of held-out trials (model, row), at the dispersion of the whole training fit."""
    total = np.zeros((len(models), len(counts.values)))
    for number in np.unique(fold):
        test = fold == number
        train = Counts(counts.values[:, ~test], counts.regressors[~test], counts.offset)
        coefficient, dispersion = _estimate(train, family)
        for i, columns in enumerate(models):
            own = coefficient
            if not columns.all():
                part = Counts(train.values, train.regressors[:, columns], counts.offset)
                # Of the intercept alone the estimate is the mean, whatever the dispersion.
                alone = columns.sum() == 1
                own = PoissonLikelihood(part).start() if alone else _estimate(part, family)[0]
            mean = np.exp(own @ counts.regressors[test][:, columns].T + counts.offset)
            total[i] += deviance(counts.values[:, test], mean, dispersion)
    return total
