"""Picture of a decoded number: R2 over time, its interval, the null and runs that beat it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.score_over_time import draw_score
from popdyn.plot.style import add_legend, new_axes


def decode_quantity(
    result: xr.Dataset, *, ax: Axes | None = None, color: str | None = None
) -> Axes:
    """Draw how much of a number is decoded over time, against the null of shuffled labels.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.decode_quantity``, or of several sessions from ``popdyn.pool_decoding``.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    color : str, optional
        Color of R2, such as that of the source.

    Returns
    -------
    Axes
        Time (s) against cross-validated R2.  Bands hold the 95 % interval (colored) and 95 % of
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
    draw_score(
        result, "r2", ax, color, guide=(0.0, "mean of training"), tested=("cluster_p", "clusters")
    )
    null = np.quantile(result["null_r2"].values, 0.025, axis=0)
    drawn = [result[name] for name in ("r2", "r2_bound", "session_r2") if name in result]
    lowest = min(np.nanmin(values, initial=-0.1) for values in (*drawn, null))
    ax.set_ylim(max(-1.0, float(lowest)), 1.06)
    ax.set_ylabel("cross-validated R2 (dimensionless)")
    add_legend(ax)
    return ax
