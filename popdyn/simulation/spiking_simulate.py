"""What `simulate` does for a spiking network: a Session of spikes, or tensors on bins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.network.spiking import Spiking
from popdyn.simulation.keep import STEPS, Keeper, Shapes
from popdyn.simulation.label import as_tensors
from popdyn.simulation.plan import Plan
from popdyn.simulation.rate_run import keeping
from popdyn.simulation.recording import tiles_of
from popdyn.simulation.spiking_around import stream_around
from popdyn.simulation.spiking_label import as_session
from popdyn.simulation.spiking_run import Traces, run_spiking
from popdyn.simulation.spiking_setup import noise_of_step
from popdyn.simulation.spiking_stream import stream_spiking
from popdyn.tensor.store import load, save


def simulate_spiking(net: Spiking, plan: Plan, n_jobs: int | None) -> xr.Dataset:
    """Run, keep and label.

    Parameters
    ----------
    net : Spiking
        The network.
    plan : Plan
        What was asked for.
    n_jobs : int or None
        Trials run at once.

    Returns
    -------
    Dataset
        As `popdyn.simulate` returns it.

    Raises
    ------
    TensorError, FitError
        As `popdyn.simulate`.
    """
    extra = {"dtype": plan.dtype}
    if "spikes" in plan.record:
        traces = _traces(net, plan, slice(None), n_jobs)
        labels = plan.labels(traces.step_output, {}, **extra)
        session = as_session(net, plan.run, traces, labels, throughout=plan.continuous)
        return session if plan.path is None else load(save(session, plan.path), lazy=True)
    run = plan.run
    shapes = Shapes(
        net.n_neurons, net.n_outputs, plan.n_bins(net.dt), len(run.inputs), run.n_trials
    )
    with keeping(plan, shapes, (*plan.record, "output")) as keeper:
        for part in _parts(plan):
            if not keeper.has(part):
                _keep(keeper, part, _traces(net, plan, part, n_jobs), plan)
        steps = keeper.steps() if plan.judge is not None else None
        labels = plan.labels(steps, {"potential_unit": net.unit}, **extra)

        def labelled(values: Mapping[str, Any]) -> xr.Dataset:
            units = {"rate": "Hz", "spike_count": "1"}
            tensors = {name: (values[name], units.get(name, net.unit)) for name in plan.record}
            return as_tensors(net, run, labels, tensors, {"output": values["output"]})

        return keeper.result(labelled)


def _parts(plan: Plan) -> Iterator[slice]:
    """Return the trials of each call: all, unless they go to a file."""
    whole = plan.path is None or plan.continuous
    yield from tiles_of(plan.run.n_trials, plan.run.n_trials if whole else plan.tile)


def _traces(net: Spiking, plan: Plan, part: slice, n_jobs: int | None) -> Traces:
    """Run some of the trials."""
    noise_std = noise_of_step(net, *plan.noise)
    if plan.continuous:
        stream = stream_around if any(plan.around) else stream_spiking
        return stream(net, plan, noise_std)
    state = plan.initial_state
    if state is not None and np.ndim(state) == 2 and np.shape(state)[1] == plan.run.n_trials:
        state = np.asarray(state)[:, part]
    return run_spiking(
        net,
        plan.run.part(part),
        steps_per_bin=plan.every,
        record=plan.record,
        initial_state=state,
        noise_std=noise_std,
        generators=plan.generators[part],
        dtype=plan.dtype,
        n_jobs=n_jobs,
    )


def _keep(keeper: Keeper, part: slice, traces: Traces, plan: Plan) -> None:
    """Keep what was recorded of some trials."""
    for name in plan.record:
        keeper.put_trials(name, part, _quantity(traces, name, plan.parameters["bin_width"]))
    keeper.put_trials("output", part, traces.output)
    if STEPS in keeper.names:
        keeper.put_trials(STEPS, part, traces.step_output)
    keeper.finish(part)


def _quantity(traces: Traces, name: str, bin_width: float) -> NDArray[Any]:
    """Return the values of a tensor."""
    kept = {"potential": traces.potential, "current": traces.current}.get(name, traces.counts)
    if kept is None:
        kept = np.empty((0, 0, 0), np.float32)
    return kept / np.float32(bin_width) if name == "rate" else kept
