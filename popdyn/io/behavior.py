"""Read behavior of a file: series as numbers on the session's clock, events as times."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from popdyn.errors import SourceError, warn
from popdyn.io.contents import find_tables
from popdyn.io.event_tables import read_events
from popdyn.io.hdf5 import DAMAGE
from popdyn.io.node import Node, walk, words_of
from popdyn.io.source import open_nwb
from popdyn.io.stored_series import places, read_times, read_values, series_units
from popdyn.io.tables import (
    Column,
    Table,
    counted,
    index_of,
    one_line,
    plain_description,
    read_table,
)
from popdyn.io.time_series import MOST_CODES, StoredSeries, codes_of, find_series, is_series
from popdyn.io.times import detect_clocks
from popdyn.tensor.behavior import Series

_CIRCLES = {"rad": 2 * np.pi, "radians": 2 * np.pi, "radian": 2 * np.pi, "deg": 360.0}
# A series so many times longer than the session is not in seconds.
_FAR = 20.0


def read_series(
    path: str | os.PathLike[str],
    names: str | Sequence[str],
    span: tuple[float, float] | None = None,
    cache_folder: str | os.PathLike[str] | None = None,
) -> list[Series]:
    """Read behavior series of a file by name.

    Parameters
    ----------
    path : str or path-like
    names : str or sequence of str
        As `popdyn.describe_nwb` lists them, or whole paths in the file.
    span : (float, float), optional
        Start and stop of the session (s); series that lie outside it are warned of.
    cache_folder : str or path-like, optional
        As for `popdyn.io.source.open_nwb`.

    Returns
    -------
    list of Series

    Raises
    ------
    SourceError
        If there is no such series, or its times or values cannot be trusted; the message says
        why, or lists what there is.

    Warns
    -----
    PopdynWarning
        When samples without a time, or events that are stored twice, were left out, and when
        times do not look like seconds on the session's clock.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     licks = read_series("data/mouse_alm_delay_anm369963.nwb", ["lick_left_times"])[0]
    >>> licks.kind, licks.time.size
    ('events', 710)
    """
    with open_nwb(path, cache_folder) as (root, source):
        there = series_of(root)
        asked = [names] if isinstance(names, str) else list(dict.fromkeys(names))
        wanted = [_wanted(str(name), there, source.name) for name in asked]
        return [_read(series, source.name, span) for series in wanted]


def series_of(root: Node) -> dict[str, StoredSeries]:
    """Every series and all events of an open file, by name."""
    found = find_tables(root)
    return find_series(places(walk(root)), found.events.values(), found.intervals)


def _wanted(name: str, there: dict[str, StoredSeries], file: str) -> StoredSeries:
    by_path = {series.path.strip("/"): series for series in there.values()}
    if name.strip("/") in by_path:
        return by_path[name.strip("/")]
    offered = {key: series for key, series in there.items() if not series.why_not}
    if name in offered:
        return offered[name]
    if name in there:
        message = (
            f"{name!r} of {file} is not offered as behavior: {there[name].why_not}. To read it all "
            f"the same, give its whole path: {there[name].path.strip('/')!r}."
        )
        raise SourceError(message)
    near = difflib.get_close_matches(name, list(offered), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(list(offered)[:20]) or "none"
    more = f" and {len(offered) - 20} more" if len(offered) > 20 else ""
    message = f"{file} has no series {name!r}.{hint} Series that can be behavior: {listed}{more}."
    raise SourceError(message)


def _read(series: StoredSeries, file: str, span: tuple[float, float] | None) -> Series:
    try:
        made, notes = load_series(series)
    except DAMAGE as error:
        message = f"{series.name!r} of {file} {one_line(error, 300)}."
        raise SourceError(message) from error
    lines = tuple(f"{series.name}: {note}" for note in [*notes, *off_the_clock(made.time, span)])
    for line in lines:
        warn(line)
    return replace(made, notes=lines)


def off_the_clock(times: np.ndarray, span: tuple[float, float] | None) -> list[str]:
    """Say so where times do not overlap with the session, or run far beyond it."""
    if span is None or not times.size:
        return []
    first, last = float(times[0]), float(times[-1])
    length, own = span[1] - span[0], last - first
    outside = last < span[0] or first > span[1]
    if not outside and (own < _FAR * length or length <= 0):
        return []
    where = "lies outside the session" if outside else "is far longer than the session"
    return [
        f"{where} ({first:g} to {last:g} s, session {span[0]:g} to {span[1]:g} s): are its times "
        "in seconds, on the session's clock?"
    ]


def load_series(series: StoredSeries) -> tuple[Series, list[str]]:
    """Read one series; also say what was done on the way.

    Raises
    ------
    ValueError
        If its times or values cannot be trusted; the message completes "<name> ...".
    """
    if series.column:
        return _from_column(series)
    if series.events is not None:
        return _from_events(series)
    times = read_times(series.node)
    values, done = read_values(series.node)
    _check_sizes(times, values)
    kind = "series" if is_series(series, times, values) else "events"
    notes = _unit_notes(series.node)
    timed = np.isfinite(times)
    if not timed.all():
        notes.append(f"{int((~timed).sum())} of {times.size} samples have no time: left out")
        times, values = times[timed], values[timed]
    units = series_units(series.node)
    about = "; ".join(part for part in (_described(series.node), done) if part)
    if kind == "events":
        made, more = as_events(series, times, values, about, units)
        return made, [*notes, *more]
    _check_rising(times)
    n_twice = int((np.diff(times) == 0).sum())
    if n_twice:
        notes.append(f"{n_twice} of {times.size} samples have the time of the one before")
    if units == "unknown":
        notes.append("the file does not say its units")
    period = _CIRCLES.get(units, 0.0) if series.parent == "CompassDirection" else 0.0
    values = values.astype(np.float64)
    made = Series(
        series.name, times, values[:, 0] if values.shape[1:] == (1,) else values,
        kind="series", units=units, description=about, path=series.path, period=period,
    )  # fmt: skip
    return made, notes


def _check_sizes(times: np.ndarray, values: np.ndarray) -> None:
    if not values.size:
        message = "is empty: it has no samples"
        raise ValueError(message)
    if values.ndim > 2:
        message = f"has samples of shape {values.shape[1:]}; expected a number or a few channels"
        raise ValueError(message)
    if values.shape[0] != times.size:
        turned = values.ndim == 2 and values.shape[1] == times.size
        hint = "; the data are stored with channels first" if turned else ""
        message = f"has {times.size} times for data of shape {values.shape}{hint}"
        raise ValueError(message)
    if not np.isfinite(times).any():
        message = "has times that are all NaN"
        raise ValueError(message)


def _check_rising(times: np.ndarray) -> None:
    falls = np.flatnonzero(np.diff(times) < 0)
    if not falls.size:
        return
    at = int(falls[0])
    all_fall = falls.size == times.size - 1
    cause = "they run backwards" if all_fall else "did the clock start anew, or were files joined?"
    message = (
        f"has times that fall {counted(falls.size, 'time')}, first from {times[at]:g} to "
        f"{times[at + 1]:g} s at sample {at + 1}: {cause} Mend the timestamps in the file; popdyn "
        "does not guess"
    )
    raise ValueError(message)


def _unit_notes(node: Node) -> list[str]:
    """Say where timestamps are stated in something else than seconds."""
    for name in ("timestamps", "starting_time"):
        stated = words_of(node.child(name), "unit") if name in node.names else ""
        if stated and stated.lower() not in ("s", "sec", "second", "seconds"):
            return [
                f"its {name} are stated in {stated!r}, where NWB expects seconds; not converted"
            ]
    return []


def _described(node: Node) -> str:
    return plain_description(words_of(node, "description"))


def _from_events(series: StoredSeries) -> tuple[Series, list[str]]:
    """Events that are written as events: their times, by label where they have some."""
    events = series.events
    assert events is not None  # the caller asked
    table = read_events(events)
    times = table.numbers("start_time")
    if times is None:
        why = [c.left_out for c in table.columns if c.name == "start_time"]
        message = f"cannot be read: {(why or ['it has no times'])[0]}"
        raise ValueError(message)
    labels = next(
        (table.kept[n].values for n in ("label", "value", "code") if n in table.kept), None
    )
    timed = np.isfinite(times)
    notes = _unit_notes(series.node)
    if not timed.all():
        notes.append(f"{int((~timed).sum())} of {times.size} events have no time: left out")
    values = np.ones(times.size) if labels is None else labels
    units = series_units(series.node) if "value" in table.kept else "1"
    made, more = as_events(series, times[timed], values[timed], _described(series.node), units)
    return made, [*notes, *more]


def as_events(
    series: StoredSeries, times: np.ndarray, values: np.ndarray, description: str, units: str
) -> tuple[Series, list[str]]:
    """Make events: in order of time, each once, a channel for each label or code.

    Parameters
    ----------
    series : StoredSeries
    times : numpy.ndarray (event,)
    values : numpy.ndarray (event,)
        Labels, codes, or numbers that belong to the events.
    description, units : str
    """
    order = np.lexsort((values, times))
    times, values = times[order], values[order]
    again = (np.diff(times) == 0) & (values[1:] == values[:-1])
    notes = []
    if again.any():
        notes.append(
            f"{int(again.sum())} of {times.size} events are stored twice (same time, same value): "
            "counted once"
        )
        once = np.append(True, ~again)
        times, values = times[once], values[once]
    labels = np.unique(values) if values.dtype.kind == "U" else codes_of(values)
    channels: tuple[str, ...] = ()
    if labels is not None and 1 < labels.size <= MOST_CODES:
        channels = tuple(str(v) if values.dtype.kind == "U" else f"{v:g}" for v in labels)
        numbers = (values[:, None] == labels[None, :]).astype(np.float64)
        units = "1"
    elif values.dtype.kind == "U":
        numbers, units = np.ones(times.size), "1"
    else:
        numbers = values.astype(np.float64)
    made = Series(
        series.name, times, numbers, kind="events", units=units, description=description,
        path=series.path, channels=channels,
    )  # fmt: skip
    return made, notes


def _from_column(series: StoredSeries) -> tuple[Series, list[str]]:
    """Read the times of a ragged column onto the session's clock."""
    table, name = series.node, series.column
    index, data = index_of(table, name), table.child(name)
    assert index is not None  # it was found by its index
    assert data is not None
    ends, times = index.read().astype(np.int64), data.read().astype(np.float64)
    if ends.size and ((np.diff(ends) < 0).any() or ends[0] < 0 or ends[-1] > times.size):
        message = f"has an index that does not fit its {times.size} times"
        raise ValueError(message)
    own = np.repeat(np.arange(ends.size), np.diff(ends, prepend=0))
    times = times[: own.size]
    rows = read_table(table, table.name)
    start = rows.numbers("start_time")
    notes = []
    if start is not None and start.size == ends.size and _relative(rows, times, own):
        times = times + start[own]
        notes.append("its times are relative to the trial's start: start_time was added")
    timed = np.isfinite(times)
    if not timed.all():
        notes.append(f"{int((~timed).sum())} of {times.size} events have no time: left out")
    described = plain_description(words_of(data, "description"))
    made, more = as_events(series, times[timed], np.ones(int(timed.sum())), described, "1")
    return made, [*notes, *more]


def _relative(rows: Table, times: np.ndarray, own: np.ndarray) -> bool:
    """Whether times fit the trial's clock: judged as a column with one time per row is."""
    columns = tuple(
        replace(column, values=column.values[own])
        for key, column in rows.kept.items()
        if key in ("start_time", "stop_time") and column.values is not None
    )
    # A name that says "time" is judged by its values, whatever else it says.
    flat = Table(rows.name, np.arange(own.size), (*columns, Column("event_time", "float64", times)))
    return detect_clocks(flat).clock.get("event_time") == "trial"
