"""Picture of decoders across time: where trained, where tested, and areas that beat the null."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    FONT_SIZE,
    GUIDE_COLOR,
    SMALL_FONT_SIZE,
    new_axes,
    plain,
    set_title,
    time_label,
)

_LEVEL = 0.05


def temporal_generalization(
    result: xr.Dataset, *, ax: Axes | None = None, limit: float | None = None
) -> Axes:
    """Draw the accuracy of decoders trained in one bin and tested in another.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.temporal_generalization``.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    limit : float, optional
        Accuracy above chance at the end of the colors; the largest by default.  Give sources
        that stand side by side the same.

    Returns
    -------
    Axes
        Test time (s) against training time (s).  Colors diverge at chance, lines enclose
        clusters with p < 0.05, the diagonal is what ``popdyn.decode`` gives.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> choice = np.tile([0, 1], 10)
    >>> values = np.random.default_rng(0).normal(size=(3, 2, 20)) + choice
    >>> tensor = pdn.make_tensor(values, [0.0, 0.1], {"choice": choice}, units="1")
    >>> result = pdn.temporal_generalization(tensor, "choice", n_draws=20)
    >>> pdn.plot.temporal_generalization(result).get_ylabel()
    'training time (s)'
    """
    result = drawable(result, "temporal_generalization", "accuracy", "cluster_p")
    ax = new_axes(ax, figure_size=(3.6, 3.0))
    accuracy, chance = result["accuracy"].values, float(result["chance"])
    edges = _edges(result["test_time"].values, float(result.attrs.get("bin_width", 0.0)))
    largest = float(np.abs(accuracy - chance).max()) if limit is None else limit
    largest = largest or 1.0
    mesh = ax.pcolormesh(
        edges,
        edges,
        accuracy,
        cmap="RdBu_r",
        vmin=chance - largest,
        vmax=chance + largest,
        rasterized=True,
    )
    _enclose(ax, edges, result["cluster_p"].values < _LEVEL)
    ax.plot(edges[[0, -1]], edges[[0, -1]], color=GUIDE_COLOR, linewidth=0.6, linestyle="--")
    if edges[0] < 0 < edges[-1]:
        ax.axvline(0.0, color=GUIDE_COLOR, linewidth=0.6)
        ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.6)
    bar = ax.figure.colorbar(mesh, ax=ax, shrink=0.8)
    # Colors are symmetric around chance; an accuracy ends at 0 and 1.
    bar.ax.set_ylim(max(0.0, chance - largest), min(1.0, chance + largest))
    bar.set_label("balanced accuracy (share of trials)", fontsize=FONT_SIZE)
    bar.ax.tick_params(labelsize=SMALL_FONT_SIZE)
    ax.set_aspect("equal")
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))).replace("time", "test time", 1))
    ax.set_ylabel("training time (s)")
    set_title(ax, plain(result.attrs.get("label", "label")))
    return ax


def _edges(time: np.ndarray, bin_width: float) -> np.ndarray:
    """Edges of the bins around their centers."""
    width = bin_width or (float(np.diff(time).mean()) if time.size > 1 else 1.0)
    return np.append(time - width / 2, time[-1] + width / 2)


def _enclose(ax: Axes, edges: np.ndarray, inside: np.ndarray) -> None:
    """Draw the border of an area along the edges of its bins."""
    padded = np.pad(inside, 1)
    for row, column in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1]):
        ax.plot([edges[column]] * 2, edges[row : row + 2], color="black", linewidth=0.9)
    for row, column in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1]):
        ax.plot(edges[column : column + 2], [edges[row]] * 2, color="black", linewidth=0.9)
