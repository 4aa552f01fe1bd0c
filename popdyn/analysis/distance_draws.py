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
    """How the corrected squared distance scatters, each array (..., time, condition).

    Attributes
    ----------
    linear : ndarray, shape (draw, time, condition)
        Bootstrap deviations: twice the difference times the error of a draw.
    noise : ndarray, shape (time, condition)
        Variance that is there even at distance 0.
    mean_noise : ndarray, shape (condition,)
        The same for the mean over the times at which the distance is known.
    """

    linear: Array
    noise: Array
    mean_noise: Array


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
    """Draw trials again and give the deviations of the squared distance.

    With ``e`` the error of the difference in a draw and ``d`` the difference, the squared
    distance moves by ``2 d e + e^2``.  Only the first is drawn: with fewer trials than neurons
    the second scatters far too much in a bootstrap (a trial drawn twice is squared), and its
    variance is found from products of different trials instead.

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
        Zero for the reference itself.
    """
    n_features, n_times = averages[reference].mean.shape
    linear = np.zeros((len(plan), n_times, len(averages)))
    noise, mean_noise = np.zeros((n_times, len(averages))), np.zeros(len(averages))
    weights = plan.times_drawn()
    for condition, average in enumerate(averages):
        if condition == reference:
            continue
        difference = average.mean - averages[reference].mean
        for sign, group in ((1.0, condition), (-1.0, reference)):
            along = np.einsum("ft,nft->nt", difference, averages[group].influence)
            linear[:, :, condition] += 2.0 * sign * weights[:, position[group]] @ along
        noise[:, condition], mean_noise[condition] = noise_variance(average, averages[reference])
    return Draws(linear, noise, mean_noise)


def noise_variance(first: TrialAverage, second: TrialAverage) -> tuple[Array, float]:
    """Variance of the corrected squared distance of two averages whose true distance is 0.

    Twice the sum of squared products of different trials.

    Parameters
    ----------
    first, second : TrialAverage
        Both averages, with the same features.

    Returns
    -------
    over_time : ndarray, shape (time,)
        At each time, NaN where a standard error is unknown.
    of_mean : float
        Of the mean over the known times.
    """
    n_times = first.mean.shape[1]
    influence = np.concatenate([first.influence, second.influence])
    n_first, n_second = len(first.influence), len(second.influence)
    over_time, total, n_known = np.full(n_times, np.nan), np.zeros((len(influence),) * 2), 0
    for time in range(n_times):
        at = influence[:, :, time]
        products = at @ at.T
        if np.isfinite(products).all():
            over_time[time] = _scatter(products, n_first, n_second)
            total += products
            n_known += 1
    of_mean = _scatter(total / n_known, n_first, n_second) if n_known else np.nan
    return over_time, of_mean


def _scatter(products: Array, n_first: int, n_second: int) -> float:
    """Twice the sum of squared products of different trials, both groups' own and mutual."""
    total = 0.0
    for own in (products[:n_first, :n_first], products[n_first:, n_first:]):
        # Taking the mean off makes all products of different trials a little negative.
        different = own[~np.eye(len(own), dtype=bool)]
        total += float(different.var() * different.size)
    mutual = float((products[:n_first, n_first:] ** 2).sum())
    return 2.0 * (total + 2.0 * mutual * (1 - 1 / n_first) * (1 - 1 / n_second))


def mean_draws(folds: Sequence[Draws]) -> Draws:
    """Mean of the deviations of folds that share no trial."""
    n = len(folds)
    return Draws(
        np.mean([fold.linear for fold in folds], axis=0),
        np.sum([fold.noise for fold in folds], axis=0) / n**2,
        np.sum([fold.mean_noise for fold in folds], axis=0) / n**2,
    )


def distance_bounds(estimate: Array, linear: Array, noise: Array) -> Array:
    """Bounds of the corrected squared distance.

    The draws go along the measured difference, whose noise makes their variance too large by
    twice ``noise``; the noise itself adds ``noise`` once.  They are scaled to that variance, and
    never below that of the noise alone.

    Parameters
    ----------
    estimate : ndarray
        Corrected squared distance.
    linear : ndarray, shape (draw, ...)
        Its bootstrap deviations.
    noise : ndarray
        Its variance at distance 0.

    Returns
    -------
    ndarray
        Bounds (lower, upper) along the first axis.
    """
    deviation = linear - linear.mean(axis=0)
    variance = deviation.var(axis=0)
    wanted = np.maximum(variance - noise, noise)
    scale = np.sqrt(np.divide(wanted, variance, out=np.zeros_like(wanted), where=variance > 0))
    low, high = percentile_bounds(deviation * scale)
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


def mean_known(values: Array, axis: int) -> Array:
    """Mean along an axis over the entries that are not NaN; NaN where all are."""
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    mean: Array = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return mean
