"""A rate network that learns by FORCE: its output weights change while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.network.rate import Rate
from popdyn.simulation.start import noise_per_step
from popdyn.simulation.steps import prepare, single_thread
from popdyn.train.course import PREPARE, Lessons
from popdyn.train.kernels import KINDS, Machine, closed_loop
from popdyn.train.stream import Stream

Array = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

# Normal numbers drawn at once; bounds the memory, and how long Ctrl-C waits.
_DRAWN = 2**18
# Of the states at the start (Sussillo & Abbott 2009).
_INITIAL_STD = 0.5
# P shrinks with every update; its trace may grow by rounding, no more.
_TRACE_MAY_GROW = 1.001


@dataclass(frozen=True)
class ForceSettings:
    """What the rule can be told.

    Attributes
    ----------
    update_every : int
        Steps from one update to the next.
    on_mask : bool
        Whether only steps of the tasks' masks are learned from.
    regularization : float
        Inverse correlations start as the identity over this.
    noise_density : float
        Noise in the network while it learns.
    """

    update_every: int
    on_mask: bool
    regularization: float
    noise_density: float

    def learns(self, stream: Stream, n_before: int) -> NDArray[np.bool_]:
        """Return whether each step learns, so many steps after the first of all."""
        due: NDArray[np.bool_] = (np.arange(stream.n_steps) + n_before) % self.update_every == 0
        return due & stream.counts if self.on_mask else due


class RateLearner:
    """FORCE in a rate network.

    Parameters
    ----------
    net : Rate
        Fixed weights and constants.
    n_outputs : int
        Of the task.
    settings : ForceSettings
        What the rule was told.
    """

    def __init__(self, net: Rate, n_outputs: int, settings: ForceSettings) -> None:
        n = net.n_neurons
        self._net, self._settings, self._machine = net, settings, machine_of(net, n_outputs)
        self._noise_std = noise_per_step(net.dt, settings.noise_density, 0.0)
        self._state, self._output = np.zeros(n), np.zeros(n_outputs)
        self._weights = np.zeros((n_outputs, n))
        self._n_steps = 0
        self.soften()

    def prepare(self, lessons: Lessons) -> None:
        """Draw the first state: a network at rest would stay there."""
        generator = lessons.generators(PREPARE, 0)[1]
        self._state[:] = _INITIAL_STD * generator.standard_normal(self._state.size)

    def learn(self, stream: Stream, rng: np.random.Generator) -> float:
        """Learn from a block of trials; return the mean squared error of the output."""
        self._trace = float(np.trace(self._inverse))
        learns = self._settings.learns(stream, self._n_steps)
        self._n_steps += stream.n_steps
        outputs = self.run(stream, learns, rng)
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
        outputs = np.empty_like(stream.target)
        n = self._state.size
        length = max(1, _DRAWN // n)
        # What grows beyond all bounds is found afterwards.
        with single_thread(self._net, 1), np.errstate(all="ignore"):
            for first in range(0, stream.n_steps, length):
                part = slice(first, min(first + length, stream.n_steps))
                shape = (part.stop - first if self._noise_std else 0, n)
                noise = self._noise_std * rng.standard_normal(shape)
                steps = (stream.inputs[part], noise, stream.target[part], learns[part])
                loop = (self._state, self._output, self._inverse, self._weights)
                closed_loop(self._machine, *loop, steps, outputs[part])
        return outputs

    def weights(self) -> Arrays:
        """Return what a network is made of."""
        return {"output": self._weights.copy()}

    def network(self, weights: Mapping[str, NDArray[Any]]) -> Rate:
        """Return the network with these output weights, which has no bias of its outputs."""
        return dataclasses.replace(self._net, output=weights["output"], output_bias=None)

    def arrays(self) -> Arrays:
        """Return all that is needed to go on to the same bits."""
        return {
            "state": self._state,
            "output": self._output,
            "weights": self._weights,
            "inverse": self._inverse,
            "n_steps": np.array(self._n_steps),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self._state, self._output = arrays["state"].copy(), arrays["output"].copy()
        self._weights, self._inverse = arrays["weights"].copy(), arrays["inverse"].copy()
        self._n_steps = int(arrays["n_steps"])

    def soften(self) -> None:
        """Start the inverse correlations anew."""
        self._inverse = np.eye(self._state.size) / self._settings.regularization
        self._trace = float(np.trace(self._inverse))

    def diverged(self) -> str:
        """Say what grew beyond all bounds; nothing if all is well."""
        if not np.isfinite(self._state).all():
            return "states grew beyond all bounds"
        trace = float(np.trace(self._inverse))
        is_sound = (np.diag(self._inverse) > 0).all() and trace <= _TRACE_MAY_GROW * self._trace
        if not (is_sound and np.isfinite(self._weights).all()):
            return "the inverse correlations of the rates are no longer positive"
        return ""


def machine_of(net: Rate, n_outputs: int | None = None) -> Machine:
    """Return the weights of a network as `closed_loop` takes them.

    Parameters
    ----------
    net : Rate
        Its output weights do not matter.
    n_outputs : int, optional
        Those of the network by default; with feedback it must be theirs.

    Returns
    -------
    tuple
        As `closed_loop` says.
    """
    alone = prepare(dataclasses.replace(net, feedback=None, output_bias=None))
    keep, gain = alone.by_neuron
    feedback = np.zeros((net.n_outputs if n_outputs is None else n_outputs, net.n_neurons))
    if net.feedback is not None:
        feedback[:] = (net.feedback.T * net.dt) / net.tau
    kind = KINDS[net.nonlinearity]
    return alone.recurrent[0], alone.input, feedback, alone.bias, keep, gain, kind
