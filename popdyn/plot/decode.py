"""Picture of decoding: accuracy over time, its interval, the null and where it is beaten."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.score_over_time import draw_score
from popdyn.plot.style import add_legend, new_axes


def decode(result: xr.Dataset, *, ax: Axes | None = None, color: str | None = None) -> Axes:
    """Draw decoding accuracy over time against the null of shuffled labels.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.decode``, or of several sessions from ``popdyn.pool_decoding``.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    color : str, optional
        Color of the accuracy, such as that of the source.

    Returns
    -------
    Axes
        Time (s) against balanced accuracy.  Bands hold the 95 % interval (colored) and 95 % of
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
    guide = float(result["chance"]), "chance"
    draw_score(result, "accuracy", ax, color, guide=guide, tested=("p_corrected", "corrected"))
    ax.set_ylim(min(0.0, float(result["accuracy_bound"][0].min())), 1.06)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.set_ylabel("balanced accuracy (share of trials)")
    add_legend(ax)
    return ax
