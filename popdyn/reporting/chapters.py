"""The report of a comparison: a scorecard, a chapter for each analysis, the provenance.

The only place that knows both plots and pages.  Nothing is computed here: every number and
every curve is in the tree.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import matplotlib.axes
import matplotlib.figure
import numpy as np
import xarray as xr

import popdyn
from popdyn import plot
from popdyn.plot.scorecard import drawn_measures
from popdyn.plot.style import style_axes
from popdyn.progress import Progress
from popdyn.reporting import alternative_text, captions, figure, methods, page, provenance, tables
from popdyn.reporting.folder import Folder, write_whole
from popdyn.reporting.inputs import Trees, comparisons, html_path
from popdyn.reporting.phrases import setting
from popdyn.reporting.picture import Chapter, Picture, brief
from popdyn.reporting.pictures import ANALYSES, CHAPTERS, together_of
from popdyn.reporting.scorecard import answer, has_answer, reason, scorecard_table
from popdyn.reporting.sources import (
    Source,
    sources_of,
    sources_section,
    what_is_compared,
)
from popdyn.reporting.verdict_words import verdict_block
from popdyn.tensor import store

Axes = matplotlib.axes.Axes


def report(
    tree: Trees,
    path: str | Path,
    *,
    title: str | None = None,
    progress: bool = True,
) -> Path:
    """Write the report of one or several comparisons as one self-contained HTML file.

    Beside it stands the folder ``<stem>_files``: ``figures/`` (SVG and PDF), ``tables/`` (CSV)
    and ``results_1.nc`` and so on, each comparison as netCDF.  The same tree gives the same
    bytes on the same machine.

    Parameters
    ----------
    tree : DataTree, path, or sequence of either
        What `compare` returned, or the netCDF file it was saved in.  Several comparisons
        become the parts of one page.
    path : path
        The HTML file to write; replaced when it exists, and only once it is whole.
    title : str, optional
        Title of the page; that of the comparison by default.
    progress : bool, default True
        Show a progress bar on a terminal when drawing takes more than two seconds.

    Returns
    -------
    pathlib.Path
        The HTML file.

    Raises
    ------
    SourceError
        If a file is no saved comparison, or ``path`` is a folder.
    TensorError
        If ``tree`` is no comparison.

    Examples
    --------
    >>> import tempfile
    >>> tree = xr.DataTree.from_dict({"/sources/human/summary": xr.Dataset()})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = report(tree, Path(folder) / "report.html")
    ...     written.name, written.stat().st_size > 1000
    ('report.html', True)
    """
    target = html_path(path)
    trees = comparisons(tree)
    folder = Folder(target)
    n_parts, steps = len(trees), sum(_n_figures(one) for one in trees)
    with Progress(steps, "drawing", enabled=progress) as bar, figure.settings():
        parts = [_part(one, number, n_parts, folder, bar.step) for number, one in _numbered(trees)]
    written = page.html(_page(parts, title))
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write()
    for number, one in _numbered(trees):
        store.save(one, folder.path / _results_name(number))
    # Last, so that a page never names files that are not there yet.
    write_whole(target, written.encode("utf-8"))
    return target


def _n_figures(tree: xr.DataTree) -> int:
    """Count the figures that a comparison asks for."""
    sources = sources_of(tree)
    pictures = [picture for chapter in CHAPTERS for picture in chapter.pictures]
    found = [source.result(picture.analysis) for source in sources for picture in pictures]
    together = sum(len(own) for _, own in together_of(tree, sources))
    return 1 + together + sum(result is not None for result in found)


def _numbered(trees: list[xr.DataTree]) -> Iterator[tuple[int, xr.DataTree]]:
    """Pair every comparison with its number, from one."""
    return enumerate(trees, start=1)


def _results_name(number: int) -> str:
    """Name the netCDF file of a comparison."""
    return f"results_{number}.nc"


@dataclass(frozen=True)
class _Part:
    """One comparison as it stands on the page."""

    title: str
    lead: tuple[page.Block, ...]
    sections: tuple[page.Section, ...]


@dataclass
class _Context:
    """What the chapters of one comparison share."""

    tree: xr.DataTree
    sources: list[Source]
    scorecard: xr.Dataset | None
    folder: Folder
    prefix: list[str]
    say: Callable[[str], None]
    event: str = ""
    drawn: dict[str, dict[str, xr.Dataset]] = field(default_factory=dict)

    def results(self, analysis: str) -> dict[str, xr.Dataset]:
        """Collect the results of an analysis, keyed by source."""
        if analysis not in self.drawn:
            found = ((source.id, source.result(analysis)) for source in self.sources)
            self.drawn[analysis] = {name: result for name, result in found if result is not None}
        return self.drawn[analysis]


def _page(parts: list[_Part], title: str | None) -> page.Page:
    """Put the parts on one page: a single one needs no heading of its own."""
    footer = f"Made with popdyn {popdyn.__version__}."
    if len(parts) == 1:
        return page.Page(title or parts[0].title, parts[0].lead, parts[0].sections, footer)
    sections = tuple(page.Section(part.title, part.lead, part.sections) for part in parts)
    lead = page.Text((f"{len(parts)} comparisons, each with its own scorecard and provenance.",))
    return page.Page(title or "Comparison report", (lead,), sections, footer)


def _part(
    tree: xr.DataTree, number: int, n_parts: int, folder: Folder, say: Callable[[str], None]
) -> _Part:
    """Draw one comparison."""
    scorecard = _scorecard(tree)
    context = _Context(
        tree=tree,
        sources=sources_of(tree),
        scorecard=scorecard,
        folder=folder,
        prefix=[str(number)] if n_parts > 1 else [],
        say=say,
        event=str(tree.attrs.get("event", "")),
    )
    sections = [] if scorecard is None else [_scorecard_section(context, scorecard)]
    sections.append(sources_section(context.sources))
    sections.extend(_chapter(context, chapter) for chapter in CHAPTERS if _asked(context, chapter))
    for chapter, own in together_of(tree, context.sources):
        sections.append(_chapter(replace(context, sources=own, drawn={}), chapter))
    results = [f"{folder.path.name}/{_results_name(one)}" for one in range(1, n_parts + 1)]
    redraw = f"popdyn report {shlex.join([*results, '--output', folder.page_name])}"
    sections.append(provenance.section(tree, redraw))
    return _Part(str(tree.attrs.get("title") or "Comparison"), _lead(context), tuple(sections))


def _scorecard(tree: xr.DataTree) -> xr.Dataset | None:
    """Return the scorecard, if the comparison made one."""
    comparison = tree.children.get("comparison")
    node = comparison.children.get("scorecard") if comparison is not None else None
    return node.to_dataset() if node is not None and "value" in node.data_vars else None


def _lead(context: _Context) -> tuple[page.Block, ...]:
    """Say what is compared, what came out, and what a reader must know."""
    results = [
        r for name in ANALYSES for r in context.results(name).values() if r.sizes.get("time", 0) > 1
    ]
    when = setting(_named(results[0], context.event)) if results else ""
    blocks: list[page.Block] = [page.Text((what_is_compared(context.sources, when),))]
    reasons = _reasons(context, "estimation_test")
    if reasons or context.results("estimation_test"):
        blocks.append(verdict_block(context.results("estimation_test"), reasons))
    if context.scorecard is not None and has_answer(context.scorecard):
        blocks.append(answer(context.scorecard, context.sources))
    note = str(context.tree.attrs.get("note", "")).strip()
    if note:
        lines = tuple(line.strip() for line in note.split("\n\n") if line.strip())
        blocks.append(page.Text(lines, "note", "Keep in mind."))
    return tuple(blocks)


def _reasons(context: _Context, analysis: str) -> dict[str, str]:
    """Collect why sources have no result of an analysis that was asked for."""
    found = {source.id: _why_absent(context, source, analysis) for source in context.sources}
    return {name: why for name, why in found.items() if why}


def _why_absent(context: _Context, source: Source, analysis: str) -> str:
    """Say why a source has no result of an analysis; empty if it has one, or none is given."""
    if source.id in context.results(analysis):
        return ""
    return source.reason(analysis) or reason(context.scorecard, analysis, source.id)


def _named(result: xr.Dataset, event: str) -> xr.Dataset:
    """Call the event by the name all sources share, where there is one."""
    return result.assign_attrs(align=event) if event else result


def _scorecard_section(context: _Context, scorecard: xr.Dataset) -> page.Section:
    """Make the chapter that comes first: every measure of every source."""
    draws = {
        (name, source.id): captions.n_draws(result)
        for name in ANALYSES
        for source in context.sources
        if (result := context.results(name).get(source.id)) is not None
    }
    blocks: list[page.Block] = [scorecard_table(scorecard, context.sources, draws)]
    if np.isfinite(scorecard["value"].values).any():
        blocks.append(_scorecard_figure(context, scorecard))
    links = _csv(context, scorecard, ["scorecard"])
    blocks.append(page.Files("Numbers of the scorecard:", links))
    sentence = methods.sentence(scorecard)
    if sentence:
        blocks.append(_quote("", sentence))
    return page.Section("Scorecard", tuple(blocks))


def _scorecard_figure(context: _Context, scorecard: xr.Dataset) -> page.Figure:
    """Draw the scorecard: one row of its own height for each measure."""
    context.say("scorecard")
    row = 0.34 + 0.2 * scorecard.sizes["source"]
    height = 0.35 + row * len(drawn_measures(scorecard))
    drawn, ax = figure.new_figure(figure.PAGE_WIDTH, height)
    plot.scorecard(scorecard, ax=style_axes(ax))
    panel = _panel(context, figure.drawing(drawn), ["scorecard"], page.Header(""))
    told = captions.scorecard({})
    return page.Figure("Scorecard.", (panel,), told, wide=True)


def _asked(context: _Context, chapter: Chapter) -> bool:
    """Tell whether any source has anything to show, or a reason for not having it."""
    if any(context.results(picture.analysis) for picture in chapter.pictures):
        return True
    scorecard = context.scorecard
    known = () if scorecard is None else scorecard.coords.get("analysis", xr.DataArray([])).values
    return any(picture.analysis in {str(name) for name in known} for picture in chapter.pictures)


def _chapter(context: _Context, chapter: Chapter) -> page.Section:
    """Make one chapter: its question, and every figure for every source."""
    blocks: list[page.Block] = [page.Text((chapter.question,))]
    shown = [picture for picture in chapter.pictures if context.results(picture.analysis)]
    said: list[tuple[str, str]] = []
    # When no source has anything, one row of reasons stands for all figures.
    for picture in shown or chapter.pictures[:1]:
        results = context.results(picture.analysis)
        blocks.append(_figure(context, picture))
        named = {source: _named(result, context.event) for source, result in results.items()}
        if picture.numbers:
            new = [pair for pair in methods.shared(named) if pair not in said]
            blocks.extend(_quote(*pair) for pair in new)
            said += new
    blocks.extend(_missing(context, chapter) if shown else [])
    return page.Section(chapter.title, tuple(blocks))


def _missing(context: _Context, chapter: Chapter) -> list[page.Items]:
    """Say why results that no source has, and so no figure shows, are not there."""
    analyses = dict.fromkeys(picture.analysis for picture in chapter.pictures)
    lines = tuple(
        f"{analysis.replace('_', ' ')} of {name}: {why}"
        for analysis in analyses
        if not context.results(analysis)
        for name, why in _reasons(context, analysis).items()
    )
    return [page.Items(lines, "warning", "What is missing here, and why")] if lines else []


def _quote(sources: str, sentence: str) -> page.Text:
    """Set a sentence for a methods section."""
    label = f"For the methods section ({sources})." if sources else "For the methods section."
    return page.Text((sentence,), "quote", label)


def _figure(context: _Context, picture: Picture) -> page.Figure:
    """Draw one kind of figure for every source."""
    results = context.results(picture.analysis)
    together = picture.together(results)
    drawn: dict[str, tuple[matplotlib.figure.Figure, Axes]] = {}
    for source in context.sources:
        if source.id in results:
            context.say(f"{picture.name} of {source.id}")
            drawn[source.id] = figure.new_figure(*picture.size)
            own, ax = drawn[source.id]
            picture.draw(brief(together[source.id]), source.color, style_axes(ax))
            if not picture.wide:  # a wide picture has room for its legend
                figure.legend_below(own, ax)
    if picture.same_axis:
        _share_vertical_axis([ax for _, ax in drawn.values()])
    panels = []
    for source in context.sources:
        if source.id not in results:
            why = _why_absent(context, source, picture.analysis)
            panels.append(page.Panel(source.header, reason=why or picture.absent))
            continue
        result, words = results[source.id], [picture.name, source.id]
        alt = alternative_text.in_words(picture.title, source.id, result)
        links = _csv(context, picture.part(result), words) if picture.numbers else ()
        drawing = figure.drawing(drawn[source.id][0])
        panels.append(_panel(context, drawing, words, source.header, alt=alt, links=links))
    shown, *told = (line.replace(" %", "\u00a0%") for line in picture.caption(results))
    return page.Figure(picture.title, tuple(panels), (shown,), tuple(told), wide=picture.wide)


def _share_vertical_axis(axes: list[Axes]) -> None:
    """Give panels in the same unit the same limits, so that the eye compares fairly."""
    if axes:
        limits = np.array([ax.get_ylim() for ax in axes])
        for ax in axes:
            ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _panel(
    context: _Context,
    drawing: figure.Drawing,
    words: list[str],
    header: page.Header,
    *,
    alt: str = "Scorecard: the numbers are in the table above.",
    links: tuple[page.Link, ...] = (),
) -> page.Panel:
    """Set a drawing on the page and keep its files."""
    names = [*context.prefix, *words]
    svg = context.folder.add("figures", names, ".svg", drawing.svg)
    pdf = context.folder.add("figures", names, ".pdf", drawing.pdf)
    return page.Panel(header, drawing.svg, alt, links=(svg, pdf, *links))


def _csv(context: _Context, result: xr.Dataset, words: list[str]) -> tuple[page.Link, ...]:
    """Keep the numbers of a result as CSV files."""
    links = []
    for name, table in tables.tables(result).items():
        names = [*context.prefix, *words, name]
        link = context.folder.add("tables", names, ".csv", tables.csv(table))
        links.append(page.Link(f"CSV by {name.replace('_', ' ')}", link.path))
    return tuple(links)
