"""Tasks: stimulus sets, event times, inputs and targets."""

from popdyn.tasks.perceptual_decision import PerceptualDecision
from popdyn.tasks.registry import task_of
from popdyn.tasks.trial_set import Task

__all__ = ["PerceptualDecision", "Task", "task_of"]
