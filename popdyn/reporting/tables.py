"""A result as CSV: one table for every set of dims, the numbers behind the figures."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import xarray as xr

_DRAWS = ("draw", "null_draw", "resample")
_DRAW_QUANTILES = {"lower": 0.025, "median": 0.5, "upper": 0.975}


def tables(result: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Lay a result out in long tables, one for every set of dims.

    Parameters
    ----------
    result
        A result; left as it is.

    Returns
    -------
    dict of DataFrame
        Keyed by the dims (``"time, condition"``, ``"values"`` for numbers without dims).
        The dim ``bound`` becomes the columns ``<name>_lower`` and ``<name>_upper``; the dim
        ``draw`` (or ``null_draw``) becomes the median and the 2.5 and 97.5 % quantiles over
        draws (every draw is in the netCDF file).

    Examples
    --------
    >>> result = xr.Dataset(
    ...     {"accuracy": ("time", [0.5, 0.9])}, coords={"time": [0.0, 0.1]}
    ... )
    >>> tables(result)["time"].columns.tolist()
    ['time', 'accuracy']
    """
    groups: dict[tuple[str, ...], dict[str, xr.DataArray]] = {}
    for name, variable in result.data_vars.items():
        for column, values in _columns(str(name), variable).items():
            groups.setdefault(tuple(str(dim) for dim in values.dims), {})[column] = values
    return {", ".join(dims) or "values": _table(group, dims) for dims, group in groups.items()}


def csv(table: pd.DataFrame) -> bytes:
    r"""Write a table as CSV with the same bytes on every machine.

    Parameters
    ----------
    table
        The table.

    Returns
    -------
    bytes
        UTF-8, comma, ``\n``, nine significant digits, empty for NaN.

    Examples
    --------
    >>> csv(pd.DataFrame({"time": [0.1], "label": ["a,b"]}))
    b'time,label\n0.1,"a,b"\n'
    """
    return table.to_csv(index=False, lineterminator="\n", float_format="%.9g").encode("utf-8")


def _columns(name: str, variable: xr.DataArray) -> dict[str, xr.DataArray]:
    """Turn the dims of uncertainty into columns."""
    draws = [str(dim) for dim in variable.dims if dim in _DRAWS]
    if draws:
        quantiles = _DRAW_QUANTILES.items()
        return {f"{name}_{end}": _quantile(variable, q, draws[0]) for end, q in quantiles}
    if "bound" in variable.dims:
        stem = name.removeprefix("bound_").removesuffix("_bound")
        ends = [str(end) for end in variable["bound"].values]
        return {f"{stem}_{end}": variable.isel(bound=i, drop=True) for i, end in enumerate(ends)}
    return {name: variable}


def _quantile(variable: xr.DataArray, q: float, dim: str) -> xr.DataArray:
    """Take a quantile over draws; NaN where there is no draw at all."""
    axis = variable.get_axis_num(dim)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN")
        values = np.nanquantile(variable.values, q, axis=axis)
    return variable.isel({dim: 0}, drop=True).copy(data=values)


def _table(group: dict[str, xr.DataArray], dims: tuple[str, ...]) -> pd.DataFrame:
    """Put variables of the same dims side by side, with the labels of every dim."""
    if not dims:
        return pd.DataFrame({name: [values.item()] for name, values in group.items()})
    dataset = xr.Dataset(
        {name: values.drop_vars(_scalars(values)) for name, values in group.items()}
    )
    frame = dataset.to_dataframe(dim_order=list(dims)).reset_index()
    first = [*dims, *(str(name) for name in dataset.coords if name not in dims)]
    return frame[[*first, *group]]


def _scalars(values: xr.DataArray) -> list[str]:
    """Name the coords without a dim: the same for every row, so not a column."""
    return [str(name) for name, coord in values.coords.items() if not coord.dims]
