"""Components of one half of the trials, judged on the other half: arrays only.

What components hold of the data they were fitted to says little, because they fit the noise
too.  Split the trials of every condition in two; the noise of the halves is independent, so
that what components of one half find in the other is reproducible (Stringer et al. 2019,
Nature 571:361).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import Array, same_mask
from popdyn.resample import Seed, first_in_order, percentile_bounds, spawn

# Split averages are worked through in chunks of at most this many numbers.
CHUNK_NUMBERS = 4_000_000


@dataclass(frozen=True, eq=False)
class SplitShares:
    """What halves of the trials say about each other; one row per split or draw.

    Attributes
    ----------
    ratio : ndarray, shape (split, component)
        Share of the variance of one half along the components of the other.
    signal : ndarray, shape (split, component)
        Covariance of both halves along the components of one: variance without noise.
    participation : ndarray, shape (split, 2)
        Numerator and denominator of the participation ratio: squared trace of the covariance
        and the sum of its squares, both without the noise.
    null : ndarray, shape (split, component)
        ``ratio`` for components of a half in which every neuron's samples were shuffled.
    """

    ratio: Array
    signal: Array
    participation: Array
    null: Array


def split_shares(
    trials: Sequence[Array],
    n_components: int,
    generators: Sequence[np.random.Generator],
    weights: Sequence[Array] | None = None,
    *,
    with_null: bool = False,
) -> SplitShares:
    """Split the trials of every condition in two, once per generator, and compare the halves.

    Parameters
    ----------
    trials : sequence of ndarray, each (trial, neuron, time)
        Per condition; NaN where not observed.  Each neuron's own trials are split.
    n_components : int
        Number of components.
    generators : sequence of numpy.random.Generator
        One per split.
    weights : sequence of ndarray, each (split, trial), optional
        Per condition the weight of each trial in the average of its half.
    with_null : bool
        Whether to shuffle, too.

    Returns
    -------
    SplitShares
        NaN for a split in which no sample is known in both halves.
    """
    n_splits = len(generators)
    shares = SplitShares(
        np.full((n_splits, n_components), np.nan), np.full((n_splits, n_components), np.nan),
        np.full((n_splits, 2), np.nan), np.full((n_splits, n_components), np.nan),
    )  # fmt: skip
    step = max(1, CHUNK_NUMBERS // max(1, sum(values[0].size for values in trials)))
    for start in range(0, n_splits, step):
        part = slice(start, start + step)
        chunk = None if weights is None else [weight[part] for weight in weights]
        means, totals = _quarter_averages(trials, generators[part], chunk)
        for at in range(means.shape[1]):
            own = generators[start + at] if with_null else None
            _compare(means[:, at], totals[:, at], own, shares, start + at)
    return shares


def _quarter_averages(
    trials: Sequence[Array],
    generators: Sequence[np.random.Generator],
    weights: Sequence[Array] | None,
) -> tuple[Array, Array]:
    """Averages of the quarters, and their weights, both (quarter, split, neuron, sample).

    The first two make up the first half.  NaN where a neuron has no trial in the quarter.
    """
    n_neurons = trials[0].shape[1]
    means, totals = [], []
    for condition, values in enumerate(trials):
        order = np.stack([own.permutation(len(values)) for own in generators])
        extra = np.array([own.integers(0, 2) for own in generators])
        weight = np.ones(order.shape) if weights is None else weights[condition]
        flat = values.reshape(len(values), -1)
        mean = np.full((4, len(order), flat.shape[1]), np.nan)
        total = np.zeros(mean.shape)
        for pattern, columns in same_mask(np.isfinite(flat)):
            known = flat[np.ix_(pattern, columns)]
            for quarter, member in enumerate(_quarters(order, pattern, extra)):
                share = member[:, pattern] * weight[:, pattern]
                sums = share.sum(axis=1, keepdims=True)
                scale = np.divide(1.0, sums, out=np.full(sums.shape, np.nan), where=sums > 0)
                mean[quarter][:, columns] = (share * scale) @ known
                total[quarter][:, columns] = sums
        means.append(mean.reshape(4, len(order), n_neurons, -1))
        totals.append(total.reshape(4, len(order), n_neurons, -1))
    return np.concatenate(means, axis=3), np.concatenate(totals, axis=3)


def _quarters(
    order: NDArray[np.intp], known: NDArray[np.bool_], extra: NDArray[np.intp]
) -> list[NDArray[np.bool_]]:
    """Members of each quarter of the known trials, (split, trial)."""
    n = int(known.sum())
    half = (n + extra) // 2
    ends = (half // 2, half, half + (n - half) // 2, np.full_like(half, n))
    firsts = [np.zeros(order.shape, dtype=bool)]
    firsts += [first_in_order(order, known, end) for end in ends]
    return [after & ~before for before, after in pairwise(firsts)]


def _joined(means: Array, totals: Array) -> Array:
    """Average of two quarters; one of them may be empty."""
    total = totals.sum(axis=0)
    sums = (np.where(totals > 0, means, 0.0) * totals).sum(axis=0)
    mean: Array = np.divide(sums, total, out=np.full(total.shape, np.nan), where=total > 0)
    return mean


def _compare(
    means: Array,
    totals: Array,
    rng: np.random.Generator | None,
    shares: SplitShares,
    split: int,
) -> None:
    """Fill in one split from its quarters (quarter, neuron, sample)."""
    n_components = shares.ratio.shape[1]
    halves = _centered([_joined(means[:2], totals[:2]), _joined(means[2:], totals[2:])])
    if halves[0].shape[1] <= n_components:
        return
    first, second = halves
    n = first.shape[1] - 1
    within = (first @ first.T / n, second @ second.T / n)
    between = first @ second.T / n
    ratio, signal = np.zeros(n_components), np.zeros(n_components)
    for own, other in ((0, 1), (1, 0)):
        axes = _top_axes(within[own], n_components)
        ratio += _along(within[other], axes) / np.trace(within[other]) / 2.0
        signal += _along(between, axes) / 2.0
    shares.ratio[split], shares.signal[split] = ratio, signal
    shares.participation[split] = _participation(list(means), n_components, between)
    if rng is not None:
        shuffled = rng.permuted(first, axis=1)
        axes = _top_axes(shuffled @ shuffled.T / n, n_components)
        shares.null[split] = _along(within[1], axes) / np.trace(within[1])


def _centered(parts: list[Array]) -> list[Array]:
    """Parts (neuron, sample) at the samples known in all, with the mean taken off."""
    complete = np.all([np.isfinite(part).all(axis=0) for part in parts], axis=0)
    kept = [part[:, complete] for part in parts]
    return [part - part.mean(axis=1, keepdims=True) for part in kept if complete.any()] or kept


def _participation(quarters: list[Array], n_least: int, between: Array) -> tuple[float, float]:
    """Squared trace of the covariance, and the sum of its squares, from independent parts.

    The product of two covariances whose noise is independent is unbiased; the square of one is
    not.  That takes quarters of the trials.  Without them the halves have to do.
    """
    a, b, c, d = _centered(quarters)
    first = second = (between + between.T) / 2.0
    if a.shape[1] > n_least:
        first, second = a @ b.T / (a.shape[1] - 1), c @ d.T / (a.shape[1] - 1)
        first, second = (first + first.T) / 2.0, (second + second.T) / 2.0
    return float(np.trace(first) * np.trace(second)), float(np.sum(first * second))


def _top_axes(covariance: Array, n_components: int) -> Array:
    """Axes of largest variance, (neuron, component)."""
    axes: Array = np.linalg.eigh(covariance)[1][:, ::-1][:, :n_components]
    return axes


def _along(covariance: Array, axes: Array) -> Array:
    """Variance along each axis."""
    variance: Array = np.einsum("nk,nk->k", axes, covariance @ axes)
    return variance


def participation_ratio(participation: Array) -> Array:
    """Participation ratio from its numerators and denominators (..., 2)."""
    ratio: Array = participation[..., 0] / participation[..., 1]
    return ratio


def bootstrap_pairs(
    trials: Sequence[Array], n_components: int, n_draws: int, rng: Seed
) -> tuple[SplitShares, SplitShares]:
    """Weigh the trials anew, and split each draw twice.

    Each trial has an exponential weight (the Bayesian bootstrap of Rubin 1981, Ann Stat 9:130),
    so that no half is ever empty and no trial is in both halves.

    Parameters
    ----------
    trials : sequence of ndarray, each (trial, neuron, time)
        Per condition.
    n_components, n_draws : int
        Numbers of components and of draws.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    tuple of SplitShares
        The same draws under two independent splits.
    """
    generators = spawn(rng, n_draws)
    weights = [
        np.stack([own.exponential(size=len(values)) for own in generators]) for values in trials
    ]
    first = split_shares(trials, n_components, generators, weights)
    return first, split_shares(trials, n_components, generators, weights)


def pair_bounds(estimate: Array, first: Array, second: Array, n_splits: int) -> Array:
    """Bounds of a mean over splits, from draws that were each split twice.

    The spread of a draw has two parts: trials, which both splits of a draw share, and splits,
    which the estimate has averaged over.  Draws are narrowed to the first part and a
    ``1 / n_splits`` of the second.  They are centered on the estimate: drawing again adds noise
    of its own, which moves every measure of variance.

    Parameters
    ----------
    estimate : ndarray
        Mean over ``n_splits`` splits.
    first, second : ndarray, shape (draw, ...)
        Draws under two splits.
    n_splits : int
        Number of splits of the estimate.

    Returns
    -------
    ndarray
        Bounds (lower, upper) along the first axis.
    """
    draws = (first + second) / 2.0
    known = np.isfinite(draws).all(axis=tuple(range(1, draws.ndim)))
    if known.sum() < 2:
        return np.full((2, *np.shape(estimate)), np.nan)
    draws, difference = draws[known], (first - second)[known]
    of_splits = difference.var(axis=0) / 2.0
    of_trials = np.maximum(draws.var(axis=0) - of_splits / 2.0, 0.0)
    wanted = of_trials + of_splits / n_splits
    narrow = np.sqrt(wanted / np.maximum(draws.var(axis=0), np.finfo(float).tiny))
    return estimate + percentile_bounds((draws - draws.mean(axis=0)) * np.minimum(narrow, 1.0))
