"""Warping by its definition: one spike, one bin of a tensor at a time."""

from __future__ import annotations

import numpy as np


def bins(times, n_bins):
    """(left, right) of every phase bin of one trial, from the times of its events."""
    out = []
    for start, stop, n in zip(times[:-1], times[1:], n_bins, strict=True):
        for b in range(n):
            right = stop if b == n - 1 else start + (stop - start) * ((b + 1) / n)
            out.append((start + (stop - start) * (b / n), right))
    return out


def warp_spikes(spikes, times, n_bins):
    """Rate (phase,) of one neuron in one trial: spikes in each bin over its real width."""
    rates = []
    for left, right in bins(times, n_bins):
        inside = 0
        for spike in spikes:
            inside += left <= spike < right
        rates.append(inside / (right - left))
    return np.array(rates)


def warp_binned(values, first_edge, bin_width, times, n_bins):
    """Mean (phase,) of a piecewise-constant rate: each bin by the time it shares with a phase."""
    means = []
    for left, right in bins(times, n_bins):
        total = shared = 0.0
        for b, value in enumerate(values):
            start = first_edge + b * bin_width
            overlap = min(right, start + bin_width) - max(left, start)
            if overlap > 1e-9:
                total += value * overlap
                shared += overlap
        means.append(total / (right - left) if shared > right - left - 1e-9 else np.nan)
    return np.array(means)


def warp_cumulative(values, first_edge, bin_width, times, n_bins):
    """Compute the same from the cumulative count: slope of its linear interpolation."""
    grid = first_edge + bin_width * np.arange(len(values) + 1)
    cumulative = np.concatenate([[0.0], np.cumsum(values) * bin_width])
    edges = np.array(bins(times, n_bins))
    reached = np.interp(edges, grid, cumulative, left=np.nan, right=np.nan)
    return np.diff(reached, axis=1)[:, 0] / np.diff(edges, axis=1)[:, 0]
