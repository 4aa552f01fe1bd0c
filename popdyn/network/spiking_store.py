"""A spiking network as a Dataset and back, recurrent weights dense or sparse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from popdyn.errors import TensorError
from popdyn.network.spiking_fields import Matrix

if TYPE_CHECKING:
    from popdyn.network.spiking import Spiking

RECURRENT = ("recurrent_fast", "recurrent_slow")
# Of sparse weights.
PARTS = ("weight", "target", "start")
# Of weights that are a product, see `popdyn.network.compact`.
LEFT, RIGHT, COLUMN = "recurrent_left", "recurrent_right", "_column"
_DIMS = {
    "input": ("neuron", "channel"),
    "output_fast": ("readout", "neuron"),
    "output_slow": ("readout", "neuron"),
    "feedback": ("neuron", "readout"),
}
_SECONDS = ("tau_membrane", "refractory", "delay", "tau_fast", "tau_slow", "dt")
_SQUARE = 128
_CONSTANTS = (*_SECONDS, "bias", "threshold", "reset", "rest")


def stored(net: Spiking) -> xr.Dataset:
    """Return a variable per field, as `Spiking.to_dataset` says."""
    variables: dict[str, Any] = {}
    for name in RECURRENT:
        matrix = getattr(net, name)
        variables |= {} if matrix is None else _stored_matrix(name, matrix, net.unit)
    for name, dims in _DIMS.items():
        values = getattr(net, name)
        units = "1" if name.startswith("output") else net.unit
        if values is not None:
            variables[name] = (dims, values.copy(), {"units": units})
    for name in _CONSTANTS:
        values = np.array(getattr(net, name))
        each = ("neuron",) if values.ndim else ()
        variables[name] = (each, values, {"units": "s" if name in _SECONDS else net.unit})
    if net.population is not None:
        variables["population"] = (("neuron",), net.population.copy())
    attrs = {"popdyn_class": "network.spiking:Spiking", "unit": net.unit}
    return xr.Dataset(variables, attrs=attrs)


def restored(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the fields of a network that `stored` made.

    Raises
    ------
    TensorError
        If a variable or the unit is missing.
    """
    found = set(map(str, dataset.data_vars))
    wanted = ("input", "output_fast", "output_slow", *_CONSTANTS)
    missing = [name for name in wanted if name not in found]
    if not {"recurrent_fast", "recurrent_fast_weight", f"recurrent_fast{COLUMN}"} & found:
        missing.append("recurrent_fast")
    missing += [] if "unit" in dataset.attrs else ["attrs['unit']"]
    if missing:
        message = (
            f"expected a saved spiking network, but {', '.join(missing)} is missing; found the "
            f"variables {', '.join(sorted(found)) or '(none)'}"
        )
        raise TensorError(message)
    plain = {*RECURRENT, *_DIMS, *_CONSTANTS, "population"} & found
    values: dict[str, Any] = {name: dataset[name].to_numpy() for name in plain}
    values |= {
        name: sparse_matrix(name, *(dataset[f"{name}_{part}"].to_numpy() for part in PARTS))
        for name in RECURRENT
        if f"{name}_weight" in found
    }
    of_product = [name for name in RECURRENT if f"{name}{COLUMN}" in found]
    if of_product:
        product = _product(dataset[LEFT].to_numpy(), dataset[RIGHT].to_numpy())
        values |= {name: product[:, dataset[name + COLUMN].to_numpy()] for name in of_product}
    return values | {"unit": str(dataset.attrs["unit"])}


def _product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
    """Multiply two thin matrices in a fixed order, so that every machine gets the same bits."""
    product = np.zeros((left.shape[0], right.shape[1]))
    for column, row in zip(left.T.astype(np.float64), right.astype(np.float64), strict=True):
        product += np.multiply.outer(column, row)
    return product


def _by_receiver(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Copy weights that lie by sender into rows by receiver, in squares that fit the cache."""
    rows = np.empty(matrix.shape)
    for first in range(0, len(matrix), _SQUARE):
        for second in range(0, len(matrix), _SQUARE):
            square = (slice(first, first + _SQUARE), slice(second, second + _SQUARE))
            rows[square] = matrix[square]
    return rows


def _stored_matrix(name: str, matrix: Matrix, unit: str) -> dict[str, Any]:
    """Return recurrent weights as variables."""
    if not sparse.issparse(matrix):
        return {name: (("neuron", "presynaptic"), _by_receiver(matrix), {"units": unit})}
    synapse = f"{name}_synapse"
    return {
        f"{name}_weight": ((synapse,), matrix.data.copy(), {"units": unit}),
        f"{name}_target": ((synapse,), matrix.indices.astype(np.int64)),
        f"{name}_start": (("presynaptic_edge",), matrix.indptr.astype(np.int64)),
    }


def sparse_matrix(
    name: str, weight: NDArray[Any], target: NDArray[Any], start: NDArray[Any]
) -> Matrix:
    """Put sparse weights together, by sender.

    Parameters
    ----------
    name : str
        Of the weights.
    weight, target : ndarray, shape (synapse,)
        Weight, and position of the receiving neuron.
    start : ndarray, shape (n_neurons + 1,)
        Where each sender's synapses begin, and the last ones end.

    Returns
    -------
    scipy.sparse.csc_array, shape (n_neurons, n_neurons)

    Raises
    ------
    TensorError
        If the parts do not fit each other.
    """
    n_neurons = start.size - 1
    fits = (
        n_neurons > 0
        and weight.size == target.size == start[-1]
        and start[0] == 0
        and bool((np.diff(start) >= 0).all())
        and bool(((target >= 0) & (target < n_neurons)).all())
    )
    if not fits:
        message = (
            f"the parts of {name} do not fit each other: expected as many targets below "
            f"{n_neurons} (neurons) as weights ({weight.size}), and starts that rise from 0 to "
            "that number"
        )
        raise TensorError(message)
    parts = (weight, target.astype(np.int64), start.astype(np.int64))
    return sparse.csc_array(parts, shape=(n_neurons, n_neurons))
