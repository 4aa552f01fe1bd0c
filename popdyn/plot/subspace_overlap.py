"""Draw how far apart two subspaces lie: principal angles beside what noise and chance give."""

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
    plain,
)

_COLOR = "#000000"


def subspace_overlap(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the principal angles of two subspaces, in degrees.

    Parameters
    ----------
    result : Dataset
        From ``pdn.subspace_overlap``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Black: angles between the two, of halves of the trials where there are trials, with
        their 95 % bounds; dashed: angles between halves of the same, which noise alone gives;
        gray: by chance (95 %).  The title holds the alignment index.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> overlap = pdn.subspace_overlap(np.eye(3, 20), np.eye(3, 20, 2), covariance=np.eye(20))
    >>> pdn.plot.subspace_overlap(overlap).get_ylabel()
    'principal angle (degrees)'
    """
    result = drawable(result, "subspace_overlap", "principal_angle", "null_principal_angle")
    ax = new_axes(ax)
    component = result["component"].to_numpy()
    null = np.degrees(result["null_principal_angle"].transpose("draw", "component").to_numpy())
    low, high = np.quantile(null, [0.025, 0.975], axis=0)
    ax.fill_between(
        component, low, high, color=NULL_COLOR, alpha=0.6, linewidth=0, label="by chance"
    )
    ax.plot(component, np.median(null, axis=0), color=NULL_COLOR, linewidth=LINE_WIDTH)
    halves = "between_angle" in result and bool(np.isfinite(result["between_angle"]).all())
    name = "between_angle" if halves else "principal_angle"
    if halves:
        ax.plot(
            component, np.degrees(result["within_angle"]), "--", color=GUIDE_COLOR, marker="o",
            markersize=2, linewidth=LINE_WIDTH, label="halves of the same",
        )  # fmt: skip
    angle = np.degrees(result[name].to_numpy())
    error = np.zeros((2, angle.size))
    if f"{name}_bound" in result:
        bound = np.degrees(result[f"{name}_bound"].transpose("bound", "component").to_numpy())
        error = np.clip([angle - bound[0], bound[1] - angle], 0.0, None)
    first, second = (plain(result.attrs.get(key, key)) for key in ("first", "second"))
    label = f"{first} and {second}" + (", halves" if halves else "")
    ax.errorbar(
        component, angle, error, color=_COLOR, linewidth=LINE_WIDTH, marker="o", markersize=3,
        elinewidth=0.9, capsize=2, label=label,
    )  # fmt: skip
    ax.set_ylim(-2, 92)
    ax.set_yticks([0, 30, 60, 90])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("principal direction (1)")
    ax.set_ylabel("principal angle (degrees)")
    ax.set_title(_title(result), fontsize=SMALL_FONT_SIZE)
    add_legend(ax)
    return ax


def _title(result: xr.Dataset) -> str:
    """Alignment index, its p, and the overlap without noise."""
    text = f"alignment {float(result['alignment_index']):.2f}"
    chance = float(result["null_alignment_index"].mean())
    text += f" (chance {chance:.2f}, p = {float(result['p']):.2g})"
    if "cross_validated_index" in result:
        value = _rounded(result["cross_validated_index"].item())
        low, high = map(_rounded, result["cross_validated_index_bound"].to_numpy())
        text += f"\nwithout noise {value} ({low} to {high})"
    return text


def _rounded(value: float) -> str:
    """Write two decimals, and a zero without a sign."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")
