"""The Gaussian family of `encoding`: least squares, its tests and its cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from popdyn.analysis.design import Design
from popdyn.analysis.encoding_options import CELL, TABLE, TERM, Options
from popdyn.analysis.encoding_permutation import term_clusters
from popdyn.analysis.encoding_validation import Validation, deal_folds, validate
from popdyn.analysis.false_discovery import false_discovery_q
from popdyn.analysis.least_squares import Fit, fit_least_squares
from popdyn.tensor.contract import bin_width_of

Array = NDArray[np.float64]


def linear_variables(
    tensor: xr.DataArray, design: Design, options: Options, rng: np.random.Generator
) -> dict[str, Any]:
    """Fit, test and cross-validate the regressions of a tensor.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Checked.  Spike counts give coefficients in Hz.
    design : Design
        Not collinear.
    options : Options
        Of the Gaussian family.
    rng : Generator
        For folds, then permutations.

    Returns
    -------
    dict
        Variables of the result.
    """
    validation = None
    if options.n_folds:
        fold = deal_folds(len(design.kept), options.n_folds, rng)
        validation = validate(tensor.values, design, fold, options.penalty)
    penalty: float | Array = options.penalty or 0.0
    if options.penalty is None and validation is not None:
        penalty = validation.penalty
    fit = fit_least_squares(tensor.values, design, penalty=penalty, robust=options.robust)
    # Counts are solved as they are and scaled after: a tensor in Hz would be a second copy.
    counts = tensor.name == "spike_count"
    scale = 1.0 / bin_width_of(tensor) if counts else 1.0
    unit = "Hz" if counts else str(tensor.attrs["units"])
    variables = _fit_variables(fit, scale, unit)
    variables |= significance(variables["coefficient"][1], variables["standard_error"][1], fit)
    if validation is not None:
        variables |= validation_variables(validation)
        if options.penalty is None:
            variables["regularization"] = ("neuron", validation.penalty, {"units": "1"})
    if options.n_draws:
        p, label = term_clusters(tensor.values, design, options.n_draws, rng)
        variables |= {"cluster_p": (TERM, p, {"units": "1"}), "cluster": (TERM, label)}
    return variables


def _fit_variables(fit: Fit, scale: float, unit: str) -> dict[str, Any]:
    """Name what least squares found, in the unit of the rate."""
    per_unit = {"units": f"{unit} per unit of the regressor"}
    square = {"units": "1" if unit == "1" else f"{unit}^2"}
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1.0 - (fit.residual_variance * fit.degrees_of_freedom) / (
            fit.total_variance * (fit.n_trials - 1)
        )
    return {
        "coefficient": (TABLE, fit.coefficient * scale, per_unit),
        "standard_error": (TABLE, fit.standard_error * scale, per_unit),
        "explained_variance_ratio": (CELL, share, {"units": "1"}),
        "residual_variance": (CELL, fit.residual_variance * scale**2, square),
        "degrees_of_freedom": (CELL, fit.degrees_of_freedom, {"units": "1"}),
        "n_trials": (CELL, fit.n_trials, {"units": "1"}),
    }


def significance(coefficient: Array, standard_error: Array, fit: Fit | None) -> dict[str, Any]:
    """Give t, two-sided p and q; without a fit the statistic is normal.

    Parameters
    ----------
    coefficient, standard_error : ndarray, shape (regressor, neuron, time)
        Estimates and their errors.
    fit : Fit or None
        Its degrees of freedom are those of t.

    Returns
    -------
    dict
        ``t``, ``p`` and ``q``.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        t = coefficient / standard_error
    if fit is None:
        p = 2.0 * special.ndtr(-np.abs(t))
    else:
        p = 2.0 * special.stdtr(fit.degrees_of_freedom, -np.abs(t))
    q = np.stack([false_discovery_q(family) for family in p])
    unit = {"units": "1"}
    return {"t": (TABLE, t, unit), "p": (TABLE, p, unit), "q": (TABLE, q, unit)}


def validation_variables(validation: Validation) -> dict[str, Any]:
    """Name what cross-validation found."""
    return {
        "cross_validated_ratio": (CELL, validation.ratio, {"units": "1"}),
        "unique_explained_variance": (TERM, validation.unique, {"units": "1"}),
    }
