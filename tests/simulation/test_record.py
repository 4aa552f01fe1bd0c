"""What a run keeps: states, outputs, precision, noise of the inputs, and what the task says."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn import tasks
from popdyn.errors import FitError, TensorError
from popdyn.network import Rate, Spiking
from popdyn.simulation.label import behavior_of
from popdyn.simulation.noise import InputNoise
from popdyn.simulation.start import read_trials
from popdyn.tasks import IntervalProduction, PerceptualDecision
from popdyn.tasks.registry import TASKS


@pytest.fixture(scope="module")
def net():
    return Rate.random(40, g=0.9, rng=0)


@pytest.fixture(scope="module")
def trials():
    return PerceptualDecision(delay_duration=(0.1, 0.4)).sample(12, rng=0)


def test_states_are_kept_as_a_tensor_of_potentials(net, trials):
    sim = pdn.simulate(net, trials, record=("rate", "state"), noise_density=0.3, bin_width=0.01)
    state = sim["potential"]
    assert pdn.check(state) is state
    assert (state.dims, state.attrs["units"]) == (("neuron", "time", "trial"), "1")
    assert np.array_equal(np.isnan(state), np.isnan(sim["rate"]))
    # In bins of a step both are means of two ends: of x, and of tanh(x).
    x = np.zeros((40, 12))
    for time in range(20):
        end = 2 * state.values[:, time].astype(float) - x
        rate = (np.tanh(x) + np.tanh(end)) / 2
        assert sim["rate"].values[:, time] == pytest.approx(rate, abs=1e-4)
        x = end


def test_states_of_a_linear_network_are_its_rates(trials):
    net = Rate.random(10, g=0.5, nonlinearity="linear", rng=0)
    sim = pdn.simulate(net, trials, record=("state", "rate"), bin_width=0.03, tile=5)
    assert {"potential", "rate", "output"} <= set(sim.variables)
    assert np.array_equal(sim["potential"].values, sim["rate"].values, equal_nan=True)


def test_states_alone_are_kept_without_rates(net, trials):
    sim = pdn.simulate(net, trials, record="state")
    both = pdn.simulate(net, trials, record=("state", "rate"))
    assert "rate" not in sim
    assert sim["potential"].identical(both["potential"])
    assert sim["output"].identical(both["output"])


def test_outputs_are_kept_whether_asked_for_or_not(net, trials):
    alone = pdn.simulate(net, trials, record=("output",))
    assert alone.identical(pdn.simulate(net, trials, record=()))
    assert alone["output"].dims == ("output", "time", "trial")
    assert not {"rate", "potential"} & set(alone.variables)
    assert {"response", "choice", "correct"} <= set(alone.coords)
    spiking = Spiking.random(10, rng=0)
    short = PerceptualDecision(stimulus_duration=0.1).sample(2, rng=0, dt=spiking.dt)
    sim = pdn.simulate(spiking, short, record=("output", "spike_count"))
    assert {"spike_count", "output"} <= set(sim.variables)


def test_single_precision_differs_by_rounding_only(net, trials):
    double = pdn.simulate(net, trials, noise_density=0.3, rng=1)
    single = pdn.simulate(net, trials, noise_density=0.3, rng=1, dtype="float32")
    difference = abs(single["rate"] - double["rate"])
    assert 0 < float(difference.max()) < 1e-4
    assert np.array_equal(single["choice"], double["choice"])
    assert '"dtype": "float32"' in single.attrs["parameters"]


def test_exponential_steps_are_exact_for_neurons_alone():
    net = Rate(np.zeros((3, 3)), np.ones((3, 1)), np.ones((1, 3)), [1.0, -2.0, 0.5],
               tau=0.05, dt=0.02, nonlinearity="linear")  # fmt: skip
    sim = pdn.simulate(
        net, duration=0.4, method="exponential", bin_width=0.02, initial_state=np.zeros(3)
    )
    ends = net.bias[:, None] * (1 - np.exp(-np.arange(21) * 0.02 / 0.05))
    expected = (ends[:, 1:] + ends[:, :-1]) / 2
    assert sim["rate"].values[:, :, 0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        (
            {"record": ("stat",)},
            "'rate', 'state', 'current' and 'output', found 'stat'; did you mean 'state'",
        ),
        ({"dtype": "float23"}, "dtype must be one of 'float64', 'float32', found 'float23'; did"),
        ({"method": "rk4"}, "method must be one of 'euler', 'exponential', found 'rk4'"),
        ({"input_noise_step": -1}, "input_noise_step must be zero or positive, found -1"),
        (
            {"input_noise_step": 1, "input_noise_density": 1},
            "input_noise_density .* and input_noise_step .* are two conventions",
        ),
    ],
)
def test_what_cannot_be_kept_or_added_is_refused(net, trials, keywords, words):
    with pytest.raises(TensorError, match=words):
        pdn.simulate(net, trials, **keywords)


def test_a_spiking_network_takes_no_method():
    with pytest.raises(TensorError, match="always exact between spikes; leave method out"):
        pdn.simulate(Spiking.random(5, rng=0), duration=0.1, method="exponential")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", ["euler", "exponential"])
@pytest.mark.parametrize("how", ["memory", "file", "continuous", "outputs alone"])
def test_a_run_that_diverges_says_which_neuron_which_trial_and_when(tmp_path, dtype, method, how):
    weights = np.zeros((4, 4))
    weights[2, 2] = 50.0
    net = Rate(weights, [[0.0], [0.0], [1.0], [0.0]], np.ones((1, 4)), np.zeros(4),
               tau=0.1, dt=0.1, nonlinearity="linear")  # fmt: skip
    inputs = np.zeros((1, 60, 3))
    inputs[0, 10, 1] = 1.0
    data = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), inputs)},
        coords={"trial": [7, 8, 9]},
        attrs={"dt": 0.1},
    )
    share = 1.0 if method == "euler" else 1 - np.exp(-1.0)
    state, seconds = share, 1.1
    while state <= float(np.finfo(np.float32).max) / 4:
        state, seconds = state * (1 + 49 * share), seconds + 0.1
    keywords = {
        "memory": {},
        "file": {"path": tmp_path / "sim.nc"},
        "continuous": {"continuous": True},
        "outputs alone": {"record": ()},
    }[how]
    beside = 1 if how == "continuous" else 3
    words = (
        rf"first in neuron 2 of trial 8, {seconds:.2g} s into the trial, and soon in 1 of {beside}"
    )
    with pytest.raises(FitError, match=words):
        pdn.simulate(net, data, bin_width=0.1, dtype=dtype, method=method, **keywords)
    assert list(tmp_path.iterdir()) == []


def test_a_trials_last_step_may_diverge_too():
    wild = Rate(np.array([[50.0]]), [[1.0]], [[1.0]], [0.0], tau=0.1, dt=0.1, nonlinearity="linear")
    # 50 ** (n - 1) after n steps: the 24th is the first beyond what single precision holds.
    for n_steps, diverges in ((23, False), (24, True)):
        data = xr.Dataset(
            {"inputs": (("channel", "step_time", "trial"), np.zeros((1, n_steps, 1)))},
            attrs={"dt": 0.1},
        )
        data["inputs"][0, 0] = 1.0
        if diverges:
            with pytest.raises(FitError, match=r"2\.4 s into the trial"):
                pdn.simulate(wild, data, bin_width=0.1)
        else:
            assert np.isfinite(pdn.simulate(wild, data, bin_width=0.1)["rate"].values).all()


def test_what_happens_after_a_trial_has_ended_is_no_divergence(net):
    wild = Rate(np.array([[50.0]]), [[1.0]], [[1.0]], [0.0], tau=0.1, dt=0.1, nonlinearity="linear")
    inputs = np.ones((1, 60, 2))
    inputs[..., 1] = 0.0
    data = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), inputs)},
        coords={"start_time": ("trial", [0.0, 10.0]), "stop_time": ("trial", [0.5, 16.0])},
        attrs={"dt": 0.1},
    )
    sim = pdn.simulate(wild, data, bin_width=0.1)
    assert np.isnan(sim["rate"].values[0, 5:, 0]).all()
    assert np.isfinite(sim["rate"].values[0, :5, 0]).all()
    assert (sim["rate"].values[0, :, 1] == 0).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bin_width", [0.02, 0.1])
def test_the_current_is_what_neurons_hear_of_each_other(dtype, bin_width):
    net = Rate.random(20, g=0.9, feedback=1.0, rng=0)
    net = dataclasses.replace(net, gain=np.linspace(0.5, 1.5, 20), dt=0.01)
    trials = PerceptualDecision(delay_duration=(0.1, 0.4)).sample(5, rng=0, dt=0.01)
    keywords = {"noise_density": 0.2, "bin_width": bin_width, "dtype": dtype}
    sim = pdn.simulate(net, trials, record=("current", "state", "rate"), **keywords)
    assert sim["current"].attrs["units"] == "1"
    expected = np.einsum("ij,jtk->itk", net.recurrent, sim["rate"].values)
    assert np.allclose(sim["current"].values, expected, atol=1e-5, equal_nan=True)
    assert np.nanmax(np.abs(expected)) > 0.1
    alone = pdn.simulate(net, trials, record="current", **keywords)
    assert alone["current"].identical(sim["current"])
    assert "rate" not in alone
    stream = pdn.simulate(net, trials, record="current", continuous=True, tile=1, **keywords)
    first = int(np.argmin(trials["start_time"].values))
    both = [each["current"].values[..., first] for each in (stream, sim)]
    assert np.allclose(*both, atol=1e-5, equal_nan=True)


def single(dt, n_inputs=1, weight=2.0, n_neurons=1):
    return Rate(np.zeros((n_neurons, n_neurons)), np.full((n_neurons, n_inputs), weight),
                np.ones((1, n_neurons)), np.zeros(n_neurons), tau=0.1, dt=dt,
                nonlinearity="linear")  # fmt: skip


@pytest.mark.parametrize("dt", [0.002, 0.01])
def test_input_noise_of_a_density_gives_the_stated_variance_at_any_step(dt):
    n_steps = round(3.0 / dt)
    silence = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), np.zeros((1, n_steps, 300)))},
        attrs={"dt": dt},
    )
    sim = pdn.simulate(single(dt), silence, input_noise_density=0.7, bin_width=dt, record="state")
    state = sim["potential"].values[0, round(1 / dt) :]
    share = dt / 0.1
    euler = (share * 2.0 * 0.7) ** 2 / dt / (1 - (1 - share) ** 2) * (1 - share / 2)
    assert state.var() == pytest.approx(euler, rel=0.05)
    assert euler == pytest.approx(2.0**2 * 0.7**2 / (2 * 0.1), rel=0.06)


def test_input_noise_per_step_is_what_is_added_to_each_channel(net, trials):
    density = pdn.simulate(net, trials, input_noise_density=0.05)
    step = pdn.simulate(net, trials, input_noise_step=0.05 / np.sqrt(net.dt))
    assert np.allclose(density["rate"], step["rate"], equal_nan=True)
    run = read_trials(net, trials)
    generators = [np.random.default_rng(seed) for seed in range(12)]
    noisy = InputNoise(net.dt, 0.0, 0.3, generators).added(run)
    added = noisy.inputs - run.inputs
    for trial, n_steps in enumerate(run.n_steps):
        assert added[:n_steps, trial].std() == pytest.approx(0.3, rel=0.25)
        assert not added[n_steps:, trial].any()
    assert np.abs(np.corrcoef(added[:60, :, 0].T) - np.eye(12)).max() < 0.6
    assert not (run.inputs == noisy.inputs).all()


def test_channels_have_noise_of_their_own():
    net = single(0.01, n_inputs=2)
    silence = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), np.zeros((2, 2000, 1)))}, attrs={"dt": 0.01}
    )
    run = InputNoise(0.01, 0.0, 1.0, [np.random.default_rng(0)]).added(read_trials(net, silence))
    assert abs(np.corrcoef(run.inputs[:, 0].T)[0, 1]) < 0.08


def test_noise_of_the_inputs_does_not_change_the_noise_of_the_states(trials):
    deaf = single(0.01, weight=0.0, n_neurons=3)
    plain = pdn.simulate(deaf, trials, noise_density=0.3, rng=2)
    noisy = pdn.simulate(deaf, trials, noise_density=0.3, input_noise_step=1.0, rng=2)
    assert np.array_equal(plain["rate"], noisy["rate"], equal_nan=True)


def test_input_noise_does_not_depend_on_the_tile_or_on_other_trials(net, trials):
    keywords = {"input_noise_density": 0.1, "rng": 3}
    whole = pdn.simulate(net, trials, **keywords)["rate"]
    tiles = pdn.simulate(net, trials, tile=5, **keywords)["rate"]
    part = pdn.simulate(net, trials.isel(trial=slice(0, 3)), **keywords)["rate"]
    assert np.allclose(whole, tiles, rtol=0, atol=1e-6, equal_nan=True)
    n_time = part.sizes["time"]
    assert np.allclose(whole[:, :n_time, :3], part, rtol=0, atol=1e-6, equal_nan=True)


def test_spiking_networks_hear_the_noise_of_their_inputs():
    net = Spiking.random(20, rng=0)
    trials = PerceptualDecision(stimulus_duration=0.1).sample(3, rng=0, dt=net.dt)
    keywords = {"record": ("potential",), "rng": 1}
    quiet = pdn.simulate(net, trials, **keywords)
    loud = pdn.simulate(net, trials, input_noise_density=0.5, **keywords)
    assert not np.allclose(quiet["potential"], loud["potential"], equal_nan=True)
    again = pdn.simulate(net, trials, input_noise_density=0.5, n_jobs=2, **keywords)
    assert np.array_equal(loud["potential"], again["potential"], equal_nan=True)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_what_any_task_says_of_the_output_is_in_the_trial_table(name):
    task = getattr(tasks, name)()
    drawn = task.sample(3, rng=0, dt=0.01)
    sizes = {"n_inputs": drawn.sizes["channel"], "n_outputs": drawn.sizes["output"]}
    net = Rate.random(10, g=0.9, rng=0, **sizes)
    sim = pdn.simulate(net, drawn, bin_width=0.01, noise_density=0.2)
    blank = xr.zeros_like(drawn["target"])
    columns = set(task.response(blank, drawn).data_vars)
    assert {"response", "correct"} <= columns <= set(sim.coords)
    assert ("choice" in columns) == ("choice" in sim["rate"].coords)
    roles = json.loads(sim["rate"].attrs["roles"])
    assert set(roles.values()) <= set(sim.coords)
    assert roles["response"] == "response"
    assert pdn.simulate(net, drawn, task=task, noise_density=0.2).identical(sim)
    for column in columns:
        assert sim["rate"][column].dims == ("trial",)


def interval_maker():
    """The go pulse sets a slope, which a second neuron integrates to 1 after 0.7 s."""
    return Rate([[1.0, 0.0], [1.0, 1.0]], [[0.0, 114.0], [0.0, 0.0]], [[0.0, 1.0]], [0.0, 0.0],
                tau=2.0, dt=0.01, nonlinearity="linear")  # fmt: skip


def test_produced_intervals_are_in_the_table_and_can_be_aligned_to():
    trials = IntervalProduction().sample(6, rng=0, dt=0.01)
    sim = pdn.simulate(interval_maker(), trials)
    assert sim["produced_interval"].values == pytest.approx(0.7, abs=0.05)
    assert sim["production_time"].attrs["clock"] == "session"
    assert np.allclose(sim["production_time"] - sim["go_time"], sim["produced_interval"])
    rate = pdn.align(sim["rate"], "production_time", (-0.2, 0.1))
    crossing = rate.isel(neuron=1).values
    assert (crossing[:19] < 1.0).all()
    assert (crossing[-9:] > 1.0).all()


def test_a_session_of_spikes_knows_what_the_network_answered():
    net = Spiking.random(20, n_inputs=2, rng=0)
    task = IntervalProduction(stimuli=(0.2,), delay_duration=0.1, fixation_duration=0.1)
    trials = task.sample(2, rng=0, dt=net.dt)
    session = pdn.simulate(net, trials, record=("spikes",))
    assert {"response", "correct", "produced_interval", "production_time"} <= set(session.coords)
    assert session["production_time"].attrs["clock"] == "session"


def test_trials_without_a_target_have_no_behavior(net, trials):
    sim = pdn.simulate(net, trials.drop_vars(["mask", "target"]))
    assert not {"response", "choice", "correct"} & set(sim.coords)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_outputs_are_judged_trial_by_trial(name, monkeypatch):
    task = TASKS[name]()
    trials = task.sample(7, rng=0)
    steps = np.random.default_rng(0).standard_normal(
        [trials["target"].sizes[dim] for dim in ("output", "step_time", "trial")]
    )
    whole = behavior_of(task, trials, steps)
    monkeypatch.setattr("popdyn.simulation.label._AT_ONCE", steps.size // 3)
    parts = behavior_of(task, trials, steps)
    assert whole
    for column, (values, attrs) in whole.items():
        exact = values.dtype.kind != "f"
        found = parts[column][0]
        same = (
            np.array_equal(found, values)
            if exact
            else found == pytest.approx(values, rel=1e-12, abs=1e-12, nan_ok=True)
        )
        assert same, column
        assert parts[column][1] == attrs
