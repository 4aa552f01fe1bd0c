"""State dicts of LINT and of the populations paper, run by their equations in plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError
from popdyn.network import LowRank

N = 60


def lint(rng=0, size=1.0):
    """The arrays of a LowRankRNN, in the shapes and the precision of its state dict."""
    draw = np.random.default_rng(rng)
    arrays = {
        "wi": draw.normal(size=(3, N)),
        "si": draw.uniform(0.5, 2, 3),
        "m": size * draw.normal(size=(N, 2)),
        "n": size * draw.normal(size=(N, 2)),
        "b": np.zeros(N),
        "wo": 4 * size**2 * draw.normal(size=(N, 2)),
        "so": draw.uniform(0.5, 2, 2),
        "h0": 0.5 * draw.normal(size=N),
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def lint_outputs(state, inputs, alpha, divide=True):
    """What the forward pass of LowRankRNN does, without noise: inputs (trial, step, channel)."""
    state = {name: array.astype(np.float64) for name, array in state.items()}
    size = len(state["m"]) if divide else 1
    into, out = state["wi"] * state["si"][:, None], state["wo"] * state["so"]
    h, outputs = np.tile(state["h0"], (len(inputs), 1)), []
    r = np.tanh(h)
    for step in range(inputs.shape[1]):
        drive = (r @ state["n"]) @ state["m"].T / size + inputs[:, step] @ into
        h = h + alpha * (-h + drive)
        r = np.tanh(h + state.get("b", 0.0))
        outputs.append(np.tanh(h) @ out / size)
    return np.stack(outputs, axis=1)


def ends_of_steps(net, inputs):
    """The outputs of popdyn at the ends of steps."""
    trials = xr.Dataset(
        {"inputs": (("trial", "step_time", "channel"), inputs)}, attrs={"dt": net.dt}
    )
    means = pdn.simulate(net, trials, bin_width=net.dt)["output"].transpose("time", ...).to_numpy()
    first = net.output @ np.tanh(np.zeros(N) if net.initial is None else net.initial) / N
    ends = [np.repeat(first[:, None], len(inputs), axis=1)]
    for mean in means:
        ends.append(2 * mean - ends[-1])
    return np.stack(ends[1:]).transpose(2, 0, 1)


@pytest.fixture
def inputs():
    return np.random.default_rng(1).normal(size=(4, 30, 3))


def test_a_state_dict_of_lint_gives_its_outputs(inputs):
    net = LowRank.from_weights(lint())
    assert (net.tau, net.dt, net.n_ranks, net.n_inputs, net.n_outputs) == (0.1, 0.02, 2, 3, 2)
    expected = lint_outputs(lint(), inputs, 0.2)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(ends_of_steps(net, inputs), expected, atol=1e-10)


def test_the_other_scaling_is_converted_and_doubted_where_it_is_not_said(inputs):
    state = lint(size=1 / np.sqrt(N))
    net = LowRank.from_weights(state, scaling="1/sqrt(N)", dt=0.01)
    expected = lint_outputs(state, inputs, 0.1, divide=False)
    np.testing.assert_allclose(ends_of_steps(net, inputs), expected, atol=1e-10)
    assert 0.5 < net.m.std() < 2
    with pytest.warns(PopdynWarning, match=r"size of about 0.1.*scaling='1/sqrt\(N\)'"):
        LowRank.from_weights(state)


def test_a_bias_that_lint_does_not_read_out_is_said(inputs):
    state = lint() | {"b": np.full(N, 0.3, np.float32), "h0": np.zeros(N, np.float32)}
    with pytest.warns(PopdynWarning, match="differ, and so do the first states, less with"):
        net = LowRank.from_weights(state)
    far = np.abs(ends_of_steps(net, inputs) - lint_outputs(state, inputs, 0.2)).max()
    assert far > 1e-3
    np.testing.assert_array_equal(net.bias, np.full(N, np.float32(0.3)))


def mixture(rng=0, n_channels=3):
    draw = np.random.default_rng(rng)
    small = 1 / np.sqrt(N)
    supports = np.zeros((2, N))
    supports[0, :20], supports[1, 20:58] = 1, 1
    return {
        "gaussian_basis": draw.normal(size=(7, N)),
        "supports": supports,
        "weights": np.array([1 / 3, 19 / 30]),
        "wi_weights": draw.normal(size=(n_channels, 2, 7)),
        "m_weights": small * draw.normal(size=(2, 2, 7)),
        "n_weights": small * draw.normal(size=(2, 2, 7)),
        "wo_weights": draw.normal(size=(2, 2, 7)) / N,
        "wi_biases": draw.normal(size=(n_channels, 2)),
        "m_biases": small * draw.normal(size=(2, 2)),
        "n_biases": small * draw.normal(size=(2, 2)),
        "h0_weights": draw.normal(size=(2, 7)),
    }


def mixture_outputs(state, inputs, alpha):
    """The forward pass of SupportLowRankRNN: each loading is its population's, neuron by neuron."""
    vectors = {
        name: np.zeros((len(state[f"{name}_weights"]), N)) for name in ("m", "n", "wi", "wo")
    }
    h0 = np.zeros(N)
    for i in range(N):
        for p in np.flatnonzero(state["supports"][:, i]):
            basis = state["gaussian_basis"][:, i]
            for name, vector in vectors.items():
                vector[:, i] = state[f"{name}_weights"][:, p] @ basis
                vector[:, i] += state[f"{name}_biases"][:, p] if name != "wo" else 0
            h0[i] = state["h0_weights"][p] @ basis
    h, outputs = np.tile(h0, (len(inputs), 1)), []
    for step in range(inputs.shape[1]):
        r = np.tanh(h)
        drive = (r @ vectors["n"].T) @ vectors["m"] + inputs[:, step] @ vectors["wi"]
        h = h + alpha * (-h + drive)
        outputs.append(np.tanh(h) @ vectors["wo"].T)
    return np.stack(outputs, axis=1)


def test_a_mixture_of_the_populations_paper_gives_its_outputs(inputs):
    net = LowRank.from_weights(mixture())
    expected = mixture_outputs(mixture(), inputs, 0.2)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(ends_of_steps(net, inputs), expected, atol=1e-10)
    names, counts = np.unique(net.population, return_counts=True)
    assert names.tolist() == ["none", "population 1", "population 2"]
    assert counts.tolist() == [2, 20, 38]


def test_a_mixture_without_biases_is_read():
    state = {name: array for name, array in mixture().items() if "biases" not in name}
    del state["h0_weights"]
    net = LowRank.from_weights(state)
    assert net.initial is None
    assert net.m[58:].any() == np.False_


def test_arrays_from_matlab_are_taken_in_their_shapes():
    net = LowRank.random(6, n_ranks=2)
    arrays = {name: np.atleast_2d(values) for name, values in net.to_dataset().items()}
    arrays["bias"] = arrays["bias"].T
    back = LowRank.from_weights(arrays | {"nonlinearity": np.array(["tanh"])})
    assert back.bias.shape == (6,)
    assert back.tau == 0.1


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(3), "weights must be arrays by name.*found ndarray"),
        ({"wrec": 0, "wi": 0}, "wrec are the weights of a network of full rank.*from_rate"),
        ({"recurrent": 0}, "recurrent are the weights of a network of full rank"),
        ({"unit_vector": 0, "m": 0, "n": 0}, "SupportLowRankRNN_withMask"),
        ({"m": 0, "n": 0, "wi": 0}, "input, output is missing, found m, n, wi"),
        ({"net.m": 0}, r"lie within 'net': take them out"),
        (lint() | {"m": np.ones(N)}, r"m must have 2 dimensions, found shape \(60,\)"),
        (lint() | {"m": np.ones((N, 3))}, r"n must have shape \(60, 3\)"),
        (mixture() | {"m_weights": np.ones((2, 3, 7))}, "SupportLowRankRNN do not fit each other"),
    ],
    ids=["array", "full", "own-full", "masked", "half", "struct", "flat", "ranks", "supports"],
)
def test_arrays_that_make_no_low_rank_network_are_refused(weights, words):
    with pytest.raises(TensorError, match=words):
        LowRank.from_weights(weights)


def test_a_scaling_that_is_not_known_is_refused():
    with pytest.raises(TensorError, match=r"scaling must be '1/N' or '1/sqrt\(N\)', found 'N'"):
        LowRank.from_weights(lint(), scaling="N")


def test_arrays_that_are_left_out_are_said():
    with pytest.warns(PopdynWarning, match="left out.*rec_noise"):
        LowRank.from_weights(lint() | {"rec_noise": np.ones(3)})
