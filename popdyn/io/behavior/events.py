"""Read events of a file as behavior: their times in order, each once, by label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from popdyn.io.behavior.event_tables import read_events
from popdyn.io.behavior.stored import described, series_units, unit_notes
from popdyn.io.behavior.time_series import MOST_CODES, StoredSeries, codes_of
from popdyn.io.rows import row_starts
from popdyn.io.tables import Column, Table, index_of, plain_description, read_table
from popdyn.io.times import detect_clocks
from popdyn.io.tree.node import words_of
from popdyn.tensor.behavior import Series


def from_events(series: StoredSeries) -> tuple[Series, list[str]]:
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
    notes = unit_notes(series.node)
    if not timed.all():
        notes.append(f"{int((~timed).sum())} of {times.size} events have no time: left out")
    values = np.ones(times.size) if labels is None else labels
    units = series_units(series.node) if "value" in table.kept else "1"
    made, more = as_events(series, times[timed], values[timed], described(series.node), units)
    return made, [*notes, *more]


def as_events(
    series: StoredSeries, times: np.ndarray, values: np.ndarray, description: str, units: str
) -> tuple[Series, list[str]]:
    """Make events: in order of time, each once, a channel for each label or code.

    Parameters
    ----------
    series : StoredSeries
    times : numpy.ndarray (event,)
    values : numpy.ndarray (event,) or (event, channel)
        Labels, codes, or numbers that belong to the events; with channels, not 0 in those that
        an event belongs to.
    description, units : str
    """
    if values.ndim == 2:
        return _with_channels(series, times, values, description)
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


def _with_channels(
    series: StoredSeries, times: np.ndarray, values: np.ndarray, description: str
) -> tuple[Series, list[str]]:
    order = np.argsort(times, kind="stable")
    made = Series(
        series.name, times[order], values[order].astype(np.float64), kind="events", units="1",
        description=description, path=series.path,
    )  # fmt: skip
    return made, []


def from_column(series: StoredSeries) -> tuple[Series, list[str]]:
    """Read the times of a ragged column onto the session's clock."""
    table, name = series.node, series.column
    index, data = index_of(table, name), table.child(name)
    assert index is not None  # it was found by its index
    assert data is not None
    rows, times = read_table(table, table.name), data.read().astype(np.float64)
    starts, left = row_starts(index, rows.n_rows, times.size)
    own = np.repeat(np.arange(rows.n_rows), np.diff(starts))
    times = times[: own.size]
    start = rows.numbers("start_time")
    notes = [left] if left else []
    if start is not None and _relative(rows, times, own):
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
