"""What the functions for reduced networks are given: overlaps, inputs, states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.mixture import Mixture
from popdyn.dynamics.reduce import reduce
from popdyn.errors import TensorError
from popdyn.network.real_numbers import real_array

Array = NDArray[np.float64]

# Kinds of loadings that make the state, in the order of the coefficients.
STATE = ("m", "input", "bias", "initial")


def as_reduced(net: Any) -> xr.Dataset:
    """Return the overlaps of a network, or those given.

    Raises
    ------
    TensorError
        If it is neither.
    """
    if isinstance(net, xr.Dataset):
        if net.attrs.get("method") == "reduce":
            return net
        message = (
            "expected what pdn.dynamics.reduce returned, found a Dataset of method "
            f"{net.attrs.get('method', 'unknown')!r}"
        )
        raise TensorError(message)
    return reduce(net)


def mixture_of(reduced: xr.Dataset) -> Mixture:
    """Return the moments that a result of `popdyn.dynamics.reduce` holds."""
    columns = reduced["kind"].isin(STATE).to_numpy()
    readers = ~columns
    mean, moments = reduced["mean"].to_numpy(), reduced["covariance"].to_numpy()
    return Mixture(
        share=reduced["share"].to_numpy(),
        mean=mean[:, columns],
        read_mean=mean[:, readers],
        covariance=moments[:, columns][:, :, columns],
        overlap=moments[:, readers][:, :, columns],
        nonlinearity=str(reduced.attrs["nonlinearity"]),
    )


def count(reduced: xr.Dataset, kind: str) -> int:
    """Return how many loadings there are of a kind."""
    return int((reduced["kind"] == kind).sum())


def names_of(reduced: xr.Dataset, *kinds: str) -> list[str]:
    """Return the names of the loadings of some kinds, latents as ``"latent 1"``."""
    chosen = reduced["loading"].to_numpy()[reduced["kind"].isin(kinds).to_numpy()]
    return [str(name).replace("m ", "latent ") for name in chosen]


def coefficients_of(reduced: xr.Dataset, latents: Array, inputs: Array) -> Array:
    """Return what the loadings that make the state are multiplied with, at the end of time.

    The bias counts fully, and nothing is left of the first state.

    Parameters
    ----------
    reduced : Dataset
        From `reduce`.
    latents : ndarray, shape (..., n_ranks)
    inputs : ndarray, shape (n_inputs,) or (..., n_inputs)
        Filtered inputs.
    """
    shape = latents.shape[:-1]
    rest = [np.ones((*shape, 1)), np.zeros((*shape, count(reduced, "initial")))]
    v = np.broadcast_to(inputs, (*shape, inputs.shape[-1]))
    return np.concatenate([latents, v, *rest], axis=-1)


def conditions_of(inputs: Any, n_inputs: int) -> tuple[list[str], Array]:
    """Return names and filtered inputs ``(condition, input)``.

    Raises
    ------
    TensorError
        If an input is missing, or there is one too many.
    """
    if inputs is None:
        return ["no input"], np.zeros((1, n_inputs))
    named = inputs if isinstance(inputs, Mapping) else {"input": inputs}
    values = [real_array(f"inputs of {name!r}", value) for name, value in named.items()]
    for name, value in zip(named, values, strict=True):
        if value.shape != (n_inputs,) or not np.isfinite(value).all():
            message = (
                f"inputs of a condition must be {n_inputs} finite numbers, one for each channel; "
                f"found shape {value.shape} for {name!r}"
            )
            raise TensorError(message)
    if not values:
        message = "inputs must name at least one condition, found none"
        raise TensorError(message)
    return [str(name) for name in named], np.stack(values)


def latent_bounds(reduced: xr.Dataset) -> Array:
    """Return how large each latent of a fixed point can be: the mean size of `n`, for rates to 1.

    For rates without a bound this is where fixed points are looked for, nothing more.
    """
    of_n = (reduced["kind"] == "n").to_numpy()
    mean = reduced["mean"].to_numpy()[:, of_n]
    variance = np.diagonal(reduced["covariance"].to_numpy(), axis1=1, axis2=2)[:, of_n]
    size = reduced["share"].to_numpy() @ np.sqrt(variance + mean**2)
    bounded = reduced.attrs["nonlinearity"] in ("tanh", "sigmoid", "erf")
    return np.asarray(np.maximum(size, 1e-6) * (1.0 if bounded else 10.0))
