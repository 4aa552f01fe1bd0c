"""Axes of task variables in one session, and what lies along them: arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import Array

METHODS = ("mean_difference", "lda")
_PARTS = 4
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class EpochTrials:
    """One session.

    Attributes
    ----------
    values : ndarray, shape (trial, neuron, time)
        Complete trials.
    label : ndarray of int, shape (axis, trial)
        Class 0 or 1 of the variable of each axis; -1 without one.
    epoch : ndarray of bool, shape (axis, time)
        Bins of the epoch of each axis.
    """

    values: Array
    label: Index
    epoch: NDArray[np.bool_]

    @property
    def means(self) -> Array:
        """Mean over the bins of each epoch (axis, trial, neuron)."""
        return np.stack([self.values[:, :, bins].mean(axis=2) for bins in self.epoch])


def axis_of(values: Array, label: Index, method: str) -> Array:
    """Find the direction (neuron,) from class 0 to class 1; NaN where a class has no trial.

    Parameters
    ----------
    values : ndarray, shape (trial, neuron)
        Activity.
    label : ndarray of int, shape (trial,)
        Class; -1 takes no part.
    method : {"mean_difference", "lda"}
        Difference of the class means, or that in the metric of the within-class covariance
        with as much again of its mean variance on the diagonal.
    """
    classes = [values[label == one] for one in (0, 1)]
    if min(len(own) for own in classes) == 0:
        return np.full(values.shape[1], np.nan)
    difference: Array = classes[1].mean(axis=0) - classes[0].mean(axis=0)
    if method == "mean_difference":
        return difference
    within = np.concatenate([own - own.mean(axis=0) for own in classes])
    covariance = within.T @ within / max(len(within) - 2, 1)
    ridge = np.trace(covariance) / len(covariance)
    if ridge <= 0:
        return difference
    solved: Array = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), difference)
    return solved


def products(
    session: EpochTrials, method: str, generators: list[np.random.Generator]
) -> tuple[Array, Array, Array]:
    """Inner products of axes from separate quarters of the trials, averaged over splits.

    Parameters
    ----------
    session : EpochTrials
        Trials.
    method : str
        How axes are found.
    generators : list of numpy.random.Generator
        One per split.

    Returns
    -------
    product : ndarray, shape (axis, axis)
        Inner products: without the noise, because its parts are independent.
    squared : ndarray, shape (axis, axis)
        Products of two independent inner products.
    power : ndarray, shape (axis, axis)
        Products of the squared lengths of both.  All are NaN where a class lacks four trials,
        and all are in units of the spread of the trials, so that sessions of other units and
        numbers of neurons weigh alike.
    """
    means = session.means
    n_axes = len(means)
    total = np.zeros((3, n_axes, n_axes))
    for own in generators:
        part = _quarters(session.label, own)
        axes = np.array([
            [axis_of(means[k][part == q], session.label[k][part == q], method)
             for q in range(_PARTS)]
            for k in range(n_axes)
        ])  # fmt: skip
        inner = np.einsum("kqn,lrn->klqr", axes, axes)
        own_inner = np.einsum("kkqr->kqr", inner)
        for q, r, s, t in permutations(range(_PARTS)):
            total[0] += inner[:, :, q, r]
            total[1] += inner[:, :, q, r] * inner[:, :, s, t]
            total[2] += own_inner[:, None, q, r] * own_inner[None, :, s, t]
    # Not the length of the axes themselves, whose noise is that of the products.
    spread = np.sqrt(means.var(axis=1).sum(axis=1))
    length = spread if method == "mean_difference" else means.shape[2] / spread
    unit = np.outer(length, length)
    product, squared, power = total / (24 * len(generators))
    with np.errstate(divide="ignore", invalid="ignore"):
        return product / unit, squared / unit**2, power / unit**2


def _quarters(label: Index, rng: np.random.Generator) -> Index:
    """Quarter of every trial; each combination of classes is dealt out evenly."""
    part = np.empty(label.shape[1], dtype=np.intp)
    dealt = 0
    _, stratum = np.unique(label, axis=1, return_inverse=True)
    for one in np.unique(stratum):
        members = rng.permutation(np.flatnonzero(stratum.ravel() == one))
        part[members] = (dealt + np.arange(members.size)) % _PARTS
        dealt += members.size
    return part


def along_axes(session: EpochTrials, method: str, fold: Index) -> tuple[Array, Array]:
    """Project held-out trials on the axes.

    Parameters
    ----------
    session : EpochTrials
        Trials.
    method : str
        How axes are found.
    fold : ndarray of int, shape (trial,)
        Fold in which a trial is held out.

    Returns
    -------
    separation : ndarray, shape (axis, label, time)
        Difference of the means of the classes of each variable along the axis (of length 1).
    accuracy : ndarray, shape (axis, epoch)
        Share of held-out trials given to the right class of the axis's variable, mean over
        classes, with axis and boundary of the axis's own epoch, in each epoch.
    """
    means = session.means
    n_axes, n_trials = session.label.shape
    state = np.full((n_axes, n_trials, session.values.shape[2]), np.nan)
    right = np.full((n_axes, n_axes, n_trials), np.nan)
    for one in np.unique(fold):
        train, test = fold != one, fold == one
        for k, label in enumerate(session.label):
            axis = axis_of(means[k][train], label[train], method)
            length = np.linalg.norm(axis)
            if not length > 0:
                continue
            axis = axis / length
            state[k, test] = np.einsum("n,int->it", axis, session.values[test])
            center = [(means[k][train][label[train] == c] @ axis).mean() for c in (0, 1)]
            above = means[:, test] @ axis > np.mean(center)
            right[k][:, test] = above == (label[test] == 1)
    separation = np.stack(
        [_class_mean(state, label, 1) - _class_mean(state, label, 0) for label in session.label],
        axis=1,
    )
    accuracy = np.stack([
        np.mean([_class_mean(right[k][..., None], label, c)[:, 0] for c in (0, 1)], axis=0)
        for k, label in enumerate(session.label)
    ])  # fmt: skip
    return separation, accuracy


def _class_mean(values: Array, label: Index, one: int) -> Array:
    """Mean (first, last) over the trials (in the middle) of a class."""
    mean: Array = values[:, label == one].mean(axis=1)
    return mean
