"""What `simulate` was given, read so that a mistake is said where it was made."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.network.kinds import Network
from popdyn.network.real_numbers import real_number

# Seconds from which a time was probably meant in milliseconds.
_LONG_RUN = 1000.0
_LONG_AROUND = 100.0


def check_network(net: Any) -> None:
    """Refuse what is no network.

    Raises
    ------
    TensorError
        Saying what it is.
    """
    if not isinstance(net, Network):
        message = (
            "expected a network, a pdn.network.Rate, pdn.network.LowRank or pdn.network.Spiking "
            f"(pdn.load reads one from a file); found {_named(net)}"
        )
        raise TensorError(message)


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    if not isinstance(value, (bool, np.bool_)):
        message = f"{name} must be True or False, found {value!r}"
        raise TensorError(message)


def check_whole(name: str, value: Any, what: str) -> None:
    """Refuse what is no whole number of at least 1.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    if not _is_whole(value) or value < 1:
        message = f"{name} must be at least 1 {what}, found {value!r}"
        raise TensorError(message)


def check_jobs(n_jobs: Any, what: str = "trials") -> None:
    """Refuse what joblib does not take as a number of jobs.

    Raises
    ------
    TensorError
        Naming what it takes.
    """
    if n_jobs is not None and (not _is_whole(n_jobs) or n_jobs == 0):
        message = (
            f"n_jobs must be a whole number of {what} at once, -1 for one per core, or None; found "
            f"{n_jobs!r}"
        )
        raise TensorError(message)


def check_known(name: str, value: Any, known: Sequence[str]) -> None:
    """Refuse a name that is not known.

    Raises
    ------
    TensorError
        Naming the nearest.
    """
    if not isinstance(value, str) or value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        message = f"{name} must be one of {', '.join(map(repr, known))}, found {value!r}{guess}"
        raise TensorError(message)


def read_names(record: Any) -> tuple[str, ...]:
    """Return the names of what to keep.

    Raises
    ------
    TensorError
        If they are no names.
    """
    if isinstance(record, str):
        return (record,)
    names = tuple(record) if isinstance(record, Iterable) else (record,)
    if not all(isinstance(name, str) for name in names):
        message = (
            "record must be names of what to keep, such as ('rate',), or () for output and "
            f"behavior alone; found {record!r}"
        )
        raise TensorError(message)
    return names


def read_duration(duration: Any) -> float:
    """Return how long to run without input, in seconds.

    Raises
    ------
    TensorError
        If it is no positive number.

    Warns
    -----
    PopdynWarning
        If it is so long that milliseconds may have been meant.
    """
    expected = "a positive number of seconds"
    seconds = real_number("duration", duration, expected)
    if seconds <= 0:
        message = f"duration must be {expected}, found {duration!r}"
        raise TensorError(message)
    if seconds > _LONG_RUN:
        warn(
            f"duration={seconds:g} s are {seconds / 60:.3g} minutes: if milliseconds were meant, "
            f"say duration={seconds / 1000:g}"
        )
    return seconds


def read_array(name: str, values: Any, expected: str) -> NDArray[np.float64]:
    """Return an array of numbers.

    Raises
    ------
    TensorError
        If they are none.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind in "biuf":
            return array.astype(np.float64)
    except ValueError:
        # Rows of different lengths.
        pass
    message = f"{name} must be {expected}, found {_named(values)}"
    raise TensorError(message)


def read_around(
    around: Any, dt: float, every: int, continuous: bool, record: Sequence[str]
) -> tuple[int, int]:
    """Return the steps to keep before and after each trial.

    Raises
    ------
    TensorError
        If they are not two durations in whole bins, or nothing is around the trials.

    Warns
    -----
    PopdynWarning
        If they are so long that milliseconds may have been meant.
    """
    expected = (
        "two durations in seconds, before a trial's start and after its end, zero or positive"
    )
    values = read_array("around", around, expected)
    if values.shape != (2,) or not (np.isfinite(values) & (values >= 0)).all():
        message = f"around must be {expected}; found {around!r}"
        raise TensorError(message)
    if not values.any():
        return 0, 0
    if not continuous or "spikes" in record:
        message = (
            "around needs continuous=True: trials that start anew have nothing around them"
            if not continuous
            else "around belongs to tensors: record=('spikes',) keeps the spikes between trials "
            "anyway; leave around out"
        )
        raise TensorError(message)
    if values.max() > _LONG_AROUND:
        before, after = values.tolist()
        warn(
            f"around=({before:g}, {after:g}) s is long: if milliseconds were meant, say "
            f"around=({before / 1000:g}, {after / 1000:g})"
        )
    width = every * dt
    bins = np.rint(values / width)
    if (np.abs(values - bins * width) > 1e-6 * width).any():
        message = f"around must be whole bins of {width:g} s, found {tuple(values.tolist())}"
        raise TensorError(message)
    return int(bins[0]) * every, int(bins[1]) * every


def _is_whole(value: Any) -> bool:
    return not isinstance(value, (bool, np.bool_)) and isinstance(value, Integral)


def _named(value: Any) -> str:
    """Return what an argument is in a few words."""
    plain = value is None or isinstance(value, (str, Real))
    return repr(value) if plain else f"{'an' * isinstance(value, np.ndarray) or 'a'} {_kind(value)}"


def _kind(value: Any) -> str:
    return "array" if isinstance(value, np.ndarray) else type(value).__name__
