"""How the latents of a low-rank network move, at each point of their plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.mean_field import mean_field
from popdyn.dynamics.reduce import loadings_of
from popdyn.dynamics.reduced_form import (
    STATE,
    as_reduced,
    coefficients_of,
    conditions_of,
    count,
    latent_bounds,
    mixture_of,
    names_of,
)
from popdyn.errors import TensorError
from popdyn.network.low_rank import LowRank
from popdyn.network.random_arguments import check_sizes
from popdyn.network.real_numbers import real_array
from popdyn.simulation.steps import ACTIVATIONS
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

# Rates of all neurons at some points that are held at once.
_AT_ONCE = 2**22


def flow(
    net: LowRank | xr.Dataset,
    inputs: Any = None,
    *,
    extent: float | None = None,
    n_points: int = 21,
    latents: tuple[int, int] = (0, 1),
    at: Any = None,
) -> xr.Dataset:
    """Return the velocity of the latents on a grid, under constant inputs.

    Beside the velocity of the reduced network, made of the overlaps of its populations, stands
    that of the network itself at the states ``m k + input u + bias``: where the two differ, the
    loadings of its populations are not Gaussian, or too few.

    Parameters
    ----------
    net : LowRank or Dataset
        The network, or what `reduce` made of it, which gives the reduced velocity alone.
    inputs : array, shape (n_inputs,), optional
        Constant inputs; 0 by default.
    extent : float, optional
        The grid reaches from minus to plus this; by default a fifth beyond the farthest fixed
        point.
    n_points : int
        Points of the grid along each axis.
    latents : (int, int)
        Which latents the plane is spanned by, counted from 0; with one latent the grid is a line.
    at : array, shape (n_ranks,), optional
        Values of the other latents; 0 by default.

    Returns
    -------
    xarray.Dataset
        ``velocity (component, second, first)`` of the reduced network and ``network_velocity``,
        if the network was given, in 1/s; the dims are ``(component, first)`` for one latent.
        ``fixed_latent (fixed_point, component)`` and ``stable (fixed_point)``, those of
        `mean_field` under the same inputs (with more than two latents those of all of these);
        ``component`` holds the latents of the plane.

    Raises
    ------
    TensorError
        If there are no such latents, or an argument does not fit the network.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(500, n_ranks=2)
    >>> pdn.dynamics.flow(net, n_points=11)["velocity"].shape
    (2, 11, 11)
    """
    reduced = as_reduced(net)
    check_sizes({"n_points": n_points})
    n_ranks = count(reduced, "m")
    axes = _axes(latents, n_ranks)
    _, (u,) = conditions_of(inputs, count(reduced, "input"))
    points = mean_field(reduced, u)
    reach = _reach(reduced, points, axes) if extent is None else _extent(extent)
    line = np.linspace(-reach, reach, n_points)
    grid = np.tile(_others(at, n_ranks), (*(n_points,) * len(axes), 1))
    for axis, values in zip(axes, np.meshgrid(*[line] * len(axes)), strict=True):
        grid[..., axis] = values
    coefficients = coefficients_of(reduced, grid, u)
    tau = float(reduced.attrs["tau"])
    heard = {"velocity": mixture_of(reduced).read(coefficients)}
    if isinstance(net, LowRank):
        heard["network_velocity"] = heard_by_network(net, coefficients)
    dims = ("component", "second", "first")[:: 1 if len(axes) == 2 else 2]
    variables: dict[str, Any] = {
        name: (dims, np.moveaxis((values[..., :n_ranks] - grid)[..., axes] / tau, -1, 0),
               {"units": "1/s"})
        for name, values in heard.items()
    }  # fmt: skip
    variables["fixed_latent"] = (("fixed_point", "component"), points["latent"].to_numpy()[:, axes])
    variables["stable"] = ("fixed_point", points["stable"].to_numpy())
    names = np.array(names_of(reduced, "m"))
    return make_result(
        variables,
        coords={"component": names[axes], **dict.fromkeys(dims[1:], line)},
        method="flow",
        parameters={"inputs": u, "latents": axes, "extent": reach, "n_points": n_points},
        source=reduced,
    )


def heard_by_network(net: LowRank, coefficients: Array) -> Array:
    """Return the means over the neurons of a network of readers times rates ``(..., reader)``."""
    loadings = loadings_of(net)
    columns = np.column_stack([loadings[kind] for kind in STATE if kind in loadings])
    readers = np.column_stack([loadings["n"], loadings["output"]]) / net.n_neurons
    flat = coefficients.reshape(-1, coefficients.shape[-1])
    at_once = max(1, _AT_ONCE // net.n_neurons)
    heard = [
        ACTIVATIONS[net.nonlinearity](flat[first : first + at_once] @ columns.T) @ readers
        for first in range(0, len(flat), at_once)
    ]
    return np.concatenate(heard).reshape(*coefficients.shape[:-1], -1)


def _axes(latents: Any, n_ranks: int) -> list[int]:
    """Return which latents the grid is of."""
    if n_ranks == 1:
        # The default does for a line too.
        if tuple(latents) not in ((0,), (0, 1)):
            message = f"the network has one latent, number 0: leave latents out; found {latents}"
            raise TensorError(message)
        return [0]
    axes = [value for value in latents if isinstance(value, (int, np.integer))]
    if len(axes) != 2 or len(set(axes)) != 2 or not all(0 <= axis < n_ranks for axis in axes):
        message = (
            f"latents must be two different ones of the {n_ranks}, counted from 0; found {latents}"
        )
        raise TensorError(message)
    return [int(axis) for axis in axes]


def _reach(reduced: xr.Dataset, points: xr.Dataset, axes: list[int]) -> float:
    """Return how far the grid goes: beyond the fixed points, if there are others than 0."""
    farthest = float(np.abs(points["latent"].to_numpy()[:, axes]).max(initial=0.0))
    bound = float(latent_bounds(reduced).max())
    return 1.2 * farthest if farthest > 0.05 * bound else bound


def _extent(extent: Any) -> float:
    """Return how far the grid goes, as it was given."""
    value = real_array("extent", extent)
    if value.shape != () or not value > 0 or not np.isfinite(value):
        message = f"extent must be a positive number, found {extent!r:.60}"
        raise TensorError(message)
    return float(value)


def _others(at: Any, n_ranks: int) -> Array:
    """Return the values of the latents that are not on the grid."""
    value = np.zeros(n_ranks) if at is None else real_array("at", at)
    if value.shape != (n_ranks,) or not np.isfinite(value).all():
        message = f"at must be {n_ranks} finite numbers, one for each latent; found {at!r:.60}"
        raise TensorError(message)
    return value
