"""pynapple's time supports and a Session's observation intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.io.bridges.foreign import Intervals, named
from popdyn.io.column_times import column_seconds
from popdyn.tensor.behavior import behavior_names

Bounds = tuple[np.ndarray, np.ndarray]


def is_group(x: Any) -> bool:
    """Whether x is like a TsGroup: a mapping with a time support of its own."""
    return isinstance(x, Mapping) and hasattr(x, "time_support")


def from_supports(
    spikes: Any, trains: list[np.ndarray], supports: list[Any], trusted: bool
) -> Intervals:
    """Observation intervals from time supports; unless trusted, a default says nothing."""
    own = [bounds_of(support) for support in supports]
    shared = bounds_of(spikes.time_support) if is_group(spikes) else _together(own)
    used = [
        shared if not trusted and _says_nothing(t, *o) else o
        for t, o in zip(trains, own, strict=True)
    ]
    owner = np.repeat(np.arange(len(used)), [u[0].size for u in used])
    start, stop = (np.concatenate([np.empty(0), *(u[side] for u in used)]) for side in (0, 1))
    return start, stop, owner


def _together(bounds: list[Bounds]) -> Bounds:
    start = np.concatenate([np.empty(0), *(b[0] for b in bounds)])
    stop = np.concatenate([np.empty(0), *(b[1] for b in bounds)])
    order = np.argsort(start, kind="stable")
    return start[order], stop[order]


def support_lines(
    spikes: Any, ids: Any, trains: list[np.ndarray], supports: list[Any], trusted: bool
) -> list[str]:
    """Say which neurons' own time support was taken for pynapple's default."""
    if trusted:
        return []
    own = [bounds_of(support) for support in supports]
    shared = bounds_of(spikes.time_support) if is_group(spikes) else _together(own)
    default = [
        _says_nothing(t, *o) and not all(map(np.array_equal, o, shared))
        for t, o in zip(trains, own, strict=True)
    ]
    if not any(default):
        return []
    line = (
        f"the time support of {sum(default)} of {len(own)} neurons is pynapple's default, from "
        f"their first to their last spike (neurons {named(np.asarray(ids)[default])}): taken as "
        "observed whenever any neuron was (observed='own' keeps to it)"
    )
    warn(line)
    return [line]


def bounds_of(support: Any) -> Bounds:
    """Return the starts and ends (s) of an IntervalSet."""
    start = np.asarray(support.start, dtype=np.float64).ravel()
    return start, np.asarray(support.end, dtype=np.float64).ravel()


def _says_nothing(times: np.ndarray, start: np.ndarray, stop: np.ndarray) -> bool:
    """Whether a time support is pynapple's default: from the first spike to the last."""
    if start.size == 0:
        return times.size < 2
    return bool(times.size and start.size == 1 and start[0] == times[0] and stop[0] == times[-1])


def to_supports(session: xr.Dataset) -> list[Bounds]:
    """Observation intervals of each neuron, joined where they touch, within the session."""
    low, high = _span(session)
    owner = session["obs_neuron"].values
    start = np.clip(session["obs_start"].values, low, high)
    stop = np.clip(session["obs_stop"].values, low, high)
    mine = [owner == neuron for neuron in range(session.sizes["neuron"])]
    return [joined(start[own], stop[own]) for own in mine]


def always_observed(session: xr.Dataset) -> bool:
    """Whether every neuron counts as observed all the time: nobody stated intervals."""
    unbounded = np.isneginf(session["obs_start"].values) & np.isposinf(session["obs_stop"].values)
    owner = session["obs_neuron"].values[unbounded]
    return bool(np.unique(owner).size == session.sizes["neuron"])


def _span(session: xr.Dataset) -> tuple[float, float]:
    """From the first to the last moment the session knows of (s)."""
    names = ["spike_time", "obs_start", "obs_stop"]
    names += [n for n in ("start_time", "stop_time") if n in session.coords]
    names += [f"{name}_time" for name in behavior_names(session)]
    moments = np.concatenate([column_seconds(session[n]) for n in names])
    moments = moments[np.isfinite(moments)]
    if not moments.size:
        message = (
            "the session has no spikes, trials, behavior or bounded observation intervals, and "
            "pynapple needs to know how long it lasted. Give make_session(..., obs=...)."
        )
        raise TensorError(message)
    low, high = float(moments.min()), float(moments.max())
    return low, max(high, low + 1e-6)


def joined(start: np.ndarray, stop: np.ndarray) -> Bounds:
    """Join intervals that overlap or touch; pynapple would take a microsecond from them."""
    order = np.argsort(start, kind="stable")
    start, stop = start[order], stop[order]
    start, stop = start[stop > start], stop[stop > start]
    if not start.size:
        return start, stop
    reach = np.maximum.accumulate(stop)
    new = np.concatenate([[True], start[1:] > reach[:-1]])
    return start[new], reach[np.concatenate([np.flatnonzero(new)[1:] - 1, [start.size - 1]])]
