"""What the parameters of a task may be: numbers, durations, and how durations are drawn."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn

# Fixed, uniform between two bounds, or ("exponential", shortest, mean beyond it).
Duration = float | tuple[float, float] | tuple[Literal["exponential"], float, float]
Steps = NDArray[np.int64]

# Seconds: what is this long was more likely meant as milliseconds.
_LONG = 50.0

_FORMS = "or a pair of them (shortest, longest), or ('exponential', shortest, mean)"


def as_tuples(value: Any) -> Any:
    """Turn lists and arrays, also nested ones, into tuples of plain numbers and texts.

    Examples
    --------
    >>> from popdyn.tasks.parameters import as_tuples
    >>> as_tuples([[1, 2], "ab"])
    ((1, 2), 'ab')
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    return tuple(as_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def check_number(name: str, value: Any, *, above_zero: bool = False) -> float:
    """Return a finite number that is zero or positive (or, `above_zero`, positive).

    Raises
    ------
    TensorError
        If it is not.
    """
    expected = "positive" if above_zero else "zero or positive"
    number = _number(value)
    if not np.isfinite(number) or number < 0 or (above_zero and number == 0):
        message = f"{name} must be {expected}, found {value!r}"
        raise TensorError(message)
    return number


def check_option(name: str, value: Any, options: Sequence[str]) -> None:
    """Refuse what is not one of some words.

    Raises
    ------
    TensorError
        With the words, and the nearest one.
    """
    if not isinstance(value, str) or value not in options:
        message = f"{name} must be {' or '.join(map(repr, options))}, found {value!r}"
        raise TensorError(message + did_you_mean(value, options))


def did_you_mean(word: Any, options: Sequence[str]) -> str:
    """Return the nearest of some words as a question, or nothing."""
    near = difflib.get_close_matches(str(word), options, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_duration(name: str, value: Any, *, allow_zero: bool = False) -> Duration:
    """Return a duration: fixed, drawn uniformly, or drawn from an exponential.

    Parameters
    ----------
    name : str
        Of the parameter, for the message.
    value : float, pair, or ("exponential", shortest, mean)
        In seconds.  ``mean`` is that of the exponential part, beyond the shortest.
    allow_zero : bool
        Whether it may be 0, as the time between trials may.

    Returns
    -------
    float or tuple
        The same with plain floats.

    Raises
    ------
    TensorError
        If it is none of these, not finite, negative, or its bounds are not in order.

    Examples
    --------
    >>> from popdyn.tasks.parameters import check_duration
    >>> check_duration("delay_duration", [1, 2])
    (1.0, 2.0)
    """
    sign = "zero or positive seconds" if allow_zero else "a positive number of seconds"
    given = as_tuples(value)
    exponential = isinstance(given, tuple) and len(given) == 3 and given[0] == "exponential"
    numbers = given[1:] if exponential else given if isinstance(given, tuple) else (given,)
    bounds = tuple(_number(number) for number in numbers)
    too_low = min(bounds, default=0.0) < 0 or (not allow_zero and min(bounds, default=0.0) == 0)
    if len(bounds) not in (1, 2) or not np.isfinite(bounds).all() or too_low:
        message = f"{name} must be {sign} {_FORMS}, found {value!r}"
        raise TensorError(message)
    doubt_seconds(name, max(bounds))
    if exponential:
        return ("exponential", bounds[0], bounds[1])
    if len(bounds) == 1:
        return bounds[0]
    if bounds[0] > bounds[1]:
        message = f"{name} must be (shortest, longest), found {value!r}"
        raise TensorError(message)
    return (bounds[0], bounds[1])


def doubt_seconds(name: str, seconds: float) -> None:
    """Warn of a duration of a minute or so: it may have been meant in milliseconds."""
    if seconds >= _LONG:
        warn(
            f"{name} has {seconds:g} s: durations are in seconds; if milliseconds were meant, "
            f"give {seconds / 1000:g}"
        )


def shortest(duration: Duration) -> float:
    """Return the shortest that a duration can come out, in seconds."""
    if not isinstance(duration, tuple):
        return duration
    return float(duration[1] if duration[0] == "exponential" else duration[0])


def longest(duration: Duration) -> float:
    """Return the longest that a duration can come out, in seconds."""
    if not isinstance(duration, tuple):
        return duration
    return float("inf") if duration[0] == "exponential" else float(duration[1])


def draw_seconds(
    duration: Duration, n_trials: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a duration for each trial, in seconds; a fixed one draws nothing."""
    if not isinstance(duration, tuple):
        return np.full(n_trials, duration, dtype=np.float64)
    if len(duration) == 3:
        return duration[1] + generator.exponential(duration[2], n_trials)
    low, high = duration
    return generator.uniform(low, high, n_trials) if high > low else np.full(n_trials, low)


def whole_steps(seconds: NDArray[np.float64], dt: float) -> Steps:
    """Return the nearest whole number of steps."""
    # The slack keeps a duration of x.5 steps from falling with its rounding error.
    steps: Steps = np.floor(np.asarray(seconds) / dt + 0.5 + 1e-9).astype(np.int64)
    return steps


def epoch_steps(
    epochs: Mapping[str, Duration | NDArray[np.float64]],
    n_trials: int,
    dt: float,
    generator: np.random.Generator,
) -> dict[str, Steps]:
    """Draw the duration of each epoch in whole steps, the nearest to the seconds asked for.

    Parameters
    ----------
    epochs : mapping of name to duration or array
        In seconds.  An array has the duration of each trial, already drawn.
    n_trials : int
        Number of trials.
    dt : float
        Step in seconds.
    generator : numpy.random.Generator
        To draw from, in the order of the epochs.

    Returns
    -------
    dict of name to int array, shape (trial,)
        Steps.

    Raises
    ------
    TensorError
        If an epoch comes out shorter than one step.
    """
    steps: dict[str, Steps] = {}
    for name, duration in epochs.items():
        if isinstance(duration, np.ndarray):
            seconds = duration
        else:
            seconds = draw_seconds(duration, n_trials, generator)
        steps[name] = whole_steps(seconds, dt)
        if steps[name].min() < 1:
            message = (
                f"{name} of {seconds.min():g} s is shorter than one step of dt={dt:g} s: "
                "use a longer duration or a smaller dt"
            )
            raise TensorError(message)
    return steps


def _number(value: Any) -> float:
    """Return a number as a float, NaN for what is none."""
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return float(value) if is_number else float("nan")
