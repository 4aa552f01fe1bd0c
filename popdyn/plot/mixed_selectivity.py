"""Picture of mixed selectivity: how many neurons follow one variable, several, or how they go."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    BAND_ALPHA,
    LINE_WIDTH,
    add_legend,
    condition_styles,
    new_axes,
    time_label,
    window_limits,
)

# From light to dark, as more goes together; readable in gray.
_COLORS = {
    "none": "#BBBBBB",
    "pure": "#56B4E9",
    "linear mixed": "#0072B2",
    "nonlinear mixed": "#D55E00",
}


def mixed_selectivity(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the share of neurons of each kind of selectivity, over time or as bars.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.mixed_selectivity``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Share of the tested neurons, with 95 % intervals over neurons: a line for each kind, or
        of a single bin a bar.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> motion, color = np.arange(40) % 2, np.arange(40) // 2 % 2
    >>> values = 20 + motion + rng.normal(size=(8, 1, 40))
    >>> tensor = pdn.make_tensor(values, [0.0], {"motion": motion, "color": color}, bin_width=0.1)
    >>> result = pdn.mixed_selectivity(tensor, ["motion", "color"])
    >>> pdn.plot.mixed_selectivity(result).get_ylabel()
    'share of neurons'
    """
    result = drawable(result, "mixed_selectivity", "share", "share_bound")
    ax = new_axes(ax)
    kinds = [str(kind) for kind in result["selectivity_kind"].values]
    share, (lower, upper) = result["share"].values, result["share_bound"].values
    if result.sizes["time"] == 1:
        tested = int((result["selectivity"].isel(time=0) != "").sum())
        place = np.arange(len(kinds))
        errors = np.stack([share - lower, upper - share])[..., 0]
        ax.bar(place, share[:, 0], 0.7, color=[_COLORS[kind] for kind in kinds])
        ax.errorbar(place, share[:, 0], errors, fmt="none", ecolor="black", elinewidth=1)
        ax.set_xticks(place, [kind.replace(" ", "\n") for kind in kinds])
        ax.set_xlabel(f"selectivity of {tested} neurons")
    else:
        time, styles = result["time"].values, condition_styles(kinds)
        for row, kind in enumerate(kinds):
            ax.fill_between(
                time, lower[row], upper[row], color=_COLORS[kind], alpha=BAND_ALPHA, linewidth=0
            )
            ax.plot(
                time,
                share[row],
                color=_COLORS[kind],
                linestyle=styles[kind],
                linewidth=LINE_WIDTH,
                label=kind,
            )
        ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
        window_limits(ax, result)
        add_legend(ax)
    ax.set_ylabel("share of neurons")
    ax.set_ylim(0, 1)
    return ax
