"""The chapter on overlapping subspaces: picture, caption and sentences for a methods section."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.reporting.captions import Results, told_by_source
from popdyn.reporting.phrases import draws, grouping, prepared, setting, short
from popdyn.reporting.picture import Chapter, Picture
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import band, counted, listed, number, p_value


def subspace_overlap(results: Results) -> tuple[str, ...]:
    """Describe the angles between two subspaces.

    Parameters
    ----------
    results
        Results of `subspace_overlap`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> subspace_overlap({})[0][:40]
    'Principal angles (degrees) between the s'
    """
    return (
        "Principal angles (degrees) between the subspaces of the two, the smallest first; 0: a "
        "direction that both share, 90: none. Black: one from each half of the trials, with 95 % "
        "intervals over trials; dashed: both from halves of the same, what noise alone gives; "
        "gray: 95 % by chance, the first made unrelated to the second. Angles near the dashed line "
        "say that the two are the same, angles above the gray that they avoid each other.",
        *told_by_source(results, overlap_details),
    )


def overlap_details(result: xr.Dataset) -> list[str]:
    """Tell the alignment, what chance gives, and the overlap without noise.

    Parameters
    ----------
    result
        Of `subspace_overlap`.

    Returns
    -------
    list of str
    """
    index, null = float(result["alignment_index"]), result["null_alignment_index"].values
    p = p_value(float(result["p"]), null.size)
    told = [
        f"{_two(result)}: alignment {number(index)} (chance {number(float(null.mean()))}), {p}",
    ]
    value = float(result["cross_validated_index"]) if "cross_validated_index" in result else np.nan
    if np.isfinite(value):
        low, high = result["cross_validated_index_bound"].values
        told.append(f"overlap without noise {number(value, spread=high - low)} ({band(low, high)})")
    return [*told, counted(result.sizes["component"], "dimension") + " each"]


def _two(result: xr.Dataset) -> str:
    """Name the two, with their neurons."""
    names = [str(result.attrs.get(key, key)) for key in ("first", "second")]
    if "n_neurons_first" not in result.attrs:
        n = result.attrs.get("n_neurons")
        return listed(names) + (f" ({counted(int(n), 'neuron')})" if n is not None else "")
    sizes = [int(result.attrs[f"n_neurons_{key}"]) for key in ("first", "second")]
    return listed([f"{a} ({counted(n, 'neuron')})" for a, n in zip(names, sizes, strict=True)])


_NULLS = {
    "neuron": "signs of the neurons at random",
    "sample": "courses moved in time, given to other conditions and turned in sign at random",
}


def overlap_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section.

    Parameters
    ----------
    result
        Of `subspace_overlap`.

    Returns
    -------
    list of str
    """
    values = parameters(result)
    epochs = values.get("epochs")
    by = grouping(result)
    if epochs:
        told = [f"{name} ({short(a)} to {short(b)}\u00a0s)" for name, (a, b) in epochs.items()]
        where = f"of the epochs {listed(told)}"
    else:
        names = [str(result.attrs.get(key, key)) for key in ("first", "second")]
        where = f"of {listed(names)} {setting(result)}, compared by their courses over time and "
        where += "conditions, as their neurons differ"
    parts = [
        prepared(result),
        f"Subspaces are those of the first {counted(result.sizes['component'], 'component')} of "
        f"the averages over trials{f' by {by}' if by else ''} {where}. The alignment index "
        "(Elsayed et al. 2016) is the variance of the second along the axes of the first, as a "
        f"share of the most that so many axes can hold; its null are {draws(result, 'draw')} "
        f"subspaces of the first with {_NULLS[result.attrs['space']]}, its p is two-sided.",
    ]
    if "cross_validated_index" in result:
        parts.append(
            "The overlap without noise takes axes from one half of the trials and the variance "
            f"they share with the other half ({values.get('n_splits', '?')} splits), relative to "
            "that of each with itself; intervals (95 %) are Student intervals from leaving out a "
            "tenth of the trials in turn."
        )
    return parts


def _draw_overlap(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.subspace_overlap(result, ax=ax)


SUBSPACES = Chapter(
    "Overlap of subspaces",
    "Does the population use the same directions in both?",
    (
        Picture(
            "subspace_overlap",
            "subspace-overlap",
            "Angles between subspaces.",
            _draw_overlap,
            subspace_overlap,
            same_axis=True,
        ),
    ),
)
