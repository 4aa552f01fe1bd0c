"""Draw angles to the nearest neighbors beside those by chance."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

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
    """Draw how far each neuron's vector is from its nearest neighbors.

    Parameters
    ----------
    result : Dataset
        From ``pdn.selectivity_test``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Blue: neurons; gray: all draws of the null; dashed: the medians of both.  Blue to the left
        of gray speaks of clusters.

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
    result = drawable(result, "selectivity_test", "angle", "null_angle")
    ax = new_axes(ax)
    angle = np.degrees(result["angle"].to_numpy())
    angle = angle[np.isfinite(angle)]
    null = np.degrees(result["null_angle"].to_numpy())
    edges = _edges(1.02 * max(angle.max(), null[-2]), angle.size)
    ax.hist(null, edges, density=True, color=NULL_COLOR, label="by chance")
    ax.hist(
        angle, edges, density=True, histtype="step", color=_COLOR, linewidth=LINE_WIDTH,
        label=f"{angle.size} neurons",
    )  # fmt: skip
    for values, color in ((null, GUIDE_COLOR), (angle, _COLOR)):
        ax.axvline(float(np.median(values)), color=color, linestyle="--", linewidth=0.8)
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


def _title(result: xr.Dataset) -> str:
    """Say which test, its index and p."""
    p, index = float(result["p"]), float(result["index"])
    name = {"epairs": "ePAIRS", "pairs": "PAIRS"}.get(str(result.attrs.get("test")), "")
    variant = str(result.attrs.get("variant", "default"))
    if variant != "default":
        name += f" ({variant})"
    text = f"p = {p:.2g}" if p >= _LEAST_P else f"p < {_LEAST_P:g}"
    shown = f"{round(index, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")
    direction = f", {result['direction'].item()}" if p <= 0.05 else ""
    return f"{name}: index {shown}, {text}{direction}"
