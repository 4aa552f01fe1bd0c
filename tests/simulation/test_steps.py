"""Steps of rate networks: the bits of the first version, plain loops, and exact solutions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numba import njit
from scipy.linalg import expm
from scipy.special import erf

from popdyn.errors import TensorError
from popdyn.network import Rate
from popdyn.simulation.rate_kernel import ADVANCE, FINISH, KINDS, tanh_double, tanh_single
from popdyn.simulation.state_noise import noise_of_step
from popdyn.simulation.steps import ACTIVATIONS, evolve, evolve_blocks, prepare
from tests.oracles.rate import first_version, one_by_one

NONLINEARITIES = ("tanh", "relu", "softplus", "sigmoid", "linear")


def generators(n):
    return [np.random.default_rng(seed) for seed in range(n)]


def drawn(n_steps, n_trials, n_channels, n_neurons):
    rng = np.random.default_rng(7)
    return rng.standard_normal((n_steps, n_trials, n_channels)), rng.standard_normal(
        (n_trials, n_neurons)
    )


def rich(n_neurons=9, nonlinearity="tanh", **changes):
    """A network with everything: feedback, gains, time constants of each neuron, a bias."""
    net = Rate.random(
        n_neurons, g=0.8, n_inputs=2, n_outputs=3, tau=(0.02, 0.2), dt=0.01, feedback=0.7,
        nonlinearity=nonlinearity, rng=2,
    )  # fmt: skip
    bias, gain = np.linspace(-0.5, 0.5, n_neurons), np.linspace(0.4, 1.6, n_neurons)
    return dataclasses.replace(net, **{"bias": bias, "gain": gain, **changes})


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
def test_old_networks_step_to_the_same_bits(nonlinearity):
    net = Rate.random(40, g=0.9, n_inputs=2, density=0.5, nonlinearity=nonlinearity, rng=1)
    net = dataclasses.replace(net, bias=np.linspace(-1, 1, 40))
    inputs, start = drawn(30, 5, 2, 40)
    noise = 0.1 * np.stack([g.standard_normal((30, 40)) for g in generators(5)], axis=1)
    expected = first_version(net, inputs, start, noise)
    found = np.array(list(evolve(net, inputs, start, 0.1, generators(5))))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("method", ["euler", "exponential"])
@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
def test_feedback_gains_and_time_constants_step_as_a_plain_loop_does(nonlinearity, method):
    net = rich(nonlinearity=nonlinearity)
    inputs, start = drawn(25, 2, 2, 9)
    (block,) = evolve_blocks(net, inputs, start, method=method)
    found = list(zip(block.states, block.rates, strict=True))
    for trial in range(2):
        expected = one_by_one(
            net, inputs[:, trial], start[trial], exponential=method == "exponential"
        )
        for step in (0, 1, 25):
            assert found[step][0][trial] == pytest.approx(expected[0][step], rel=1e-11, abs=1e-12)
            assert found[step][1][trial] == pytest.approx(expected[1][step], rel=1e-11, abs=1e-12)


def test_the_error_function_and_plain_tau_of_each_neuron_follow_their_definition():
    net = rich(nonlinearity="erf", feedback=None)
    inputs, start = drawn(1, 1, 2, 9)
    rates = list(evolve(net, inputs, start))
    assert rates[0] == pytest.approx(erf(net.gain * start))
    drive = rates[0] @ net.recurrent.T + inputs[0] @ net.input.T + net.bias
    state = start + net.dt / net.tau * (drive - start)
    assert rates[1] == pytest.approx(erf(net.gain * state))


@pytest.mark.parametrize("method", ["euler", "exponential"])
@pytest.mark.parametrize("nonlinearity", list(KINDS))
@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-13), ("float32", 3e-6)])
@pytest.mark.parametrize("n_neurons", [3, 16, 45])
@pytest.mark.parametrize("by_trial", [True, False])
def test_the_compiled_kernels_step_as_numpy_does(
    nonlinearity, dtype, close, method, n_neurons, by_trial, monkeypatch
):
    monkeypatch.setattr("popdyn.simulation.steps._WORTH_BY_TRIAL", 1e9 if by_trial else 0)
    net = rich(n_neurons, nonlinearity)
    inputs, start = drawn(30, 3, 2, n_neurons)
    kwargs = {"method": method}
    plain = np.array(list(evolve(net, inputs, start, 0.1, generators(3), **kwargs)))
    (block,) = evolve_blocks(
        net, inputs, start, 0.1, generators(3), dtype=dtype, compiled=True, **kwargs
    )
    assert block.rates.dtype == block.states.dtype == dtype
    assert np.abs(block.rates - plain).max() < close * max(1, np.abs(plain).max())
    again = ACTIVATIONS[nonlinearity](block.states * net.gain)
    assert again == pytest.approx(block.rates, abs=1e-5)


def test_blocks_of_compiled_steps_do_not_change_the_result(monkeypatch):
    net = rich()
    inputs, start = drawn(50, 2, 2, 9)
    whole = list(evolve(net, inputs, start, 0.1, generators(2), compiled=True))
    monkeypatch.setattr("popdyn.simulation.steps._STEP_BLOCK", 18 * 7)
    assert np.array_equal(
        whole, list(evolve(net, inputs, start, 0.1, generators(2), compiled=True))
    )


def test_single_precision_takes_the_kernels_and_double_never(monkeypatch):
    taken = []

    def by_trial(*arguments):
        taken.append("trial")
        arguments[6][:] = 0

    def at_once(*arguments):
        taken.append("all")
        arguments[4][:] = 0

    for dtype in ADVANCE:
        monkeypatch.setitem(ADVANCE, dtype, by_trial)
        monkeypatch.setitem(FINISH, dtype, at_once)
    inputs, start = drawn(4, 2, 2, 9)
    for dtype, net, n_trials, calls in [
        ("float64", rich(), 1, []),
        ("float32", rich(), 1, ["trial"]),
        ("float32", rich(), 2, ["trial", "trial"]),
        ("float32", rich(nonlinearity="softplus"), 1, []),
    ]:
        taken.clear()
        list(evolve(net, inputs[:, :n_trials], start[:n_trials], dtype=dtype))
        assert taken == calls
    large = Rate.random(300, n_inputs=2)
    inputs, start = drawn(2, 2, 2, 300)
    taken.clear()
    list(evolve(large, inputs, start, dtype="float32"))
    assert taken == ["all", "all"]


def test_rates_are_never_the_same_array_twice():
    net = rich()
    inputs, start = drawn(5, 1, 2, 9)
    for compiled in (False, True):
        kept = list(evolve(net, inputs, start, compiled=compiled))
        again = [rate.copy() for rate in evolve(net, inputs, start, compiled=compiled)]
        assert np.array_equal(kept, again)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 3e-16), ("float32", 1.6e-7)])
def test_the_compiled_tanh_errs_by_no_more_than_it_says(dtype, bound):
    small = np.logspace(-30, 1.3, 200_001)
    x = np.concatenate([np.linspace(-25, 25, 200_001), small, -small, [0.0, 1e3, -np.inf]])
    x = x.astype(dtype)
    found = np.empty_like(x)
    tanh = {"float64": tanh_double, "float32": tanh_single}[dtype]

    @njit(error_model="numpy")
    def fill(x, found):
        for i in range(x.size):
            found[i] = tanh(x[i])

    fill(x, found)
    exact = np.tanh(x.astype(np.longdouble))
    error = np.abs(found - exact)
    assert error.max() < bound
    assert (error <= 3 * np.spacing(np.abs(exact).astype(dtype))).all()
    assert np.abs(found).max() == 1


@pytest.mark.parametrize("compiled", [False, True])
def test_nan_and_infinity_are_not_hidden(compiled):
    net = Rate(np.zeros((2, 2)), np.ones((2, 1)), np.ones((1, 2)), np.zeros(2))
    start = np.array([[np.nan, 0.0], [np.inf, 0.0]])
    rates = list(evolve(net, np.zeros((1, 2, 1)), start, compiled=compiled))
    assert np.isnan(rates[1][0, 0])
    assert rates[1][1].tolist() == [1.0, 0.0]


def exact_linear(net, start, seconds):
    """State of tau dx/dt = A x + b after some seconds, from the matrix exponential."""
    tau = np.broadcast_to(net.tau, net.n_neurons)
    effective = net.recurrent * (1 if net.gain is None else net.gain)
    if net.feedback is not None:
        read = net.output * (1 if net.gain is None else net.gain)
        effective = effective + net.feedback @ read
    matrix = (effective - np.eye(net.n_neurons)) / tau[:, None]
    fixed = np.linalg.solve(-matrix, net.bias / tau)
    return fixed + expm(matrix * seconds) @ (start - fixed)


@pytest.mark.parametrize("method", ["euler", "exponential"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_linear_network_nears_the_matrix_exponential_at_first_order(method, compiled):
    start = np.random.default_rng(1).standard_normal(12)
    errors = []
    for dt in (0.002, 0.001, 0.0005, 0.00025):
        net = Rate.random(
            12, g=0.7, tau=(0.05, 0.3), dt=dt, feedback=0.3, nonlinearity="linear", rng=3
        )
        net = dataclasses.replace(net, bias=np.linspace(-1, 1, 12), gain=np.linspace(0.5, 1.2, 12))
        inputs = np.zeros((round(0.4 / dt), 1, 1))
        *_, block = evolve_blocks(net, inputs, start[None], method=method, compiled=compiled)
        errors.append(np.abs(block.states[-1, 0] - exact_linear(net, start, 0.4)).max())
    assert errors[0] < 0.02
    for coarse, fine in zip(errors[:-1], errors[1:], strict=True):
        assert coarse / fine == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("dt", [0.001, 0.02, 0.05])
def test_exponential_steps_are_exact_without_recurrent_weights(dt):
    tau = np.array([0.05, 0.1, 0.4])
    net = Rate(np.zeros((3, 3)), np.array([[1.0], [2.0], [-1.0]]), np.ones((1, 3)),
               np.array([0.3, 0.0, -0.2]), tau=tau, dt=dt, nonlinearity="linear")  # fmt: skip
    start, drive = np.array([[1.0, -2.0, 0.5]]), 0.7
    n_steps = round(1.0 / dt)
    rates = list(evolve(net, np.full((n_steps, 1, 1), drive), start, method="exponential"))
    fixed = net.bias + net.input[:, 0] * drive
    time = np.arange(n_steps + 1)[:, None] * dt
    exact = fixed + (start - fixed) * np.exp(-time / tau)
    assert np.array(rates)[:, 0] == pytest.approx(exact, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("method", ["euler", "exponential"])
@pytest.mark.parametrize("compiled", [False, True])
def test_below_gain_one_every_network_falls_silent(method, compiled):
    for excitatory in (None, 0.8):
        net = Rate.random(200, g=0.5, excitatory=excitatory, tau=(0.05, 0.2), rng=0)
        start = np.random.default_rng(0).standard_normal((1, 200))
        *_, last = evolve(net, np.zeros((600, 1, 1)), start, method=method, compiled=compiled)
        assert np.abs(last).max() < 1e-6


@pytest.mark.parametrize("dt", [0.001, 0.02, 0.1])
def test_exponential_steps_give_noise_its_variance_at_any_step(dt):
    tau = np.repeat([0.1, 0.4], 400)
    net = Rate(np.zeros((800, 800)), np.ones((800, 1)), np.ones((1, 800)), np.zeros(800),
               tau=tau, dt=dt, nonlinearity="linear")  # fmt: skip
    std = noise_of_step(net, 0.8, 0.0, "exponential")
    start = 0.8 * np.sqrt(tau / 2) * np.random.default_rng(3).standard_normal((1, 800))
    n_steps = max(40, round(0.4 / dt))
    *_, last = evolve(
        net, np.zeros((n_steps, 1, 1)), start, std, generators(1), method="exponential"
    )
    for part, constant in ((slice(0, 400), 0.1), (slice(400, 800), 0.4)):
        # Mean square of 400 independent numbers: the standard error is 7 %.
        assert np.mean(last[0, part] ** 2) == pytest.approx(0.8**2 * constant / 2, rel=0.25)
    # After a step the variance is exactly that of before.
    keep = np.exp(-dt / tau)
    assert keep**2 * 0.8**2 * tau / 2 + std**2 == pytest.approx(0.8**2 * tau / 2, rel=1e-12)


def test_noise_is_said_per_step_or_as_a_density():
    net = Rate.random(3, dt=0.01)
    assert noise_of_step(net, 0.5, 0.0) == 0.5 * np.sqrt(0.01)
    assert noise_of_step(net, 0.0, 0.3) == noise_of_step(net, 0.0, 0.3, "exponential") == 0.3


def test_both_precisions_see_the_same_noise():
    net = Rate.random(30, g=0.5)
    inputs, start = drawn(40, 4, 1, 30)
    double = np.array(list(evolve(net, inputs, start, 0.2, generators(4))))
    for compiled in (False, True):
        single = list(
            evolve(net, inputs, start, 0.2, generators(4), dtype="float32", compiled=compiled)
        )
        assert single[0].dtype == np.float32
        assert np.abs(single - double).max() < 1e-5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "exponentail"}, "method must be one of 'euler', 'exponential', found "
                                    "'exponentail'; did you mean 'exponential'"),
        ({"dtype": "float16"}, "dtype must be one of 'float64', 'float32', found 'float16'"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_with_what_is(arguments, words):
    with pytest.raises(TensorError, match=words):
        prepare(Rate.random(3), **arguments)
    with pytest.raises(TensorError, match=words):
        evolve(Rate.random(3), np.zeros((1, 1, 1)), np.zeros((1, 3)), **arguments)
