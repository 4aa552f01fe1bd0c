"""What a run becomes: tensors on the recording's bins, with the table of trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.kinds import Network
from popdyn.network.spiking import Spiking
from popdyn.simulation.start import TrialInputs
from popdyn.tasks import Task, task_of
from popdyn.tasks.reading import check_outputs, check_trials
from popdyn.tasks.registry import TASKS
from popdyn.tensor.build import make_tensor
from popdyn.tensor.columns import table_columns, table_ids
from popdyn.tensor.contract import DIMS, bin_centers
from popdyn.tensor.result import add_history, make_result

# Outputs of steps that are judged at once.
_AT_ONCE = 2**22

Column = tuple[NDArray[Any], dict[str, Any]]


@dataclass(frozen=True)
class Labels:
    """What the result says about itself."""

    bin_width: float  # s
    source_id: str
    seed: str
    parameters: dict[str, Any]
    behavior: dict[str, Column]
    digest: str  # of what the numbers were computed from
    said: Mapping[str, Any] = field(default_factory=dict)  # further attributes
    first_bin: int = 0  # bins before the trials' starts


def judges(task: Task | None, trials: xr.Dataset | None, n_outputs: int) -> Task | None:
    """Return the task that says what outputs on these trials mean, None where nothing does.

    Raises
    ------
    TensorError
        If it is no task, or not that of the trials, or the network's `n_outputs` are not as many
        as the targets.
    """
    if trials is None or not {"mask", "target"} <= set(trials.data_vars):
        return None
    if task is None:
        judge = task_of(trials)
        if judge is not None:
            check_outputs(n_outputs, trials)
        return judge
    if not callable(getattr(task, "response", None)) or isinstance(task, type):
        message = f"expected a task such as pdn.tasks.Detection(), found {task!r}"
        raise TensorError(message)
    if type(task).__name__ in TASKS:
        check_trials(task, trials)
    check_outputs(n_outputs, trials)
    return task


def behavior_of(judge: Task | None, trials: xr.Dataset, step_output: Any) -> dict[str, Column]:
    """Ask the task what the outputs mean: columns with attributes.

    Some trials at a time: the outputs ``(output, step_time, trial)`` may lie in a file.
    """
    if judge is None:
        return {}
    n_outputs, n_steps, n_trials = step_output.shape
    at_once = max(1, _AT_ONCE // (n_outputs * n_steps))
    answers = [
        judge.response(
            xr.DataArray(step_output[:, :, part], dims=("output", "step_time", "trial")),
            trials.isel(trial=part),
        )
        for part in (slice(i, i + at_once) for i in range(0, n_trials, at_once))
    ]
    return {
        str(name): (np.concatenate([answer[name].to_numpy() for answer in answers]), dict(c.attrs))
        for name, c in answers[0].data_vars.items()
    }


def roles_of(run: TrialInputs, labels: Labels) -> dict[str, Any]:
    """Return the roles of the trials, with those of what the network did."""
    found = ("choice", "response", "correct")
    return run.roles | {name: name for name in found if name in labels.behavior}


def neuron_table(net: Network) -> dict[str, Any]:
    """Return the neurons' ids, and their populations."""
    table: dict[str, Any] = {"id": np.arange(net.n_neurons)}
    population = getattr(net, "population", None)
    return table if population is None else {**table, "population": population}


def as_tensors(
    net: Network,
    run: TrialInputs,
    labels: Labels,
    values: Mapping[str, tuple[Any, str]],
    others: Mapping[str, Any],
) -> xr.Dataset:
    """Label what was kept in bins.

    Parameters
    ----------
    net : Rate, LowRank or Spiking
        The network.
    run : TrialInputs
        Its trials.
    labels : Labels
        What the result says about itself.
    values : mapping of name to (array, units)
        Quantities ``(neuron, time, trial)``; arrays may lie in a file.
    others : mapping of name to array
        ``output (output, time, trial)``, and other means whose rows are not neurons.

    Returns
    -------
    xarray.Dataset
        A tensor per quantity, and the others.
    """
    tensors = {
        name: _tensor(net, run, labels, array, name=name, units=units)
        for name, (array, units) in values.items()
    }
    # Without any a tensor of no neurons still carries the columns and the attributes.
    first = next(iter(tensors.values()), None)
    if first is None:
        units = "Hz" if isinstance(net, Spiking) else "1"
        first = _finish(run, labels, _shell(run, labels, others["output"].shape[1], "rate", units))
    shared: dict[Any, Any] = {} if tensors else dict(first.drop_vars("neuron").coords)
    result = make_result(
        {
            **tensors,
            **{
                name: ((name, "time", "trial"), array, {"units": "1"})
                for name, array in others.items()
            },
        },
        coords=shared,
        method="simulate",
        parameters=labels.parameters,
        source=first,
        seed=labels.seed,
    )
    return result.assign_attrs(_said(run, labels))


def _said(run: TrialInputs, labels: Labels) -> dict[str, Any]:
    return {**labels.said, "roles": json.dumps(roles_of(run, labels))}


def _tensor(
    net: Network, run: TrialInputs, labels: Labels, values: Any, *, name: str, units: str
) -> xr.DataArray:
    """Make one tensor, aligned to the starts of the trials, around values it does not copy."""
    shell = _shell(run, labels, values.shape[1], name, units, neuron_table(net))
    table, n_neurons = neuron_table(net), net.n_neurons
    trials = {key: column for key, (column, _) in (run.columns | labels.behavior).items()}
    columns = table_columns(table, trials, n_neurons, run.n_trials)
    of_neurons = {key: column for key, column in columns.items() if column[0] == "neuron"}
    coords: dict[Any, Any] = {
        key: coord for key, coord in shell.coords.items() if "neuron" not in coord.dims
    }
    coords["neuron"] = table_ids(table, n_neurons, "neuron")
    coords |= of_neurons
    tensor = xr.DataArray(values, dims=DIMS, coords=coords, name=name, attrs=shell.attrs)
    tensor.attrs["input_digest"] = labels.digest
    return _finish(run, labels, tensor)


def _finish(run: TrialInputs, labels: Labels, tensor: xr.DataArray) -> xr.DataArray:
    """Say where the trials lie on the session's clock, and how the tensor was made."""
    clock = {"units": "s", "clock": "session"}
    tensor = tensor.assign_coords(align_time=("trial", run.start_time, clock))
    history = add_history({}, "simulate", **labels.parameters, seed=labels.seed)
    return tensor.assign_attrs({**_said(run, labels), **history})


def _shell(
    run: TrialInputs,
    labels: Labels,
    n_bins: int,
    name: str,
    units: str,
    neurons: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Make a tensor of no neurons, with all that does not depend on them."""
    columns, width = run.columns | labels.behavior, labels.bin_width
    before = labels.first_bin * width
    return make_tensor(
        np.empty((0, n_bins, run.n_trials), dtype=np.float32),
        bin_centers((-before, n_bins * width - before), width),
        trials={"id": run.trial} | {key: column for key, (column, _) in columns.items()},
        neurons={key: column[:0] for key, column in (neurons or {}).items()} or None,
        name=name,
        units=units,
        source="network",
        source_id=labels.source_id,
        align="start_time",
        bin_width=width,
        column_attrs={key: attrs for key, (_, attrs) in columns.items()},
    )
