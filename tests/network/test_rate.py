"""Rate networks: records that check themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import Rate


def weights(**changes):
    values = {
        "recurrent": np.zeros((4, 4)),
        "input": np.ones((4, 2)),
        "output": np.ones((3, 4)),
        "bias": np.zeros(4),
    }
    return values | changes


def test_sizes_come_from_the_weights():
    net = Rate(**weights())
    assert (net.n_neurons, net.n_inputs, net.n_outputs) == (4, 2, 3)


def test_arrays_are_read_only_copies():
    mine = np.zeros((4, 4))
    net = Rate(**weights(recurrent=mine))
    mine[:] = 7
    assert net.recurrent.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        net.recurrent[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.tau = 3.0


def test_replacing_the_output_leaves_the_network_as_it_was():
    net = Rate(**weights())
    other = dataclasses.replace(net, output=np.full((1, 4), 2.0))
    assert other.n_outputs == 1
    assert net.n_outputs == 3
    assert np.array_equal(other.recurrent, net.recurrent)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recurrent": np.zeros((4, 3))}, r"square.*found shape \(4, 3\)"),
        ({"recurrent": np.zeros(4)}, r"recurrent must have 2 dimensions.*found shape \(4,\)"),
        ({"input": np.ones((2, 4))}, r"\(4, n_inputs\).*found \(2, 4\); transpose it\?"),
        ({"output": np.ones((4, 3))}, r"\(n_outputs, 4\).*found \(4, 3\); transpose it\?"),
        ({"bias": np.zeros(5)}, r"bias must have shape \(4,\).*found \(5,\)"),
        ({"bias": np.array([0, np.nan, 0, np.inf])}, "bias must be finite, found 2 of 4"),
        ({"input": np.empty((4, 0))}, "none empty"),
        ({"input": "heavy"}, "input weights must be an array of numbers"),
        ({"tau": -0.1}, "tau must be one positive number of seconds, found -0.1"),
        ({"dt": np.nan}, "dt must be one positive number"),
        ({"dt": 0.2, "tau": 0.1}, "dt=0.2 s and tau=0.1 s"),
        ({"nonlinearity": "tahn"}, "found 'tahn'; did you mean 'tanh'"),
        ({"nonlinearity": "xyz"}, "must be one of tanh, relu, softplus, sigmoid, linear"),
    ],
)
def test_bad_weights_are_refused_in_plain_words(changes, words):
    with pytest.raises(TensorError, match=words):
        Rate(**weights(**changes))


@pytest.mark.parametrize("density", [1.0, 0.1])
@pytest.mark.parametrize("g", [0.5, 1.5])
def test_the_spectral_radius_is_g_at_any_density(g, density):
    net = Rate.random(400, g=g, density=density, rng=3)
    radius = np.abs(np.linalg.eigvals(net.recurrent)).max()
    assert radius == pytest.approx(g, rel=0.1)
    assert np.mean(net.recurrent != 0) == pytest.approx(density, abs=0.01)


def test_input_and_output_weights_have_the_stated_scale():
    net = Rate.random(2000, n_inputs=3, n_outputs=2, g=0.0, rng=0)
    assert net.input.std() == pytest.approx(1, abs=0.05)
    assert net.output.std() * np.sqrt(2000) == pytest.approx(1, abs=0.06)
    assert not net.bias.any()


def test_one_seed_one_network():
    first, again, other = (Rate.random(20, rng=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.recurrent, again.recurrent)
    assert np.array_equal(first.output, again.output)
    assert not np.array_equal(first.recurrent, other.recurrent)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_neurons": 0}, "n_neurons must be a whole number of at least 1, found 0"),
        ({"n_neurons": 5, "n_inputs": 1.5}, "n_inputs must be a whole number"),
        ({"n_neurons": 5, "g": -1}, "found g=-1"),
        ({"n_neurons": 5, "density": 0}, "density=0"),
    ],
)
def test_impossible_random_networks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        Rate.random(**arguments)


def test_save_and_load_are_identities(tmp_path):
    net = Rate.random(7, n_inputs=2, n_outputs=3, tau=0.05, dt=0.001, nonlinearity="relu", rng=2)
    pdn.save(net, tmp_path / "net.nc")
    loaded = pdn.load(tmp_path / "net.nc")
    assert isinstance(loaded, Rate)
    assert loaded.to_dataset().identical(net.to_dataset())
    assert loaded.nonlinearity == "relu"


def test_a_dataset_of_something_else_is_refused():
    dataset = Rate.random(3).to_dataset().drop_vars("bias")
    with pytest.raises(TensorError, match="bias is missing; found the variables recurrent"):
        Rate.from_dataset(dataset)
    del dataset.attrs["nonlinearity"]
    with pytest.raises(TensorError, match="nonlinearity"):
        Rate.from_dataset(dataset)


def test_a_seed_shared_with_the_task_gives_no_shared_numbers():
    task = pdn.tasks.PerceptualDecision()
    for net in (
        pdn.network.Rate.random(100, rng=5).recurrent,
        pdn.network.Spiking.random(100, rng=5).recurrent_fast,
    ):
        noise = task.sample(4, rng=5, dt=0.01)["inputs"].values[0, :10, 0]
        weights = net.ravel()[:2000]
        windows = np.lib.stride_tricks.sliding_window_view(weights, 10)
        correlations = [np.corrcoef(noise, window)[0, 1] for window in windows]
        assert np.abs(correlations).max() < 0.99


@pytest.mark.parametrize("rng", [None, -1, True, np.random.RandomState(0)])  # noqa: NPY002
def test_a_network_that_could_not_be_had_again_is_refused(rng):
    with pytest.raises(
        pdn.TensorError, match="rng must be an integer of at least 0 or a numpy.random"
    ):
        pdn.network.Rate.random(10, rng=rng)
