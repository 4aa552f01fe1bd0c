"""A lesson: what a target network is told on the very trials that a learner is shown.

Full-FORCE trains a network to do what a target network does, which is told more: stimuli
without noise, the output itself, and hints, such as the interval that has to be remembered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.tasks.parameters import as_tuples
from popdyn.tasks.reading import DIMS
from popdyn.tasks.timeline import Timeline

Array = NDArray[np.float64]

_INPUT_DIMS = ("channel", "step_time", "trial")
_HINT_DIMS = ("hint", "step_time", "trial")
# Targets that differ by more were edited.
_SLACK = 1e-6
# What may differ between a task and that of the trials: nothing of it changes how a stimulus is
# shown, and hints are scaled to the set of the task that teaches.
_FREE = frozenset(
    ("stimuli", "sensory_noise", "weber", "stimulus_noise", "catch_fraction", "balanced")
    + ("mask", "inter_trial", "dt", "absent_fraction", "onset", "settle_duration")
    + ("response_delay", "earliest", "tolerance", "settling_duration")
)


def timeline_of(task: Any, trials: Any, at_start: Mapping[str, str], *columns: str) -> Timeline:
    """Return the epochs of trials that a task is going to teach on.

    Parameters
    ----------
    task : Task
        The task that teaches.
    trials : Dataset
        From its `sample`.
    at_start : mapping of str to str
        The event at which each epoch starts.
    *columns : str
        What the task reads from the trials besides.

    Raises
    ------
    TensorError
        If the trials are those of another task, or their events were edited.
    """
    check_taught(task, trials)
    wanted = ("start_time", *at_start.values(), "stop_time", *columns)
    missing = [name for name in wanted if name not in trials.coords]
    if missing:
        message = (
            f"{type(task).__name__} cannot teach on trials without {', '.join(missing)}: take "
            "them as its sample returns them"
        )
        raise TensorError(message)
    return Timeline.of(trials, at_start)


def check_taught(task: Any, trials: Any) -> None:
    """Refuse trials that a task cannot teach on: none, or those of another task.

    Raises
    ------
    TensorError
        Naming the task, or the parameter that differs.
    """
    name = type(task).__name__
    if not isinstance(trials, xr.Dataset) or not {"inputs", "target"} <= set(trials.data_vars):
        message = f"{name} teaches on trials from its sample, found {_what(trials)}"
        raise TensorError(message)
    made_by = trials.attrs.get("task")
    parameters = trials.attrs.get("parameters")
    own_kind = made_by in [kind.__name__ for kind in type(task).__mro__]
    if not own_kind or parameters is None or "dt" not in trials.attrs:
        by_hand = own_kind or made_by is None
        found = "trials put together by hand" if by_hand else f"trials that {made_by} made"
        message = f"{name} cannot teach on {found}: use the task that they were drawn from"
        raise TensorError(message)
    theirs, own = json.loads(parameters), asdict(task)
    for field, value in own.items():
        free = field in _FREE or field in trials.coords
        if not free and as_tuples(theirs.get(field)) != as_tuples(value):
            message = (
                f"{name} cannot teach on trials drawn with {field}={theirs.get(field)!r}, its own "
                f"is {value!r}: use pdn.tasks.task_of(trials)"
            )
            raise TensorError(message)


def make_lesson(
    trials: xr.Dataset, inputs: Array, target: Array, hints: Mapping[str, Array]
) -> xr.Dataset:
    """Label what a task tells a target network.

    Parameters
    ----------
    trials : Dataset
        The trials.
    inputs : ndarray, shape (channel, step, trial)
        As shown, with the true stimuli and without noise.
    target : ndarray, shape (output, step, trial)
        What the task asks for on trials with these stimuli and events.
    hints : mapping of name to array, shape (step, trial)
        Zero after a trial's end.

    Returns
    -------
    xarray.Dataset
        ``inputs (channel, step_time, trial)``, ``target (output, step_time, trial)``, ``hint
        (hint, step_time, trial)``, with columns and attributes of the trials.

    Raises
    ------
    TensorError
        If the trials have another target: their table, events or target were edited.
    """
    n_steps = trials.sizes["step_time"]
    asked = trials["target"].transpose(*DIMS).to_numpy()
    wanted = _padded(target, n_steps)
    fits = wanted.shape == asked.shape
    # Written so that NaN is no target either.
    right = fits and (np.abs(wanted - asked) <= _SLACK).all(axis=(0, 1))
    n_wrong = trials.sizes["trial"] - np.count_nonzero(right)
    if n_wrong:
        message = (
            f"the target of {n_wrong} of {trials.sizes['trial']} trials is not what the task asks "
            "for with their stimuli and events: trials were edited, take them as sample returns "
            "them"
        )
        raise TensorError(message)
    stacked = np.stack(list(hints.values())) if hints else np.zeros((0, *asked.shape[1:]))
    return _labelled(trials, _padded(inputs, n_steps), _padded(stacked, n_steps), list(hints))


def lesson_of(task: Any, trials: xr.Dataset) -> xr.Dataset:
    """Return what a target network is told on trials, whatever task they come from.

    A task of your own says it in a method ``teach(trials)``; without one the inputs and the
    target of the trials are all, and there are no hints.

    Parameters
    ----------
    task : Task
        The task that the trials were drawn from.
    trials : Dataset
        From its ``sample``.

    Returns
    -------
    xarray.Dataset
        ``inputs (channel, step_time, trial)``, ``target (output, step_time, trial)`` and
        ``hint (hint, step_time, trial)``, with the names of hints as coordinate.

    Raises
    ------
    TensorError
        If the trials have no target, or what `teach` returned has another number of channels,
        outputs, steps or trials than the trials, or holds what is no finite number.

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tasks.lesson import lesson_of
    >>> task = pdn.tasks.IntervalProduction()
    >>> lesson_of(task, task.sample(11))["hint"].values.tolist()[:3]
    ['memory', 'clock', 'stimulus phase']
    """
    name = type(task).__name__
    _check_target(name, trials)
    teach = getattr(task, "teach", None)
    if teach is None:
        inputs = trials["inputs"].transpose(*_INPUT_DIMS).to_numpy().astype(np.float64)
        lesson = _labelled(trials, inputs, np.zeros((0, *inputs.shape[1:])), [])
    else:
        lesson = teach(trials)
    _check_lesson(name, lesson, trials)
    return lesson


def _labelled(trials: xr.Dataset, inputs: Array, hints: Array, names: list[str]) -> xr.Dataset:
    """Put arrays in a Dataset with the columns of the trials."""
    variables: dict[str, Any] = {
        "inputs": (_INPUT_DIMS, inputs, dict(trials["inputs"].attrs)),
        "target": trials["target"].transpose(*DIMS).variable.copy(),
        "hints": (_HINT_DIMS, hints, {"units": "1"}),
    }
    coords = {**trials.coords, "hint": np.array(names, dtype=np.str_)}
    return xr.Dataset(variables, coords=coords, attrs={**trials.attrs, "method": "lesson"})


def _padded(values: Array, n_steps: int) -> Array:
    """Add zeros to the steps, ``(..., step, trial)``: the longest trials may have been left out."""
    width = [(0, 0)] * values.ndim
    width[-2] = (0, max(n_steps - values.shape[-2], 0))
    return np.pad(values, width)


def _check_target(name: str, trials: Any) -> None:
    """Refuse trials that say nothing about what an output should be."""
    held = set(trials.data_vars) if isinstance(trials, xr.Dataset) else set()
    if not {"inputs", "target"} <= held:
        message = (
            f"expected trials with inputs and a target, found {_what(trials)}: the sample of "
            f"{name} must return 'inputs (channel, step_time, trial)' and 'target (output, "
            "step_time, trial)', or there is nothing to learn"
        )
        raise TensorError(message)
    for variable, dims in (("inputs", _INPUT_DIMS), ("target", DIMS)):
        if set(trials[variable].dims) != set(dims):
            message = (
                f"{variable} of the trials of {name} must have the dims {', '.join(dims)}, found "
                f"{', '.join(map(str, trials[variable].dims))}"
            )
            raise TensorError(message)


def _check_lesson(name: str, lesson: Any, trials: xr.Dataset) -> None:
    """Refuse a lesson that does not fit the trials."""
    wanted = ("inputs", "target", "hints")
    held = list(lesson.data_vars) if isinstance(lesson, xr.Dataset) else []
    if not set(wanted) <= set(held):
        message = (
            f"{name}.teach must return a Dataset with {', '.join(wanted)}, found {_what(lesson)}"
        )
        raise TensorError(message)
    sizes = {
        "inputs": {dim: trials.sizes[dim] for dim in _INPUT_DIMS},
        "target": {dim: trials.sizes[dim] for dim in DIMS},
        "hints": {dim: trials.sizes.get(dim, lesson.sizes.get(dim)) for dim in _HINT_DIMS},
    }
    for variable, size in sizes.items():
        values = lesson[variable]
        if dict(values.sizes) != size:
            message = (
                f"{variable} of the lesson of {name} must have {_sizes(size)}, as the trials; "
                f"found {_sizes(values.sizes)}: let {name}.teach return an entry for each step "
                "of each trial that it is given"
            )
            raise TensorError(message)
        if values.dtype.kind not in "fiub" or not np.isfinite(values.to_numpy()).all():
            message = (
                f"{variable} of the lesson of {name} must be finite numbers, found "
                f"{_wrong(values)}: use 0 where there is nothing to tell"
            )
            raise TensorError(message)
    _check_names(name, lesson)


def _check_names(name: str, lesson: xr.Dataset) -> None:
    """Refuse hints that cannot be told apart by name."""
    n_hints = lesson.sizes.get("hint", 0)
    if not n_hints:
        return
    names = lesson["hint"].to_numpy().astype(str).tolist() if "hint" in lesson.coords else []
    twice = sorted({one for one in names if names.count(one) > 1})
    if not names or twice:
        found = f"{', '.join(twice)} more than once" if twice else "no coordinate 'hint'"
        message = (
            f"each of the {n_hints} hints of the lesson of {name} needs a name of its own in the "
            f"coordinate 'hint', found {found}"
        )
        raise TensorError(message)


def _wrong(values: xr.DataArray) -> str:
    """Say what is no finite number in an array."""
    if values.dtype.kind not in "fiub":
        return str(values.dtype)
    n_wrong = int((~np.isfinite(values.to_numpy())).sum())
    return f"{n_wrong} that are NaN or infinite"


def _sizes(sizes: Mapping[Any, Any]) -> str:
    """Write sizes as a sentence has them."""
    parts = [f"{dim}: {'any' if size is None else size}" for dim, size in sizes.items()]
    return f"({', '.join(parts)})"


def _what(given: Any) -> str:
    """Name a thing by what it holds, or its type."""
    if isinstance(given, xr.Dataset):
        return f"a Dataset with {', '.join(map(str, given.data_vars)) or 'nothing'}"
    return f"a {type(given).__name__}"
