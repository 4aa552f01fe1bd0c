"""Products of loadings: their canonical form, and to full recurrent weights and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.random_arguments import check_sizes
from popdyn.network.rate import Rate

if TYPE_CHECKING:
    from popdyn.network.low_rank import LowRank

Array = NDArray[np.float64]

_SHARED = ("input", "bias", "tau", "dt", "nonlinearity", "output_bias", "gain", "population")


def canonical_factors(m: Array, n: Array) -> tuple[Array, Array]:
    """Return loadings of the same product, as `LowRank.canonical` says.

    Time and memory grow with the number of neurons, not with its square.
    """
    left, left_rest = np.linalg.qr(m)
    right, right_rest = np.linalg.qr(n)
    inner_left, size, inner_right = np.linalg.svd(left_rest @ right_rest.T)
    return _of_order_one(left @ inner_left, size, right @ inner_right.T)


def _of_order_one(left: Array, size: Array, right: Array) -> tuple[Array, Array]:
    """Return ``left * size`` and `right` scaled to order 1, signs fixed."""
    root = np.sqrt(len(left))
    largest = np.take_along_axis(left, np.abs(left).argmax(axis=0)[None], axis=0)
    sign = np.where(largest < 0, -1.0, 1.0)
    return left * (sign * size / root), right * (sign * root)


def latent_weights(net: LowRank) -> Array:
    """Return what turns states into latents, ``(latent, neuron)``."""
    return state_weights(net)[: net.n_ranks]


def state_weights(net: LowRank) -> Array:
    """Return what turns states into latents, filtered inputs and share of the bias.

    A state that began within their span is ``x = m @ latent + input @ v + bias * w``, whatever
    the rates: these are the coefficients of the least-squares fit.
    """
    weights: Array = np.linalg.pinv(np.column_stack([net.m, net.input, net.bias]))
    return weights


def rate_fields(net: LowRank) -> dict[str, Any]:
    """Return the fields of a `Rate` that does the same."""
    shared = {name: getattr(net, name) for name in _SHARED}
    recurrent = net.m @ net.n.T / net.n_neurons
    return {**shared, "recurrent": recurrent, "output": net.output / net.n_neurons}


def truncated_fields(net: Any, n_ranks: int) -> dict[str, Any]:
    """Return the fields of the nearest low-rank network, as `LowRank.from_rate` says.

    Raises
    ------
    TensorError
        If it is no `Rate`, or has fewer neurons than latents are wanted.
    """
    if not isinstance(net, Rate):
        message = f"expected a pdn.network.Rate, found {type(net).__name__}"
        raise TensorError(message)
    check_sizes({"n_ranks": n_ranks})
    if n_ranks > net.n_neurons:
        message = f"n_ranks must be at most the {net.n_neurons} neurons, found {n_ranks}"
        raise TensorError(message)
    fields = {name: getattr(net, name) for name in _SHARED}
    recurrent = net.recurrent
    if net.feedback is not None:
        # z = W r + c is a function of the same rates: F z = (F W) r + F c.
        recurrent = recurrent + net.feedback @ net.output
        if net.output_bias is not None:
            fields["bias"] = net.bias + net.feedback @ net.output_bias
    left, size, right = np.linalg.svd(recurrent)
    kept = (left[:, :n_ranks], size[:n_ranks] * net.n_neurons, right[:n_ranks].T)
    m, n = _of_order_one(*kept)
    return {**fields, "m": m, "n": n, "output": net.output * net.n_neurons}
