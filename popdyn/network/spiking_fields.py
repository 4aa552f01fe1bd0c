"""What the fields of a spiking network may hold: arrays made read-only, numbers checked."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from popdyn.errors import TensorError
from popdyn.network.real_numbers import real_array

Array = NDArray[np.float64]
# scipy's sparse arrays have no types that hold for all versions.
Matrix = Any
Number = float | Array

# Share of a step by which a duration may miss the grid: rounding, no more.
_SLACK = 1e-6


def recurrent_matrix(name: str, values: Any) -> Matrix:
    """Return square weights, dense or sparse by sender, read-only.

    Raises
    ------
    TensorError
        If the matrix is not square, empty, not of numbers or not finite.
    """
    if sparse.issparse(values):
        real_array(name, values.data[:1])
        matrix: Matrix = sparse.csc_array(values, dtype=np.float64, copy=True)
        matrix.sum_duplicates()
        for part in (matrix.data, matrix.indices, matrix.indptr):
            part.setflags(write=False)
        numbers = matrix.data
    else:
        # By columns: what a simulation reads is the weights of one sender onto all its targets.
        matrix = numbers = numeric(name, values, order="F")
    if len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1] or 0 in matrix.shape:
        message = (
            f"{name} must be square (n_neurons, n_neurons), row = receiving and column = sending "
            f"neuron; found shape {matrix.shape}"
        )
        raise TensorError(message)
    refuse_not_finite(name, numbers)
    return matrix


def weights(name: str, values: Any, shape: tuple[int | None, ...], words: str) -> Array:
    """Return weights that fit a shape, None of which is a size left open.

    Raises
    ------
    TensorError
        If they do not fit, are empty, not of numbers or not finite.
    """
    array = numeric(name, values)
    if not _fits(array.shape, shape):
        hint = "; transpose it?" if _fits(array.shape[::-1], shape) else ""
        message = f"{name} must have shape {words}, found {array.shape}{hint}"
        raise TensorError(message)
    refuse_not_finite(name, array)
    return array


def numbers(name: str, values: Any, n_neurons: int | None) -> Number:
    """Return one number for all neurons, or a read-only array of one each.

    Without `n_neurons` there is one number for the network.

    Raises
    ------
    TensorError
        If there are neither one nor `n_neurons` finite numbers.
    """
    array = numeric(name, values)
    if array.shape not in ((), (n_neurons,)):
        each = "" if n_neurons is None else f", or have shape ({n_neurons},), one per neuron"
        message = f"{name} must be one number{each}; found shape {array.shape}"
        raise TensorError(message)
    refuse_not_finite(name, array)
    return array if array.ndim else float(array)


def positive(name: str, values: Any, n_neurons: int | None) -> Number:
    """Return durations above zero, in seconds: one for all neurons, or one each.

    Raises
    ------
    TensorError
        If one is not positive.
    """
    seconds = numbers(name, values, n_neurons)
    if np.min(seconds) <= 0:
        message = f"{name} must be positive seconds, found {_least(seconds)}"
        raise TensorError(message)
    return seconds


def on_grid(name: str, values: Any, n_neurons: int, dt: float) -> Number:
    """Return durations that are whole numbers of steps, zero allowed.

    Raises
    ------
    TensorError
        If one is negative, or off the grid; the message names the nearest on it.
    """
    seconds = numbers(name, values, n_neurons)
    if np.min(seconds) < 0:
        message = f"{name} must be zero or positive seconds, found {_least(seconds)}"
        raise TensorError(message)
    steps = np.atleast_1d(np.asarray(seconds) / dt)
    off = np.flatnonzero(np.abs(steps - np.rint(steps)) > _SLACK * np.maximum(steps, 1.0))
    if off.size:
        first = steps[off[0]]
        near = " or ".join(f"{n * dt:.6g}" for n in (np.floor(first), np.ceil(first)))
        where = f" (neuron {off[0]})" if np.ndim(seconds) else ""
        message = (
            f"{name} must be a whole number of steps of dt={dt:g} s, found {first * dt:g} s"
            f"{where}: use {near} s, or a smaller dt"
        )
        raise TensorError(message)
    return seconds


def labels(values: Any, n_neurons: int) -> NDArray[np.str_]:
    """Return the population of each neuron as text, read-only.

    Raises
    ------
    TensorError
        If there is not one name per neuron, or it is no text.
    """
    given = np.asarray(values)
    others = [value for value in given.ravel().tolist() if not isinstance(value, (str, bytes))]
    if others:
        message = (
            f"population must be one name per neuron, as text; found {others[0]!r:.60} of type "
            f"{type(others[0]).__name__}"
        )
        raise TensorError(message)
    text = np.array(given, dtype=np.str_)
    if text.shape != (n_neurons,):
        message = f"population must be one name per neuron ({n_neurons},), found shape {text.shape}"
        raise TensorError(message)
    text.setflags(write=False)
    return text


def numeric(name: str, values: Any, order: Literal["C", "F"] = "C") -> Array:
    """Return a read-only float64 copy, or say that there are no numbers.

    Raises
    ------
    TensorError
        If the values are no numbers, or complex ones.
    """
    return real_array(name, values, order)


def refuse_not_finite(name: str, array: Array) -> None:
    """Refuse NaN and infinity, saying how many and where the first is.

    Raises
    ------
    TensorError
        If there is one.
    """
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = f", the first at {tuple(map(int, bad[0]))}" if array.ndim else ""
        message = (
            f"{name} must be finite, found {len(bad)} of {array.size} values NaN or infinite{where}"
        )
        raise TensorError(message)


def _least(seconds: Number) -> str:
    """Say which number is the smallest, and whose it is."""
    if np.ndim(seconds) == 0:
        return f"{float(seconds):g}"
    return f"{np.min(seconds):g} (neuron {int(np.argmin(seconds))})"


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape is the one wanted, None standing for any size but zero."""
    return len(shape) == len(wanted) and all(
        size > 0 and (size == want or want is None)
        for size, want in zip(shape, wanted, strict=True)
    )
