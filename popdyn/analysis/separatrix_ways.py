"""Two ways through the state space: of correct rejections, and of missed stimuli to their end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.separatrix_trials import Outcomes
from popdyn.analysis.trials import Array

# Misses that a mean state needs.
FEWEST = 10


@dataclass(frozen=True, eq=False)
class Ways:
    """States of all trials, and which misses count in each bin.

    Attributes
    ----------
    states : ndarray, shape (trial, feature, time)
        NaN where a trial was not observed.
    outcomes : Outcomes
        Of the trials.
    counted : list of ndarray of int
        Misses that count, a bin each.
    match : {"same", "nearest"}
        Rejections at the same time in the trial, or at the nearest of their states.
    """

    states: Array
    outcomes: Outcomes
    counted: list[NDArray[np.intp]]
    match: str

    @cached_property
    def ended(self) -> Array:
        """State of each trial when its stimulus was over, (trial, feature)."""
        every = np.arange(len(self.states))
        at_end: Array = self.states[every, :, self.outcomes.offset_bin]
        return at_end

    @cached_property
    def usable(self) -> list[NDArray[np.intp]]:
        """Misses of each bin whose state at the offset is known; none where they are too few."""
        chosen = [own[np.isfinite(self.ended[own]).all(axis=1)] for own in self.counted]
        return [own if len(own) >= FEWEST else own[:0] for own in chosen]

    @cached_property
    def rejected(self) -> NDArray[np.intp]:
        """Correct rejections."""
        return np.flatnonzero(self.outcomes.rejected)

    @cached_property
    def times(self) -> NDArray[np.intp]:
        """Positions on the time axis that are compared."""
        if self.match == "nearest":
            return np.arange(self.states.shape[2])
        return np.unique(self.outcomes.offset_bin[np.concatenate(self.usable)])

    @cached_property
    def squares(self) -> tuple[Array, Array]:
        """Squared distance of each bin, and how much of it is expected to be noise."""
        path = self.paths(np.ones((1, len(self.rejected))))[0]
        square = np.array([self.square(own, path) for own in self.usable])
        return square, np.array([self.noise(own, path) for own in self.usable])

    def paths(self, weights: Array) -> Array:
        """Average rejections with weights (draw, rejection): (draw, feature, time)."""
        paths = np.full((len(weights), *self.states.shape[1:]), np.nan)
        for time in self.times:
            at = self.states[self.rejected, :, time]
            known = np.isfinite(at).all(axis=1)
            total = weights[:, known].sum(axis=1, keepdims=True)
            with np.errstate(invalid="ignore"):
                paths[:, :, time] = weights[:, known] @ at[known] / total
        return paths

    def passed(self, misses: NDArray[np.intp], path: Array) -> NDArray[np.intp]:
        """Time at which each miss is compared with the path (feature, time)."""
        if self.match == "same":
            return self.outcomes.offset_bin[misses]
        away = ((path - self.ended[misses].mean(axis=0)[:, None]) ** 2).sum(axis=0)
        return np.full(len(misses), int(np.nanargmin(away)))

    def square(self, misses: NDArray[np.intp], path: Array) -> float:
        """Squared distance of the mean of misses from the path; NaN without misses."""
        if not len(misses):
            return float("nan")
        away = self.ended[misses].mean(axis=0) - path[:, self.passed(misses, path)].mean(axis=1)
        return float((away**2).sum())

    def noise(self, misses: NDArray[np.intp], path: Array) -> float:
        """Squared standard errors of the two means, summed over features."""
        if not len(misses):
            return float("nan")
        times, share = np.unique(self.passed(misses, path), return_counts=True)
        along = self.states[np.ix_(self.rejected, np.arange(len(path)), times)] @ (
            share / share.sum()
        )
        along = along[np.isfinite(along).all(axis=1)]
        groups = (self.ended[misses], along)
        return sum(float(group.var(axis=0, ddof=1).sum()) / len(group) for group in groups)
