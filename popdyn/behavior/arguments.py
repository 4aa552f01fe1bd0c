"""Arguments that are counts or shares, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from popdyn.errors import TensorError
from popdyn.network.real_numbers import real_number


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number.

    Raises
    ------
    TensorError
        If it is none, or too small.

    Examples
    --------
    >>> check_count("n_draws", 100)
    100
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        message = f"{name} must be a whole number of at least {least}, found {value!r}"
        raise TensorError(message)
    return int(value)


def check_between(name: str, value: Any, low: float, high: float) -> float:
    """Return a number between two others, or equal to one of them.

    Raises
    ------
    TensorError
        If it is none, or outside.

    Examples
    --------
    >>> check_between("lapse", 0.02, 0.0, 1.0)
    0.02
    """
    expected = f"a number from {low:g} to {high:g}"
    number = real_number(name, value, expected)
    if not low <= number <= high:
        message = f"{name} must be {expected}, found {number:g}"
        raise TensorError(message)
    return number
