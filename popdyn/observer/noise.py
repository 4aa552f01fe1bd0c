"""How precisely a stimulus is measured: constant noise, Weber's law, and both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Below this ratio Weber noise does not bend the axis of nodes.
_STRAIGHT = 1e-6


@dataclass(frozen=True)
class Noise:
    """Standard deviation of a measurement: ``sqrt(sigma² + (weber stimulus)²)``.

    Examples
    --------
    >>> Noise(sigma=3.0, weber=0.1).deviation(np.array([40.0])).tolist()
    [5.0]
    """

    sigma: float = 0.0
    weber: float = 0.0

    def deviation(self, stimulus: Array) -> Array:
        """Return the standard deviation of measurements of each stimulus."""
        deviation: Array = np.sqrt(self.sigma**2 + (self.weber * stimulus) ** 2)
        return deviation

    def log_likelihood(self, measured: Array, stimulus: Array) -> Array:
        """Return how likely a measurement is, up to a constant; the arrays broadcast."""
        deviation = self.deviation(stimulus)
        away: Array = -0.5 * ((measured - stimulus) / deviation) ** 2 - np.log(deviation)
        return away

    def is_weber(self, largest: float) -> bool:
        """Tell whether noise all but vanishes at 0, beside that of the largest stimulus."""
        return self.sigma <= _STRAIGHT * self.weber * largest

    def stretch(self, stimulus: Array, largest: float) -> Array:
        """Map stimuli to an axis on which noise is 1 everywhere; `largest` may occur."""
        if self.weber * largest <= _STRAIGHT * self.sigma:
            return np.asarray(stimulus / self.sigma)
        if self.is_weber(largest):
            return np.asarray(np.log(stimulus) / self.weber)
        return np.asarray(np.arcsinh(self.weber * stimulus / self.sigma) / self.weber)

    def shrink(self, place: Array, largest: float) -> tuple[Array, Array]:
        """Map back: the stimuli, and the logarithm of how fast they grow."""
        if self.weber * largest <= _STRAIGHT * self.sigma:
            return self.sigma * place, np.full_like(place, np.log(self.sigma))
        if self.is_weber(largest):
            stimulus = np.exp(self.weber * place)
            return stimulus, np.log(self.weber * stimulus)
        bent = self.weber * place
        grown = np.log(self.sigma) + np.log(np.cosh(bent))
        return self.sigma / self.weber * np.sinh(bent), grown
