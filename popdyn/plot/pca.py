"""Draw trajectories of the conditions in the plane of the first two principal components."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    add_legend,
    axis_label,
    condition_colors,
    condition_styles,
    new_axes,
    plain,
    size_beside_legend,
)


def pca(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw a trajectory per condition: dot at its start, arrow head's triangle at its end.

    Parameters
    ----------
    result : Dataset
        From ``pdn.PCA(...).fit(x).to_dataset()``, fitted to condition averages.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        With a cross where time is 0 (the event), if it is within the window; the crosses'
        arms are the 95 % bounds there, where there are trials to know them from.

    Raises
    ------
    TensorError
        If there is no trajectory, or a single component.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> values = np.random.default_rng(0).normal(size=(5, 20, 2))
    >>> average = xr.DataArray(values, dims=("neuron", "time", "condition"))
    >>> ax = pdn.plot.pca(pdn.PCA(2).fit(average).to_dataset())
    """
    result = drawable(result, "pca", "explained_variance_ratio")
    if "trajectory" not in result or result.sizes.get("component", 0) < 2:
        message = (
            "expected a PCA with at least 2 components of condition averages, found no plane to "
            "draw: fit PCA(n_components=2 or more) with by= or a condition average, or draw what "
            "the components explain with plot.explained_variance(result)"
        )
        raise TensorError(message)
    ax = new_axes(ax, figure_size=size_beside_legend(_labels(result)))
    trajectory = result["trajectory"].transpose("component", "time", "condition").to_numpy()
    labels = [str(label) for label in _labels(result)]
    colors, styles = condition_colors(labels), condition_styles(labels)
    for position, label in enumerate(labels):
        x, y = trajectory[:2, :, position]
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if not known.size:
            continue
        ax.plot(
            x, y, color=colors[label], linestyle=styles[label], linewidth=LINE_WIDTH,
            label=plain(label),
        )  # fmt: skip
        ax.plot(x[known[0]], y[known[0]], "o", color=colors[label], markersize=4)
        ax.plot(x[known[-1]], y[known[-1]], "^", color=colors[label], markersize=5)
        _event_cross(ax, result, position, colors[label])
    units = str(result.attrs.get("units", "1"))
    ratio = result["explained_variance_ratio"].to_numpy()
    name = "PC{} ({:.0f} %)"
    ax.set_xlabel(axis_label(name.format(1, 100 * ratio[0]), units))
    ax.set_ylabel(axis_label(name.format(2, 100 * ratio[1]), units))
    # The box, not the limits: beside a wide legend these would go far beyond the data.
    ax.set_aspect("equal", adjustable="box")
    add_legend(ax)
    ax.set_title(
        "dot: start, triangle: end,\ncross: event, 95 % interval", fontsize=SMALL_FONT_SIZE
    )
    return ax


def _labels(result: xr.Dataset) -> np.ndarray:
    """Labels of the conditions, numbers when they have none."""
    if "condition" in result.coords:
        return np.asarray(result["condition"].to_numpy())
    return np.arange(result.sizes["condition"])


def _event_cross(ax: Axes, result: xr.Dataset, position: int, color: str) -> None:
    """Mark time 0, with the bounds of the average there."""
    if "time" not in result.coords:
        return
    time = result["time"].to_numpy()
    nearest = int(np.abs(time).argmin())
    step = float(np.diff(time).mean()) if time.size > 1 else 0.0
    if abs(time[nearest]) > step:
        return
    at = {"time": nearest, "condition": position}
    x, y = result["trajectory"].isel(at).to_numpy()[:2]
    if "trajectory_bound" not in result:
        ax.plot(x, y, "+", color=color, markersize=7)
        return
    low, high = result["trajectory_bound"].isel(at).transpose("bound", ...).to_numpy()[:, :2]
    ax.plot([low[0], high[0]], [y, y], color=color, linewidth=0.9)
    ax.plot([x, x], [low[1], high[1]], color=color, linewidth=0.9)
