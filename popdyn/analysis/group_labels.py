"""A label that whole groups share goes from group to group, and folds must not know it.

Folds that balance the true label are better for it than for its shuffles, which puts the null
below chance.  So folds are dealt without looking at labels, several times; every labeling, the
true one like those of the null, is decoded with the deal that spreads its classes most evenly.
A labeling's score then depends on nothing but itself and the deals, and the test is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.folds import check_groups, strata_of, trains_every_class
from popdyn.errors import FitError
from popdyn.resample import spawn

Index = NDArray[np.intp]

_N_DEALS = 10
_N_TRIES = 1000


def constant_within(label: NDArray[Any], group: Index) -> bool:
    """Whether every group has one label only.

    Parameters
    ----------
    label : ndarray (trial,)
        Classes or numbers.
    group : ndarray of int (trial,)
        Group of each trial, from 0.

    Returns
    -------
    bool
    """
    first = np.unique(group, return_index=True)[1]
    return bool((label == label[first][group]).all())


def blind_deals(group: Index, n_folds: int, rng: np.random.Generator) -> Index:
    """Fold of every trial in several deals that know the groups only.

    Parameters
    ----------
    group : ndarray of int (trial,)
        Group of each trial, from 0.
    n_folds : int
        Number of folds.
    rng : Generator
        Deals.

    Returns
    -------
    ndarray of int (deal, trial)
        Folds hold equal numbers of groups, within one.

    Raises
    ------
    FitError
        If there are fewer groups than folds.
    """
    home = np.arange(check_groups(group, n_folds)) % n_folds
    return np.stack([rng.permutation(home)[group] for _ in range(_N_DEALS)])


def deal_of(label: NDArray[Any], deals: Index) -> int:
    """Choose the deal that spreads the classes of a labeling most evenly over folds.

    Parameters
    ----------
    label : ndarray (trial,)
        Classes (int), or numbers (float), whose classes are those of similar size.
    deals : ndarray of int (deal, trial)
        Fold of every trial.

    Returns
    -------
    int
        The first of equally good ones; -1 if none trains every class in every fold.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.analysis.group_labels import deal_of
    >>> deals = np.array([[0, 1, 0, 1], [0, 0, 1, 1]])
    >>> deal_of(np.array([0, 0, 1, 1]), deals), deal_of(np.array([0, 1, 0, 1]), deals)
    (0, 1)
    """
    is_number = label.dtype.kind == "f"
    classes = strata_of(label) if is_number else label
    size = np.bincount(classes)
    best, least = -1, np.inf
    for number, fold in enumerate(deals):
        if not is_number and not trains_every_class(classes, fold):
            continue
        held = np.zeros((int(fold.max()) + 1, size.size))
        np.add.at(held, (fold, classes), 1.0)
        uneven = ((held / np.maximum(size, 1)) ** 2).sum()
        if uneven < least - 1e-9:
            best, least = number, uneven
    return best


def shuffled_between(
    label: NDArray[Any], deals: Index, group: Index, n_draws: int, rng: np.random.Generator
) -> NDArray[Any]:
    """Give every group the label of another one.

    Parameters
    ----------
    label : ndarray (trial,)
        Classes or numbers, constant within groups.
    deals : ndarray of int (deal, trial)
        From `blind_deals`; one of them must train every class.
    group : ndarray of int (trial,)
        Group of each trial.
    n_draws : int
        Number of shuffles.
    rng : Generator
        Parent of one generator per draw.

    Returns
    -------
    ndarray (draw, trial)

    Raises
    ------
    FitError
        If shuffles do not leave every class in the training trials of every fold.
    """
    first = np.unique(group, return_index=True)[1]
    return np.stack([
        _one_shuffle(label[first], deals, group, own) for own in spawn(rng, n_draws)
    ])  # fmt: skip


def _one_shuffle(
    of_group: NDArray[Any], deals: Index, group: Index, rng: np.random.Generator
) -> NDArray[Any]:
    """Shuffle the labels of groups; try again until some deal can be trained."""
    for _ in range(_N_TRIES):
        shuffled = rng.permutation(of_group)[group]
        if deal_of(shuffled, deals) >= 0:
            return shuffled
    message = (
        f"the label is constant within each of {of_group.size} groups, and too few groups have "
        "each value to shuffle it between them and still train in every fold. Use more groups or "
        "fewer folds"
    )
    raise FitError(message)
