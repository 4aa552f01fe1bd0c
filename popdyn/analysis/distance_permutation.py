"""Squared distances between two groups of trials whose labels are shuffled.

A shuffle gives both groups the noise of the two taken together.  Where the conditions differ in
noise and in numbers of trials, the squared distance therefore scatters otherwise than over
shuffles, and a test by its size alone says yes too often or too rarely.  Divided by the standard
deviation that each labeling's own noise gives it, the distance is comparable (Chung and Romano
2013, Ann. Statist. 41:484, on studentized permutation tests).  Arrays only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import Array, same_mask
from popdyn.resample import Seed, first_in_order, shuffled_orders

# Draws are worked through in chunks of at most this many numbers, to keep memory small.
CHUNK_NUMBERS = 4_000_000
# An unbiased variance can come out near zero or below with few trials: never below this share of
# the plain mean of squared products, which is too large where the groups differ.
_LEAST_SHARE = 0.25


def permuted_mean_squared_distance(
    values: Array, in_first: NDArray[np.bool_], times: NDArray[np.bool_], n_draws: int, rng: Seed
) -> tuple[Array, Array]:
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
    distance : ndarray, shape (1 + draw,)
        Mean over time of the corrected squared distance; first that of the labels given, then
        those of shuffled labels.
    studentized : ndarray, shape (1 + draw,)
        The same over the standard deviation it would have without a difference, found from the
        noise of the two groups.  Neurons that miss different trials count as independent.
    """
    order = np.concatenate(
        # Observed labels as one more draw: those of the first condition come first.
        [np.argsort(~in_first, kind="stable")[None], shuffled_orders(len(values), n_draws, rng)]
    )
    flat = values[:, :, times].reshape(len(values), -1)
    distance, variance = np.zeros(len(order)), np.zeros(len(order))
    for pattern, columns in same_mask(np.isfinite(flat)):
        n_first = int((pattern & in_first).sum())
        member = first_in_order(order, pattern, n_first)[:, pattern]
        known = flat[np.ix_(pattern, columns)]
        known = known - known.mean(axis=0)
        products = known @ known.T
        step = max(1, CHUNK_NUMBERS // len(known))
        for start in range(0, len(order), step):
            part = slice(start, start + step)
            own_distance, own_variance = _two_groups(products, member[part])
            distance[part] += own_distance
            variance[part] += own_variance
    deviation = np.sqrt(variance)
    studentized = np.divide(distance, deviation, out=np.zeros_like(distance), where=deviation > 0)
    return distance / max(1, int(times.sum())), studentized


def _two_groups(products: Array, member: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Corrected squared distance, summed over columns, and its variance at true distance 0.

    ``products (trial, trial)`` of trials whose mean is 0, ``member (draw, trial)`` with as many
    members of the first group in each; both results (draw,).

    Only products of different trials are used: taking off a group's mean would add a share of
    each trial's own square, which differs between noisy and quiet trials under one label.
    """
    different = products - np.diag(np.diag(products))
    inside = member.astype(np.float64)
    groups = (inside, 1.0 - inside)
    sums = [group @ different for group in groups]
    squares = [group @ different**2 for group in groups]
    size = [float(group[0].sum()) for group in groups]
    distance, plain, variance = (np.zeros(len(member)) for _ in range(3))
    for group, row, square, n in zip(groups, sums, squares, size, strict=True):
        own = group * row
        total, square_total = own.sum(axis=1), (group * square).sum(axis=1)
        n_pairs = n * (n - 1.0)
        distance += total / n_pairs
        plain += 2.0 * square_total / n_pairs**2
        variance += 2.0 * _own_square(total, (own**2).sum(axis=1), square_total, n) / n_pairs
    to_second, to_first = groups[0] * sums[1], groups[1] * sums[0]
    total, square_total = to_second.sum(axis=1), (groups[0] * squares[1]).sum(axis=1)
    n_1, n_2 = size
    distance -= 2.0 * total / (n_1 * n_2)
    plain += 4.0 * square_total / (n_1 * n_2) ** 2
    # Same trial on one side, different trials on the other; then different trials on both.
    shared_1 = (to_second**2).sum(axis=1) - square_total
    shared_2 = (to_first**2).sum(axis=1) - square_total
    apart = total**2 - square_total - shared_1 - shared_2
    mutual = (
        square_total - shared_1 / (n_2 - 1) - shared_2 / (n_1 - 1)
        + apart / ((n_1 - 1) * (n_2 - 1))
    ) / (n_1 * n_2)  # fmt: skip
    variance += 4.0 * mutual / (n_1 * n_2)
    return distance, np.maximum(variance, _LEAST_SHARE * plain)


def _own_square(total: Array, row_squares: Array, squares: Array, n: float) -> Array:
    """Sum of squares of a group's covariance, unbiased (Li and Chen 2012, Ann. Statist. 40:908).

    From the products of different trials: their ``total``, the sum of squares of their sums
    over rows and the sum of their ``squares``, each (draw,).  It takes four trials; with fewer
    the mean of all trials has to do for that of the group.
    """
    mean = squares / (n * (n - 1))
    if n < 4:
        return mean
    three = (row_squares - squares) / (n * (n - 1) * (n - 2))
    four = (total**2 - 4.0 * row_squares + 2.0 * squares) / (n * (n - 1) * (n - 2) * (n - 3))
    unbiased: Array = mean - 2.0 * three + four
    return unbiased
