"""Average trajectories of conditions that are ordered by a number, ready to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.distance_space import component_axes, kept_neurons
from popdyn.analysis.kinet import Layout
from popdyn.analysis.trials import (
    Array,
    ConditionTrials,
    TrialAverage,
    average_trials,
    condition_trials,
    mean_trial,
)
from popdyn.errors import FitError, TensorError
from popdyn.preprocess.smooth import smooth_values
from popdyn.tensor.contract import average_values, bin_width_of

_SECONDS = {"ms": 1e-3, "us": 1e-6}
# Seconds: a stimulus this long was more likely meant as milliseconds.
_DOUBTFUL = 60.0
# Averages of fewer of a condition's trials than this are those of the longest ones.
_LEAST_SHARE = 0.5
_SMOOTH_BINS = 2


@dataclass(frozen=True, eq=False)
class Orbits:
    """Trajectories in the space where distances are taken.

    Attributes
    ----------
    mean : ndarray, shape (condition, feature, time)
        Features are neurons or components.
    states : ndarray, shape (condition, kept neuron, time)
        The same in all neurons.
    known : ndarray of bool, shape (condition, time)
        Where trajectories exist.
    layout : Layout
        Reference, and the conditions in its row.
    labels : tuple of str
        Names of the conditions.
    stimulus : ndarray, shape (condition,)
        Their numbers, in SI units.
    coords : dict
        Coordinates on the condition dimension.
    kept : ndarray of bool, shape (neuron,)
        Neurons that count.
    axes : ndarray, shape (kept neuron, component), or None
        Components.
    error : ndarray, shape (condition, time), or None
        Squared standard errors summed over features.
    """

    mean: Array
    states: Array
    known: NDArray[np.bool_]
    layout: Layout
    labels: tuple[str, ...]
    stimulus: Array
    coords: dict[str, Any]
    kept: NDArray[np.bool_]
    axes: Array | None = None
    error: Array | None = None


@dataclass(frozen=True, eq=False)
class TrialOrbits:
    """Orbits, and the trials they are averages of, smoothed."""

    orbits: Orbits
    trials: ConditionTrials

    def average(self, condition: int, axes: Array | None) -> TrialAverage:
        """Average of one condition in the kept neurons, or projected on axes (neuron, axis)."""
        kept = self.orbits.kept
        one = average_trials(self.trials.values(condition))
        own = TrialAverage(one.mean[kept], one.influence[:, kept], one.n[kept])
        return own if axes is None else own.project(axes)


def raised_width(x: xr.DataArray | xr.Dataset, smooth: float | None) -> float:
    """Give the standard deviation (s) to smooth with: what was asked for, at least two bins."""
    if not smooth:
        return 0.0
    bin_width = bin_width_of(x)
    n_times = x.sizes["time"]
    if not isinstance(smooth, (int, float, np.number)) or not 0.0 < smooth < n_times * bin_width:
        message = (
            f"smooth is a time in s, below the length of the window ({n_times * bin_width:g} s), "
            f"found {smooth!r}: 40 ms is 0.040; None leaves out smoothing"
        )
        raise TensorError(message)
    return max(float(smooth), _SMOOTH_BINS * bin_width)


def orbits_of_trials(
    x: xr.DataArray,
    by: str | Sequence[str] | None,
    sigma: float,
    reference: Any,
    n_components: int | str | None,
    n_least: int,
) -> TrialOrbits:
    """Average the trials of a tensor; see `popdyn.relative_distance` for the parameters.

    ``n_least`` trials must be there for a time to count, and half of a condition's.
    """
    trials = condition_trials(x, by, sigma or None)
    _refuse_single(trials, n_least)
    names = [by] if isinstance(by, str) else [str(name) for name in by or ()]
    columns = {name: trials.table[name].to_numpy() for name in names}
    attrs = dict(trials.tensor.coords[names[0]].attrs)
    stimulus, attrs = stimulus_values(columns[names[0]], attrs, names[0])
    layout = make_layout(trials.labels, stimulus, columns, reference)
    n_conditions = len(trials.labels)
    values = [trials.values(i) for i in range(n_conditions)]
    enough = np.stack([_enough(np.isfinite(own).sum(axis=0), n_least) for own in values])
    seen = np.asarray(enough.any(axis=2))
    kept = kept_neurons(seen, trials.tensor["neuron"].to_numpy(), f"fewer than {n_least} trials")
    known = np.asarray(enough[:, kept].all(axis=1))
    coords = trials.coords() | {"stimulus": ("condition", stimulus, attrs)}
    mean = np.stack([mean_trial(own)[kept] for own in values])
    orbits = Orbits(mean, mean, known, layout, trials.labels, stimulus, coords, kept)
    source = TrialOrbits(in_components(orbits, n_components), trials)
    if trials.n_trials.min() < 2:
        return source
    averages = (source.average(i, source.orbits.axes) for i in range(n_conditions))
    error = np.stack([one.standard_error_squared().sum(axis=0) for one in averages])
    return replace(source, orbits=replace(source.orbits, error=error))


def orbits_of_average(
    average: xr.Dataset,
    by: str | Sequence[str] | None,
    sigma: float,
    reference: Any,
    n_components: int | str | None,
) -> Orbits:
    """Take a condition average; its errors are those of neurons without shared noise."""
    order = ("condition", "neuron", "time")
    values = average_values(average)
    bin_width = bin_width_of(average) if sigma or values.name == "spike_count" else 1.0
    scale = bin_width if values.name == "spike_count" else 1.0
    columns = _columns_of(average, by)
    name = next(iter(columns))
    stimulus, attrs = stimulus_values(columns[name], dict(average.coords[name].attrs), name)
    rank = np.argsort(stimulus, kind="stable")
    mean = values.transpose(*order).to_numpy().astype(np.float64)[rank] / scale
    labels = tuple(np.array(_labels(average))[rank].tolist())
    columns = {key: column[rank] for key, column in columns.items()}
    layout = make_layout(labels, stimulus[rank], columns, reference)
    seen = np.asarray(np.isfinite(mean).any(axis=2))
    kept = kept_neurons(seen, average["neuron"].to_numpy(), "no value")
    mean = mean[:, kept]
    if sigma:
        smoothed = smooth_values(mean.transpose(1, 2, 0), sigma / bin_width)
        mean = smoothed.transpose(2, 0, 1).astype(np.float64)
    coords: dict[str, Any] = {key: ("condition", column) for key, column in columns.items()}
    coords |= {"condition": np.array(labels, dtype=np.str_)}
    coords |= {"stimulus": ("condition", stimulus[rank], attrs)}
    known = np.asarray(np.isfinite(mean).all(axis=1))
    orbits = in_components(
        Orbits(mean, mean, known, layout, labels, stimulus[rank], coords, kept), n_components
    )
    if "standard_error" not in average or sigma:
        return orbits
    error = average["standard_error"].transpose(*order).to_numpy()[rank][:, kept] / scale
    share = np.ones(int(kept.sum())) if orbits.axes is None else (orbits.axes**2).sum(axis=1)
    return replace(orbits, error=np.einsum("f,cft->ct", share, error**2))


def _columns_of(average: xr.Dataset, by: str | Sequence[str] | None) -> dict[str, NDArray[Any]]:
    """Columns that define the conditions, the stimulus first."""
    columns = {
        str(name): coord.to_numpy()
        for name, coord in average.coords.items()
        if coord.dims == ("condition",) and name != "condition"
    }
    if by is not None:
        names = [by] if isinstance(by, str) else [str(name) for name in by]
        missing = [name for name in names if name not in columns]
        if missing:
            message = (
                f"the average has no column {', '.join(missing)} on condition, found "
                f"{', '.join(columns) or 'none'}"
            )
            raise TensorError(message)
        return {name: columns[name] for name in names}
    name = _first_numbers(columns)
    if np.unique(columns[name]).size == columns[name].size:
        return {name: columns[name]}
    return {name: columns.pop(name)} | columns


def in_components(orbits: Orbits, n_components: int | str | None) -> Orbits:
    """Project orbits on the principal components of all of them."""
    _check_length(orbits)
    if n_components is None:
        return orbits
    mean = np.where(orbits.known[:, None, :], orbits.mean, np.nan)
    axes = component_axes(mean, n_components)
    return replace(orbits, mean=np.einsum("fk,cft->ckt", axes, mean), axes=axes)


def stimulus_values(
    column: NDArray[Any], attrs: dict[str, Any], name: str
) -> tuple[Array, dict[str, Any]]:
    """Numbers of the conditions in SI units.

    Raises
    ------
    TensorError
        If they are no numbers, or look like milliseconds though declared as seconds.
    """
    if column.dtype.kind not in "iuf":
        message = (
            f"the conditions must be ordered by a number, but {name!r} holds "
            f"{', '.join(map(str, column[:4]))}: name the stimulus first in by=, or take "
            "method='euclidean', which needs no order"
        )
        raise TensorError(message)
    units = str(attrs.get("units", "unknown"))
    values = column.astype(np.float64) * _SECONDS.get(units, 1.0)
    if units in _SECONDS:
        attrs = attrs | {"units": "s"}
    elif units == "s" and float(np.median(np.abs(values))) >= _DOUBTFUL:
        message = (
            f"{name!r} is declared in s and holds {values.min():g} to {values.max():g}: these look "
            "like milliseconds; say units 'ms' (in the column's attrs or the role), or divide by "
            "1000"
        )
        raise TensorError(message)
    return values, attrs


def make_layout(
    labels: Sequence[str], stimulus: Array, columns: dict[str, NDArray[Any]], reference: Any
) -> Layout:
    """Find the reference and the conditions that differ from it in the stimulus alone."""
    if np.unique(stimulus).size < 2:
        message = (
            f"a distance between conditions needs two values of the stimulus, found one "
            f"({labels[0]}): choose another by=, or select more trials"
        )
        raise FitError(message)
    middle = len(labels) // 2
    at = middle if reference is None else _named(labels, stimulus, reference)
    same = np.ones(len(labels), dtype=bool)
    for column in list(columns.values())[1:]:
        same &= column == column[at]
    chain = np.flatnonzero(same)
    chain = chain[np.argsort(stimulus[chain], kind="stable")]
    # The middle of all sets may be the end of its own.
    return Layout(int(chain[len(chain) // 2]) if reference is None else at, chain)


def _named(labels: Sequence[str], stimulus: Array, reference: Any) -> int:
    """Position of the reference by its label, its values or its stimulus."""
    wanted = str(reference)
    if wanted in labels:
        return list(labels).index(wanted)
    if isinstance(reference, (int, float, np.number)):
        near = np.flatnonzero(np.isclose(stimulus, float(reference), rtol=1e-6))
        if near.size == 1:
            return int(near[0])
    message = f"no condition {reference!r} to take as reference, found {', '.join(labels)}"
    raise TensorError(message)


def _refuse_single(trials: ConditionTrials, n_least: int) -> None:
    """Refuse conditions with too few trials to draw from."""
    few = np.flatnonzero(trials.n_trials < n_least)
    if few.size:
        names = ", ".join(trials.labels[i] for i in few)
        message = (
            f"a bootstrap needs at least {n_least} trials in every condition, found fewer in "
            f"{names}: leave these conditions out, or say n_draws=0 for distances without bounds"
        )
        raise FitError(message)


def _enough(n: NDArray[np.int64], n_least: int) -> NDArray[np.bool_]:
    """Where a neuron's average counts: enough trials, and half of those it has."""
    most = n.max(axis=1, keepdims=True)
    enough: NDArray[np.bool_] = n >= np.maximum(n_least, _LEAST_SHARE * most)
    return enough


def _check_length(orbits: Orbits) -> None:
    """Refuse trajectories without a time."""
    empty = np.flatnonzero(~orbits.known.any(axis=1))
    if empty.size:
        names = ", ".join(orbits.labels[i] for i in empty)
        message = (
            f"no time at which all {int(orbits.kept.sum())} neurons are observed in at least half "
            f"of the trials of {names}: select neurons recorded together, or align to another event"
        )
        raise FitError(message)
    least = np.nanmin(orbits.mean, axis=(0, 2), initial=np.inf)
    if (least == np.nanmax(orbits.mean, axis=(0, 2), initial=-np.inf)).all():
        message = (
            f"none of {int(orbits.kept.sum())} neurons varies: averages are the same at all times "
            "and in all conditions, and no distance can be told"
        )
        raise FitError(message)


def _labels(average: xr.Dataset) -> tuple[str, ...]:
    """Labels of the conditions of an average; numbers when it has none."""
    if "condition" in average.coords:
        return tuple(str(label) for label in average["condition"].to_numpy())
    return tuple(str(i) for i in range(average.sizes["condition"]))


def _first_numbers(columns: dict[str, NDArray[Any]]) -> str:
    """Name of the column by which conditions are ordered."""
    named = [name for name, column in columns.items() if column.dtype.kind in "iuf"]
    if "stimulus" in named:
        return "stimulus"
    if named:
        return named[0]
    message = (
        "the conditions of this average have no numbers to be ordered by (a coordinate such as "
        "stimulus on condition): make it with pdn.condition_average(tensor, by), or take "
        "method='euclidean'"
    )
    raise TensorError(message)
