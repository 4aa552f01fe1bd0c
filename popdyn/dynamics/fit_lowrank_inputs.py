"""What a network that is fitted to activity is shown: inputs on its steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError

Array = NDArray[np.float64]

# Part of a bin by which times may differ.
_ROUNDING = 1e-3


def read_inputs(inputs: Any, activity: xr.DataArray, width: float, every: int, lag: Any) -> Array:
    """Return inputs (item, step, channel), delayed, from their first bin to the last of activity.

    Raises
    ------
    TensorError
        If they are no inputs, or their times or items are not those of the activity.
    FitError
        If they do not vary.
    """
    item = str(activity.dims[2])
    steps = width / every
    per_bin = 1
    if isinstance(inputs, xr.Dataset) and item == "condition":
        message = (
            "the activity is of conditions and the inputs of single trials: give a DataArray "
            "(channel, time, condition) with what the neurons hear in each condition"
        )
        raise TensorError(message)
    if isinstance(inputs, xr.Dataset):
        inputs, per_bin = _of_trials(inputs, activity, steps), every
    expected = ("channel", "time", item)
    if not isinstance(inputs, xr.DataArray) or set(inputs.dims) != set(expected):
        found = inputs.dims if isinstance(inputs, xr.DataArray) else type(inputs).__name__
        message = (
            f"inputs must be a DataArray with dims {expected}, or the trials of a task "
            f"(Dataset with inputs (channel, step_time, trial)); found {found}"
        )
        raise TensorError(message)
    ordered = _same_items(inputs.transpose(item, "time", "channel"), activity)
    values: Array = _on_time(ordered, activity, width, per_bin)
    values = np.repeat(values, every // per_bin, axis=1)
    _check_varying(values, inputs, item)
    return _halfway(_delayed(values, lag, steps))


def _of_trials(trials: xr.Dataset, activity: xr.DataArray, dt: float) -> xr.DataArray:
    """Return inputs of a task's trials on steps of `dt`, whose times are centers of the steps.

    Raises
    ------
    TensorError
        If they are no trials, or have other steps.
    """
    if "inputs" not in trials or "step_time" not in trials["inputs"].dims:
        message = (
            "inputs must be the trials of a task, with inputs (channel, step_time, trial), or a "
            f"DataArray of them; found a Dataset of {', '.join(map(str, trials.data_vars))}"
        )
        raise TensorError(message)
    if activity.attrs.get("align", "start_time") not in ("", "start_time"):
        message = (
            f"the activity is aligned to {activity.attrs['align']!r}, the inputs of trials start "
            "with the trial: align the activity to 'start_time', or give inputs as a DataArray on "
            "its times"
        )
        raise TensorError(message)
    given = trials["inputs"].transpose("trial", "step_time", "channel")
    own = float(trials.attrs.get("dt", np.diff(trials["step_time"].to_numpy()[:2]).sum()))
    values: Array = given.to_numpy()
    if own >= dt * (1 - _ROUNDING):
        times = round(own / dt)
        values, matches = np.repeat(values, times, axis=1), abs(own - times * dt)
    else:
        times = round(dt / own)
        whole = values.shape[1] // times
        parts = values[:, : whole * times].reshape(len(values), whole, times, -1)
        values, matches = parts.mean(axis=2), abs(dt - times * own)
    if matches > _ROUNDING * dt:
        message = (
            f"inputs have steps of {own:g} s, the network of {dt:g} s: one must be a whole number "
            f"of the other, give dt={own:g} or sample the trials with another dt"
        )
        raise TensorError(message)
    coords: dict[str, Any] = {
        str(name): coord
        for name, coord in given.coords.items()
        if coord.dims in (("trial",), ("channel",))
    }
    coords["time"] = (np.arange(values.shape[1]) + 0.5) * dt
    return xr.DataArray(values, dims=("trial", "time", "channel"), coords=coords)


def _same_items(inputs: xr.DataArray, activity: xr.DataArray) -> xr.DataArray:
    """Return inputs in the order of the trials or conditions of the activity.

    Raises
    ------
    TensorError
        If they are others.
    """
    item = str(activity.dims[2])
    wanted = activity[item].to_numpy().astype(str)
    if item not in inputs.coords:
        if inputs.sizes[item] == len(wanted):
            return _same_columns(inputs, activity)
        found = f"{inputs.sizes[item]} without ids"
    else:
        ids = inputs[item].to_numpy().astype(str)
        place = {name: at for at, name in enumerate(ids.tolist())}
        if all(name in place for name in wanted.tolist()):
            ordered = inputs.isel({item: [place[name] for name in wanted.tolist()]})
            return _same_columns(ordered, activity)
        lost = [name for name in wanted.tolist() if name not in place]
        found = f"none for {', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}"
    message = f"inputs must be of the {len(wanted)} {item}s of the activity; found {found}"
    raise TensorError(message)


def _same_columns(inputs: xr.DataArray, activity: xr.DataArray) -> xr.DataArray:
    """Return inputs of trials, whose columns are those of the activity where both have them.

    Times of events may be on other clocks.

    Raises
    ------
    TensorError
        Naming the column in which most trials disagree.
    """
    shared = [
        str(name)
        for name, column in inputs.coords.items()
        if column.dims == ("trial",)
        and name != "trial"
        and not str(name).endswith("_time")
        and name in activity.coords
        and activity[name].dims == ("trial",)
    ]
    differ = {name: _differ(inputs[name].to_numpy(), activity[name].to_numpy()) for name in shared}
    worst = max(shared, key=lambda name: int(differ[name].sum()), default="")
    if worst and differ[worst].any():
        where = differ[worst]
        first = int(where.argmax())
        heard, seen = (of[worst].to_numpy()[first] for of in (inputs, activity))
        message = (
            f"inputs are of other trials than the activity: their {worst!r} disagrees in "
            f"{int(where.sum())} of {where.size} trials (first: {heard} of the inputs, {seen} of "
            "the activity). Give the trials in which the activity was recorded; a column that may "
            f"differ is left out with .drop_vars({worst!r})"
        )
        raise TensorError(message)
    return inputs


def _differ(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where two columns of trials differ by more than rounding."""
    if one.dtype.kind in "biuf" and other.dtype.kind in "biuf":
        close = np.isclose(one.astype(float), other.astype(float), rtol=1e-5, equal_nan=True)
        return np.asarray(~close)
    return np.asarray(one.astype(str) != other.astype(str))


def _on_time(inputs: xr.DataArray, activity: xr.DataArray, width: float, every: int) -> Array:
    """Return values (item, step, channel) up to the end of the activity.

    They may start earlier, on the same grid: the network then runs before activity counts.

    Raises
    ------
    TensorError
        If the times do not agree.
    """
    step = width / every
    time = activity["time"].to_numpy().astype(float)
    # Centers of the steps of the bins.
    first, last = time[0] - width / 2 + step / 2, time[-1] + width / 2 - step / 2
    found = inputs["time"].to_numpy().astype(float) if "time" in inputs.coords else None
    if found is None and inputs.sizes["time"] == len(time):
        return np.asarray(inputs.to_numpy(), dtype=np.float64)
    message = (
        f"inputs must be on the times of the activity, {first:g} to {last:g} s in steps of "
        f"{step:g} s, or start earlier on the same grid; found "
    )
    if found is None:
        raise TensorError(message + f"{inputs.sizes['time']} bins without times")
    at, stop = (int(np.abs(found - edge).argmin()) for edge in (first, last))
    slack = _ROUNDING * step
    fits = abs(found[at] - first) <= slack and abs(found[stop] - last) <= slack
    grid = first + step * (np.arange(stop + 1) - at)
    if not fits or np.abs(found[: stop + 1] - grid).max() > 10 * slack:
        spans = f"{found[0]:g} to {found[-1]:g} in {len(found)} bins"
        ms = 100 < (found[-1] - found[0] + step) / (last - first + step) < 10000
        raise TensorError(message + spans + ("; are these ms?" if ms else ""))
    return np.asarray(inputs.to_numpy()[:, : stop + 1], dtype=np.float64)


def _check_varying(values: Array, inputs: xr.DataArray, item: str) -> None:
    """Refuse channels that are constant, and inputs that tell no conditions apart.

    Raises
    ------
    FitError
        Naming the channel.
    """
    with np.errstate(invalid="ignore"):
        spread = np.nanmax(values, axis=(0, 1)) - np.nanmin(values, axis=(0, 1))
    if not (spread > 0).all():
        at = int(np.flatnonzero(~(spread > 0))[0])
        name = inputs["channel"].to_numpy()[at] if "channel" in inputs.coords else at
        message = (
            f"channel {name} of the inputs does not vary: it is the same in all bins of all "
            f"{item}s. Leave it out; learn=('bias', ...) fits a constant input to each neuron"
        )
        raise FitError(message)
    if np.array_equal(values, np.broadcast_to(values[:1], values.shape), equal_nan=True):
        message = (
            f"inputs are the same in all {len(values)} {item}s: a network cannot tell them apart, "
            "and none can be held out. Give inputs that differ between conditions"
        )
        raise FitError(message)


def _delayed(values: Array, lag: Any, dt: float) -> Array:
    """Return inputs that arrive later, the first value before.

    Raises
    ------
    TensorError
        If a lag is no number of seconds within the inputs, or no whole number of steps.
    """
    n_steps, n_channels = values.shape[1:]
    try:
        lags = np.broadcast_to(np.asarray(lag, dtype=np.float64), n_channels)
    except (TypeError, ValueError):
        lags = np.array([np.nan])
    if not (np.isfinite(lags) & (lags >= 0)).all():
        message = (
            f"lag must be seconds from an input to its effect, at least 0, one number or one for "
            f"each of {n_channels} channels; found {lag!r:.60}"
        )
        raise TensorError(message)
    shift = np.rint(lags / dt).astype(int)
    if (shift >= n_steps).any():
        message = (
            f"lag={lags.max():g} s is longer than the inputs, {n_steps * dt:g} s: lags are in "
            f"seconds (50 ms is 0.05)"
        )
        raise TensorError(message)
    between = np.abs(lags / dt - shift) > _ROUNDING
    if between.any():
        lag = float(lags[between][0])
        near = [number * dt for number in (np.floor(lag / dt), np.ceil(lag / dt))]
        message = (
            f"lag must be a whole number of steps of {dt:g} s, found {lag:g} s; the nearest are "
            f"{near[0]:g} and {near[1]:g} s. Shorter steps (dt) allow others"
        )
        raise TensorError(message)
    later = np.maximum(np.arange(n_steps)[:, None] - shift, 0)
    return np.ascontiguousarray(values[:, later, np.arange(n_channels)])


def _halfway(values: Array) -> Array:
    """Return inputs that take states from halfway through one step to halfway through the next.

    Activity in a bin is the mean over it, as `simulate` records it, which is where the straight
    line of a step is halfway.  Means of neighboring states follow the same equation, but for the
    bend of the nonlinearity, with means of neighboring inputs.  Of the first step half is made
    (`Circuit.first`), with its own inputs.
    """
    halfway: Array = values.astype(np.float64)
    halfway[:, 1:] = (values[:, 1:] + values[:, :-1]) / 2
    return halfway
