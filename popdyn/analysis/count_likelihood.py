"""Likelihoods of spike counts: Poisson, and negative binomial with its dispersion."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of some rows and the design they share.

    Attributes
    ----------
    values : ndarray, shape (row, trial)
        Spikes.
    regressors : ndarray, shape (trial, regressor)
        Brought to mean 0 and variance 1, the intercept last.
    offset : float
        Logarithm of the bin width (s).
    """

    values: Array
    regressors: Array
    offset: float
    products: Array = field(init=False)

    def __post_init__(self) -> None:
        """Products of all pairs of regressors, (trial, pair)."""
        pairs = self.regressors[:, :, None] * self.regressors[:, None, :]
        object.__setattr__(self, "products", pairs.reshape(len(pairs), -1))

    def log_mean(self, coefficient: Array) -> Array:
        """Logarithm of the expected counts, (row, trial)."""
        return np.asarray(coefficient @ self.regressors.T + self.offset)

    def weighted(self, weight: Array) -> Array:
        """Products of regressors summed over trials with weights, (row, regressor, regressor)."""
        n = self.regressors.shape[1]
        return np.asarray((weight @ self.products).reshape(-1, n, n))


class PoissonLikelihood:
    """Poisson counts; parameters (row, regressor).

    Parameters
    ----------
    counts : Counts
        The data.
    """

    def __init__(self, counts: Counts) -> None:
        self.counts = counts

    def start(self) -> Array:
        """Begin at the mean rate and no effect; NaN for a row without spikes."""
        total = self.counts.values.sum(axis=1)
        start = np.zeros((len(total), self.counts.regressors.shape[1]))
        mean = np.where(total > 0, total, np.nan) / self.counts.values.shape[1]
        start[:, -1] = np.log(mean) - self.counts.offset
        return start

    def value(self, parameters: Array, rows: Index) -> Array:
        """Log likelihood (row), without what does not depend on parameters."""
        log_mean = self.counts.log_mean(parameters)
        linear = np.einsum("rn,rn->r", self.counts.values[rows], log_mean)
        with np.errstate(over="ignore"):
            return np.asarray(linear - np.exp(log_mean).sum(axis=1))

    def slope(self, parameters: Array, rows: Index) -> tuple[Array, Array]:
        """Gradient and negative Hessian."""
        mean = np.exp(self.counts.log_mean(parameters))
        gradient = (self.counts.values[rows] - mean) @ self.counts.regressors
        return gradient, self.counts.weighted(mean)


class NegativeBinomialLikelihood:
    """Counts of variance ``mean + dispersion * mean ** 2``.

    The last parameter is the logarithm of ``1 / dispersion``, in which the likelihood is closer
    to a parabola.

    Parameters
    ----------
    counts : Counts
        The data.
    """

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.above = _trials_above(counts.values)

    def start(self, coefficient: Array) -> Array:
        """Moments around the Poisson fit; NaN where the counts vary no more than Poisson's.

        There the likelihood is largest at dispersion 0: its slope at 0 is negative.
        """
        mean = np.exp(self.counts.log_mean(coefficient))
        values = self.counts.values
        excess = ((values - mean) ** 2 - values).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            dispersion = np.where(excess > 0, excess / (mean**2).sum(axis=1), np.nan)
        size = -np.log(np.clip(dispersion, 1e-4, 1e2))
        return np.column_stack([coefficient, size])

    def value(self, parameters: Array, rows: Index) -> Array:
        """Log likelihood (row), without what does not depend on parameters."""
        size = np.exp(parameters[:, -1:])
        log_mean = self.counts.log_mean(parameters[:, :-1])
        values = self.counts.values[rows]
        spikes = np.arange(self.above.shape[1])
        gamma = (self.above[rows] * np.log(size + spikes)).sum(axis=1)
        with np.errstate(over="ignore"):
            spread = (values + size) * np.log1p(np.exp(log_mean) / size)
        linear = values * (log_mean - np.log(size))
        return np.asarray(gamma + (linear - spread).sum(axis=1))

    def slope(self, parameters: Array, rows: Index) -> tuple[Array, Array]:
        """Gradient and negative Hessian."""
        size = np.exp(parameters[:, -1:])
        mean = np.exp(self.counts.log_mean(parameters[:, :-1]))
        values, x = self.counts.values[rows], self.counts.regressors
        rest = (values - mean) / (mean + size)
        spikes = np.arange(self.above.shape[1])
        inverse = 1.0 / (size + spikes)
        digamma = (self.above[rows] * inverse).sum(axis=1)
        trigamma = -(self.above[rows] * inverse**2).sum(axis=1)
        by_size = digamma - (np.log1p(mean / size) + rest).sum(axis=1)
        # (mean / size - rest * (1 - ...)) written so that large sizes keep their digits.
        second = (mean / (size * (mean + size)) + rest / (mean + size)).sum(axis=1) + trigamma
        size = size[:, 0]
        gradient = np.column_stack([(size[:, None] * rest) @ x, size * by_size])
        n = x.shape[1]
        curvature = np.empty((len(rows), n + 1, n + 1))
        weight = mean * (values + size[:, None]) / (mean + size[:, None]) ** 2
        curvature[:, :n, :n] = self.counts.weighted(weight * size[:, None])
        cross = -size[:, None] * ((rest * mean / (mean + size[:, None])) @ x)
        curvature[:, :n, n] = curvature[:, n, :n] = cross
        curvature[:, n, n] = -(size**2 * second + size * by_size)
        return gradient, curvature


def _trials_above(values: Array) -> Array:
    """Count trials with more than 0, 1, 2, ... spikes, (row, spikes).

    Sums of differences of the gamma function's logarithm over trials need nothing else, because
    counts are whole numbers.
    """
    whole = values.astype(np.int64)
    n_levels = int(whole.max(initial=0)) + 1
    cell = whole + n_levels * np.arange(len(whole))[:, None]
    histogram = np.bincount(cell.ravel(), minlength=n_levels * len(whole))
    histogram = histogram.reshape(len(whole), n_levels)
    at_least = histogram[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.asarray(at_least[:, 1:], dtype=np.float64)
