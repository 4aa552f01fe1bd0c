"""The chapter on whether groups of selectivity of several sources stand for the same."""

from __future__ import annotations

from itertools import combinations

import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.plot.style import source_colors
from popdyn.reporting.captions import Results
from popdyn.reporting.phrases import draws
from popdyn.reporting.picture import Chapter, Picture
from popdyn.reporting.sources import Source
from popdyn.reporting.wording import band, counted, number, p_value

_METHOD = "selectivity_agreement"
_ALL = "all sources"


def agreement_of(tree: xr.DataTree, sources: list[Source]) -> list[Source]:
    """Give the comparison of groups, drawn as a source is, where there is one.

    Parameters
    ----------
    tree
        A comparison.
    sources
        Its sources: the comparison has a color of its own.

    Returns
    -------
    list of Source

    Examples
    --------
    >>> agreement_of(xr.DataTree(), [])
    []
    """
    comparison = tree.children.get("comparison")
    node = comparison.children.get(_METHOD) if comparison is not None else None
    if node is None:
        return []
    color = source_colors([*(source.id for source in sources), _ALL])[_ALL]
    return [Source(_ALL, color, xr.DataTree.from_dict({_METHOD: node.to_dataset()}))]


def agreement(results: Results) -> tuple[str, ...]:
    """Describe how far groups of neurons agree between sources.

    Parameters
    ----------
    results
        Result of `selectivity_agreement`, keyed by what it is of.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> agreement({})[0][:39]
    'Agreement of the groups of neurons of t'
    """
    told = [f"{one}." for result in results.values() for one in agreement_details(result)]
    return (
        "Agreement of the groups of neurons of two sources (adjusted Rand index: 1, those that one "
        "puts together the other puts together; 0, by chance). Above the diagonal: of all neurons, "
        "with p, and p of transfer (do groups of each predict neurons of the other?), against one "
        "source turned at random with its groups; below: of halves of the neurons, to be compared "
        "with two halves of one source (framed). Mixtures find groups in any cloud: "
        "where the test of selectivity tells no groups, agreement says little. With two features "
        "many turns bring any groups together, and p can hardly be small.",
        *told,
    )


def agreement_details(result: xr.Dataset) -> list[str]:
    """Tell the agreement of every two sources, its p, and which sources could not be compared.

    Parameters
    ----------
    result
        Of `selectivity_agreement`.

    Returns
    -------
    list of str
    """
    names = [str(name) for name in result["source"].values]
    told = []
    for first, second in combinations(names, 2):
        own = result.sel(source=first, source_2=second)
        low, high = own["agreement_bound"].values
        value = number(float(own["agreement"]), spread=high - low)
        p = p_value(float(own["p"]), result.sizes["draw"])
        gains = _gains(own, result.sel(source=second, source_2=first))
        told.append(f"{first} and {second}: {value} ({band(low, high)}), {p}; {gains}")
    half = result["half_agreement"]
    ends = [*combinations(names, 2), *((name, name) for name in names)]
    halves = [
        f"{first} and {second if first != second else 'itself'} "
        f"{number(float(half.sel(source=first, source_2=second)), spread=0.1)}"
        for first, second in ends
    ]
    told.append(f"Halves of the neurons: {'; '.join(halves)}")
    numbers = result["chosen_n_clusters"]
    chosen = ", ".join(f"{name} {int(numbers.sel(source=name))}" for name in names)
    groups = counted(int(result["n_clusters"]), "group")
    told.append(f"{groups} in each source (of held-out neurons {chosen})")
    left_out = str(result.attrs.get("left_out", ""))
    return [*told, f"Not compared: {left_out}"] if left_out else told


def _gains(pair: xr.Dataset, back: xr.Dataset) -> str:
    """Tell how well groups of each source predict neurons of the other, and the p of both."""
    there, again = (number(float(own["transfer_gain"]), spread=0.1) for own in (pair, back))
    p = p_value(float(pair["transfer_p"]), pair.sizes["draw"])
    return (
        f"groups of the first predict neurons of the second by {there}\u00a0nat, those of the "
        f"second the first by {again}\u00a0nat, both together {p}"
    )


def agreement_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section.

    Parameters
    ----------
    result
        Of `selectivity_agreement`.

    Returns
    -------
    list of str
    """
    return [
        f"Vectors of each source were made round robustly, and mixtures of "
        f"{int(result['n_clusters'])} Gaussians were fitted to each; the neurons of one source "
        "were put into the groups of the other and compared with their own (adjusted Rand index, "
        "mean of both ways), and their log likelihood was taken beyond that of one Gaussian. The "
        "null turned the second cloud with its groups at random "
        f"({draws(result, 'draw')} draws, p one-sided); intervals (95 %) are from halves of the "
        "neurons."
    ]


def _draw(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.selectivity_agreement(result, ax=ax)


AGREEMENT = Chapter(
    "Groups of neurons across sources",
    "Do the groups of neurons of one source stand for the same as those of another?",
    (
        Picture(
            _METHOD,
            "selectivity-agreement",
            "Agreement of groups.",
            _draw,
            agreement,
        ),
    ),
)
