"""Steps of a rate network, all trials at once: arrays only.

``x <- (1 - share) x + share (J f(gain x) + B u + F z + b) + noise`` with ``share = dt/tau`` (Euler)
or ``1 - exp(-dt/tau)`` (exponential Euler: exact while the drive is constant), plain NumPy: one
matrix product and one nonlinearity per step for all trials of a batch.  In single precision tanh,
relu and linear networks go through compiled kernels, which win there.  Steps come in blocks that
stay in the cache: whatever is made of them costs one call a block.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit
from threadpoolctl import threadpool_limits

from popdyn.errors import TensorError
from popdyn.network.kinds import RateLike
from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.simulation.state_noise import noise_blocks

Array = NDArray[np.float64]
Method = Literal["euler", "exponential"]

# Each takes ``out``, where the rates go.
ACTIVATIONS: dict[str, Callable[..., Array]] = {
    "tanh": np.tanh,
    "relu": partial(np.maximum, 0.0),
    "softplus": partial(np.logaddexp, 0.0),
    "sigmoid": expit,
    # A copy: the state may change in place while its rate is still in use.
    "linear": np.positive,
    "erf": erf,
}
METHODS = ("euler", "exponential")
DTYPES = ("float64", "float32")

# Products per step above which a second thread pays.
_WORTH_A_THREAD = 5e7
_COMPILED = ("tanh", "relu", "linear")
# Products per step of several trials below which each is stepped by itself (one trial: always).
_WORTH_BY_TRIAL = 8e4
# Rates, and states, of a block of steps: it stays in the cache.
_STEP_BLOCK = 2**16


def recurrent_weights(net: RateLike) -> tuple[Array, ...]:
    """Return what rates ``(trial, sender)`` are multiplied with, one after the other.

    Those of a `LowRank` are two matrices, of a column and of a row for each latent.
    """
    return (net.n, net.m.T / net.n_neurons) if isinstance(net, LowRank) else (net.recurrent.T,)


def output_weights(net: RateLike) -> Array:
    """Return the weights ``(output, neuron)`` that the outputs are sums with."""
    return net.output / net.n_neurons if isinstance(net, LowRank) else net.output


def single_thread(net: RateLike, n_trials: int) -> AbstractContextManager[object]:
    """Keep the matrix products of small networks on one thread.

    They take less time than threads need to meet, much less on a busy machine.
    """
    n_products = sum(factor.size for factor in recurrent_weights(net))
    if n_products * n_trials < _WORTH_A_THREAD:
        limits: Any = threadpool_limits
        one_thread: AbstractContextManager[object] = limits(1, user_api="blas")
        return one_thread
    return nullcontext()


@dataclass(frozen=True)
class Prepared:
    """What every step needs, in the precision of the run."""

    keep: Any  # 1 - share: a number, or (neuron,)
    # (sender, receiver), times share, with what the output feeds back; or its two factors
    recurrent: tuple[NDArray[Any], ...]
    input: NDArray[Any]  # (channel, neuron), times share
    bias: NDArray[Any]  # (neuron,), times share
    gain: NDArray[Any] | None  # (neuron,)
    nonlinearity: str
    dtype: str

    @cached_property
    def by_neuron(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """What is kept in a step and the gain of each neuron."""
        keep = np.broadcast_to(self.keep, self.bias.shape).copy()
        return keep, np.ones_like(keep) if self.gain is None else self.gain

    def heard(self, rates: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
        """Put what neurons hear of rates ``(trial, neuron)`` in a step into `out`."""
        *first, last = self.recurrent
        for factor in first:
            rates = rates @ factor
        return np.matmul(rates, last, out=out)

    def rates(self, state: NDArray[Any]) -> NDArray[Any]:
        """Return the rates of states ``(trial, neuron)``, never the same array."""
        return ACTIVATIONS[self.nonlinearity](state if self.gain is None else state * self.gain)


def prepare(net: RateLike, method: Method = "euler", dtype: str = "float64") -> Prepared:
    """Scale the weights by the share of a step.

    Parameters
    ----------
    net : Rate or LowRank
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
    weights, bias = recurrent_weights(net), net.bias
    if isinstance(net, Rate) and net.feedback is not None:
        # z = W r + c is a function of the same rates: F z = (F W) r + F c.
        weights = ((net.recurrent + net.feedback @ net.output).T,)
        if net.output_bias is not None:
            bias = bias + net.feedback @ net.output_bias
    weights = (*weights[:-1], share * weights[-1])
    kind = np.dtype(dtype)
    return Prepared(
        keep=np.asarray(keep, dtype=kind)[()],
        recurrent=tuple(np.ascontiguousarray(factor, dtype=kind) for factor in weights),
        input=np.ascontiguousarray(share * net.input.T, dtype=kind),
        bias=np.asarray(share * bias, dtype=kind),
        gain=None if net.gain is None else net.gain.astype(kind),
        nonlinearity=net.nonlinearity,
        dtype=dtype,
    )


@dataclass(frozen=True)
class Block:
    """Some steps of all trials: the first row is what was before them, then the end of each."""

    rates: NDArray[Any]  # (step + 1, trial, neuron), dimensionless
    states: NDArray[Any]  # (step + 1, trial, neuron), dimensionless

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.rates) - 1

    def head(self, n_steps: int) -> Block:
        """Return the first steps."""
        return Block(self.rates[: n_steps + 1], self.states[: n_steps + 1])


def block_length(n_trials: int, n_neurons: int) -> int:
    """Return how many steps a block holds."""
    return max(1, _STEP_BLOCK // (n_trials * n_neurons))


def evolve_blocks(
    net: RateLike,
    inputs: Array,
    initial: Array,
    noise_std: float | Array = 0.0,
    generators: Sequence[np.random.Generator] = (),
    *,
    method: Method = "euler",
    dtype: str = "float64",
    compiled: bool | None = None,
) -> Iterator[Block]:
    """Yield the steps in blocks, whose arrays are filled anew for the next one.

    Parameters
    ----------
    net : Rate or LowRank
        Weights and constants.
    inputs : ndarray, shape (step, trial, channel)
        Input held constant during each step, dimensionless.
    initial : ndarray, shape (trial, neuron)
        State at the start, dimensionless.
    noise_std : float or ndarray, shape (neuron,)
        Standard deviation of the Gaussian number added to each state at each step.
    generators : sequence of Generator
        One per trial, so that a trial's noise does not depend on its batch.
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
    Block
        Of `block_length` steps, the last of what is left.
    """
    machine = prepare(net, method, dtype)
    if compiled is None:
        compiled = dtype == "float32" and net.nonlinearity in _COMPILED
    length = block_length(*initial.shape)
    noise = noise_blocks(len(inputs), length, initial.shape, noise_std, generators, dtype)
    return _blocks(machine, inputs, initial, noise, compiled)


def _blocks(
    machine: Prepared, inputs: Array, initial: Array, noise: Iterator[Array] | None, compiled: bool
) -> Iterator[Block]:
    """Fill the same arrays with one block after the other."""
    n_trials, n_neurons = initial.shape
    by_trial = compiled and len(machine.recurrent) == 1
    by_trial = by_trial and (n_trials == 1 or n_neurons**2 * n_trials <= _WORTH_BY_TRIAL)
    fill = (_fill_by_trial if by_trial else _fill_at_once) if compiled else _fill_plain
    length = block_length(n_trials, n_neurons)
    shape = (min(length, len(inputs)) + 1, n_trials, n_neurons)
    whole = Block(*(_empty(shape, machine.dtype, by_trial) for _ in range(2)))
    whole.states[0] = initial
    whole.rates[0] = machine.rates(whole.states[0])
    for first in range(0, len(inputs), length):
        if first and by_trial:
            whole.states[0], whole.rates[0] = whole.states[-1], whole.rates[-1]
        elif first:
            # The last row becomes the first without a copy.
            whole = Block(whole.rates[::-1], whole.states[::-1])
        drive = np.asarray(inputs[first : first + length], dtype=machine.dtype)
        block = whole.head(len(drive))
        fill(machine, drive, None if noise is None else next(noise), block)
        yield block


def _empty(shape: tuple[int, int, int], dtype: str, by_trial: bool) -> NDArray[Any]:
    """Return an array ``(step, trial, neuron)``; steps lie together, or those of a trial."""
    if by_trial:
        return np.empty((shape[1], shape[0], shape[2]), dtype=dtype).swapaxes(0, 1)
    return np.empty(shape, dtype=dtype)


def evolve(
    net: RateLike,
    inputs: Array,
    initial: Array,
    noise_std: float | Array = 0.0,
    generators: Sequence[np.random.Generator] = (),
    **how: Any,
) -> Iterator[Array]:
    """Return the rates at the start and at the end of each step.

    Parameters
    ----------
    net, inputs, initial, noise_std, generators, **how
        As for `evolve_blocks`; at least one step.

    Returns
    -------
    iterator of ndarray, shape (trial, neuron)
        Rates, dimensionless: ``n_steps + 1`` times, never the same array twice.
    """
    blocks = evolve_blocks(net, inputs, initial, noise_std, generators, **how)
    rows = (block.rates[bool(number) :] for number, block in enumerate(blocks))
    return (rate.copy() for rates in rows for rate in rates)


def _fill_plain(machine: Prepared, inputs: Array, noise: Array | None, block: Block) -> None:
    """Step in NumPy, all trials at once."""
    nonlinearity, gain = ACTIVATIONS[machine.nonlinearity], machine.gain
    product = np.empty_like(block.states[0])
    for step, drive in enumerate(inputs):
        state, rate = block.states[step + 1], block.rates[step + 1]
        np.multiply(block.states[step], machine.keep, out=state)
        state += machine.heard(block.rates[step], out=product)
        state += drive @ machine.input
        state += machine.bias
        if noise is not None:
            state += noise[:, step]
        nonlinearity(state if gain is None else np.multiply(state, gain, out=product), out=rate)


def _fill_by_trial(machine: Prepared, inputs: Array, noise: Array | None, block: Block) -> None:
    """Step each trial through all steps of the block by itself, compiled."""
    # Compiling takes seconds where it was not done before.
    from popdyn.simulation.rate_kernel import ADVANCE, KINDS

    advance, kind = ADVANCE[machine.dtype], KINDS[machine.nonlinearity]
    keep, gain = machine.by_neuron
    drive = _drive(machine, inputs)
    if noise is not None:
        drive += noise
    for trial, own in enumerate(drive):
        states, rates = block.states[:, trial], block.rates[:, trial]
        advance(machine.recurrent[0], keep, gain, own, kind, states, rates)


def _fill_at_once(machine: Prepared, inputs: Array, noise: Array | None, block: Block) -> None:
    """Step all trials at once, all but the matrix product in one compiled sweep."""
    from popdyn.simulation.rate_kernel import FINISH, KINDS

    finish, kind = FINISH[machine.dtype], KINDS[machine.nonlinearity]
    parts = (*machine.by_neuron, machine.bias, machine.input)
    for step, drive in enumerate(inputs):
        # The rates' place holds the product until the sweep.
        rate = machine.heard(block.rates[step], out=block.rates[step + 1])
        if noise is not None:
            rate += noise[:, step]
        finish(parts, drive, kind, block.states[step], block.states[step + 1], rate)


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


def _check_known(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a method or precision that is not known, naming the nearest."""
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        message = f"{name} must be one of {', '.join(map(repr, known))}, found {value!r}{guess}"
        raise TensorError(message)
