"""How a training begins: what it is told is read, and what makes it this training written down."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from popdyn.errors import TensorError
from popdyn.network.kinds import Network
from popdyn.network.rate import Rate
from popdyn.network.real_numbers import real_number
from popdyn.network.spiking import Spiking
from popdyn.simulation.start import check_noise
from popdyn.tasks import Task
from popdyn.tensor.result import as_json, digest
from popdyn.train.checkpoint import Checkpoint
from popdyn.train.course import Lessons
from popdyn.train.identity import is_own, own_task
from popdyn.train.reservoir import check_net_and_task
from popdyn.train.stream import Filters

# A training may go on to more trials than it was first asked for.
_MAY_DIFFER = ("n_trials",)


@dataclass(frozen=True)
class Beginning:
    """What every rule needs before its first trial.

    Attributes
    ----------
    about : dict
        ``method``, ``parameters`` and ``seed`` of the history.
    checkpoint : Checkpoint or None
        Where the state is kept.
    seeds : SeedSequence
        Where blocks of trials come from.
    """

    about: dict[str, Any]
    checkpoint: Checkpoint | None
    seeds: np.random.SeedSequence

    def lessons(self, task: Task, dt: float, filters: Filters) -> Lessons:
        """Return the lessons of a task."""
        return Lessons(task, dt, filters, self.seeds)


def begin(
    method: str,
    net: Network,
    task: Task,
    parameters: Mapping[str, Any],
    generator: np.random.Generator,
    seed: str,
    checkpoint: str | os.PathLike[str] | None,
    target: Rate | None = None,
    kinds: tuple[type[Any], ...] = (Rate, Spiking),
) -> Beginning:
    """Check network, task and noise, and write down what this training is.

    Parameters
    ----------
    method : str
        Name of the rule.
    net : Rate, LowRank or Spiking
        The network.
    task : Task
        The task.
    parameters : mapping
        What else the rule was told.
    generator : numpy.random.Generator
        Advanced by 128 bits.
    seed : str
        Its seed.
    checkpoint : path-like or None
        Where the state is kept.
    target : Rate, optional
        The target network that was given.
    kinds : tuple of types
        Networks that the rule can train.

    Returns
    -------
    Beginning

    Raises
    ------
    TensorError
        If network, task or noise are none.
    SourceError
        If the place of the checkpoint is none.
    """
    check_net_and_task(net, task, kinds)
    noise = {name: parameters.get(name, 0.0) for name in ("noise_density", "noise_step")}
    check_noise(**noise)
    drawn = task.sample(1, 0, dt=net.dt)
    told: dict[str, Any] = {
        # NumPy's numbers are the same training as Python's.
        **json.loads(as_json(dict(parameters))),
        "task": drawn.attrs.get("task", type(task).__name__),
        "task_parameters": drawn.attrs.get("parameters", ""),
    }
    run = {
        "method": method,
        **{name: value for name, value in told.items() if name not in _MAY_DIFFER},
        "network": digest(net.to_dataset()),
        "target network": "" if target is None else digest(target.to_dataset()),
        "seed": seed,
        **({"own task": own_task(task, net.dt)} if checkpoint is not None and is_own(task) else {}),
    }
    words = [int(word) for word in generator.integers(0, 2**32, size=4, dtype=np.uint64)]
    place = None if checkpoint is None else Checkpoint.at(checkpoint, run)
    about = {"method": method, "parameters": told, "seed": seed}
    return Beginning(about, place, np.random.SeedSequence(words))


def seconds(name: str, given: float, dt: float) -> float:
    """Read a time constant that is 0 or at least a step.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    value = real_number(name, given, "a number of seconds")
    if not (value == 0 or dt <= value < np.inf):
        message = f"{name} must be 0 (none) or at least a step, {dt:g} s; found {given!r}"
        raise TensorError(message)
    return value


def positive(name: str, given: float) -> float:
    """Read a number above 0.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    value = real_number(name, given, "a positive number")
    if not (np.isfinite(value) and value > 0):
        message = f"{name} must be a positive number, found {given!r}"
        raise TensorError(message)
    return value


def share(name: str, given: float) -> float:
    """Read a number above 0 and at most 1.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    value = real_number(name, given, "a share, above 0 and at most 1")
    if not 0 < value <= 1:
        message = f"{name} must be above 0 and at most 1, found {given!r}"
        raise TensorError(message)
    return value
