"""Activity averaged over an epoch: a tensor of one bin."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.preprocess.select import select
from popdyn.tensor.contract import bin_width_of


def epoch_mean(tensor: xr.DataArray, window: tuple[float, float] | None = None) -> xr.DataArray:
    """Average activity over the bins of an epoch.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Checked.
    window : (start, stop), optional
        Of the centers of the bins, in s; all bins by default.

    Returns
    -------
    DataArray (neuron, time, trial)
        Of one bin as long as those together, in the unit of the tensor; counts are added up.
        NaN where part of the epoch was not observed.

    Raises
    ------
    TensorError
        If the window is none, has no bin, or no trial of any neuron was observed throughout.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> tensor = pdn.make_tensor(np.arange(4.0).reshape(1, 4, 1), 0.1 * np.arange(4))
    >>> epoch_mean(tensor, (0.1, 0.4)).values.ravel().tolist()
    [2.0]
    """
    part: xr.DataArray = tensor if window is None else select(tensor, time=_window(window))
    width = bin_width_of(part) * part.sizes["time"]
    center = part["time"].values.mean(keepdims=True)
    together = part.sum if part.name == "spike_count" else part.mean
    one = together("time", keepdims=True, skipna=False).assign_coords(time=center)
    if not one.notnull().any():
        raise TensorError(_why_nothing(part))
    return one.assign_attrs({**part.attrs, "bin_width": width})


def _window(window: Any) -> tuple[float, float]:
    """Return the start and stop of a window.

    Raises
    ------
    TensorError
        If it is not two numbers.
    """
    edges = np.asarray(window)
    if edges.shape != (2,) or edges.dtype.kind not in "iuf":
        message = f"window must be (start, stop), two numbers in s, found {window!r:.60}"
        raise TensorError(message)
    return float(edges[0]), float(edges[1])


def _why_nothing(part: xr.DataArray) -> str:
    """Say which bins of an epoch nobody observed."""
    half, times = bin_width_of(part) / 2, part["time"].values
    seen = part.notnull().any(["neuron", "trial"]).values
    if seen.all() or not seen.any():
        bins = "any bin" if not seen.any() else "every bin"
        return (
            f"no trial of any neuron was observed in {bins} of the window, {times[0] - half:g} to "
            f"{times[-1] + half:g} s: give a window in which neurons were observed"
        )
    runs = np.split(np.arange(seen.size), np.flatnonzero(np.diff(seen)) + 1)
    longest = max((run for run in runs if seen[run[0]]), key=len)
    lost = ", ".join(f"{time:g}" for time in times[~seen][:5])
    return (
        f"{int((~seen).sum())} of the {seen.size} bins of the window are NaN in all trials of all "
        f"neurons, those at {lost}{', ...' if (~seen).sum() > 5 else ''} s, and so is the mean: "  # noqa: PLR2004
        f"leave them out, window=({times[longest[0]] - half:g}, {times[longest[-1]] + half:g})"
    )
