"""How well held-out conditions are predicted: explained variance, its interval, the rank chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from popdyn.dynamics.fit_lowrank_data import Recording
from popdyn.dynamics.fit_lowrank_model import errors, null_errors
from popdyn.resample import percentile_bounds

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Ranks that explain less than the best by this part of it are as good.
TOLERANCE = 0.001
_NORMAL, _LEAST = 1.959963984540054, 1e-300


@dataclass(frozen=True, eq=False)
class Score:
    """Errors of predictions, summed by neuron and condition.

    Attributes
    ----------
    error, null, own_null : ndarray, shape (neuron, condition)
        Of the prediction, of predicting the mean of all that was recorded, and of predicting each
        neuron's mean.
    """

    error: Array
    null: Array
    own_null: Array

    @property
    def r2(self) -> float:
        """Explained part: ``1 - error / null``."""
        return float(1.0 - self.error.sum() / self.null.sum())

    @property
    def neuron_r2(self) -> Array:
        """The same of each neuron, whose mean is its own; NaN where it never varies."""
        return _explained(self.error.sum(axis=1), self.own_null.sum(axis=1))

    def neuron_bounds(self, conditions: Array) -> Array:
        """Return the 95 % interval of `neuron_r2` (bound, neuron) over draws of conditions."""
        return percentile_bounds(
            _explained(conditions @ self.error.T, conditions @ self.own_null.T)
        )

    def bounds(self, neurons: Array, conditions: Array) -> Array:
        """Return the 95 % interval of `r2` over draws of neurons and conditions.

        Of ``log(error / null)``, whose percentiles are moved away from the estimate by what
        draws of few conditions lack: ``sqrt(n / (n - 1))``, and the ratio of the quantiles of
        Student's t and of the normal distribution.

        Parameters
        ----------
        neurons, conditions : ndarray, shape (draw, neuron), (draw, condition)
            How often each is in a draw.
        """
        drawn = [
            np.einsum("dn,nc,dc->d", neurons, part, conditions, optimize=True)
            for part in (self.error, self.null)
        ]
        error, null = (np.maximum(part, _LEAST) for part in drawn)
        left = np.log(error) - np.log(null)
        middle = np.log(max(self.error.sum(), _LEAST)) - np.log(max(self.null.sum(), _LEAST))
        # With two conditions Student's t knows nothing at all.
        n = max(self.error.shape[1], 3)
        wider = stdtrit(n - 1, 0.975) / _NORMAL * np.sqrt(n / (n - 1))
        lower, upper = middle + wider * (percentile_bounds(left) - middle)
        return np.array([1.0 - np.exp(upper), 1.0 - np.exp(lower)])


def score(recording: Recording, predicted: Array, poisson: bool) -> Score:
    """Compare a prediction (item, bin, neuron) with what was recorded."""
    values, counts = recording.values, recording.counts
    error = errors(values, counts, predicted[..., : values.shape[2]], poisson)
    null = null_errors(values, counts, poisson)
    own = null_errors(values, counts, poisson, by_neuron=True)
    return Score(*(_by_condition(part, recording) for part in (error, null, own)))


def _explained(error: Array, null: Array) -> Array:
    """Return the explained part, NaN where nothing varies."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(null > 0, 1.0 - error / null, np.nan)


def _by_condition(error: Array, recording: Recording) -> Array:
    """Sum errors (item, bin, neuron) to (neuron, condition)."""
    sums = np.zeros((recording.n_conditions, error.shape[2]))
    np.add.at(sums, recording.condition, error.sum(axis=1))
    return sums.T


def draws(size: tuple[int, int], n_draws: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return how often each neuron and each condition is in each draw."""
    n_neurons, n_conditions = size
    neurons = rng.multinomial(n_neurons, np.full(n_neurons, 1 / n_neurons), n_draws)
    conditions = rng.multinomial(n_conditions, np.full(n_conditions, 1 / n_conditions), n_draws)
    return neurons.astype(float), conditions.astype(float)


def chosen(scores: Sequence[Score]) -> int:
    """Return the position of the smallest rank that is as good as the best.

    That is when its error on held-out conditions is larger by no more than twice the standard error
    of the difference over conditions, or by `TOLERANCE` of what the best explains.
    """
    best = int(np.argmin([one.error.sum() for one in scores]))
    explained = max(scores[best].null.sum() - scores[best].error.sum(), 0.0)
    for position, one in enumerate(scores):
        more = (one.error - scores[best].error).sum(axis=0)
        deviation = float(np.sqrt(more.size) * more.std(ddof=1)) if more.size > 1 else 0.0
        if more.sum() <= max(2 * deviation, TOLERANCE * explained):
            return position
    return best


def pca_prediction(recording: Recording, fold: Index, n_components: int) -> Array:
    """Return held-out activity projected onto components of the rest, (item, bin, neuron).

    What was not observed is taken for the mean of its neuron.
    """
    values, counts = recording.values, recording.counts
    predicted = np.zeros_like(values)
    for number in np.unique(fold):
        kept, out = fold != number, fold == number
        n = np.maximum(counts[kept].sum(axis=(0, 1)), 1)
        mean = values[kept].sum(axis=(0, 1)) / n
        train = np.where(counts[kept], values[kept] - mean, 0.0).reshape(-1, mean.size)
        axes = np.linalg.eigh(train.T @ train)[1][:, ::-1][:, :n_components]
        test = np.where(counts[out], values[out] - mean, 0.0)
        predicted[out] = mean + test @ axes @ axes.T
    return predicted


def average_prediction(recording: Recording, fold: Index) -> Array:
    """Return the average over the conditions that are not held out, (item, bin, neuron)."""
    values, counts = recording.values, recording.counts
    predicted = np.zeros_like(values)
    for number in np.unique(fold):
        kept, out = fold != number, fold == number
        n = counts[kept].sum(axis=0)
        mean = values[kept].sum(axis=(0, 1)) / np.maximum(counts[kept].sum(axis=(0, 1)), 1)
        predicted[out] = np.where(n > 0, values[kept].sum(axis=0) / np.maximum(n, 1), mean)
    return predicted
