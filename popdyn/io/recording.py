"""Everything read from one NWB file, before anybody asks for trials."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from popdyn.io.neurons import Neurons, read_neurons
from popdyn.io.source import open_nwb
from popdyn.io.tables import MISSING_TEXT, Table, is_a, read_table

# Kinds of top-level content named in a summary and in "there are no neurons".
_GROUPS = ("acquisition", "processing", "stimulus", "analysis", "scratch")
# NWB's names for tables that rarely are trials.
NOT_TRIALS = frozenset(("epochs", "invalid_times"))


@dataclass(frozen=True, eq=False)
class Recording:
    """What an NWB file holds: header, neurons, and interval tables by name.

    ``rows`` has the number of rows of every interval table, ``tables`` those that were read.
    """

    file: Path
    schema: str
    identifier: str
    header: tuple[tuple[str, str], ...]
    started: str
    neurons: Neurons | None
    has_units: bool
    rows: dict[str, int]
    tables: dict[str, Table]
    contents: tuple[str, ...]


def read_recording(path: str | os.PathLike[str], only: tuple[str, ...] | None = None) -> Recording:
    """Read a file once.

    Parameters
    ----------
    path : str or path-like
    only : tuple of str, optional
        Interval tables to read; all of them by default.

    Raises
    ------
    SourceError
        See `popdyn.io.source.open_nwb`.
    """
    with open_nwb(path) as (content, version):
        found = interval_tables(content)
        wanted = found if only is None else {k: t for k, t in found.items() if k in only}
        return Recording(
            file=Path(path).expanduser(),
            schema=version,
            identifier=str(content.identifier or "").strip(),
            header=tuple(_header(content)),
            started=str(content.session_start_time),
            neurons=read_neurons(content),
            has_units=content.units is not None,
            rows={name: len(table.id) for name, table in found.items()},
            tables={name: read_table(table, name) for name, table in wanted.items()},
            contents=tuple(_contents(content)),
        )


def interval_tables(content: Any) -> dict[str, Any]:
    """Every interval table of an open file by name, ``trials`` first.

    A table outside ``intervals`` whose name is taken is called ``parent:name``.
    """
    usual = [content.trials, content.epochs, content.invalid_times]
    usual += list((content.intervals or {}).values())
    others = [o for o in content.objects.values() if is_a(o, "TimeIntervals")]
    tables: dict[str, Any] = {}
    seen: set[int] = set()
    for table in [*usual, *others]:
        if table is None or id(table) in seen:
            continue
        seen.add(id(table))
        name = str(table.name)
        if name in tables:
            name = f"{getattr(table.parent, 'name', '')}:{name}"
        tables[name] = table
    return tables


def _header(content: Any) -> list[tuple[str, str]]:
    subject = content.subject
    about = [getattr(subject, name, None) for name in ("subject_id", "species", "sex", "age")]
    lines = [
        ("identifier", content.identifier),
        ("session", content.session_description),
        ("experiment", content.experiment_description),
        ("subject", ", ".join(_words(value) for value in about if _words(value))),
        ("lab", ", ".join(w for w in map(_words, (content.lab, content.institution)) if w)),
        ("experimenter", content.experimenter),
        ("publications", content.related_publications),
    ]
    return [(label, _words(value)) for label, value in lines if _words(value)]


def _words(value: Any) -> str:
    """One line of text, whatever the file holds: text, bytes, or several of them."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, (list, tuple, np.ndarray)):
        return "; ".join(word for word in map(_words, list(value)) if word)
    words = " ".join(str(value).split())
    return "" if words.lower() in MISSING_TEXT else words


def _contents(content: Any) -> list[str]:
    """Lines such as ``acquisition: lick_times (BehavioralEvents)``."""
    lines = []
    for group in _GROUPS:
        held = getattr(content, group, None) or {}
        names = [f"{name} ({type(value).__name__})" for name, value in held.items()]
        if names:
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            lines.append(f"{group}: {', '.join(names[:6])}{more}")
    return lines
