"""How sure are the components?  Trials left out in turn: arrays only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.statespace_splits import N_GROUPS
from popdyn.analysis.trials import Array, mean_trial, principal_axes
from popdyn.progress import watched


def groups_of(sizes: Sequence[int], rng: np.random.Generator) -> tuple[list[NDArray[np.intp]], int]:
    """Deal the trials of every condition out into ten groups, fewer with fewer trials.

    Returns
    -------
    group : list of ndarray, each (trial,)
        Group of each trial; a condition of a single trial is in none (-1).
    n_groups : int
        Below four there is nothing to judge a spread by.
    """
    n_groups = min(N_GROUPS, min((size for size in sizes if size > 1), default=0))
    dealt = [
        rng.permutation(size) % max(n_groups, 1) if size > 1 else np.full(size, -1)
        for size in sizes
    ]
    return dealt, n_groups


def trials_left_out(
    trials: Sequence[Array], rng: np.random.Generator
) -> Iterator[tuple[Array, list[Array]]]:
    """Leave out a tenth of the trials in turn.

    Parameters
    ----------
    trials : sequence of ndarray, each (trial, neuron, time)
        Per condition.
    rng : numpy.random.Generator
        Deals the trials out.

    Yields
    ------
    averages : ndarray, shape (neuron, time, condition)
        Nothing with fewer than four groups.
    weights : list of ndarray, each (trial,)
        1 for the trials kept.
    """
    dealt, n_groups = groups_of([len(values) for values in trials], rng)
    for left_out in watched(
        range(n_groups if n_groups >= 4 else 0), n_groups, "leaving trials out"
    ):
        kept = [group != left_out for group in dealt]
        means = [mean_trial(values[keep]) for values, keep in zip(trials, kept, strict=True)]
        yield np.stack(means, axis=2), [keep.astype(np.float64) for keep in kept]


def replicate(samples: Array, axes: Array) -> tuple[Array, Array]:
    """Shares and loadings of other samples.

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, condition)
        Averages with trials left out.
    axes : ndarray, shape (neuron, component)
        Loadings of the whole, whose signs those of the part take on.

    Returns
    -------
    ratio : ndarray, shape (component,)
    loading : ndarray, shape (neuron, component)
    """
    matrix = samples.reshape(len(samples), -1)
    matrix = matrix[:, np.isfinite(matrix).all(axis=0)]
    matrix = matrix - matrix.mean(axis=1, keepdims=True)
    own, power = principal_axes(matrix, axes.shape[1])
    sign = np.where((own * axes).sum(axis=0) < 0, -1.0, 1.0)
    return power / (matrix**2).sum(), own * sign


def trial_moments(
    samples: Array, group: NDArray[np.intp], n_groups: int
) -> list[tuple[float, Array, Array]]:
    """Per group of trials: number of complete samples, their sum, and the sum of products.

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, trial)
        Centered roughly, so that products keep their digits.
    group : ndarray of int, shape (trial,)
        Group of each trial.
    n_groups : int
        Number of groups.
    """
    moments = []
    for one in range(n_groups):
        matrix = samples[:, :, group == one].reshape(len(samples), -1)
        matrix = matrix[:, np.isfinite(matrix).all(axis=0)]
        moments.append((float(matrix.shape[1]), matrix.sum(axis=1), matrix @ matrix.T))
    return moments


def held_out_trials(
    moments: list[tuple[float, Array, Array]], axes: Array
) -> tuple[Array, Array, Array]:
    """Fit components without each group of trials in turn and judge them on that group.

    Parameters
    ----------
    moments : list
        From `trial_moments`.
    axes : ndarray, shape (neuron, component)
        Loadings of the whole, whose signs those of the parts take on.

    Returns
    -------
    held_out : ndarray, shape (group, component)
        Share of the group's variance about the mean of the rest.
    ratio : ndarray, shape (group, component)
        Share of the variance fitted to.
    loading : ndarray, shape (group, neuron, component)
    """
    whole = [sum(part[i] for part in moments) for i in range(3)]
    held_out, ratios, loadings = [], [], []
    for part in moments:
        n, total, products = (whole[i] - part[i] for i in range(3))
        mean = total / n
        covariance = products - np.outer(mean, total)
        power, vectors = np.linalg.eigh(covariance)
        own = vectors[:, ::-1][:, : axes.shape[1]]
        own = own * np.where((own * axes).sum(axis=0) < 0, -1.0, 1.0)
        about = part[2] - np.outer(mean, part[1]) - np.outer(part[1], mean)
        about = about + part[0] * np.outer(mean, mean)
        held_out.append(np.einsum("nk,nk->k", own, about @ own) / np.trace(about))
        ratios.append(power[::-1][: axes.shape[1]] / np.trace(covariance))
        loadings.append(own)
    return np.array(held_out), np.array(ratios), np.array(loadings)
