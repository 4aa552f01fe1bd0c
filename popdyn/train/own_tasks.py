"""What a task must be before anything is learned from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.train.identity import is_own

# Trials of a task of one's own that are looked at.
_N_SEEN = 4
_DIMS = {
    "inputs": ("channel", "step_time", "trial"),
    "target": ("output", "step_time", "trial"),
    "mask": ("step_time", "trial"),
}


def check_task(task: Any) -> None:
    """Refuse what is no task.

    Raises
    ------
    TensorError
        Saying what it is.
    """
    if isinstance(task, (str, type)) or not hasattr(task, "sample"):
        trials = isinstance(task, xr.Dataset)
        found = "a Dataset: give the task itself, not its trials" if trials else f"{task!r:.60}"
        message = f"task must be a task, for example pdn.tasks.PerceptualDecision(); found {found}"
        raise TensorError(message)


def check_own_task(task: Any, dt: float) -> None:
    """Refuse a task of one's own whose trials or answers are not what training needs.

    Parameters
    ----------
    task : Task
        One of popdyn's is taken as it is.
    dt : float
        Step in seconds.

    Raises
    ------
    TensorError
        Naming the method that returned something else, and what.
    """
    if not is_own(task):
        return
    name = type(task).__name__
    trials = task.sample(_N_SEEN, 0, dt=dt)
    _check_trials(name, trials)
    if not callable(getattr(task, "response", None)):
        message = f"{name} needs a method response(output, trials) that says which were correct"
        raise TensorError(message)
    # As outputs are judged in a simulation: by dims alone.
    output = xr.DataArray(
        trials["target"].transpose(*_DIMS["target"]).to_numpy(), dims=_DIMS["target"]
    )
    answer = task.response(output, trials)
    held = list(answer.data_vars) if isinstance(answer, xr.Dataset) else []
    if "correct" not in held:
        message = (
            f"{name}.response must return a Dataset with 'correct (trial)', found {_what(answer)}"
        )
        raise TensorError(message)
    correct = answer["correct"]
    if correct.dims != ("trial",) or correct.dtype.kind not in "biuf":
        message = (
            f"'correct' of {name}.response must be numbers (trial), 1 right, 0 wrong and NaN of "
            f"trials without right answer; found {correct.dtype} {correct.dims}"
        )
        raise TensorError(message)


def _check_trials(name: str, trials: Any) -> None:
    """Refuse trials that nothing can be learned from."""
    missing = [one for one in _DIMS if not isinstance(trials, xr.Dataset) or one not in trials]
    if missing:
        said = "; ".join(f"{one} ({', '.join(_DIMS[one])})" for one in missing)
        message = f"{name}.sample must return a Dataset with {said}; found {_what(trials)}"
        raise TensorError(message)
    for one, dims in _DIMS.items():
        if set(trials[one].dims) != set(dims):
            message = (
                f"{one} of the trials of {name} must have the dims {', '.join(dims)}, found "
                f"{', '.join(map(str, trials[one].dims))}"
            )
            raise TensorError(message)
        n_wrong = int((~np.isfinite(trials[one].to_numpy().astype(np.float64))).sum())
        if n_wrong:
            message = (
                f"{one} of the trials of {name} holds {n_wrong} values that are NaN or infinite: "
                "use 0, and a mask of 0 where nothing is asked"
            )
            raise TensorError(message)
    if not trials["mask"].to_numpy().any():
        message = (
            f"the mask of the trials of {name} is 0 everywhere: no step counts, there is nothing "
            "to learn"
        )
        raise TensorError(message)


def _what(given: Any) -> str:
    """Name a thing by what it holds, or its type."""
    if isinstance(given, xr.Dataset):
        return f"a Dataset with {', '.join(map(str, given.data_vars)) or 'nothing'}"
    return f"a {type(given).__name__}"
