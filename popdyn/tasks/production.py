"""Producing an interval: the output that shows it, and when an output shows one.

What interval production and ready-set-go share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.tasks.answers import event_steps, first_crossing
from popdyn.tasks.fields import check_durations, check_numbers, check_shared
from popdyn.tasks.parameters import (
    Steps,
    as_tuples,
    check_duration,
    check_number,
    check_option,
    draw_seconds,
    shortest,
    whole_steps,
)
from popdyn.tasks.reading import read_output
from popdyn.tasks.signals import check_senses
from popdyn.tasks.trial_set import Draw

SHAPES = ("ramp", "bump")
_CLOCK = {"units": "s", "clock": "session"}


@dataclass(frozen=True)
class Shape:
    """The output asked for after the event that starts an interval.

    Either shape rises through the threshold exactly at the end of the interval.

    Attributes
    ----------
    kind : {"ramp", "bump"}
        A ramp ``threshold · elapsed / interval`` that ends at ``ramp_end`` intervals; or a
        bump ``(4 x (1 - x))³``, the shape of a Beta(4, 4) density with a peak of 1.
    threshold : float
        Dimensionless.
    ramp_end : float
        In intervals.
    bump_duration : float
        In seconds.
    """

    kind: str
    threshold: float
    ramp_end: float
    bump_duration: float

    @property
    def rise(self) -> float:
        """Time from the start of the bump to its threshold, in seconds."""
        return float(self.bump_duration * (1 - np.sqrt(1 - self.threshold ** (1 / 3))) / 2)

    def stop(self, interval: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when the shape ends, in seconds from its event."""
        if self.kind == "ramp":
            return self.ramp_end * interval
        return interval + (self.bump_duration - self.rise)

    def output(
        self, elapsed: NDArray[np.float64], interval: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the output at times since the event, both in seconds; 0 outside the shape."""
        # The slack keeps rounding errors from taking away the last step.
        shown = (elapsed > 0) & (elapsed <= self.stop(interval) + 1e-9)
        if self.kind == "ramp":
            return np.where(shown, self.threshold * elapsed / interval, 0.0)
        x = (elapsed - interval + self.rise) / self.bump_duration
        return np.where(shown & (x > 0), np.clip(4 * x * (1 - x), 0.0, None) ** 3, 0.0)


def shape_of(task: Any) -> Shape:
    """Return the shape a task asks for; the threshold is 1 for ramps, 0.5 for bumps."""
    usual = 1.0 if task.target_shape == "ramp" else 0.5
    threshold = usual if task.threshold is None else float(task.threshold)
    return Shape(task.target_shape, threshold, task.ramp_end, task.bump_duration)


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked for after the event: its length in steps, the target, the steps that count."""

    n_steps: Steps
    interval: NDArray[np.float64]
    shape: Shape
    dt: float

    @classmethod
    def draw(cls, task: Any, interval: NDArray[np.float64], draw: Draw) -> Asked:
        """Work out how long a trial goes on after the event.

        Raises
        ------
        TensorError
            If the step is too coarse to show the end of a ramp.
        """
        shape = shape_of(task)
        if shape.kind == "ramp" and (interval.min() * (shape.ramp_end - 1) < draw.dt).any():
            message = (
                f"a ramp that ends at {shape.ramp_end:g} of {interval.min():g} s does not reach "
                f"the end of the interval in steps of dt={draw.dt:g} s: use a smaller dt"
            )
            raise TensorError(message)
        settle = draw_seconds(task.settle_duration, draw.n_trials, draw.generator)
        n_steps = whole_steps(shape.stop(interval) + settle, draw.dt)
        return cls(n_steps, interval, shape, draw.dt)

    def target_and_mask(
        self, event: Steps, n_all: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the target ``(1, step, trial)`` and the steps of the shape ``(step, trial)``."""
        # An output belongs to the end of its step.
        elapsed = np.float64(self.dt) * (np.arange(1.0, n_all + 1)[:, None] - event)
        target = self.shape.output(elapsed, self.interval)
        counts = (elapsed > 0) & (elapsed <= self.shape.stop(self.interval) + 1e-9)
        return target[None], counts


def check_production(task: Any, name: str, epochs: Iterable[str]) -> None:
    """Check and store the parameters that tasks of production share.

    `name` is that of the stimulus sets, which are stored as tuples.

    Raises
    ------
    TensorError
        Naming the parameter.
    """
    object.__setattr__(task, name, as_tuples(getattr(task, name)))
    check_shared(task)
    check_durations(task, epochs)
    settle = check_duration("settle_duration", task.settle_duration, allow_zero=True)
    object.__setattr__(task, "settle_duration", settle)
    check_senses(task, 1)
    check_numbers(task, "pulse_duration", "bump_duration", "tolerance", above_zero=True)
    check_numbers(task, "earliest")
    check_option("target_shape", task.target_shape, SHAPES)
    _check_shape(task)


def check_fits(task: Any, intervals: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
    """Refuse intervals that are shorter than what has to happen in them.

    Raises
    ------
    TensorError
        Naming the parameter and the interval.
    """
    delay = shortest(getattr(task, "delay_duration", np.inf))
    least = min(float(intervals.min()), delay)
    if task.pulse_duration >= least:
        message = (
            f"pulse_duration ({task.pulse_duration:g} s) must be shorter than the shortest "
            f"interval and delay ({least:g} s), or pulses run into each other"
        )
        raise TensorError(message)
    shape = shape_of(task)
    early = shape.rise if shape.kind == "bump" else 0.0
    if max(task.earliest, early) >= targets.min():
        message = (
            f"the shortest interval to produce ({targets.min():g} s) must be longer than "
            f"earliest ({task.earliest:g} s) and than the rise of a bump ({early:g} s)"
        )
        raise TensorError(message)


def produced(task: Any, output: xr.DataArray, trials: xr.Dataset, event: str) -> xr.Dataset:
    """Read the interval that the first output produced after an event.

    Returns
    -------
    xarray.Dataset
        ``produced_interval`` and the same as ``response``, NaN if the threshold was never
        crossed; ``production_time`` on the session's clock; ``correct``, 1 or 0, NaN on catch
        trials.
    """
    values = read_output(task, output, trials).to_numpy()[0]
    dt = float(trials.attrs["dt"])
    start = event_steps(trials, event)
    earliest = start + round(task.earliest / dt)
    stop = event_steps(trials, "stop_time")
    crossing = first_crossing(values, shape_of(task).threshold, earliest, stop, dt)
    interval = crossing - start * dt
    wanted = trials["target_interval"].to_numpy()
    # NaN compares as False: no response is not correct.
    close = np.abs(interval - wanted) <= task.tolerance * wanted
    correct = np.where(np.isnan(wanted), np.nan, close.astype(np.float64))
    when = trials["start_time"].to_numpy() + crossing
    says = f"first rise of the output to {shape_of(task).threshold:g} after {event}; NaN if never"
    near = f"1 within {task.tolerance:g} of the interval to produce, else 0; NaN on catch trials"
    seconds = {"units": "s", "description": says}
    columns: dict[str, Any] = {
        "response": ("trial", interval, seconds),
        "produced_interval": ("trial", interval, seconds),
        "production_time": ("trial", when, {**_CLOCK, "description": says}),
        "correct": ("trial", correct, {"units": "1", "description": near}),
    }
    return xr.Dataset(columns)


def _check_shape(task: Any) -> None:
    """Refuse a target that never shows the interval."""
    if check_number("ramp_end", task.ramp_end) <= 1:
        message = f"ramp_end must be above 1 interval, found {task.ramp_end!r}"
        raise TensorError(message)
    if task.threshold is None:
        return
    threshold = check_number("threshold", task.threshold, above_zero=True)
    if task.target_shape == "bump" and threshold >= 1:
        message = f"threshold must be below 1, the peak of the bump, found {threshold:g}"
        raise TensorError(message)
