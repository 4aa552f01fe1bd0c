"""Updates that lag behind: equal to the plain sequence, whatever the shapes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf, expit

from popdyn.network import Rate
from popdyn.train.force_rate import machine_of
from popdyn.train.kernels import closed_loop, least_squares, mirror, times_symmetric
from tests.oracles import least_squares as oracle

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "linear": lambda x: x,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "sigmoid": expit,
    "erf": erf,
}


def difference(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def lesson(n_neurons, n_targets, n_steps, seed=0):
    rng = np.random.default_rng(seed)
    regressors = np.tanh(rng.standard_normal((n_steps, n_neurons)))
    return regressors, rng.standard_normal((n_steps, n_targets))


@pytest.mark.parametrize("n", [1, 7, 8, 9, 31, 64, 130])
def test_the_product_reads_the_upper_triangle_alone(n):
    rng = np.random.default_rng(n)
    p, r, y = rng.standard_normal((n, n)), rng.standard_normal(n), np.full(n, np.nan)
    whole = np.triu(p) + np.triu(p, 1).T
    times_symmetric(p, r, y)
    assert difference(y, whole @ r) < 1e-13
    mirror(p)
    assert np.array_equal(p, whole)


# Numbers of steps around the 32 updates between two flushes; neurons around panels of 64.
@pytest.mark.parametrize("n_steps", [1, 31, 32, 33, 100])
@pytest.mark.parametrize(("n_neurons", "n_targets"), [(5, 1), (63, 3), (65, 130), (200, 70)])
def test_updates_equal_the_plain_sequence(n_neurons, n_targets, n_steps):
    regressors, targets = lesson(n_neurons, n_targets, n_steps)
    p, w, outputs = np.eye(n_neurons), np.zeros((n_targets, n_neurons)), np.empty_like(targets)
    expected = oracle.least_squares(p, w, regressors, targets)
    least_squares(p, w, regressors, targets, outputs)
    for found, other in zip((p, w, outputs), expected, strict=True):
        assert found == pytest.approx(other, abs=1e-12 * np.abs(other).max())
    assert np.array_equal(p, p.T)


def test_many_updates_are_ridge_regression():
    regressors, targets = lesson(40, 2, 2000)
    p, w = np.eye(40) / 3.0, np.zeros((2, 40))
    least_squares(p, w, regressors, targets, np.empty_like(targets))
    gram = regressors.T @ regressors + 3.0 * np.eye(40)
    assert difference(w.T, np.linalg.solve(gram, regressors.T @ targets)) < 1e-12
    assert difference(p, np.linalg.inv(gram)) < 1e-12


def test_going_on_from_the_middle_is_the_same_up_to_rounding():
    regressors, targets = lesson(50, 2, 90)
    whole, parts = ((np.eye(50), np.zeros((2, 50))) for _ in range(2))
    outputs = np.empty_like(targets)
    least_squares(*whole, regressors, targets, outputs)
    for part in (slice(0, 41), slice(41, 90)):
        least_squares(*parts, regressors[part], targets[part], outputs[part])
    assert difference(parts[0], whole[0]) < 1e-13
    assert difference(parts[1], whole[1]) < 1e-12


@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
@pytest.mark.parametrize("feedback", [0.0, 1.0])
def test_the_closed_loop_equals_the_plain_one(nonlinearity, feedback):
    net = Rate.random(
        45, g=0.8, n_inputs=2, n_outputs=3, feedback=feedback, nonlinearity=nonlinearity, rng=1,
        tau=(0.05, 0.2),
    )  # fmt: skip
    rng = np.random.default_rng(2)
    net = Rate(
        net.recurrent, net.input, net.output, rng.standard_normal(45), net.tau, net.dt,
        nonlinearity, feedback=net.feedback, gain=rng.uniform(0.5, 1.0, 45),
    )  # fmt: skip
    n_steps = 150
    stream = (
        rng.standard_normal((n_steps, 2)) * (rng.random((n_steps, 1)) < 0.5),
        0.05 * rng.standard_normal((n_steps, 45)),
        np.sin(np.arange(n_steps)[:, None] / (5.0 + np.arange(3))),
        rng.random(n_steps) < 0.6,
    )
    x = rng.standard_normal(45)
    expected = oracle.force(net, x, np.eye(45), stream, ACTIVATIONS[nonlinearity])
    state, z, p, w = x.copy(), np.zeros(3), np.eye(45), np.zeros((3, 45))
    outputs = np.empty((n_steps, 3))
    closed_loop(machine_of(net), state, z, p, w, stream, outputs)
    for found, other in zip((state, p, w, outputs), expected, strict=True):
        assert found == pytest.approx(other, abs=1e-11 * np.abs(other).max())
    assert np.array_equal(z, outputs[-1])
