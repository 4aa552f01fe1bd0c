"""Distances of several networks or sessions: the source is the unit of inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import stdtrit

from popdyn.analysis.trials import Array
from popdyn.errors import FitError, TensorError
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.tensor.result import make_result

_UNITS = {"network": "networks", "recording": "sessions"}
_LEVEL = 0.975


def pool_distances(
    results: Mapping[str, xr.Dataset], *, normalize: bool = True, n_draws: int = 1000, rng: Seed = 0
) -> xr.Dataset:
    """Average the mean distances of several networks or sessions, which are drawn again.

    Parameters
    ----------
    results : mapping of str to Dataset
        By source, from `popdyn.relative_distance` with the same stimuli.
    normalize : bool, default True
        Divide the distances of each source by the mean of their absolute values: sources differ in
        numbers of neurons and in units.
    n_draws : int, default 1000
        Bootstrap draws of sources.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Returns
    -------
    Dataset
        ``mean_distance (condition)``, the mean over sources; ``mean_distance_bound (bound,
        condition)``, 95 % from Student's t over sources; ``source_mean_distance (source,
        condition)``; ``draw_mean_distance (draw, condition)``, draws of sources, widened around
        their mean by ``sqrt(n / (n - 1))``, which makes their variance that of the mean.  The
        same of ``mean_axis_distance``, where all sources have it.
        Attribute ``unit_of_inference``: networks, sessions, or sources.

    Raises
    ------
    TensorError
        If stimuli, methods or units differ.
    FitError
        With fewer than two sources.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> def source(scale):
    ...     values = scale * np.arange(5.0) * np.ones((3, 4, 5))
    ...     stimulus = ("condition", 0.1 * np.arange(5))
    ...     x = xr.DataArray(
    ...         values, dims=("neuron", "time", "condition"), coords={"stimulus": stimulus}
    ...     )
    ...     return pdn.relative_distance(x, smooth=None, n_components=None, alignment="time")
    >>> pooled = pdn.pool_distances({"first": source(1.0), "second": source(7.0)})
    >>> print(pooled.mean_distance.values.round(3) + 0.0)
    [-1.667 -0.833  0.     0.833  1.667]
    """
    generator, seed = as_generator(rng)
    first = _check_same(results, normalize)
    n = len(results)
    drawn = np.stack([own.integers(0, n, n) for own in spawn(generator, n_draws)])
    variables: dict[str, Any] = {}
    for kind in ("mean_distance", "mean_axis_distance"):
        if all(kind in result for result in results.values()):
            values = np.stack([result[kind].to_numpy() for result in results.values()])
            variables |= _pooled(kind, values, drawn, normalize)
    result = make_result(
        variables,
        coords={name: coord for name, coord in first.coords.items() if coord.dims == ("condition",)}
        | {"source": np.array(list(results), dtype=np.str_)}
        | {"bound": BOUND, "draw": np.arange(n_draws)},
        method="relative_distance",
        parameters={"sources": list(results), "normalize": normalize, "n_draws": n_draws},
        seed=seed,
    )  # fmt: skip
    units = "1" if normalize else str(first["mean_distance"].attrs.get("units", "1"))
    for name in result.data_vars:
        result[name].attrs["units"] = units
    kinds = {str(own.attrs.get("source", "")) for own in results.values()}
    result.attrs |= {
        "distance_method": str(first.attrs.get("distance_method", "")),
        "reference": str(first.attrs.get("reference", "")),
        "unit_of_inference": _UNITS.get(kinds.pop(), "sources") if len(kinds) == 1 else "sources",
        "units": units,
    }
    return result


def _pooled(name: str, values: Array, drawn: NDArray[np.intp], normalize: bool) -> dict[str, Any]:
    """Mean over sources, bounds and draws of distances (source, condition)."""
    if normalize:
        values = values / np.nanmean(np.abs(values), axis=1, keepdims=True)
    n, mean = len(values), values.mean(axis=0)
    draws = mean + np.sqrt(n / (n - 1.0)) * (values[drawn].mean(axis=1) - mean)
    return {
        name: ("condition", mean),
        f"{name}_bound": (("bound", "condition"), _student_bounds(values)),
        f"source_{name}": (("source", "condition"), values),
        f"draw_{name}": (("draw", "condition"), draws),
    }


def _student_bounds(values: Array) -> Array:
    """95 % bounds of the mean over sources (source, condition)."""
    n = len(values)
    width = float(stdtrit(n - 1, _LEVEL)) * values.std(axis=0, ddof=1) / np.sqrt(n)
    mean = values.mean(axis=0)
    return np.stack([mean - width, mean + width])


def _check_same(results: Mapping[str, xr.Dataset], normalize: bool) -> xr.Dataset:
    """Refuse sources that cannot be averaged; give the first."""
    if len(results) < 2:
        message = (
            f"expected results of two or more sources, found {len(results)}: networks or sessions "
            "are the unit of inference, and one of them tells nothing about others"
        )
        raise FitError(message)
    names = list(results)
    first = results[names[0]]
    for name, result in results.items():
        if "mean_distance" not in result or "stimulus" not in result.coords:
            message = (
                f"{name!r} is no result of relative_distance with ordered conditions: it lacks "
                "mean_distance or stimulus"
            )
            raise TensorError(message)
        own, wanted = result["stimulus"].to_numpy(), first["stimulus"].to_numpy()
        if own.shape != wanted.shape or not np.allclose(own, wanted):
            message = (
                f"{name!r} has stimuli {', '.join(map(str, own))}, but {names[0]!r} has "
                f"{', '.join(map(str, wanted))}: select the conditions that all have"
            )
            raise TensorError(message)
        keys = ["distance_method", "reference"] + ([] if normalize else ["units"])
        differ = [key for key in keys if result.attrs.get(key) != first.attrs.get(key)]
        if differ:
            message = (
                f"{name!r} and {names[0]!r} differ in {', '.join(differ)}: measure all sources "
                "alike" + ("" if normalize else ", or say normalize=True")
            )
            raise TensorError(message)
    return first
