"""A rate network that learns by full-FORCE: components of currents are outputs that feed back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.rate import Rate
from popdyn.simulation.start import noise_per_step
from popdyn.train.components import find_components
from popdyn.train.course import Lessons
from popdyn.train.force_rate import machine_of
from popdyn.train.kernels import Machine, closed_loop
from popdyn.train.stream import Stream
from popdyn.train.target_network import TargetRun

Array = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

_INITIAL_STD = 0.1


@dataclass(frozen=True)
class RateSettings:
    """What the rule can be told; see `popdyn.train.full_force`."""

    factors: Array
    share_explained: float
    update_probability: float
    regularization: float
    noise_density: float


class RateLearner:
    """full-FORCE in a rate network.

    Parameters
    ----------
    net : Rate
        Constants and input weights.
    target : Rate
        The target network, with as many neurons.
    n_outputs : int
        Of the task.
    settings : RateSettings
        What the rule was told.
    rng : numpy.random.Generator
        Draws the first states.
    """

    def __init__(
        self,
        net: Rate,
        target: Rate,
        n_outputs: int,
        settings: RateSettings,
        rng: np.random.Generator,
    ) -> None:
        _check(net, target)
        n_told = n_outputs + settings.factors.size
        silent = np.zeros_like(net.recurrent)
        self._net = dataclasses.replace(
            net, recurrent=silent, input=target.input[:, n_told:], output_bias=None
        )
        self._settings, self._n_outputs = settings, n_outputs
        self._target = TargetRun(target, settings.factors, n_outputs, rng)
        self._state = _INITIAL_STD * rng.standard_normal(net.n_neurons)
        self._noise_std = noise_per_step(net.dt, settings.noise_density, 0.0)

    def prepare(self, lessons: Lessons) -> None:
        """Find the components of the target's currents."""
        self._wire(find_components(self._target, lessons, self._settings.share_explained))

    def learn(self, stream: Stream, rng: np.random.Generator) -> float:
        """Learn from a block of trials; return the mean squared error of the output."""
        n, n_components = self._components.shape
        squared = 0.0
        for part, currents in self._target.currents(stream):
            n_steps = part.stop - part.start
            wanted = np.concatenate([currents @ self._components, stream.target[part]], axis=1)
            noise = self._noise_std * rng.standard_normal((n_steps if self._noise_std else 0, n))
            learns = rng.random(n_steps) < self._settings.update_probability
            made = np.empty_like(wanted)
            steps = (stream.inputs[part], noise, wanted, learns)
            loop = (self._state, self._heard, self._inverse, self._weights)
            closed_loop(self._machine, *loop, steps, made)
            error = (made - wanted)[stream.counts[part], n_components:]
            squared += float(np.sum(error**2))
        return squared / max(1, int(stream.counts.sum()) * self._n_outputs)

    def weights(self) -> Arrays:
        """Return what a network is made of."""
        return {"weights": self._weights, "components": self._components}

    def network(self, weights: Mapping[str, NDArray[Any]]) -> Rate:
        """Return the network: what fed back becomes recurrent weights."""
        learned, components = weights["weights"], weights["components"]
        n_components = components.shape[1]
        recurrent = components @ learned[:n_components]
        return dataclasses.replace(self._net, recurrent=recurrent, output=learned[n_components:])

    def arrays(self) -> Arrays:
        """Return all that changes."""
        own = {"inverse": self._inverse, "state": self._state, "heard": self._heard}
        return {**self.weights(), **own, "target": self._target.state}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self._wire(np.array(arrays["components"]))
        self._weights, self._inverse = np.array(arrays["weights"]), np.array(arrays["inverse"])
        self._state, self._heard = np.array(arrays["state"]), np.array(arrays["heard"])
        self._target.state = np.array(arrays["target"])

    def soften(self) -> None:
        """Start the inverse correlations anew."""
        self._inverse = np.eye(self._state.size) / self._settings.regularization

    def diverged(self) -> str:
        """Say what grew beyond all bounds."""
        if not np.isfinite(self._state).all():
            return "states grew beyond all bounds"
        inverse = np.diag(self._inverse)
        most = 1.000001 / self._settings.regularization
        if not (inverse.min() > 0 and inverse.max() <= most and np.isfinite(self._weights).all()):
            return "the inverse correlations of the rates are no longer positive"
        return ""

    def _wire(self, components: Array) -> None:
        """Make room for what is learned, now that the number of components is known."""
        self._components = components
        n, n_components = components.shape
        n_rows = n_components + self._n_outputs
        self._weights, self._heard = np.zeros((n_rows, n)), np.zeros(n_rows)
        # Real outputs do not feed back.
        feedback = np.zeros((n, n_rows))
        feedback[:, :n_components] = components
        fed = dataclasses.replace(self._net, feedback=feedback, output=np.zeros((n_rows, n)))
        self._machine: Machine = machine_of(fed, n_rows)
        self.soften()


def _check(net: Rate, target: Rate) -> None:
    """Refuse feedback, and a target network of another size."""
    if net.feedback is not None:
        message = (
            "full_force trains the recurrent weights: make the network without feedback, "
            "dataclasses.replace(net, feedback=None)"
        )
        raise TensorError(message)
    if net.n_neurons != target.n_neurons:
        message = (
            f"the target network has {target.n_neurons} neurons and the rate network "
            f"{net.n_neurons}: neuron by neuron one learns the currents of the other, they must "
            "be as many"
        )
        raise TensorError(message)
