"""Squared distance between two averages: noise removed, trials drawn again, labels shuffled.

The squared distance of two noisy averages is too large by the sum of their squared standard
errors, which is subtracted.  Arrays only; `popdyn.analysis.distance` puts the labels on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import Array, TrialAverage, same_mask
from popdyn.resample import (
    ResamplePlan,
    Seed,
    first_in_order,
    percentile_bounds,
    shuffled_orders,
)

# Draws are worked through in chunks of at most this many numbers, to keep memory small.
CHUNK_NUMBERS = 4_000_000


@dataclass(frozen=True, eq=False)
class Draws:
    """Bootstrap deviations of the squared distance, each (draw, time, condition).

    Attributes
    ----------
    linear : ndarray
        The part that grows with the distance.
    noise : ndarray
        The part that is there at distance 0.
    """

    linear: Array
    noise: Array

    def mean_over_time(self) -> Draws:
        """Deviations of the mean over the times at which the distance is known."""
        return Draws(mean_known(self.linear, axis=1), mean_known(self.noise, axis=1))


def corrected_squared_distance(
    mean: Array, standard_error_squared: Array | None, reference: int
) -> tuple[Array, Array]:
    """Squared distance of every condition to a reference, as it is and without the noise.

    Parameters
    ----------
    mean : ndarray, shape (condition, feature, time)
        Averages.
    standard_error_squared : ndarray, shape (condition, time)
        Squared standard errors summed over features; None leaves out the correction.
    reference : int
        Position of the reference condition.

    Returns
    -------
    naive, corrected : ndarray, shape (time, condition)
        Both 0 for the reference itself.
    """
    naive = ((mean - mean[reference]) ** 2).sum(axis=1)
    error = np.zeros(naive.shape) if standard_error_squared is None else standard_error_squared
    corrected = naive - error - error[reference]
    corrected[reference] = naive[reference]
    return naive.T, corrected.T


def bootstrap_draws(
    averages: Sequence[TrialAverage],
    position: Sequence[NDArray[np.intp]],
    reference: int,
    plan: ResamplePlan,
) -> Draws:
    """Draw trials again and give the deviations of the corrected squared distance.

    With ``e`` the error of the difference in a draw and ``d`` the difference, the squared
    distance moves by ``2 d e`` (linear) and ``e^2`` minus the squared standard error found in
    that draw (noise); both have mean 0.

    Parameters
    ----------
    averages : sequence of TrialAverage
        Per condition.
    position : sequence of ndarray of int
        Per condition its positions among the trials of the plan.
    reference : int
        Position of the reference condition.
    plan : ResamplePlan
        The draws.

    Returns
    -------
    Draws
        ``linear`` and ``noise``.
    """
    n_features, n_times = averages[reference].mean.shape
    shape = (len(plan), n_times, len(averages))
    linear, noise = np.zeros(shape), np.zeros(shape)
    step = max(1, CHUNK_NUMBERS // max(1, n_features * n_times))
    for start in range(0, len(plan), step):
        part = slice(start, min(start + step, len(plan)))
        times_drawn = plan.times_drawn(part.start, part.stop)
        error_0, variance_0 = _redraw(averages[reference], times_drawn[:, position[reference]])
        for condition, average in enumerate(averages):
            if condition == reference:
                continue
            error, variance = _redraw(average, times_drawn[:, position[condition]])
            error -= error_0
            difference = average.mean - averages[reference].mean
            linear[part, :, condition] = 2.0 * np.einsum("ft,dft->dt", difference, error)
            noise[part, :, condition] = np.einsum("dft,dft->dt", error, error)
            noise[part, :, condition] -= variance + variance_0
    return Draws(linear, noise)


def mean_draws(folds: Sequence[Draws]) -> Draws:
    """Average the deviations of several folds, which share their draws of trials."""
    linear = np.mean([fold.linear for fold in folds], axis=0)
    return Draws(linear, np.mean([fold.noise for fold in folds], axis=0))


def distance_bounds(estimate: Array, draws: Draws) -> Array:
    """Bounds of the corrected squared distance.

    The bootstrap draws around the measured distance, which noise has made too large, so that
    its spread is too wide for small distances: the variance of the linear part is too large by
    twice that of the noise part.  The draws are narrowed accordingly and turned over around the
    estimate (the basic bootstrap), because their tail points away from where the truth lies.

    Parameters
    ----------
    estimate : ndarray
        Corrected squared distance.
    draws : Draws
        Its deviations, with a draw axis first.

    Returns
    -------
    ndarray
        Bounds (lower, upper) along the first axis.
    """
    whole = draws.linear + draws.noise
    whole = whole - whole.mean(axis=0)
    v_linear, v_noise, v_whole = draws.linear.var(0), draws.noise.var(0), whole.var(0)
    wanted = np.maximum(v_linear - v_noise, v_noise)
    narrow = np.sqrt(np.divide(wanted, v_whole, out=np.zeros_like(wanted), where=v_whole > 0))
    low, high = percentile_bounds(whole * np.minimum(narrow, 1.0))
    return np.stack([estimate - high, estimate - low])


def permuted_mean_squared_distance(
    values: Array, in_first: NDArray[np.bool_], times: NDArray[np.bool_], n_draws: int, rng: Seed
) -> tuple[float, Array]:
    """Shuffle which trials belong to which of two conditions.

    Each neuron keeps its numbers of trials in both; neurons recorded on the same trials keep
    them together.

    Parameters
    ----------
    values : ndarray, shape (trial, feature, time)
        Trials of both conditions, NaN where not observed.
    in_first : ndarray of bool, shape (trial,)
        Which trials belong to the first.
    times : ndarray of bool, shape (time,)
        Times over which the mean is taken.
    n_draws : int
        Number of shuffles.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    observed : float
        Mean over time of the corrected squared distance, by the same formula.
    null : ndarray, shape (draw,)
        The same with shuffled labels.
    """
    order = np.concatenate(
        # Observed labels as one more draw: those of the first condition come first.
        [np.argsort(~in_first, kind="stable")[None], shuffled_orders(len(values), n_draws, rng)]
    )
    flat = values[:, :, times].reshape(len(values), -1)
    known = np.isfinite(flat)
    total = np.zeros(len(order))
    for pattern, columns in same_mask(known):
        n_first = int((pattern & in_first).sum())
        member = first_in_order(order, pattern, n_first)[:, pattern]
        total += _two_group_distance(flat[np.ix_(pattern, columns)], member)
    total /= max(1, int(times.sum()))
    return float(total[0]), total[1:]


def _two_group_distance(values: Array, member: NDArray[np.bool_]) -> Array:
    """Corrected squared distance, summed over columns, for every draw of members.

    ``values (trial, column)`` complete, ``member (draw, trial)`` with as many members in each.
    """
    values = values - values.mean(axis=0)
    n_1 = int(member[0].sum())
    n_2 = len(values) - n_1
    in_group = member.astype(np.float64)
    power = np.zeros(len(member))
    step = max(1, CHUNK_NUMBERS // max(1, len(member)))
    for start in range(0, values.shape[1], step):
        power += ((in_group @ values[:, start : start + step]) ** 2).sum(axis=1)
    square = (values**2).sum(axis=1)
    square_1 = in_group @ square
    # Centered on all trials, the sum over one group is minus that over the other.
    of_sum = (1 / n_1 + 1 / n_2) ** 2
    error_1 = (square_1 - power / n_1) / (n_1 * (n_1 - 1))
    error_2 = (square.sum() - square_1 - power / n_2) / (n_2 * (n_2 - 1))
    distance: Array = of_sum * power - error_1 - error_2
    return distance


def _redraw(average: TrialAverage, times_drawn: Array) -> tuple[Array, Array]:
    """Error of the average in each draw, and its squared standard error as found in the draw.

    Gives ``(draw, feature, time)`` and, summed over features, ``(draw, time)``.
    """
    n_trials, n_features, n_times = average.influence.shape
    error = (times_drawn @ average.influence.reshape(n_trials, -1)).reshape(-1, n_features, n_times)
    n = np.maximum(average.n, 2)
    factor = n / (n - 1.0)
    square = np.einsum("ft,nft,nft->nt", factor, average.influence, average.influence)
    variance = times_drawn @ square - np.einsum("ft,dft,dft->dt", factor / n, error, error)
    return error, variance


def mean_known(values: Array, axis: int) -> Array:
    """Mean along an axis over the entries that are not NaN; NaN where all are."""
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    mean: Array = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return mean
