"""What looks wrong in a recording: lines for people.  Nothing is changed here."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from popdyn.io.corrections import TOUCHING
from popdyn.io.coverage import LONG_TRIAL
from popdyn.io.neurons import Neurons
from popdyn.io.tables import Column, Table, counted, left_out_line
from popdyn.io.times import ABSENT_IS_ZERO, column_units, is_named_time, seconds_of

_MIN_TRIALS = 5
_MAX_CODES = 30
_PLAUSIBLE_RATE = (1e-3, 500.0)
_REACTION = re.compile(r"^rt$|reaction|latency", re.IGNORECASE)
# Steps of time (s) that are worth a line.
_COARSE = 1e-4
_PAIR = re.compile(r"(?<![\w.])-?\d+\s*=|=\s*-?\d+(?![\w.])")
_RANGE = re.compile(r"(?<![\w.])(-?\d+)\s*(?:-|\.\.|to)\s*(\d+)(?![\w.])")
_PLAIN_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?![\w.])")


def table_problems(table: Table, clock: dict[str, str]) -> list[str]:
    """Lines about an interval table: lengths, missing events, codes, left-out columns."""
    found = [*table.notes]
    for check in (_rows, _start_times, _stop_times, _long_trials, _overlaps):
        found += check(table)
    found += _missing_events(table, clock)
    for column in table.columns:
        found += [f"{table.name}.{column.name}: {line}" for line in _column_lines(column, table)]
    return found + left_out_line(table)


def _rows(table: Table) -> Iterator[str]:
    if not table.n_rows:
        yield f"{table.name} has no rows"


def _start_times(table: Table) -> Iterator[str]:
    start = seconds_of(table, "start_time")
    if start is None:
        if "start_time" not in table.kept:
            yield f"{table.name} has no start_time"
        return
    n_missing = int(np.isnan(start).sum())
    if n_missing:
        yield f"{table.name}: {n_missing} of {start.size} rows have no start_time"
    n_falls = int((start[1:] < start[:-1]).sum())
    if n_falls:
        yield f"{table.name}: start_time falls {counted(n_falls, 'time')}; rows are out of order"


def _stop_times(table: Table) -> Iterator[str]:
    start, stop = seconds_of(table, "start_time"), seconds_of(table, "stop_time")
    if start is None or stop is None or not stop.size:
        return
    n_missing = int(np.isnan(stop).sum())
    if n_missing:
        which = "all" if n_missing == stop.size else f"{n_missing} of"
        yield f"{table.name}.stop_time is missing (NaN) in {which} {stop.size} rows"
    n_reversed = int((stop < start).sum())
    if n_reversed:
        yield f"{table.name}: {counted(n_reversed, 'row')} end before the start"


def _long_trials(table: Table) -> Iterator[str]:
    start, stop = seconds_of(table, "start_time"), seconds_of(table, "stop_time")
    if start is None or stop is None or table.n_rows < _MIN_TRIALS:
        return
    length = stop - start
    if not np.isfinite(length).any():
        return
    median = float(np.nanmedian(length))
    long = np.flatnonzero(length > LONG_TRIAL * median)
    if long.size and median > 0:
        shown = ", ".join(f"{table.ids[i]} ({length[i]:.0f} s)" for i in long[:5])
        more = f" and {long.size - 5} more" if long.size > 5 else ""
        yield (
            f"{table.name}: {counted(long.size, 'row')} longer than {LONG_TRIAL:.0f} times the "
            f"median of {median:.1f} s: ids {shown}{more}"
        )


def _overlaps(table: Table) -> Iterator[str]:
    start, stop = seconds_of(table, "start_time"), seconds_of(table, "stop_time")
    if start is None or stop is None or start.size < 2:
        return
    order = np.argsort(start, kind="stable")
    reached = np.fmax.accumulate(stop[order])[:-1]
    early = np.flatnonzero(start[order][1:] < reached - TOUCHING) + 1
    if early.size:
        ids = ", ".join(str(table.ids[row]) for row in order[early[:5]])
        more = f" and {early.size - 5} more" if early.size > 5 else ""
        yield (
            f"{table.name}: {_begin(early.size)} before an earlier one has ended "
            f"(ids {ids}{more}); overlaps='drop' leaves them out, overlaps='cut' ends the earlier "
            "one where the next begins"
        )


def _begin(n: int) -> str:
    return "1 row begins" if n == 1 else f"{n} rows begin"


def _missing_events(table: Table, clock: dict[str, str]) -> Iterator[str]:
    """One line for all event columns that lack the same number of values."""
    groups: dict[int, list[str]] = {}
    for name in clock:
        n_missing = int(table.kept[name].missing.sum())
        if n_missing and name not in ("start_time", "stop_time"):
            groups.setdefault(n_missing, []).append(name)
    for n_missing, names in groups.items():
        yield (
            f"{table.name}: {n_missing} of {table.n_rows} rows have no {', '.join(names)} (NaN); "
            "align leaves them out and says so"
        )


def _column_lines(column: Column, table: Table) -> Iterator[str]:
    values = table.numbers(column.name)
    if values is None:
        yield from _times_as_text(column)
    if values is None or not values.size:
        return
    yield from _codes(column, values)
    yield from _zero_if_absent(column, values, table)
    yield from _negative_reaction(column, values)
    if is_named_time(column) and column_units(column, is_time=True) not in ("s",):
        units = column_units(column, is_time=True)
        yield f"is stated in {units}, where NWB expects seconds; values are as in the file"


def _times_as_text(column: Column) -> Iterator[str]:
    """Text where times belong: nothing can be aligned to it."""
    if column.values is None or column.values.dtype.kind != "U":
        return
    words = column.values[~column.missing]
    if not words.size or not (column.name == "start_time" or is_named_time(column)):
        return
    are_numbers = all(_PLAIN_NUMBER.match(word) for word in words.tolist())
    if are_numbers or column.name in ("start_time", "stop_time"):
        yield (
            f"holds text ({str(words[0])[:20]!r}), not numbers: nothing can be aligned to it; "
            "store seconds as numbers"
        )


def described_codes(description: str) -> frozenset[int]:
    """Whole numbers to which a description gives a meaning; empty where it lists none.

    Examples
    --------
    >>> sorted(described_codes("1=no boundary (NB), 2=soft boundary (SB)"))
    [1, 2]
    >>> sorted(described_codes("range = 2-4, -1=timeout"))
    [-1, 2, 3, 4]
    >>> described_codes("start time of video. TTL=1")
    frozenset()
    """
    spans = _RANGE.findall(description)
    if len(_PAIR.findall(description)) + len(spans) < 2:
        return frozenset()
    codes = {int(number) for number in _NUMBER.findall(_RANGE.sub(" ", description))}
    for low, high in spans:
        if 0 < int(high) - int(low) <= _MAX_CODES:
            codes.update(range(int(low), int(high) + 1))
    return frozenset(codes)


def _codes(column: Column, values: np.ndarray) -> Iterator[str]:
    codes = described_codes(column.description)
    present = np.unique(values[np.isfinite(values)])
    if not codes or is_named_time(column) or not 0 < present.size <= _MAX_CODES:
        return
    unknown = [value for value in present.tolist() if value not in codes]
    if not unknown:
        return
    absent = sorted(codes - set(present.tolist()))
    counts = ", ".join(
        f"{value:g} ({counted(int((values == value).sum()), 'row')})" for value in unknown
    )
    never = f"; {', '.join(map(str, absent))} never occurs" if absent else ""
    yield (
        f"holds {counts}, which its description does not explain ({column.description[:80]!r})"
        f"{never}; values are as in the file"
    )


def _zero_if_absent(column: Column, values: np.ndarray, table: Table) -> Iterator[str]:
    if not ABSENT_IS_ZERO.search(column.description):
        return
    n_zero = int((values == 0).sum())
    start = seconds_of(table, "start_time")
    n_start = (
        int((values == start).sum()) if start is not None and column.name != "start_time" else 0
    )
    if n_zero or n_start:
        yield (
            f"is described as 0 where the event does not exist; {n_zero} values are 0 and "
            f"{n_start} equal start_time exactly: select trials that have it before aligning"
        )


def _negative_reaction(column: Column, values: np.ndarray) -> Iterator[str]:
    if _REACTION.search(column.name) or _REACTION.search(column.description):
        negative = values[values < 0]
        if negative.size:
            yield f"{negative.size} of {values.size} are negative (lowest {negative.min():.3g})"


def neuron_problems(neurons: Neurons) -> list[str]:
    """Lines about the neurons: order, rates, empty ones, columns left out."""
    found = [*neurons.table.notes]
    if neurons.n_not_finite:
        found.append(f"{neurons.n_not_finite} spike times are NaN or infinite and were left out")
    backwards = n_backwards(neurons)
    if backwards:
        found.append(
            f"spike times run backwards in {backwards} of {counted(neurons.n_neurons, 'neuron')}; "
            "sorted when read"
        )
    elif neurons.n_unsorted:
        found.append(
            f"spike times are not sorted ({neurons.n_unsorted} earlier than the one before); "
            "sorted when read"
        )
    empty = int((neurons.n_spikes == 0).sum())
    if empty:
        found.append(f"{empty} of {neurons.n_neurons} neurons have no spikes")
    rates = neurons.rates[np.isfinite(neurons.rates)]
    odd = (rates < _PLAUSIBLE_RATE[0]) | (rates > _PLAUSIBLE_RATE[1])
    if odd.any():
        found.append(
            f"{int(odd.sum())} of {neurons.n_neurons} neurons fire at implausible rates "
            f"({rates.min():.3g} to {rates.max():.3g} Hz): are spike times in seconds?"
        )
    found += _coarse_spikes(neurons)
    return found + left_out_line(neurons.table)


def n_backwards(neurons: Neurons) -> int:
    """Count the neurons whose spike times only ever fall."""
    if not neurons.n_unsorted:
        return 0
    starts = neurons.neuron_start
    own = [neurons.spike_time[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]
    return sum(times.size > 2 and bool((times[1:] <= times[:-1]).all()) for times in own)


def _coarse_spikes(neurons: Neurons) -> Iterator[str]:
    """Single precision keeps seven digits: late in a session too few for milliseconds."""
    if neurons.stored not in ("float32", "float16") or not neurons.spike_time.size:
        return
    step = float(np.spacing(neurons.spike_time.max().astype(neurons.stored)))
    if step > _COARSE:
        yield (
            f"spike times are stored as {neurons.stored}: late in the session they are known to "
            f"{1e3 * step:.2g} ms only"
        )


def outside_problems(neurons: Neurons, table: Table, clock: dict[str, str]) -> list[str]:
    """Lines about trials and events during which nothing was recorded."""
    start = seconds_of(table, "start_time")
    if start is None or not neurons.spike_time.size or not np.isfinite(start).any():
        return []
    first, last = neurons.span
    stop = seconds_of(table, "stop_time")
    end = start if stop is None else np.where(np.isfinite(stop), stop, start)
    outside = np.isfinite(start) & ((end < first) | (start > last))
    where = f"before the first or after the last spike of any neuron ({first:.0f}-{last:.0f} s)"
    lines = []
    if outside.any() and not outside[np.isfinite(start)].all():
        lines.append(f"{table.name}: {int(outside.sum())} of {table.n_rows} rows lie {where}")
    finite = start[np.isfinite(start)]
    known = np.concatenate([finite, end[np.isfinite(end)], [first, last]])
    margin = float(np.median(np.abs(np.diff(finite)))) if finite.size > 1 else 0.0
    return lines + _events_outside(table, clock, (known.min() - margin, known.max() + margin))


def _events_outside(table: Table, clock: dict[str, str], span: tuple[float, float]) -> list[str]:
    """Events that lie outside the session: before and after every spike and trial."""
    lines = []
    for name, which in clock.items():
        values = seconds_of(table, name)
        if values is None or which != "session" or name in ("start_time", "stop_time"):
            continue
        far = np.isfinite(values) & ((values < span[0]) | (values > span[1]))
        if far.any():
            lines.append(
                f"{table.name}.{name}: {int(far.sum())} of {table.n_rows} events lie outside the "
                f"session ({span[0]:.0f}-{span[1]:.0f} s): {values[far].min():.6g} to "
                f"{values[far].max():.6g} s"
            )
    return lines
