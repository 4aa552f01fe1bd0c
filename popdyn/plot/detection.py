"""Picture of signal detection: sensitivity and criterion over the time of the stimulus."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import BAND_ALPHA, GUIDE_COLOR, LINE_WIDTH, add_legend, new_axes

_COLORS = {"d_prime": "#0072B2", "criterion": "#D55E00"}
_NAMES = {"d_prime": "sensitivity d′", "criterion": "criterion c"}


def detection(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw sensitivity and criterion, over the onset of the stimulus where it is known.

    Parameters
    ----------
    result : Dataset
        From ``pdn.detection``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        In units of the noise's standard deviation, with 95 % intervals.

    Examples
    --------
    >>> import popdyn as pdn
    >>> result = pdn.detection([1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 1], n_draws=20)
    >>> pdn.plot.detection(result).get_ylabel()
    'standard deviations of the noise'
    """
    result = drawable(result, "detection", "d_prime", "criterion")
    ax = new_axes(ax)
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    for i, (name, color) in enumerate(_COLORS.items()):
        if "onset" in result.coords:
            onset, over = result["onset"].values, result[f"onset_{name}"]
            low, high = result[f"onset_{name}_bound"].values
            ax.fill_between(onset, low, high, color=color, alpha=BAND_ALPHA, linewidth=0)
            ax.plot(onset, over, "o-", color=color, markersize=3, lw=LINE_WIDTH, label=_NAMES[name])
        else:
            ax.vlines(i, *result[f"{name}_bound"].values, color=color, linewidth=1.5)
            ax.plot(i, float(result[name]), "o", color=color, markersize=4)
    if "onset" in result.coords:
        ax.set_xlabel("onset of the stimulus (s)")
        add_legend(ax)
    else:
        ax.set_xticks(range(len(_NAMES)), list(_NAMES.values()))
        ax.set_xlim(-0.5, len(_NAMES) - 0.5)
    ax.set_ylabel("standard deviations of the noise")
    return ax
