"""What context does to populations: their gains, and how steeply their neurons are tuned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.group_draws import group_weights, ratio, root_mean_square
from popdyn.dynamics.populations_resample import labels_of
from popdyn.errors import FitError, TensorError
from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.resample import BOUND, Seed, as_generator, percentile_bounds, spawn
from popdyn.simulation.arguments import check_whole
from popdyn.simulation.run import simulate
from popdyn.simulation.steps import ACTIVATIONS
from popdyn.tensor.result import digest, make_result
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]

# Trials that are simulated at once, and the step of the difference that is a slope.
_AT_ONCE, _STEP = 64, 1e-4
_STIMULI = ("stimulus", "stimulus_2")


def population_gains(
    net: Rate | LowRank,
    trials: xr.Dataset,
    populations: Any = None,
    by: str | Sequence[str] = "context",
    *,
    during: tuple[str, str] = ("stimulus_on_time", "stimulus_off_time"),
    stimuli: Sequence[str] | None = None,
    noise_step: float = 0.0,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Measure the gain of each population in each context, and what it does to tuning.

    The gain of a neuron is the slope of its rate at its state, averaged over an epoch and
    over trials: near 0 where it is saturated.  A context that saturates one population and not
    another lets through what the other hears.  What follows can be tested in a recording, where
    gains cannot be seen: how steeply neurons follow each stimulus in each context.

    Parameters
    ----------
    net : Rate or LowRank
        The network.
    trials : Dataset
        Of the task, all stimuli in all contexts.
    populations : Dataset or array, shape (n_neurons,), optional
        From `popdyn.dynamics.populations`, or the name of each neuron's population; by default
        ``net.population``, or one population.
    by : str or list of str
        Columns of the trials: contexts are their combinations.
    during : (str, str)
        Events between which rates and gains are averaged.
    stimuli : sequence of str, optional
        Columns of numbers to which tuning is measured; by default ``stimulus`` and
        ``stimulus_2`` where they are numbers.
    noise_step : float
        Noise of a step on each state, as in `popdyn.simulate`.
    n_draws : int
        Draws of neurons, within populations, for the bounds.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    xarray.Dataset
        Method ``"population_gains"``.  ``neuron_gain (neuron, condition)``; ``gain (population,
        condition)``, its mean; ``gain_ratio (population, condition)``, of the gain to that in
        the first condition.  ``slope (neuron, stimulus, condition)``, the change of the mean rate
        with the stimulus, by least squares with all stimuli, and its ``slope_error``;
        ``tuning (population, stimulus, condition)``, the root mean square slope without what the
        errors add; ``tuning_ratio``, to that in the first condition.  Gains, tuning and ratios
        have ``_bound (bound, ...)``, 95 % over neurons: what another network of these populations
        would give.  ``label (neuron)``, and ``share (population)``.

    Raises
    ------
    TensorError
        If `net` is no rate network, or trials lack a column or an event.
    FitError
        If stimuli do not vary independently within a condition.

    See Also
    --------
    populations, popdyn.dynamics.effective_couplings

    References
    ----------
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(60, n_inputs=4, rng=0)
    >>> trials = pdn.tasks.ContextDecision().sample(72, rng=0, dt=net.dt)
    >>> gains = pdn.dynamics.population_gains(net, trials, n_draws=20)
    >>> dict(gains["gain"].sizes)
    {'population': 1, 'condition': 2}
    """
    _check_rates(net)
    names, of_neuron = labels_of(net, populations)
    conditions = group_conditions(trials, by)
    shown = _shown(trials, stimuli)
    check_whole("n_draws", n_draws, "draw of neurons")
    generator, seed = as_generator(rng)
    rates, slopes = _epoch_means(net, trials, during, noise_step, generator)
    per_condition = [np.flatnonzero(conditions.index == i) for i in range(len(conditions.labels))]
    values = _PerNeuron(
        np.stack([slopes[:, own].mean(axis=1) for own in per_condition], axis=-1),
        *_tuning(rates, shown, per_condition, conditions.labels),
    )
    estimates = _of_populations(values, of_neuron, n_draws, generator)
    variables: dict[str, Any] = {
        "label": ("neuron", names[of_neuron]),
        "share": ("population", np.bincount(of_neuron) / net.n_neurons),
        "neuron_gain": (("neuron", "condition"), values.gain),
        "slope": (("neuron", "stimulus", "condition"), values.slope),
        "slope_error": (("neuron", "stimulus", "condition"), values.error),
    }
    dims = {"gain": ("population", "condition"), "tuning": ("population", "stimulus", "condition")}
    for name, draws in estimates.items():
        own = dims[name.removesuffix("_ratio")]
        variables[name] = (own, draws[0])
        variables[f"{name}_bound"] = (("bound", *own), percentile_bounds(draws[1:]))
    return make_result(
        variables,
        coords={
            "population": names,
            "condition": conditions.labels,
            "stimulus": list(shown),
            "bound": BOUND,
        },
        method="population_gains",
        parameters={"by": by, "during": during, "noise_step": noise_step, "n_draws": n_draws},
        seed=seed,
    ).assign_attrs(input_digest=digest(net.to_dataset()))


def _check_rates(net: Any) -> None:
    """Refuse a network without rates."""
    if not isinstance(net, (Rate, LowRank)):
        message = (
            "gains are slopes of the rates of a pdn.network.Rate or LowRank, found "
            f"{type(net).__name__}"
        )
        raise TensorError(message)


class _PerNeuron(NamedTuple):
    """Gains ``(neuron, condition)``, slopes and errors ``(neuron, stimulus, condition)``."""

    gain: Array
    slope: Array
    error: Array


def _shown(trials: xr.Dataset, stimuli: Sequence[str] | None) -> dict[str, Array]:
    """Return the stimuli by name.

    Raises
    ------
    TensorError
        If there are none, or they are no numbers.
    """
    numeric = [name for name in trials.coords if trials[name].dims == ("trial",)]
    numeric = [name for name in numeric if trials[name].dtype.kind in "fiu"]
    names = [name for name in _STIMULI if name in numeric] if stimuli is None else list(stimuli)
    lacking = [name for name in names if name not in numeric]
    if lacking or not names:
        message = (
            f"stimuli must be columns of numbers of the trials, found {lacking or 'none'}; there "
            f"are {', '.join(map(str, numeric))}"
        )
        raise TensorError(message)
    return {str(name): trials[name].to_numpy().astype(np.float64) for name in names}


def _epoch_means(
    net: Rate | LowRank,
    trials: xr.Dataset,
    during: tuple[str, str],
    noise_step: float,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return mean rates and slopes of the rates between two events ``(neuron, trial)``.

    Raises
    ------
    TensorError
        If trials lack an event, or nothing lies between the two.
    """
    lacking = [name for name in during if name not in trials.coords]
    if lacking:
        message = (
            f"during must name two events of the trials; there is no {', '.join(lacking)} among "
            f"{', '.join(name for name in map(str, trials.coords) if name.endswith('_time'))}"
        )
        raise TensorError(message)
    start, stop = (trials[name].to_numpy() - trials["start_time"].to_numpy() for name in during)
    n_trials = trials.sizes["trial"]
    rates, slopes = np.empty((2, net.n_neurons, n_trials))
    parts = range(0, n_trials, _AT_ONCE)
    for first, own in zip(parts, spawn(rng, len(parts)), strict=True):
        part = slice(first, first + _AT_ONCE)
        few = trials.isel(trial=part)
        sim = simulate(
            net, few, rng=own, bin_width=net.dt, record=("state",), noise_step=noise_step
        )
        state = sim["potential"].transpose("neuron", "time", "trial").to_numpy()
        time = sim["time"].to_numpy()[:, None]
        inside = (time > start[part]) & (time < stop[part])
        if not inside.any(axis=0).all():
            message = f"some trials have no step between {during[0]} and {during[1]}"
            raise TensorError(message)
        rate, slope = _rate_and_slope(net, np.where(inside, state, 0.0))
        for kept, values in ((rates, rate), (slopes, slope)):
            kept[:, part] = np.where(inside, values, 0.0).sum(axis=1) / inside.sum(axis=0)
    return rates, slopes


def _rate_and_slope(net: Rate | LowRank, state: Array) -> tuple[Array, Array]:
    """Return the rates at states ``(neuron, ...)``, and how they change with the state."""
    function = ACTIVATIONS[net.nonlinearity]
    gain = np.ones(net.n_neurons) if net.gain is None else net.gain
    gain = gain.reshape(-1, *[1] * (state.ndim - 1))
    up, down = (function(gain * state + sign * _STEP) for sign in (1, -1))
    return function(gain * state), gain * (up - down) / (2 * _STEP)


def _tuning(
    rates: Array,
    shown: dict[str, Array],
    per_condition: list[NDArray[np.intp]],
    labels: list[str],
) -> tuple[Array, Array]:
    """Return slopes of rates over stimuli, and their errors ``(neuron, stimulus, condition)``.

    Raises
    ------
    FitError
        If stimuli do not vary independently within a condition.
    """
    slopes, errors = [], []
    for own, label in zip(per_condition, labels, strict=True):
        design = np.column_stack([np.ones(own.size), *[values[own] for values in shown.values()]])
        n_free = own.size - design.shape[1]
        if n_free < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
            message = (
                f"tuning to {', '.join(shown)} needs trials in which they vary independently; "
                f"condition {label!r} has {own.size} trials in which they do not: draw more "
                "trials, or name one of the stimuli"
            )
            raise FitError(message)
        weights = np.linalg.pinv(design)
        fitted = rates[:, own] @ weights.T
        variance = ((rates[:, own] - fitted @ design.T) ** 2).sum(axis=1) / n_free
        slopes.append(fitted[:, 1:])
        errors.append(np.sqrt(variance[:, None] * (weights**2).sum(axis=1)[1:]))
    return np.stack(slopes, axis=-1), np.stack(errors, axis=-1)


def _of_populations(
    values: _PerNeuron, of_neuron: NDArray[np.intp], n_draws: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Return measures ``(draw, population, ...)``: the first draw holds each neuron once."""
    gains, tuning = [], []
    for own, weights in group_weights(of_neuron, n_draws, rng):
        gains.append(weights @ values.gain[own])
        tuning.append(root_mean_square(values.slope[own], values.error[own], weights))
    measures = {"gain": np.stack(gains, axis=1), "tuning": np.stack(tuning, axis=1)}
    ratios = {f"{name}_ratio": ratio(found, found[..., :1]) for name, found in measures.items()}
    return measures | ratios
