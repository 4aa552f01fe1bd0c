"""Draw the distance to the separatrix over the onset, beside the threshold from behavior."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
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

    Where the result has one the distance is that without the noise of the trials, which its bounds
    are of.  Onsets without a distance are crosses at the bottom.

    Parameters
    ----------
    result : Dataset
        From ``pdn.separatrix_distance`` or ``pdn.dynamics.separatrix_bisect``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Those of the distance; the correlation with the threshold over onsets is in the title.

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
    style: dict[str, Any] = {"linewidth": LINE_WIDTH, "markersize": _MARKER_SIZE}
    corrected = "corrected_distance" in result
    distance = result["corrected_distance" if corrected else "separatrix_distance"]
    if "separatrix_distance_bound" in result:
        bounds = result["separatrix_distance_bound"].transpose("bound", "onset").to_numpy()
        ax.vlines(onset, *bounds, color=color, linewidth=LINE_WIDTH / 2)
    ax.plot(onset, distance.to_numpy(), "o-", color=color, **style)
    ax.set_ylim(bottom=0.0)
    _mark_unknown(ax, onset[np.isnan(distance.to_numpy())], color)
    units = str(distance.attrs.get("units", "1")).replace("*sqrt(neurons)", " √neurons")
    ax.set_xlabel("onset of the stimulus (s)")
    ax.set_ylabel(plain(axis_label("separatrix distance", units)), color=color)
    beside = ax.twinx()
    beside.plot(onset, result["threshold"].to_numpy(), "s--", color=GUIDE_COLOR, **style)
    beside.set_ylim(bottom=0.0)
    beside.set_ylabel("threshold (amplitude)", color=GUIDE_COLOR)
    style_axes(beside)
    beside.spines["right"].set_visible(True)
    if np.isfinite(result.get("correlation", np.nan)):
        ax.set_title(_correlation(result), fontsize=SMALL_FONT_SIZE)
    return ax


def _mark_unknown(ax: Axes, onset: NDArray[Any], color: str) -> None:
    """Cross the onsets that have no distance."""
    if not len(onset):
        return
    ax.plot(
        onset, np.zeros(len(onset)), "x", color=color, markersize=2 * _MARKER_SIZE, clip_on=False
    )
    ax.annotate(
        "× no distance", (0.02, 0.04), xycoords="axes fraction", color=color,
        fontsize=SMALL_FONT_SIZE,
    )  # fmt: skip


def _correlation(result: xr.Dataset) -> str:
    """Say the correlation, its bounds and of how many onsets it is."""
    distance, threshold = (result[name].to_numpy() for name in ("separatrix_distance", "threshold"))
    known = int((np.isfinite(distance) & np.isfinite(threshold)).sum())
    bounds = ""
    if "correlation_bound" in result:
        low, high = result["correlation_bound"].to_numpy()
        bounds = f" [{low:.2f}, {high:.2f}]"
    return f"correlation {float(result['correlation']):.2f}{bounds} of {known} onsets"
