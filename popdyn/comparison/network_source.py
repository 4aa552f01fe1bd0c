"""Make, train, run and observe a network, so that it arrives as a recording does."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from popdyn import network, tasks
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.source_spec import Network
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
from popdyn.tensor.contract import column_names, digest
from popdyn.tensor.selection import matching
from popdyn.tensor.store import load
from popdyn.tensor.view import group_conditions
from popdyn.train.reservoir import reservoir

N_TRIALS = 100


@dataclass(frozen=True)
class Draft:
    """A network that has not run yet, and the trials it will perform."""

    source: Network
    net: Rate
    task: Task
    trials: xr.Dataset

    def labels(self, by: tuple[str, ...]) -> list[str] | None:
        """Give the conditions of the trials; None where they depend on what the network does."""
        needed = {*self.source.select, *(role.column for role in self.source.roles.values())}
        roles, columns = set(self.source.roles), set(column_names(self.trials, "trial"))
        if not needed <= columns | roles or not set(by) <= columns | roles:
            return None
        with blaming(self.source.id):
            trials = with_roles(self.trials, self.source.select, self.source.roles)
            return group_conditions(trials, list(by)).labels


def draft(source: Network, seed: int) -> Draft:
    """Make the network and draw its trials, which costs little.

    Parameters
    ----------
    source : Network
        A table of the spec.
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
    with blaming(source.id):
        task: Task = getattr(tasks, source.task.name)(**source.task.parameters)
        n_trials = int(source.simulate.get("n_trials", N_TRIALS))
        rng = derive_seed(seed, source.id, "trials")
        if "path" in source.network:
            net = load(source.network["path"])
            if not isinstance(net, Rate):
                message = (
                    f"{source.network['path'].name} holds no network but a {type(net).__name__}: "
                    "save one with pdn.save(net, path)"
                )
                raise SpecError(message)
            return Draft(source, net, task, task.sample(n_trials, rng, dt=net.dt))
        sizes = task.sample(1, rng).sizes
        net = network.Rate.random(
            **source.network,
            n_inputs=sizes["channel"],
            n_outputs=sizes["output"],
            rng=derive_seed(seed, source.id, "network"),
        )
        return Draft(source, net, task, task.sample(n_trials, rng, dt=net.dt))


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
    with blaming(plan.source.id), noted() as said:
        prepared = _run(plan, spec)
        prepared = with_conditions(prepared, spec.conditions.by)
    return with_problems(prepared, said)


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
    source, net = plan.source, plan.net
    if source.train is not None:
        rng = derive_seed(seed, source.id, "train")
        net, _ = reservoir(net, plan.task, **source.train, rng=rng)
    settings = {key: value for key, value in source.simulate.items() if key != "n_trials"}
    if bin_width is not None:
        settings = {"bin_width": bin_width, **settings}
    rng = derive_seed(seed, source.id, "simulate")
    return simulate(net, plan.trials, rng=rng, task=plan.task, source_id=source.id, **settings)


def _run(plan: Draft, spec: Spec) -> Prepared:
    source, when = plan.source, spec.alignment
    name = f"network {source.id}"
    if source.observe is not None:
        simulated = simulate_draft(plan, spec.seed)
        rng = derive_seed(spec.seed, source.id, "observe")
        session = observe(simulated, **source.observe, rng=rng)
        prepared = from_session(session, source, source.align, when, name)
    else:
        simulated = simulate_draft(plan, spec.seed, when.bin_width)
        trials = with_roles(simulated["rate"], source.select, source.roles)
        tensor = align(trials, source.align, when.window, when.bin_width)
        keep = matching(tensor, "neuron", source.neurons or None)
        tensor = tensor.isel(neuron=np.flatnonzero(keep))
        prepared = Prepared(id=source.id, kind=source.kind, tensor=tensor)
    return replace(prepared, inputs={name: digest(plan.net.to_dataset())})
