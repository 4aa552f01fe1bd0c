"""What was asked of a file, checked against what it has."""

from __future__ import annotations

import difflib

from popdyn.errors import SourceError
from popdyn.io.neurons import Neurons
from popdyn.io.recording import Recording
from popdyn.io.tables import Table

_MOST_TABLES = 10


def wanted_neurons(recording: Recording) -> Neurons:
    """Return the neurons of a recording; a SourceError says what a file without them has."""
    if recording.neurons is not None and recording.neurons.n_neurons:
        return recording.neurons
    if recording.neuron_damage:
        message = (
            f"the neurons of {recording.source.name} cannot be read: {recording.neuron_damage}. "
            f"{_what_to_do(recording.neuron_damage)}"
        )
        raise SourceError(message)
    what = "no neurons (no `units` table with spike times)"
    if recording.has_units:
        what = "a `units` table without spike_times"
    if recording.neurons is not None:
        what = "a `units` table without rows"
    if recording.lost:
        held = "; ".join(recording.lost)
        message = f"{recording.source.name} has {what}: {held}. {_what_to_do(held)}"
        raise SourceError(message)
    tables = [f"interval tables: {_with_rows(recording.rows)}"] if recording.rows else []
    held = "; ".join([*tables, *recording.contents]) or "a header and nothing else"
    message = (
        f"{recording.source.name} has {what}; it holds {held}. popdyn compares spiking neurons."
    )
    raise SourceError(message)


def _what_to_do(damage: str) -> str:
    """Say what mends neurons that cannot be read."""
    if "in the file" in damage or "into the file" in damage:
        return "Put that file where this one expects it."
    if "is not installed" in damage:
        return "The file itself may be sound."
    return "Download the file again, or ask `pynwb-validate` what is wrong."


def wanted_table(recording: Recording, name: str) -> Table:
    """Return the interval table of that name; a SourceError lists those there are."""
    if name in recording.tables:
        return recording.tables[name]
    if not recording.rows:
        lost = "".join(f" {line}." for line in recording.lost)
        message = (
            f"{recording.source.name} has no interval tables, so no table {name!r}.{lost} Read "
            f"it with trials=None and cut it with popdyn.from_spikes."
            f"{_events_line(recording, name)}"
        )
        raise SourceError(message)
    near = difflib.get_close_matches(name, list(recording.rows), n=1)
    filled = [other for other, n_rows in recording.rows.items() if n_rows] or list(recording.rows)
    meant = near[0] if near else filled[0]
    message = (
        f"{recording.source.name} has no interval table {name!r}; it has "
        f"{_with_rows(recording.rows)}. Choose one, for example trials={meant!r}."
        f"{_events_line(recording, name)}"
    )
    raise SourceError(message)


def _events_line(recording: Recording, name: str) -> str:
    """Name what else could be trials: a few names, so that they do not hide the tables."""
    if not recording.events:
        return ""
    names = list(recording.events)
    first = [*difflib.get_close_matches(name, names, n=1), *names]
    shown = [f"{event} ({recording.events[event]})" for event in dict.fromkeys(first)][:3]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" Events can be trials too: {', '.join(shown)}{more}."


def _with_rows(rows: dict[str, int]) -> str:
    shown = [f"{name:.80} ({n_rows} rows)" for name, n_rows in rows.items()]
    more = f" and {len(shown) - _MOST_TABLES} more" if len(shown) > _MOST_TABLES else ""
    return ", ".join(shown[:_MOST_TABLES]) + more
