"""Low-rank networks: records that check themselves, and the same network in other forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError
from popdyn.network import LowRank, Rate


def weights(**changes):
    values = {
        "m": np.zeros((4, 2)),
        "n": np.ones((4, 2)),
        "input": np.ones((4, 2)),
        "output": np.ones((3, 4)),
    }
    return values | changes


def test_sizes_come_from_the_weights():
    net = LowRank(**weights())
    assert (net.n_neurons, net.n_ranks, net.n_inputs, net.n_outputs) == (4, 2, 2, 3)
    assert np.array_equal(net.bias, np.zeros(4))
    assert (net.tau, net.dt) == (0.1, 0.02)


def test_arrays_are_read_only_copies_and_replaced_by_others():
    mine = np.zeros((4, 2))
    net = LowRank(**weights(m=mine))
    mine[:] = 7
    assert net.m.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        net.m[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.tau = 3.0
    assert dataclasses.replace(net, output=np.full((1, 4), 2.0)).n_outputs == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"n": np.zeros((4, 3))},
            r"n must have shape \(4, 2\) to fit m of 4 neurons and 2 latents",
        ),
        ({"m": np.zeros(4)}, r"m must have 2 dimensions \('neuron', 'latent'\)"),
        ({"m": np.zeros((2, 4)), "n": np.zeros((2, 4))}, "input must have shape .* transpose"),
        ({"input": np.ones((2, 4))}, r"\(4, n_inputs\).*found \(2, 4\); transpose it\?"),
        ({"output": np.ones((4, 3))}, r"\(n_outputs, 4\).*found \(4, 3\); transpose it\?"),
        ({"output_bias": np.ones(2)}, r"output_bias must have shape \(3,\).* 3 outputs"),
        ({"initial": np.ones(3)}, r"initial must have shape \(4,\)"),
        ({"gain": np.array([0, np.nan, 0, np.inf])}, "gain must be finite, found 2 of 4"),
        ({"m": np.array([[1j, 0]] * 4)}, "m weights must be an array of numbers: real ones"),
        ({"tau": -0.1}, "tau must be one positive number of seconds, found -0.1"),
        ({"dt": 0.2}, "dt=0.2 s and tau=0.1 s"),
        ({"nonlinearity": "tahn"}, "found 'tahn'; did you mean 'tanh'"),
        ({"population": ["a"] * 3}, r"one name per neuron \(4,\)"),
    ],
)
def test_bad_weights_are_refused_in_plain_words(changes, words):
    with pytest.raises(TensorError, match=words):
        LowRank(**weights(**changes))


def test_more_latents_than_neurons_are_refused():
    with pytest.raises(TensorError, match="no more latents than neurons.*transpose"):
        LowRank(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 1)), np.ones((1, 2)))


def test_seconds_that_look_like_milliseconds_are_doubted():
    with pytest.warns(PopdynWarning, match="tau=100, dt=20"):
        LowRank(**weights(tau=100.0, dt=20.0))


def test_random_loadings_are_of_order_one_and_come_from_the_seed():
    net = LowRank.random(4000, n_ranks=2, n_inputs=3, rng=5)
    assert net.m.std() == pytest.approx(1, abs=0.05)
    assert net.n.std() == pytest.approx(1, abs=0.05)
    assert net.output.std() == pytest.approx(4, abs=0.2)
    assert np.array_equal(net.m, LowRank.random(4000, n_ranks=2, n_inputs=3, rng=5).m)
    assert not np.array_equal(net.m, LowRank.random(4000, n_ranks=2, n_inputs=3, rng=6).m)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"n_neurons": 0}, "n_neurons must be a whole number of at least 1"),
        ({"n_neurons": 3, "n_ranks": 4}, "n_ranks must be at most n_neurons=3, found 4"),
        ({"n_neurons": 3, "n_ranks": 1.5}, "n_ranks must be a whole number"),
        ({"n_neurons": 10**12}, "use fewer neurons"),
    ],
)
def test_random_networks_of_impossible_sizes_are_refused(sizes, words):
    with pytest.raises(TensorError, match=words):
        LowRank.random(**sizes)


def full_network(rng, n_neurons=12):
    """A network with every field."""
    rng = np.random.default_rng(rng)
    return LowRank(
        rng.normal(size=(n_neurons, 2)),
        rng.normal(size=(n_neurons, 2)),
        rng.normal(size=(n_neurons, 3)),
        rng.normal(size=(2, n_neurons)),
        rng.normal(size=n_neurons),
        tau=rng.uniform(0.1, 0.3, n_neurons),
        dt=0.05,
        nonlinearity="softplus",
        output_bias=rng.normal(size=2),
        gain=rng.uniform(0.5, 2, n_neurons),
        population=["one", "two"] * (n_neurons // 2),
        initial=rng.normal(size=n_neurons),
    )


def same(one, other):
    fields = [field.name for field in dataclasses.fields(LowRank)]
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in fields)


def test_a_network_is_the_same_after_saving_and_as_arrays_by_name(tmp_path):
    net = full_network(0)
    assert same(pdn.load(pdn.save(net, tmp_path / "net.nc")), net)
    path = pdn.write_weights(tmp_path / "net.npz", net)
    assert same(LowRank.from_weights(pdn.read_weights(path)), net)
    plain = LowRank(**weights())
    assert same(pdn.load(pdn.save(plain, tmp_path / "plain.nc")), plain)


def test_a_saved_network_without_its_loadings_is_refused():
    with pytest.raises(TensorError, match="saved low-rank network, but m, n is missing"):
        LowRank.from_dataset(full_network(0).to_dataset().drop_vars(["m", "n"]))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_neurons=st.integers(3, 40),
    n_ranks=st.integers(1, 3),
    scale=st.floats(1e-3, 1e3),
)
def test_canonical_loadings_have_the_product_of_any_gauge(seed, n_neurons, n_ranks, scale):
    rng = np.random.default_rng(seed)
    m, n = rng.normal(size=(2, n_neurons, n_ranks))
    mixing = scale * rng.normal(size=(n_ranks, n_ranks))
    if np.linalg.cond(mixing) > 1e4:
        mixing = scale * np.eye(n_ranks)
    rest = {"input": np.ones((n_neurons, 1)), "output": np.ones((1, n_neurons))}
    one = LowRank(m, n, **rest).canonical()
    other = LowRank(m @ mixing, n @ np.linalg.inv(mixing).T, **rest).canonical()
    product = m @ n.T
    size = np.abs(product).max()
    for net in (one, other):
        np.testing.assert_allclose(net.m @ net.n.T, product, atol=1e-9 * size)
        inner = net.m.T @ net.m
        np.testing.assert_allclose(inner, np.diag(np.diag(inner)), atol=1e-9 * inner.max())
        np.testing.assert_allclose(net.n.T @ net.n / n_neurons, np.eye(n_ranks), atol=1e-9)
        assert (np.diff(np.diag(inner)) <= 0).all()
        assert (np.take_along_axis(net.m, np.abs(net.m).argmax(0)[None], 0) >= 0).all()


def test_the_full_recurrent_weights_are_the_product_over_the_number_of_neurons():
    net = full_network(1)
    rate = net.to_rate()
    by_hand = sum(np.outer(net.m[:, k], net.n[:, k]) for k in range(2)) / 12
    np.testing.assert_allclose(rate.recurrent, by_hand, rtol=1e-13)
    np.testing.assert_allclose(rate.output * 12, net.output)
    for name in ("input", "bias", "tau", "dt", "gain", "output_bias", "population"):
        assert np.array_equal(getattr(rate, name), getattr(net, name))
    assert rate.nonlinearity == "softplus"


def test_a_network_comes_back_from_its_full_weights_in_canonical_form():
    net = full_network(2)
    back, canonical = LowRank.from_rate(net.to_rate(), 2), net.canonical()
    np.testing.assert_allclose(back.m, canonical.m, atol=1e-10)
    np.testing.assert_allclose(back.n, canonical.n, atol=1e-10)
    np.testing.assert_allclose(back.output, net.output)


def test_the_truncation_is_the_nearest_of_its_rank():
    rate = Rate.random(30, rng=0)
    net = LowRank.from_rate(rate, 3)
    sizes = np.linalg.svd(rate.recurrent, compute_uv=False)
    error = rate.recurrent - net.m @ net.n.T / 30
    assert np.linalg.norm(error) == pytest.approx(np.sqrt(np.sum(sizes[3:] ** 2)))


def test_what_outputs_feed_back_is_part_of_the_recurrent_weights():
    rng = np.random.default_rng(3)
    feedback, constant = rng.normal(size=(20, 1)), np.array([0.3])
    rate = dataclasses.replace(full_rank_one(rng), feedback=feedback, output_bias=constant)
    net = LowRank.from_rate(rate, 2)
    np.testing.assert_allclose(
        net.m @ net.n.T / 20, rate.recurrent + feedback @ rate.output, atol=1e-12
    )
    np.testing.assert_allclose(net.bias, feedback[:, 0] * 0.3)


def full_rank_one(rng):
    m, n = rng.normal(size=(2, 20, 1))
    return Rate(m @ n.T / 20, rng.normal(size=(20, 1)), rng.normal(size=(1, 20)) / 20)


@pytest.mark.parametrize(
    ("net", "n_ranks", "words"),
    [
        ("net", 1, "expected a pdn.network.Rate, found str"),
        (Rate.random(5), 6, "at most the 5 neurons, found 6"),
        (Rate.random(5), 0, "n_ranks must be a whole number of at least 1"),
    ],
    ids=["text", "many", "none"],
)
def test_what_has_no_such_rank_is_refused(net, n_ranks, words):
    with pytest.raises(TensorError, match=words):
        LowRank.from_rate(net, n_ranks)
