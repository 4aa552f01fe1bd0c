"""Epochs of trials in whole steps, and the way from conditions to a labelled Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.tasks.answers import choose, event_steps, mean_during
from popdyn.tasks.conditions import count_conditions, draw_positions
from popdyn.tasks.parameters import Steps, draw_seconds, epoch_steps
from popdyn.tasks.reading import read_output
from popdyn.tasks.signals import during, white_noise
from popdyn.tasks.trial_set import Column, Draw, make_trials, task_attrs

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Timeline:
    """Epochs that follow each other from a trial's start to its end.

    Attributes
    ----------
    n_steps : dict of str to int array, shape (trial,)
        Number of steps of each epoch, in order.
    at_start : mapping of str to str
        The event at which each epoch starts; the first is ``start_time``.
    dt : float
        Step in seconds.
    """

    n_steps: dict[str, Steps]
    at_start: Mapping[str, str]
    dt: float

    @classmethod
    def draw(cls, task: Any, at_start: Mapping[str, str], draw: Draw) -> Timeline:
        """Draw the duration of each epoch, ``task.<epoch>_duration``, for each trial.

        Raises
        ------
        TensorError
            If one comes out shorter than a step.
        """
        wanted = {f"{name}_duration": getattr(task, f"{name}_duration") for name in at_start}
        steps = epoch_steps(wanted, draw.n_trials, draw.dt, draw.generator)
        n_steps = {name.removesuffix("_duration"): count for name, count in steps.items()}
        return cls(n_steps, at_start, draw.dt)

    @classmethod
    def of(cls, trials: xr.Dataset, at_start: Mapping[str, str]) -> Timeline:
        """Read the epochs of trials that were drawn from their events.

        Raises
        ------
        TensorError
            If the events are not at whole steps, in order and within the trials, or the steps
            were cut: somebody edited them.
        """
        dt = float(trials.attrs["dt"])
        start = trials["start_time"].to_numpy()
        events = [*at_start.values(), "stop_time"]
        at = np.stack([(trials[event].to_numpy() - start) / dt for event in events])
        steps = np.rint(at)
        n_shown = trials.sizes["step_time"]
        whole = bool((np.abs(at - steps) < 1e-3).all() and (np.diff(steps, axis=0) > 0).all())
        zero = abs(float(trials["step_time"][0])) < 1e-3 * dt
        if not whole or not zero or steps[-1].max() > n_shown:
            message = (
                f"{', '.join(events)} must follow each other at whole steps of dt={dt:g} s, within "
                f"the {n_shown} steps of the trials: trials were edited, take them as sample "
                "returns them"
            )
            raise TensorError(message)
        n_steps = np.diff(steps, axis=0).astype(np.int64)
        return cls(dict(zip(at_start, n_steps, strict=True)), at_start, dt)

    @property
    def ends(self) -> dict[str, Steps]:
        """Steps from a trial's start to the end of each epoch, each ``(trial,)``."""
        ends = np.cumsum(list(self.n_steps.values()), axis=0)
        return dict(zip(self.n_steps, ends, strict=True))

    @property
    def n_all(self) -> int:
        """Steps of the longest trial."""
        return int(sum(self.n_steps.values(), start=np.zeros(1, np.int64)).max())

    def during(self, first: str, last: str | None = None) -> NDArray[np.bool_]:
        """Tell which steps are in an epoch, or from one to the end of another, (step, trial)."""
        ends = self.ends
        return during(
            ends[first] - self.n_steps[first], ends[first if last is None else last], self.n_all
        )

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Which steps are before a trial's end, ``(step, trial)``."""
        return during(0, self.ends[list(self.n_steps)[-1]], self.n_all)

    def events(self) -> dict[str, Steps]:
        """Return the steps from a trial's start to each event, ending with ``stop_time``."""
        names = [*list(self.at_start.values())[1:], "stop_time"]
        return dict(zip(names, self.ends.values(), strict=True))

    def noise(self, n_channels: int, std: float, draw: Draw) -> Array:
        """Draw noise of input channels, ``(channel, step, trial)``, 0 after a trial's end."""
        noise = white_noise(std, draw.n_trials, self.n_all, self.dt, draw.generator, n_channels)
        return np.where(self.alive, noise, 0.0)


def draw_cells(
    weights: Sequence[float] | Array, catch_fraction: float, balanced: bool, draw: Draw
) -> NDArray[np.intp]:
    """Draw the position of each trial's condition; -1 makes it a catch trial.

    `weights` say how often conditions come compared with each other.  Catch trials are a
    condition of their own, with their share of all trials.
    """
    share = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    if catch_fraction:
        share = np.append(share * (1 - catch_fraction), catch_fraction)
    equal = bool(np.all(share == share[0]))
    position = draw_positions(
        len(share), draw.n_trials, balanced, draw.generator, None if equal else share
    )
    return np.where(position == len(weights), -1, position)


def draw_rows(
    weights: Sequence[float] | Array, task: Any, draw: Draw
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Draw each trial's condition, and whether it is shown: a catch trial lasts as long as some."""
    cell = draw_cells(weights, task.catch_fraction, task.balanced, draw)
    if not task.catch_fraction:
        return cell, np.ones(draw.n_trials, dtype=bool)
    lasts_like = draw.generator.integers(len(weights), size=draw.n_trials)
    return np.where(cell < 0, lasts_like, cell), cell >= 0


def assemble(
    task: Any,
    draw: Draw,
    timeline: Timeline,
    *,
    inputs: Array,
    target: Array,
    mask: NDArray[np.bool_],
    table: Mapping[str, Column],
    roles: Mapping[str, str],
    conditions: Sequence[str],
) -> xr.Dataset:
    """Make the Dataset of trials: events, columns, and what the trials say about themselves.

    `conditions` names the columns whose combinations are counted in ``n_trials_by_condition``.
    """
    columns = [table[name][0] for name in conditions]
    count = _count(*columns) if columns else {"all": draw.n_trials}
    lasted = {
        f"{name}_duration": (n_steps * draw.dt, {"units": "s"})
        for name, n_steps in timeline.n_steps.items()
    }
    return make_trials(
        inputs=inputs,
        target=target,
        mask=mask,
        dt=draw.dt,
        events=timeline.events(),
        inter_trial=draw_seconds(task.inter_trial, draw.n_trials, draw.generator),
        table={**table, **lasted},
        attrs=task_attrs(task, draw, roles, count),
    )


def _count(*columns: NDArray[Any]) -> dict[str, int]:
    """Count the trials of each condition; those that lack a number or a name are catch trials."""
    named = np.all([c != "" if c.dtype.kind == "U" else c == c for c in columns], axis=0)
    n_catch = int((~named).sum())
    count = count_conditions(*(column[named] for column in columns))
    return count | ({"catch": n_catch} if n_catch else {})


def sign_of_output(task: Any, output: xr.DataArray, trials: xr.Dataset) -> xr.Dataset:
    """Take the sign of the first output's mean over the decision as choice, see `choose`."""
    output = read_output(task, output, trials)
    start, stop = event_steps(trials, "decision_time"), event_steps(trials, "stop_time")
    return choose(mean_during(output, start, stop)[0], trials["target_choice"].to_numpy())
