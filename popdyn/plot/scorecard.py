"""Picture of the scorecard: a row per measure, every source with its interval and its null."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    FONT_SIZE,
    NULL_COLOR,
    SMALL_FONT_SIZE,
    new_axes,
    plain,
    source_colors,
    style_axes,
)

_WIDTH = 7.0  # inch: two columns of a journal page
_LABEL_SHARE, _PANEL_SHARE = 0.27, 0.40  # of the width; the numbers take the rest
_LINE_HEIGHT = 0.20  # inch per source in a row
_TEXT_WIDTH = 46  # characters that fit beside a panel
_ROW_PADDING = 0.34  # inch per row for its axis


def scorecard(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the scorecard of a comparison.

    Each measure has a scale of its own; mere counts are left to the table.  A dot is a source's
    value, the line its 95 % interval, the gray bar the 95 % band of its null; a measure that
    the data cannot support says why instead.

    Parameters
    ----------
    result : Dataset
        Node ``/comparison/scorecard`` of a comparison, or its ``to_dataset()``.
    ax : Axes, optional
        Axes whose area is divided into rows; a new figure of fitting height without.

    Returns
    -------
    Axes
        The outer axes (without frame); the rows are its ``child_axes``.

    Examples
    --------
    >>> import popdyn as pdn
    >>> import xarray as xr
    >>> dims = ("measure", "source")
    >>> result = xr.Dataset(
    ...     {
    ...         "value": (dims, [[0.8]]),
    ...         "bound_value": (("bound", *dims), [[[0.7]], [[0.9]]]),
    ...         "null_value": (("bound", *dims), [[[0.4]], [[0.6]]]),
    ...         "reason": (dims, [[""]]),
    ...     },
    ...     coords={"measure": ["accuracy"], "source": ["mouse"], "unit": ("measure", ["1"])},
    ... )
    >>> len(pdn.plot.scorecard(result).child_axes)
    1
    """
    result = drawable(result, "scorecard", "value", "reason")
    result = result.isel(measure=drawn_measures(result))
    n_measures, n_sources = result.sizes["measure"], result.sizes["source"]
    row = _line_height(result) * n_sources + _ROW_PADDING
    height = row * n_measures + 0.35
    ax = new_axes(ax, figure_size=(_WIDTH, height))
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    colors = source_colors(result["source"].values)
    top = 1.0 - 0.3 / height
    step = top / n_measures
    _heading(ax, colors, top)
    for number in range(n_measures):
        _draw_row(ax, result.isel(measure=number), colors, top - (number + 1) * step, step, row)
    return ax


def drawn_measures(result: xr.Dataset) -> list[int]:
    """Positions of all measures but counts, which have neither interval nor null nor reason."""
    known = np.zeros(result.sizes["measure"], dtype=bool)
    for name in ("bound_value", "null_value"):
        if name in result:
            known |= result[name].notnull().any(("bound", "source")).values
    if "reason" in result:
        known |= (result["reason"] != "").any("source").values
    return [int(row) for row in np.flatnonzero(known)]


def _line_height(result: xr.Dataset) -> float:
    """Height of a source's line in inch: enough for the longest reason."""
    reasons = result["reason"].values.ravel() if "reason" in result else [""]
    n_lines = max(_wrap(str(reason), _TEXT_WIDTH).count("\n") + 1 for reason in reasons)
    return max(_LINE_HEIGHT, 0.12 * n_lines + 0.02)


def _heading(ax: Axes, colors: dict[str, str], height: float) -> None:
    """Name the sources once, in their colors, and the null."""
    handles: list[Any] = [
        Line2D([], [], color=color, marker="o", markersize=4.5, linewidth=1.6, label=plain(source))
        for source, color in colors.items()
    ]
    handles.append(Patch(color=NULL_COLOR, alpha=0.6, linewidth=0, label="null (95 %)"))
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(_LABEL_SHARE, height),
        borderaxespad=0.0,
        ncols=len(handles),
        frameon=False,
        fontsize=SMALL_FONT_SIZE,
        handlelength=1.6,
    )


def _draw_row(
    ax: Axes, one: xr.Dataset, colors: dict[str, str], bottom: float, height: float, inches: float
) -> None:
    """Draw one measure: its name, an axis of its own, the numbers."""
    padding = _ROW_PADDING / inches * height
    inner_bottom, inner = bottom + 0.8 * padding, height - padding
    panel = style_axes(ax.inset_axes((_LABEL_SHARE, inner_bottom, _PANEL_SHARE, inner)))
    panel.spines["left"].set_visible(False)
    panel.set_ylim(len(colors) - 0.5, -0.5)
    panel.set_yticks([])
    unit = str(one["unit"].item()) if "unit" in one.coords else ""
    name = _wrap(str(one["measure"].item()), 30)
    shown = f"{name}\n({'dimensionless' if unit in ('', '1') else unit})"
    middle = inner_bottom + inner / 2
    ax.text(0.0, middle, plain(shown), fontsize=FONT_SIZE, va="center", linespacing=1.1)
    for position, color in enumerate(colors.values()):
        height_of_line = inner_bottom + inner * (len(colors) - position - 0.5) / len(colors)
        numbers = _numbers(one, position)
        text = _draw_source(panel, numbers, position, color)
        ax.text(
            _LABEL_SHARE + _PANEL_SHARE + 0.02,
            height_of_line,
            plain(_wrap(text, _TEXT_WIDTH)),
            fontsize=SMALL_FONT_SIZE,
            color=_ink(color),
            va="center",
            linespacing=1.0,
        )
    if not panel.has_data():
        panel.set_xticks([])
        panel.spines["bottom"].set_visible(False)
    panel.use_sticky_edges = False
    panel.margins(x=0.08)
    panel.locator_params(axis="x", nbins=5)


def _numbers(one: xr.Dataset, position: int) -> dict[str, Any]:
    """Value, interval, null, p and reason of a source."""
    own = one.isel(source=position)
    empty = np.array([np.nan, np.nan])
    return {
        "value": float(own["value"]),
        "bound": own["bound_value"].values if "bound_value" in own else empty,
        "null": own["null_value"].values if "null_value" in own else empty,
        "p": float(own["p"]) if "p" in own else np.nan,
        "reason": str(own["reason"].item()) if "reason" in own else "",
    }


def _draw_source(panel: Axes, numbers: dict[str, Any], position: int, color: str) -> str:
    """Draw value, interval and null of a source; return them as text."""
    if not np.isfinite(numbers["value"]):
        return str(numbers["reason"] or "not available")
    text = f"{numbers['value']:.3g}"
    bands = np.concatenate([numbers["null"], numbers["bound"]])
    if numbers["reason"] and not np.isfinite(bands).any():
        return f"{text}  {numbers['reason']}"  # a count with words: no scale tells more
    lower, upper = numbers["null"]
    if np.isfinite(lower) and np.isfinite(upper):
        panel.barh(
            position, upper - lower, left=lower, height=0.62, color=NULL_COLOR, alpha=0.6, zorder=1
        )
    low, high = numbers["bound"]
    if np.isfinite(low) and np.isfinite(high):
        panel.plot([low, high], [position, position], color=color, linewidth=1.6, zorder=2)
        text += f"  [{low:.3g}, {high:.3g}]"
    elif np.isfinite(low) and high == np.inf:
        end = 2 * numbers["value"] - low
        panel.plot([low, end], [position, position], color=color, linewidth=1.6, zorder=2)
        panel.plot([end], [position], ">", color=color, markersize=4.5, zorder=2)
        text += f"  [{low:.3g}, ∞)"
    panel.plot([numbers["value"]], [position], "o", color=color, markersize=4.5, zorder=3)
    if np.isfinite(numbers["p"]):
        text += f"  p = {_p_text(numbers['p'])}"
    return f"{text}  {numbers['reason']}".rstrip()


def _p_text(p: float) -> str:
    """Write p with the digits that the table of a report has."""
    if p >= 0.9995:
        return "1"
    digits = 2 if p >= 0.1 else 3 if p >= 0.001 else max(4, -int(np.floor(np.log10(p or 1e-4))))
    return f"{p:.{digits}f}".removeprefix("0")


def _ink(color: str) -> str:
    """Darken a color until text in it can be read on white."""
    channels = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    luminance = sum(
        weight * channel for weight, channel in zip((0.30, 0.59, 0.11), channels, strict=True)
    )
    factor = min(1.0, 105.0 / max(luminance, 1.0))
    return "#" + "".join(f"{round(channel * factor):02x}" for channel in channels)


def _wrap(text: str, width: int) -> str:
    """Break a text into lines."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width)) or text
