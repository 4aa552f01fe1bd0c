"""What targeted dimensionality reduction says of its axes: windows, angles, significance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.tdr_axes import (
    Windows,
    angle_cosines,
    chosen_bins,
    orthogonalized,
    random_cosines,
    raw_axes,
    window_of,
)
from popdyn.analysis.tdr_permutation import PopulationTest
from popdyn.analysis.tdr_projections import ONE
from popdyn.analysis.tdr_splits import Half, average_components, component_scores, cross_cosines
from popdyn.errors import FitError, TensorError
from popdyn.resample import upper_p_value

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Axes:
    """The axes of the regressors.

    Attributes
    ----------
    bins : list of ndarray of int
        Bins that each axis was made of.
    raw, orthonormal : ndarray, shape (regressor, neuron)
        Before and after they were made orthogonal.
    across : ndarray, shape (regressor, regressor)
        Mean cosine between axes of different halves of the trials.
    """

    bins: list[Index]
    raw: Array
    orthonormal: Array
    across: Array


@dataclass(frozen=True, eq=False)
class Components:
    """The space that coefficients are denoised in.

    Attributes
    ----------
    axes : ndarray, shape (neuron, component), or None
        Principal components of the condition averages; None without denoising.
    numbers : ndarray of int, shape (regressor,)
        How many of them each regressor takes; 0 for no denoising.
    score : ndarray, shape (regressor, number of components + 1), or None
        From `component_scores`; None without denoising.
    """

    axes: Array | None
    numbers: Index
    score: Array | None


def find_components(
    values: Array,
    groups: Sequence[Sequence[Index]],
    pairs: Sequence[tuple[Half, Half]],
    windows: Sequence[Index | None],
    n_components: int | str | None,
) -> Components:
    """Find the components that denoise, and how many of them each regressor takes.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        Standardized.
    groups : sequence of sequence of ndarray of int
        From `groupings`.
    pairs : sequence of (Half, Half)
        From `split_trials`, of the regressors that get an axis.
    windows : sequence of (ndarray of int or None)
        Bins of each, as for `component_scores`.
    n_components : int, None or "cv"
        How many.

    Returns
    -------
    Components

    Raises
    ------
    FitError
        If there are not so many components.
    """
    if n_components is None:
        return Components(None, np.zeros(len(windows), dtype=np.intp), None)
    axes = average_components(values, [group for own in groups for group in own])
    score = component_scores(pairs, windows)
    if n_components == "cv":
        # With fewer components than axes, axes would be made alike.
        enough = np.arange(1, score.shape[1] + 1) >= len(windows)
        best = np.where(np.isfinite(score) & (score > 0) & enough, score, 0.0).argmax(axis=1)
        nothing = ~((score > 0) & enough).any(axis=1) | (best == score.shape[1] - 1)
        return Components(axes, np.where(nothing, 0, best + 1), score)
    if int(n_components) > axes.shape[1]:
        message = (
            f"n_components={n_components} is more than the {axes.shape[1]} that these "
            "neurons and condition averages have: ask for fewer"
        )
        raise FitError(message)
    return Components(axes, np.full(len(windows), int(n_components)), score)


def check_options(n_components: int | str | None, n_splits: int, n_draws: int) -> None:
    """Refuse arguments out of range.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    number = isinstance(n_components, (int, np.integer)) and not isinstance(n_components, bool)
    if not (n_components is None or n_components == "cv" or (number and int(n_components) >= 1)):
        message = (
            "n_components must be a whole number of at least 1, None or 'cv', found "
            f"{n_components!r}"
        )
        raise TensorError(message)
    counts = (n_splits, n_draws)
    if not all(isinstance(count, (int, np.integer)) and count >= 1 for count in counts):
        message = (
            "n_splits and n_draws must be whole numbers of at least 1, found "
            f"{n_splits!r}, {n_draws!r}"
        )
        raise TensorError(message)


def find_axes(
    inside: Array,
    names: Sequence[str],
    time: Array,
    at: str | Windows,
    pairs: Sequence[tuple[Half, Half]],
    numbers: Index,
) -> Axes:
    """Make the axes, and see how far they repeat in halves of the trials.

    Parameters
    ----------
    inside : ndarray, shape (regressor, neuron, time)
        Denoised coefficients of the regressors that get an axis.
    names : sequence of str
        Of these.
    time : ndarray, shape (time,)
        Bin centers (s).
    at : "max_norm" or mapping
        Which bins make an axis.
    pairs : sequence of (Half, Half)
        From `split_trials`, of the same regressors.
    numbers : ndarray of int
        Components of each, from `find_components`.

    Returns
    -------
    Axes
    """
    bins = chosen_bins(inside, names, time, at)
    raw = raw_axes(inside, bins)
    across = cross_cosines(pairs, numbers, names, time, at)
    n = np.isfinite(across).sum(axis=0)
    total = np.where(np.isfinite(across), across, 0.0).sum(axis=0)
    mean = np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)
    return Axes(bins, raw, orthogonalized(raw, names), mean)


def of_regressors(pairs: Sequence[tuple[Half, Half]], chosen: Index) -> list[tuple[Half, Half]]:
    """Keep the coefficients of some regressors."""
    return [
        (
            replace(first, coefficient=first.coefficient[chosen]),
            replace(second, coefficient=second.coefficient[chosen]),
        )
        for first, second in pairs
    ]


def described_axes(
    found: Axes, inside: Array, samples: Array, width: float, time: Array
) -> dict[str, Any]:
    """Variables of the axes; `samples` are the condition averages (neuron, sample)."""
    edges = np.array([window_of(own, time, width) for own in found.bins])
    share = {**ONE, "description": "share of the variance of the condition averages"}
    norm = {**ONE, "description": "of the denoised coefficients over neurons"}
    return {
        "raw_axes": (("regressor", "neuron"), found.raw, ONE),
        "axes": (("regressor", "neuron"), found.orthonormal, ONE),
        "window": (("regressor", "edge"), edges, {"units": "s"}),
        "norm": (("regressor", "time"), np.sqrt((inside**2).sum(axis=1)), norm),
        "explained_variance_ratio": ("regressor", share_along(found.orthonormal, samples), share),
        "half_split_cosine": ("regressor", np.diag(found.across).copy(), ONE),
    }


def share_along(axes: Array, samples: Array) -> Array:
    """Share of the variance of samples (neuron, sample) along orthonormal axes (axis, neuron)."""
    if samples.shape[1] < 2:
        return np.full(len(axes), np.nan)
    centered = samples - samples.mean(axis=1, keepdims=True)
    share: Array = ((axes @ centered) ** 2).sum(axis=1) / (centered**2).sum()
    return share


def described_components(components: Components) -> dict[str, Any]:
    """Variables of the denoising."""
    variables: dict[str, Any] = {"n_components": ("regressor", components.numbers, ONE)}
    if components.score is not None:
        variables["component_score"] = (("regressor", "candidate"), components.score, ONE)
    return variables


def described_angles(
    found: Axes, samples: Array, bins: Index, n_draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Variables of the angles between axes, beside those of random ones of averages."""
    null = random_cosines(samples, bins, n_draws, rng)
    size = np.abs(found.across)
    p = upper_p_value(size, np.abs(null)[:, None, None])
    p[np.isnan(null).any() | np.eye(len(p), dtype=bool)] = np.nan
    square = ("regressor", "regressor_2")
    return {
        "cosine": (square, angle_cosines(found.raw), ONE),
        "cross_cosine": (square, found.across, ONE),
        "cosine_p": (square, p, ONE),
        "cosine_null": ("draw", null, ONE),
    }


def described_test(test: PopulationTest) -> dict[str, Any]:
    """Variables of the permutation test."""
    return {
        "strength": (("term", "time"), test.strength, ONE),
        "p": (("term", "time"), test.p, ONE),
        "p_any": ("term", test.p_any, ONE),
    }
