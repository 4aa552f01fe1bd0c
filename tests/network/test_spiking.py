"""The record of a spiking network: shapes, units, refusals, random weights, saving."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import Spiking


def small(**fields):
    return Spiking(**{"recurrent_fast": np.zeros((3, 3)), **fields})


def test_a_network_needs_no_more_than_its_recurrent_weights():
    net = small()
    assert (net.n_neurons, net.n_inputs, net.n_outputs) == (3, 1, 1)
    assert not net.input.any()
    assert not net.output_slow.any()
    assert net.feedback is None
    assert net.recurrent_slow is None


def test_arrays_are_copied_and_cannot_be_changed():
    weights = np.ones((3, 3))
    net = small(recurrent_fast=weights, bias=[1.0, 2.0, 3.0])
    weights[:] = 7
    assert net.recurrent_fast.max() == 1
    for array in (net.recurrent_fast, net.bias, net.input):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    scattered = small(recurrent_fast=sparse.coo_array(np.eye(3)))
    with pytest.raises(ValueError, match="read-only"):
        scattered.recurrent_fast.data[:] = 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"recurrent_fast": np.zeros((3, 4))}, r"recurrent_fast must be square .* \(3, 4\)"),
        ({"recurrent_fast": sparse.csr_array(np.zeros((2, 3)))}, r"must be square .* \(2, 3\)"),
        ({"recurrent_slow": np.zeros((2, 2))}, r"recurrent_slow .* \(3, 3\), found \(2, 2\)"),
        ({"input": np.zeros((2, 3))}, r"input .* \(3, n_inputs\), found \(2, 3\); transpose"),
        ({"output_slow": np.zeros((3, 2))}, r"output_slow .* \(n_outputs, 3\).*transpose"),
        (
            {"output_slow": np.zeros((2, 3)), "output_fast": np.zeros((1, 3))},
            r"output_fast must have shape \(2, 3\), found \(1, 3\)",
        ),
        ({"feedback": np.zeros((3, 2))}, r"feedback must have shape \(3, 1\), found \(3, 2\)"),
        ({"bias": [1.0, 2.0]}, r"bias must be one number, or have shape \(3,\)"),
        ({"bias": [1.0, np.nan, 2.0]}, r"bias must be finite, found 1 of 3 .* at \(1,\)"),
        ({"recurrent_fast": np.full((3, 3), np.nan)}, r"recurrent_fast must be finite, found 9"),
        ({"recurrent_fast": sparse.csc_array(np.diag([1, np.inf, 1]))}, "must be finite, found 1"),
        ({"tau_fast": 0.0}, "tau_fast must be positive seconds, found 0"),
        ({"tau_fast": [0.1, 0.1, 0.1]}, "tau_fast must be one number"),
        ({"tau_membrane": [0.1, -0.1, 0.1]}, r"tau_membrane must be positive .* -0.1 \(neuron 1\)"),
        ({"dt": 0.006}, "dt=0.006 s and tau_fast=0.005 s: .*smaller dt"),
        ({"tau_membrane": [0.1, 0.0005, 0.1]}, "dt=0.001 s and tau_membrane=0.0005 s"),
        ({"refractory": 0.0015}, "refractory .* found 0.0015 s: use 0.001 or 0.002 s"),
        ({"delay": [0.0, 0.0002, 0.0]}, r"delay .* found 0.0002 s \(neuron 1\): use 0 or 0.001 s"),
        ({"delay": -0.001}, "delay must be zero or positive seconds, found -0.001"),
        ({"reset": 1.0}, "reset must be below threshold, found reset=1 and threshold=1"),
        ({"unit": "V"}, "unit must be one of '1', 'mV', found 'V'"),
        ({"population": ["a", "b"]}, r"population must be one name per neuron \(3,\)"),
        ({"bias": "much"}, "bias must be numbers"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(fields, words):
    with pytest.raises(TensorError, match=words):
        small(**fields)


def test_random_weights_have_the_mean_and_spread_that_is_documented():
    net = Spiking.random(1000, g=0.8, inhibition=2.0, g_slow=0.5, density=0.3, rng=1)
    present = net.recurrent_fast != 0
    assert present.mean() == pytest.approx(0.3, abs=0.003)
    assert net.recurrent_fast[present].mean() == pytest.approx(-2 / 300, rel=0.03)
    assert net.recurrent_fast[present].std() == pytest.approx(0.8 / 300**0.5, rel=0.01)
    slow = net.recurrent_slow[net.recurrent_slow != 0]
    assert slow.std() == pytest.approx(0.5 / 300**0.5, rel=0.01)
    assert not np.diag(net.recurrent_fast).any()


def test_sparse_random_networks_have_the_same_statistics_and_no_self_connections():
    net = Spiking.random(2000, g=0.8, inhibition=2.0, density=0.02, rng=2)
    assert sparse.issparse(net.recurrent_fast)
    assert not net.recurrent_fast.diagonal().any()
    assert net.recurrent_fast.nnz == pytest.approx(0.02 * 2000**2, rel=0.02)
    assert net.recurrent_fast.data.mean() == pytest.approx(-2 / 40, rel=0.03)
    assert net.recurrent_fast.data.std() == pytest.approx(0.8 / 40**0.5, rel=0.01)
    per_target = np.bincount(net.recurrent_fast.indices, minlength=2000)
    assert per_target.std() == pytest.approx(40**0.5, rel=0.1)


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_dales_law_gives_each_sender_one_sign_and_balances_the_sides(density):
    net = Spiking.random(400, g=1.0, inhibition=0.0, density=density, excitatory=0.75, rng=3)
    weights = net.recurrent_fast
    weights = weights.toarray() if sparse.issparse(weights) else weights
    assert (net.population[:300] == "excitatory").all()
    assert (net.population[300:] == "inhibitory").all()
    assert set(np.unique(weights[:, :300])) == {0.0, 1 / (density * 400) ** 0.5}
    assert set(np.unique(weights[:, 300:])) == {0.0, -3 / (density * 400) ** 0.5}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_neurons": 0}, "n_neurons must be a whole number of at least 1, found 0"),
        ({"n_neurons": 10, "density": 0.0}, "density must be above 0 and at most 1, found 0"),
        ({"n_neurons": 10, "g": -1.0}, "g must be a finite number, not negative; found -1"),
        ({"n_neurons": 10, "excitatory": 1.0}, "excitatory is the share .* found 1.0 of 10"),
        (
            {"n_neurons": 10, "rng": "seed"},
            "rng must be an integer of at least 0 or a numpy.random",
        ),
    ],
)
def test_random_networks_that_cannot_be_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        Spiking.random(**arguments)


@settings(max_examples=20, deadline=None)
@given(
    n_neurons=st.integers(2, 12),
    scattered=st.booleans(),
    slow=st.booleans(),
    each=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_a_network_saved_and_loaded_is_the_same(
    n_neurons, scattered, slow, each, seed, tmp_path_factory
):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(n_neurons, n_neurons))
    weights[rng.random(weights.shape) < 0.5] = 0
    net = Spiking(
        sparse.csc_array(weights) if scattered else weights,
        recurrent_slow=sparse.csr_array(weights.T) if slow else None,
        feedback=rng.normal(size=(n_neurons, 2)),
        output_fast=rng.normal(size=(2, n_neurons)),
        delay=rng.integers(0, 4, n_neurons) * 0.001 if each else 0.002,
        tau_membrane=rng.uniform(0.01, 0.02, n_neurons) if each else 0.01,
        unit="mV",
        threshold=-50.0,
        reset=-60.0,
        rest=-70.0,
        population=[f"p{i % 2}" for i in range(n_neurons)] if each else None,
    )
    path = tmp_path_factory.mktemp("nets") / "net.nc"
    other = pdn.load(pdn.save(net, path))
    assert isinstance(other, Spiking)
    for field in dataclasses.fields(net):
        one, two = getattr(net, field.name), getattr(other, field.name)
        if sparse.issparse(one):
            assert sparse.issparse(two)
            one, two = one.toarray(), two.toarray()
        assert type(one) is type(two), field.name
        assert np.array_equal(one, two) if one is not None else two is None, field.name


def test_a_dataset_that_lacks_something_is_refused_by_name():
    dataset = small().to_dataset().drop_vars(["tau_slow", "recurrent_fast"])
    with pytest.raises(TensorError, match="tau_slow, recurrent_fast is missing"):
        Spiking.from_dataset(dataset)


def test_every_variable_of_a_saved_network_says_its_unit():
    dataset = small(unit="mV", threshold=-50.0, reset=-60.0, feedback=np.ones((3, 1))).to_dataset()
    units = {str(name): variable.attrs["units"] for name, variable in dataset.data_vars.items()}
    assert {units[n] for n in ("recurrent_fast", "bias", "threshold", "feedback", "input")} == {
        "mV"
    }
    assert {units[n] for n in ("tau_membrane", "tau_slow", "dt", "delay", "refractory")} == {"s"}
    assert {units[n] for n in ("output_fast", "output_slow")} == {"1"}
