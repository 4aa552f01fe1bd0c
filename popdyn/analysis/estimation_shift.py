"""Whether the distance of one stimulus shifts between stimulus sets, as the estimate does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.estimation_errors import line
from popdyn.analysis.estimation_noise import Array, JointNoise

_LEVEL = 0.05
_POWER = 0.8


@dataclass(frozen=True, eq=False)
class Shift:
    """What the shared stimuli of two sets tell.

    Attributes
    ----------
    stimulus : ndarray, shape (shared,)
    observed, expected : ndarray, shape (shared,)
        Distance in the second set less that in the first; what the estimate makes expect.
    p_none : float
        Of no shift, against one in the direction of the estimate's.
    p_amount : float
        Of a shift as large as the estimate's.
    power : float
        Of the first, if distances follow the estimate.
    ratio : float
        Observed over expected shift.
    ratio_bound : ndarray, shape (2,)
        95 %.
    """

    stimulus: Array
    observed: Array
    expected: Array
    p_none: float
    p_amount: float
    power: float
    ratio: float
    ratio_bound: Array

    @property
    def met(self) -> float:
        """1 if distances shift as estimates do, 0 if not, NaN if that could not be seen."""
        if self.p_none < _LEVEL:
            return 1.0 if self.p_amount >= _LEVEL else 0.0
        return 0.0 if self.power >= _POWER else np.nan


def shared_stimuli(stimulus: Array, member: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions (shared, 2) of one stimulus in the first and in the second set.

    Parameters
    ----------
    stimulus : ndarray, shape (condition,)
    member : ndarray of bool, shape (condition,)
        Of the second set.
    """
    first, second = np.flatnonzero(~member), np.flatnonzero(member)
    same = np.isclose(stimulus[first][:, None], stimulus[second][None, :])
    at = np.argwhere(same)
    return np.column_stack([first[at[:, 0]], second[at[:, 1]]])


def prior_shift(
    stimulus: Array,
    estimate: Array,
    distance: Array,
    noise: JointNoise,
    member: NDArray[np.bool_],
    n_draws: int,
    rng: np.random.Generator,
) -> Shift | None:
    """Test the shift between two sets; None if they share no stimulus."""
    pairs = shared_stimuli(stimulus, member)
    if not len(pairs):
        return None
    row = np.eye(stimulus.size)
    less = row[pairs[:, 1]] - row[pairs[:, 0]]
    weight = np.linalg.pinv(less @ noise.of_distance @ less.T, rcond=1e-9, hermitian=True)
    slope = _slope_within(estimate, distance, member)
    error, error_of_estimate = noise.sample(n_draws, rng)
    side = float(np.sign(line(stimulus, distance)[1])) or 1.0

    def along(values: Array, target: Array) -> Array:
        expected = target @ less.T
        length = np.sqrt(np.einsum("...i,ij,...j->...", expected, weight, expected))
        score = np.einsum("...i,ij,...j->...", expected, weight, values @ less.T)
        return np.asarray(side * score / np.maximum(length, 1e-300))

    def rest(values: Array, target: Array) -> Array:
        found = _slope_within(target, values, member)
        return np.asarray((values - found[..., None] * target) @ less.T)

    def ratio(values: Array, target: Array) -> Array:
        expected = _slope_within(target, values, member)[..., None] * (target @ less.T)
        score = np.einsum("...i,ij,...j->...", expected, weight, values @ less.T)
        length = np.einsum("...i,ij,...j->...", expected, weight, expected)
        return np.asarray(score / np.maximum(length, 1e-300))

    observed = along(distance, estimate)
    without = along(error, estimate + error_of_estimate)
    followed = slope * (estimate - error_of_estimate) + error
    shifted = along(followed, estimate)
    left, null = rest(distance, estimate), rest(followed, estimate)
    inverse = np.linalg.pinv(np.atleast_2d(np.cov(null.T)), rcond=1e-9, hermitian=True)
    size = float(left @ inverse @ left)
    null_size = np.einsum("di,ij,dj->d", null, inverse, null)
    seen, drawn = float(ratio(distance, estimate)), ratio(followed, estimate)
    # Where distances follow the estimate the ratio is 1; what is seen scatters around its own.
    low, high = seen + 1.0 - np.quantile(drawn, [0.975, 0.025])
    return Shift(
        stimulus=stimulus[pairs[:, 0]],
        observed=less @ distance,
        expected=float(slope) * (less @ estimate),
        p_none=float((1 + (without >= observed).sum()) / (1 + n_draws)),
        p_amount=float((1 + (null_size >= size).sum()) / (1 + n_draws)),
        power=float(np.mean(shifted > np.quantile(without, 1 - _LEVEL))),
        ratio=seen,
        ratio_bound=np.array([low, high]),
    )


def _slope_within(target: Array, values: Array, member: NDArray[np.bool_]) -> Array:
    """Slope of values (..., condition) on a target, each set with its own intercept."""
    top, bottom = np.zeros(()), np.zeros(())
    for own in (~member, member):
        x = target[..., own] - target[..., own].mean(axis=-1, keepdims=True)
        top = top + (x * values[..., own]).sum(axis=-1)
        bottom = bottom + (x * x).sum(axis=-1)
    return np.asarray(top / bottom)
