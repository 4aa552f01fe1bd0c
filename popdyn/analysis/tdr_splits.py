"""Halves of the trials: how many components carry the coefficients, and how far axes repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.design import Design
from popdyn.analysis.least_squares import fit_least_squares
from popdyn.analysis.slabs import averages_of
from popdyn.analysis.tdr_axes import Windows, chosen_bins, denoised, raw_axes
from popdyn.analysis.trials import principal_axes
from popdyn.errors import FitError
from popdyn.resample import spawn

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Half:
    """What one half of the trials gives.

    Attributes
    ----------
    coefficient : ndarray, shape (regressor, neuron, time)
        Without the intercept.
    components : ndarray, shape (neuron, component), or None
        Of the condition averages, if coefficients are denoised.
    """

    coefficient: Array
    components: Array | None


def average_components(values: NDArray[Any], groups: Sequence[Index]) -> Array:
    """Give the principal components of averages over groups of trials.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        NaN where not observed.
    groups : sequence of ndarray of int
        Positions of the trials of each average.

    Returns
    -------
    ndarray, shape (neuron, component)
        All there are; the samples are bins in which every neuron was observed.

    Raises
    ------
    FitError
        If fewer than two samples are complete.
    """
    samples, _ = average_samples(values, groups)
    if samples.shape[1] < 2:
        message = (
            "no bin of any condition has an average of every neuron, so that there is no state "
            "space to denoise in: pass n_components=None, or average over fewer columns with by="
        )
        raise FitError(message)
    return principal_axes(samples - samples.mean(axis=1, keepdims=True))[0]


def average_samples(values: NDArray[Any], groups: Sequence[Index]) -> tuple[Array, Index]:
    """Give the averages over groups of trials where all neurons are known.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        NaN where not observed.
    groups : sequence of ndarray of int
        Positions of the trials of each average.

    Returns
    -------
    samples : ndarray, shape (neuron, sample)
        Of every group and bin.
    bins : ndarray of int, shape (sample,)
        Position of their bins.
    """
    kept = [group for group in groups if len(group)]
    means = averages_of(values, kept).transpose(0, 2, 1)
    samples = means.reshape(len(values), -1)
    complete = np.isfinite(samples).all(axis=0)
    return samples[:, complete], np.tile(np.arange(values.shape[1]), len(kept))[complete]


def halves(
    values: NDArray[Any],
    design: Design,
    groups: Sequence[Sequence[Index]],
    rng: np.random.Generator,
    *,
    with_components: bool = True,
) -> tuple[Half, Half]:
    """Split the trials of each condition in two, and fit each half.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        Standardized.
    design : Design
        Of all trials.
    groups : sequence of sequence of ndarray of int
        Groupings; each holds the positions of the trials of its conditions.  The first is the
        one whose conditions are split.
    rng : Generator
        To shuffle with.
    with_components : bool
        Whether the components of the averages are wanted.

    Returns
    -------
    tuple of Half
        Coefficients are NaN where a half does not determine them.
    """
    member = np.zeros(values.shape[2], dtype=bool)
    for group in groups[0]:
        order = rng.permutation(group)
        member[order[rng.integers(2) :: 2]] = True
    in_none = np.setdiff1d(design.kept, np.concatenate([np.empty(0, np.intp), *groups[0]]))
    member[rng.permutation(in_none)[::2]] = True
    first, second = (
        _half(
            values,
            design,
            [[g[chosen[g]] for g in own] for own in groups] if with_components else None,
            chosen,
        )
        for chosen in (member, ~member)
    )
    return first, second


def _half(
    values: NDArray[Any],
    design: Design,
    groups: Sequence[Sequence[Index]] | None,
    chosen: NDArray[np.bool_],
) -> Half:
    keep = chosen[design.kept]
    part = replace(design, matrix=design.matrix[keep], kept=design.kept[keep])
    fit = fit_least_squares(values, part)
    components = None
    if groups is not None:
        components = average_components(values, [group for own in groups for group in own])
    return Half(fit.coefficient[:-1], components)


def component_scores(pairs: Sequence[tuple[Half, Half]], windows: Sequence[Index | None]) -> Array:
    """Score numbers of components by the coefficients of the other half.

    The axis of one half, denoised, is compared with the coefficients of the other half as they
    are in the same bins: the mean cosine over halves.  Errors of halves are independent, so that
    it is largest where most of the signal and least of the noise is kept.  Every regressor has
    its own number: components that carry a strong one may hold little of a weak one.

    Parameters
    ----------
    pairs : sequence of (Half, Half)
        From `halves`, with components.
    windows : sequence of (ndarray of int or None)
        Bins that make the axis of each regressor; None for that of the largest norm.

    Returns
    -------
    ndarray, shape (regressor, number of components + 1)
        For 1, 2, ... components; the last entry is that without denoising.  NaN where no half
        determines the coefficients.
    """
    n_most = min(half.components.shape[1] for pair in pairs for half in pair)  # type: ignore[union-attr]
    found = []
    for pair in pairs:
        for own, other in (pair, pair[::-1]):
            axes = own.components[:, :n_most]  # type: ignore[index]
            found.append(
                [
                    _cosines(mine, yours, axes, window)
                    for mine, yours, window in zip(
                        own.coefficient, other.coefficient, windows, strict=True
                    )
                ]
            )
    scores = np.array(found)
    known = np.isfinite(scores)
    n = known.sum(axis=0)
    total = np.where(known, scores, 0.0).sum(axis=0)
    mean: Array = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return mean


def _cosines(mine: Array, yours: Array, axes: Array, window: Index | None) -> Array:
    """Cosines of an axis with that of the other half, for each number of components, and none."""
    if window is not None:
        mine, yours = mine[:, window], yours[:, window]
    known = np.isfinite(mine).all(axis=0) & np.isfinite(yours).all(axis=0)
    mine, yours = mine[:, known], yours[:, known]
    if not mine.size:
        return np.full(axes.shape[1] + 1, np.nan)
    if window is not None:
        mine, yours = mine.mean(axis=1, keepdims=True), yours.mean(axis=1, keepdims=True)
    a, b = axes.T @ mine, axes.T @ yours
    product = np.vstack([np.cumsum(a * b, axis=0), (mine * yours).sum(axis=0)])
    power = np.vstack([np.cumsum(a**2, axis=0), (mine**2).sum(axis=0)])
    number, at = np.arange(len(power)), power.argmax(axis=1)
    length = np.sqrt(power[number, at] * (yours**2).sum(axis=0)[at])
    cosine: Array = np.divide(
        product[number, at], length, out=np.zeros(len(power)), where=length > 0
    )
    return cosine


def cross_cosines(
    pairs: Sequence[tuple[Half, Half]],
    numbers: Index,
    names: Sequence[str],
    time: Array,
    at: str | Windows,
) -> Array:
    """Give cosines between the axes of one half and those of the other.

    Each half chooses its bins, as all trials do: bins chosen with both halves would be those
    where their noise agrees.

    Parameters
    ----------
    pairs : sequence of (Half, Half)
        From `halves`.
    numbers : ndarray of int
        How many components denoise the coefficients of each regressor; 0 for none.
    names : sequence of str
        Of the regressors.
    time : ndarray, shape (time,)
        Bin centers (s).
    at : "max_norm" or mapping
        Which bins make an axis.

    Returns
    -------
    ndarray, shape (split, regressor, regressor)
        Symmetric; on the diagonal how far an axis repeats itself in the bins that one half
        chooses.  Splits with a half that does not determine the coefficients are left out.
    """
    found = []
    for pair in pairs:
        both = [denoised(half.coefficient, half.components, numbers) for half in pair]
        if not all(np.isfinite(one).all(axis=(0, 1)).any() for one in both):
            continue
        bins = [chosen_bins(one, names, time, at) for one in both]
        first, second = (raw_axes(one, own) for one, own in zip(both, bins, strict=True))
        cosine = first @ second.T
        cosine = (cosine + cosine.T) / 2
        there, back = raw_axes(both[1], bins[0]), raw_axes(both[0], bins[1])
        np.fill_diagonal(cosine, ((first * there).sum(axis=1) + (second * back).sum(axis=1)) / 2)
        found.append(cosine)
    return np.array(found).reshape(-1, len(names), len(names))


def split_trials(
    values: NDArray[Any],
    design: Design,
    groups: Sequence[Sequence[Index]],
    n_splits: int,
    rng: np.random.Generator,
    *,
    with_components: bool = True,
) -> list[tuple[Half, Half]]:
    """Fit `n_splits` random pairs of halves."""
    return [
        halves(values, design, groups, own, with_components=with_components)
        for own in spawn(rng, n_splits)
    ]
