"""What a simulation starts from: inputs that fit the network, first states, size of the noise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.kinds import Network, RateLike
from popdyn.network.low_rank import LowRank
from popdyn.network.real_numbers import real_number
from popdyn.simulation.steps import Array
from popdyn.tensor.contract import bin_edges

# Seconds between trials that have no place on a clock of their own.
_PAUSE = 1.0
_TIME = {"units": "s", "clock": "session"}


@dataclass(frozen=True)
class TrialInputs:
    """Inputs as the steps need them, and the trial table."""

    inputs: Array  # (step, trial, channel)
    n_steps: NDArray[np.int64]  # (trial,)
    trial: NDArray[Any]  # ids
    start_time: Array  # (trial,), s on the session's clock
    columns: dict[str, tuple[NDArray[Any], dict[str, Any]]]
    roles: dict[str, Any]

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return len(self.n_steps)

    def part(self, which: slice) -> TrialInputs:
        """Return some of the trials, without their columns."""
        chosen = (self.n_steps[which], self.trial[which], self.start_time[which])
        return TrialInputs(self.inputs[:, which], *chosen, {}, self.roles)


def rest(net: Network, duration: float, bin_width: float) -> xr.Dataset:
    """Return one trial of some seconds without input.

    Raises
    ------
    TensorError
        If the duration is not a whole number of bins.
    """
    bin_edges((0.0, duration), bin_width)
    inputs = np.zeros((net.n_inputs, round(duration / net.dt), 1))
    return xr.Dataset({"inputs": (("channel", "step_time", "trial"), inputs)}, attrs={"dt": net.dt})


def read_trials(net: Network, trials: Any) -> TrialInputs:
    """Check that trials fit the network and take what the steps need.

    Raises
    ------
    TensorError
        If there are no inputs, or their dims, step, channels or values do not fit.
    """
    inputs = _inputs(net, trials)
    n_steps, start, stop = _clock(trials, net.dt, len(inputs))
    columns: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
        "start_time": (start, _TIME),
        "stop_time": (stop, _TIME),
    }
    columns |= {
        str(name): (coord.to_numpy(), dict(coord.attrs))
        for name, coord in trials.coords.items()
        if coord.dims == ("trial",) and name != "trial"
    }
    ids = trials["trial"].to_numpy() if "trial" in trials.coords else np.arange(inputs.shape[1])
    roles = json.loads(trials.attrs.get("roles", "{}"))
    return TrialInputs(inputs, n_steps, ids, start, columns, roles)


def _inputs(net: Network, trials: Any) -> Array:
    """Return the inputs as (step, trial, channel)."""
    if not isinstance(trials, xr.Dataset) or "inputs" not in trials:
        found = list(trials.data_vars) if isinstance(trials, xr.Dataset) else type(trials).__name__
        message = (
            "expected trials with inputs (channel, step_time, trial), as from "
            f"task.sample(n_trials, rng, dt=net.dt); found {found}"
        )
        raise TensorError(message)
    inputs = trials["inputs"]
    if set(inputs.dims) != {"channel", "step_time", "trial"} or 0 in inputs.shape:
        message = (
            "inputs must have the dims (channel, step_time, trial), none empty; found "
            f"{dict(inputs.sizes)}"
        )
        raise TensorError(message)
    if inputs.sizes["channel"] != net.n_inputs:
        message = (
            f"the trials have {inputs.sizes['channel']} input channels, the network takes "
            f"{net.n_inputs}: take trials of the task it was made for, or make it with "
            f"n_inputs={inputs.sizes['channel']}"
        )
        raise TensorError(message)
    _check_step(net, trials)
    values = inputs.transpose("step_time", "trial", "channel").to_numpy()
    if values.dtype.kind not in "biuf":
        message = f"inputs must be real numbers, found values of type {values.dtype}"
        raise TensorError(message)
    array = np.ascontiguousarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        bad = np.flatnonzero((~np.isfinite(array)).any(axis=(0, 2)))
        message = f"inputs must be finite, found NaN or infinite ones in {len(bad)} trials"
        raise TensorError(message)
    return array


def _check_step(net: Network, trials: xr.Dataset) -> None:
    """Refuse trials whose step is not the network's."""
    if "dt" in trials.attrs:
        dt = float(trials.attrs["dt"])
    elif "step_time" in trials.coords and trials.sizes["step_time"] > 1:
        dt = float(np.diff(trials["step_time"].to_numpy()).mean())
    else:
        message = 'the trials do not say their step: set trials.attrs["dt"] in seconds'
        raise TensorError(message)
    if abs(dt - net.dt) > 1e-9 * net.dt:
        message = (
            f"the trials were made for steps of {dt:g} s, the network has dt={net.dt:g} s: "
            "sample them with task.sample(n_trials, rng, dt=net.dt)"
        )
        raise TensorError(message)


def _clock(trials: xr.Dataset, dt: float, n_all: int) -> tuple[NDArray[np.int64], Array, Array]:
    """Return the steps of each trial, and its start and stop on the session's clock."""
    n_trials = trials.sizes["trial"]
    if {"start_time", "stop_time"} <= set(trials.coords):
        start = trials["start_time"].to_numpy().astype(np.float64)
        stop = trials["stop_time"].to_numpy().astype(np.float64)
        steps = (stop - start) / dt
        if not np.isfinite(steps).all() or (steps < 0.5).any() or (steps > n_all + 0.5).any():
            message = (
                "each trial must stop after it starts and no later than its inputs do "
                f"({n_all * dt:g} s); found durations from {np.min(stop - start):g} to "
                f"{np.max(stop - start):g} s"
            )
            raise TensorError(message)
        return np.rint(steps).astype(np.int64), start, stop
    start = np.arange(n_trials, dtype=np.float64) * (n_all * dt + _PAUSE)
    return np.full(n_trials, n_all, dtype=np.int64), start, start + n_all * dt


def check_noise(**sizes: float) -> None:
    """Refuse noise that is negative or not finite, or said in two conventions at once.

    Parameters
    ----------
    **sizes : float
        A density and a size per step, ``<name>_density`` and ``<name>_step``.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    for name, given in sizes.items():
        value = real_number(name, given, "a number, zero or positive")
        if value < 0:
            message = f"{name} must be zero or positive, found {value!r}"
            raise TensorError(message)
    if all(sizes.values()):
        density, step = sizes
        message = (
            f"{density} (with the root of a second) and {step} (per step) are two conventions for "
            f"the same noise: give one, found {sizes[density]:g} and {sizes[step]:g}"
        )
        raise TensorError(message)


def noise_per_step(dt: float, noise_density: float, noise_step: float) -> float:
    """Return the standard deviation of the noise added at each step.

    Raises
    ------
    TensorError
        If one is negative or not finite, or both are given.
    """
    check_noise(noise_density=noise_density, noise_step=noise_step)
    return float(noise_step or noise_density * np.sqrt(dt))


def initial_states(
    net: RateLike,
    initial_state: Any,
    n_trials: int,
    generators: Sequence[np.random.Generator],
    *,
    random: bool,
) -> Array:
    """Return the first states ``(trial, neuron)``.

    Raises
    ------
    TensorError
        If the shape is neither (neuron,) nor (neuron, trial), or a value is not finite.
    """
    if initial_state is None and isinstance(net, LowRank):
        initial_state = net.initial
    if initial_state is None:
        if random:
            return np.stack([generator.standard_normal(net.n_neurons) for generator in generators])
        return np.zeros((n_trials, net.n_neurons))
    state = np.asarray(initial_state, dtype=np.float64)
    if state.shape not in ((net.n_neurons,), (net.n_neurons, n_trials)):
        message = (
            f"initial_state must have shape ({net.n_neurons},) or ({net.n_neurons}, {n_trials}) "
            f"(neuron, trial), found {state.shape}"
        )
        raise TensorError(message)
    if not np.isfinite(state).all():
        message = "initial_state must be finite, found NaN or infinite values"
        raise TensorError(message)
    return np.ascontiguousarray(np.broadcast_to(state.T, (n_trials, net.n_neurons)))
