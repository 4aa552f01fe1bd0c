"""What is decoded from what: complete trials, their labels and folds, and the shuffled labels.

Trials are taken in the order of their ids, and classes and groups in the order in which those
trials show them first, so that neither the order of trials nor the names of levels change what
is dealt and drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.decoding_trials import chosen_values, complete_trials
from popdyn.analysis.folds import (
    dealt_by_size,
    group_folds,
    shuffled_labels,
    strata_of,
    stratified_folds,
    trains_every_class,
)
from popdyn.analysis.group_labels import blind_deals, constant_within, deal_of, shuffled_between
from popdyn.errors import FitError, TensorError, warn
from popdyn.tensor.selection import find_column
from popdyn.tensor.view import Conditions, group_conditions

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_MANY_VALUES = 8  # a numeric label with more values than this is probably a quantity


@dataclass(frozen=True, eq=False)
class Problem:
    """Activity of complete trials, in the order of their ids, with labels true and shuffled.

    Attributes
    ----------
    values : ndarray (time, trial, neuron)
        Without NaN.
    target : ndarray (draw, trial)
        Classes (int) or numbers (float): the true ones first, then those of the null.
    deals : ndarray of int (deal, trial)
        Fold in which a trial is held out.
    deal : ndarray of int (draw,)
        The deal that serves each labeling.
    group : ndarray of int (trial,) or None
        Trials that must be held out together.
    labels : list of str
        Names of the classes; empty for numbers.
    trial : ndarray
        Ids of the trials.
    position : ndarray of int (trial,)
        Where they are in the tensor.
    class_number : ndarray of int (class,)
        Place of each class among the sorted ones.
    """

    values: NDArray[np.floating[Any]]
    target: NDArray[Any]
    deals: Index
    deal: Index
    group: Index | None
    labels: list[str]
    trial: NDArray[Any]
    position: Index
    class_number: Index

    @property
    def fold(self) -> Index:
        """Fold of each trial (trial,) under the true labels."""
        return np.asarray(self.deals[self.deal[0]])

    def parts(self) -> Iterator[tuple[slice | Index, Index]]:
        """Labelings that share their folds, the true one first, with the fold of every trial."""
        if len(self.deals) == 1:
            yield slice(None), self.deals[0]
            return
        for number in dict.fromkeys(self.deal.tolist()):
            yield np.flatnonzero(self.deal == number), self.deals[number]


def pose_classes(
    tensor: xr.DataArray,
    label: str | Sequence[str],
    groups: str | Sequence[str] | None,
    n_folds: int,
    n_draws: int,
    rng: np.random.Generator,
    method: str = "decode",
) -> Problem:
    """Choose neurons and trials, check that the question can be asked, deal out and shuffle."""
    conditions = group_conditions(tensor, label)
    group = _groups(tensor, groups)
    neuron, trial = complete_trials(
        tensor, (conditions.index >= 0) & (group >= 0), method, _what(groups)
    )
    counts = np.bincount(conditions.index[trial], minlength=len(conditions.labels))
    n_incomplete = int((conditions.index >= 0).sum() - trial.size)
    _check_classes(conditions, counts, label, n_folds, n_incomplete)
    classes, number = _by_appearance(conditions.index[trial])
    labels = [conditions.labels[n] for n in number]
    own = None if groups is None else _by_appearance(group[trial])[0]
    deals = _deals(classes, own, n_folds, rng)
    _check_trainable(labels, classes, deals, groups)
    target, deal = _with_null(classes, deals, own, n_draws, rng)
    _check_shuffled(target, groups)
    return Problem(
        chosen_values(tensor.values, neuron, trial),
        target,
        deals,
        deal,
        own,
        labels,
        tensor["trial"].values[trial],
        trial,
        number,
    )


def pose_quantity(
    tensor: xr.DataArray,
    label: str,
    groups: str | Sequence[str] | None,
    n_folds: int,
    n_draws: int,
    rng: np.random.Generator,
) -> Problem:
    """Choose neurons and trials for a label that is a number; deal out and shuffle."""
    numbers = _numbers(tensor, label)
    group = _groups(tensor, groups)
    neuron, trial = complete_trials(
        tensor, np.isfinite(numbers) & (group >= 0), "decode_quantity", _what(groups)
    )
    numbers = numbers[trial]
    if trial.size < 2 * n_folds:
        message = (
            f"decode_quantity with {n_folds} folds needs {2 * n_folds} complete trials or more, "
            f"found {trial.size}: use fewer folds (n_folds >= 2) or more trials"
        )
        raise FitError(message)
    if np.ptp(numbers) == 0:
        message = (
            f"decode_quantity needs a label with two values or more; {label!r} is constant: "
            f"{numbers[0]:g} ({trial.size}). Choose another column or other trials"
        )
        raise FitError(message)
    own = None if groups is None else _by_appearance(group[trial])[0]
    deals = _deals(numbers, own, n_folds, rng)
    target, deal = _with_null(numbers, deals, own, n_draws, rng)
    _check_shuffled(target, groups)
    return Problem(
        chosen_values(tensor.values, neuron, trial),
        target,
        deals,
        deal,
        own,
        [],
        tensor["trial"].values[trial],
        trial,
        np.arange(0),
    )


def as_given(result: xr.Dataset, problem: Problem) -> xr.Dataset:
    """Bring the trials of a result into the order of the tensor, and conditions into that of names.

    Parameters
    ----------
    result : Dataset
        With dims ``trial`` and ``condition``, either, or none.
    problem : Problem
        What was decoded.

    Returns
    -------
    Dataset
    """
    order = {
        "trial": np.argsort(problem.position),
        "condition": np.argsort(problem.class_number),
    }
    return result.isel({dim: order[dim] for dim in order if dim in result.dims})


def _by_appearance(codes: Index) -> tuple[Index, Index]:
    """Give classes the number of their appearance, and say which class each number was."""
    found, first, place = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return np.argsort(order)[place.ravel()], found[order]


def _deals(
    label: NDArray[Any], group: Index | None, n_folds: int, rng: np.random.Generator
) -> Index:
    """Deal trials, or whole groups, into folds: (deal, trial)."""
    is_number = label.dtype.kind == "f"
    if group is None:
        deal = dealt_by_size if is_number else stratified_folds
        return deal(label, n_folds, rng)[np.newaxis]
    if constant_within(label, group):
        return blind_deals(group, n_folds, rng)
    classes = strata_of(label) if is_number else label
    return group_folds(classes, group, n_folds, rng)[np.newaxis]


def _with_null(
    label: NDArray[Any], deals: Index, group: Index | None, n_draws: int, rng: np.random.Generator
) -> tuple[NDArray[Any], Index]:
    """Labelings (draw, trial), the true one first, and the deal of each."""
    if group is not None and constant_within(label, group):
        draws = shuffled_between(label, deals, group, n_draws, rng)
        target = np.concatenate([label[np.newaxis], draws])
        return target, np.array([deal_of(own, deals) for own in target])
    draws = shuffled_labels(label, deals[0] if group is None else group, n_draws, rng)
    return np.concatenate([label[np.newaxis], draws]), np.zeros(n_draws + 1, dtype=np.intp)


def _numbers(tensor: xr.DataArray, label: Any) -> Array:
    """Read the label as numbers."""
    if not isinstance(label, str):
        message = f"decode_quantity decodes one trial column of numbers; found {label!r}"
        raise TensorError(message)
    column = find_column(tensor, "trial", label)
    if column.dtype.kind not in "iufb":
        shown = ", ".join(str(value) for value in np.unique(column)[:4])
        message = (
            f"decode_quantity needs numbers; trial column {label!r} holds text ({shown}). Use "
            "decode for classes, or give each a number by a role with a value map"
        )
        raise TensorError(message)
    return np.where(np.isinf(column.astype(np.float64)), np.nan, column).astype(np.float64)


def _groups(tensor: xr.DataArray, groups: str | Sequence[str] | None) -> Index:
    """Group of each trial; one for all without `groups`, -1 where it is missing."""
    if groups is None:
        return np.zeros(tensor.sizes["trial"], dtype=np.intp)
    return np.asarray(group_conditions(tensor, groups).index, dtype=np.intp)


def _what(groups: Any) -> str:
    """Name what a trial must have."""
    return "label" if groups is None else "label or group"


def _check_classes(
    conditions: Conditions, counts: Index, label: Any, n_folds: int, n_incomplete: int
) -> None:
    """Refuse a constant label and classes too small for the folds."""
    listed = ", ".join(
        f"{name} ({count})" for name, count in zip(conditions.labels, counts, strict=True)
    )
    if len(conditions.labels) < 2:
        message = (
            f"decode needs a label with two values or more; {label!r} is constant: {listed}. "
            "Choose another column or other trials"
        )
        raise FitError(message)
    if counts.min() >= n_folds:
        return
    small = ", ".join(
        f"{name} ({count})"
        for name, count in zip(conditions.labels, counts, strict=True)
        if count < n_folds
    )
    dropped = f" after leaving out {n_incomplete} trials with NaN" if n_incomplete else ""
    numeric = all(conditions.table[name].dtype.kind in "if" for name in conditions.table)
    if numeric and len(conditions.labels) > _MANY_VALUES:
        advice = (
            f"{label!r} has {len(conditions.labels)} different numbers: group them into a few "
            "classes (a new trial column, say low and high) and decode that, or use "
            "decode_quantity"
        )
    else:
        advice = "Leave these trials out with select(trials=), or use fewer folds (n_folds >= 2)"
    message = (
        f"decode with {n_folds} folds needs {n_folds} trials or more in every class of "
        f"{label!r}; too few{dropped} in {small}. {advice}"
    )
    raise FitError(message)


def _check_trainable(labels: list[str], classes: Index, deals: Index, groups: Any) -> None:
    """Refuse groups that hold all trials of a class."""
    if any(trains_every_class(classes, fold) for fold in deals):
        return
    lone = [
        name
        for number, name in enumerate(labels)
        if any(np.unique(fold[classes == number]).size < 2 for fold in deals)
    ]
    message = (
        f"all trials of {', '.join(lone)} are held out together, because groups={groups!r} keeps "
        "them in one fold: nothing is left to train on. Use smaller groups, or other folds "
        "(n_folds, rng)"
    )
    raise FitError(message)


def _check_shuffled(target: NDArray[Any], groups: Any) -> None:
    """Warn when the null holds so few different labelings that no p value can be small."""
    n_draws = len(target) - 1
    n_different = len(np.unique(target, axis=0)) if groups is not None else n_draws
    if n_different < min(20, n_draws):
        warn(
            f"shuffling labels by groups={groups!r} gives only {n_different} different labelings "
            f"in {n_draws} draws: p cannot fall below about {1 / n_different:.2g}. Use smaller "
            "groups, or more of them"
        )
