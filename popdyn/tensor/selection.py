"""Which neurons or trials a selection by column values means."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tensor.contract import column_names


def matching(x: xr.DataArray | xr.Dataset, dim: str, selection: Any) -> np.ndarray:
    """Which entries along a dim a selection keeps.

    Parameters
    ----------
    x : xarray.DataArray or xarray.Dataset
        A tensor, a Session or a condition average.
    dim : str
        ``"neuron"`` or ``"trial"``.
    selection : mapping, array_like or None
        Column name to a value, a list of values, or a range (``slice(low, high)`` or
        ``{"min": low, "max": high}``, both ends included); or a boolean mask; or a list of
        ids.  ``None`` keeps all.

    Returns
    -------
    numpy.ndarray of bool

    Raises
    ------
    TensorError
        Unknown column, id or value (what there is is named), or nothing left.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> x = pdn.make_tensor(np.ones((1, 2, 3)), [0.0, 0.1], trials={"choice": ["l", "r", "l"]})
    >>> matching(x, "trial", {"choice": "l"}).tolist()
    [True, False, True]
    """
    size = x.sizes[dim]
    if selection is None:
        return np.ones(size, dtype=bool)
    if isinstance(selection, Mapping):
        keep = np.ones(size, dtype=bool)
        for column, wanted in selection.items():
            keep &= _column_matches(x, dim, str(column), wanted)
            if not keep.any():
                message = f"no {dim} is left after {_words(selection)}: {_found(x, dim, column)}."
                raise TensorError(message)
        return keep
    return _by_mask_or_ids(x, dim, selection)


def find_column(x: xr.DataArray | xr.Dataset, dim: str, column: str) -> np.ndarray:
    """Values of a column (or of the ids, by the dim's name); a clear error if there is none."""
    names = column_names(x, dim)
    if column == dim:
        return np.asarray(x.coords[dim].values)
    if column not in names:
        near = difflib.get_close_matches(column, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        there = ", ".join(names) or "none"
        message = f"there is no {dim} column {column!r}.{hint} Columns: {there}."
        raise TensorError(message)
    return np.asarray(x.coords[column].values)


def neuron_position(x: xr.DataArray | xr.Dataset, neuron: Any) -> int:
    """Position of the neuron with an id (ids are compared as text); a clear error if none."""
    ids = [str(name) for name in x["neuron"].values]
    if str(neuron) in ids:
        return ids.index(str(neuron))
    near = difflib.get_close_matches(str(neuron), ids, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    message = (
        f"there is no neuron with id {neuron!r}.{hint} The {len(ids)} ids are "
        f"{', '.join(ids[:8])}{', ...' if len(ids) > 8 else ''}"
    )
    raise TensorError(message)


def _column_matches(x: Any, dim: str, column: str, wanted: Any) -> np.ndarray:
    values = find_column(x, dim, column)
    limits = _limits(wanted)
    if limits is not None:
        if values.dtype.kind in "US":
            message = f"column {column!r} holds text; a range needs numbers."
            raise TensorError(message)
        low, high = limits
        return np.asarray((values >= low) & (values <= high))
    options = [wanted] if isinstance(wanted, (str, bytes)) else wanted
    options = list(options) if isinstance(options, Iterable) else [options]
    keep = np.zeros(values.size, dtype=bool)
    for option in options:
        hit = _equal(values, option)
        if not hit.any():
            shown = option.item() if isinstance(option, np.generic) else option
            message = (
                f"{_found(x, dim, column)}, never {shown!r}. (A range is "
                '{"min": low, "max": high}.)'
            )
            raise TensorError(message)
        keep |= hit
    return keep


def _limits(wanted: Any) -> tuple[float, float] | None:
    if isinstance(wanted, slice):
        low, high = wanted.start, wanted.stop
    elif isinstance(wanted, Mapping):
        unknown = set(wanted) - {"min", "max"}
        if unknown:
            message = f"a range knows the keys min and max, found {', '.join(map(str, unknown))}."
            raise TensorError(message)
        low, high = wanted.get("min"), wanted.get("max")
    else:
        return None
    return (-np.inf if low is None else float(low), np.inf if high is None else float(high))


def _equal(values: np.ndarray, option: Any) -> np.ndarray:
    if values.dtype.kind == "U":
        return np.asarray(values == (option.decode() if isinstance(option, bytes) else str(option)))
    try:
        # A number in single precision is the decimal it was written as.
        number = float(str(option)) if isinstance(option, np.float32) else float(option)
    except (TypeError, ValueError):
        return np.zeros(values.size, dtype=bool)
    if values.dtype.kind == "f":
        tolerance = 1e-6 if values.dtype.itemsize == 4 else 1e-9
        return np.asarray(np.isclose(values, number, rtol=tolerance, atol=0.0))
    return np.asarray(values == number)


def _by_mask_or_ids(x: Any, dim: str, selection: Any) -> np.ndarray:
    given = np.atleast_1d(np.asarray(selection))
    if given.dtype == bool:
        if given.size != x.sizes[dim]:
            message = f"a mask over {dim} needs {x.sizes[dim]} entries, found {given.size}."
            raise TensorError(message)
        keep = given
    else:
        ids = x.coords[dim].values
        missing = given[~np.isin(given, ids)]
        if missing.size:
            near = ", ".join(str(value) for value in ids[:5])
            message = f"there is no {dim} with id {missing[0]!s}; ids are {near}, ..."
            raise TensorError(message)
        keep = np.isin(ids, given)
    if not keep.any():
        message = f"the selection keeps no {dim} of {x.sizes[dim]}."
        raise TensorError(message)
    return keep


def _found(x: Any, dim: str, column: str) -> str:
    values, counts = np.unique(find_column(x, dim, str(column)), return_counts=True)
    shown = ", ".join(
        f"{value!s} ({count})" for value, count in zip(values[:8], counts[:8], strict=True)
    )
    more = f" and {values.size - 8} more" if values.size > 8 else ""
    return f"column {column!r} holds {shown}{more}"


def _words(selection: Mapping[Any, Any]) -> str:
    return ", ".join(f"{column} = {wanted!r}" for column, wanted in selection.items())
