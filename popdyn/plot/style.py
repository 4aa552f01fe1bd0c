"""One look for every figure: axes without pyplot, colors that survive print and color blindness.

The eight colors are those of Okabe and Ito (2008, Color Universal Design); yellow comes last
because a yellow line is hard to see on white paper.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

FIGURE_SIZE = (3.6, 2.6)  # inch: one column of a journal page, so that fonts print as set below
_LETTER_WIDTH = 0.065  # inch, of a legend entry
_SHORT_LABEL = 12  # letters
FONT_SIZE = 8.0
SMALL_FONT_SIZE = 7.0
LINE_WIDTH = 1.3
BAND_ALPHA = 0.22
NULL_COLOR = "#BBBBBB"
GUIDE_COLOR = "#666666"

_CONDITION_CYCLE = (
    "#0072B2",  # blue
    "#D55E00",  # vermillion
    "#009E73",  # bluish green
    "#CC79A7",  # reddish purple
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#000000",  # black
    "#F0E442",  # yellow
)
# Sources start elsewhere in the cycle, so that a source is not mistaken for a condition.
_SOURCE_CYCLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#0072B2",
    "#F0E442",
)
_LINE_STYLES = ("-", "--", ":", "-.")


def new_axes(ax: Axes | None = None, *, figure_size: tuple[float, float] = FIGURE_SIZE) -> Axes:
    """Return the axes to draw on: the given ones as they are, or those of a new figure.

    Parameters
    ----------
    ax : Axes, optional
        Axes to draw on; their fonts and spines are left alone.
    figure_size : tuple of float
        Width and height in inch of the new figure, when there is no `ax`.

    Returns
    -------
    Axes
        ``ax.figure`` is its figure (``ax.figure.savefig("figure.svg")``).

    Examples
    --------
    >>> from popdyn.plot.style import new_axes
    >>> ax = new_axes()
    >>> new_axes(ax) is ax
    True
    """
    if ax is not None:
        return ax
    figure = Figure(figsize=figure_size, layout="constrained")
    return style_axes(figure.add_subplot())


def size_beside_legend(labels: Iterable[object]) -> tuple[float, float]:
    """Width and height (inch) of a new figure in which long legend entries leave room to draw.

    Parameters
    ----------
    labels : iterable
        Entries of the legend; None for those without.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> from popdyn.plot.style import size_beside_legend
    >>> size_beside_legend(["left", "right"])
    (3.6, 2.6)
    """
    longest = max((len(str(label)) for label in labels if label is not None), default=0)
    return FIGURE_SIZE[0] + max(0.0, _LETTER_WIDTH * (longest - _SHORT_LABEL)), FIGURE_SIZE[1]


def style_axes(ax: Axes) -> Axes:
    """Give axes the popdyn look (fonts, spines) in place and return them.

    For figures of several panels: make the panels, style them, hand them to the plots.

    Parameters
    ----------
    ax : Axes
        Axes to style.

    Returns
    -------
    Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from popdyn.plot.style import style_axes
    >>> panels = Figure().subplots(1, 2)
    >>> axes = [style_axes(panel) for panel in panels]
    """
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL_FONT_SIZE, width=0.8, length=3)
    ax.xaxis.label.set_fontsize(FONT_SIZE)
    ax.yaxis.label.set_fontsize(FONT_SIZE)
    return ax


def condition_colors(labels: Iterable[Hashable]) -> dict[str, str]:
    """Color of each condition, in the order given; after eight the colors repeat.

    Parameters
    ----------
    labels : iterable of str
        Condition labels, unique.

    Returns
    -------
    dict
        Label to hexadecimal color.  With more than eight labels tell the repeats apart by
        `condition_styles`.

    Examples
    --------
    >>> from popdyn.plot.style import condition_colors
    >>> condition_colors(["left", "right"])
    {'left': '#0072B2', 'right': '#D55E00'}
    """
    return _cycle(labels, _CONDITION_CYCLE)


def condition_styles(labels: Iterable[Hashable]) -> dict[str, str]:
    """Line style of each condition: solid for the first eight, then dashed, dotted, dash-dot.

    Parameters
    ----------
    labels : iterable of str
        Condition labels, unique.

    Returns
    -------
    dict
        Label to Matplotlib line style.

    Examples
    --------
    >>> from popdyn.plot.style import condition_styles
    >>> condition_styles([str(i) for i in range(9)])["8"]
    '--'
    """
    texts = [str(label) for label in labels]
    n_colors = len(_CONDITION_CYCLE)
    return {
        label: _LINE_STYLES[(index // n_colors) % len(_LINE_STYLES)]
        for index, label in enumerate(texts)
    }


def source_colors(ids: Iterable[Hashable]) -> dict[str, str]:
    """Color of each source, in the order given: one call serves a whole report.

    Parameters
    ----------
    ids : iterable of str
        Source ids, unique.

    Returns
    -------
    dict
        Source id to hexadecimal color.

    Examples
    --------
    >>> from popdyn.plot.style import source_colors
    >>> source_colors(["recording", "network"])
    {'recording': '#000000', 'network': '#E69F00'}
    """
    return _cycle(ids, _SOURCE_CYCLE)


def axis_label(quantity: str, units: str) -> str:
    """Text of an axis: the quantity and its unit in brackets.

    Parameters
    ----------
    quantity : str
        What is drawn, such as ``"rate"``.
    units : str
        Unit; ``"1"`` or ``""`` is written as "dimensionless".

    Returns
    -------
    str
        Label, safe for Matplotlib.

    Examples
    --------
    >>> from popdyn.plot.style import axis_label
    >>> axis_label("rate", "Hz"), axis_label("rate", "1")
    ('rate (Hz)', 'rate (dimensionless)')
    """
    if quantity == "spike_count":
        return "spike count (spikes per bin)"
    unit = "dimensionless" if units in ("", "1") else units
    return plain(f"{quantity.replace('_', ' ')} ({unit})")


def time_label(align: str) -> str:
    """Text of a time axis whose zero is an event.

    Parameters
    ----------
    align : str
        Name of the event column, or "" when there is none.

    Returns
    -------
    str
        Label, safe for Matplotlib.

    Examples
    --------
    >>> from popdyn.plot.style import time_label
    >>> time_label("cue_time")
    'time from cue_time (s)'
    """
    return plain(f"time from {align} (s)") if align else "time (s)"


def plain(text: object) -> str:
    r"""Text that Matplotlib writes as it is: no formula between dollars, no hidden legend entry.

    Parameters
    ----------
    text : object
        Anything; it is turned into a string.

    Returns
    -------
    str
        The same text with ``$`` escaped, and a space before a leading underscore.

    Examples
    --------
    >>> from popdyn.plot.style import plain
    >>> plain("cost_$")
    'cost_\\$'
    """
    escaped = str(text).replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped


def set_title(ax: Axes, text: object) -> None:
    """Write a small title above the axes.

    Parameters
    ----------
    ax : Axes
        Axes to name.
    text : object
        Written as it is, see `plain`.

    Examples
    --------
    >>> from popdyn.plot.style import new_axes, set_title
    >>> set_title(new_axes(), "neuron 7")
    """
    ax.set_title(plain(text), fontsize=FONT_SIZE)


def event_line(ax: Axes, position: float = 0.0) -> None:
    """Draw a thin vertical line where the event is.

    Parameters
    ----------
    ax : Axes
        Axes with time (s) on the horizontal axis.
    position : float
        Time of the event in s.

    Examples
    --------
    >>> from popdyn.plot.style import event_line, new_axes
    >>> event_line(new_axes())
    """
    ax.axvline(position, color=GUIDE_COLOR, linewidth=0.8, linestyle="-", zorder=0.5)


def window_limits(ax: Axes, result: xr.Dataset) -> None:
    """Let the time axis span the bins of a result, from edge to edge.

    Parameters
    ----------
    ax : Axes
        Axes with time (s) on the horizontal axis.
    result : Dataset
        Has a coordinate ``time`` (bin centers) and, mostly, ``attrs["bin_width"]``.

    Examples
    --------
    >>> import xarray as xr
    >>> from popdyn.plot.style import new_axes, window_limits
    >>> window_limits(new_axes(), xr.Dataset(coords={"time": [0.1, 0.2]}))
    """
    time = result["time"].values
    half = float(result.attrs.get("bin_width", 0.0)) / 2
    if time.size and time[-1] + half > time[0] - half:
        ax.set_xlim(time[0] - half, time[-1] + half)


def conditions_title(result: xr.Dataset) -> str | None:
    """Name of the column whose values label the conditions, for the head of a legend.

    Parameters
    ----------
    result : Dataset
        ``attrs["by"]`` is a JSON list of trial columns.

    Returns
    -------
    str or None
        None for several columns, whose labels name them ("choice=left, context=1").

    Examples
    --------
    >>> import xarray as xr
    >>> from popdyn.plot.style import conditions_title
    >>> conditions_title(xr.Dataset(attrs={"by": '["choice"]'}))
    'choice'
    """
    names = json.loads(str(result.attrs.get("by", "[]")))
    return str(names[0]) if len(names) == 1 else None


def add_legend(ax: Axes, title: str | None = None) -> Legend | None:
    """Put a frameless legend at the right of the axes, where it hides no data.

    Parameters
    ----------
    ax : Axes
        Axes whose labelled artists are listed.
    title : str, optional
        Heading of the legend.

    Returns
    -------
    Legend or None
        None when nothing has a label.

    Examples
    --------
    >>> from popdyn.plot.style import add_legend, new_axes
    >>> add_legend(new_axes()) is None
    True
    """
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return None
    return ax.legend(
        handles,
        labels,
        title=None if title is None else plain(title),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        frameon=False,
        fontsize=SMALL_FONT_SIZE,
        title_fontsize=SMALL_FONT_SIZE,
        handlelength=1.6,
        alignment="left",
    )


def _cycle(labels: Iterable[Hashable], colors: Sequence[str]) -> dict[str, str]:
    """Assign colors to labels in order, starting again when they run out."""
    return {str(label): colors[index % len(colors)] for index, label in enumerate(labels)}
