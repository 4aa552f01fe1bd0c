"""A rate network that learns by its gradient, batch after batch of trials."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.doubtful_seconds import doubted_before
from popdyn.network.kinds import RateLike
from popdyn.network.low_rank import LowRank
from popdyn.train.adam import Adam
from popdyn.train.backprop_gradient import Circuit, loss_and_gradient
from popdyn.train.backprop_loss import Lesson
from popdyn.train.course import Lessons
from popdyn.train.learnable import LEARNABLE, Mask, values_of

Array = NDArray[Any]
Arrays = dict[str, Array]

# Whose squares have a price.
_PRICED = ("m", "n", "recurrent", "input", "output")


@dataclass(frozen=True)
class BackpropSettings:
    """What the rule can be told.

    Attributes
    ----------
    learn : dict
        What of the network changes: by name, None for all weights or a mask of them.
    learning_rate : float
        Of Adam, at the start.
    half_life : float or None
        Trials after which the learning rate is half as large.
    batch : int
        Trials of a step.
    clip : float
        Largest norm of the gradient.
    noise_step : float
        Standard deviation of the noise of each step.
    activity_penalty, weight_penalty : float
        Price of the mean squared rate, and of the squared weights per neuron.
    precision : {"float32", "float64"}
        Of the kernels; what is learned is kept in double precision.
    n_jobs : int or None
        Threads.
    """

    learn: dict[str, Mask | None]
    learning_rate: float
    half_life: float | None
    batch: int
    clip: float
    noise_step: float
    activity_penalty: float
    weight_penalty: float
    precision: str
    n_jobs: int | None


@dataclass
class TrialLessons(Lessons):
    """Blocks of trials of a task, each trial by itself."""

    def block(self, kind: int, number: int, n_trials: int) -> tuple[Any, np.random.Generator]:
        """Draw a block; return it and a generator for whatever else is random in it."""
        trials_rng, own = self.generators(kind, number)
        trials = self.task.sample(n_trials, trials_rng, dt=self.dt)
        keys = own.integers(0, 2**32, n_trials, dtype=np.uint64)
        return lesson_of_trials(trials, keys), own


def lesson_of_trials(trials: xr.Dataset, keys: NDArray[np.uint64]) -> Lesson:
    """Return trials as the kernels take them, all steps of the mask of a trial together as one.

    Parameters
    ----------
    trials : Dataset
        From a task's ``sample``.
    keys : ndarray, shape (trial,)
        Of their noise.
    """
    inputs = trials["inputs"].transpose("trial", "step_time", "channel").to_numpy()
    target = trials["target"].transpose("trial", "step_time", "output").to_numpy()
    counts = trials["mask"].transpose("trial", "step_time").to_numpy() > 0
    n_counting = np.maximum(counts.sum(axis=1), 1)
    weight = counts / (n_counting[:, None] * target.shape[2])
    n_steps = counts.shape[1] - np.argmax(counts[:, ::-1], axis=1)
    n_steps[~counts.any(axis=1)] = 0
    shape = np.broadcast_to(weight[..., None], target.shape)
    return Lesson(inputs, target, shape, n_steps, keys)


def loss_of_outputs(
    net: RateLike, trials: xr.Dataset, rng: np.random.Generator, noise_step: float = 0.0
) -> float:
    """Return the loss of a network on trials, without penalties.

    Parameters
    ----------
    net : Rate or LowRank
        The network.
    trials : Dataset
        From a task's ``sample``.
    rng : Generator
        Of the noise.
    noise_step : float
        Its standard deviation.
    """
    n_trials = trials.sizes["trial"]
    lesson = lesson_of_trials(trials, rng.integers(0, 2**32, n_trials, dtype=np.uint64))
    lesson = lesson._replace(weight=lesson.weight / n_trials)
    weights = {name: values_of(net, name) for name in LEARNABLE[isinstance(net, LowRank)]}
    loss, _ = loss_and_gradient(weights, circuit_of(net, noise_step, "float32"), lesson)
    return loss


def circuit_of(net: RateLike, noise_step: float, dtype: str, activity: float = 0.0) -> Circuit:
    """Return what of a network is not learned, as the kernels take it."""
    n = net.n_neurons
    return Circuit(
        share=np.broadcast_to(net.dt / net.tau, n),
        gain=np.ones(n) if net.gain is None else net.gain,
        nonlinearity=net.nonlinearity,
        noise_step=noise_step,
        activity=activity,
        dtype=dtype,
    )


class BackpropLearner:
    """Backpropagation through time with Adam.

    Parameters
    ----------
    net : Rate or LowRank
        Where learning starts.
    settings : BackpropSettings
        What the rule was told.
    """

    def __init__(self, net: RateLike, settings: BackpropSettings) -> None:
        self._net, self._settings = net, settings
        price = settings.activity_penalty
        self._circuit = circuit_of(net, settings.noise_step, settings.precision, price)
        all_of_it = {name: values_of(net, name) for name in LEARNABLE[isinstance(net, LowRank)]}
        self._learned = {name: all_of_it[name].copy() for name in settings.learn}
        self._fixed = {name: a for name, a in all_of_it.items() if name not in settings.learn}
        self._adam = Adam(self._learned)
        # Trials learned so far, and what divergences left of the learning rate.
        self._course = np.array([0.0, 1.0])
        self._what = ""

    def prepare(self, lessons: Lessons) -> None:
        """There is nothing to prepare."""

    def learn(self, stream: Any, rng: np.random.Generator) -> float:  # noqa: ARG002
        """Learn from a block of trials; return the mean loss of its batches."""
        losses = []
        for first in range(0, len(stream.inputs), self._settings.batch):
            batch = Lesson(*(one[first : first + self._settings.batch] for one in stream))
            losses.append(self._step(batch))
            if self._what:
                break
        return float(np.mean(losses))

    def _step(self, batch: Lesson) -> float:
        """Learn from a batch; return its loss."""
        told, n_trials = self._settings, len(batch.inputs)
        batch = batch._replace(weight=batch.weight / n_trials)
        parameters = {**self._fixed, **self._learned}
        loss, gradient = loss_and_gradient(parameters, self._circuit, batch, told.n_jobs)
        price = told.weight_penalty / self._net.n_neurons
        for name in [name for name in told.learn if price and name in _PRICED]:
            mask = told.learn[name]
            loss += price * float((self._learned[name][... if mask is None else mask] ** 2).sum())
            gradient[name] = gradient[name] + 2 * price * self._learned[name]
        slopes = {
            name: gradient[name] if mask is None else gradient[name] * mask
            for name, mask in told.learn.items()
        }
        norm = float(np.sqrt(sum(float((slope**2).sum()) for slope in slopes.values())))
        if not (np.isfinite(loss) and np.isfinite(norm)):
            self._what = "the loss or its gradient grew beyond all bounds"
            return loss
        if norm > told.clip:
            slopes = {name: slope * (told.clip / norm) for name, slope in slopes.items()}
        self._adam.step(slopes, self._learning_rate())
        self._course[0] += n_trials
        return loss

    def _learning_rate(self) -> float:
        n_trials, left = self._course
        half_life = self._settings.half_life
        fallen = 1.0 if half_life is None else 0.5 ** (n_trials / half_life)
        return float(self._settings.learning_rate * left * fallen)

    def weights(self) -> Arrays:
        """Return what was learned."""
        return self._learned

    def network(self, weights: Mapping[str, Array]) -> RateLike:
        """Return the network that has these weights."""
        changed: Any = weights
        with doubted_before():
            return dataclasses.replace(self._net, **changed)

    def arrays(self) -> Arrays:
        """Return all that is needed to go on to the same bits."""
        moments = {f"adam/{name}": values for name, values in self._adam.arrays().items()}
        return {**self._learned, **moments, "course": self._course}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Go on from what `arrays` returned."""
        for name, values in self.arrays().items():
            values[...] = arrays[name]

    def soften(self) -> None:
        """Learn half as fast."""
        self._course[1] /= 2
        self._what = ""

    def diverged(self) -> str:
        """Say what grew beyond all bounds."""
        return self._what


def check_fits(net: RateLike, task: Any) -> None:
    """Refuse a network that does not fit its task, or that its outputs feed back to.

    Raises
    ------
    TensorError
        Saying how to make one that does.
    """
    if getattr(net, "feedback", None) is not None:
        message = (
            "the network feeds its outputs back, which backprop does not learn through: put the "
            "feedback into the recurrent weights, dataclasses.replace(net, recurrent=net.recurrent "
            "+ net.feedback @ net.output, feedback=None)"
        )
        raise TensorError(message)
    trials = task.sample(1, 0, dt=net.dt)
    if "target" not in trials:
        message = f"{type(task).__name__} gives no target: backprop needs one"
        raise TensorError(message)
    for wanted, found, name in (
        (trials["inputs"].sizes["channel"], net.n_inputs, "inputs"),
        (trials["target"].sizes["output"], net.n_outputs, "outputs"),
    ):
        if wanted != found:
            message = (
                f"the task has {wanted} {name}, the network {found}: make it with n_{name}={wanted}"
            )
            raise TensorError(message)
