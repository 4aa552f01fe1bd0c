"""What objects of other packages become: tables of plain columns, and a Session."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.io.tables import Column, Table
from popdyn.io.times import column_units, detect_clocks
from popdyn.tensor.columns import column_values
from popdyn.tensor.result import add_history
from popdyn.tensor.session import make_session

Intervals = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Parts:
    """What a bridge found: spike times (s) per neuron, tables, observation intervals."""

    trains: Sequence[np.ndarray]
    neurons: Table
    trials: Table | None
    observed: Intervals | None
    attrs: Mapping[str, Any]
    problems: Sequence[str] = ()
    clocks: Mapping[str, str] = field(default_factory=dict)
    column_attrs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def named(items: Iterable[Any], most: int = 8) -> str:
    """List the first few of some names or ids, and say how many more there are.

    Examples
    --------
    >>> named(range(10), most=2)
    '0, 1 and 8 more'
    """
    words = [str(item) for item in items]
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def plain_table(
    name: str,
    ids: Any,
    columns: Mapping[str, Any],
    about: Mapping[str, Mapping[str, Any]] | None = None,
) -> Table:
    """Make a table of columns that may hold anything.

    Columns without one number, boolean or text per row are left out, with a warning.

    Parameters
    ----------
    name : str
        What messages call it.
    ids : array_like (row,)
    columns : mapping of str to array_like (row,)
        A column ``id`` becomes ``<name>_id``: here ids name the rows.
    about : mapping, optional
        ``units`` and ``description`` per column.

    Returns
    -------
    Table
    """
    table_ids = column_values(ids, f"the {name} ids")
    kept, left_out = [], []
    for key, values in columns.items():
        column = str(key) if str(key) != "id" else f"{name}_id"
        if not _one_value_per_row(values, table_ids.size):
            left_out.append(column)
            continue
        array = column_values(values, f"column {column!r} of the {name} table")
        said = (about or {}).get(str(key), {})
        words = {k: str(said.get(k, "")) for k in ("units", "description")}
        kept.append(Column(column, array.dtype.name, array, **words))
    if left_out:
        warn(
            f"columns of the {name} table that do not hold one number or word per row were left "
            f"out: {named(left_out)}."
        )
    return Table(name, table_ids, tuple(kept))


def _one_value_per_row(values: Any, n_rows: int) -> bool:
    array = np.asarray(values, dtype=object) if isinstance(values, list) else np.asarray(values)
    if array.ndim != 1 or array.size != n_rows or array.dtype.kind not in "biufUSOTmM":
        return False
    held = array if array.dtype == object else ()
    return not any(isinstance(v, (Mapping, set, tuple, list, np.ndarray)) for v in held)


def check_durations(start: np.ndarray, stop: np.ndarray, what: str) -> None:
    """Refuse intervals that end before they start.

    Raises
    ------
    TensorError
    """
    with np.errstate(invalid="ignore"):
        reversed_ = np.flatnonzero(stop < start)
    if reversed_.size:
        first = reversed_[0]
        message = (
            f"{reversed_.size} of {start.size} {what} stop before they start (rows "
            f"{named(reversed_)}; the first: {start[first]:g} to {stop[first]:g} s). Correct them "
            "or leave them out."
        )
        raise TensorError(message)


def finite_spikes(times: np.ndarray) -> np.ndarray:
    """Spike times that are numbers; how many are not is said by `assemble`."""
    return np.asarray(times[np.isfinite(times)])


def assemble(parts: Parts, step: str, **parameters: Any) -> xr.Dataset:
    """Build the Session of what a bridge found, with a line of history.

    Raises
    ------
    TensorError
        A clock for a column that is not there, repeated ids, tables that do not fit.

    Warns
    -----
    PopdynWarning
        When spike times are not numbers or not sorted, and when trial columns fit no clock or
        another than the session's.
    """
    problems = list(parts.problems)
    trains = [finite_spikes(np.asarray(t, dtype=np.float64).ravel()) for t in parts.trains]
    n_all = sum(np.size(t) for t in parts.trains)
    n_lost = n_all - sum(t.size for t in trains)
    if n_lost:
        problems.append(f"{n_lost} of {n_all} spike times are NaN or infinite and were left out")
        warn(problems[-1])
    starts = np.concatenate([[0], np.cumsum([t.size for t in trains])]).astype(np.int64)
    clock = _clocks(parts, problems)
    attrs = add_history(dict(parts.attrs), step, **parameters)
    session = make_session(
        np.concatenate(trains) if trains else np.empty(0),
        starts,
        neurons=_values(parts.neurons),
        trials=None if parts.trials is None else _values(parts.trials),
        obs=parts.observed,
        attrs=attrs,
        column_attrs=_about(parts, clock),
    )
    if session.attrs["n_unsorted"]:
        n_unsorted = session.attrs["n_unsorted"]
        problems.append(f"{n_unsorted} spike times are earlier than the one before: sorted")
        warn(problems[-1])
    session.attrs["problems"] = json.dumps(problems)
    return session


def _values(table: Table) -> dict[str, Any]:
    return {"id": table.ids, **{name: column.values for name, column in table.kept.items()}}


def _clocks(parts: Parts, problems: list[str]) -> dict[str, str]:
    """Return the clock of each time column of the trials; the user's word comes first."""
    columns = [] if parts.trials is None else list(parts.trials.kept)
    for name, which in parts.clocks.items():
        if parts.trials is None or parts.trials.numbers(name) is None:
            near = difflib.get_close_matches(str(name), columns, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            message = (
                f"clocks names {name!r}, which is no column of numbers of the trials.{hint} "
                f"Columns: {', '.join(columns) or 'none'}."
            )
            raise TensorError(message)
        if which not in ("session", "trial"):
            message = f"the clock of {name!r} must be 'session' or 'trial', got {which!r}."
            raise TensorError(message)
    if parts.trials is None:
        return {}
    said = {n: str(a["clock"]) for n, a in parts.column_attrs.items() if a.get("clock")}
    found = detect_clocks(parts.trials, {**said, **dict(parts.clocks)})
    problems.extend(line for line in found.problems if line not in problems)
    return found.clock


def _about(parts: Parts, clock: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Units, clock and description per column; what the user or the source said wins."""
    about: dict[str, dict[str, Any]] = {}
    for table in (parts.neurons, parts.trials):
        for name, column in table.kept.items() if table is not None else ():
            which = clock.get(name, "") if table is parts.trials else ""
            words = {
                "units": column_units(column, is_time=bool(which)),
                "clock": which,
                "description": column.description,
            }
            said = {k: v for k, v in dict(parts.column_attrs.get(name, {})).items() if v != ""}
            about[name] = {**{k: v for k, v in words.items() if v}, **said}
            if which and name in parts.clocks:
                about[name]["clock"] = which
    return about
