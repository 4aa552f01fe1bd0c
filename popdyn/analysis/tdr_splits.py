"""Halves of the trials: how many components carry the coefficients, and how far axes repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.design import Design
from popdyn.analysis.least_squares import fit_least_squares
from popdyn.analysis.tdr_axes import denoised, raw_axes
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
    components : ndarray, shape (neuron, component)
        Of the condition averages.
    """

    coefficient: Array
    components: Array


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
    samples = average_samples(values, groups)
    if samples.shape[1] < 2:
        message = (
            "no bin of any condition has an average of every neuron, so that there is no state "
            "space to denoise in: pass n_components=None, or average over fewer columns with by="
        )
        raise FitError(message)
    return principal_axes(samples - samples.mean(axis=1, keepdims=True))[0]


def average_samples(values: NDArray[Any], groups: Sequence[Index]) -> Array:
    """Give the averages over groups of trials, (neuron, sample), where all are known."""
    means = [_mean(values[:, :, group]) for group in groups if len(group)]
    if not means:
        return np.empty((len(values), 0))
    samples = np.concatenate(means, axis=1)
    return samples[:, np.isfinite(samples).all(axis=0)]


def _mean(values: NDArray[Any]) -> Array:
    """Mean over trials of what was observed; NaN without any."""
    known = np.isfinite(values)
    if known.all():
        return np.asarray(values.mean(axis=2, dtype=np.float64))
    n = known.sum(axis=2)
    total = np.where(known, values, 0.0).sum(axis=2, dtype=np.float64)
    return np.asarray(np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0))


def halves(
    values: NDArray[Any],
    design: Design,
    groups: Sequence[Sequence[Index]],
    rng: np.random.Generator,
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
        _half(values, design, [[g[chosen[g]] for g in own] for own in groups], chosen)
        for chosen in (member, ~member)
    )
    return first, second


def _half(
    values: NDArray[Any],
    design: Design,
    groups: Sequence[Sequence[Index]],
    chosen: NDArray[np.bool_],
) -> Half:
    keep = chosen[design.kept]
    part = replace(design, matrix=design.matrix[keep], kept=design.kept[keep])
    fit = fit_least_squares(values, part)
    flat = [group for own in groups for group in own]
    return Half(fit.coefficient[:-1], average_components(values, flat))


def component_scores(pairs: Sequence[tuple[Half, Half]]) -> Array:
    """Score numbers of components by the coefficients of the other half.

    For each regressor the cosine between the denoised coefficients of one half and those of the
    other as they are (all neurons and bins), over the largest that any number of components gives;
    the mean over regressors.  Errors of halves are independent, so that a cosine is largest where
    most of the signal and least of the noise is kept; and weak regressors count as strong ones do,
    whose components would come first otherwise.

    Parameters
    ----------
    pairs : sequence of (Half, Half)
        From `halves`.

    Returns
    -------
    ndarray, shape (number of components + 1,)
        For 1, 2, ... components; the last entry is that without denoising.
    """
    n_most = min(half.components.shape[1] for pair in pairs for half in pair)
    n_regressors = len(pairs[0][0].coefficient)
    product, power = np.zeros((2, n_regressors, n_most + 1))
    for pair in pairs:
        for own, other in (pair, pair[::-1]):
            known = np.isfinite(own.coefficient) & np.isfinite(other.coefficient)
            known &= known.all(axis=(0, 1))
            mine = np.where(known, own.coefficient, 0.0)
            yours = np.where(known, other.coefficient, 0.0)
            axes = own.components[:, :n_most]
            a = np.einsum("nk,rnt->rkt", axes, mine, optimize=True)
            b = np.einsum("nk,rnt->rkt", axes, yours, optimize=True)
            product[:, :-1] += np.cumsum((a * b).sum(axis=2), axis=1)
            power[:, :-1] += np.cumsum((a**2).sum(axis=2), axis=1)
            product[:, -1] += (mine * yours).sum(axis=(1, 2))
            power[:, -1] += (mine**2).sum(axis=(1, 2))
    ratio = np.divide(product, np.sqrt(power), out=np.zeros_like(power), where=power > 0)
    largest = ratio.max(axis=1, keepdims=True)
    repeats = np.flatnonzero(largest[:, 0] > 0)
    score: Array = (ratio[repeats] / largest[repeats]).mean(axis=0) if repeats.size else ratio[0]
    return score


def cross_cosines(
    pairs: Sequence[tuple[Half, Half]], n_components: int | None, bins: Sequence[Index]
) -> Array:
    """Give cosines between the axes of one half and those of the other.

    Parameters
    ----------
    pairs : sequence of (Half, Half)
        From `halves`.
    n_components : int or None
        How many components denoise the coefficients.
    bins : sequence of ndarray of int
        Of each axis.

    Returns
    -------
    ndarray, shape (split, regressor, regressor)
        Symmetric; on the diagonal how far an axis repeats itself.
    """
    found = []
    for pair in pairs:
        first, second = (
            raw_axes(
                denoised(
                    half.coefficient,
                    None if n_components is None else half.components[:, :n_components],
                ),
                bins,
            )
            for half in pair
        )
        cosine = first @ second.T
        found.append((cosine + cosine.T) / 2)
    return np.stack(found)


def split_trials(
    values: NDArray[Any],
    design: Design,
    groups: Sequence[Sequence[Index]],
    n_splits: int,
    rng: np.random.Generator,
) -> list[tuple[Half, Half]]:
    """Fit `n_splits` random pairs of halves."""
    return [halves(values, design, groups, own) for own in spawn(rng, n_splits)]
