"""What every task shares: drawing conditions and durations, and the Dataset of trials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn import __version__
from popdyn.errors import TensorError

Duration = float | tuple[float, float]
Steps = NDArray[np.int64]
_TIME = {"units": "s", "clock": "session"}


class Task(Protocol):
    """What a task offers to the simulator and to the trainers.

    `sample` draws trials; `response` says what the outputs of a network on them mean.
    """

    def sample(
        self, n_trials: int, rng: int | np.random.Generator = 0, dt: float | None = None
    ) -> xr.Dataset:
        """Draw trials: inputs, target, mask, trial table and events."""
        ...

    def response(self, output: xr.DataArray, trials: xr.Dataset) -> xr.Dataset:
        """Return the behavior, at least ``choice (trial)`` and ``correct (trial)``."""
        ...


def draw_conditions(
    values: Sequence[float], n_trials: int, balanced: bool, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Draw one value per trial: independently, or in equal numbers (±1) and random order."""
    if not balanced:
        return generator.choice(np.asarray(values, dtype=np.float64), n_trials)
    n_each, n_left = divmod(n_trials, len(values))
    extra = generator.permutation(len(values))[:n_left]
    position = np.concatenate([np.tile(np.arange(len(values)), n_each), extra])
    shuffled: NDArray[np.float64] = np.asarray(values)[generator.permutation(position)]
    return shuffled


def epoch_steps(
    epochs: Mapping[str, Duration], n_trials: int, dt: float, generator: np.random.Generator
) -> dict[str, Steps]:
    """Draw the duration of each epoch in whole steps, the nearest to the seconds asked for.

    Raises
    ------
    TensorError
        If an epoch comes out shorter than one step.
    """
    steps: dict[str, Steps] = {}
    for name, duration in epochs.items():
        low, high = duration if isinstance(duration, tuple) else (duration, duration)
        seconds = generator.uniform(low, high, n_trials) if high > low else np.full(n_trials, low)
        # The slack keeps a duration of x.5 steps from falling with its rounding error.
        steps[name] = np.floor(seconds / dt + 0.5 + 1e-9).astype(np.int64)
        if steps[name].min() < 1:
            message = (
                f"{name} of {seconds.min():g} s is shorter than one step of dt={dt:g} s: "
                "use a longer duration or a smaller dt"
            )
            raise TensorError(message)
    return steps


def make_trials(
    *,
    inputs: NDArray[np.float64],
    target: NDArray[np.float64],
    mask: NDArray[np.bool_],
    dt: float,
    events: Mapping[str, Steps],
    inter_trial: float,
    table: Mapping[str, tuple[Any, dict[str, Any]]],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """Put trials one after the other on the session's clock and label everything.

    Parameters
    ----------
    inputs : ndarray, shape (channel, step, trial)
        Dimensionless inputs, zero after a trial's end.
    target : ndarray, shape (output, step, trial)
        What each output should be, dimensionless, where the mask is set.
    mask : ndarray of bool, shape (step, trial)
        Steps that count for the loss and for the response.
    dt : float
        Step in seconds.
    events : mapping of name to int array, shape (trial,)
        Steps from the trial's start, in order; the last is the trial's end, ``stop_time``.
    inter_trial : float
        Seconds between a trial's end and the next start, rounded to whole steps.
    table : mapping of name to (values, attrs)
        Columns of the trial table.
    attrs : mapping
        Attributes of the Dataset.

    Returns
    -------
    xarray.Dataset
        ``inputs``, ``target``, ``mask`` and the columns on ``trial``; see a task's `sample`.

    Raises
    ------
    TensorError
        If a trial has no step in its mask or its events are not strictly increasing.
    """
    empty = np.flatnonzero(~mask.any(axis=0))
    if empty.size:
        message = (
            f"{empty.size} of {mask.shape[1]} trials have no step that counts for the response "
            f"(first: trial {empty[0]}): lengthen the decision epoch"
        )
        raise TensorError(message)
    relative = np.stack([np.zeros(mask.shape[1], dtype=np.int64), *events.values()])
    if (np.diff(relative, axis=0) <= 0).any():
        message = f"events must be strictly increasing in every trial: {', '.join(events)}"
        raise TensorError(message)
    pause = round(inter_trial / dt)
    start = np.concatenate([[0], np.cumsum(relative[-1] + pause)[:-1]])
    columns: dict[str, Any] = {"start_time": (start * dt, _TIME)}
    columns |= {name: ((start + steps) * dt, _TIME) for name, steps in events.items()}
    coords: dict[str, Any] = {
        "step_time": (
            "step_time",
            np.arange(mask.shape[0]) * dt,
            {"units": "s", "description": "start of each step relative to start_time"},
        ),
        "trial": np.arange(mask.shape[1]),
    }
    coords |= {name: ("trial", *column) for name, column in (columns | dict(table)).items()}
    variables = {
        "inputs": (("channel", "step_time", "trial"), inputs, {"units": "1"}),
        "target": (("output", "step_time", "trial"), target, {"units": "1"}),
        "mask": (("step_time", "trial"), mask),
    }
    shared = {"method": "task", "dt": float(dt), "events": json.dumps(["start_time", *events])}
    return xr.Dataset(
        variables, coords=coords, attrs={**shared, "popdyn_version": __version__, **attrs}
    )


def masked_mean(values: xr.DataArray, mask: xr.DataArray) -> NDArray[np.float64]:
    """Average outputs over the steps that count, ``(output, trial)``; NaN without such steps."""
    weights = mask.transpose("step_time", "trial").to_numpy().astype(np.float64)
    array = values.transpose("output", "step_time", "trial").to_numpy()
    total = np.einsum("ost,st->ot", array, weights)
    n_steps = weights.sum(axis=0)
    mean: NDArray[np.float64] = np.full(total.shape, np.nan)
    np.divide(total, n_steps, out=mean, where=n_steps > 0)
    return mean
