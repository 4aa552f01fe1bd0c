"""A low-rank network as a Dataset and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from popdyn.errors import warn
from popdyn.network.low_rank_fields import DIMS, OPTIONAL_DIMS
from popdyn.network.rate_store import dataset_of, fields_of

if TYPE_CHECKING:
    from popdyn.network.low_rank import LowRank


def stored(net: LowRank) -> xr.Dataset:
    """Return a variable per field, as `LowRank.to_dataset` says."""
    return dataset_of(net, DIMS | OPTIONAL_DIMS, "network.low_rank:LowRank")


def restored(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the fields of a network that `stored` made.

    Raises
    ------
    TensorError
        If a variable or the nonlinearity is missing.

    Warns
    -----
    PopdynWarning
        If it was fitted with a lag, which a network has not.
    """
    lag = np.atleast_1d(dataset.attrs.get("lag", 0.0))
    if (lag > 0).any():
        warn(
            f"the network was fitted with lag={', '.join(f'{one:g}' for one in lag)} s and does "
            "not delay its inputs itself: delay what it is shown by as much, its first value held "
            "before, or it is heard too early"
        )
    return fields_of(dataset, DIMS, OPTIONAL_DIMS, "low-rank")
