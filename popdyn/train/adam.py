"""Adam: steps along the mean of recent gradients, each weight at a pace of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Of the running means of gradients and of their squares (Kingma & Ba 2015).
_FIRST, _SECOND, _LEAST = 0.9, 0.999, 1e-8


class Adam:
    """The optimizer of Kingma & Ba (2015), with its usual constants.

    Parameters
    ----------
    weights : mapping of name to array
        Changed in place by `step`.

    Examples
    --------
    >>> import numpy as np
    >>> weights = {"w": np.array([1.0, -2.0])}
    >>> Adam(weights).step({"w": np.array([0.3, -7.0])}, 0.1)
    >>> weights["w"].round(6).tolist()
    [0.9, -1.9]
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._first = {name: np.zeros_like(values) for name, values in weights.items()}
        self._second = {name: np.zeros_like(values) for name, values in weights.items()}
        self._n_steps = np.zeros(1, np.int64)

    def step(self, gradient: Mapping[str, Array], learning_rate: float) -> None:
        """Move the weights."""
        self._n_steps += 1
        n = int(self._n_steps[0])
        for name, values in self._weights.items():
            first, second, slope = self._first[name], self._second[name], gradient[name]
            first += (1 - _FIRST) * (slope - first)
            second += (1 - _SECOND) * (slope**2 - second)
            spread = np.sqrt(second / (1 - _SECOND**n)) + _LEAST
            values -= learning_rate / (1 - _FIRST**n) * first / spread

    def arrays(self) -> dict[str, Array]:
        """Return all that is needed to go on to the same bits, beside the weights."""
        arrays = {f"first/{name}": values for name, values in self._first.items()}
        arrays |= {f"second/{name}": values for name, values in self._second.items()}
        return {**arrays, "n_steps": self._n_steps}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Go on from what `arrays` returned."""
        for name, values in self.arrays().items():
            values[...] = arrays[name]
