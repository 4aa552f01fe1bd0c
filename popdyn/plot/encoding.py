"""Picture of encoding: when how many neurons carry each regressor, or what one neuron does."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    BAND_ALPHA,
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

_LEVEL = 0.05
_NORMAL = 1.959964  # two-sided 95 %


def encoding(result: xr.Dataset, *, ax: Axes | None = None, neuron: Any = None) -> Axes:
    """Draw how many neurons encode each regressor over time, or the coefficients of one.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.encoding``.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    neuron : optional
        Id of the neuron to draw; with a single neuron it need not be named.

    Returns
    -------
    Axes
        Time (s) against the share of neurons with corrected p < 0.05: that of the cluster test
        if there is one, else the smallest false-discovery q of the term's regressors.  Of one
        neuron its coefficients with 95 % bounds; bars on top mark the significant bins.

    Raises
    ------
    TensorError
        If there is no such neuron.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> choice = np.tile([-1, 1], 10)
    >>> values = 9 + np.random.default_rng(0).normal(size=(3, 2, 20)) + choice
    >>> tensor = pdn.make_tensor(values, [0.0, 0.1], {"choice": choice})
    >>> pdn.plot.encoding(pdn.encoding(tensor, ["choice"])).get_ylabel()
    'share of neurons'
    """
    result = drawable(result, "encoding", "coefficient", "q")
    ax = new_axes(ax)
    significant = significant_bins(result)
    if neuron is None and result.sizes["neuron"] > 1:
        _draw_share(ax, result, significant)
    else:
        own = result["neuron"].values[0] if neuron is None else _known(result, neuron)
        _draw_neuron(ax, result.sel(neuron=own), significant.sel(neuron=own))
    event_line(ax)
    window_limits(ax, result)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    add_legend(ax)
    return ax


def _known(result: xr.Dataset, neuron: Any) -> Any:
    """Give the id of a neuron, which may be written as text."""
    ids = result["neuron"].values
    found = ids[ids.astype(str) == str(neuron)]
    if not found.size:
        message = f"there is no neuron {neuron!r}; neurons are {', '.join(map(str, ids[:10]))}"
        raise TensorError(message)
    return found[0]


def significant_bins(result: xr.Dataset) -> xr.DataArray:
    """Bins (term, neuron, time) that are significant after correction, NaN where not tested."""
    if "cluster_p" in result:
        p = result["cluster_p"]
    else:
        parts = [
            result["q"].isel(regressor=np.flatnonzero(result["regressor_term"].values == term))
            for term in result["term"].values
        ]
        p = xr.concat([part.min("regressor") for part in parts], dim="term", coords="minimal")
        p = p.assign_coords(term=result["term"])
    return (p < _LEVEL).where(np.isfinite(p))


def _draw_share(ax: Axes, result: xr.Dataset, significant: xr.DataArray) -> None:
    """Draw a line per term: the share of the neurons that were tested."""
    colors = condition_colors(result["term"].values)
    time = result["time"].values
    for term in result["term"].values:
        share = significant.sel(term=term).mean("neuron").transpose("time").values
        ax.plot(
            time,
            share,
            color=colors[str(term)],
            linewidth=LINE_WIDTH,
            marker="o" if time.size == 1 else None,
            label=plain(term),
        )
    ax.axhline(_LEVEL, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    ax.set_ylim(-0.02, 1.02)
    ax.set_ylabel("share of neurons")


def _draw_neuron(ax: Axes, result: xr.Dataset, significant: xr.DataArray) -> None:
    """Draw the coefficients of one neuron, and bars where their term is significant."""
    names = [str(name) for name in result["regressor"].values if name != "intercept"]
    colors = condition_colors(names)
    time = result["time"].values
    half = float(result.attrs.get("bin_width", 0.0)) / 2
    for row, name in enumerate(names):
        own = result.sel(regressor=name)
        value, error = own["coefficient"].values, _NORMAL * own["standard_error"].values
        color = colors[name]
        ax.fill_between(
            time, value - error, value + error, color=color, alpha=BAND_ALPHA, linewidth=0
        )
        marker = "o" if time.size == 1 else None
        ax.plot(time, value, color=color, linewidth=LINE_WIDTH, marker=marker, label=plain(name))
        chosen = significant.sel(term=str(own["regressor_term"].values)).values == 1
        height = np.full(int(chosen.sum()), 1.02 + 0.025 * row)
        ax.hlines(
            height,
            time[chosen] - half,
            time[chosen] + half,
            color=color,
            linewidth=2.0,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
        )
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    unit = str(result["coefficient"].attrs.get("units", "")).split(" per ")[0]
    ax.set_ylabel(plain(f"coefficient ({unit if unit != '1' else 'dimensionless'} per unit)"))
