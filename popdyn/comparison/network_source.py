"""Make, train, run and observe a network, so that it arrives as a recording does."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from popdyn import network, tasks
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.source_spec import Model, Network
from popdyn.comparison.sources import (
    Prepared,
    blaming,
    from_session,
    noted,
    with_conditions,
    with_problems,
    with_roles,
)
from popdyn.comparison.spec import Alignment, Spec
from popdyn.errors import SpecError
from popdyn.network.rate import Rate
from popdyn.simulation.observe import observe
from popdyn.simulation.plan import steps_per_bin
from popdyn.simulation.run import simulate
from popdyn.tasks.trial_set import Task
from popdyn.tensor.align import align
from popdyn.tensor.contract import bin_centers, bin_width_of, column_names
from popdyn.tensor.result import add_history, digest
from popdyn.tensor.selection import matching
from popdyn.tensor.store import load
from popdyn.tensor.view import group_conditions
from popdyn.train.reservoir import reservoir

N_TRIALS = 100
LARGEST_ROUNDING = 1e-6  # s


@dataclass(frozen=True)
class Draft:
    """A network that has not run yet, and the trials it will perform.

    ``trained`` says that ``net`` went through the training its source asks for.
    """

    source: Model
    name: str
    net: Rate
    task: Task
    trials: xr.Dataset
    trained: bool = False

    def labels(self, by: tuple[str, ...]) -> list[str] | None:
        """Give the conditions of the trials; None where they depend on what the network does."""
        source = self.source
        if not isinstance(source, Network):
            return None
        needed = {*source.select, *(role.column for role in source.roles.values())}
        roles, columns = set(source.roles), set(column_names(self.trials, "trial"))
        if not needed <= columns | roles or not set(by) <= columns | roles:
            return None
        with blaming(self.name):
            trials = with_roles(self.trials, source.select, source.roles)
            return group_conditions(trials, list(by)).labels


def draft(source: Model, seed: int) -> Draft:
    """Make the network and draw its trials, which costs little.

    Parameters
    ----------
    source : Model
        A source of the spec, or the tables that describe a network.
    seed : int
        Seed of the comparison.

    Returns
    -------
    Draft

    Raises
    ------
    TensorError, SpecError
        Naming the source, if the network or its trials cannot be made as asked.
    """
    name = source.id if isinstance(source, Network) else "network"
    with blaming(name):
        task: Task = getattr(tasks, source.task.name)(**source.task.parameters)
        net = _network(source, task, derive_seed(seed, name, "network"))
        n_trials = int(source.simulate.get("n_trials", N_TRIALS))
        trials = task.sample(n_trials, derive_seed(seed, name, "trials"), dt=net.dt)
        return Draft(source, name, net, task, trials)


def _network(source: Model, task: Task, rng: int) -> Rate:
    """Load the network, or make one at random that fits the task."""
    if "path" in source.network:
        net = load(source.network["path"])
        if not isinstance(net, Rate):
            message = (
                f"{source.network['path'].name} holds no network but a {type(net).__name__}: "
                "save one with pdn.save(net, path)"
            )
            raise SpecError(message)
        return net
    sizes = task.sample(1, 0).sizes
    n_inputs, n_outputs = sizes["channel"], sizes["output"]
    return network.Rate.random(**source.network, n_inputs=n_inputs, n_outputs=n_outputs, rng=rng)


def run(plan: Draft, spec: Spec) -> Prepared:
    """Train the network, simulate it and look at it as a recording would.

    Parameters
    ----------
    plan : Draft
        From `draft`.
    spec : Spec
        The whole spec.

    Returns
    -------
    Prepared
        With spikes when the spec has ``observe``, else with the rates of all its neurons.

    Raises
    ------
    TensorError, FitError
        Naming the source.
    """
    source = plan.source
    if not isinstance(source, Network):
        message = f"expected a source of kind 'network', found {type(source).__name__}"
        raise SpecError(message)
    # One thread: small matrices lose time to threads, and bits to their number.
    with blaming(source.id), noted() as said, threadpool_limits(limits=1, user_api="blas"):
        prepared = _run(plan, source, spec)
        prepared = with_conditions(prepared, spec.conditions.by)
    return with_problems(prepared, said)


def train_draft(plan: Draft, seed: int) -> tuple[Rate, xr.Dataset]:
    """Train the readout of a draft's network.

    Parameters
    ----------
    plan : Draft
        From `draft`.
    seed : int
        Seed of the comparison.

    Returns
    -------
    net : Rate
        The trained network.
    history : Dataset
        From ``pdn.train.reservoir``.
    """
    rng = derive_seed(seed, plan.name, "train")
    return reservoir(plan.net, plan.task, **(plan.source.train or {}), rng=rng)


def trained(plan: Draft, seed: int) -> Draft:
    """Return a draft whose network is trained, if its source asks for that."""
    if plan.trained or plan.source.train is None:
        return plan
    return replace(plan, net=train_draft(plan, seed)[0], trained=True)


def simulate_draft(plan: Draft, seed: int, bin_width: float | None = None) -> xr.Dataset:
    """Train the network of a draft if asked to, and let it perform its trials.

    Parameters
    ----------
    plan : Draft
        From `draft`.
    seed : int
        Seed of the comparison.
    bin_width : float, optional
        Bins of the simulation (s), where nothing else is said.

    Returns
    -------
    Dataset
        From ``pdn.simulate``.
    """
    net = trained(plan, seed).net
    settings = {key: value for key, value in plan.source.simulate.items() if key != "n_trials"}
    if bin_width is not None:
        settings = {"bin_width": bin_width, **settings}
    rng = derive_seed(seed, plan.name, "simulate")
    return simulate(net, plan.trials, rng=rng, task=plan.task, source_id=plan.name, **settings)


def observe_draft(plan: Draft, simulated: xr.Dataset, seed: int) -> xr.Dataset:
    """Draw spikes of some neurons of a simulated network, as the source asks.

    Returns
    -------
    Session
        From ``pdn.observe``.
    """
    rng = derive_seed(seed, plan.name, "observe")
    return observe(simulated, **(plan.source.observe or {}), rng=rng)


def _run(plan: Draft, source: Network, spec: Spec) -> Prepared:
    plan = trained(plan, spec.seed)
    done = "readout trained on" if source.train is not None else "untrained, run on"
    task = type(plan.task).__name__
    when, name = spec.alignment, f"{source.id}: {plan.net.n_neurons} neurons, {done} {task}"
    if source.observe is not None:
        session = observe_draft(plan, simulate_draft(plan, spec.seed), spec.seed)
        prepared = from_session(session, source, source.align, when, name)
    else:
        simulated = simulate_draft(plan, spec.seed, common_width(plan, source.align, when))
        trials = with_roles(simulated["rate"], source.select, source.roles)
        tensor = on_bins(align(trials, source.align, when.window), source.align, when)
        keep = matching(tensor, "neuron", source.neurons or None)
        tensor = tensor.isel(neuron=np.flatnonzero(keep))
        prepared = Prepared(
            id=source.id,
            kind=source.kind,
            tensor=tensor,
            n_source=simulated.sizes["trial"],
        )
    return replace(prepared, inputs={name: digest(plan.net.to_dataset())})


def common_width(plan: Draft, event: str, when: Alignment) -> float:
    """Find the widest bins (s) whose edges hold both the events and the edges of the spec.

    A network's steps where the events are not known before it runs.
    """
    dt, trials = plan.net.dt, plan.trials
    n_steps = steps_per_bin(dt, when.bin_width)
    if event not in trials.coords:
        return dt
    offset = trials.coords[event].values - trials.coords["start_time"].values + when.window[0]
    steps = np.round(offset[np.isfinite(offset)] / dt).astype(int)
    return math.gcd(n_steps, *(int(own) for own in np.unique(steps))) * dt


def on_bins(tensor: xr.DataArray, event: str, when: Alignment) -> xr.DataArray:
    """Average an aligned tensor over the bins of the spec; NaN where one of its parts is.

    Raises
    ------
    SpecError
        If the events lie between the bins of the tensor, or a bin holds no whole number of them.
    """
    rounding = next(
        step["parameters"]["largest_rounding"]
        for step in reversed(json.loads(tensor.attrs["popdyn"]))
        if step["step"] == "align"
    )
    width = bin_width_of(tensor)
    n_parts = round(when.bin_width / width)
    if rounding > LARGEST_ROUNDING or not np.isclose(n_parts * width, when.bin_width, rtol=1e-6):
        message = (
            f"{event!r} plus the start of the window ({when.window[0]:g} s) lies up to "
            f"{rounding:.3g} s beside the edges of the network's bins of {width:g} s, and bins of "
            f"{when.bin_width:g} s are made of them: choose a window and bin_width that are whole "
            "multiples of the network's dt, leave simulate.bin_width out, or add observe = "
            "{n_neurons = ...}, whose spikes can be aligned to any time"
        )
        raise SpecError(message)
    if n_parts == 1:
        return tensor
    time = bin_centers(when.window, when.bin_width)
    shape = (tensor.sizes["neuron"], time.size, n_parts, tensor.sizes["trial"])
    values = tensor.values.reshape(shape).mean(axis=2, dtype=np.float64).astype(tensor.dtype)
    binned = tensor.isel(time=slice(0, None, n_parts)).copy(data=values)
    binned = binned.assign_coords(time=("time", time, {"units": "s"}))
    attrs = {**tensor.attrs, "bin_width": when.bin_width}
    return binned.assign_attrs(add_history(attrs, "average_bins", bin_width=when.bin_width))
