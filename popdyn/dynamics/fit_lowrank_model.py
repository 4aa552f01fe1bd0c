"""A network and how it is observed: what a low-rank fit learns and predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from popdyn.dynamics.fit_lowrank_data import Recording
from popdyn.simulation.steps import ACTIVATIONS
from popdyn.train.backprop_gradient import Circuit
from popdyn.train.backprop_loss import Lesson

Array = NDArray[np.float64]
Parameters = Mapping[str, Array]
Observation = Literal["rate", "state", "poisson"]

# What can be learned beside loadings and input weights.
EXTRAS = ("bias", "initial", "scale", "offset")
# Mean count of a neuron, in units of what is softly rectified: nearly linear around it.
_LINEAR = 4.0
# Nonlinearities that change sign with the state.
_ODD = ("tanh", "erf", "linear")
# Standard deviation of full recurrent weights at the start, times the root of their number.
_FULL_START = 0.5
# What is learned of a neuron starts here; log(1 + exp(offset)) is the mean count, in its unit.
_RATES = {"bias": 0.0, "initial": 0.0, "scale": 1.0, "offset": 0.0}
_COUNTS = _RATES | {"scale": _LINEAR / 2, "offset": float(np.log(np.expm1(_LINEAR)))}


@dataclass(frozen=True, eq=False)
class Model:
    """A network of unknown weights, and how its neurons are observed.

    What is seen of a neuron is ``center + unit (scale x + offset)`` of its rate or state ``x``, or
    for counts their mean, ``unit log(1 + exp(scale x + offset))``.

    Attributes
    ----------
    circuit : Circuit
        What is not learned.
    center, unit : ndarray, shape (neuron,)
        Of the activity, of the network's neurons; 0 and 1 of those that were not recorded.
    fixed : mapping of name to array
        What is neither learned nor that of a circuit by default.
    learned : tuple of str
        What is learned beside loadings and input weights.
    n_channels : int
        Number of inputs.
    """

    circuit: Circuit
    center: Array
    unit: Array
    fixed: Parameters
    learned: tuple[str, ...]
    n_channels: int

    @property
    def n_neurons(self) -> int:
        """Number of neurons of the network."""
        return int(self.center.size)

    def in_units_of(self, recording: Recording, items: NDArray[np.intp]) -> Model:
        """Return the model with center and unit of some items: others are not known to it."""
        part = recording.values[items], recording.counts[items]
        observation: Observation = "poisson" if self.circuit.poisson else "rate"
        center, unit = np.zeros(self.n_neurons), np.ones(self.n_neurons)
        n_recorded = part[0].shape[2]
        found = _units_of(*part, observation, "scale" in self.learned)
        center[:n_recorded], unit[:n_recorded] = found
        return replace(self, center=center, unit=unit)

    def start(self, n_ranks: int | None, rng: np.random.Generator) -> dict[str, Array]:
        """Draw what the fit starts from; without a number of ranks, with full weights."""
        n = self.n_neurons
        # Input weights first: networks of all ranks start from the same ones.
        drawn = {"input": rng.standard_normal((n, self.n_channels))}
        if n_ranks is None:
            drawn["recurrent"] = _FULL_START / np.sqrt(n) * rng.standard_normal((n, n))
        else:
            drawn["m"] = rng.standard_normal((n_ranks, n)).T.copy()
            drawn["n"] = rng.standard_normal((n_ranks, n)).T.copy()
        values = _COUNTS if self.circuit.poisson else _RATES
        return drawn | {name: np.full(n, values[name]) for name in EXTRAS if name in self.learned}

    def prior(
        self, recording: Recording, items: NDArray[np.intp], names: Sequence[str]
    ) -> dict[str, tuple[float, float]]:
        """Return mean and pull of what is learned from counts, none from anything else.

        Each value is from a normal distribution of deviation 1 (full weights: that of the start)
        around the start.  A neuron has few spikes for its seven values or more: without it scale
        and loadings grow where they are not determined, and predict worse.
        """
        if not self.circuit.poisson:
            return {}
        # The loss is twice the negative log likelihood in units of this.
        total = null_errors(recording.values[items], recording.counts[items], True).sum()
        deviation = {"recurrent": _FULL_START / np.sqrt(self.n_neurons)}
        return {
            name: (_COUNTS.get(name, 0.0), 1.0 / deviation.get(name, 1.0) ** 2 / float(total))
            for name in names
        }

    def upright(self, parameters: dict[str, Array]) -> dict[str, Array]:
        """Return the same network with positive scales, where the nonlinearity is odd."""
        turned = self.circuit.nonlinearity in _ODD and "initial" not in self.fixed
        if not turned or "scale" not in parameters or "m" not in parameters:
            return parameters
        sign = np.where(parameters["scale"] < 0, -1.0, 1.0)
        both = {name: (values.T * sign).T for name, values in parameters.items()}
        return both | {"offset": parameters["offset"]} if "offset" in parameters else both

    def lesson(self, recording: Recording, items: NDArray[np.intp]) -> Lesson:
        """Return items as the kernels take them; the loss of predicting the mean is about 1."""
        every, n_free = recording.steps_per_bin, recording.n_free
        values, counts = recording.values[items], recording.counts[items]
        n_recorded = values.shape[2]
        shape = (len(items), n_free + values.shape[1] * every, self.n_neurons)
        target, weight = np.zeros(shape), np.zeros(shape)
        center, unit = self.center[:n_recorded], self.unit[:n_recorded]
        target[:, n_free:, :n_recorded] = np.repeat((values - center) / unit, every, axis=1)
        square = unit if self.circuit.poisson else unit**2
        total = null_errors(values, counts, bool(self.circuit.poisson)).sum()
        size = square / every / max(total, np.finfo(float).tiny)
        if self.circuit.poisson:
            size = 2 * size
        weight[:, n_free:, :n_recorded] = np.repeat(counts * size, every, axis=1)
        n_steps = np.full(len(items), shape[1])
        keys = np.zeros(len(items), np.uint64)
        return Lesson(recording.inputs[items], target, weight, n_steps, keys)

    def states(self, parameters: Parameters, inputs: Array) -> Array:
        """Return the states (item, step, neuron) after each step."""
        full = {**self.fixed, **parameters}
        share, nonlinearity = self.circuit.share, self.circuit.nonlinearity
        states = np.empty((*inputs.shape[:2], self.n_neurons))
        x = np.broadcast_to(full.get("initial", 0.0), states[:, 0].shape)
        for t in range(inputs.shape[1]):
            rate = ACTIVATIONS[nonlinearity](x)
            heard = inputs[:, t] @ full["input"].T + full.get("bias", 0.0)
            if "m" in full:
                heard = heard + rate @ full["n"] / self.n_neurons @ full["m"].T
            else:
                heard = heard + rate @ full["recurrent"].T
            made = share if t else self.circuit.first * share
            x = states[:, t] = x + made * (heard - x)
        return states

    def predicted(self, parameters: Parameters, recording: Recording, items: Any = ...) -> Array:
        """Return what should be seen of all neurons, (item, bin, neuron)."""
        full = {**self.fixed, **parameters}
        seen = self.states(parameters, recording.inputs[items])
        if self.circuit.held == "rate":
            seen = ACTIVATIONS[self.circuit.nonlinearity](seen)
        seen = full.get("scale", 1.0) * seen + full.get("offset", 0.0)
        if self.circuit.poisson:
            seen = np.logaddexp(0.0, seen)
        every = recording.steps_per_bin
        bins = seen[:, recording.n_free :].reshape(len(seen), -1, every, self.n_neurons)
        return np.asarray(self.center + self.unit * bins.mean(axis=2))


def make_model(
    recording: Recording,
    observation: Observation,
    *,
    n_neurons: int,
    nonlinearity: str,
    tau: float,
    learned: tuple[str, ...],
    initial: Array | None,
) -> Model:
    """Return the model of a recording: units of the activity, and what is learned by default."""
    held: Any = "state" if observation == "state" else "rate"
    circuit = Circuit(
        share=np.full(n_neurons, recording.dt / tau),
        gain=np.ones(n_neurons),
        nonlinearity=nonlinearity,
        held=held,
        poisson=2 if observation == "poisson" else 0,
        dtype="float64",
        first=0.5,
    )
    fixed = {} if initial is None else {"initial": initial}
    nothing = np.zeros(n_neurons), np.ones(n_neurons)
    model = Model(circuit, *nothing, fixed, learned, recording.inputs.shape[2])
    return model.in_units_of(recording, np.arange(len(recording.values)))


def _units_of(
    values: Array, counts: NDArray[np.bool_], observation: Observation, scaled: bool
) -> tuple[Array, Array]:
    """Return center and unit of the activity of each recorded neuron.

    Neurons that are not observed have those of the others.
    """
    n_seen = counts.sum(axis=(0, 1))
    n = np.maximum(n_seen, 1)
    mean = np.where(counts, values, 0.0).sum(axis=(0, 1)) / n
    seen = n_seen > 0
    if observation == "poisson":
        return np.zeros(mean.size), np.where(mean > 0, mean, mean[mean > 0].mean()) / _LINEAR
    if not scaled:
        return np.zeros(mean.size), np.ones(mean.size)
    square = np.where(counts, (values - mean) ** 2, 0.0).sum(axis=(0, 1)) / n
    spread = np.sqrt(square)
    varies = spread > 1e-9 * max(spread.max(), 1e-300)
    usual = 2 * spread[varies].mean() if varies.any() and not seen.all() else 1.0
    unit = np.where(varies, 2 * spread, np.where(seen, 1.0, usual))
    return np.where(seen, mean, mean[seen].mean()), unit


def errors(values: Array, counts: NDArray[np.bool_], predicted: Any, poisson: bool) -> Array:
    """Return squared errors, or deviances of counts (Poisson), 0 where nothing counts."""
    if not poisson:
        return np.where(counts, (values - predicted) ** 2, 0.0)
    floor = np.maximum(predicted, 1e-9)
    deviance = 2 * (xlogy(values, values) - xlogy(values, floor) - values + floor)
    return np.where(counts, np.maximum(deviance, 0.0), 0.0)


def null_errors(
    values: Array, counts: NDArray[np.bool_], poisson: bool, *, by_neuron: bool = False
) -> Array:
    """Return the errors (item, bin, neuron) of predicting a mean.

    Of counts that of each neuron, of all else that of all of them (LINT), unless `by_neuron`.
    """
    axes = (0, 1) if poisson or by_neuron else None
    n = np.maximum(counts.sum(axis=axes), 1)
    return errors(values, counts, values.sum(axis=axes) / n, poisson)


def visited_rates(model: Model, parameters: Parameters, recording: Recording) -> Array:
    """Return the rates (sample, neuron) that the network visits while activity counts."""
    states = model.states(parameters, recording.inputs)
    rates = ACTIVATIONS[model.circuit.nonlinearity](states)[:, recording.n_free :]
    seen = np.repeat(recording.counts.any(axis=2), recording.steps_per_bin, axis=1)
    return np.asarray(rates[seen])
