"""Activity averaged over an epoch: a tensor of one bin."""

from __future__ import annotations

import xarray as xr

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

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> tensor = pdn.make_tensor(np.arange(4.0).reshape(1, 4, 1), 0.1 * np.arange(4))
    >>> epoch_mean(tensor, (0.1, 0.4)).values.ravel().tolist()
    [2.0]
    """
    part: xr.DataArray = tensor if window is None else select(tensor, time=window)
    width = bin_width_of(part) * part.sizes["time"]
    center = part["time"].values.mean(keepdims=True)
    together = part.sum if part.name == "spike_count" else part.mean
    one = together("time", keepdims=True, skipna=False).assign_coords(time=center)
    return one.assign_attrs({**part.attrs, "bin_width": width})
