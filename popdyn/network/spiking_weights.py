"""From arrays by name to the fields of a spiking network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from popdyn.errors import TensorError
from popdyn.network.spiking_store import PARTS, RECURRENT, sparse_matrix
from popdyn.network.weight_names import (
    listed,
    refuse_unknown_fields,
    struct_hint,
    warn_left_out,
)

_MATRICES = (*RECURRENT, "input", "output_fast", "output_slow", "feedback")


def spiking_fields(
    weights: Mapping[str, Any], names: tuple[str, ...], said: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a network, as `Spiking.from_weights` says.

    Parameters
    ----------
    weights : mapping of text to array
        Arrays by name.
    names : tuple of text
        The fields there are.
    said : mapping
        Fields that were given; they win.

    Returns
    -------
    dict
        Values by the names of their fields.

    Raises
    ------
    TensorError
        If there are no recurrent weights, sparse ones lack a part, or a keyword is no field.
    """
    refuse_unknown_fields("spiking", said, names)
    given: object = weights
    if not isinstance(given, Mapping):
        kind = type(weights).__name__
        message = f"weights must be arrays by name, as read_weights returns them; found {kind}"
        raise TensorError(message)
    fields: dict[str, Any] = {
        name: _as_field(name, weights[name]) for name in names if name in weights
    }
    known = set(names)
    for name in RECURRENT:
        parts = {part: f"{name}_{part}" for part in PARTS}
        if parts["weight"] in weights and name not in said:
            fields[name] = _sparse(name, weights, parts)
        known |= set(parts.values())
    fields |= dict(said)
    if "recurrent_fast" not in fields:
        message = (
            "expected weights named recurrent_fast, or its sparse parts recurrent_fast_weight, "
            f"_target and _start; found {listed(weights)}"
            + (
                struct_hint(weights, "recurrent_fast")
                or struct_hint(weights, "recurrent_fast_weight")
            )
        )
        raise TensorError(message)
    warn_left_out("spiking", [str(name) for name in weights if name not in known], names)
    return fields


def _as_field(name: str, values: Any) -> Any:
    """Return a field in its own number of dims: MATLAB has no fewer than two."""
    array = np.asarray(values)
    if name in _MATRICES:
        return values
    if name == "unit":
        return str(array.ravel()[0]) if array.size == 1 else str(array)
    if array.size == 1 and name != "population":
        return array.ravel()[0]
    return array.ravel() if array.ndim == 2 and 1 in array.shape else array


def _sparse(name: str, weights: Mapping[str, Any], parts: Mapping[str, str]) -> Any:
    """Put sparse weights together."""
    missing = [part for part in parts.values() if part not in weights]
    if missing:
        message = (
            f"sparse weights are three arrays, {', '.join(parts.values())}: "
            f"{', '.join(missing)} is missing"
        )
        raise TensorError(message)
    return sparse_matrix(name, *(np.asarray(weights[part]).ravel() for part in parts.values()))
