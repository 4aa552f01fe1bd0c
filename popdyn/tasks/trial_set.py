"""What every task shares: the start of a draw, and the labelled Dataset of trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn import __version__
from popdyn.errors import TensorError
from popdyn.resample import Seed, as_generator
from popdyn.tasks.parameters import Steps

_TIME = {"units": "s", "clock": "session"}
Column = tuple[Any, dict[str, Any]]


class Task(Protocol):
    """What a task offers to the simulator and to the trainers.

    `sample` draws trials; `response` says what the outputs of a network on them mean; `teach`
    says what a target network is told on them.  A task of your own may do without `teach`: see
    `popdyn.tasks.lesson.lesson_of`.
    """

    def sample(
        self, n_trials: int, rng: int | np.random.Generator = 0, dt: float | None = None
    ) -> xr.Dataset:
        """Draw trials: inputs, target, mask, trial table and events."""
        ...

    def response(self, output: xr.DataArray, trials: xr.Dataset) -> xr.Dataset:
        """Return the behavior: ``response``, ``correct`` and, where there is one, ``choice``."""
        ...

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Return what a target network is told: inputs without noise, target, hints."""
        ...


@dataclass(frozen=True)
class Draw:
    """A draw of trials that is about to begin: how many, at which step, from which generator."""

    n_trials: int
    dt: float
    generator: np.random.Generator
    seed: str

    @classmethod
    def begin(cls, n_trials: int, rng: Seed, dt: float | None, task_dt: float) -> Draw:
        """Check what `sample` was given.

        Parameters
        ----------
        n_trials : int
            Number of trials.
        rng : int or numpy.random.Generator
            Seed, or generator to draw from.
        dt : float or None
            Step in seconds; None for the task's own.
        task_dt : float
            The task's own.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or the step is not positive.
        """
        given = task_dt if dt is None else dt
        step = float(given) if isinstance(given, (int, float, np.number)) else np.nan
        if not (np.isfinite(step) and step > 0):
            message = f"dt must be a positive number of seconds, found {dt!r}"
            raise TensorError(message)
        whole = isinstance(n_trials, (int, np.integer)) and not isinstance(n_trials, bool)
        if not whole or n_trials < 1:
            message = f"n_trials must be a whole number of at least 1, found {n_trials!r}"
            raise TensorError(message)
        generator, seed = as_generator(rng)
        return cls(int(n_trials), step, generator, seed)

    def aside(self) -> np.random.Generator:
        """Give a stream of its own, on which nothing else of the draw depends.

        It follows from the state of the generator, which stays as it is.
        """
        entropy = deepcopy(self.generator).integers(0, 2**32, size=4, dtype=np.uint64)
        # Without a spawn key, so that it is none of the children of `popdyn.resample.spawn`.
        return np.random.default_rng([int(word) for word in entropy])


def task_attrs(
    task: Any, draw: Draw, roles: Mapping[str, str], conditions: Mapping[str, int]
) -> dict[str, str]:
    """Say which task, with which parameters, made trials, and how many of each condition.

    Parameters
    ----------
    task : dataclass
        The task.
    draw : Draw
        What it was asked for.
    roles : mapping of role to column
        Such as ``{"stimulus": "stimulus"}``; those of the behavior are added by `simulate`.
    conditions : mapping of condition to int
        Number of trials of each, see `count_conditions`.

    Returns
    -------
    dict of str to str
        Attributes for `make_trials`.
    """
    return {
        "task": type(task).__name__,
        "parameters": json.dumps(asdict(task)),
        "roles": json.dumps(dict(roles)),
        "n_trials_by_condition": json.dumps(dict(conditions)),
        "seed": draw.seed,
    }


def make_trials(
    *,
    inputs: NDArray[np.float64],
    target: NDArray[np.float64],
    mask: NDArray[np.bool_],
    dt: float,
    events: Mapping[str, Steps],
    inter_trial: float | NDArray[np.float64],
    table: Mapping[str, Column],
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
    events : mapping of name to array, shape (trial,)
        Steps from the trial's start, in order; the last is the trial's end, ``stop_time``.
        NaN in trials that do not have the event.
    inter_trial : float or array, shape (trial,)
        Seconds between a trial's end and the next start, rounded to whole steps.
    table : mapping of name to (values, attrs)
        Columns of the trial table.
    attrs : mapping
        Attributes of the Dataset, see `task_attrs`.

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
    start = _starts(events, mask.shape[1], np.rint(np.asarray(inter_trial) / dt))
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


def _starts(events: Mapping[str, Any], n_trials: int, pause: NDArray[np.float64]) -> Steps:
    """Return the step at which each trial starts, or refuse events out of order."""
    relative = np.stack([np.zeros(n_trials), *events.values()])
    # Missing events are passed over: what counts is the latest one before.
    latest = np.fmax.accumulate(relative, axis=0)
    late = np.isnan(relative[1:]) | (relative[1:] > latest[:-1])
    if not late.all() or not np.isfinite(relative[-1]).all():
        message = f"events must be strictly increasing in every trial: {', '.join(events)}"
        raise TensorError(message)
    ends = np.cumsum(relative[-1] + pause).astype(np.int64)
    return np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])


def name_channels(trials: xr.Dataset, *names: str) -> xr.Dataset:
    """Say what each input channel is, for pictures: ``inputs.attrs["channels"]``, a JSON list."""
    inputs = trials["inputs"].assign_attrs(channels=json.dumps(names))
    return trials.assign(inputs=inputs)
