"""Pictures of targeted dimensionality reduction: conditions along axes, strength over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    BAND_ALPHA,
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    add_legend,
    axis_label,
    condition_colors,
    condition_styles,
    conditions_title,
    event_line,
    new_axes,
    plain,
    size_beside_legend,
    time_label,
    window_limits,
)

_LEVEL = 0.05
_MANY = 8  # conditions; more are colored by the level of one column


def tdr(
    result: xr.Dataset, *, ax: Axes | None = None, regressors: str | Sequence[str] | None = None
) -> Axes:
    """Draw the averages of the conditions in the plane of two axes, or along one over time.

    Parameters
    ----------
    result : Dataset
        From ``pdn.TDR(...).fit(tensor).to_dataset()``.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    regressors : str or list of one or two, optional
        Whose axes; the first two without.

    Returns
    -------
    Axes
        In a plane each condition's average runs from a dot to a triangle; the cross is where the
        horizontal axis was made, with 95 % bounds as arms.  With a single axis, time (s) against
        the projection, with bands of 95 %.  More than eight conditions are colored by the column
        of the last axis, if they have it.

    Raises
    ------
    TensorError
        If there is no such axis, or there are more than two.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> choice = np.tile([-1, 1], 20)
    >>> values = 30 + rng.normal(size=(5, 4, 40)) + rng.normal(size=(5, 1, 1)) * choice
    >>> tensor = pdn.make_tensor(values, 0.1 * np.arange(4), {"choice": choice})
    >>> model = pdn.TDR("choice", smooth=0, n_splits=2, n_draws=20).fit(tensor)
    >>> pdn.plot.tdr(model.to_dataset()).get_ylabel()
    'choice axis (dimensionless)'
    """
    result = drawable(result, "tdr", "projection", "projection_bound", "window")
    names = _names(result, regressors)
    colors, styles, labels, title = _looks(result, names[-1])
    ax = new_axes(ax, figure_size=size_beside_legend(labels))
    if len(names) == 1:
        _over_time(ax, result, names[0], colors, styles, labels)
    else:
        _in_plane(ax, result, names, colors, styles, labels)
    add_legend(ax, title)
    return ax


def tdr_strength(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how strongly a population encodes each regressor over time.

    Parameters
    ----------
    result : Dataset
        From `TDR` or `MultiTDR`, by ``to_dataset()``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time (s) against the sum of squares that a regressor explains over its mean over
        permutations (the dashed line), on a logarithmic scale; bars on top mark bins with
        p < 0.05, corrected for all bins.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> choice = np.tile([-1, 1], 20)
    >>> values = 30 + np.random.default_rng(0).normal(size=(5, 4, 40)) + choice
    >>> tensor = pdn.make_tensor(values, 0.1 * np.arange(4), {"choice": choice})
    >>> model = pdn.TDR("choice", smooth=0, n_splits=2, n_draws=20).fit(tensor)
    >>> pdn.plot.tdr_strength(model.to_dataset()).get_ylabel()
    'strength (mean of permutations = 1)'
    """
    result = drawable(result, "tdr_strength", "strength", "p")
    ax = new_axes(ax)
    time, half = result["time"].values, float(result.attrs.get("bin_width", 0.0)) / 2
    colors = condition_colors(result["term"].values)
    for row, term in enumerate(result["term"].values):
        color, own = colors[str(term)], result.sel(term=term)
        ax.plot(
            time, own["strength"].values, color=color, linewidth=LINE_WIDTH, label=plain(term),
            marker="o" if time.size == 1 else None,
        )  # fmt: skip
        chosen = own["p"].values < _LEVEL
        ax.hlines(
            np.full(int(chosen.sum()), 0.985 - 0.025 * row),
            time[chosen] - half,
            time[chosen] + half,
            color=color,
            linewidth=2.0,
            transform=ax.get_xaxis_transform(),
        )
    ax.axhline(1.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    event_line(ax)
    window_limits(ax, result)
    ax.set_yscale("log")
    # Room for the bars.
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** (0.05 + 0.03 * result.sizes["term"]))
    ax.tick_params(axis="y", which="both", labelsize=SMALL_FONT_SIZE)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel("strength (mean of permutations = 1)")
    add_legend(ax)
    return ax


def _names(result: xr.Dataset, wanted: str | Sequence[str] | None) -> list[str]:
    known = [str(name) for name in result["regressor"].values]
    wanted = [wanted] if isinstance(wanted, str) else wanted
    names = known[:2] if wanted is None else [str(name) for name in wanted]
    if not set(names) <= set(known) or not 1 <= len(names) <= 2:
        message = f"expected one or two of the axes {', '.join(known)}, found {', '.join(names)}"
        raise TensorError(message)
    return names


def _looks(
    result: xr.Dataset, name: str
) -> tuple[list[str], list[str], list[str | None], str | None]:
    """Color, line style and legend entry of each condition, and the legend's title."""
    labels = [str(label) for label in result["condition"].values]
    if len(labels) <= _MANY or name not in result.coords or name in result.dims:
        colors, styles = condition_colors(labels), condition_styles(labels)
        shown: list[str | None] = [plain(label) for label in labels]
        if len(labels) > 2 * _MANY:
            shown = [None] * len(labels)
        return [colors[one] for one in labels], [styles[one] for one in labels], shown, (
            conditions_title(result)
        )  # fmt: skip
    levels, member = np.unique(result[name].values, return_inverse=True)
    shades = colormaps["viridis"](np.linspace(0.0, 0.9, len(levels)))
    first = {int(level): at for at, level in reversed(list(enumerate(member)))}
    entries = [
        _text(levels[level]) if first[int(level)] == at else None for at, level in enumerate(member)
    ]
    return [to_hex(shades[i]) for i in member], ["-"] * len(labels), entries, name


def _text(level: Any) -> str:
    return f"{level:g}" if isinstance(level, (float, np.floating)) else plain(level)


def _in_plane(
    ax: Axes,
    result: xr.Dataset,
    names: Sequence[str],
    colors: Sequence[str],
    styles: Sequence[str],
    labels: Sequence[str | None],
) -> None:
    order = ("regressor", "time", "condition")
    values = result["projection"].sel(regressor=list(names)).transpose(*order).to_numpy()
    bound = result["projection_bound"].sel(regressor=list(names))
    low, high = bound.transpose("bound", *order).to_numpy()
    at = _made_at(result, names[0])
    for i in range(values.shape[2]):
        x, y = values[..., i]
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if not known.size:
            continue
        look: dict[str, Any] = {"color": colors[i], "linewidth": LINE_WIDTH}
        ax.plot(x, y, linestyle=styles[i], label=labels[i], **look)
        ax.plot(x[known[0]], y[known[0]], "o", color=colors[i], markersize=3)
        ax.plot(x[known[-1]], y[known[-1]], "^", color=colors[i], markersize=4)
        ax.plot([low[0, at, i], high[0, at, i]], [y[at], y[at]], color=colors[i], linewidth=0.9)
        ax.plot([x[at], x[at]], [low[1, at, i], high[1, at, i]], color=colors[i], linewidth=0.9)
    ax.set_xlabel(axis_label(f"{names[0]} axis", "1"))
    ax.set_ylabel(axis_label(f"{names[1]} axis", "1"))
    ax.set_title(
        f"dot: start, triangle: end,\ncross: {result['time'].values[at]:.2f} s, 95 % interval",
        fontsize=SMALL_FONT_SIZE,
    )


def _over_time(
    ax: Axes,
    result: xr.Dataset,
    name: str,
    colors: Sequence[str],
    styles: Sequence[str],
    labels: Sequence[str | None],
) -> None:
    time, own = result["time"].values, result.sel(regressor=name)
    values = own["projection"].transpose("condition", "time").values
    bound = own["projection_bound"].transpose("condition", "bound", "time").values
    for i, (row, (low, high)) in enumerate(zip(values, bound, strict=True)):
        ax.fill_between(time, low, high, color=colors[i], alpha=BAND_ALPHA, linewidth=0)
        ax.plot(
            time, row, color=colors[i], linestyle=styles[i], linewidth=LINE_WIDTH,
            label=labels[i], marker="o" if time.size == 1 else None,
        )  # fmt: skip
    event_line(ax)
    window_limits(ax, result)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    ax.set_ylabel(axis_label(f"{name} axis", "1"))


def _made_at(result: xr.Dataset, name: str) -> int:
    """Position of the bin in the middle of those that made an axis."""
    middle = float(result["window"].sel(regressor=name).mean())
    return int(np.abs(result["time"].values - middle).argmin())
