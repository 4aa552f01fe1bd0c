"""One page about one recording: what looks wrong, how to read it, pictures, every column."""

from __future__ import annotations

import ast
import difflib
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

import popdyn
from popdyn.analysis.session_overview import session_overview
from popdyn.errors import PopdynError, PopdynWarning, SourceError
from popdyn.io.nwb import describe_nwb, read_session
from popdyn.io.summary import FileSummary
from popdyn.reporting import page, recording_pictures, recording_tables
from popdyn.reporting.folder import write_whole
from popdyn.reporting.inputs import html_path

_WINDOW = (-0.5, 1.0)
# Pictures of further tables read the spikes again: only where that takes no time.
_MANY_SPIKES = 2_000_000
_MOST_TABLES = 5


def describe_page(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    trials: str | None = None,
    align: str | None = None,
) -> Path:
    """Write what an NWB file holds as one self-contained HTML page with pictures.

    The page says first what looks wrong, then gives the call that reads the file, the rates of
    all neurons over the session, a stretch of spikes, the structure of the trials, the rates
    around their events, and every column of every table.

    Parameters
    ----------
    path : str or path-like
        An NWB file.
    target : str or path-like, optional
        The HTML file to write; replaced when it exists, and only once it is whole.  Without
        it the name of the file with ``.html``, in the working directory.
    trials : str, optional
        The interval table whose rows are the trials; the most likely one without.
    align : str, optional
        The event around which rates are drawn, and to which the suggested call aligns; all
        events are drawn without.

    Returns
    -------
    pathlib.Path
        The HTML file.

    Raises
    ------
    SourceError
        If the file cannot be read, has no such table or event, or the page would replace the
        recording or a folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = describe_page(
    ...         "data/mouse_alm_delay_anm369963.nwb", f"{folder}/alm.html", align="cue_start_time"
    ...     )
    ...     "align=&#39;cue_start_time&#39;" in written.read_text(encoding="utf-8")
    True
    """
    written = _target(path, target)
    return write_page(describe_nwb(path), path, written, trials=trials, align=align)


def write_page(
    summary: FileSummary,
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    trials: str | None = None,
    align: str | None = None,
) -> Path:
    """Write the page of a file that was described already.

    Parameters
    ----------
    summary : FileSummary
        From ``popdyn.describe_nwb``.
    path, target, trials, align
        As for `describe_page`.

    Returns
    -------
    pathlib.Path
    """
    written = _target(path, target)
    call = _call(summary, path, trials, align)
    found = _look(summary, path, call)
    title = summary.file or Path(os.fspath(path)).name
    lead = recording_tables.lead(summary, _problems(summary, found), call.text)
    sections = _sections(summary, found, call, align)
    footer = f"Made with popdyn {popdyn.__version__} from {title}."
    content = page.html(page.Page(title, lead, sections, footer))
    write_whole(written, content.encode("utf-8", errors="replace"))
    return written


def _sections(
    summary: FileSummary, found: _Look, call: _Call, align: str | None
) -> tuple[page.Section, ...]:
    """Put the chapters in order: the session, the tables (the chosen one first), the rest."""
    first = found.overviews.get(call.trials)
    made = [] if first is None else [recording_pictures.session_section(first)]
    for table in sorted(summary.tables, key=lambda one: one.name != call.trials):
        overview = found.overviews.get(table.name)
        event = align if table.name == call.trials else None
        drawn = None if overview is None else recording_pictures.trial_figure(overview, event)
        made.append(recording_tables.table_section(table, drawn))
    if summary.neurons is not None:
        made.append(recording_tables.neuron_section(summary.neurons, first))
    return (*made, recording_tables.facts_section(summary))


def _target(path: str | os.PathLike[str], target: str | os.PathLike[str] | None) -> Path:
    """Where the page goes; never over the recording."""
    source = Path(os.fspath(path))
    written = html_path(Path(f"{source.stem}.html") if target is None else Path(os.fspath(target)))
    is_same = written.exists() and source.exists() and written.samefile(source)
    if is_same or written.resolve() == source.resolve():
        message = f"{written} is the recording itself: name another file for the page"
        raise SourceError(message)
    if not written.parent.is_dir():
        message = (
            f"cannot write {written}: the folder {written.parent} does not exist; make it first"
        )
        raise SourceError(message)
    return written


@dataclass(frozen=True)
class _Call:
    """The call that reads the file: its text, and what it asks for."""

    text: str
    trials: str | None
    align: str


def _call(
    summary: FileSummary, path: str | os.PathLike[str], trials: str | None, align: str | None
) -> _Call:
    """Take the suggested call, or the same with the table and event that were asked for."""
    suggested = _keywords(summary.suggestion)
    table = trials if trials is not None else suggested.get("trials", _usual(summary))
    _check_names(summary, table, trials, align)
    is_asked = trials is not None or align is not None
    event = align or (suggested.get("align") if trials is None else None) or "start_time"
    if not is_asked or summary.neurons is None:
        return _Call(summary.suggestion, table, event)
    name = Path(os.fspath(path)).as_posix()
    named = "" if table == "trials" else f", trials={table!r}"
    text = f"pdn.read_nwb({name!r}, align={event!r}, window={_WINDOW}{named})"
    return _Call(text, table, event)


def _usual(summary: FileSummary) -> str | None:
    """Name the table that a call reads without being told, if it is there."""
    return "trials" if any(table.name == "trials" for table in summary.tables) else None


def _keywords(call: str) -> dict[str, Any]:
    """Arguments given by name in a suggested call; none when it is a sentence."""
    try:
        body = ast.parse(call.strip(), mode="eval").body
    except SyntaxError:
        return {}
    keywords = body.keywords if isinstance(body, ast.Call) else []
    return {
        word.arg: word.value.value
        for word in keywords
        if word.arg and isinstance(word.value, ast.Constant)
    }


def _check_names(
    summary: FileSummary, table: str | None, trials: str | None, align: str | None
) -> None:
    """Refuse a table or an event that the file does not have, naming those it has."""
    tables = {found.name: found for found in summary.tables}
    if trials is not None and trials not in tables:
        raise SourceError(_lacking(summary.file, "interval table", trials, list(tables)))
    events = tables[table].events if table in tables else ()
    if align is not None and align not in events:
        raise SourceError(_lacking(summary.file, f"event in {table}", align, list(events)))


def _lacking(file: str, what: str, name: str, there: list[str]) -> str:
    near = difflib.get_close_matches(name, there, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{file} has no {what} {name!r}; it has {', '.join(there) or 'none'}{hint}"


@dataclass(frozen=True, eq=False)
class _Look:
    """The overview for each table that could be read with the neurons, and new problems."""

    overviews: dict[str | None, xr.Dataset]
    problems: tuple[str, ...]


def _look(summary: FileSummary, path: str | os.PathLike[str], call: _Call) -> _Look:
    """Read the session and sum it up; what cannot be read leaves the rest of the page."""
    if summary.neurons is None or not summary.neurons.ids:
        return _Look({}, ())
    overviews: dict[str | None, xr.Dataset] = {}
    problems: list[str] = []
    with warnings.catch_warnings():
        # Each of these stands in the list of what looks wrong.
        warnings.simplefilter("ignore", PopdynWarning)
        for name in _tables(summary, call):
            try:
                session = read_session(path, name)
                overviews[name] = session_overview(session)
            except PopdynError as error:
                what = "the session" if name is None else name
                problems.append(f"there are no pictures of {what}: {error}")
                continue
            if name == call.trials:
                told = (session.attrs["problems"], overviews[name].attrs["problems"])
                problems += [line for lines in told for line in json.loads(lines)]
    return _Look(overviews, tuple(problems))


def _tables(summary: FileSummary, call: _Call) -> list[str | None]:
    """List the tables to draw: the chosen one, and others with rows where reading is cheap."""
    chosen: list[str | None] = [call.trials]
    if summary.neurons is None or sum(summary.neurons.n_spikes) > _MANY_SPIKES:
        return chosen
    filled = [table.name for table in summary.tables if table.n_rows]
    return chosen + [name for name in filled if name != call.trials][: _MOST_TABLES - 1]


def _problems(summary: FileSummary, found: _Look) -> tuple[str, ...]:
    """Everything that looks wrong, each once: of the file, then of the session."""
    return tuple(dict.fromkeys((*summary.problems, *found.problems)))
