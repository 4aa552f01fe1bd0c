"""Where distances are taken: averages of the neurons, or of their principal components."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import (
    Array,
    ConditionTrials,
    TrialAverage,
    average_trials,
    principal_axes,
)
from popdyn.errors import FitError, PopdynWarning, TensorError


@dataclass(frozen=True, eq=False)
class Space:
    """Averages in the space where distances are taken, its features neurons or components.

    ``mean (condition, feature, time)``; ``error (condition, time)``: squared standard errors
    summed over features, None when unknown; ``kept (neuron)``; ``axes (kept neuron,
    component)``; ``averages`` per condition where there are trials.
    """

    mean: Array
    error: Array | None
    reference: int
    kept: NDArray[np.bool_]
    averages: tuple[TrialAverage, ...] = ()
    axes: Array | None = None


def space_of_trials(trials: ConditionTrials, reference: int) -> Space:
    """Average the trials of every condition, without the neurons that lack trials."""
    averages = [average_trials(trials.values(i)) for i in range(len(trials.labels))]
    few = trials.n_trials < 2
    names = ", ".join(np.array(trials.labels)[few])
    if few[reference]:
        message = (
            f"the reference condition {trials.labels[reference]!r} has a single trial: at least 2 "
            "are needed (10 for an interval worth having); choose another reference="
        )
        raise FitError(message)
    if few.any():
        message = (
            f"expected at least 2 trials per condition, found 1 in {names}: without a standard "
            "error the corrected distance is NaN there"
        )
        warnings.warn(message, PopdynWarning, stacklevel=3)
    n = np.stack([average.n.max(axis=1) for average in averages])
    known = np.asarray(n >= np.where(few, 0, 2)[:, None])
    kept = kept_neurons(known, trials.tensor["neuron"].to_numpy(), "fewer than 2 trials")
    averages = [
        TrialAverage(average.mean[kept], average.influence[:, kept], average.n[kept])
        for average in averages
    ]
    return _with_averages(averages, reference, kept, None)


def _with_averages(
    averages: Sequence[TrialAverage], reference: int, kept: NDArray[np.bool_], axes: Array | None
) -> Space:
    """Collect averages of all conditions."""
    mean = np.stack([average.mean for average in averages])
    error = np.stack([average.standard_error_squared().sum(axis=0) for average in averages])
    return Space(mean, error, reference, kept, tuple(averages), axes)


def kept_neurons(known: NDArray[np.bool_], neurons: Any, problem: str) -> NDArray[np.bool_]:
    """Leave out, with a warning, neurons (condition, neuron) lacking in some condition."""
    kept = np.asarray(known.all(axis=0))
    if not kept.any():
        message = f"every neuron has {problem} in some condition: leave out the scarce conditions"
        raise FitError(message)
    if not kept.all():
        lacking = [str(neuron) for neuron in neurons[~kept]]
        shown = ", ".join(lacking[:10]) + (", ..." if len(lacking) > 10 else "")
        message = (
            f"{len(lacking)} of {len(kept)} neurons have {problem} in some condition and are left "
            f"out of the distance: {shown}"
        )
        warnings.warn(message, PopdynWarning, stacklevel=4)
    return kept


def reduced(space: Space, n_components: int | str | None) -> Space:
    """Project on the principal components of the averages."""
    if n_components is None:
        return space
    flat = np.moveaxis(space.mean, 1, 0).reshape(space.mean.shape[1], -1)
    matrix = flat[:, np.isfinite(flat).all(axis=0)]
    if not matrix.shape[1]:
        message = "no time is observed in all neurons: components cannot be found"
        raise FitError(message)
    matrix = matrix - matrix.mean(axis=1, keepdims=True)
    share = _share(n_components)
    axes, power = principal_axes(matrix, None if share else int(n_components))
    if share:
        reached = np.cumsum(power) >= share * power.sum() * (1.0 - 1e-12)
        axes = axes[:, : int(reached.argmax()) + 1]
    if space.averages:
        averages = [average.project(axes) for average in space.averages]
        return _with_averages(averages, space.reference, space.kept, axes)
    mean = np.einsum("fk,cft->ckt", axes, space.mean)
    return Space(mean, None, space.reference, space.kept, axes=axes)


def _share(n_components: int | str) -> float | None:
    """Share of the variance asked for, None for a number of components."""
    if isinstance(n_components, str):
        digits = n_components.strip().removesuffix("%")
        if n_components.strip().endswith("%") and digits.replace(".", "", 1).isdigit():
            share = float(digits) / 100.0
            if 0.0 < share <= 1.0:
                return share
    elif isinstance(n_components, (int, np.integer)) and n_components >= 1:
        return None
    message = (
        "n_components must be a number of at least 1, or a share of the variance such as '90%', "
        f"found {n_components!r}"
    )
    raise TensorError(message)


def reference_position(labels: Sequence[str], columns: dict[str, Any], reference: Any) -> int:
    """Position of the reference condition."""
    values = [column for column in columns.values() if len(columns) == 1]
    numbers = values[0] if values and values[0].dtype.kind in "iuf" else None
    if reference is None:
        # The middle one; of an even number the upper (MATLAB rounds half up, as KiNeT did).
        return len(labels) // 2 if numbers is not None else 0
    if str(reference) in labels:
        return list(labels).index(str(reference))
    if numbers is not None and isinstance(reference, (int, float, np.number)):
        near = np.flatnonzero(np.isclose(numbers.astype(np.float64), float(reference), rtol=1e-6))
        if near.size:
            return int(near[0])
    close = difflib.get_close_matches(str(reference), labels, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    message = f"no condition {reference!r} to take as reference, found {', '.join(labels)}{hint}"
    raise TensorError(message)
