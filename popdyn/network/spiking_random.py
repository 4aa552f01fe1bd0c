"""Random weights of a spiking network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from popdyn.errors import TensorError
from popdyn.network.random_arguments import check_excitatory, check_memory, check_sizes
from popdyn.network.random_stream import weight_generator
from popdyn.network.real_numbers import real_number
from popdyn.network.spiking_fields import Matrix

# Below this share of weights lists of targets are faster and smaller than rows.
SPARSE_BELOW = 0.15


def draw(
    sizes: Mapping[str, int],
    strengths: Mapping[str, float],
    density: float,
    excitatory: float | None,
    rng: int | np.random.Generator,
) -> dict[str, Any]:
    """Draw all weights, as `Spiking.random` says.

    Parameters
    ----------
    sizes : mapping
        ``n_neurons``, ``n_inputs``, ``n_outputs``.
    strengths : mapping
        ``g``, ``g_slow``, ``inhibition``.
    density : float
        Probability of a connection.
    excitatory : float or None
        Share of excitatory neurons, for Dale's law.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    dict
        Weights by the names of their fields, and ``population`` with Dale's law.

    Raises
    ------
    TensorError
        If a size is not a positive whole number, or a share outside its range.
    """
    _check(sizes, strengths, density, excitatory)
    generator = weight_generator(rng)
    n_neurons = sizes["n_neurons"]
    n_sources = density * n_neurons
    present = _connections(n_neurons, density, generator)
    found: dict[str, Any] = {}
    if excitatory is None:
        mean, std = -strengths["inhibition"] / n_sources, strengths["g"] / np.sqrt(n_sources)
        found["recurrent_fast"] = _filled(present, generator, mean, std)
    else:
        n_excitatory = round(excitatory * n_neurons)
        by_sender = _dale(n_neurons, n_excitatory, strengths, n_sources)
        found["recurrent_fast"] = _times_sender(present, by_sender)
        names = np.where(np.arange(n_neurons) < n_excitatory, "excitatory", "inhibitory")
        found["population"] = names
    if strengths["g_slow"]:
        std = strengths["g_slow"] / np.sqrt(n_sources)
        also = _connections(n_neurons, density, generator)
        found["recurrent_slow"] = _filled(also, generator, 0.0, std)
    found["input"] = generator.standard_normal((n_neurons, sizes["n_inputs"]))
    shape = (sizes["n_outputs"], n_neurons)
    found["output_slow"] = generator.normal(0.0, 1 / np.sqrt(n_neurons), shape)
    return found


def _check(
    sizes: Mapping[str, int],
    strengths: Mapping[str, float],
    density: float,
    excitatory: float | None,
) -> None:
    """Refuse sizes, strengths and shares that make no network."""
    check_sizes(sizes)
    for name, value in strengths.items():
        finite = "a finite number" + ("" if name == "inhibition" else ", not negative")
        if real_number(name, value, finite) < 0 and name != "inhibition":
            message = f"{name} must be {finite}; found {value!r}"
            raise TensorError(message)
    if not 0 < real_number("density", density, "above 0 and at most 1") <= 1:
        message = f"density must be above 0 and at most 1, found {density!r}"
        raise TensorError(message)
    n_neurons = int(sizes["n_neurons"])
    check_excitatory(excitatory, n_neurons)
    # Sparse weights have a number and a position each.
    is_sparse = density < SPARSE_BELOW
    n_matrices = 1 + bool(strengths["g_slow"])
    n_stored = n_matrices * n_neurons**2 * (2 * density if is_sparse else 1)
    check_memory(sizes, n_stored, f" or a lower density ({SPARSE_BELOW} or more is stored dense)")


def _connections(n_neurons: int, density: float, generator: np.random.Generator) -> Matrix:
    """Return 1 where there is a connection, nowhere on the diagonal."""
    if density >= SPARSE_BELOW:
        present = np.ones((n_neurons, n_neurons))
        if density < 1:
            present[generator.random(present.shape) >= density] = 0.0
        np.fill_diagonal(present, 0.0)
        return present
    n_targets = generator.binomial(n_neurons - 1, density, n_neurons)
    targets = np.empty(n_targets.sum(), dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(n_targets)])
    for sender in range(n_neurons):
        chosen = np.sort(generator.choice(n_neurons - 1, n_targets[sender], replace=False))
        # Numbers from the sender on stand for the neuron after: it never hits itself.
        targets[start[sender] : start[sender + 1]] = chosen + (chosen >= sender)
    return sparse.csc_array((np.ones(targets.size), targets, start), shape=(n_neurons, n_neurons))


def _filled(present: Matrix, generator: np.random.Generator, mean: float, std: float) -> Matrix:
    """Give each connection a Gaussian weight."""
    if sparse.issparse(present):
        present.data = generator.normal(mean, std, present.data.size)
        return present
    return present * generator.normal(mean, std, present.shape)


def _times_sender(present: Matrix, by_sender: NDArray[np.float64]) -> Matrix:
    """Give each connection the weight of its sender."""
    if sparse.issparse(present):
        present.data = np.repeat(by_sender, np.diff(present.indptr))
        return present
    return present * by_sender


def _dale(
    n_neurons: int, n_excitatory: int, strengths: Mapping[str, float], n_sources: float
) -> NDArray[np.float64]:
    """Return the weight of every synapse of each sender."""
    excitation = strengths["g"] / np.sqrt(n_sources)
    balance = n_excitatory / (n_neurons - n_excitatory)
    weight = np.full(n_neurons, excitation)
    weight[n_excitatory:] = -excitation * balance * (1 + strengths["inhibition"] / 4)
    return weight
