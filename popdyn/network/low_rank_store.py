"""A low-rank network as a Dataset and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

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
    """
    return fields_of(dataset, DIMS, OPTIONAL_DIMS, "low-rank")
