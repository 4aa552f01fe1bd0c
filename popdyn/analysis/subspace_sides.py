"""What two subspaces are taken from: averages, the trials behind them, or loadings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.statespace_samples import averaged, from_average, same_neurons
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


def matched(first: Side, second: Side, space: str) -> tuple[Side, Side]:
    """Bring the second into the order of the first, or say why they cannot be compared."""
    if space == "neuron":
        return first, _same_neurons(first, second)
    for dim in ("time", "condition"):
        sizes = first.average.sizes[dim], second.average.sizes[dim]
        if sizes[0] != sizes[1]:
            message = (
                f"space='sample' compares the courses of both over the same times and conditions; "
                f"found {sizes[0]} and {sizes[1]} along {dim!r}"
            )
            raise TensorError(message)
    labels = [side.average.coords["condition"].to_numpy().astype(str).tolist()
              for side in (first, second) if "condition" in side.average.coords]  # fmt: skip
    if len(labels) == 2 and labels[0] != labels[1]:
        message = f"expected the same conditions, found {labels[0]} and {labels[1]}"
        raise TensorError(message)
    return first, second


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
