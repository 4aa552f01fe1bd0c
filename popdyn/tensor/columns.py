"""Columns of the neuron and trial tables: types, names and collisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from popdyn.errors import TensorError
from popdyn.tensor.contract import NAMES, text

# Names that dims and variables of sessions, tensors and averages need for themselves.
RESERVED = frozenset(
    ("neuron", "time", "trial", "spike", "neuron_edge", "interval", "spike_time", "neuron_start")
    + ("obs_start", "obs_stop", "obs_neuron", "align_time", "condition", "standard_error")
    + ("n_trials", "phase", "bound", "draw", "null_draw", *NAMES)
)
Columns = dict[str, tuple[str, np.ndarray, dict[str, Any]]]


def column_values(values: Any, where: str) -> np.ndarray:
    """Return a column as booleans, integers, floats or NumPy str.

    Missing integers become NaN (the column becomes floating), missing text ``""``.
    """
    series = values if isinstance(values, pd.Series) else None
    if series is not None and pd.api.types.is_extension_array_dtype(series.dtype):
        array = _from_extension(series)
    else:
        array = np.asarray(values)
    if array.ndim != 1:
        message = f"{where} must hold one value per row, found an array of shape {array.shape}."
        raise TensorError(message)
    if array.dtype.kind in "biuU":
        return array
    if array.dtype.kind == "f":
        return array if array.dtype.itemsize in (4, 8) else array.astype(np.float64)
    if array.dtype.kind == "m":
        return array / np.timedelta64(1, "s")
    if array.dtype.kind == "O":
        return _from_objects(array)
    if array.dtype.kind in "SM":
        return text(array)
    message = f"{where} has dtype {array.dtype}; expected booleans, numbers or text."
    raise TensorError(message)


def _from_extension(series: pd.Series) -> np.ndarray:
    if pd.api.types.is_bool_dtype(series.dtype) and not series.isna().any():
        return series.to_numpy(dtype=bool)
    if pd.api.types.is_bool_dtype(series.dtype) or pd.api.types.is_float_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_integer_dtype(series.dtype):
        if series.isna().any():
            return series.to_numpy(dtype=np.float64, na_value=np.nan)
        return series.to_numpy(dtype=np.int64)
    return np.asarray(series.astype(object).to_numpy(), dtype=object)


def _from_objects(array: np.ndarray) -> np.ndarray:
    present = [value for value in array if value is not None and value is not pd.NA]
    if present and all(isinstance(value, (bool, np.bool_)) for value in present):
        if len(present) == array.size:
            return array.astype(bool)
        return np.array([np.nan if v is None or v is pd.NA else float(v) for v in array])
    if present and len(present) == array.size:
        kinds = (int, np.integer)
        if all(isinstance(v, kinds) and not isinstance(v, bool) for v in present):
            return array.astype(np.int64)
    numbers = (int, float, np.integer, np.floating)
    if present and all(isinstance(value, numbers) for value in present):
        return np.array([np.nan if v is None or v is pd.NA else float(v) for v in array])
    return text(array)


def table_ids(table: Any, n_rows: int | None, dim: str) -> np.ndarray:
    """Ids of a table's rows: its ``id`` column, the DataFrame's index, or 0, 1, 2, ..."""
    if isinstance(table, pd.DataFrame):
        values: Any = table["id"] if "id" in table.columns else table.index.to_numpy()
    elif isinstance(table, Mapping) and "id" in table:
        values = table["id"]
    else:
        size = n_rows if n_rows is not None else _n_rows(table)
        values = np.arange(size)
    ids = column_values(values, f"the {dim} ids")
    if n_rows is not None and ids.size != n_rows:
        message = f"the {dim} table has {ids.size} rows, expected {n_rows} (one per {dim})."
        raise TensorError(message)
    if ids.dtype.kind == "f" and np.isfinite(ids).all() and (ids == np.round(ids)).all():
        ids = ids.astype(np.int64)
    unique, counts = np.unique(ids, return_counts=True)
    if unique.size != ids.size:
        repeated = ", ".join(str(value) for value in unique[counts > 1][:5])
        message = (
            f"{dim} ids must be unique; {ids.size - unique.size} of {ids.size} repeat an earlier "
            f"one (first: {repeated}). Give each {dim} its own id."
        )
        raise TensorError(message)
    return ids


def _n_rows(table: Any) -> int:
    if table is None:
        return 0
    return max((len(np.asarray(values)) for values in table.values()), default=0)


def table_columns(
    neurons: Any,
    trials: Any,
    n_neurons: int,
    n_trials: int,
    column_attrs: Mapping[str, Mapping[str, Any]] | None = None,
) -> Columns:
    """Coordinates of both tables, colliding names resolved and the original name kept.

    A name collides with a dim or a variable of the contract, with the other table, or holds
    ``/``; it becomes ``trial_<name>`` or ``neuron_<name>`` and ``file_name`` keeps what it was.
    """
    tables = {"neuron": table_mapping(neurons), "trial": table_mapping(trials)}
    sizes = {"neuron": n_neurons, "trial": n_trials}
    shared = set(tables["neuron"]) & set(tables["trial"])
    columns: Columns = {}
    plain = {name for table in tables.values() for name in table if not _collides(name, shared)}
    for dim, table in tables.items():
        for name, values in table.items():
            where = f"column {name!r} of the {dim} table"
            array = column_values(values, where)
            if array.size != sizes[dim]:
                message = f"{where} has {array.size} values, expected {sizes[dim]}."
                raise TensorError(message)
            attrs = {str(k): v for k, v in (column_attrs or {}).get(name, {}).items()}
            new = name
            if _collides(name, shared):
                new = f"{dim}_{name}".replace("/", "_")
                while new in columns or new in plain or new in RESERVED:
                    new += "_"
                attrs["file_name"] = name
            columns[new] = (dim, array, attrs)
    return columns


def _collides(name: str, shared: set[str]) -> bool:
    return name in RESERVED or name in shared or "/" in name or not name.strip()


def table_mapping(table: Any) -> dict[str, Any]:
    """Columns of a DataFrame or mapping by name, without the ids."""
    if table is None:
        return {}
    if isinstance(table, pd.DataFrame):
        pairs = [(str(name), table.iloc[:, i]) for i, name in enumerate(table.columns)]
    elif isinstance(table, Mapping):
        pairs = [(str(name), values) for name, values in table.items()]
    else:
        message = (
            f"a table must be a pandas DataFrame or a mapping of columns, found "
            f"{type(table).__name__}."
        )
        raise TensorError(message)
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"column names must be unique, found twice: {', '.join(twice)}."
        raise TensorError(message)
    return {name: values for name, values in pairs if name != "id"}
