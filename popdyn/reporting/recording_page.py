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
    content = page.html(
        page.Page(
            title,
            recording_tables.lead(summary, _problems(summary, found), call.text),
            (
                *recording_pictures.sections(found.overview, call.align if align else None),
                *recording_tables.sections(summary, found.overview),
            ),
            f"Made with popdyn {popdyn.__version__} from {title}.",
        )
    )
    write_whole(written, content.encode("utf-8", errors="replace"))
    return written


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
    table = trials if trials is not None else suggested.get("trials", "trials")
    _check_names(summary, table, trials, align)
    is_asked = trials is not None or align is not None
    event = align or (suggested.get("align") if trials is None else None) or "start_time"
    if not is_asked or summary.neurons is None:
        return _Call(summary.suggestion, table, event)
    name = Path(os.fspath(path)).as_posix()
    named = "" if table == "trials" else f", trials={table!r}"
    text = f"pdn.read_nwb({name!r}, align={event!r}, window={_WINDOW}{named})"
    return _Call(text, table, event)


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
    """The overview of the session, if there are neurons that can be read, and new problems."""

    overview: xr.Dataset | None
    problems: tuple[str, ...]


def _look(summary: FileSummary, path: str | os.PathLike[str], call: _Call) -> _Look:
    """Read the session and sum it up; what cannot be read leaves the rest of the page."""
    if summary.neurons is None or not summary.neurons.ids:
        return _Look(None, ())
    with warnings.catch_warnings():
        # Each of these stands in the list of what looks wrong.
        warnings.simplefilter("ignore", PopdynWarning)
        try:
            session = read_session(path, call.trials)
            overview = session_overview(session)
        except PopdynError as error:
            return _Look(None, (f"there are no pictures: {error}",))
    problems = [*json.loads(session.attrs["problems"]), *json.loads(overview.attrs["problems"])]
    return _Look(overview, tuple(problems))


def _problems(summary: FileSummary, found: _Look) -> tuple[str, ...]:
    """Everything that looks wrong, each once: of the file, then of the session."""
    return tuple(dict.fromkeys((*summary.problems, *found.problems)))
