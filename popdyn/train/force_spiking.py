"""A spiking network that learns by FORCE: weights of its filtered spikes change while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.network.spiking import Spiking
from popdyn.train.course import PREPARE, Lessons
from popdyn.train.force_rate import ForceSettings
from popdyn.train.spiking_kernels import Task, Wiring
from popdyn.train.spiking_steps import Loop, by_sender, dense, refuse_other_steps
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
        refuse_other_steps(net, "force")
        self._net, self._settings, self._n_outputs = net, settings, n_outputs
        # What feeds back is learned a second time, as a current: the same numbers.
        spread = np.zeros((0, net.n_neurons)) if net.feedback is None else net.feedback.T.copy()
        self._n_heard = len(spread)
        wiring = Wiring(
            input=np.ascontiguousarray(net.input.T),
            spread=spread,
            fast=by_sender(net.recurrent_fast),
            slow=by_sender(net.recurrent_slow),
            place=np.arange(net.n_neurons),
        )
        n_rows = self._n_heard + n_outputs
        self._loop = Loop.of(net, wiring, n_rows, settings.regularization, settings.noise_density)
        self._n_steps = 0

    def prepare(self, lessons: Lessons) -> None:
        """Draw the first potentials, uniform between reset and threshold."""
        generator = lessons.generators(PREPARE, 0)[1]
        net = self._net
        share = generator.random(net.n_neurons)
        self._loop.state.potential[:] = net.reset + share * (np.asarray(net.threshold) - net.reset)

    def learn(self, stream: Stream, rng: np.random.Generator) -> float:
        """Learn from a block of trials; return the mean squared error of the output."""
        learns = self._settings.learns(stream, self._n_steps)
        self._n_steps += stream.n_steps
        outputs = self.run(stream, learns, rng)
        self._loop.symmetrize()
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
        kept = self._loop.nothing_kept(stream.n_steps, self._n_outputs)
        wanted = stream.target
        if self._n_heard:
            wanted = np.concatenate([wanted, wanted], axis=1)
        for first in range(0, stream.n_steps, _CHUNK):
            part = slice(first, min(first + _CHUNK, stream.n_steps))
            noise = self._loop.noise(part.stop - first, rng)
            target = np.ascontiguousarray(wanted[part])
            task = Task(stream.inputs[part], noise, target, forced=False, update=learns[part])
            self._loop.run(task, kept, part)
        return kept.output

    def weights(self) -> Arrays:
        """Return what a network is made of."""
        return {"weights": self._loop.learned.weights[:, self._n_heard :].copy()}

    def network(self, weights: Mapping[str, NDArray[Any]]) -> Spiking:
        """Return the network with these weights; feedback becomes part of the recurrent ones."""
        slow, fast = np.split(weights["weights"].T, 2, axis=1)
        jump_slow, jump_fast = self._loop.traces.jump
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
        return {**self._loop.arrays(), "n_steps": np.array(self._n_steps)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self._loop.restore(arrays)
        self._n_steps = int(arrays["n_steps"])

    def soften(self) -> None:
        """Start the inverse correlations anew."""
        self._loop.soften()

    def diverged(self) -> str:
        """Say what grew beyond all bounds; nothing if all is well."""
        return self._loop.diverged()
