"""From arrays by name to the fields of a low-rank network: our names, and two of PyTorch codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.network.low_rank_fields import DIMS, OPTIONAL_DIMS
from popdyn.network.rate_weights import as_field
from popdyn.network.real_numbers import real_array
from popdyn.network.weight_names import listed, struct_hint, warn_left_out

Array = NDArray[np.float64]

_OWN = (*DIMS, "tau", "dt", "nonlinearity", *OPTIONAL_DIMS, "population")
_LINT = ("wi", "m", "n", "wo")
_LINT_ALSO = ("si", "so", "b", "h0")
_MIXTURE = ("gaussian_basis", "supports", "wi_weights", "m_weights", "n_weights", "wo_weights")
_MIXTURE_ALSO = ("wi_biases", "m_biases", "n_biases", "h0_weights", "weights")
_SCALINGS = ("1/N", "1/sqrt(N)")
# Mean square loadings times N below which, with 1/N, the recurrent weights would do nothing.
_TOO_SMALL = 10.0
_MANY_NEURONS = 50


def fields_from_weights(
    weights: Mapping[str, Any], said: Mapping[str, Any], scaling: str
) -> dict[str, Any]:
    """Return the fields of a network, as `LowRank.from_weights` says.

    Parameters
    ----------
    weights : mapping of text to array
        Arrays by name.
    said : mapping
        ``dt``, ``tau``, ``nonlinearity``, as far as they were given; they win.
    scaling : {"1/N", "1/sqrt(N)"}
        Of loadings with the names of LINT.

    Returns
    -------
    dict
        Values by the names of their fields.

    Raises
    ------
    TensorError
        If the names are not understood.
    """
    given: object = weights
    if not isinstance(given, Mapping):
        kind = type(weights).__name__
        message = f"weights must be arrays by name, as read_weights returns them; found {kind}"
        raise TensorError(message)
    if scaling not in _SCALINGS:
        message = f"scaling must be '1/N' or '1/sqrt(N)', found {scaling!r:.60}"
        raise TensorError(message)
    if _all_in(_MIXTURE, weights):
        warn_left_out("low-rank", _others(weights, _MIXTURE + _MIXTURE_ALSO), _MIXTURE)
        return _from_mixture(weights) | dict(said)
    if _all_in(_LINT, weights):
        warn_left_out("low-rank", _others(weights, _LINT + _LINT_ALSO), _LINT + _LINT_ALSO)
        return _from_lint(weights, scaling) | dict(said)
    missing = [name for name in DIMS if name not in weights and name != "bias"]
    if missing:
        raise TensorError(_not_understood(weights, missing))
    warn_left_out("low-rank", _others(weights, _OWN), _OWN)
    own_dims = DIMS | OPTIONAL_DIMS
    own = {name: as_field(name, weights[name], own_dims) for name in _OWN if name in weights}
    return own | dict(said)


def _not_understood(weights: Mapping[str, Any], missing: list[str]) -> str:
    """Say which names would do."""
    if "wrec" in weights or "recurrent" in weights:
        name = "wrec" if "wrec" in weights else "recurrent"
        return (
            f"{name} are the weights of a network of full rank: make a pdn.network.Rate of them, "
            "and of it LowRank.from_rate(net, n_ranks)"
        )
    if "unit_vector" in weights:
        return (
            "these are the weights of a SupportLowRankRNN_withMask, which are not read: build m, n "
            "and the others from them, and give these to pdn.network.LowRank"
        )
    return (
        f"expected weights named m, n, input, output, those of LINT ({', '.join(_LINT)}), or of a "
        f"SupportLowRankRNN ({', '.join(_MIXTURE)}); {', '.join(missing)} is missing, found "
        f"{listed(weights)}{struct_hint(weights, 'm')}"
    )


def _from_lint(weights: Mapping[str, Any], scaling: str) -> dict[str, Any]:
    """Take the arrays of a ``LowRankRNN``: inputs and outputs may have scales of their own."""
    arrays = {name: real_array(name, weights[name]) for name in _LINT + _LINT_ALSO
              if name in weights}  # fmt: skip
    for name in _LINT:
        if arrays[name].ndim != 2:
            message = f"{name} must have 2 dimensions, found shape {arrays[name].shape}"
            raise TensorError(message)
    n_neurons = len(arrays["m"])
    by_input = arrays.get("si", np.ones(1)).reshape(-1, 1)
    by_output = arrays.get("so", np.ones(1)).reshape(1, -1)
    fields = {
        "m": arrays["m"],
        "n": arrays["n"],
        "input": (arrays["wi"] * by_input).T,
        "output": (arrays["wo"] * by_output).T,
    }
    size = np.sqrt(np.mean(arrays["m"] ** 2) * np.mean(arrays["n"] ** 2))
    if scaling != "1/N":
        fields = _of_order_one(fields)
    elif n_neurons >= _MANY_NEURONS and 0 < size * n_neurons < _TOO_SMALL:
        warn(
            f"the loadings m and n of {n_neurons} neurons have a size of about {np.sqrt(size):.2g},"
            " that of networks which do not divide their products by the number of neurons "
            "(OptimizedLowRankRNN); if this is one, say scaling='1/sqrt(N)'"
        )
    start = arrays.get("h0", np.zeros(n_neurons))
    bias = arrays.get("b", np.zeros(n_neurons))
    if bias.any():
        warn(
            "LINT reads outputs from the states without the bias b; this network reads them from "
            "its rates, which have it: outputs differ, and so do the first states, less with each "
            "step"
        )
    if (start + bias).any():
        fields["initial"] = start + bias
    return fields | {"bias": bias}


def _from_mixture(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Take the arrays of a ``SupportLowRankRNN``, whose neurons lie by population."""
    arrays = {name: real_array(name, weights[name]) for name in _MIXTURE + _MIXTURE_ALSO
              if name in weights}  # fmt: skip
    basis, supports = arrays["gaussian_basis"], arrays["supports"]
    start_weights = arrays.get("h0_weights", np.zeros((len(supports), len(basis))))

    def loadings(name: str) -> Array:
        """Return (vector, neuron)."""
        found: Array = np.einsum("vpb,bi,pi->vi", arrays[f"{name}_weights"], basis, supports)
        if f"{name}_biases" in arrays:
            found = found + arrays[f"{name}_biases"] @ supports
        return found

    try:
        parts = {name: loadings(name).T for name in ("m", "n")}
        parts |= {"input": loadings("wi").T, "output": loadings("wo")}
        start = np.einsum("pb,bi,pi->i", start_weights, basis, supports)
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        message = f"the arrays of a SupportLowRankRNN do not fit each other: {shapes}"
        raise TensorError(message) from None
    names = np.array([f"population {1 + number}" for number in range(len(supports))])
    population = np.where(supports.any(axis=0), names[supports.argmax(axis=0)], "none")
    fields = _of_order_one(parts) | {"population": population}
    return fields | ({"initial": start} if start.any() else {})


def _of_order_one(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Convert loadings whose products are not divided by the number of neurons."""
    n_neurons = len(fields["m"])
    by = {"m": np.sqrt(n_neurons), "n": np.sqrt(n_neurons), "output": n_neurons}
    return {name: values * by.get(name, 1.0) for name, values in fields.items()}


def _all_in(names: tuple[str, ...], weights: Mapping[str, Any]) -> bool:
    """Whether all names are there."""
    return all(name in weights for name in names)


def _others(weights: Mapping[str, Any], known: tuple[str, ...]) -> list[str]:
    """Return the names that are not known."""
    return [str(name) for name in weights if name not in known]
