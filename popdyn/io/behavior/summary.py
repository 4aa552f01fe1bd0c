"""Sum up a series of a file without taking in more of it than describing it needs."""

from __future__ import annotations

import numpy as np

from popdyn.io.behavior.reading import check_rising, load_series, off_the_clock
from popdyn.io.behavior.record import SeriesSummary
from popdyn.io.behavior.stored import n_samples, read_times, series_units, starting_time
from popdyn.io.behavior.time_series import StoredSeries, is_regular
from popdyn.io.tables import one_line
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.node import holds_data
from popdyn.tensor.behavior import Series

# Series of more values are described by their times, of more times by their shape.
_MOST_VALUES, _MOST_TIMES = 500_000, 5_000_000


def summarize_series(
    series: StoredSeries, span: tuple[float, float] | None = None
) -> SeriesSummary:
    """Sum up one series.

    Parameters
    ----------
    series : StoredSeries
    span : (float, float), optional
        Start and stop of the session (s).

    Returns
    -------
    SeriesSummary
        With ``problem`` where reading it would fail, and why.
    """
    if series.why_not:
        return _from_shape(series)
    try:
        if series.events is not None or series.column or _n_values(series) <= _MOST_VALUES:
            return _from_series(series, *load_series(series), span)
        return _from_times(series)
    except DAMAGE as error:
        return _from_shape(series, problem=f"{series.name} {one_line(error, 300)}")


def _n_values(series: StoredSeries) -> int:
    data = series.node.child("data") if holds_data(series.node, "data") else None
    return int(np.prod(data.shape)) if data is not None else 0


def _from_series(
    stored: StoredSeries, series: Series, notes: list[str], span: tuple[float, float] | None
) -> SeriesSummary:
    notes = [*notes, *off_the_clock(series.time, span)]
    return SeriesSummary(
        name=stored.name,
        path=stored.path.strip("/"),
        type=stored.type,
        kind=series.kind,
        n_samples=series.time.size,
        n_channels=series.values.shape[1] if series.values.ndim == 2 else 1,
        rate=_rate_of(stored, series.time) if series.kind == "series" else None,
        units=series.units,
        start=float(series.time[0]) if series.time.size else None,
        stop=float(series.time[-1]) if series.time.size else None,
        description=series.description,
        notes=tuple(f"{stored.name}: {note}" for note in notes),
    )


def _from_times(stored: StoredSeries) -> SeriesSummary:
    """Describe a long series by its times, and a very long one by its shape and rate."""
    n_times = n_samples(stored.node)
    if not holds_data(stored.node, "timestamps"):
        start, rate = starting_time(stored.node)
        return _from_shape(stored, rate=rate, start=start, stop=start + (n_times - 1) / rate)
    if n_times > _MOST_TIMES:
        return _from_shape(stored)
    times = read_times(stored.node)
    check_rising(times[np.isfinite(times)])
    return _from_shape(
        stored, rate=_rate(times), start=float(np.nanmin(times)), stop=float(np.nanmax(times))
    )


def _from_shape(
    stored: StoredSeries,
    *,
    rate: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    problem: str = "",
) -> SeriesSummary:
    data = stored.node.child("data") if holds_data(stored.node, "data") else None
    shape = data.shape if data is not None else ()
    return SeriesSummary(
        name=stored.name,
        path=stored.path.strip("/"),
        type=stored.type,
        kind=stored.written_kind
        or ("series" if stored.events is None and not stored.column else "events"),
        n_samples=n_samples(stored.node) if not stored.column else 0,
        n_channels=int(np.prod(shape[1:])) if shape else 1,
        rate=rate,
        units=series_units(stored.node) if not stored.column else "1",
        start=start,
        stop=stop,
        description="",
        notes=(),
        problem=problem,
        why_not=stored.why_not,
    )


def _rate_of(stored: StoredSeries, times: np.ndarray) -> float | None:
    """Return the rate the file states (Hz), else that of the samples."""
    stated = not holds_data(stored.node, "timestamps")
    return starting_time(stored.node)[1] if stated else _rate(times)


def _rate(times: np.ndarray) -> float | None:
    """Return the sampling rate (Hz), None where samples come at no regular times."""
    median = float(np.median(np.diff(times))) if is_regular(times) else 0.0
    return 1.0 / median if median > 0 else None
