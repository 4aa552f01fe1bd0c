"""What the neurons of a source hear: inputs on the bins of the comparison, trial by trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.comparison.performed import Performed
from popdyn.comparison.sources import Prepared
from popdyn.errors import TensorError
from popdyn.tensor.contract import bin_width_of
from popdyn.tensor.selection import find_column
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]


def inputs_of(source: Prepared, columns: Mapping[str, tuple[float, float]] | None) -> xr.DataArray:
    """Return the inputs of a source: what its network was shown, or columns of its trials.

    Parameters
    ----------
    source : Prepared
        The source, matched.
    columns : mapping of str to (float, float), optional
        Trial columns, each with the window (s) in which it is heard.

    Returns
    -------
    DataArray
        ``(channel, time, trial)`` on the bins of the tensor; those of a network from the first
        start of a trial on, 0 before and after a trial.

    Raises
    ------
    TensorError
        If there are none, or a column has no value in some trial.
    """
    if columns is not None:
        return _of_columns(source.tensor, columns)
    if source.performed is None:
        message = (
            f"this {source.kind} has no inputs: say which columns of its trials its neurons hear, "
            "and when (s), with inputs = {stimulus = [0.0, 0.5]} for instance"
        )
        raise TensorError(message)
    return _of_network(source.tensor, source.performed)


def average_inputs(inputs: xr.DataArray, tensor: xr.DataArray, by: list[str]) -> xr.DataArray:
    """Average inputs over the trials of each condition: ``(channel, time, condition)``."""
    groups = group_conditions(tensor, by)
    values = inputs.transpose("channel", "time", "trial").to_numpy()
    means = [values[..., groups.index == k].mean(axis=-1) for k in range(len(groups.labels))]
    return xr.DataArray(
        np.stack(means, axis=-1),
        dims=("channel", "time", "condition"),
        coords={name: inputs[name] for name in ("channel", "time")}
        | {"condition": np.array(list(groups.labels), dtype=np.str_)},
    )


def _of_network(tensor: xr.DataArray, performed: Performed) -> xr.DataArray:
    """Average the inputs of a task's trials over bins, whatever the steps."""
    trials = performed.trials.sel(trial=tensor["trial"].to_numpy())
    shown = np.nan_to_num(trials["inputs"].transpose("trial", "step_time", "channel").to_numpy())
    dt = float(trials.attrs["dt"])
    # What was heard up to each step: its differences are sums over any bin.
    heard = np.cumsum(np.pad(shown * dt, ((0, 0), (1, 0), (0, 0))), axis=1)
    steps = dt * np.arange(heard.shape[1])
    zero = tensor["align_time"].to_numpy() - trials["start_time"].to_numpy()
    width, time = bin_width_of(tensor), tensor["time"].to_numpy()
    first = time[0] - width / 2
    n_before = max(0, int(np.ceil((first + zero.max()) / width - 1e-6)))
    edges = first + width * np.arange(-n_before, time.size + 1)
    values = np.array(
        [
            [np.diff(np.interp(edges + at, steps, own)) / width for own in one.T]
            for one, at in zip(heard, zero, strict=True)
        ]
    )
    names = trials["channel"].to_numpy() if "channel" in trials.coords else None
    return _inputs(values.transpose(1, 2, 0), names, edges[:-1] + width / 2, tensor)


def _of_columns(tensor: xr.DataArray, columns: Mapping[str, tuple[float, float]]) -> xr.DataArray:
    """Make a channel of each column of numbers, and one of each value of other columns."""
    width, time = bin_width_of(tensor), tensor["time"].to_numpy()
    channels: dict[str, Array] = {}
    for name, (start, stop) in columns.items():
        left = np.maximum(time - width / 2, start)
        share = np.clip(np.minimum(time + width / 2, stop) - left, 0.0, None) / width
        for channel, values in _levels(tensor, name).items():
            channels[channel] = share[:, None] * values
    return _inputs(np.array(list(channels.values())), np.array(list(channels)), time, tensor)


def _levels(tensor: xr.DataArray, name: str) -> dict[str, Array]:
    """Return numbers over the largest absolute one, or 1 in the trials of each other value.

    Raises
    ------
    TensorError
        If a trial has no value.
    """
    column = find_column(tensor, "trial", name)
    if column.dtype.kind in "iuf":
        values = column.astype(np.float64)
        missing = ~np.isfinite(values)
    else:
        missing = column.astype(str) == ""
    if missing.any():
        message = (
            f"{int(missing.sum())} of {missing.size} trials have no {name!r}, which is to be an "
            "input: keep those that have one with select = {...} of the source"
        )
        raise TensorError(message)
    if column.dtype.kind in "iuf":
        largest = float(np.abs(values).max())
        return {name: values / largest if largest > 0 else values}
    text = column.astype(str)
    return {f"{name}={level}": (text == level).astype(float) for level in np.unique(text).tolist()}


def _inputs(values: Array, names: Any, time: Array, tensor: xr.DataArray) -> xr.DataArray:
    numbered = [f"input {1 + k}" for k in range(len(values))]
    return xr.DataArray(
        values,
        dims=("channel", "time", "trial"),
        coords={
            "channel": np.array(numbered if names is None else names).astype(np.str_),
            "time": ("time", time, {"units": "s"}),
            "trial": tensor["trial"].to_numpy(),
        },
    )
