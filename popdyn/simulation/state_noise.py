"""Noise on the states of a rate network: its size per step, and its draws, block after block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.network.kinds import RateLike

Array = NDArray[Any]

# Normal numbers drawn at once: they stay in the cache; bounds the memory, not the result.
_DRAWN = 2**17


def noise_of_step(
    net: RateLike, noise_density: float, noise_step: float, method: str = "euler"
) -> float | Array:
    """Return the standard deviation of what is added to each state at each step.

    Parameters
    ----------
    net : Rate or LowRank
        The network.
    noise_density, noise_step : float
        One of the two, as in `popdyn.simulate`.
    method : {"euler", "exponential"}
        Euler steps add ``noise_density sqrt(dt)``.  Exponential ones integrate the noise exactly:
        a neuron by itself has the variance ``noise_density² tau / 2`` at any step.

    Returns
    -------
    float, or ndarray of shape (neuron,)
        In units of the state.
    """
    if noise_step or method == "euler":
        return float(noise_step or noise_density * np.sqrt(net.dt))
    variance = -np.expm1(-2 * net.dt / net.tau) * net.tau / 2
    std: float | Array = noise_density * np.sqrt(variance)
    return std


def noise_blocks(
    n_steps: int,
    length: int,
    shape: tuple[int, ...],
    std: float | Array,
    generators: Sequence[np.random.Generator],
    dtype: str,
) -> Iterator[Array] | None:
    """Return the noise of blocks of steps ``(trial, step, neuron)``, None if there is none.

    Parameters
    ----------
    n_steps, length : int
        Steps of all blocks, and of each but the last.
    shape : (int, int)
        Trials and neurons.
    std : float or ndarray, shape (neuron,)
        Standard deviation.
    generators : sequence of Generator
        One per trial.
    dtype : str
        Precision; numbers are drawn in double precision and rounded.
    """
    return _drawn(n_steps, length, shape, std, generators, dtype) if np.any(std) else None


def _drawn(
    n_steps: int,
    length: int,
    shape: tuple[int, ...],
    std: float | Array,
    generators: Sequence[np.random.Generator],
    dtype: str,
) -> Iterator[Array]:
    """Draw some blocks at once: each draw costs a call per trial."""
    n_trials, n_neurons = shape
    at_once = length * max(1, _DRAWN // (n_trials * n_neurons * length))
    for first in range(0, n_steps, at_once):
        drawn = np.empty((n_trials, min(at_once, n_steps - first), n_neurons))
        for trial, generator in enumerate(generators):
            generator.standard_normal(out=drawn[trial])
        drawn *= std
        rounded = drawn.astype(dtype, copy=False)
        for start in range(0, rounded.shape[1], length):
            yield rounded[:, start : start + length]
