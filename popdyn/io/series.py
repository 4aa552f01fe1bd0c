"""Behavior beside the spikes: series and events become variables of a Session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.tensor.columns import RESERVED

KINDS = ("series", "events")


def behavior_names(session: xr.Dataset) -> list[str]:
    """Names of the behavior series of a Session, in order.

    Examples
    --------
    >>> behavior_names(xr.Dataset(attrs={"behavior": '["pupil"]'}))
    ['pupil']
    """
    return [str(name) for name in json.loads(session.attrs.get("behavior", "[]"))]


def add_series(
    session: xr.Dataset,
    name: str,
    times: Any,
    values: Any = None,
    *,
    kind: str = "series",
    channels: Sequence[Any] | None = None,
    units: str = "unknown",
    description: str = "",
    path: str = "",
) -> xr.Dataset:
    """Return the Session with one more behavior series.

    Parameters
    ----------
    session : Session
    name : str
        Where the session has that name already, it becomes ``behavior_<name>``.
    times : array_like (sample,)
        Seconds on the session's clock, in any order; samples without a time are left out.
    values : array_like (sample,) or (sample, channel), optional
        One for every event by default.
    kind : {"series", "events"}
        Whether values are averaged or counted when they are binned.
    channels : sequence, optional
        Names of the channels.
    units, description, path : str
        Units of the values, what they are, and where they come from.

    Returns
    -------
    xarray.Dataset
        With a variable ``<name> (<name>_time[, <name>_channel])``, float64, listed in
        ``attrs["behavior"]``.

    Raises
    ------
    TensorError
        If sizes do not fit.

    Warns
    -----
    PopdynWarning
        When samples without a time are left out.
    """
    time = np.asarray(times, dtype=np.float64).ravel()
    array = np.ones(time.size) if values is None else _numbers(name, values)
    if array.ndim not in (1, 2) or array.shape[0] != time.size:
        message = (
            f"behavior {name!r} has {time.size} times and values of shape {array.shape}; expected "
            "one value, or one row of channels, per time."
        )
        raise TensorError(message)
    timed = np.isfinite(time)
    if not timed.all():
        warn(f"{int((~timed).sum())} of {time.size} samples of {name!r} have no time: left out.")
    order = np.flatnonzero(timed)[np.argsort(time[timed], kind="stable")]
    new = _free_name(session, name)
    dims = (f"{new}_time", f"{new}_channel")[: array.ndim]
    attrs = {"units": units, "kind": kind, "description": description, "path": path}
    if new != name:
        attrs["file_name"] = name
    coords: dict[str, Any] = {dims[0]: (dims[0], time[order], {"units": "s", "clock": "session"})}
    if array.ndim == 2 and channels is not None:
        coords[dims[1]] = (dims[1], _labels(channels))
    variable = xr.DataArray(np.ascontiguousarray(array[order]), dims=dims, attrs=attrs)
    wider = session.assign({new: variable}).assign_coords(coords)
    wider.attrs["behavior"] = json.dumps([*behavior_names(session), new])
    return wider


def _numbers(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values).astype(np.float64)
    except (TypeError, ValueError) as error:
        message = f"the values of behavior {name!r} are no numbers: {values!r:.60}."
        raise TensorError(message) from error


def _labels(channels: Sequence[Any]) -> np.ndarray:
    labels = np.asarray(list(channels))
    return labels if labels.dtype.kind in "iuf" else labels.astype(str)


def _free_name(session: xr.Dataset, name: str) -> str:
    """Return a name that the session has no variable, dim or column for."""
    taken = {str(key) for key in (*session.variables, *session.dims)} | RESERVED
    plain = (str(name).replace("/", "_").strip()) or "series"
    new = plain
    while {new, f"{new}_time", f"{new}_channel"} & taken:
        new = f"behavior_{plain}" if new == plain else f"{new}_"
    return new
