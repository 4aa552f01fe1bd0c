"""What NWB has no place for: popdyn's own attributes, as text beside the tables of a file.

`write_nwb` stores a `Record` as JSON in ``/scratch/popdyn``; `restore_attributes` puts it back
on the Session read from the file.  The file is right wherever the two disagree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, ValidationError

from popdyn.tensor.result import digest

# Where the text lies in a file.
SCRATCH_NAME = "popdyn"
# What reading says of columns that are not in the table of neurons itself.
DERIVED = "from the electrodes of the neuron"
_CORE = {"spike_time", "neuron_start", "obs_start", "obs_stop", "obs_neuron"}
# Facts about a file, which those of another must not replace.
_OF_THE_FILE = frozenset(
    ("popdyn", "file", "trials", "session_start_time", "nwb_version", "n_unsorted", "problems")
    + ("input_digest", "source_id", "behavior")
)
_NOT_IN_NAMES = re.compile(r"[/\\:]")

Plain = str | int | float


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class ColumnRecord(_Frozen):
    """One column: its name in the Session, in the file, its dtype and attributes.

    ``written`` is the description the file was given: if it has another, somebody changed it.
    """

    name: str
    stored: str
    dtype: str
    attrs: dict[str, Plain]
    written: str


class TableRecord(_Frozen):
    """One table: where its ids are, its columns, and columns that only NWB asked for.

    ``derived`` says whether what reading derives from the electrodes is news to the Session.
    """

    id_column: str = ""
    id_dtype: str
    columns: tuple[ColumnRecord, ...]
    added: tuple[str, ...] = ()
    derived: bool = False


class IntervalsRecord(_Frozen):
    """Observation intervals that NWB cannot state.

    Positions of the intervals without a start or stop, what was written instead (s), and the
    neurons that were never observed, each written as one interval of no length.
    """

    low: float
    high: float
    no_start: tuple[int, ...] = ()
    no_stop: tuple[int, ...] = ()
    never: tuple[int, ...] = ()


class SeriesRecord(_Frozen):
    """One behavior series: where it lies in the file, its attributes and names of channels."""

    path: str
    attrs: dict[str, Plain]
    channels: tuple[str, ...] = ()


Tables = dict[Literal["neuron", "trial"], TableRecord]


class Record(_Frozen):
    """Everything of a Session that an NWB file has no place for."""

    format: Literal[1] = 1
    attrs: dict[str, Plain]
    tables: Tables
    intervals: IntervalsRecord
    behavior: tuple[SeriesRecord, ...] = ()
    digest: str


def core_digest(session: xr.Dataset) -> str:
    """Digest of spikes, observation intervals and both tables, whatever else there is."""
    rows = {"neuron", "trial"}
    columns = {str(name) for name, coord in session.coords.items() if set(coord.dims) <= rows}
    return digest(session.drop_vars([n for n in session.variables if n not in columns | _CORE]))


def stored_name(name: str, attrs: Mapping[str, Any]) -> str:
    """Return the name that a column asks for in a file: its own, else what it was called before.

    Examples
    --------
    >>> stored_name("trial_time", {"file_name": "time"}), stored_name("a:b", {})
    ('time', 'a_b')
    """
    wanted = str(attrs.get("file_name", name))
    plain = _NOT_IN_NAMES.sub("_", name if "/" in wanted else wanted)
    return "_" if plain in ("", ".", "..") else plain


def restore_attributes(
    session: xr.Dataset,
    text: str,
    *,
    corrected: Collection[str] = (),
    observed: str = "auto",
    keep_source_id: bool = False,
) -> xr.Dataset:
    """Put back on a Session read from a file what `write_nwb` stored beside its tables.

    Names, order, ids, dtypes and attributes of columns, infinite observation intervals, and
    the attributes of the Session.  Nothing is taken that the file contradicts: a column that
    is gone stays gone, one with a new description keeps what was read, a new column stays.

    Parameters
    ----------
    session : Session
        As read from the tables of the file.
    text : str
        Content of ``/scratch/popdyn``.  Text that is malformed, or of a later format, is
        ignored.
    corrected : collection of str
        Columns (names in the file) whose clock or units the user has stated.
    observed : str
        How the user asked to decide when neurons were observed; intervals are put back for
        ``"auto"`` only.
    keep_source_id : bool
        Whether the user has named the source.

    Returns
    -------
    Session
        A new one, or the same object where there is nothing to restore.
    """
    try:
        record = Record.model_validate_json(text)
    except ValidationError:
        return session
    new = session
    for dim, table in record.tables.items():
        if dim == "neuron" or session.sizes.get("trial", 0):
            new = _restore_table(new, dim, table, frozenset(corrected))
    if observed == "auto":
        new = _restore_intervals(new, record.intervals)
    return _restore_attrs(_restore_behavior(new, record), record, keep_source_id)


def _restore_table(
    session: xr.Dataset, dim: str, table: TableRecord, corrected: frozenset[str]
) -> xr.Dataset:
    own = {str(n): c for n, c in session.coords.items() if c.dims == (dim,) and n != dim}
    by_stored = {str(c.attrs.get("file_name", n)): n for n, c in own.items()}
    known = {table.id_column, *table.added, *(column.stored for column in table.columns)}
    taken = {str(name) for name in (*session.dims, *session.variables)} - set(own)
    rest = {
        name: coord.variable
        for stored, name in by_stored.items()
        for coord in [own[name]]
        if stored not in known and (table.derived or not _is_derived(dim, coord))
    }
    restored: dict[str, xr.Variable] = {}
    for column in table.columns:
        found = by_stored.get(column.stored)
        if found is None:
            continue
        variable = own[found].variable
        is_free = column.name not in taken | set(rest) | set(restored)
        name = column.name if is_free and _is_name_of(column) else found
        restored[name] = _restore_column(variable, column, column.stored in corrected)
    new = session.drop_vars(list(own))
    ids = _restored_ids(session[dim].values, own.get(by_stored.get(table.id_column, "")), table)
    return new.assign_coords({dim: (dim, ids, session[dim].attrs), **restored, **rest})


def _is_name_of(column: ColumnRecord) -> bool:
    """Whether a column of that name would have been stored as this one was."""
    return column.stored.rstrip("_") == stored_name(column.name, column.attrs).rstrip("_")


def _is_derived(dim: str, coord: xr.DataArray) -> bool:
    """Whether reading made a column of neurons from the electrodes, which the record lacks."""
    return dim == "neuron" and coord.attrs.get("description") == DERIVED


def _restore_column(variable: xr.Variable, column: ColumnRecord, is_corrected: bool) -> xr.Variable:
    values = _as_dtype(variable.values, column.dtype)
    said = str(variable.attrs.get("description", ""))
    if said not in (_one_line(column.written), DERIVED):
        return xr.Variable(variable.dims, values, variable.attrs)
    attrs: dict[str, Any] = dict(column.attrs)
    if is_corrected:
        attrs = {key: value for key, value in attrs.items() if key not in ("clock", "units")}
        attrs |= {key: variable.attrs[key] for key in ("clock", "units") if key in variable.attrs}
    return xr.Variable(variable.dims, values, attrs)


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _as_dtype(values: np.ndarray, name: str) -> np.ndarray:
    """Return values in another dtype if that changes none of them."""
    try:
        wanted = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        return values
    if wanted.kind not in "biuf" or values.dtype.kind not in "biuf" or wanted == values.dtype:
        return values
    with np.errstate(all="ignore"):
        cast = values.astype(wanted)
        back = cast.astype(values.dtype)
    same = np.array_equal(back, values, equal_nan=values.dtype.kind == "f")
    return cast if same else values


def _restored_ids(ids: np.ndarray, column: xr.DataArray | None, table: TableRecord) -> np.ndarray:
    values = ids if column is None else column.values
    if np.unique(values).size != values.size or values.size != ids.size:
        return ids
    return _as_dtype(values, table.id_dtype)


def _restore_intervals(session: xr.Dataset, intervals: IntervalsRecord) -> xr.Dataset:
    start, stop = session["obs_start"].values.copy(), session["obs_stop"].values.copy()
    owner = session["obs_neuron"].values
    never = np.isin(owner, intervals.never) & (start == intervals.low) & (stop == start)
    rows = np.flatnonzero(~never)
    start, stop, owner = start[rows], stop[rows], owner[rows]
    for values, positions, instead, infinite in (
        (start, intervals.no_start, intervals.low, -np.inf),
        (stop, intervals.no_stop, intervals.high, np.inf),
    ):
        at = np.array([p for p in positions if 0 <= p < values.size], dtype=np.int64)
        values[at[values[at] == instead]] = infinite
    attrs = {name: session[name].attrs for name in ("obs_start", "obs_stop", "obs_neuron")}
    new = session.drop_vars(list(attrs))
    return new.assign(
        obs_start=("interval", start, attrs["obs_start"]),
        obs_stop=("interval", stop, attrs["obs_stop"]),
        obs_neuron=("interval", owner, attrs["obs_neuron"]),
    )


def _restore_behavior(session: xr.Dataset, record: Record) -> xr.Dataset:
    """Put back attributes and channels of the behavior series that were read, by their path."""
    new = session
    by_path = {series.path: series for series in record.behavior}
    for name, variable in session.data_vars.items():
        path = str(variable.attrs.get("path", ""))
        series = by_path.get(path.strip("/"))
        if series is None:
            continue
        values = variable.variable.copy()
        values.attrs = {**series.attrs, "path": path}
        new = new.assign({name: values})
        dim = f"{name}_channel"
        if len(series.channels) == variable.sizes.get(dim, 0) > 0:
            new = new.assign_coords({dim: (dim, np.array(series.channels, dtype=np.str_))})
    return new


def _restore_attrs(session: xr.Dataset, record: Record, keep_source_id: bool) -> xr.Dataset:
    stored, read = record.attrs, session.attrs
    attrs: dict[str, Any] = {**read, **{k: v for k, v in stored.items() if k not in _OF_THE_FILE}}
    if not keep_source_id and "source_id" in stored:
        attrs["source_id"] = str(stored["source_id"])
    attrs["popdyn"] = _joined(stored.get("popdyn", "[]"), read.get("popdyn", "[]"))
    attrs["problems"] = _joined(stored.get("problems", "[]"), read.get("problems", "[]"))
    found = core_digest(session)
    attrs["input_digest"] = str(stored.get("input_digest", found))
    if found != record.digest:
        attrs["input_digest"] = found
    return session.assign_attrs(attrs)


def _joined(first: Any, second: Any) -> str:
    """Join two JSON lists; what both say is said once."""
    lists = []
    for text in (first, second):
        try:
            found = json.loads(text)
        except (TypeError, ValueError):
            found = []
        lists.append(found if isinstance(found, list) else [])
    return json.dumps(lists[0] + [entry for entry in lists[1] if entry not in lists[0]])
