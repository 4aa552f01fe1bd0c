"""Which columns of an interval table are times, on which clock, and in what units.

NWB wants every ``*_time`` column in seconds on the session's clock.  Files in the wild also
hold times relative to each trial's start; the values themselves tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from popdyn.io.tables import Column, Table, counted

_NAMED_TIME = re.compile(r"(^|_)(time|times|timestamp|timestamps|onset|offset)$", re.IGNORECASE)
_CAMEL_TIME = re.compile(r"[a-z](Time|Times|Onset|Offset)$")
_DESCRIBED_TIME = re.compile(r"\b(onset|offset|timestamp|time of|time when|absolute time)\b", re.I)
_DURATION = re.compile(
    r"^(rt|iti)$|reaction|latency|duration|elapsed|(_dur|_length|_interval)(_|$)", re.IGNORECASE
)
ABSENT_IS_ZERO = re.compile(
    r"\b(0|zero)\b[^.;]*\bif\b[^.;]*\b(not exist|absent|missing|none|no|did not|never)", re.I
)
_UNITS = frozenset(
    ("s", "ms", "us", "µs", "Hz", "kHz", "m", "cm", "mm", "um", "µm", "nm", "mW", "W", "uW", "µW")
    + ("V", "mV", "uV", "µV", "A", "pA", "nA", "deg", "rad", "ohm", "ohms", "kOhm", "MOhm", "dB")
    + ("%", "px", "pixels", "m/s", "cm/s", "mm/s", "deg/s", "mg", "ml", "ul", "µl", "uL", "µL")
)
_IN_BRACKETS = re.compile(r"[(\[]\s*(?:in\s+)?([^()\[\]]{1,14}?)\s*[)\]]")
_IN_WORDS = re.compile(r"(?:\bin|,)\s+(seconds?|sec|milliseconds?|msec|ms|Hz|hertz|mm|degrees)\b")
_LONG_NAMES = {
    "seconds": "s", "second": "s", "sec": "s", "secs": "s", "milliseconds": "ms",
    "millisecond": "ms", "msec": "ms", "hertz": "Hz", "volts": "V", "meters": "m",
    "degree": "deg", "degrees": "deg",
}  # fmt: skip
_SUFFIX = re.compile(r"_(ms|us|hz|mm|um|deg|mw|mv|uv)$", re.IGNORECASE)
_SUFFIX_UNITS = {unit.lower(): unit for unit in ("ms", "us", "Hz", "mm", "um", "deg", "mW", "mV")}
_STEPS = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6}
# Share of the values that must fit a clock before it counts as evidence.
_ENOUGH = 0.5
_UNNAMED_ENOUGH = 0.95
_MIN_UNNAMED = 5


@dataclass(frozen=True)
class Clocks:
    """The clock of each time column, and what looks wrong about them."""

    clock: dict[str, str]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Fits:
    """Shares of a column's values that fit the session's clock, the trial's, the own trial."""

    session: float
    trial: float
    inside: float
    n_past_next: int


def column_units(column: Column, *, is_time: bool = False) -> str:
    """Units of a numeric column, from the file's own words; ``""`` for text and booleans.

    An attribute of the column first, then its description (``(mm)``, ``in seconds``), its name
    (``_ms``), and the NWB rule that times are in seconds; else ``"unknown"``.
    """
    if column.values is None or column.values.dtype.kind not in "fiu":
        return ""
    if column.units:
        return str(_LONG_NAMES.get(column.units.lower(), column.units))
    for found in _IN_BRACKETS.findall(column.description) + _IN_WORDS.findall(column.description):
        short = str(_LONG_NAMES.get(found.lower(), found))
        if short in _UNITS:
            return short
    suffix = _SUFFIX.search(column.name)
    if suffix:
        return _SUFFIX_UNITS.get(suffix[1].lower(), str(suffix[1]))
    return "s" if is_time else "unknown"


def seconds_of(table: Table, name: str) -> np.ndarray | None:
    """Values of a column of times in seconds, where it states ms or us; else as they are."""
    values = table.numbers(name)
    return None if values is None else values * seconds_per_step(table.kept[name])


def seconds_per_step(column: Column) -> float:
    """Return how many seconds one unit of a column of times lasts, by what the file says."""
    return _STEPS.get(column_units(column, is_time=True), 1.0)


def detect_clocks(table: Table, override: dict[str, str] | None = None) -> Clocks:
    """Find the time columns of an interval table and the clock of each.

    A column named like a time is on the clock that more of its values fit: the session's
    (from the start of the trial before to the start of the second trial after) or the trial's
    (``start + value`` in that range).  A floating column with another name counts only when
    nearly all values lie inside their own trial on the session's clock.

    Parameters
    ----------
    table : Table
    override : dict of str, optional
        Column to ``"session"`` or ``"trial"``: what the user knows better.

    Returns
    -------
    Clocks
    """
    clock: dict[str, str] = {}
    problems: list[str] = []
    start = seconds_of(table, "start_time")
    for name, column in table.kept.items():
        values = table.numbers(name)
        if values is None:
            continue
        if override and name in override:
            clock[name] = override[name]
        elif name in ("start_time", "stop_time"):
            clock[name] = "session"
        elif start is not None and table.n_rows:
            found, problem = _clock_of(column, values, start, table)
            if found:
                clock[name] = found
            if problem:
                problems.append(f"{table.name}.{name} {problem}")
    return Clocks(clock, tuple(problems))


def _clock_of(
    column: Column, values: np.ndarray, start: np.ndarray, table: Table
) -> tuple[str, str]:
    units = column_units(column, is_time=True)
    if units not in ("s", "ms") or _DURATION.search(column.name):
        return "", ""
    named = is_named_time(column)
    if not named and column.stored[:5] != "float":
        return "", ""
    seconds = values * seconds_per_step(column)
    usable = np.isfinite(seconds) & np.isfinite(start)
    if ABSENT_IS_ZERO.search(column.description):
        usable &= values != 0
    if not usable.any():
        return ("session", "") if named else ("", "")
    fits = _fits(seconds[usable], start, seconds_of(table, "stop_time"), usable)
    if not named:
        clear = fits.inside >= _UNNAMED_ENOUGH and fits.trial < _ENOUGH
        return ("session" if clear and usable.sum() >= _MIN_UNNAMED else ""), ""
    if max(fits.session, fits.trial) < _ENOUGH:
        return "session", (
            f"fits neither clock: values {_span(seconds[usable])} s, trials start "
            f"{_span(start[np.isfinite(start)])} s; taken as session time "
            f"(units={{{column.name!r}: 'ms'}} if that is its unit)"
        )
    if fits.trial > fits.session:
        return "trial", _relative_line(column.name, seconds[usable], fits.n_past_next)
    return "session", ""


def _relative_line(name: str, seconds: np.ndarray, n_past_next: int) -> str:
    past = (
        f"; in {counted(n_past_next, 'row')} that lies past the next start_time"
        if n_past_next
        else ""
    )
    return (
        f"is relative to the trial's start ({_span(seconds)} s), not on the session's clock: "
        f"align adds start_time{past} (clocks={{{name!r}: 'session'}} takes it as it stands)"
    )


def is_named_time(column: Column) -> bool:
    """Whether name or description say that a column holds times of events."""
    return bool(
        _NAMED_TIME.search(column.name)
        or _CAMEL_TIME.search(column.name)
        or _DESCRIBED_TIME.search(column.description)
    ) and not _DURATION.search(column.name)


def _fits(
    seconds: np.ndarray, start: np.ndarray, stop: np.ndarray | None, usable: np.ndarray
) -> _Fits:
    """Compare the values with the starts of the trials around their own."""
    own = start[usable]
    ordered = np.unique(start[np.isfinite(start)])
    gap = float(np.median(np.diff(ordered))) if ordered.size > 1 else np.inf
    last = ordered[-1] + 2 * gap
    if stop is not None and np.isfinite(stop).any():
        last = max(last, float(np.nanmax(stop)))
    # Events of a trial may precede its start (fixation) or outlast it, but not by a whole trial.
    grid = np.concatenate([[ordered[0] - gap], ordered, [last, last + gap]])
    at = np.searchsorted(ordered, own) + 1
    before, after, far = grid[at - 1], grid[at + 1], grid[at + 2]
    moved = own + seconds
    return _Fits(
        session=float(((seconds >= before) & (seconds <= far)).mean()),
        trial=float(((moved >= before) & (moved <= far)).mean()),
        inside=float(((seconds >= own) & (seconds <= after)).mean()),
        n_past_next=int((moved > after).sum()),
    )


def _span(values: np.ndarray) -> str:
    return f"{values.min():g} to {values.max():g}" if values.size else "none"


def candidate_events(table: Table, clocks: dict[str, str]) -> tuple[str, ...]:
    """Columns that trials can be aligned to: times with at least one value, in file order."""
    return tuple(
        name
        for name, column in table.kept.items()
        if name in clocks and not column.missing.all() and table.n_rows
    )
