"""Draw tests of selectivity: angles to the nearest neighbors, groups, axes."""

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

_COLOR = "#0072B2"
_LEAST_P = 0.001


def selectivity_test(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw what a test of selectivity found, beside chance.

    Parameters
    ----------
    result : Dataset
        From ``pdn.selectivity_test``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Angles to neighbors, blue, beside all draws of the null, gray; dashed: the median of the
        neurons, dotted: by chance.  Blue to the left of gray speaks of clusters.  Of ``"cluster"``
        how much better mixtures of several groups predict held-out neurons than one does, with the
        standard error of the difference from the best; the chosen number (circle) is the smallest
        whose error reaches the best (dashed).  Of ``"bingham"`` the share of the
        directions along each main axis, dashed what all would have alike.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> loadings = np.random.default_rng(0).normal(size=(100, 3))
    >>> pdn.plot.selectivity_test(pdn.selectivity_test(loadings, n_draws=99)).get_xlabel()
    'angle to the 3 nearest neighbors (degrees)'
    """
    test = str(result.attrs.get("test")) if isinstance(result, xr.Dataset) else ""
    if test == "cluster":
        result = drawable(result, "selectivity_test", "held_out_gain", "held_out_error")
        return _gain(result, new_axes(ax))
    if test == "bingham":
        return _axes_shares(drawable(result, "selectivity_test", "axis_share"), new_axes(ax))
    result = drawable(result, "selectivity_test", "angle", "null_angle")
    return _angles(result, new_axes(ax))


def _angles(result: xr.Dataset, ax: Axes) -> Axes:
    """Draw angles of neurons beside those by chance."""
    angle = np.degrees(result["angle"].to_numpy())
    angle = angle[np.isfinite(angle)]
    null = np.degrees(result["null_angle"].to_numpy())
    edges = _edges(1.02 * max(angle.max(), null[-2]), angle.size)
    ax.hist(null, edges, density=True, color=NULL_COLOR, label="by chance")
    ax.hist(
        angle, edges, density=True, histtype="step", color=_COLOR, linewidth=LINE_WIDTH,
        label=f"{angle.size} neurons",
    )  # fmt: skip
    medians = ((null, GUIDE_COLOR, ":", "median by chance"), (angle, _COLOR, "--", "median"))
    for values, color, style, words in medians:
        ax.axvline(
            float(np.median(values)), color=color, linestyle=style, linewidth=1.2, label=words
        )
    n = int(result.attrs.get("n_neighbors", 1))
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(f"angle to the {f'{n} nearest neighbors' if n > 1 else 'next neuron'} (degrees)")
    ax.set_ylabel("density (1/degree)")
    ax.set_title(_title(result), fontsize=SMALL_FONT_SIZE)
    add_legend(ax)
    return ax


def _edges(largest: float, n_neurons: int) -> list[float]:
    """Return edges of bins: few neurons, few bins."""
    n_edges = int(np.clip(2.0 * np.sqrt(n_neurons), 12, 60))
    return [float(edge) for edge in np.linspace(0.0, largest, n_edges)]


def _gain(result: xr.Dataset, ax: Axes) -> Axes:
    """Draw how well mixtures predict, by their number of groups."""
    number, gain, error = (
        result[name].to_numpy() for name in ("number", "held_out_gain", "held_out_error")
    )
    chosen = int(result["n_clusters"])
    ax.axhline(gain.max(), color=GUIDE_COLOR, linestyle="--", linewidth=0.8, label="best")
    ax.errorbar(
        number, gain, [np.zeros_like(error), error], color=_COLOR, marker="o", markersize=3,
        linewidth=LINE_WIDTH, elinewidth=0.8, capsize=2, label="gain, 1 SE to the best",
    )  # fmt: skip
    ax.plot(
        chosen, gain[chosen - 1], "o", color=_COLOR, markersize=8, markerfacecolor="none",
        label="chosen: smallest within 1 SE",
    )  # fmt: skip
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("number of groups")
    ax.set_ylabel("held-out gain (nat/neuron)")
    found = "1 group" if chosen == 1 else f"{chosen} groups"
    if chosen > 1:
        found += (
            f"\nagreement {float(result['stability']):.2f} "
            f"(by chance {float(result['null_stability'].mean()):.2f})"
        )
    ax.set_title(f"several groups: {_p_text(result)}; {found}", fontsize=SMALL_FONT_SIZE)
    add_legend(ax)
    return ax


def _axes_shares(result: xr.Dataset, ax: Axes) -> Axes:
    """Draw the share of directions along each axis."""
    share = result["axis_share"].to_numpy()
    ax.bar(np.arange(1, share.size + 1), share, color=_COLOR, width=0.7)
    ax.axhline(1.0 / share.size, color=GUIDE_COLOR, linestyle="--", linewidth=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("main axis")
    ax.set_ylabel("share of directions (1)")
    ax.set_title(f"Bingham: {_p_text(result)}", fontsize=SMALL_FONT_SIZE)
    return ax


def _p_text(result: xr.Dataset) -> str:
    """Write p."""
    p = float(result["p"])
    return f"p = {p:.2g}" if p >= _LEAST_P else f"p < {_LEAST_P:g}"


def _title(result: xr.Dataset) -> str:
    """Say which test, its index and p."""
    index = float(result["index"])
    name = {"epairs": "ePAIRS", "pairs": "PAIRS"}.get(str(result.attrs.get("test")), "")
    variant = str(result.attrs.get("variant", "default"))
    if variant != "default":
        name += f" ({variant})"
    shown = f"{round(index, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")
    direction = f", {result['direction'].item()}" if float(result["p"]) < 0.05 else ""
    return f"{name}: index {shown}, {_p_text(result)}{direction}"
