"""What is decoded from what: complete trials, their labels and folds, and the shuffled labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.folds import (
    dealt_by_size,
    group_folds,
    shuffled_labels,
    strata_of,
    stratified_folds,
    trains_every_class,
)
from popdyn.errors import FitError, TensorError, warn
from popdyn.tensor.selection import find_column
from popdyn.tensor.view import Conditions, group_conditions

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_MANY_VALUES = 8  # a numeric label with more values than this is probably a quantity


@dataclass(frozen=True, eq=False)
class Problem:
    """Activity of complete trials with their labels, true and shuffled.

    Attributes
    ----------
    values : ndarray (time, trial, neuron)
        Without NaN.
    target : ndarray (draw, trial)
        Classes (int) or numbers (float): the true ones first, then those of the null.
    fold : ndarray of int (trial,)
        Fold in which a trial is held out.
    group : ndarray of int (trial,) or None
        Trials that must be held out together.
    labels : list of str
        Names of the classes; empty for numbers.
    trial : ndarray
        Ids of the trials.
    """

    values: NDArray[np.floating[Any]]
    target: NDArray[Any]
    fold: Index
    group: Index | None
    labels: list[str]
    trial: NDArray[Any]


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
    neuron, trial = _complete(tensor, (conditions.index >= 0) & (group >= 0), method, _what(groups))
    classes, group = conditions.index[trial], group[trial]
    counts = np.bincount(classes, minlength=len(conditions.labels))
    n_incomplete = int((conditions.index >= 0).sum() - trial.size)
    _check_classes(conditions, counts, label, n_folds, n_incomplete)
    if groups is None:
        fold, own = stratified_folds(classes, n_folds, rng), None
    else:
        own = np.unique(group, return_inverse=True)[1].ravel()
        fold = group_folds(classes, own, n_folds, rng)
        _check_trainable(conditions, classes, fold, groups)
    draws = shuffled_labels(classes, fold, own, n_draws, rng)
    _check_shuffled(draws, classes, groups)
    return Problem(
        _chosen(tensor.values, neuron, trial),
        np.concatenate([classes[np.newaxis], draws]),
        fold,
        own,
        conditions.labels,
        tensor["trial"].values[trial],
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
    neuron, trial = _complete(
        tensor, np.isfinite(numbers) & (group >= 0), "decode_quantity", _what(groups)
    )
    numbers, group = numbers[trial], group[trial]
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
    if groups is None:
        fold, own = dealt_by_size(numbers, n_folds, rng), None
    else:
        own = np.unique(group, return_inverse=True)[1].ravel()
        fold = group_folds(strata_of(numbers), own, n_folds, rng)
    draws = shuffled_labels(numbers, fold, own, n_draws, rng)
    _check_shuffled(draws, numbers, groups)
    return Problem(
        _chosen(tensor.values, neuron, trial),
        np.concatenate([numbers[np.newaxis], draws]),
        fold,
        own,
        [],
        tensor["trial"].values[trial],
    )


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


def _complete(
    tensor: xr.DataArray, labelled: NDArray[np.bool_], method: str, what: str
) -> tuple[Index, Index]:
    """Positions of the neurons and trials that take part; the others are said."""
    chosen = np.flatnonzero(labelled)
    seen = np.zeros(tensor.sizes["neuron"], dtype=bool)
    throughout = np.zeros((len(seen), len(chosen)), dtype=bool)
    for neuron, own in enumerate(tensor.values):
        observed = np.isfinite(own)[:, chosen]
        seen[neuron], throughout[neuron] = observed.any(), observed.all(axis=0)
    complete = np.asarray(throughout[seen].all(axis=0))
    n_lacking = int((~labelled).sum())
    lacking = f"{n_lacking} of {labelled.size} trials have no {what}" if n_lacking else ""
    _say_left_out(tensor, lacking, seen, complete, method)
    if not seen.any() or not complete.any():
        raise FitError(_nothing_complete(tensor, throughout, seen, method))
    return np.flatnonzero(seen), chosen[complete]


def _chosen(values: NDArray[Any], neuron: Index, trial: Index) -> NDArray[Any]:
    """Values (time, trial, neuron) of some neurons and trials; all of them are not copied."""
    if (len(neuron), len(trial)) != values.shape[::2]:
        values = values[np.ix_(neuron, np.arange(values.shape[1]), trial)]
    return values.transpose(1, 2, 0)


def _say_left_out(
    tensor: xr.DataArray,
    unlabelled: str,
    seen: NDArray[np.bool_],
    complete: NDArray[np.bool_],
    method: str,
) -> None:
    """Warn about trials and neurons that do not take part."""
    lines = []
    if unlabelled:
        lines.append(unlabelled)
    if not seen.all():
        names = ", ".join(str(name) for name in tensor["neuron"].values[~seen][:5])
        lines.append(
            f"{int((~seen).sum())} of {seen.size} neurons were not observed in any bin ({names})"
        )
    if not complete.all():
        lines.append(
            f"{int((~complete).sum())} of {complete.size} labelled trials were not observed in "
            "every neuron and bin (NaN)"
        )
    if lines:
        message = f"{method} leaves out: {'; '.join(lines)}"
        warn(message)


def _nothing_complete(
    tensor: xr.DataArray, throughout: NDArray[np.bool_], seen: NDArray[np.bool_], method: str
) -> str:
    """Message for data without one complete trial: which neuron or bin to give up."""
    per_neuron = throughout.sum(axis=1)
    worst = ", ".join(
        f"{tensor['neuron'].values[index]} ({per_neuron[index]})"
        for index in np.argsort(per_neuron, kind="stable")[:5]
    )
    return (
        f"{method} needs trials observed in every neuron and bin; none of {throughout.shape[1]} "
        f"labelled trials is. Neurons with the fewest complete trials: {worst}, of "
        f"{int(seen.sum())} neurons. Leave neurons out with select(neurons=), shorten the window "
        "with select(time=), or pool neurons with pseudopopulation()"
    )


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


def _check_trainable(conditions: Conditions, classes: Index, fold: Index, groups: Any) -> None:
    """Refuse groups that hold all trials of a class."""
    if trains_every_class(classes, fold):
        return
    lone = [
        conditions.labels[number]
        for number in np.unique(classes)
        if np.unique(fold[classes == number]).size < 2
    ]
    message = (
        f"all trials of {', '.join(lone)} are held out together, because groups={groups!r} keeps "
        "them in one fold: nothing is left to train on. Use smaller groups, or other folds "
        "(n_folds, rng)"
    )
    raise FitError(message)


def _check_shuffled(draws: NDArray[Any], label: NDArray[Any], groups: Any) -> None:
    """Warn when the null holds so few different labelings that no p value can be small."""
    n_different = (
        len(np.unique(np.concatenate([label[np.newaxis], draws]), axis=0))
        if groups is not None
        else 0
    )
    if groups is not None and n_different < min(20, len(draws)):
        warn(
            f"shuffling labels by groups={groups!r} gives only {n_different} different labelings "
            f"in {len(draws)} draws: p cannot fall below about {1 / n_different:.2g}. Use smaller "
            "groups, or more of them"
        )
