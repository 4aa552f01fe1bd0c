"""Roles: which column of a source is the stimulus, the choice, the response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tensor.columns import column_values
from popdyn.tensor.selection import find_column

ROLES = ("stimulus", "stimulus_2", "choice", "response", "correct", "context")
Labelled = TypeVar("Labelled", bound=xr.DataArray | xr.Dataset)


def assign_roles(x: Labelled, roles: Mapping[str, Any]) -> Labelled:
    """Add one column per role to the trial table.

    Parameters
    ----------
    x : tensor or Session
    roles : mapping
        Role to the name of a column, or to a mapping with ``column``, and optionally
        ``values`` (from a value of the column to the value of the role; conditions named by
        text keep this order) and ``units``.

    Returns
    -------
    tensor or Session
        A copy with a column named like each role; other columns stay.

    Raises
    ------
    TensorError
        Unknown role, key or column; a value that the map does not know.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> x = pdn.make_tensor(np.ones((1, 1, 2)), [0.0], trials={"type": ["l", "r"]}, bin_width=0.1)
    >>> role = {"column": "type", "values": {"l": -1, "r": 1}}
    >>> assign_roles(x, {"choice": role}).choice.values.tolist()
    [-1, 1]
    """
    added = {}
    for role, given in roles.items():
        if role not in ROLES:
            message = f"unknown role {role!r}; roles are {', '.join(ROLES)}."
            raise TensorError(message)
        entry: dict[str, Any] = {"column": given} if isinstance(given, str) else dict(given)
        unknown = set(entry) - {"column", "values", "units"}
        if unknown or "column" not in entry:
            message = (
                f"role {role!r} takes a column name, or the keys column, values, units; found "
                f"{', '.join(map(str, entry)) or 'nothing'}."
            )
            raise TensorError(message)
        values = find_column(x, "trial", str(entry["column"]))
        attrs = {} if entry["column"] == "trial" else dict(x.coords[entry["column"]].attrs)
        if entry.get("values"):
            values = _mapped(values, entry["values"], role, str(entry["column"]))
            attrs = {key: value for key, value in attrs.items() if key == "description"}
            attrs["order"] = json.dumps([str(value) for value in entry["values"].values()])
        if "units" in entry:
            attrs["units"] = entry["units"]
        added[role] = ("trial", values, attrs)
    return cast(Labelled, x.assign_coords(added))


def _mapped(values: np.ndarray, mapping: Mapping[Any, Any], role: str, column: str) -> np.ndarray:
    new = np.full(values.size, None, dtype=object)
    done = np.zeros(values.size, dtype=bool)
    for old, replacement in mapping.items():
        hit = _same(values, old)
        new[hit] = replacement
        done |= hit
    missing = ~done & (np.isnan(values) if values.dtype.kind == "f" else values == "")
    if not (done | missing).all():
        left = ", ".join(str(value) for value in np.unique(values[~(done | missing)])[:6])
        message = (
            f"role {role!r}: the value map of column {column!r} does not know {left}; it maps "
            f"{', '.join(str(key) for key in mapping)}. Add them, or select trials first."
        )
        raise TensorError(message)
    return column_values(new, f"role {role!r}")


def _same(values: np.ndarray, old: Any) -> np.ndarray:
    if values.dtype.kind == "U":
        return np.asarray(values == str(old))
    try:
        # TOML keys are text, so "0" means the number 0.
        return np.isclose(values.astype(np.float64), float(old), rtol=1e-6, atol=0.0)
    except ValueError:
        return np.zeros(values.size, dtype=bool)
