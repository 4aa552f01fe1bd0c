"""Events of a file as tables of intervals, so that each event can be a trial.

Written as pynwb's ``EventsTable`` (core since NWB 2.10), as types of the extension ndx-events
(``Events``, ``LabeledEvents``, ``TTLs``, ``AnnotatedEventsTable``; https://github.com/rly/ndx-events),
as series in ``BehavioralEvents``, as ``AnnotationSeries`` or as ``IntervalSeries``: what counts is
what a group holds, so that the extension need not be installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from popdyn.io.behavior.stored import (
    Place,
    n_samples,
    read_times,
    read_values,
    unique_names,
    why_no_behavior,
)
from popdyn.io.rows import row_starts
from popdyn.io.tables import (
    Table,
    clean_text,
    counted,
    index_of,
    listed_columns,
    one_line,
    read_table,
    row_count,
    stored_columns,
)
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.made_node import MadeData, MadeGroup, made_table
from popdyn.io.tree.node import Node, holds_data, is_table, kind_of, words_of

_TIME_COLUMN = "TimestampVectorData"


@dataclass(frozen=True)
class Events:
    """Events of a file: their name, where they lie, and how they are written.

    ``form`` is ``times``, ``labeled``, ``values``, ``intervals``, ``table`` or ``annotated``.
    """

    name: str
    node: Node
    form: str

    @property
    def n_events(self) -> int:
        """How many there are, as far as shapes tell."""
        if self.form == "table":
            return row_count(self.node)
        if self.form == "annotated":
            data = self.node.child("event_times")
            return data.shape[0] if data is not None and data.shape else 0
        return n_samples(self.node) // (2 if self.form == "intervals" else 1)


def find_events(found: Iterable[Place], taken: Iterable[str]) -> dict[str, Events]:
    """Find what can serve as events, by name.

    Parameters
    ----------
    found : iterable of Place
    taken : iterable of str
        Names that other tables have.
    """
    forms = [(place.node, _form_or_none(place)) for place in found]
    events = [(node, form) for node, form in forms if form]
    names = unique_names([node for node, _ in events], taken)
    named = [(names["/" + node.path.strip("/")], node, form) for node, form in events]
    return {name: Events(name, node, form) for name, node, form in named}


def _form_or_none(place: Place) -> str:
    try:
        return form_of(place)
    except DAMAGE:
        return ""


def form_of(place: Place) -> str:
    """How a group writes events; ``""`` if it holds none."""
    node = place.node
    if is_table(node):
        if holds_data(node, "start_time"):
            return ""
        if _time_column(node):
            return "table"
        return "annotated" if index_of(node, "event_times") is not None else ""
    if not holds_data(node, "timestamps") or why_no_behavior(node):
        return ""
    if kind_of(node) == "IntervalSeries":
        return "intervals"
    data = node.child("data") if "data" in node.names else None
    if holds_data(node, "label_keys") or (
        data is not None and data.attribute("labels") is not None
    ):
        return "labeled"
    if data is None:
        return "times" if "data" not in node.names else ""
    is_event = place.parent == "BehavioralEvents" or data.holds == "text"
    return "values" if is_event and len(data.shape) == 1 else ""


def _time_column(table: Node) -> str:
    """Column with the time of each event."""
    names = [name for name in stored_columns(table) if index_of(table, name) is None]
    of_kind = [n for n in names if (c := table.child(n)) is not None and kind_of(c) == _TIME_COLUMN]
    plain = ["timestamp"] if "timestamp" in names else []
    return (plain + of_kind + [""])[0]


def read_events(events: Events) -> Table:
    """Read events as a table with ``start_time``, in order of time.

    Parameters
    ----------
    events : Events

    Returns
    -------
    Table
        Ids say where each event stands in the file.
    """
    try:
        made, notes = _FORMS[events.form](events.node)
    except DAMAGE as error:
        made = made_table(
            events.node.path, [], {}, {"start_time": f"cannot be read: {one_line(error)}"},
            kind="TimeIntervals", description="",
        )  # fmt: skip
        notes = []
    table = read_table(made, events.name)
    return replace(table, notes=(*table.notes, *(f"{events.name}: {note}" for note in notes)))


Made = tuple[MadeGroup, list[str]]


def _sorted_table(node: Node, columns: dict[str, np.ndarray], about: dict[str, str]) -> Made:
    """Make a table of equal columns, in order of ``start_time``."""
    times = columns["start_time"]
    sizes = {name: values.shape[0] for name, values in columns.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{n} {name}" for name, n in sizes.items())
        message = f"its parts differ in length: {listed}"
        raise ValueError(message)
    order = np.argsort(times, kind="stable")
    falls = int((np.diff(times) < 0).sum())
    times_fall = counted(falls, "time")
    notes = [f"times fall {times_fall} in the file; in order of time here"] if falls else []
    n_twice = int((np.diff(times[order]) == 0).sum())
    if n_twice:
        notes.append(f"{n_twice} of {times.size} events have the time of another; each is a row")
    if np.isnan(times).any():
        notes.append(f"{int(np.isnan(times).sum())} of {times.size} events have no time (NaN)")
    children: dict[str, Node] = {
        name: MadeData(f"{node.path}/{name}", v[order], {"description": about.get(name, "")})
        for name, v in columns.items()
    }
    description = words_of(node, "description")
    kind = "TimeIntervals"
    return made_table(node.path, order, children, {}, kind=kind, description=description), notes


def _from_times(node: Node) -> Made:
    return _sorted_table(node, {"start_time": read_times(node)}, {})


def _from_values(node: Node) -> Made:
    values, done = read_values(node)
    if values.dtype.kind == "U":
        columns = {"start_time": read_times(node), "label": values}
    else:
        columns = {"start_time": read_times(node), "value": values}
    return _sorted_table(node, columns, {"value": done})


def _from_labeled(node: Node) -> Made:
    times = read_times(node)
    codes, labels = read_codes(node)
    known = (codes >= 0) & (codes < labels.size)
    words = np.where(known, labels[np.where(known, codes, 0)] if labels.size else "", "")
    table, notes = _sorted_table(node, {"start_time": times, "label": words, "code": codes}, {})
    if not known.all():
        notes.append(f"{int((~known).sum())} of {codes.size} codes have no label")
    return table, notes


def read_codes(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """Codes of labeled events, and the label of each code."""
    data = node.child("data") if "data" in node.names else node.child("label_keys")
    if data is None:
        message = "its codes are not there"
        raise ValueError(message)
    stated = data.attribute("labels")
    if stated is None:
        inside = node.child("labels") if "labels" in node.names else None
        stated = inside.read() if inside is not None else node.attribute("labels")
    labels = [] if stated is None else [stated] if isinstance(stated, str) else list(stated)
    return data.read().astype(np.int64), clean_text(labels)[0].astype(np.str_)


def _from_intervals(node: Node) -> Made:
    times, codes = read_times(node), read_values(node)[0].astype(np.float64)
    if times.shape != codes.shape:
        message = f"it has {codes.size} values for {times.size} times"
        raise ValueError(message)
    starts, stops, kinds, n_odd = [], [], [], 0
    for code in np.unique(np.abs(codes[codes != 0])):
        mine = np.flatnonzero(np.abs(codes) == code)
        mine = mine[np.argsort(times[mine], kind="stable")]
        opened = codes[mine] > 0
        at = np.flatnonzero(opened)
        following = np.append(opened, True)[at + 1]
        stop = times[mine[np.minimum(at + 1, mine.size - 1)]]
        starts.append(times[mine[at]])
        stops.append(np.where(following, np.nan, stop))
        kinds.append(np.full(at.size, code))
        n_odd += int(following.sum()) + int((~opened).sum() - (~following).sum())
    empty = [np.zeros(0)]
    columns = {
        "start_time": np.concatenate(starts or empty),
        "stop_time": np.concatenate(stops or empty),
        "code": np.concatenate(kinds or empty).astype(np.int64),
    }
    made, notes = _sorted_table(node, columns, {})
    if n_odd:
        notes.append(f"{n_odd} starts or stops of intervals have no partner; stop_time is NaN")
    return made, notes


def _from_table(node: Node) -> Made:
    """Keep the columns of a table of events; its time becomes ``start_time``."""
    time = _time_column(node)
    children = {name: c for name in node.names if (c := node.child(name)) is not None}
    absent = {name: node.why_absent(name) for name in node.names if name not in children}
    times = children.pop(time)
    description = {"description": words_of(times, "description"), "unit": words_of(times, "unit")}
    start = times.read().astype(np.float64)
    made: dict[str, Node] = {"start_time": MadeData(f"{node.path}/{time}", start, description)}
    length = children.get("duration")
    if length is not None and length.holds == "numbers" and length.shape == start.shape:
        stop = start + length.read().astype(np.float64)
        made["stop_time"] = MadeData(f"{node.path}/stop_time", stop, {"unit": "s"})
    rest = [name for name in listed_columns(node) if name != time]
    about = {
        "neurodata_type": "TimeIntervals", "description": words_of(node, "description"),
        "colnames": [*made, *rest],
    }  # fmt: skip
    return MadeGroup(node.path, {**made, **children}, about, absent), []


def _from_annotated(node: Node) -> Made:
    """One row for each type of event, with its times, becomes one row for each event."""
    index, data = index_of(node, "event_times"), node.child("event_times")
    if index is None or data is None:
        message = "its event_times are not there"
        raise ValueError(message)
    types = read_table(node, "types", skip=frozenset(("event_times",)))
    times = data.read().astype(np.float64)
    starts, left = row_starts(index, types.n_rows, times.size)
    own = np.repeat(np.arange(types.n_rows), np.diff(starts))
    columns = {"start_time": times[: own.size]}
    for name, column in types.kept.items():
        if column.values is not None:
            columns[name] = column.values[own]
    made, notes = _sorted_table(node, columns, {n: c.description for n, c in types.kept.items()})
    return made, [*notes, *([left] if left else [])]


_FORMS: dict[str, Callable[[Node], Made]] = {
    "times": _from_times, "labeled": _from_labeled, "values": _from_values,
    "intervals": _from_intervals, "table": _from_table, "annotated": _from_annotated,
}  # fmt: skip
