"""The chapter on decoding averaged over sessions: groups of sources in place of sources."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.plot.style import source_colors
from popdyn.reporting.captions import Results, n_draws, told_by_source
from popdyn.reporting.phrases import draws
from popdyn.reporting.picture import Chapter, Picture
from popdyn.reporting.provenance import parameters
from popdyn.reporting.sources import Source
from popdyn.reporting.wording import band, counted, listed, number, p_value

_METHOD = "pool_decoding"


def groups_of(tree: xr.DataTree, sources: list[Source]) -> list[Source]:
    """List the groups of sessions of a comparison, each drawn as a source is.

    Parameters
    ----------
    tree
        A comparison.
    sources
        Its sources: a group has a color of its own.

    Returns
    -------
    list of Source

    Examples
    --------
    >>> groups_of(xr.DataTree(), [])
    []
    """
    comparison = tree.children.get("comparison")
    node = comparison.children.get(_METHOD) if comparison is not None else None
    pooled = {} if node is None else {str(name): one for name, one in node.children.items()}
    names = [source.id for source in sources]
    colors = source_colors([*names, *(f"pooled {name}" for name in pooled)])
    return [
        Source(name, colors[f"pooled {name}"], xr.DataTree.from_dict({_METHOD: _named(one)}))
        for name, one in pooled.items()
    ]


def _named(node: xr.DataTree) -> xr.Dataset:
    """Call the result by what it is, not by what was averaged."""
    return node.to_dataset().assign_attrs(method=_METHOD)


def pooled_decoding(results: Results) -> tuple[str, ...]:
    """Describe decoding averaged over sessions.

    Parameters
    ----------
    results
        Results of `pool_decoding`, keyed by group.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> pooled_decoding({})[0][:34]
    'Mean over sessions (thick) of what'
    """
    return (
        "Mean over sessions (thick) of what each holds on its own (thin). Colored band: 95 % "
        "interval for the mean over all sessions of the kind, the session the unit; "
        "gray band: 95 % of the means of shuffled labels; bar on top: p < .05 for these sessions.",
        *told_by_source(results, pooled_details),
    )


def pooled_details(result: xr.Dataset) -> list[str]:
    """Tell the sessions, the mean over them and the window, and its p.

    Parameters
    ----------
    result
        Of `pool_decoding`.

    Returns
    -------
    list of str
    """
    score, words = ("accuracy", "accuracy") if "accuracy" in result else ("r2", "R²")
    sessions = [str(name) for name in result["session"].values]
    value = number(result[f"mean_{score}"].item())
    spread = band(*result[f"mean_{score}_bound"].values)
    label = result.attrs.get("label", "label")
    told = [
        f"label {label}, {counted(len(sessions), 'session')} ({listed(sessions)})",
        f"mean {words} {value} ({spread}), {p_value(result['mean_p'].item(), n_draws(result))}",
    ]
    if "chance" in result:
        told.append(f"chance {number(result['chance'].item())}")
    left_out = str(result.attrs.get("left_out", ""))
    return [*told, f"without {left_out}, which has no result"] if left_out else told


def pooled_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section.

    Parameters
    ----------
    result
        Of `pool_decoding`.

    Returns
    -------
    list of str
    """
    n = len(parameters(result).get("sessions", []))
    return [
        f"Scores of {counted(n, 'session')}, each decoded on its own, were averaged; intervals "
        "(95 %) are Student intervals with the session as the unit. The null distribution is from "
        f"{draws(result, 'draw')} draws that average one shuffle of every session; p values "
        "corrected over time compare with the largest mean of each draw, clusters with the largest."
    ]


def _draw(result: xr.Dataset, color: str, ax: Axes) -> None:
    if "accuracy" in result:
        plot.decode(result, ax=ax, color=color)
    else:
        plot.decode_quantity(result, ax=ax, color=color)


TOGETHER = Chapter(
    "Sessions together",
    "What do several sessions say on average?",
    (
        Picture(
            _METHOD,
            "pooled-decoding",
            "Decoding, mean over sessions.",
            _draw,
            pooled_decoding,
            same_axis=True,
        ),
    ),
)
