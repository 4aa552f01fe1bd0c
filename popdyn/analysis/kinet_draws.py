"""Bootstrap of signed distances: trials or neurons drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import joblib
import numpy as np
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from popdyn.analysis.kinet import relative_speed, saturated_matches
from popdyn.analysis.kinet_distance import Rule
from popdyn.analysis.kinet_orbits import TrialOrbits
from popdyn.analysis.trials import Array
from popdyn.resample import ResamplePlan, Seed, spawn

_AT_ONCE = 16  # draws whose orbits are in memory together


def trial_draws(
    source: TrialOrbits, plan: ResamplePlan, rule: Rule, refit: bool, n_jobs: int | None
) -> dict[str, Array]:
    """Draw trials again: mean distances and speeds.

    All neurons are drawn, whatever the components: an axis of the conditions that turned only
    within the span of their averages would scatter, and shorten distances, less than it does.
    An orbit moves by the influence of the trials drawn, in fixed components or, with ``refit``,
    in components found anew in each draw.

    Returns
    -------
    dict
        "speed" and the mean distances, by name, each (draw, condition).
    """
    averages = [source.average(i, None) for i in range(len(source.trials.labels))]
    shape = averages[0].mean.shape
    # The average is one more thing that is drawn, once in each draw.
    moving = [
        np.vstack([one.mean.ravel(), one.influence.reshape(len(one.influence), -1)])
        for one in averages
    ]
    position = source.trials.position

    def orbits_of(start: int) -> Array:
        weights = plan.times_drawn(start, start + _AT_ONCE)
        once = np.ones((len(weights), 1))
        drawn = np.empty((len(moving), len(weights), *shape))
        for condition, own in enumerate(moving):
            taken = np.hstack([once, weights[:, position[condition]]])
            np.matmul(taken, own, out=drawn[condition].reshape(len(weights), -1))
        return drawn.swapaxes(0, 1)

    return _run(source, rule, refit, len(plan), orbits_of, n_jobs)


def neuron_draws(
    source: TrialOrbits, n_draws: int, rng: Seed, rule: Rule, n_jobs: int | None
) -> dict[str, Array]:
    """Draw neurons again, as many as there are; components are found anew in each draw.

    Returns
    -------
    dict
        As of `trial_draws`.
    """
    mean = source.orbits.states
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
) -> dict[str, Array]:
    """Take the distances of every draw, a few draws at a time."""
    axes, known = source.orbits.axes, source.orbits.known[:, None, :]

    def shown(states: Array) -> Array:
        if axes is None:
            return states
        if refit:
            return _in_own_components(np.where(known, states, np.nan), axes.shape[1])
        return np.asarray(np.matmul(axes.T, states))

    def some(start: int) -> list[dict[str, Array]]:
        return [_one(source, rule, shown(states), states) for states in orbits_of(start)]

    # Small products are slower on several threads.
    with threadpool_limits(limits=1, user_api="blas"):
        parts: Iterator[Any] = joblib.Parallel(
            n_jobs=n_jobs, return_as="generator", prefer="threads"
        )(joblib.delayed(some)(start) for start in range(0, n_draws, _AT_ONCE))
        drawn = [one for part in parts for one in part]
    return {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}


def _one(source: TrialOrbits, rule: Rule, mean: Array, states: Array) -> dict[str, Array]:
    """Mean distances and speeds of one draw."""
    known, layout = source.orbits.known, source.orbits.layout
    match = rule.match(mean, known, layout.reference)
    usable = (match.index >= 0) & ~saturated_matches(match, known, layout.reference)
    speed = relative_speed(match.index, usable & rule.rows[:, None])
    return {"speed": speed, **rule.means(match, states, layout)}


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
