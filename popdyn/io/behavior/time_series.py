"""Find what could be behavior in a file: position, pupil, licks, wherever a writer put them.

Whatever has samples and times is a series, whatever has times alone or labels is events; the
names of types decide only where what a group holds leaves it open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from popdyn.io.behavior.event_tables import Events
from popdyn.io.behavior.stored import Place, has_times, unique_names, why_no_behavior
from popdyn.io.tables import Column, index_of, stored_columns
from popdyn.io.times import is_named_time
from popdyn.io.tree.node import Node, holds_data, is_table, kind_of

_SERIES_PARENTS = frozenset(
    ("BehavioralTimeSeries", "Position", "CompassDirection", "EyeTracking", "PupilTracking")
)
# Sampling is regular when that share of the steps is within half a step of the median.
_REGULAR_SHARE, _REGULAR_STEP = 0.8, 0.5
# Whole numbers of so few kinds, at no regular times, are codes of events.
MOST_CODES = 32


@dataclass(frozen=True)
class StoredSeries:
    """A series or events of a file, not yet read.

    Attributes
    ----------
    name : str
        Short and unique in the file.
    path : str
        Where it lies.
    node : Node
        The series, or the table of a ragged column of times.
    parent : str
        NWB's type of what it lies in.
    events : Events, optional
        How it is written, if it is events for what it holds.
    column : str
        The ragged column of times, if it is one.
    why_not : str
        Why it is not offered as behavior; ``""`` if it is.
    written_kind : str
        The kind that `popdyn.write_nwb` wrote it as; ``""`` if somebody else wrote it.
    """

    name: str
    path: str
    node: Node
    parent: str
    events: Events | None = None
    column: str = ""
    why_not: str = ""
    written_kind: str = ""

    @property
    def type(self) -> str:
        """NWB's name of its type."""
        return f"column of {self.node.name}" if self.column else kind_of(self.node)


def find_series(
    found: Iterable[Place], events: Iterable[Events], intervals: dict[str, Node]
) -> dict[str, StoredSeries]:
    """Find every series and all events of a file, by name.

    Parameters
    ----------
    found : iterable of Place
    events : iterable of Events
        From `popdyn.io.behavior.event_tables.find_events`; they keep their names.
    intervals : dict
        Interval tables, by name: their ragged columns of times are events.
    """
    as_events = {one.node.path: one for one in events}
    parents = {place.node.path: place.parent for place in found}
    sampled = [
        place.node for place in found if place.node.path not in as_events and _is_series(place.node)
    ]
    series = [
        StoredSeries(one.name, path, one.node, parents.get(path, ""), one)
        for path, one in as_events.items()
    ]
    taken = {one.name for one in series}
    names = unique_names(sampled, taken)
    for node in sampled:
        name = names["/" + node.path.strip("/")]
        series.append(
            StoredSeries(name, node.path, node, parents[node.path], why_not=why_no_behavior(node))
        )
    taken |= set(names.values())
    for table in intervals.values():
        for column in _columns_of_times(table):
            name = column if column not in taken else f"{table.name}/{column}"
            taken.add(name)
            path = f"{table.path}/{column}"
            series.append(StoredSeries(name, path, table, table.name, column=column))
    return {one.name: one for one in series}


def _is_series(node: Node) -> bool:
    if is_table(node):
        return False
    return has_times(node) or (holds_data(node, "data") and "timestamps" in node.names)


def _columns_of_times(table: Node) -> Iterator[str]:
    """Columns with several times per row, such as the licks of each trial."""
    for name in stored_columns(table):
        data = table.child(name)
        if index_of(table, name) is None or index_of(table, f"{name}_index") is not None:
            continue
        if data is None or data.holds != "numbers" or len(data.shape) != 1:
            continue
        described = data.attribute("description")
        words = described if isinstance(described, str) else ""
        if is_named_time(Column(name, "", None, words)):
            yield name


def is_regular(times: np.ndarray) -> bool:
    """Whether samples were taken at about equal steps, gaps and jitter aside."""
    if times.size < 3:
        return False
    steps = np.diff(times)
    median = float(np.median(steps))
    return bool((np.abs(steps - median) <= _REGULAR_STEP * median).mean() >= _REGULAR_SHARE)


def is_series(series: StoredSeries, times: np.ndarray, values: np.ndarray) -> bool:
    """Whether samples are averaged in a bin; otherwise they are events, which are counted."""
    if series.events is not None or series.column or values.dtype.kind == "U":
        return False
    if series.parent == "BehavioralEvents" and holds_data(series.node, "timestamps"):
        return False
    if series.parent in _SERIES_PARENTS or kind_of(series.node) == "SpatialSeries":
        return True
    if values.ndim != 1 or not holds_data(series.node, "timestamps") or is_regular(times):
        return True
    finite = values[np.isfinite(values)]
    if finite.size and (finite == finite[0]).all():
        return False
    if values.shape == times.shape and np.array_equal(values, times):
        return False
    return codes_of(values) is None


def codes_of(values: np.ndarray) -> np.ndarray | None:
    """Return the codes that whole numbers of a few kinds stand for; None for other numbers."""
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        return None
    codes = np.unique(values)
    if codes.size > MOST_CODES or (codes != np.round(codes)).any() or codes.size == values.size:
        return None
    return codes
