"""Two stimuli in a row, compared: what interval and frequency discrimination share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.tasks.answers import choose, event_steps, mean_during
from popdyn.tasks.conditions import Conditions, draw_positions
from popdyn.tasks.fields import check_durations, check_numbers, check_shared
from popdyn.tasks.parameters import as_tuples, shortest
from popdyn.tasks.reading import read_output
from popdyn.tasks.signals import check_senses, measure
from popdyn.tasks.timeline import Timeline
from popdyn.tasks.trial_set import Column, Draw

# Each epoch and the event at which it starts.
EPOCHS = {
    "fixation": "start_time",
    "stimulus": "stimulus_on_time",
    "delay": "stimulus_off_time",
    "stimulus_2": "stimulus_2_on_time",
    "decision": "decision_time",
}


# What they say of the stimuli.
STIMULUS_COLUMNS = ("stimulus", "stimulus_2", "measured_stimulus", "measured_stimulus_2")


@dataclass(frozen=True, eq=False)
class Pairs:
    """The two stimuli of each trial.

    Attributes
    ----------
    true : ndarray, shape (2, trial)
        In the units of the task; those of catch trials are not shown.
    measured : ndarray, shape (2, trial)
        What the senses make of them.
    present : ndarray of bool, shape (trial,)
        False on catch trials.
    """

    true: NDArray[np.float64]
    measured: NDArray[np.float64]
    present: NDArray[np.bool_]

    @classmethod
    def draw(cls, task: Any, conditions: Conditions, draw: Draw) -> Pairs:
        """Draw the pair of each trial and the errors of the senses."""
        n_pairs, share = len(conditions.values), conditions.weights * (1 - task.catch_fraction)
        if task.catch_fraction:
            share = np.append(share, task.catch_fraction)
        weights = None if (share == share[0]).all() else share
        position = draw_positions(len(share), draw.n_trials, task.balanced, draw.generator, weights)
        # A catch trial lasts as long as one with some pair.
        lasts_like = draw.generator.integers(n_pairs, size=draw.n_trials)
        present = position < n_pairs
        true = conditions.values[np.where(present, position, lasts_like)].T
        return cls(true, measure(true, task.sensory_noise, task.weber, draw.generator), present)

    @classmethod
    def of(cls, trials: xr.Dataset) -> Pairs:
        """Read the pairs of trials that were drawn; the stimuli of catch trials are 0."""
        columns = np.stack([trials[name].to_numpy() for name in STIMULUS_COLUMNS])
        shown = np.nan_to_num(columns)
        return cls(shown[:2], shown[2:], np.isfinite(columns[0]))

    @property
    def target(self) -> NDArray[np.float64]:
        """The right choice: 1 where the second is larger, -1 smaller, 0 equal or catch."""
        return np.where(self.present, np.sign(self.true[1] - self.true[0]), 0.0)

    def table(self, measured: NDArray[np.float64], units: str) -> dict[str, Column]:
        """Columns of the trial table; NaN on catch trials."""
        shown = np.where(self.present, self.true, np.nan)
        sensed = np.where(self.present, measured, np.nan)
        says = {"units": units, "description": "true stimulus; NaN on catch trials"}
        sense = {"units": units, "description": "stimulus that reached the network"}
        right = "1: the second is larger, -1: it is smaller; 0 on catch trials"
        return {
            "stimulus": (shown[0], says),
            "stimulus_2": (shown[1], says),
            "measured_stimulus": (sensed[0], sense),
            "measured_stimulus_2": (sensed[1], sense),
            "target_choice": (self.target, {"units": "1", "description": right}),
        }


def check_paired(task: Any, epochs: Iterable[str]) -> None:
    """Check and store the parameters that tasks with two stimuli share.

    Raises
    ------
    TensorError
        Naming the parameter.
    """
    object.__setattr__(task, "stimuli", as_tuples(task.stimuli))
    check_shared(task)
    check_durations(task, epochs)
    check_senses(task, 2)
    check_numbers(task, "response_delay")
    if task.response_delay >= shortest(task.decision_duration):
        message = (
            f"response_delay ({task.response_delay:g} s) must end before the decision does: "
            f"decision_duration is {task.decision_duration!r} s"
        )
        raise TensorError(message)


def target_and_mask(
    task: Any, pairs: Pairs, timeline: Timeline
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Ask for the right choice during the decision and for 0 before."""
    decision = timeline.during("decision")
    mask = timeline.alive if task.mask == "trial" else decision
    return np.where(decision, pairs.target, 0.0)[None], mask


def compare(task: Any, output: xr.DataArray, trials: xr.Dataset) -> xr.Dataset:
    """Take the sign of the first output, from `response_delay` into the decision, as choice."""
    output = read_output(task, output, trials)
    delay = round(task.response_delay / float(trials.attrs["dt"]))
    start = event_steps(trials, "decision_time") + delay
    # A coarse step must leave one to read from.
    stop = event_steps(trials, "stop_time")
    mean = mean_during(output, np.minimum(start, stop - 1), stop)[0]
    return choose(mean, trials["target_choice"].to_numpy())
