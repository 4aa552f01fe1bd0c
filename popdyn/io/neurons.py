"""Read the neurons of an NWB file: spike times in one bulk read, columns, where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from popdyn.io.tables import Column, Table, clean_text, is_a, read_table

_BULK = frozenset(("spike_times", "obs_intervals"))
# A key-value text such as "brain_region: ALM; hemisphere: left" becomes one column per key.
_MAX_KEYS = 20


@dataclass(frozen=True, eq=False)
class Neurons:
    """What the ``units`` table holds.

    ``spike_time`` (s) is flat, ``neuron_start`` its offsets; ``obs`` is (start, stop, position)
    of the observation intervals the file states, or None.
    """

    table: Table
    spike_time: np.ndarray
    neuron_start: np.ndarray
    obs: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    n_not_finite: int

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return self.table.n_rows

    @property
    def n_spikes(self) -> np.ndarray:
        """Spikes of each neuron."""
        return np.diff(self.neuron_start)

    @property
    def n_unsorted(self) -> int:
        """Spikes stored earlier than the one before them in the same neuron."""
        falls = np.flatnonzero(np.diff(self.spike_time) < 0)
        return int((~np.isin(falls + 1, self.neuron_start)).sum())

    @property
    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last spike of each neuron (s), NaN where there is none."""
        first, last = (np.full(self.n_neurons, np.nan) for _ in range(2))
        filled = np.flatnonzero(self.n_spikes)
        if filled.size:
            starts = self.neuron_start[:-1][filled]
            first[filled] = np.minimum.reduceat(self.spike_time, starts)
            last[filled] = np.maximum.reduceat(self.spike_time, starts)
        return first, last

    @property
    def rates(self) -> np.ndarray:
        """Spikes per second between a neuron's first and last spike (Hz)."""
        first, last = self.extent
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = self.n_spikes / (last - first)
        return np.where(np.isfinite(rate), rate, np.nan)


def find_units(content: Any) -> tuple[Any, str]:
    """Return the table of neurons, also from outside its usual place, and a note where it lay."""
    if content.units is not None:
        return content.units, ""
    for found in content.objects.values():
        if is_a(found, "Units"):
            parent = getattr(found.parent, "name", "?")
            return found, f"neurons: read from the table {found.name!r} in {parent!r}, not `units`"
    return None, ""


def read_neurons(content: Any) -> Neurons | None:
    """Read the neurons of an open file; None where it has no spike times.

    Parameters
    ----------
    content : pynwb.NWBFile
    """
    units, note = find_units(content)
    if units is None:
        return None
    columns = {column.name: column for column in units.columns}
    if "spike_times" not in columns:
        return None
    table = read_table(units, "neurons", skip=_BULK)
    spike_time, neuron_start, n_not_finite = _read_spikes(columns, table.n_rows)
    extra, where_notes = _locations(columns, table)
    table = Table(
        table.name, table.ids, (*table.columns, *extra), table.description,
        (*((note,) if note else ()), *table.notes, *where_notes),
    )  # fmt: skip
    return Neurons(table, spike_time, neuron_start, _read_obs(columns, table.n_rows), n_not_finite)


def _read_spikes(columns: dict[str, Any], n_neurons: int) -> tuple[np.ndarray, np.ndarray, int]:
    data = columns["spike_times"].data
    spikes = np.asarray(data[:], dtype=np.float64).ravel()
    starts = _offsets(columns, "spike_times", n_neurons, spikes.size)
    bad = ~np.isfinite(spikes)
    n_bad = int(bad.sum())
    if n_bad:
        starts = starts - np.concatenate([[0], np.cumsum(bad)])[starts]
        spikes = spikes[~bad]
    return spikes, starts, n_bad


def _offsets(columns: dict[str, Any], name: str, n_rows: int, n_values: int) -> np.ndarray:
    """Where each row's values start; without an index one row holds all, or each row one."""
    index = columns.get(f"{name}_index")
    if index is None:
        whole = n_values if n_rows == 1 else min(n_rows, n_values)
        return np.array([0, whole]) if n_rows == 1 else np.minimum(np.arange(n_rows + 1), whole)
    ends = np.asarray(index.data[:]).astype(np.int64)
    if ends.size != n_rows or (np.diff(ends) < 0).any() or (n_rows and ends[-1] > n_values):
        message = (
            f"units/{name}_index does not fit: {ends.size} entries for {n_rows} neurons, the last "
            f"at {ends[-1] if ends.size else 0} of {n_values} values"
        )
        raise ValueError(message)
    return np.concatenate([[0], ends])


def _read_obs(
    columns: dict[str, Any], n_neurons: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    if "obs_intervals" not in columns:
        return None
    intervals = np.asarray(columns["obs_intervals"].data[:], dtype=np.float64)
    if not intervals.size:
        return None
    intervals = intervals.reshape(-1, 2)
    starts = _offsets(columns, "obs_intervals", n_neurons, len(intervals))
    owner = np.repeat(np.arange(n_neurons), np.diff(starts))
    start, stop = intervals[: owner.size].T
    usable = (stop >= start) & np.isfinite(start) & np.isfinite(stop)
    return start[usable], stop[usable], owner[usable]


def _locations(columns: dict[str, Any], table: Table) -> tuple[list[Column], tuple[str, ...]]:
    """Columns ``location`` and ``group_name`` from the electrodes or groups of each neuron."""
    found: dict[str, np.ndarray] = {}
    note = ""
    if "electrodes" in columns and getattr(columns["electrodes"], "table", None) is not None:
        found, note = _from_electrodes(columns, table.n_rows)
    elif "electrode_group" in columns:
        groups = list(columns["electrode_group"].data[:])
        if len(groups) == table.n_rows:
            found["group_name"] = clean_text([getattr(g, "name", "") for g in groups])[0]
            found["location"] = clean_text([getattr(g, "location", "") for g in groups])[0]
    names = set(table.kept)
    found = {name: words for name, words in found.items() if name not in names}
    for name, words in _split_keys(found.get("location")).items():
        found.setdefault(name, words) if name not in names else None
    described = "from the electrodes of the neuron"
    extra = [Column(name, "text", words, described) for name, words in found.items()]
    return extra, ((note,) if note else ())


def _from_electrodes(columns: dict[str, Any], n_neurons: int) -> tuple[dict[str, np.ndarray], str]:
    region = columns["electrodes"]
    rows = np.asarray(region.data[:]).astype(np.int64).ravel()
    starts = _offsets(columns, "electrodes", n_neurons, rows.size)
    electrodes = {column.name: column for column in region.table.columns}
    n_electrodes = len(region.table.id)
    note = ""
    if "electrodes_index" not in columns and rows.size != n_neurons:
        return {}, f"neurons.electrodes has {rows.size} entries and no index: locations left out"
    outside = (rows < 0) | (rows >= n_electrodes)
    if outside.any():
        note = f"neurons.electrodes: {int(outside.sum())} entries point past the electrodes table"
    found = {}
    for name in ("location", "group_name"):
        if name in electrodes:
            words = clean_text(electrodes[name].data[:])[0]
            if words.size == n_electrodes:
                found[name] = _join_rows(words, rows, starts, outside)
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
