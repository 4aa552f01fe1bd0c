"""Make, train, run and observe a network, so that it arrives as a recording does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from popdyn import tasks
from popdyn.comparison.arguments import KINDS
from popdyn.comparison.network_bins import common_width, on_bins
from popdyn.comparison.performed import Performed
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
from popdyn.comparison.training import rule_of, train_network
from popdyn.errors import SpecError
from popdyn.io.weights import read_weights
from popdyn.network.kinds import Network as AnyNetwork
from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.simulation.observe import observe
from popdyn.simulation.run import simulate
from popdyn.tasks.trial_set import Task
from popdyn.tensor.align import align
from popdyn.tensor.contract import column_names
from popdyn.tensor.result import digest
from popdyn.tensor.selection import matching
from popdyn.tensor.store import load
from popdyn.tensor.view import group_conditions

N_TRIALS = 100


@dataclass(frozen=True)
class Draft:
    """A network that has not run yet, and the trials it will perform.

    ``trained`` says that ``net`` went through the training its source asks for.
    """

    source: Model
    name: str
    net: AnyNetwork
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


def _network(source: Model, task: Task, rng: int) -> AnyNetwork:
    """Load the network, or make one at random that fits the task."""
    if "path" in source.network:
        net = _stored(source.network["path"])
        if not isinstance(net, tuple(KINDS.values())):
            message = (
                f"{source.network['path'].name} holds no network but a {type(net).__name__}: "
                "save one with pdn.save(net, path)"
            )
            raise SpecError(message)
        return cast("AnyNetwork", net)
    sizes = task.sample(1, 0).sizes
    n_inputs, n_outputs = sizes["channel"], sizes["output"]
    arguments = dict(source.network)
    make = KINDS[arguments.pop("kind", "rate")].random
    return make(**arguments, n_inputs=n_inputs, n_outputs=n_outputs, rng=rng)


def _stored(path: Path) -> Any:
    """Load what was saved, or make a network from the arrays that any other file holds."""
    if path.suffix == ".nc":
        return load(path)
    weights = read_weights(path)
    spiking = any(name.startswith("recurrent_fast") for name in weights)
    low_rank = {"m", "n"} <= set(weights) or "gaussian_basis" in weights
    kind = Spiking if spiking else LowRank if low_rank else Rate
    return kind.from_weights(weights)


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
        With spikes when the spec has ``observe`` or the network is a spiking one, else with the
        rates of all its neurons.

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


def train_draft(
    plan: Draft, seed: int, checkpoint: Path | None = None
) -> tuple[AnyNetwork, xr.Dataset]:
    """Train the network of a draft as its source asks.

    Parameters
    ----------
    plan : Draft
        From `draft`.
    seed : int
        Seed of the comparison.
    checkpoint : Path, optional
        Where the state of the training is kept, to go on from.

    Returns
    -------
    net : Rate, LowRank or Spiking
        The trained network.
    history : Dataset
        From the rule.
    """
    return train_network(plan.net, plan.task, plan.source.train, seed, plan.name, checkpoint)


def trained(plan: Draft, seed: int) -> Draft:
    """Return a draft whose network is trained, if its source asks for that."""
    if plan.trained or plan.source.train is None:
        return plan
    return replace(plan, net=train_draft(plan, seed)[0], trained=True)


def simulate_draft(plan: Draft, seed: int, bin_width: float | None = None) -> xr.Dataset:
    """Train the network of a draft if asked to, and let it perform its trials.

    A spiking network that is to be observed gives its spikes.

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
        From ``pdn.simulate``; of a spiking network that is to be observed a Session.
    """
    plan = trained(plan, seed)
    if isinstance(plan.net, Spiking) and plan.source.observe is not None:
        return spikes_of(plan, seed)
    return _simulate(plan.net, plan, seed, {} if bin_width is None else {"bin_width": bin_width})


def _simulate(net: AnyNetwork, plan: Draft, seed: int, options: dict[str, Any]) -> xr.Dataset:
    """Run a network on the trials of its draft; the source's own options come first."""
    own = {key: value for key, value in plan.source.simulate.items() if key != "n_trials"}
    rng = derive_seed(seed, plan.name, "simulate")
    given: dict[str, Any] = {"rng": rng, "task": plan.task, "source_id": plan.name}
    return simulate(net, plan.trials, **given, **{**options, **own})


def spikes_of(plan: Draft, seed: int) -> xr.Dataset:
    """Let a spiking network perform its trials, and keep the spikes of all its neurons.

    Returns
    -------
    Session
        From ``pdn.simulate``.
    """
    return _simulate(plan.net, plan, seed, {"record": ("spikes",)})


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
    saved = "path" in source.network and source.train is None
    done = "as saved, run on" if saved else _done(source.train)
    task = type(plan.task).__name__
    when, name = spec.alignment, f"{source.id}: {plan.net.n_neurons} neurons, {done} {task}"
    if source.observe is not None or isinstance(plan.net, Spiking):
        session = _session(plan, spec.seed)
        prepared = from_session(session, source, source.align, when, name)
    else:
        simulated = simulate_draft(
            plan, spec.seed, common_width(plan.net.dt, plan.trials, source.align, when)
        )
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
    performed = Performed(plan.net, plan.task, plan.trials, source)
    return replace(prepared, inputs={name: digest(plan.net.to_dataset())}, performed=performed)


def _done(train: dict[str, Any] | None) -> str:
    """Say what was done to a network, in front of the name of its task."""
    if train is None:
        return "untrained, run on"
    rule = rule_of(train)
    if rule == "reservoir":
        return "readout trained on"
    return f"trained by {_RULE_WORDS[rule]} on"


_RULE_WORDS = {"force": "FORCE", "full_force": "full-FORCE", "backprop": "backpropagation"}


def _session(plan: Draft, seed: int) -> xr.Dataset:
    """Give the spikes of a network: those of all neurons where nobody observes a part."""
    if plan.source.observe is None:
        return spikes_of(plan, seed)
    return observe_draft(plan, simulate_draft(plan, seed), seed)
