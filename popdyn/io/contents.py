"""Find what a file holds: tables of intervals and neurons, wherever a writer put them."""

from __future__ import annotations

from dataclasses import dataclass, field

from popdyn.io.event_tables import Events, find_events
from popdyn.io.node import Node, holds_data, is_table, kind_of, walk
from popdyn.io.stored_series import places

_USUAL_NEURONS = "/units"
# NWB's own tables come first, in this order.
_FIRST = ("/intervals/trials", "/intervals/epochs", "/intervals/invalid_times")


@dataclass(frozen=True)
class Found:
    """Tables of a file: intervals and events by name, and neurons, the usual table first."""

    intervals: dict[str, Node] = field(default_factory=dict)
    neurons: tuple[Node, ...] = ()
    events: dict[str, Events] = field(default_factory=dict)


def find_tables(root: Node) -> Found:
    """Search a whole file for tables.

    A table counts by what it holds: ``spike_times`` make neurons, ``start_time`` makes
    intervals, whatever an extension calls its type.  A table whose name is taken is called
    ``parent:name``.  Events, one row each, come after them and never take their names.

    Parameters
    ----------
    root : Node
    """
    groups = list(walk(root))
    tables = [node for node in groups if is_neurons(node) or is_intervals(node)]
    neurons = [node for node in tables if is_neurons(node)]
    neurons.sort(key=lambda node: (node.path != _USUAL_NEURONS, "spike_times" not in node.names))
    spans = [node for node in tables if not is_neurons(node)]
    spans.sort(key=lambda node: _FIRST.index(node.path) if node.path in _FIRST else len(_FIRST))
    named: dict[str, Node] = {}
    for node in spans:
        name = node.name
        if name in named:
            name = f"{node.path.rsplit('/', 2)[-2]}:{name}"
        if name in named:
            name = node.path
        named[name] = node
    others = [place for place in places(groups) if not is_neurons(place.node)]
    return Found(named, tuple(neurons), find_events(others, named))


def is_neurons(node: Node) -> bool:
    """Whether a group is a table of neurons."""
    if kind_of(node) == "Units" or node.path == _USUAL_NEURONS:
        return True
    return is_table(node) and "spike_times" in node.names


def is_intervals(node: Node) -> bool:
    """Whether a group is a table of intervals."""
    if is_neurons(node):
        return False
    return kind_of(node) == "TimeIntervals" or (is_table(node) and holds_data(node, "start_time"))
