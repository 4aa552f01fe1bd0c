"""pynapple's IntervalSet and a trial table.

An IntervalSet holds no interval without an end or a duration, and none that overlaps another;
from one that touches the next it takes a microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.io.bridges.foreign import check_durations, named, plain_table
from popdyn.io.bridges.pynapple_support import bounds_of
from popdyn.io.column_times import column_seconds, seconds_each
from popdyn.io.tables import Table
from popdyn.tensor.columns import table_ids, table_mapping
from popdyn.tensor.contract import column_names

# Seconds: what pynapple may take from the end of a trial.
_TOUCH = 2e-6
# Names of an IntervalSet's own columns.
_TAKEN = {"start": "trial_start", "end": "trial_end"}


def from_trials(trials: Any, about: Mapping[str, Mapping[str, Any]]) -> Table:
    """Make a trial table of an IntervalSet or a DataFrame; `TensorError` for anything else."""
    columns: dict[str, Any]
    if isinstance(trials, pd.DataFrame):
        columns, index = table_mapping(trials), table_ids(trials, None, "trial")
        for old, new in (("start", "start_time"), ("end", "stop_time")):
            if old in columns and new not in columns:
                columns[new] = columns.pop(old)
        for name in {"start_time", "stop_time"}.intersection(columns):
            columns[name] = np.asarray(columns[name], dtype=np.float64)
    elif hasattr(trials, "start") and hasattr(trials, "end") and not isinstance(trials, Mapping):
        start, stop = bounds_of(trials)
        index = np.arange(start.size)
        columns = _exact_times(start, stop, metadata_of(trials))
    else:
        message = (
            "trials must be an IntervalSet (start, end and metadata) or a pandas DataFrame with "
            f"start and end in seconds; found {type(trials).__name__}."
        )
        raise TensorError(message)
    if {"start_time", "stop_time"} <= set(columns) and isinstance(trials, pd.DataFrame):
        check_durations(columns["start_time"], columns["stop_time"], "trials")
    ids = ids_of(columns, "trial", index)
    first = [name for name in ("start_time", "stop_time") if name in columns]
    ordered = {name: columns[name] for name in [*first, *columns]}
    return plain_table("trial", ids, ordered, about)


def _exact_times(start: np.ndarray, stop: np.ndarray, columns: dict[str, Any]) -> dict[str, Any]:
    """Start and stop, from metadata of that name where they are the same but for the microsecond.

    pynapple shortens an interval that touches the next; `to_pynapple` keeps the exact time.
    """
    for name, seen in (("start_time", start), ("stop_time", stop)):
        stated = columns.pop(name, None)
        if stated is None:
            columns[name] = seen
        elif stated.dtype.kind == "f" and bool((np.abs(stated - seen) <= _TOUCH).all()):
            columns[name] = stated
        else:
            columns[name], columns[f"metadata_{name}"] = seen, stated
            warn(
                f"the trials have metadata {name!r} that differ from their intervals: kept as "
                f"'metadata_{name}'."
            )
    return columns


def metadata_of(x: Any) -> dict[str, Any]:
    """Metadata columns by name, whatever the version of pynapple keeps them in."""
    table = getattr(x, "metadata", None)
    if table is None:
        table = getattr(x, "_metadata", None)
    return {} if table is None else {str(name): np.asarray(table[name]) for name in table}


def ids_of(columns: dict[str, Any], name: str, index: np.ndarray) -> np.ndarray:
    """Take ids out of the column that `to_pynapple` keeps them in, else the index."""
    if name in columns and len(set(np.asarray(columns[name]).tolist())) == index.size:
        return np.asarray(columns.pop(name))
    return index


def columns_of(session: xr.Dataset, dim: str) -> dict[str, np.ndarray]:
    """Columns of a Session's table as metadata, by the names they get there."""
    names = column_names(session, dim)
    return {_TAKEN.get(name, name): session.coords[name].values for name in names}


def column_attrs(session: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Units, clock and description of each metadata column; `to_trials` gives seconds."""
    names = [*column_names(session, "neuron"), *column_names(session, "trial")]
    about = {_TAKEN.get(n, n): dict(session.coords[n].attrs) for n in names}
    for name in {"start_time", "stop_time"}.intersection(about):
        if seconds_each(session.coords[name]) != 1.0:
            about[name]["units"] = "s"
    return about


def to_trials(nap: ModuleType, session: xr.Dataset, drop: bool) -> tuple[Any, list[str]]:
    """Trials as an IntervalSet, or as a DataFrame where that would lose some; lines to warn."""
    if not session.sizes.get("trial"):
        return None, []
    start, stop = (_seconds(session, name) for name in ("start_time", "stop_time"))
    unfit = _unfit(start, stop)
    bad = np.flatnonzero([bool(why) for why in unfit])
    ids = session["trial"].values
    columns = columns_of(session, "trial")
    for name in ("start_time", "stop_time"):
        columns.pop(name, None)
    lines = [_unfit_line(ids, unfit, drop)] if bad.size else []
    if bad.size and not drop:
        times = {"start": start} if "start_time" in session.coords else {}
        times |= {"end": stop} if "stop_time" in session.coords else {}
        return pd.DataFrame({**times, **columns}, index=ids), lines
    order = np.argsort(start, kind="stable")
    order = order[~np.isin(order, bad)]
    if not order.size:
        return None, lines
    start, stop, ids = start[order], stop[order], ids[order]
    metadata = {name: values[order] for name, values in columns.items()}
    if not np.array_equal(ids, np.arange(ids.size)):
        metadata = {"trial": ids, **metadata}
    plain = nap.IntervalSet(start, stop)
    if len(plain) == start.size:
        line, exact = _moved(plain, start, stop)
        lines += [line] if line else []
        metadata |= exact
    return nap.IntervalSet(start, stop, metadata=metadata), lines


def _moved(made: Any, start: np.ndarray, stop: np.ndarray) -> tuple[str, dict[str, np.ndarray]]:
    """Say how far pynapple moved trials, and return the exact times as metadata."""
    own = bounds_of(made)
    exact = {
        name: times
        for name, times, seen in (("start_time", start, own[0]), ("stop_time", stop, own[1]))
        if not np.array_equal(times, seen)
    }
    if not exact:
        return "", {}
    most = max(np.abs(own[0] - start).max(), np.abs(own[1] - stop).max())
    n_moved = int(((own[0] != start) | (own[1] != stop)).sum())
    return (
        f"pynapple moved the ends of {n_moved} of {start.size} trials, by up to {most:.1g} s (it "
        "parts trials that touch, and some versions round): the metadata "
        f"{' and '.join(exact)} keep the exact times."
    ), exact


def _seconds(session: xr.Dataset, name: str) -> np.ndarray:
    if name not in session.coords:
        return np.full(session.sizes["trial"], np.nan)
    return column_seconds(session.coords[name])


def _unfit(start: np.ndarray, stop: np.ndarray) -> list[str]:
    """Say why each trial cannot be in an IntervalSet; the most that can be together are kept."""
    reasons = [
        "no start_time" if np.isnan(a) else "no stop_time" if np.isnan(b)
        else "no duration" if b <= a else ""
        for a, b in zip(start, stop, strict=True)
    ]  # fmt: skip
    last = -np.inf
    for row in np.argsort(stop, kind="stable"):
        if reasons[row]:
            continue
        if start[row] < last:
            reasons[row] = "overlapping another"
        else:
            last = stop[row]
    return reasons


def _unfit_line(ids: np.ndarray, unfit: list[str], drop: bool) -> str:
    reasons = sorted({why for why in unfit if why})
    each = [
        f"{why}: {named(i for i, w in zip(ids, unfit, strict=True) if w == why)}" for why in reasons
    ]
    n_bad = sum(1 for why in unfit if why)
    what = (
        "left out"
        if drop
        else "so all trials come as a pandas DataFrame (drop_trials=True leaves those out)"
    )
    return f"{n_bad} of {len(unfit)} trials fit no IntervalSet ({'; '.join(each)}): {what}."
