"""A spiking network that learns by full-FORCE."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.train.components import find_components
from popdyn.train.course import PREPARE, Lessons
from popdyn.train.spiking_kernels import Kept, Task, Wiring
from popdyn.train.spiking_steps import Loop, by_sender, dense, refuse_other_steps
from popdyn.train.stream import Stream
from popdyn.train.target_network import TargetRun

Array = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

# Trials, teacher-forced, in which the mean current is found that is then taken away; the rate of
# the second half of them is looked at.
_N_FORCED = 30
# Learning starts from rates between these (Hz).
_SILENT, _WILD = 0.5, 200.0


@dataclass(frozen=True)
class SpikingSettings:
    """What the rule can be told.

    Attributes
    ----------
    factors : ndarray, shape (hint,)
        Of the hints.
    share_explained : float
        Of the variance of the target network's currents that is kept.
    share_trained : float
        Of the neurons whose spikes the currents are learned from.
    current_gain : float
        Size of the learned currents in the potential's unit per current of the target network.
    update_probability : float
        Share of the steps that learn.
    regularization : float
        Inverse correlations start as the identity over this.
    noise_density : float
        Noise in the network while it learns.
    """

    factors: Array
    share_explained: float
    share_trained: float
    current_gain: float
    update_probability: float
    regularization: float
    noise_density: float


class SpikingLearner:
    """Full-FORCE with spikes: components of a target network's currents from filtered spikes.

    Parameters
    ----------
    net : Spiking
        Constants and fixed weights.
    target : Rate
        The target network.
    n_outputs : int
        Of the task.
    settings : SpikingSettings
        What the rule was told.
    rng : numpy.random.Generator
        Draws what is random at the start.
    """

    def __init__(
        self,
        net: Spiking,
        target: Rate,
        n_outputs: int,
        settings: SpikingSettings,
        rng: np.random.Generator,
    ) -> None:
        _check(net)
        self._net, self._settings, self._n_outputs = net, settings, n_outputs
        self._target = TargetRun(target, settings.factors, n_outputs, rng)
        n = net.n_neurons
        sizes = (max(n, target.n_neurons), target.n_neurons)
        directions = np.linalg.qr(rng.uniform(-1.0, 1.0, sizes))[0][:n]
        self._embedding = settings.current_gain * directions
        n_told = n_outputs + settings.factors.size
        self._input = np.ascontiguousarray((self._embedding @ target.input[:, n_told:]).T)
        n_trained = max(1, round(settings.share_trained * n))
        self._trained = np.sort(rng.choice(n, n_trained, replace=False))
        span = np.broadcast_to(np.asarray(net.threshold) - net.reset, n)
        self._start = np.asarray(net.reset + rng.random(n) * span, dtype=np.float64)

    def prepare(self, lessons: Lessons) -> None:
        """Find the components of the target's currents, and the mean current to take away."""
        self._wire(find_components(self._target, lessons, self._settings.share_explained))
        n = self._net.n_neurons
        mean, n_steps, n_spikes, n_late = np.zeros(n), 0, np.zeros(n, np.int64), 0
        for number in range(_N_FORCED):
            stream, own = lessons.block(PREPARE, 1000 + number, 1)
            kept = self._run(stream, own, forced=True)
            mean += kept.mean_current
            n_steps += stream.n_steps
            self._mean[...] = mean / n_steps
            if number >= _N_FORCED // 2:
                n_spikes += kept.n_spikes
                n_late += stream.n_steps
        self._refuse_rate(float(n_spikes.mean() / (n_late * self._net.dt)))

    def learn(self, stream: Stream, rng: np.random.Generator) -> float:
        """Learn from a block of trials; return the mean squared error of the output."""
        kept = self._run(stream, rng, forced=False)
        self._loop.symmetrize()
        error = (kept.output - stream.target)[stream.counts]
        return float(np.mean(error**2))

    def weights(self) -> Arrays:
        """Return what a network is made of."""
        return {
            "weights": self._loop.learned.weights,
            "mean": self._mean,
            "components": self._components,
        }

    def network(self, weights: Mapping[str, NDArray[Any]]) -> Spiking:
        """Return the network: learned currents become recurrent weights, the mean a bias."""
        n, n_trained = self._net.n_neurons, self._trained.size
        spread = self._embedding @ weights["components"]
        n_components = spread.shape[1]
        learned, read = np.split(weights["weights"], [n_components], axis=1)
        recurrent, output = [], []
        fixed = (self._net.recurrent_slow, self._net.recurrent_fast)
        for half, before in enumerate(fixed):
            part = slice(half * n_trained, (half + 1) * n_trained)
            matrix = np.zeros((n, n)) if before is None else dense(before).copy()
            matrix[:, self._trained] += spread @ learned[part].T
            recurrent.append(matrix)
            onto = np.zeros((self._n_outputs, n))
            onto[:, self._trained] = read[part].T * self._loop.traces.jump[half]
            output.append(onto)
        return dataclasses.replace(
            self._net,
            recurrent_slow=recurrent[0],
            recurrent_fast=recurrent[1],
            input=self._input.T,
            output_slow=output[0],
            output_fast=output[1],
            bias=np.broadcast_to(self._net.bias, n) - weights["mean"],
        )

    def arrays(self) -> Arrays:
        """Return all that changes."""
        return {**self._loop.arrays(), **self.weights(), "target": self._target.state}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self._wire(np.array(arrays["components"]))
        self._loop.restore(arrays)
        self._mean[...] = arrays["mean"]
        self._target.state = np.array(arrays["target"])

    def soften(self) -> None:
        """Start the inverse correlations anew."""
        self._loop.soften()

    def diverged(self) -> str:
        """Say what grew beyond all bounds."""
        return self._loop.diverged()

    def _wire(self, components: Array) -> None:
        """Make room for what is learned, now that the number of components is known."""
        self._components = components
        n = self._net.n_neurons
        self._mean = np.zeros(n)
        place = np.full(n, -1, np.int64)
        place[self._trained] = np.arange(self._trained.size)
        wiring = Wiring(
            input=self._input,
            spread=np.ascontiguousarray((self._embedding @ components).T),
            fast=by_sender(self._net.recurrent_fast),
            slow=by_sender(self._net.recurrent_slow),
            place=place,
        )
        n_rows = components.shape[1] + self._n_outputs
        told = self._settings
        self._loop = Loop.of(self._net, wiring, n_rows, told.regularization, told.noise_density)
        self._loop.state.potential[:] = self._start

    def _run(self, stream: Stream, rng: np.random.Generator, *, forced: bool) -> Kept:
        """Go through a block in chunks."""
        kept = self._loop.nothing_kept(stream.n_steps, self._n_outputs)
        for part, currents in self._target.currents(stream):
            wanted = np.concatenate([currents @ self._components, stream.target[part]], 1)
            n_steps = part.stop - part.start
            noise = self._loop.noise(n_steps, rng)
            update = rng.random(n_steps) < self._settings.update_probability
            task = Task(stream.inputs[part], noise, wanted, forced, update & (not forced))
            self._loop.run(task, kept, part, self._mean)
        return kept

    def _refuse_rate(self, rate: float) -> None:
        """Refuse to learn from a network that is silent, or spikes all the time."""
        if not _SILENT <= rate <= _WILD:
            message = (
                f"driven by the currents of the target network, neurons spike at {rate:.2f} Hz on "
                f"average: learning needs {_SILENT:g} to {_WILD:g} Hz. Change current_gain, or the "
                "inhibition, bias or reset of the network"
            )
            raise FitError(message)


def _check(net: Spiking) -> None:
    """Refuse networks the rule is not made for."""
    refuse_other_steps(net, "full_force")
    if net.feedback is not None:
        message = (
            "full_force trains the recurrent weights: make the network without feedback, "
            "dataclasses.replace(net, feedback=None)"
        )
        raise TensorError(message)
