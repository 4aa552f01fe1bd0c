"""Loss and gradient of a batch of trials, by names of what a network is made of: arrays only.

Trials go through the kernels in tiles of a fixed size, whose gradients are summed in order: the
number of threads changes no bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import joblib
import numpy as np
from numpy.typing import NDArray

from popdyn.train.backprop_full_rank import FullRankWeights, full_rank_tile
from popdyn.train.backprop_loss import OUTPUT, RATE, STATE, Constants, Lesson
from popdyn.train.backprop_low_rank import LowRankWeights, low_rank_tile
from popdyn.train.kernels import KINDS

Array = NDArray[Any]
Weights = LowRankWeights | FullRankWeights
Held = Literal["output", "rate", "state"]

# Trials of a tile, which one thread runs: with low rank one by one, else all at once.
_TILE = {True: 8, False: 64}
_HELD = {"output": OUTPUT, "rate": RATE, "state": STATE}


@dataclass(frozen=True)
class Circuit:
    """What is not learned, and how the network is held to its targets.

    Attributes
    ----------
    share : ndarray, shape (neuron,)
        Share of its drive that a neuron takes over in a step, ``dt / tau``.
    gain : ndarray, shape (neuron,)
        Slope of each neuron.
    nonlinearity : str
        As in `popdyn.network.Rate`.
    held : {"output", "rate", "state"}
        What the targets are of.
    poisson : bool or 2
        Whether targets are counts, and what is held to them the logarithm of their mean; with 2
        what their mean ``log(1 + exp(p))`` is of.
    noise_step : float
        Standard deviation of the noise of a step on each state.
    activity : float
        Price of the mean squared rate, over the steps of all trials.
    dtype : {"float64", "float32"}
        Precision of the kernels.
    first : float
        Part of the first step that is made: with 0.5 states are those halfway through steps.
    """

    share: Array
    gain: Array
    nonlinearity: str
    held: Held = "output"
    poisson: int = False
    noise_step: float = 0.0
    activity: float = 0.0
    dtype: str = "float32"
    first: float = 1.0

    def constants(self, lesson: Lesson) -> Constants:
        """Return what the kernels need beside weights and trials."""
        kind = np.dtype(self.dtype)
        price = self.activity / max(float(lesson.n_steps.sum()) * self.share.size, 1.0)
        return Constants(
            keep=(1.0 - self.share).astype(kind),
            gain=self.gain.astype(kind),
            numbers=np.array([self.noise_step, price, self.first], kind),
            kind=KINDS[self.nonlinearity],
            held=_HELD[self.held],
            poisson=int(self.poisson),
        )

    def factors(self, low_rank: bool) -> dict[str, Any]:
        """Return what the kernels' weights are multiples of: by name, as in a network."""
        n = self.share.size
        column = self.share[:, None]
        shared: dict[str, Any] = {"input": column, "bias": self.share}
        if low_rank:
            return {**shared, "m": column, "n": 1.0 / n, "output": 1.0 / n}
        return {**shared, "recurrent": column}


def loss_and_gradient(
    parameters: Mapping[str, Array], circuit: Circuit, lesson: Lesson, n_jobs: int | None = None
) -> tuple[float, dict[str, Array]]:
    """Run a batch of trials forward and back.

    Parameters
    ----------
    parameters : mapping of name to array
        As in a network: ``m`` and ``n (neuron, rank)``, or ``recurrent (neuron, neuron)``; ``input
        (neuron, input)``, and any of ``output (output, neuron)``, ``output_bias (output,)``,
        ``bias``, ``initial``, ``scale`` and ``offset (neuron,)``, which are else 0, and the scale
        1.
    circuit : Circuit
        What is not learned.
    lesson : Lesson
        The trials.
    n_jobs : int, optional
        Threads; None is one.

    Returns
    -------
    loss : float
        With the price of the activity.
    gradient : dict of str to ndarray
        In float64, by the names of `parameters`.
    """
    low_rank = "m" in parameters
    kind = np.dtype(circuit.dtype)
    factors = circuit.factors(low_rank)
    weights = _weights(parameters, factors, kind, low_rank)
    constants, lesson = circuit.constants(lesson), _cast(lesson, kind)
    size = _TILE[low_rank]
    tiles = [
        (first, min(first + size, len(lesson.inputs)))
        for first in range(0, len(lesson.inputs), size)
    ]
    jobs = (joblib.delayed(_tile)(weights, constants, lesson, *tile) for tile in tiles)
    if n_jobs is None or n_jobs == 1 or len(tiles) == 1:
        parts = [function(*told) for function, told, _ in jobs]
    else:
        parts = joblib.Parallel(n_jobs=n_jobs, prefer="threads")(jobs)
    loss = sum(part[0] for part in parts)
    gradient = {}
    for name in parameters:
        total = np.sum([getattr(part[1], name) for part in parts], axis=0, dtype=np.float64)
        natural = total if name in ("recurrent", "output") or np.ndim(total) < 2 else total.T
        gradient[name] = natural * factors.get(name, 1.0)
    return float(loss), gradient


def _weights(
    parameters: Mapping[str, Array], factors: Mapping[str, Any], kind: Any, low_rank: bool
) -> Weights:
    """Return weights as the kernels take them."""
    n = len(parameters["input"])
    n_outputs = len(parameters["output"]) if "output" in parameters else 0
    empty = {
        "output": np.zeros((n_outputs, n)),
        "output_bias": np.zeros(n_outputs),
        "bias": np.zeros(n),
        "initial": np.zeros(n),
        "scale": np.ones(n),
        "offset": np.zeros(n),
    }
    rows = {}
    for name, values in {**empty, **parameters}.items():
        scaled = values * factors.get(name, 1.0)
        rows[name] = scaled.T if name in ("m", "n", "input") else scaled
    arrays = {name: np.ascontiguousarray(values, kind) for name, values in rows.items()}
    return LowRankWeights(**arrays) if low_rank else FullRankWeights(**arrays)


def _cast(lesson: Lesson, kind: Any) -> Lesson:
    """Return trials in the precision of the kernels."""
    given = (lesson.inputs, lesson.target, lesson.weight)
    inputs, target, weight = (np.ascontiguousarray(one, kind) for one in given)
    n_steps = np.ascontiguousarray(lesson.n_steps, np.int64)
    return Lesson(inputs, target, weight, n_steps, lesson.keys.astype(np.uint64))


def _tile(
    weights: Weights, constants: Constants, lesson: Lesson, first: int, stop: int
) -> tuple[float, Weights]:
    """Return loss and gradient of some trials."""
    if isinstance(weights, LowRankWeights):
        d = LowRankWeights(*(np.zeros_like(one) for one in weights))
        return low_rank_tile(weights, constants, lesson, first, stop, d), d
    whole = FullRankWeights(*(np.zeros_like(one) for one in weights))
    parts: Any = [one[first:stop] for one in lesson]
    return full_rank_tile(weights, constants, Lesson(*parts), whole), whole
