"""Sum up a recording: from arrays to the lines of a FileSummary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from popdyn.io.clock_problems import clock_problems
from popdyn.io.coverage import find_coverage, gap_problems, session_span
from popdyn.io.neurons import Neurons
from popdyn.io.problems import neuron_problems, outside_problems, table_problems
from popdyn.io.recording import NOT_TRIALS, Recording
from popdyn.io.summary import ColumnSummary, FileSummary, NeuronSummary, TableSummary
from popdyn.io.tables import Column, Table
from popdyn.io.times import Clocks, candidate_events, column_units, detect_clocks

_MOST_VALUES = 6
_NEWEST_SCHEMA = 2
_MOST_LINES = 8
_YES_NO = ("is_", "has_", "is this", "whether", "true ", "flag")


@dataclass(frozen=True)
class Findings:
    """Clocks of every table that was read, and everything that looks wrong.

    ``serious`` are those of the problems that change what every number means.
    """

    clocks: dict[str, Clocks]
    problems: tuple[str, ...]
    serious: tuple[str, ...]


# Times that are infinite or absurd are said, they raise no warnings of NumPy's.
@np.errstate(invalid="ignore", over="ignore")
def find_problems(
    recording: Recording, trials: str | None, clocks: dict[str, str] | None = None
) -> Findings:
    """Look through a recording for everything that is worth a line.

    Parameters
    ----------
    recording : Recording
    trials : str, optional
        The table whose rows are the trials.
    clocks : dict, optional
        The user's own word on the clocks of that table.
    """
    found = {
        name: detect_clocks(table, clocks if name == trials else None)
        for name, table in recording.tables.items()
    }
    chosen = trials if trials is not None else suggested_table(recording, found)
    serious: list[str] = []
    if recording.neurons is not None:
        serious = clock_problems(recording.neurons, recording.tables.get(chosen or ""))
    problems = [*serious, *_header_problems(recording, trials)]
    if recording.neurons is not None:
        problems += neuron_problems(recording.neurons)
    for name, table in recording.tables.items():
        problems += [*found[name].problems, *table_problems(table, found[name].clock)]
        if recording.neurons is not None:
            problems += outside_problems(recording.neurons, table, found[name].clock)
    return Findings(found, tuple(problems), tuple(serious))


def _header_problems(recording: Recording, trials: str | None) -> list[str]:
    problems = []
    year = recording.started[:4]
    if year.isdigit() and int(year) < 1950:
        problems.append(
            f"the session is said to start on {recording.started[:10]}: the date was removed or "
            "is wrong; times within the session are not affected"
        )
    problems += [*_version_problems(recording.source.schema), *recording.lost]
    if len(recording.neuron_tables) > 1 and recording.neurons is not None:
        first, *others = [path.strip("/") for path in recording.neuron_tables]
        problems.append(
            f"there are {1 + len(others)} tables of neurons: {first}, {', '.join(others)}; the "
            f"first is read unless neuron_table= names another (neuron_table={others[0]!r})"
        )
    if not recording.has_units and recording.neurons is None:
        problems.append("there are no neurons (no `units` table)")
    elif recording.neuron_damage:
        problems.append(f"the neurons cannot be read: {recording.neuron_damage}")
    elif recording.neurons is None:
        problems.append("the `units` table has no spike_times")
    if not recording.rows:
        problems.append("there are no interval tables, so no trials")
    elif trials is None and "trials" not in recording.rows:
        names = ", ".join(recording.rows)
        problems.append(f"there is no table named trials; choose one by name: {names}")
    return problems


def _version_problems(schema: str) -> list[str]:
    """One line on a version of NWB that popdyn cannot know."""
    if not schema:
        return ["the file does not state its nwb_version; read as NWB 2"]
    major = schema.split(".")[0]
    if major.isdigit() and int(major) > _NEWEST_SCHEMA:
        return [
            f"NWB {schema} is newer than what this popdyn knows: a name may mean something else"
        ]
    return []


def suggested_table(recording: Recording, clocks: dict[str, Clocks]) -> str | None:
    """Return the table that is most likely to hold the trials."""
    filled = {name: table for name, table in recording.tables.items() if table.n_rows}
    if "trials" in filled:
        return "trials"
    rare = NOT_TRIALS | set(recording.events)
    likely = [name for name in filled if name not in rare] or list(filled)
    if not likely:
        return None
    return max(
        likely, key=lambda n: (len(candidate_events(filled[n], clocks[n].clock)), filled[n].n_rows)
    )


def summarize(recording: Recording) -> FileSummary:
    """Build the summary of a recording that was read with all its tables."""
    findings = find_problems(recording, None)
    chosen = suggested_table(recording, findings.clocks)
    problems = list(findings.problems)
    neurons = None
    if recording.neurons is not None:
        table = recording.tables[chosen] if chosen is not None else None
        span = session_span(recording.neurons, table)
        coverage = find_coverage(recording.neurons, span)
        problems += [*coverage.problems, *gap_problems(recording.neurons, coverage, span)]
        neurons = _neuron_summary(recording.neurons, span)
    tables = tuple(
        _table_summary(table, findings.clocks[name].clock)
        for name, table in recording.tables.items()
    )
    return FileSummary(
        file=recording.source.name,
        n_bytes=recording.source.n_bytes,
        schema=recording.source.schema,
        header=(*recording.header, ("started", recording.started)),
        neurons=neurons,
        tables=tables,
        contents=recording.contents,
        problems=(*problems, *_series_lines(recording)),
        suggestion=_suggestion(recording, chosen),
        series=recording.series,
    )


def _series_lines(recording: Recording) -> list[str]:
    """Lines about series that cannot be read as they are, a few of many."""
    lines = [line for one in recording.series for line in (one.problem, *one.notes) if line]
    more = [f"and {len(lines) - _MOST_LINES} more about series"] if len(lines) > _MOST_LINES else []
    return [*lines[:_MOST_LINES], *more]


def _suggestion(recording: Recording, chosen: str | None) -> str:
    name = recording.source.location
    if recording.neurons is None:
        return "popdyn needs spike times in a `units` table; this file has none."
    if chosen is None:
        return f"pdn.read_session({name!r}, trials=None)  # no trials to align to"
    trials = "" if chosen == "trials" else f", trials={chosen!r}"
    return f"pdn.read_nwb({name!r}, align='start_time', window=(-0.5, 1.0){trials})"


def _neuron_summary(neurons: Neurons, span: tuple[float, float]) -> NeuronSummary:
    first, last = neurons.extent
    stated = "no obs_intervals"
    if neurons.obs is not None:
        stated = f"obs_intervals: {neurons.obs[0].size}"
    filled = np.isfinite(first)
    where = "no spikes"
    if filled.any():
        where = f"spikes from {np.nanmin(first):.1f} to {np.nanmax(last):.1f} s"
    coverage = f"{where}, session {span[0]:.1f} to {span[1]:.1f} s, {stated}"
    return NeuronSummary(
        ids=tuple(str(value) for value in neurons.table.ids),
        n_spikes=tuple(int(n) for n in neurons.n_spikes),
        rates=tuple(float(rate) for rate in neurons.rates),
        first_spike=tuple(float(value) for value in first),
        last_spike=tuple(float(value) for value in last),
        columns=tuple(_column_summary(column, "") for column in neurons.table.columns),
        coverage=coverage,
    )


def _table_summary(table: Table, clock: dict[str, str]) -> TableSummary:
    columns = tuple(_column_summary(c, clock.get(c.name, "")) for c in table.columns)
    events = candidate_events(table, clock)
    return TableSummary(table.name, table.n_rows, columns, events, table.description)


def _column_summary(column: Column, clock: str) -> ColumnSummary:
    return ColumnSummary(
        name=column.name,
        type=_type_words(column),
        units=column_units(column, is_time=bool(clock)),
        clock=clock,
        n_missing=int(column.missing.sum()),
        values=_value_words(column),
        description=column.description,
    )


def _type_words(column: Column) -> str:
    values = column.values
    if values is None or values.dtype.kind not in "iu" or not values.size:
        return column.stored
    about = (column.name.lower(), column.description.lower())
    yes_no = any(words.startswith(_YES_NO) for words in about) and np.isin(values, (0, 1)).all()
    return f"{column.stored} (yes/no)" if yes_no else column.stored


def _value_words(column: Column) -> str:
    """Values with counts where there are few, a range of numbers, else examples."""
    if column.values is None:
        return f"left out: {column.left_out}"
    present = column.values[~column.missing]
    if not present.size:
        return "no values"
    unique, counts = np.unique(present, return_counts=True)
    if unique.size <= _MOST_VALUES and unique.size < max(present.size, 2):
        words = [f"{value}" if unique.dtype.kind in "bU" else f"{value + 0:g}" for value in unique]
        line = ", ".join(f"{w} ({n})" for w, n in zip(words, counts, strict=True))
        about = " ".join(column.description.split())
        # Codes mean nothing without what the file says of them.
        return f"{line}; {about:.90}" if "=" in about and unique.dtype.kind in "iuf" else line
    if present.dtype.kind == "U":
        some = list(dict.fromkeys(present.tolist()))
        more = ", ..." if len(some) > 3 else ""
        return f"{unique.size} different: {', '.join(some[:3])}{more}"
    return f"{unique[0]:g} to {unique[-1]:g}"
