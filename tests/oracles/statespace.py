"""Split-half shares by their definition: projections, one component at a time."""

from __future__ import annotations

import numpy as np


def shares(first, second, n_components):
    """Share of variance and signal variance (component) from two halves (neuron, sample)."""
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    ratio, signal = np.zeros(n_components), np.zeros(n_components)
    for fitted, held_out in ((first, second), (second, first)):
        axes = np.linalg.svd(fitted, full_matrices=False)[0]
        for k in range(n_components):
            inside, outside = axes[:, k] @ fitted, axes[:, k] @ held_out
            ratio[k] += outside @ outside / np.sum(held_out**2) / 2
            signal[k] += inside @ outside / (first.shape[1] - 1) / 2
    return ratio, signal
