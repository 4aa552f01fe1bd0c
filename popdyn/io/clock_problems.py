"""Do spikes and trials run on one clock, in seconds?  Lines for people; nothing is changed here.

The signs are in the values: how far spikes and trials reach, how close two spikes come, where
times go back.  What is found here changes numbers, so `read_session` warns of it as well.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from popdyn.io.neurons import Neurons
from popdyn.io.tables import Table, counted
from popdyn.io.times import seconds_of
from popdyn.tensor.session import pieces

# How fast spikes follow each other (s).  Where spikes reach a thousand times as far as trials,
# they are in milliseconds unless this share does so: in milliseconds that takes 200 Hz.
_CLOSE, _FEW_WITH_EVIDENCE = 0.5, 0.1
_ENOUGH_SPIKES, _ENOUGH_TRIALS, _MOST_GAPS = 300, 5, 2_000_000
# Milliseconds for seconds make a factor of a thousand, give or take what was not recorded.
_THOUSAND = (200.0, 5000.0)
# What an index of 16 bits lost where it was widened.
_WIDE = 65_536
# A restart goes back by at least this share of the whole range.
_FAR_BACK = 0.05
_MOST_RESTARTS = 10
# Recordings whose every neuron fires less often than this (Hz) are rare, ...
_QUIET, _SILENT = 0.05, 0.01
# ... and so are trials that follow each other more slowly than this (s).
_SLOW_TRIALS = 500.0


def falls_back(times: np.ndarray, span: float | None = None) -> np.ndarray:
    """Return the positions at which times go back far, the first of each later part.

    Parameters
    ----------
    times : ndarray (n,)
        In the order of the file.
    span : float, optional
        The range that "far" refers to; that of the values by default.

    Examples
    --------
    >>> falls_back(np.array([0.0, 5.0, 9.0, 0.5, 4.0])).tolist()
    [3]
    >>> falls_back(np.array([0.0, 5.0, 9.0, 8.9, 10.0])).tolist()
    []
    """
    finite = np.flatnonzero(np.isfinite(times))
    if finite.size < 4:
        return np.zeros(0, dtype=int)
    values = times[finite]
    falls = values[:-1] - values[1:]
    far = _FAR_BACK * (float(values.max() - values.min()) if span is None else span)
    return finite[np.flatnonzero(falls > max(far, 0.0)) + 1]


def restart_row(times: np.ndarray, span: float | None = None) -> int | None:
    """Return where times go back the farthest; None where they never go back far.

    Parameters
    ----------
    times, span
        As for `falls_back`.

    Examples
    --------
    >>> restart_row(np.array([0.0, 5.0, 9.0, 0.5, 4.0, 3.0]))
    3
    """
    rows = falls_back(times, span)
    if not rows.size:
        return None
    finite = np.flatnonzero(np.isfinite(times))
    before = finite[np.searchsorted(finite, rows) - 1]
    return int(rows[np.argmax(times[before] - times[rows])])


def runs_of(times: np.ndarray) -> np.ndarray:
    """Return the number of the ascending run that each value belongs to, from 0.

    Examples
    --------
    >>> runs_of(np.array([0.1, 0.5, 0.2, 0.3, 0.1])).tolist()
    [0, 0, 1, 1, 2]
    """
    return np.concatenate([[0], np.cumsum(times[1:] < times[:-1])]) if times.size else times


def clock_problems(neurons: Neurons, table: Table | None) -> list[str]:
    """Lines about times that are not seconds on one clock.

    Parameters
    ----------
    neurons : Neurons
    table : Table, optional
        The trials.
    """
    relative = list(_relative_spikes(neurons, table)) if table is not None else []
    units = list(_steps(neurons))
    if table is not None and not relative:
        units += _factors(neurons, table)
    if not units and not relative:
        units = list(_never_close(neurons, table))
    restarts = [] if relative else list(_restarts(neurons, table))
    apart = apart_problems(neurons, table) if table is not None and not (units or relative) else []
    return [*_short_first_entry(neurons), *units, *relative, *restarts, *apart]


def _short_first_entry(neurons: Neurons) -> Iterator[str]:
    """Spikes of the first neuron that count as the second's (hdmf issue 630)."""
    spikes, starts = neurons.spike_time, neurons.neuron_start
    if neurons.n_neurons < 2:
        return
    meant, stop = int(starts[1]) + _WIDE, int(starts[2])
    if meant >= stop or spikes[meant] >= spikes[meant - 1]:
        return
    if _rises(spikes[:meant]) and _rises(spikes[meant:stop]):
        yield (
            f"the spikes of neurons {neurons.table.ids[0]} and {neurons.table.ids[1]} are mixed: "
            f"the first entry of spike_times_index is {starts[1]:,}, but times run on until "
            f"{meant:,} ({_WIDE:,} more, a fault of old hdmf): mend the entry, or leave both out"
        )


def _rises(times: np.ndarray) -> bool:
    return bool((times[1:] >= times[:-1]).all())


def _steps(neurons: Neurons) -> Iterator[str]:
    """Spike times that are whole numbers count samples."""
    spikes = neurons.spike_time
    if neurons.stored.startswith(("int", "uint")):
        which = f"are stored as {neurons.stored}"
    elif spikes.size >= _ENOUGH_SPIKES and all((p == np.round(p)).all() for p in pieces(spikes)):
        which = "are whole numbers"
    else:
        return
    stated = neurons.resolution
    if 0 < stated < 1:
        fix = f"the file states a resolution of {stated:g} s: units={{'spike_times': {stated:g}}}"
    else:
        fix = "units={'spike_times': 1/30000} for samples at 30 kHz, {'spike_times': 'ms'} for ms"
    yield f"spike times {which}: samples, not seconds? Read as they are; {fix}"


def _factors(neurons: Neurons, table: Table) -> Iterator[str]:
    """Spikes that reach a thousand times as far as the trials, or the other way round."""
    start = seconds_of(table, "start_time")
    if start is None or neurons.spike_time.size < _ENOUGH_SPIKES or table.n_rows < _ENOUGH_TRIALS:
        return
    finite = start[np.isfinite(start)]
    reach = float(np.abs(finite).max()) if finite.size else 0.0
    spike_reach = max(map(abs, neurons.span))
    if not reach or not spike_reach or neurons.stored.startswith(("int", "uint")):
        return
    low, high = _THOUSAND
    if low <= spike_reach / reach <= high and _share_close(neurons) < _FEW_WITH_EVIDENCE:
        yield (
            f"spike times reach {spike_reach:,.0f}, {table.name} {reach:,.0f}: spikes in "
            "milliseconds? Read as they are; units={'spike_times': 'ms'} converts them"
        )
    elif low <= reach / spike_reach <= high and not _is_short(finite):
        yield (
            f"{table.name} reach {reach:,.0f}, spike times {spike_reach:,.0f}: trials in "
            "milliseconds? Read as they are; units={'trials': 'ms'} converts their times"
        )


def _is_short(start: np.ndarray) -> bool:
    """Whether trials follow each other as fast as trials in seconds do."""
    return bool(np.median(np.abs(np.diff(start))) < 50.0) if start.size > 1 else True


def _share_close(neurons: Neurons) -> float:
    """Share of the intervals between spikes that are shorter than half a second."""
    spikes, starts = neurons.spike_time, neurons.neuron_start
    n_close = n_gaps = 0
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        own = spikes[first:last]
        gaps = np.abs(own[1:] - own[:-1])
        n_close += int((gaps < _CLOSE).sum())
        n_gaps += gaps.size
        if n_gaps > _MOST_GAPS:
            break
    return n_close / n_gaps if n_gaps else 1.0


def _never_close(neurons: Neurons, table: Table | None) -> Iterator[str]:
    """Rates of which none is plausible in seconds, with a second sign beside them."""
    n_gaps = int(np.maximum(neurons.n_spikes - 1, 0).sum())
    rates = neurons.rates[neurons.n_spikes > 2]
    if n_gaps < _ENOUGH_SPIKES or not rates.size or float(np.nanmedian(rates)) > _QUIET:
        return
    share, expected = _share_close(neurons), _share_by_chance(neurons)
    # Spikes in milliseconds keep the distance of a refractory time, those in seconds do not.
    apart = expected * n_gaps >= 5 and share < 0.3 * expected
    silent = expected * n_gaps < 5 and float(np.nanmedian(rates)) < _SILENT
    if apart or silent or _slow_trials(table):
        yield (
            f"the median neuron fires at {np.nanmedian(rates):.2g} Hz, and {100 * share:.2g} % of "
            f"spikes follow the one before within {_CLOSE:g} s: spike times in milliseconds or "
            "samples? Read as they are; units={'spike_times': 'ms'}, 'us' or the seconds one "
            "step lasts, converts them (with 'trials', if these are no seconds either)"
        )


def _share_by_chance(neurons: Neurons) -> float:
    """Share of intervals shorter than half a second, did neurons fire at random."""
    gaps = np.maximum(neurons.n_spikes - 1, 0)
    chance = 1 - np.exp(-_CLOSE * np.nan_to_num(neurons.rates))
    return float((gaps * chance).sum() / max(gaps.sum(), 1))


def _slow_trials(table: Table | None) -> bool:
    start = seconds_of(table, "start_time") if table is not None else None
    if start is None or start.size < _ENOUGH_TRIALS:
        return False
    return bool(np.nanmedian(np.abs(np.diff(start))) > _SLOW_TRIALS)


def apart_problems(neurons: Neurons, table: Table) -> list[str]:
    """One line where no trial overlaps with the spikes of any neuron."""
    start, stop = seconds_of(table, "start_time"), seconds_of(table, "stop_time")
    if start is None or not neurons.spike_time.size or not np.isfinite(start).any():
        return []
    first, last = neurons.span
    end = start if stop is None else np.where(np.isfinite(stop), stop, start)
    if not (np.isnan(start) | (end < first) | (start > last)).all():
        return []
    return [
        f"{table.name}: every row lies before the first or after the last spike of any neuron "
        f"({first:.0f}-{last:.0f} s): are both on the session's clock? shift={{'trials': SECONDS}} "
        "or shift={'spike_times': SECONDS} moves one of them"
    ]


def _relative_spikes(neurons: Neurons, table: Table) -> Iterator[str]:
    """Spikes that start anew with every trial."""
    start = seconds_of(table, "start_time")
    if start is None or not neurons.spike_time.size or table.n_rows < _ENOUGH_TRIALS:
        return
    ordered = np.unique(start[np.isfinite(start)])
    if ordered.size < _ENOUGH_TRIALS:
        return
    length = float(np.diff(ordered).max())
    first, last = neurons.span
    span = last - first
    n_runs = neurons.n_unsorted / max(int((neurons.n_spikes > 1).sum()), 1) + 1
    far = float(ordered[-1] - ordered[0]) > 4 * max(span, 1e-9)
    if far and span <= 1.5 * length and n_runs >= 0.3 * table.n_rows:
        yield (
            f"spike times lie between {first:.3g} and {last:.3g} and go back to the "
            f"start about {n_runs - 1:.0f} times in each neuron, {table.name} between "
            f"{ordered[0]:.0f} and {ordered[-1]:.0f} s: counted from each trial's start? Read as "
            "they are; clocks={'spike_times': 'trial'} puts them on the session's clock"
        )


def _restarts(neurons: Neurons, table: Table | None) -> Iterator[str]:
    """Say where a clock went back to its start in the middle of the session."""
    where, n_falls = [], []
    starts = neurons.neuron_start if neurons.n_unsorted else np.zeros(1, dtype=int)
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        own = neurons.spike_time[first:last]
        rows = falls_back(own) if own.size >= 10 else np.zeros(0, dtype=int)
        n_falls.append(rows.size)
        if rows.size == 1:
            where.append((float(own[rows[0] - 1]), float(own[rows[0]])))
    n_enough = int((neurons.n_spikes >= 10).sum())
    fix = "restart_offset=SECONDS adds them to what comes after"
    start = seconds_of(table, "start_time") if table is not None else None
    rows = falls_back(start) if start is not None else np.zeros(0, dtype=int)
    often = max(set(n_falls), key=n_falls.count) if n_falls else 0
    if 2 <= often <= _MOST_RESTARTS and n_falls.count(often) >= max(3, 0.8 * n_enough):
        yield (
            f"the spike times of {n_falls.count(often)} of {counted(neurons.n_neurons, 'neuron')} "
            f"go back {often} times: a clock that restarted each time? Sorted as they are, which "
            "mixes parts of the session; no argument mends several restarts: convert the file again"
        )
    if where and len(where) >= _share_needed(start, rows) * n_enough and _agree(where):
        before, after = np.median(where, axis=0)
        yield (
            f"the spike times of {len(where)} of {counted(neurons.n_neurons, 'neuron')} go back "
            f"once, from about {before:.0f} to {after:.0f} s: a clock that restarted? Sorted as "
            f"they are, which mixes two parts of the session; {fix}"
        )
    if table is not None and start is not None and rows.size == 1:
        row = int(rows[0])
        yield (
            f"{table.name}.start_time goes back once, from {start[row - 1]:.0f} to "
            f"{start[row]:.0f} s in row {row}: a clock that restarted? {fix}"
        )


def _share_needed(start: np.ndarray | None, rows: np.ndarray) -> float:
    """Share of the neurons that must go back before a clock is suspected.

    Clusters that were merged end to end go back too.  Trials that go back make a restart
    likely, trials that do not make it unlikely.
    """
    if start is None or start.size < _ENOUGH_TRIALS:
        return 0.8
    return 0.5 if rows.size == 1 else 0.95


def _agree(where: list[tuple[float, float]]) -> bool:
    """Whether neurons go back at about the same time: not so clusters that were merged."""
    before = np.array([pair[0] for pair in where])
    return len(where) >= 3 and bool(before.std() <= 0.1 * max(abs(before).max(), 1e-9))
