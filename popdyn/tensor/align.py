"""Cut a session (or a tensor) into trials around an event: counts per bin."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.tensor.contract import bin_centers, bin_edges, bin_width_of, check, column_names
from popdyn.tensor.result import add_history
from popdyn.tensor.selection import matching
from popdyn.tensor.session import check_session, is_session, session_neurons

# Seconds: an event plus an edge may miss the end of an interval by rounding.
SLACK = 1e-9
_CARRIED = ("source", "source_id", "simultaneous", "input_digest")


def align(
    session_or_tensor: xr.Dataset | xr.DataArray,
    event: str,
    window: Sequence[float],
    bin_width: float | None = None,
    trials: Any = None,
    *,
    neurons: Any = None,
) -> xr.DataArray:
    """Align every trial to an event and count spikes in bins.

    Parameters
    ----------
    session_or_tensor : Session or tensor
        A tensor is shifted by whole bins: each trial's event is rounded to the nearest bin
        edge, and the largest shift by rounding is kept in the history.
    event : str
        A column of event times (s): on the session's clock, or relative to each trial's
        ``start_time`` where the column says ``clock = "trial"``.
    window : (float, float)
        Start and stop in seconds relative to the event; windows of different trials may
        overlap.  A whole number of bins.
    bin_width : float, optional
        In seconds; 0.010 for a session, for a tensor its own.
    trials, neurons : mapping, mask or list of ids, optional
        Selections by column values, see `popdyn.tensor.selection.matching`.

    Returns
    -------
    xarray.DataArray
        ``(neuron, time, trial)``.  From a session: ``spike_count``, float32, NaN in bins not
        wholly inside an observation interval of the neuron.  ``align_time (trial)`` is the
        session time of zero.

    Raises
    ------
    TensorError
        Unknown event or column, a window that is no whole number of bins, no trial left.

    Warns
    -----
    PopdynWarning
        When trials lack the event and are left out (``attrs["n_dropped"]``), and when an
        event column is relative to the trial's start.

    Examples
    --------
    >>> from popdyn.tensor.session import make_session
    >>> session = make_session([0.05, 1.1, 1.2], [0, 3], trials={"go_time": [0.0, 1.0]})
    >>> align(session, "go_time", (0.0, 0.3), 0.1).values[0].T.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    """
    if is_session(session_or_tensor):
        width = 0.010 if bin_width is None else float(bin_width)
        return _align_session(
            check_session(session_or_tensor), event, window, width, trials, neurons
        )
    return _align_tensor(check(session_or_tensor), event, window, bin_width, trials, neurons)


def say_if_not_seconds(bin_width: float) -> None:
    """Warn of bins so wide that they were probably meant in milliseconds."""
    if bin_width >= 5.0:
        warn(f"bins of {bin_width:g} s are very wide: are times, window and bin_width in seconds?")


def _align_session(
    session: xr.Dataset, event: str, window: Any, bin_width: float, trials: Any, neurons: Any
) -> xr.DataArray:
    edges = bin_edges(window, bin_width)
    say_if_not_seconds(bin_width)
    kept, times, n_dropped = trials_with_event(session, event, trials)
    part = (
        session
        if neurons is None
        else session_neurons(session, matching(session, "neuron", neurons))
    )
    with np.errstate(over="ignore"):  # damaged times may lie too far apart for a number
        spacing = float(np.median(np.diff(np.sort(times)))) if times.size > 2 else np.inf
    if bin_width < 5.0 and edges[-1] - edges[0] > max(60.0, 20 * spacing):
        warn(
            f"the window {edges[0]:g} to {edges[-1]:g} s is far longer than the {spacing:.3g} s "
            "between events: is it in seconds?"
        )
    counts = _counts(part, times, edges, bin_width)
    table = part.isel(trial=kept)
    coords: dict[Any, Any] = {"time": ("time", bin_centers(window, bin_width), {"units": "s"})}
    coords.update({n: c for n, c in table.coords.items() if set(c.dims) <= {"neuron", "trial"}})
    coords["align_time"] = ("trial", times, {"units": "s", "clock": "session"})
    attrs = {key: session.attrs[key] for key in _CARRIED if key in session.attrs}
    attrs |= {"units": "1", "align": event, "bin_width": bin_width, "n_dropped": n_dropped}
    attrs["popdyn"] = session.attrs.get("popdyn", "[]")
    attrs = add_history(
        attrs,
        "align",
        event=event,
        window=list(window),
        bin_width=bin_width,
        trials=trials,
        neurons=neurons,
    )
    return xr.DataArray(
        counts, dims=("neuron", "time", "trial"), coords=coords, name="spike_count", attrs=attrs
    )


def trials_with_event(
    x: xr.Dataset | xr.DataArray, event: str, trials: Any
) -> tuple[np.ndarray, np.ndarray, int]:
    """Positions of the selected trials that have the event, its session times, and the rest."""
    if x.sizes.get("trial", 0) == 0:
        message = "there are no trials to align: the source has no trial table, or no rows."
        raise TensorError(message)
    all_times = event_times(x, event)
    selected = np.flatnonzero(matching(x, "trial", trials))
    present = np.isfinite(all_times[selected])
    kept = selected[present]
    n_dropped = int(selected.size - kept.size)
    if kept.size == 0:
        message = f"none of the {selected.size} selected trials has an event {event!r} (all NaN)."
        raise TensorError(message)
    if n_dropped:
        warn(f"{n_dropped} of {selected.size} trials have no {event!r} (NaN) and were left out.")
    return kept, all_times[kept], n_dropped


def event_times(x: xr.Dataset | xr.DataArray, event: str) -> np.ndarray:
    """Return the times (s) of an event on the session's clock, one per trial.

    NaN where it is missing.  A column with ``clock = "trial"`` is added to ``start_time``,
    with a warning that says so; a column in ms is converted.

    Raises
    ------
    TensorError
        If there is no such column of numbers; the message names what could be meant.
    """
    column = _event_column(x, event)
    units = column.attrs.get("units", "unknown")
    if units not in ("s", "ms", "unknown"):
        message = f"event column {event!r} has units {units!r}; expected s or ms."
        raise TensorError(message)
    times = seconds(column)
    if column.attrs.get("clock") != "trial":
        if not (column.attrs.get("clock") or units != "unknown" or "time" in event):
            warn(
                f"nothing says that column {event!r} holds times: its values ({times.min():g} to "
                f"{times.max():g}) are taken as seconds on the session's clock."
            )
        return times
    if "start_time" not in x.coords:
        message = (
            f"event column {event!r} is relative to the trial's start, but there is no start_time."
        )
        raise TensorError(message)
    warn(f"event column {event!r} is relative to the trial's start: start_time was added.")
    return np.asarray(times + seconds(x.coords["start_time"]))


def seconds(column: xr.DataArray) -> np.ndarray:
    """Return a column of times in seconds, whichever unit it states."""
    scale = {"ms": 1e-3, "us": 1e-6}.get(str(column.attrs.get("units")), 1.0)
    return np.asarray(column.values.astype(np.float64) * scale)


def _event_column(x: xr.Dataset | xr.DataArray, event: str) -> xr.DataArray:
    names = column_names(x, "trial")
    numbers = [n for n in names if x.coords[n].dtype.kind in "fiu"]
    events = [n for n in numbers if x.coords[n].attrs.get("clock") or n.endswith("_time")]
    if event not in numbers:
        near = difflib.get_close_matches(str(event), events or numbers, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        what = "holds no numbers" if event in names else "is not a column of the trial table"
        listed = ", ".join(events or numbers) or "none"
        message = f"event {event!r} {what}.{hint} Columns that can be events: {listed}."
        raise TensorError(message)
    return x.coords[event]


def _counts(
    session: xr.Dataset, times: np.ndarray, edges: np.ndarray, bin_width: float
) -> np.ndarray:
    from popdyn.tensor.kernels import count_spikes

    shape = (session.sizes["neuron"], edges.size - 1, times.size)
    counts = np.zeros(shape, dtype=np.float32)
    starts = session["neuron_start"].values
    count_spikes(session["spike_time"].values, starts, times, edges, bin_width, counts)
    mask_unobserved(counts, session, times, edges)
    if counts.size and not any(np.isfinite(own).any() for own in counts):
        warn(
            f"no neuron was observed in any bin: all {times.size} windows, from "
            f"{times.min() + edges[0]:g} to {times.max() + edges[-1]:g} s, lie outside the "
            "observation intervals. Are events and spikes in seconds on one clock?"
        )
    return counts


def mask_unobserved(
    counts: np.ndarray, session: xr.Dataset, times: np.ndarray, edges: np.ndarray
) -> None:
    """Set bins to NaN, in place, that are not wholly inside an observation interval."""
    owner = session["obs_neuron"].values
    start, stop = session["obs_start"].values, session["obs_stop"].values
    for neuron in range(counts.shape[0]):
        own = owner == neuron
        merged_start, merged_stop = merge_intervals(start[own], stop[own])
        if merged_start.size == 1 and np.isneginf(merged_start[0]) and np.isposinf(merged_stop[0]):
            continue
        whole = inside_intervals(times + edges[0], times + edges[-1], merged_start, merged_stop)
        for trial in np.flatnonzero(~whole):
            bins = times[trial] + edges
            seen = inside_intervals(bins[:-1], bins[1:], merged_start, merged_stop)
            counts[neuron, ~seen, trial] = np.nan


def merge_intervals(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join intervals that overlap or touch; they come sorted by start."""
    if start.size == 0:
        return start, stop
    reach = np.maximum.accumulate(stop)
    new = np.concatenate([[True], start[1:] > reach[:-1] + SLACK])
    last = np.concatenate([np.flatnonzero(new)[1:] - 1, [start.size - 1]])
    return start[new], reach[last]


def inside_intervals(
    left: np.ndarray, right: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """Whether each bin lies wholly inside one of the intervals, which come from a merge."""
    if start.size == 0:
        return np.zeros(left.shape, dtype=bool)
    at = np.searchsorted(start, left + SLACK, side="right") - 1
    return np.asarray((at >= 0) & (right <= stop[np.maximum(at, 0)] + SLACK))


def _align_tensor(
    x: xr.DataArray, event: str, window: Any, bin_width: float | None, trials: Any, neurons: Any
) -> xr.DataArray:
    width = bin_width_of(x)
    if bin_width is not None and abs(bin_width - width) > 1e-9:
        message = (
            f"the tensor has bins of {width:g} s and cannot be rebinned to {bin_width:g} s; align "
            "the session itself, or leave bin_width out."
        )
        raise TensorError(message)
    centers = bin_centers(window, width)
    kept, times, n_dropped = trials_with_event(x, event, trials)
    if "align_time" not in x.coords:
        message = (
            "a tensor can be aligned anew only if it knows the session time of its zero: give "
            "make_tensor(..., align_time=...) in seconds, one per trial."
        )
        raise TensorError(message)
    part = x.isel(trial=kept, neuron=np.flatnonzero(matching(x, "neuron", neurons)))
    relative = times - part.coords["align_time"].values
    # Bin b of the new window is bin b + first of the old one, rounded to a whole bin.
    exact = (relative + centers[0] - float(x.coords["time"].values[0])) / width
    first = np.round(exact).astype(int)
    values = _shifted(np.asarray(part.values), first, centers.size)
    _say_what_is_missing(part, values, first, f"the window {tuple(window)} s around {event!r}")
    moved = part.isel(time=np.zeros(centers.size, dtype=int)).copy(data=values)
    moved = moved.assign_coords(
        time=("time", centers, {"units": "s"}),
        align_time=("trial", times - (exact - first) * width, {"units": "s", "clock": "session"}),
    )
    moved.attrs = add_history(
        {
            **x.attrs,
            "align": event,
            "bin_width": width,
            "n_dropped": n_dropped + int(x.attrs.get("n_dropped", 0)),
        },
        "align",
        event=event,
        window=list(window),
        trials=trials,
        neurons=neurons,
        largest_rounding=float(np.abs(exact - first).max() * width),
    )
    return moved


def _say_what_is_missing(part: xr.DataArray, values: Any, first: Any, window: str) -> None:
    """Warn of trials that do not fill the window, refuse a window that none reaches."""
    seen = np.isfinite(values).any(axis=0)  # (time, trial)
    simulated = _is_simulated(part)
    cure = (
        "Simulate with continuous=True and around=(before, after) in seconds, which keep time "
        "around trials."
        if simulated
        else "Align the session itself."
    )
    if not seen.any():
        message = f"{window} lies outside the tensor's time. {cure if simulated else ''}"
        raise TensorError(message.rstrip())
    outside = (first < 0) | (first + len(seen) > part.sizes["time"])
    # Shorter trials of a network end before the tensor does.
    outside |= simulated & ~seen[-1]
    if outside.any():
        whose = "what was simulated of the trial" if simulated else "the tensor's time"
        warn(
            f"in {int(outside.sum())} of {first.size} trials {window} reaches past {whose}: bins "
            f"there are NaN. {cure}"
        )


def _is_simulated(x: xr.DataArray) -> bool:
    """Tell whether a tensor comes from a network, not from spikes seen of it."""
    steps = {each.get("step") for each in json.loads(str(x.attrs.get("popdyn", "[]")))}
    return "simulate" in steps and "observe" not in steps


def _shifted(values: np.ndarray, first: np.ndarray, n_bins: int) -> np.ndarray:
    source = first[None, :] + np.arange(n_bins)[:, None]
    valid = (source >= 0) & (source < values.shape[1])
    trial = np.broadcast_to(np.arange(values.shape[2]), source.shape)
    moved = values[:, np.where(valid, source, 0), trial]
    moved[:, ~valid] = np.nan
    return np.ascontiguousarray(moved)
