"""Squared distance between two averages: noise removed, trials drawn again.

The squared distance of two noisy averages is too large by the sum of their squared standard
errors, which is subtracted.  Arrays only; `popdyn.analysis.distance` puts the labels on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import Array, TrialAverage
from popdyn.resample import ResamplePlan, percentile_bounds


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


def distance_draws(estimate: Array, linear: Array, noise: Array) -> Array:
    """Bootstrap draws of the corrected squared distance, around the estimate.

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
    ndarray, shape (draw, ...)
        With the estimate as their mean.
    """
    deviation = linear - linear.mean(axis=0)
    variance = deviation.var(axis=0)
    wanted = np.maximum(variance - noise, noise)
    scale = np.sqrt(np.divide(wanted, variance, out=np.zeros_like(wanted), where=variance > 0))
    draws: Array = estimate + deviation * scale
    return draws


def distance_bounds(estimate: Array, draws: Array) -> Array:
    """Bounds of the corrected squared distance: as far below it as draws go above, and so on.

    Parameters
    ----------
    estimate : ndarray
        Corrected squared distance.
    draws : ndarray, shape (draw, ...)
        From `distance_draws`.

    Returns
    -------
    ndarray
        Bounds (lower, upper) along the first axis.
    """
    low, high = percentile_bounds(draws - estimate)
    return np.stack([estimate - high, estimate - low])


def mean_known(values: Array, axis: int) -> Array:
    """Mean along an axis over the entries that are not NaN; NaN where all are."""
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    mean: Array = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return mean
