"""From trials back to the task they were drawn from."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import xarray as xr

from popdyn.errors import TensorError
from popdyn.tasks.context_decision import ContextDecision
from popdyn.tasks.delayed_match import DelayedMatch
from popdyn.tasks.detection import Detection
from popdyn.tasks.dual_task import DualTask
from popdyn.tasks.flip_flop import FlipFlop
from popdyn.tasks.frequency_discrimination import FrequencyDiscrimination
from popdyn.tasks.interval_discrimination import IntervalDiscrimination
from popdyn.tasks.interval_production import IntervalProduction
from popdyn.tasks.multisensory_decision import MultisensoryDecision
from popdyn.tasks.oscillation import Oscillation
from popdyn.tasks.parameters import as_tuples
from popdyn.tasks.parametric_working_memory import ParametricWorkingMemory
from popdyn.tasks.perceptual_decision import PerceptualDecision
from popdyn.tasks.ready_set_go import ReadySetGo
from popdyn.tasks.trial_set import Task

# One line per task; its parameters, saved with the trials as JSON, make it again.
TASKS: dict[str, Callable[..., Task]] = {
    "PerceptualDecision": PerceptualDecision,
    "Detection": Detection,
    "FrequencyDiscrimination": FrequencyDiscrimination,
    "IntervalDiscrimination": IntervalDiscrimination,
    "IntervalProduction": IntervalProduction,
    "ReadySetGo": ReadySetGo,
    "ContextDecision": ContextDecision,
    "MultisensoryDecision": MultisensoryDecision,
    "ParametricWorkingMemory": ParametricWorkingMemory,
    "DelayedMatch": DelayedMatch,
    "DualTask": DualTask,
    "FlipFlop": FlipFlop,
    "Oscillation": Oscillation,
}


def task_of(trials: xr.Dataset) -> Task | None:
    """Return the task that trials were drawn from, or None if they do not say.

    Parameters
    ----------
    trials : Dataset
        From a task's `sample`, also after saving and loading.

    Returns
    -------
    Task or None
        None for trials that were put together by hand.

    Raises
    ------
    TensorError
        If the trials name a task that popdyn does not have.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.PerceptualDecision(stimuli=(-1.0, 1.0))
    >>> pdn.tasks.task_of(task.sample(4)) == task
    True
    """
    name = trials.attrs.get("task")
    if name is None:
        return None
    if name not in TASKS:
        message = (
            f"trials were drawn from the task {name!r}, popdyn has {', '.join(TASKS)}: "
            "pass the task itself, simulate(net, trials, task=task)"
        )
        raise TensorError(message)
    parameters: dict[str, Any] = json.loads(trials.attrs["parameters"])
    # JSON has no tuples, and a frozen task must compare equal to the one that was saved.
    exact: dict[str, Any] = {key: as_tuples(value) for key, value in parameters.items()}
    return TASKS[name](**exact)
