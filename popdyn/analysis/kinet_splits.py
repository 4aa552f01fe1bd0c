"""Distances without the noise of the averages: thirds of the trials take different parts.

One third finds the components and which states belong together; the product of the differences
in the other two has no noise in common, so that its mean is not raised by it.
"""

from __future__ import annotations

import numpy as np

from popdyn.analysis.distance_draws import mean_known
from popdyn.analysis.distance_space import component_axes
from popdyn.analysis.kinet import match_states, states_at
from popdyn.analysis.kinet_axis import coding_axis
from popdyn.analysis.kinet_distance import Rule
from popdyn.analysis.kinet_orbits import TrialOrbits
from popdyn.analysis.trials import Array, same_mask
from popdyn.errors import warn
from popdyn.resample import Seed, spawn

_THIRDS = 3


def cross_validated(
    source: TrialOrbits, distance: Array, rule: Rule, n_splits: int, rng: Seed
) -> tuple[Array, Array] | None:
    """Cross-validated signed distances.

    Parameters
    ----------
    source : TrialOrbits
        The trials and their orbits.
    distance : ndarray, shape (time, condition)
        Distances of all trials, whose signs are taken.
    rule : Rule
        How distances are taken.
    n_splits : int
        Random splits in thirds; in each, every third chooses once.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    over_time : ndarray, shape (time, condition)
        Root of the mean product with the sign of ``distance``, 0 where it is negative; on a
        coding axis the mean difference itself.
    mean : ndarray, shape (condition,)
        Over the times of the rule: root of the mean product, with the sign of the mean distance.
    """
    if rule.measure == "arc_length":
        return None
    fewest = int(source.trials.n_trials.min())
    if fewest < _THIRDS:
        warn(
            f"cross-validated distances need {_THIRDS} trials in every condition, found {fewest}: "
            "they are left out"
        )
        return None
    products = [
        _product(source, thirds, one, rule)
        for own in spawn(rng, n_splits)
        for thirds in [_third_means(source, own)]
        for one in range(_THIRDS)
    ]
    mean = mean_known(np.stack(products), axis=0)
    whole = mean_known(mean[rule.rows], axis=0)
    if rule.measure == "coding_axis":
        return mean, whole
    side = np.sign(mean_known(distance[rule.rows], axis=0))
    return np.sign(distance) * _root(mean), side * _root(whole)


def _third_means(source: TrialOrbits, rng: np.random.Generator) -> Array:
    """Averages (third, condition, neuron, time) of thirds of every neuron's own trials."""
    kept, trials = source.orbits.kept, source.trials
    means = []
    for condition in range(len(trials.labels)):
        values = trials.values(condition)[:, kept]
        flat = values.reshape(len(values), -1)
        order = rng.permutation(len(flat))
        own = np.full((_THIRDS, flat.shape[1]), np.nan)
        for pattern, columns in same_mask(np.isfinite(flat)):
            members = np.array_split(order[pattern[order]], _THIRDS)
            for third, member in enumerate(members):
                if member.size:
                    whole = columns.size == flat.shape[1]
                    chosen = flat[member] if whole else flat[np.ix_(member, columns)]
                    own[third, columns] = chosen.mean(axis=0)
        means.append(own.reshape(_THIRDS, *values.shape[1:]))
    return np.stack(means, axis=1)


def _product(source: TrialOrbits, thirds: Array, one: int, rule: Rule) -> Array:
    """Products (time, condition) of two thirds at the states that the other one chose."""
    orbits = source.orbits
    reference = orbits.layout.reference
    known = orbits.known & np.isfinite(thirds).all(axis=(0, 2))
    mean = states = np.where(known[:, None, :], thirds, np.nan)
    if orbits.axes is not None:
        mean = np.matmul(component_axes(mean[one], orbits.axes.shape[1]).T, mean)
    match = match_states(mean[one], known, reference, rule.alignment, rule.reach)
    others = [other for other in range(_THIRDS) if other != one]
    if rule.measure == "coding_axis":
        axis = coding_axis(match, states[one], orbits.layout, rule.rows)
        along = np.einsum("k,ckt->tc", axis, states_at(match.index, states[others].mean(axis=0)))
        return np.asarray(along - along[:, [reference]])
    first, second = (
        mean[other, reference] - states_at(match.index, mean[other]) for other in others
    )
    return np.asarray(np.einsum("ckt,ckt->tc", first, second))


def _root(squared: Array) -> Array:
    """Square root, 0 of what is negative."""
    return np.asarray(np.sqrt(np.where(squared < 0.0, 0.0, squared)))
