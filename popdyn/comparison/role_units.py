"""Roles in seconds, whatever unit the columns of a file have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import xarray as xr

from popdyn.comparison.source_spec import Role
from popdyn.errors import TensorError

Trials = TypeVar("Trials", xr.DataArray, xr.Dataset)

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000}
# Seconds: intervals this long were more likely meant as milliseconds.
_DOUBTFUL = 60.0
_INTERVALS = ("stimulus", "stimulus_2", "response")


def in_seconds(named: Trials, roles: Mapping[str, Role]) -> Trials:
    """Give the columns of roles in seconds where their unit is one of time.

    One source may hold intervals in ms and another in s: conditions have the same names only in
    one unit.

    Parameters
    ----------
    named : tensor or Session
        With a column for each role.
    roles : mapping
        What the spec says of them.

    Returns
    -------
    tensor or Session

    Raises
    ------
    TensorError
        If the spec says another unit than the file, or seconds of what must be milliseconds.
    """
    found = {}
    for name, role in roles.items():
        column = named.coords[name]
        _check_said(named.coords[role.column], role, name)
        per_second = _PER_SECOND.get(str(column.attrs.get("units")))
        if per_second is None or column.dtype.kind not in "iuf":
            continue
        # Divided, not multiplied by .001: 560 ms must be the very number that 0.56 s is.
        values = column.values.astype(np.float64) / per_second
        if name in _INTERVALS and "clock" not in column.attrs:
            _check_seconds(values, role, name)
        found[name] = ("trial", values, {**column.attrs, "units": "s"})
    return named.assign_coords(found)


def _check_said(column: xr.DataArray, role: Role, name: str) -> None:
    """Refuse a spec that says another unit of time than the file does."""
    own = str(column.attrs.get("units"))
    if {own, role.units} <= _PER_SECOND.keys() and own != role.units and name != role.column:
        message = (
            f"the role {name!r} says units = {role.units!r}, but the file says that its column "
            f"{role.column!r} is in {own}: leave units out of the role, or correct the file with "
            f"units = {{{role.column} = {role.units!r}}} of the source"
        )
        raise TensorError(message)


def _check_seconds(values: np.ndarray, role: Role, name: str) -> None:
    """Refuse intervals that cannot be seconds."""
    known = np.abs(values[np.isfinite(values)])
    if not known.size or float(np.median(known)) < _DOUBTFUL:
        return
    message = (
        f"the role {name!r} has the column {role.column!r} in s, which holds {known.min():g} to "
        f"{known.max():g}: these look like milliseconds; say {name} = {{column = "
        f"'{role.column}', units = 'ms'}}"
    )
    raise TensorError(message)
