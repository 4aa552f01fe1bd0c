"""A rate network as a Dataset and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.network.rate_fields import DIMS, OPTIONAL_DIMS

if TYPE_CHECKING:
    from popdyn.network.low_rank import LowRank
    from popdyn.network.rate import Rate


def stored(net: Rate) -> xr.Dataset:
    """Return a variable per field, as `Rate.to_dataset` says."""
    return dataset_of(net, DIMS | OPTIONAL_DIMS, "network.rate:Rate")


def restored(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the fields of a network that `stored` made; older files lack the optional ones.

    Raises
    ------
    TensorError
        If a variable or the nonlinearity is missing.
    """
    return fields_of(dataset, DIMS, OPTIONAL_DIMS, "rate")


def dataset_of(net: Rate | LowRank, dims: Mapping[str, tuple[str, ...]], place: str) -> xr.Dataset:
    """Return a variable per field; `place` says which class reads it."""
    variables: dict[str, Any] = {}
    for name, names in dims.items():
        values = getattr(net, name)
        if values is not None:
            variables[name] = (names, values.copy(), {"units": "1"})
    tau = np.array(net.tau)
    variables["tau"] = (("neuron",) if tau.ndim else (), tau, {"units": "s"})
    variables["dt"] = ((), net.dt, {"units": "s"})
    if net.population is not None:
        variables["population"] = (("neuron",), net.population.copy())
    return xr.Dataset(variables, attrs={"popdyn_class": place, "nonlinearity": net.nonlinearity})


def fields_of(
    dataset: xr.Dataset, names: Iterable[str], optional: Iterable[str], kind: str
) -> dict[str, Any]:
    """Return the fields of a network that `dataset_of` made.

    Raises
    ------
    TensorError
        If one that is not optional is missing, or the nonlinearity.
    """
    wanted = (*names, "tau", "dt")
    missing = [name for name in wanted if name not in dataset.data_vars]
    if missing or "nonlinearity" not in dataset.attrs:
        missing += [] if "nonlinearity" in dataset.attrs else ["attrs['nonlinearity']"]
        message = (
            f"expected a saved {kind} network, but {', '.join(missing)} is missing; "
            f"found the variables {', '.join(map(str, dataset.data_vars)) or '(none)'}"
        )
        raise TensorError(message)
    also = [name for name in (*optional, "population") if name in dataset.data_vars]
    values: dict[str, Any] = {name: dataset[name].to_numpy() for name in (*wanted, *also)}
    return values | {"nonlinearity": str(dataset.attrs["nonlinearity"])}
