"""Simulation of rate networks, held to theory and to formulas written elsewhere."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr
from scipy.linalg import expm

import popdyn as pdn
from popdyn.errors import FitError, PopdynError, TensorError
from popdyn.network import Rate
from popdyn.simulation.steps import ACTIVATIONS
from popdyn.tasks import PerceptualDecision


@pytest.fixture(scope="module")
def net():
    return Rate.random(40, g=0.9, rng=0)


@pytest.fixture(scope="module")
def trials():
    return PerceptualDecision().sample(12, rng=0)


def linear(dt, n_neurons=12):
    """A stable linear network with a bias."""
    drawn = Rate.random(n_neurons, g=0.4, dt=dt, tau=0.1, nonlinearity="linear", rng=3)
    return dataclasses.replace(drawn, bias=np.linspace(-1, 1, n_neurons))


def linear_bin_means(net, start, edges):
    """Exact means over bins of tau dx/dt = A x + b, from matrix exponentials alone."""
    matrix = (net.recurrent - np.eye(net.n_neurons)) / net.tau
    fixed = np.linalg.solve(-matrix, net.bias / net.tau)
    integral = [np.linalg.solve(matrix, expm(matrix * t) @ (start - fixed)) for t in edges]
    return (np.diff(integral, axis=0) / np.diff(edges)[:, None] + fixed).T


def test_a_linear_network_follows_the_matrix_exponential_to_first_order():
    start = np.random.default_rng(1).standard_normal(12)
    edges = np.arange(0, 0.51, 0.02)
    errors = []
    for dt in (0.002, 0.001, 0.0005):
        net = linear(dt)
        sim = pdn.simulate(net, duration=0.5, bin_width=0.02, initial_state=start)
        exact = linear_bin_means(net, start, edges)
        errors.append(np.abs(sim["rate"].values[:, :, 0] - exact).max())
    assert errors[0] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.2)


def test_input_reaches_the_steady_state_of_the_equation():
    net = dataclasses.replace(linear(0.01), input=np.full((12, 1), 0.5))
    inputs = xr.DataArray(np.full((1, 300, 2), 2.0), dims=("channel", "step_time", "trial"))
    sim = pdn.simulate(net, xr.Dataset({"inputs": inputs}, attrs={"dt": 0.01}))
    fixed = np.linalg.solve(np.eye(12) - net.recurrent, net.bias + 0.5 * 2.0)
    assert sim["rate"].values[:, -1, 0] == pytest.approx(fixed, rel=1e-4, abs=1e-4)
    assert sim["output"].values[0, -1, 1] == pytest.approx(net.output[0] @ fixed, rel=1e-4)


def slow_oracle(net, inputs, start):
    """One trial, one neuron at a time, as the equation is written: rates at each step."""
    state = list(start)
    f = {"tanh": np.tanh, "relu": lambda x: max(x, 0.0), "linear": lambda x: x}
    f["softplus"] = lambda x: np.log(1 + np.exp(x))
    f["sigmoid"] = lambda x: 1 / (1 + np.exp(-x))
    rates = [[f[net.nonlinearity](x) for x in state]]
    for step in range(inputs.shape[1]):
        new = []
        for i in range(net.n_neurons):
            drive = net.bias[i]
            for j in range(net.n_neurons):
                drive += net.recurrent[i, j] * rates[-1][j]
            for k in range(net.n_inputs):
                drive += net.input[i, k] * inputs[k, step]
            new.append(state[i] + net.dt / net.tau * (-state[i] + drive))
        state = new
        rates.append([f[net.nonlinearity](x) for x in state])
    return np.array(rates)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "softplus", "sigmoid", "linear"])
def test_every_nonlinearity_steps_as_a_plain_loop_does(nonlinearity):
    net = Rate.random(6, n_inputs=2, n_outputs=2, g=0.8, dt=0.01, nonlinearity=nonlinearity, rng=2)
    net = dataclasses.replace(net, bias=np.linspace(-0.5, 0.5, 6))
    values = np.random.default_rng(0).standard_normal((2, 20, 3))
    start = np.random.default_rng(1).standard_normal((6, 3))
    data = xr.Dataset({"inputs": (("channel", "step_time", "trial"), values)}, attrs={"dt": 0.01})
    sim = pdn.simulate(net, data, bin_width=0.05, initial_state=start)
    for trial in range(3):
        rates = slow_oracle(net, values[:, :, trial], start[:, trial])
        middle = (rates[1:] + rates[:-1]) / 2
        mean = middle.reshape(4, 5, 6).mean(axis=1)
        assert sim["rate"].values[:, :, trial] == pytest.approx(mean.T, rel=1e-5, abs=1e-6)
        assert sim["output"].values[:, :, trial] == pytest.approx(net.output @ mean.T, rel=1e-9)


def test_no_activation_returns_its_own_argument():
    x = np.array([0.5, -0.5])
    for activation in ACTIVATIONS.values():
        assert activation(x) is not x


def test_the_response_is_read_at_the_end_of_each_step(net, trials):
    sim = pdn.simulate(net, trials)
    inputs = trials["inputs"].values
    for trial in (0, 5):
        rates = slow_oracle(net, inputs[:, :, trial], np.zeros(40))[1:]
        answer = (rates @ net.output[0])[trials["mask"].values[:, trial]].mean()
        assert float(sim["response"][trial]) == pytest.approx(answer, rel=1e-9)


def test_below_gain_one_activity_dies_out_and_above_it_lives_on():
    silent = pdn.simulate(Rate.random(200, g=0.5, rng=0), duration=3.0)
    lively = pdn.simulate(Rate.random(200, g=1.8, rng=0), duration=3.0)
    assert float(silent["rate"].isel(time=0).std()) > 0.3
    assert float(abs(silent["rate"].isel(time=-1)).max()) < 1e-5
    assert float(lively["rate"].isel(time=-1).std()) > 0.2


def test_two_first_states_are_forgotten_below_gain_one(trials):
    net = Rate.random(100, g=0.5, rng=1)
    long = PerceptualDecision(fixation_duration=4.0).sample(3, rng=0)
    first, second = (
        pdn.simulate(net, long, initial_state=np.random.default_rng(seed).standard_normal(100))
        for seed in (1, 2)
    )
    distance = np.linalg.norm(first["rate"].values - second["rate"].values, axis=0)
    assert distance[0].min() > 1
    assert distance[-1].max() < 1e-6


@pytest.mark.parametrize("dt", [0.002, 0.01])
def test_noise_density_gives_the_variance_of_the_stochastic_equation_at_any_step(dt):
    net = Rate(np.zeros((300, 300)), np.ones((300, 1)), np.ones((1, 300)), np.zeros(300),
               tau=0.1, dt=dt, nonlinearity="linear")  # fmt: skip
    sim = pdn.simulate(net, duration=3.0, noise_density=0.8, bin_width=dt, initial_state=[0] * 300)
    state = sim["rate"].values[:, int(1 / dt) :, 0]
    share = dt / 0.1
    # Euler: the variance of the discrete process; the bin mean joins two ends of a step.
    variance = 0.8**2 * dt / (1 - (1 - share) ** 2) * (1 - share / 2)
    assert state.var() == pytest.approx(variance, rel=0.05)
    assert variance == pytest.approx(0.8**2 * 0.1 / 2, rel=0.06)


def test_the_two_names_of_the_noise_differ_by_the_root_of_the_step(net, trials):
    density = pdn.simulate(net, trials, noise_density=0.5)
    step = pdn.simulate(net, trials, noise_step=0.5 * np.sqrt(net.dt))
    quiet = pdn.simulate(net, trials)
    assert np.allclose(density["rate"], step["rate"])
    assert not np.allclose(density["rate"], quiet["rate"], atol=0.01)


def test_batches_of_trials_do_not_change_the_result(net, trials):
    whole = pdn.simulate(net, trials, noise_density=0.3, rng=5)
    tiles = pdn.simulate(net, trials, noise_density=0.3, rng=5, tile=5)
    assert np.allclose(whole["rate"], tiles["rate"], rtol=0, atol=1e-6)
    assert np.allclose(whole["output"], tiles["output"], rtol=0, atol=1e-12)
    assert np.array_equal(whole["choice"], tiles["choice"])
    part = pdn.simulate(net, trials.isel(trial=slice(0, 4)), noise_density=0.3, rng=5)
    assert np.allclose(whole["rate"][:, :, :4], part["rate"], rtol=0, atol=1e-6)


def test_noise_drawn_in_blocks_is_the_same_noise(net, trials, monkeypatch):
    whole = pdn.simulate(net, trials, noise_density=0.3, rng=5)
    for drawn, stepped in ((40 * 12 * 7, 40 * 12 * 3), (1, 1)):
        monkeypatch.setattr("popdyn.simulation.state_noise._DRAWN", drawn)
        monkeypatch.setattr("popdyn.simulation.steps._STEP_BLOCK", stepped)
        assert pdn.simulate(net, trials, noise_density=0.3, rng=5).identical(whole)


def test_one_seed_one_simulation(net, trials):
    first, again, other = (
        pdn.simulate(net, trials, noise_density=0.3, rng=seed) for seed in (5, 5, 6)
    )
    assert first.identical(again)
    assert not first["rate"].equals(other["rate"])
    assert (first.attrs["seed"], other.attrs["seed"]) == ("5", "6")


def test_trials_do_not_share_their_noise(net):
    trials = PerceptualDecision(stimulus_noise=0, stimuli=(0.5,)).sample(2, rng=0)
    rate = pdn.simulate(net, trials, noise_density=0.3)["rate"].values
    assert not np.allclose(rate[:, :, 0], rate[:, :, 1], atol=0.01)


def test_the_result_keeps_the_contract(net, trials):
    sim = pdn.simulate(net, trials, source_id="net A", bin_width=0.02)
    rate = sim["rate"]
    assert pdn.check(rate) is rate
    assert rate.dims == ("neuron", "time", "trial")
    assert rate.dtype == np.float32
    expected = {"units": "1", "align": "start_time", "source": "network", "source_id": "net A"}
    assert expected.items() <= rate.attrs.items()
    assert (rate.attrs["bin_width"], rate.attrs["simultaneous"]) == (0.02, 1)
    assert rate["time"].values == pytest.approx(np.arange(51) * 0.02 + 0.01)
    assert np.array_equal(rate["align_time"], trials["start_time"])
    assert rate["stimulus_on_time"].attrs["clock"] == "session"
    assert np.array_equal(rate["stimulus"], trials["stimulus"])
    assert sim["output"].dims == ("output", "time", "trial")
    assert json.loads(rate.attrs["roles"]) == {
        "stimulus": "stimulus", "choice": "choice", "response": "response", "correct": "correct",
    }  # fmt: skip
    steps = json.loads(rate.attrs["popdyn"])
    assert steps[-1]["step"] == "simulate"


def test_inputs_and_network_are_left_as_they_were(net, trials):
    before, weights = trials.copy(deep=True), net.recurrent.copy()
    pdn.simulate(net, trials, noise_density=0.1)
    assert trials.identical(before)
    assert np.array_equal(net.recurrent, weights)


def test_a_simulation_survives_saving(net, trials, tmp_path):
    sim = pdn.simulate(net, trials)
    pdn.save(sim, tmp_path / "sim.nc")
    assert pdn.load(tmp_path / "sim.nc").identical(sim)


def test_after_a_trials_end_there_is_nan(net):
    trials = PerceptualDecision(delay_duration=(0.1, 0.6)).sample(10, rng=1)
    sim = pdn.simulate(net, trials, tile=3)
    lasts = (trials["stop_time"] - trials["start_time"]).values
    ended = sim["time"].values[:, None] > lasts
    assert ended.any()
    assert np.array_equal(np.isnan(sim["rate"].values).all(axis=0), ended)
    assert np.array_equal(np.isnan(sim["rate"].values).any(axis=0), ended)
    assert np.array_equal(np.isnan(sim["output"].values[0]), ended)
    assert np.isfinite(sim["response"]).all()


def test_a_bin_that_the_trial_fills_in_part_is_not_observed(net):
    trials = PerceptualDecision().sample(2, rng=1)  # 1.02 s
    assert pdn.simulate(net, trials, bin_width=0.05).sizes["time"] == 20
    mixed = PerceptualDecision(delay_duration=(0.1, 0.14)).sample(9, rng=1)
    sim = pdn.simulate(net, mixed, bin_width=0.03)
    n_bins = np.isfinite(sim["rate"].values[0]).sum(axis=0)
    lasts = (mixed["stop_time"] - mixed["start_time"]).values
    assert np.array_equal(n_bins, np.floor(lasts / 0.03 + 1e-9))


def test_a_network_without_rates_recorded_keeps_output_and_behavior(net, trials):
    whole = pdn.simulate(net, trials)
    bare = pdn.simulate(net, trials, record=())
    assert "rate" not in bare
    assert bare["output"].equals(whole["output"].drop_vars("neuron", errors="ignore"))
    assert np.array_equal(bare["choice"], whole["choice"])
    assert json.loads(bare.attrs["roles"])["choice"] == "choice"


def test_trials_made_by_hand_need_no_task_and_get_a_clock(net):
    inputs = xr.DataArray(np.zeros((1, 50, 3)), dims=("channel", "step_time", "trial"))
    sim = pdn.simulate(net, xr.Dataset({"inputs": inputs}, attrs={"dt": 0.01}))
    assert sim["start_time"].values == pytest.approx([0, 1.5, 3.0])
    assert sim["stop_time"].values == pytest.approx([0.5, 2.0, 3.5])
    assert "choice" not in sim.coords
    by_time = xr.Dataset({"inputs": inputs.assign_coords(step_time=np.arange(50) * 0.01)})
    assert pdn.simulate(net, by_time)["rate"].equals(sim["rate"])


def test_a_task_of_ones_own_says_what_the_output_means(net, trials):
    class Loud:
        def response(self, output, trials):
            n_trials = output.sizes["trial"]
            assert n_trials == trials.sizes["trial"]
            return xr.Dataset({"correct": ("trial", np.full(n_trials, 0.5))})

    sim = pdn.simulate(net, trials, task=Loud())
    assert (sim["correct"] == 0.5).all()
    assert "choice" not in sim.coords


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"record": ("spikes",)}, r"no spikes to record.*pdn.observe\(sim, n_neurons\)"),
        ({"record": ("rates",)}, "found 'rates'; did you mean 'rate'"),
        ({"bin_width": 0.015}, r"whole multiple of the network's dt=0.01 s.*use 0.01 or 0.02 s"),
        ({"bin_width": 0.004}, "use 0.01 s"),
        ({"bin_width": -1}, "bin_width must be a positive number of seconds"),
        ({"bin_width": 5.0}, "1.02 s, is shorter than one bin of 5 s"),
        ({"noise_density": -1}, "noise_density must be zero or positive, found -1"),
        ({"noise_density": 0.1, "noise_step": 0.1}, "two conventions for the same noise"),
        ({"initial_state": np.zeros(3)}, r"shape \(40,\) or \(40, 12\).*found \(3,\)"),
        ({"initial_state": np.full(40, np.nan)}, "initial_state must be finite"),
        ({"tile": 0}, "tile must be at least 1 trial, found 0"),
        ({"duration": 1.0}, "give trials .* or a duration"),
    ],
)
def test_what_cannot_be_run_is_refused_in_plain_words(net, trials, arguments, words):
    with pytest.raises(TensorError, match=words):
        pdn.simulate(net, trials, **arguments)


def test_trials_that_do_not_fit_the_network_are_refused(net, trials):
    with pytest.raises(TensorError, match=r"steps of 0.02 s, the network has dt=0.01 s.*net.dt"):
        pdn.simulate(net, PerceptualDecision().sample(2, dt=0.02))
    words = r"1 input channels, the network takes 3: take trials of the task.*n_inputs=1"
    with pytest.raises(TensorError, match=words):
        pdn.simulate(Rate.random(5, n_inputs=3), trials)
    with pytest.raises(TensorError, match="expected trials with inputs .* found ndarray"):
        pdn.simulate(net, np.zeros(3))
    with pytest.raises(TensorError, match="inputs must have the dims"):
        pdn.simulate(net, trials.rename(channel="input"))
    with pytest.raises(TensorError, match="found NaN or infinite ones in 1 trials"):
        broken = trials.copy(deep=True)
        broken["inputs"][0, 3, 2] = np.nan
        pdn.simulate(net, broken)
    with pytest.raises(TensorError, match="do not say their step"):
        bare = trials.drop_vars("step_time")
        del bare.attrs["dt"]
        pdn.simulate(net, bare)
    with pytest.raises(TensorError, match="each trial must stop after it starts"):
        pdn.simulate(net, trials.assign_coords(stop_time=trials["start_time"]))
    with pytest.raises(PopdynError, match="rng must be an integer"):
        pdn.simulate(net, trials, rng="seven")
    with pytest.raises(TensorError, match=r"Nearest windows"):
        pdn.simulate(net, duration=0.333)


def test_a_network_that_explodes_says_when(trials):
    net = Rate.random(30, g=60.0, nonlinearity="linear", tau=0.01, rng=0)
    with pytest.raises(
        FitError,
        match=r"0.\d+ s into the trial, and soon in \d+ of 12 trials: lower the",
    ):
        pdn.simulate(net, trials)
