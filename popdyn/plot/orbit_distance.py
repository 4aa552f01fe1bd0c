"""Draw orbits colored by stimulus, and how far and on which side of the reference they are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
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
# The palest end of the map does not show on white.
_LAST_SHADE = 0.9
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
    shades, bar = _shades(result)
    distance = result["distance"].transpose("time", "condition").to_numpy()
    at_end = result["saturated"].transpose("time", "condition").to_numpy()
    for own, ended, shade in zip(distance.T, at_end.T, shades, strict=True):
        ax.plot(time, own, color=shade, linewidth=LINE_WIDTH / 3)
        ax.plot(time, np.where(ended, np.nan, own), color=shade, linewidth=LINE_WIDTH)
    if time.min() < 0.0 < time.max():
        event_line(ax)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel(_label("distance", result["distance"]))
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
    shades, bar = _shades(result)
    for own, shade in zip(orbits, shades, strict=True):
        known = own[:, np.isfinite(own).all(axis=0)]
        ax.plot(*known, color=shade, linewidth=LINE_WIDTH)
        ax.plot(*known[:, :1], "o", color=shade, markersize=_MARKER_SIZE)
        ax.plot(*known[:, -1:], "x", color=shade, markersize=_MARKER_SIZE)
    for axis, name in enumerate("xyz"[:n]):
        number = f"component {axis + 1}"
        label = number if n == 3 else _label(number, result["trajectory"])
        getattr(ax, f"set_{name}label")(label)
    ax.set_title("dot: first time, cross: last", fontsize=SMALL_FONT_SIZE)
    _color_bar(ax, bar, result)
    return ax


def _mean(result: xr.Dataset, ax: Axes | None) -> Axes:
    """Mean distance against the stimulus, and a straight line through both ends."""
    result = drawable(result, "relative_distance", "mean_distance")
    ax = new_axes(ax)
    stimulus = result["stimulus"].to_numpy()
    mean = result["mean_distance"].to_numpy()
    shades, _ = _shades(result)
    if "mean_distance_bound" in result:
        low, high = result["mean_distance_bound"].transpose("bound", "condition").to_numpy()
        ax.vlines(stimulus, low, high, colors=shades.tolist(), linewidth=LINE_WIDTH)
    if "mean_cross_validated_distance" in result:
        corrected = result["mean_cross_validated_distance"].to_numpy()
        ax.plot(
            stimulus, corrected, "_", color=GUIDE_COLOR, markersize=2 * _MARKER_SIZE,
            label="cross-validated", zorder=1,
        )  # fmt: skip
        ax.legend(frameon=False, fontsize=SMALL_FONT_SIZE)
    ends = [int(stimulus.argmin()), int(stimulus.argmax())]
    ax.plot(stimulus[ends], mean[ends], color=GUIDE_COLOR, linewidth=LINE_WIDTH / 2, linestyle=":")
    ax.scatter(stimulus, mean, c=shades, s=_MARKER_SIZE**2, zorder=3)
    ax.set_xlabel(_label("stimulus", result["stimulus"]))
    ax.set_ylabel(_label("mean distance", result["mean_distance"]))
    unit = str(result.attrs.get("unit_of_inference", "none"))
    if unit != "none":
        ax.set_title(f"95 % bounds over {unit}", fontsize=SMALL_FONT_SIZE)
    return ax


def _shades(result: xr.Dataset) -> tuple[NDArray[Any], ScalarMappable]:
    """Color of every condition by its stimulus, and the map for the bar."""
    stimulus = result["stimulus"].to_numpy().astype(np.float64)
    norm = Normalize(stimulus.min(), stimulus.max())
    mapped = ListedColormap(colormaps["viridis"](np.linspace(0.0, _LAST_SHADE, 256)))
    return mapped(norm(stimulus)), ScalarMappable(norm, mapped)


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
