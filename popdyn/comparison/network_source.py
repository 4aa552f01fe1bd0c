"""Make, train, run and observe a network, so that it arrives as a recording does."""

from __future__ import annotations

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
from popdyn.comparison.spec import Spec
from popdyn.errors import SpecError
from popdyn.network.rate import Rate
from popdyn.simulation.observe import observe
from popdyn.simulation.run import simulate
from popdyn.tasks.trial_set import Task
from popdyn.tensor.align import align
from popdyn.tensor.contract import column_names
from popdyn.tensor.result import digest
from popdyn.tensor.selection import matching
from popdyn.tensor.store import load
from popdyn.tensor.view import group_conditions
from popdyn.train.reservoir import reservoir

N_TRIALS = 100


@dataclass(frozen=True)
class Draft:
    """A network that has not run yet, and the trials it will perform."""

    source: Model
    name: str
    net: Rate
    task: Task
    trials: xr.Dataset

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
    net = plan.net if plan.source.train is None else train_draft(plan, seed)[0]
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
    when, name = spec.alignment, f"network {source.id}"
    if source.observe is not None:
        session = observe_draft(plan, simulate_draft(plan, spec.seed), spec.seed)
        prepared = from_session(session, source, source.align, when, name)
    else:
        simulated = simulate_draft(plan, spec.seed, when.bin_width)
        trials = with_roles(simulated["rate"], source.select, source.roles)
        tensor = align(trials, source.align, when.window, when.bin_width)
        keep = matching(tensor, "neuron", source.neurons or None)
        tensor = tensor.isel(neuron=np.flatnonzero(keep))
        prepared = Prepared(id=source.id, kind=source.kind, tensor=tensor)
    return replace(prepared, inputs={name: digest(plan.net.to_dataset())})
