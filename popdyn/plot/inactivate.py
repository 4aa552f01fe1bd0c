"""Pictures of inactivations: what is left of behavior, what changed, whether a fit foretold it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    FIGURE_SIZE,
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    add_legend,
    condition_colors,
    new_axes,
    plain,
    set_title,
)

_COLOR = "#000000"
_SAYS = {
    "accuracy_change": "change of the share correct",
    "choice_changed": "share of other choices",
    "response_change": "change of the response",
    "mean_distance": "distance of trajectories",
}


def inactivate(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the share of correct trials with each part of a network inactivated.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.inactivate``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Points with their 95 % intervals over trials; dashed, with its interval in gray, is the
        network as it was.  Of tasks that know no right and wrong, how far mean trajectories move
        by the standard deviation of those of the network as it was.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(60, n_ranks=2, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(24, rng=0, dt=net.dt)
    >>> result = pdn.dynamics.inactivate(net, "latents", trials, n_draws=20)
    >>> pdn.plot.inactivate(result).get_xlabel()
    'share correct'
    """
    result = drawable(result, "inactivate", "inactivation", "mean_distance")
    ax = _new_axes(result, ax)
    if "accuracy" in result:
        _draw_parts(result, "accuracy", ax)
        ax.set_xlabel("share correct")
    else:
        size = result["modulation"]
        _draw_points(
            result["mean_distance"].mean("condition") / size,
            result["mean_distance_bound"].mean("condition") / size,
            ax,
        )
        ax.set_xlabel("distance over modulation (1)")
    return ax


def inactivation_psychometric(
    result: xr.Dataset, condition: str | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw the share of choices 1 against the stimulus, with each part of a network inactivated.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.inactivation_psychometric``.
    condition : str, optional
        Which of ``result["condition"]``; the first by default.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Shares and fitted curves; dashed is the network as it was.  There is no curve where choices
        leave it open.

    Raises
    ------
    TensorError
        If this is no such result, or there is no such condition.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(60, rng=0)
    >>> task = pdn.tasks.PerceptualDecision(stimuli=(-0.02, -0.01, 0.01, 0.02))
    >>> trials = task.sample(80, rng=0, dt=net.dt)
    >>> groups = pdn.dynamics.percentile_groups(net.output[0], 2)
    >>> done = pdn.dynamics.inactivate(net, groups, trials, n_draws=20)
    >>> change = pdn.dynamics.inactivation_psychometric(done, n_draws=20)
    >>> pdn.plot.inactivation_psychometric(change).get_ylabel()
    'share of choices 1'
    """
    result = drawable(result, "inactivation_psychometric", "control_curve", "curve", "share")
    own = result.sel(condition=_chosen("condition", result, condition))
    ax = new_axes(ax)
    ax.axhline(0.5, color=GUIDE_COLOR, linewidth=0.6, linestyle=":")
    place, points = own["stimulus"], own["point_stimulus"]
    ax.plot(place, own["control_share"], "o", color=GUIDE_COLOR, markersize=4)
    ax.plot(points, own["control_curve"], "--", color=GUIDE_COLOR, lw=LINE_WIDTH, label="control")
    for name, color in condition_colors(own["inactivation"].values).items():
        one = own.sel(inactivation=name)
        ax.plot(place, one["share"], "o", color=color, markersize=3)
        ax.plot(points, one["curve"], color=color, lw=LINE_WIDTH, label=f"without {plain(name)}")
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("stimulus")
    ax.set_ylabel("share of choices 1")
    if result.sizes["condition"] > 1:
        set_title(ax, own["condition"].item())
    add_legend(ax)
    return ax


def inactivation_contraction(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the slope of answers on stimuli with each part of a network inactivated.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.inactivation_contraction``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Points with their 95 % intervals over trials; dashed, with its interval in gray, is the
        network as it was.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> result = xr.Dataset(
    ...     {"slope": ("inactivation", [0.5]), "control_slope": 0.9,
    ...      "slope_bound": (("bound", "inactivation"), [[0.4], [0.6]]),
    ...      "control_slope_bound": ("bound", [0.8, 1.0])},
    ...     coords={"inactivation": ["late"]}, attrs={"method": "inactivation_contraction"},
    ... )
    >>> pdn.show(result).get_xlabel()
    'slope (1: no contraction)'
    """
    result = drawable(result, "inactivation_contraction", "slope", "control_slope")
    ax = _new_axes(result, ax)
    _draw_parts(result, "slope", ax)
    ax.set_xlabel("slope (1: no contraction)")
    return ax


def inactivation_agreement(
    result: xr.Dataset, measure: str | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw what inactivations did against what a fit foretold.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.inactivation_agreement``.
    measure : str, optional
        Which of ``result["measure"]``; the first by default.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        A point for each inactivation and condition; dashed is where the two are equal.  The title
        holds the correlation with its 95 % interval.

    Raises
    ------
    TensorError
        If this is no such result, or there is no such measure.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(60, n_ranks=1, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(24, rng=0, dt=net.dt)
    >>> groups = pdn.dynamics.percentile_groups(net.m[:, 0])
    >>> done = pdn.dynamics.inactivate(net, groups, trials, n_draws=20)
    >>> agreement = pdn.dynamics.inactivation_agreement(done, done, n_draws=20)
    >>> pdn.plot.inactivation_agreement(agreement, "mean_distance").get_xlabel()
    'foretold: distance of trajectories'
    """
    needed = ("predicted_change", "observed_change", "correlation")
    result = drawable(result, "inactivation_agreement", *needed)
    name = _chosen("measure", result, measure)
    ax = new_axes(ax)
    own = result.sel(measure=name)
    x, y = (own[key].to_numpy() for key in needed[:2])
    ends = [np.nanmin([x, y]), np.nanmax([x, y])]
    ax.plot(ends, ends, color=GUIDE_COLOR, linewidth=0.8, linestyle="--", label="equal")
    ax.plot(x.ravel(), y.ravel(), "o", color=_COLOR, markersize=3)
    what = _SAYS.get(name, plain(name))
    ax.set_xlabel(f"foretold: {what}")
    ax.set_ylabel(f"done: {what}")
    low, high = own["correlation_bound"].to_numpy()
    set_title(ax, f"correlation {float(own['correlation']):.2f} ({low:.2f} to {high:.2f})")
    add_legend(ax)
    return ax


def _chosen(name: str, result: xr.Dataset, value: str | None) -> str:
    """Return which of the values of a coordinate is meant, the first by default."""
    there = result[name].values.astype(str).tolist()
    chosen = there[0] if value is None else value
    if chosen not in there:
        message = f"{name} must be one of {', '.join(there)}, found {chosen!r}"
        raise TensorError(message)
    return chosen


def _new_axes(result: xr.Dataset, ax: Axes | None) -> Axes:
    """Return axes with a row for each inactivation."""
    names = [plain(name) for name in result["inactivation"].values]
    height = max(FIGURE_SIZE[1], 0.6 + 0.22 * len(names))
    ax = new_axes(ax, figure_size=(FIGURE_SIZE[0], height))
    ax.set_yticks(np.arange(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_ylabel("inactivated")
    return ax


def _draw_parts(result: xr.Dataset, name: str, ax: Axes) -> None:
    """Draw a measure with each part inactivated, beside that of the control."""
    low, high = result[f"control_{name}_bound"].to_numpy()
    ax.axvspan(low, high, color=NULL_COLOR, alpha=0.4, linewidth=0)
    ax.axvline(float(result[f"control_{name}"]), color=GUIDE_COLOR, lw=0.8, ls="--")
    _draw_points(result[name], result[f"{name}_bound"], ax)


def _draw_points(value: xr.DataArray, bound: xr.DataArray, ax: Axes) -> None:
    """Draw points with their intervals, a row each."""
    x, ends = value.to_numpy(), bound.transpose("bound", "inactivation").to_numpy()
    error = np.clip([x - ends[0], ends[1] - x], 0.0, None)
    rows = np.arange(x.size)
    ax.errorbar(x, rows, xerr=error, fmt="o", color=_COLOR, markersize=4, elinewidth=1, capsize=2)
