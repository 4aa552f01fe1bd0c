"""Memory capacity: how much of its past input a linear readout can have back from a network.

A network hears random numbers; a readout of its present rates is fitted to the number ``k`` values
ago.  The squared correlation of both on new inputs, summed over all ``k``, is the capacity (Jaeger
2002), at most the number of neurons.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.network.doubtful_seconds import doubt_seconds, doubted_before
from popdyn.network.rate import Rate
from popdyn.network.real_numbers import real_number
from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.simulation.arguments import check_network
from popdyn.simulation.run import simulate
from popdyn.simulation.start import noise_per_step
from popdyn.simulation.steps import evolve, single_thread
from popdyn.tensor.result import make_result
from popdyn.train.begin import positive
from popdyn.train.course import check_count
from popdyn.train.reservoir import ridge

Array = NDArray[np.float64]

# Penalty of the readout over the mean eigenvalue of the sums of squares.
_PENALTY = 1e-9
# A squared correlation that the longest delay should not have.
_LEFT = 0.05


def memory_capacity(
    net: Rate | Spiking,
    *,
    max_delay: int = 100,
    n_values: int = 3000,
    n_sequences: int = 5,
    hold: float | None = None,
    amplitude: float = 1.0,
    noise_density: float = 0.0,
    rng: Seed = 0,
) -> xr.Dataset:
    """Measure how far back in its input a network remembers.

    The first input channel is U(-amplitude, amplitude), a new value every `hold` seconds, the
    others are 0.  Readouts are fitted on the first two thirds of a sequence and judged on its last
    third.

    Parameters
    ----------
    net : Rate or Spiking
        The network; of a spiking one the filtered spikes are read, slow and fast.
    max_delay : int
        Longest delay, in values.  Longer ones are taken to be forgotten.
    n_values : int
        Values of a sequence, after `max_delay` of them in which the network forgets its start.
    n_sequences : int
        Independent sequences, from which the interval comes.
    hold : float, optional
        Seconds for which a value stays, a whole number of steps; by default the mean time
        constant of the neurons.
    amplitude : float
        Largest input, dimensionless, above 0.
    noise_density : float
        Noise in the network, see `popdyn.simulate`.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    xarray.Dataset
        ``capacity``, the mean over sequences of the sum over delays, with ``capacity_bound
        (bound)``, a 95 % t interval; ``r_squared (delay)``: squared correlation on new inputs,
        minus what chance gives (so that it may be slightly negative), for the value ``delay``
        ago, 0 being the present one; ``delay_time (delay)`` in seconds.

    Raises
    ------
    TensorError
        If a number makes no sense, or there are too few values for so many neurons.

    Warns
    -----
    PopdynWarning
        If the longest delay is still remembered, or `hold` looks like milliseconds.

    References
    ----------
    Jaeger (2002), GMD Report 152, Short term memory in echo state networks.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(30, g=0.9, tau=0.01, dt=0.01, rng=0)
    >>> memory = pdn.train.memory_capacity(net, max_delay=40, amplitude=0.1)
    >>> bool(3 < memory["capacity"] < 30)
    True
    """
    check_network(net)
    _check_sizes(net, max_delay, n_values, n_sequences)
    every = _steps_of(net, hold)
    generator, seed = as_generator(rng)
    inputs_rng, noise_rng = spawn(generator, 2)
    shape = (max_delay + n_values, n_sequences)
    values = positive("amplitude", amplitude) * inputs_rng.uniform(-1.0, 1.0, shape)
    # The network was doubted when it was made.
    with doubted_before():
        if isinstance(net, Rate):
            states = _rates(net, values, every, noise_density, noise_rng)
        else:
            states = _filtered(net, values, every, noise_density, noise_rng)
    text = "reading out the past"
    sequences = watched(range(n_sequences), n_sequences, text)
    found = np.array([_r_squared(states[:, i], values[:, i], max_delay) for i in sequences])
    left = float(found[:, -1].mean())
    if left > _LEFT:
        warn(
            f"the input {max_delay} values ago is still remembered (squared correlation "
            f"{left:.2f}): the capacity is larger than what was found; raise "
            "max_delay"
        )
    parameters = {
        "max_delay": max_delay,
        "n_values": n_values,
        "n_sequences": n_sequences,
        "hold": every * net.dt,
        "amplitude": amplitude,
        "noise_density": noise_density,
    }
    return _result(found, every * net.dt, parameters, seed)


def _check_sizes(net: Rate | Spiking, max_delay: int, n_values: int, n_sequences: int) -> None:
    """Refuse sequences from which nothing can be learned."""
    check_count("max_delay", max_delay)
    check_count("n_values", n_values)
    check_count("n_sequences", n_sequences, 2)
    n_regressors = net.n_neurons * (1 if isinstance(net, Rate) else 2)
    if n_values < 3 * n_regressors:
        message = (
            f"n_values must be at least 3 times the {n_regressors} regressors of the readout "
            f"({3 * n_regressors}), found {n_values}"
        )
        raise TensorError(message)


def _steps_of(net: Rate | Spiking, hold: float | None) -> int:
    """Return the steps for which a value stays."""
    if hold is None:
        tau = net.tau if isinstance(net, Rate) else net.tau_membrane
        return max(1, round(float(np.mean(tau)) / net.dt))
    steps = real_number("hold", hold, "a number of seconds") / net.dt
    if not (np.isfinite(steps) and steps > 0.5 and abs(steps - round(steps)) < 1e-6 * steps):
        message = f"hold must be a whole number of steps of {net.dt:g} s, found {hold!r}"
        raise TensorError(message)
    doubt_seconds({"hold": round(steps) * net.dt})
    return round(steps)


def _inputs(net: Rate | Spiking, values: Array, every: int) -> Array:
    """Return the inputs ``(step, sequence, channel)``."""
    inputs = np.zeros((len(values) * every, values.shape[1], net.n_inputs))
    inputs[..., 0] = np.repeat(values, every, axis=0)
    return inputs


def _rates(
    net: Rate, values: Array, every: int, noise_density: float, rng: np.random.Generator
) -> Array:
    """Return the rates at the end of each value, ``(value, sequence, neuron)``."""
    n_sequences = values.shape[1]
    noise_std = noise_per_step(net.dt, noise_density, 0.0)
    initial = np.zeros((n_sequences, net.n_neurons))
    states = np.empty((*values.shape, net.n_neurons))
    inputs = _inputs(net, values, every)
    with single_thread(net, n_sequences):
        path = evolve(net, inputs, initial, noise_std, spawn(rng, n_sequences))
        next(path)
        for step, rates in enumerate(watched(path, len(inputs), "running the network")):
            if (step + 1) % every == 0:
                states[step // every] = rates
    return states


def _filtered(
    net: Spiking, values: Array, every: int, noise_density: float, rng: np.random.Generator
) -> Array:
    """Return slow and fast filtered spikes at the end of each value."""
    n, (n_values, n_sequences) = net.n_neurons, values.shape
    inputs = xr.DataArray(_inputs(net, values, every), dims=("step_time", "trial", "channel"))
    trials = xr.Dataset({"inputs": inputs}, attrs={"dt": net.dt})
    session = simulate(net, trials, rng=rng, record=("spikes",), noise_density=noise_density)
    spike_time = session["spike_time"].to_numpy()
    neuron = np.repeat(np.arange(n), np.diff(session["neuron_start"].to_numpy()))
    start = session["start_time"].to_numpy()
    sequence = np.searchsorted(start, spike_time, side="right") - 1
    step = np.floor((spike_time - start[sequence]) / net.dt).astype(np.int64)
    states = np.empty((n_values, n_sequences, 2 * n))
    place = np.ravel_multi_index((step // every, sequence, neuron), (n_values, n_sequences, n))
    for half, tau in enumerate((net.tau_slow, net.tau_fast)):
        # What is left at the end of the value of the spikes during it.
        weight = np.exp(-(every - 1 - step % every) * net.dt / tau)
        own = np.bincount(place, weight, n_values * n_sequences * n).reshape(n_values, -1, n)
        keep = np.exp(-every * net.dt / tau)
        for value in range(1, n_values):
            own[value] += keep * own[value - 1]
        states[..., half * n : (half + 1) * n] = own
    return states


def _r_squared(states: Array, values: Array, max_delay: int) -> Array:
    """Return the squared correlation at each delay on the last third, less that of chance."""
    delays = np.arange(max_delay + 1)
    at = np.arange(max_delay, len(values))
    wanted = values[at[:, None] - delays]
    n_fit = 2 * len(at) // 3
    rates = states[at]
    fit = slice(0, n_fit)
    center, mean = rates[fit].mean(axis=0), wanted[fit].mean(axis=0)
    rates = rates - center
    penalty = _PENALTY * float(np.einsum("ij,ij->", rates[fit], rates[fit])) / rates.shape[1]
    if penalty == 0:
        return np.zeros(max_delay + 1)
    output = ridge(rates[fit], wanted[fit] - mean, penalty)
    made, asked = rates[n_fit:] @ output.T, wanted[n_fit:]
    made, asked = made - made.mean(axis=0), asked - asked.mean(axis=0)
    size = np.sqrt((made**2).sum(axis=0) * (asked**2).sum(axis=0))
    r_squared = ((made * asked).sum(axis=0) / np.where(size > 0, size, 1.0)) ** 2
    # Of independent numbers it is 1/(n - 1) on average.
    corrected: Array = r_squared - (1.0 - r_squared) / (len(asked) - 2)
    return corrected


def _result(found: Array, hold: float, parameters: dict[str, Any], seed: str) -> xr.Dataset:
    """Label squared correlations ``(sequence, delay)``."""
    from scipy.special import stdtrit

    capacity = found.sum(axis=1)
    n = len(capacity)
    half = float(stdtrit(n - 1, 0.975)) * capacity.std(ddof=1) / np.sqrt(n)
    delay = np.arange(found.shape[1])
    one = {"units": "1"}
    return make_result(
        {
            "capacity": ((), float(capacity.mean()), one),
            "capacity_bound": ("bound", capacity.mean() + half * np.array([-1.0, 1.0]), one),
            "r_squared": ("delay", found.mean(axis=0), one),
        },
        coords={
            "bound": BOUND,
            "delay": ("delay", delay, {"units": "1", "description": "values ago"}),
            "delay_time": ("delay", delay * hold, {"units": "s"}),
        },
        method="memory_capacity",
        parameters=parameters,
        seed=seed,
    )
