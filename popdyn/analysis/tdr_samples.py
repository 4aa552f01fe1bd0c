"""What targeted dimensionality reduction is fitted to: standardized trials, by condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.design import Design, make_design, refuse_confounded
from popdyn.analysis.trials import is_average
from popdyn.errors import FitError, TensorError, warn
from popdyn.preprocess.smooth import smooth_values
from popdyn.tensor.contract import bin_width_of, check
from popdyn.tensor.roles import assign_roles
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]
Index = NDArray[np.intp]
By = str | Sequence[str] | Sequence[Sequence[str]]

FEW_TRIALS = 10  # per condition: below it, denoising in the averages costs more than it gains
_SLAB = 2**20  # values in double precision at once


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the regressions need.

    Attributes
    ----------
    scores : DataArray (neuron, time, trial)
        Standardized activity of the neurons that vary in the trials that count, NaN where not
        observed.
    mean, scale : ndarray, shape (neuron,)
        By which it was standardized.
    units : str
        Of the activity before.
    design : Design
        Every regressor divided by its largest absolute value; all trials of the scores.
    columns : list of list of str
        Of each grouping into conditions.
    groups : list of list of ndarray of int
        Positions of the trials, in the scores, per grouping and condition.
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
    tensor = _checked(x)
    tensor = tensor if roles is None else assign_roles(tensor, roles)
    design = make_design(tensor, regressors, levels=levels)
    refuse_confounded(design)
    columns = grouping_columns(tensor, by, regressors)
    groups = groupings(tensor, design.kept, columns)
    scores, mean, scale = standardized(tensor, design.kept, sigma)
    design = replace(
        design,
        matrix=design.matrix / np.abs(design.matrix).max(axis=0),
        kept=np.arange(len(design.kept)),
    )
    units = "Hz" if tensor.name == "spike_count" else str(tensor.attrs["units"])
    return Prepared(scores, mean, scale, units, design, columns, groups)


def _checked(x: xr.DataArray) -> xr.DataArray:
    """Check a tensor, and refuse a condition average."""
    if is_average(x):
        message = (
            "TDR regresses single trials, and this is a condition average: pass the tensor "
            "(neuron, time, trial)"
        )
        raise TensorError(message)
    return check(x)


def standardized(
    tensor: xr.DataArray, kept: Index, sigma: float = 0.0
) -> tuple[xr.DataArray, Array, Array]:
    """Smooth trials and bring each neuron to mean 0 and standard deviation 1 over them.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates, or counts, which become rates.
    kept : ndarray of int
        Trials that count.
    sigma : float, default 0.0
        Standard deviation of the Gaussian (s); 0 for none.

    Returns
    -------
    tensor : DataArray (neuron, time, trial)
        Of these trials, without neurons that never vary; in the precision of the data, of which
        there is one copy only.
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
    counts = tensor.name == "spike_count"
    per_value = 1.0 / bin_width_of(tensor) if counts else 1.0
    width = _width_in_bins(sigma, tensor)
    ids, n_times = tensor["neuron"].to_numpy(), tensor.sizes["time"]
    precision = np.float64 if tensor.dtype == np.float64 else np.float32
    scores = np.empty((len(ids), n_times, len(kept)), dtype=precision)
    mean, scale, varies = np.zeros(len(ids)), np.zeros(len(ids)), np.zeros(len(ids), dtype=bool)
    for neuron, own in enumerate(_smoothed(tensor.values, kept, width)):
        own *= per_value
        mean[neuron], scale[neuron] = _moments(own)
        varies[neuron] = scale[neuron] > 1e-12 * max(abs(mean[neuron]), 1e-300)
        if varies[neuron]:
            scores[varies.sum() - 1] = (own - mean[neuron]) / scale[neuron]
    if not varies.any():
        message = f"none of the {len(ids)} neurons varies: there is nothing to fit"
        raise FitError(message)
    if not varies.all():
        lost = ", ".join(map(str, ids[~varies][:5])) + ", ..." * int((~varies).sum() > 5)
        warn(f"{(~varies).sum()} of {len(ids)} neurons never vary, left out: {lost}")
    table = tensor.coords.to_dataset().isel(neuron=np.flatnonzero(varies), trial=kept)
    found = xr.DataArray(
        scores[: varies.sum()],
        coords=table.coords,
        dims=tensor.dims,
        name="rate" if counts else tensor.name,
        attrs={**tensor.attrs, "units": "1"},
    )
    return found, mean[varies], scale[varies]


def _width_in_bins(sigma: float, tensor: xr.DataArray) -> float:
    """Convert ``smooth`` to bins; a width below half a bin is no reason to warn of a default."""
    if not isinstance(sigma, (int, float, np.number)) or not np.isfinite(sigma) or sigma < 0:
        message = f"smooth is a time in s, 0 or more; found {sigma!r}"
        raise TensorError(message)
    if not sigma:
        return 0.0
    width = bin_width_of(tensor)
    if sigma > width * tensor.sizes["time"]:
        warn(
            f"smooth = {sigma:g} s is longer than the whole window "
            f"({width * tensor.sizes['time']:g} s): every trial becomes flat; is smooth in s?"
        )
    return float(sigma) / width


def _smoothed(values: NDArray[Any], kept: Index, width: float) -> Iterator[Array]:
    """Give the smoothed trials (time, trial) of one neuron after the other."""
    step = max(1, _SLAB // max(1, values.shape[1] * len(kept)))
    for start in range(0, len(values), step):
        own = values[start : start + step][:, :, kept].astype(np.float64)
        yield from smooth_values(own, width) if width else own


def _moments(values: Array) -> tuple[float, float]:
    """Mean and standard deviation of what was observed."""
    known = np.isfinite(values)
    n = max(int(known.sum()), 1)
    mean = float(np.where(known, values, 0.0).sum()) / n
    return mean, float(np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum() / n))


def grouping_columns(
    tensor: xr.DataArray, by: By | None, regressors: str | Sequence[str]
) -> list[list[str]]:
    """Name the columns of each grouping.

    Parameters
    ----------
    tensor : DataArray
        With its trial table.
    by : str, list of str, list of lists of str, or None
        Columns of the groupings; None takes the columns of the regressors, without the trial's
        number where there are others.
    regressors : str or list of str
        As given to the design.

    Returns
    -------
    list of list of str

    Raises
    ------
    TensorError
        If the regressors are a formula and `by` is None, or `by` is no list of names.
    """
    if by is None:
        if isinstance(regressors, str) and regressors not in tensor.coords:
            message = "with a formula, by= must name the columns that define the conditions"
            raise TensorError(message)
        given = [regressors] if isinstance(regressors, str) else regressors
        parts = dict.fromkeys(part.strip() for name in given for part in name.split(":"))
        by = [part for part in parts if part != "trial"] or list(parts)
    if isinstance(by, str):
        return [[by]]
    if not isinstance(by, (Sequence, np.ndarray)) or not len(by):
        message = f"by must be a trial column, a list of them, or several lists; found {by!r}"
        raise TensorError(message)
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
        Positions among the kept trials per grouping and condition.
    """
    found = []
    for own in columns:
        used = np.asarray(group_conditions(tensor, list(own)).index)[kept]
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
            "n_components=None"
        )
