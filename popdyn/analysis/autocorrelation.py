"""How alike is activity a moment later?  Autocovariance of short trials, and what it should be.

The mean of a short trial follows the activity it is taken from, so that subtracting it pushes
the autocovariance down.  The push is known: the expected sample autocovariance is a linear map
of the true one (`expectation_map`), for any pattern of missing bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FEWEST_BINS = 3
_SLAB = 2**25  # values of residuals held at once


@dataclass(frozen=True, eq=False)
class TrialSums:
    """Sums over pairs of bins a lag apart, trial by trial.

    Attributes
    ----------
    products : ndarray, shape (neuron, trial, lag)
        Sums of products of deviations from the trial's mean.
    pairs : ndarray, shape (neuron, trial, lag)
        Number of pairs of observed bins.
    """

    products: Array
    pairs: Array

    def autocovariance(self, weights: Array | None = None) -> Array:
        """Average over trials, each counted `weights (draw, trial)` times.

        Returns
        -------
        ndarray
            (neuron, lag), or (neuron, draw, lag) with weights; NaN without a pair.
        """
        if weights is None:
            products, pairs = self.products.sum(axis=1), self.pairs.sum(axis=1)
        else:
            products, pairs = weights @ self.products, weights @ self.pairs
        found = np.full(products.shape, np.nan)
        np.divide(products, pairs, out=found, where=pairs > 0)
        return found


def deviations(values: NDArray[np.floating[Any]], condition: NDArray[np.intp]) -> Array:
    """Deviation of every trial from the average of its condition, bin by bin.

    Parameters
    ----------
    values : ndarray (neuron, time, trial)
        NaN where not observed.
    condition : ndarray of int (trial,)
        -1: in none.

    Returns
    -------
    ndarray (neuron, time, trial)
        Scaled by ``sqrt(n / (n - 1))``, which makes up for the trial being part of the average;
        NaN where the average has fewer than two trials.
    """
    result = np.full(values.shape, np.nan)
    for number in range(int(condition.max(initial=-1)) + 1):
        own = values[:, :, condition == number].astype(np.float64)
        known = np.isfinite(own)
        n = known.sum(axis=2, keepdims=True)
        total = np.where(known, own, 0.0).sum(axis=2, keepdims=True)
        scale = np.sqrt(np.divide(n, n - 1.0, out=np.full(n.shape, np.nan), where=n > 1))
        result[:, :, condition == number] = (own - total / np.maximum(n, 1)) * scale
    return result


def trial_sums(residual: Array, n_lags: int) -> TrialSums:
    """Sum products of bins 0 to ``n_lags - 1`` bins apart, in every trial.

    Parameters
    ----------
    residual : ndarray (neuron, time, trial)
        From `deviations`.
    n_lags : int
        Number of lags, the lag 0 among them.

    Returns
    -------
    TrialSums
        Trials with fewer than three observed bins count nothing.
    """
    n_neurons, n_bins, n_trials = residual.shape
    products = np.zeros((n_neurons, n_trials, n_lags))
    pairs = np.zeros((n_neurons, n_trials, n_lags))
    n_own = max(1, _SLAB // (n_bins * n_trials))
    for first in range(0, n_neurons, n_own):
        own = slice(first, first + n_own)
        known = usable(residual[own])
        complete = known.all()
        centered = np.where(known, residual[own], 0.0)
        centered -= known * (centered.sum(axis=1) / np.maximum(known.sum(axis=1), 1))[:, np.newaxis]
        for lag in range(n_lags):
            early, late = slice(0, n_bins - lag), slice(lag, None)
            products[own, :, lag] = np.einsum("nbt,nbt->nt", centered[:, early], centered[:, late])
            # Counting pairs costs as much as their products, and mostly all bins are known.
            pairs[own, :, lag] = (
                n_bins - lag if complete else (known[:, early] & known[:, late]).sum(axis=1)
            )
    return TrialSums(products, pairs)


def usable(residual: Array) -> Bools:
    """Observed bins of trials with at least three of them, (neuron, time, trial)."""
    known = np.isfinite(residual)
    return np.asarray(known & (known.sum(axis=1, keepdims=True) >= _FEWEST_BINS))


def expectation_map(known: Bools, n_lags: int) -> Array:
    """Map of the true autocovariance to the expectation of the sample's.

    With ``C = I - 11'/n`` over the observed bins of a trial, the sample autocovariance has the
    expectation of the diagonals of ``C R C``, which is linear in the Toeplitz matrix ``R``.

    Parameters
    ----------
    known : ndarray of bool (time, trial)
        Observed bins.
    n_lags : int
        Lags of the sample.

    Returns
    -------
    ndarray (lag, time)
        Row k gives the weights of the true autocovariance at 0, 1, ... bins.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.analysis.autocorrelation import expectation_map
    >>> float(expectation_map(np.ones((4, 1), dtype=bool), 2)[0, 0].round(2))  # white noise
    0.75
    """
    patterns, times = np.unique(known.T, axis=0, return_counts=True)
    n_bins = known.shape[0]
    total, pairs = np.zeros((n_lags, n_bins)), np.zeros(n_lags)
    for pattern, weight in zip(patterns.astype(np.float64), times, strict=True):
        if not pattern.any():
            continue
        own, own_pairs = _one_pattern(pattern, n_lags)
        total += weight * own
        pairs += weight * own_pairs
    found = np.full(total.shape, np.nan)
    np.divide(total, pairs[:, np.newaxis], out=found, where=pairs[:, np.newaxis] > 0)
    return found


def _one_pattern(pattern: Array, n_lags: int) -> tuple[Array, Array]:
    """Sum over the pairs of one trial, not yet divided by their number; and that number."""
    n_bins, n_known = pattern.size, pattern.sum()
    within = np.abs(np.subtract.outer(np.arange(n_bins), np.arange(n_bins)))
    # neighbors[i, l]: observed bins l bins away from bin i.
    neighbors = np.zeros((n_bins, n_bins))
    rows = np.repeat(np.arange(n_bins), n_bins)
    np.add.at(neighbors, (rows, within.ravel()), np.tile(pattern, n_bins))
    both_means = pattern @ neighbors / n_known**2
    result, pairs = np.zeros((n_lags, n_bins)), np.zeros(n_lags)
    for lag in range(n_lags):
        pair = pattern[: n_bins - lag] * pattern[lag:]
        pairs[lag] = pair.sum()
        means = pair @ (neighbors[: n_bins - lag] + neighbors[lag:]) / n_known
        result[lag] = pairs[lag] * both_means - means
        result[lag, lag] += pairs[lag]
    return result, pairs
