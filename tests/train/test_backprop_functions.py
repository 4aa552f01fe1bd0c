"""Rates, slopes and noise of the kernels that train by gradient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from popdyn.train.backprop_functions import activate, times_slope
from popdyn.train.backprop_noise import add_noise, philox
from popdyn.train.kernels import KINDS
from tests.oracles.backprop import FUNCTIONS

# As the module says: rates, slopes.
BOUNDS = {"float64": (7e-16, 1e-15), "float32": (4e-7, 6e-7)}


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", KINDS)
def test_rates_and_slopes_are_as_exact_as_said(name, dtype):
    state = np.linspace(-30, 30, 200_001).astype(dtype)
    gain, rate, slope = np.ones_like(state), np.empty_like(state), np.ones_like(state)
    activate(KINDS[name], gain, state, rate)
    times_slope(KINDS[name], gain, state, rate, slope)
    f, df = FUNCTIONS[name]
    exact = f(state.astype(np.float64))
    error = np.abs(rate - exact) / np.maximum(1.0, np.abs(exact))
    assert error.max() < BOUNDS[dtype][0]
    assert np.abs(slope - df(state.astype(np.float64))).max() < BOUNDS[dtype][1]


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", KINDS)
def test_states_that_are_no_number_stay_so_and_large_ones_are_no_trouble(name, dtype):
    state = np.array([np.nan, 1e30, -1e30], dtype)
    rate = np.empty_like(state)
    activate(KINDS[name], np.ones_like(state), state, rate)
    assert np.isnan(rate[0])
    assert np.allclose(rate[1:], FUNCTIONS[name][0](state[1:].astype(float)))


def test_the_bits_are_those_of_the_published_generator():
    """Known answers of Random123 for philox2x32 with ten rounds."""
    known = {
        (0, 0, 0): (0xFF1DAE59, 0x6CD10DF2),
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF): (0x2C3F628B, 0xAB4FD7AD),
        (0x243F6A88, 0x85A308D3, 0x13198A2E): (0xDD7CE038, 0xF62A4C12),
    }
    for told, expected in known.items():
        assert tuple(map(int, philox(*map(np.uint64, told)))) == expected


@pytest.mark.parametrize("n", [1, 2, 63, 64])
def test_noise_is_normal_and_each_neuron_step_and_trial_has_its_own(n):
    noise = np.empty((4, 20_000 // n, n), np.float32)
    for key in range(len(noise)):
        for step, row in enumerate(noise[key]):
            row[:] = 0
            add_noise(row, np.float32(1), np.uint64(key), step)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert np.abs(noise).max() < 5.8
    assert len(np.unique(noise)) > 0.97 * noise.size
    if n > 1:
        between = np.corrcoef(noise.reshape(-1, n).T) - np.eye(n)
        assert np.abs(between).max() < 6 / np.sqrt(noise.size / n)


def test_box_and_muller_are_followed():
    word = philox(np.uint64(2), np.uint64(5), np.uint64(77))
    u, v = ((int(one) >> 8) / 2**24 for one in word)
    row = np.empty(6, np.float32)
    row[:] = 0
    add_noise(row, np.float32(1), np.uint64(77), 5)
    radius = np.sqrt(-2 * np.log(u + 2**-24))
    expected = radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)
    assert row[[2, 5]] == pytest.approx(expected, abs=2e-6)
