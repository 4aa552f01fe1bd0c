"""Figures and chapters of a report: what each needs to be drawn and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr
from matplotlib.axes import Axes

from popdyn.reporting import captions
from popdyn.reporting.figure import HEIGHT, WIDTH

_LONGEST_LABEL = 28
Draw = Callable[[xr.Dataset, str, Axes], object]


def _whole(result: xr.Dataset) -> xr.Dataset:
    return result


def _apart(results: captions.Results) -> captions.Results:
    return results


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
    part
        Keeps the part of a result whose numbers stand beside the figure.
    together
        What results need from each other before they are drawn: the same colors, say.
    size
        Width and height in inches.
    """

    analysis: str
    name: str
    title: str
    draw: Draw
    caption: Callable[[captions.Results], tuple[str, ...]]
    absent: str = "Not computed for this source."
    same_axis: bool = False
    numbers: bool = True
    part: Callable[[xr.Dataset], xr.Dataset] = _whole
    together: Callable[[captions.Results], captions.Results] = _apart
    size: tuple[float, float] = (WIDTH, HEIGHT)

    @property
    def wide(self) -> bool:
        """Whether it takes the whole width of a page."""
        return self.size[0] > WIDTH


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


def example_neuron(average: xr.Dataset) -> int:
    """Find the position of the neuron that is drawn: the chosen one, else the first."""
    chosen = str(average.attrs.get("neuron", ""))
    ids = [str(neuron) for neuron in average["neuron"].values]
    return ids.index(chosen) if chosen in ids else 0
