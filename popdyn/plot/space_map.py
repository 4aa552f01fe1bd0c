"""Draw how well one source predicts another: held-out variance beside its null."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import NULL_COLOR, SMALL_FONT_SIZE, add_legend, new_axes

_COLOR = "#000000"


def space_map(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the held-out variance that a source predicts of a target, over its null.

    Parameters
    ----------
    result : Dataset
        From ``pdn.SpaceMap(...).fit(source, target).to_dataset()``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Gray: the null's draws; black line with its 95 % interval: what was found; dashed: the
        way back.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> values = np.random.default_rng(0).normal(size=(5, 8, 4))
    >>> average = xr.DataArray(values, dims=("neuron", "time", "condition"))
    >>> fitted = pdn.SpaceMap(2, n_draws=20).fit(average, average)
    >>> pdn.show(fitted).get_xlabel()
    'held-out variance (%)'
    """
    result = drawable(result, "space_map", "held_out_ratio", "null_held_out_ratio")
    ax = new_axes(ax)
    null = 100 * result["null_held_out_ratio"].to_numpy()
    null = null[np.isfinite(null)]
    ax.hist(null, bins=30, color=NULL_COLOR, alpha=0.8, label="null")
    there = 100 * float(result["held_out_ratio"])
    low, high = 100 * result["held_out_ratio_bound"].transpose("bound").to_numpy()
    if np.isfinite([low, high]).all():
        ax.axvspan(low, high, color=_COLOR, alpha=0.12, linewidth=0)
    ax.axvline(there, color=_COLOR, label="there")
    back = 100 * float(result["held_out_ratio_back"])
    ax.axvline(back, color=_COLOR, linestyle="--", label="back")
    # A map that does harm may be off by any factor; how far says nothing.
    left = min(0.0, float(np.quantile(null, 0.01)) if null.size else 0.0, there, back)
    ax.set_xlim(max(left, -150.0) - 5, 105)
    ax.set_xlabel("held-out variance (%)")
    ax.set_ylabel("draws (1)")
    unseen = "conditions" if result.attrs.get("hold_out") == "condition" else "times"
    text = f"unseen {unseen}: {there:.0f} %"
    if np.isfinite([low, high]).all():
        text += f" ({low:.0f} to {high:.0f})"
    ax.set_title(f"{text}\np = {float(result['p']):.2g}", fontsize=SMALL_FONT_SIZE)
    add_legend(ax)
    return ax
