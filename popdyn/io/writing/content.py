"""The tables of an NWB file, built from the arrays of a Session: never row by row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.io.column_times import column_seconds, seconds_each
from popdyn.io.writing.restore import ColumnRecord, IntervalsRecord, TableRecord, stored_name
from popdyn.tensor.contract import column_names

# Names that NWB gives a meaning and a type of its own: attributes of every table, and columns.
_OF_TABLES = {"id", "description", "colnames", "neurodata_type", "namespace", "object_id"}
_RESERVED = {
    "neuron": _OF_TABLES
    | {"spike_times", "obs_intervals", "electrodes", "electrode_group"}
    | {"waveform_mean", "waveform_sd", "waveforms"},
    "trial": _OF_TABLES | {"timeseries", "spike_times"},
}
_ABOUT = {"start_time": "Start of the trial (s)", "stop_time": "Stop of the trial (s)"}
_TIMES = tuple(_ABOUT)
_LITERAL_BYTES = re.compile(r"^b'.*'$|^b\".*\"$", re.DOTALL)
_PLACEHOLDERS = frozenset(("", "no description", "no desc", "none", "placeholder", "n/a"))
# Arrays above this many bytes are compressed.
_LARGE = 1_000_000


@dataclass(frozen=True, eq=False)
class Column:
    """A column as it goes into the file, and what the record keeps of it."""

    record: ColumnRecord
    values: np.ndarray

    @property
    def stored(self) -> str:
        """Name in the file."""
        return self.record.stored


@dataclass(frozen=True, eq=False)
class TablePlan:
    """A table as it goes into the file: integer ids, columns, and the record of both."""

    ids: np.ndarray
    columns: tuple[Column, ...]
    record: TableRecord


def plan_table(
    session: xr.Dataset,
    dim: str,
    *,
    skip: frozenset[str] = frozenset(),
    made: tuple[str, ...] = (),
    start: str | None = None,
) -> TablePlan:
    """Decide how the columns on a dim are named and stored.

    Parameters
    ----------
    session : Session
    dim : str
        ``"neuron"`` or ``"trial"``.
    skip : frozenset of str
        Columns the file holds in another way, exactly.
    made : tuple of str
        Columns that are there only because NWB asks for them.
    start : str, optional
        The column of session times to write as ``start_time`` of trials that have none.

    Raises
    ------
    TensorError
        Text that HDF5 cannot hold, trials without a start, or with one in no units of time.
    """
    columns: list[Column] = []
    taken = {*_RESERVED[dim], *(f"{name}_index" for name in _RESERVED[dim]), "tags_index"}
    for name in column_names(session, dim):
        coord = session.coords[name]
        column = _plan_column(name, coord, taken)
        taken |= {column.stored, f"{column.stored}_index"}
        columns.append(column)
    records = tuple(column.record for column in columns if column.record.name not in made)
    kept = [column for column in columns if column.record.name not in skip]
    ids, id_column = _plan_ids(session, dim, taken)
    if id_column is not None:
        kept.append(id_column)
    added: list[Column] = []
    if dim == "trial" and session.sizes["trial"]:
        kept, added = _with_times(session, kept, start)
    record = TableRecord(
        id_column=id_column.stored if id_column is not None else "",
        id_dtype=session[dim].dtype.name if session[dim].dtype.kind != "U" else "str",
        columns=records,
        added=(*made, *(column.stored for column in added)),
    )
    return TablePlan(ids, (*added, *kept), record)


def _plan_column(name: str, coord: xr.DataArray, taken: set[str]) -> Column:
    where = f"column {name!r} of the {coord.dims[0]} table"
    stored = stored_name(name, coord.attrs)
    _check_text(np.array([stored]), f"the name of {where}", literal=False)
    if stored == "tags" and coord.dtype.kind != "U":
        stored = "tags_"
    while stored in taken:
        stored += "_"
    values = np.asarray(coord.values)
    if values.dtype.kind == "U":
        _check_text(values, where)
    attrs = {str(key): plain_value(value) for key, value in coord.attrs.items()}
    called = str(coord.attrs.get("file_name", name))
    written = _description(called, str(coord.dims[0]), attrs)
    record = ColumnRecord(
        name=name, stored=stored, dtype=values.dtype.name, attrs=attrs, written=written
    )
    return Column(record, values)


def plain_value(value: Any) -> str | int | float:
    """Return an attribute as JSON can hold it."""
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if isinstance(plain, (str, int, float)) else str(plain)


def _check_text(values: np.ndarray, where: str, *, literal: bool = True) -> None:
    for word in values.tolist():
        if "\x00" in word or any("\ud800" <= letter <= "\udfff" for letter in word):
            message = f"{where} holds text that HDF5 cannot store ({word!r:.60}); change it."
            raise TensorError(message)
        if literal and _LITERAL_BYTES.match(word):
            message = (
                f"{where} holds {word!r:.60}, which readers of NWB take for a slip of the writer; "
                "decode it to plain text."
            )
            raise TensorError(message)


def _description(name: str, dim: str, attrs: dict[str, Any]) -> str:
    """Describe a column to readers who know nothing of its attributes."""
    words = " ".join(str(attrs.get("description", "")).split())
    if words.lower().strip(".") in _PLACEHOLDERS:
        words = f"{name} of each {dim}"
    units = str(attrs.get("units", ""))
    if units not in ("", "1", "unknown") and f"({units})" not in words:
        words = f"{words.rstrip('.')} ({units})"
    if attrs.get("clock") == "trial" and "relative" not in words:
        words = f"{words.rstrip('.')}, relative to the trial's start"
    return words


def _plan_ids(session: xr.Dataset, dim: str, taken: set[str]) -> tuple[np.ndarray, Column | None]:
    """Ids of NWB are integers: others go into a column of their own."""
    ids = np.asarray(session[dim].values)
    if ids.dtype.kind in "iu" and (not ids.size or int(ids.max()) < 2**63):
        return ids.astype(np.int64), None
    stored = f"{dim}_id"
    while stored in taken:
        stored += "_"
    if ids.dtype.kind == "U":
        _check_text(ids, f"the {dim} ids")
    record = ColumnRecord(
        name=stored, stored=stored, dtype="", attrs={}, written=f"id of each {dim} in popdyn"
    )
    return np.arange(ids.size), Column(record, ids)


def _with_times(
    session: xr.Dataset, columns: list[Column], start: str | None
) -> tuple[list[Column], list[Column]]:
    """Put start_time and stop_time first, in seconds; add those that are missing."""
    by_stored = {column.stored: column for column in columns}
    times, added = [], []
    for name in _TIMES:
        column = by_stored.pop(name, None)
        if column is not None:
            times.append(_in_seconds(column, session[column.record.name]))
            continue
        values, words = np.full(session.sizes["trial"], np.nan), f"{_ABOUT[name]}: not known"
        if name == "start_time":
            values, words = _missing_start(session, start), f"{_ABOUT[name]}, taken from {start}"
        record = ColumnRecord(name=name, stored=name, dtype="", attrs={}, written=words)
        added.append(Column(record, values))
    return [*times, *by_stored.values()], added


def _in_seconds(column: Column, coord: xr.DataArray) -> Column:
    """Write a start or stop in seconds, as NWB has it, and let the record say that it was."""
    if column.values.dtype.kind not in "iuf":
        message = (
            f"{column.stored} of the trial table must hold seconds, found {column.values.dtype}."
        )
        raise TensorError(message)
    values = column_seconds(coord)
    if seconds_each(coord) == 1.0:
        return Column(column.record, values)
    attrs = column.record.attrs
    own = str(attrs.get("description", ""))
    # Units are read from the first brackets.
    words = f"{_ABOUT[column.stored]}, converted from {attrs['units']}" + (own and f": {own}")
    attrs = {**attrs, "units": "s", "description": words}
    changes = {"dtype": values.dtype.name, "attrs": attrs, "written": words}
    return Column(column.record.model_copy(update=changes), values)


def _missing_start(session: xr.Dataset, start: str | None) -> np.ndarray:
    names = column_names(session, "trial")
    clocked = [n for n in names if session[n].attrs.get("clock") == "session"]
    likely = clocked or [n for n in names if n.endswith("_time")]
    if start is None or start not in names or session[start].dtype.kind not in "iuf":
        what = "the trials have no start_time, which NWB asks for"
        if start is not None:
            what = f"trial_start names {start!r}, which is no column of numbers of the trials"
        listed = ", ".join(likely) or "none: add a column start_time (s)"
        message = (
            f"{what}. Name the column of session times (s) that begins a trial, "
            f"write_nwb(..., trial_start=...). Columns that can: {listed}."
        )
        raise TensorError(message)
    if session[start].attrs.get("clock") == "trial":
        message = (
            f"trial_start names {start!r}, which counts from the start of each trial: NWB asks "
            "for times on the session's clock. Add a column of those."
        )
        raise TensorError(message)
    return column_seconds(session[start])


def plan_intervals(
    session: xr.Dataset,
) -> tuple[np.ndarray, np.ndarray, IntervalsRecord]:
    """Finite observation intervals: rows (start, stop), how many per neuron, and the record.

    An interval without start or stop ends at the first or last time the session knows of; a
    neuron that was never observed gets one interval of no length.
    """
    start, stop = session["obs_start"].values, session["obs_stop"].values
    owner = session["obs_neuron"].values
    order = np.lexsort((start, owner))
    start, stop, owner = start[order], stop[order], owner[order]
    low, high = _span(session)
    no_start, no_stop = np.flatnonzero(np.isinf(start)), np.flatnonzero(np.isinf(stop))
    never = np.setdiff1d(np.arange(session.sizes["neuron"]), owner)
    record = IntervalsRecord(
        low=low, high=high, no_start=tuple(no_start.tolist()), no_stop=tuple(no_stop.tolist()),
        never=tuple(never.tolist()),
    )  # fmt: skip
    rows = np.stack([np.where(np.isinf(start), low, start), np.where(np.isinf(stop), high, stop)])
    rows = np.concatenate([rows, np.full((2, never.size), low)], axis=1)
    owner = np.concatenate([owner, never])
    rows = rows[:, np.argsort(owner, kind="stable")]
    n_each = np.bincount(owner, minlength=session.sizes["neuron"])
    return np.ascontiguousarray(rows.T), n_each, record


def _span(session: xr.Dataset) -> tuple[float, float]:
    """First and last time (s) of a session: spikes, trials and stated intervals, and zero."""
    moments = [session[name].values for name in ("spike_time", "obs_start", "obs_stop")]
    moments += [
        column_seconds(session[name])
        for name in column_names(session, "trial")
        if session[name].attrs.get("clock") == "session" or name in _TIMES
        if session[name].dtype.kind in "iuf" and seconds_each(session[name]) is not None
    ]
    low, high = 0.0, 0.0
    for values in moments:
        finite = np.isfinite(values)
        if finite.any():
            low = min(low, float(np.min(values, where=finite, initial=np.inf)))
            high = max(high, float(np.max(values, where=finite, initial=-np.inf)))
    return low, high if high > low else low + 1.0


def vector(name: str, values: np.ndarray, description: str) -> Any:
    """Return a pynwb column of one value per row, compressed where it is large."""
    from hdmf.common import VectorData

    return VectorData(name=name, description=description, data=stored_array(values))


def ragged(name: str, values: np.ndarray, n_each: np.ndarray, description: str) -> list[Any]:
    """Return a pynwb column of several values per row, and its index."""
    from hdmf.common import VectorIndex

    column = vector(name, values, description)
    index = VectorIndex(name=f"{name}_index", data=np.cumsum(n_each), target=column)
    return [index, column]


def stored_array(values: np.ndarray) -> Any:
    """Return the array as pynwb takes it: text as a list, large arrays compressed."""
    if values.dtype.kind == "U":
        return values.tolist()
    if values.nbytes < _LARGE:
        return values
    from pynwb import H5DataIO

    return H5DataIO(values, compression="gzip", compression_opts=1, shuffle=True, chunks=True)


def table_columns(plan: TablePlan) -> tuple[list[Any], list[str]]:
    """Return the pynwb columns of a planned table, and the names it lists."""
    built: list[Any] = []
    for column in plan.columns:
        if column.stored == "tags":
            one = np.ones(column.values.size, dtype=np.int64)
            built += ragged("tags", column.values, one, column.record.written)
        else:
            built.append(vector(column.stored, column.values, column.record.written))
    return built, [column.stored for column in plan.columns]
