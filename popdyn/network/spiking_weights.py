"""From arrays by name to the fields of a spiking network."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from popdyn.errors import TensorError, warn
from popdyn.network.spiking_store import PARTS, RECURRENT, sparse_matrix

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
        If there are no recurrent weights, or sparse ones lack a part.
    """
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
            f"_target and _start; found {_listed(weights)}"
        )
        raise TensorError(message)
    _say_left_out([str(name) for name in weights if name not in known], names)
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


def _say_left_out(unknown: list[str], names: tuple[str, ...]) -> None:
    """Warn of arrays that are no field of the network."""
    if unknown:
        near = difflib.get_close_matches(unknown[0], names, n=1)
        guess = f"; did you mean {near[0]!r} by {unknown[0]!r}?" if near else ""
        warn(f"left out, as a spiking network has no such field: {_listed(unknown)}{guess}")


def _listed(names: Any) -> str:
    """Return the first names, and how many more there are."""
    known = [str(name) for name in names]
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return ", ".join(known[:8]) + more if known else "none"
