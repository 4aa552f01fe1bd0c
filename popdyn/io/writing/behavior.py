"""Behavior series of a Session (position, pupil, licks) as NWB time series."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.io.writing.content import plain_value, stored_array
from popdyn.io.writing.restore import SeriesRecord
from popdyn.tensor.behavior import behavior_names

_NOT_IN_NAMES = re.compile(r"[/\\:]")


def add_series(content: Any, session: xr.Dataset) -> tuple[SeriesRecord, ...]:
    """Write the behavior series of a session into ``processing/behavior``.

    Series become TimeSeries, events TimeSeries inside one BehavioralEvents.  Returns what the
    record keeps of them.

    Raises
    ------
    TensorError
        If ``attrs["behavior"]`` names what the session does not have.
    """
    names = _names(session)
    if not names:
        return ()
    from pynwb.behavior import BehavioralEvents

    module = content.create_processing_module(
        name="behavior", description="Behavior on the clock of the session"
    )
    events, records = [], []
    for name in names:
        is_event = session[name].attrs.get("kind") == "events"
        records.append(_record(session, name, "BehavioralEvents/" if is_event else ""))
        series = _time_series(name, session[name], session[f"{name}_time"].values)
        if is_event:
            events.append(series)
        else:
            module.add(series)
    if events:
        module.add(BehavioralEvents(name="BehavioralEvents", time_series=events))
    return tuple(records)


def _record(session: xr.Dataset, name: str, folder: str) -> SeriesRecord:
    dim = f"{name}_channel"
    labels = session[dim].values.tolist() if dim in session.coords else []
    attrs = {str(key): plain_value(value) for key, value in session[name].attrs.items()}
    stored = f"processing/behavior/{folder}{_NOT_IN_NAMES.sub('_', name)}"
    return SeriesRecord(path=stored, attrs=attrs, channels=tuple(map(str, labels)))


def _names(session: xr.Dataset) -> list[str]:
    names = behavior_names(session)
    for name in names:
        if name not in session or f"{name}_time" not in session.coords:
            message = (
                f"attrs['behavior'] names {name!r}, but the session has no variable {name!r} with "
                f"times {name}_time (s)."
            )
            raise TensorError(message)
    return names


def _time_series(name: str, series: xr.DataArray, times: np.ndarray) -> Any:
    from pynwb import TimeSeries

    clock: dict[str, Any] = {"timestamps": stored_array(times)}
    rate = _exact_rate(times) if series.attrs.get("kind") != "events" else None
    if rate is not None:
        clock = {"starting_time": float(times[0]), "rate": rate}
    units = str(series.attrs.get("units") or "unknown")
    return TimeSeries(
        name=_NOT_IN_NAMES.sub("_", name),
        data=stored_array(np.asarray(series.values)),
        unit=units,
        description=str(series.attrs.get("description") or f"{name} ({units})"),
        **clock,
    )


def _exact_rate(times: np.ndarray) -> float | None:
    """Return the rate (Hz) with which ``start + i / rate`` is these times bit for bit, if any."""
    if times.size < 3:
        return None
    mean = (times.size - 1) / (times[-1] - times[0]) if times[-1] > times[0] else 0.0
    steps = np.arange(times.size)
    for rate in (float(round(mean)), float(f"{mean:.9g}"), float(mean)):
        if rate > 0 and np.array_equal(times[0] + steps / rate, times):
            return rate
    return None
