"""What outputs mean: a choice by the sign, an interval by a crossing."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.tasks.parameters import Steps


def choose(mean: NDArray[np.float64], target: NDArray[np.float64]) -> xr.Dataset:
    """Take the sign of an output as the choice.

    Parameters
    ----------
    mean : ndarray, shape (trial,)
        Mean output while the decision counts.
    target : ndarray, shape (trial,)
        The right choice, -1 or 1; 0 where there is none.

    Returns
    -------
    xarray.Dataset
        ``response``, the mean itself; ``choice``, its sign, NaN where it is exactly 0;
        ``correct``, 1 or 0, NaN where there is no right choice.
    """
    choice = np.where(mean == 0, np.nan, np.sign(mean))
    correct = np.where(target == 0, np.nan, (np.sign(mean) == target).astype(np.float64))
    says = {
        "response": "mean output while the decision counts",
        "choice": "sign of the response; NaN where it is exactly 0",
        "correct": "1 where the choice is the sign of the target, else 0; NaN on catch trials",
    }
    values = {"response": mean, "choice": choice, "correct": correct}
    columns: dict[str, Any] = {
        name: ("trial", values[name], {"units": "1", "description": text})
        for name, text in says.items()
    }
    return xr.Dataset(columns)


def mean_during(output: xr.DataArray, start: Steps, stop: Steps) -> NDArray[np.float64]:
    """Average outputs over the steps ``[start, stop)`` of each trial, ``(output, trial)``.

    NaN where there are no such steps.
    """
    values = output.to_numpy()
    step = np.arange(values.shape[1])[:, None]
    inside = (step >= start) & (step < stop)
    total = np.where(inside, values, 0.0).sum(axis=1)
    mean: NDArray[np.float64] = np.full(total.shape, np.nan)
    np.divide(total, inside.sum(axis=0), out=mean, where=inside.any(axis=0))
    return mean


def event_steps(trials: xr.Dataset, event: str) -> Steps:
    """Return the step of each trial at which an event is, counted from the trial's start."""
    seconds = trials[event].to_numpy() - trials["start_time"].to_numpy()
    steps: Steps = np.rint(seconds / float(trials.attrs["dt"])).astype(np.int64)
    return steps


def first_crossing(
    values: NDArray[np.float64], threshold: float, start: Steps, stop: Steps, dt: float
) -> NDArray[np.float64]:
    """Find when a series first rises to a threshold, between its steps.

    Parameters
    ----------
    values : ndarray, shape (step, trial)
        At the end of each step.
    threshold : float
        Crossed from below; the time is interpolated linearly between two steps.
    start, stop : ndarray of int, shape (trial,)
        Steps ``[start, stop)`` in which the crossing may lie.
    dt : float
        Step in seconds.

    Returns
    -------
    ndarray, shape (trial,)
        Seconds from the trial's start; NaN where there is no crossing.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.tasks.answers import first_crossing
    >>> rise = np.array([[0.0], [0.5], [1.5], [1.5]])
    >>> first_crossing(rise, 1.0, np.array([0]), np.array([4]), dt=0.1).round(9).tolist()
    [0.25]
    """
    # Before its first step a trial's output is not known: nothing can cross there.
    before = np.concatenate([np.full_like(values[:1], np.inf), values[:-1]])
    step = np.arange(len(values))[:, None]
    rises = (before < threshold) & (values >= threshold) & (step >= start) & (step < stop)
    first = rises.argmax(axis=0)
    trial = np.arange(values.shape[1])
    low, high = before[first, trial], values[first, trial]
    found = rises.any(axis=0)
    share = np.zeros(len(trial))
    np.divide(threshold - low, high - low, out=share, where=found)
    # The value before a step is the one at its start.
    return np.where(found, (first + share) * dt, np.nan)
