"""Read the neurons of an NWB file: spike times in one bulk read, columns, where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from popdyn.io.rows import row_starts
from popdyn.io.tables import (
    Column,
    Table,
    clean_text,
    index_of,
    listed_columns,
    one_line,
    read_table,
)
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.node import Node, holds_data, words_of
from popdyn.tensor.session import early_spikes, pieces

_BULK = frozenset(("spike_times", "obs_intervals"))
# A key-value text such as "brain_region: ALM; hemisphere: left" becomes one column per key.
_MAX_KEYS = 20


@dataclass(frozen=True, eq=False)
class Neurons:
    """What the ``units`` table holds.

    ``spike_time`` is flat, ``neuron_start`` its offsets; ``obs`` is (start, stop, position)
    of the observation intervals the file states, or None.  ``stored`` is the type of the spike
    times in the file, ``resolution`` (s) what one step of them is said to be, or NaN.
    """

    table: Table
    spike_time: np.ndarray
    neuron_start: np.ndarray
    obs: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    n_not_finite: int
    stored: str = "float64"
    resolution: float = float("nan")

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return self.table.n_rows

    @property
    def n_spikes(self) -> np.ndarray:
        """Spikes of each neuron."""
        return np.diff(self.neuron_start)

    @cached_property
    def n_unsorted(self) -> int:
        """Spikes stored earlier than the one before them in the same neuron."""
        return int(early_spikes(self.spike_time, self.neuron_start).size)

    @cached_property
    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last spike of each neuron (s), NaN where there is none."""
        first, last = (np.full(self.n_neurons, np.nan) for _ in range(2))
        filled = np.flatnonzero(self.n_spikes)
        starts, ends = self.neuron_start[:-1][filled], self.neuron_start[1:][filled]
        if self.n_unsorted:
            first[filled] = np.minimum.reduceat(self.spike_time, starts)
            last[filled] = np.maximum.reduceat(self.spike_time, starts)
        else:
            first[filled], last[filled] = self.spike_time[starts], self.spike_time[ends - 1]
        return first, last

    @cached_property
    def span(self) -> tuple[float, float]:
        """First and last spike of all (s), NaN where there is none."""
        first, last = self.extent
        low, high = np.fmin.reduce(first, initial=np.nan), np.fmax.reduce(last, initial=np.nan)
        return float(low), float(high)

    @cached_property
    def rates(self) -> np.ndarray:
        """Spikes per second between a neuron's first and last spike (Hz)."""
        first, last = self.extent
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = self.n_spikes / (last - first)
        return np.where(np.isfinite(rate), rate, np.nan)


def has_spikes(units: Node) -> bool:
    """Whether a table of neurons holds spike times, or should (a link that leads nowhere)."""
    return "spike_times" in units.names


def read_neurons(units: Node) -> Neurons:
    """Read the neurons of a file.

    Parameters
    ----------
    units : Node
        The table, with spike times.

    Raises
    ------
    ValueError
        If the spike times, or the index that shares them out, cannot be trusted.
    """
    table = read_table(units, "neurons", skip=_BULK)
    usual = units.path in ("/units", "units")
    note = () if usual else (f"neurons: read from the table {units.path}, not /units",)
    data = _spike_data(units)
    spike_time, neuron_start, n_not_finite, left = _read_spikes(units, data, table.n_rows)
    extra, where_notes = _locations(units, table)
    obs, obs_note = _read_obs(units, table.n_rows)
    # Which electrodes a neuron has is told by where they are.
    told = bool(extra) or "location" in table.kept
    pointers = ("electrodes", "points at")
    columns = [c for c in table.columns if not (told and (c.name, c.left_out[:9]) == pointers)]
    table = Table(
        table.name, table.ids, (*columns, *extra), table.description,
        (*note, *table.notes, *left, *where_notes, *obs_note),
    )  # fmt: skip
    stated = data.attribute("resolution")
    resolution = float(stated) if isinstance(stated, (int, float)) else float("nan")
    stored = data.dtype.newbyteorder("=").name if data.dtype is not None else ""
    return Neurons(table, spike_time, neuron_start, obs, n_not_finite, stored, resolution)


def _spike_data(units: Node) -> Node:
    data = units.child("spike_times")
    kind = data.dtype if data is not None and data.holds == "numbers" else None
    if data is None or kind is None or kind.kind == "b":
        is_group = data is not None and data.is_group
        what = "are a group, not data" if is_group else "hold no numbers"
        why = units.why_absent("spike_times") or what
        message = f"{units.path}/spike_times {why}"
        raise ValueError(message)
    return data


def _read_spikes(
    units: Node, data: Node, n_neurons: int
) -> tuple[np.ndarray, np.ndarray, int, tuple[str, ...]]:
    _check_shape(data, 1)
    try:
        spikes = data.read()
    except DAMAGE as error:
        message = f"{data.path} cannot be read: {one_line(error)}"
        raise ValueError(message) from error
    spikes = np.ascontiguousarray(spikes.ravel(), dtype=np.float64)
    starts, note = _offsets(units, "spike_times", n_neurons, spikes.size)
    n_bad = sum(int((~np.isfinite(part)).sum()) for part in pieces(spikes))
    if n_bad:
        bad = ~np.isfinite(spikes)
        starts = starts - np.concatenate([[0], np.cumsum(bad)])[starts]
        spikes = spikes[~bad]
    left = (f"neurons.spike_times: {note}; left out",) if note else ()
    return spikes[: starts[-1]], starts, n_bad, left


def _offsets(units: Node, name: str, n_rows: int, n_values: int) -> tuple[np.ndarray, str]:
    """Where each row's values start, and a note; without an index one row has all, or each one."""
    index = index_of(units, name)
    if index is not None:
        return row_starts(index, n_rows, n_values)
    is_there = f"{name}_index" in units.names
    if is_there or (n_rows > 1 and n_values != n_rows):
        why = units.why_absent(f"{name}_index")
        why = why or ("is no index" if is_there else "is not there")
        message = (
            f"{units.path}/{name}_index {why}: nothing says which of the {n_values} values "
            f"belong to which of the {n_rows} neurons"
        )
        raise ValueError(message)
    return (np.array([0, n_values]) if n_rows == 1 else np.arange(n_rows + 1)), ""


def _check_shape(data: Node, width: int) -> None:
    """Refuse values that an index of rows would share out wrongly."""
    n_values = int(np.prod(data.shape))
    if width == 1 and n_values == max(data.shape, default=1):
        return
    if n_values not in (width, width * (data.shape[0] if data.shape else 0)):
        size = " x ".join(str(n) for n in data.shape)
        message = f"{data.path} is an array of {size}, not {width} per row"
        raise ValueError(message)


def _read_obs(
    units: Node, n_neurons: int
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray] | None, tuple[str, ...]]:
    """Observation intervals, and what is wrong with them."""
    data = units.child("obs_intervals") if "obs_intervals" in units.names else None
    if data is None or data.is_group:
        if "obs_intervals" not in (*units.names, *listed_columns(units)):
            return None, ()
        why = units.why_absent("obs_intervals") or "is listed in colnames, but holds no data"
        return None, (f"neurons.obs_intervals {why}: as if it were not there",)
    try:
        intervals = data.read().astype(np.float64)
        if not intervals.size:
            return None, ("neurons.obs_intervals is empty: as if it were not there",)
        _check_shape(data, 2)
        intervals = intervals.reshape(-1, 2)
        starts, note = _offsets(units, "obs_intervals", n_neurons, len(intervals))
    except DAMAGE as error:
        return None, (f"neurons.obs_intervals cannot be used: {one_line(error)}",)
    owner = np.repeat(np.arange(n_neurons), np.diff(starts))
    start, stop = intervals[: owner.size].T
    usable = (stop >= start) & ~np.isnan(start) & ~np.isnan(stop)
    n_bad = int((~usable).sum())
    bad = f"{n_bad} of {usable.size} end before they start or are NaN" if n_bad else ""
    # A neuron none of whose intervals is sound was observed at no time that is known.
    lost = np.setdiff1d(owner[~usable], owner[usable])
    never = np.zeros(lost.size)
    found = (
        np.concatenate([start[usable], never]),
        np.concatenate([stop[usable], never]),
        np.concatenate([owner[usable], lost]),
    )
    return found, tuple(f"neurons.obs_intervals: {line}; left out" for line in (note, bad) if line)


def _locations(units: Node, table: Table) -> tuple[list[Column], tuple[str, ...]]:
    """Columns ``location`` and ``group_name`` from the electrodes or groups of each neuron."""
    found: dict[str, np.ndarray] = {}
    note = ""
    region = units.child("electrodes") if "electrodes" in units.names else None
    electrodes = region.referred("table") if region is not None else None
    if region is not None and electrodes is not None:
        found, note = _from_electrodes(units, region, electrodes, table.n_rows)
    elif holds_data(units, "electrode_group"):
        found = _from_groups(units, table.n_rows)
    names = set(table.kept)
    found = {name: words for name, words in found.items() if name not in names}
    for name, words in _split_keys(found.get("location")).items():
        found.setdefault(name, words) if name not in names else None
    described = "from the electrodes of the neuron"
    extra = [Column(name, "text", words, described) for name, words in found.items()]
    return extra, ((note,) if note else ())


def _from_groups(units: Node, n_neurons: int) -> dict[str, np.ndarray]:
    data = units.child("electrode_group")
    if data is None or data.holds != "references":
        return {}
    try:
        paths = data.read().ravel().tolist()
    except DAMAGE:
        return {}
    if len(paths) != n_neurons:
        return {}
    groups = {path: units.absolute(path) for path in set(paths)}
    places = {path: words_of(group, "location") for path, group in groups.items()}
    return {
        "group_name": clean_text([path.rsplit("/", 1)[-1] for path in paths])[0],
        "location": clean_text([places[path] for path in paths])[0],
    }


def _from_electrodes(
    units: Node, region: Node, electrodes: Node, n_neurons: int
) -> tuple[dict[str, np.ndarray], str]:
    try:
        rows = region.read().astype(np.int64).ravel()
        if index_of(units, "electrodes") is None and rows.size != n_neurons:
            note = f"neurons.electrodes has {rows.size} entries and no index: locations left out"
            return {}, note
        starts, left = _offsets(units, "electrodes", n_neurons, rows.size)
        table = read_table(electrodes, electrodes.name)
    except DAMAGE as error:
        return {}, f"neurons.electrodes cannot be used: {one_line(error)}"
    note = f"neurons.electrodes: {left}" if left else ""
    outside = (rows < 0) | (rows >= table.n_rows)
    if outside.any():
        past = f"{int(outside.sum())} of {rows.size} entries point past the {table.n_rows} rows"
        note = f"neurons.electrodes: {past} of {electrodes.name}; no location from them"
    found = {}
    for column in table.columns:
        if column.name in ("location", "group_name"):
            if column.values is not None and column.values.dtype.kind == "U":
                found[column.name] = _join_rows(column.values, rows, starts, outside)
            else:
                why = column.left_out or "is no text"
                note = f"neurons.electrodes: {column.name} of the electrodes {why}"
    return found, note


def _join_rows(
    words: np.ndarray, rows: np.ndarray, starts: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """Return each neuron's distinct words, joined in order of its electrodes."""
    at = np.where(outside, 0, rows)
    own = np.where(outside, "", words[at] if words.size else "")
    joined = [
        ", ".join(dict.fromkeys(word for word in own[low:high] if word))
        for low, high in zip(starts[:-1], starts[1:], strict=True)
    ]
    return np.array(joined, dtype=np.str_)


def _split_keys(words: np.ndarray | None) -> dict[str, np.ndarray]:
    """Columns of a text written as ``key: value; key: value`` in every row."""
    if words is None or not words.size:
        return {}
    rows = []
    for word in words.tolist():
        pairs = [part.split(":", 1) for part in word.split(";")]
        if len(pairs) < 2 or any(len(pair) != 2 or not pair[0].strip() for pair in pairs):
            return {}
        rows.append({key.strip(): value.strip() for key, value in pairs})
    keys = list(dict.fromkeys(key for row in rows for key in row))[:_MAX_KEYS]
    return {key: np.array([row.get(key, "") for row in rows], dtype=np.str_) for key in keys}
