"""What a decision task is made of: its fields are checked, and stored so that tasks compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from popdyn.errors import TensorError
from popdyn.tasks.parameters import (
    as_tuples,
    check_duration,
    check_number,
    check_option,
    did_you_mean,
    doubt_seconds,
)

# Which steps count for the loss.
MASKS = ("response", "trial")


def check_shared(task: Any) -> None:
    """Check and store the fields that mean the same in every task, those that a task has.

    Raises
    ------
    TensorError
        Naming the field.
    """
    check_numbers(task, "stimulus_noise")
    check_numbers(task, "dt", above_zero=True)
    pause = check_duration("inter_trial", task.inter_trial, allow_zero=True)
    object.__setattr__(task, "inter_trial", pause)
    if hasattr(task, "mask"):
        check_option("mask", task.mask, MASKS)
    if hasattr(task, "catch_fraction"):
        check_share(task, "catch_fraction", below_one=True)
    if hasattr(task, "balanced"):
        check_flags(task, "balanced")


def check_durations(task: Any, epochs: Iterable[str]) -> None:
    """Check and store ``<epoch>_duration`` of each epoch.

    Raises
    ------
    TensorError
        Naming the field, if it is no duration.
    """
    for name in epochs:
        field = f"{name}_duration"
        object.__setattr__(task, field, check_duration(field, getattr(task, field)))


def check_numbers(task: Any, *names: str, above_zero: bool = False) -> None:
    """Check and store numbers that are zero or positive (or, `above_zero`, positive).

    Raises
    ------
    TensorError
        Naming the field, if it has another sign or is not finite.
    """
    for name in names:
        number = check_number(name, getattr(task, name), above_zero=above_zero)
        object.__setattr__(task, name, number)
        if name.endswith("_duration"):
            doubt_seconds(name, number)


def check_flags(task: Any, *names: str) -> None:
    """Refuse fields that are neither true nor false.

    Raises
    ------
    TensorError
        Naming the field.
    """
    for name in names:
        value = getattr(task, name)
        if not isinstance(value, (bool, np.bool_)):
            message = f"{name} must be True or False, found {value!r}"
            raise TensorError(message)
        object.__setattr__(task, name, bool(value))


def check_share(task: Any, name: str, *, below_one: bool = False) -> None:
    """Check and store a share between 0 and 1.

    Raises
    ------
    TensorError
        Naming the field, if it is outside, or 1 where it must be `below_one`.
    """
    number = check_number(name, getattr(task, name))
    if number > 1 or (below_one and number == 1):
        message = f"{name} must be {'below' if below_one else 'at most'} 1, found {number:g}"
        raise TensorError(message)
    object.__setattr__(task, name, number)


def check_whole(task: Any, name: str, least: int = 1) -> None:
    """Check and store a count.

    Raises
    ------
    TensorError
        Naming the field, if it is no whole number or too small.
    """
    value = getattr(task, name)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        message = f"{name} must be a whole number of at least {least}, found {value!r}"
        raise TensorError(message)
    object.__setattr__(task, name, int(value))


def check_strengths(task: Any, name: str, *, above_zero: bool = False) -> None:
    """Check and store a set of different finite numbers (or, `above_zero`, positive ones).

    Raises
    ------
    TensorError
        Naming the field.
    """
    value = getattr(task, name)
    values = as_tuples(value)
    values = values if isinstance(values, tuple) else ()
    numbers = [v for v in values if isinstance(v, (int, float)) and abs(v) < np.inf]
    if not values or len(numbers) < len(values) or (above_zero and min(numbers) <= 0):
        expected = "positive and finite" if above_zero else "finite"
        message = f"{name} must be a list of {expected} numbers, found {value!r}"
        raise TensorError(message)
    if len(set(values)) < len(values):
        message = f"each of {name} must be there once, found {value!r}"
        raise TensorError(message)
    object.__setattr__(task, name, tuple(float(v) for v in values))


def check_names(task: Any, name: str, known: Sequence[str]) -> None:
    """Check and store a set of different names, all of them known.

    Raises
    ------
    TensorError
        Naming the field, with the nearest of the names known.
    """
    value = getattr(task, name)
    given = as_tuples(value)
    given = given if isinstance(given, tuple) else (given,)
    for entry in given:
        if entry not in known:
            message = f"{name} may hold {', '.join(map(repr, known))}, found {entry!r}"
            raise TensorError(message + did_you_mean(entry, known))
    if not given or len(set(given)) < len(given):
        message = f"{name} must hold at least one name and each of them once, found {value!r}"
        raise TensorError(message)
    object.__setattr__(task, name, given)


def check_name_pairs(task: Any, name: str) -> None:
    """Check and store pairs of names, each alone or followed by its weight.

    Raises
    ------
    TensorError
        Naming the field and the entry that is none, or comes twice.
    """
    value = getattr(task, name)
    pairs = as_tuples(value)
    if not isinstance(pairs, tuple) or not pairs:
        message = f"{name} must be a list of pairs of names, found {value!r}"
        raise TensorError(message)
    for at, pair in enumerate(pairs):
        if not _is_pair(pair):
            message = (
                f"{name} must hold pairs of names, each alone or followed by a positive weight; "
                f"found {pair!r}"
            )
            raise TensorError(message)
        if pair[:2] in [earlier[:2] for earlier in pairs[:at]]:
            message = f"each of {name} must be there once (give weights instead), found {value!r}"
            raise TensorError(message)
    object.__setattr__(task, name, pairs)


def _is_pair(pair: Any) -> bool:
    """Tell whether it is two names that are not empty, and perhaps a positive weight."""
    if not isinstance(pair, tuple) or len(pair) not in (2, 3):
        return False
    named = all(isinstance(item, str) and item for item in pair[:2])
    weights = [w for w in pair[2:] if isinstance(w, (int, float)) and 0 < w < np.inf]
    return named and len(weights) == len(pair) - 2
