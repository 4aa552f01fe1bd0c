"""Means over a Gaussian argument, against adaptive quadrature that knows none of the formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf

from popdyn.dynamics.gaussian_means import gaussian_mean

FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)) if x > -700 else 0.0,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "erf": erf,
    "relu": lambda x: max(x, 0.0),
    "linear": lambda x: x,
}


def by_quadrature(function, mean, variance):
    """The integral over the argument itself, in pieces that see narrow functions."""
    spread = np.sqrt(variance)

    def weighted(x):
        return (
            function(x) * np.exp(-((x - mean) ** 2) / (2 * variance)) / spread / np.sqrt(2 * np.pi)
        )

    edges = np.unique([mean - 9 * spread, -3.0, 0.0, 3.0, mean, mean + 9 * spread])
    edges = edges[(edges >= mean - 9 * spread) & (edges <= mean + 9 * spread)]
    pieces = zip(edges[:-1], edges[1:], strict=True)
    return sum(quad(weighted, a, b, epsabs=1e-13, epsrel=1e-13, limit=400)[0] for a, b in pieces)


@pytest.mark.parametrize("variance", [0.01, 1.0, 30.0, 2000.0])
@pytest.mark.parametrize("mean", [0.0, -1.3, 4.0])
@pytest.mark.parametrize("nonlinearity", list(FUNCTIONS))
def test_means_are_those_of_adaptive_quadrature(nonlinearity, mean, variance):
    found = gaussian_mean(nonlinearity, 0, np.array(mean), np.array(variance))
    expected = by_quadrature(FUNCTIONS[nonlinearity], mean, variance)
    assert found == pytest.approx(expected, abs=1e-10 * max(1.0, np.sqrt(variance)))


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("nonlinearity", list(FUNCTIONS))
def test_means_of_slopes_are_slopes_of_means(nonlinearity, order):
    """The mean of a slope is the slope of the mean with the center of the Gaussian."""
    step = 1e-4
    for mean, variance in ((0.4, 1.0), (-1.0, 6.0)):
        low, high = (
            gaussian_mean(nonlinearity, order - 1, np.array(mean + sign * step), np.array(variance))
            for sign in (-1, 1)
        )
        found = gaussian_mean(nonlinearity, order, np.array(mean), np.array(variance))
        assert found == pytest.approx((high - low) / (2 * step), abs=1e-7)


def test_the_table_of_mean_slopes_of_tanh():
    """B23, except at 10, where the table's 100 nodes are too few and quadrature says .24273."""
    variances = np.array([0, 0.25, 0.5, 1, 2, 4, 10, 17])
    expected = [1, 0.82648, 0.72632, 0.60571, 0.48002, 0.36474, 0.24273, 0.18906]
    found = gaussian_mean("tanh", 1, np.zeros(8), variances)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    slope = by_quadrature(lambda x: 1 / np.cosh(x) ** 2 if abs(x) < 300 else 0.0, 0.0, 10.0)
    assert found[6] == pytest.approx(slope, abs=1e-10)


def test_without_variance_they_are_the_values_themselves():
    x = np.array([-2.0, 0.5])
    np.testing.assert_allclose(gaussian_mean("tanh", 0, x, np.zeros(2)), np.tanh(x), rtol=1e-14)
    np.testing.assert_allclose(gaussian_mean("relu", 0, x, np.zeros(2)), [0, 0.5])
    np.testing.assert_allclose(gaussian_mean("relu", 1, x, np.zeros(2)), [0, 1])
    assert np.isfinite(gaussian_mean("tanh", 1, np.zeros(1), np.array([1e14]))).all()


def test_one_wide_argument_does_not_change_the_others():
    alone = gaussian_mean("tanh", 1, np.array([0.3]), np.array([1.0]))
    beside = gaussian_mean("tanh", 1, np.array([0.3, 0.0]), np.array([1.0, 1e4]))
    np.testing.assert_allclose(beside[0], alone[0], rtol=1e-12)
