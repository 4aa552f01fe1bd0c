"""Loadings as a test of selectivity wants them: a vector for each neuron, and its errors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.network.low_rank import LowRank
from popdyn.network.real_numbers import real_array

Array = NDArray[np.float64]

_FEW = 30
_LARGE = 2.0
_DIMS = ("neuron", "feature")
# Of populations, TDR, DPCA and PCA.
_LOADINGS = ("loading_value", "raw_axes", "decoder", "loading")


class Loadings(NamedTuple):
    """Vectors of neurons.

    Attributes
    ----------
    source : DataArray
        All neurons (neuron, feature), with their columns.
    values, error : ndarray, shape (neuron, feature)
        Of those that have a direction; `error` may be None.
    known : ndarray of bool
        Which have.
    n_duplicates : int
        Neurons whose vector another one has, too.
    """

    source: xr.DataArray
    values: Array
    error: Array | None
    known: NDArray[np.bool_]
    n_duplicates: int


def loadings_of(loadings: Any, standard_error: Any = None) -> Loadings:
    """Read vectors, and say which neurons take no part.

    Parameters
    ----------
    loadings : ndarray, DataArray or Dataset
        As for `popdyn.selectivity_test`.
    standard_error : ndarray or DataArray, optional
        Of the same shape.

    Returns
    -------
    Loadings

    Raises
    ------
    TensorError
        If there is no vector for each neuron, if it has one feature only, if neurons are too few,
        or errors do not belong to them.
    """
    if isinstance(loadings, LowRank):
        message = (
            "expected loadings (neuron, feature), found a LowRank network: give a result of "
            "dynamics.populations, or its columns, np.column_stack([net.m, net.n, net.input])"
        )
        raise TensorError(message)
    if callable(getattr(loadings, "to_dataset", None)) and not isinstance(loadings, xr.DataArray):
        loadings = loadings.to_dataset()
    if isinstance(loadings, xr.Dataset):
        loadings, own = _of_result(loadings)
        standard_error = own if standard_error is None else standard_error
    source = _matrix(loadings, "loadings")
    values = source.to_numpy()
    error = None if standard_error is None else _errors(standard_error, source)
    known = np.isfinite(values).all(axis=1)
    _say_left_out(source, ~known, "are NaN or infinite")
    if error is not None:
        without = known & ~np.isfinite(error).all(axis=1)
        _say_left_out(source, without, "have a NaN as standard error")
        known &= ~without
    zero = known & ~values.any(axis=1)
    _say_left_out(source, zero, "are zero in all features and have no direction")
    known &= ~zero
    kept = values[known]
    _check_size(kept.shape[0], kept.shape[1], len(known))
    if error is not None and (_rms(error[known]) > _LARGE * kept.std(axis=0)).all():
        warn(
            "standard errors are more than twice as large as the loadings vary, in every feature: "
            "are they of these loadings, in the same unit?"
        )
    count = np.unique(kept, axis=0, return_counts=True)[1]
    n_duplicates = int(count[count > 1].sum())
    if n_duplicates:
        warn(
            f"{n_duplicates} of {len(kept)} neurons have exactly the loadings of another one, "
            "which looks like a cluster: neurons that are there twice, or that fire so few spikes "
            "that coefficients repeat, are to be left out"
        )
    if len(kept) < _FEW:
        warn(
            f"{len(kept)} neurons tell little about clusters: with fewer than {_FEW} only "
            "extreme ones are seen"
        )
    return Loadings(source, kept, None if error is None else error[known], known, n_duplicates)


def _rms(values: Array) -> Array:
    """Root mean square over neurons."""
    return np.asarray(np.sqrt((values**2).mean(axis=0)))


def _check_size(n_neurons: int, n_features: int, n_given: int) -> None:
    """Refuse a single feature, and too few neurons."""
    if n_features < 2:
        message = (
            f"expected two features or more, found {n_features}: vectors of one feature point one "
            "way or the other, and angles say nothing"
        )
        raise TensorError(message)
    if n_neurons < n_features + 2:
        fix = "is it (neuron, feature)? Take the main components of many features"
        if n_given >= n_features + 2:
            fix = f"those of the other {n_given - n_neurons} are NaN or 0"
        message = (
            f"{n_features} features need at least {n_features + 2} neurons with loadings, found "
            f"{n_neurons}: {fix}"
        )
        raise TensorError(message)


def _of_result(result: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Take loadings, and errors where there are any, out of a result."""
    if "coefficient" in result and "regressor" in result["coefficient"].dims:
        slopes = [name for name in result["regressor"].to_numpy() if name != "intercept"]
        chosen = result.sel(regressor=slopes)
        return chosen["coefficient"], chosen.get("standard_error")
    for name in _LOADINGS:
        if name in result:
            return result[name], None
    names = list(map(str, result.data_vars))
    message = (
        "expected loadings (neuron, feature), or a result of encoding, PCA, TDR, DPCA or "
        f"dynamics.populations; found a Dataset with {', '.join(names[:5]) or 'nothing'}"
        f"{', ...' if len(names) > 5 else ''}: give the variable that holds the loadings"
    )
    raise TensorError(message)


def _matrix(x: Any, name: str) -> xr.DataArray:
    """Turn loadings to (neuron, feature)."""
    if isinstance(x, pd.DataFrame):
        named = {"neuron": x.index.to_numpy(), "feature": x.columns.to_numpy()}
        x = xr.DataArray(x.to_numpy(), dims=_DIMS, coords=named)
    if not isinstance(x, xr.DataArray):
        masked = isinstance(x, np.ma.MaskedArray)
        values = real_array(name, x.astype(float).filled(np.nan) if masked else x)
        if values.ndim != 2:
            message = f"{name} must be (neuron, feature), found {values.ndim} dimensions"
            raise TensorError(message)
        return xr.DataArray(values, dims=_DIMS, coords={"neuron": np.arange(len(values))})
    x = x.squeeze([dim for dim, size in x.sizes.items() if size == 1 and dim == "time"])
    others = [str(dim) for dim in x.dims if dim != "neuron"]
    if "neuron" not in x.dims or len(others) != 1:
        found = ", ".join(f"{dim} {size}" for dim, size in x.sizes.items()) or "a single number"
        message = f"{name} need the dimension neuron and one other, found {found}" + (
            ": choose one time, .sel(time=0.3, method='nearest')" if "time" in others else ""
        )
        raise TensorError(message)
    turned = x.transpose("neuron", ...).rename({others[0]: "feature"})
    if "feature" in turned.coords:
        turned = turned.isel(feature=turned["feature"].to_numpy() != "intercept")
    if "neuron" not in turned.coords:
        turned = turned.assign_coords(neuron=np.arange(turned.sizes["neuron"]))
    matrix: xr.DataArray = turned.copy(data=real_array(name, turned.to_numpy()))
    return matrix


def _errors(standard_error: Any, source: xr.DataArray) -> Array:
    """Return standard errors of the loadings, in their order."""
    errors = _matrix(standard_error, "standard_error")
    if errors.shape != source.shape:
        message = (
            f"standard_error must have the shape of the loadings {source.shape}, "
            f"found {errors.shape}"
        )
        raise TensorError(message)
    if isinstance(standard_error, xr.DataArray | pd.DataFrame):
        errors = _aligned(errors, source)
    values = errors.to_numpy()
    if (values < 0).any():
        message = f"standard_error must be at least 0, found {values[values < 0][0]:g}"
        raise TensorError(message)
    return values


def _aligned(errors: xr.DataArray, source: xr.DataArray) -> xr.DataArray:
    """Bring errors into the order of the loadings, by neuron and feature."""
    for dim in _DIMS:
        if dim in source.coords and dim in errors.coords:
            missing = ~np.isin(source[dim].to_numpy(), errors[dim].to_numpy())
            if missing.any():
                first = source[dim].to_numpy()[missing][0]
                message = f"standard_error has no {dim} {first}, which the loadings have"
                raise TensorError(message)
            errors = errors.sel({dim: source[dim].to_numpy()})
    return errors


def _say_left_out(source: xr.DataArray, which: NDArray[np.bool_], why: str) -> None:
    """Warn of neurons that take no part."""
    if which.any():
        names = [str(name) for name in source["neuron"].to_numpy()[which]]
        warn(
            f"{which.sum()} of {which.size} neurons {why}, left out: "
            f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        )
