"""How the record of a rate network begins: read, checked and made read-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from popdyn.network.doubtful_seconds import doubt_seconds
from popdyn.network.rate_fields import (
    check_nonlinearity,
    check_step,
    frozen_array,
    seconds,
    time_constants,
)
from popdyn.network.spiking_fields import labels

Dims = Mapping[str, tuple[str, ...]]


def freeze(net: Any, dims: Dims, optional_dims: Dims, check_shapes: Callable[[Any], None]) -> None:
    """Check the fields of a frozen record and make its arrays read-only; no bias is zeros.

    Parameters
    ----------
    net : Rate or LowRank
        The record, changed in place.
    dims, optional_dims : mapping of name to dims
        Its arrays, the first of which says how many neurons there are.
    check_shapes : function
        Refuses arrays that do not fit each other.

    Raises
    ------
    TensorError
        If a field cannot be what it should be.
    """
    for name, of_array in {**dims, **optional_dims}.items():
        values = getattr(net, name)
        values = np.zeros(net.n_neurons) if name == "bias" and values is None else values
        if values is not None or name in dims:
            object.__setattr__(net, name, frozen_array(name, values, of_array))
    check_shapes(net)
    object.__setattr__(net, "tau", time_constants(net.tau, net.n_neurons))
    object.__setattr__(net, "dt", seconds("dt", net.dt))
    check_step(net.dt, net.tau)
    if net.population is not None:
        object.__setattr__(net, "population", labels(net.population, net.n_neurons))
    check_nonlinearity(net.nonlinearity)
    doubt_seconds({"tau": net.tau, "dt": net.dt})
