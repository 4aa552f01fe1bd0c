"""Activity and inputs as a low-rank fit takes them: items (trials or conditions) × steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.fit_lowrank_inputs import read_inputs
from popdyn.errors import FitError, TensorError, warn
from popdyn.tensor.contract import average_values, bin_width_of, check, check_average

Array = NDArray[np.float64]

# Steps of a bin above which times were hardly meant in seconds.
_MOST_STEPS = 100
# Nonlinearities whose rates lie within 1, and the share of activity outside that is told.
_BOUNDED, _FAR_OUT, _MANY = ("tanh", "erf", "sigmoid"), 1.5, 0.01
# A singular value below this share of the largest is none.
_NO_DIMENSION = 1e-6


@dataclass(frozen=True, eq=False)
class Recording:
    """What was recorded, and what the network is shown.

    Attributes
    ----------
    activity : DataArray, dims (neuron, time, trial or condition)
        As it was given.
    values : ndarray, shape (item, bin, neuron)
        The same, 0 where it does not count.
    counts : ndarray of bool, shape (item, bin, neuron)
        What was observed and is not masked.
    inputs : ndarray, shape (item, step, channel)
        In units of the largest of each channel, from the first step that is run, which may come
        before the first bin.
    input_size : ndarray, shape (channel,)
        Those units.
    condition : ndarray of int, shape (item,)
        Items with the same inputs are of one condition.
    dt : float
        Step in seconds.
    steps_per_bin : int
        Steps of a bin.
    """

    activity: xr.DataArray
    values: Array
    counts: NDArray[np.bool_]
    inputs: Array
    input_size: Array
    condition: NDArray[np.intp]
    dt: float
    steps_per_bin: int

    @property
    def item(self) -> str:
        """Name of the dim of the items."""
        return str(self.activity.dims[2])

    @property
    def n_conditions(self) -> int:
        """Number of conditions with inputs of their own."""
        return int(self.condition.max()) + 1

    @property
    def n_free(self) -> int:
        """Steps that are run before the first bin."""
        return int(self.inputs.shape[1] - self.values.shape[1] * self.steps_per_bin)


def read_recording(
    tensor: Any, inputs: Any, *, mask: Any, lag: Any, tau: float, dt: float | None
) -> Recording:
    """Check what `fit_lowrank` was given and lay it out.

    Raises
    ------
    TensorError
        If activity, inputs or mask are not what they should be, or do not fit each other.
    FitError
        If nothing was observed.
    """
    activity = read_activity(tensor)
    width = bin_width_of(activity)
    every = steps_of(width, tau, dt)
    heard = read_inputs(inputs, activity, width, every, lag)
    counts = np.isfinite(activity.to_numpy()) & _mask_of(mask, activity)
    _check_observed(activity, counts)
    values = np.where(counts, activity.to_numpy(), 0.0)
    # The last step that any bin of an item needs.
    last = np.where(counts.any(axis=0).T, 1 + np.arange(counts.shape[1]), 0).max(axis=1)
    heard = _known(heard, heard.shape[1] - (counts.shape[1] - last) * every, activity)
    size = np.abs(heard).max(axis=(0, 1))
    return Recording(
        activity=activity,
        values=np.ascontiguousarray(values.transpose(2, 1, 0), dtype=np.float64),
        counts=np.ascontiguousarray(counts.transpose(2, 1, 0)),
        inputs=heard / size,
        input_size=size,
        condition=conditions_of(heard / size),
        dt=width / every,
        steps_per_bin=every,
    )


def read_activity(tensor: Any) -> xr.DataArray:
    """Return a tensor, or the averages of a condition average, with attributes."""
    is_average = isinstance(tensor, (xr.Dataset, xr.DataArray)) and "condition" in tensor.dims
    if not is_average:
        return check(tensor)
    average = check_average(tensor)
    values = average_values(average).transpose("neuron", "time", "condition")
    return values.assign_attrs({**average.attrs, **values.attrs})


def steps_of(width: float, tau: float, dt: float | None) -> int:
    """Return the number of steps of a bin: by default steps of at most a fifth of `tau`.

    Raises
    ------
    TensorError
        If `dt` is no divisor of the bin width, or bins are so long that they look like ms.
    """
    if dt is None:
        every = int(np.ceil(5 * width / tau - 1e-6))
    else:
        every = max(1, round(width / dt))
        if abs(width / dt - every) > 1e-6 * every:
            message = (
                f"dt must go into the bins of {width:g} s a whole number of times, found "
                f"dt={dt:g} s; the nearest is {width / every:.6g} s"
            )
            raise TensorError(message)
    every = max(1, every)
    if every > _MOST_STEPS:
        message = (
            f"bins of {width:g} s hold {every} steps of a network with tau={tau:g} s: expected at "
            f"most {_MOST_STEPS}. Are time and bin_width of the activity in ms? They are in s"
        )
        raise TensorError(message)
    return every


def conditions_of(inputs: Array) -> NDArray[np.intp]:
    """Return the number of the condition of each item, in order of appearance."""
    seen: dict[bytes, int] = {}
    # Inputs that differ by rounding are the same.
    rounded = np.round(inputs, 9) + 0.0
    return np.array([seen.setdefault(one.tobytes(), len(seen)) for one in rounded], dtype=np.intp)


def check_rank(recording: Recording, n_ranks: int) -> None:
    """Refuse more latents than the activity has dimensions.

    Raises
    ------
    FitError
        With the number it has, or if that is none.
    """
    counts, values = recording.counts, recording.values
    mean = values.sum(axis=(0, 1)) / np.maximum(counts.sum(axis=(0, 1)), 1)
    centered = np.where(counts, values - mean, 0.0).reshape(-1, values.shape[2])
    size = np.sqrt(np.maximum(np.linalg.eigvalsh(centered.T @ centered), 0.0))
    n_dimensions = int((size > _NO_DIMENSION * size.max()).sum()) if size.max() > 0 else 0
    if not n_dimensions:
        message = "the activity does not vary, of any neuron: there is nothing to fit"
        raise FitError(message)
    if n_ranks > n_dimensions:
        message = (
            f"n_ranks={n_ranks} is above the {n_dimensions} dimensions of the activity "
            f"({values.shape[2]} neurons, {values.shape[0]} {recording.item}s of "
            f"{values.shape[1]} bins): ask for at most {n_dimensions}"
        )
        raise FitError(message)


def doubt_range(recording: Recording, nonlinearity: str) -> None:
    """Warn of activity that no rate of a bounded nonlinearity can be.

    Warns
    -----
    PopdynWarning
        Saying how much of it.
    """
    if nonlinearity not in _BOUNDED:
        return
    share = float((np.abs(recording.values) > _FAR_OUT).sum() / recording.counts.sum())
    if share > _MANY:
        warn(
            f"{share:.0%} of the activity lie beyond {_FAR_OUT:g}, rates of {nonlinearity!r} "
            "within 1: say in attrs['units'] that they are in Hz, give learn=('scale', 'offset', "
            "...), or observation='state' for centered data"
        )


def _mask_of(mask: Any, activity: xr.DataArray) -> NDArray[np.bool_]:
    """Return where activity counts, (neuron, time, item).

    Raises
    ------
    TensorError
        If it is no mask, or does not fit.
    """
    if mask is None:
        return np.ones(activity.shape, dtype=bool)
    if not isinstance(mask, xr.DataArray):
        mask = xr.DataArray(np.asarray(mask), dims=("time",) * np.ndim(mask))
    known = set(mask.dims) <= set(activity.dims) and len(set(mask.dims)) == mask.ndim
    fits = known and all(mask.sizes[dim] == activity.sizes[dim] for dim in mask.dims)
    if not fits or mask.dtype != bool:
        message = (
            f"mask must be True where activity counts: an array (time,) of {activity.sizes['time']}"
            f", or a DataArray with dims of {activity.dims}; found {mask.dtype} "
            f"{dict(mask.sizes)}"
        )
        raise TensorError(message)
    for dim in mask.dims:
        if dim in mask.coords and not _same(mask[dim], activity[dim]):
            message = f"mask has other values of {dim!r} than the activity: take them from it"
            raise TensorError(message)
    own = xr.DataArray(mask.to_numpy(), dims=mask.dims)
    return (
        own.broadcast_like(xr.DataArray(activity.to_numpy(), dims=activity.dims))
        .transpose(*activity.dims)
        .to_numpy()
    )


def _same(one: xr.DataArray, other: xr.DataArray) -> bool:
    if one.dtype.kind in "fiu" and other.dtype.kind in "fiu":
        return bool(np.allclose(one.to_numpy(), other.to_numpy(), rtol=0, atol=1e-6))
    return bool((one.to_numpy().astype(str) == other.to_numpy().astype(str)).all())


def _check_observed(activity: xr.DataArray, counts: NDArray[np.bool_]) -> None:
    """Refuse activity of which nothing counts; name neurons of which nothing does."""
    known = np.asarray(counts.any(axis=(1, 2)))
    if not known.any():
        message = (
            f"no value of the activity {dict(activity.sizes)} counts: all are NaN or masked, "
            "there is nothing to fit"
        )
        raise FitError(message)
    if not known.all():
        names = activity["neuron"].to_numpy()[~known]
        more = ", ..." if len(names) > 5 else ""
        warn(
            f"{len(names)} of {len(known)} neurons are NaN or masked throughout, and fitted as if "
            f"they had not been recorded: {', '.join(map(str, names[:5]))}{more}"
        )


def _known(inputs: Array, needed: NDArray[np.intp], activity: xr.DataArray) -> Array:
    """Return inputs without NaN, which may be where no step is needed any more."""
    missing = np.asarray(~np.isfinite(inputs).all(axis=2))
    lost: NDArray[np.bool_] = missing & (np.arange(inputs.shape[1]) < needed[:, None])
    if lost.any():
        names = activity[activity.dims[2]].to_numpy()[lost.any(axis=1)]
        message = (
            f"inputs are NaN or infinite while activity was observed, in {len(names)} "
            f"{activity.dims[2]}s (first: {names[0]}): give what the neurons heard, 0 for nothing"
        )
        raise TensorError(message)
    return np.where(missing[:, :, None], 0.0, inputs)
