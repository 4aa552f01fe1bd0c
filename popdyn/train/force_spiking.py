"""A spiking network that learns by FORCE: weights of its filtered spikes change while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.spiking import Spiking
from popdyn.simulation.spiking_setup import noise_of_step
from popdyn.train.course import PREPARE, Lessons
from popdyn.train.force_rate import ForceSettings
from popdyn.train.spiking_kernels import Kept, Learned, State, Task, Wiring, learn_spiking
from popdyn.train.spiking_steps import by_sender, dense, steps_of
from popdyn.train.stream import Stream

Array = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

# Steps of a chunk of noise.
_CHUNK = 4096


class SpikingLearner:
    """FORCE in a network that spikes.

    Parameters
    ----------
    net : Spiking
        Fixed weights and constants.
    n_outputs : int
        Of the task.
    settings : ForceSettings
        What the rule was told.
    """

    def __init__(self, net: Spiking, n_outputs: int, settings: ForceSettings) -> None:
        _check(net)
        n = net.n_neurons
        self._net, self._settings, self._n_outputs = net, settings, n_outputs
        self._noise_std = np.broadcast_to(noise_of_step(net, settings.noise_density, 0.0), n)
        self._neurons, self._traces = steps_of(net)
        # What feeds back is learned a second time, as a current: the same numbers.
        spread = np.zeros((0, n)) if net.feedback is None else net.feedback.T.copy()
        self._n_heard = len(spread)
        self._wiring = Wiring(
            input=np.ascontiguousarray(net.input.T),
            spread=spread,
            fast=by_sender(net.recurrent_fast),
            slow=by_sender(net.recurrent_slow),
            place=np.arange(n),
        )
        self._learned = Learned(np.zeros((2 * n, self._n_heard + n_outputs)), np.eye(2 * n))
        self._state = State(
            potential=np.zeros(n),
            refractory=np.zeros(n),
            fast=np.zeros(n),
            slow=np.zeros(n),
            trace=np.zeros(2 * n),
            heard=np.zeros(self._n_heard),
        )
        self._n_steps = 0
        self.soften()

    def prepare(self, lessons: Lessons) -> None:
        """Draw the first potentials, uniform between reset and threshold."""
        generator = lessons.generators(PREPARE, 0)[1]
        net = self._net
        share = generator.random(net.n_neurons)
        self._state.potential[:] = net.reset + share * (np.asarray(net.threshold) - net.reset)

    def learn(self, stream: Stream, rng: np.random.Generator) -> float:
        """Learn from a block of trials; return the mean squared error of the output."""
        learns = self._settings.learns(stream, self._n_steps)
        self._n_steps += stream.n_steps
        outputs = self.run(stream, learns, rng)
        self._learned.inverse[...] = (self._learned.inverse + self._learned.inverse.T) / 2
        return float(np.mean((outputs - stream.target) ** 2))

    def run(self, stream: Stream, learns: NDArray[np.bool_], rng: np.random.Generator) -> Array:
        """Go through a block.

        Parameters
        ----------
        stream : Stream
            The block.
        learns : ndarray of bool, shape (step,)
            Whether to learn at each step.
        rng : Generator
            Draws the noise.

        Returns
        -------
        ndarray, shape (step, output)
            The output at the end of each step, before it learns.
        """
        n = self._net.n_neurons
        output = np.zeros((stream.n_steps, self._n_outputs))
        wanted = stream.target
        if self._n_heard:
            wanted = np.concatenate([wanted, wanted], axis=1)
        for first in range(0, stream.n_steps, _CHUNK):
            part = slice(first, min(first + _CHUNK, stream.n_steps))
            noise = np.zeros((0, n))
            if self._noise_std.any():
                noise = rng.standard_normal((part.stop - first, n)) * self._noise_std
            target = np.ascontiguousarray(wanted[part])
            task = Task(stream.inputs[part], noise, target, forced=False, update=learns[part])
            kept = Kept(output[part], np.zeros(n), np.zeros(n, np.int64))
            learn_spiking(
                self._neurons, self._wiring, self._traces, self._learned, self._state, task, kept
            )
        return output

    def weights(self) -> Arrays:
        """Return what a network is made of."""
        return {"weights": self._learned.weights[:, self._n_heard :].copy()}

    def network(self, weights: Mapping[str, NDArray[Any]]) -> Spiking:
        """Return the network with these weights; feedback becomes part of the recurrent ones."""
        slow, fast = np.split(weights["weights"].T, 2, axis=1)
        jump_slow, jump_fast = self._traces.jump
        net = dataclasses.replace(
            self._net, output_slow=slow * jump_slow, output_fast=fast * jump_fast, feedback=None
        )
        if self._net.feedback is None:
            return net
        before = np.zeros(()) if net.recurrent_slow is None else dense(net.recurrent_slow)
        return dataclasses.replace(
            net,
            recurrent_slow=before + self._net.feedback @ slow,
            recurrent_fast=dense(net.recurrent_fast) + self._net.feedback @ fast,
        )

    def arrays(self) -> Arrays:
        """Return all that is needed to go on to the same bits."""
        return {
            "weights": self._learned.weights,
            "inverse": self._learned.inverse,
            "n_steps": np.array(self._n_steps),
            **self._state._asdict(),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self._learned = Learned(np.array(arrays["weights"]), np.array(arrays["inverse"]))
        self._n_steps = int(arrays["n_steps"])
        self._state = State(*(np.array(arrays[name]) for name in State._fields))

    def soften(self) -> None:
        """Start the inverse correlations anew."""
        self._learned.inverse[...] = np.eye(len(self._learned.inverse))
        self._learned.inverse[...] /= self._settings.regularization

    def diverged(self) -> str:
        """Say what grew beyond all bounds; nothing if all is well."""
        if not np.isfinite(self._state.potential).all():
            return "potentials grew beyond all bounds"
        inverse = np.diag(self._learned.inverse)
        # P shrinks with every update.
        most = (1 + 1e-6) / self._settings.regularization
        is_sound = np.isfinite(inverse).all() and inverse.min() > 0 and inverse.max() <= most
        if not (is_sound and np.isfinite(self._learned.weights).all()):
            return "the inverse correlations of the filtered spikes are no longer positive"
        return ""


def _check(net: Spiking) -> None:
    """Refuse networks whose steps the rule does not take."""
    if np.any(np.asarray(net.delay) > 0):
        message = (
            "force learns from spikes that arrive at once: make the network with delay=0, found up "
            f"to {np.max(net.delay):g} s"
        )
        raise TensorError(message)
    if np.ndim(net.tau_membrane):
        message = (
            "force needs one tau_membrane for all neurons of a spiking network, found "
            f"{net.n_neurons} of them"
        )
        raise TensorError(message)
