"""Picture of a lesson: what a target network is told in one trial."""

from __future__ import annotations

from typing import Any

import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.lanes import channel_names, draw_trial, lanes_of, one_trial

_WANTED = ("inputs", "target", "hints")
_SOURCE = "a lesson from task.teach(trials)"


def lesson(lesson: xr.Dataset, *, trial: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the inputs, the target, the hints and the events of one trial.

    Each has a lane of its own, with its range beside its name; a gray line is zero.  All inputs
    have one scale, all targets another, and all hints a third.

    Parameters
    ----------
    lesson : Dataset
        From ``task.teach(trials)``.
    trial : int or str, optional
        Id of the trial; the first without.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time from the trial's start (s) against inputs, target and hints (dimensionless), a
        line at each event.

    Raises
    ------
    TensorError
        When this is no lesson, or there is no such trial.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.IntervalProduction()
    >>> pdn.plot.lesson(task.teach(task.sample(3, rng=0)), trial=2).get_xlabel()
    'time from start_time (s)'
    """
    one = one_trial(lesson, trial, _WANTED, _SOURCE)
    names = [str(name) for name in one["hint"].values] if "hint" in one.coords else []
    lanes = [
        *lanes_of(one, "inputs", "input", channel_names(one)),
        *lanes_of(one, "target", "target"),
        *lanes_of(one, "hints", "hint", names),
    ]
    ax = draw_trial(one, lanes, ax)
    ax.set_ylabel("input, target, hint (dimensionless)")
    return ax
