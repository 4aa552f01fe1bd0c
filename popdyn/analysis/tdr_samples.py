"""What targeted dimensionality reduction is fitted to: standardized trials, by condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.design import Design, make_design, refuse_confounded
from popdyn.analysis.statespace_samples import from_tensor
from popdyn.analysis.trials import is_average
from popdyn.errors import FitError, TensorError, warn
from popdyn.preprocess.smooth import smooth as smoothed
from popdyn.tensor.contract import check
from popdyn.tensor.roles import assign_roles
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]
Index = NDArray[np.intp]
By = str | Sequence[str] | Sequence[Sequence[str]]

FEW_TRIALS = 10  # per condition: below it, denoising in the averages costs more than it gains


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the regressions need.

    Attributes
    ----------
    scores : DataArray (neuron, time, trial)
        Standardized activity of the neurons that vary, NaN where not observed.
    mean, scale : ndarray, shape (neuron,)
        By which it was standardized.
    units : str
        Of the activity before.
    design : Design
        Every regressor divided by its largest absolute value.
    columns : list of list of str
        Of each grouping into conditions.
    groups : list of list of ndarray of int
        Positions of the trials per grouping and condition.
    """

    scores: xr.DataArray
    mean: Array
    scale: Array
    units: str
    design: Design
    columns: list[list[str]]
    groups: list[list[Index]]


def prepare(
    x: xr.DataArray,
    regressors: str | Sequence[str],
    by: By | None,
    *,
    sigma: float,
    roles: Mapping[str, Any] | None,
    levels: Mapping[str, Sequence[Any]] | None,
) -> Prepared:
    """Check, smooth and standardize a tensor, and make the design of its trials.

    Parameters
    ----------
    x : DataArray (neuron, time, trial)
        Tensor.
    regressors : str or list of str
        As for `make_design`.
    by : str, list of str, list of lists of str, or None
        As for `grouping_columns`.
    sigma : float
        Standard deviation of the Gaussian (s) trials are smoothed with; 0 for none.
    roles, levels : mapping or None
        As for `make_design`.

    Returns
    -------
    Prepared

    Raises
    ------
    TensorError
        If `x` is no tensor, or the regressors cannot be told apart.
    FitError
        If no neuron varies.
    """
    tensor = smoothed_rates(x, sigma)
    tensor = tensor if roles is None else assign_roles(tensor, roles)
    design = make_design(tensor, regressors, levels=levels)
    refuse_confounded(design)
    design = replace(design, matrix=design.matrix / np.abs(design.matrix).max(axis=0))
    columns = grouping_columns(tensor, by, regressors)
    groups = groupings(tensor, design.kept, columns)
    scores, mean, scale = standardized(tensor, design.kept)
    return Prepared(scores, mean, scale, str(tensor.attrs["units"]), design, columns, groups)


def smoothed_rates(x: xr.DataArray, sigma: float) -> xr.DataArray:
    """Check a tensor, turn counts into rates and smooth its trials.

    Parameters
    ----------
    x : DataArray (neuron, time, trial)
        Tensor.
    sigma : float
        Standard deviation of the Gaussian (s); 0 for none.

    Returns
    -------
    DataArray (neuron, time, trial)

    Raises
    ------
    TensorError
        If it is a condition average.
    """
    if is_average(x):
        message = (
            "TDR regresses single trials, and this is a condition average: pass the tensor "
            "(neuron, time, trial)"
        )
        raise TensorError(message)
    tensor = from_tensor(check(x))
    return smoothed(tensor, sigma=sigma) if sigma else tensor


def standardized(tensor: xr.DataArray, kept: Index) -> tuple[xr.DataArray, Array, Array]:
    """Bring each neuron to mean 0 and standard deviation 1 over bins and trials.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates.
    kept : ndarray of int
        Trials that count.

    Returns
    -------
    tensor : DataArray (neuron, time, trial)
        In double precision, without neurons that never vary.
    mean, scale : ndarray, shape (neuron,)
        What was taken off and divided by.

    Raises
    ------
    FitError
        If no neuron varies.

    Warns
    -----
    PopdynWarning
        When neurons never vary and are left out.
    """
    values = tensor.values[:, :, kept].astype(np.float64)
    n = np.maximum(np.isfinite(values).sum(axis=(1, 2)), 1)
    mean = np.nansum(values, axis=(1, 2)) / n
    values -= mean[:, None, None]
    scale = np.sqrt(np.nansum(values**2, axis=(1, 2)) / n)
    varies = scale > 1e-12 * np.maximum(np.abs(mean), 1e-300)
    ids = tensor["neuron"].to_numpy()
    if not varies.any():
        message = f"none of the {len(ids)} neurons varies: there is nothing to fit"
        raise FitError(message)
    if not varies.all():
        lost = ", ".join(map(str, ids[~varies][:5])) + ", ..." * int((~varies).sum() > 5)
        warn(f"{(~varies).sum()} of {len(ids)} neurons never vary, left out: {lost}")
    keep = np.flatnonzero(varies)
    mean, scale = mean[keep], scale[keep]
    part = tensor.isel(neuron=keep)
    scores = (part.values - mean[:, None, None]) / scale[:, None, None]
    return part.copy(data=scores).assign_attrs(units="1"), mean, scale


def grouping_columns(
    tensor: xr.DataArray, by: By | None, regressors: str | Sequence[str]
) -> list[list[str]]:
    """Name the columns of each grouping.

    Parameters
    ----------
    tensor : DataArray
        With its trial table.
    by : str, list of str, list of lists of str, or None
        Columns of the groupings; None takes the columns of the regressors.
    regressors : str or list of str
        As given to the design.

    Returns
    -------
    list of list of str

    Raises
    ------
    TensorError
        If the regressors are a formula and `by` is None.
    """
    if by is None:
        if isinstance(regressors, str) and regressors not in tensor.coords:
            message = "with a formula, by= must name the columns that define the conditions"
            raise TensorError(message)
        given = [regressors] if isinstance(regressors, str) else regressors
        by = list(dict.fromkeys(part for name in given for part in name.split(":")))
    if isinstance(by, str):
        return [[by]]
    if all(isinstance(part, str) for part in by):
        return [[str(part) for part in by]]
    return [[own] if isinstance(own, str) else list(own) for own in by]


def groupings(
    tensor: xr.DataArray, kept: Index, columns: Sequence[Sequence[str]]
) -> list[list[Index]]:
    """Find the trials of each condition, for each grouping.

    Parameters
    ----------
    tensor : DataArray
        With its trial table.
    kept : ndarray of int
        Only these trials count.
    columns : sequence of sequence of str
        From `grouping_columns`.

    Returns
    -------
    list of list of ndarray of int
        Positions of trials per grouping and condition.
    """
    found = []
    for own in columns:
        index = np.asarray(group_conditions(tensor, list(own)).index)
        used = np.full(index.size, -1)
        used[kept] = index[kept]
        groups = [np.flatnonzero(used == i) for i in range(used.max() + 1)]
        found.append([group for group in groups if group.size])
    return found


def warn_few_trials(groups: Sequence[Sequence[Index]]) -> None:
    """Say when averages are too noisy to denoise with."""
    n_trials = min(float(np.mean([group.size for group in own])) for own in groups)
    if n_trials < FEW_TRIALS:
        warn(
            f"conditions have {n_trials:.1f} trials on average: components of such noisy averages "
            "can take away weak axes; average over fewer columns with by=, or pass "
            "n_components='cv' or None"
        )
