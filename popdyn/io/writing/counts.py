"""Counts back to spikes: a tensor laid out on the clock of a session, to be written as NWB."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import PopdynWarning, TensorError
from popdyn.tensor.align import event_times
from popdyn.tensor.contract import bin_edges, bin_width_of, check, column_names
from popdyn.tensor.session import make_session

# Seconds between trials of a tensor that has no place on a session's clock.
PAUSE = 1.0
# Windows may overlap by the rounding of times that were computed in different orders.
_SLACK = 1e-9
# The event, where no column of the trial table holds it.
ZERO = "zero_time"


def session_of_counts(counts: Any) -> tuple[xr.Dataset, tuple[str, ...], str]:
    """Put the spikes of a tensor evenly into its bins.

    Parameters
    ----------
    counts : tensor
        ``spike_count (neuron, time, trial)`` of whole numbers, NaN where not observed, with
        windows that do not overlap on the session's clock.

    Returns
    -------
    session : Session
        Observed in the bins that are not NaN, at no other time.
    added : tuple of str
        Trial columns that only NWB asks for.
    note : str
        What a reader of the file should know.

    Raises
    ------
    TensorError
        Another quantity, counts that are no whole numbers, windows that overlap, or bins too
        narrow for their spikes.
    """
    tensor = _checked(counts)
    width = bin_width_of(tensor)
    edges = _edges(tensor, width)
    zero, event, laid_out = _place(tensor, edges)
    _refuse_overlap(tensor, zero, edges)
    spike_time, neuron_start = _spikes(tensor, zero, edges)
    tables, added = _tables(tensor, zero, edges, event)
    session = make_session(
        spike_time,
        neuron_start,
        neurons=tables["neuron"],
        trials=tables["trial"],
        obs=_observed(tensor, zero, edges),
        attrs={str(k): v for k, v in tensor.attrs.items() if k not in _OF_TENSORS},
    )
    for name in column_names(session, "neuron") + column_names(session, "trial"):
        own = {"units": "s", "clock": "session"} if name not in tensor.coords else {}
        session[name].attrs.update(own or tensor[name].attrs)
    session.attrs["input_digest"] = tensor.attrs.get("input_digest", session.attrs["input_digest"])
    note = (
        f"Spikes were put evenly into bins of {width:g} s in which they had been counted, around "
        f"{event}: within a bin their times mean nothing."
    )
    if laid_out:
        note += f" Trials had no place on a clock and follow each other with {PAUSE:g} s between."
    return session, added, note


_OF_TENSORS = frozenset(("units", "align", "bin_width", "n_dropped"))


def _checked(counts: Any) -> xr.DataArray:
    tensor = check(counts)
    if tensor.name != "spike_count":
        message = (
            f"NWB holds spikes: expected a Session or a tensor spike_count, found "
            f"{tensor.name!r}. Draw spikes from rates with popdyn.observe."
        )
        raise TensorError(message)
    values = tensor.values
    with np.errstate(invalid="ignore"):
        broken = np.isfinite(values) & (values != np.round(values))
    if broken.any():
        message = (
            f"{int(broken.sum())} of {values.size} counts are no whole numbers (first "
            f"{values[broken][0]:g}): was the tensor smoothed or averaged? Write the counts."
        )
        raise TensorError(message)
    if not tensor.sizes["trial"] or not tensor.sizes["neuron"]:
        sizes = f"{tensor.sizes['neuron']} neurons and {tensor.sizes['trial']} trials"
        message = f"there is nothing to write: the tensor has {sizes}."
        raise TensorError(message)
    return tensor


def _edges(tensor: xr.DataArray, width: float) -> np.ndarray:
    """Edges of the bins: those `align` computes, so that counts come back exactly."""
    centers = tensor["time"].values
    start = float(f"{centers[0] - width / 2:.12g}")
    stop = float(f"{centers[-1] + width / 2:.12g}")
    return bin_edges((start, stop), width)


def _place(tensor: xr.DataArray, edges: np.ndarray) -> tuple[np.ndarray, str, bool]:
    """Session times of zero, the name of the event there, and whether they were made up."""
    event = str(tensor.attrs.get("align") or "")
    known = event in column_names(tensor, "trial")
    if "align_time" in tensor.coords:
        zero = tensor["align_time"].values.astype(np.float64)
        if known and np.array_equal(_times(tensor, event), zero):
            return zero, event, False
        name = ZERO if known or not event else event
        return zero, name, False
    if known and tensor[event].attrs.get("clock") in ("session", "trial"):
        return _times(tensor, event), event, False
    clocked = [n for n in column_names(tensor, "trial") if tensor[n].attrs.get("clock")]
    if clocked:
        message = (
            f"the tensor has times on the session's clock ({', '.join(clocked)}) but does not say "
            "where its zero is: add the coordinate align_time (trial) in seconds."
        )
        raise TensorError(message)
    length = edges[-1] - edges[0] + PAUSE
    zero = np.arange(tensor.sizes["trial"], dtype=np.float64) * length - min(edges[0], 0.0)
    return zero, ZERO if known or not event else event, True


def _times(tensor: xr.DataArray, event: str) -> np.ndarray:
    if tensor[event].dtype.kind not in "fiu":
        return np.full(tensor.sizes["trial"], np.nan)
    with warnings.catch_warnings():
        # That the event is relative to the trial was said when the tensor was made.
        warnings.simplefilter("ignore", PopdynWarning)
        return event_times(tensor, event)


def _refuse_overlap(tensor: xr.DataArray, zero: np.ndarray, edges: np.ndarray) -> None:
    if not np.isfinite(zero).all():
        message = f"{int((~np.isfinite(zero)).sum())} trials have no time on the session's clock."
        raise TensorError(message)
    order = np.argsort(zero, kind="stable")
    length = edges[-1] - edges[0]
    overlap = np.flatnonzero(np.diff(zero[order]) < length - _SLACK)
    if overlap.size:
        ids = tensor["trial"].values
        pairs = ", ".join(f"{ids[order[i]]} and {ids[order[i + 1]]}" for i in overlap[:5])
        more = f" and {overlap.size - 5} more" if overlap.size > 5 else ""
        message = (
            f"windows of {length:g} s overlap on the session's clock in {overlap.size} pairs of "
            f"trials ({pairs}{more}): their spikes would be counted twice. Write the session "
            "itself, or a tensor with a shorter window."
        )
        raise TensorError(message)


def _spikes(
    tensor: xr.DataArray, zero: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    counts = np.nan_to_num(tensor.values).astype(np.int64)
    left = zero + edges[:-1, None]
    right = zero + edges[1:, None]
    most = int(counts.max(initial=0))
    tightest = (right - left).min() / (2 * max(most, 1))
    if tightest < 8 * np.spacing(np.abs([left, right]).max()):
        message = (
            f"{most} spikes do not fit into a bin of {(right - left).min():g} s at "
            f"{np.abs(right).max():g} s: times there are too coarse."
        )
        raise TensorError(message)
    n_each = counts.sum(axis=(1, 2))
    neuron_start = np.concatenate([[0], np.cumsum(n_each)])
    spike_time = np.empty(neuron_start[-1])
    order = np.argsort(zero, kind="stable")
    for neuron in range(counts.shape[0]):
        own = counts[neuron][:, order].T.ravel()
        begin, end = left[:, order].T.ravel(), right[:, order].T.ravel()
        n_before = np.repeat(np.cumsum(own) - own, own)
        share = (np.arange(own.sum()) - n_before + 0.5) / np.repeat(own, own)
        times = np.repeat(begin, own) + share * np.repeat(end - begin, own)
        spike_time[neuron_start[neuron] : neuron_start[neuron + 1]] = times
    return spike_time, neuron_start


def _observed(
    tensor: xr.DataArray, zero: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return runs of bins that are not NaN, as intervals."""
    seen = np.isfinite(tensor.values)
    pad = np.zeros((seen.shape[0], 1, seen.shape[2]), dtype=np.int8)
    change = np.diff(np.concatenate([pad, seen.astype(np.int8), pad], axis=1), axis=1)
    neuron, trial, first = np.nonzero(change.transpose(0, 2, 1) == 1)
    _, _, past = np.nonzero(change.transpose(0, 2, 1) == -1)
    return zero[trial] + edges[first], zero[trial] + edges[past], neuron


def _tables(
    tensor: xr.DataArray, zero: np.ndarray, edges: np.ndarray, event: str
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    tables: dict[str, dict[str, Any]] = {}
    for dim in ("neuron", "trial"):
        tables[dim] = {name: tensor[name].values for name in column_names(tensor, dim)}
        tables[dim]["id"] = tensor[dim].values
    trials = tables["trial"]
    trials.pop("align_time", None)
    if event not in trials:
        trials[event] = zero
    added = []
    for name, times in (("start_time", zero + edges[0]), ("stop_time", zero + edges[-1])):
        if name not in trials:
            trials[name] = times
            added.append(name)
    return tables, tuple(added)
