"""Pictures of observers: what they did and were expected to do, estimates, and comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.labels import known_label
from popdyn.plot.style import (
    BAND_ALPHA,
    GUIDE_COLOR,
    LINE_WIDTH,
    add_legend,
    condition_colors,
    new_axes,
    plain,
)

_COLOR = "#0072B2"
_ESTIMATE_COLOR = "#D55E00"


def production_observer(result: Any, *, ax: Axes | None = None) -> Axes:
    """Draw mean responses and those of the fitted observer against the stimulus.

    Parameters
    ----------
    result : Dataset or Production
        Of a fitted observer.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Points are means, bars standard deviations of responses; the band is what the observer
        would do (lapses aside), its mean and standard deviation; orange what it estimates; dashed
        no contraction.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.1 * np.arange(6).repeat(40)
    >>> truth = pdn.observer.Production(weber=0.15, motor_weber=0.05, prior=stimulus)
    >>> trials = truth.simulate({"stimulus": stimulus})
    >>> pdn.plot.production_observer(truth.fit(trials)).get_ylabel()
    'response'
    """
    result = drawable(result, "production_observer", "estimate", "value")
    ax = new_axes(ax)
    shown = result["stimulus"].values
    units = str(result.attrs.get("stimulus_units", ""))
    # Above the lines it may coincide with.
    ends = shown[[0, -1]]
    ax.plot(ends, ends, color="black", linewidth=0.8, linestyle=(0, (4, 6)), zorder=2.5)
    if "mean_response" in result:
        mean, spread = result["predicted_response"].values, result["predicted_deviation"].values
        ax.fill_between(
            shown, mean - spread, mean + spread, color=_COLOR, alpha=BAND_ALPHA, linewidth=0
        )
        ax.plot(shown, mean, color=_COLOR, linewidth=LINE_WIDTH, label="observer")
        done, error = result["mean_response"].values, result["response_deviation"].values
        ax.errorbar(
            shown, done, error, fmt="o", color="black", markersize=3, linewidth=0.8, label="done"
        )
    _estimate(ax, result)
    ax.set_xlabel(known_label("stimulus", units))
    ax.set_ylabel(known_label("response", units))
    add_legend(ax)
    return ax


def discrimination_observer(result: Any, *, ax: Axes | None = None) -> Axes:
    """Draw how often the second stimulus was called larger, and how often by the fitted observer.

    Parameters
    ----------
    result : Dataset or Discrimination
        Of a fitted observer.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Share against the difference of the stimuli, a color for each first stimulus: points were
        done, lines are the observer's.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.1 * np.arange(6).repeat(40)
    >>> truth = pdn.observer.Discrimination(
    ...     sigma=0.08, sigma_2=0.05, prior=stimulus, free=["sigma"]
    ... )
    >>> pairs = {"stimulus": stimulus, "stimulus_2": stimulus + np.tile([-0.1, 0.1], 120)}
    >>> pdn.plot.discrimination_observer(truth.fit(truth.simulate(pairs))).get_ylabel()
    'share that calls the second larger'
    """
    result = drawable(result, "discrimination_observer", "share", "predicted_share")
    ax = new_axes(ax)
    first, second = result["first"].values, result["second"].values
    colors = condition_colors(np.unique(first))
    for value, color in zip(np.unique(first), colors.values(), strict=True):
        own = np.flatnonzero(first == value)
        own = own[np.argsort(second[own])]
        difference, label = second[own] - value, plain(f"{value:g}")
        ax.plot(difference, result["predicted_share"].values[own], color=color, lw=LINE_WIDTH)
        ax.plot(
            difference, result["share"].values[own], "o", color=color, markersize=3, label=label
        )
    ax.axhline(0.5, color=GUIDE_COLOR, linewidth=0.6, linestyle="--")
    ax.set_ylim(-0.03, 1.03)
    units = str(result.attrs.get("stimulus_units", ""))
    ax.set_xlabel(known_label("second stimulus less the first", units))
    ax.set_ylabel("share that calls the second larger")
    add_legend(ax, "first stimulus")
    return ax


def estimates(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw what stimuli seem to be against what they are.

    Parameters
    ----------
    result : Dataset
        From ``observer.estimates(stimulus)``, or of a fitted observer.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Mean estimate with its 95 % interval; dashed is the truth.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.1 * np.arange(6).repeat(40)
    >>> observer = pdn.observer.Production(weber=0.15, prior=stimulus)
    >>> pdn.plot.estimates(observer.estimates(np.unique(stimulus))).get_ylabel()
    'estimate'
    """
    result = drawable(result, "estimates", "estimate")
    ax = new_axes(ax)
    shown = result["stimulus"].values
    units = str(result["stimulus"].attrs.get("units", ""))
    ax.plot(shown[[0, -1]], shown[[0, -1]], color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    _estimate(ax, result)
    ax.set_xlabel(known_label("stimulus", units))
    ax.set_ylabel(known_label("estimate", units))
    return ax


def _estimate(ax: Axes, result: xr.Dataset) -> None:
    shown = result["stimulus"].values
    if "estimate_bound" in result:
        low, high = result["estimate_bound"].values
        ax.fill_between(shown, low, high, color=_ESTIMATE_COLOR, alpha=BAND_ALPHA, linewidth=0)
    ax.plot(shown, result["estimate"], color=_ESTIMATE_COLOR, lw=LINE_WIDTH, label="mean estimate")


def compare_observers(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw by how much the first observer predicts held-out trials better than each other.

    Parameters
    ----------
    result : Dataset
        From ``pdn.observer.compare_observers``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Differences of log-likelihoods (nats) with twice their standard errors.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.1 * np.arange(6).repeat(40)
    >>> truth = pdn.observer.Production(weber=0.15, motor_weber=0.05, prior=stimulus)
    >>> trials = truth.simulate({"stimulus": stimulus})
    >>> found = pdn.observer.compare_observers(trials, n_folds=2)
    >>> len(pdn.plot.compare_observers(found).get_yticklabels())
    2
    """
    result = drawable(result, "compare_observers", "difference", "difference_error")
    ax = new_axes(ax)
    names = result["observer"].values.tolist()
    place = np.arange(len(names) - 1)
    error = 2 * result["difference_error"].values[1:]
    ax.axvline(0.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    ax.errorbar(result["difference"].values[1:], place, xerr=error, fmt="o", color=_COLOR)
    ax.set_yticks(place, [plain(name) for name in names[1:]])
    ax.set_ylim(len(names) - 1.5, -0.5)
    ax.set_xlabel(f"log-likelihood of {plain(names[0])} less (nats)")
    return ax
