"""The standard figure of demixed components: courses, what they explain, how their axes lie."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    FONT_SIZE,
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    axis_label,
    condition_colors,
    event_line,
    new_axes,
    plain,
    style_axes,
    time_label,
    window_limits,
)

_SIZE = (10.0, 6.6)
_STYLES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")
_SHOWN = 15  # components of the overview, as in the reference
_LEVEL = 0.05
_LEFT, _RIGHT, _GAP = 0.24, 0.37, 0.035  # end of the overview, start of the courses
_TITLE, _TICKS, _STATE = 0.28, 0.78, 0.5  # inch: between rows, and left of the courses
_LETTER = 0.055  # inch, of a legend
_MOST_ROWS = 6
# Neither those of conditions nor those of sources, which stand beside them (Tol's muted).
_COLORS = ("#332288", "#88CCEE", "#CC6677", "#DDCC77", "#117733", "#AA4499", "#44AA99", "#999933")
_DARK = ("#332288", "#117733", "#AA4499")


def dpca(
    result: xr.Dataset,
    *,
    ax: Axes | None = None,
    significance: xr.Dataset | None = None,
    n_columns: int = 3,
) -> Axes:
    """Draw demixed components: courses by marginalization, variances, angles of the axes.

    Parameters
    ----------
    result : Dataset
        From ``pdn.DPCA(...).fit(x).to_dataset()``.
    ax : Axes, optional
        Axes whose place the figure takes; a new figure without.
    significance : Dataset, optional
        From ``pdn.DPCA(...).significance(x)``: bars under the courses where held-out trials are
        classified better than shuffled ones (p < 0.05, corrected for the number of bins).
    n_columns : int, default 3
        Components per marginalization to draw.

    Returns
    -------
    Axes
        The axes given or made, switched off; the panels are its children.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> average = xr.DataArray(
    ...     np.random.default_rng(0).normal(size=(5, 20, 4)),
    ...     dims=("neuron", "time", "condition"),
    ...     coords={"stimulus": ("condition", [1, 1, 2, 2]),
    ...             "decision": ("condition", ["left", "right"] * 2)},
    ... )
    >>> ax = pdn.plot.dpca(pdn.DPCA().fit(average).to_dataset())
    >>> len(ax.child_axes) > 10
    True
    """
    result = drawable(result, "dpca", "trajectory", "cumulative_ratio", "marginal_ratio")
    if significance is not None:
        significance = drawable(
            significance, "dpca(significance=)", "tested_marginalization", "p_corrected"
        )
    ax = new_axes(ax, figure_size=_SIZE)
    ax.set_axis_off()
    names = [str(name) for name in result["marginalization"].values]
    colors = {name: _COLORS[number % len(_COLORS)] for number, name in enumerate(names)}
    _draw_cumulative(_panel(ax, (0.0, 0.76, _LEFT, 0.24)), result)
    _draw_bars(_panel(ax, (0.0, 0.53, _LEFT, 0.17)), result, colors)
    _draw_shares(_panel(ax, (0.0, 0.415, _LEFT, 0.04)), result, colors)
    _draw_angles(_panel(ax, (0.0, 0.0, _LEFT - 0.02, 0.25)), result)
    own = result["marginalization_of"].values.astype(str)
    rows = [name for name in names if (own == name).any()]
    _draw_courses(ax, result, rows[:_MOST_ROWS], significance, n_columns, colors)
    if rows[_MOST_ROWS:]:
        text = plain(f"not drawn: {', '.join(rows[_MOST_ROWS:])}")
        ax.text(1.0, -0.02, text, ha="right", va="top", fontsize=SMALL_FONT_SIZE)
    return ax


def _panel(ax: Axes, place: tuple[float, float, float, float]) -> Axes:
    """Make a panel at a place in fractions of the axes."""
    return style_axes(ax.inset_axes(place))


def _draw_cumulative(ax: Axes, result: xr.Dataset) -> None:
    """Draw how much the first components explain, beside as many principal components."""
    shown = result.isel(component=slice(_SHOWN))
    number = shown["component"].values
    for name, label, color in (
        ("pca_cumulative_ratio", "PCA (bound)", GUIDE_COLOR),
        ("cumulative_ratio", "dPCA", "#D55E00"),
    ):
        ax.plot(
            number, 100 * shown[name].values, ".-", color=color, linewidth=LINE_WIDTH, label=label
        )
    if "total_noise_ratio" in result:
        signal = 100 * (1 - float(result["total_noise_ratio"]))
        ax.axhline(signal, color=GUIDE_COLOR, linewidth=0.8, linestyle="--", label="without noise")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(0, 100)
    ax.set_ylabel("explained variance (%)", fontsize=FONT_SIZE)
    ax.legend(frameon=False, fontsize=SMALL_FONT_SIZE, loc="best")


def _draw_bars(ax: Axes, result: xr.Dataset, colors: dict[str, str]) -> None:
    """Draw what each component explains, by marginalization."""
    shown = result.isel(component=slice(_SHOWN))
    number, base = shown["component"].values, np.zeros(shown.sizes["component"])
    for name, color in colors.items():
        share = 100 * shown["ratio_by_marginalization"].sel(marginalization=name).values
        share = np.maximum(share, 0.0)
        ax.bar(number, share, bottom=base, color=color, width=0.75)
        base = base + share
    if "explained_variance_ratio_bound" in shown:
        low, high = 100 * shown["explained_variance_ratio_bound"].transpose("bound", ...).values
        known = np.isfinite(low)
        ax.vlines(number[known], low[known].clip(0), high[known], color=GUIDE_COLOR, linewidth=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("component", fontsize=FONT_SIZE)
    ax.set_ylabel("variance (%)", fontsize=FONT_SIZE)


def _draw_shares(ax: Axes, result: xr.Dataset, colors: dict[str, str]) -> None:
    """Draw the shares of the marginalizations in one bar: without noise if that is known."""
    which = "signal_ratio" if "signal_ratio" in result else "marginal_ratio"
    share = np.nan_to_num(result[which].values).clip(0.0)
    share = share / share.sum() if share.sum() > 0 else share
    left = 0.0
    for color, width in zip(colors.values(), share, strict=True):
        ax.barh(0, 100 * width, left=left, color=color)
        if width > 0.09:
            ax.text(
                left + 50 * width, 0, f"{100 * width:.0f}", ha="center", va="center",
                fontsize=SMALL_FONT_SIZE, color="white" if color in _DARK else "black",
            )  # fmt: skip
        left += 100 * width
    ax.set_xlim(0, 100)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    what = "signal variance (%)" if which == "signal_ratio" else "variance, noise included (%)"
    ax.set_xlabel(what, fontsize=FONT_SIZE)


def _draw_angles(ax: Axes, result: xr.Dataset) -> None:
    """Draw products of encoders above the diagonal, correlations of courses below."""
    n = min(_SHOWN, result.sizes["component"])
    overlap = result["encoder_overlap"].values[:n, :n]
    correlation = result["state_correlation"].values[:n, :n]
    image = ax.imshow(
        np.triu(overlap) + np.tril(correlation, -1), vmin=-1, vmax=1, cmap="RdBu_r",
        extent=(0.5, n + 0.5, n + 0.5, 0.5),
    )  # fmt: skip
    second, first = np.nonzero(np.triu(result["not_orthogonal"].values[:n, :n], 1).T)
    ax.plot(second + 1, first + 1, "k*", markersize=4, linestyle="none")
    ax.set_xlabel("component", fontsize=FONT_SIZE)
    ax.set_ylabel("component", fontsize=FONT_SIZE)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    bar = ax.inset_axes((1.04, 0.0, 0.05, 1.0))
    ax.figure.colorbar(image, cax=bar, ticks=[-1, 0, 1])
    bar.tick_params(labelsize=SMALL_FONT_SIZE, length=2)
    ax.set_title("encoder products (upper),\ncorrelations (lower)", fontsize=SMALL_FONT_SIZE)


def _draw_courses(
    ax: Axes,
    result: xr.Dataset,
    rows: list[str],
    significance: xr.Dataset | None,
    n_columns: int,
    colors: dict[str, str],
) -> None:
    """Draw the course of the first components of each marginalization, a line per condition."""
    looks, handles = _looks(result)
    counts = result["marginalization_of"].to_series().value_counts()
    n_columns = min(n_columns, int(counts.max()))
    across, down = ax.figure.get_figure(root=True).get_size_inches()
    gap = max(_GAP, _TITLE / down)
    height = (1.0 - gap * (len(rows) - 1)) / len(rows) - 0.02
    longest = max(len(str(handle.get_label())) for handle in handles)
    legend = max(0.1, (0.35 + _LETTER * longest) / across)
    width = (1.0 - _RIGHT - legend - _GAP * n_columns) / n_columns
    own = result["marginalization_of"].values.astype(str)
    reach = 1.1 * float(np.nanmax(np.abs(result["trajectory"].values)))
    for row, name in enumerate(rows):
        bottom = 1.0 - (row + 1) * (height + gap) + gap
        numbers = np.flatnonzero(own == name)[:n_columns]
        for column, number in enumerate(numbers):
            panel = _panel(ax, (_RIGHT + column * (width + _GAP), bottom, width, height))
            _draw_course(panel, result.isel(component=number), looks, reach)
            _mark(panel, significance, name, column, result)
            if row < len(rows) - 1:
                panel.set_xticklabels([])
            elif column == (len(numbers) - 1) // 2:  # once: it is wider than a panel
                align = str(result.attrs.get("align", ""))
                panel.set_xlabel(time_label(align), fontsize=FONT_SIZE)
            if column:
                panel.set_yticklabels([])
        place = (_RIGHT - max(0.065, _TICKS / across), bottom, 0.012, height)
        _name_row(ax.inset_axes(place), name, colors[name])
    state = axis_label("state", str(result.attrs.get("units", "1")))
    ax.text(
        _RIGHT - _STATE / across, 0.5, state, rotation=90, ha="right", va="center",
        fontsize=SMALL_FONT_SIZE,
    )  # fmt: skip
    ax.legend(
        handles=handles, loc="upper right", bbox_to_anchor=(1.0, 1.0), frameon=False,
        fontsize=SMALL_FONT_SIZE, borderaxespad=0.0, handlelength=2.2,
    )  # fmt: skip


def _draw_course(panel: Axes, one: xr.Dataset, looks: list[dict[str, Any]], reach: float) -> None:
    """Draw a component: a line per condition, its number and share of the variance above."""
    values = one["trajectory"].transpose("condition", "time").values
    for course, look in zip(values, looks, strict=True):
        panel.plot(one["time"].values, course, linewidth=LINE_WIDTH * 0.8, **look)
    event_line(panel)
    panel.set_ylim(-reach, reach)
    window_limits(panel, one)
    share = 100 * float(one["explained_variance_ratio"])
    panel.set_title(f"{int(one['component'])}: {share:.1f} %", fontsize=SMALL_FONT_SIZE)


def _name_row(ax: Axes, name: str, color: str) -> None:
    """Draw the strip that stands for a marginalization, and its name."""
    ax.set_axis_off()
    ax.axvspan(0, 1, color=color)
    ax.text(
        -0.6, 0.5, plain(name).replace(" x ", " x\n"), rotation=90, ha="right", va="center",
        fontsize=FONT_SIZE, transform=ax.transAxes, linespacing=1.0, multialignment="center",
    )  # fmt: skip


def _mark(
    panel: Axes, significance: xr.Dataset | None, name: str, column: int, result: xr.Dataset
) -> None:
    """Draw a bar where the component is significant."""
    if significance is None:
        return
    tested = significance["tested_marginalization"].values.astype(str) == name
    tested &= significance["tested_component"].values == column + 1
    for row in np.flatnonzero(tested):
        found = significance["p_corrected"].values[row] < _LEVEL
        time = significance["time"].values[found]
        half = float(result.attrs.get("bin_width", 0.0)) / 2
        low = panel.get_ylim()[0]
        panel.hlines(
            np.full(time.size, 0.92 * low), time - half, time + half, color="black", linewidth=2.5
        )


def _looks(result: xr.Dataset) -> tuple[list[dict[str, Any]], list[Line2D]]:
    """Color of each condition by its first factor, line style by the others; and the legend."""
    factors = json.loads(str(result.attrs.get("parameters", "{}"))).get("factors", [])
    known = [str(name) for name in factors if str(name) in result.coords]
    columns = {name: _texts(result[name].values) for name in known}
    if not columns:
        columns = {"condition": _texts(result["condition"].values)}
    first, *others = columns
    palette = condition_colors(dict.fromkeys(columns[first]))
    named = [[f"{name} {text}" for text in columns[name]] for name in others]
    rest = [", ".join(parts) for parts in zip(*named, strict=True)]
    rest = rest or [""] * len(columns[first])
    styles = {
        text: _STYLES[number % len(_STYLES)] for number, text in enumerate(dict.fromkeys(rest))
    }
    looks = [
        {"color": palette[color], "linestyle": styles[style]}
        for color, style in zip(columns[first], rest, strict=True)
    ]
    handles = [
        Line2D([], [], color=color, label=plain(f"{first} {text}"))
        for text, color in palette.items()
    ]
    if others:
        for text, style in styles.items():
            handles.append(Line2D([], [], color=GUIDE_COLOR, label=plain(text)))
            handles[-1].set_linestyle(style)
    return looks, handles


def _texts(values: NDArray[Any]) -> list[str]:
    """Levels as short text."""
    if values.dtype.kind == "f":
        return [f"{value:.4g}" for value in values]
    return [str(value) for value in values]
