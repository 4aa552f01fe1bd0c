"""Where distances are taken: averages of the neurons, or of their principal components."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
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
    same_mask,
)
from popdyn.errors import FitError, TensorError, warn
from popdyn.resample import Seed, first_in_order, spawn


@dataclass(frozen=True, eq=False)
class Fold:
    """Trials on which distances are measured, in a space that does not depend on them.

    ``averages`` per condition; ``values(condition)`` gives the trials (trial, feature, time);
    the features are neurons or components.
    """

    averages: tuple[TrialAverage, ...]
    values: Callable[[int], Array]

    def error(self) -> Array:
        """Squared standard errors summed over features, (condition, time)."""
        return np.stack([one.standard_error_squared().sum(axis=0) for one in self.averages])

    def mean(self) -> Array:
        """Averages (condition, feature, time)."""
        return np.stack([one.mean for one in self.averages])


@dataclass(frozen=True, eq=False)
class Space:
    """Averages in the space where distances are taken, its features neurons or components.

    ``mean (condition, feature, time)``; ``kept (neuron)``; ``axes (kept neuron, component)`` or
    None; ``error (condition, time)`` of averages without trials, None when unknown.  Corrected
    distances are means over the folds: all trials where the features are neurons; where they
    are components, each half of the trials in the components of the other half, because
    components fitted to the same trials point along their noise.
    """

    mean: Array
    reference: int
    kept: NDArray[np.bool_]
    axes: Array | None = None
    error: Array | None = None
    folds: tuple[Fold, ...] = ()


def space_of_trials(
    trials: ConditionTrials, reference: int, n_components: int | str | None, rng: Seed
) -> Space:
    """Average the trials of every condition, without the neurons that lack trials."""
    n_least = 2 if n_components is None else 4
    few = _scarce(trials, reference, n_least)
    averages = [average_trials(trials.values(i)) for i in range(len(trials.labels))]
    n = np.stack([average.n.max(axis=1) for average in averages])
    known = np.asarray(n >= np.where(few, 0, n_least)[:, None])
    kept = kept_neurons(known, trials.tensor["neuron"].to_numpy(), f"fewer than {n_least} trials")
    averages = [
        TrialAverage(average.mean[kept], average.influence[:, kept], average.n[kept])
        for average in averages
    ]
    mean = np.stack([average.mean for average in averages])
    if n_components is None:
        whole = Fold(tuple(averages), lambda condition: trials.values(condition)[:, kept])
        return Space(mean, reference, kept, folds=(whole,))
    space = reduced(Space(mean, reference, kept), n_components)
    halves = [
        _halves(trials.values(i)[:, kept], own)
        for i, own in enumerate(spawn(rng, len(trials.labels)))
    ]
    folds = (_fold(halves, 0, n_components), _fold(halves, 1, n_components))
    return Space(space.mean, reference, kept, space.axes, folds=folds)


def _scarce(trials: ConditionTrials, reference: int, n_least: int) -> NDArray[np.bool_]:
    """Which conditions have too few trials; refused for the reference."""
    few = np.asarray(trials.n_trials < n_least)
    purpose = "in components, which are found in one half of the trials" if n_least > 2 else ""
    if few[reference]:
        message = (
            f"the reference condition {trials.labels[reference]!r} has {trials.n_trials[reference]}"
            f" trial(s): at least {n_least} are needed {purpose} (10 for an interval worth "
            "having); choose another reference="
        )
        raise FitError(message)
    if few.any():
        names = ", ".join(np.array(trials.labels)[few])
        message = (
            f"expected at least {n_least} trials per condition {purpose}, found fewer in {names}: "
            "without a standard error the corrected distance is NaN there"
        )
        warn(message)
    return few


def _halves(values: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Both halves of the trials, each with NaN in the place of the other.

    Every neuron's own trials are split, so that none is absent from a half.
    """
    order = rng.permutation(len(values))[None]
    flat = values.reshape(len(values), -1)
    halves = np.full((2, *flat.shape), np.nan)
    for pattern, columns in same_mask(np.isfinite(flat)):
        first = first_in_order(order, pattern, int(pattern.sum()) // 2)[0]
        for half, member in zip(halves, (first, pattern & ~first), strict=True):
            cells = np.ix_(member, columns)
            half[cells] = flat[cells]
    return halves[0].reshape(values.shape), halves[1].reshape(values.shape)


def _fold(halves: list[tuple[Array, Array]], half: int, n_components: int | str) -> Fold:
    """One half in the components of the other."""
    axes = component_axes(
        np.stack([average_trials(pair[1 - half]).mean for pair in halves]), n_components
    )
    averages = tuple(average_trials(pair[half]).project(axes) for pair in halves)

    def values(condition: int) -> Array:
        projected: Array = np.einsum("fk,nft->nkt", axes, halves[condition][half])
        return projected

    return Fold(averages, values)


def reduced(space: Space, n_components: int | str | None) -> Space:
    """Project averages on their principal components."""
    if n_components is None:
        return space
    axes = component_axes(space.mean, n_components)
    mean = np.einsum("fk,cft->ckt", axes, space.mean)
    return Space(mean, space.reference, space.kept, axes)


def component_axes(mean: Array, n_components: int | str) -> Array:
    """Principal axes (feature, component) of averages (condition, feature, time)."""
    flat = np.moveaxis(mean, 1, 0).reshape(mean.shape[1], -1)
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
    return axes


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
        warn(message)
    return kept


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


def check_two(labels: Sequence[str]) -> None:
    """Refuse a distance between a single condition and itself."""
    if len(labels) < 2:
        message = (
            f"a distance needs two conditions, found one ({labels[0]}): choose another by=, or "
            "select more trials"
        )
        raise FitError(message)
