"""Random weights of a rate network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.random_arguments import check_excitatory, check_memory, check_sizes
from popdyn.network.random_stream import weight_generator
from popdyn.network.real_numbers import real_array, real_number

Array = NDArray[np.float64]


def draw(
    sizes: Mapping[str, int],
    g: float,
    density: float,
    excitatory: float | None,
    feedback: float,
    tau: Any,
    rng: int | np.random.Generator,
) -> dict[str, Any]:
    """Draw the fields of a network, as `Rate.random` says.

    Parameters
    ----------
    sizes : mapping
        ``n_neurons``, ``n_inputs``, ``n_outputs``.
    g : float
        Spectral radius of the recurrent weights.
    density : float
        Probability of a connection.
    excitatory : float or None
        Share of excitatory neurons, for Dale's law.
    feedback : float
        Largest feedback weight.
    tau : float, array or pair
        Time constant in seconds; a pair, list or tuple, is a range to draw from.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    dict
        Values by the names of their fields.

    Raises
    ------
    TensorError
        If a size is not a positive whole number, or a number outside its range.
    """
    check_sizes(sizes)
    _check_strengths(g, density, feedback)
    check_excitatory(excitatory, sizes["n_neurons"])
    check_memory(sizes, int(sizes["n_neurons"]) ** 2, "")
    generator = weight_generator(rng)
    n_neurons = sizes["n_neurons"]
    found: dict[str, Any] = {}
    if excitatory is None:
        recurrent = generator.normal(0.0, g / np.sqrt(density * n_neurons), (n_neurons, n_neurons))
        if density < 1:
            recurrent *= generator.random(recurrent.shape) < density
    else:
        n_excitatory = round(excitatory * n_neurons)
        recurrent = _dale(n_neurons, n_excitatory, g, density, generator)
        names = np.where(np.arange(n_neurons) < n_excitatory, "excitatory", "inhibitory")
        found["population"] = names
    found["recurrent"] = recurrent
    found["input"] = generator.standard_normal((n_neurons, sizes["n_inputs"]))
    shape = (sizes["n_outputs"], n_neurons)
    found["output"] = generator.normal(0.0, 1 / np.sqrt(n_neurons), shape)
    found["bias"] = np.zeros(n_neurons)
    # Drawn last, so that the other weights do not depend on whether these are wanted.
    if feedback:
        found["feedback"] = feedback * generator.uniform(-1.0, 1.0, shape[::-1])
    pair = isinstance(tau, (list, tuple)) and len(tau) == 2
    found["tau"] = _in_range(tau, n_neurons, generator) if pair else _given(tau, n_neurons)
    return found


def _dale(
    n_neurons: int, n_excitatory: int, g: float, density: float, generator: np.random.Generator
) -> Array:
    """Return weights with one sign for each sender, and rows that sum to zero."""
    share = n_excitatory / n_neurons
    weights = np.abs(generator.standard_normal((n_neurons, n_neurons)))
    if density < 1:
        weights *= generator.random(weights.shape) < density
    excitatory, inhibitory = weights[:, :n_excitatory], weights[:, n_excitatory:]
    for side, other in ((excitatory, inhibitory), (inhibitory, excitatory)):
        # Nothing balances the inputs of a neuron that hears one side alone.
        for row in np.flatnonzero(other.any(axis=1) & ~side.any(axis=1)):
            side[row, generator.integers(side.shape[1])] = abs(generator.standard_normal())
    inhibitory *= share / (1 - share)
    plus, minus = excitatory.sum(axis=1), inhibitory.sum(axis=1)
    balance = np.sqrt(np.divide(plus, minus, out=np.ones(n_neurons), where=minus > 0))[:, None]
    excitatory /= balance
    inhibitory *= -balance
    # The deviations from the mean of each sender make the radius; the means make none in rows
    # that sum to zero (Rajan & Abbott 2006).
    radius = np.sqrt(np.sum((weights - weights.mean(axis=0)) ** 2) / n_neurons)
    weights *= g / radius if radius else 0.0
    return weights


def _given(tau: Any, n_neurons: int) -> Any:
    """Return time constants that are not drawn, refusing those of another shape."""
    shape = real_array("tau", tau, what="seconds").shape
    if shape not in ((), (n_neurons,)):
        raise TensorError(_tau_message(tau, n_neurons))
    return tau


def _tau_message(tau: Any, n_neurons: int) -> str:
    """Say what time constants may be."""
    found = f"an array of shape {tau.shape}" if isinstance(tau, np.ndarray) else f"{tau!r:.60}"
    return (
        "tau must be one number of seconds, a pair (shortest, longest) to draw from, log-uniform, "
        f"or an array of one for each of the {n_neurons} neurons; found {found}"
    )


def _in_range(tau: Sequence[Any], n_neurons: int, generator: np.random.Generator) -> Array:
    """Return a time constant for each neuron, log-uniform in a range."""
    message = _tau_message(tau, n_neurons)
    try:
        low, high = (real_number("tau", value, "a number") for value in tau)
    except TensorError:
        raise TensorError(message) from None
    if not 0 < low <= high:
        raise TensorError(message)
    drawn = np.exp(generator.uniform(np.log(low), np.log(high), n_neurons))
    # Rounding of the logarithm must not leave the range.
    return np.clip(drawn, low, high)


def _check_strengths(g: float, density: float, feedback: float) -> None:
    """Refuse strengths and shares outside their range."""
    real_number("g", g, "a number that is zero or positive")
    real_number("density", density, "a number above 0, at most 1")
    if not (g >= 0 and 0 < density <= 1):
        message = f"expected g >= 0 and 0 < density <= 1, found g={g!r}, density={density!r}"
        raise TensorError(message)
    expected = "the largest feedback weight, a number that is zero or positive"
    if real_number("feedback", feedback, expected) < 0:
        message = f"feedback is the largest feedback weight, zero or positive; found {feedback!r}"
        raise TensorError(message)
