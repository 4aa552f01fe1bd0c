"""Activity along axes: of trials, of condition averages, and how sure the averages are."""

from __future__ import annotations

import json
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
from popdyn.preprocess.smooth import smooth_values
from popdyn.tensor.contract import bin_width_of

ONE = {"units": "1"}


def project(x: xr.DataArray | xr.Dataset, axes: xr.DataArray, fitted: xr.Dataset) -> xr.DataArray:
    """Project trials or condition averages on axes of standardized activity, as the fit did.

    Parameters
    ----------
    x : DataArray or Dataset
        A tensor or a condition average with all neurons of the axes, in any order.
    axes : DataArray (axis or regressor, neuron)
        Orthonormal.
    fitted : Dataset
        Result of the fit: how wide it smoothed, what it standardized by, and the unit.

    Returns
    -------
    DataArray (axis or regressor, time, trial or condition)
        NaN where a neuron is.

    Raises
    ------
    TensorError
        If neurons are missing, the unit is another one, or the bin width is not known.
    """
    values, units = checked_values(x), str(fitted.attrs["activity_units"])
    found = str(values.attrs.get("units", units))
    if found != units:
        message = (
            f"expected activity in {units}, as in the fit, found {found}: fit to this activity, "
            "or bring both to the same unit"
        )
        raise TensorError(message)
    values = same_neurons(values, axes["neuron"])
    values = _smoothed(values, float(json.loads(fitted.attrs["parameters"])["smooth"]))
    rest = [str(dim) for dim in values.dims if dim != "neuron"]
    projected: xr.DataArray = xr.dot(
        axes, (values - fitted["mean"]) / fitted["scale"], dim="neuron"
    )
    projected = projected.transpose(str(axes.dims[0]), *rest).rename("projection")
    projected.attrs = {**values.attrs, "units": "1"}
    return projected


def _smoothed(values: xr.DataArray, sigma: float) -> xr.DataArray:
    """Smooth (neuron, time, trial or condition) by a Gaussian of this standard deviation (s)."""
    if not sigma or values.sizes["time"] < 2:
        return values
    if "bin_width" not in values.attrs and "time" not in values.coords:
        message = (
            f"the fit smoothed activity by {sigma:g} s, and so must transform, which needs the bin "
            "width: give the average its time coordinate (s), or fit with smooth=0"
        )
        raise TensorError(message)
    return values.copy(data=smooth_values(values.to_numpy(), sigma / bin_width_of(values)))


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
