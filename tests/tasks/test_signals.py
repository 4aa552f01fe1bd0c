"""Pulses have the integral they should, noise the variance, and senses their error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from popdyn.errors import TensorError
from popdyn.tasks.signals import check_noises, during, measure, pulse, white_noise


@given(
    duration=st.floats(0.0005, 0.3),
    dt=st.sampled_from([0.0001, 0.001, 0.007, 0.01, 0.02]),
    start=st.integers(0, 5),
)
def test_the_integral_of_a_pulse_is_its_duration_whatever_the_step(duration, dt, start):
    n_steps = start + int(duration / dt) + 2
    made = pulse(np.array([start, 0]), duration, n_steps, dt)
    assert np.allclose(made.sum(axis=0) * dt, duration, atol=1e-9 * n_steps)
    assert (made[:start, 0] == 0).all()
    assert (made >= 0).all() and (made <= 1).all()
    # A pulse is one piece that never rises again.
    assert (np.diff(made[start:, 0]) <= 0).all()


def test_pulses_of_whole_steps_are_all_or_nothing():
    assert pulse(np.array([2]), 0.05, 9, 0.01).ravel().tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]


def test_steps_of_an_epoch_include_the_first_and_not_the_last():
    inside = during(np.array([1, 0]), np.array([3, 1]), 4)
    assert inside.T.tolist() == [[False, True, True, False], [True, False, False, False]]


@pytest.mark.parametrize("dt", [0.001, 0.02, 0.05])
def test_noise_has_the_same_variance_per_second_whatever_the_step(dt):
    noise = white_noise(0.1, 200, 300, dt, np.random.default_rng(0), n_channels=2)
    assert noise.shape == (2, 300, 200)
    assert noise.var() * dt == pytest.approx(0.1**2 * 0.02, rel=0.02)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 4 / np.sqrt(60_000)


def test_constant_and_proportional_errors_add_in_quadrature():
    true = np.array([[0.5, 1.0]] * 2).repeat(40_000, axis=1)
    seen = measure(true, (0.03, 0.0), (0.1, 0.2), np.random.default_rng(0)) - true
    for stimulus, fixed, share in ((0, 0.03, 0.1), (1, 0.0, 0.2)):
        for value in (0.5, 1.0):
            error = seen[stimulus, true[stimulus] == value]
            expected = np.hypot(fixed, share * value)
            assert error.std() == pytest.approx(expected, rel=0.02)
            assert error.mean() == pytest.approx(0, abs=4 * expected / np.sqrt(40_000))


def test_without_noise_the_senses_are_exact_but_the_generator_moves_on():
    generators = [np.random.default_rng(0) for _ in range(2)]
    true = np.array([[0.5, 1.0]])
    assert (measure(true, 0.0, 0.0, generators[0]) == true).all()
    measure(true, 0.1, 0.1, generators[1])
    assert generators[0].random() == generators[1].random()


def test_noise_of_each_stimulus_is_one_number_each():
    assert check_noises("weber", [0.1, 0], 2) == (0.1, 0.0)
    assert check_noises("weber", 0.1, 2) == 0.1
    with pytest.raises(TensorError, match="weber must be one number or 2 of them"):
        check_noises("weber", (0.1, 0.1, 0.1), 2)
    with pytest.raises(TensorError, match="weber must be one number, found"):
        check_noises("weber", (0.1,), 1)
    with pytest.raises(TensorError, match="weber must be zero or positive, found -1"):
        check_noises("weber", (0.1, -1), 2)
