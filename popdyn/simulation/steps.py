"""Euler steps of a rate network, all trials at once: arrays only.

``x += dt/tau (-x + J f(x) + B u + b) + noise``, plain NumPy: one matrix product and one
nonlinearity per step for all trials of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from popdyn.network.rate import Rate

Array = NDArray[np.float64]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "softplus": lambda x: np.logaddexp(0.0, x),
    "sigmoid": expit,
    # A copy: the state may change in place while its rate is still in use.
    "linear": np.positive,
}

# Normal numbers drawn at once; bounds the memory, not the result.
_NOISE_BLOCK = 2**22
# Products per step above which a second thread pays.
_WORTH_A_THREAD = 5e7


def single_thread(net: Rate, n_trials: int) -> AbstractContextManager[object]:
    """Keep the matrix products of small networks on one thread.

    They take less time than threads need to meet, much less on a busy machine.
    """
    if net.n_neurons**2 * n_trials < _WORTH_A_THREAD:
        limits: Any = threadpool_limits
        one_thread: AbstractContextManager[object] = limits(1, user_api="blas")
        return one_thread
    return nullcontext()


def evolve(
    net: Rate,
    inputs: Array,
    initial: Array,
    noise_std: float = 0.0,
    generators: Sequence[np.random.Generator] = (),
    *,
    in_place: bool = False,
) -> Iterator[Array]:
    """Yield the rates at the start and at the end of each step.

    Parameters
    ----------
    net : Rate
        Weights and constants.
    inputs : ndarray, shape (step, trial, channel)
        Input held constant during each step, dimensionless.
    initial : ndarray, shape (trial, neuron)
        State at the start, dimensionless.
    noise_std : float
        Standard deviation of the Gaussian number added to each state at each step.
    generators : sequence of Generator
        One per trial, so that a trial's noise does not depend on its batch.
    in_place : bool
        Step `initial` itself, of the precision of the steps: it holds the state whenever rates
        are yielded.

    Yields
    ------
    ndarray, shape (trial, neuron)
        Rates, dimensionless: ``n_steps + 1`` times, never the same array twice.
    """
    share = net.dt / net.tau
    activation = ACTIVATIONS[net.nonlinearity]
    recurrent = np.ascontiguousarray(share * net.recurrent.T)
    input_weights = np.ascontiguousarray(share * net.input.T)
    bias = share * net.bias
    state = initial if in_place else initial.astype(np.float64)
    rate = activation(state)
    yield rate
    noise = _noise(len(inputs), state.shape, noise_std, generators)
    for drive in inputs:
        state *= 1.0 - share
        state += rate @ recurrent
        state += drive @ input_weights
        state += bias
        if noise_std:
            state += next(noise)
        rate = activation(state)
        yield rate


def _noise(
    n_steps: int, shape: tuple[int, ...], std: float, generators: Sequence[np.random.Generator]
) -> Iterator[Array]:
    """Yield one step's noise ``(trial, neuron)`` after the other, drawn in blocks of steps."""
    n_trials, n_neurons = shape
    length = max(1, _NOISE_BLOCK // (n_trials * n_neurons))
    for first in range(0, n_steps, length):
        block = np.empty((n_trials, min(length, n_steps - first), n_neurons))
        for trial, generator in enumerate(generators):
            generator.standard_normal(out=block[trial])
        block *= std
        yield from block.swapaxes(0, 1)
