"""Draw how the latents of a low-rank network move, with fixed points and trajectories."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    add_legend,
    axis_label,
    condition_colors,
    new_axes,
)

_SQUARE = (3.2, 3.0)
_MARKER_SIZE = 6.0


def flow(
    result: xr.Dataset, trajectories: xr.DataArray | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw the flow of the latents on their plane, or their velocity on a line.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.flow``.
    trajectories : DataArray, optional
        Latents ``(latent, time, trial)``, as ``pdn.simulate`` records them, all latents of the
        network.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Filled circles: stable fixed points; open ones: unstable.  On a plane stream lines of the
        reduced network; on a line its velocity, and dashed that of the network.

    Raises
    ------
    TensorError
        If this is no result of flow, or the trajectories have other dims.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(300, n_ranks=2, rng=0)
    >>> pdn.show(pdn.dynamics.flow(net, n_points=9)).get_xlabel()
    'latent 1 (dimensionless)'
    """
    result = drawable(result, "flow", "velocity", "fixed_latent", "stable")
    names = [str(name) for name in result["component"].to_numpy()]
    paths = _paths(trajectories, names)
    if "second" not in result.dims:
        return _line(result, names[0], paths, new_axes(ax))
    ax = new_axes(ax, figure_size=_SQUARE)
    first, second = result["first"].to_numpy(), result["second"].to_numpy()
    u, v = result["velocity"].transpose("component", "second", "first").to_numpy()
    speed = np.hypot(u, v)
    width = 0.4 + 0.9 * speed / max(float(speed.max()), np.finfo(float).tiny)
    ax.streamplot(
        first, second, u, v, color=NULL_COLOR, linewidth=width, density=0.9, arrowsize=0.7
    )
    color = condition_colors(["trials"])["trials"]
    for path in paths:
        ax.plot(*path, color=color, linewidth=0.7, alpha=0.6, zorder=2)
    for (x, y), stable in zip(result["fixed_latent"].to_numpy(), result["stable"].to_numpy(),
                              strict=True):  # fmt: skip
        _fixed_point(ax, x, y, bool(stable))
    ax.set_xlim(first[0], first[-1])
    ax.set_ylim(second[0], second[-1])
    ax.set_xlabel(axis_label(names[0], "1"))
    ax.set_ylabel(axis_label(names[1], "1"))
    return ax


def _line(result: xr.Dataset, name: str, paths: list[NDArray[Any]], ax: Axes) -> Axes:
    """Draw the velocity of one latent against it."""
    first = result["first"].to_numpy()
    color = condition_colors(["reduced"])["reduced"]
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.6)
    style: dict[str, Any] = {"linewidth": LINE_WIDTH, "color": color}
    ax.plot(first, result["velocity"][0].to_numpy(), label="reduced", **style)
    if "network_velocity" in result:
        style["color"] = GUIDE_COLOR
        ax.plot(first, result["network_velocity"][0], "--", label="network", **style)
        add_legend(ax)
    for (value,) in paths:
        end = value[np.isfinite(value)][-1:]
        ax.plot(end, np.zeros_like(end), "|", color=GUIDE_COLOR, markersize=_MARKER_SIZE)
    for (x,), stable in zip(result["fixed_latent"].to_numpy(), result["stable"].to_numpy(),
                            strict=True):  # fmt: skip
        _fixed_point(ax, x, 0.0, bool(stable))
    ax.set_xlabel(axis_label(name, "1"))
    ax.set_ylabel(axis_label("velocity", "1/s"))
    return ax


def _fixed_point(ax: Axes, x: float, y: float, stable: bool) -> None:
    """Mark a fixed point: filled if it is stable."""
    face = "#000000" if stable else "#FFFFFF"
    ax.plot(x, y, "o", color="#000000", markerfacecolor=face, markersize=_MARKER_SIZE, zorder=3)


def _paths(trajectories: Any, names: list[str]) -> list[NDArray[Any]]:
    """Return the trajectory of each trial ``(component, time)``.

    Raises
    ------
    TensorError
        If they are no latents.
    """
    if trajectories is None:
        return []
    dims = getattr(trajectories, "dims", ())
    axes = [int(name.rpartition(" ")[2]) - 1 for name in names]
    if set(dims) != {"latent", "time", "trial"} or trajectories.sizes["latent"] <= max(axes):
        message = (
            "trajectories must be latents (latent, time, trial), as from pdn.simulate(net, "
            f"trials, record=('latent',))['latent']; found dims {tuple(dims)}"
        )
        raise TensorError(message)
    values = trajectories.transpose("trial", "latent", "time").to_numpy()
    return [trial[axes] for trial in values]
