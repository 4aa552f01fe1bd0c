"""What the user knows better than the file: units, clocks, shifts, restarts, overlaps.

Nothing here happens unless it is asked for by an argument of `read_session`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from popdyn.errors import SourceError
from popdyn.io.clock_problems import restart_row, runs_of
from popdyn.io.coverage import Intervals
from popdyn.io.neurons import Neurons
from popdyn.io.tables import Column, Table
from popdyn.io.times import column_units, detect_clocks, seconds_of, seconds_per_step

SPIKES, TRIALS, OBSERVED = "spike_times", "trials", "obs_intervals"
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "min": 60.0, "h": 3600.0}
OVERLAPS = ("keep", "drop", "cut")
# Seconds by which a trial may begin before the last one ended: rounding.
TOUCHING = 1e-6


@dataclass(frozen=True)
class Corrections:
    """Corrections of one file, checked against what it holds.

    Attributes
    ----------
    clocks : dict
        Column, or ``"spike_times"``, to ``"session"`` or ``"trial"``.
    units : dict
        Column, ``"spike_times"``, ``"obs_intervals"`` or ``"trials"`` (all its columns of times)
        to a unit, or to the seconds one step lasts.
    shift : dict
        ``"spike_times"`` or ``"trials"`` to seconds that are added.
    restart_offset : float or None
        Seconds added to what was recorded after the clock went back to its start.
    overlaps : str
        What becomes of trials that begin before the one before has ended.
    """

    clocks: dict[str, str] = field(default_factory=dict)
    units: dict[str, str | float] = field(default_factory=dict)
    shift: dict[str, float] = field(default_factory=dict)
    restart_offset: float | None = None
    overlaps: str = "keep"

    def asked(self) -> dict[str, object]:
        """Return what was asked for, for the history of a session."""
        given = {
            "clocks": self.clocks,
            "units": self.units,
            "shift": self.shift,
            "restart_offset": self.restart_offset,
            "overlaps": "" if self.overlaps == "keep" else self.overlaps,
        }
        return {name: value for name, value in given.items() if value not in ({}, None, "")}


def check_corrections(
    table: Table | None,
    file: str,
    *,
    clocks: Mapping[str, str] | None = None,
    units: Mapping[str, str | float] | None = None,
    shift: Mapping[str, float] | None = None,
    restart_offset: float | None = None,
    overlaps: str = "keep",
) -> Corrections:
    """Check corrections against the table of trials they are about.

    Raises
    ------
    SourceError
        If a name is no column, or a value none that makes sense; the message lists what does.
    """
    mappings: dict[str, Any] = {"clocks": clocks, "units": units, "shift": shift}
    for argument, given in mappings.items():
        if given is not None and not isinstance(given, Mapping):
            message = (
                f"{argument} must name what it is for, as {{'spike_times': ...}}; got {given!r}."
            )
            raise SourceError(message)
    columns = [] if table is None else [n for n in table.kept if table.numbers(n) is not None]
    for name, which in (clocks or {}).items():
        _known("clocks", name, [*columns, SPIKES], file)
        if which not in ("session", "trial"):
            message = f"the clock of {name!r} must be 'session' or 'trial', got {which!r}."
            raise SourceError(message)
    known = [*columns, SPIKES, OBSERVED, *([TRIALS] if table is not None else [])]
    for name, unit in (units or {}).items():
        _known("units", name, known, file)
        if name in (SPIKES, OBSERVED, TRIALS):
            seconds_per(unit, name)
    for name, seconds in (shift or {}).items():
        _known("shift", name, [SPIKES, *([TRIALS] if table is not None else [])], file)
        _number("shift", name, seconds)
    if restart_offset is not None:
        _number("restart_offset", "", restart_offset)
    if overlaps not in OVERLAPS:
        message = f"overlaps must be one of {', '.join(OVERLAPS)}; got {overlaps!r}."
        raise SourceError(message)
    return Corrections(
        dict(clocks or {}), dict(units or {}), dict(shift or {}), restart_offset, overlaps
    )


def _known(argument: str, name: str, known: Sequence[str], file: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    message = (
        f"{argument} names {name!r}, which is no column of numbers of the trials of {file}.{hint} "
        f"It may name {', '.join(known) or 'nothing'}."
    )
    raise SourceError(message)


def _number(argument: str, name: str, value: object) -> None:
    if not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        of = f" of {name!r}" if name else ""
        message = f"{argument}{of} must be a number of seconds, got {value!r}."
        raise SourceError(message)


def seconds_per(unit: str | float, name: str) -> float:
    """Return how many seconds one unit lasts.

    Raises
    ------
    SourceError
        If it is no unit of time, and no positive number.
    """
    if isinstance(unit, str) and unit in SECONDS:
        return SECONDS[unit]
    is_number = isinstance(unit, (int, float)) and not isinstance(unit, bool)
    if is_number and np.isfinite(unit) and float(unit) > 0:
        return float(unit)
    message = (
        f"the unit of {name!r} must be one of {', '.join(SECONDS)}, or the seconds one step lasts "
        f"(1/30000 for samples at 30 kHz); got {unit!r}."
    )
    raise SourceError(message)


def correct(
    neurons: Neurons, table: Table | None, asked: Corrections
) -> tuple[Neurons, Table | None, tuple[str, ...]]:
    """Apply corrections; return neurons, trials, and lines about what could not be done well.

    Raises
    ------
    SourceError
        If spikes counted from each trial's start cannot be shared out among the trials.
    """
    notes: list[str] = []
    if table is not None:
        table = _correct_trials(table, asked, notes)
    neurons = _scaled(neurons, asked)
    if asked.clocks.get(SPIKES) == "trial":
        neurons = _from_trial_clock(neurons, table)
    if asked.restart_offset is not None:
        neurons = _after_restart(neurons, asked.restart_offset, notes)
    by = asked.shift.get(SPIKES)
    if by is not None:
        obs = neurons.obs
        moved = None if obs is None else (obs[0] + by, obs[1] + by, obs[2])
        neurons = replace(neurons, spike_time=neurons.spike_time + by, obs=moved)
    # Last: which trial a spike belongs to may be a matter of counting them all.
    table = None if table is None else _without_overlaps(table, asked.overlaps)
    return neurons, table, tuple(notes)


def changed_columns(before: Table | None, after: Table | None) -> set[str]:
    """Names of the columns of the trials that corrections gave other values or units."""
    if before is None or after is None:
        return set()
    return {new.name for old, new in zip(before.columns, after.columns, strict=True) if new != old}


def _correct_trials(table: Table, asked: Corrections, notes: list[str]) -> Table:
    # What is a time, and from where it counts, is told by the values as they are in the file.
    clock = detect_clocks(table, asked.clocks).clock
    columns = [_converted(column, asked, clock) for column in table.columns]
    table = replace(table, columns=tuple(columns))
    by = asked.shift.get(TRIALS)
    if by is not None:
        table = _added(table, clock, np.full(table.n_rows, float(by)))
    if asked.restart_offset is not None:
        start = seconds_of(table, "start_time")
        row = None if start is None else restart_row(start)
        if row is None:
            notes.append(f"{table.name}: start_time never goes back far, so no trial was moved")
        else:
            later = np.where(np.arange(table.n_rows) >= row, asked.restart_offset, 0.0)
            table = _added(table, clock, later)
    return table


def _converted(column: Column, asked: Corrections, clock: dict[str, str]) -> Column:
    """Put a column of times into seconds; other columns only get the unit they are said to have."""
    is_time = column.name in clock
    unit = asked.units.get(column.name, asked.units.get(TRIALS) if is_time else None)
    if unit is None or column.values is None or column.values.dtype.kind not in "fiu":
        return column
    if isinstance(unit, str) and not is_time:
        return replace(column, units=unit)
    return replace(column, values=column.values * seconds_per(unit, column.name), units="s")


def _added(table: Table, clock: dict[str, str], seconds: np.ndarray) -> Table:
    """Add seconds to every column of times on the session's clock, in its own unit."""
    columns = []
    for column in table.columns:
        values = column.values
        if clock.get(column.name) == "session" and values is not None:
            moved = values.astype(np.float64) + seconds / seconds_per_step(column)
            # A column that was known by its values must stay known.
            column = replace(column, values=moved, units=column_units(column, is_time=True))
        columns.append(column)
    return replace(table, columns=tuple(columns))


def _without_overlaps(table: Table, overlaps: str) -> Table:
    start, stop = seconds_of(table, "start_time"), seconds_of(table, "stop_time")
    if overlaps == "keep" or start is None or stop is None or not start.size:
        return table
    order = np.argsort(start, kind="stable")
    if overlaps == "cut":
        ends = stop[order]
        following = np.append(start[order][1:], np.inf)
        cut = np.empty_like(stop)
        cut[order] = np.where(ends > following + TOUCHING, following, ends)
        cut /= seconds_per_step(table.kept["stop_time"])
        columns = [replace(c, values=cut) if c.name == "stop_time" else c for c in table.columns]
        return replace(table, columns=tuple(columns))
    keep = np.ones(start.size, dtype=bool)
    reached = np.fmax.accumulate(stop[order])[:-1]
    keep[order[1:]] = ~(start[order][1:] < reached - TOUCHING)
    return _rows(table, keep)


def _rows(table: Table, keep: np.ndarray) -> Table:
    columns = [c if c.values is None else replace(c, values=c.values[keep]) for c in table.columns]
    return replace(table, ids=table.ids[keep], columns=tuple(columns))


def _scaled(neurons: Neurons, asked: Corrections) -> Neurons:
    unit = asked.units.get(SPIKES)
    if unit is not None:
        seconds = neurons.spike_time * seconds_per(unit, SPIKES)
        neurons = replace(neurons, spike_time=seconds, stored="float64")
    unit = asked.units.get(OBSERVED)
    if unit is not None and neurons.obs is not None:
        scale = seconds_per(unit, OBSERVED)
        start, stop, owner = neurons.obs
        neurons = replace(neurons, obs=(start * scale, stop * scale, owner))
    return neurons


def _from_trial_clock(neurons: Neurons, table: Table | None) -> Neurons:
    """Add each trial's start to the spikes of that trial: one ascending run per trial."""
    start = None if table is None else seconds_of(table, "start_time")
    if start is None:
        message = "clocks={'spike_times': 'trial'} needs trials with a start_time."
        raise SourceError(message)
    times = neurons.spike_time.copy()
    for position, (first, last) in enumerate(
        zip(neurons.neuron_start[:-1], neurons.neuron_start[1:], strict=True)
    ):
        run = runs_of(times[first:last])
        n_runs = int(run[-1]) + 1 if run.size else 0
        if n_runs not in (0, start.size):
            message = (
                f"the spike times of neuron {neurons.table.ids[position]} go back to the start "
                f"{n_runs - 1} times, which makes {n_runs} trials, but there are {start.size}: "
                "which trial a spike belongs to is not stored. Convert the file again, with spike "
                "times on the session's clock."
            )
            raise SourceError(message)
        times[first:last] += start[run] if n_runs else 0.0
    return replace(neurons, spike_time=times)


def _after_restart(neurons: Neurons, offset: float, notes: list[str]) -> Neurons:
    """Add seconds to what comes after the farthest fall of each neuron's times."""
    times = neurons.spike_time.copy()
    first_spike, last_spike = neurons.span
    unmoved = []
    for position, (first, last) in enumerate(
        zip(neurons.neuron_start[:-1], neurons.neuron_start[1:], strict=True)
    ):
        row = restart_row(times[first:last], last_spike - first_spike)
        if row is None:
            unmoved.append(str(neurons.table.ids[position]))
        else:
            times[first + row : last] += offset
    if unmoved:
        shown = ", ".join(unmoved[:8]) + (" ..." if len(unmoved) > 8 else "")
        which = "1 neuron goes" if len(unmoved) == 1 else f"{len(unmoved)} neurons go"
        notes.append(
            f"of {neurons.n_neurons} neurons, {which} back nowhere far ({shown}): spikes taken as "
            "recorded before the clock restarted"
        )
    return replace(neurons, spike_time=times, obs=_intervals_after(neurons, offset, notes))


def _intervals_after(neurons: Neurons, offset: float, notes: list[str]) -> Intervals | None:
    """Move the observation intervals that lie after a fall of their own neuron's."""
    if neurons.obs is None:
        return None
    start, stop, owner = (values.copy() for values in neurons.obs)
    n_moved = 0
    for position in range(neurons.n_neurons):
        own = np.flatnonzero(owner == position)
        # An interval that begins before the last one has ended begins on the new clock.
        back = stop[own[:-1]] - start[own[1:]]
        if back.size and back.max() > TOUCHING:
            later = own[int(np.argmax(back)) + 1 :]
            start[later] += offset
            stop[later] += offset
            n_moved += 1
    if n_moved < neurons.n_neurons:
        notes.append(
            f"obs_intervals never go back in {neurons.n_neurons - n_moved} of {neurons.n_neurons} "
            "neurons: taken as they are; observed='session' leaves them out"
        )
    return start, stop, owner
