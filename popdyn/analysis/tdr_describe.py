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
from popdyn.analysis.tdr_splits import Half, average_components, component_scores, cross_cosines
from popdyn.errors import FitError, TensorError

Array = NDArray[np.float64]
Index = NDArray[np.intp]

ONE = {"units": "1"}


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


def find_components(
    values: Array,
    groups: Sequence[Sequence[Index]],
    pairs: Sequence[tuple[Half, Half]],
    n_components: int | str | None,
) -> tuple[Array | None, Array]:
    """Find the components that denoise, and the score of each number of them.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        Standardized.
    groups : sequence of sequence of ndarray of int
        From `groupings`.
    pairs : sequence of (Half, Half)
        From `split_trials`.
    n_components : int, None or "cv"
        How many.

    Returns
    -------
    components : ndarray, shape (neuron, component), or None
        None for no denoising.
    score : ndarray
        From `component_scores`.

    Raises
    ------
    TensorError
        If `n_components` is none of these.
    FitError
        If there are not so many components.
    """
    score = component_scores(pairs)
    if n_components is None:
        return None, score
    components = average_components(values, [group for own in groups for group in own])
    if n_components == "cv":
        best = int(score.argmax())
        return (None if best == len(score) - 1 else components[:, : best + 1]), score
    if not isinstance(n_components, (int, np.integer)) or n_components < 1:
        message = (
            "n_components must be a whole number of at least 1, None or 'cv', found "
            f"{n_components!r}"
        )
        raise TensorError(message)
    if n_components > components.shape[1]:
        message = (
            f"n_components={n_components} is more than the {components.shape[1]} that these "
            "neurons and condition averages have: ask for fewer"
        )
        raise FitError(message)
    return components[:, :n_components], score


def find_axes(
    inside: Array,
    names: Sequence[str],
    time: Array,
    at: str | Windows,
    pairs: Sequence[tuple[Half, Half]],
    components: Array | None,
    chosen: Index,
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
        From `split_trials`.
    components : ndarray or None
        From `find_components`.
    chosen : ndarray of int
        Columns of these regressors.

    Returns
    -------
    Axes
    """
    bins = chosen_bins(inside, names, time, at)
    raw = raw_axes(inside, bins)
    n_components = None if components is None else components.shape[1]
    own = [
        tuple(replace(half, coefficient=half.coefficient[chosen]) for half in pair)
        for pair in pairs
    ]
    across = cross_cosines(own, n_components, bins).mean(axis=0)  # type: ignore[arg-type]
    return Axes(bins, raw, orthogonalized(raw, names), across)


def described_axes(
    found: Axes, inside: Array, samples: Array, width: float, time: Array
) -> dict[str, Any]:
    """Variables of the axes; `samples` are the condition averages (neuron, sample)."""
    edges = np.array([window_of(own, time, width) for own in found.bins])
    centered = samples - samples.mean(axis=1, keepdims=True)
    along = ((found.orthonormal @ centered) ** 2).sum(axis=1)
    share = {**ONE, "description": "share of the variance of the condition averages"}
    norm = {**ONE, "description": "of the denoised coefficients over neurons"}
    return {
        "raw_axes": (("regressor", "neuron"), found.raw, ONE),
        "axes": (("regressor", "neuron"), found.orthonormal, ONE),
        "window": (("regressor", "edge"), edges, {"units": "s"}),
        "norm": (("regressor", "time"), np.sqrt((inside**2).sum(axis=1)), norm),
        "explained_variance_ratio": ("regressor", along / (centered**2).sum(), share),
        "half_split_cosine": ("regressor", np.diag(found.across).copy(), ONE),
    }


def described_angles(
    found: Axes, samples: Array, n_draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Variables of the angles between axes, beside those of random ones."""
    null = random_cosines(np.cov(samples), n_draws, rng)
    larger = np.abs(null)[:, None, None] >= np.abs(found.across)
    p = (1.0 + larger.sum(axis=0)) / (1.0 + n_draws)
    np.fill_diagonal(p, np.nan)
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
