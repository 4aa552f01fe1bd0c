"""Arrays of real numbers, and single ones: text and complex numbers are refused."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError

_TEXT_OR_DATES = "USTMm"


def real_array(
    name: str, values: Any, order: Literal["C", "F"] = "C", what: str = "numbers"
) -> NDArray[np.float64]:
    """Return a read-only float64 copy.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    values : array
        Real numbers.
    order : {"C", "F"}
        How the copy lies in memory.
    what : str
        What was expected, for the message.

    Returns
    -------
    ndarray

    Raises
    ------
    TensorError
        If the values are no numbers, or complex ones.

    Examples
    --------
    >>> real_array("bias", [1j])
    Traceback (most recent call last):
    ...
    popdyn.errors.TensorError: bias must be numbers: real ones, found complex128; take .real ...
    """
    try:
        given = np.asarray(values)
        if given.dtype.kind in _TEXT_OR_DATES:
            message = f"{name} must be {what}: found {values!r:.60}"
            raise TensorError(message)
        if given.dtype.kind == "c":
            message = (
                f"{name} must be {what}: real ones, found {given.dtype}; take .real if the "
                "imaginary part is rounding"
            )
            raise TensorError(message)
        array = np.array(given, dtype=np.float64, order=order)
    except TensorError:
        raise
    except (TypeError, ValueError) as error:
        message = f"{name} must be {what}: {error}"
        raise TensorError(message) from None
    array.setflags(write=False)
    return array


def real_number(name: str, value: Any, expected: str) -> float:
    """Return one finite number.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : float
        The number.
    expected : str
        What it should be, for the message.

    Returns
    -------
    float

    Raises
    ------
    TensorError
        If it is no number, a bool, not finite, or several.

    Examples
    --------
    >>> real_number("g", None, "a number")
    Traceback (most recent call last):
    ...
    popdyn.errors.TensorError: g must be a number, found None
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    is_number = is_number or (isinstance(value, (np.ndarray, xr.DataArray)) and value.shape == ())
    if is_number and not isinstance(value, (bool, np.bool_)):
        number = np.asarray(value)
        if number.dtype.kind in "fiu" and np.isfinite(number):
            return float(number)
    message = f"{name} must be {expected}, found {value!r:.60}"
    raise TensorError(message)
