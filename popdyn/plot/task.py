"""Picture of a task: what a network is given and asked for in one trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from popdyn.plot.lanes import channel_names, draw_trial, edges_of, lanes_of, one_trial
from popdyn.plot.style import NULL_COLOR, add_legend

_WANTED = ("inputs", "target", "mask")
_SOURCE = "trials from task.sample(n_trials, rng)"


def task(trials: xr.Dataset, *, trial: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the inputs, the target and the events of one trial.

    Each input and each target has a lane of its own, with its range beside its name; a gray line is
    zero.  All inputs have one scale and all targets another, so that noise looks as small as it is.
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
    one = one_trial(trials, trial, _WANTED, _SOURCE)
    counted = one.assign(target=one["target"].where(one["mask"]))
    lanes = lanes_of(one, "inputs", "input", channel_names(one))
    ax = draw_trial(one, [*lanes, *lanes_of(counted, "target", "target")], ax)
    _shade(ax, edges_of(one), one["mask"].values.astype(bool))
    ax.set_ylabel("input, target (dimensionless)")
    add_legend(ax)
    return ax


def _shade(ax: Axes, edges: NDArray[np.float64], mask: NDArray[np.bool_]) -> None:
    """Shade the steps that count."""
    ax.fill_between(
        edges,
        0,
        1,
        where=np.append(mask, mask[-1]).tolist(),
        step="post",
        transform=ax.get_xaxis_transform(),
        color=NULL_COLOR,
        alpha=0.4,
        linewidth=0,
        label="counts",
    )
