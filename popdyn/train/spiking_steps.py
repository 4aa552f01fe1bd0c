"""Spiking networks that learn while they run, as the kernel wants them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.spiking import Spiking
from popdyn.network.spiking_fields import Matrix
from popdyn.simulation.spiking_setup import constants, noise_of_step
from popdyn.train.spiking_kernels import (
    Kept,
    Learned,
    Neurons,
    State,
    Task,
    Traces,
    Wiring,
    learn_spiking,
)

Array = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


@dataclass
class Loop:
    """A network that runs on from block to block while its weights are learned.

    Parameters
    ----------
    neurons : Neurons
        Constants of the neurons.
    traces : Traces
        Of the filtered spikes.
    wiring : Wiring
        What stays as it is.
    learned : Learned
        Weights, and the inverse correlations of the filtered spikes.
    state : State
        Where the network is.
    noise_std : ndarray, shape (neuron,)
        Of what is added to each potential at each step.
    regularization : float
        Inverse correlations start as the identity over this.
    """

    neurons: Neurons
    traces: Traces
    wiring: Wiring
    learned: Learned
    state: State
    noise_std: Array
    regularization: float

    @classmethod
    def of(
        cls, net: Spiking, wiring: Wiring, n_rows: int, regularization: float, noise_density: float
    ) -> Loop:
        """Return a network at potential 0 that has learned nothing of its `n_rows` targets."""
        n, n_regressors = net.n_neurons, 2 * int(np.count_nonzero(wiring.place >= 0))
        neurons, traces = steps_of(net)
        learned = Learned(np.zeros((n_regressors, n_rows)), np.zeros((n_regressors, n_regressors)))
        sizes = (n, n, n, n, n_regressors, len(wiring.spread))
        state = State(*(np.zeros(size) for size in sizes))
        noise_std = np.full(n, noise_of_step(net, noise_density, 0.0), dtype=np.float64)
        loop = cls(neurons, traces, wiring, learned, state, noise_std, regularization)
        loop.soften()
        return loop

    def noise(self, n_steps: int, rng: np.random.Generator) -> Array:
        """Draw the noise of some steps, ``(step, neuron)``; no rows if there is none."""
        n = self.noise_std.size
        if not self.noise_std.any():
            return np.zeros((0, n))
        return rng.standard_normal((n_steps, n)) * self.noise_std

    def nothing_kept(self, n_steps: int, n_outputs: int) -> Kept:
        """Return room for what is kept of some steps."""
        n = self.noise_std.size
        return Kept(np.zeros((n_steps, n_outputs)), np.zeros(n), np.zeros(n, np.int64))

    def run(self, task: Task, kept: Kept, part: slice, less: Array | float = 0.0) -> None:
        """Go through some steps, learning where the task says so.

        Parameters
        ----------
        task : Task
            The steps.
        kept : Kept
            Of all steps of a block: outputs are filled in, the rest is added up.
        part : slice
            Which steps of the block these are.
        less : ndarray of shape (neuron,) or float
            Current taken away from the bias.
        """
        kept = kept._replace(output=kept.output[part])
        neurons = self.neurons._replace(bias=self.neurons.bias - less)
        learn_spiking(neurons, self.wiring, self.traces, self.learned, self.state, task, kept)

    def symmetrize(self) -> None:
        """Take away what rounding made of the symmetry of the inverse correlations."""
        inverse = self.learned.inverse
        inverse[...] = (inverse + inverse.T) / 2

    def soften(self) -> None:
        """Start the inverse correlations anew."""
        inverse = self.learned.inverse
        inverse[...] = np.eye(len(inverse)) / self.regularization

    def diverged(self) -> str:
        """Say what grew beyond all bounds; nothing if all is well."""
        if not np.isfinite(self.state.potential).all():
            return "potentials grew beyond all bounds"
        inverse = np.diag(self.learned.inverse)
        # Inverse correlations shrink with every update.
        most = (1 + 1e-6) / self.regularization
        is_sound = np.isfinite(inverse).all() and inverse.min() > 0 and inverse.max() <= most
        if not (is_sound and np.isfinite(self.learned.weights).all()):
            return "the inverse correlations of the filtered spikes are no longer positive"
        return ""

    def arrays(self) -> Arrays:
        """Return all that changes."""
        return {**self.learned._asdict(), **self.state._asdict()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self.learned = Learned(*(np.array(arrays[name]) for name in Learned._fields))
        self.state = State(*(np.array(arrays[name]) for name in State._fields))


def refuse_other_steps(net: Spiking, rule: str) -> None:
    """Refuse networks whose steps a learning network cannot take.

    Raises
    ------
    TensorError
        Naming the `rule`, and what to change.
    """
    if np.any(np.asarray(net.delay) > 0):
        message = (
            f"{rule} learns from spikes that arrive at once: make the network with delay=0, found "
            f"up to {np.max(net.delay):g} s"
        )
        raise TensorError(message)
    if np.ndim(net.tau_membrane):
        message = (
            f"{rule} needs one tau_membrane for all neurons of a spiking network, found "
            f"{net.n_neurons} of them"
        )
        raise TensorError(message)


def steps_of(net: Spiking) -> tuple[Neurons, Traces]:
    """Return the constants of neurons and of filtered spikes over a step.

    Parameters
    ----------
    net : Spiking
        The network; one `tau_membrane` for all of its neurons.

    Returns
    -------
    neurons : Neurons
    traces : Traces
        A current made of these traces does over a step what a synaptic current made of spikes
        would do that jumps by 1.
    """
    by_step = constants(net, np.dtype(np.float64))

    def each(values: Any) -> Array:
        return np.array(np.broadcast_to(values, net.n_neurons), dtype=np.float64)

    neurons = Neurons(
        leak=each(by_step.leak),
        gain=each(by_step.gain),
        gain_fast=each(by_step.gain_fast),
        gain_slow=each(by_step.gain_slow),
        threshold=each(by_step.threshold),
        reset=each(by_step.reset),
        n_refractory=each(by_step.n_refractory),
        bias=each(np.asarray(net.bias) + net.rest),
    )
    jump = [float(by_step.gain_slow[0] / by_step.gain[0])]
    jump.append(float(by_step.gain_fast[0] / by_step.gain[0]))
    decay = np.array([by_step.decay[1], by_step.decay[0]], dtype=np.float64)
    return neurons, Traces(decay, np.array(jump))


def dense(matrix: Matrix) -> Array:
    """Return recurrent weights as an array."""
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def by_sender(matrix: Matrix | None) -> Array:
    """Return recurrent weights with the targets of a sender in a row; no rows if there are none."""
    if matrix is None or not dense(matrix).any():
        return np.zeros((0, 0))
    return np.ascontiguousarray(dense(matrix).T)
