"""Low-rank networks are simulated as the same networks with full weights, at less cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import LowRank, Rate
from popdyn.simulation.steps import evolve

SIZES = {"m": 2, "n": 2, "input": 3}


def network(rng=0, n_neurons=40, nonlinearity="tanh", **changes):
    draw = np.random.default_rng(rng)
    fields = {
        **{name: draw.normal(size=(n_neurons, size)) for name, size in SIZES.items()},
        "output": draw.normal(size=(2, n_neurons)),
        "bias": 0.2 * draw.normal(size=n_neurons),
        "output_bias": draw.normal(size=2),
        "gain": draw.uniform(0.5, 1.5, n_neurons),
        "nonlinearity": nonlinearity,
    }
    return LowRank(**(fields | changes))


def inputs(net, n_steps=50, n_trials=4, rng=1):
    return np.random.default_rng(rng).normal(size=(n_steps, n_trials, net.n_inputs))


def plain_loop(net, drive, state, noise=None):
    """The equation, neuron by neuron's sums, without a word of popdyn's code."""
    states = [state]
    for k, now in enumerate(drive):
        x = states[-1]
        rates = np.tanh(net.gain * x)
        latent = np.einsum("ir,ti->tr", net.n, rates) / net.n_neurons
        total = np.einsum("ir,tr->ti", net.m, latent) + now @ net.input.T + net.bias
        x = x + net.dt / net.tau * (total - x)
        states.append(x if noise is None else x + noise[k])
    return np.array(states)


def test_steps_are_those_of_the_equation():
    net = network(tau=np.linspace(0.1, 0.2, 40))
    drive, start = inputs(net), np.random.default_rng(2).normal(size=(4, 40))
    rates = np.array(list(evolve(net, drive, start)))
    np.testing.assert_allclose(rates, np.tanh(net.gain * plain_loop(net, drive, start)), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    nonlinearity=st.sampled_from(["tanh", "relu", "softplus", "sigmoid", "linear", "erf"]),
    method=st.sampled_from(["euler", "exponential"]),
)
def test_full_weights_and_canonical_loadings_give_the_same_rates(seed, nonlinearity, method):
    net = network(seed, nonlinearity=nonlinearity)
    drive, start = inputs(net, 20), np.random.default_rng(seed).normal(size=(4, 40))
    one, full, canonical = (
        np.array(list(evolve(each, drive, start, method=method)))
        for each in (net, net.to_rate(), net.canonical())
    )
    size = max(1.0, np.abs(one).max())
    np.testing.assert_allclose(full, one, atol=1e-12 * size)
    np.testing.assert_allclose(canonical, one, atol=1e-12 * size)


@pytest.mark.parametrize(
    "options",
    [
        {"noise_density": 0.3},
        {"noise_step": 0.1, "method": "exponential"},
        {"input_noise_step": 0.2, "tile": 3},
        {"continuous": True, "noise_density": 0.1, "around": (0.1, 0.2)},
        {"initial_state": np.linspace(-1, 1, 40)},
        {"bin_width": 0.06},
    ],
    ids=["noise", "exponential", "tiles", "continuous", "start", "bins"],
)
def test_every_option_does_what_it_does_for_full_weights(options):
    net = network(output_bias=None, input=np.ones((40, 1)), output=np.ones((1, 40)))
    trials = pdn.tasks.PerceptualDecision().sample(7, rng=0, dt=net.dt)
    record = ("rate", "state", "current")
    one = pdn.simulate(net, trials, record=record, **options)
    full = pdn.simulate(net.to_rate(), trials, record=record, **options)
    np.testing.assert_allclose(one["output"], full["output"], atol=1e-12)
    for name in ("rate", "potential", "current"):
        np.testing.assert_allclose(one[name], full[name], atol=1e-6)
        assert one[name].units == "1"
    assert np.array_equal(one["choice"], full["choice"])
    assert one.indexes["time"].equals(full.indexes["time"])


def test_single_precision_is_close_to_double(tmp_path):
    net = network()
    trials = trials_of(net)
    one, double = (pdn.simulate(net, trials, dtype=dtype) for dtype in ("float32", "float64"))
    np.testing.assert_allclose(one["rate"], double["rate"], atol=1e-5)
    alone = pdn.simulate(net, trials.isel(trial=[0]), dtype="float32")
    np.testing.assert_allclose(alone["rate"], double["rate"].isel(trial=[0]), atol=1e-5)
    path = tmp_path / "run.nc"
    in_file = pdn.simulate(net, trials, record=("rate", "latent"), path=path)
    assert in_file["latent"].equals(pdn.simulate(net, trials, record=("latent",))["latent"])


def trials_of(net, n_steps=60, n_trials=3):
    import xarray as xr

    values = inputs(net, n_steps, n_trials).transpose(2, 0, 1)
    return xr.Dataset({"inputs": (("channel", "step_time", "trial"), values)}, {}, {"dt": net.dt})


def test_latents_follow_the_equation_of_the_latents():
    net = network(dt=0.01, output_bias=None)
    sim = pdn.simulate(net, trials_of(net), record=("rate", "latent"), bin_width=0.01)
    assert dict(sim["latent"].sizes) == {"latent": 2, "time": 60, "trial": 3}
    # The equation of each latent by itself, tau dk/dt = -k + n.r/N, from the rates of each step.
    rates = np.array(list(evolve(net, inputs(net, 60, 3), np.zeros((3, 40)))))
    latent = np.zeros((61, 3, 2))
    for k in range(60):
        latent[k + 1] = latent[k] + 0.1 * (rates[k] @ net.n / 40 - latent[k])
    means = (latent[1:] + latent[:-1]) / 2
    np.testing.assert_allclose(sim["latent"].transpose("time", "trial", "latent"), means, atol=1e-9)


def test_the_first_state_of_the_network_is_where_trials_begin():
    start = np.linspace(-1, 1, 40)
    net = network(initial=start)
    own = pdn.simulate(net, trials_of(net))
    said = pdn.simulate(dataclasses.replace(net, initial=None), trials_of(net), initial_state=start)
    other = pdn.simulate(net, trials_of(net), initial_state=np.zeros(40))
    assert own["rate"].equals(said["rate"])
    assert not own["rate"].equals(other["rate"])


def test_bins_are_at_least_a_step_by_default():
    net = network()
    assert pdn.simulate(net, duration=0.2)["rate"].attrs["bin_width"] == 0.02
    assert pdn.simulate(Rate.random(5), duration=0.2)["rate"].attrs["bin_width"] == 0.01


def test_only_low_rank_networks_have_latents():
    with pytest.raises(TensorError, match="'rate', 'state', 'current' and 'output', found 'latent"):
        pdn.simulate(Rate.random(5), duration=0.2, record=("latent",))
    with pytest.raises(TensorError, match="'latents'; did you mean 'latent'"):
        pdn.simulate(network(), duration=0.2, record=("latents",))
    with pytest.raises(TensorError, match="LowRank or pdn.network.Spiking"):
        pdn.simulate("net", duration=0.2)


def test_a_large_network_never_sees_its_full_matrix():
    # The full matrix would take 320 GB.
    net = LowRank.random(200_000, n_ranks=2, rng=0)
    sim = pdn.simulate(net, duration=0.1, record=("latent",), initial_state=net.m[:, 0])
    assert np.isfinite(sim["latent"]).all()
