"""Steps of a target network, compiled: single precision, exact for a drive held over the step."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from popdyn.simulation.rate_kernel import FUSED, add_product, tanh_single

Single = NDArray[np.float32]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def run_target(
    by_sender: Single,
    told: Single,
    shown: Single,
    told_values: Single,
    shown_values: Single,
    state: Single,
    decay: float,
) -> Single:  # pragma: no cover - compiled
    """Run a network of tanh neurons; return all currents but those of the inputs, (step, neuron).

    Weights lie by sender, ``(neuron, neuron)``, ``(told, neuron)``, ``(shown, neuron)``; values are
    ``(step, told)`` and ``(step, shown)``.  `state` is changed in place.
    """
    n_steps, n = told_values.shape[0], state.size
    currents = np.zeros((n_steps, n), np.float32)
    rate = np.empty(n, np.float32)
    total = np.empty(n, np.float32)
    for step in range(n_steps):
        for i in range(n):
            rate[i] = tanh_single(state[i])
            total[i] = np.float32(0.0)
        add_product(total, by_sender, rate)
        for k in range(told.shape[0]):
            add_row(total, told_values[step, k], told, k)
        for i in range(n):
            currents[step, i] = total[i]
        for k in range(shown.shape[0]):
            add_row(total, shown_values[step, k], shown, k)
        for i in range(n):
            state[i] = total[i] + (state[i] - total[i]) * decay
    return currents


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FUSED)
def add_row(
    total: Single, factor: float, rows: Single, row: int
) -> None:  # pragma: no cover - compiled
    """Add a multiple of a row, unless it is 0."""
    if factor != 0:
        for i in range(total.size):
            total[i] += factor * rows[row, i]
