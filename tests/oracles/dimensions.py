"""Numbers of dimensions by their definition: one block, one number of components at a time."""

from __future__ import annotations

import numpy as np


def block_errors(matrix, rows, columns, n_most):
    """Squared errors (candidate) in a held-out block, by truncated pseudo-inverses."""
    centered = matrix - matrix[:, ~columns].mean(axis=1, keepdims=True)
    kept = centered[~rows][:, ~columns]
    u, s, vt = np.linalg.svd(kept, full_matrices=False)
    errors = []
    for k in range(n_most + 1):
        inverse = vt[:k].T @ np.diag(1 / s[:k]) @ u[:, :k].T
        predicted = centered[rows][:, ~columns] @ inverse @ centered[~rows][:, columns]
        errors.append(np.sum((centered[rows][:, columns] - predicted) ** 2))
    return np.array(errors)


def half_share(first, second, n_most):
    """Share of one half (neuron, sample) predicted by the other along its components."""
    shares = []
    for k in range(n_most + 1):
        gain = total = 0.0
        for own, other in ((first, second), (second, first)):
            axes = np.linalg.svd(own, full_matrices=False)[0][:, :k]
            gain += np.sum(other**2) - np.sum((other - axes @ axes.T @ own) ** 2)
            total += np.sum(other**2)
        shares.append(gain / total)
    return np.array(shares)
