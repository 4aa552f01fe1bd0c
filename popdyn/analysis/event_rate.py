"""Does anything happen at an event?  Mean rate of the population around each event."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import stdtrit

from popdyn.analysis.trial_structure import Trials
from popdyn.tensor.align import mask_unobserved
from popdyn.tensor.contract import bin_centers, bin_edges
from popdyn.tensor.session import session_neurons

Floats = NDArray[np.float64]

_WINDOW, _BIN_WIDTH = (-1.0, 2.0), 0.05  # s
# Trials are taken evenly over the session: a first look, which must not take minutes.
_MOST_TRIALS = 200
_MOST_NEURONS = 100
_MOST_EVENTS = 8
_TRIAL_BATCH = 50


def event_rates(session: xr.Dataset, trials: Trials, neurons: NDArray[np.intp]) -> dict[str, Any]:
    """Average the rate of some neurons around the start and every event of the trials.

    Parameters
    ----------
    session : Session
    trials : Trials
    neurons : ndarray of int
        Positions of the neurons; of more than 100 as many are taken evenly.

    Returns
    -------
    dict
        Variables and coordinates of a result: ``event_rate (around, lag)`` in Hz, mean over
        at most 200 trials of the mean over the neurons observed; ``event_rate_bound (bound,
        around, lag)``, 95 % by the scatter of trials (Student's t; NaN below
        two, and where they do not differ at all); ``around``, the start and at most seven
        events; ``lag`` in s.  Where a bin holds fewer than ten spikes of all trials and neurons
        the bounds are too narrow (88 % at five spikes).
    """
    around = _moments(trials)
    edges = bin_edges(_WINDOW, _BIN_WIDTH)
    keep = np.zeros(session.sizes["neuron"], dtype=bool)
    keep[_evenly(np.asarray(neurons), _MOST_NEURONS)] = True
    part = session_neurons(session, keep) if not keep.all() else session
    rates = np.full((3, len(around), edges.size - 1), np.nan)
    for place, times in enumerate(around.values()):
        known = _evenly(times[np.isfinite(times)], _MOST_TRIALS)
        if known.size and keep.any():
            rates[:, place] = _mean(_trial_rates(part, known, edges))
    lag = bin_centers(_WINDOW, _BIN_WIDTH)
    return {
        "event_rate": (("around", "lag"), rates[0], {"units": "Hz"}),
        "event_rate_bound": (("bound", "around", "lag"), rates[1:], {"units": "Hz"}),
        "around": ("around", np.array(list(around), dtype=np.str_)),
        "lag": ("lag", lag, {"units": "s"}),
    }


def _moments(trials: Trials) -> dict[str, Floats]:
    """Session times (s) of the start and of the events, those with no time at all left out."""
    found = {"start_time": trials.start}
    for name, times in zip(trials.events, trials.event_time, strict=True):
        found.setdefault(name, trials.start + times)
    some = [name for name, times in found.items() if np.isfinite(times).any()]
    return {name: found[name] for name in some[:_MOST_EVENTS]}


def _evenly(values: NDArray[Any], most: int) -> NDArray[Any]:
    """Take at most so many values, evenly over all."""
    if values.size <= most:
        return values
    return np.asarray(values[np.linspace(0, values.size - 1, most).round().astype(int)])


def _trial_rates(session: xr.Dataset, times: Floats, edges: Floats) -> Floats:
    """Mean rate (Hz) of the observed neurons around each time: (bin, trial)."""
    spikes, starts = session["spike_time"].values, session["neuron_start"].values
    rates = np.full((edges.size - 1, times.size), np.nan)
    for first in range(0, times.size, _TRIAL_BATCH):
        some = times[first : first + _TRIAL_BATCH]
        counts = np.zeros((session.sizes["neuron"], edges.size - 1, some.size), dtype=np.float32)
        for neuron, (begin, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
            until = np.searchsorted(spikes[begin:end], some + edges[:, None])
            counts[neuron] = np.diff(until, axis=0)
        mask_unobserved(counts, session, some, edges)
        seen = np.isfinite(counts)
        total = np.where(seen, counts, 0.0).sum(axis=0)
        shape = rates[:, first : first + some.size]
        np.divide(total, seen.sum(axis=0) * _BIN_WIDTH, out=shape, where=seen.any(axis=0))
    return rates


def _mean(rates: Floats) -> Floats:
    """Mean over trials and its 95 % bounds by Student's t: (3, bin)."""
    seen = np.isfinite(rates)
    n_trials = seen.sum(axis=1)
    values = np.where(seen, rates, 0.0)
    mean = np.full(n_trials.shape, np.nan)
    np.divide(values.sum(axis=1), n_trials, out=mean, where=n_trials > 0)
    squares = np.where(seen, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
    error = np.full(n_trials.shape, np.nan)
    # Trials that do not differ at all, none with a spike perhaps, do not tell how sure one may be.
    differ = (n_trials > 1) & (squares > 1e-18 * mean**2)
    np.divide(squares, n_trials * (n_trials - 1.0), out=error, where=differ)
    half = stdtrit(np.maximum(n_trials - 1.0, 1.0), 0.975) * np.sqrt(error)
    return np.stack([mean, mean - half, mean + half])
