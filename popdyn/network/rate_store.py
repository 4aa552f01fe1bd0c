"""A rate network as a Dataset and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.network.rate_fields import DIMS, OPTIONAL_DIMS

if TYPE_CHECKING:
    from popdyn.network.rate import Rate


def stored(net: Rate) -> xr.Dataset:
    """Return a variable per field, as `Rate.to_dataset` says."""
    variables: dict[str, Any] = {}
    for name, dims in (DIMS | OPTIONAL_DIMS).items():
        values = getattr(net, name)
        if values is not None:
            variables[name] = (dims, values.copy(), {"units": "1"})
    tau = np.array(net.tau)
    variables["tau"] = (("neuron",) if tau.ndim else (), tau, {"units": "s"})
    variables["dt"] = ((), net.dt, {"units": "s"})
    if net.population is not None:
        variables["population"] = (("neuron",), net.population.copy())
    attrs = {"popdyn_class": "network.rate:Rate", "nonlinearity": net.nonlinearity}
    return xr.Dataset(variables, attrs=attrs)


def restored(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the fields of a network that `stored` made; older files lack the optional ones.

    Raises
    ------
    TensorError
        If a variable or the nonlinearity is missing.
    """
    wanted = (*DIMS, "tau", "dt")
    missing = [name for name in wanted if name not in dataset.data_vars]
    if missing or "nonlinearity" not in dataset.attrs:
        missing += [] if "nonlinearity" in dataset.attrs else ["attrs['nonlinearity']"]
        message = (
            f"expected a saved rate network, but {', '.join(missing)} is missing; "
            f"found the variables {', '.join(map(str, dataset.data_vars)) or '(none)'}"
        )
        raise TensorError(message)
    also = [name for name in (*OPTIONAL_DIMS, "population") if name in dataset.data_vars]
    values: dict[str, Any] = {name: dataset[name].to_numpy() for name in (*wanted, *also)}
    return values | {"nonlinearity": str(dataset.attrs["nonlinearity"])}
