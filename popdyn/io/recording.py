"""Everything read from one NWB file, before anybody asks for trials."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass, field

from popdyn.errors import SourceError
from popdyn.io.behavior.event_tables import read_events
from popdyn.io.behavior.reading import series_of
from popdyn.io.behavior.record import SeriesSummary
from popdyn.io.behavior.summary import summarize_series
from popdyn.io.contents import Found, find_tables
from popdyn.io.neurons import Neurons, has_spikes, read_neurons
from popdyn.io.tables import MISSING_TEXT, Table, one_line, read_table, row_count
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.node import Node, kind_of
from popdyn.io.tree.source import Source, open_nwb
from popdyn.io.writing.stored_text import stored_text

# Kinds of top-level content named in a summary and in "there are no neurons".
_GROUPS = ("acquisition", "processing", "stimulus", "analysis", "scratch")
# NWB's names for tables that rarely are trials.
NOT_TRIALS = frozenset(("epochs", "invalid_times"))


@dataclass(frozen=True, eq=False)
class Recording:
    """What an NWB file holds: header, neurons, and interval tables by name.

    ``rows`` has the number of rows of every interval table, ``tables`` those that were read.
    ``events`` has the number of events of what can serve as trials besides, ``series`` what
    could be behavior, where all tables were read.
    ``neuron_tables`` are those there are, or the one that was asked for.
    ``lost`` says where a table belongs and none can be had.
    ``neurons`` is None where there are none, or where they cannot be read: ``neuron_damage``
    says why.  ``stored_by_popdyn`` is what `popdyn.write_nwb` put beside the tables.
    """

    source: Source
    identifier: str
    header: tuple[tuple[str, str], ...]
    started: str
    neurons: Neurons | None
    neuron_damage: str
    neuron_tables: tuple[str, ...]
    rows: dict[str, int]
    tables: dict[str, Table]
    contents: tuple[str, ...]
    events: dict[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    stored_by_popdyn: str = ""
    series: tuple[SeriesSummary, ...] = ()

    @property
    def has_units(self) -> bool:
        """Whether there is a table of neurons, with spike times or without."""
        return bool(self.neuron_tables)


def read_recording(
    path: str | os.PathLike[str],
    only: tuple[str, ...] | None = None,
    neuron_table: str | None = None,
    cache_folder: str | os.PathLike[str] | None = None,
) -> Recording:
    """Read a file once.

    Parameters
    ----------
    path : str or path-like
    only : tuple of str, optional
        Interval tables to read; all of them by default.
    neuron_table : str, optional
        Where the table of neurons lies, if the file has several.
    cache_folder : path-like, optional
        See `popdyn.io.tree.source.open_nwb`.

    Raises
    ------
    SourceError
        See `popdyn.io.tree.source.open_nwb`; also if there is no such table of neurons.
    """
    with open_nwb(path, cache_folder) as (root, source):
        found = find_tables(root)
        units = _chosen(found.neurons, neuron_table, source)
        neurons, damage = _read_neurons(units)
        header = dict(_header(root))
        return Recording(
            source=source,
            identifier=header.get("identifier", ""),
            header=tuple(header.items()),
            started=_moment(_words(root, "session_start_time")),
            neurons=neurons,
            neuron_damage=damage,
            neuron_tables=tuple(
                node.path for node in found.neurons if neuron_table is None or node is units
            ),
            rows={name: row_count(table) for name, table in found.intervals.items()},
            tables=_read_tables(found, only),
            contents=tuple(_contents(root)),
            stored_by_popdyn=stored_text(root),
            events={name: events.n_events for name, events in found.events.items()},
            lost=found.lost,
            series=_summarize_all(root, found, neurons) if only is None else (),
        )


def _summarize_all(root: Node, found: Found, neurons: Neurons | None) -> tuple[SeriesSummary, ...]:
    span = neurons.span if neurons is not None and neurons.spike_time.size else None
    return tuple(summarize_series(series, span) for series in series_of(root, found).values())


def _read_tables(found: Found, only: tuple[str, ...] | None) -> dict[str, Table]:
    """Read the tables asked for: of intervals, and of events with columns of their own."""
    tables = {
        name: read_table(table, name)
        for name, table in found.intervals.items()
        if only is None or name in only
    }
    for name, events in found.events.items():
        if (only is None and events.form in ("table", "annotated")) or name in (only or ()):
            tables[name] = read_events(events)
    return tables


def _chosen(tables: tuple[Node, ...], wanted: str | None, source: Source) -> Node | None:
    if wanted is None:
        return tables[0] if tables else None
    for node in tables:
        if node.path.strip("/") == wanted.strip("/"):
            return node
    there = ", ".join(node.path.strip("/") for node in tables) or "none"
    message = f"{source.name} has no table of neurons {wanted!r}; tables of neurons: {there}."
    raise SourceError(message)


def _read_neurons(units: Node | None) -> tuple[Neurons | None, str]:
    if units is None or not has_spikes(units):
        return None, ""
    try:
        return read_neurons(units), ""
    except DAMAGE as error:
        return None, one_line(error, 300)


def _words(root: Node, path: str) -> str:
    """One line of text of a data set in the header: text, or several of them."""
    node = root
    for part in path.split("/"):
        child = node.child(part) if part in node.names else None
        if child is None:
            return ""
        node = child
    try:
        values = [] if node.is_group else [str(value) for value in node.read().ravel()]
    except DAMAGE:
        return ""
    lines = [" ".join(value.split()) for value in values[:100]]
    return "; ".join(line for line in lines if line.lower() not in MISSING_TEXT)


def _header(root: Node) -> list[tuple[str, str]]:
    def joined(*paths: str) -> str:
        return ", ".join(words for words in (_words(root, path) for path in paths) if words)

    subject = [f"general/subject/{name}" for name in ("subject_id", "species", "sex", "age")]
    lines = [
        ("identifier", joined("identifier")),
        ("session", joined("session_description")),
        ("experiment", joined("general/experiment_description")),
        ("subject", joined(*subject)),
        ("lab", joined("general/lab", "general/institution")),
        ("experimenter", joined("general/experimenter")),
        ("publications", joined("general/related_publications")),
    ]
    return [(label, words) for label, words in lines if words]


def _moment(words: str) -> str:
    """Date and time as ISO text with a blank; as it stands where it is no such thing."""
    try:
        return str(datetime.datetime.fromisoformat(words))
    except ValueError:
        return words


def _contents(root: Node) -> list[str]:
    """Lines such as ``acquisition: lick_times (BehavioralEvents)``."""
    lines = []
    for group in _GROUPS:
        held = root.child(group) if group in root.names else None
        names = [_with_kind(held, name) for name in held.names] if held is not None else []
        if group == "stimulus":
            parts = [held.child(n) for n in held.names] if held is not None else []
            names = [_with_kind(p, name) for p in parts if p is not None for name in p.names]
        if names:
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            lines.append(f"{group}: {', '.join(names[:6])}{more}")
    return lines


def _with_kind(group: Node, name: str) -> str:
    child = group.child(name)
    if child is None:
        return f"{name} ({group.why_absent(name) or 'unreadable'})"
    kind = kind_of(child) or ("group" if child.is_group else "data")
    return f"{name} ({kind})"
