"""Read behavior of a file: series as numbers on the session's clock, events as times."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from popdyn.errors import SourceError, warn
from popdyn.io.behavior.events import as_events, from_column, from_events
from popdyn.io.behavior.stored import (
    described,
    places,
    read_times,
    read_values,
    series_units,
    unit_notes,
)
from popdyn.io.behavior.time_series import StoredSeries, find_series, is_series
from popdyn.io.contents import Found, find_tables
from popdyn.io.tables import (
    counted,
    one_line,
)
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.node import Node, walk
from popdyn.io.tree.source import open_nwb
from popdyn.io.writing.stored_text import stored_text, written_kinds
from popdyn.tensor.behavior import Series

_CIRCLES = {"rad": 2 * np.pi, "radians": 2 * np.pi, "radian": 2 * np.pi, "deg": 360.0}
# Times so many lengths of the session away from it are hardly seconds on its clock.
_FAR = 5.0


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
        As for `popdyn.io.tree.source.open_nwb`.

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


def series_of(root: Node, found: Found | None = None) -> dict[str, StoredSeries]:
    """Find every series and all events of an open file, by name."""
    found = find_tables(root) if found is None else found
    series = find_series(places(walk(root)), found.events.values(), found.intervals)
    kinds = written_kinds(stored_text(root))
    # What popdyn wrote as behavior needs no guess.
    return {
        name: replace(one, written_kind=kinds[path], events=None, why_not="")
        if (path := one.path.strip("/")) in kinds
        else one
        for name, one in series.items()
    }


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
    length = max(span[1] - span[0], 1.0)
    far = (times < span[0] - _FAR * length) | (times > span[1] + _FAR * length)
    first, last = float(times[0]), float(times[-1])
    where = f"{first:g} to {last:g} s, session {span[0]:g} to {span[1]:g} s"
    if last < span[0] or first > span[1]:
        what = "all its times lie outside the session"
    elif far.any():
        what = f"{int(far.sum())} of {times.size} times lie far outside the session"
    else:
        return []
    return [f"{what} ({where}): are they in seconds, on the session's clock?"]


def load_series(series: StoredSeries) -> tuple[Series, list[str]]:
    """Read one series; also say what was done on the way.

    Raises
    ------
    ValueError
        If its times or values cannot be trusted; the message completes "<name> ...".
    """
    if series.column:
        return from_column(series)
    if series.events is not None:
        return from_events(series)
    times = read_times(series.node)
    values, done = read_values(series.node)
    written_kind = series.written_kind if values.dtype.kind != "U" else ""
    if not written_kind or times.size or values.size:
        _check_sizes(times, values)
    is_events = not written_kind and not is_series(series, times, values)
    notes = unit_notes(series.node)
    timed = np.isfinite(times)
    if not timed.all():
        notes.append(f"{int((~timed).sum())} of {times.size} samples have no time: left out")
        times, values = times[timed], values[timed]
    units = series_units(series.node)
    about = "; ".join(part for part in (described(series.node), done) if part)
    if is_events:
        made, more = as_events(series, times, values, about, units)
        return made, [*notes, *more]
    check_rising(times)
    if not written_kind:
        notes += _doubts(times, units)
        values = values[:, 0] if values.shape[1:] == (1,) else values
    period = _CIRCLES.get(units, 0.0) if series.parent == "CompassDirection" else 0.0
    made = Series(
        series.name, times, values.astype(np.float64), kind=written_kind or "series",
        units=units, description=about, path=series.path, period=period,
    )  # fmt: skip
    return made, notes


def _doubts(times: np.ndarray, units: str) -> list[str]:
    n_twice = int((np.diff(times) == 0).sum())
    lines = [f"{n_twice} of {times.size} samples have the time of the one before"]
    lines = lines if n_twice else []
    return [*lines, "the file does not say its units"] if units == "unknown" else lines


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


def check_rising(times: np.ndarray) -> None:
    """Refuse times that fall.

    Raises
    ------
    ValueError
        Where they fall, and what may have happened; the message completes "<name> ...".
    """
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
