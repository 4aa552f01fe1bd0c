"""Tasks: stimulus sets, event times, inputs and targets."""

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
from popdyn.tasks.parametric_working_memory import ParametricWorkingMemory
from popdyn.tasks.perceptual_decision import PerceptualDecision
from popdyn.tasks.ready_set_go import ReadySetGo
from popdyn.tasks.registry import task_of
from popdyn.tasks.trial_set import Task

__all__ = [
    "ContextDecision",
    "DelayedMatch",
    "Detection",
    "DualTask",
    "FlipFlop",
    "FrequencyDiscrimination",
    "IntervalDiscrimination",
    "IntervalProduction",
    "MultisensoryDecision",
    "Oscillation",
    "ParametricWorkingMemory",
    "PerceptualDecision",
    "ReadySetGo",
    "Task",
    "task_of",
]
