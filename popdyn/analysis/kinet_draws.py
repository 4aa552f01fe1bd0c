"""Bootstrap of signed distances: trials or neurons drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import joblib
import numpy as np
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from popdyn.analysis.distance_draws import mean_known
from popdyn.analysis.kinet import relative_speed, saturated_matches
from popdyn.analysis.kinet_distance import Rule
from popdyn.analysis.kinet_orbits import TrialOrbits
from popdyn.analysis.trials import Array, average_trials
from popdyn.resample import ResamplePlan, Seed, spawn

_AT_ONCE = 16  # draws whose orbits are in memory together


def trial_draws(
    source: TrialOrbits, plan: ResamplePlan, rule: Rule, refit: bool, n_jobs: int | None
) -> tuple[Array, Array]:
    """Draw trials again: mean distances and speeds.

    An orbit moves by the influence of the trials drawn, in fixed components or, with ``refit``,
    in components found anew in each draw.

    Returns
    -------
    mean_distance, speed : ndarray, shape (draw, condition)
    """
    influence = _neuron_influence(source) if refit else [one.influence for one in source.averages]
    mean = _neuron_mean(source) if refit else source.orbits.mean
    position = source.trials.position

    def orbits_of(start: int) -> Array:
        weights = plan.times_drawn(start, start + _AT_ONCE)
        drawn = np.empty((len(weights), *mean.shape))
        for condition, own in enumerate(influence):
            moved = weights[:, position[condition]] @ own.reshape(len(own), -1)
            drawn[:, condition] = mean[condition] + moved.reshape(-1, *mean.shape[1:])
        return drawn

    return _run(source, rule, refit, len(plan), orbits_of, n_jobs)


def neuron_draws(
    source: TrialOrbits, n_draws: int, rng: Seed, rule: Rule, n_jobs: int | None
) -> tuple[Array, Array]:
    """Draw neurons again, as many as there are; components are found anew in each draw.

    Returns
    -------
    mean_distance, speed : ndarray, shape (draw, condition)
    """
    mean = _neuron_mean(source)
    n_neurons = mean.shape[1]
    drawn = np.stack([own.integers(0, n_neurons, n_neurons) for own in spawn(rng, n_draws)])

    def orbits_of(start: int) -> Array:
        return np.stack([mean[:, own] for own in drawn[start : start + _AT_ONCE]])

    return _run(source, rule, source.orbits.axes is not None, n_draws, orbits_of, n_jobs)


def _run(
    source: TrialOrbits,
    rule: Rule,
    refit: bool,
    n_draws: int,
    orbits_of: Callable[[int], Array],
    n_jobs: int | None,
) -> tuple[Array, Array]:
    """Take the distances of every draw, a few draws at a time."""
    axes = source.orbits.axes
    n_components = axes.shape[1] if refit and axes is not None else None

    def some(start: int) -> list[tuple[Array, Array]]:
        return [_one(source, rule, mean, n_components) for mean in orbits_of(start)]

    # Small products are slower on several threads.
    with threadpool_limits(limits=1, user_api="blas"):
        parts: Iterator[Any] = joblib.Parallel(
            n_jobs=n_jobs, return_as="generator", prefer="threads"
        )(joblib.delayed(some)(start) for start in range(0, n_draws, _AT_ONCE))
        pairs = [pair for part in parts for pair in part]
    distance, speed = zip(*pairs, strict=True)
    return np.stack(distance), np.stack(speed)


def _one(
    source: TrialOrbits, rule: Rule, mean: Array, n_components: int | None
) -> tuple[Array, Array]:
    """Mean distances and speeds of one draw."""
    known, layout = source.orbits.known, source.orbits.layout
    if n_components is not None:
        mean = _in_own_components(np.where(known[:, None, :], mean, np.nan), n_components)
    match = rule.match(mean, known, layout.reference)
    usable = (match.index >= 0) & ~saturated_matches(match, known, layout.reference)
    distance = rule.distance(match, layout)
    return (
        mean_known(distance[rule.rows], axis=0),
        relative_speed(match.index, usable & rule.rows[:, None]),
    )


def _in_own_components(mean: Array, n_components: int) -> Array:
    """Orbits (condition, neuron, time) in their own components."""
    flat = np.moveaxis(mean, 1, 0).reshape(mean.shape[1], -1)
    matrix = flat[:, np.isfinite(flat[0])]
    matrix = matrix - matrix.mean(axis=1, keepdims=True)
    n = len(matrix)
    # Draws need no more digits than squares leave, and few of the axes.
    axes = eigh(matrix @ matrix.T, subset_by_index=(n - n_components, n - 1))[1]
    projected: Array = np.matmul(axes.T, mean)
    return projected


def _neuron_mean(source: TrialOrbits) -> Array:
    """Averages of all kept neurons (condition, neuron, time)."""
    kept = source.orbits.kept
    trials = source.trials
    return np.stack(
        [average_trials(trials.values(i)).mean[kept] for i in range(len(trials.labels))]
    )


def _neuron_influence(source: TrialOrbits) -> list[Array]:
    """Influence of each trial on the averages of all kept neurons."""
    kept, trials = source.orbits.kept, source.trials
    return [average_trials(trials.values(i)).influence[:, kept] for i in range(len(trials.labels))]
