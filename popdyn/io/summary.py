"""What a file holds, for people: text, HTML and a Dataset from one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import xarray as xr

from popdyn.io.behavior.record import SeriesSummary, series_rows, series_variables
from popdyn.tensor.result import make_result

_WIDTHS = {"values": 58, "name": 28}


@dataclass(frozen=True)
class ColumnSummary:
    """One column of a table: type, units, how many rows lack a value, values or examples."""

    name: str
    type: str
    units: str
    clock: str
    n_missing: int
    values: str
    description: str


@dataclass(frozen=True)
class TableSummary:
    """One interval table: rows, columns, and the columns trials can be aligned to."""

    name: str
    n_rows: int
    columns: tuple[ColumnSummary, ...]
    events: tuple[str, ...]
    description: str


@dataclass(frozen=True)
class NeuronSummary:
    """The neurons: ids, spikes, rates between first and last spike (Hz), spans (s), columns."""

    ids: tuple[str, ...]
    n_spikes: tuple[int, ...]
    rates: tuple[float, ...]
    first_spike: tuple[float, ...]
    last_spike: tuple[float, ...]
    columns: tuple[ColumnSummary, ...]
    coverage: str


@dataclass(frozen=True)
class FileSummary:
    """What an NWB file holds, from `describe_nwb`.

    Attributes
    ----------
    file : str
        Name of the file.
    n_bytes : int
    schema : str
        Version of the NWB schema.
    header : tuple of (str, str)
        Lines about session, subject and lab.
    neurons : NeuronSummary or None
    tables : tuple of TableSummary
        Every interval table.
    contents : tuple of str
        What else the file holds.
    problems : tuple of str
        What looks wrong.
    suggestion : str
        A call of `read_nwb` that works, or what is lacking.
    series : tuple of SeriesSummary
        Series and events, those that are no behavior among them.
    """

    file: str
    n_bytes: int
    schema: str
    header: tuple[tuple[str, str], ...]
    neurons: NeuronSummary | None
    tables: tuple[TableSummary, ...]
    contents: tuple[str, ...]
    problems: tuple[str, ...]
    suggestion: str
    series: tuple[SeriesSummary, ...] = ()

    def __str__(self) -> str:
        """Return the summary as text of about 120 columns."""
        return "\n".join(_text_lines(self))

    def _repr_html_(self) -> str:
        """Return the summary as HTML; every text of the file is escaped."""
        parts = [f"<h3>{escape(self.file)}</h3>", f"<p>{escape(_size_line(self))}</p>"]
        parts.append(_html_table(("", ""), _header_rows(self)))
        for title, n_rows, columns in _sections(self):
            parts.append(f"<h4>{escape(title)}: {n_rows} rows</h4>")
            parts.append(_html_table(_COLUMN_TITLES, [_row(column) for column in columns]))
        for table in self.tables:
            events = ", ".join(table.events) or "none"
            parts.append(f"<p>Events of {escape(table.name)}: {escape(events)}</p>")
        parts.append("<h4>What looks wrong</h4><ul>")
        parts += [f"<li>{escape(line)}</li>" for line in self.problems or ("nothing found",)]
        parts.append(f"</ul><h4>Read it</h4><pre>{escape(self.suggestion)}</pre>")
        return f"<div class='popdyn-summary'>{''.join(parts)}</div>"

    def to_dataset(self) -> xr.Dataset:
        """Return the summary as a Dataset.

        Returns
        -------
        xarray.Dataset
            ``n_spikes``, ``mean_rate`` (Hz), ``first_spike`` and ``last_spike`` (s) per neuron;
            ``table``, ``name``, ``type``, ``column_units``, ``clock``, ``n_missing``,
            ``column_values``, ``is_event`` per column of the neurons and of every interval
            table; ``problem``; ``series``, ``series_path``, ``series_kind``,
            ``series_units``, ``n_samples``, ``n_channels``, ``sampling_rate`` (Hz),
            ``series_start``, ``series_stop`` (s), ``is_behavior`` per series.
        """
        seconds = {"units": "s", "clock": "session"}
        neurons = self.neurons or NeuronSummary((), (), (), (), (), (), "")
        variables = {
            "n_spikes": ("neuron", np.array(neurons.n_spikes, dtype=np.int64), {"units": "1"}),
            "mean_rate": ("neuron", np.array(neurons.rates, dtype=np.float64), {"units": "Hz"}),
            "first_spike": ("neuron", np.array(neurons.first_spike, dtype=np.float64), seconds),
            "last_spike": ("neuron", np.array(neurons.last_spike, dtype=np.float64), seconds),
            "problem": ("problem_index", np.array(self.problems, dtype=np.str_)),
            **_column_variables(self),
            **series_variables(self.series),
        }
        result = make_result(
            variables,
            coords={"neuron": np.array(neurons.ids, dtype=np.str_)},
            method="describe_nwb",
            parameters={"file": self.file},
        )
        result.attrs |= {"schema": self.schema, "n_bytes": self.n_bytes, "header": _joined(self)}
        result.attrs["suggestion"] = self.suggestion
        return result


_COLUMN_TITLES = ("column", "type", "units", "missing", "values", "clock")


def _joined(summary: FileSummary) -> str:
    return "\n".join(f"{label}: {words}" for label, words in summary.header)


def _column_variables(
    summary: FileSummary,
) -> dict[str, tuple[str, np.ndarray] | tuple[str, np.ndarray, dict[str, str]]]:
    rows = [
        (title, column, column.name in events)
        for title, columns, events in [
            ("neurons", summary.neurons.columns if summary.neurons else (), ()),
            *((table.name, table.columns, table.events) for table in summary.tables),
        ]
        for column in columns
    ]

    def words(values: list[str]) -> tuple[str, np.ndarray]:
        return "column", np.array(values, dtype=np.str_)

    return {
        "table": words([title for title, _, _ in rows]),
        "name": words([column.name for _, column, _ in rows]),
        "type": words([column.type for _, column, _ in rows]),
        "column_units": words([column.units for _, column, _ in rows]),
        "clock": words([column.clock for _, column, _ in rows]),
        "column_values": words([column.values for _, column, _ in rows]),
        "description": words([column.description for _, column, _ in rows]),
        "n_missing": ("column", np.array([column.n_missing for _, column, _ in rows], dtype=int)),
        "is_event": ("column", np.array([is_event for _, _, is_event in rows], dtype=bool)),
    }


def _sections(summary: FileSummary) -> list[tuple[str, int, tuple[ColumnSummary, ...]]]:
    sections = [(table.name, table.n_rows, table.columns) for table in summary.tables]
    if summary.neurons and summary.neurons.columns:
        sections.insert(0, ("neurons", len(summary.neurons.ids), summary.neurons.columns))
    return sections


def _size_line(summary: FileSummary) -> str:
    schema = f"NWB {summary.schema}" if summary.schema else "NWB of unknown version"
    return f"{schema}, {summary.n_bytes / 1e6:.2f} MB"


def _header_rows(summary: FileSummary) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [*summary.header, ("neurons", _neuron_line(summary.neurons))]
    if summary.neurons and summary.neurons.ids:
        rows.append(("coverage", summary.neurons.coverage))
    names = ", ".join(f"{t.name} ({t.n_rows} rows)" for t in summary.tables)
    rows.append(("intervals", names or "none"))
    rows += series_rows(summary.series)
    return rows + [("also holds", line) for line in summary.contents]


def _neuron_line(neurons: NeuronSummary | None) -> str:
    if neurons is None:
        return "none (no spike times)"
    rates = [rate for rate in neurons.rates if np.isfinite(rate)]
    line = f"{len(neurons.ids)} with {sum(neurons.n_spikes):,} spikes"
    if not rates:
        return line
    if len(rates) == 1:
        return f"{line}, {rates[0]:.3g} Hz"
    return f"{line}, {min(rates):.2g} to {max(rates):.3g} Hz (median {np.median(rates):.2g} Hz)"


def _text_lines(summary: FileSummary) -> list[str]:
    lines = [f"{summary.file} ({_size_line(summary)})"]
    lines += [f"  {label:<13} {_cut(words, 160)}" for label, words in _header_rows(summary)]
    for title, n_rows, columns in _sections(summary):
        lines += ["", f"{title}: {n_rows} rows", *_text_table([_row(c) for c in columns])]
        events = [", ".join(t.events) for t in summary.tables if t.name == title and t.events]
        lines += [f"  can be aligned to: {words}" for words in events]
    lines += ["", "What looks wrong"]
    lines += [f"  - {line}" for line in summary.problems] or ["  nothing found"]
    return [*lines, "", "Read it", f"  {summary.suggestion}"]


def _row(column: ColumnSummary) -> tuple[str, ...]:
    missing = str(column.n_missing) if column.n_missing else ""
    return (column.name, column.type, column.units, missing, column.values, column.clock)


def _text_table(rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return ["  no columns"]
    cut = [
        tuple(
            _cut(word, _WIDTHS["values"] if i == 4 else _WIDTHS["name"])
            for i, word in enumerate(row)
        )
        for row in [_COLUMN_TITLES, *rows]
    ]
    widths = [max(len(row[i]) for row in cut) for i in range(len(_COLUMN_TITLES))]
    return [
        "  "
        + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in cut
    ]


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else words[: width - 3] + "..."


def _html_table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles) if any(titles) else ""
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(word)}</td>" for word in row) + "</tr>" for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"
