"""Pictures of a low-rank fit: how much each rank predicts, and a few neurons."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    add_legend,
    condition_colors,
    event_line,
    new_axes,
    plain,
    time_label,
    window_limits,
)

_FIT, _PCA = "#0072B2", "#E69F00"
# The lines beside the fit: name, style, color.
_BESIDE = (
    ("ceiling", "full rank", "--", "#000000"),
    ("average", "average of other conditions", "-", NULL_COLOR),
    ("shuffled", "inputs exchanged", ":", GUIDE_COLOR),
)
# Space between neurons, in spreads of the most variable one.
_SPACE = 1.2
# Worse predictions than this are not drawn to their end.
_LOWEST = -0.5


def fit_lowrank(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how much of held-out conditions each rank predicts, and what it stands beside.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.fit_lowrank``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Rank against explained part of held-out activity, with 95 % intervals; a filled dot for
        the chosen rank; lines for full recurrent weights, for the average of the other
        conditions, and for inputs that were exchanged between conditions.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn, xarray as xr
    >>> parts = {"r2": ("n_ranks", [0.8, 0.9]), "pca_r2": ("n_ranks", [0.7, 0.9])}
    >>> bounds = {f"{name}_bound": (("bound", "n_ranks"), np.array([[0.7, 0.8], [0.85, 0.95]]))
    ...           for name in parts}
    >>> result = xr.Dataset({**parts, **bounds, "chosen_rank": 2}, {"n_ranks": [1, 2]})
    >>> pdn.plot.fit_lowrank(result).get_ylabel()
    'explained, held out (dimensionless)'
    """
    result = drawable(result, "fit_lowrank", "r2", "r2_bound", "pca_r2", "chosen_rank")
    ax = new_axes(ax)
    ranks = result["n_ranks"].values
    curves = (("r2", "low-rank network", _FIT), ("pca_r2", "PCA, as many components", _PCA))
    for shift, (name, label, color) in zip((-0.06, 0.06), curves, strict=True):
        values, bounds = result[name].values, result[f"{name}_bound"].values
        error = np.maximum([values - bounds[0], bounds[1] - values], 0.0)
        ax.errorbar(
            ranks + shift, values, error, color=color, linewidth=LINE_WIDTH, elinewidth=0.8,
            capsize=2, marker="o", markersize=4, markerfacecolor="white", label=label, zorder=3,
        )  # fmt: skip
    rank = int(result["chosen_rank"])
    ax.plot(
        rank - 0.06, float(result["r2"].sel(n_ranks=rank)), "o", color=_FIT, markersize=4.5,
        label=f"rank that is chosen: {rank}", zorder=4,
    )  # fmt: skip
    for name, label, style, color in _BESIDE:
        if f"{name}_r2" in result:
            height = float(result[f"{name}_r2"])
            ax.axhline(height, color=color, linestyle=style, linewidth=1.0, label=label, zorder=1)
    ax.set_xticks(ranks)
    ax.set_xlim(ranks.min() - 0.4, ranks.max() + 0.4)
    drawn = ["r2_bound", "pca_r2_bound", *(f"{name}_r2" for name, *_ in _BESIDE)]
    values = np.concatenate([np.ravel(result[name]) for name in drawn if name in result])
    lowest, highest = max(values.min(), _LOWEST), values.max()
    # Of counts of single trials little can be explained.
    highest = max(highest, 1.0) if highest > 0.5 else highest
    space = 0.05 * (highest - min(lowest, 0.0))
    ax.set_ylim(min(lowest, 0.0) - space, highest + space)
    ax.set_xlabel("rank of the recurrent weights")
    ax.set_ylabel("explained, held out (dimensionless)")
    add_legend(ax)
    return ax


def fit_lowrank_neurons(
    result: xr.Dataset, *, n_neurons: int = 4, n_items: int = 3, ax: Axes | None = None
) -> Axes:
    """Draw predictions of held-out conditions over the activity of a few neurons.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.fit_lowrank``.
    n_neurons : int
        Neurons, spread from the one that is predicted best (top) to the one predicted worst.
    n_items : int
        Trials or conditions, spread over all.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time (s) against activity, a lane for each neuron, all of one scale: pale what was observed,
        dark what was predicted of it from the inputs, a color for each trial or condition.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn, xarray as xr
    >>> dims = ("neuron", "time", "trial")
    >>> activity = np.random.default_rng(0).random((3, 5, 2))
    >>> result = xr.Dataset(
    ...     {"observed": (dims, activity), "held_out": (dims, activity), "chosen_rank": 1,
    ...      "neuron_r2": (("n_ranks", "neuron"), [[0.9, 0.5, 0.7]])},
    ...     {"n_ranks": [1], "neuron": [0, 1, 2], "time": 0.1 * np.arange(5), "trial": [0, 1]},
    ... )
    >>> len(pdn.plot.fit_lowrank_neurons(result).lines)
    13
    """
    wanted = ("observed", "held_out", "neuron_r2", "chosen_rank")
    result = drawable(result, "fit_lowrank_neurons", *wanted)
    if min(n_neurons, n_items) < 1:
        message = f"n_neurons and n_items must be at least 1, found {n_neurons} and {n_items}"
        raise TensorError(message)
    quality = result["neuron_r2"].sel(n_ranks=int(result["chosen_rank"])).values
    known = np.argsort(-quality, kind="stable")[: int(np.isfinite(quality).sum())]
    rows = known[_spread(known.size, n_neurons)]
    item = str(result["observed"].dims[2])
    chosen = _spread(result.sizes[item], n_items)
    ax = new_axes(ax)
    colors = condition_colors(result[item].values[chosen])
    observed, predicted = result["observed"].values, result["held_out"].values
    lanes = observed[rows][:, :, chosen]
    space = _SPACE * float(np.nanmax(np.nanmax(lanes, (1, 2)) - np.nanmin(lanes, (1, 2))))
    time, ticks = result["time"].values, []
    for lane, row in enumerate(rows):
        up = -lane * space - float(np.nanmean(observed[row][:, chosen]))
        ticks.append(-lane * space)
        for at, (label, color) in zip(chosen, colors.items(), strict=True):
            ax.plot(time, observed[row, :, at] + up, color=color, alpha=0.45, linewidth=1.0)
            name = plain(label) if lane == 0 else None
            ax.plot(time, predicted[row, :, at] + up, color=color, linewidth=1.1, label=name)
    names = [f"{result['neuron'].values[row]} ({quality[row]:.2f})" for row in rows]
    ax.set_yticks(ticks, [plain(name) for name in names])
    event_line(ax)
    window_limits(ax, result)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel("neuron (explained part)")
    add_legend(ax, item)
    return ax


def _spread(size: int, n: int) -> np.ndarray:
    """Positions from the first to the last, as evenly as there are."""
    return np.unique(np.linspace(0, size - 1, min(n, size)).round().astype(int))
