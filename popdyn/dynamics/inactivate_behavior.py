"""Answers of a network with and without its parts, on the same trials, and what changed in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.behavior.interval import draw_bounds
from popdyn.dynamics.inactivate_agreement import check_inactivation
from popdyn.errors import TensorError

Array = NDArray[np.float64]

_ANSWERS = ("choice", "response", "correct")


def answers_by_source(result: Any, *needed: str) -> tuple[list[str], list[xr.Dataset]]:
    """Return names of inactivations, and trials with their answers: of the control, of each.

    Raises
    ------
    TensorError
        If it is no result of inactivations, or an answer is lacking.
    """
    check_inactivation("result", result)
    there = [name for name in _ANSWERS if name in result]
    if lacking := [name for name in needed if name not in there]:
        message = (
            f"these trials have no {lacking[0]}, only {', '.join(there) or 'rates'}: their task "
            "says nothing of it"
        )
        raise TensorError(message)
    columns = {name: each for name, each in result.coords.items() if each.dims == ("trial",)}
    several = result if "inactivation" in result.dims else result.expand_dims("inactivation")
    parts = [several.isel(inactivation=i) for i in range(several.sizes["inactivation"])]
    answers = [{name: result[f"control_{name}"].variable for name in there}]
    answers += [{name: part[name].variable for name in there} for part in parts]
    names = [str(name) for name in several["inactivation"].values]
    return names, [xr.Dataset(coords={**columns, **each}) for each in answers]


def with_control(name: str, values: Array, *dims: str) -> dict[str, Any]:
    """Part values of the control, the first, from those of inactivations."""
    return {f"control_{name}": (dims, values[0]), name: (("inactivation", *dims), values[1:])}


def with_changes(name: str, draws: Array, *dims: str) -> dict[str, Any]:
    """Return values, what changed in them, and bounds, of draws (source, ..., draw)."""
    variables: dict[str, Any] = {}
    for each, (own, values) in with_control(name, draws, *dims).items():
        variables[each] = (own, values[..., 0])
        ends = draw_bounds(np.moveaxis(values[..., 1:], -1, 0))
        variables[f"{each}_bound"] = (("bound", *own), ends)
    change = np.moveaxis(draws[1:] - draws[:1], -1, 0)
    away = change[1:] - change[0]
    # As far down as up: draws of slopes from few trials lean to one side, and the truth does not.
    ends = change[0] + draw_bounds(np.concatenate([away, -away]))
    variables[f"{name}_change"] = (("inactivation", *dims), change[0])
    variables[f"{name}_change_bound"] = (("bound", "inactivation", *dims), ends)
    return variables
