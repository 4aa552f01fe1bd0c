"""What does a whole session look like?  Rates, a stretch of spikes, stability, trial structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.event_rate import event_rates
from popdyn.analysis.observed import equal_exposure, neurons_within, observed_counts
from popdyn.analysis.overview_stretch import choose_stretch, rows_by_rate, stretch_spikes
from popdyn.analysis.stability import (
    N_BLOCKS,
    drift_index,
    drift_p,
    n_short_intervals,
    stability_problems,
    third_rates,
)
from popdyn.analysis.trial_structure import trial_structure
from popdyn.errors import TensorError
from popdyn.resample import BOUND
from popdyn.tensor.result import as_json, make_result
from popdyn.tensor.session import check_session

Floats = NDArray[np.float64]

# A bin that was observed for less than this share of its width has no rate: one spike at the
# edge of an interval would be a rate of thousands of Hz.
_LEAST_OBSERVED = 0.1
_N_BINS = (100, 300)
_WIDTHS = (1.0, 2.0, 5.0)
# A stop this many medians away is absurd and does not stretch the session.
_LONG_TRIAL = 10.0


def session_overview(
    session: xr.Dataset, *, n_bins: int | None = None, n_raster_neurons: int = 100
) -> xr.Dataset:
    """Sum up a session: rates from its start to its stop, spikes, stability, trials.

    Parameters
    ----------
    session : Session
        Spikes on the session's clock.
    n_bins : int, optional
        Number of bins over the session; without it bins of 1, 2 or 5 times a power of ten
        seconds, 100 to 300 of them.
    n_raster_neurons : int, default 100
        Most neurons of the raster; of more, as many are taken evenly over the sorted rates.

    Returns
    -------
    Dataset
        On ``time`` (s, session clock, centers of bins): ``rate (neuron, time)`` in Hz, spikes
        in observed time by observed time, NaN where the neuron was observed for less than a
        tenth of the bin; ``population_rate``, the mean over observed neurons, weighted by
        observed time; ``n_observed``, neurons with a rate.
        Per neuron: ``n_spikes``; ``observed_time`` (s); ``mean_rate`` (Hz), spikes in observed
        time by observed time; ``n_intervals`` between successive spikes and
        ``short_interval_share``, the share below 1.5 ms; ``third_rate (third, neuron)``, Hz in
        the thirds of the observed time; ``drift``, (last - first) / (last + first) of these,
        with ``drift_bound (bound, neuron)``, 95 % by the scatter of blocks, and ``drift_p``, the
        share of random orders of 18 blocks with as large a change.
        Raster of a typical stretch with many neurons observed: ``spike_time (spike)`` (s,
        session clock), ``spike_row (spike)``, ``raster_neuron (row)`` from the highest rate
        to the lowest.
        Per trial (none without trials): ``start_time``, ``duration`` and ``gap`` to the next
        start (s; NaN without a stop); ``event_time (event, trial)``, s after the start, with
        ``event_clock (event)``, the clock of the column in the file.
        Around the start and the events, of at most 200 trials and of the neurons of the raster
        (at most 100): ``event_rate (around, lag)``, mean rate in Hz, with ``event_rate_bound
        (bound, around, lag)``, 95 % by the scatter of trials, NaN below two; ``lag`` in s.
        ``attrs["problems"]`` is a JSON list of what looks wrong.

    Raises
    ------
    TensorError
        When it is no Session, holds neither spikes nor trials, or a number is not positive.

    Examples
    --------
    >>> from popdyn.tensor.session import make_session
    >>> session = make_session([0.5, 1.5, 1.6], [0, 3], obs=([0.0], [2.0], [0]))
    >>> overview = session_overview(session, n_bins=2)
    >>> overview["rate"].values.tolist()
    [[1.0, 2.0]]
    """
    session = check_session(session)
    _check_number("n_bins", n_bins)
    _check_number("n_raster_neurons", n_raster_neurons)
    whole, span = session, _span(session)
    session = _observed_within(session, *span)
    edges = _edges(*span, n_bins)
    counts = _count(session, edges)
    trials = trial_structure(session)
    n_observed = (counts.rate_seconds > 0).sum(axis=0)
    stretch = choose_stretch(trials, edges, n_observed, counts.n_in_bin.sum(axis=0))
    rows = rows_by_rate(counts.mean_rate, n_raster_neurons)
    raster, stretch = stretch_spikes(session, stretch, rows)
    around = event_rates(session, trials, rows)
    problems = [
        *stability_problems(
            session["neuron"].values,
            counts.drift[0],
            counts.drift_p,
            counts.n_short,
            counts.n_intervals,
        ),
    ]
    result = make_result(
        {**_variables(counts, n_observed), **raster, **trials.variables, **around},
        coords={
            "neuron": session["neuron"].values,
            "time": ("time", (edges[:-1] + edges[1:]) / 2, {"units": "s", "clock": "session"}),
            "bound": BOUND,
            "third": np.array(["first", "middle", "last"]),
            **trials.coords,
        },
        method="session_overview",
        parameters={"n_bins": n_bins, "n_raster_neurons": n_raster_neurons},
        source=whole,
    )
    return result.assign_attrs(
        bin_width=float(edges[1] - edges[0]),
        raster_start=stretch[0],
        raster_stop=stretch[1],
        trials=str(session.attrs.get("trials", "")),
        problems=as_json(problems),
    )


def _check_number(name: str, value: Any) -> None:
    if value is not None and (not isinstance(value, int | np.integer) or value < 1):
        message = f"{name} must be a whole number of at least 1, found {value!r}"
        raise TensorError(message)


def _span(session: xr.Dataset) -> tuple[float, float]:
    """First and last moment (s) of spikes, trials and stated observation."""
    starts, spikes = session["neuron_start"].values, session["spike_time"].values
    filled = np.diff(starts) > 0
    moments = [spikes[starts[:-1][filled]], spikes[starts[1:][filled] - 1]]
    moments += [session["obs_start"].values, session["obs_stop"].values]
    begin, end = (_column(session, name) for name in ("start_time", "stop_time"))
    if begin is not None:
        moments.append(begin)
    if begin is not None and end is not None:
        length = np.where(np.isfinite(end - begin), end - begin, np.inf)
        usual = np.isfinite(length)
        typical = float(np.median(length[usual])) if usual.any() else 0.0
        moments.append(end[length <= _LONG_TRIAL * typical])
    values = np.concatenate(moments)
    values = values[np.isfinite(values)]
    if not values.size:
        message = "the session holds no spikes and no trials: there is nothing to look at"
        raise TensorError(message)
    start, stop = float(values.min()), float(values.max())
    return start, stop if stop > start else start + 1.0


def _observed_within(session: xr.Dataset, start: float, stop: float) -> xr.Dataset:
    """Cut the observation intervals where the session starts and stops, infinite ones too.

    A bin may reach further than the session, and the time beyond it was not observed.
    """
    cut = {name: session[name].clip(start, stop) for name in ("obs_start", "obs_stop")}
    return session.assign(cut)


def _column(session: xr.Dataset, name: str) -> Floats | None:
    """Return a column of trial times as floats, if there is one."""
    column = session.coords.get(name)
    if column is None or column.dims != ("trial",) or column.dtype.kind not in "fiu":
        return None
    return np.asarray(column.values, dtype=np.float64)


def _edges(start: float, stop: float, n_bins: int | None) -> Floats:
    """Edges of equal bins from start to stop; the last bin holds its right edge too."""
    if n_bins is not None:
        return np.linspace(start, stop, n_bins + 1)
    power = np.floor(np.log10((stop - start) / _N_BINS[1]))
    for width in (step * 10.0 ** (power + more) for more in (0, 1) for step in _WIDTHS):
        first, last = np.floor(start / width), np.ceil(stop / width)
        # A product may round past the moment its quotient was rounded from.
        first, last = first - (first * width > start), last + (last * width < stop)
        # One bin more or less by where the session starts is no reason to change the width.
        if last - first <= _N_BINS[1]:
            break
    return np.asarray(np.arange(first, last + 1) * width, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Counts:
    """Everything counted in one pass over the neurons."""

    n_in_bin: NDArray[np.int64]
    seconds: Floats
    rate_seconds: Floats
    n_spikes: NDArray[np.int64]
    n_intervals: NDArray[np.int64]
    n_short: NDArray[np.int64]
    third_rate: Floats
    drift: Floats
    drift_p: Floats

    @property
    def mean_rate(self) -> Floats:
        """Spikes in observed time by observed time (Hz), NaN for a neuron never observed."""
        return _ratio(self.n_in_bin.sum(axis=1), self.seconds.sum(axis=1))


def _count(session: xr.Dataset, edges: Floats) -> _Counts:
    """Count bin by bin, one neuron after the other: a session may hold 50 million spikes."""
    n_neurons, n_bins = session.sizes["neuron"], edges.size - 1
    n_in_bin = np.zeros((n_neurons, n_bins), dtype=np.int64)
    seconds = np.zeros((n_neurons, n_bins))
    n_spikes, n_short = np.zeros((2, n_neurons), dtype=np.int64)
    third_rate, drift = np.full((2, 3, n_neurons), np.nan)
    p = np.full(n_neurons, np.nan)
    for neuron, spikes, start, stop in neurons_within(session, edges):
        n_spikes[neuron] = spikes.size
        n_short[neuron] = n_short_intervals(spikes)
        if not start.size:
            continue
        n_in_bin[neuron], seconds[neuron] = observed_counts(spikes, edges, start, stop)
        blocks = observed_counts(spikes, equal_exposure(start, stop, N_BLOCKS), start, stop)
        third_rate[:, neuron], drift[:, neuron] = third_rates(*blocks), drift_index(*blocks)
        p[neuron] = drift_p(*blocks)
    enough = seconds >= _LEAST_OBSERVED * np.diff(edges)
    return _Counts(
        n_in_bin=n_in_bin,
        seconds=seconds,
        rate_seconds=np.where(enough, seconds, 0.0),
        n_spikes=n_spikes,
        n_intervals=np.maximum(n_spikes - 1, 0),
        n_short=n_short,
        third_rate=third_rate,
        drift=drift,
        drift_p=p,
    )


def _ratio(n: Any, seconds: Any) -> Floats:
    """Quotient that is NaN where nothing was observed."""
    ratio = np.divide(n, seconds, out=np.full(np.shape(seconds), np.nan), where=seconds > 0)
    return np.asarray(ratio)


def _variables(counts: _Counts, n_observed: NDArray[Any]) -> dict[str, Any]:
    hertz, one = {"units": "Hz"}, {"units": "1"}
    used = counts.rate_seconds > 0
    population = _ratio((counts.n_in_bin * used).sum(axis=0), counts.rate_seconds.sum(axis=0))
    share = _ratio(counts.n_short, counts.n_intervals.astype(np.float64))
    return {
        "rate": (("neuron", "time"), _ratio(counts.n_in_bin, counts.rate_seconds), hertz),
        "population_rate": ("time", population, hertz),
        "n_observed": ("time", n_observed, one),
        "n_spikes": ("neuron", counts.n_spikes, one),
        "observed_time": ("neuron", counts.seconds.sum(axis=1), {"units": "s"}),
        "mean_rate": ("neuron", counts.mean_rate, hertz),
        "n_intervals": ("neuron", counts.n_intervals, one),
        "short_interval_share": ("neuron", share, one),
        "third_rate": (("third", "neuron"), counts.third_rate, hertz),
        "drift": ("neuron", counts.drift[0], one),
        "drift_bound": (("bound", "neuron"), counts.drift[1:], one),
        "drift_p": ("neuron", counts.drift_p, one),
    }
