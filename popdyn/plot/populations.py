"""Pictures of populations: how many a task needs, and what contexts do to their gains."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    add_legend,
    condition_colors,
    new_axes,
    plain,
    set_title,
)

_COLOR, _DOT_COLOR = "#000000", "#0072B2"


def populations(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how well networks drawn from one, two, three populations do the task.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.populations`` with a task.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Blue: each network; black: their mean with its 95 % interval.  Dashed: the network that
        they were drawn from; dotted: what counts as doing the task.

    Raises
    ------
    TensorError
        If this is no such result, or nothing was tested.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
    >>> start = pdn.network.LowRank.random(200, rng=0)
    >>> net, _ = pdn.train.backprop(start, task, n_trials=1280, rng=0)
    >>> result = pdn.dynamics.populations(net, task=task, n_resamples=4, n_trials=64)
    >>> pdn.plot.populations(result).get_ylabel()
    'share correct'
    """
    result = drawable(result, "populations", "accuracy", "mean_accuracy", "network_accuracy")
    ax = new_axes(ax)
    tried = result["tried"].to_numpy()
    accuracy = result["accuracy"].transpose("tried", "resample").to_numpy()
    # Networks of one number side by side.
    aside = np.linspace(-0.15, 0.15, accuracy.shape[1])
    x = (tried[:, None] + aside).ravel()
    ax.plot(x, accuracy.ravel(), "o", color=_DOT_COLOR, markersize=2.5, label="drawn networks")
    mean = result["mean_accuracy"].to_numpy()
    lower, upper = result["mean_accuracy_bound"].transpose("bound", "tried").to_numpy()
    error = np.clip([mean - lower, upper - mean], 0.0, None)
    ax.errorbar(
        tried + 0.28, mean, error, fmt="s", color=_COLOR, markersize=4, elinewidth=1, capsize=2,
        label="their mean",
    )  # fmt: skip
    own = float(result["network_accuracy"])
    ax.axhline(own, color=GUIDE_COLOR, linewidth=0.8, linestyle="--", label="the network itself")
    enough = _parameter(result, "accuracy")
    if enough is not None:
        ax.axhline(enough, color=GUIDE_COLOR, linewidth=0.8, linestyle=":", label="enough")
    ax.set_xlim(tried[0] - 0.5, tried[-1] + 0.5)
    ax.set_ylim(min(0.45, accuracy.min() - 0.05), 1.03)
    ax.set_xticks(tried)
    ax.set_xlabel("number of populations")
    ax.set_ylabel("share correct")
    needed = float(result["n_populations"])
    few = f"none up to {tried[-1]} is enough"
    set_title(ax, f"needs {needed:.0f}" if np.isfinite(needed) else few)
    add_legend(ax)
    return ax


def population_gains(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the gain of each population in each context.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.population_gains``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        A line for each population, with its 95 % interval over neurons: lines that cross are
        gains that switch.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(60, n_inputs=4, rng=0)
    >>> trials = pdn.tasks.ContextDecision().sample(72, rng=0, dt=net.dt)
    >>> gains = pdn.dynamics.population_gains(net, trials, n_draws=20)
    >>> pdn.plot.population_gains(gains).get_ylabel()
    'gain (dimensionless)'
    """
    result = drawable(result, "population_gains", "gain", "gain_bound")
    ax = new_axes(ax)
    names = result["population"].values.astype(str).tolist()
    labels = [plain(label) for label in result["condition"].values]
    position = np.arange(len(labels))
    for name, color in condition_colors(names).items():
        own = result.sel(population=name)
        gain = own["gain"].to_numpy()
        lower, upper = own["gain_bound"].transpose("bound", "condition").to_numpy()
        error = np.clip([gain - lower, upper - gain], 0.0, None)
        ax.errorbar(
            position, gain, error, fmt="o-", color=color, markersize=3, linewidth=LINE_WIDTH,
            elinewidth=1, capsize=2, label=plain(name),
        )  # fmt: skip
    ax.set_xticks(position, labels)
    ax.set_xlim(-0.4, len(labels) - 0.6)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("context")
    ax.set_ylabel("gain (dimensionless)")
    add_legend(ax, "population")
    return ax


def _parameter(result: xr.Dataset, name: str) -> float | None:
    """Return a number that the analysis was called with, if it is told."""
    value = json.loads(str(result.attrs.get("parameters", "{}"))).get(name)
    return None if value is None else float(value)
