"""What an observer expects before it measures: priors as nodes with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import PopdynError
from popdyn.observer.noise import Noise

Array = NDArray[np.float64]

# Continuous priors without ends are cut where 10 standard deviations leave 1e-23.
_REACH = 10.0
# Gauss-Legendre nodes for each standard deviation of the measurement, and besides.
_NODES_PER_DEVIATION = 4.0
_FEWEST_NODES = 48
_NODES_PER_PART = 48
_MOST_NODES = 4096
# Where priors without lower end are cut by Weber's law, over their upper end.
_LOWEST = 1e-4
_NAMES = {"uniform": 2, "gaussian": 2, "lognormal": 2}


@dataclass(frozen=True, eq=False)
class Prior:
    """Probabilities of stimuli, discrete (no ``log_density``) or continuous between two ends.

    Attributes
    ----------
    values, weights : ndarray
        Stimuli and their probabilities; of a continuous prior the two ends, without meaning.
    mean, deviation : float
        Of the prior.
    log_density : callable or None
        Logarithm of the density, up to a constant, of a continuous prior.
    """

    values: Array
    weights: Array
    mean: float
    deviation: float
    log_density: Callable[[Array], Array] | None = None

    @property
    def lower(self) -> float:
        """Smallest stimulus expected."""
        return float(self.values[0])

    @property
    def upper(self) -> float:
        """Largest stimulus expected."""
        return float(self.values[-1])

    @property
    def is_discrete(self) -> bool:
        """Whether only certain stimuli are expected."""
        return self.log_density is None

    def nodes(self, noise: Noise) -> tuple[Array, Array]:
        """Give stimuli and logarithms of weights, dense enough for a measurement's noise.

        Parameters
        ----------
        noise : Noise
            Of the measurement; nodes are evenly dense in its standard deviations.

        Returns
        -------
        values, log_weights : ndarray, shape (node,)
        """
        if self.log_density is None:
            return self.values, np.log(self.weights)
        return self.nodes_below(noise, np.array([self.upper]))

    def nodes_below(self, noise: Noise, end: Array) -> tuple[Array, Array]:
        """Give nodes of a continuous prior from its lower end to others (end, node)."""
        assert self.log_density is not None  # discrete priors have their own
        largest = max(abs(self.lower), abs(self.upper))
        ends = noise.stretch(np.array([self.lowest(noise), self.upper]), largest)
        place, weight = legendre(self._n_nodes(float(ends[1] - ends[0])))
        half = (noise.stretch(end, largest) - ends[0])[..., None] / 2
        values, growth = noise.shrink(ends[0] + half * (place + 1), largest)
        with np.errstate(divide="ignore"):  # nothing lies below the lower end
            log_weight = np.log(half * weight) + growth + self.log_density(values)
        return (values[0], log_weight[0]) if len(end) == 1 else (values, log_weight)

    def lowest(self, noise: Noise) -> float:
        """Return the lower end; by Weber's law alone there is nothing at or below 0."""
        largest = max(abs(self.lower), abs(self.upper))
        return max(self.lower, _LOWEST * self.upper) if noise.is_weber(largest) else self.lower

    def _n_nodes(self, n_deviations: float) -> int:
        n_nodes = int(np.ceil(_FEWEST_NODES + _NODES_PER_DEVIATION * n_deviations))
        if n_nodes > _MOST_NODES:
            message = (
                f"the prior from {self.lower:g} to {self.upper:g} is {n_deviations:.3g} times as "
                f"wide as the noise of a measurement, at most {_MOST_NODES / 4:g} can be handled: "
                "narrow the prior, or use estimator='none'"
            )
            raise PopdynError(message)
        return n_nodes


@lru_cache(maxsize=64)
def legendre(n_nodes: int) -> tuple[Array, Array]:
    """Give nodes and weights of Gauss and Legendre on parts of -1 to 1, kept once computed."""
    base, base_weight = np.polynomial.legendre.leggauss(_NODES_PER_PART)
    n_parts = -(-n_nodes // _NODES_PER_PART)
    place = (base + 2 * np.arange(n_parts)[:, None] + 1).ravel() / n_parts - 1
    weight = np.tile(base_weight, n_parts) / n_parts
    place.setflags(write=False)
    weight.setflags(write=False)
    return place, weight


def make_prior(given: Any) -> Prior:
    """Make a prior from what a user may write.

    Parameters
    ----------
    given : Prior, array, pair of arrays, or tuple
        An array: its values with the frequency of each (the stimuli of all trials, say).
        ``(values, weights)``: so.  ``("uniform", lower, upper)``, ``("gaussian", mean,
        deviation)``, ``("lognormal", median, deviation of the logarithm)``.

    Returns
    -------
    Prior

    Raises
    ------
    PopdynError
        If it is none of these.

    Examples
    --------
    >>> make_prior([1.0, 2.0, 2.0]).weights.round(2).tolist()
    [0.33, 0.67]
    >>> make_prior(("uniform", 0.5, 1.0)).mean
    0.75
    """
    if isinstance(given, Prior):
        return given
    if len(given) > 0 and isinstance(given[0], str):
        return _named(given)
    try:
        discrete = _pair(given) if _is_pair(given) else _counted(np.asarray(given, dtype=float))
    except (TypeError, ValueError) as error:
        message = f"a prior is an array, (values, weights) or a name with two numbers ({error})"
        raise PopdynError(message) from error
    return discrete


def _is_pair(given: Any) -> bool:
    return isinstance(given, (tuple, list)) and len(given) == 2 and np.ndim(given[0]) == 1


def _pair(given: Any) -> Prior:
    values, weights = (np.asarray(part, dtype=np.float64) for part in given)
    if values.shape != weights.shape or (weights < 0).any() or not weights.sum() > 0:
        message = (
            "a prior (values, weights) needs as many weights as values, none of them below 0; "
            f"found {values.size} values and weights {weights.tolist()[:6]}"
        )
        raise PopdynError(message)
    unique, which = np.unique(values, return_inverse=True)
    share = np.bincount(which, weights) / weights.sum()
    return _discrete(unique[share > 0], share[share > 0])


def _counted(values: Array) -> Prior:
    known = values[np.isfinite(values)]
    if values.ndim != 1 or not known.size:
        message = f"a prior as an array has one dim and numbers; found shape {values.shape}"
        raise PopdynError(message)
    unique, counts = np.unique(known, return_counts=True)
    return _discrete(unique, counts / known.size)


def _discrete(values: Array, weights: Array) -> Prior:
    mean = float(weights @ values)
    return Prior(values, weights, mean, float(np.sqrt(weights @ (values - mean) ** 2)))


def _named(given: Any) -> Prior:
    name, *numbers = given
    if name not in _NAMES or len(numbers) != _NAMES[name]:
        message = (
            "a prior by name is ('uniform', lower, upper), ('gaussian', mean, deviation) or "
            f"('lognormal', median, deviation of the logarithm); found {tuple(given)!r}"
        )
        raise PopdynError(message)
    first, second = (float(number) for number in numbers)
    usable = first < second if name == "uniform" else second > 0
    if not usable or (name == "lognormal" and first <= 0):
        message = f"the numbers of the prior {tuple(given)!r} describe no distribution"
        raise PopdynError(message)
    return {"uniform": _uniform, "gaussian": _gaussian, "lognormal": _lognormal}[name](
        first, second
    )


def _uniform(lower: float, upper: float) -> Prior:
    mean, deviation = (lower + upper) / 2, (upper - lower) / np.sqrt(12)
    return Prior(np.array([lower, upper]), np.full(2, 0.5), mean, deviation, np.zeros_like)


def _gaussian(mean: float, deviation: float) -> Prior:
    ends = mean + deviation * np.array([-_REACH, _REACH])
    return Prior(
        ends, np.full(2, 0.5), mean, deviation, lambda s: -0.5 * ((s - mean) / deviation) ** 2
    )


def _lognormal(median: float, deviation: float) -> Prior:
    ends = median * np.exp(deviation * np.array([-_REACH, _REACH]))
    mean = median * np.exp(deviation**2 / 2)
    spread = mean * np.sqrt(np.expm1(deviation**2))
    return Prior(
        ends,
        np.full(2, 0.5),
        mean,
        spread,
        lambda s: -0.5 * (np.log(s / median) / deviation) ** 2 - np.log(s),
    )
