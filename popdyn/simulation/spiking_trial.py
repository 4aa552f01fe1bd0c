"""One trial of a spiking network: its steps in stretches, and what is kept of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError
from popdyn.simulation.kernels import advance
from popdyn.simulation.spiking_arrays import Kept, State
from popdyn.simulation.spiking_setup import Array, Machine

# Neurons times steps between two looks at Ctrl-C (0.02 s); bounds the memory for noise and spikes.
_STRETCH, _STRETCH_OF_NOISE = 2**22, 2**19
# A network in which every neuron spikes as often as it can, for so many of its spikes, has run
# away; the share leaves room for those that start late.
_N_SPIKES_RUN_AWAY = 50
_SHARE_RUN_AWAY = 0.98


@dataclass(frozen=True)
class Wish:
    """What is to be kept of a trial."""

    steps_per_bin: int
    potential: bool = False
    current: bool = False


@dataclass(frozen=True)
class Trace:
    """What was kept of a trial of some steps."""

    spike_neuron: NDArray[np.int32]  # (spike,), in order of time, then of neuron
    n_spikes: NDArray[np.int32]  # (step,)
    output: NDArray[np.float64]  # (step, output), at the end of each step
    potential: NDArray[np.float64]  # (bin, neuron), mean; no rows if not wanted
    current: NDArray[np.float64]  # (bin, neuron), mean; no rows if not wanted

    @property
    def spike_step(self) -> NDArray[np.int64]:
        """Step in which each spike happened."""
        return np.repeat(np.arange(self.n_spikes.size), self.n_spikes)


def run_trial(
    machine: Machine,
    state: State,
    inputs: Array,
    noise_std: Array,
    generator: np.random.Generator,
    wish: Wish,
    stop: threading.Event | None = None,
) -> Trace:
    """Run a trial from a state, which is changed: a next call goes on from there.

    Parameters
    ----------
    machine : Machine
        The network.
    state : State
        Where to start.
    inputs : ndarray, shape (step, channel)
        Input held constant during each step.
    noise_std : ndarray, shape () or (neuron,)
        Standard deviation of what is added to each potential at each step; 0 draws nothing.
    generator : Generator
        The trial's own stream of noise.
    wish : Wish
        What is to be kept.
    stop : threading.Event, optional
        Ends the run before its time.

    Returns
    -------
    Trace

    Raises
    ------
    FitError
        If potentials are no longer finite, or every neuron spikes as often as it can.
    """
    n_steps, n = len(inputs), machine.n_neurons
    n_bins = -(-n_steps // wish.steps_per_bin)
    n_spikes = np.zeros(n_steps, np.int32)
    output = np.zeros((n_steps, machine.n_outputs))
    potential = np.zeros((n_bins if wish.potential else 0, n))
    current = np.zeros((n_bins if wish.current else 0, n))
    stretch = _STRETCH_OF_NOISE if np.any(noise_std) else _STRETCH
    length = max(1, min(n_steps, stretch // n))
    room = np.empty(length * n, np.int32)
    found = []
    for first in range(0, n_steps, length):
        if stop is not None and stop.is_set():
            break
        part = slice(first, min(first + length, n_steps))
        kept = Kept(room, n_spikes[part], output[part], potential, current)
        noise = _noise(generator, noise_std, (part.stop - first, n), machine.dtype)
        drive = np.array(inputs[part], dtype=machine.dtype, order="C")
        constants, weights = machine.constants, machine.weights
        n_found = advance(constants, weights, state, drive, noise, first, wish.steps_per_bin, kept)
        found.append(room[:n_found].copy())
        _refuse_infinite(state, machine.dt, first, part.stop)
        _refuse_run_away(machine, n_spikes[: part.stop], found)
    neurons = np.concatenate(found) if found else np.empty(0, np.int32)
    potential /= 2 * wish.steps_per_bin
    current /= wish.steps_per_bin
    return Trace(neurons, n_spikes, output, potential, current)


def _noise(
    generator: np.random.Generator, std: Array, shape: tuple[int, int], dtype: np.dtype[Any]
) -> Array:
    """Draw the noise of some steps ``(step, neuron)``; the same numbers in either precision."""
    if not np.any(std):
        return np.empty((0, shape[1]), dtype)
    drawn = generator.standard_normal(shape)
    drawn *= std
    return drawn.astype(dtype, copy=False)


def _refuse_infinite(state: State, dt: float, first: int, stop: int) -> None:
    """Refuse to go on from potentials that are NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(state.potential))
    if bad.size:
        message = (
            f"potentials grew beyond all bounds in {bad.size} of {state.potential.size} neurons, "
            f"first found in neuron {bad[0]} between {first * dt:g} and {stop * dt:g} s into the "
            "trial: lower the weights, the bias or the inputs"
        )
        raise FitError(message)


def _refuse_run_away(
    machine: Machine, n_spikes: NDArray[np.int32], found: list[NDArray[np.int32]]
) -> None:
    """Refuse a connected network in which everybody spikes as often as can be."""
    window = int(np.ceil(_N_SPIKES_RUN_AWAY * machine.n_neurons / machine.most_spikes))
    if not machine.connected or n_spikes.size < window:
        return
    limit = _SHARE_RUN_AWAY * machine.most_spikes * window
    if n_spikes[-window:].sum() < limit:
        return
    total = np.concatenate([[0], np.cumsum(n_spikes)])
    busy = int(np.argmax(total[window:] - total[:-window] >= limit))
    onset = busy + int(np.argmax(n_spikes[busy:] > 0))
    counts = np.bincount(np.concatenate(found)[total[onset] :], minlength=machine.n_neurons)
    rate = counts / ((n_spikes.size - onset) * machine.dt)
    worst = int(np.argmax(rate))
    message = (
        f"the network ran away: from {onset * machine.dt:g} s into the trial on, all "
        f"{machine.n_neurons} neurons spike as often as their refractory time allows, neuron "
        f"{worst} at {rate[worst]:.0f} Hz. Lower the excitatory weights or the bias, or add "
        "inhibition"
    )
    raise FitError(message)
