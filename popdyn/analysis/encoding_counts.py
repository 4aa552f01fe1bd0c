"""The families of counts of `encoding`: Poisson and negative binomial."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.count_regression import CountFamily, CountFit, fit_counts
from popdyn.analysis.design import Design
from popdyn.analysis.encoding_linear import significance, validation_variables
from popdyn.analysis.encoding_options import CELL, TABLE, Options
from popdyn.analysis.encoding_validation import Validation, deal_folds
from popdyn.tensor.contract import bin_width_of


def count_variables(
    tensor: xr.DataArray,
    design: Design,
    family: CountFamily,
    options: Options,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Fit, test and cross-validate regressions of counts.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Checked; whole spike counts.
    design : Design
        Not collinear.
    family : {"poisson", "negative_binomial"}
        Of the counts.
    options : Options
        Folds and standard errors.
    rng : Generator
        For the folds.

    Returns
    -------
    dict
        Variables of the result.
    """
    fold = deal_folds(len(design.kept), options.n_folds, rng) if options.n_folds else None
    fit = fit_counts(
        tensor.values,
        design,
        family,
        bin_width_of(tensor),
        robust=options.robust is not None,
        fold=fold,
    )
    unit = {"units": "log(Hz) per unit of the regressor"}
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1.0 - fit.deviance / fit.null_deviance
    variables: dict[str, Any] = {
        "coefficient": (TABLE, fit.coefficient, unit),
        "standard_error": (TABLE, fit.standard_error, unit),
        "explained_deviance_ratio": (CELL, share, {"units": "1"}),
        "dispersion": (CELL, fit.dispersion, {"units": "1"}),
        "n_trials": (CELL, fit.n_trials, {"units": "1"}),
    }
    variables |= significance(fit.coefficient, fit.standard_error, None)
    if fold is not None:
        variables |= validation_variables(_validation(fit))
    return variables


def _validation(fit: CountFit) -> Validation:
    """Turn held-out deviances into shares of that of the mean."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = fit.held_out / fit.held_out[0]
    return Validation(1.0 - scaled[1], scaled[2:] - scaled[1], np.zeros(0))
