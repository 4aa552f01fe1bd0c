"""Counts and seconds within the intervals in which a neuron was observed, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def neurons_within(
    session: xr.Dataset, edges: Floats
) -> Iterator[tuple[int, Floats, Floats, Floats]]:
    """Yield position, spikes and observation intervals of each neuron.

    Parameters
    ----------
    session : Session
    edges : ndarray (bin + 1,)
        What lies outside of the first and the last edge (s) is cut off the intervals.

    Yields
    ------
    int, ndarray (spike,), ndarray (interval,), ndarray (interval,)
        Starts and stops are sorted and apart from each other.
    """
    times, starts = session["spike_time"].values, session["neuron_start"].values
    owner = session["obs_neuron"].values
    low = np.maximum(session["obs_start"].values, edges[0])
    high = np.minimum(session["obs_stop"].values, edges[-1])
    order = np.lexsort((low, owner))
    bounds = np.searchsorted(owner[order], np.arange(session.sizes["neuron"] + 1))
    for neuron in range(session.sizes["neuron"]):
        own = order[bounds[neuron] : bounds[neuron + 1]]
        own = own[high[own] > low[own]]
        yield (
            neuron,
            times[starts[neuron] : starts[neuron + 1]],
            *_joined(low[own], high[own]),
        )


def _joined(start: Floats, stop: Floats) -> tuple[Floats, Floats]:
    """Join intervals that overlap or touch; they come sorted by start."""
    if not start.size:
        return start, stop
    reach = np.maximum.accumulate(stop)
    first = np.flatnonzero(np.concatenate([[True], start[1:] > reach[:-1]]))
    return start[first], np.maximum.reduceat(stop, first)


def observed_counts(
    spikes: Floats, edges: Floats, start: Floats, stop: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """Count the spikes within intervals, and the seconds of them, in every bin.

    Parameters
    ----------
    spikes : ndarray (spike,)
        Sorted times (s).
    edges : ndarray (bin + 1,)
        Edges of bins (s); bins are half-open, the last one closed.
    start, stop : ndarray (interval,)
        Closed intervals, sorted, apart from each other, within the edges.

    Returns
    -------
    ndarray of int (bin,), ndarray of float (bin,)

    Examples
    --------
    >>> edges, start, stop = np.array([0.0, 1.0, 2.0]), np.array([0.5]), np.array([2.0])
    >>> observed_counts(np.array([0.2, 0.7, 2.0]), edges, start, stop)
    (array([1, 1]), array([0.5, 1. ]))
    """
    before = np.searchsorted(spikes, edges)
    before[-1] = np.searchsorted(spikes, edges[-1], side="right")
    low, high = np.searchsorted(spikes, start), np.searchsorted(spikes, stop, side="right")
    n_until = np.rint(_covered(before, low, high)).astype(np.int64)
    return np.diff(n_until), np.diff(_covered(edges, start, stop))


def _covered(at: Any, start: Any, stop: Any) -> Floats:
    """Length of the intervals up to each position."""
    lengths = stop - start
    reached = np.cumsum(lengths)
    places = np.stack([start, stop], axis=1).ravel()
    return np.asarray(np.interp(at, places, np.stack([reached - lengths, reached], axis=1).ravel()))


def equal_exposure(start: Floats, stop: Floats, n_blocks: int) -> Floats:
    """Cut intervals into blocks of equal length, gaps not counted; return their edges (s)."""
    reached = np.concatenate([[0.0], np.cumsum(stop - start)])
    wanted = np.linspace(0.0, reached[-1], n_blocks + 1)
    within = np.clip(np.searchsorted(reached, wanted, side="left") - 1, 0, start.size - 1)
    return np.asarray(np.minimum(start[within] + wanted - reached[within], stop[within]))
