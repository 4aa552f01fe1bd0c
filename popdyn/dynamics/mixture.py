"""Loadings as a mixture of Gaussians, one a population, and what the latents hear of them.

The state of a low-rank network is ``x = A c``, columns ``A`` the loadings `m`, the input weights
and the bias, coefficients ``c`` the latents, the filtered inputs and 1.  What the latents hear,
``n.T f(x) / N``, is a mean over neurons.  Where the loadings of each population are Gaussian it is,
by Stein's lemma, ``sum over populations of share (mean_n <f> + cov(n, A) c <f'>)`` with the means
over ``x ~ N(mean_A c, c.T cov(A) c)``: nothing is left of the single neurons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.dynamics.gaussian_means import gaussian_mean

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Moments of the loadings of each population."""

    share: Array  # (population,)
    mean: Array  # (population, column): of the loadings that make the state
    read_mean: Array  # (population, reader): of n and of the output weights
    covariance: Array  # (population, column, column)
    overlap: Array  # (population, reader, column): covariance of readers and columns
    nonlinearity: str

    def argument(self, coefficients: Array, extra: Array | float = 0.0) -> tuple[Array, Array]:
        """Return mean and variance ``(..., population)`` of the state of coefficients.

        `extra` is variance that each neuron has of its own, such as that of noise.
        """
        mean = coefficients @ self.mean.T
        variance = np.einsum("...a,pab,...b->...p", coefficients, self.covariance, coefficients)
        return mean, np.maximum(variance, 0.0) + extra

    def gain(self, coefficients: Array, extra: Array | float = 0.0) -> Array:
        """Return the mean slope ``(..., population)``."""
        return gaussian_mean(self.nonlinearity, 1, *self.argument(coefficients, extra))

    def read(self, coefficients: Array, extra: Array | float = 0.0) -> Array:
        """Return the mean over neurons of readers times rates ``(..., reader)``."""
        moments = self.argument(coefficients, extra)
        rate, gain = (gaussian_mean(self.nonlinearity, order, *moments) for order in (0, 1))
        linear = np.einsum("prc,...c,...p,p->...r", self.overlap, coefficients, gain, self.share)
        return np.asarray(linear + (rate * self.share) @ self.read_mean)

    def couplings(self, coefficients: Array) -> Array:
        """Return ``(..., reader, column)``: overlaps weighted with the populations' slopes."""
        gain = self.gain(coefficients)
        return np.asarray(np.einsum("...p,p,prc->...rc", gain, self.share, self.overlap))

    def slopes(self, coefficients: Array) -> Array:
        """Return the change of `read` with the coefficients ``(..., reader, column)``."""
        moments = self.argument(coefficients)
        first, second, third = (
            gaussian_mean(self.nonlinearity, order, *moments)[..., None] for order in (1, 2, 3)
        )
        # The mean of a slope changes with the variance by half the mean of that of two orders more.
        widening = np.einsum("pab,...b->...pa", self.covariance, coefficients)
        linear = np.einsum("prc,...c->...pr", self.overlap, coefficients)
        by_rate = self.mean * first + widening * second
        by_gain = self.mean * second + widening * third
        direct = np.einsum("p,...p,prc->...rc", self.share, first[..., 0], self.overlap)
        of_means = np.einsum("p,pr,...pc->...rc", self.share, self.read_mean, by_rate)
        return np.asarray(
            direct + of_means + np.einsum("p,...pr,...pc->...rc", self.share, linear, by_gain)
        )
