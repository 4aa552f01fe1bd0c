"""Which neurons, trials and times take part?  Selection by column values, with errors that help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.tensor.contract import bin_width_of, check
from popdyn.tensor.result import add_history
from popdyn.tensor.selection import matching
from popdyn.tensor.session import check_session, is_session, session_neurons


def select(
    x: xr.DataArray | xr.Dataset,
    *,
    neurons: Any = None,
    trials: Any = None,
    time: Sequence[float] | None = None,
    min_rate: float | None = None,
) -> Any:
    """Keep some neurons, trials and times of a tensor, or neurons and trials of a Session.

    Parameters
    ----------
    x : DataArray (neuron, time, trial) or Session
        NaN is kept as it is.  Chunked (Dask) arrays stay chunked.
    neurons, trials : mapping, mask or list of ids, optional
        Which to keep: ``{"column": value}``, a list of values, a range as
        ``{"column": {"min": low, "max": high}}`` or ``slice(low, high)`` (ends included), a
        boolean mask, or ids.
    time : tuple of float, optional
        Start and stop in s relative to the event: bins whose center lies in [start, stop) are
        kept.  Not for a Session, which has no bins yet.
    min_rate : float, optional
        Leave out neurons whose mean rate, over what was observed after the other selections, is
        lower: in Hz for spikes and spike counts, in the units of `x` otherwise.

    Returns
    -------
    DataArray or Session
        A new object with the columns and attributes of `x` and the selection in its history.

    Raises
    ------
    TensorError
        When a column or id does not exist or nothing is left; the message lists what there is.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> tensor = pdn.make_tensor(np.ones((2, 3, 4)), [0.1, 0.2, 0.3], {"correct": [0, 1, 1, 0]})
    >>> dict(pdn.select(tensor, trials={"correct": 1}, time=(0.15, 0.4)).sizes)
    {'neuron': 2, 'time': 2, 'trial': 2}
    """
    session = is_session(x)
    chosen: Any = check_session(x) if session else check(x, chunked=True)
    if trials is not None:
        chosen = chosen.isel(trial=np.flatnonzero(matching(chosen, "trial", trials)))
    if time is not None:
        chosen = _within(chosen, time)
    if neurons is not None:
        chosen = _keep_neurons(chosen, matching(chosen, "neuron", neurons))
    if min_rate is not None:
        chosen = _keep_neurons(chosen, _active(chosen, min_rate))
    given = {"neurons": neurons, "trials": trials, "time": time, "min_rate": min_rate}
    used = {key: value for key, value in given.items() if value is not None}
    if not used:
        return chosen
    return chosen.assign_attrs(add_history(chosen.attrs, "select", **used))


def _keep_neurons(x: Any, keep: NDArray[np.bool_]) -> Any:
    """Keep neurons of a tensor or a Session."""
    if is_session(x):
        return session_neurons(x, keep)
    return x.isel(neuron=np.flatnonzero(keep))


def _within(x: Any, time: Sequence[float]) -> xr.DataArray:
    """Keep the bins of a tensor whose center lies in a window."""
    if is_session(x):
        message = (
            "a Session has no time bins to select from; choose the window when aligning: "
            "align(session, event, window, bin_width)"
        )
        raise TensorError(message)
    if len(time) != 2:
        message = f"time is a window (start, stop) in s; found {time!r}"
        raise TensorError(message)
    start, stop = float(time[0]), float(time[1])
    centers = x["time"].values
    slack = 1e-6 * bin_width_of(x)
    keep = (centers >= start - slack) & (centers < stop - slack)
    if not keep.any():
        message = (
            f"no time bin has its center in [{start:g}, {stop:g}) s; the tensor has "
            f"{centers.size} bins from {centers[0]:g} to {centers[-1]:g} s"
        )
        raise TensorError(message)
    # A single bin left would otherwise not know its width.
    part: xr.DataArray = x.isel(time=np.flatnonzero(keep))
    return part.assign_attrs(bin_width=bin_width_of(x))


def _active(x: Any, min_rate: float) -> NDArray[np.bool_]:
    """Which neurons reach a mean rate."""
    if is_session(x):
        mean, units = _session_rates(x), "Hz"
    else:
        mean = np.asarray(x.mean(["time", "trial"]).values, dtype=np.float64)
        units = str(x.attrs.get("units", ""))
        if x.name == "spike_count":
            mean, units = mean / bin_width_of(x), "Hz"
    keep = mean >= min_rate
    if not keep.any():
        message = (
            f"no neuron has a mean rate of {min_rate:g} {units} or more; the {mean.size} neurons "
            f"go from {np.nanmin(mean, initial=np.inf):.3g} to "
            f"{np.nanmax(mean, initial=-np.inf):.3g} {units}"
        )
        raise TensorError(message)
    return np.asarray(keep)


def _session_rates(session: xr.Dataset) -> NDArray[np.float64]:
    """Mean rate (Hz) of every neuron over its observation intervals."""
    spikes = session["spike_time"].values
    # Without intervals a neuron counts as observed from the first to the last spike of all.
    first, last = (spikes.min(), spikes.max()) if spikes.size else (0.0, 0.0)
    start = np.where(np.isneginf(session["obs_start"].values), first, session["obs_start"].values)
    stop = np.where(np.isposinf(session["obs_stop"].values), last, session["obs_stop"].values)
    observed = np.bincount(
        session["obs_neuron"].values, weights=stop - start, minlength=session.sizes["neuron"]
    )
    n_spikes = np.diff(session["neuron_start"].values).astype(np.float64)
    return np.divide(n_spikes, observed, out=np.zeros_like(n_spikes), where=observed > 0)
