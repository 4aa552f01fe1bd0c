"""Pictures of contraction: accuracy by class, responses against stimuli, and what came before."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.labels import known_label
from popdyn.plot.style import GUIDE_COLOR, LINE_WIDTH, add_legend, new_axes

_COLORS = ("#0072B2", "#D55E00")
_MOST_NAMED = 3


def contraction(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy by class of comparisons, or mean responses against stimuli.

    Parameters
    ----------
    result : Dataset
        From ``pdn.contraction``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Of comparisons a curve for each branch and difference: contraction makes those of larger
        second stimuli rise with the first one and the others fall.  Of productions the mean
        with its 95 % interval; dashed is no contraction.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = np.repeat([0.6, 0.8, 1.0], 20)
    >>> result = pdn.contraction({"stimulus": stimulus, "response": 0.16 + 0.8 * stimulus})
    >>> pdn.plot.contraction(result).get_ylabel()
    'mean response'
    """
    result = drawable(result, "contraction", "slope", "n_trials")
    ax = new_axes(ax)
    units = str(result.attrs.get("stimulus_units", ""))
    slope, bound = float(result["slope"]), result["slope_bound"].values
    said = f"slope {slope:.2f} ({bound[0]:.2f} to {bound[1]:.2f})"
    if np.isnan(slope):
        said = "slope left open"
    if "accuracy" in result:
        _branches(ax, result)
        ax.set_xlabel(known_label("first stimulus", units))
        ax.set_ylabel("share correct")
    else:
        shown = result["stimulus"].values
        ends = shown[[0, -1]]
        ax.plot(ends, ends, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
        ax.vlines(shown, *result["mean_response_bound"].values, color=_COLORS[0], linewidth=1)
        ax.plot(shown, result["mean_response"], "o", color=_COLORS[0], markersize=3)
        center = float(result["center"])
        ax.plot(ends, center + slope * (ends - center), color=_COLORS[0], lw=LINE_WIDTH, label=said)
        ax.set_xlabel(known_label("stimulus", units))
        ax.set_ylabel(known_label("mean response", units))
    add_legend(ax, said if "accuracy" in result else None)
    return ax


def _branches(ax: Axes, result: xr.Dataset) -> None:
    """Draw a line for each difference of the stimuli, the paler the closer they are."""
    by = np.round((result["second"] - result["first"]).values, 9)
    names = ("second larger", "second smaller")
    for own, name, color in zip((by > 0, by < 0), names, _COLORS, strict=True):
        sizes = np.unique(np.abs(by[own]))
        for size in sizes:
            part = result.isel(pair=np.flatnonzero(own & (np.abs(by) == size)))
            pale = 1.0 if sizes.size == 1 else 0.3 + 0.7 * size / sizes[-1]
            ax.vlines(
                part["first"], *part["accuracy_bound"].values, color=color, linewidth=1, alpha=pale
            )
            named = name if sizes.size == 1 else f"{name} by {size:g}"
            shown = named if sizes.size <= _MOST_NAMED or size in sizes[[0, -1]] else None
            style = "o-" if part.sizes["pair"] > 1 else "o"
            ax.plot(
                part["first"], part["accuracy"], style, color=color, markersize=3, alpha=pale,
                label=shown,
            )  # fmt: skip


def serial_dependence(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how far earlier stimuli pull at answers.

    Parameters
    ----------
    result : Dataset
        From ``pdn.serial_dependence``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Weight of the stimulus so many trials ago with its 95 % interval; above 0 answers are drawn
        towards it.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = np.random.default_rng(0).choice([0.6, 0.8, 1.0], 100)
    >>> table = {"stimulus": stimulus, "response": 0.2 + 0.8 * stimulus}
    >>> pdn.plot.serial_dependence(pdn.serial_dependence(table, n_draws=20)).get_xlabel()
    'trials before'
    """
    result = drawable(result, "serial_dependence", "weight", "weight_bound")
    ax = new_axes(ax)
    lag = result["lag"].values
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    ax.vlines(lag, *result["weight_bound"].values, color=_COLORS[0], linewidth=1.5)
    ax.plot(lag, result["weight"], "o", color=_COLORS[0], markersize=4)
    ax.set_xticks(lag)
    ax.set_xlim(lag[0] - 0.5, lag[-1] + 0.5)
    ax.set_xlabel("trials before")
    ax.set_ylabel("pull of the stimulus")
    return ax
