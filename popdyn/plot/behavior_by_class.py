"""Pictures of behavior by class: produced intervals, points of equality, shares of choices."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    add_legend,
    axis_label,
    condition_colors,
    conditions_title,
    new_axes,
    plain,
)

_SIZE = (4.8, 2.6)  # inch: the legend says slopes
_COLOR = "#0072B2"


def behavior_by_class(
    result: xr.Dataset, *, ax: Axes | None = None, color: str | None = None, label: str = ""
) -> Axes:
    """Draw what was produced against what was asked, or what counts as equal against the first.

    Without produced intervals and comparisons the share of correct trials of each class is drawn.

    Parameters
    ----------
    result : Dataset
        From ``pdn.behavior_by_class``.
    ax : Axes, optional
        Axes to draw on; a new figure without.  Several results may share them.
    color : str, optional
        Color of the points; without it blue, or one for each context.
    label : str
        What the points are, for the legend.

    Returns
    -------
    Axes
        Of produced intervals: true interval (s) against the mean produced one, bars of its
        standard deviation.  Of comparisons: first stimulus against the point of subjective
        equality with its 95 % interval, drawn also where the point is beyond what was shown.
        On the dashed line there is no bias; the legend says the slope and its interval.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = np.repeat([0.6, 0.8], 20)
    >>> table = {"stimulus": stimulus, "produced_interval": 0.14 + 0.8 * stimulus}
    >>> tensor = pdn.make_tensor(np.ones((1, 1, 40)), [0.0], table, bin_width=0.1)
    >>> ax = pdn.plot.behavior_by_class(pdn.behavior_by_class(tensor))
    >>> ax.get_ylabel(), ax.get_legend().get_texts()[1].get_text()
    ('produced interval (s)', 'slope 0.80 (0.80 to 0.80)')
    """
    result = drawable(result, "behavior_by_class", "n_trials")
    ax = new_axes(ax, figure_size=_SIZE)
    if "produced" in result:
        _produced(ax, result, color, label)
    elif "equality" in result:
        _equality(ax, result, color or _COLOR, label)
    elif "accuracy" in result:
        _accuracy(ax, result, color or _COLOR, label)
    else:
        message = (
            "this result holds no more than numbers of trials: the trials had neither "
            "produced_interval, nor choice, nor correct"
        )
        raise TensorError(message)
    add_legend(ax)
    return ax


def choice_by_pair(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how often the second stimulus was called larger, a curve for each first one.

    Parameters
    ----------
    result : Dataset
        From ``pdn.behavior_by_class``, of comparisons of two stimuli.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Second stimulus against the share of choices "larger" with its 95 % interval; the lines
        are the cumulative normals from which the points of equality come.

    Raises
    ------
    TensorError
        When this is no such result.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> second = np.tile([8.0, 9.0, 11.0, 12.0], 5)
    >>> choice = np.where(second > 10, 1, -1)
    >>> table = {"stimulus": np.full(20, 10.0), "stimulus_2": second, "choice": choice}
    >>> table["correct"] = np.ones(20)
    >>> tensor = pdn.make_tensor(np.ones((1, 1, 20)), [0.0], table, bin_width=0.1)
    >>> pdn.plot.choice_by_pair(pdn.behavior_by_class(tensor)).get_ylabel()
    'share that calls the second larger'
    """
    result = drawable(result, "choice_by_pair", "choice_share", "equality", "spread")
    ax = new_axes(ax)
    first = result["first"].values
    colors = condition_colors(first)
    units = str(result["first"].attrs.get("units", ""))
    for value, color in zip(first, colors.values(), strict=True):
        own = result.isel(condition=np.flatnonzero(np.isclose(result["stimulus"].values, value)))
        second, share = own["stimulus_2"].values, own["choice_share"].values
        ax.vlines(second, *own["choice_share_bound"].values, color=color, linewidth=0.6, alpha=0.35)
        ax.plot(second, share, "o", color=color, markersize=3, label=plain(f"{value:g}"))
        place, spread = (float(result[name].sel(first=value)) for name in ("equality", "spread"))
        if np.isfinite(place):
            shown = np.linspace(second.min(), second.max(), 100)
            ax.plot(shown, _normal(shown, place, spread), color=color, linewidth=LINE_WIDTH)
    ax.axhline(0.5, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel(axis_label("second stimulus", units))
    ax.set_ylabel("share that calls the second larger")
    add_legend(ax, axis_label("first", units))
    return ax


def _produced(ax: Axes, result: xr.Dataset, color: str | None, label: str) -> None:
    """Draw produced against true intervals, a color for each context."""
    contexts = result["slope_context"].values if "slope_context" in result.coords else [None]
    colors = dict(zip(map(str, contexts), condition_colors(contexts).values(), strict=True))
    _identity(ax, result["true_interval"].values)
    for context in contexts:
        own, slopes, words = result, result, label
        if context is not None:
            own = result.isel(condition=np.flatnonzero(result["context"].values == context))
            slopes, words = result.sel(slope_context=context), f"{label} {context}".strip()
        ax.errorbar(
            own["true_interval"].values, own["produced"].values, own["produced_deviation"].values,
            fmt="o", markersize=3, linewidth=0.8, color=color or colors[str(context)],
            label=plain(_slope(slopes, words)),
        )  # fmt: skip
    ax.set_xlabel("true interval (s)")
    ax.set_ylabel("produced interval (s)")


def _equality(ax: Axes, result: xr.Dataset, color: str, label: str) -> None:
    """Draw points of subjective equality."""
    first, equality = result["first"].values, result["equality"].values
    units = str(result["first"].attrs.get("units", ""))
    _identity(ax, first)
    ax.vlines(first, *result["equality_bound"].values, color=color, linewidth=0.8)
    ax.plot(first, equality, "o", markersize=3, color=color, label=plain(_slope(result, label)))
    ax.set_xlabel(axis_label("first stimulus", units))
    ax.set_ylabel(axis_label("equal second stimulus", units))


def _accuracy(ax: Axes, result: xr.Dataset, color: str, label: str) -> None:
    """Draw the share of correct trials of each class."""
    place = np.arange(result.sizes["condition"])
    ax.vlines(place, *result["accuracy_bound"].values, color=color, linewidth=0.8)
    drawn = ax.plot(place, result["accuracy"].values, "o", markersize=3, color=color)
    if label:
        drawn[0].set_label(plain(label))
    names = [plain(name) for name in result["condition"].values]
    title = conditions_title(result)
    ax.set_xticks(place, names, rotation=90 if place.size > 4 else 0)
    ax.set_ylim(-0.02, 1.02)
    units = "" if title is None else str(result[title].attrs.get("units", ""))
    ax.set_xlabel("class" if title is None else axis_label(title, units) if units else title)
    ax.set_ylabel("share of correct trials")


def _identity(ax: Axes, values: np.ndarray) -> None:
    """Draw the line on which there is no bias, once."""
    if any(line.get_gid() == "identity" for line in ax.lines):
        return
    ends = np.array([values.min(), values.max()])
    ax.plot(
        ends, ends, color=NULL_COLOR, linestyle="--", linewidth=1.0, label="no bias", gid="identity"
    )


def _slope(result: xr.Dataset, words: str) -> str:
    """Say a slope with its interval."""
    slope = float(result["slope"])
    if not np.isfinite(slope):
        return words
    lower, upper = result["slope_bound"].values
    said = f"slope {slope:.2f} ({lower:.2f} to {upper:.2f})"
    return f"{words}: {said}" if words else said


def _normal(x: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    """Return the cumulative normal."""
    from scipy.special import ndtr

    curve: np.ndarray = ndtr((x - mean) / deviation)
    return curve
