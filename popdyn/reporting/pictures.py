"""Which figures a report shows, in which order: how each is drawn and told in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.reporting import captions

_LONGEST_LABEL = 28
Draw = Callable[[xr.Dataset, str, Axes], object]


@dataclass(frozen=True)
class Picture:
    """One kind of figure, drawn once for every source.

    Attributes
    ----------
    analysis
        The result it shows.
    name
        Start of its file names.
    title
        Start of its caption.
    draw
        Called with the result, the color of the source, and axes.
    caption
        Sentences about the results, keyed by source.
    absent
        What stands in place of a figure when the tree gives no reason.
    same_axis
        Whether all sources share one unit, so that panels share their vertical axis.
    numbers
        Whether the numbers of the result stand beside this figure.
    """

    analysis: str
    name: str
    title: str
    draw: Draw
    caption: Callable[[captions.Results], tuple[str, ...]]
    absent: str = "Not computed for this source."
    same_axis: bool = False
    numbers: bool = True

    def shown(self, result: xr.Dataset) -> xr.Dataset:
        """Keep the part of a result that is drawn: one neuron of a condition average.

        Parameters
        ----------
        result
            The result.

        Returns
        -------
        xarray.Dataset
        """
        if self.analysis != "condition_average":
            return result
        return result.isel(neuron=[_example_neuron(result)])


@dataclass(frozen=True)
class Chapter:
    """A question and the figures that answer it.

    Attributes
    ----------
    title
        Its heading.
    question
        What it asks, in a sentence.
    pictures
        The figures, in order.
    """

    title: str
    question: str
    pictures: tuple[Picture, ...]


def brief(result: xr.Dataset) -> xr.Dataset:
    """Shorten the labels of conditions, so that a legend leaves room for the data.

    Parameters
    ----------
    result
        A result; left as it is.

    Returns
    -------
    xarray.Dataset
        The same with labels of at most 28 characters, still unique.

    Examples
    --------
    >>> result = xr.Dataset(coords={"condition": ["a" * 40, "a" * 50]})
    >>> brief(result)["condition"].values.tolist()
    ['aaaaaaaaaaaaaaaaaaaaaaaa… 1', 'aaaaaaaaaaaaaaaaaaaaaaaa… 2']
    """
    if "condition" not in result.variables:
        return result
    labels = [str(label) for label in result["condition"].values]
    unique = list(dict.fromkeys(labels))
    if all(len(label) <= _LONGEST_LABEL for label in unique):
        return result
    names = {
        label: label if len(label) <= _LONGEST_LABEL else f"{label[:24]}… {position}"
        for position, label in enumerate(unique, start=1)
    }
    short = [names[label] for label in labels]
    renamed = {"condition": (result["condition"].dims, short)}
    kept = "condition" in result.coords
    result = result.assign_coords(renamed) if kept else result.assign(renamed)
    reference = str(result.attrs.get("reference", ""))
    return result.assign_attrs(reference=names[reference]) if reference in names else result


def _example_neuron(average: xr.Dataset) -> int:
    """Find the position of the neuron that is drawn: the chosen one, else the first."""
    chosen = str(average.attrs.get("neuron", ""))
    ids = [str(neuron) for neuron in average["neuron"].values]
    return ids.index(chosen) if chosen in ids else 0


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
    one = result.isel(neuron=[_example_neuron(result)])
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


def _tell_condition_average(results: captions.Results) -> tuple[str, ...]:
    neurons = {
        source: str(result["neuron"].values[_example_neuron(result)])
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
            ),
        ),
    ),
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
)
ANALYSES = tuple(
    dict.fromkeys(picture.analysis for chapter in CHAPTERS for picture in chapter.pictures)
)
