"""Activity along axes: of trials, of condition averages, and how sure the averages are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.statespace_result import trajectory_bound
from popdyn.analysis.statespace_samples import (
    averaged,
    checked_values,
    same_neurons,
)
from popdyn.analysis.trials import condition_trials
from popdyn.errors import TensorError

ONE = {"units": "1"}


def project(
    x: xr.DataArray | xr.Dataset,
    axes: xr.DataArray,
    mean: xr.DataArray,
    scale: xr.DataArray,
    units: str,
) -> xr.DataArray:
    """Project trials or condition averages on axes of standardized activity.

    Parameters
    ----------
    x : DataArray or Dataset
        A tensor or a condition average with all neurons of the axes, in any order.
    axes : DataArray (axis or regressor, neuron)
        Orthonormal.
    mean, scale : DataArray (neuron)
        By which activity is standardized.
    units : str
        Of the activity the axes were fitted to.

    Returns
    -------
    DataArray (axis or regressor, time, trial or condition)
        NaN where a neuron is.

    Raises
    ------
    TensorError
        If neurons are missing, or the unit is another one.
    """
    values = checked_values(x)
    found = str(values.attrs.get("units", units))
    if found != units:
        message = (
            f"expected activity in {units}, as in the fit, found {found}: fit to this activity, "
            "or bring both to the same unit"
        )
        raise TensorError(message)
    values = same_neurons(values, axes["neuron"])
    rest = [str(dim) for dim in values.dims if dim != "neuron"]
    projected: xr.DataArray = xr.dot(axes, (values - mean) / scale, dim="neuron")
    projected = projected.transpose(str(axes.dims[0]), *rest).rename("projection")
    projected.attrs = {**values.attrs, "units": "1"}
    return projected


def described_conditions(
    scores: xr.DataArray,
    columns: Sequence[str],
    axes: xr.DataArray,
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Averages of the conditions along axes, with 95 % bounds from a bootstrap of trials.

    Parameters
    ----------
    scores : DataArray (neuron, time, trial)
        Standardized activity.
    columns : sequence of str
        That define the conditions.
    axes : DataArray (axis or regressor, neuron)
        Taken as given: bounds do not hold how unsure they are.
    n_draws : int
        Draws of the bootstrap.
    rng : Generator
        To draw from.

    Returns
    -------
    variables, coords : dict
        For `make_result`.
    """
    trials = condition_trials(scores, list(columns))
    loading = axes.transpose("neuron", ...)
    zero = xr.zeros_like(axes[0], dtype=np.float64).reset_coords(drop=True)
    bound = trajectory_bound(trials, loading, zero, n_draws, rng)
    average = xr.dot(axes, averaged(trials), dim="neuron")
    order = (str(axes.dims[0]), "time", "condition")
    variables = {
        "projection": (order, average.transpose(*order).to_numpy(), ONE),
        "projection_bound": (("bound", *order), bound, ONE),
        "n_trials": ("condition", trials.n_trials),
    }
    return variables, trials.coords()
