"""Are there gaps in a recording?  Silences that all neurons share, longer than chance allows."""

from __future__ import annotations

from typing import Any

import numpy as np
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
_N_BLOCKS = 20


def shared_silences(
    spike_time: Floats, neuron_start: NDArray[Any], obs: tuple[Floats, Floats, NDArray[Any]]
) -> Floats:
    """Find stretches without any spike where the rates ask for many.

    Parameters
    ----------
    spike_time : ndarray (spike,)
        In seconds, neuron after neuron.
    neuron_start : ndarray (n_neurons + 1,)
        Offsets into it.
    obs : (start, stop, neuron)
        Observation intervals (s) and the position of their neuron.

    Returns
    -------
    ndarray (silence, 2)
        Start and stop (s) of stretches of at least 2 s in which three or more neurons were
        observed throughout, at least 30 spikes of theirs were to be expected, and none came.

    Examples
    --------
    >>> times = np.tile(np.r_[np.arange(0.0, 10.0, 0.1), np.arange(20.0, 30.0, 0.1)], 3)
    >>> all_time = (np.zeros(3), np.full(3, 30.0), np.arange(3))
    >>> shared_silences(times, np.arange(4) * 200, all_time).round(1).tolist()
    [[10.0, 20.0]]
    """
    first, last = (
        (float(spike_time.min()), float(spike_time.max())) if spike_time.size else (0.0, np.inf)
    )
    # A damaged time can be too large for any bin.
    if not np.isfinite(last - first):
        return np.zeros((0, 2))
    width = max(_BIN_WIDTH, (last - first) / _MOST_BINS)
    gaps = _empty_runs(_occupied(spike_time, neuron_start, first, last, width), first, width)
    gaps = gaps[np.diff(gaps, axis=1)[:, 0] >= _SHORTEST]
    if not len(gaps):
        return gaps
    start, stop, neuron = obs
    n_neurons = neuron_start.size - 1
    seconds: NDArray[Any] = np.bincount(
        neuron, np.clip(stop, first, last) - np.clip(start, first, last), minlength=n_neurons
    )
    rate = _usual_rates(spike_time, neuron_start, seconds)
    keep = np.zeros(len(gaps), dtype=bool)
    for row, (begin, end) in enumerate(gaps):
        watched = np.unique(neuron[(start <= begin) & (stop >= end)])
        keep[row] = watched.size >= _FEWEST_NEURONS
        keep[row] &= float(rate[watched].sum()) * (end - begin) >= _EXPECTED_SPIKES
    return gaps[keep]


def _usual_rates(spike_time: Floats, neuron_start: NDArray[Any], seconds: NDArray[Any]) -> Floats:
    """Rates (Hz) in the median of blocks of a neuron's spikes: bursts do not raise them."""
    rate = np.zeros(seconds.size)
    for neuron, (begin, end) in enumerate(zip(neuron_start[:-1], neuron_start[1:], strict=True)):
        own = spike_time[begin:end]
        if own.size < _N_BLOCKS or not seconds[neuron] > 0:
            continue
        counts = np.histogram(own, _N_BLOCKS)[0]
        width = float(own.max() - own.min()) / _N_BLOCKS
        rate[neuron] = float(np.median(counts)) / width if width > 0 else 0.0
    mean: Floats = np.diff(neuron_start) / np.maximum(seconds, 1e-9)
    return np.asarray(np.minimum(rate, mean))


def silence_problems(found: Floats, seconds: float) -> list[str]:
    """Lines for people about silences that all neurons share.

    Parameters
    ----------
    found : ndarray (silence, 2)
        From `shared_silences`.
    seconds : float
        How long the session lasted.
    """
    lengths = found[:, 1] - found[:, 0]
    share = float(lengths.sum()) / seconds if seconds > 0 else 0.0
    if share < _LEAST_SHARE:
        return []
    start, stop = found[int(lengths.argmax())]
    return [
        f"all neurons are silent together for {_SHORTEST:.0f} s and more, where at least "
        f"{_EXPECTED_SPIKES:.0f} spikes are expected, {len(found)} times ({100 * share:.0f} % of "
        f"the session; the longest {start:.1f} to {stop:.1f} s): spikes stored around trials only, "
        "or a recording that paused? Bins there count as zero; choose windows that avoid them"
    ]


def _occupied(
    spike_time: Floats, neuron_start: NDArray[Any], first: float, last: float, width: float
) -> NDArray[np.bool_]:
    """Whether any neuron has a spike in each fine bin."""
    occupied = np.zeros(int((last - first) / width) + 2, dtype=bool)
    for begin, end in zip(neuron_start[:-1], neuron_start[1:], strict=True):
        occupied[((spike_time[begin:end] - first) / width).astype(np.int64)] = True
        # Where many neurons fire, a few of them show that there is no gap.
        if occupied[:-1].all():
            break
    return occupied


def _empty_runs(occupied: NDArray[np.bool_], start: float, width: float) -> Floats:
    """Return starts and stops (s) of runs of empty bins between occupied ones."""
    padded = np.concatenate([[True], occupied, [True]]).astype(np.int8)
    step = np.diff(padded)
    begins, ends = np.flatnonzero(step == -1), np.flatnonzero(step == 1)
    inside = ends < occupied.size
    return np.stack([start + begins[inside] * width, start + ends[inside] * width], axis=1)
