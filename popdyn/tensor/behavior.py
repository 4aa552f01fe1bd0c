"""What the animal did beside what its neurons did: series and events, on the bins of the spikes.

A behavior series lies in a Session as a variable with its own times; `align_behavior` brings it
onto the trials and bins that `popdyn.align` makes of the spikes.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tensor.align import say_if_not_seconds, trials_with_event
from popdyn.tensor.columns import RESERVED
from popdyn.tensor.contract import bin_centers, bin_edges, text
from popdyn.tensor.result import add_history
from popdyn.tensor.samples import bin_counts, bin_means
from popdyn.tensor.session import check_session

KINDS = ("series", "events")
_CARRIED = ("source", "source_id", "simultaneous", "input_digest")


@dataclass(frozen=True, eq=False)
class Series:
    """One behavior series, as it goes into a Session.

    Attributes
    ----------
    name : str
    time : numpy.ndarray (sample,)
        Seconds on the session's clock, rising.
    values : numpy.ndarray (sample,) or (sample, channel)
        Of events: whatever the file says of each; with channels, not 0 in those it belongs to.
    kind : {"series", "events"}
        Whether samples are averaged or counted in a bin.
    units, description, path : str
        Units of the values, what they are, where they come from.
    channels : tuple of str
        Names of the channels, where they have some.
    period : float
        Full circle in the units of the values where they are angles; 0 where they are not.
    notes : tuple of str
        What looks wrong, in words for people.
    """

    name: str
    time: np.ndarray
    values: np.ndarray
    kind: str = "series"
    units: str = "unknown"
    description: str = ""
    path: str = ""
    channels: tuple[str, ...] = field(default=())
    period: float = 0.0
    notes: tuple[str, ...] = field(default=())


def behavior_names(session: xr.Dataset) -> list[str]:
    """Names of the behavior series of a Session, in order.

    Examples
    --------
    >>> behavior_names(xr.Dataset(attrs={"behavior": '["pupil"]'}))
    ['pupil']
    """
    return [str(name) for name in json.loads(session.attrs.get("behavior", "[]"))]


def add_behavior(session: xr.Dataset, series: Series | Iterable[Series]) -> xr.Dataset:
    """Return a Session with behavior series.

    Parameters
    ----------
    session : Session
    series : Series or iterable of Series

    Returns
    -------
    Session
        With a variable ``<name> (<name>_time[, <name>_channel])`` for each, float64, listed in
        ``attrs["behavior"]`` (JSON).  A name that the session has already becomes
        ``behavior_<name>``, and ``attrs["file_name"]`` of the variable keeps what it was.

    Raises
    ------
    TensorError
        If times do not rise or are not finite, or sizes do not fit.

    Examples
    --------
    >>> from popdyn.tensor.session import make_session
    >>> session = make_session([0.5], [0, 1], trials={"start_time": [0.0]})
    >>> pupil = Series("pupil", np.arange(4) / 2, np.array([1.0, 2.0, 3.0, 4.0]), units="mm")
    >>> wider = add_behavior(session, pupil)
    >>> wider["pupil"].dims, wider.attrs["behavior"]
    (('pupil_time',), '["pupil"]')
    """
    wider = check_session(session)
    for one in [series] if isinstance(series, Series) else series:
        wider = _with_series(wider, one)
    return wider


def _with_series(session: xr.Dataset, series: Series) -> xr.Dataset:
    time = np.array(series.time, dtype=np.float64)
    values = np.array(series.values, dtype=np.float64)
    _check_series(series, time, values)
    name = _free_name(session, series.name)
    dims = (f"{name}_time", f"{name}_channel")[: values.ndim]
    attrs: dict[str, Any] = {
        "units": series.units, "kind": series.kind, "description": series.description,
        "path": series.path,
    }  # fmt: skip
    if series.kind == "series" and time.size > 1:
        attrs["sampling_interval"] = float(np.median(np.diff(time)))
    if series.period:
        attrs["period"] = float(series.period)
    if name != series.name:
        attrs["file_name"] = series.name
    coords: dict[str, Any] = {dims[0]: (dims[0], time, {"units": "s", "clock": "session"})}
    if values.ndim == 2:
        labels = series.channels or tuple(str(k) for k in range(values.shape[1]))
        coords[dims[1]] = (dims[1], text(list(labels)))
    wider = session.assign_coords(coords).assign({name: (dims, values, attrs)})
    wider.attrs["behavior"] = json.dumps([*behavior_names(session), name])
    return wider


def _check_series(series: Series, time: np.ndarray, values: np.ndarray) -> None:
    where = f"behavior {series.name!r}"
    if series.kind not in KINDS:
        message = f"{where}: kind must be one of {', '.join(KINDS)}, got {series.kind!r}."
        raise TensorError(message)
    if time.ndim != 1 or values.ndim not in (1, 2) or values.shape[0] != time.size:
        message = (
            f"{where} has times of shape {time.shape} and values of shape {values.shape}; expected "
            "one value, or one row of channels, for each time."
        )
        raise TensorError(message)
    if series.channels and (values.ndim == 1 or len(series.channels) != values.shape[1]):
        message = (
            f"{where} has {len(series.channels)} names of channels for values of shape "
            f"{values.shape}; expected one name for each channel."
        )
        raise TensorError(message)
    if not np.isfinite(time).all():
        message = f"{where}: {int((~np.isfinite(time)).sum())} of {time.size} times are not finite."
        raise TensorError(message)
    falls = np.flatnonzero(np.diff(time) < 0)
    if falls.size:
        at = int(falls[0])
        message = (
            f"{where}: times must rise, but fall {falls.size} times, first from {time[at]:g} to "
            f"{time[at + 1]:g} s at sample {at + 1}."
        )
        raise TensorError(message)


def _free_name(session: xr.Dataset, name: str) -> str:
    """Return a name that neither the session nor its tensors need for something else."""
    taken = {str(key) for key in (*session.variables, *session.dims)} | RESERVED
    plain = name.replace("/", "_").replace(":", "_").strip() or "series"
    new = plain
    while {new, f"{new}_time", f"{new}_channel"} & taken:
        new = f"behavior_{plain}" if new == plain else f"{new}_"
    return new


def align_behavior(
    session: xr.Dataset,
    event: str,
    window: Sequence[float],
    bin_width: float | None = None,
    trials: Any = None,
    *,
    series: str | Sequence[str] | None = None,
) -> xr.Dataset:
    """Bring behavior onto the trials and bins that `popdyn.align` makes of the spikes.

    Parameters
    ----------
    session : Session
        With behavior, from ``read_session(..., behavior=[...])``.
    event, window, bin_width, trials
        As for `popdyn.align`; trials without the event are left out as there.
    series : str or list of str, optional
        Names of behavior series; all of them by default.

    Returns
    -------
    xarray.Dataset
        A variable ``(time, trial)`` or ``(<name>_channel, time, trial)``, float64, for each:

        *series*: mean of the samples in the half-open bin, samples that are NaN left out.  A bin
        without samples takes the straight line between its neighbors, at its center, if these
        are at most three sampling intervals (the median) apart; else NaN.  Where sampling is
        slower than the bins, every bin takes the line at its center.  Nothing goes beyond the
        first and the last sample.  Angles are averaged on the circle.

        *events*: how many fall into the bin; with channels, how many of each.

        The bins, trials and columns are those of the tensor, so that
        ``xr.Dataset({"spike_count": tensor, **behavior})`` holds both.

    Raises
    ------
    TensorError
        As for `popdyn.align`; also if the session has no such behavior.

    Warns
    -----
    PopdynWarning
        When trials lack the event.

    Examples
    --------
    >>> from popdyn.tensor.session import make_session
    >>> session = make_session([0.5], [0, 1], trials={"go_time": [1.0]})
    >>> pupil = Series("pupil", np.arange(9) / 4, np.arange(9.0), units="mm")
    >>> align_behavior(add_behavior(session, pupil), "go_time", (0, 1), 0.5)["pupil"].values.T
    array([[4.5, 6.5]])
    """
    checked = check_session(session)
    names = _wanted(checked, series)
    width = 0.010 if bin_width is None else float(bin_width)
    edges, centers = bin_edges(window, width), bin_centers(window, width)
    say_if_not_seconds(width)
    kept, times, n_dropped = trials_with_event(checked, event, trials)
    table = checked.isel(trial=kept)
    coords: dict[Any, Any] = {"time": ("time", centers, {"units": "s"})}
    coords |= {name: coord for name, coord in table.coords.items() if coord.dims == ("trial",)}
    coords["align_time"] = ("trial", times, {"units": "s", "clock": "session"})
    attrs = {key: checked.attrs[key] for key in _CARRIED if key in checked.attrs}
    attrs |= {"align": event, "bin_width": width, "n_dropped": n_dropped}
    attrs["popdyn"] = checked.attrs.get("popdyn", "[]")
    attrs = add_history(
        attrs, "align_behavior", event=event, window=list(window), bin_width=width, trials=trials,
        series=names,
    )  # fmt: skip
    result = xr.Dataset(coords=coords, attrs=attrs)
    for name in names:
        result[name] = _binned(checked[name], times, edges, centers, attrs)
    return result


def _wanted(session: xr.Dataset, series: str | Sequence[str] | None) -> list[str]:
    there = behavior_names(session)
    if not there:
        message = (
            "the session has no behavior. Read it with the session: popdyn.read_session(path, "
            "behavior=[...]); popdyn.describe_nwb(path) lists what a file holds."
        )
        raise TensorError(message)
    names = there if series is None else [series] if isinstance(series, str) else list(series)
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(str(name), there, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            message = f"the session has no behavior {name!r}.{hint} It has {', '.join(there)}."
            raise TensorError(message)
    return names


def _binned(
    variable: xr.DataArray,
    times: np.ndarray,
    edges: np.ndarray,
    centers: np.ndarray,
    attrs: dict[str, Any],
) -> xr.DataArray:
    time = np.asarray(variable[variable.dims[0]].values)
    values = np.asarray(variable.values)
    is_events = variable.attrs.get("kind") == "events"
    columns = values[:, None] if values.ndim == 1 else values
    left = times[:, None] + edges[None, :]
    center = times[:, None] + centers[None, :]
    parts = []
    for k in range(columns.shape[1]):
        if is_events:
            mine = time if values.ndim == 1 else time[_marked(columns[:, k])]
            parts.append(bin_counts(mine, left))
        else:
            interval = float(variable.attrs.get("sampling_interval", np.nan))
            period = float(variable.attrs.get("period", 0.0))
            parts.append(bin_means(time, columns[:, k], left, center, interval, period))
    # (trial, bin) becomes (bin, trial), as in tensors.
    stacked = np.ascontiguousarray(np.stack([part.T for part in parts]))
    about = {key: value for key, value in variable.attrs.items() if key != "sampling_interval"}
    about |= {key: attrs[key] for key in ("align", "bin_width", "n_dropped", "popdyn")}
    if is_events:
        about["units"] = "1"
    if values.ndim == 1:
        return xr.DataArray(stacked[0], dims=("time", "trial"), attrs=about)
    channel = variable.dims[1]
    return xr.DataArray(
        stacked, dims=(channel, "time", "trial"), attrs=about,
        coords={channel: variable[channel].variable},
    )  # fmt: skip


def _marked(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.isfinite(values) & (values != 0))
