"""Draw the distance to the separatrix over the onset, beside the threshold from behavior."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    BAND_ALPHA,
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    axis_label,
    condition_colors,
    new_axes,
    plain,
    style_axes,
)

_MARKER_SIZE = 3.0


def separatrix_distance(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the distance with its bounds, and the threshold dashed on an axis of its own.

    Parameters
    ----------
    result : Dataset
        From ``pdn.separatrix_distance``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Those of the distance; their correlation over onsets is in the title.

    Raises
    ------
    TensorError
        If this is no result of separatrix_distance.

    Examples
    --------
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> result = xr.Dataset(
    ...     {"separatrix_distance": ("onset", [0.4, 0.3]), "threshold": ("onset", [2.0, 1.5])},
    ...     coords={"onset": [1.5, 2.5]},
    ... )
    >>> pdn.plot.separatrix_distance(result).get_xlabel()
    'onset of the stimulus (s)'
    """
    result = drawable(result, "separatrix_distance", "separatrix_distance", "threshold")
    ax = new_axes(ax)
    onset = result["onset"].to_numpy()
    color = condition_colors(["distance"])["distance"]
    distance = result["separatrix_distance"]
    if "separatrix_distance_bound" in result:
        low, high = result["separatrix_distance_bound"].transpose("bound", "onset").to_numpy()
        ax.fill_between(onset, low, high, color=color, alpha=BAND_ALPHA, linewidth=0)
    style: dict[str, Any] = {"linewidth": LINE_WIDTH, "markersize": _MARKER_SIZE}
    ax.plot(onset, distance.to_numpy(), "o-", color=color, **style)
    units = str(distance.attrs.get("units", "1")).replace("*sqrt(neurons)", " √neurons")
    ax.set_xlabel("onset of the stimulus (s)")
    ax.set_ylabel(plain(axis_label("separatrix distance", units)), color=color)
    beside = ax.twinx()
    beside.plot(onset, result["threshold"].to_numpy(), "s--", color=GUIDE_COLOR, **style)
    beside.set_ylabel("threshold (amplitude)", color=GUIDE_COLOR)
    style_axes(beside)
    beside.spines["right"].set_visible(True)
    correlation = float(result["correlation"]) if "correlation" in result else np.nan
    if np.isfinite(correlation):
        ax.set_title(f"correlation {correlation:.2f}", fontsize=SMALL_FONT_SIZE)
    return ax
