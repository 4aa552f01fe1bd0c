"""Pictures of a training: how well the network did with learning off, and its losses."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    BAND_ALPHA,
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    add_legend,
    new_axes,
    plain,
    set_title,
)

_SIZE = (4.8, 2.6)  # inch: the legend says more than a color
_COLOR = "#0072B2"
_BEST = "#D55E00"


def training(history: xr.Dataset, *, ax: Axes | None = None, color: str | None = None) -> Axes:
    """Draw how well a network did its task while it learned, tested with learning off.

    Parameters
    ----------
    history : Dataset
        From ``pdn.train.reservoir``, ``pdn.train.force`` or ``pdn.train.full_force``.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    color : str, optional
        Color of the curve.

    Returns
    -------
    Axes
        Trials learned against the share of correct trials, with its 95 % interval; a circle
        around the test that was chosen; a line and its band at the accuracy of that network on
        fresh trials.  Tests that were not come through leave a gap.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> task = pdn.tasks.PerceptualDecision()
    >>> _, history = pdn.train.reservoir(net, task, n_trials=40, n_validation=20, rng=0)
    >>> pdn.plot.training(history).get_ylabel()
    'share of correct trials'
    """
    history = drawable(history, "training", "accuracy", "accuracy_bound", "final_accuracy")
    ax = new_axes(ax, figure_size=_SIZE)
    color = _COLOR if color is None else color
    n_trials, accuracy = history["n_trials"].values, history["accuracy"].values
    lower, upper = history["accuracy_bound"].transpose("bound", "checkpoint").values
    ax.vlines(n_trials, lower, upper, color=color, linewidth=0.8, alpha=0.6)
    ax.plot(
        n_trials, accuracy, "o-", color=color, linewidth=LINE_WIDTH, markersize=3,
        label="tests while learning",
    )  # fmt: skip
    best = int(history["best"]) if "best" in history else n_trials.size - 1
    ax.plot(
        n_trials[best], accuracy[best], "o", color=_BEST, markersize=8, fillstyle="none",
        label="the one chosen",
    )  # fmt: skip
    final = float(history["final_accuracy"])
    ax.axhspan(*history["final_accuracy_bound"].values, color=_BEST, alpha=BAND_ALPHA, linewidth=0)
    ax.axhline(final, color=_BEST, linewidth=0.8, label=f"on fresh trials: {final:.2f}")
    low = np.nanmin([*lower, *history["final_accuracy_bound"].values])
    ax.set_ylim(max(-0.02, float(low) - 0.05), 1.02)
    ax.set_ylabel("share of correct trials")
    _finish(ax, history)
    return ax


def training_loss(history: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the squared errors of the output, while learning and tested with learning off.

    A rule that corrects every error at once has small errors while it learns whether or not it
    learned anything: the two curves need not fall together.

    Parameters
    ----------
    history : Dataset
        From ``pdn.train.reservoir``, ``pdn.train.force`` or ``pdn.train.full_force``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Trials learned against mean squared error (dimensionless), on a logarithmic scale.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> task = pdn.tasks.PerceptualDecision()
    >>> _, history = pdn.train.reservoir(net, task, n_trials=40, n_validation=20, rng=0)
    >>> pdn.plot.training_loss(history).get_yscale()
    'log'
    """
    history = drawable(history, "training_loss", "loss", "validation_loss")
    ax = new_axes(ax, figure_size=_SIZE)
    lines = {"loss": ("while learning", GUIDE_COLOR), "validation_loss": ("learning off", _COLOR)}
    for name, (label, color) in lines.items():
        # Of an error of exactly 0 there is no logarithm.
        values = history[name].where(history[name] > 0).values
        ax.plot(
            history["n_trials"].values, values, "o-", color=color, linewidth=LINE_WIDTH,
            markersize=3, label=label,
        )  # fmt: skip
    ax.set_yscale("log")
    ax.tick_params(axis="y", which="minor", labelsize=SMALL_FONT_SIZE)
    ax.set_ylabel("mean squared error (dimensionless)")
    _finish(ax, history)
    return ax


def _finish(ax: Axes, history: xr.Dataset) -> None:
    """Name what was trained, and how, above the axes."""
    last = float(history["n_trials"].max())
    ax.set_xlim(0, 1.04 * last)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("trials learned")
    task = json.loads(str(history.attrs.get("parameters", "{}"))).get("task", "")
    method = str(history.attrs.get("method", "")).replace("_", "-")
    set_title(ax, plain(", ".join(name for name in (task, method) if name)))
    add_legend(ax)
