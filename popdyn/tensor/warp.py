"""Trials of unequal length on one axis: piecewise linear in time between events of each trial.

What was computed is said with it: how long every segment really was, how far each trial was
stretched, and which trials are seen at which phase.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.tensor.align import event_times
from popdyn.tensor.contract import PHASE_DIMS, TIME_TOLERANCE, bin_width_of, check
from popdyn.tensor.phase import SHORTEST, Segments, make_segments, mean_in_bins, rate_in_bins
from popdyn.tensor.result import add_history
from popdyn.tensor.selection import matching
from popdyn.tensor.session import check_session, is_session, session_neurons

# What a result made from a warped tensor needs to say that, and how long phases really were.
WARP_ATTRS = ("events", "n_bins", "duration_columns", "median_durations")
_CARRIED = ("source", "source_id", "simultaneous", "input_digest")


def warp(
    session_or_tensor: xr.Dataset | xr.DataArray,
    events: Sequence[str],
    n_bins: int | Sequence[int],
    trials: Any = None,
    *,
    neurons: Any = None,
    max_stretch: float = 2.0,
) -> xr.DataArray:
    """Put trials of unequal length on a common phase axis between events.

    The time between two events of a trial is cut into equal bins, as many in every trial.  A rate
    is spikes per *real* second in its bin, so stretching does not change it.

    Parameters
    ----------
    session_or_tensor : Session or tensor
        A Session is exact: its spikes are counted in each trial's own bins.  A tensor counts as
        constant within its bins, which blurs by up to one of them.
    events : list of str
        Two or more columns of event times, in the order in which they happen.
    n_bins : int or list of int
        Bins of each segment from one event to the next; one number serves all.
    trials, neurons : mapping, mask or list of ids, optional
        Selections by column values, see `popdyn.tensor.selection.matching`.
    max_stretch : float
        Warns of trials whose segments are longer or shorter than the median by more than this
        factor.

    Returns
    -------
    xarray.DataArray
        ``(neuron, phase, trial)``, float64: ``rate`` in Hz of spikes; of any other tensor the
        time-weighted mean, with its own name and units.  ``phase`` holds bin centers, segment k
        from k to k + 1; ``segment (phase)`` its name.  For each segment the trial columns
        ``duration_<event>_<event>`` (s) and ``stretch_<event>_<event>``, the median duration
        over that of the trial (2: stretched to twice its length).  NaN in bins not wholly
        inside an observation interval, or outside a tensor's time.

    Raises
    ------
    TensorError
        Unknown events or columns, numbers of bins that do not fit, no trial left.

    Warns
    -----
    PopdynWarning
        When trials are left out (an event missing, events out of order, a segment of zero
        length; ``attrs["n_dropped"]``), when durations differ by more than `max_stretch`, when
        trials are seen in some phases only, when bins are finer than those of the tensor.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = {"cue_time": [0.0, 2.0], "go_time": [1.0, 2.5]}
    >>> session = pdn.make_session([0.1, 0.6, 2.1, 2.2, 2.3], [0, 5], trials=trials)
    >>> warped = pdn.warp(session, events=["cue_time", "go_time"], n_bins=[2])
    >>> warped.values[0].T.tolist()
    [[2.0, 2.0], [8.0, 4.0]]
    >>> warped["duration_cue_go"].values.tolist()
    [1.0, 0.5]
    """
    if not (np.isfinite(max_stretch) and max_stretch >= 1.0):
        message = f"max_stretch is a factor of at least 1, got {max_stretch!r}."
        raise TensorError(message)
    source = (
        check_session(session_or_tensor)
        if is_session(session_or_tensor)
        else check(session_or_tensor)
    )
    segments = make_segments(events, n_bins)
    kept, times, n_dropped = _whole_trials(source, segments, trials)
    part = _selected(source, kept, neurons)
    if isinstance(part, xr.Dataset):
        values, name, units = rate_in_bins(part, segments.edges(times)), "rate", "Hz"
    else:
        values, name, units = _of_tensor(part, segments, times)
    warped = xr.DataArray(values, dims=PHASE_DIMS, coords=_coords(part, segments, times), name=name)
    warped.attrs = add_history(
        {
            **{key: source.attrs[key] for key in _CARRIED if key in source.attrs},
            "units": units,
            "method": "warp",
            **_said_of(segments, times),
            "max_stretch": float(max_stretch),
            "n_dropped": n_dropped + int(source.attrs.get("n_dropped", 0)),
            "popdyn": source.attrs.get("popdyn", "[]"),
        },
        "warp",
        events=segments.events,
        n_bins=segments.n_bins,
        trials=trials,
        neurons=neurons,
    )
    _say_stretch(segments, np.diff(times), max_stretch)
    _say_survivors(np.isfinite(values).any(axis=0), times[:, -1] - times[:, 0], part)
    return warped


def _whole_trials(
    x: xr.Dataset | xr.DataArray, segments: Segments, trials: Any
) -> tuple[np.ndarray, np.ndarray, int]:
    """Positions of the trials with all events in order, their times (trial, event), the rest."""
    if x.sizes.get("trial", 0) == 0:
        message = "there are no trials to warp: the source has no trial table."
        raise TensorError(message)
    times = np.stack([event_times(x, event) for event in segments.events], axis=1)
    selected = np.flatnonzero(matching(x, "trial", trials))
    bins = np.diff(times[selected]) / segments.n_bins
    missing = ~np.isfinite(bins).all(axis=1)
    disordered = (bins < -SHORTEST).any(axis=1)
    empty = ~disordered & (bins <= SHORTEST).any(axis=1)
    reasons = {
        "lack an event (NaN)": missing,
        "have events out of order": disordered & ~missing,
        "have a segment of zero length": empty & ~missing,
    }
    whole = ~np.any(list(reasons.values()), axis=0)
    found = ", ".join(f"{which.sum()} {reason}" for reason, which in reasons.items() if which.any())
    path = ", ".join(segments.events)
    if not whole.any():
        message = (
            f"none of the {selected.size} selected trials has the events {path} one after the "
            f"other: {found}. Name events in the order in which they happen."
        )
        raise TensorError(message)
    if found:
        warn(f"of {selected.size} trials, {found} ({path}); they were left out.")
    return selected[whole], times[selected[whole]], int(selected.size - whole.sum())


def _selected(
    x: xr.Dataset | xr.DataArray, kept: np.ndarray, neurons: Any
) -> xr.Dataset | xr.DataArray:
    keep = matching(x, "neuron", neurons)
    part = x.isel(trial=kept)
    if isinstance(part, xr.Dataset):
        return part if neurons is None else session_neurons(part, keep)
    return part.isel(neuron=np.flatnonzero(keep))


def _of_tensor(
    x: xr.DataArray, segments: Segments, times: np.ndarray
) -> tuple[np.ndarray, str, str]:
    """Values, name and units of a warped tensor."""
    if "align_time" not in x.coords:
        message = (
            "a tensor can be warped only if it knows the session time of its zero: give "
            "make_tensor(..., align_time=...) in seconds, one per trial."
        )
        raise TensorError(message)
    zero = x.coords["align_time"].values
    values = mean_in_bins(x, segments.edges(times - zero[:, None]))
    if not np.isfinite(values).any():
        message = (
            f"{segments.events[0]} to {segments.events[-1]} lies outside the tensor's time "
            f"({_span(x)}) in all {len(times)} trials."
        )
        raise TensorError(message)
    width = bin_width_of(x)
    near = width * (1 - TIME_TOLERANCE)
    own = np.median(np.diff(times), axis=0) / segments.n_bins
    fine = [f"{n!r} ({w:.3g} s)" for n, w in zip(segments.names, own, strict=True) if w < near]
    if fine:
        warn(
            f"the phase bins of {', '.join(fine)} are narrower than the tensor's bins of "
            f"{width:g} s, and neighbors repeat its values: take fewer, or warp the session."
        )
    if x.name == "spike_count":
        return values, "rate", "Hz"
    return values, str(x.name), str(x.attrs["units"])


def _coords(x: xr.Dataset | xr.DataArray, segments: Segments, times: np.ndarray) -> dict[Any, Any]:
    """Columns of the tables, and what was done to each trial."""
    durations = np.diff(times)
    stretch = np.median(durations, axis=0) / durations
    own: dict[str, Any] = {
        "phase": ("phase", segments.centers, {"units": "1"}),
        "segment": ("phase", np.repeat(np.array(segments.names), segments.n_bins)),
        "align_time": ("trial", times[:, 0], {"units": "s", "clock": "session"}),
    }
    for quantity, values, units in (("duration", durations, "s"), ("stretch", stretch, "1")):
        for name, of_trial in zip(segments.columns(quantity), values.T, strict=True):
            own[name] = ("trial", of_trial, {"units": units})
    coords: dict[Any, Any] = {}
    for key, column in x.coords.items():
        name = str(key)
        if not set(column.dims) <= {"neuron", "trial"} or name == "align_time":
            continue
        # The contract's rule where the name of a column is taken.
        taken = {"file_name": name} if name in own else {}
        free = "_".join([*map(str, column.dims), name]) if taken else name
        coords[free] = (column.dims, column.values, {**taken, **column.attrs})
    return coords | own


def _said_of(segments: Segments, times: np.ndarray) -> dict[str, Any]:
    return {
        "align": segments.events[0],
        "events": json.dumps(segments.events),
        "n_bins": json.dumps(segments.n_bins),
        "duration_columns": json.dumps(segments.columns("duration")),
        "median_durations": json.dumps(np.median(np.diff(times), axis=0).tolist()),
    }


def _say_stretch(segments: Segments, durations: np.ndarray, max_stretch: float) -> None:
    """Warn of segments that some trials spend much longer or shorter in than most."""
    median = np.median(durations, axis=0)
    far = np.maximum(durations / median, median / durations) > max_stretch
    said = [
        f"{name!r} lasts {own.min():.3g} to {own.max():.3g} s (median {middle:.3g} s; "
        f"{which.sum()} of {own.size} trials)"
        for name, own, middle, which in zip(segments.names, durations.T, median, far.T, strict=True)
        if which.any()
    ]
    if said:
        warn(
            f"durations differ from the median by more than a factor of {max_stretch:g}: "
            f"{'; '.join(said)}. Warping assumes that activity scales with duration: compare with "
            "trials aligned to one event, or select trials of similar length."
        )


def _say_survivors(seen: np.ndarray, length: np.ndarray, x: xr.Dataset | xr.DataArray) -> None:
    """Warn when later phases show other trials than earlier ones; seen is (phase, trial)."""
    some, partial = seen.any(axis=0), seen.any(axis=0) & ~seen.all(axis=0)
    said = []
    if partial.any():
        counts, whole = seen.sum(axis=1), some & ~partial
        lasting = f"{np.median(length[whole]):.3g} s" if whole.any() else "none is seen throughout"
        said.append(
            f"{partial.sum()} of {length.size} trials are seen in some phases only (at the first "
            f"bin {counts[0]} trials, at the last {counts[-1]}; median length of trials seen "
            f"throughout {lasting}, of the others {np.median(length[partial]):.3g} s): phases show "
            "different trials"
        )
    if not some.all():
        said.append(f"{(~some).sum()} of {length.size} trials are seen in no phase")
    if said:
        cause = (
            "outside the observation intervals"
            if isinstance(x, xr.Dataset)
            else f"the tensor's time ({_span(x)}) or its NaN; a longer window or the session helps"
        )
        warn(f"{'. '.join(said)}. Cause: {cause}. plot.warp shows how many remain.")


def _span(x: xr.DataArray) -> str:
    half = bin_width_of(x) / 2
    first, last = x["time"].values[[0, -1]]
    return f"{first - half:g} to {last + half:g} s"
