"""The words of a recording's page: what looks wrong, facts, coverage, every column."""

from __future__ import annotations

import numpy as np
import xarray as xr

from popdyn.io.summary import ColumnSummary, FileSummary, NeuronSummary, TableSummary
from popdyn.reporting.page import Block, Cell, Code, Figure, Header, Items, Section, Table, Text

_COLUMN_HEADS = ("column", "values", "type", "units", "missing")
_NEURON_HEADS = (
    "neuron",
    "spikes",
    "rate (Hz)",
    "first to last spike (s)",
    "below 1.5 ms",
    "drift",
)
_MOST_NEURONS = 200
_WINDOW_NOTE = (
    "align is the event at zero, window is in s around it; bin_width= (s), neurons= and "
    "select_trials= narrow it down."
)


def lead(summary: FileSummary, problems: tuple[str, ...], call: str) -> tuple[Block, ...]:
    """Make the head of the page: what it is, what looks wrong, how to read it.

    Parameters
    ----------
    summary : FileSummary
    problems : tuple of str
    call : str
        The suggested call.

    Returns
    -------
    tuple of Block
    """
    label = "What looks wrong"
    wrong: Block = Text(("Nothing was found that looks wrong.",), "note")
    if problems:
        wrong = Items(problems, "warning", f"{label} ({len(problems)})")
    if summary.neurons is None:
        return Text((_what(summary),)), wrong, Text((call,), "note", "Read it.")
    how = Code("Read it (import popdyn as pdn; a click marks the line):", call, whole=True)
    return Text((_what(summary),)), wrong, how, Text((_WINDOW_NOTE,))


def _what(summary: FileSummary) -> str:
    """Say in a sentence or two what the file holds."""
    version = f"NWB {summary.schema}" if summary.schema else "NWB of unknown version"
    size = f"{version}, {summary.n_bytes / 1e6:.2f} MB"
    tables = ", ".join(
        f"{table.name} ({_counted(table.n_rows, 'row')})" for table in summary.tables
    )
    there = f"interval tables: {tables}" if summary.tables else "no interval tables, so no trials"
    return f"{size}: {_neurons(summary.neurons)}; {there}."


def _neurons(neurons: NeuronSummary | None) -> str:
    if neurons is None:
        return "no neurons (no spike times)"
    rates = np.array([rate for rate in neurons.rates if np.isfinite(rate)])
    words = f"{_counted(len(neurons.ids), 'neuron')} with {sum(neurons.n_spikes):,} spikes"
    if rates.size > 1:
        return (
            f"{words} at {rates.min():.2g} to {rates.max():.3g} Hz (median {np.median(rates):.2g})"
        )
    return f"{words} at {rates[0]:.3g} Hz" if rates.size else words


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def facts_section(summary: FileSummary) -> Section:
    """Header lines, coverage and what else there is, without empty ones."""
    rows = [(label, words) for label, words in summary.header if words.strip()]
    if summary.neurons is not None:
        rows.append(("coverage", summary.neurons.coverage))
    rows += [("also holds", line) for line in summary.contents]
    rows = rows or [("header", "empty")]
    cells = tuple((Cell(label), Cell(words)) for label, words in rows)
    about = Table("What the file says of itself", (Header("about"), Header("in the file")), cells)
    return Section("The file", (about,))


def neuron_section(neurons: NeuronSummary, overview: xr.Dataset | None) -> Section:
    """Make the chapter of the neurons: a row for each, and every column."""
    blocks: list[Block] = []
    if neurons.ids:
        blocks.append(_neuron_table(neurons, overview))
    if neurons.columns:
        blocks.append(_column_table("Columns of the neuron table", neurons.columns))
    return Section("Neurons", tuple(blocks))


def _neuron_table(neurons: NeuronSummary, overview: xr.Dataset | None) -> Table:
    """One row per neuron: spikes, rate, span, short intervals, drift."""
    shown = range(min(len(neurons.ids), _MOST_NEURONS))
    rows = tuple(
        (
            Cell(neurons.ids[i]),
            Cell(f"{neurons.n_spikes[i]:,}"),
            Cell(_number(neurons.rates[i], ".3g")),
            Cell(_span(neurons.first_spike[i], neurons.last_spike[i])),
            *_checked(overview, i),
        )
        for i in shown
    )
    rest = (
        f", the first {len(shown)} of {len(neurons.ids)}" if len(shown) < len(neurons.ids) else ""
    )
    caption = (
        f"Neurons{rest}: the share of intervals between spikes below 1.5 ms; drift is (last - "
        "first) / (last + first) of the rates in the first and last third of the time observed, "
        "with its 95 % interval"
    )
    return Table(caption, tuple(Header(words) for words in _NEURON_HEADS), rows)


def _checked(overview: xr.Dataset | None, position: int) -> tuple[Cell, Cell]:
    if overview is None or position >= overview.sizes["neuron"]:
        return Cell("not computed", quiet=True), Cell("not computed", quiet=True)
    one = overview.isel(neuron=position)
    share, drift = float(one["short_interval_share"]), float(one["drift"])
    if not np.isfinite(drift):
        return Cell(_percent(share)), Cell("too few spikes", quiet=True)
    low, high = one["drift_bound"].values
    return Cell(_percent(share)), Cell(f"{_signed(drift)} [{_signed(low)}, {_signed(high)}]")


def _signed(value: float) -> str:
    """Two digits with a sign, none for what rounds to zero."""
    return f"{value:+.2f}" if abs(value) >= 0.005 else "0.00"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if np.isfinite(share) else "–"


def _span(first: float, last: float) -> str:
    return f"{first:.1f} to {last:.1f}" if np.isfinite(first) and np.isfinite(last) else "–"


def _number(value: float, form: str) -> str:
    return f"{value:{form}}" if np.isfinite(value) else "–"


def table_section(table: TableSummary, drawn: Figure | None) -> Section:
    """Make the chapter of an interval table: its pictures, and every column."""
    events = ", ".join(table.events) or "none"
    about = f"{_counted(table.n_rows, 'row')}. Can be aligned to: {events}."
    words = (about, table.description) if table.description.strip() else (about,)
    blocks: list[Block] = [Text(words)]
    if drawn is not None:
        blocks.append(drawn)
    if table.columns:
        blocks.append(_column_table(f"Columns of {table.name}", table.columns))
    return Section(f"Table {table.name}", tuple(blocks))


def _column_table(caption: str, columns: tuple[ColumnSummary, ...]) -> Table:
    rows = tuple(
        (
            Cell(column.name, (column.description,) if column.description.strip() else ()),
            Cell(column.values, quiet=column.values.startswith("left out")),
            Cell(column.type),
            Cell(column.units, (f"{column.clock} clock",) if column.clock else ()),
            Cell(f"{column.n_missing:,}" if column.n_missing else ""),
        )
        for column in columns
    )
    return Table(caption, tuple(Header(words) for words in _COLUMN_HEADS), rows)
