"""What networks of both kinds refuse or doubt alike: seconds, sizes, numbers and names."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import sparse

from popdyn.errors import PopdynWarning, TensorError
from popdyn.network import Rate, Spiking
from popdyn.network import random_arguments as arguments


@pytest.mark.parametrize(
    ("make", "fields", "words"),
    [
        (Rate, {"tau": 100}, "^tau=100: these durations are in seconds .*100 ms is 0.1"),
        (Rate, {"tau": (20, 200)}, "^tau=1?[0-9]{2}.*seconds"),
        (Rate, {"tau": 20, "dt": 1}, "^tau=20, dt=1: "),
        (Spiking, {"tau_membrane": 20, "tau_fast": 5, "tau_slow": 100, "refractory": 2, "dt": 1},
         "^tau_membrane=20, tau_fast=5, tau_slow=100, dt=1, refractory=2: "),
        (Spiking, {"delay": 1.5}, "^delay=1.5: "),
    ],
)  # fmt: skip
def test_durations_that_look_like_milliseconds_are_doubted_once_and_used(make, fields, words):
    with pytest.warns(PopdynWarning, match=words) as said:
        net = make.random(20, **fields)
    assert len(said) == 1
    assert said[0].filename == __file__
    for name, value in fields.items():
        assert np.max(getattr(net, name)) == pytest.approx(np.max(value), rel=0.9)


def test_a_doubt_points_at_the_line_of_the_user():
    with pytest.warns(PopdynWarning) as said:
        net = Rate(np.eye(2), np.ones((2, 1)), np.ones((1, 2)), tau=50)
        dataclasses.replace(net, output=np.ones((3, 2)))
    assert [warning.filename for warning in said] == [__file__] * 2
    assert said[1].lineno == said[0].lineno + 1


def test_slow_networks_are_not_doubted():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Rate.random(5, tau=(0.02, 4.9), dt=0.01)
        Spiking.random(5, tau_slow=4.0, refractory=0.4)


@pytest.mark.parametrize(
    ("make", "more", "words"),
    [
        (Rate, {}, r"weights of 100000000 neurons .* take 1.6e\+08 GB.*machine has .* GB: use few"),
        (Spiking, {}, r"take 1.6e\+08 GB.* or a lower density \(0.15 or more is stored dense\)"),
        (Spiking, {"density": 0.1, "g_slow": 1.0}, r"take 6.4e\+07 GB"),
    ],
)
def test_weights_beyond_the_memory_are_refused_before_they_are_drawn(make, more, words):
    with pytest.raises(TensorError, match=words):
        make.random(10**8, **more)


def test_memory_decides_where_the_machine_tells_it(monkeypatch):
    sizes = {"n_neurons": 1000, "n_inputs": 1, "n_outputs": 1}
    monkeypatch.setattr(arguments, "_memory", lambda: 16_000_000)
    with pytest.raises(TensorError, match=r"take 0.016 GB.*machine has 0.016 GB"):
        arguments.check_memory(sizes, 1000**2, "")
    arguments.check_memory(sizes, 900**2, "")
    monkeypatch.setattr(arguments, "_memory", lambda: None)
    arguments.check_memory(sizes, 10.0**30, "")


def test_a_pair_of_time_constants_is_a_range_however_many_neurons():
    drawn = Rate.random(50, tau=(0.02, 0.2), rng=3).tau
    assert np.array_equal(Rate.random(50, tau=[0.02, 0.2], rng=3).tau, drawn)
    assert not set(Rate.random(2, tau=[0.02, 0.2], rng=3).tau) & {0.02, 0.2}
    assert Rate.random(2, tau=np.array([0.02, 0.2])).tau.tolist() == [0.02, 0.2]
    assert Rate.random(3, tau=[0.02, 0.2, 0.1]).tau.tolist() == [0.02, 0.2, 0.1]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n_neurons": True}, "n_neurons must be a whole number of at least 1, found True"),
        ({"g": "a"}, "g must be a finite number, not negative, found 'a'"),
        ({"inhibition": None}, "inhibition must be a finite number, found None"),
        ({"density": "x"}, "density must be above 0 and at most 1, found 'x'"),
        ({"excitatory": "x"}, "excitatory must be the share .* found 'x'"),
    ],
)
def test_arguments_of_another_type_are_refused_in_words(fields, words):
    with pytest.raises(TensorError, match=words):
        Spiking.random(**{"n_neurons": 10, **fields})


def test_inhibition_may_be_negative():
    assert Spiking.random(50, inhibition=-1.0).recurrent_fast.mean() > 0


def test_a_network_without_bias_has_none():
    net = Rate(np.eye(3), np.ones((3, 1)), np.ones((1, 3)))
    assert net.bias.tolist() == [0.0, 0.0, 0.0]
    assert Rate(np.eye(3), np.ones((3, 1)), np.ones((1, 3)), np.ones(3)).bias.sum() == 3
    for recurrent in (3.0, [[1, 2], [3]]):
        with pytest.raises(TensorError, match="recurrent (must have 2 dim|weights must be an arr)"):
            Rate(recurrent, np.ones((3, 1)), np.ones((1, 3)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rate(np.eye(2) * 1j, np.ones((2, 1)), np.ones((1, 2))),
        lambda: Spiking(np.eye(2) * 1j),
        lambda: Spiking(sparse.csc_array(np.eye(2) * 1j)),
        lambda: Spiking(np.eye(2), input=np.ones((2, 1), complex)),
    ],
    ids=["rate", "dense", "sparse", "input"],
)
def test_complex_weights_are_refused(make):
    with pytest.raises(TensorError, match=r"real ones, found complex128; take \.real if"):
        make()


def test_numbers_as_text_are_refused():
    with pytest.raises(TensorError, match="bias must be numbers: found '2'"):
        Spiking(np.eye(2), bias="2")


@pytest.mark.parametrize("population", [[None] * 2, [0, 1], ["a", None]], ids=str)
def test_a_population_is_named_in_text(population):
    words = "population must be one name per neuron, as text; found (None|0) of type"
    with pytest.raises(TensorError, match=words):
        Spiking(np.eye(2), population=population)
    named = Spiking(np.eye(2), population=np.array(["a", "b"], dtype=object))
    assert named.population.tolist() == ["a", "b"]
