"""What is a trial?  Start, duration, gap to the next, and every event after the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.tensor.contract import column_names

Floats = NDArray[np.float64]
_SCALE = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_SECONDS = ("s", "unknown", *_SCALE)


@dataclass(frozen=True, eq=False)
class Trials:
    """Times of the trials (s): starts and stops on the session's clock, events after the start."""

    ids: NDArray[Any]
    start: Floats
    stop: Floats
    events: tuple[str, ...]
    clocks: tuple[str, ...]
    event_time: Floats

    @property
    def duration(self) -> Floats:
        """Stop minus start, NaN without a stop."""
        return self.stop - self.start

    @property
    def gap(self) -> Floats:
        """From the stop of each trial to the next start, negative where trials overlap."""
        gap = np.full(self.start.size, np.nan)
        order = np.argsort(self.start, kind="stable")
        order = order[np.isfinite(self.start[order])]
        gap[order[:-1]] = self.start[order[1:]] - self.stop[order[:-1]]
        return gap

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of a result."""
        session = {"units": "s", "clock": "session"}
        return {
            "start_time": ("trial", self.start, session),
            "duration": ("trial", self.duration, {"units": "s"}),
            "gap": ("trial", self.gap, {"units": "s"}),
            "event_time": (("event", "trial"), self.event_time, {"units": "s", "clock": "trial"}),
        }

    @property
    def coords(self) -> dict[str, Any]:
        """The coordinates of a result."""
        return {
            "trial": self.ids,
            "event": np.array(self.events, dtype=np.str_),
            "event_clock": ("event", np.array(self.clocks, dtype=np.str_)),
        }


def trial_structure(session: xr.Dataset) -> Trials:
    """Collect the times of the trials of a Session.

    Parameters
    ----------
    session : Session
        Columns with ``clock``, or named ``*_time``, are events.  Without ``start_time`` the
        first event of each trial stands for its start.

    Returns
    -------
    Trials

    Examples
    --------
    >>> from popdyn.tensor.session import make_session
    >>> table = {"start_time": [1.0, 3.0], "stop_time": [2.0, 4.0], "go_time": [1.5, 3.25]}
    >>> found = trial_structure(make_session([0.0], [0, 1], trials=table))
    >>> found.events, found.event_time[0].tolist(), found.gap.tolist()
    (('go_time', 'stop_time'), [0.5, 0.25], [1.0, nan])
    """
    n_trials = session.sizes.get("trial", 0)
    names = _events(session)
    clocks = {name: str(session.coords[name].attrs.get("clock", "session")) for name in names}
    times = {name: _seconds(session.coords[name]) for name in names}
    on_session = [times[name] for name in names if clocks[name] == "session"]
    start = times.get("start_time", _first(on_session, n_trials))
    events = [name for name in names if name not in ("start_time", "stop_time")]
    events += [name for name in names if name == "stop_time"]
    relative = [times[n] - (start if clocks[n] == "session" else 0.0) for n in events]
    missing = np.full(n_trials, np.nan)
    ids = session.coords["trial"].values if "trial" in session.coords else np.arange(n_trials)
    return Trials(
        ids=ids,
        start=start,
        stop=times.get("stop_time", missing),
        events=tuple(events),
        clocks=tuple(clocks[name] for name in events),
        event_time=np.stack(relative) if relative else np.zeros((0, n_trials)),
    )


def _events(session: xr.Dataset) -> list[str]:
    """Columns of the trial table that hold times, in the order of the table."""
    if "trial" not in session.dims:
        return []
    columns = {name: session.coords[name] for name in column_names(session, "trial")}
    return [
        name
        for name, column in columns.items()
        if column.dtype.kind in "fiu"
        and (column.attrs.get("clock") or name.endswith("_time"))
        and column.attrs.get("units", "unknown") in _SECONDS
    ]


def _seconds(column: xr.DataArray) -> Floats:
    scale = _SCALE.get(str(column.attrs.get("units")), 1.0)
    return np.asarray(column.values.astype(np.float64) * scale)


def _first(times: list[Floats], n_trials: int) -> Floats:
    """Earliest of several times in each trial, NaN where there is none."""
    if not times:
        return np.full(n_trials, np.nan)
    first = np.min(np.where(np.isfinite(times), times, np.inf), axis=0)
    return np.where(np.isfinite(first), first, np.nan)


def trial_ends(trials: Trials) -> Floats:
    """End of each trial: its stop, else the next start, else a median later (s)."""
    order = np.argsort(trials.start, kind="stable")
    after = np.full(trials.start.size, np.nan)
    after[order[:-1]] = trials.start[order[1:]]
    end = np.where(np.isfinite(trials.stop), trials.stop, after)
    length = end - trials.start
    known = length[np.isfinite(length)]
    typical = float(np.median(known)) if known.size else 1.0
    return np.where(np.isfinite(end), end, trials.start + typical)
