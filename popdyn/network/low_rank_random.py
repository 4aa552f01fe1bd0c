"""Random loadings of a low-rank network."""

from __future__ import annotations

from typing import Any

import numpy as np

from popdyn.errors import TensorError
from popdyn.network.random_arguments import check_memory, check_sizes
from popdyn.network.random_stream import weight_generator

# With entries of order 1 a random output, divided by N, is small: larger ones learn faster.
_OUTPUT = 4.0


def draw(
    n_neurons: int, n_ranks: int, n_inputs: int, n_outputs: int, rng: int | np.random.Generator
) -> dict[str, Any]:
    """Draw the fields of a network, as `LowRank.random` says.

    Raises
    ------
    TensorError
        If a size is not a positive whole number, or there are more latents than neurons.
    """
    sizes = {"n_neurons": n_neurons, "n_inputs": n_inputs, "n_outputs": n_outputs}
    check_sizes({**sizes, "n_ranks": n_ranks})
    if n_ranks > n_neurons:
        message = f"n_ranks must be at most n_neurons={n_neurons}, found {n_ranks}"
        raise TensorError(message)
    check_memory(sizes, 2 * int(n_neurons) * int(n_ranks), "")
    generator = weight_generator(rng)
    return {
        "m": generator.standard_normal((n_neurons, n_ranks)),
        "n": generator.standard_normal((n_neurons, n_ranks)),
        "input": generator.standard_normal((n_neurons, n_inputs)),
        "output": _OUTPUT * generator.standard_normal((n_outputs, n_neurons)),
    }
