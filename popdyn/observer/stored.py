"""Observers as results, and back: what is saved, shown and placed in trees."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import xarray as xr

from popdyn.errors import TensorError
from popdyn.observer.kind import Kind
from popdyn.resample import BOUND
from popdyn.tensor.result import make_result

_Kind = TypeVar("_Kind")


def observer_dataset(kind: Kind) -> xr.Dataset:
    """Return the result of a fitted observer, or the arguments alone of another."""
    if hasattr(kind.observer, "result_"):
        fitted: xr.Dataset = kind.observer.result_
        return fitted
    parameters = kind.observer.get_params(deep=False)
    result = make_result({}, coords={"bound": BOUND}, method=kind.method, parameters=parameters)
    return result.assign_attrs(popdyn_class=kind.place)


def observer_from(kind: Callable[..., _Kind], dataset: xr.Dataset, method: str) -> _Kind:
    """Make the observer that a result came from.

    Raises
    ------
    TensorError
        If it is a result of another method.
    """
    found = dataset.attrs.get("method", "none")
    if found != method:
        message = f"expected a result of method {method!r}, found method {found!r}"
        raise TensorError(message)
    observer = kind(**json.loads(str(dataset.attrs["parameters"])))
    if "value" in dataset:
        restored: Any = observer
        restored.result_ = dataset
        restored.parameters_ = dataset["value"]
    return observer
