"""Which figures a report shows, in which order: how each is drawn and told in words."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.reporting import captions
from popdyn.reporting.agreement_chapter import AGREEMENT, agreement_of
from popdyn.reporting.circuit_chapter import CIRCUIT
from popdyn.reporting.low_rank_chapter import FITTED
from popdyn.reporting.overlap_chapter import SUBSPACES
from popdyn.reporting.perceived_chapter import PERCEIVED
from popdyn.reporting.picture import Chapter, Picture, example_neuron
from popdyn.reporting.pooled_chapter import TOGETHER, groups_of
from popdyn.reporting.selectivity_chapter import SELECTIVITY
from popdyn.reporting.sources import Source
from popdyn.reporting.state_pictures import (
    DEMIXING,
    ENCODING,
    GENERALIZATION,
    QUANTITY,
    TIMESCALES,
)
from popdyn.reporting.tdr_chapter import TASK_AXES


def _draw_raster(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.raster(result, ax=ax)
    # Thousands of ticks as shapes would make a page of megabytes.
    for collection in ax.collections:
        collection.set_rasterized(True)
    for line in ax.lines:
        line.set_rasterized(len(line.get_xdata()) > 100)  # type: ignore[arg-type]


def _draw_condition_average(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    one = result.isel(neuron=[example_neuron(result)])
    plot.condition_average(one, neuron=one["neuron"].values[0], ax=ax)


def _draw_pca(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.pca(result, ax=ax)


def _draw_explained_variance(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.explained_variance(result, ax=ax)


def _draw_relative_distance(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.relative_distance(result, ax=ax)


def _draw_decode(result: xr.Dataset, color: str, ax: Axes) -> None:
    plot.decode(result, ax=ax, color=color)


def _one_neuron(result: xr.Dataset) -> xr.Dataset:
    return result.isel(neuron=[example_neuron(result)])


def _tell_condition_average(results: captions.Results) -> tuple[str, ...]:
    neurons = {
        source: str(result["neuron"].values[example_neuron(result)])
        for source, result in results.items()
    }
    return captions.condition_average(results, neurons)


CHAPTERS = (
    Chapter(
        "Single neurons",
        "What does one neuron of each source do in each condition?",
        (
            Picture(
                "raster",
                "raster",
                "Raster.",
                _draw_raster,
                captions.raster,
                absent="This source has no spike times, so there is no raster.",
            ),
            Picture(
                "condition_average",
                "condition-average",
                "Average over trials by condition.",
                _draw_condition_average,
                _tell_condition_average,
                part=_one_neuron,
            ),
        ),
    ),
    ENCODING,
    SELECTIVITY,
    Chapter(
        "State space",
        "Which path does the population take in each condition, and how many dimensions does "
        "it need?",
        (
            Picture("pca", "state-space", "State space.", _draw_pca, captions.pca, numbers=False),
            Picture(
                "pca",
                "explained-variance",
                "Explained variance.",
                _draw_explained_variance,
                captions.explained_variance,
                same_axis=True,
            ),
        ),
    ),
    DEMIXING,
    TASK_AXES,
    SUBSPACES,
    Chapter(
        "Distance between conditions",
        "When do the conditions part, and how far?",
        (
            Picture(
                "relative_distance",
                "relative-distance",
                "Distance over time.",
                _draw_relative_distance,
                captions.relative_distance,
            ),
        ),
    ),
    PERCEIVED,
    Chapter(
        "Decoding over time",
        "When can the condition of a single trial be read from the population?",
        (
            Picture(
                "decode",
                "decode",
                "Decoding over time.",
                _draw_decode,
                captions.decode,
                same_axis=True,
            ),
        ),
    ),
    QUANTITY,
    GENERALIZATION,
    TIMESCALES,
    FITTED,
    CIRCUIT,
)
ANALYSES = tuple(
    dict.fromkeys(picture.analysis for chapter in CHAPTERS for picture in chapter.pictures)
)


def together_of(tree: xr.DataTree, sources: list[Source]) -> list[tuple[Chapter, list[Source]]]:
    """List the chapters on several sources that a comparison asked for, with what they draw.

    Parameters
    ----------
    tree
        A comparison.
    sources
        Its sources.

    Returns
    -------
    list of tuple
        Chapter, and what is drawn in it as a source is.

    Examples
    --------
    >>> together_of(xr.DataTree(), [])
    []
    """
    found = [(TOGETHER, groups_of(tree, sources)), (AGREEMENT, agreement_of(tree, sources))]
    return [(chapter, drawn) for chapter, drawn in found if drawn]
