"""The numbers an observer is described by: their bounds, scales and ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import PopdynError

Array = NDArray[np.float64]

# Lower and upper bound; those of stimuli in units of the range of stimuli.
_OF_STIMULI = {
    "sigma": (0.01, 2.0),
    "sigma_2": (0.01, 2.0),
    "motor_sigma": (0.01, 2.0),
    "bias": (-0.5, 0.5),
}
_PLAIN = {
    "weber": (0.005, 0.6),
    "weber_2": (0.005, 0.6),
    "motor_weber": (0.005, 0.6),
    "lapse": (0.0, 0.3),
    "history": (-0.5, 0.9),
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
