"""The spikes of a run of a spiking network, as a Session."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.spiking import Spiking
from popdyn.simulation.label import Labels, neuron_table, roles_of
from popdyn.simulation.spiking_run import Traces
from popdyn.simulation.start import TrialInputs
from popdyn.tensor.result import add_history
from popdyn.tensor.session import own_session

# Slack (s) for times that were computed in different orders.
_SLACK = 1e-9


def as_session(
    net: Spiking, run: TrialInputs, traces: Traces, labels: Labels, *, throughout: bool = False
) -> xr.Dataset:
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
    throughout : bool
        The network ran from the first start to the last end.

    Returns
    -------
    Session
        Neurons are observed while the network ran and at no other time.

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
    begin, end = run.start_time, stop
    if throughout:
        begin, end = begin.min(keepdims=True), end.max(keepdims=True)
    n = net.n_neurons
    observed = (np.tile(begin, n), np.tile(end, n), np.repeat(np.arange(n), len(begin)))
    columns = run.columns | labels.behavior
    return own_session(
        np.concatenate(times)[order],
        starts,
        neurons=neuron_table(net),
        trials={"id": run.trial} | {name: values for name, (values, _) in columns.items()},
        obs=observed,
        attrs={
            "source": "network",
            "source_id": labels.source_id,
            "simultaneous": 1,
            "problems": "[]",
            "seed": labels.seed,
            "roles": json.dumps(roles_of(run, labels)),
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
