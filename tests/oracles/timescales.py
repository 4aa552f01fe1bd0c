"""Slow plain autocovariances: one trial, one pair of bins after the other."""

from __future__ import annotations

import numpy as np


def autocovariance(values, n_lags):
    """Of trials (time, trial) with NaN, each trial's own mean taken out."""
    products, pairs = np.zeros(n_lags), np.zeros(n_lags)
    for trial in values.T:
        if np.isfinite(trial).sum() < 3:
            continue
        deviation = trial - np.nanmean(trial)
        for i in range(len(trial)):
            for j in range(i, min(len(trial), i + n_lags)):
                if np.isfinite(deviation[i]) and np.isfinite(deviation[j]):
                    products[j - i] += deviation[i] * deviation[j]
                    pairs[j - i] += 1
    return products / pairs


def expected_autocovariance(known, covariance, n_lags):
    """Its expectation for bins known (time, trial) and a covariance matrix (time, time)."""
    total, pairs = np.zeros(n_lags), np.zeros(n_lags)
    for pattern in known.T:
        bins = np.flatnonzero(pattern)
        center = np.eye(bins.size) - 1 / bins.size
        after = center @ covariance[np.ix_(bins, bins)] @ center
        for i, first in enumerate(bins):
            for j, second in enumerate(bins):
                lag = second - first
                if 0 <= lag < n_lags:
                    total[lag] += after[i, j]
                    pairs[lag] += 1
    return total / pairs
