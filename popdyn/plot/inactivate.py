"""Pictures of inactivations: what is left of behavior, and whether a fit foretold it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    FIGURE_SIZE,
    GUIDE_COLOR,
    NULL_COLOR,
    add_legend,
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
    names = [plain(name) for name in result["inactivation"].values]
    height = max(FIGURE_SIZE[1], 0.6 + 0.22 * len(names))
    ax = new_axes(ax, figure_size=(FIGURE_SIZE[0], height))
    place = np.arange(len(names))
    if "accuracy" in result:
        value = result["accuracy"].to_numpy()
        bound = result["accuracy_bound"].transpose("bound", "inactivation").to_numpy()
        low, high = result["control_accuracy_bound"].to_numpy()
        ax.axvspan(low, high, color=NULL_COLOR, alpha=0.4, linewidth=0)
        ax.axvline(float(result["control_accuracy"]), color=GUIDE_COLOR, lw=0.8, ls="--")
        ax.set_xlabel("share correct")
    else:
        size = result["modulation"].to_numpy()
        value = result["mean_distance"].mean("condition").to_numpy() / size
        bound = result["mean_distance_bound"].mean("condition").transpose("bound", ...).to_numpy()
        bound = bound / size
        ax.set_xlabel("distance over modulation (1)")
    error = np.clip([value - bound[0], bound[1] - value], 0.0, None)
    ax.errorbar(
        value, place, xerr=error, fmt="o", color=_COLOR, markersize=4, elinewidth=1, capsize=2
    )
    ax.set_yticks(place, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_ylabel("inactivated")
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
    there = result["measure"].values.astype(str).tolist()
    name = there[0] if measure is None else measure
    if name not in there:
        message = f"measure must be one of {', '.join(there)}, found {name!r}"
        raise TensorError(message)
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
