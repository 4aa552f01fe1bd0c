"""Picture of a task: what a network is given and asked for in one trial."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    SMALL_FONT_SIZE,
    add_legend,
    condition_colors,
    event_line,
    new_axes,
    plain,
    set_title,
)


def task(trials: xr.Dataset, *, trial: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the inputs, the target and the events of one trial.

    The target is drawn where it counts; these steps are shaded.

    Parameters
    ----------
    trials : Dataset
        From ``task.sample``.
    trial : int or str, optional
        Id of the trial; the first without.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time from the trial's start (s) against inputs and target (dimensionless), a line at
        each event.

    Raises
    ------
    TensorError
        When these are no trials of a task, or there is no such trial.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = pdn.tasks.PerceptualDecision().sample(3, rng=0)
    >>> pdn.plot.task(trials, trial=2).get_xlabel()
    'time from start_time (s)'
    """
    one = _one_trial(trials, trial)
    ax = new_axes(ax)
    edges = np.append(one["step_time"].values, one["step_time"].values[-1] + trials.attrs["dt"])
    lasts = float(one["stop_time"] - one["start_time"])
    mask = one["mask"].values.astype(bool)
    ax.fill_between(
        edges,
        0,
        1,
        where=np.append(mask, mask[-1]),
        step="post",
        transform=ax.get_xaxis_transform(),
        color=NULL_COLOR,
        alpha=0.4,
        linewidth=0,
        label="counts",
    )
    lines = {f"input {i}": values for i, values in enumerate(one["inputs"].values)}
    targets = one["target"].where(one["mask"]).transpose("output", "step_time").values
    lines |= {f"target {i}": values for i, values in enumerate(targets)}
    for name, color in condition_colors(lines).items():
        width = LINE_WIDTH * (2 if name.startswith("target") else 0.7)
        ax.stairs(lines[name], edges, baseline=None, color=color, linewidth=width, label=name)
    _draw_events(ax, one)
    ax.set_xlim(0, lasts)
    ax.set_xlabel("time from start_time (s)")
    ax.set_ylabel("input and target (dimensionless)")
    add_legend(ax)
    return ax


def _one_trial(trials: xr.Dataset, trial: Any) -> xr.Dataset:
    """Pick a trial by its id, or say what is missing."""
    wanted = ("inputs", "target", "mask")
    missing = [name for name in wanted if name not in trials]
    if missing:
        message = (
            f"expected trials from task.sample with {', '.join(wanted)}; "
            f"{', '.join(missing)} not found"
        )
        raise TensorError(message)
    ids = [str(name) for name in trials["trial"].values]
    if trial is None:
        return trials.isel(trial=0)
    if str(trial) not in ids:
        near = get_close_matches(str(trial), ids, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        message = f"there is no trial with id {trial!r}.{hint} There are {len(ids)}: {ids[0]} ..."
        raise TensorError(message)
    return trials.isel(trial=ids.index(str(trial)))


def _draw_events(ax: Axes, one: xr.Dataset) -> None:
    """Draw a line with a name at each event within the trial, and the stimulus as title."""
    start, stop = float(one["start_time"]), float(one["stop_time"])
    names = json.loads(str(one.attrs.get("events", "[]")))
    inside = [name for name in names if start < float(one[name]) < stop]
    for name in inside:
        at = float(one[name]) - start
        event_line(ax, at)
        ax.annotate(
            plain(name.removesuffix("_time").replace("_", " ")),
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-2, -3),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="top",
            fontsize=SMALL_FONT_SIZE,
            color=GUIDE_COLOR,
            bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )
    if "stimulus" in one.coords:
        set_title(ax, f"trial {one['trial'].item()}, stimulus {float(one['stimulus']):g}")
