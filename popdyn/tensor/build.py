"""Make tensors from arrays and from lists of spike times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tensor.align import align, say_if_not_seconds
from popdyn.tensor.columns import table_columns, table_ids, table_mapping
from popdyn.tensor.contract import DIMS, check
from popdyn.tensor.result import add_history, digest
from popdyn.tensor.session import make_session


def make_tensor(
    values: Any,
    time: Any,
    trials: Any = None,
    neurons: Any = None,
    name: str = "rate",
    units: str = "Hz",
    *,
    source: str = "recording",
    source_id: str = "array",
    align: str = "",
    simultaneous: int = 1,
    bin_width: float | None = None,
    align_time: Any = None,
    column_attrs: Mapping[str, Mapping[str, Any]] | None = None,
) -> xr.DataArray:
    """Make a tensor from an array.

    Parameters
    ----------
    values : array_like (neuron, time, trial)
        NaN where nothing was observed.
    time : array_like (time,)
        Bin centers in seconds relative to the alignment event.
    trials, neurons : pandas.DataFrame or mapping, optional
        One row per trial and per neuron; ids from a column ``id``, else the index.
    name, units : str
        ``rate`` in ``Hz`` or ``1``, ``spike_count`` in ``1``, ``potential`` in ``mV``, ...
    source, source_id, align, simultaneous : optional
        What it comes from: ``"recording"`` or ``"network"``, its name, the event at zero,
        whether the neurons were recorded together.
    bin_width : float, optional
        In seconds; needed only for a single bin.
    align_time : array_like (trial,), optional
        Session time (s) of zero in each trial; with it the tensor can be aligned anew.
    column_attrs : mapping, optional
        Attributes per column (``units``, ``clock``).

    Returns
    -------
    xarray.DataArray

    Raises
    ------
    TensorError
        If shapes do not fit or the contract is not kept.

    Examples
    --------
    >>> import numpy as np
    >>> x = make_tensor(np.ones((2, 3, 4)), [0.05, 0.15, 0.25], trials={"choice": [0, 1, 0, 1]})
    >>> dict(x.sizes)
    {'neuron': 2, 'time': 3, 'trial': 4}
    """
    array = np.array(values, order="C")
    if array.ndim != 3:
        message = f"values must have three dims {DIMS}, found an array of shape {array.shape}."
        raise TensorError(message)
    times = np.asarray(time, dtype=np.float64).ravel()
    if times.size != array.shape[1]:
        message = (
            f"time has {times.size} entries, values of shape {array.shape} need {array.shape[1]} "
            "(order: neuron, time, trial)."
        )
        raise TensorError(message)
    coords: dict[str, Any] = {
        "neuron": table_ids(neurons, array.shape[0], "neuron"),
        "time": ("time", times, {"units": "s"}),
        "trial": table_ids(trials, array.shape[2], "trial"),
    }
    coords.update(table_columns(neurons, trials, array.shape[0], array.shape[2], column_attrs))
    if align_time is not None:
        zero = np.broadcast_to(np.asarray(align_time, dtype=np.float64), (array.shape[2],))
        coords["align_time"] = ("trial", zero.copy(), {"units": "s", "clock": "session"})
    shown = "1" if name == "spike_count" else units
    attrs: dict[str, Any] = {"units": shown, "align": align}
    attrs |= {"source": source, "source_id": source_id, "simultaneous": int(simultaneous)}
    attrs["n_dropped"] = 0
    if bin_width is not None or times.size > 1:
        width = (times[-1] - times[0]) / (times.size - 1) if bin_width is None else bin_width
        attrs["bin_width"] = float(f"{float(width):.12g}")
        say_if_not_seconds(attrs["bin_width"])
    tensor = check(xr.DataArray(array, dims=DIMS, coords=coords, name=name, attrs=attrs))
    tensor.attrs["input_digest"] = digest(tensor)
    tensor.attrs = add_history(tensor.attrs, "make_tensor", name=name, units=shown)
    return tensor


def from_spikes(
    spike_times: Sequence[Any] | Mapping[Any, Any],
    events: Any,
    window: Sequence[float],
    bin_width: float,
    trials: Any = None,
    *,
    neurons: Any = None,
    obs: tuple[Any, Any, Any] | None = None,
) -> xr.DataArray:
    """Make a tensor of spike counts from spike times and event times.

    Parameters
    ----------
    spike_times : sequence of array_like, or mapping of neuron id to array_like
        Per neuron, seconds on one clock, in any order.
    events : array_like (trial,)
        Times (s) to align to; NaN drops the trial with a warning.
    window : (float, float)
        Start and stop (s) relative to the event, a whole number of bins.
    bin_width : float
        In seconds.
    trials, neurons : pandas.DataFrame or mapping, optional
        Tables, one row per event and per neuron.
    obs : (obs_start, obs_stop, obs_neuron), optional
        Observation intervals, as for a Session.

    Returns
    -------
    xarray.DataArray
        ``spike_count (neuron, time, trial)``.

    Examples
    --------
    >>> from_spikes([[0.1, 1.1], [0.2]], [0.0, 1.0], (0.0, 0.4), 0.2).values[:, 0].tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    """
    if isinstance(spike_times, Mapping):
        neurons = {"id": list(spike_times)} if neurons is None else neurons
        spike_times = list(spike_times.values())
    lists = [_spike_times(times, position) for position, times in enumerate(spike_times)]
    starts = np.concatenate([[0], np.cumsum([times.size for times in lists])]).astype(int)
    flat = np.concatenate(lists) if lists else np.empty(0)
    event_time = np.asarray(events, dtype=np.float64).ravel()
    table = {"id": table_ids(trials, event_time.size, "trial"), **table_mapping(trials)}
    event = "event_time"
    while event in table:
        event += "_"
    session = make_session(
        flat, starts, neurons=neurons, trials={**table, event: event_time}, obs=obs
    )
    return align(session, event, window, bin_width)


def _spike_times(times: Any, position: int) -> np.ndarray:
    """Spike times of one neuron; one number is a list that was not put into a list."""
    try:
        array = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError) as error:
        message = f"the spike times of neuron {position} are no numbers: {times!r:.60}."
        raise TensorError(message) from error
    if array.ndim != 1:
        message = (
            f"spike_times must be one list of times per neuron; entry {position} has "
            f"{array.ndim} dims ({times!r:.60}). For a single neuron pass [times]."
        )
        raise TensorError(message)
    return array
