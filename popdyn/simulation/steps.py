"""Steps of a rate network, all trials at once: arrays only.

``x <- (1 - share) x + share (J f(gain x) + B u + F z + b) + noise`` with ``share = dt/tau`` (Euler)
or ``1 - exp(-dt/tau)`` (exponential Euler: exact while the drive is constant), plain NumPy: one
matrix product and one nonlinearity per step for all trials of a batch.  In single precision tanh,
relu and linear networks go through compiled kernels, which win there.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit
from threadpoolctl import threadpool_limits

from popdyn.errors import TensorError
from popdyn.network.rate import Rate

Array = NDArray[np.float64]
Method = Literal["euler", "exponential"]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "softplus": lambda x: np.logaddexp(0.0, x),
    "sigmoid": expit,
    # A copy: the state may change in place while its rate is still in use.
    "linear": np.positive,
    "erf": erf,
}
METHODS = ("euler", "exponential")
DTYPES = ("float64", "float32")

# Normal numbers drawn at once; bounds the memory, not the result.
_NOISE_BLOCK = 2**22
# Products per step above which a second thread pays.
_WORTH_A_THREAD = 5e7
_COMPILED = ("tanh", "relu", "linear")
# Products per step of several trials below which each is stepped by itself (one trial: always).
_WORTH_BY_TRIAL = 8e4
# Numbers of a block of compiled steps: it stays in the cache.
_STEP_BLOCK = 2**16


def single_thread(net: Rate, n_trials: int) -> AbstractContextManager[object]:
    """Keep the matrix products of small networks on one thread.

    They take less time than threads need to meet, much less on a busy machine.
    """
    if net.n_neurons**2 * n_trials < _WORTH_A_THREAD:
        limits: Any = threadpool_limits
        one_thread: AbstractContextManager[object] = limits(1, user_api="blas")
        return one_thread
    return nullcontext()


@dataclass(frozen=True)
class Prepared:
    """What every step needs, in the precision of the run."""

    keep: Any  # 1 - share: a number, or (neuron,)
    recurrent: NDArray[Any]  # (sender, receiver), times share, with what the output feeds back
    input: NDArray[Any]  # (channel, neuron), times share
    bias: NDArray[Any]  # (neuron,), times share
    gain: NDArray[Any] | None  # (neuron,)
    nonlinearity: str
    dtype: str

    def by_neuron(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return what is kept in a step and the gain of each neuron."""
        keep = np.broadcast_to(self.keep, self.bias.shape).copy()
        return keep, np.ones_like(keep) if self.gain is None else self.gain

    def rates(self, state: NDArray[Any]) -> NDArray[Any]:
        """Return the rates of states ``(trial, neuron)``, never the same array."""
        return ACTIVATIONS[self.nonlinearity](state if self.gain is None else state * self.gain)


def prepare(net: Rate, method: Method = "euler", dtype: str = "float64") -> Prepared:
    """Scale the weights by the share of a step.

    Parameters
    ----------
    net : Rate
        Weights and constants.
    method : {"euler", "exponential"}
        See `evolve`.
    dtype : {"float64", "float32"}
        Precision of weights, state and rates.

    Returns
    -------
    Prepared

    Raises
    ------
    TensorError
        If the method or the precision is not known.
    """
    _check_known("method", method, METHODS)
    _check_known("dtype", dtype, DTYPES)
    ratio = net.dt / net.tau
    share = ratio if method == "euler" else -np.expm1(-ratio)
    keep = 1.0 - share if method == "euler" else np.exp(-ratio)
    weights = net.recurrent
    if net.feedback is not None:
        # z = W r is a function of the same rates: F z = (F W) r.
        weights = weights + net.feedback @ net.output
    kind = np.dtype(dtype)
    return Prepared(
        keep=np.asarray(keep, dtype=kind)[()],
        recurrent=np.ascontiguousarray(share * weights.T, dtype=kind),
        input=np.ascontiguousarray(share * net.input.T, dtype=kind),
        bias=np.asarray(share * net.bias, dtype=kind),
        gain=None if net.gain is None else net.gain.astype(kind),
        nonlinearity=net.nonlinearity,
        dtype=dtype,
    )


def noise_of_step(
    net: Rate, noise_density: float, noise_step: float, method: Method = "euler"
) -> float | Array:
    """Return the standard deviation of what is added to each state at each step.

    Parameters
    ----------
    net : Rate
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


def evolve(
    net: Rate,
    inputs: Array,
    initial: Array,
    noise_std: float | Array = 0.0,
    generators: Sequence[np.random.Generator] = (),
    *,
    in_place: bool = False,
    method: Method = "euler",
    dtype: str = "float64",
    compiled: bool | None = None,
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
    noise_std : float or ndarray, shape (neuron,)
        Standard deviation of the Gaussian number added to each state at each step.
    generators : sequence of Generator
        One per trial, so that a trial's noise does not depend on its batch.
    in_place : bool
        Step `initial` itself, of the precision of the steps: it holds the state whenever rates
        are yielded.
    method : {"euler", "exponential"}
        ``x + dt/tau (-x + drive)``, or the exact solution for a drive held constant during the
        step, ``drive + (x - drive) exp(-dt/tau)``.
    dtype : {"float64", "float32"}
        Precision of weights, state and rates.  The noise is drawn in double precision and
        rounded: both precisions see the same.
    compiled : bool, optional
        Whether to use the compiled kernels, for tanh, relu and linear; other bits, the same up to
        rounding.  By default in single precision, never in double, whose bits stay those of
        earlier versions.

    Yields
    ------
    ndarray, shape (trial, neuron)
        Rates, dimensionless: ``n_steps + 1`` times, never the same array twice.
    """
    machine = prepare(net, method, dtype)
    state = initial if in_place else initial.astype(dtype)
    noise = _noise(len(inputs), state.shape, noise_std, generators, dtype)
    drives = np.asarray(inputs, dtype=dtype)
    if compiled is None:
        compiled = dtype == "float32" and net.nonlinearity in _COMPILED
    if not compiled:
        return _plain(machine, drives, state, noise)
    if len(state) == 1 or net.n_neurons**2 * len(state) <= _WORTH_BY_TRIAL:
        return _by_trial(machine, drives, state, noise, in_place)
    return _fused(machine, drives, state, noise)


def _plain(
    machine: Prepared, inputs: Array, state: Array, noise: Iterator[Array] | None
) -> Iterator[Array]:
    """Step `state` in NumPy, all trials at once."""
    rate = machine.rates(state)
    yield rate
    # One array for all steps: a new one of each costs as much as a sweep.
    product = np.empty_like(state)
    for drive in inputs:
        state *= machine.keep
        state += np.matmul(rate, machine.recurrent, out=product)
        state += drive @ machine.input
        state += machine.bias
        if noise is not None:
            state += next(noise)
        rate = machine.rates(state)
        yield rate


def _by_trial(
    machine: Prepared, inputs: Array, state: Array, noise: Iterator[Array] | None, in_place: bool
) -> Iterator[Array]:
    """Step `state` in blocks, each trial through all steps of a block by itself."""
    # Compiling takes seconds where it was not done before.
    from popdyn.simulation.rate_kernel import ADVANCE, KINDS

    advance, kind = ADVANCE[machine.dtype], KINDS[machine.nonlinearity]
    n_trials, n_neurons = state.shape
    keep, gain = machine.by_neuron()
    now = state.copy()
    rate = machine.rates(state)
    yield rate
    length = max(1, _STEP_BLOCK // state.size)
    for first in range(0, len(inputs), length):
        drive = _drive(machine, inputs[first : first + length])
        n_steps = drive.shape[1]
        if noise is not None:
            drive += np.stack([next(noise) for _ in range(n_steps)], axis=1)
        states = np.empty((n_trials, n_steps + 1, n_neurons), dtype=state.dtype)
        rates = np.empty_like(states)
        states[:, 0], rates[:, 0] = now, rate
        for trial in range(n_trials):
            advance(machine.recurrent, keep, gain, drive[trial], kind, states[trial], rates[trial])
        for step in range(1, n_steps + 1):
            if in_place:
                state[:] = states[:, step]
            yield rates[:, step]
        now, rate = states[:, -1], rates[:, -1]


def _fused(
    machine: Prepared, inputs: Array, state: Array, noise: Iterator[Array] | None
) -> Iterator[Array]:
    """Step `state` of all trials at once, all but the matrix product in one compiled sweep."""
    from popdyn.simulation.rate_kernel import FINISH, KINDS

    finish, kind = FINISH[machine.dtype], KINDS[machine.nonlinearity]
    parts = (*machine.by_neuron(), machine.bias, machine.input)
    rate = machine.rates(state)
    yield rate
    product = np.empty_like(state)
    for drive in inputs:
        np.matmul(rate, machine.recurrent, out=product)
        if noise is not None:
            product += next(noise)
        rate = np.empty_like(state)
        finish(parts, drive, product, kind, state, rate)
        yield rate


def _drive(machine: Prepared, inputs: Array) -> Array:
    """Return input and bias of each step, ``(trial, step, neuron)``.

    Channel by channel: a matrix product would round by the number of steps.
    """
    n_steps, n_trials, _ = inputs.shape
    drive = np.empty((n_trials, n_steps, machine.bias.size), dtype=machine.dtype)
    drive[:] = machine.bias
    for channel, weights in enumerate(machine.input):
        drive += inputs[:, :, channel].T[:, :, None] * weights
    return drive


def _noise(
    n_steps: int,
    shape: tuple[int, ...],
    std: float | Array,
    generators: Sequence[np.random.Generator],
    dtype: str,
) -> Iterator[Array] | None:
    """Return one step's noise ``(trial, neuron)`` after the other, None if there is none."""
    return _drawn(n_steps, shape, std, generators, dtype) if np.any(std) else None


def _drawn(
    n_steps: int,
    shape: tuple[int, ...],
    std: float | Array,
    generators: Sequence[np.random.Generator],
    dtype: str,
) -> Iterator[Array]:
    """Draw noise in blocks of steps."""
    n_trials, n_neurons = shape
    length = max(1, _NOISE_BLOCK // (n_trials * n_neurons))
    for first in range(0, n_steps, length):
        block = np.empty((n_trials, min(length, n_steps - first), n_neurons))
        for trial, generator in enumerate(generators):
            generator.standard_normal(out=block[trial])
        block *= std
        yield from block.astype(dtype, copy=False).swapaxes(0, 1)


def _check_known(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a method or precision that is not known, naming the nearest."""
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        message = f"{name} must be one of {', '.join(map(repr, known))}, found {value!r}{guess}"
        raise TensorError(message)
