"""Find what a file holds: tables of intervals and neurons, wherever a writer put them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from popdyn.io.behavior.event_tables import Events, find_events
from popdyn.io.behavior.stored import places
from popdyn.io.tree.node import Node, holds_data, is_table, kind_of, walk

_USUAL_NEURONS = "/units"
# NWB's own tables come first, in this order.
_FIRST = ("/intervals/trials", "/intervals/epochs", "/intervals/invalid_times")


@dataclass(frozen=True)
class Found:
    """Tables of a file: intervals and events by name, and neurons, the usual table first.

    ``lost`` are lines on what is no table though one belongs there.
    """

    intervals: dict[str, Node] = field(default_factory=dict)
    neurons: tuple[Node, ...] = ()
    events: dict[str, Events] = field(default_factory=dict)
    lost: tuple[str, ...] = ()


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
    return Found(named, tuple(neurons), find_events(others, named), tuple(_lost(root)))


def _lost(root: Node) -> Iterator[str]:
    """Say where a table belongs and none can be had: a link that leads nowhere, or plain data."""
    intervals = root.child("intervals") if "intervals" in root.names else None
    for group, names in ((root, ("units", "intervals")), (intervals, None)):
        for name in group.names if group is not None and names is None else names or ():
            if group is None or name not in group.names:
                continue
            path = f"{group.path.rstrip('/')}/{name}"
            child = group.child(name)
            if child is None:
                yield f"{path} {group.why_absent(name) or 'cannot be read'}"
            elif not child.is_group:
                yield f"{path} is a data set, not a table"


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
