"""neo's Epochs, Events and signals: trial tables, event columns, behavior series."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from popdyn.errors import TensorError, warn
from popdyn.io.bridges.foreign import check_durations, named, plain_table
from popdyn.io.bridges.neo_objects import (
    add_units,
    by_label,
    columns_of_rows,
    labels_of,
    plain_annotations,
    plain_arrays,
    seconds,
    text_of,
)  # fmt: skip
from popdyn.io.bridges.neo_segments import Stretch, segment_row
from popdyn.io.bridges.pynapple_trials import from_trials
from popdyn.io.bridges.series import as_series
from popdyn.io.tables import Table
from popdyn.tensor.behavior import Series

About = Mapping[str, Mapping[str, Any]]
# Times (s) of one kind of event, per segment.
Kinds = dict[str, list[np.ndarray]]


def trials_of_epochs(trials: Any, stretches: list[Stretch], about: About) -> Table | None:
    """Make the trial table: an Epoch by name or itself, a DataFrame, or one named ``trials``.

    Raises
    ------
    TensorError
        If there is no such Epoch, a start is missing, or one stops before it starts.
    """
    if isinstance(trials, pd.DataFrame):
        return from_trials(trials, about)
    if trials is not None and not isinstance(trials, str):
        if not (hasattr(trials, "times") and hasattr(trials, "durations")):
            message = (
                "trials must be the name of an Epoch, an Epoch (times and durations) or a pandas "
                f"DataFrame with start and end in seconds; found {type(trials).__name__}."
            )
            raise TensorError(message)
        return _epoch_table([(trials, 0.0)], about)
    held = [(text_of(e, "name"), e, s.offset) for s in stretches for e in _held(s, "epochs")]
    wanted = "trials" if trials is None else trials
    chosen = [(epoch, offset) for name, epoch, offset in held if name == wanted]
    if chosen:
        left = dict.fromkeys(name or "(no name)" for name, _, _ in held if name != wanted)
        if left:
            warn(f"Epochs not taken: {named(left)}; one of them makes the trials.")
        return _epoch_table(chosen, about)
    names = list(dict.fromkeys(name or "(no name)" for name, _, _ in held))
    if trials is not None:
        near = difflib.get_close_matches(trials, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        message = f"there is no Epoch {trials!r}.{hint} Epochs: {named(names) or 'none'}."
        raise TensorError(message)
    if names:
        warn(
            f"no trials were taken: name the Epoch that holds them, trials={names[0]!r} "
            f"(Epochs: {named(names)})."
        )
    return None


def _held(stretch: Stretch, name: str) -> list[Any]:
    return list(getattr(stretch.segment, name, None) or ())


def _epoch_table(epochs: Sequence[tuple[Any, float]], about: About) -> Table:
    start, stop, rows = [], [], []
    units: dict[str, dict[str, Any]] = {}
    for epoch, offset in epochs:
        times = seconds(epoch.times, "the times of the Epoch").ravel() + offset
        lengths = seconds(epoch.durations, "the durations of the Epoch").ravel()
        start.append(times)
        stop.append(times + np.broadcast_to(lengths, times.shape))
        arrays, own_units = plain_arrays(_array_annotations(epoch))
        add_units(units, own_units)
        labels = labels_of(epoch)
        if labels is not None and labels.size == times.size:
            arrays = {"label": labels, **arrays}
        arrays = {k: v for k, v in arrays.items() if v.shape == times.shape}
        rows += [{k: v[row] for k, v in arrays.items()} for row in range(times.size)]
    starts, stops = np.concatenate(start), np.concatenate(stop)
    lost = np.flatnonzero(~np.isfinite(starts))
    if lost.size:
        message = (
            f"{lost.size} of {starts.size} epochs have no start (NaN; rows {named(lost)}): leave "
            "them out."
        )
        raise TensorError(message)
    check_durations(starts, stops, "epochs")
    columns = {"start_time": starts, "stop_time": stops, **columns_of_rows(rows)}
    return plain_table("trial", np.arange(starts.size), columns, {**units, **about})


def _array_annotations(item: Any) -> dict[str, Any]:
    return dict(getattr(item, "array_annotations", None) or {})


def trials_of_segments(
    stretches: list[Stretch], moved: bool, about: About
) -> tuple[Table, list[Series]]:
    """Make a trial of every segment, its Events and Epochs columns where they come once.

    Returns
    -------
    Table
    list of Series
        Events that come more than once in a segment.
    """
    rows = []
    units: dict[str, dict[str, Any]] = {}
    for one in stretches:
        annotations, own_units = plain_annotations(one.segment)
        add_units(units, own_units)
        row = segment_row(one, moved)
        rows.append({**row, **{k: v for k, v in annotations.items() if k not in row}})
    columns: dict[str, Any] = columns_of_rows(rows)
    several = []
    for kind, times in event_kinds(stretches, "events").items():
        if max(each.size for each in times) <= 1:
            columns[_time_name(kind, columns)] = _one_each(times)
        else:
            several.append(as_series(kind, np.concatenate(times), kind="events"))
    for kind, times in event_kinds(stretches, "epochs").items():
        if max(each.size for each in times) <= 1:
            columns[_time_name(f"{kind}_start", columns)] = _one_each(times)
            ends = event_kinds(stretches, "epochs", ends=True)[kind]
            columns[_time_name(f"{kind}_stop", columns)] = _one_each(ends)
        else:
            warn(f"Epoch {kind!r} comes more than once in a segment and was left out.")
    table = plain_table("trial", np.arange(len(stretches)), columns, {**units, **about})
    return table, several


def _one_each(times: list[np.ndarray]) -> np.ndarray:
    return np.array([each[0] if each.size else np.nan for each in times])


def _time_name(kind: str, taken: Mapping[str, Any]) -> str:
    """Name of a column of times; events called ``go``, ``go_time`` and ``go/time`` differ."""
    name = kind.replace("/", "_")
    name = name if name.endswith("_time") else f"{name}_time"
    while name in taken:
        name += "_"
    return name


def event_kinds(stretches: list[Stretch], held: str, *, ends: bool = False) -> Kinds:
    """Return times (s, session clock) of each kind of Event or Epoch, per segment."""
    kinds: Kinds = {}
    for number, one in enumerate(stretches):
        for item in _held(one, held):
            times = seconds(item.times, f"the times of {held} of segment {number}").ravel()
            if ends:
                times = times + seconds(item.durations, f"the durations of {held}").ravel()
            for kind, positions in by_label(item, held.removesuffix("s")).items():
                per_segment = kinds.setdefault(kind, [np.empty(0)] * len(stretches))
                more = times[positions] + one.offset
                per_segment[number] = np.concatenate([per_segment[number], more])
    return kinds


def events_of_trials(
    kinds: Kinds, trials: Table | None
) -> tuple[dict[str, np.ndarray], list[Series]]:
    """Split events into columns of the trials and behavior.

    A kind of event that comes at most once in every trial, and never outside of one, is a
    column; any other a series of events.
    """
    columns: dict[str, np.ndarray] = {}
    several = []
    for kind, per_segment in kinds.items():
        times = np.sort(np.concatenate(per_segment))
        column = None if trials is None else _column_of(times, trials)
        if column is None:
            several.append(as_series(kind, times, kind="events"))
        else:
            columns[_time_name(kind, {**(trials.kept if trials else {}), **columns})] = column
    return columns, several


def _column_of(times: np.ndarray, trials: Table) -> np.ndarray | None:
    """One time per trial, NaN where there is none; None where that would lose or double some.

    Trials are half-open: an event where two touch is in the one that begins there.
    """
    start, stop = trials.numbers("start_time"), trials.numbers("stop_time")
    if start is None or stop is None or not times.size or not np.isfinite(times).all():
        return None
    first = np.searchsorted(times, start, side="left")
    n_inside = np.searchsorted(times, stop, side="left") - first
    if (n_inside > 1).any() or int(n_inside.sum()) != times.size:
        return None
    return np.where(n_inside == 1, times[np.minimum(first, times.size - 1)], np.nan)


def signals(wanted: Sequence[str], stretches: list[Stretch]) -> list[Series]:
    """Behavior series of the signals that were asked for, the others named in a warning.

    Raises
    ------
    TensorError
        If there is no signal of that name.
    """
    held: dict[str, list[tuple[Any, float]]] = {}
    for one in stretches:
        for group in ("analogsignals", "irregularlysampledsignals"):
            for number, signal in enumerate(_held(one, group)):
                name = text_of(signal, "name") or f"{group[:-1]}_{number}"
                held.setdefault(name, []).append((signal, one.offset))
    for name in wanted:
        if name not in held:
            near = difflib.get_close_matches(name, list(held), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            message = f"there is no signal {name!r}.{hint} Signals: {named(held) or 'none'}."
            raise TensorError(message)
    left = [name for name in held if name not in wanted]
    if left:
        warn(f"signals not taken: {named(left)}; name those that are behavior, behavior=[...].")
    return [_signal(name, held[name]) for name in wanted]


def _signal(name: str, pieces: list[tuple[Any, float]]) -> Series:
    times = [seconds(one.times, f"the times of {name!r}").ravel() + off for one, off in pieces]
    first = pieces[0][0]
    values = [np.asarray(one.rescale(first.units).magnitude, dtype=float) for one, _ in pieces]
    shapes = {each.shape[1:] for each in values}
    if len(shapes) > 1:
        message = f"signal {name!r} has different channels in different segments."
        raise TensorError(message)
    whole = np.concatenate(values)
    whole = whole[:, 0] if whole.ndim == 2 and whole.shape[1] == 1 else whole
    channels = _array_annotations(first).get("channel_names")
    return as_series(
        name, np.concatenate(times), whole, units=str(first.units.dimensionality),
        channels=channels, description=text_of(first, "description"),
    )  # fmt: skip
