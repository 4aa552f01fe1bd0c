"""What the fields of a rate network may hold: arrays made read-only, numbers checked."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.real_numbers import real_array

if TYPE_CHECKING:
    from popdyn.network.rate import Rate

Array = NDArray[np.float64]

NONLINEARITIES = ("tanh", "relu", "softplus", "sigmoid", "linear", "erf")

# Dimensions of each array in the netCDF form; a variable may not share a name with its dim.
DIMS = {
    "recurrent": ("neuron", "presynaptic"),
    "input": ("neuron", "channel"),
    "output": ("readout", "neuron"),
    "bias": ("neuron",),
}
OPTIONAL_DIMS = {
    "feedback": ("neuron", "readout"),
    "output_bias": ("readout",),
    "gain": ("neuron",),
}
# Rounding in a division of seconds, no more.
_SLACK = 1e-9


def frozen_array(name: str, values: Any, dims: tuple[str, ...]) -> Array:
    """Return a read-only float64 copy with the right number of dims and finite numbers.

    Raises
    ------
    TensorError
        If the values are no numbers, not finite, or of another number of dims.
    """
    words = " weights" if len(dims) == 2 else ""
    array = real_array(name + words, values, what="an array of numbers")
    if array.ndim != len(dims) or 0 in array.shape:
        message = (
            f"{name} must have {len(dims)} dimension{'s' * (len(dims) > 1)} {dims}, none empty; "
            f"found shape {array.shape}"
        )
        raise TensorError(message)
    n_bad = int(np.count_nonzero(~np.isfinite(array)))
    if n_bad:
        first = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        message = (
            f"{name} must be finite, found {n_bad} of {array.size} values NaN or infinite, the "
            f"first at {first}"
        )
        raise TensorError(message)
    return array


def seconds(name: str, value: Any) -> float:
    """Return one positive duration as a float.

    Raises
    ------
    TensorError
        If it is none.
    """
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "fiu" or not np.isfinite(number) or number <= 0:
        message = f"{name} must be one positive number of seconds, found {value!r}"
        raise TensorError(message)
    return float(number)


def time_constants(value: Any, n_neurons: int) -> float | Array:
    """Return one positive duration for all neurons, or a read-only array of one each.

    Raises
    ------
    TensorError
        If there are neither one nor `n_neurons` of them, or one is not positive.
    """
    if np.ndim(value) == 0:
        return seconds("tau", value)
    array = real_array("tau", value, what="seconds, one number or one for each neuron")
    if array.shape != (n_neurons,):
        message = (
            "tau must be one positive number of seconds, or one for each neuron, of shape "
            f"({n_neurons},); found shape {array.shape}"
        )
        raise TensorError(message)
    bad = np.flatnonzero(~(np.isfinite(array) & (array > 0)))
    if bad.size:
        message = (
            f"tau must be positive seconds for each neuron, found {bad.size} of {n_neurons} that "
            f"are not, the first {array[bad[0]]:g} (neuron {bad[0]})"
        )
        raise TensorError(message)
    return array


def check_shapes(net: Rate) -> None:
    """Refuse weights that do not fit the recurrent matrix, or each other.

    Raises
    ------
    TensorError
        If a shape does not fit.
    """
    rows, columns = net.recurrent.shape
    if rows != columns:
        message = (
            f"recurrent must be square (n_neurons, n_neurons), found shape {net.recurrent.shape}"
        )
        raise TensorError(message)
    expected = {
        "input": (rows, None),
        "output": (None, rows),
        "bias": (rows,),
        "feedback": (rows, net.output.shape[0]),
        "output_bias": (net.output.shape[0],),
        "gain": (rows,),
    }
    of_outputs = {"feedback", "output_bias"}
    check_fits(net, expected, f"recurrent weights of {rows} neurons", of_outputs)


def check_fits(
    net: Any,
    expected: Mapping[str, tuple[int | None, ...]],
    to: str,
    of_outputs: Collection[str] = ("output_bias",),
) -> None:
    """Refuse arrays of a network that do not have the shapes expected, None for any size.

    Raises
    ------
    TensorError
        If a shape does not fit; `to` says what, for those `of_outputs` with their number.
    """
    words = {
        "input": f"({net.n_neurons}, n_inputs)", "output": f"(n_outputs, {net.n_neurons})"
    }  # fmt: skip
    for name, shape in expected.items():
        array: Array | None = getattr(net, name)
        if array is None or _fits(array.shape, shape):
            continue
        turned = array.ndim == 2 and _fits(array.shape[::-1], shape)
        with_outputs = f" and {net.n_outputs} outputs" if name in of_outputs else ""
        message = (
            f"{name} must have shape {words.get(name, shape)} to fit {to}{with_outputs}, found "
            f"{array.shape}{'; transpose it?' * turned}"
        )
        raise TensorError(message)


def check_step(dt: float, tau: float | Array) -> None:
    """Refuse a step longer than the shortest time constant.

    Raises
    ------
    TensorError
        If it is.
    """
    shortest = float(np.min(tau))
    if dt > shortest * (1 + _SLACK):
        whose = f" (neuron {int(np.argmin(tau))})" if np.ndim(tau) else ""
        message = (
            f"dt must not be longer than tau, found dt={dt:g} s and tau={shortest:g} s{whose}: "
            "Euler steps would overshoot, and exponential ones pass over what happens within them. "
            "Use a smaller dt"
        )
        raise TensorError(message)


def check_nonlinearity(name: str) -> None:
    """Refuse a nonlinearity that is not known, naming the nearest.

    Raises
    ------
    TensorError
        If it is not known.
    """
    if name in NONLINEARITIES:
        return
    near = difflib.get_close_matches(str(name), NONLINEARITIES, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    message = f"nonlinearity must be one of {', '.join(NONLINEARITIES)}, found {name!r}{guess}"
    raise TensorError(message)


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape is the one wanted, None standing for any size."""
    return len(shape) == len(wanted) and all(
        want is None or size == want for size, want in zip(shape, wanted, strict=True)
    )
