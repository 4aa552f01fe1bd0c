"""What a run of a spiking network becomes: a Session of its spikes, or tensors on bins."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.spiking import Spiking
from popdyn.simulation.spiking_run import Traces
from popdyn.simulation.start import TrialInputs
from popdyn.tensor.build import make_tensor
from popdyn.tensor.contract import bin_centers
from popdyn.tensor.result import add_history, make_result
from popdyn.tensor.session import own_session

# Slack (s) for times that were computed in different orders.
_SLACK = 1e-9
Column = tuple[NDArray[Any], dict[str, Any]]


@dataclass(frozen=True)
class Labels:
    """What the result says about itself."""

    bin_width: float  # s
    source_id: str
    seed: str
    parameters: dict[str, Any]
    behavior: dict[str, Column]


def as_result(
    net: Spiking, run: TrialInputs, traces: Traces, labels: Labels, record: tuple[str, ...]
) -> xr.Dataset:
    """Return a Session where spikes were asked for, else tensors."""
    if "spikes" in record:
        return as_session(net, run, traces, labels)
    return as_tensors(net, run, traces, labels, record)


def as_session(net: Spiking, run: TrialInputs, traces: Traces, labels: Labels) -> xr.Dataset:
    """Put the spikes of all trials on the session's clock.

    A spike happens within a step, at whose end the neuron is reset; its time is the middle of
    that step, so that it never falls on the edge of a bin of whole steps.

    Parameters
    ----------
    net : Spiking
        The network.
    run : TrialInputs
        Its trials.
    traces : Traces
        What was kept.
    labels : Labels
        What the session says about itself.

    Returns
    -------
    Session
        Neurons are observed during trials and at no other time.

    Raises
    ------
    TensorError
        If trials overlap on the clock.
    """
    stop = run.start_time + run.n_steps * net.dt
    _refuse_overlap(run.start_time, stop)
    times = [
        start + (step + 0.5) * net.dt
        for start, step in zip(run.start_time, traces.spike_step, strict=True)
    ]
    neuron = np.concatenate(traces.spike_neuron)
    # The short type sorts in linear time.
    order = np.argsort(neuron.astype(np.uint16) if net.n_neurons < 2**16 else neuron, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(neuron, minlength=net.n_neurons))])
    n, owner = net.n_neurons, np.repeat(np.arange(net.n_neurons), run.n_trials)
    columns = run.columns | labels.behavior
    return own_session(
        np.concatenate(times)[order],
        starts,
        neurons=_neuron_table(net),
        trials={"id": run.trial} | {name: values for name, (values, _) in columns.items()},
        obs=(np.tile(run.start_time, n), np.tile(stop, n), owner),
        attrs={
            "source": "network",
            "source_id": labels.source_id,
            "simultaneous": 1,
            "problems": "[]",
            "seed": labels.seed,
            "roles": json.dumps(_roles(run, labels)),
            **add_history({}, "simulate", **labels.parameters, seed=labels.seed),
        },
        column_attrs={name: attrs for name, (_, attrs) in columns.items()},
    )


def _refuse_overlap(start: NDArray[np.float64], stop: NDArray[np.float64]) -> None:
    """Refuse trials that share time: a neuron would have two pasts."""
    order = np.argsort(start, kind="stable")
    n_overlap = int((start[order][1:] < stop[order][:-1] - _SLACK).sum())
    if n_overlap:
        message = (
            f"{n_overlap} trials start before the one before has stopped on the session's clock: "
            "spikes cannot be told apart. Sample trials with a longer inter_trial, or record "
            "'spike_count'"
        )
        raise TensorError(message)


def as_tensors(
    net: Spiking, run: TrialInputs, traces: Traces, labels: Labels, record: tuple[str, ...]
) -> xr.Dataset:
    """Label what was kept in bins.

    Parameters
    ----------
    net : Spiking
        The network.
    run : TrialInputs
        Its trials.
    traces : Traces
        What was kept.
    labels : Labels
        What the result says about itself.
    record : tuple of str
        What was asked for.

    Returns
    -------
    xarray.Dataset
        A tensor per quantity, and ``output (output, time, trial)``.
    """
    said = {"roles": json.dumps(_roles(run, labels)), "potential_unit": net.unit}
    history = add_history({}, "simulate", **labels.parameters, seed=labels.seed)
    tensors = {}
    for name in dict.fromkeys(record):
        values, units = _quantity(net, traces, name, labels.bin_width)
        tensor = _tensor(net, run, labels, values, name=name, units=units)
        tensor.attrs = {**tensor.attrs, **said, **history}
        tensors[name] = tensor
    # Without any a tensor of no neurons still carries the columns and the attributes.
    nobody = np.empty((0, *traces.output.shape[1:]), dtype=np.float32)
    first = next(iter(tensors.values()), None)
    if first is None:
        first = _tensor(net, run, labels, nobody, name="rate", units="Hz")
        first.attrs = {**first.attrs, **said, **history}
    shared: dict[Any, Any] = dict(first.drop_vars("neuron").coords)
    result = make_result(
        {**tensors, "output": (("output", "time", "trial"), traces.output, {"units": "1"})},
        coords={} if tensors else shared,
        method="simulate",
        parameters=labels.parameters,
        source=first,
        seed=labels.seed,
    )
    return result.assign_attrs(said)


def _quantity(
    net: Spiking, traces: Traces, name: str, bin_width: float
) -> tuple[NDArray[np.float32] | None, str]:
    """Return the values of a tensor and their units."""
    if name == "rate" and traces.counts is not None:
        return traces.counts / np.float32(bin_width), "Hz"
    if name == "spike_count":
        return traces.counts, "1"
    return (traces.potential if name == "potential" else traces.current), net.unit


def _tensor(
    net: Spiking, run: TrialInputs, labels: Labels, values: Any, *, name: str, units: str
) -> xr.DataArray:
    """Make one tensor, aligned to the starts of the trials."""
    columns = run.columns | labels.behavior
    width = labels.bin_width
    return make_tensor(
        values,
        bin_centers((0.0, values.shape[1] * width), width),
        trials={"id": run.trial} | {key: column for key, (column, _) in columns.items()},
        neurons=_neuron_table(net) if len(values) else None,
        name=name,
        units=units,
        source="network",
        source_id=labels.source_id,
        align="start_time",
        bin_width=width,
        align_time=run.start_time,
        column_attrs={key: attrs for key, (_, attrs) in columns.items()},
    )


def _neuron_table(net: Spiking) -> dict[str, Any]:
    """Return the neurons' ids, and their populations."""
    table: dict[str, Any] = {"id": np.arange(net.n_neurons)}
    return table if net.population is None else {**table, "population": net.population}


def _roles(run: TrialInputs, labels: Labels) -> dict[str, Any]:
    """Return the roles of the trials, with those of what the network did."""
    found = ("choice", "response", "correct")
    return run.roles | {name: name for name in found if name in labels.behavior}
