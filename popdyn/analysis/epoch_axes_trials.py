"""Trials, classes and epochs of a session, and what keeps axes from being found in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.epoch_axes_session import EpochTrials
from popdyn.analysis.trials import Array, warn_unlabelled
from popdyn.errors import FitError, TensorError, warn
from popdyn.tensor.view import group_conditions

Axes = Mapping[str, tuple[str, tuple[float, float]]]


def pose(tensor: xr.DataArray, name: str, axes: Axes, time: Array, n_folds: int) -> EpochTrials:
    """Choose trials, read labels and epochs.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Of the session.
    name : str
        Of the session, for messages.
    axes : mapping
        As for `popdyn.epoch_axes`.
    time : ndarray, shape (time,)
        Bin centers (s).
    n_folds : int
        Least number of trials of each class.

    Returns
    -------
    EpochTrials

    Raises
    ------
    TensorError
        If a label has not two values or an epoch holds no bin.
    FitError
        If no trial is complete, or a class is too small.
    """
    labels, epochs, classes = [], [], []
    for axis, given in _read(axes):
        label, (start, stop) = given
        conditions = group_conditions(tensor, label)
        if len(conditions.labels) != 2:
            message = (
                f"axis {axis!r} needs two values of {label!r}; session {name} has "
                f"{len(conditions.labels)}: {', '.join(map(str, conditions.labels[:6]))}. Choose "
                "trials with select(trials=)"
            )
            raise TensorError(message)
        inside = (time >= start) & (time < stop)
        if not inside.any():
            message = (
                f"epoch of axis {axis!r} from {start:g} to {stop:g} s holds no bin: the centers "
                f"of the bins run from {time.min():g} to {time.max():g} s"
            )
            raise TensorError(message)
        labels.append(np.asarray(conditions.index, dtype=np.intp))
        warn_unlabelled(labels[-1], label, f"axis {axis!r}, session {name}: ")
        epochs.append(inside)
        classes.append((axis, label, conditions.labels))
    complete = _complete(tensor, name)
    label_of = np.stack(labels)[:, complete]
    _check_classes(label_of, classes, name, n_folds, int((~complete).sum()))
    values = np.moveaxis(tensor.to_numpy(), 2, 0)
    kept = np.ascontiguousarray(values[complete], dtype=np.float64)
    return EpochTrials(kept, label_of, np.stack(epochs))


def _complete(tensor: xr.DataArray, name: str) -> NDArray[np.bool_]:
    """Tell which trials are known in every neuron and bin."""
    known = np.isfinite(tensor.to_numpy())
    complete: NDArray[np.bool_] = known.all(axis=(0, 1))
    if complete.all():
        return complete
    if not complete.any():
        share = known.mean(axis=(1, 2))
        worst = np.argsort(share, kind="stable")[:3]
        listed = ", ".join(
            f"{neuron} ({100 * (1 - part):.0f} %)"
            for neuron, part in zip(tensor["neuron"].to_numpy()[worst], share[worst], strict=True)
        )
        message = (
            f"session {name}: none of {complete.size} trials is known in every neuron and bin. "
            f"Most NaN have neurons {listed}: leave neurons out with select(neurons=...), or "
            "shorten the window with select(time=...)"
        )
        raise FitError(message)
    message = f"session {name}: {(~complete).sum()} of {complete.size} trials with NaN are left out"
    warn(message)
    return complete


def _check_classes(
    label_of: NDArray[np.intp],
    classes: list[tuple[str, str, list[str]]],
    name: str,
    n_folds: int,
    n_incomplete: int,
) -> None:
    """Refuse classes too small for the folds."""
    few = [
        f"axis {axis!r}: {label} = {values[one]} ({(row == one).sum()})"
        for row, (axis, label, values) in zip(label_of, classes, strict=True)
        for one in (0, 1)
        if (row == one).sum() < n_folds
    ]
    if few:
        dropped = f" after leaving out {n_incomplete} trials with NaN" if n_incomplete else ""
        message = (
            f"session {name}: {n_folds} folds need {n_folds} trials or more of each value; too "
            f"few{dropped} in {'; '.join(few)}. Leave the session out, or use fewer folds "
            "(n_folds >= 2)"
        )
        raise FitError(message)


def _read(axes: Axes) -> Iterator[tuple[str, tuple[str, tuple[float, float]]]]:
    """Give the axes one by one, or say how they are written."""
    if not isinstance(axes, Mapping) or len(axes) < 2:
        message = (
            "expected axes as a mapping of two names or more to (label, (start, stop)), found "
            f"{axes!r}"
        )
        raise TensorError(message)
    yield from axes.items()
