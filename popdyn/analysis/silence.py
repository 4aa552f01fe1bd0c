"""Are there gaps in a recording?  Silences that all neurons share, longer than chance allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BIN_WIDTH = 0.05  # s
_MOST_BINS = 200_000
# A cortex under anesthesia is silent for a second; a silence that counts is longer, ...
_SHORTEST = 2.0  # s
# ... lacks that many spikes, ...
_EXPECTED_SPIKES = 30.0
# ... of that many neurons or more: one neuron may well fall silent.
_FEWEST_NEURONS = 3
_LEAST_SHARE = 0.01


def shared_silences(
    session: xr.Dataset, edges: Floats, seconds: Floats, rates: Floats
) -> tuple[Floats, float]:
    """Find stretches without any spike where the rates ask for many.

    Parameters
    ----------
    session : Session
    edges : ndarray (bin + 1,)
        Bins over the session (s).
    seconds : ndarray (neuron, bin)
        Observed time.
    rates : ndarray (neuron,)
        Mean rates (Hz).

    Returns
    -------
    ndarray (silence, 2), float
        Start and stop (s) of stretches of at least 2 s in which three or more neurons were
        observed, at least 30 spikes were to be expected, and there is none; and their share
        of the time in which three or more neurons were observed.
    """
    width = max(_BIN_WIDTH, (edges[-1] - edges[0]) / _MOST_BINS)
    start, stop = _empty_runs(_occupied(session, edges, width), edges[0], width)
    start, stop = np.clip(start, edges[0], edges[-1]), np.clip(stop, edges[0], edges[-1])
    expected = np.nan_to_num(rates) @ seconds
    until = np.concatenate([[0.0], np.cumsum(expected)])
    n_expected = np.interp(stop, edges, until) - np.interp(start, edges, until)
    enough = (seconds > 0).sum(axis=0) >= _FEWEST_NEURONS
    # The bin that both ends lie in, or bins that both ends lie in, have enough neurons.
    first = np.clip(np.searchsorted(edges, start, side="right") - 1, 0, enough.size - 1)
    last = np.clip(np.searchsorted(edges, stop) - 1, 0, enough.size - 1)
    keep = (stop - start >= _SHORTEST) & (n_expected >= _EXPECTED_SPIKES)
    keep &= enough[first] & enough[last]
    watched = float((np.diff(edges) * enough).sum())
    found = np.stack([start[keep], stop[keep]], axis=1)
    return found, float(np.diff(found, axis=1).sum() / watched) if watched else 0.0


def silence_problems(found: Floats, share: float) -> list[str]:
    """Lines for people about silences that all neurons share."""
    if share < _LEAST_SHARE:
        return []
    lengths = found[:, 1] - found[:, 0]
    start, stop = found[int(lengths.argmax())]
    return [
        f"all neurons are silent together for 2 s and more, where at least {_EXPECTED_SPIKES:.0f} "
        f"spikes are expected, {len(found)} times ({100 * share:.0f} % of the time; the longest "
        f"{start:.1f} to {stop:.1f} s): perhaps spikes were stored around trials only, or the "
        "recording paused; rates over the session are too low, and zeros there are not observed"
    ]


def _occupied(session: xr.Dataset, edges: Floats, width: float) -> NDArray[np.bool_]:
    """Whether any neuron has a spike in each fine bin."""
    spikes, starts = session["spike_time"].values, session["neuron_start"].values
    n_bins = int(np.ceil((edges[-1] - edges[0]) / width)) + 1
    occupied = np.zeros(n_bins, dtype=bool)
    for begin, end in zip(starts[:-1], starts[1:], strict=True):
        occupied[((spikes[begin:end] - edges[0]) / width).astype(np.int64)] = True
    return occupied


def _empty_runs(occupied: NDArray[Any], start: float, width: float) -> tuple[Floats, Floats]:
    """Return starts and stops (s) of runs of empty bins."""
    padded = np.concatenate([[True], occupied, [True]]).astype(np.int8)
    step = np.diff(padded)
    begins, ends = np.flatnonzero(step == -1), np.flatnonzero(step == 1)
    return np.asarray(start + begins * width), np.asarray(start + ends * width)
