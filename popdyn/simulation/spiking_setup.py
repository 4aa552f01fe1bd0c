"""From the record of a spiking network to the arrays its steps need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from popdyn.errors import TensorError
from popdyn.network.spiking import Spiking
from popdyn.network.spiking_random import SPARSE_BELOW
from popdyn.simulation.spiking_arrays import Constants, State, Synapses, Weights

Array = NDArray[np.floating[Any]]
DTYPES = ("float64", "float32")
_CACHE_LINE, _LARGE = 64, 2**25  # bytes


@dataclass(frozen=True)
class Machine:
    """A network ready to run: its numbers as the kernel wants them."""

    constants: Constants
    weights: Weights
    dtype: np.dtype[Any]
    n_neurons: int
    n_outputs: int
    n_slots: int
    dt: float  # s
    most_spikes: float  # per step, of all neurons together
    connected: bool


def prepare(net: Spiking, dtype: str = "float64", layout: str | None = None) -> Machine:
    """Compute the constants of a step and lay out the weights.

    Parameters
    ----------
    net : Spiking
        The network.
    dtype : {"float64", "float32"}
        Precision of weights and state.
    layout : {"dense", "sparse"}, optional
        How recurrent weights are stored; by default sparse below 15 % density.  Results are the
        same bits.

    Returns
    -------
    Machine

    Raises
    ------
    TensorError
        If the precision is not one of the two.
    """
    if dtype not in DTYPES:
        message = f"dtype must be one of {', '.join(map(repr, DTYPES))}, found {dtype!r}"
        raise TensorError(message)
    kind = np.dtype(dtype)
    delay = np.broadcast_to(np.rint(np.asarray(net.delay) / net.dt), net.n_neurons)
    no_rows = np.zeros((0, net.n_neurons))
    weights = Weights(
        fast=synapses(net.recurrent_fast, kind, layout),
        slow=synapses(net.recurrent_slow, kind, layout),
        bias=_row(np.broadcast_to(np.asarray(net.bias) + net.rest, net.n_neurons), kind),
        input=_row(net.input.T, kind),
        feedback=_row(no_rows if net.feedback is None else net.feedback.T, kind),
        output_fast=_row(net.output_fast.T, kind),
        output_slow=_row(net.output_slow.T, kind),
        delay=delay.astype(np.int64),
    )
    n_refractory = np.broadcast_to(np.rint(np.asarray(net.refractory) / net.dt), net.n_neurons)
    parts = (weights.fast, weights.slow)
    return Machine(
        constants=constants(net, kind),
        weights=weights,
        dtype=kind,
        n_neurons=net.n_neurons,
        n_outputs=net.n_outputs,
        n_slots=int(delay.max()) + 1,
        dt=net.dt,
        most_spikes=float((1.0 / (n_refractory + 1.0)).sum()),
        connected=net.feedback is not None
        or any(part.rows.any() or part.weight.any() for part in parts),
    )


def constants(net: Spiking, dtype: np.dtype[Any]) -> Constants:
    """Compute what takes a state over one step exactly (Rotter & Diesmann 1999).

    Parameters
    ----------
    net : Spiking
        The network.
    dtype : numpy.dtype
        Precision.

    Returns
    -------
    Constants
    """
    share = net.dt / np.asarray(net.tau_membrane)
    tau = np.array([net.tau_fast, net.tau_slow])
    by_step = net.dt / tau
    each = (
        np.exp(-share),
        -np.expm1(-share),
        _current_gain(share, by_step[0]),
        _current_gain(share, by_step[1]),
    )
    resets = (net.reset, net.threshold, np.rint(np.asarray(net.refractory) / net.dt))
    leak, gain, gain_fast, gain_slow = _alike(each, net.n_neurons, dtype)
    reset, threshold, n_refractory = (_alike((x,), net.n_neurons, dtype)[0] for x in resets)
    return Constants(
        leak,
        gain,
        gain_fast,
        gain_slow,
        reset,
        threshold,
        n_refractory,
        decay=np.exp(-by_step).astype(dtype),
        mean=(-np.expm1(-by_step) / by_step).astype(dtype),
    )


def synapses(matrix: Any, dtype: np.dtype[Any], layout: str | None = None) -> Synapses:
    """Lay out recurrent weights by sending neuron, as rows or as lists of targets.

    Parameters
    ----------
    matrix : array, sparse array or None
        Row = receiving, column = sending neuron.
    dtype : numpy.dtype
        Precision.
    layout : {"dense", "sparse"}, optional
        By default whatever is faster.

    Returns
    -------
    Synapses
    """
    nothing = Synapses(
        rows=_fixed(np.zeros((0, 0)), dtype),
        start=np.zeros(1, np.int64),
        target=np.zeros(0, np.int32),
        weight=np.zeros(0, dtype),
    )
    if matrix is None:
        return nothing
    n_weights = matrix.nnz if sparse.issparse(matrix) else np.count_nonzero(matrix)
    if layout is None:
        layout = "sparse" if n_weights < SPARSE_BELOW * matrix.shape[0] ** 2 else "dense"
    if layout == "dense":
        dense = matrix.toarray() if sparse.issparse(matrix) else matrix
        return nothing._replace(rows=_fixed(dense.T, dtype))
    lists = sparse.csc_array(matrix)
    return nothing._replace(
        start=lists.indptr.astype(np.int64),
        target=lists.indices.astype(np.int32),
        weight=lists.data.astype(dtype),
    )


def first_state(machine: Machine, potential: Array) -> State:
    """Return the state of a network that never spiked.

    Parameters
    ----------
    machine : Machine
        The network.
    potential : ndarray, shape (neuron,)
        Potentials to start from.

    Returns
    -------
    State
    """
    n, kind = machine.n_neurons, machine.dtype
    return State(
        potential=_row(potential, kind),
        refractory=_row(np.zeros(n), kind),
        fast=_row(np.zeros(n), kind),
        slow=_row(np.zeros(n), kind),
        output_fast=np.zeros(machine.n_outputs, kind),
        output_slow=np.zeros(machine.n_outputs, kind),
        pending=np.zeros((machine.n_slots, n), np.int32),
        n_pending=np.zeros(machine.n_slots, np.int64),
        step=np.zeros(1, np.int64),
    )


def noise_of_step(net: Spiking, noise_density: float, noise_step: float) -> Array:
    """Return the standard deviation of what is added to each potential at each step.

    White noise of a density is integrated exactly: whatever the step, a neuron that does not
    spike has the variance ``noise_density² tau_membrane / 2``.

    Parameters
    ----------
    net : Spiking
        The network.
    noise_density, noise_step : float
        One of the two, as in `popdyn.simulate`.

    Returns
    -------
    ndarray, shape () or (neuron,)
        In units of the potential.
    """
    tau = np.asarray(net.tau_membrane)
    over_step = np.sqrt(-np.expm1(-2 * net.dt / tau) * tau / 2)
    return np.asarray(noise_step + noise_density * over_step)


def _current_gain(share: Array, by_step: float) -> Array:
    """Return the potential after a step per current that starts at 1 and decays.

    ``tau_s / (tau_s - tau_m) (exp(-dt/tau_s) - exp(-dt/tau_m))``, written so that it holds as well
    where the time constants are equal or nearly so.
    """
    difference = share - by_step
    safe = np.where(difference == 0, 1.0, difference)
    ratio = np.where(difference == 0, 1.0, np.expm1(safe) / safe)
    return np.asarray(share * np.exp(-share) * ratio)


def _alike(values: Sequence[Any], n_neurons: int, dtype: np.dtype[Any]) -> list[Array]:
    """Return arrays that all have one entry, or all one per neuron."""
    n = max(np.size(value) for value in values)
    size = 1 if n == 1 else n_neurons
    return [_row(np.broadcast_to(np.asarray(value), size), dtype) for value in values]


def _row(values: Any, dtype: np.dtype[Any]) -> Array:
    """Return a contiguous array that may be written to: the kernel is compiled for no other."""
    given = np.asarray(values)
    row = _at_cache_line(given.shape, dtype)
    row[...] = given
    return row


def _fixed(values: Any, dtype: np.dtype[Any]) -> Array:
    """Return rows that may not be written to, filled up so that each begins at a cache line.

    Large ones are left where they are: memory is what they wait for, and there are no two of them.
    """
    if values.nbytes >= _LARGE and values.flags.c_contiguous and values.dtype == dtype:
        whole: Array = values.view()
        whole.setflags(write=False)
        return whole
    n_rows, n = values.shape
    in_line = _CACHE_LINE // dtype.itemsize
    rows = _at_cache_line((n_rows, -(-n // in_line) * in_line), dtype)
    rows[:, :n] = values
    rows.setflags(write=False)
    return rows


def _at_cache_line(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return zeros that begin at a cache line: a step of 400 neurons is 20 % slower elsewhere."""
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    room = np.zeros(n_bytes + _CACHE_LINE, np.uint8)
    at = -room.__array_interface__["data"][0] % _CACHE_LINE
    return room[at : at + n_bytes].view(dtype).reshape(shape)
