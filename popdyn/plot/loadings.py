"""Draw the loadings of a low-rank network, neuron by neuron, colored by population."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import add_legend, axis_label, condition_colors, new_axes

_SQUARE = (3.4, 2.8)
_MARKER_SIZE = 6.0
# Neurons beyond which points are drawn fainter.
_MANY = 500


def loadings(
    net: Any,
    x: str = "m 1",
    y: str = "n 1",
    *,
    populations: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one loading of each neuron against another.

    The slope of a population's cloud is its overlap over the variance: what the population adds
    to the effective circuit.

    Parameters
    ----------
    net : LowRank, or Dataset
        The network; its ``to_dataset()``.
    x, y : str
        Loadings: ``"m 1"``, ``"n 2"``, ``"input 1"``, ``"output 1"`` or ``"bias"``, counted from 1.
    populations : array, shape (n_neurons,), optional
        Population of each neuron; by default those of the network.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes

    Raises
    ------
    TensorError
        If there are no such loadings, or not one population for each neuron.

    Examples
    --------
    >>> import popdyn as pdn
    >>> pdn.plot.loadings(pdn.network.LowRank.random(200), "m 1", "input 1").get_ylabel()
    'input 1 (dimensionless)'
    """
    weights = drawable(net, "loadings", "m", "n", "input", "output")
    values = [_loading(weights, name) for name in (x, y)]
    groups = _groups(weights, populations, len(values[0]))
    ax = new_axes(ax, figure_size=_SQUARE)
    names = sorted(set(groups.tolist()))
    colors = condition_colors(names)
    alpha = 0.7 if len(groups) <= _MANY else 0.3
    for name in names:
        part = groups == name
        ax.scatter(
            values[0][part], values[1][part], s=_MARKER_SIZE, color=colors[name], alpha=alpha,
            linewidths=0, label=name if len(names) > 1 else None,
        )  # fmt: skip
    ax.set_xlabel(axis_label(x, "1"))
    ax.set_ylabel(axis_label(y, "1"))
    add_legend(ax, "population" if len(names) > 1 else None)
    return ax


def _loading(weights: xr.Dataset, name: str) -> NDArray[Any]:
    """Return a loading of each neuron.

    Raises
    ------
    TensorError
        If there is none of this name.
    """
    columns: dict[str, NDArray[Any]] = {
        f"{kind} {1 + number}": column
        for kind in ("m", "n", "input", "output")
        for number, column in enumerate(weights[kind].transpose(..., "neuron").to_numpy())
    }
    columns["bias"] = weights["bias"].to_numpy()
    if name not in columns:
        message = f"the network has the loadings {', '.join(columns)}; found {name!r}"
        raise TensorError(message)
    return columns[name]


def _groups(weights: xr.Dataset, populations: Any, n_neurons: int) -> NDArray[Any]:
    """Return the population of each neuron as text."""
    given = weights.get("population") if populations is None else populations
    groups = np.full(n_neurons, "all") if given is None else np.asarray(given).astype(str)
    if groups.shape != (n_neurons,):
        message = (
            f"populations must be one for each of the {n_neurons} neurons, found shape "
            f"{groups.shape}"
        )
        raise TensorError(message)
    return groups
