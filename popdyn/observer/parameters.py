"""The numbers an observer is described by: their bounds, scales and ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.behavior.arguments import check_between
from popdyn.errors import PopdynError, TensorError
from popdyn.network.real_numbers import real_number

Array = NDArray[np.float64]

# Lower and upper bound; those of stimuli in units of the range of stimuli.
_OF_STIMULI = {
    "sigma": (0.01, 2.0),
    "sigma_2": (0.01, 2.0),
    "motor_sigma": (0.01, 2.0),
    "bias": (-2.0, 2.0),
}
_PLAIN = {
    "weber": (0.005, 0.6),
    "weber_2": (0.005, 0.6),
    "motor_weber": (0.005, 0.6),
    "lapse": (0.0, 0.6),
    "history": (-0.5, 0.9),
    "contraction": (0.0, 1.5),
}
# What a parameter can be at all; noises are at least 0, a bias is any number.
_RANGES = {
    "lapse": (0.0, 1.0),
    "guess": (0.0, 1.0),
    "history": (-1.0, 1.0),
    "contraction": (0.0, 1.5),
}
_LOGARITHMIC = ("sigma", "sigma_2", "motor_sigma", "weber", "weber_2", "motor_weber")
# Where fits begin to look, in the same units.
_PLAUSIBLE = {
    "sigma": (0.05, 0.6),
    "sigma_2": (0.05, 0.6),
    "motor_sigma": (0.03, 0.3),
    "weber": (0.03, 0.3),
    "weber_2": (0.03, 0.3),
    "motor_weber": (0.02, 0.15),
    "lapse": (0.0, 0.08),
    "bias": (-0.1, 0.1),
    "history": (-0.1, 0.3),
    "contraction": (0.4, 1.0),
}
# As near to the end of a search, of its width, is at the end.
_AT_END = 1e-6
_TIES = {"sigma_2": "sigma", "weber_2": "weber"}


@dataclass(frozen=True, eq=False)
class Space:
    """The free parameters of a fit, noises on a logarithmic scale.

    Attributes
    ----------
    names : list of str
        Free parameters.
    fixed : dict
        The others; None for one that follows another.
    lower, upper : ndarray
        Bounds, on the scale of the fit.
    plausible : ndarray, shape (2, parameter)
        Where starts are drawn.
    """

    names: list[str]
    fixed: dict[str, float | None]
    lower: Array
    upper: Array
    plausible: Array

    def values(self, point: Array) -> dict[str, float]:
        """Return all parameters at a point of the fit."""
        free = {name: _natural(name, x) for name, x in zip(self.names, point, strict=True)}
        return complete({**self.fixed, **free})

    def point(self, values: Mapping[str, float]) -> Array:
        """Return the point of the fit where the free parameters have some values."""
        scaled = [_scaled(name, values[name]) for name in self.names]
        return np.clip(np.array(scaled, dtype=np.float64), self.lower, self.upper)

    def natural(self, point: Array) -> Array:
        """Return the free parameters themselves; the last dim of `point` is of parameters."""
        is_log = np.array([name in _LOGARITHMIC for name in self.names], dtype=bool)
        return np.where(is_log, np.exp(np.where(is_log, point, 0.0)), point)

    def ends(self, point: Array) -> list[str]:
        """Name the parameters that lie where the search ends, though they could go on.

        A noise at its lower end is as good as none, and has not been stopped.
        """
        slack = _AT_END * (self.upper - self.lower)
        said = []
        for name, x, low, high, own in zip(
            self.names, point, self.lower, self.upper, slack, strict=True
        ):
            end = high if x >= high - own else low if x <= low + own else None
            natural = None if end == low and is_noise(name) else end
            if natural is not None and natural not in _RANGES.get(name, ()):
                said.append(f"{name} at {_natural(name, natural):.3g}")
        return said

    def derivative(self, point: Array) -> Array:
        """Return how fast the parameters grow along the scale of the fit."""
        is_log = np.array([name in _LOGARITHMIC for name in self.names], dtype=bool)
        return np.where(is_log, np.exp(np.where(is_log, point, 0.0)), 1.0)


def _natural(name: str, value: float) -> float:
    return float(np.exp(value)) if name in _LOGARITHMIC else float(value)


def _scaled(name: str, value: float) -> float:
    return float(np.log(value)) if name in _LOGARITHMIC else float(value)


def make_space(
    given: Mapping[str, float | None], free: Sequence[str], stimulus_range: float
) -> Space:
    """Describe a fit.

    Parameters
    ----------
    given : mapping
        All parameters of the observer with their values; None for one that only a fit can tell.
    free : sequence of str
        What is fitted.
    stimulus_range : float
        Largest stimulus less the smallest.

    Returns
    -------
    Space
    """
    unknown = [name for name in free if name not in given or name in ("guess",)]
    if unknown:
        known = ", ".join(name for name in given if name != "guess")
        message = f"free names {', '.join(unknown)}; parameters that can be fitted are {known}"
        raise PopdynError(message)
    names = list(dict.fromkeys(free))
    fixed = {name: value for name, value in given.items() if name not in names}
    complete({**fixed, **dict.fromkeys(names, 1.0)})
    bounds = np.array([_bounds(_OF_STIMULI, name, stimulus_range) for name in names])
    plausible = np.array([_bounds(_PLAUSIBLE, name, stimulus_range) for name in names])
    low, high = (np.array([_scaled(n, v) for n, v in zip(names, b, strict=True)]) for b in bounds.T)
    starts = [[_scaled(n, v) for n, v in zip(names, b, strict=True)] for b in plausible.T]
    return Space(names, fixed, low, high, np.array(starts))


def checked(observer: Any, *names: str) -> dict[str, float]:
    """Return parameters of an observer's constructor that are not noises.

    Raises
    ------
    TensorError
        If one is no number, or outside of what it can be.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> observer = SimpleNamespace(lapse=0.02, bias=-1, history_decay=0)
    >>> checked(observer, "lapse", "bias")
    {'lapse': 0.02, 'bias': -1.0}
    """
    decay = real_number("history_decay", observer.history_decay, "a number of trials")
    if decay < 0:
        message = f"history_decay must be a number of trials of at least 0, found {decay:g}"
        raise TensorError(message)
    found = {}
    for name in names:
        value = getattr(observer, name)
        if name in _RANGES:
            found[name] = check_between(name, value, *_RANGES[name])
        else:
            found[name] = real_number(name, value, "a number")
    return found


def free_names(given: Any) -> list[str]:
    """Return the names of parameters to fit, as the constructor's `free` gives them.

    Raises
    ------
    PopdynError
        If they are no list, or there are none.

    Examples
    --------
    >>> free_names(("weber", "lapse"))
    ['weber', 'lapse']
    """
    if not isinstance(given, (list, tuple)) or not given:
        message = f"free is a list of names of parameters, found {given!r}"
        raise PopdynError(message)
    return [str(name) for name in given]


def noises(sigma: Any, weber: Any) -> tuple[float | None, float | None]:
    """Complete a pair of noises: what is not given is 0; both stay open if neither is.

    Raises
    ------
    TensorError
        If one is no number of at least 0.

    Examples
    --------
    >>> noises(None, 0.1), noises(None, None)
    ((0.0, 0.1), (None, None))
    """
    if sigma is None and weber is None:
        return None, None
    pair = []
    for name, value in (("sigma", sigma), ("weber", weber)):
        number = 0.0 if value is None else real_number(f"noise {name}", value, "a number")
        if number < 0:
            message = f"noises are numbers of at least 0, found {name} {number:g}"
            raise TensorError(message)
        pair.append(number)
    return pair[0], pair[1]


def complete(values: Mapping[str, float | None]) -> dict[str, float]:
    """Give parameters that follow another one its value.

    Raises
    ------
    PopdynError
        If one has no value.

    Examples
    --------
    >>> complete({"sigma": 5.0, "sigma_2": None})
    {'sigma': 5.0, 'sigma_2': 5.0}
    """
    tied = {a: values[b] for a, b in _TIES.items() if a in values and values[a] is None}
    every = {**values, **tied}
    lacking = [name for name, value in every.items() if value is None]
    if lacking:
        message = f"{', '.join(lacking)} must have a value or be among the free parameters"
        raise PopdynError(message)
    return {name: float(value) for name, value in every.items() if value is not None}


def _bounds(table: Mapping[str, Any], name: str, stimulus_range: float) -> tuple[float, float]:
    scale = stimulus_range if name in _OF_STIMULI else 1.0
    low, high = table[name] if name in table else _PLAIN[name]
    return scale * low, scale * high


def is_noise(name: str) -> bool:
    """Tell whether a parameter is a standard deviation or Weber fraction."""
    return name in _LOGARITHMIC
