"""What two subspaces are taken from: averages, the trials behind them, or loadings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.statespace_samples import (
    averaged,
    from_average,
    same_neurons,
    warn_incomplete_conditions,
)
from popdyn.analysis.trials import Array, condition_trials, is_average
from popdyn.errors import FitError, TensorError, warn
from popdyn.tensor.contract import check, check_average

SPACES = ("neuron", "sample")
Epochs = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two things compared.

    Attributes
    ----------
    average : DataArray (neuron, time, condition)
        Averages, or loadings (neuron, component) of length 1 in time.
    trials : tuple of ndarray, each (trial, neuron, time), or None
        Trials per condition, where known.
    ids : tuple of ndarray, each (trial,), or None
        Their ids.
    """

    average: xr.DataArray
    trials: tuple[Array, ...] | None = None
    ids: tuple[NDArray[Any], ...] | None = None

    @property
    def matrix(self) -> Array:
        """Averages (neuron, condition and time); conditions follow each other."""
        ordered = self.average.transpose("neuron", "condition", "time")
        return ordered.to_numpy().reshape(ordered.sizes["neuron"], -1).astype(np.float64)


def is_loading(x: Any) -> bool:
    """Whether these are loadings: an array with components and neurons."""
    if isinstance(x, xr.DataArray):
        return set(x.dims) == {"component", "neuron"}
    return isinstance(x, np.ndarray) and x.ndim == 2


def loading_axes(x: Any) -> xr.DataArray:
    """Turn loadings to (neuron, component); a bare array is (component, neuron)."""
    if not isinstance(x, xr.DataArray):
        x = xr.DataArray(np.asarray(x, dtype=np.float64), dims=("component", "neuron"))
    axes: xr.DataArray = x.transpose("neuron", "component").astype(np.float64)
    if "neuron" not in axes.coords:
        axes = axes.assign_coords(neuron=np.arange(axes.sizes["neuron"]))
    if not np.isfinite(axes.to_numpy()).all():
        message = "loadings hold NaN: a direction has an entry for every neuron"
        raise TensorError(message)
    return axes


def epochs_of(x: Any, epochs: Epochs) -> tuple[Any, Any]:
    """Cut the two epochs out of a tensor or a condition average."""
    if not isinstance(epochs, Mapping) or len(epochs) != 2:
        message = (
            "expected epochs as a mapping of two names to (start, stop) in seconds, "
            f"found {epochs!r}"
        )
        raise TensorError(message)
    first, second = (epoch_of(x, name, window) for name, window in epochs.items())
    return first, second


def epoch_of(x: Any, name: str, window: tuple[float, float]) -> Any:
    """Take the bins whose centers lie in ``[start, stop)``."""
    time = x["time"].to_numpy()
    start, stop = (float(edge) for edge in window)
    inside = (time >= start) & (time < stop)
    if not inside.any():
        message = (
            f"epoch {name!r} from {start:g} to {stop:g} s holds no bin: the centers of the bins "
            f"run from {time.min():g} to {time.max():g} s"
        )
        raise TensorError(message)
    return x.isel(time=np.flatnonzero(inside))


def side_of(x: Any, by: str | Sequence[str] | None) -> Side:
    """Check a tensor or a condition average."""
    if is_average(x):
        if by is not None:
            message = "by= is for tensors; this is a condition average already: leave by out"
            raise TensorError(message)
        return Side(from_average(check_average(x)))
    trials = condition_trials(check(x), by)
    ids = trials.tensor["trial"].to_numpy()
    return Side(
        averaged(trials),
        tuple(trials.values(i) for i in range(len(trials.labels))),
        tuple(ids[position] for position in trials.position),
    )


def pair_of(
    a: Any,
    b: Any,
    by: str | Sequence[str] | None,
    space: str,
    names: tuple[str, str] = ("a", "b"),
) -> tuple[Side, Side]:
    """Check two things, match them, and say which neurons and conditions take no part."""
    first, second = matched(side_of(a, by), side_of(b, by), space, names)
    if space == "neuron":
        first, second = known_in_both(first, second)
        warn_incomplete_conditions(first.average, second.average)
        return first, second
    first, second = known_neurons_of(first, names[0]), known_neurons_of(second, names[1])
    for side, name in zip((first, second), names, strict=True):
        warn_incomplete_conditions(side.average, of=name)
    return first, second


def matched(
    first: Side, second: Side, space: str, names: tuple[str, str] = ("a", "b")
) -> tuple[Side, Side]:
    """Bring the second into the order of the first, or say why they cannot be compared."""
    if space == "neuron":
        return first, _same_neurons(first, second)
    sides = (first, second)
    sizes = [side.average.sizes["time"] for side in sides]
    if sizes[0] != sizes[1]:
        described = (
            f"{name} has {_times(side.average)}" for name, side in zip(names, sides, strict=True)
        )
        message = (
            f"courses are compared over the same times: {', '.join(described)}. Cut or bin both "
            "alike (align, select)"
        )
        raise TensorError(message)
    labels = [_labels(side.average) for side in sides]
    if len(labels[0]) != len(labels[1]) or (all(map(_named, sides)) and labels[0] != labels[1]):
        described = (
            f"{name} has {len(own)} ({'; '.join(own[:10])}{'; ...' if len(own) > 10 else ''})"
            for name, own in zip(names, labels, strict=True)
        )
        message = (
            f"courses are compared over the same conditions, in order: {', '.join(described)}. "
            "Choose the trials of conditions that both have with select(trials=...)"
        )
        raise TensorError(message)
    return first, second


def _times(average: xr.DataArray) -> str:
    """Describe the bins of averages."""
    time = average.coords["time"].to_numpy() if "time" in average.coords else None
    n = average.sizes["time"]
    return f"{n} bins" if time is None else f"{n} bins from {time[0]:g} to {time[-1]:g} s"


def _named(side: Side) -> bool:
    return "condition" in side.average.coords


def _labels(average: xr.DataArray) -> list[str]:
    """Labels of the conditions, numbers without."""
    if "condition" not in average.coords:
        return [str(number) for number in range(1, average.sizes["condition"] + 1)]
    return [str(label) for label in average["condition"].to_numpy()]


def _same_neurons(first: Side, second: Side) -> Side:
    """Order the neurons of the second as those of the first."""
    own, other = (side.average["neuron"].to_numpy() for side in (first, second))
    if len(own) != len(other) or not np.isin(other, own).all():
        message = (
            f"axes over neurons can only be compared for the same neurons; found {len(own)} and "
            f"{len(other)} neurons, {int(np.isin(other, own).sum())} of them in both. For areas "
            "or sources with neurons of their own give space='sample' (courses over the same "
            "times and conditions), or fit a pdn.SpaceMap"
        )
        raise TensorError(message)
    order = [int(np.flatnonzero(other == neuron)[0]) for neuron in own]
    trials = second.trials and tuple(values[:, order] for values in second.trials)
    return Side(same_neurons(second.average, first.average["neuron"]), trials, second.ids)


def known_in_both(first: Side, second: Side) -> tuple[Side, Side]:
    """Leave out, with a warning, neurons that are NaN throughout in either."""
    known = np.ones(first.average.sizes["neuron"], dtype=bool)
    for side in (first, second):
        known &= np.isfinite(side.average.to_numpy()).any(axis=(1, 2))
    if known.all():
        return first, second
    names = ", ".join(map(str, first.average["neuron"].to_numpy()[~known][:10]))
    if not known.any():
        message = "every neuron is NaN throughout in one of the two: there is nothing to compare"
        raise FitError(message)
    message = f"{(~known).sum()} of {known.size} neurons are NaN throughout, left out: {names}"
    warn(message)
    return _kept(first, known), _kept(second, known)


def known_neurons_of(side: Side, name: str) -> Side:
    """Leave out, with a warning, neurons of one side that are NaN throughout."""
    known = np.isfinite(side.average.to_numpy()).any(axis=(1, 2))
    if known.all():
        return side
    if not known.any():
        message = f"every neuron of {name} is NaN throughout: there is nothing to compare"
        raise FitError(message)
    names = ", ".join(map(str, side.average["neuron"].to_numpy()[~known][:10]))
    message = (
        f"{(~known).sum()} of {known.size} neurons of {name} are NaN throughout, left out: {names}"
    )
    warn(message)
    return _kept(side, known)


def _kept(side: Side, known: NDArray[np.bool_]) -> Side:
    trials = side.trials and tuple(values[:, known] for values in side.trials)
    return Side(side.average.isel(neuron=np.flatnonzero(known)), trials, side.ids)


def centered(parts: Sequence[Array], space: str) -> list[Array]:
    """Center parts (neuron, sample) of one side at the samples known in all of them.

    Features come first: neurons, or for the space of samples the samples.
    """
    complete = np.all([np.isfinite(part).all(axis=0) for part in parts], axis=0)
    kept = [part[:, complete] for part in parts]
    if complete.any():
        kept = [part - part.mean(axis=1, keepdims=True) for part in kept]
    return kept if space == "neuron" else [part.T for part in kept]


def centered_pair(
    first: Sequence[Array], second: Sequence[Array], space: str
) -> tuple[list[Array], list[Array]]:
    """Center the parts of both sides; samples are features only where both know them."""
    if space == "neuron":
        return centered(first, space), centered(second, space)
    complete = np.all([np.isfinite(part).all(axis=0) for part in (*first, *second)], axis=0)
    return (
        centered([part[:, complete] for part in first], space),
        centered([part[:, complete] for part in second], space),
    )
