"""On which bins a network is simulated, so that they fall together with those of the spec."""

from __future__ import annotations

import json
import math

import numpy as np
import xarray as xr

from popdyn.comparison.spec import Alignment
from popdyn.errors import SpecError
from popdyn.simulation.plan import steps_per_bin
from popdyn.tensor.contract import bin_centers, bin_width_of
from popdyn.tensor.result import add_history

LARGEST_ROUNDING = 1e-6  # s


def common_width(dt: float, trials: xr.Dataset, event: str, when: Alignment) -> float:
    """Find the widest bins (s) whose edges hold both the events and the edges of the spec.

    The network's steps (`dt`) where the events are not known before it runs.
    """
    n_steps = steps_per_bin(dt, when.bin_width)
    if event not in trials.coords:
        return dt
    offset = trials.coords[event].values - trials.coords["start_time"].values + when.window[0]
    steps = np.round(offset[np.isfinite(offset)] / dt).astype(int)
    return math.gcd(n_steps, *(int(own) for own in np.unique(steps))) * dt


def on_bins(tensor: xr.DataArray, event: str, when: Alignment) -> xr.DataArray:
    """Average an aligned tensor over the bins of the spec; NaN where one of its parts is.

    Raises
    ------
    SpecError
        If the events lie between the bins of the tensor, or a bin holds no whole number of them.
    """
    rounding = next(
        step["parameters"]["largest_rounding"]
        for step in reversed(json.loads(tensor.attrs["popdyn"]))
        if step["step"] == "align"
    )
    width = bin_width_of(tensor)
    n_parts = round(when.bin_width / width)
    if rounding > LARGEST_ROUNDING or not np.isclose(n_parts * width, when.bin_width, rtol=1e-6):
        message = (
            f"{event!r} plus the start of the window ({when.window[0]:g} s) lies up to "
            f"{rounding:.3g} s beside the edges of the network's bins of {width:g} s, and bins of "
            f"{when.bin_width:g} s are made of them: choose a window and bin_width that are whole "
            "multiples of the network's dt, leave simulate.bin_width out, or add observe = "
            "{n_neurons = ...}, whose spikes can be aligned to any time"
        )
        raise SpecError(message)
    if n_parts == 1:
        return tensor
    time = bin_centers(when.window, when.bin_width)
    shape = (tensor.sizes["neuron"], time.size, n_parts, tensor.sizes["trial"])
    values = tensor.values.reshape(shape).mean(axis=2, dtype=np.float64).astype(tensor.dtype)
    binned = tensor.isel(time=slice(0, None, n_parts)).copy(data=values)
    binned = binned.assign_coords(time=("time", time, {"units": "s"}))
    attrs = {**tensor.attrs, "bin_width": when.bin_width}
    return binned.assign_attrs(add_history(attrs, "average_bins", bin_width=when.bin_width))
