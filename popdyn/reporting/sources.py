"""The sources of a comparison as pages see them: results, reasons, tables about them."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from popdyn.plot.style import source_colors
from popdyn.reporting import captions, page
from popdyn.reporting.provenance import problems
from popdyn.reporting.wording import counted, listed

_FACTS = {
    "kind": "Kind",
    "path": "Input",
    "align": "Aligned to",
    "units": "Unit of activity",
}
_LEFT_OUT = {
    "n_unselected": "by the selection",
    "n_dropped": "without event or condition",
    "n_unmatched": "not drawn by matching",
}


@dataclass(frozen=True)
class Source:
    """One source of a comparison.

    Attributes
    ----------
    id
        Its id.
    color
        Its color through the whole report.
    node
        Its branch of the tree.
    """

    id: str
    color: str
    node: xr.DataTree

    @property
    def header(self) -> page.Header:
        """Its name and color, as set above its panels."""
        return page.Header(self.id, self.color)

    @property
    def summary(self) -> xr.Dataset:
        """Its summary; empty when the tree holds none."""
        node = self.node.children.get("summary")
        return node.to_dataset() if node is not None else xr.Dataset()

    def result(self, analysis: str) -> xr.Dataset | None:
        """Return a result, or None when it was not computed for this source.

        Parameters
        ----------
        analysis
            Name of the analysis.

        Returns
        -------
        xarray.Dataset or None
        """
        node = self.node.children.get(analysis)
        return node.to_dataset() if node is not None and node.data_vars else None

    def reason(self, analysis: str) -> str:
        """Say why a result is missing, where its branch says so.

        Parameters
        ----------
        analysis
            Name of the analysis.

        Returns
        -------
        str
            Empty when the tree does not tell.
        """
        node = self.node.children.get(analysis)
        written = node.attrs.get("reason") if node is not None else None
        return str(written or self.summary.attrs.get(f"reason_{analysis}", ""))


def is_comparison(tree: object) -> bool:
    """Tell whether something is a comparison: a tree with the branch ``sources``.

    Parameters
    ----------
    tree
        Anything.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_comparison(xr.DataTree())
    False
    """
    return isinstance(tree, xr.DataTree) and "sources" in tree.children


def sources_of(tree: xr.DataTree) -> list[Source]:
    """List the sources of a comparison in its order, each with its color.

    Parameters
    ----------
    tree
        A comparison.

    Returns
    -------
    list of Source

    Examples
    --------
    >>> tree = xr.DataTree.from_dict({"/sources/human/summary": xr.Dataset()})
    >>> [source.id for source in sources_of(tree)]
    ['human']
    """
    nodes = tree["sources"].children
    names = {name: _display_name(node, str(name)) for name, node in nodes.items()}
    colors = source_colors(names.values())
    return [Source(names[name], colors[names[name]], node) for name, node in nodes.items()]


def what_is_compared(sources: list[Source], setting: str) -> str:
    """Name the sources, their sizes and the window they share.

    Parameters
    ----------
    sources
        The sources, in order.
    setting
        Window, event and bins in words, or ``""``.

    Returns
    -------
    str
    """
    told = []
    for source in sources:
        summary = source.summary
        sizes = [
            counted(int(summary[name].item()), noun)
            for name, noun in (("n_neurons", "neuron"), ("n_trials", "trial"))
            if name in summary
        ]
        kind = str(summary.attrs.get("kind", ""))
        inside = ", ".join([*([kind] if kind else []), *sizes])
        told.append(f"{source.id} ({inside})" if inside else source.id)
    verb = "Side by side: " if len(told) > 1 else "One source: "
    return f"{verb}{listed(told)}{', ' + setting if setting else ''}."


def sources_section(sources: list[Source]) -> page.Section:
    """Make the chapter about the sources: facts side by side, then what looks wrong.

    Parameters
    ----------
    sources
        The sources, in order.

    Returns
    -------
    page.Section
    """
    facts = [_facts(source) for source in sources]
    names = list(dict.fromkeys(name for fact in facts for name in fact))
    rows = tuple(
        (page.Cell(name), *(page.Cell(fact.get(name, "–")) for fact in facts)) for name in names
    )
    header = (page.Header("Property"), *(source.header for source in sources))
    blocks: list[page.Block] = [page.Table("The sources side by side.", header, rows)]
    for source in sources:
        wrong = problems(source.summary.attrs)
        if wrong:
            label = f"{source.id}: what looks wrong, or needs to be known"
            blocks.append(page.Items(tuple(wrong), "warning", label))
    for source in sources:
        text = str(source.summary.attrs.get("text_summary", "")).strip("\n")
        # One line only repeats the table.
        if "\n" in text:
            blocks.append(page.Code(f"{source.id}: what the source holds.", text, folded=True))
    return page.Section("Sources", tuple(blocks))


def _display_name(node: xr.DataTree, otherwise: str) -> str:
    """Read the id of a source, which may hold characters that a branch cannot."""
    summary = node.children.get("summary")
    return str(summary.attrs.get("source_id") or otherwise) if summary is not None else otherwise


def _facts(source: Source) -> dict[str, str]:
    """List what is known of a source."""
    summary = source.summary
    facts = {
        label: str(summary.attrs[name])
        for name, label in _FACTS.items()
        if str(summary.attrs.get(name, ""))
    }
    if "n_neurons" in summary:
        facts["Neurons"] = f"{int(summary['n_neurons'].item()):,}"
    facts |= _trials(summary)
    trials = _trials_by_condition(source)
    if trials:
        facts["Trials by condition"] = ", ".join(f"{label}: {n}" for label, n in trials)
    if "simultaneous" in summary.attrs:
        together = int(summary.attrs["simultaneous"]) == 1
        facts["Neurons recorded together"] = "yes" if together else "no"
    digest = summary.attrs.get("digest") or summary.attrs.get("input_digest")
    if digest:
        facts["Digest of the content"] = str(digest)
    return facts


def _trials(summary: xr.Dataset) -> dict[str, str]:
    """Account for the trials: how many of the source are used, and why not the others."""
    count = {name: int(summary[name].item()) for name in summary if summary[name].dims == ()}
    facts = {}
    if "n_trials" in count:
        pooled = summary.attrs.get("kind") == "pseudopopulation"
        where = "repeats in the pool" if pooled else "in the source"
        of = f" of {count['n_source']:,} {where}" if "n_source" in count else ""
        facts["Trials used"] = f"{count['n_trials']:,}{of}"
    left_out = [f"{count[name]:,} {why}" for name, why in _LEFT_OUT.items() if count.get(name)]
    if any(name in count for name in _LEFT_OUT):
        facts["Trials left out"] = ", ".join(left_out) or "none"
    return facts


def _trials_by_condition(source: Source) -> list[tuple[str, int]]:
    """List the trials of each condition, as the summary or the averages count them."""
    summary = source.summary
    if "n_trials_condition" in summary:
        counts = zip(summary["condition"].values, summary["n_trials_condition"].values, strict=True)
        return [(str(label), int(n)) for label, n in counts]
    return captions.trials_by_condition(source.result("condition_average"))
