"""Picture of decoding: accuracy over time, its interval, the null and where it is beaten."""

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


def decode(result: xr.Dataset, *, ax: Axes | None = None, color: str | None = None) -> Axes:
    """Draw decoding accuracy over time against the null of shuffled labels.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.decode``.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    color : str, optional
        Color of the accuracy, such as that of the source.

    Returns
    -------
    Axes
        Time (s) against balanced accuracy.  Bands hold 95 % of the bootstrap (colored) and of
        the null (gray), the dashed line is chance, the bar on top marks bins with corrected
        p < 0.05.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> choice = np.tile([0, 1], 10)
    >>> values = np.random.default_rng(0).normal(size=(3, 2, 20)) + choice
    >>> tensor = pdn.make_tensor(values, [0.0, 0.1], {"choice": choice}, units="1")
    >>> pdn.plot.decode(pdn.decode(tensor, "choice", n_draws=20)).get_ylabel()
    'balanced accuracy (share of trials)'
    """
    result = drawable(result, "decode", "accuracy", "null_accuracy")
    ax = new_axes(ax)
    color = "#0072B2" if color is None else color
    time = result["time"].values
    null = np.quantile(result["null_accuracy"].values, [0.025, 0.975], axis=0)
    ax.fill_between(time, *null, color=NULL_COLOR, alpha=0.6, linewidth=0, label="shuffled labels")
    lower, upper = result["accuracy_bound"].values
    ax.fill_between(time, lower, upper, color=color, alpha=BAND_ALPHA, linewidth=0)
    ax.plot(
        time,
        result["accuracy"].values,
        color=color,
        linewidth=LINE_WIDTH,
        marker="o" if time.size == 1 else None,
        label=plain(f"{result.attrs.get('label', 'label')}"),
    )
    ax.axhline(
        float(result["chance"]), color=GUIDE_COLOR, linewidth=0.8, linestyle="--", label="chance"
    )
    event_line(ax)
    significant = result["p_corrected"].values < _LEVEL
    if significant.any():
        half = float(result.attrs.get("bin_width", 0.0)) / 2
        ax.hlines(
            np.full(int(significant.sum()), 1.03),
            time[significant] - half,
            time[significant] + half,
            color=color,
            linewidth=2.5,
            label=f"p < {_LEVEL} (corrected)",
        )
    window_limits(ax, result)
    ax.set_ylim(min(0.0, float(lower.min())), 1.06)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel("balanced accuracy (share of trials)")
    add_legend(ax)
    return ax
