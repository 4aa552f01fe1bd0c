"""When was each neuron observed?  Silent is not unrecorded, and unrecorded is not silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from popdyn.errors import SourceError, warn
from popdyn.io.neurons import Neurons
from popdyn.io.tables import Table
from popdyn.io.times import seconds_of
from popdyn.tensor.silence import shared_silences, silence_problems

POLICIES = ("auto", "session", "spikes")
# A silence at the start or end counts as "not recorded" when it is longer than this share of
# the session and the neuron's own rate would have put this many spikes into it.
_LONG_SHARE = 0.1
_EXPECTED_SPIKES = 100.0
_LONG_GAPS = 5.0
# A trial longer than this many medians is absurd.
LONG_TRIAL = 10.0
# A silence is worth a line when that many spikes are missing, however short it is.
_SUSPICIOUS_SPIKES = 30.0
# Milliseconds for seconds make a factor of a thousand, give or take what was not recorded.
_THOUSAND = (200.0, 5000.0)

Intervals = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Coverage:
    """Observation intervals (start, stop, neuron position), and how they were found.

    ``partial`` are the positions of neurons taken as recorded only from their first to their
    last spike; ``problems`` are lines for people.
    """

    intervals: Intervals | None
    partial: np.ndarray
    problems: tuple[str, ...]


# Times that are infinite or absurd are said, they raise no warnings of NumPy's.
@np.errstate(invalid="ignore", over="ignore")
def session_span(neurons: Neurons, trials: Table | None) -> tuple[float, float]:
    """Start and stop (s) of a session: from its first to its last spike or trial.

    Stops of absurdly long trials (more than ten times the median) do not count: a wrong stop
    would make every neuron look unrecorded.
    """
    moments = [np.array(neurons.span)]
    start = seconds_of(trials, "start_time") if trials is not None else None
    stop = seconds_of(trials, "stop_time") if trials is not None else None
    if start is not None:
        moments.append(start)
    if start is not None and stop is not None and np.isfinite(stop - start).any():
        length = stop - start
        moments.append(stop[length <= LONG_TRIAL * np.nanmedian(length)])
    extremes = [(np.nanmin(m), np.nanmax(m)) for m in moments if np.isfinite(m).any()]
    if not extremes:
        return 0.0, 0.0
    return float(min(low for low, _ in extremes)), float(max(high for _, high in extremes))


@np.errstate(invalid="ignore", over="ignore")
def find_coverage(neurons: Neurons, span: tuple[float, float], observed: str = "auto") -> Coverage:
    """Decide when each neuron was observed.

    Parameters
    ----------
    neurons : Neurons
    span : (float, float)
        Start and stop of the session (s), from `session_span`.
    observed : {"auto", "session", "spikes"}
        ``"auto"``: the file's ``obs_intervals``; without them the whole span, except that a
        neuron of at least 100 spikes whose silence at the start or the end is longer than a
        tenth of the span and than five of its longest pauses, and should have held at least
        100 spikes at its own rate, was recorded only from its first to its last spike.
        ``"session"``: all the time.  ``"spikes"``: first to last spike.

    Returns
    -------
    Coverage

    Raises
    ------
    SourceError
        If ``observed`` is none of these.
    """
    if observed not in POLICIES:
        message = f"observed must be one of {', '.join(POLICIES)}; got {observed!r}."
        raise SourceError(message)
    if observed == "session":
        return Coverage(None, np.zeros(0, dtype=int), ())
    if neurons.obs is not None and observed == "auto":
        return _stated(neurons, neurons.obs, span)
    first, last = neurons.extent
    silence = np.nan_to_num(np.maximum(first - span[0], span[1] - last))
    expected = np.nan_to_num(silence * neurons.rates)
    long = (silence > _LONG_SHARE * (span[1] - span[0])) & (expected >= _EXPECTED_SPIKES)
    long &= neurons.n_spikes >= _EXPECTED_SPIKES
    for position in np.flatnonzero(long):
        own = np.sort(neurons.spike_time[slice(*neurons.neuron_start[position : position + 2])])
        # A neuron that fires in bursts is silent now and then: this must be longer than that.
        long[position] = silence[position] > _LONG_GAPS * float((own[1:] - own[:-1]).max())
    partial = np.isfinite(first) if observed == "spikes" else long
    start = np.where(partial, first, span[0])
    stop = np.where(partial, last, span[1])
    problems = [_partial_line(neurons, long, span)] if long.any() else []
    doubtful = ~long & (expected >= _SUSPICIOUS_SPIKES)
    if doubtful.any():
        problems.append(_doubtful_line(neurons, doubtful, silence, expected))
    intervals = (start, stop, np.arange(neurons.n_neurons))
    return Coverage(intervals, np.flatnonzero(partial), tuple(problems))


def _stated(neurons: Neurons, stated: Intervals, span: tuple[float, float]) -> Coverage:
    """Use the file's own intervals; a neuron without any counts as observed for the span."""
    start, stop, owner = stated
    problems = list(_in_milliseconds(stop, span))
    without = np.setdiff1d(np.arange(neurons.n_neurons), owner)
    if without.size:
        problems.append(
            f"neurons {_ids(neurons, without)} have no obs_intervals although others do; taken "
            "as observed for the whole session"
        )
    start = np.concatenate([start, np.full(without.size, span[0])])
    stop = np.concatenate([stop, np.full(without.size, span[1])])
    owner = np.concatenate([owner, without])
    n_outside = count_outside(neurons, (start, stop, owner))
    if n_outside:
        problems.append(
            f"{n_outside} of {neurons.spike_time.size} spikes lie outside the neurons' "
            "obs_intervals; bins there are NaN"
        )
    return Coverage((start, stop, owner), np.zeros(0, dtype=int), tuple(problems))


def _in_milliseconds(stop: np.ndarray, span: tuple[float, float]) -> Iterator[str]:
    """Say that the intervals reach a thousand times as far as spikes and trials do."""
    reach, session = float(np.abs(stop).max(initial=0.0)), max(abs(span[0]), abs(span[1]))
    if session and _THOUSAND[0] <= reach / session <= _THOUSAND[1]:
        yield (
            f"obs_intervals reach {reach:,.0f}, spikes and trials {session:,.0f}: in milliseconds? "
            "Read as they are; units={'obs_intervals': 'ms'} converts them"
        )


def count_outside(neurons: Neurons, intervals: Intervals) -> int:
    """Count the spikes outside the observation intervals of their neuron."""
    order = np.lexsort((intervals[0], intervals[2]))
    start, stop, owner = (values[order] for values in intervals)
    first, last = neurons.extent
    encloses = (start <= first[owner]) & (stop >= last[owner])
    enclosed = np.bincount(owner, encloses, minlength=neurons.n_neurons) > 0
    bounds = np.searchsorted(owner, np.arange(neurons.n_neurons + 1))
    n_outside = 0
    for position in np.flatnonzero(~enclosed & (neurons.n_spikes > 0)):
        own, spikes = (
            slice(*edges[position : position + 2]) for edges in (bounds, neurons.neuron_start)
        )
        times = neurons.spike_time[spikes]
        times = np.sort(times) if neurons.n_unsorted else times
        n_outside += times.size - _n_inside(times, start[own], stop[own])
    return n_outside


def _n_inside(times: np.ndarray, start: np.ndarray, stop: np.ndarray) -> int:
    """Count sorted times within intervals that are sorted by their start, and may overlap."""
    if not start.size:
        return 0
    reach = np.maximum.accumulate(stop)
    apart = start[1:] > reach[:-1]
    begin, end = start[np.append(True, apart)], reach[np.append(apart, True)]
    n_before = np.searchsorted(times, begin, side="left")
    return int((np.searchsorted(times, end, side="right") - n_before).sum())


def gap_problems(
    neurons: Neurons, coverage: Coverage, span: tuple[float, float]
) -> tuple[str, ...]:
    """Lines about stretches in which all neurons are silent although they were observed."""
    whole = np.full(neurons.n_neurons, np.inf)
    obs = coverage.intervals or (-whole, whole, np.arange(neurons.n_neurons))
    found = shared_silences(neurons.spike_time, neurons.neuron_start, obs)
    return tuple(silence_problems(found, span[1] - span[0]))


def warn_partial(neurons: Neurons, coverage: Coverage, span: tuple[float, float]) -> None:
    """Warn that neurons were taken as recorded for a part of the session only."""
    if coverage.partial.size:
        mask = np.zeros(neurons.n_neurons, dtype=bool)
        mask[coverage.partial] = True
        warn(_partial_line(neurons, mask, span))


def _partial_line(neurons: Neurons, which: np.ndarray, span: tuple[float, float]) -> str:
    positions = np.flatnonzero(which)
    first, last = neurons.extent
    spans = [f"{neurons.table.ids[p]}: {first[p]:.0f}-{last[p]:.0f} s" for p in positions[:8]]
    more = f" and {positions.size - 8} more" if positions.size > 8 else ""
    return (
        f"{positions.size} of {neurons.n_neurons} neurons have spikes in a part of the session "
        f"({span[0]:.0f}-{span[1]:.0f} s) only, and the file has no obs_intervals: taken as "
        f"recorded from first to last spike ({', '.join(spans)}{more}), NaN outside; "
        "observed='session' counts their silence as zero"
    )


def _doubtful_line(
    neurons: Neurons, which: np.ndarray, silence: np.ndarray, expected: np.ndarray
) -> str:
    positions = np.flatnonzero(which)
    spans = [
        f"{neurons.table.ids[p]}: {silence[p]:.0f} s, {expected[p]:.0f} spikes expected"
        for p in positions[:5]
    ]
    more = f" and {positions.size - 5} more" if positions.size > 5 else ""
    return (
        f"{positions.size} of {neurons.n_neurons} neurons are silent for a while at the start or "
        f"end of the session ({'; '.join(spans)}{more}): perhaps not recorded then; counted as "
        "observed (observed='spikes' takes first to last spike)"
    )


def _ids(neurons: Neurons, positions: np.ndarray, most: int = 8) -> str:
    shown = ", ".join(str(neurons.table.ids[p]) for p in positions[:most])
    return shown if positions.size <= most else f"{shown} and {positions.size - most} more"
