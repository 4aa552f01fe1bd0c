"""Draw orbits colored by stimulus, and how far and on which side of the reference they are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.ordered import set_legend, set_looks, sets_of, shades
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    axis_label,
    event_line,
    new_axes,
    plain,
    time_label,
)

Part = Literal["distance", "orbits", "mean"]
# Thin, but thick enough to tell its color.
_THIN = 0.6
_MARKER_SIZE = 4.0


def draw_orbit_distance(result: xr.Dataset, of: Part, ax: Axes | None) -> Axes:
    """Draw a result with ordered conditions; see `popdyn.plot.relative_distance`."""
    draw = {"distance": _distance, "orbits": _orbits, "mean": _mean}
    if of not in draw:
        message = f"of must be one of {', '.join(map(repr, draw))}, found {of!r}"
        raise TensorError(message)
    return draw[of](result, ax)


def _distance(result: xr.Dataset, ax: Axes | None) -> Axes:
    """Signed distance over time, thin where a match is at the end of a trajectory."""
    result = drawable(result, "relative_distance", "distance")
    ax = new_axes(ax)
    time = result["time"].to_numpy()
    colors, bar = shades(result["stimulus"].values)
    sets = sets_of(result)
    looks = set_looks(sets)
    distance = result["distance"].transpose("time", "condition").to_numpy()
    at_end = result["saturated"].transpose("time", "condition").to_numpy()
    for own, ended, shade, name in zip(distance.T, at_end.T, colors, sets, strict=True):
        style = looks[name][0]
        ax.plot(time, own, color=shade, linewidth=_THIN * LINE_WIDTH, linestyle=style)
        known = np.where(ended, np.nan, own)
        ax.plot(time, known, color=shade, linewidth=1.3 * LINE_WIDTH, linestyle=style)
    if time.min() < 0.0 < time.max():
        event_line(ax)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel(_label("distance", result["distance"]))
    set_legend(ax, sets)
    _color_bar(ax, bar, result)
    return ax


def _orbits(result: xr.Dataset, ax: Axes | None) -> Axes:
    """Orbits in the first two components, or three on axes that have them."""
    result = drawable(result, "relative_distance", "trajectory")
    if result.sizes["component"] < 2:
        message = "one component is no plane to draw orbits in: say n_components of 2 or more"
        raise TensorError(message)
    ax = new_axes(ax) if ax is None or ax.name != "3d" else ax
    n = 3 if ax.name == "3d" and result.sizes["component"] > 2 else 2
    orbits = result["trajectory"].transpose("condition", "component", "time").to_numpy()[:, :n]
    colors, bar = shades(result["stimulus"].values)
    sets = sets_of(result)
    looks = set_looks(sets)
    for own, shade, name in zip(orbits, colors, sets, strict=True):
        known = own[:, np.isfinite(own).all(axis=0)]
        ax.plot(*known, color=shade, linewidth=LINE_WIDTH, linestyle=looks[name][0])
        ax.plot(*known[:, :1], "o", color=shade, markersize=_MARKER_SIZE)
        ax.plot(*known[:, -1:], "x", color=shade, markersize=_MARKER_SIZE)
    for axis, name in enumerate("xyz"[:n]):
        number = f"component {axis + 1}"
        label = number if n == 3 else _label(number, result["trajectory"])
        getattr(ax, f"set_{name}label")(label)
    ax.set_title("dot: first time, cross: last", fontsize=SMALL_FONT_SIZE)
    set_legend(ax, sets)
    _color_bar(ax, bar, result)
    return ax


def _mean(result: xr.Dataset, ax: Axes | None) -> Axes:
    """Mean distance against the stimulus, and a straight line through both ends."""
    result = drawable(result, "relative_distance", "mean_distance")
    ax = new_axes(ax)
    stimulus = result["stimulus"].to_numpy()
    mean = result["mean_distance"].to_numpy()
    colors, _ = shades(stimulus)
    sets = sets_of(result)
    if "mean_distance_bound" in result:
        low, high = result["mean_distance_bound"].transpose("bound", "condition").to_numpy()
        ax.vlines(stimulus, low, high, colors=colors.tolist(), linewidth=LINE_WIDTH)
    if "mean_cross_validated_distance" in result:
        corrected = result["mean_cross_validated_distance"].to_numpy()
        ax.plot(
            stimulus, corrected, "_", color=GUIDE_COLOR, markersize=2 * _MARKER_SIZE,
            label="cross-validated", zorder=1,
        )  # fmt: skip
    set_legend(ax, sets, lines=False)
    ends = [int(stimulus.argmin()), int(stimulus.argmax())]
    ax.plot(stimulus[ends], mean[ends], color=GUIDE_COLOR, linewidth=LINE_WIDTH / 2, linestyle=":")
    for name, (_, marker) in set_looks(sets).items():
        own = np.flatnonzero(np.array(sets) == name)
        size = _MARKER_SIZE**2
        ax.scatter(stimulus[own], mean[own], c=colors[own], s=size, marker=marker, zorder=3)
    ax.set_xlabel(_label("stimulus", result["stimulus"]))
    ax.set_ylabel(_label("mean distance", result["mean_distance"]))
    unit = str(result.attrs.get("unit_of_inference", "none"))
    if unit != "none":
        ax.set_title(f"95 % bounds over {unit}", fontsize=SMALL_FONT_SIZE)
    return ax


def _color_bar(ax: Axes, bar: ScalarMappable, result: xr.Dataset) -> None:
    """Say which color is which stimulus."""
    drawn = ax.figure.colorbar(bar, ax=ax, shrink=0.8, pad=0.15 if ax.name == "3d" else 0.05)
    drawn.set_label(_label("stimulus", result["stimulus"]), fontsize=SMALL_FONT_SIZE)
    drawn.ax.tick_params(labelsize=SMALL_FONT_SIZE)
    drawn.outline.set_visible(False)


def _label(quantity: str, variable: xr.DataArray) -> str:
    """Axis label with the units as they are written by hand."""
    units = str(variable.attrs.get("units", "1"))
    return plain(axis_label(quantity, units.replace("*sqrt(neurons)", " √neurons")))
