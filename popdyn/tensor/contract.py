"""The data contract: what a tensor, a condition average and a result must look like.

A tensor is a plain ``xarray.DataArray`` with dims exactly ``(neuron, time, trial)``; a
result is an ``xarray.Dataset`` whose attributes say how it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError

DIMS = ("neuron", "time", "trial")
PHASE_DIMS = ("neuron", "phase", "trial")
AVERAGE_DIMS = ("neuron", "time", "condition")
NAMES = ("rate", "spike_count", "potential", "current")
# A time step may differ from the bin width by rounding only.
TIME_TOLERANCE = 1e-6


def text(values: Any) -> np.ndarray:
    """Return text as NumPy str, whatever pandas, HDF5 or netCDF made of it.

    Parameters
    ----------
    values : array_like
        Strings, bytes, or missing values (``None`` and NaN become ``""``).

    Returns
    -------
    numpy.ndarray
        Array of dtype ``<U``, same shape.

    Examples
    --------
    >>> text([b"left", "right", None]).tolist()
    ['left', 'right', '']
    """
    array = np.asarray(values, dtype=object)
    flat = [_one_text(value) for value in array.ravel()]
    return np.array(flat, dtype=np.str_).reshape(array.shape)


def _one_text(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value) if not _is_missing(value) else ""


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in ("NAType", "NaTType")


def bin_edges(window: Sequence[float], bin_width: float) -> np.ndarray:
    """Edges of the half-open bins ``[left, right)`` that fill a window.

    Parameters
    ----------
    window : (float, float)
        Start and stop in seconds relative to the alignment event.
    bin_width : float
        Width of a bin in seconds.

    Returns
    -------
    numpy.ndarray
        ``n_bins + 1`` edges in seconds, computed from integers where the window starts on a
        multiple of the bin width, so that two sources never differ by rounding.

    Raises
    ------
    TensorError
        If the window is not a whole number of bins; the message names the two nearest.

    Examples
    --------
    >>> bin_edges((-0.1, 0.2), 0.1).tolist()
    [-0.1, 0.0, 0.1, 0.2]
    """
    start, stop = _window(window)
    if not (np.isfinite(bin_width) and bin_width > 0):
        message = f"bin_width must be a positive number of seconds, got {bin_width!r}."
        raise TensorError(message)
    length = (stop - start) / bin_width
    n_bins = round(length)
    if n_bins < 1 or abs(length - n_bins) > TIME_TOLERANCE * max(1.0, length):
        fewer, more = max(int(length), 1), max(int(length), 1) + 1
        message = (
            f"window {start:g} to {stop:g} s is {length:.6g} bins of {bin_width:g} s; expected a "
            f"whole number. Nearest windows: ({start:g}, {start + fewer * bin_width:g}) with "
            f"{fewer} bins, ({start:g}, {start + more * bin_width:g}) with {more} bins."
        )
        raise TensorError(message)
    edges = _grid(start, bin_width, np.arange(n_bins + 1))
    edges[0], edges[-1] = start, stop
    return edges


def bin_centers(window: Sequence[float], bin_width: float) -> np.ndarray:
    """Centers (s) of the bins that fill a window; see `bin_edges`.

    Examples
    --------
    >>> bin_centers((0.0, 0.3), 0.1).round(3).tolist()
    [0.05, 0.15, 0.25]
    """
    n_bins = bin_edges(window, bin_width).size - 1
    return _grid(float(window[0]), float(bin_width), np.arange(n_bins) + 0.5)


def _window(window: Sequence[float]) -> tuple[float, float]:
    try:
        start, stop = (float(value) for value in window)
    except (TypeError, ValueError) as error:
        message = f"window must be two numbers (start, stop) in seconds, got {window!r}."
        raise TensorError(message) from error
    if not (np.isfinite(start) and np.isfinite(stop) and start < stop):
        message = f"window must be finite with start before stop, got ({start!r}, {stop!r}) s."
        raise TensorError(message)
    return start, stop


def _grid(start: float, bin_width: float, steps: np.ndarray) -> np.ndarray:
    first = start / bin_width
    if abs(first - round(first)) < TIME_TOLERANCE:
        # Dividing integers by an integer rate keeps 0.1 * 3 at 0.3 where that is possible.
        per_second = 1.0 / bin_width
        if abs(per_second - round(per_second)) < TIME_TOLERANCE:
            return np.asarray((round(first) + steps) / round(per_second), dtype=np.float64)
        return np.asarray((round(first) + steps) * bin_width, dtype=np.float64)
    return np.asarray(start + steps * bin_width, dtype=np.float64)


def check(x: Any, *, chunked: bool = False, phase: bool = False) -> xr.DataArray:
    """Check a tensor against the contract, once, at a public entrance.

    Parameters
    ----------
    x : xarray.DataArray
        Dims ``neuron``, ``time`` (bin centers, s), ``trial`` in any order.
    chunked : bool
        Whether a Dask array may pass (preparation and averaging).
    phase : bool
        Whether a warped tensor, ``phase`` in the place of ``time``, may pass.

    Returns
    -------
    xarray.DataArray
        The same object where it is canonical, else one corrected copy (order of dims, C
        order, floating dtype, text as NumPy str, default ids).

    Raises
    ------
    TensorError
        Wrong dims, name, units, duplicate ids, irregular time, infinite values.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> x = pdn.make_tensor(np.ones((2, 3, 4)), time=[0.05, 0.15, 0.25])
    >>> pdn.check(x) is x
    True
    """
    if not isinstance(x, xr.DataArray):
        raise TensorError(_not_a_tensor(x))
    warped = phase and "phase" in x.dims
    dims = PHASE_DIMS if warped else DIMS
    if set(x.dims) != set(dims) or len(x.dims) != len(dims):
        raise TensorError(_other_dims(x))
    is_chunked = x.chunks is not None
    if is_chunked and not chunked:
        message = (
            f"the tensor is a chunked (Dask) array of {x.nbytes / 1e6:.0f} MB; this step needs it "
            "in memory. Average or select first, or call x.load()."
        )
        raise TensorError(message)
    fixed = _canonical(x, dims)
    _check_name(fixed)
    _check_ids(fixed)
    if not warped:
        _check_time(fixed)
    if not is_chunked:
        _check_values(fixed)
    return fixed


def _not_a_tensor(x: Any) -> str:
    if isinstance(x, xr.Dataset):
        if "spike_time" in x:
            return (
                "expected a tensor, found a Session (spikes, not yet binned). Bin it with "
                "popdyn.align(session, event, window, bin_width)."
            )
        names = ", ".join(str(name) for name in x.data_vars)
        return f"expected a tensor (xarray.DataArray), found a Dataset with {names}; pick one."
    return (
        f"expected a tensor (xarray.DataArray with dims {DIMS}), found {type(x).__name__}. "
        "Wrap an array with popdyn.make_tensor(values, time)."
    )


def _other_dims(x: xr.DataArray) -> str:
    if "phase" in x.dims:
        return (
            f"expected time in seconds, found a warped array {_sizes(x)}: on the phase axis a bin "
            "lasts as long as its trial makes it. Average it (popdyn.condition_average), or use "
            "popdyn.align, which keeps time."
        )
    return (
        f"expected a tensor with dims {DIMS}, found {_sizes(x)}. Build one with "
        "popdyn.make_tensor, popdyn.align or popdyn.read_nwb."
    )


def _sizes(x: xr.DataArray) -> str:
    return "(" + ", ".join(f"{dim}: {size}" for dim, size in x.sizes.items()) + ")"


def _canonical(x: xr.DataArray, dims: tuple[str, ...]) -> xr.DataArray:
    """Return x itself, or a copy with the contract's order, dtype and text."""
    fixed = x if x.dims == dims else x.transpose(*dims)
    for dim in dims:
        if dim not in fixed.coords and dim != "time":
            fixed = fixed.assign_coords({dim: np.arange(fixed.sizes[dim])})
    objects = {
        name: (coord.dims, text(coord.values), coord.attrs)
        for name, coord in fixed.coords.items()
        if coord.dtype.kind in "OST"
    }
    if objects:
        fixed = fixed.assign_coords(objects)
    if fixed.dtype.kind in "iub":
        exact = fixed.dtype.itemsize <= 2 or fixed.size == 0 or int(abs(fixed).max()) < 2**24
        fixed = fixed.astype(np.float32 if exact else np.float64)
    elif fixed.dtype not in (np.float32, np.float64):
        if fixed.dtype.kind != "f":
            message = f"expected real numbers, found dtype {fixed.dtype}."
            raise TensorError(message)
        fixed = fixed.astype(np.float64)
    if fixed.chunks is None and not fixed.values.flags.c_contiguous:
        fixed = fixed.copy(data=np.ascontiguousarray(fixed.values))
    return fixed


def _check_name(x: xr.DataArray) -> None:
    if x.name not in NAMES:
        message = f"the tensor's name must be one of {', '.join(NAMES)}, found {x.name!r}."
        raise TensorError(message)
    if "units" not in x.attrs:
        message = (
            f"the tensor {x.name!r} has no units. Set x.attrs['units'] to 'Hz' (or '1' for a rate "
            "network), or build it with popdyn.make_tensor."
        )
        raise TensorError(message)
    if x.name == "rate" and x.attrs["units"] not in ("Hz", "1"):
        message = f"a rate has units 'Hz' or '1' (rate networks), found {x.attrs['units']!r}."
        raise TensorError(message)


def _check_ids(x: xr.DataArray) -> None:
    for dim in ("neuron", "trial"):
        ids = x.coords[dim].values
        unique, counts = np.unique(ids, return_counts=True)
        if unique.size != ids.size:
            repeated = ", ".join(str(value) for value in unique[counts > 1][:5])
            message = (
                f"{dim} ids must be unique; {ids.size - unique.size} of {ids.size} repeat an "
                f"earlier one (first: {repeated}). Give each {dim} its own id, for example "
                f"x.assign_coords({dim}=range(x.sizes[{dim!r}]))."
            )
            raise TensorError(message)


def _check_time(x: xr.DataArray) -> None:
    if "time" not in x.coords:
        message = "the tensor has no time coordinate: expected bin centers in seconds."
        raise TensorError(message)
    time = x.coords["time"].values
    if time.dtype.kind not in "fiu" or not np.isfinite(time).all():
        message = f"time must be finite numbers (bin centers, s), found dtype {time.dtype}."
        raise TensorError(message)
    if time.size > 1:
        steps = np.diff(time.astype(np.float64))
        if steps.min() <= 0 or np.ptp(steps) > 1e-3 * abs(steps.mean()):
            message = (
                f"time must rise in equal steps (bin centers, s), found steps from "
                f"{steps.min():g} to {steps.max():g} s."
            )
            raise TensorError(message)
        width = float(x.attrs.get("bin_width", steps.mean()))
        if abs(width - steps.mean()) > 1e-3 * width:
            ratio = steps.mean() / width
            # Steps a thousand times as long as the bins are milliseconds taken for seconds.
            way_out = (
                "time seems to be in ms: divide it by 1000"
                if abs(ratio / 1000 - 1) < 1e-3
                else "set attrs['bin_width'] (s) to the step, or take it away"
            )
            message = (
                f"attrs['bin_width'] is {width:g} s, but time steps by {steps.mean():g} s: "
                f"{way_out}."
            )
            raise TensorError(message)


def _check_values(x: xr.DataArray) -> None:
    values = x.values
    # min and max propagate NaN, so infinities are looked for without a temporary array.
    if values.size and np.isinf(np.fmax.reduce(values, axis=None)):
        message = f"the tensor {x.name!r} holds infinite values; use NaN for what was not observed."
        raise TensorError(message)
    lowest = np.fmin.reduce(values, axis=None) if values.size else 0.0
    if np.isinf(lowest):
        message = f"the tensor {x.name!r} holds infinite values; use NaN for what was not observed."
        raise TensorError(message)
    if lowest < 0 and (x.name == "spike_count" or x.attrs["units"] == "Hz"):
        message = f"{x.name} in {x.attrs['units']} cannot be negative; the lowest is {lowest:g}."
        raise TensorError(message)


def bin_width_of(x: xr.DataArray | xr.Dataset) -> float:
    """Bin width in seconds, from the attributes or from the time steps."""
    if "bin_width" in x.attrs:
        return float(x.attrs["bin_width"])
    time = x.coords["time"].values
    if time.size < 2:
        message = "a tensor of one bin needs attrs['bin_width'] (s)."
        raise TensorError(message)
    return float((time[-1] - time[0]) / (time.size - 1))


def check_average(x: Any) -> xr.Dataset:
    """Check a condition average: a Dataset, or a bare DataArray without uncertainty.

    Parameters
    ----------
    x : xarray.Dataset or xarray.DataArray
        From `condition_average`, or an array with dims ``neuron``, ``time``, ``condition``.

    Returns
    -------
    xarray.Dataset
        With ``attrs["variable"]`` naming the averaged quantity.

    Raises
    ------
    TensorError
        If the dims or the variable are not those of a condition average.
    """
    if isinstance(x, xr.Dataset) and x.attrs.get("variable") in x:
        values = average_values(x)
        if "phase" in values.dims:
            raise TensorError(_other_dims(values))
        return x
    if isinstance(x, xr.DataArray) and set(x.dims) == set(AVERAGE_DIMS):
        fixed = _canonical(x, AVERAGE_DIMS)
        name = str(fixed.name or "rate")
        dataset = fixed.to_dataset(name=name)
        dataset.attrs = {"units": "1", **x.attrs, "method": "condition_average", "variable": name}
        return dataset
    found = _sizes(x) if isinstance(x, xr.DataArray) else type(x).__name__
    message = (
        f"expected a condition average with dims {AVERAGE_DIMS}, found {found}. Make one with "
        "popdyn.condition_average(tensor, by)."
    )
    raise TensorError(message)


def average_values(average: xr.Dataset) -> xr.DataArray:
    """Return the averaged quantity ``(neuron, time, condition)`` of a condition average."""
    return average[str(average.attrs["variable"])]


def column_names(x: xr.DataArray | xr.Dataset, dim: str) -> list[str]:
    """Names of the columns (coordinates) that lie on one dim, without the ids themselves."""
    return [str(name) for name, coord in x.coords.items() if coord.dims == (dim,) and name != dim]
