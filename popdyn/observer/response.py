"""How probable a produced response is: an estimate, and the noise of the movement around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError
from popdyn.observer.measurement import RESOLUTION, Measurements, measurements
from popdyn.observer.noise import Noise
from popdyn.observer.posterior import Observed
from popdyn.observer.prior import Prior

Array = NDArray[np.float64]
Parameters = Mapping[str, float]

# Below this a product of probabilities has lost digits, and its logarithm is taken term by term.
_FAINT = 1e-200
_LOG_ROOT = 0.5 * np.log(2 * np.pi)
# An estimate is produced as if it were at least this, over the prior's mean.
_SHORTEST = 1e-3


@dataclass(frozen=True, eq=False)
class Response:
    """What is known of an observer that reproduces, but its parameters.

    Attributes
    ----------
    prior : Prior
    estimator : str
    lapse_range : tuple of float
        Between these, responses on lapses are equally probable; that none lies outside is left to
        others, because a step of the density would not be smooth.
    """

    prior: Prior
    estimator: str
    lapse_range: tuple[float, float]

    def observed(self, parameters: Parameters) -> Observed:
        """Return prior, noise and rule."""
        noise = Noise(parameters["sigma"], parameters["weber"])
        return Observed(self.prior, noise, self.estimator, parameters["contraction"])

    def log_density(
        self,
        parameters: Parameters,
        stimulus: Array,
        response: Array,
        resolution: float = RESOLUTION,
    ) -> Array:
        """Return the logarithm of the density of responses.

        Parameters
        ----------
        parameters : mapping
        stimulus, response : ndarray, shape (cell,)
        resolution : float
            Nodes for each of the smallest standard deviations.

        Returns
        -------
        ndarray, shape (cell,)
        """
        shown, which = np.unique(stimulus, return_inverse=True)
        produced, row = np.unique(response, return_inverse=True)
        nodes, mean, deviation = self._produced(parameters, shown, resolution)
        if not (deviation > 0).all():
            message = "responses without motor noise have no density: give motor_weber= or fit it"
            raise FitError(message)
        away = (produced[:, None] - mean) / deviation
        log_part = -0.5 * away**2 - np.log(deviation) - _LOG_ROOT
        top = log_part.max(axis=1, keepdims=True)
        part, probability = np.exp(log_part - top), nodes.probability(shown)
        if len(part) * len(probability) <= 8 * which.size + 1000:
            density = (part @ probability.T)[row, which]
        else:
            density = np.einsum("cn,cn->c", part[row], probability[which])
        faint = density < _FAINT
        log_density = np.log(np.where(faint, 1.0, density)) + top[row, 0]
        if faint.any():
            with np.errstate(divide="ignore"):
                log_probability = np.log(probability[which[faint]])
            terms = log_part[row[faint]] + log_probability
            log_density[faint] = np.logaddexp.reduce(terms, axis=1)
        return self._with_lapses(log_density, parameters["lapse"])

    def moments(self, parameters: Parameters, stimulus: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of the responses to each stimulus."""
        shown, which = np.unique(stimulus, return_inverse=True)
        nodes, mean, deviation = self._produced(parameters, shown, 2 * RESOLUTION)
        probability = nodes.probability(shown)
        first = probability @ mean
        second = probability @ (mean**2 + deviation**2)
        lapse, (low, high) = parameters["lapse"], self.lapse_range
        average = (1 - lapse) * first + lapse * (low + high) / 2
        square = (1 - lapse) * second + lapse * (low**2 + low * high + high**2) / 3
        return average[which], np.sqrt(square - average**2)[which]

    def motor(self, parameters: Parameters, estimate: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of what is produced from an estimate."""
        intended = np.maximum(estimate, _SHORTEST * abs(self.prior.mean))
        noise = Noise(parameters["motor_sigma"], parameters["motor_weber"])
        return intended + parameters["bias"], noise.deviation(intended)

    def _produced(
        self, parameters: Parameters, shown: Array, resolution: float
    ) -> tuple[Measurements, Array, Array]:
        noise = Noise(parameters["motor_sigma"], parameters["motor_weber"])
        narrowest = float(noise.deviation(shown).min())
        if narrowest <= 0:
            # Without noise of the movement means are known all the same; densities are not.
            narrowest = np.inf
        nodes = measurements(self.observed(parameters), shown, resolution, narrowest)
        return (nodes, *self.motor(parameters, nodes.estimate))

    def _with_lapses(self, log_density: Array, lapse: float) -> Array:
        if lapse <= 0:
            return log_density
        low, high = self.lapse_range
        anything = np.log(lapse / (high - low))
        return np.asarray(np.logaddexp(np.log1p(-lapse) + log_density, anything))
