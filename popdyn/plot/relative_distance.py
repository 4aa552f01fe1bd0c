"""Draw how far every condition is from the reference, over time."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.orbit_distance import Part, draw_orbit_distance
from popdyn.plot.style import (
    BAND_ALPHA,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    add_legend,
    condition_colors,
    condition_styles,
    event_line,
    new_axes,
    plain,
    time_label,
)


def relative_distance(result: xr.Dataset, *, of: Part = "distance", ax: Axes | None = None) -> Axes:
    """Draw how far the conditions are from the reference.

    Conditions with an order are colored by stimulus, and ``of`` says what is drawn.  Of a
    Euclidean distance there is its course, corrected for noise where that is known.

    Parameters
    ----------
    result : Dataset
        From ``pdn.relative_distance`` or ``pdn.pool_distances`` (the mean alone).
    of : {"distance", "orbits", "mean"}, default "distance"
        Signed distance over time (thin where the match is the end of a trajectory); the orbits in
        the first two components, three on axes with ``projection="3d"``; or the mean distance
        against the stimulus, with bounds and a dotted line through both ends.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Of a Euclidean distance a line and a 95 % band per condition; the p value of the whole
        window in the legend.  A gap in a line: not enough trials.

    Raises
    ------
    TensorError
        If this is no result of relative_distance, or ``of`` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> values = np.random.default_rng(0).normal(size=(5, 20, 5)).cumsum(axis=1)
    >>> stimulus = ("condition", [0.5, 0.6, 0.7, 0.8, 0.9])
    >>> average = xr.DataArray(
    ...     values, dims=("neuron", "time", "condition"), coords={"stimulus": stimulus}
    ... )
    >>> result = pdn.relative_distance(average, smooth=None, alignment="time")
    >>> ax = pdn.plot.relative_distance(result)
    """
    result = drawable(result, "relative_distance", "mean_distance")
    if str(result.attrs.get("distance_method", "euclidean")) != "euclidean":
        return draw_orbit_distance(result, of if "distance" in result else "mean", ax)
    result = drawable(result, "relative_distance", "distance")
    ax = new_axes(ax)
    corrected = "corrected_distance" in result
    line = result["corrected_distance" if corrected else "distance"]
    values = line.transpose("time", "condition").to_numpy()
    time = result["time"].to_numpy() if "time" in result.coords else np.arange(len(values))
    labels = [str(label) for label in result["condition"].to_numpy()]
    colors, styles = condition_colors(labels), condition_styles(labels)
    reference = str(result.attrs.get("reference", ""))
    for position, label in enumerate(labels):
        if label == reference:
            continue
        color = colors[label]
        if "distance_bound" in result:
            bound = result["distance_bound"].isel(condition=position).transpose("bound", "time")
            low, high = bound.to_numpy()
            ax.fill_between(time, low, high, color=color, alpha=BAND_ALPHA, linewidth=0)
        ax.plot(
            time, values[:, position], color=color, linestyle=styles[label],
            linewidth=LINE_WIDTH, label=_entry(result, label, position),
        )  # fmt: skip
    if time.min() < 0.0 < time.max():
        event_line(ax)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel(f"distance to {plain(reference)} ({_units(result)})")
    if not corrected:
        ax.set_title("not corrected for noise", fontsize=SMALL_FONT_SIZE)
    add_legend(ax)
    return ax


def _entry(result: xr.Dataset, label: str, position: int) -> str:
    """Legend entry: the condition and its p value."""
    p = float(result["p"][position]) if "p" in result else np.nan
    return plain(f"{label} (p = {p:.2g})") if np.isfinite(p) else plain(label)


def _units(result: xr.Dataset) -> str:
    """Units as they are written by hand."""
    units = str(result["distance"].attrs.get("units", "1"))
    return "dimensionless" if units == "1" else units.replace("*sqrt(neurons)", " √neurons")
