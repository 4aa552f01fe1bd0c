"""Axes over learning stages: means over sessions, their bounds, and the trend: arrays only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.statespace_splits import student_factor
from popdyn.analysis.trials import Array
from popdyn.resample import percentile_bounds, spawn, upper_p_value

_ONE = {"units": "1"}


def by_stage(
    values: dict[str, Array],
    member: NDArray[np.intp],
    n_stages: int,
    n_draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Means over the sessions of each stage, and bounds from drawing sessions again."""
    cosines: list[tuple[Array, Array]] = []
    overlaps: list[tuple[Array, Array]] = []
    accuracies: list[tuple[Array, Array]] = []
    for stage, own in enumerate(spawn(rng, n_stages)):
        rows = np.flatnonzero(member == stage)
        # One draw of sessions serves all three.
        drawn = own.integers(0, rows.size, size=(n_draws, rows.size))
        for found, name, summary in (
            (cosines, "moments", _pooled_cosine), (overlaps, "moments", _pooled_overlap),
            (accuracies, "transfer_accuracy", _mean),
        ):  # fmt: skip
            found.append(_with_bounds(values[name][rows], drawn, summary))
    over = ("stage", "axis", "other_axis")
    (cosine, cosine_bound), (overlap, bound), (accuracy, accuracy_bound) = (
        (np.stack([row[0] for row in found]), np.stack([row[1] for row in found], axis=1))
        for found in (cosines, overlaps, accuracies)
    )
    # The angle falls as the overlap rises.
    angle, (high, low) = _angle(overlap), _angle(bound)
    radians = {"units": "rad"}
    return {
        "stage_cosine": (over, cosine, _ONE),
        "stage_cosine_bound": (("bound", *over), cosine_bound, _ONE),
        "stage_overlap": (over, overlap, _ONE),
        "stage_overlap_bound": (("bound", *over), bound, _ONE),
        "stage_angle": (over, angle, radians),
        "stage_angle_bound": (("bound", *over), np.stack([low, high]), radians),
        "stage_transfer_accuracy": (("stage", "axis", "epoch"), accuracy, _ONE),
        "stage_transfer_accuracy_bound": (
            ("bound", "stage", "axis", "epoch"), accuracy_bound.clip(0.0, 1.0), _ONE,
        ),
    }  # fmt: skip


def _mean(rows: Array) -> Array:
    """Mean over sessions (first)."""
    mean: Array = rows.mean(axis=0)
    return mean


def _pooled_cosine(moments: Array) -> Array:
    """Cosine of a stage from the moments (session, moment, axis, axis) of its sessions."""
    product, length = moments[:, 0].mean(axis=0), moments[:, 1].mean(axis=0)
    size = length * length.T
    known = (length > 0) & (length.T > 0)
    return np.where(known, product / np.sqrt(np.where(known, size, 1.0)), np.nan)


def _pooled_overlap(moments: Array) -> Array:
    """Overlap of a stage: the mean of a ratio would be off where its denominator is noisy."""
    squared, power = moments[:, 2].mean(axis=0), moments[:, 3].mean(axis=0)
    return np.where(power > 0, squared / np.where(power > 0, power, 1.0), np.nan)


def _angle(overlap: Array) -> Array:
    """Angle (rad) of two axes from cos²."""
    angle: Array = np.arccos(np.sqrt(np.clip(overlap, 0.0, 1.0)))
    return angle


def _with_bounds(
    rows: Array, drawn: NDArray[np.intp], summary: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """Summary of sessions (first) and its bounds (bound, ...) from sessions drawn again."""
    n = len(rows)
    estimate = summary(rows)
    if n < 2:
        return estimate, np.full((2, *estimate.shape), np.nan)
    error = np.stack([summary(rows[draw]) for draw in drawn]) - estimate
    error *= np.sqrt(n / (n - 1)) * student_factor(n)
    return estimate, estimate + percentile_bounds(error)


def trend_of(
    overlap: Array, member: NDArray[np.intp], n_draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Rank correlation of overlap and stage, with permuted stages."""
    both = ("axis", "other_axis")
    orders = np.stack([member, *(own.permutation(member) for own in spawn(rng, n_draws))])
    flat = overlap.reshape(len(overlap), -1)
    found = np.full((len(orders), flat.shape[1]), np.nan)
    for column, values in enumerate(flat.T):
        if np.isfinite(values).all() and np.ptp(values) > 1e-9 and len(np.unique(member)) > 1:
            found[:, column] = _rank_correlation(orders, values)
    found = found.reshape(len(orders), *overlap.shape[1:])
    return {
        "trend": (both, found[0], _ONE),
        "null_trend": (("draw", *both), found[1:], _ONE),
        "p": (both, upper_p_value(np.abs(found[0]), np.abs(found[1:])), _ONE),
    }


def _rank_correlation(orders: NDArray[np.intp], values: Array) -> Array:
    """Spearman's correlation of each order (draw, session) with the values (session)."""
    from scipy.stats import rankdata

    ranks = rankdata(orders, axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    other = rankdata(values) - (values.size + 1) / 2.0
    size = np.linalg.norm(ranks, axis=1) * np.linalg.norm(other)
    correlation: Array = ranks @ other / size
    return correlation
