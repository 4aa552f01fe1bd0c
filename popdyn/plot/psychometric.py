"""Picture of psychometric curves: shares of choices with the curves fitted to them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import GUIDE_COLOR, LINE_WIDTH, add_legend, condition_colors, new_axes, plain


def psychometric(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the share of choices 1 against the stimulus, with the fitted curve of each condition.

    Parameters
    ----------
    result : Dataset
        From ``pdn.psychometric``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Points have areas in proportion to their trials; the bar at one half is the 95 % interval
        of the threshold by the bootstrap.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = np.repeat([1.0, 2.0, 3.0], 40)
    >>> choice = np.tile([1, 1, 1, -1], 30) * np.where(stimulus > 1.5, 1, -1)
    >>> result = pdn.psychometric(choice, stimulus, lapse=0.1, n_draws=20)
    >>> pdn.plot.psychometric(result).get_ylabel()
    'share of choices 1'
    """
    result = drawable(result, "psychometric", "curve", "share", "threshold_bound")
    ax = new_axes(ax)
    colors = condition_colors(result["condition"].values)
    for label, color in colors.items():
        own = result.sel(condition=label)
        size = own["n_trials"] / result["n_trials"].max()
        ax.scatter(own["level_stimulus"], own["share"], 30 * size + 3, color=color, linewidth=0)
        shown = "" if len(colors) == 1 else plain(label)
        ax.plot(own["point_stimulus"], own["curve"], color=color, lw=LINE_WIDTH, label=shown)
        height = float(np.interp(own["threshold"], own["point_stimulus"], own["curve"]))
        ax.hlines(height, *own["threshold_bound"].values, color=color, linewidth=2.5)
    ax.axhline(0.5, color=GUIDE_COLOR, linewidth=0.6, linestyle="--")
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("stimulus")
    ax.set_ylabel("share of choices 1")
    if len(colors) > 1:
        add_legend(ax)
    return ax
