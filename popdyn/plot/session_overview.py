"""Pictures of a whole session: the rates of its neurons from start to stop, and their spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from popdyn.plot.drawable import drawable
from popdyn.plot.session_trials import TRIAL_COLOR, name_neurons, trial_limits
from popdyn.plot.style import (
    FONT_SIZE,
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    SMALL_FONT_SIZE,
    add_legend,
    new_axes,
)

_WIDE = (7.0, 2.8)
_DOT = "#1a1a1a"
_CHANGED = "#D55E00"
_DRIFT_LEVEL = 0.01
_LINE = "#0072B2"
_SESSION_TIME = "time in the session (s)"
# Above this percentile colors saturate, so that one burst does not darken all the rest.
_PERCENTILE = 99.0


def session_overview(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the rate of every neuron over the session as an image.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.session_overview``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time (s) against neurons, the highest mean rate on top; gray where a neuron was not
        observed; the strip on top marks the trials.  Colors follow the square root of the
        rate, and saturate at its 99th percentile.

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tensor.session import make_session
    >>> overview = pdn.session_overview(make_session([0.5, 1.5], [0, 2]))
    >>> pdn.plot.session_overview(overview).get_xlabel()
    'time in the session (s)'
    """
    result = drawable(result, "session_overview", "rate", "mean_rate")
    ax = new_axes(ax, figure_size=_WIDE)
    order = np.argsort(-np.nan_to_num(result["mean_rate"].values, nan=-1.0), kind="stable")
    rate = result["rate"].values[order]
    known = rate[np.isfinite(rate)]
    top = float(np.percentile(known, _PERCENTILE)) if known.size else 0.0
    top = top if top > 0 else max(float(known.max(initial=0.0)), 1.0)
    start, stop = _limits(result)
    ax.set_facecolor(NULL_COLOR)
    image = ax.imshow(
        np.ma.masked_invalid(rate),
        extent=(start, stop, rate.shape[0] - 0.5, -0.5),
        aspect="auto",
        interpolation="nearest",
        cmap="cividis",
        norm=PowerNorm(0.5, vmin=0.0, vmax=top),
    )
    _color_bar(ax, image, "rate (Hz)", is_cut=bool((known > top).any()))
    _trial_strip(ax, result)
    name_neurons(ax, result["neuron"].values[order])
    ax.set_xlabel(_SESSION_TIME)
    return ax


def population_rate(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the mean rate of all observed neurons over the session.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.session_overview``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time (s) against rate (Hz); where the number of observed neurons changes, it is the
        dashed line (axis at the right).

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tensor.session import make_session
    >>> overview = pdn.session_overview(make_session([0.5, 1.5], [0, 2]))
    >>> pdn.plot.population_rate(overview).get_ylabel()
    'mean rate (Hz)'
    """
    result = drawable(result, "population_rate", "population_rate", "n_observed")
    ax = new_axes(ax, figure_size=(_WIDE[0], 1.8))
    start, stop = _limits(result)
    edges = np.linspace(start, stop, result.sizes["time"] + 1)
    ax.stairs(
        result["population_rate"].values, edges, baseline=None, color=_LINE, linewidth=LINE_WIDTH
    )
    n_observed = result["n_observed"].values
    if np.ptp(n_observed):
        right = ax.twinx()
        right.stairs(
            n_observed, edges, baseline=None, color=GUIDE_COLOR, linewidth=0.9, linestyle="--",
        )  # fmt: skip
        right.set_ylim(0, n_observed.max() * 1.08)
        right.set_ylabel("neurons (dashed)", fontsize=FONT_SIZE)
        right.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        right.tick_params(labelsize=SMALL_FONT_SIZE)
        right.spines["top"].set_visible(False)
    _trial_strip(ax, result)
    ax.set_xlim(start, stop)
    ax.set_ylim(bottom=0)
    ax.set_xlabel(_SESSION_TIME)
    ax.set_ylabel("mean rate (Hz)")
    return ax


def rate_distribution(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the mean rates of the neurons, sorted, each with its drift over the session.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.session_overview``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Neurons, the highest mean rate first, against rate (Hz, logarithmic).  A dot is the
        mean of the session; a line leads from the rate in the first third of the observed
        time to that in the last (the triangle), orange where ``drift_p`` is below .01.
        A rate of zero lies at half of the lowest other one.

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tensor.session import make_session
    >>> overview = pdn.session_overview(make_session([0.5, 1.5], [0, 2]))
    >>> pdn.plot.rate_distribution(overview).get_ylabel()
    'rate (Hz)'
    """
    result = drawable(result, "rate_distribution", "mean_rate", "third_rate", "drift_p")
    ax = new_axes(ax)
    mean = result["mean_rate"].values
    order = np.argsort(-np.nan_to_num(mean, nan=-1.0), kind="stable")
    order = order[mean[order] > 0]
    ends = result["third_rate"].values[[0, -1]][:, order]
    shown = np.concatenate([mean[order], ends[ends > 0]])
    # A logarithm has no place for a rate of zero: it is drawn below all others.
    ends = np.where(ends == 0, 0.5 * shown.min(initial=1.0), ends)
    clear = result["drift_p"].values[order] < _DRIFT_LEVEL
    _drift_lines(ax, ends, ~clear, NULL_COLOR, "first to last third")
    _drift_lines(ax, ends, clear, _CHANGED, "first to last third, changed")
    size = float(np.clip(120 / max(order.size, 1), 1.0, 3.5))
    ax.plot(range(order.size), mean[order], "o", color=_DOT, markersize=size, label="mean")
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.set_xlim(-0.7, max(order.size - 0.3, 0.7))
    ax.set_xlabel("neuron (rank by rate)")
    ax.set_ylabel("rate (Hz)")
    add_legend(ax)
    return ax


def _drift_lines(ax: Axes, ends: np.ndarray, which: np.ndarray, color: str, label: str) -> None:
    """Lead from the rate at the start to that at the end, for some of the neurons."""
    rank = np.flatnonzero(which & np.isfinite(ends).all(axis=0))
    if rank.size:
        many = rank.size > 300
        first, last = ends[:, rank]
        ax.vlines(rank, first, last, color=color, linewidth=1.4, label=label, rasterized=many)
        ax.plot(rank, last, "^", color=color, markersize=3, rasterized=many)


def _limits(result: xr.Dataset) -> tuple[float, float]:
    """Start and stop (s) of the bins."""
    time, half = result["time"].values, float(result.attrs["bin_width"]) / 2
    return float(time[0]) - half, float(time[-1]) + half


def _color_bar(ax: Axes, image: Any, label: str, *, is_cut: bool) -> None:
    """Put a color bar at the right, within the axes, which stay one pair."""
    bar = ax.figure.colorbar(
        image, cax=ax.inset_axes((1.015, 0.0, 0.02, 1.0)), extend="max" if is_cut else "neither"
    )
    bar.set_label(label, fontsize=FONT_SIZE)
    bar.ax.tick_params(labelsize=SMALL_FONT_SIZE, width=0.8, length=3)
    bar.ax.yaxis.set_major_locator(MaxNLocator(5))


def _trial_strip(ax: Axes, result: xr.Dataset) -> None:
    """Mark the trials in a strip above the axes."""
    start, stop = trial_limits(result)
    if not start.size:
        return
    across = ax.get_xaxis_transform()
    ended = np.isfinite(stop) & (stop > start)
    many = start.size > 2_000
    spans = list(zip(start[ended], (stop - start)[ended], strict=True))
    strip: dict[str, Any] = {"clip_on": False, "transform": across, "rasterized": many}
    ax.broken_barh(spans, (1.015, 0.03), facecolor=TRIAL_COLOR, linewidth=0, **strip)
    ax.vlines(start[~ended], 1.015, 1.045, color=TRIAL_COLOR, linewidth=0.5, **strip)
    ax.annotate(
        "trials", (0.0, 1.06), xycoords="axes fraction", color=TRIAL_COLOR, fontsize=SMALL_FONT_SIZE
    )
