"""Memory capacity: as many values as neurons at best, none without input; and the echo state."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import Rate, Spiking
from popdyn.train import memory_capacity
from popdyn.train.memory_capacity import _filtered, _steps_of


def linear(recurrent, rng=0, into=None):
    """A network in which a step forgets everything but ``recurrent @ x + input @ u``."""
    n = len(recurrent)
    weights = np.random.default_rng(rng).standard_normal((n, 1)) if into is None else into
    return Rate(recurrent, weights, np.ones((1, n)), tau=0.01, dt=0.01, nonlinearity="linear")


def orthogonal(n, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


def test_a_linear_orthogonal_network_remembers_as_many_values_as_it_has_neurons():
    found = memory_capacity(linear(0.9 * orthogonal(20)), max_delay=80)
    assert float(found["capacity"]) == pytest.approx(20, abs=0.3)
    lower, upper = found["capacity_bound"].values
    assert lower < 20.1 and upper < 20.6
    assert (found["r_squared"].values[:10] > 0.85).all()


def test_a_delay_line_remembers_what_is_on_it_and_nothing_else():
    into = np.eye(12)[:, :1]
    found = memory_capacity(linear(np.eye(12, k=-1), into=into), max_delay=30)
    assert found["r_squared"].values[:12] == pytest.approx(np.ones(12), abs=1e-9)
    assert np.abs(found["r_squared"].values[12:]).max() < 0.01
    assert float(found["capacity"]) == pytest.approx(12, abs=0.05)
    assert found["delay_time"].values[3] == pytest.approx(0.03)


def test_the_capacity_of_a_scalar_with_noise_is_that_of_the_formula():
    decay, noise = 0.8, 0.5
    found = memory_capacity(
        linear(np.array([[decay]]), into=np.ones((1, 1))),
        max_delay=40, n_values=60000, noise_density=noise / 0.01**0.5,
    )  # fmt: skip
    # x = sum of decay^k (u[k] + noise): each value's share of the variance, var(u) = 1/3.
    share = (1 - decay**2) * decay ** (2 * np.arange(41)) * (1 / 3) / (1 / 3 + noise**2)
    assert found["r_squared"].values == pytest.approx(share, abs=0.01)
    assert float(found["capacity"]) == pytest.approx(share.sum(), abs=0.02)


def test_a_network_that_does_not_hear_remembers_nothing():
    deaf = linear(0.9 * orthogonal(30), into=np.zeros((30, 1)))
    found = memory_capacity(deaf, noise_density=1.0)
    lower, upper = found["capacity_bound"].values
    assert lower < 0 < upper
    assert upper < 0.5
    assert float(memory_capacity(deaf)["capacity"]) == 0.0


@pytest.mark.parametrize("g", [0.7, 1.1])
def test_capacity_is_never_above_the_number_of_neurons(g):
    net = Rate.random(25, g=g, tau=0.01, dt=0.01, rng=1)
    found = memory_capacity(net, max_delay=60, amplitude=0.1)
    assert 2 < float(found["capacity"]) < 25


def test_noise_takes_memory_away():
    net = linear(0.95 * orthogonal(20))
    quiet, noisy = (memory_capacity(net, noise_density=s, max_delay=150) for s in (0.0, 1.0))
    assert noisy["capacity_bound"].values[1] < quiet["capacity_bound"].values[0] - 1


def test_a_spiking_network_remembers_the_last_values():
    net = Spiking.random(60, g=0.5, bias=1.2, rng=0)
    found = memory_capacity(
        net, max_delay=20, n_values=600, n_sequences=3, hold=0.05, noise_density=0.1
    )
    assert float(found["r_squared"][0]) > 0.8
    assert found["capacity_bound"].values[0] > 1
    assert abs(float(found["r_squared"][-1])) < 0.1


def test_filtered_spikes_are_the_outputs_of_the_network():
    weights = np.random.default_rng(4).standard_normal((2, 1, 15))
    net = Spiking.random(15, bias=1.3, rng=1)
    net = pdn.network.Spiking(
        net.recurrent_fast, input=net.input, output_slow=weights[0], output_fast=weights[1],
        bias=1.3,
    )  # fmt: skip
    values = np.random.default_rng(2).uniform(-1, 1, (40, 2))
    states = _filtered(net, values, 10, 0.0, np.random.default_rng(6))
    inputs = np.zeros((1, 400, 2))
    inputs[0] = np.repeat(values, 10, axis=0)
    trials = xr.Dataset({"inputs": (("channel", "step_time", "trial"), inputs)}, attrs={"dt": 1e-3})
    fast = pdn.simulate(net, trials, rng=np.random.default_rng(6), bin_width=0.001, record=())
    means = fast["output"].values[0]
    # The mean over a step of what is there at its start and at its end.
    ends = np.zeros((400, 2))
    for step in range(400):
        ends[step] = 2 * means[step] - (ends[step - 1] if step else 0.0)
    assert states @ weights[:, 0].ravel() == pytest.approx(ends[9::10], rel=1e-6, abs=1e-6)


def test_below_a_gain_of_one_the_start_is_forgotten_and_above_it_is_not():
    inputs = 0.5 * np.random.default_rng(0).uniform(-1, 1, (1, 2000, 1)).repeat(2, axis=2)
    trials = xr.Dataset({"inputs": (("channel", "step_time", "trial"), inputs)}, attrs={"dt": 0.01})
    first = np.random.default_rng(1).standard_normal((100, 2))
    apart = {}
    for g in (0.9, 3.0):
        net = Rate.random(100, g=g, rng=0)
        rate = pdn.simulate(net, trials, initial_state=first)["rate"].values
        apart[g] = np.linalg.norm(rate[:, -1, 0] - rate[:, -1, 1])
    assert apart[0.9] < 1e-6
    assert apart[3.0] > 1


def test_one_seed_one_result(tmp_path):
    net = Rate.random(20, g=0.9, tau=0.01, rng=0)
    first, again, other = (
        memory_capacity(net, max_delay=20, n_values=300, rng=s) for s in (1, 1, 2)
    )
    assert first.identical(again)
    assert not first.identical(other)
    pdn.save(first, tmp_path / "memory.nc")
    assert pdn.load(tmp_path / "memory.nc").identical(first)


def test_memory_beyond_the_longest_delay_is_said():
    with pytest.warns(pdn.PopdynWarning, match="5 values ago is still remembered .*max_delay"):
        memory_capacity(linear(0.9 * orthogonal(20)), max_delay=5)


def test_a_hold_that_looks_like_milliseconds_is_warned_of():
    net = linear(0.9 * orthogonal(20))
    assert _steps_of(net, 0.1) == 10
    with pytest.warns(pdn.PopdynWarning, match="hold=10: these durations .* milliseconds"):
        _steps_of(net, 10.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_delay": 0}, "max_delay must be at least 1"),
        ({"n_sequences": 1}, "n_sequences must be at least 2"),
        ({"n_values": 59}, r"at least 3 times the 20 regressors of the readout \(60\), found 59"),
        ({"hold": 0.015}, "hold must be a whole number of steps of 0.01 s, found 0.015"),
        ({"hold": "long"}, "hold must be a number of seconds"),
        ({"amplitude": 0}, "amplitude must be a positive number, found 0"),
        ({"amplitude": -1.0}, "amplitude must be a positive number, found -1"),
        ({"noise_density": -1.0}, "noise_density must be zero or positive"),
    ],
)
def test_arguments_without_sense_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        memory_capacity(linear(0.9 * orthogonal(20)), **arguments)


def test_what_is_no_network_is_refused():
    with pytest.raises(TensorError, match="expected a network"):
        memory_capacity("net")
