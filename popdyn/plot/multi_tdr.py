"""Picture of subspaces of task variables: the time course of each axis."""

from __future__ import annotations

from itertools import cycle

import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    add_legend,
    condition_colors,
    event_line,
    new_axes,
    plain,
    time_label,
    window_limits,
)


def multi_tdr(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the coefficients of each regressor along its own axes over time.

    Parameters
    ----------
    result : Dataset
        From ``pdn.MultiTDR(...).fit(tensor).to_dataset()``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time (s) against coefficients; a line per axis, and per column of a regressor with several.
        The legend gives the cosine between the axes of two halves of the trials, of which there
        are as many as axes, falling.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> choice = np.tile([-1, 1], 20)
    >>> values = 30 + rng.normal(size=(5, 4, 40)) + rng.normal(size=(5, 1, 1)) * choice
    >>> tensor = pdn.make_tensor(values, 0.1 * np.arange(4), {"choice": choice})
    >>> model = pdn.MultiTDR("choice", smooth=0, n_splits=2, n_draws=20).fit(tensor)
    >>> pdn.plot.multi_tdr(model.to_dataset()).get_ylabel()
    'coefficient along the axis (dimensionless)'
    """
    result = drawable(result, "multi_tdr", "time_course", "half_split_cosine", "all_regressor_term")
    ax = new_axes(ax)
    time = result["time"].values
    terms = result["all_regressor_term"].values.astype(str)
    axes = [str(name) for name in result["axis"].values]
    colors = condition_colors(axes)
    for position, name in enumerate(axes):
        own = result.isel(axis=position)
        columns = result["all_regressor"].values[terms == str(own["regressor"].values)]
        cosine = float(own["half_split_cosine"])
        for column, style in zip(columns, cycle(("-", "--", ":", "-.")), strict=False):
            label = name if len(columns) == 1 else f"{name}, {column}"
            ax.plot(
                time,
                own["time_course"].sel(all_regressor=column).values,
                color=colors[name],
                linestyle=style,
                linewidth=LINE_WIDTH,
                marker="o" if time.size == 1 else None,
                label=plain(f"{label} ({cosine:.2f})"),
            )
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    event_line(ax)
    window_limits(ax, result)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel("coefficient along the axis (dimensionless)")
    add_legend(ax, "axis (cosine of halves)")
    return ax
