"""Folds: which trials are held out together, and which labels change places under the null."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.resample import permute_labels, spawn

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_N_STRATA = 5


def stratified_folds(label: Index, n_folds: int, rng: np.random.Generator) -> Index:
    """Fold of every trial: the trials of each class are dealt out in random order.

    Parameters
    ----------
    label : ndarray of int (trial,)
        Class of each trial.
    n_folds : int
        Number of folds.
    rng : Generator
        Shuffles the trials of a class.

    Returns
    -------
    ndarray of int (trial,)
        Every class is spread evenly, and so are the trials as a whole.
    """
    fold = np.empty(label.size, dtype=np.intp)
    dealt = 0
    for number in np.unique(label):
        members = rng.permutation(np.flatnonzero(label == number))
        fold[members] = (dealt + np.arange(members.size)) % n_folds
        dealt += members.size
    return fold


def group_folds(label: Index, group: Index, n_folds: int, rng: np.random.Generator) -> Index:
    """Fold of every trial: groups stay together, classes are spread as evenly as they allow.

    Parameters
    ----------
    label, group : ndarray of int (trial,)
        Class and group of each trial, from 0.
    n_folds : int
        Number of folds.
    rng : Generator
        Decides between groups of equal size.

    Returns
    -------
    ndarray of int (trial,)

    Raises
    ------
    FitError
        If there are fewer groups than folds.
    """
    n_groups = check_groups(group, n_folds)
    table = np.zeros((n_groups, int(label.max()) + 1))
    np.add.at(table, (group, label), 1.0)
    share = table / np.maximum(table.sum(axis=0), 1.0)
    order = rng.permutation(n_groups)
    order = order[np.argsort(-table[order].sum(axis=1), kind="stable")]
    held, home = np.zeros((n_folds, table.shape[1])), np.empty(n_groups, dtype=np.intp)
    for number in order:
        # The tie goes to the emptiest fold: none may stay without a group.
        growth = (held * share[number]).sum(axis=1) + 1e-9 * held.sum(axis=1)
        home[number] = growth.argmin()
        held[home[number]] += share[number]
    return home[group]


def check_groups(group: Index, n_folds: int) -> int:
    """Count groups; refuse fewer than there are folds."""
    n_groups = int(group.max()) + 1
    if n_groups >= n_folds:
        return n_groups
    message = (
        f"{n_folds} folds need {n_folds} groups or more, found {n_groups}: use n_folds="
        f"{n_groups}, or smaller groups"
        if n_groups > 1
        else "groups= has one value in all trials: folds of whole groups need two or more"
    )
    raise FitError(message)


def strata_of(values: Array) -> Index:
    """Classes of similar numbers, for spreading a quantity evenly over folds.

    Equal numbers are in one class, so that who has which of them does not matter.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.analysis.folds import strata_of
    >>> strata_of(np.array([3.0, 1.0, 2.0, 9.0, 7.0])).tolist()
    [2, 0, 1, 4, 3]
    >>> strata_of(np.array([3.0, 1.0, 3.0, 1.0])).tolist()
    [2, 0, 2, 0]
    """
    _, number, count = np.unique(values, return_inverse=True, return_counts=True)
    n_smaller = np.cumsum(count) - count
    return np.asarray(n_smaller * min(_N_STRATA, values.size) // values.size)[number.ravel()]


def dealt_by_size(values: Array, n_folds: int, rng: np.random.Generator) -> Index:
    """Fold of every trial: neighbors in size go to different folds.

    Parameters
    ----------
    values : ndarray (trial,)
        A quantity.
    n_folds : int
        Number of folds.
    rng : Generator
        Shuffles equal numbers, and the folds of every run of neighbors.

    Returns
    -------
    ndarray of int (trial,)
    """
    order = np.lexsort((rng.random(values.size), values))
    fold = np.empty(values.size, dtype=np.intp)
    for first in range(0, values.size, n_folds):
        run = order[first : first + n_folds]
        fold[run] = rng.permutation(n_folds)[: run.size]
    return fold


def shuffled_labels(
    label: NDArray[Any], strata: Index, n_draws: int, rng: np.random.Generator
) -> NDArray[Any]:
    """Shuffle labels within strata: folds, or groups.

    Parameters
    ----------
    label : ndarray (trial,)
        Classes or numbers.
    strata : ndarray of int (trial,)
        Labels change places within these.
    n_draws : int
        Number of shuffles.
    rng : Generator
        Parent of one generator per draw.

    Returns
    -------
    ndarray (draw, trial)
    """
    return np.stack([permute_labels(label, own, strata) for own in spawn(rng, n_draws)])


def trains_every_class(label: Index, fold: Index) -> bool:
    """Whether the trials outside of each fold hold every class."""
    table = np.zeros((int(fold.max()) + 1, int(label.max()) + 1), dtype=np.intp)
    np.add.at(table, (fold, label), 1)
    return bool((table.sum(axis=0) - table > 0).all())


def check_folds(n_folds: int, n_draws: int) -> None:
    """Refuse numbers of folds and draws out of range."""
    whole = all(isinstance(number, (int, np.integer)) for number in (n_folds, n_draws))
    if not whole or n_folds < 2 or n_draws < 1:
        message = (
            f"n_folds is 2 or more and n_draws 1 or more; found {n_folds!r} and {n_draws!r}, "
            "expected whole numbers"
        )
        raise TensorError(message)
