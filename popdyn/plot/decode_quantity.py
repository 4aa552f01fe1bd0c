"""Picture of a decoded number: R2 over time, its interval, the null and runs that beat it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    BAND_ALPHA,
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    add_legend,
    event_line,
    new_axes,
    plain,
    time_label,
    window_limits,
)

_LEVEL = 0.05


def decode_quantity(
    result: xr.Dataset, *, ax: Axes | None = None, color: str | None = None
) -> Axes:
    """Draw how much of a number is decoded over time, against the null of shuffled labels.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.decode_quantity``.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    color : str, optional
        Color of R2, such as that of the source.

    Returns
    -------
    Axes
        Time (s) against cross-validated R2.  Bands hold 95 % of the bootstrap (colored) and of
        the null (gray), the dashed line is the training mean's R2, the bar on top marks clusters
        with p < 0.05.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> duration = np.tile([0.2, 0.6], 10)
    >>> values = np.random.default_rng(0).normal(size=(3, 2, 20)) + duration
    >>> tensor = pdn.make_tensor(values, [0.0, 0.1], {"duration": duration}, units="1")
    >>> result = pdn.decode_quantity(tensor, "duration", n_draws=20)
    >>> pdn.plot.decode_quantity(result).get_ylabel()
    'cross-validated R2 (dimensionless)'
    """
    result = drawable(result, "decode_quantity", "r2", "null_r2")
    ax = new_axes(ax)
    color = "#0072B2" if color is None else color
    time = result["time"].values
    null = np.quantile(result["null_r2"].values, [0.025, 0.975], axis=0)
    ax.fill_between(time, *null, color=NULL_COLOR, alpha=0.6, linewidth=0, label="shuffled labels")
    lower, upper = result["r2_bound"].values
    ax.fill_between(time, lower, upper, color=color, alpha=BAND_ALPHA, linewidth=0)
    ax.plot(
        time,
        result["r2"].values,
        color=color,
        linewidth=LINE_WIDTH,
        marker="o" if time.size == 1 else None,
        label=plain(f"{result.attrs.get('label', 'label')}"),
    )
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--", label="mean of training")
    event_line(ax)
    significant = result["cluster_p"].values < _LEVEL
    if significant.any():
        half = float(result.attrs.get("bin_width", 0.0)) / 2
        ax.hlines(
            np.full(int(significant.sum()), 1.03),
            time[significant] - half,
            time[significant] + half,
            color=color,
            linewidth=2.5,
            label=f"p < {_LEVEL} (clusters)",
        )
    window_limits(ax, result)
    lowest = np.nanmin([result["r2"].values.min(), null.min(), np.nanmin([*lower, 0.0])])
    ax.set_ylim(max(-1.0, min(-0.1, float(lowest))), 1.06)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel("cross-validated R2 (dimensionless)")
    add_legend(ax)
    return ax
