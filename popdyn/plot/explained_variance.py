"""Draw how much of the variance the principal components hold."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    SMALL_FONT_SIZE,
    add_legend,
    new_axes,
)

_COLOR = "#000000"


def explained_variance(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the cumulative share of variance over components, cross-validated where known.

    Parameters
    ----------
    result : Dataset
        From ``pdn.PCA(...).fit(x).to_dataset()``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Black with its 95 % bounds: share of the other half of the trials; gray band: its null
        (95 %); dashed: share of the data fitted to, noise included.

    Raises
    ------
    TensorError
        If this is no result of PCA.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> values = np.random.default_rng(0).normal(size=(5, 20, 2))
    >>> average = xr.DataArray(values, dims=("neuron", "time", "condition"))
    >>> ax = pdn.plot.explained_variance(pdn.PCA(3).fit(average).to_dataset())
    """
    result = drawable(result, "explained_variance", "explained_variance_ratio")
    ax = new_axes(ax)
    component = np.arange(1, result.sizes["component"] + 1)
    if "null_cumulative_ratio" in result:
        null = result["null_cumulative_ratio"].transpose("draw", "component").to_numpy()
        if np.isfinite(null).any():
            low, high = np.nanquantile(null, [0.025, 0.975], axis=0)
            ax.fill_between(
                component, 100 * low, 100 * high, color=NULL_COLOR, alpha=0.6, linewidth=0,
                label="null, neurons shuffled",
            )  # fmt: skip
            ax.plot(component, 50 * (low + high), color=NULL_COLOR, linewidth=LINE_WIDTH)
    fitted = 100 * result["explained_variance_ratio"].to_numpy().cumsum()
    ax.plot(
        component, fitted, "--", color=GUIDE_COLOR, linewidth=LINE_WIDTH, marker="o", markersize=2,
        label="data fitted to",
    )  # fmt: skip
    if "cumulative_cross_validated_ratio" in result:
        held_out = 100 * result["cumulative_cross_validated_ratio"].to_numpy()
        bound = 100 * result["cumulative_cross_validated_ratio_bound"].to_numpy()
        error = np.clip([held_out - bound[0], bound[1] - held_out], 0.0, None)
        ax.errorbar(
            component, held_out, error, color=_COLOR, linewidth=LINE_WIDTH, marker="o",
            markersize=3, elinewidth=0.9, capsize=2, label="other half of the trials",
        )  # fmt: skip
    ax.set_ylim(0, 102)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("number of components (1)")
    ax.set_ylabel("cumulative variance (%)")
    _participation(ax, result)
    add_legend(ax)
    return ax


def _participation(ax: Axes, result: xr.Dataset) -> None:
    """Write the participation ratio above the axes."""
    if "participation_ratio" not in result:
        return
    value = float(result["participation_ratio"])
    low, high = result["participation_ratio_bound"].to_numpy()
    ax.set_title(
        f"participation ratio {value:.1f} ({low:.1f} to {high:.1f})", fontsize=SMALL_FONT_SIZE
    )
