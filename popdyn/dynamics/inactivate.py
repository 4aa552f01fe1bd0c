"""What a part of a network is for: taken out, and everything else left as it was.

Networks run on the same trials with the same noise, with and without the part: each trial is its
own control.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.inactivate_arguments import (
    check_clamp,
    check_current,
    check_readout,
    check_trials,
)
from popdyn.dynamics.inactivate_network import (
    Member,
    clamped,
    driven,
    read_what,
    without_latent,
)
from popdyn.dynamics.inactivate_shares import change_bounds, share_bounds
from popdyn.dynamics.inactivate_trajectories import Trajectories
from popdyn.network.kinds import Network
from popdyn.network.real_numbers import real_number
from popdyn.progress import watched
from popdyn.resample import BOUND, Seed, as_generator, bootstrap, percentile_bounds
from popdyn.simulation.arguments import check_network, check_whole
from popdyn.simulation.run import simulate
from popdyn.tasks import Task
from popdyn.tensor.result import digest, make_result
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]

_BEHAVIOR = ("response", "choice", "correct")


def inactivate(
    net: Network,
    what: Any,
    trials: xr.Dataset,
    *,
    clamp: float = 0.0,
    current: float | None = None,
    during: tuple[str, str] | None = None,
    by: str | Sequence[str] | None = None,
    noise_step: float = 0.0,
    noise_density: float = 0.0,
    task: Task | None = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Inactivate parts of a network one by one, and measure what that does.

    Parameters
    ----------
    net : Rate, LowRank or Spiking
        The network.
    what : mapping, array, Dataset, "populations" or "latents"
        Names to neurons (True or False for each, or positions), such as
        ``{"late": score > 2}`` or from `percentile_groups`; neurons alone; the result of
        `populations`, or ``"populations"`` of ``net.population``; or ``"latents"`` of a `LowRank`
        network as its `m` and `n` are (see `LowRank.canonical`).  Each name is inactivated by
        itself.
    trials : Dataset
        Of the task.
    clamp : float
        Rate, dimensionless, at which neurons are held during the whole trial for all that hear
        them, other neurons and outputs.  A latent is removed.
    current : float, optional
        Instead of that: added to the drive of the neurons, in the unit of their potentials.
    during : (str, str), optional
        Events between which there is a current; by default always.
    by : str or list of str, optional
        Columns of the trials: trajectories and responses are averaged by their combinations; by
        default over all trials.
    noise_step, noise_density : float
        Noise on each state, as in `popdyn.simulate`: the same with and without.
    task : Task, optional
        Says what the output means; by default the task the trials were drawn from.
    n_draws : int
        Draws of trials for the bounds, the same with and without.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    xarray.Dataset
        Method ``"inactivate"``.  What each trial was answered: ``control_choice (trial)`` and
        ``choice (inactivation, trial)``, likewise ``response`` and ``correct`` where the task has
        them, beside the columns of the trials: `popdyn.psychometric` and `popdyn.contraction` take
        these.  ``control_accuracy``, ``accuracy (inactivation)`` and ``accuracy_change
        (inactivation)``; ``choice_changed (inactivation)``, the share of trials with another
        choice; ``response_change (inactivation, condition)``.  Of the neurons that were left alone
        ``distance (inactivation, condition, time)``, the root mean square over neurons of what
        changed in the mean rate; ``mean_distance (inactivation, condition)``, its mean over time;
        ``modulation (inactivation)``, by how much mean rates of the control vary over conditions
        and time (a standard deviation), to compare with.  Each measure has ``_bound (bound, ...)``,
        95 % over trials: shares at least those of Wilson, distances without what noise adds to
        them.  ``n_inactivated (inactivation)`` neurons.

    Raises
    ------
    TensorError
        If `what` is nothing that the network has, or all of its neurons; an argument is no number,
        or a rate that its neurons cannot have; trials lack a column or event, or have answers and
        the network no readout; or a spiking network should be held at a rate.
    FitError
        If rates grow beyond all bounds.

    See Also
    --------
    inactivation_agreement : inactivations predicted by a fitted network, and done in another.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(60, n_ranks=2, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(24, rng=0, dt=net.dt)
    >>> result = pdn.dynamics.inactivate(net, "latents", trials, n_draws=20)
    >>> result["inactivation"].values.tolist()
    ['latent 1', 'latent 2']
    """
    check_network(net)
    chosen = read_what(net, what)
    rate = real_number("clamp", clamp, "a number, the rate at which neurons are held")
    check_trials(trials)
    check_clamp(net, rate)
    check_current(trials, current, during, rate, chosen)
    check_whole("n_draws", n_draws, "draw of trials")
    generator, seed = as_generator(rng)
    plan = bootstrap(trials, n_draws=n_draws, rng=generator)
    weights = np.vstack([np.ones(len(plan.trial)), plan.times_drawn()])
    conditions = None if by is None else group_conditions(trials, by)
    same = int(generator.integers(2**63))

    noise: dict[str, Any] = {"noise_step": noise_step, "noise_density": noise_density}

    def run(own: Network, shown: xr.Dataset) -> xr.Dataset:
        return simulate(own, shown, rng=same, task=task, **noise)

    control = run(net, trials)
    check_readout(net, control)
    labels = ["all"] if conditions is None else conditions.labels
    index = np.zeros(len(plan.trial), dtype=np.intp) if conditions is None else conditions.index
    trajectories = Trajectories(control["rate"], index, len(labels), weights)
    behavior, moved = [], []
    for part in watched(chosen.values(), len(chosen), f"inactivating {len(chosen)} parts"):
        sim = run(*_changed(net, trials, part, rate, current, during))
        behavior.append({name: sim[name].to_numpy() for name in _BEHAVIOR if name in sim.coords})
        left = np.ones(net.n_neurons, dtype=bool) if isinstance(part, int) else ~part
        moved.append(trajectories.moved(sim["rate"], left))
    before = {name: control[name].to_numpy() for name in _BEHAVIOR if name in control.coords}
    variables = _behavior(before, behavior, weights, index, len(labels))
    variables |= _moved(moved, str(control["rate"].attrs.get("units", "1")))
    n_inactivated = [0 if isinstance(part, int) else int(part.sum()) for part in chosen.values()]
    variables["n_inactivated"] = ("inactivation", n_inactivated)
    columns = {str(name): trials[name] for name in trials.coords if trials[name].dims == ("trial",)}
    return make_result(
        variables,
        coords={
            **columns,
            "inactivation": list(chosen),
            "condition": labels,
            "time": control["time"],
            "bound": BOUND,
        },
        method="inactivate",
        parameters={
            "clamp": rate if current is None else None,
            "current": current,
            "during": during,
            "by": by,
            **noise,
            "n_draws": n_draws,
        },
        seed=seed,
    ).assign_attrs(input_digest=digest(net.to_dataset()))


def _changed(
    net: Network,
    trials: xr.Dataset,
    part: Member | int,
    rate: float,
    current: float | None,
    during: Any,
) -> tuple[Network, xr.Dataset]:
    """Return the network without a part, and what it is shown."""
    if isinstance(part, int):
        return without_latent(net, part), trials
    if current is None:
        return clamped(net, part, rate), trials
    return driven(net, trials, part, current, during)


def _mean(values: Array, weights: Array) -> Array:
    """Return weighted means over trials ``(draw, ...)`` of values ``(..., trial)``, without NaN."""
    known = np.isfinite(values)
    total = np.tensordot(weights, np.where(known, values, 0.0), axes=(1, -1))
    n = np.tensordot(weights, known.astype(np.float64), axes=(1, -1))
    mean: Array = np.full(total.shape, np.nan)
    np.divide(total, n, out=mean, where=n > 0)
    return mean


def _behavior(
    before: dict[str, Array],
    after: list[dict[str, Array]],
    weights: Array,
    index: NDArray[np.intp],
    n_conditions: int,
) -> dict[str, Any]:
    """Return what trials were answered, and what changed in that, with bounds."""
    variables: dict[str, Any] = {}
    each = {name: np.stack([one[name] for one in after]) for name in before}
    for name, values in before.items():
        variables[f"control_{name}"] = ("trial", values)
        variables[name] = (("inactivation", "trial"), each[name])
    draws: dict[str, tuple[tuple[str, ...], Array]] = {}
    bounds: dict[str, Array] = {}
    if "correct" in before:
        control, now = _mean(before["correct"], weights), _mean(each["correct"], weights)
        change = _mean(each["correct"] - before["correct"], weights)
        draws["control_accuracy"] = ((), control)
        draws |= {"accuracy": (("inactivation",), now)}
        draws |= {"accuracy_change": (("inactivation",), change)}
        bounds["control_accuracy"] = share_bounds(before["correct"], control[1:])
        bounds["accuracy"] = share_bounds(each["correct"], now[1:])
        bounds["accuracy_change"] = change_bounds(before["correct"], each["correct"], change[1:])
    if "choice" in before:
        other = np.where(
            np.isfinite(before["choice"]), (each["choice"] != before["choice"]) * 1.0, np.nan
        )
        draws["choice_changed"] = (("inactivation",), _mean(other, weights))
        bounds["choice_changed"] = share_bounds(other, draws["choice_changed"][1][1:])
    if "response" in before:
        change = each["response"] - before["response"]
        parts = [_mean(change[:, index == i], weights[:, index == i]) for i in range(n_conditions)]
        draws["response_change"] = (("inactivation", "condition"), np.stack(parts, axis=-1))
    for name, (dims, values) in draws.items():
        variables[name] = (dims, values[0])
        bound = bounds[name] if name in bounds else percentile_bounds(values[1:])
        variables[f"{name}_bound"] = (("bound", *dims), bound)
    return variables


def _moved(moved: list[tuple[Array, Array, float]], units: str) -> dict[str, Any]:
    """Return how far trajectories went from where they were."""
    distance, mean, modulation = (np.array(each) for each in zip(*moved, strict=True))
    dims = ("inactivation", "condition")
    about = {"units": units}
    drawn = percentile_bounds(mean[:, 1:], axis=1)
    # What is known of a distance holds the distance that was found.
    bounds = np.stack([np.fmin(drawn[0], mean[:, 0]), np.fmax(drawn[1], mean[:, 0])])
    return {
        "distance": ((*dims, "time"), distance, about),
        "mean_distance": (dims, mean[:, 0], about),
        "mean_distance_bound": (("bound", *dims), bounds, about),
        "modulation": ("inactivation", modulation, about),
    }
