"""Which stretch of a session shows what its spikes look like?  Typical trials, most neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.trial_structure import Trials, trial_ends

Floats = NDArray[np.float64]

_N_TRIALS = 5
_LONGEST = 60.0  # s: a raster of minutes is a gray area
_WITHOUT_TRIALS = 10.0  # s
_MOST_SPIKES = 20_000
_TYPICAL = 2.0  # times the median length


def choose_stretch(
    trials: Trials, edges: Floats, n_observed: NDArray[Any], n_spikes: NDArray[Any]
) -> tuple[float, float]:
    """Choose the start and the stop (s) of the spikes to show.

    Parameters
    ----------
    trials : Trials
    edges : ndarray (bin + 1,)
        Bins over the session (s).
    n_observed, n_spikes : ndarray (bin,)
        Neurons observed, and spikes of all neurons, in each bin.

    Returns
    -------
    float, float
        Of stretches of five successive trials (ten seconds without trials) of typical length:
        where nearly as many neurons are observed as ever and at least as many spikes fall as
        in half of these, the one nearest to their middle.
    """
    start, stop = _candidates(trials, edges)
    middle = np.clip(np.searchsorted(edges, (start + stop) / 2) - 1, 0, n_observed.size - 1)
    length = stop - start
    keep = length <= _TYPICAL * np.median(length)
    keep &= n_observed[middle] >= 0.95 * n_observed[middle[keep]].max()
    keep &= n_spikes[middle] >= np.median(n_spikes[middle[keep]])
    chosen = np.flatnonzero(keep)
    best = int(chosen[chosen.size // 2])
    return float(start[best]), float(min(stop[best], start[best] + _LONGEST))


def _candidates(trials: Trials, edges: Floats) -> tuple[Floats, Floats]:
    """Stretches of a few trials, or the middles of the bins."""
    known = np.flatnonzero(np.isfinite(trials.start))
    if not known.size:
        half = min(_WITHOUT_TRIALS, float(edges[-1] - edges[0])) / 2
        center = np.clip((edges[:-1] + edges[1:]) / 2, edges[0] + half, edges[-1] - half)
        return center - half, center + half
    order = known[np.argsort(trials.start[known], kind="stable")]
    start, end = trials.start[order], trial_ends(trials)[order]
    last = np.minimum(np.arange(start.size) + _N_TRIALS, start.size) - 1
    full = np.arange(start.size) <= max(start.size - _N_TRIALS, 0)
    return start[full], np.maximum(end[last][full], start[full] + 1e-3)


def rows_by_rate(rates: Floats, n_neurons: int) -> NDArray[np.intp]:
    """Return positions of neurons from the highest rate to the lowest, those without a rate last.

    Of more than ``n_neurons`` as many are taken, evenly over the sorted rates.

    Examples
    --------
    >>> rows_by_rate(np.array([1.0, np.nan, 3.0]), 2).tolist()
    [2, 1]
    """
    order = np.argsort(-np.nan_to_num(rates, nan=-1.0), kind="stable")
    if order.size > n_neurons:
        order = order[np.linspace(0, order.size - 1, n_neurons).round().astype(int)]
    return order


def stretch_spikes(
    session: xr.Dataset, stretch: tuple[float, float], order: NDArray[np.intp]
) -> tuple[dict[str, Any], tuple[float, float]]:
    """Collect the spikes of a stretch, a row per neuron.

    Parameters
    ----------
    session : Session
    stretch : (float, float)
        Start and stop (s).
    order : ndarray of int
        Positions of the neurons, row by row.

    Returns
    -------
    dict, (float, float)
        Variables of the result, and the stretch, shortened to at most 20,000 spikes.
    """
    times, starts = session["spike_time"].values, session["neuron_start"].values
    found = [_between(times[starts[neuron] : starts[neuron + 1]], *stretch) for neuron in order]
    spike_time = np.concatenate([np.zeros(0), *found])
    row = np.repeat(np.arange(order.size), [own.size for own in found])
    if spike_time.size > _MOST_SPIKES:
        stop = float(np.partition(spike_time, _MOST_SPIKES)[_MOST_SPIKES])
        stretch = (stretch[0], stop)
        keep = spike_time < stop
        spike_time, row = spike_time[keep], row[keep]
    return {
        "spike_time": ("spike", spike_time, {"units": "s", "clock": "session"}),
        "spike_row": ("spike", row),
        "raster_neuron": ("row", session["neuron"].values[order]),
    }, stretch


def _between(spikes: Floats, start: float, stop: float) -> Floats:
    first, last = np.searchsorted(spikes, [start, stop])
    return spikes[first:last]
