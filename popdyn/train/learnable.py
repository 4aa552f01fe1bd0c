"""What of a network changes while it learns: names, or which of the weights of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.kinds import RateLike
from popdyn.network.low_rank import LowRank
from popdyn.simulation.arguments import check_known
from popdyn.tensor.result import digest

Mask = NDArray[np.bool_]

# Everything that can be learned, by whether the network is low rank.
LEARNABLE = {
    True: ("m", "n", "input", "output", "bias", "output_bias", "initial"),
    False: ("recurrent", "input", "output", "bias", "output_bias"),
}
# What is learned by default: weights, not constants.
_DEFAULT = {True: ("m", "n", "input", "output"), False: ("recurrent", "input", "output")}


def read_learn(learn: Any, net: RateLike) -> dict[str, Mask | None]:
    """Return what is learned, and where not all weights of it are, which.

    Parameters
    ----------
    learn : sequence of str, mapping or None
        As `popdyn.train.backprop` takes it.
    net : Rate or LowRank
        The network.

    Returns
    -------
    dict
        By name, None for all weights or a mask of their shape.

    Raises
    ------
    TensorError
        If it is nothing, comes twice, there is no such thing to learn, or a mask has another
        shape than the weights or is all ``False``.
    """
    low_rank = isinstance(net, LowRank)
    if learn is None:
        return dict.fromkeys(_DEFAULT[low_rank])
    names = (learn,) if isinstance(learn, str) else tuple(learn)
    if not names or len(set(names)) < len(names):
        message = f"learn must name what is learned, each once, found {learn!r:.60}"
        raise TensorError(message)
    for name in names:
        check_known("learn", name, LEARNABLE[low_rank])
    if not isinstance(learn, Mapping):
        return dict.fromkeys(names)
    return {name: _mask(name, given, values_of(net, name).shape) for name, given in learn.items()}


def learn_words(learn: Any) -> Any:
    """Return `learn` for the history: of masks their digests."""
    if not isinstance(learn, Mapping):
        return learn
    return {
        name: True if given is True else digest(xr.DataArray(np.asarray(given)))
        for name, given in learn.items()
    }


def values_of(net: RateLike, name: str) -> NDArray[np.float64]:
    """Return an array of a network, zeros if it has none of this name."""
    values = getattr(net, name)
    if values is not None:
        return np.asarray(values, dtype=np.float64)
    return np.zeros(net.n_outputs if name == "output_bias" else net.n_neurons)


def _mask(name: str, given: Any, shape: tuple[int, ...]) -> Mask | None:
    """Return which weights are learned, None if all of them.

    Raises
    ------
    TensorError
        If it is no mask of the weights.
    """
    if given is True:
        return None
    mask = np.asarray(given)
    if mask.dtype != bool or mask.shape != shape:
        message = (
            f"learn[{name!r}] must be True (all of it) or True and False for each of its weights, "
            f"shape {shape}; found {mask.dtype} of shape {mask.shape}"
        )
        raise TensorError(message)
    if not mask.any():
        message = f"learn[{name!r}] is all False: leave {name!r} out of learn"
        raise TensorError(message)
    return mask.copy()
