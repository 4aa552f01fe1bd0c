"""Where the numbers come from: versions, seeds, digests of the inputs, the spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jinja2
import matplotlib as mpl
import xarray as xr

import popdyn
from popdyn.reporting import page

_CONTENT = (
    "Digest of the content of each input: first 16 digits of SHA-256 over what was read of a "
    "recording (spikes, tables, intervals), over the values and columns of a saved tensor, over "
    "the weights of a network as it ran (trained where it was trained)."
)


def parameters(result: xr.Dataset | xr.DataTree) -> dict[str, Any]:
    """Read the parameters of a result from its attrs.

    Parameters
    ----------
    result
        A result with ``attrs["parameters"]`` (JSON).

    Returns
    -------
    dict
        Empty when there are none.

    Examples
    --------
    >>> parameters(xr.Dataset(attrs={"parameters": '{"n_draws": 200}'}))
    {'n_draws': 200}
    """
    found = _json(result.attrs.get("parameters", "{}"))
    return dict(found) if isinstance(found, Mapping) else {}


def history(result: xr.Dataset | xr.DataTree) -> list[tuple[str, dict[str, Any]]]:
    """Read the steps that made an array, from ``attrs["popdyn"]``.

    Parameters
    ----------
    result
        Anything with popdyn attrs.

    Returns
    -------
    list of tuple
        Step and its parameters, first to last.

    Examples
    --------
    >>> text = '[{"step": "smooth", "parameters": {"sigma": 0.04}}]'
    >>> history(xr.Dataset(attrs={"popdyn": text}))
    [('smooth', {'sigma': 0.04})]
    """
    found = _json(result.attrs.get("popdyn", "[]"))
    steps = found if isinstance(found, list) else []
    return [(str(step.get("step", "")), dict(step.get("parameters", {}))) for step in steps]


def problems(attrs: Mapping[Any, Any]) -> list[str]:
    """Read the list of what looks wrong in a source.

    Parameters
    ----------
    attrs
        Attributes with ``problems``, a JSON list or plain text.

    Returns
    -------
    list of str

    Examples
    --------
    >>> problems({"problems": '["no trials table"]'}), problems({})
    (['no trials table'], [])
    """
    found = _json(attrs.get("problems", "[]"))
    if isinstance(found, list):
        return [str(problem) for problem in found]
    return [str(found)] if found else []


def section(tree: xr.DataTree, redraw: str) -> page.Section:
    """Make the last chapter: everything needed to get the same numbers again.

    Parameters
    ----------
    tree
        The comparison.
    redraw
        Command that draws this page again from the saved tree.

    Returns
    -------
    page.Section

    Examples
    --------
    >>> section(xr.DataTree(), "popdyn report results.nc").title
    'Provenance'
    """
    blocks: list[page.Block] = [
        _table("What the numbers were computed with.", "Software", "version", _versions(tree)),
        _table("What this page was drawn with.", "Software", "version", _drawn_with()),
        _table(
            "Seeds and parameters of the whole comparison.", "Setting", "value", _settings(tree)
        ),
    ]
    digests = _digests(tree)
    if digests:
        blocks.append(_table(_CONTENT, "Input", "digest", digests))
    files = _json(tree.attrs.get("input_files", "{}"))
    if isinstance(files, Mapping) and files:
        hashes = {str(name): str(value) for name, value in files.items()}
        blocks.append(_table("SHA-256 of the input files.", "File", "SHA-256", hashes))
    seeds = _seeds(tree)
    if seeds:
        blocks.append(_table("Seed of every result.", "Result", "seed", seeds))
    if str(tree.attrs.get("spec", "")).strip():
        blocks.append(page.Code("The spec (TOML).", str(tree.attrs["spec"]).strip("\n")))
    blocks.append(page.Code("Draw this page again, without computing.", redraw))
    return page.Section("Provenance", tuple(blocks))


def _json(text: Any) -> Any:
    """Parse JSON; anything else is taken as it is."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _versions(tree: xr.DataTree) -> dict[str, str]:
    """List the versions the tree was computed with."""
    found = _json(tree.attrs.get("versions", "{}"))
    versions = {str(k): str(v) for k, v in found.items()} if isinstance(found, Mapping) else {}
    if "popdyn_version" in tree.attrs:
        versions = {"popdyn": str(tree.attrs["popdyn_version"]), **versions}
    return versions


def _drawn_with() -> dict[str, str]:
    """List the versions of what draws the page."""
    return {
        "popdyn": popdyn.__version__,
        "matplotlib": mpl.__version__,
        "jinja2": jinja2.__version__,
    }


def _settings(tree: xr.DataTree) -> dict[str, str]:
    """List the remaining attrs of the tree."""
    told = {"title", "note", "spec", "versions", "popdyn_version", "method", "input_files"}
    return {
        str(name): str(value)
        for name, value in sorted(tree.attrs.items())
        if name not in told and not _is_digests(str(name))
    }


def _is_digests(name: str) -> bool:
    """Tell whether an attribute holds the digests of the inputs."""
    return "digest" in name or name == "inputs"


def _digests(tree: xr.DataTree) -> dict[str, str]:
    """List the digest of every input: those of the tree, then those of the sources."""
    digests: dict[str, str] = {}
    for name, value in sorted(tree.attrs.items()):
        if _is_digests(str(name)):
            found = _json(value)
            pairs = found if isinstance(found, Mapping) else {str(name): found}
            digests |= {str(key): str(digest) for key, digest in pairs.items()}
    if not digests and "sources" in tree.children:
        for node in tree["sources"].children.values():
            attrs = node.children["summary"].attrs if "summary" in node.children else {}
            digest = attrs.get("digest") or attrs.get("input_digest")
            if digest:
                digests[str(node.name)] = str(digest)
    return digests


def _seeds(tree: xr.DataTree) -> dict[str, str]:
    """List the seed of every result that has one."""
    seeds = {}
    for node in tree.subtree:
        seed = node.attrs.get("seed")
        if node is not tree and seed not in (None, "", "None"):
            seeds[node.path.removeprefix("/")] = str(seed)
    return seeds


def _table(caption: str, first: str, second: str, rows: Mapping[str, str]) -> page.Table:
    """Make a table of two columns."""
    return page.Table(
        caption,
        (page.Header(first), page.Header(second)),
        tuple((page.Cell(name), page.Cell(value)) for name, value in rows.items()),
    )
