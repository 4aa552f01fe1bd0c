"""What a task needs before it can judge: trials of its own, and outputs that belong to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError

DIMS = ("output", "step_time", "trial")


def check_trials(task: Any, trials: Any) -> None:
    """Refuse what is no trials, and trials that another kind of task made.

    The parameters may differ, as they do when trials with one noise are judged by a task with
    another.  Trials that were put together by hand name no task.

    Raises
    ------
    TensorError
        Naming the task.
    """
    name = type(task).__name__
    if not isinstance(trials, xr.Dataset) or not {"target", "mask"} <= set(trials.data_vars):
        message = (
            f"expected the trials that the output belongs to, from {name}().sample; found "
            f"{_what(trials)}"
        )
        raise TensorError(message)
    made_by = trials.attrs.get("task")
    if made_by is not None and made_by not in [kind.__name__ for kind in type(task).__mro__]:
        message = f"{name} cannot judge trials that {made_by} made: use pdn.tasks.task_of(trials)"
        raise TensorError(message)


def check_outputs(n_outputs: int, trials: xr.Dataset) -> None:
    """Refuse a network with another number of outputs than the trials have targets.

    Raises
    ------
    TensorError
        With both numbers.
    """
    n_targets = trials.sizes["output"]
    if n_outputs != n_targets:
        message = (
            f"the trials have {n_targets} target outputs, the network gives {n_outputs}: "
            f"make it with n_outputs={n_targets}"
        )
        raise TensorError(message)


def read_output(task: Any, output: Any, trials: Any) -> xr.DataArray:
    """Return outputs as (output, step_time, trial), or say why they are not those of the trials.

    Parameters
    ----------
    task : Task
        The task that judges.
    output : DataArray (output, step_time, trial)
        Output of a network at the end of each step; labels of dims are optional.
    trials : Dataset
        The trials it was run on.

    Returns
    -------
    DataArray
        The outputs, with their dims in order.

    Raises
    ------
    TensorError
        If they have other dims, steps or trials, or are no numbers; if another task made the
        trials.
    """
    check_trials(task, trials)
    sizes = {dim: trials.sizes[dim] for dim in DIMS}
    wanted = ", ".join(f"{dim}: {size}" for dim, size in sizes.items())
    if not isinstance(output, xr.DataArray) or dict(output.sizes) != sizes:
        message = f"expected output as a DataArray ({wanted}), as the trials; found {_what(output)}"
        raise TensorError(message)
    if output.dtype.kind not in "fiub":
        message = f"output must hold numbers, found {output.dtype}"
        raise TensorError(message)
    if "step_time" in output.coords and "step_time" in trials.coords:
        slack = 0.01 * float(trials.attrs["dt"])
        if not np.allclose(output["step_time"], trials["step_time"], rtol=0, atol=slack):
            message = (
                f"output has other steps than the trials, whose dt is {trials.attrs['dt']:g} s"
            )
            raise TensorError(message)
    both = "trial" in output.coords and "trial" in trials.coords
    if both and not np.array_equal(output["trial"].to_numpy(), trials["trial"].to_numpy()):
        message = "output and trials have other ids of trials: take the output of these trials"
        raise TensorError(message)
    return output.transpose(*DIMS)


def _what(given: Any) -> str:
    """Name a thing by its dims, or its type."""
    if isinstance(given, xr.DataArray):
        return f"({', '.join(f'{dim}: {size}' for dim, size in given.sizes.items())})"
    if isinstance(given, xr.Dataset):
        return f"a Dataset with {', '.join(map(str, given.data_vars)) or 'nothing'}"
    return f"an array of shape {given.shape}" if isinstance(given, np.ndarray) else repr(given)[:80]
