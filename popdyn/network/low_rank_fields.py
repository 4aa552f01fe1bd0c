"""What the fields of a low-rank network may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popdyn.errors import TensorError
from popdyn.network.rate_fields import check_fits

if TYPE_CHECKING:
    from popdyn.network.low_rank import LowRank

# Dimensions of each array in the netCDF form; a variable may not share a name with its dim.
DIMS = {
    "m": ("neuron", "latent"),
    "n": ("neuron", "latent"),
    "input": ("neuron", "channel"),
    "output": ("readout", "neuron"),
    "bias": ("neuron",),
}
OPTIONAL_DIMS = {
    "output_bias": ("readout",),
    "gain": ("neuron",),
    "initial": ("neuron",),
}


def check_shapes(net: LowRank) -> None:
    """Refuse arrays that do not fit each other.

    Raises
    ------
    TensorError
        If a shape does not fit, or there are more latents than neurons.
    """
    n_neurons, n_ranks = net.m.shape
    expected = {
        "n": (n_neurons, n_ranks),
        "input": (n_neurons, None),
        "output": (None, n_neurons),
        "bias": (n_neurons,),
        "output_bias": (net.output.shape[0],),
        "gain": (n_neurons,),
        "initial": (n_neurons,),
    }
    check_fits(net, expected, f"m of {n_neurons} neurons and {n_ranks} latents")
    if n_ranks > n_neurons:
        message = (
            f"m must have shape (n_neurons, n_ranks), no more latents than neurons; found "
            f"{net.m.shape}; transpose it?"
        )
        raise TensorError(message)
