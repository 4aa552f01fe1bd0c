"""Picture of a raster: a row per trial, a tick per spike, colored by condition."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    add_legend,
    condition_colors,
    conditions_title,
    event_line,
    new_axes,
    plain,
    set_title,
    time_label,
)

_MANY_SPIKES = 20_000  # above, ticks are drawn as an image even in SVG and PDF


def raster(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the spikes of one neuron around an event.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.raster``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time (s) against trials, the first row on top, a line at the event.

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tensor.session import make_session
    >>> session = make_session([0.5, 1.2], [0, 2], trials={"go_time": [0.0, 1.0], "side": [0, 1]})
    >>> result = pdn.raster(session, "go_time", (-0.5, 1.0), 0, "side")
    >>> pdn.plot.raster(result).get_ylabel()
    'trial (row)'
    """
    result = drawable(result, "raster", "spike_time", "spike_trial")
    ax = new_axes(ax)
    labels = [str(label) for label in result["condition"].values]
    colors = condition_colors(dict.fromkeys(labels))
    time, row = result["spike_time"].values, result["spike_trial"].values
    row_label = np.array(labels, dtype=np.str_)
    for label, color in colors.items():
        own = row_label[row] == label
        ax.vlines(
            time[own],
            row[own] - 0.42,
            row[own] + 0.42,
            color=color,
            linewidth=0.8,
            rasterized=time.size > _MANY_SPIKES,
        )
        # The key is a thick line: a tick would be too thin to show its color.
        n_rows = int((row_label == label).sum())
        ax.plot([], [], color=color, linewidth=3, label=plain(f"{label} (n = {n_rows})"))
    event_line(ax)
    ax.set_xlim(float(result.attrs["window_start"]), float(result.attrs["window_stop"]))
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel("trial (row)")
    set_title(ax, f"neuron {result.attrs['neuron']}")
    add_legend(ax, conditions_title(result))
    return ax
