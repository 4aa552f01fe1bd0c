"""Picture of subspaces of task variables: the time course of each axis."""

from __future__ import annotations

from itertools import cycle

import numpy as np
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

_STYLES = ("-", "--", ":", "-.")
_SHOWN = 3  # cosines in the legend


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
        Time (s) against coefficients; a line per axis, paler from axis to axis, and a line style
        per column of a regressor with several.  The legend gives the number of axes, and the
        cosines of the angles between the subspaces of two halves of the trials.

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
    owners = result["regressor"].values.astype(str)
    colors = condition_colors(dict.fromkeys(owners))
    for owner, color in colors.items():
        own = result.isel(axis=np.flatnonzero(owners == owner))
        for number, course in enumerate(own["time_course"].transpose("axis", ...)):
            for column, style in zip(np.flatnonzero(terms == owner), cycle(_STYLES), strict=False):
                ax.plot(
                    time,
                    course.transpose("all_regressor", "time").values[column],
                    color=color,
                    alpha=max(0.25, 1.0 - 0.3 * number),
                    linestyle=style,
                    linewidth=LINE_WIDTH,
                    marker="o" if time.size == 1 else None,
                    label=None if number or style != "-" else _entry(owner, own),
                )
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    event_line(ax)
    window_limits(ax, result)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel("coefficient along the axis (dimensionless)")
    add_legend(ax, "axes (cosines of halves)")
    return ax


def _entry(owner: str, own: xr.Dataset) -> str:
    """Legend entry of a regressor: how many axes, and how far the first of them repeat."""
    cosines = [f"{cosine:.2f}" for cosine in own["half_split_cosine"].values]
    shown = ", ".join(cosines[:_SHOWN]) + ", ..." * (len(cosines) > _SHOWN)
    return plain(f"{owner}: {len(cosines)} ({shown})")
