"""Looks of ordered conditions: a scale of colors for the stimulus, line styles for its sets."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from popdyn.plot.style import (
    GUIDE_COLOR,
    SMALL_FONT_SIZE,
    condition_colors,
    condition_styles,
    plain,
)

# The palest end of the map does not show on white.
_LAST_SHADE = 0.88
# Categories coded by numbers are fewer.
_FEWEST_ORDERED = 4
_STYLES = ("-", "--", ":", "-.")
_MARKERS = "osD^"


def shades(stimulus: ArrayLike) -> tuple[NDArray[Any], ScalarMappable]:
    """Color of every condition by its stimulus, and the map for a color bar.

    Parameters
    ----------
    stimulus : array-like of numbers

    Returns
    -------
    colors : ndarray, shape (condition, 4)
    map : ScalarMappable

    Examples
    --------
    >>> colors, _ = shades([0.5, 0.7, 0.9])
    >>> colors.shape
    (3, 4)
    """
    values = np.asarray(stimulus, dtype=np.float64)
    norm = Normalize(values.min(), values.max())
    mapped = ListedColormap(colormaps["viridis"](np.linspace(0.0, _LAST_SHADE, 256)))
    return np.asarray(mapped(norm(values))), ScalarMappable(norm, mapped)


def columns_of(result: xr.Dataset) -> list[str]:
    """Name the columns that define the conditions of a result, as far as it holds them."""
    by = result.attrs.get("by") or json.loads(str(result.attrs.get("parameters", "{}"))).get("by")
    names = json.loads(by) if isinstance(by, str) and by.startswith("[") else by
    names = [names] if isinstance(names, str) else list(names or [])
    return [name for name in map(str, names) if name in result.coords]


def is_ordered(result: xr.Dataset) -> bool:
    """Tell whether conditions are those of a stimulus with more values than categories have."""
    names = columns_of(result)
    if not names or result[names[0]].dtype.kind not in "iuf":
        return False
    return bool(np.unique(result[names[0]].values).size >= _FEWEST_ORDERED)


def sets_of(result: xr.Dataset) -> list[str]:
    """Name the stimulus set of every condition; "" where there is one only."""
    rest = columns_of(result)[1:]
    rows = zip(*(result[name].values for name in rest), strict=True) if rest else ()
    names = [", ".join(map(str, row)) for row in rows]
    return names if len(set(names)) > 1 else [""] * result.sizes["condition"]


def set_looks(sets: list[str]) -> dict[str, tuple[str, str]]:
    """Line style and marker of each stimulus set, the same whatever comes first.

    Examples
    --------
    >>> set_looks(["short", "short", "long"])
    {'short': ('-', 'o'), 'long': ('--', 's')}
    """
    names = list(dict.fromkeys(sets))
    return {
        name: (_STYLES[place % len(_STYLES)], _MARKERS[place % len(_MARKERS)])
        for place, name in enumerate(names)
    }


def set_legend(ax: Axes, sets: list[str], *, lines: bool = True) -> None:
    """Say which line or marker is which set, if there are several, beside what has a label."""
    looks = set_looks(sets)
    handles, _ = ax.get_legend_handles_labels()
    for name, (style, marker) in looks.items() if len(looks) > 1 else ():
        own: dict[str, Any] = (
            {"linestyle": style} if lines else {"linestyle": "none", "marker": marker}
        )
        handles.append(Line2D([], [], color=GUIDE_COLOR, label=plain(name), **own))
    if not handles:
        return
    ax.legend(handles=handles, frameon=False, fontsize=SMALL_FONT_SIZE, handlelength=2.4)


def condition_looks(result: xr.Dataset, labels: list[str]) -> dict[str, tuple[Any, str]]:
    """Color and line style of every condition: a scale and a style a set where they are ordered."""
    if not is_ordered(result):
        colors, styles = condition_colors(labels), condition_styles(labels)
        return {label: (colors[label], styles[label]) for label in labels}
    sets = sets_of(result)
    looks = set_looks(sets)
    scale, _ = shades(result[columns_of(result)[0]].values)
    return {
        label: (tuple(color), looks[name][0])
        for label, color, name in zip(labels, scale, sets, strict=True)
    }
