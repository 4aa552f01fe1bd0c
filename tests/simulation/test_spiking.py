"""Runs of spiking networks, held to closed forms, matrix exponentials and a plain form."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.linalg import expm

import popdyn as pdn
from popdyn.errors import FitError, TensorError
from popdyn.network import Spiking
from popdyn.simulation.spiking_setup import first_state, prepare
from popdyn.simulation.spiking_trial import Wish, run_trial
from popdyn.tasks import PerceptualDecision
from tests.oracles.spiking import current_gain, run_plain

ROOT = Path(__file__).parents[2]
NO_NOISE = np.zeros(())


def drawn(rng, n_neurons=30, dt=0.001, **fields):
    """A network that uses everything there is: all synapses, delays, feedback, heterogeneity."""
    weights = rng.normal(0, 1.5 / n_neurons**0.5, (2, n_neurons, n_neurons))
    weights[rng.random(weights.shape) < 0.5] = 0
    given = {
        "recurrent_fast": weights[0],
        "recurrent_slow": weights[1] / 10,
        "input": rng.normal(size=(n_neurons, 2)),
        "output_fast": rng.normal(size=(2, n_neurons)) / n_neurons,
        "output_slow": rng.normal(size=(2, n_neurons)) / n_neurons,
        "feedback": rng.normal(size=(n_neurons, 2)),
        "bias": rng.uniform(0.8, 1.6, n_neurons),
        "tau_membrane": rng.uniform(0.01, 0.03, n_neurons),
        "threshold": rng.uniform(0.9, 1.1, n_neurons),
        "reset": rng.uniform(-0.2, 0.2, n_neurons),
        "rest": rng.uniform(-0.1, 0.1, n_neurons),
        "refractory": rng.integers(0, 4, n_neurons) * dt,
        "delay": rng.integers(0, 6, n_neurons) * dt,
        "dt": dt,
    }
    return Spiking(**{**given, **fields})


def trace_of(net, inputs=None, n_steps=400, potential=None, dtype="float64", layout=None):
    """Run the compiled steps once; return machine, final state and what was kept of each step."""
    machine = prepare(net, dtype, layout)
    potential = np.broadcast_to(net.rest, net.n_neurons) if potential is None else potential
    state = first_state(machine, potential)
    inputs = np.zeros((n_steps, net.n_inputs)) if inputs is None else inputs
    wish = Wish(1, potential=True, current=True)
    trace = run_trial(machine, state, inputs, NO_NOISE, np.random.default_rng(0), wish)
    return machine, state, trace


def pairs(trace):
    return list(zip(trace.spike_step.tolist(), trace.spike_neuron.tolist(), strict=True))


# ---------------------------------------------------------------- against closed forms
def test_the_rate_of_a_neuron_follows_the_closed_form_of_its_current():
    """Known answer B17: 1 / (refractory + tau ln(RI / (RI - threshold)))."""
    current = np.array([1.1, 1.5, 2.0, 4.0])
    net = Spiking(np.zeros((4, 4)), bias=current, tau_membrane=0.02, refractory=0.002, dt=0.0001)
    session = pdn.simulate(net, duration=10.0, bin_width=0.1, record=("spikes",))
    expected = 1 / (0.002 + 0.02 * np.log(current / (current - 1)))
    assert expected == pytest.approx([20.02, 41.71, 63.04, 128.97], abs=0.005)
    for neuron, rate in enumerate(expected):
        times = session["spike_time"].values[slice(*session["neuron_start"].values[neuron:][:2])]
        assert 1 / np.diff(times).mean() == pytest.approx(rate, rel=0.01)


def test_the_error_of_the_rate_is_half_a_step_per_interval():
    """Spikes wait for the end of their step: intervals are rounded up, to first order in dt."""
    errors = []
    for dt in (0.0004, 0.0002, 0.0001):
        net = Spiking(np.zeros((40, 40)), bias=np.linspace(1.3, 3, 40), dt=dt)
        session = pdn.simulate(net, duration=4.0, bin_width=0.1, record=("spikes",))
        starts = session["neuron_start"].values
        exact = 0.002 + 0.02 * np.log(net.bias / (net.bias - 1))
        intervals = [
            np.diff(session["spike_time"].values[a:b]).mean()
            for a, b in zip(starts[:-1], starts[1:], strict=True)
        ]
        assert (intervals >= exact - 1e-12).all()
        assert (intervals <= exact + dt + 1e-12).all()
        errors.append(np.mean(intervals - exact))
    assert errors[0] / errors[2] == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize("tau_fast", [0.005, 0.02, 0.02 * (1 + 1e-9), 0.3])
def test_below_threshold_the_solution_is_the_matrix_exponential(tau_fast):
    net = Spiking(np.zeros((1, 1)), input=[[0.7]], bias=0.1, rest=-0.3, tau_fast=tau_fast, dt=0.001)
    machine = prepare(net)
    state = first_state(machine, np.array([0.2]))
    state.fast[:], state.slow[:] = 0.3, -0.2
    slow = dataclasses.replace(net, recurrent_slow=np.array([[1.0]]))
    machine = prepare(slow)
    inputs = np.repeat([[0.5], [-0.4]], 60, axis=0)
    run_trial(machine, state, inputs, NO_NOISE, np.random.default_rng(0), Wish(1))
    # One matrix for potential, both currents and the constant: d/dt y = matrix @ y.
    y = np.array([0.2, 0.3, -0.2, 1.0])
    for value in (0.5, -0.4):
        matrix = np.zeros((4, 4))
        matrix[0] = np.array([-1.0, 1.0, 1.0, -0.3 + 0.1 + 0.7 * value]) / 0.02
        matrix[1, 1], matrix[2, 2] = -1 / tau_fast, -1 / 0.1
        y = expm(matrix * 0.060) @ y
    assert state.potential[0] == pytest.approx(y[0], abs=1e-12)
    assert state.fast[0] == pytest.approx(y[1], abs=1e-12)
    assert state.slow[0] == pytest.approx(y[2], abs=1e-12)


@pytest.mark.parametrize("tau", [0.003, 0.02, 0.5])
def test_the_gain_of_a_current_is_the_textbook_formula(tau):
    net = Spiking(np.zeros((1, 1)), tau_fast=tau, tau_membrane=0.02)
    gain = prepare(net).constants.gain_fast[0]
    assert gain == pytest.approx(current_gain(0.001, 0.02, tau), rel=1e-13)


def test_an_incoming_spike_makes_the_potential_of_the_published_shape():
    """One spike at time 0: v(t) = w tau_s/(tau_s - tau_m) (exp(-t/tau_s) - exp(-t/tau_m))."""
    weights = np.array([[0.0, 0.0], [0.8, 0.0]])
    net = Spiking(weights, bias=[0.0, 0.0], tau_fast=0.005, tau_membrane=0.02, delay=0.003)
    _, _, trace = trace_of(net, n_steps=80, potential=np.array([1.5, 0.0]))
    assert pairs(trace) == [(0, 0)]
    potential = trace.potential[:, 1]
    ends = 2 * np.cumsum(potential * (-1.0) ** np.arange(80)) * (-1.0) ** np.arange(80)
    after = 0.001 * np.arange(80) - 0.003
    expected = np.where(after > 0, 0.8 * current_gain(after, 0.02, 0.005), 0.0)
    assert ends == pytest.approx(expected, abs=1e-12)


# ---------------------------------------------------------------- against the plain form
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    n_neurons=st.integers(2, 41),
    uniform=st.booleans(),
    feedback=st.booleans(),
    slow=st.booleans(),
    dtype=st.sampled_from(["float64", "float32"]),
)
def test_compiled_and_plain_steps_give_the_same_bits(
    seed, n_neurons, uniform, feedback, slow, dtype
):
    rng = np.random.default_rng(seed)
    net = drawn(rng, n_neurons)
    if uniform:
        constants = {"tau_membrane": 0.02, "threshold": 1.0, "reset": 0.0, "rest": 0.0}
        net = dataclasses.replace(net, **constants, refractory=0.002)
    net = net if feedback else dataclasses.replace(net, feedback=None)
    net = net if slow else dataclasses.replace(net, recurrent_slow=None)
    inputs = np.repeat(rng.normal(0, 0.3, (30, 2)), 5, axis=0)
    potential = rng.uniform(0, 1, n_neurons)
    machine, state, trace = trace_of(net, inputs, potential=potential, dtype=dtype)
    plain = run_plain(machine, potential, inputs)
    assert pairs(trace) == plain["spikes"]
    assume(len(plain["spikes"]) > 0)
    assert np.array_equal(state.potential, plain["potential"][-1])
    assert np.array_equal(state.fast, plain["fast"])
    assert np.array_equal(state.slow, plain["slow"])
    assert np.array_equal(trace.output, plain["output"].astype(np.float64))
    start = np.vstack([potential.astype(dtype), plain["potential"][:-1]]).astype(np.float64)
    assert np.array_equal(trace.potential, (start + plain["before"]) / 2)
    assert trace.current == pytest.approx(
        plain["current"], rel=1e-6 if dtype == "float32" else 1e-14
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), density=st.floats(0.0, 1.0))
def test_dense_and_sparse_weights_give_the_same_bits(seed, density):
    rng = np.random.default_rng(seed)
    net = drawn(rng, 50)
    keep = rng.random((50, 50)) < density
    net = dataclasses.replace(
        net,
        recurrent_fast=net.recurrent_fast * keep,
        recurrent_slow=sparse.csc_array(net.recurrent_slow * keep),
    )
    inputs = rng.normal(0, 0.3, (300, 2))
    (_, one, dense), (_, two, lists) = (
        trace_of(net, inputs, layout=layout) for layout in ("dense", "sparse")
    )
    assert np.array_equal(dense.spike_neuron, lists.spike_neuron)
    assert np.array_equal(dense.n_spikes, lists.n_spikes)
    assert np.array_equal(dense.potential, lists.potential)
    assert np.array_equal(one.slow, two.slow)
    assert dense.spike_neuron.size > 50


@pytest.mark.parametrize(("density", "sparse_lists"), [(0.05, True), (0.2, False)])
def test_weights_of_a_low_density_are_stored_as_lists(density, sparse_lists):
    rng = np.random.default_rng(0)
    weights = (rng.random((100, 100)) < density) * 1.0
    for given_weights in (weights, sparse.coo_array(weights)):
        synapses = prepare(Spiking(given_weights)).weights.fast
        assert (synapses.target.size > 0) is sparse_lists
        assert (synapses.rows.size > 0) is not sparse_lists


def test_a_run_in_stretches_is_the_run_in_one(monkeypatch):
    rng = np.random.default_rng(3)
    net = drawn(rng)
    inputs = rng.normal(0, 0.5, (200, 2))
    _, _, whole = trace_of(net, inputs)
    monkeypatch.setattr("popdyn.simulation.spiking_trial._STRETCH", 30 * 7)
    _, _, parts = trace_of(net, inputs)
    assert np.array_equal(whole.spike_neuron, parts.spike_neuron)
    assert np.array_equal(whole.potential, parts.potential)
    assert np.array_equal(whole.output, parts.output)


def test_a_trial_can_go_on_from_the_state_another_ended_in():
    rng = np.random.default_rng(4)
    net = drawn(rng)
    inputs = rng.normal(0, 0.5, (200, 2))
    _, _, whole = trace_of(net, inputs)
    machine = prepare(net)
    state = first_state(machine, np.broadcast_to(net.rest, 30))
    parts = [
        run_trial(machine, state, piece, NO_NOISE, np.random.default_rng(0), Wish(1))
        for piece in (inputs[:77], inputs[77:])
    ]
    assert np.array_equal(whole.n_spikes, np.concatenate([part.n_spikes for part in parts]))
    assert np.array_equal(whole.output, np.concatenate([part.output for part in parts]))


# ---------------------------------------------------------------- rules of a step
@pytest.mark.parametrize("n_refractory", [0, 1, 5])
def test_a_neuron_stays_at_the_reset_for_its_refractory_time(n_refractory):
    """A drive so strong that one step suffices: a spike every n + 1 steps."""
    net = Spiking(
        np.zeros((1, 1)), bias=1000.0, reset=-3.0, refractory=n_refractory * 0.001, dt=0.001
    )
    _, _, trace = trace_of(net, n_steps=60)
    assert np.diff(trace.spike_step).tolist() == [n_refractory + 1] * (len(trace.spike_step) - 1)
    held = np.flatnonzero(trace.potential[:, 0] == -3.0)
    assert held.size == n_refractory * trace.spike_step.size - max(
        0, trace.spike_step[-1] + n_refractory - 59
    )


@pytest.mark.parametrize("n_delay", [0, 1, 7])
def test_a_spike_reaches_its_targets_after_the_delay_of_its_sender(n_delay):
    weights = np.zeros((3, 3))
    weights[1, 0], weights[2, 1] = 50.0, 50.0
    net = Spiking(weights, tau_fast=0.005, delay=[n_delay * 0.001, 0.002, 0.0])
    _, _, trace = trace_of(net, n_steps=40, potential=np.array([2.0, 0.0, 0.0]))
    first = {neuron: step for step, neuron in reversed(pairs(trace))}
    # The jump comes at the end of a step; the potential reaches threshold within the next.
    assert first == {0: 0, 1: n_delay + 1, 2: n_delay + 1 + 3}


@pytest.mark.parametrize("threshold", [0.5, [0.5, 0.75, 0.5]])
def test_a_potential_at_the_threshold_itself_is_a_spike(threshold):
    # Without synapses the potential stays at rest, which is exactly the threshold of two neurons.
    net = Spiking(
        np.zeros((3, 3)), threshold=threshold, rest=[0.5, 0.5, 0.25], reset=0.0, refractory=0.0
    )
    _, _, trace = trace_of(net, n_steps=1, potential=np.array([0.5, 0.5, 0.25]))
    expected = {0, 1} if np.ndim(threshold) == 0 else {0}
    assert {neuron for _, neuron in pairs(trace)} == expected


def test_the_output_is_the_readout_of_filtered_spikes():
    rng = np.random.default_rng(5)
    net = drawn(rng, feedback=None)
    _, _, trace = trace_of(net, rng.normal(0, 0.5, (300, 2)))
    end = np.arange(1, 301)
    expected = np.zeros((300, 2))
    for step, neuron in pairs(trace):
        after = (end - 1 - step) * net.dt
        for tau, weights in ((net.tau_fast, net.output_fast), (net.tau_slow, net.output_slow)):
            kernel = np.where(after >= 0, np.exp(-np.maximum(after, 0) / tau), 0)
            expected += np.outer(kernel, weights[:, neuron])
    assert trace.spike_neuron.size > 100
    assert trace.output == pytest.approx(expected, abs=1e-12)


def test_feedback_is_the_low_rank_part_of_the_recurrent_weights():
    """Fed-back outputs are filtered like synaptic currents: J + feedback @ output, exactly."""
    rng = np.random.default_rng(6)
    net = drawn(rng, delay=0.0)
    folded = dataclasses.replace(
        net,
        recurrent_fast=net.recurrent_fast + net.feedback @ net.output_fast,
        recurrent_slow=net.recurrent_slow + net.feedback @ net.output_slow,
        feedback=None,
    )
    inputs = rng.normal(0, 0.5, (250, 2))
    (_, _, one), (_, _, two) = (trace_of(each, inputs) for each in (net, folded))
    assert pairs(one) == pairs(two)
    assert one.potential == pytest.approx(two.potential, abs=1e-11)
    assert one.current == pytest.approx(two.current, abs=1e-11)
    assert one.spike_neuron.size > 100


def test_noise_of_a_density_has_the_variance_of_the_continuous_equation():
    """An Ornstein-Uhlenbeck process, whatever the step: noise_density² tau / 2."""
    for dt in (0.0005, 0.005):
        net = Spiking(np.zeros((300, 300)), threshold=1e6, tau_membrane=0.02, dt=dt, refractory=0.0)
        sim = pdn.simulate(
            net, duration=2.0, bin_width=dt, record=("potential",), noise_density=0.4,
            initial_state=np.zeros(300),
        )  # fmt: skip
        late = sim["potential"].values[:, int(0.2 / dt) :, 0]
        # The mean of both ends of a step has a little less variance than each.
        shrink = (1 + np.exp(-dt / 0.02)) / 2
        assert late.var() == pytest.approx(0.4**2 * 0.02 / 2 * shrink, rel=0.05)


def test_noise_of_a_step_is_added_at_each_step():
    net = Spiking(np.zeros((400, 400)), threshold=1e6)
    sim = pdn.simulate(
        net, duration=0.002, bin_width=0.001, record=("potential",), noise_step=0.3,
        initial_state=np.zeros(400),
    )  # fmt: skip
    first, second = sim["potential"].values[:, :, 0].T.astype(float)
    assert 2 * first.std() == pytest.approx(0.3, rel=0.1)
    step_2 = 2 * second - 2 * first
    assert (step_2 - 2 * first * np.exp(-0.05)).std() == pytest.approx(0.3, rel=0.1)


# ---------------------------------------------------------------- what simulate returns
@pytest.fixture(scope="module")
def net():
    return Spiking.random(60, n_outputs=1, excitatory=0.5, inhibition=0.0, rng=0)


@pytest.fixture(scope="module")
def trials():
    return PerceptualDecision(fixation_duration=(0.1, 0.3)).sample(8, rng=0, dt=0.001)


def test_spikes_make_a_session_on_the_clock_of_the_trials(net, trials):
    session = pdn.simulate(net, trials, record=("spikes",), rng=1, source_id="lif")
    assert session.attrs["source"] == "network"
    assert session.attrs["source_id"] == "lif"
    assert (session["population"].values == net.population).all()
    start, stop = trials["start_time"].values, trials["stop_time"].values
    assert np.array_equal(np.unique(session["obs_start"]), start)
    assert np.unique(session["obs_stop"]) == pytest.approx(stop, abs=1e-9)
    times = session["spike_time"].values
    trial = np.searchsorted(start, times) - 1
    assert (times < stop[trial]).all()
    in_step = (times - start[trial]) / net.dt
    assert in_step - np.floor(in_step) == pytest.approx(0.5, abs=1e-6)
    assert {"choice", "correct", "response", "stimulus_on_time"} <= set(session.coords)
    assert times.size > 1000


def test_bins_of_simulate_are_the_bins_that_align_makes_of_the_spikes(net, trials):
    sim = pdn.simulate(net, trials, record=("spike_count", "rate"), rng=1)
    session = pdn.simulate(net, trials, record=("spikes",), rng=1)
    window = (0.0, sim.sizes["time"] * 0.01)
    counts = pdn.align(session, "start_time", window, 0.01)
    assert np.array_equal(counts.values, sim["spike_count"].values, equal_nan=True)
    assert np.array_equal(sim["rate"].values, counts.values / np.float32(0.01), equal_nan=True)
    assert np.isnan(counts.values).any()
    assert np.array_equal(session["choice"], sim["choice"])


def test_every_tensor_keeps_the_contract_and_says_its_unit(net, trials):
    record = ("rate", "spike_count", "potential", "current")
    millivolt = dataclasses.replace(
        net, unit="mV", threshold=-50.0, reset=-60.0, rest=-62.0, bias=15.0
    )
    for each, unit in ((net, "1"), (millivolt, "mV")):
        sim = pdn.simulate(each, trials, record=record)
        units = {name: pdn.check(sim[name]).attrs["units"] for name in record}
        assert units == {"rate": "Hz", "spike_count": "1", "potential": unit, "current": unit}
    assert np.nanmax(sim["potential"].values) < -50
    assert np.nanmin(sim["potential"].values) > -80
    # The resting potential is no current.
    assert np.nanmean(sim["current"].values) == pytest.approx(15.0, abs=2.0)
    assert (sim["population"].values == net.population).all()


def test_output_alone_carries_trials_and_behavior(net, trials):
    sim = pdn.simulate(net, trials, record=())
    whole = pdn.simulate(net, trials)
    assert "rate" not in sim
    assert np.array_equal(sim["output"], whole["output"], equal_nan=True)
    assert np.array_equal(sim["response"], whole["response"])
    assert "neuron" not in sim.dims


def test_a_simulation_of_spikes_is_saved_and_loaded_whole(net, trials, tmp_path):
    for record in (("spikes",), ("rate", "potential")):
        sim = pdn.simulate(net, trials, record=record)
        assert pdn.load(pdn.save(sim, tmp_path / "sim.nc")).identical(sim)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_spikes_are_the_same_bits_for_any_number_of_workers_and_any_batch(net, trials, backend):
    keywords = {"record": ("spikes",), "rng": 3, "noise_density": 0.5}
    one = pdn.simulate(net, trials, n_jobs=1, **keywords)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        two = pdn.simulate(net, trials, **keywords)
    assert two.identical(one)
    # The first trials of many are the trials of few.
    few = pdn.simulate(net, trials.isel(trial=slice(3)), **keywords)
    stop = float(trials["stop_time"][2])
    for neuron in range(0, 60, 7):
        starts = one["neuron_start"].values[neuron : neuron + 2]
        times = one["spike_time"].values[slice(*starts)]
        starts = few["neuron_start"].values[neuron : neuron + 2]
        assert np.array_equal(times[times < stop], few["spike_time"].values[slice(*starts)])


def test_noise_differs_between_trials_and_seeds_and_is_the_same_in_both_precisions(net):
    inputs = xr.DataArray(np.zeros((1, 300, 4)), dims=("channel", "step_time", "trial"))
    same = xr.Dataset({"inputs": inputs}, attrs={"dt": 0.001})
    quiet = dataclasses.replace(net, bias=0.0, recurrent_fast=np.zeros((60, 60)))
    keywords = {"noise_density": 0.5, "record": ("potential",), "initial_state": np.zeros(60)}
    sim = pdn.simulate(quiet, same, rng=0, **keywords)["potential"].values
    assert not np.array_equal(sim[..., 0], sim[..., 1])
    other = pdn.simulate(quiet, same, rng=1, **keywords)["potential"].values
    assert not np.array_equal(sim, other)
    single = pdn.simulate(quiet, same, rng=0, dtype="float32", **keywords)["potential"].values
    assert np.abs(single - sim).max() < 1e-4


def test_single_precision_has_the_same_statistics():
    """Rasters part after some spikes, rates do not."""
    net = Spiking.random(400, rng=5)
    rates = [
        pdn.simulate(net, duration=4.0, dtype=dtype, bin_width=0.1)["rate"].values[:, 5:].mean()
        for dtype in ("float64", "float32")
    ]
    assert rates[0] == pytest.approx(rates[1], rel=0.03)


def test_first_potentials_lie_between_reset_and_threshold_and_can_be_given(net, trials):
    sim = pdn.simulate(net, trials, record=("potential",), bin_width=0.001, rng=0)
    first = sim["potential"].values[:, 0]
    assert (first > -0.3).all()
    assert (first < 1.3).all()
    assert first.std() > 0.2
    assert not np.array_equal(first[:, 0], first[:, 1])
    given_state = np.full((60, 8), 0.5)
    sim = pdn.simulate(
        net, trials, record=("potential",), bin_width=0.001, initial_state=given_state
    )
    assert sim["potential"].values[:, 0].std() < 0.1


def test_poisson_input_gives_irregular_spikes():
    """A neuron of its own balanced excitation and inhibition: CV of intervals in 0.7 to 1.2."""
    n, rng = 100, np.random.default_rng(0)
    n_steps, dt = 10_000, 0.001
    jump = 0.25  # of the potential, per incoming spike
    counts = rng.poisson(0.8, (2, n, n_steps)).astype(float)
    inputs = xr.DataArray(
        (counts[0] - counts[1])[..., None], dims=("channel", "step_time", "trial")
    )
    net = Spiking(np.zeros((n, n)), input=np.eye(n) * jump * 0.02 / dt, bias=0.0, dt=dt)
    session = pdn.simulate(
        net, xr.Dataset({"inputs": inputs}, attrs={"dt": dt}), record=("spikes",)
    )
    starts = session["neuron_start"].values
    spread = []
    for a, b in zip(starts[:-1], starts[1:], strict=True):
        intervals = np.diff(session["spike_time"].values[a:b])
        spread.append(intervals.std() / intervals.mean())
    assert 0.7 < np.mean(spread) < 1.2
    assert 2 < session["spike_time"].size / n / 10 < 60


# ---------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("record", "words"),
    [
        (("rates",), "record may hold 'spikes', .* found 'rates'; did you mean 'rate'"),
        (("state",), "did you mean 'potential'"),
        (("spikes", "rate"), "stands alone, .* same rng for the same spikes in bins"),
    ],
)
def test_what_cannot_be_recorded_is_refused(net, trials, record, words):
    with pytest.raises(TensorError, match=words):
        pdn.simulate(net, trials, record=record)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"dtype": "float16"}, "dtype must be one of 'float64', 'float32', found 'float16'"),
        ({"initial_state": np.zeros(3)}, r"potentials of shape \(60,\) or \(60, 8\).*found \(3,\)"),
        ({"initial_state": np.full(60, np.nan)}, "initial_state must be finite"),
        ({"bin_width": 0.0015}, "whole multiple of the network's dt=0.001 s"),
        ({"bin_width": 10.0}, "longest trial, .* shorter than one bin of 10 s"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(net, trials, keywords, words):
    with pytest.raises(TensorError, match=words):
        pdn.simulate(net, trials, **keywords)


def test_trials_of_another_step_or_other_channels_are_refused(net, trials):
    with pytest.raises(TensorError, match=r"steps of 0.001 s, the network has dt=0.0005 s"):
        pdn.simulate(dataclasses.replace(net, dt=0.0005), trials)
    with pytest.raises(TensorError, match="trials have 1 input channels, the network takes 2"):
        pdn.simulate(dataclasses.replace(net, input=np.ones((60, 2))), trials)


def test_spikes_of_trials_that_overlap_are_refused_and_counts_are_not(net, trials):
    times = trials["stop_time"].values.copy()
    times[0] += 5.0
    longer = np.concatenate([trials["inputs"].values] * 6, axis=1)
    inputs = xr.DataArray(longer, dims=("channel", "step_time", "trial"))
    overlap = xr.Dataset(
        {"inputs": inputs},
        coords={
            "start_time": trials["start_time"].drop_vars(["trial"], errors="ignore"),
            "stop_time": ("trial", times),
        },
        attrs={"dt": 0.001},
    )
    with pytest.raises(TensorError, match="trials start before the one before has stopped"):
        pdn.simulate(net, overlap, record=("spikes",))
    assert pdn.simulate(net, overlap, record=("spike_count",)).sizes["trial"] == 8


def test_a_network_that_runs_away_is_stopped_and_says_who_and_when():
    weights = np.full((20, 20), 5.0)
    inputs = np.zeros((1, 2000, 1))
    inputs[0, 700:710] = 100.0
    net = Spiking(weights, input=np.ones((20, 1)))
    trials = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), inputs)}, attrs={"dt": 0.001}
    )
    words = r"ran away: from 0.70?\d? s into the trial on, all 20 neurons .* neuron \d+ at 33\d Hz"
    with pytest.raises(FitError, match=words):
        pdn.simulate(net, trials, initial_state=np.zeros(20))


def test_neurons_without_connections_may_fire_as_fast_as_they_can():
    net = Spiking(np.zeros((5, 5)), bias=1000.0)
    assert pdn.simulate(net, duration=1.0)["rate"].values.mean() == pytest.approx(333, rel=0.01)


def test_potentials_beyond_all_bounds_are_named():
    net = Spiking(np.zeros((3, 3)), bias=[0.0, -1e308, 0.0], input=np.ones((3, 1)))
    trials = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), np.full((1, 100, 1), -1.7e308))},
        attrs={"dt": 0.001},
    )
    with pytest.raises(
        FitError, match="beyond all bounds in 1 of 3 neurons, first found in neuron 1"
    ):
        pdn.simulate(net, trials)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_ends_a_long_run_at_once(n_jobs):
    code = f"""
import signal, sys, numpy as np, xarray as xr, popdyn as pdn
signal.signal(signal.SIGINT, signal.default_int_handler)  # a caller may ignore it
net = pdn.network.Spiking.random(50, rng=0)
pdn.simulate(net, duration=0.1)
inputs = xr.DataArray(np.zeros((1, 2_000_000, 4)), dims=("channel", "step_time", "trial"))
print("running", flush=True)
try:
    pdn.simulate(net, xr.Dataset({{"inputs": inputs}}, attrs={{"dt": 0.001}}), n_jobs={n_jobs}, noise_step=0.1, record=("spikes",))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "running\n"
        time.sleep(1.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - sent < 2.0


def test_steps_run_as_python_too_and_give_the_same_bits():
    """With compilation switched off, in a process of its own."""
    code = """
import numpy as np, popdyn as pdn
net = pdn.network.Spiking.random(12, g_slow=0.1, n_inputs=1, rng=0)
session = pdn.simulate(net, duration=0.3, bin_width=0.1, record=("spikes",), noise_density=0.1)
print(session["spike_time"].values.tobytes().hex())
"""
    printed = []
    for disabled in ("0", "1"):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": disabled}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    assert len(printed[0]) > 100


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_and_potentials_begin_at_a_cache_line_for_any_number_of_neurons(dtype):
    machine = prepare(Spiking(np.ones((7, 7))), dtype)
    state = first_state(machine, np.zeros(7))
    arrays = [*machine.weights.fast.rows, state.potential, state.refractory, state.fast]
    assert {array.__array_interface__["data"][0] % 64 for array in arrays} == {0}


def test_large_weights_that_lie_as_needed_are_not_copied(monkeypatch):
    monkeypatch.setattr("popdyn.simulation.spiking_setup._LARGE", 8 * 49)
    weights = np.ones((7, 7), order="F")
    net = Spiking(weights)
    assert np.shares_memory(prepare(net).weights.fast.rows, net.recurrent_fast)
    assert not np.shares_memory(prepare(net, "float32").weights.fast.rows, net.recurrent_fast)
