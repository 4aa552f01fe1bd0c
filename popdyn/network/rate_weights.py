"""From arrays by name to the fields of a rate network: our own names, and those of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from popdyn.errors import TensorError, warn
from popdyn.network.rate_fields import DIMS, OPTIONAL_DIMS
from popdyn.network.weight_names import listed, struct_hint, warn_left_out

_OWN = (*DIMS, "tau", "dt", "nonlinearity", *OPTIONAL_DIMS, "population")
_RECURRENT, _INPUT = "weight_hh_l0", "weight_ih_l0"
_GATES = {3: "a GRU (3 gates)", 4: "an LSTM (4 gates)"}


def fields_from_weights(
    weights: Mapping[str, Any],
    said: Mapping[str, Any],
    recurrent: str | None,
    readout: str | None,
) -> dict[str, Any]:
    """Return the fields of a network, as `Rate.from_weights` says.

    Parameters
    ----------
    weights : mapping of text to array
        Arrays by name.
    said : mapping
        ``dt``, ``tau``, ``nonlinearity``, as far as they were given; they win.
    recurrent, readout : str or None
        Names of the modules, where there are several.

    Returns
    -------
    dict
        Values by the names of their fields.

    Raises
    ------
    TensorError
        If the names are not understood, or do not make a network.
    """
    given: object = weights
    if not isinstance(given, Mapping):
        kind = type(weights).__name__
        message = f"weights must be arrays by name, as read_weights returns them; found {kind}"
        raise TensorError(message)
    if any(str(name).rpartition(".")[2] == _RECURRENT for name in weights):
        return _from_torch(weights, said, recurrent, readout)
    return _from_own(weights, said)


def _from_own(weights: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Take the fields by their own names."""
    missing = [name for name in DIMS if name not in weights and name != "bias"]
    if any(str(name).startswith("recurrent_fast") for name in weights):
        message = (
            "these are the weights of a spiking network (recurrent_fast): "
            "pdn.network.Spiking.from_weights reads them"
        )
        raise TensorError(message)
    if missing:
        message = (
            f"expected weights named {', '.join(DIMS)}, or a PyTorch state dict with one "
            f"{_RECURRENT}; {', '.join(missing)} is missing, found {listed(weights)}"
            f"{struct_hint(weights, missing[0])}"
        )
        raise TensorError(message)
    dims = DIMS | OPTIONAL_DIMS
    fields = {name: as_field(name, weights[name], dims) for name in _OWN if name in weights}
    warn_left_out("rate", [str(name) for name in weights if name not in _OWN], _OWN)
    if "tau" not in {*fields, *said}:
        warn(
            "these weights say no time constant: tau is taken as 0.1 s. Give it, "
            "Rate.from_weights(weights, tau=...)"
        )
    return fields | dict(said)


def as_field(name: str, values: Any, dims: Mapping[str, tuple[str, ...]]) -> Any:
    """Return a field in its own number of dims: MATLAB has no fewer than two."""
    if len(dims.get(name, ())) == 2:
        return values
    array = np.asarray(values)
    array = array.ravel() if array.ndim == 2 and 1 in array.shape else array
    if name == "nonlinearity":
        return str(array.ravel()[0]) if array.size == 1 else str(array)
    if array.size == 1 and name in ("tau", "dt"):
        return array.ravel()[0]
    return array


def _from_torch(
    weights: Mapping[str, Any],
    said: Mapping[str, Any],
    recurrent: str | None,
    readout: str | None,
) -> dict[str, Any]:
    """Take one layer of an ``nn.RNN``, and a linear readout."""
    prefix = _recurrent_prefix(weights, recurrent)
    matrix = np.asarray(weights[prefix + _RECURRENT])
    _refuse_other_kinds(weights, prefix, matrix)
    if "dt" not in said:
        message = (
            "an nn.RNN knows no seconds: give dt, the seconds of one of its steps, for instance "
            "Rate.from_weights(weights, dt=0.02)"
        )
        raise TensorError(message)
    if prefix + _INPUT not in weights:
        message = f"{prefix}{_INPUT} is missing; found {listed(weights)}"
        raise TensorError(message)
    n_neurons = matrix.shape[0]
    bias = np.zeros(n_neurons)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        bias = bias + np.asarray(weights.get(prefix + name, 0.0), dtype=np.float64)
    layer = _readout_prefix(weights, prefix, n_neurons, readout)
    fields: dict[str, Any] = {
        "recurrent": matrix,
        "input": weights[prefix + _INPUT],
        "output": weights[layer + "weight"],
        "bias": bias,
        "tau": said["dt"],
        "nonlinearity": "tanh",
    }
    if layer + "bias" in weights:
        fields["output_bias"] = np.atleast_1d(weights[layer + "bias"])
    return fields | dict(said)


def _recurrent_prefix(weights: Mapping[str, Any], name: str | None) -> str:
    """Return what stands before the names of the recurrent weights."""
    found = [str(key).removesuffix(_RECURRENT) for key in weights if _is(key, _RECURRENT)]
    if name is not None:
        found = [prefix for prefix in found if prefix.rstrip(".") == name]
    if len(found) != 1:
        known = [str(key) for key in weights if _is(key, _RECURRENT)]
        message = (
            f"expected one recurrent module{'' if name is None else f' named {name!r}'}, found "
            f"{', '.join(known)}: say which with recurrent={known[0].rpartition('.')[0]!r}"
        )
        raise TensorError(message)
    return found[0]


def _refuse_other_kinds(weights: Mapping[str, Any], prefix: str, matrix: Any) -> None:
    """Refuse gates, several layers and both directions."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        n_gates = matrix.shape[0] // matrix.shape[1] if matrix.ndim == 2 and matrix.size else 0
        kind = _GATES.get(n_gates, "no nn.RNN")
        message = (
            f"{prefix}{_RECURRENT} must be square, found shape {matrix.shape}: this looks like "
            f"{kind}; a rate network has no gates"
        )
        raise TensorError(message)
    for other, words in (("weight_hh_l1", "several layers"), (f"{_RECURRENT}_reverse", "both "
                                                              "directions")):  # fmt: skip
        if prefix + other in weights:
            message = f"{prefix}{other} says that the nn.RNN has {words}: a rate network has one"
            raise TensorError(message)


def _readout_prefix(
    weights: Mapping[str, Any], prefix: str, n_neurons: int, name: str | None
) -> str:
    """Return what stands before ``weight`` in the name of the linear readout."""
    found = [
        str(key).removesuffix("weight")
        for key in weights
        if _is(key, "weight") and np.ndim(weights[key]) == 2
        and np.shape(weights[key])[1] == n_neurons
    ]  # fmt: skip
    fitting = [layer for layer in found if name is None or layer.rstrip(".") == name]
    if len(fitting) != 1:
        wanted = "" if name is None else f" named {name!r}"
        choice = f": say which with readout={found[0].rstrip('.')!r}" if len(found) > 1 else ""
        message = (
            f"expected one linear readout{wanted} with weights (n_outputs, {n_neurons}) beside "
            f"{prefix}{_RECURRENT}, found {listed([f'{layer}weight' for layer in found])}{choice}"
        )
        raise TensorError(message)
    return fitting[0]


def _is(key: Any, name: str) -> bool:
    """Whether the last part of a dotted name is this one."""
    return str(key).rpartition(".")[2] == name
