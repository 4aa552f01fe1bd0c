"""Components of one half of the trials, judged on the other half: arrays only.

What components hold of the data they were fitted to says little, because they fit the noise
too.  Split the trials of every condition in two; the noise of the halves is independent, so
that what components of one half find in the other is reproducible (Stringer et al. 2019,
Nature 571:361).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from popdyn.analysis.trials import Array, same_mask
from popdyn.progress import watched
from popdyn.resample import Seed, first_in_order, spawn

# Split averages are worked through in chunks of at most this many numbers.
CHUNK_NUMBERS = 1_000_000
# Groups of trials left out in turn for standard errors, and splits of what remains.
N_GROUPS = 10
N_JACKKNIFE_SPLITS = 20
# With this many times fewer components than neurons, finding only them is faster.
_FEW = 10


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
    parts = _chunks(trials, n_splits)
    for part in watched(parts, len(parts), "splitting trials"):
        chunk = None if weights is None else [weight[part] for weight in weights]
        means, totals = quarter_averages(trials, generators[part], chunk)
        for at in range(means.shape[1]):
            split = part.start + at
            own = generators[split] if with_null else None
            _compare(means[:, at], totals[:, at], own, shares, split)
    return shares


def quarter_averages(
    trials: Sequence[Array],
    generators: Sequence[np.random.Generator],
    weights: Sequence[Array] | None,
) -> tuple[Array, Array]:
    """Averages of the quarters (quarter, split, neuron, sample), and their weights.

    The first two make up the first half.  NaN where a neuron has no trial in the quarter.  The
    weights have a single neuron where all are alike.
    """
    shape = (4, len(generators), trials[0].shape[1], trials[0].shape[2])
    means = np.empty((*shape[:3], len(trials) * shape[3]))
    totals = []
    for condition, values in enumerate(trials):
        order = np.stack([own.permutation(len(values)) for own in generators])
        extra = np.array([own.integers(0, 2) for own in generators])
        weight = np.ones(order.shape) if weights is None else weights[condition]
        flat = values.reshape(len(values), -1)
        if np.isfinite(flat.sum()):  # complete: no column needs trials of its own
            mean, total = _weighted(flat, np.ones(len(values), dtype=bool), order, extra, weight)
            total = np.broadcast_to(total[..., None], (*shape[:2], 1, shape[3]))
        else:
            mean = np.full((*shape[:2], flat.shape[1]), np.nan)
            total = np.zeros(mean.shape)
            for pattern, columns in same_mask(np.isfinite(flat)):
                known = flat[np.ix_(pattern, columns)]
                own_mean, sums = _weighted(known, pattern, order, extra, weight)
                mean[:, :, columns], total[:, :, columns] = own_mean, sums
            total = total.reshape(shape)
        means[..., condition * shape[3] : (condition + 1) * shape[3]] = mean.reshape(shape)
        totals.append(total)
    if len({total.shape for total in totals}) > 1:
        totals = [np.broadcast_to(total, shape) for total in totals]
    return means, np.concatenate(totals, axis=3)


def _weighted(
    known: Array,
    pattern: NDArray[np.bool_],
    order: NDArray[np.intp],
    extra: NDArray[np.intp],
    weight: Array,
) -> tuple[Array, Array]:
    """Averages (quarter, split, column) of columns known on the same trials, and weights."""
    share = np.stack(_quarters(order, pattern, extra))[:, :, pattern] * weight[:, pattern]
    sums = share.sum(axis=2, keepdims=True)
    scale = np.divide(1.0, sums, out=np.full(sums.shape, np.nan), where=sums > 0)
    n_rows = share.shape[0] * share.shape[1]
    mean = (share * scale).reshape(n_rows, known.shape[0]) @ known
    return mean.reshape(*share.shape[:2], known.shape[1]), sums


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


def joined(means: Array, totals: Array) -> Array:
    """Average of two quarters; one of them may be empty."""
    total = totals.sum(axis=0)
    if (totals > 0).all():
        share = totals / total
        whole: Array = means[0] * share[0] + means[1] * share[1]
        return whole
    sums = (np.where(totals > 0, means, 0.0) * totals).sum(axis=0)
    mean: Array = np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)
    return mean


def split_halves(
    trials: Sequence[Array],
    generators: Sequence[np.random.Generator],
    weights: Sequence[Array] | None = None,
) -> Iterator[tuple[Array, Array]]:
    """Average two halves of the trials, once per generator.

    Parameters
    ----------
    trials : sequence of ndarray, each (trial, neuron, time)
        Per condition.
    generators : sequence of numpy.random.Generator
        Deal the trials out.
    weights : sequence of ndarray, each (split, trial), optional
        Per condition the weight of each trial.

    Yields
    ------
    tuple of ndarray, each (neuron, sample)
        Centered, at the samples known in both; nothing for a split without any.
    """
    for part in _chunks(trials, len(generators)):
        chunk = None if weights is None else [weight[part] for weight in weights]
        means, totals = quarter_averages(trials, generators[part], chunk)
        for at in range(means.shape[1]):
            own, of = means[:, at], totals[:, at]
            first, second = _centered([joined(own[:2], of[:2]), joined(own[2:], of[2:])])
            if first.shape[1]:
                yield first, second


def _chunks(trials: Sequence[Array], n_splits: int) -> list[slice]:
    """Divide splits into those worked through together."""
    step = max(1, CHUNK_NUMBERS // max(1, sum(values[0].size for values in trials)))
    return [slice(start, start + step) for start in range(0, n_splits, step)]


def _compare(
    means: Array,
    totals: Array,
    rng: np.random.Generator | None,
    shares: SplitShares,
    split: int,
) -> None:
    """Fill in one split from its quarters (quarter, neuron, sample)."""
    n_components = shares.ratio.shape[1]
    halves = _centered([joined(means[:2], totals[:2]), joined(means[2:], totals[2:])])
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
    if all(part.size and np.isfinite(part.sum()) for part in parts):
        return [part - part.mean(axis=1, keepdims=True) for part in parts]
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
    n = len(covariance)
    if n_components * _FEW > n:
        whole: Array = np.linalg.eigh(covariance)[1][:, ::-1][:, :n_components]
        return whole
    axes: Array = scipy.linalg.eigh(
        covariance, subset_by_index=[n - n_components, n - 1], check_finite=False
    )[1][:, ::-1]
    return axes


def _along(covariance: Array, axes: Array) -> Array:
    """Variance along each axis."""
    variance: Array = np.einsum("nk,nk->k", axes, covariance @ axes)
    return variance


def participation_ratio(participation: Array) -> Array:
    """Participation ratio from its numerators and denominators (..., 2)."""
    ratio: Array = participation[..., 0] / participation[..., 1]
    return ratio


def summaries(shares: SplitShares) -> Array:
    """Means over splits in one row: ratios, their running sums, the participation ratio."""
    known = np.isfinite(shares.ratio).all(axis=1)
    if not known.any():
        return np.full(2 * shares.ratio.shape[1] + 1, np.nan)
    ratio = shares.ratio[known].mean(axis=0)
    participation = participation_ratio(shares.participation[known].mean(axis=0))
    return np.concatenate([ratio, ratio.cumsum(), [participation]])


def jackknife_error(trials: Sequence[Array], n_components: int, rng: Seed) -> tuple[Array, int]:
    """Find standard errors of the summaries by leaving out a tenth of the trials at a time.

    A bootstrap doubles the noise of the averages, and shares of noisier data scatter otherwise;
    leaving out few trials stays near the data.  All groups are left out of the same splits, so
    that the splits do not add to the differences.

    Parameters
    ----------
    trials : sequence of ndarray, each (trial, neuron, time)
        Per condition.
    n_components : int
        Number of components.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    error : ndarray
        Of `summaries`; NaN with fewer than four trials in a condition.
    n_groups : int
        Number of groups left out in turn.
    """
    n_least = min((len(values) for values in trials if len(values) > 1), default=0)
    n_groups = min(N_GROUPS, n_least)
    if n_groups < 4:
        return np.full(2 * n_components + 1, np.nan), n_groups
    *splitters, shuffler = spawn(rng, N_JACKKNIFE_SPLITS + 1)
    group = [shuffler.permutation(len(values)) % n_groups for values in trials]
    rows = []
    for left_out in watched(range(n_groups), n_groups, "leaving trials out"):
        weights = [
            np.tile((own != left_out) | (len(own) < 2), (len(splitters), 1)).astype(np.float64)
            for own in group
        ]
        shares = split_shares(trials, n_components, copy.deepcopy(splitters), weights)
        rows.append(summaries(shares))
    error: Array = np.sqrt((n_groups - 1) * np.var(rows, axis=0))
    return error, n_groups


def error_bounds(estimate: Array, error: Array, n_trials: int) -> Array:
    """Bounds (lower, upper) of 95 % by Student's t for this number of trials or groups."""
    reach = student_factor(n_trials) * float(ndtri(0.975)) * error
    return np.stack([estimate - reach, estimate + reach])


def student_factor(n_trials: int) -> float:
    """How much wider than a normal interval one must be when the spread is estimated."""
    if n_trials < 2:
        return float("nan")
    return float(stdtrit(n_trials - 1, 0.975) / ndtri(0.975))
