"""Views of a tensor: its trial table, conditions and their averages, the matrix and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.tensor.contract import check, column_names
from popdyn.tensor.result import add_history, make_result
from popdyn.tensor.roles import assign_roles
from popdyn.tensor.selection import find_column
from popdyn.tensor.warp import WARP_ATTRS


def trial_table(
    x: xr.DataArray | xr.Dataset, roles: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Trial table in SI units, event times relative to zero of the alignment.

    Parameters
    ----------
    x : tensor or Session
        A Session has no zero: its times stay on the session's clock.
    roles : mapping, optional
        Role (``stimulus``, ``choice``, ...) to a column, or to ``{"column", "values",
        "units"}``; each role becomes a column of that name.

    Returns
    -------
    pandas.DataFrame
        One row per trial, index the trial ids.

    Raises
    ------
    TensorError
        If a role names no column, or its value map lacks a value that occurs.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> x = pdn.make_tensor(np.ones((1, 2, 2)), [0.0, 0.1], trials={"ts": [500.0, 800.0]},
    ...                     column_attrs={"ts": {"units": "ms"}})
    >>> pdn.trial_table(x, roles={"stimulus": "ts"})["stimulus"].tolist()
    [0.5, 0.8]
    """
    if not isinstance(x, (xr.DataArray, xr.Dataset)) or "trial" not in x.dims:
        message = f"expected a tensor or a Session with trials, found {type(x).__name__}."
        raise TensorError(message)
    with_roles = x if roles is None else assign_roles(x, roles)
    zero = with_roles.coords["align_time"].values if "align_time" in with_roles.coords else None
    has_start = "start_time" in with_roles.coords
    start = _in_seconds(with_roles.coords["start_time"]) if has_start else None
    table = {}
    for name in column_names(with_roles, "trial"):
        values = _in_seconds(with_roles.coords[name])
        clock = with_roles.coords[name].attrs.get("clock")
        if zero is not None and name != "align_time" and clock == "session":
            values = values - zero
        elif zero is not None and clock == "trial" and start is not None:
            values = values + start - zero
        table[name] = values
    return pd.DataFrame(table, index=pd.Index(with_roles.coords["trial"].values, name="trial"))


def _in_seconds(column: xr.DataArray) -> np.ndarray:
    scale = {"ms": 1e-3, "us": 1e-6}.get(str(column.attrs.get("units")))
    return np.asarray(column.values if scale is None else column.values * scale)


@dataclass(frozen=True)
class Conditions:
    """Which condition each trial belongs to.

    Attributes
    ----------
    index : numpy.ndarray of int (trial,)
        Position of the trial's condition, -1 where one of its variables is missing.
    labels : list of str
        One per condition: the value, or ``"choice=left, context=1"`` for several variables.
    table : pandas.DataFrame
        The variables of each condition, one row per condition.
    """

    index: np.ndarray
    labels: list[str]
    table: pd.DataFrame

    @property
    def n_trials(self) -> np.ndarray:
        """Number of trials of each condition."""
        return np.bincount(self.index[self.index >= 0], minlength=len(self.labels))


def group_conditions(x: xr.DataArray | xr.Dataset, by: str | Sequence[str]) -> Conditions:
    """Group trials by columns of the trial table.

    Labels that are equal within rounding (relative 1e-9, 1e-6 in single precision) are one
    condition; trials with a missing value (NaN, empty text) belong to none.

    Parameters
    ----------
    x : tensor or Session
    by : str or list of str
        Columns of the trial table; conditions are the combinations that occur, sorted (text
        of a role with a value map: in the order of the map).

    Returns
    -------
    Conditions

    Raises
    ------
    TensorError
        If a column is unknown, or no trial has a value.
    """
    if by is None or isinstance(by, (int, float)):
        message = f"expected a trial column, or a list of them, found {by!r}."
        raise TensorError(message)
    names = [by] if isinstance(by, str) else [str(name) for name in by]
    if not names:
        message = "by must name at least one column of the trial table."
        raise TensorError(message)
    columns = [_merge_rounding(find_column(x, "trial", name)) for name in names]
    codes = [
        _ranks(values, x.coords[name].attrs) for name, values in zip(names, columns, strict=True)
    ]
    missing = np.any([_missing(values) for values in columns], axis=0)
    present = np.flatnonzero(~missing)
    if present.size == 0:
        message = f"no trial has a value in {', '.join(names)} ({missing.size} trials)."
        raise TensorError(message)
    _, first, inverse = np.unique(
        np.stack(codes)[:, present], axis=1, return_index=True, return_inverse=True
    )
    index = np.full(missing.size, -1)
    index[present] = inverse.ravel()
    table = pd.DataFrame(
        {name: values[present[first]] for name, values in zip(names, columns, strict=True)}
    )
    return Conditions(index, _labels(names, table), table)


def _ranks(values: np.ndarray, attrs: Mapping[Any, Any]) -> np.ndarray:
    """Rank of each value: sorted, or for text in the order its role was given."""
    order = json.loads(attrs.get("order", "[]")) if values.dtype.kind == "U" else []
    unique, inverse = np.unique(values, return_inverse=True)
    place = {value: rank for rank, value in enumerate(order)}
    ranks = [place.get(str(value), len(order) + i) for i, value in enumerate(unique)]
    return np.asarray(ranks)[inverse.ravel()]


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    missing = values == "" if values.dtype.kind == "U" else np.zeros(values.size, dtype=bool)
    return np.asarray(missing)


def _merge_rounding(values: np.ndarray) -> np.ndarray:
    """Give floating labels that differ only by rounding one and the same value."""
    if values.dtype.kind != "f":
        return values
    tolerance = 1e-6 if values.dtype.itemsize == 4 else 1e-9
    unique = np.unique(values[np.isfinite(values)]).astype(np.float64)
    if unique.size < 2:
        return values.astype(np.float64)
    scale = np.maximum(np.abs(unique[1:]), np.abs(unique[:-1]))
    # Zero has no relative neighborhood: what is tiny beside the largest label is zero.
    scale = np.maximum(scale, np.abs(unique).max() * 1e-3)
    group = np.concatenate([[0], np.cumsum(np.diff(unique) > tolerance * scale)])
    heads = np.array([_shortest(unique[group == g]) for g in range(group[-1] + 1)])
    merged = values.astype(np.float64)
    finite = np.isfinite(merged)
    merged[finite] = heads[group[np.searchsorted(unique, merged[finite])]]
    return merged


def _shortest(candidates: np.ndarray) -> float:
    return float(f"{candidates[0]:.6g}") if candidates.size > 1 else float(candidates[0])


def _labels(names: list[str], table: pd.DataFrame) -> list[str]:
    shown = {name: [_label(value) for value in table[name].tolist()] for name in names}
    if len(names) == 1:
        return shown[names[0]]
    rows = zip(*shown.values(), strict=True)
    return [", ".join(f"{n}={v}" for n, v in zip(names, row, strict=True)) for row in rows]


def _label(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def condition_average(
    tensor: xr.DataArray, by: str | Sequence[str], min_trials: int = 1
) -> xr.Dataset:
    """Average over the trials of each condition, with standard errors and counts.

    Parameters
    ----------
    tensor : xarray.DataArray
        A tensor, or one from `popdyn.warp`.  NaN bins are left out, bin by bin.
    by : str or list of str
        Columns of the trial table.
    min_trials : int
        Bins with fewer trials become NaN.

    Returns
    -------
    xarray.Dataset
        ``<name>``, ``standard_error`` (standard deviation with n - 1, over sqrt(n); NaN with
        one trial) and ``n_trials``, each ``(neuron, time, condition)``, of a warped tensor
        ``(neuron, phase, condition)``.  ``condition`` holds labels (text: ``"1"`` for a column
        of integers), the variables of each condition lie on it with their own type, and so do
        the median durations of its segments if it is warped.

    Raises
    ------
    TensorError
        If a column is unknown or no trial has a value.

    Warns
    -----
    PopdynWarning
        When trials have no value in ``by`` and are left out.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> x = pdn.make_tensor(np.arange(4.0).reshape(1, 1, 4), [0.0], bin_width=0.1,
    ...                     trials={"choice": ["left", "right", "left", "right"]})
    >>> pdn.condition_average(x, "choice")["rate"].values.ravel().tolist()
    [1.0, 2.0]
    """
    x = check(tensor, chunked=True, phase=True)
    if min_trials < 1:
        message = f"min_trials must be at least 1, found {min_trials}."
        raise TensorError(message)
    conditions = group_conditions(x, by)
    n_left_out = int((conditions.index < 0).sum())
    if n_left_out:
        warn(
            f"{n_left_out} of {x.sizes['trial']} trials have no value in {by!r} and were left out."
        )
    dims = (*x.dims[:2], "condition")
    shape = (*x.shape[:2], len(conditions.labels))
    mean, error, n_trials = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, int)
    for position in range(shape[2]):
        part = x.isel(trial=np.flatnonzero(conditions.index == position))
        block = mean_and_error(np.asarray(part.values))
        mean[..., position], error[..., position], n_trials[..., position] = block
    few = n_trials < min_trials
    mean[few], error[few] = np.nan, np.nan
    name = str(x.name)
    variables = {
        name: (dims, mean, {"units": x.attrs["units"]}),
        "standard_error": (dims, error, {"units": x.attrs["units"]}),
        "n_trials": (dims, n_trials),
    }
    names = [by] if isinstance(by, str) else list(by)
    result = make_result(
        variables,
        coords=_average_coords(x, conditions),
        method="condition_average",
        parameters={"by": names, "min_trials": min_trials},
        source=x,
    )
    history = add_history(x.attrs, "condition_average", by=names, min_trials=min_trials)
    result.attrs |= {key: x.attrs[key] for key in WARP_ATTRS if key in x.attrs}
    return result.assign_attrs(variable=name, by=json.dumps(names), popdyn=history["popdyn"])


def _average_coords(x: xr.DataArray, conditions: Conditions) -> dict[str, Any]:
    coords: dict[str, Any] = {}
    for dim in x.dims[:2]:
        coords.update({name: x.coords[name] for name in (str(dim), *column_names(x, str(dim)))})
    coords["condition"] = np.array(conditions.labels, dtype=np.str_)
    for name in conditions.table:
        if name not in coords:
            values = conditions.table[name].to_numpy()
            values = values.astype(np.str_) if values.dtype.kind not in "biuf" else values
            coords[str(name)] = ("condition", values, dict(x.coords[name].attrs))
    for name in json.loads(x.attrs.get("duration_columns", "[]")):
        column, positions = x.coords[name], range(len(conditions.labels))
        median = [np.median(column.values[conditions.index == position]) for position in positions]
        coords[name] = ("condition", median, column.attrs)
    return coords


def mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard error and number of observations over the last axis, NaN left out."""
    seen = np.isfinite(values)
    count = seen.sum(axis=-1)
    safe = np.maximum(count, 1)
    mean = np.where(seen, values, 0.0).sum(axis=-1, dtype=np.float64) / safe
    square = np.where(seen, values - mean[..., None], 0.0) ** 2
    variance = square.sum(axis=-1, dtype=np.float64) / np.maximum(count - 1, 1)
    error = np.where(count > 1, np.sqrt(variance / safe), np.nan)
    return np.where(count > 0, mean, np.nan), error, count


def as_matrix(tensor: xr.DataArray) -> xr.DataArray:
    """Matrix of samples by neurons, for anything that wants two dims.

    Parameters
    ----------
    tensor : xarray.DataArray
        A tensor, or any array with a ``neuron`` dim.

    Returns
    -------
    xarray.DataArray
        ``(sample, neuron)``; the other dims lie as columns on ``sample`` (last one fastest).
        `from_matrix` is the way back.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> x = pdn.make_tensor(np.ones((2, 3, 4)), [0.0, 0.1, 0.2])
    >>> pdn.as_matrix(x).shape
    (12, 2)
    """
    if not isinstance(tensor, xr.DataArray) or "neuron" not in tensor.dims:
        message = f"expected an array with a neuron dim, found {type(tensor).__name__}."
        raise TensorError(message)
    others = [str(dim) for dim in tensor.dims if dim != "neuron"]
    ordered = tensor.transpose(*others, "neuron")
    sizes = [ordered.sizes[dim] for dim in others]
    grid = np.unravel_index(np.arange(int(np.prod(sizes))), sizes) if others else ()
    coords: dict[Any, Any] = {
        dim: ("sample", _ids(tensor, dim)[position])
        for dim, position in zip(others, grid, strict=True)
    }
    coords |= {"neuron": _ids(tensor, "neuron")}
    coords |= {name: tensor.coords[name] for name in column_names(tensor, "neuron")}
    values = np.ascontiguousarray(ordered.values.reshape(-1, tensor.sizes["neuron"]))
    attrs = {**tensor.attrs, "sample_dims": json.dumps(others), "sample_sizes": json.dumps(sizes)}
    return xr.DataArray(
        values, dims=("sample", "neuron"), coords=coords, name=tensor.name, attrs=attrs
    )


def _ids(x: xr.DataArray, dim: str) -> np.ndarray:
    return np.asarray(x.coords[dim].values if dim in x.coords else np.arange(x.sizes[dim]))


def from_matrix(matrix: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Turn a matrix from `as_matrix` back into an array with the dims of ``like``.

    Parameters
    ----------
    matrix : xarray.DataArray (sample, column)
        Columns may be neurons, or components of a projection.
    like : xarray.DataArray
        The array that `as_matrix` was given.

    Returns
    -------
    xarray.DataArray
        The matrix's column dim in the place of ``neuron``.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> x = pdn.make_tensor(np.ones((2, 3, 4)), [0.0, 0.1, 0.2])
    >>> pdn.from_matrix(pdn.as_matrix(x), like=x).identical(x)
    True
    """
    column = next(str(dim) for dim in matrix.dims if dim != "sample")
    others = [str(dim) for dim in like.dims if dim != "neuron"]
    shape = [like.sizes[dim] for dim in others]
    values = matrix.transpose("sample", column).values.reshape(*shape, matrix.sizes[column])
    coords = {n: c for n, c in like.coords.items() if "neuron" not in c.dims}
    coords |= {n: c for n, c in matrix.coords.items() if c.dims == (column,)}
    array = xr.DataArray(
        values, dims=(*others, column), coords=coords, name=like.name, attrs=like.attrs
    )
    order = [column if dim == "neuron" else str(dim) for dim in like.dims]
    return array.transpose(*order).copy()
