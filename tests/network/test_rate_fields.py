"""Feedback, gains, time constants, populations and Dale's law; networks from arrays by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import Rate

# Written by the first version, which had none of these fields.
OLD = Path(__file__).with_name("rate_of_version_0_1.nc")


def weights(**changes):
    values = {
        "recurrent": np.zeros((4, 4)),
        "input": np.ones((4, 2)),
        "output": np.ones((3, 4)),
        "bias": np.zeros(4),
    }
    return values | changes


def full():
    return Rate(
        **weights(),
        tau=[0.1, 0.2, 0.3, 0.4],
        feedback=np.arange(12.0).reshape(4, 3),
        gain=[1, 2, 3, 4],
        population=["a", "a", "b", "b"],
        nonlinearity="erf",
    )


def test_a_file_of_the_first_version_is_still_the_network_it_was():
    net = pdn.load(OLD)
    rng = np.random.default_rng(2)
    expected = Rate.random(
        4, n_inputs=2, n_outputs=3, tau=0.05, dt=0.001, nonlinearity="softplus", rng=rng
    )
    expected = dataclasses.replace(expected, bias=np.arange(4.0))
    assert net.to_dataset().identical(expected.to_dataset())
    assert (net.tau, net.dt, net.nonlinearity) == (0.05, 0.001, "softplus")
    assert net.feedback is net.gain is net.population is None


def test_a_network_with_all_fields_survives_saving(tmp_path):
    net = full()
    loaded = pdn.load(pdn.save(net, tmp_path / "net.nc"))
    assert loaded.to_dataset().identical(net.to_dataset())
    assert loaded.tau.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert loaded.population.tolist() == ["a", "a", "b", "b"]
    assert repr(loaded) == (
        "Rate(n_neurons=4, n_inputs=2, n_outputs=3, tau=0.1 to 0.4 s, dt=0.01 s, "
        "nonlinearity='erf', feedback)"
    )


def test_the_unit_of_every_stored_field_is_said():
    dataset = full().to_dataset()
    units = {str(name): variable.attrs.get("units") for name, variable in dataset.items()}
    assert units.pop("population") is None
    assert {name for name, unit in units.items() if unit == "s"} == {"tau", "dt"}
    assert set(units.values()) == {"s", "1"}


def test_all_fields_are_read_only_copies():
    net = full()
    for field in dataclasses.fields(net):
        value = getattr(net, field.name)
        if isinstance(value, np.ndarray):
            assert not value.flags.writeable, field.name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"feedback": np.ones((3, 4))}, r"feedback must have shape \(4, 3\) to fit recurrent weights "
                                        r"of 4 neurons and 3 outputs, found \(3, 4\); transpose it\?"),
        ({"feedback": np.ones(4)}, "feedback must have 2 dimensions"),
        ({"gain": np.ones(3)}, r"gain must have shape \(4,\).*found \(3,\)"),
        ({"gain": [1, 1, np.nan, 1]}, r"gain must be finite, found 1 of 4 .* the first at \(2,\)"),
        ({"recurrent": np.diag([0, 0, np.inf, 0])}, r"the first at \(2, 2\)"),
        ({"tau": [0.1, 0.2]}, r"tau must be one positive .*\(4,\); found shape \(2,\)"),
        ({"tau": [0.1, 0.2, -1, 0]}, r"found 2 of 4 that are not, the first -1 \(neuron 2\)"),
        ({"tau": [0.1, 0.2, 0.005, 0.1]}, r"dt=0.01 s and tau=0.005 s \(neuron 2\)"),
        ({"population": ["a", "b"]}, "population must be one name per neuron"),
    ],
)  # fmt: skip
def test_fields_that_do_not_fit_are_refused_in_plain_words(changes, words):
    with pytest.raises(TensorError, match=words):
        Rate(**weights(**changes))


def test_new_outputs_must_fit_the_feedback():
    net = Rate.random(5, feedback=1.0)
    with pytest.raises(TensorError, match=r"feedback must have shape \(5, 2\).*and 2 outputs"):
        dataclasses.replace(net, output=np.ones((2, 5)))


@settings(deadline=None, max_examples=30)
@given(
    excitatory=st.floats(0.1, 0.9),
    density=st.sampled_from([0.05, 0.3, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_dales_law_gives_each_sender_one_sign_and_rows_that_sum_to_zero(excitatory, density, seed):
    net = Rate.random(80, g=1.3, excitatory=excitatory, density=density, rng=seed)
    first = net.population == "excitatory"
    assert first.sum() == round(80 * excitatory)
    assert first[: first.sum()].all()
    assert (net.recurrent[:, first] >= 0).all()
    assert (net.recurrent[:, ~first] <= 0).all()
    assert np.abs(net.recurrent.sum(axis=1)).max() < 1e-12
    assert np.mean(net.recurrent != 0) == pytest.approx(density, abs=0.05)


@pytest.mark.parametrize("density", [1.0, 0.2])
@pytest.mark.parametrize("excitatory", [0.5, 0.8])
@pytest.mark.parametrize("g", [0.6, 1.5])
def test_with_dales_law_the_spectral_radius_is_g_too(g, excitatory, density):
    radii = [
        np.abs(np.linalg.eigvals(net.recurrent)).max()
        for net in (
            Rate.random(500, g=g, excitatory=excitatory, density=density, rng=seed)
            for seed in (0, 1)
        )
    ]
    # Sparse columns of two sizes: on average 8 % beyond at 500 neurons, 5 % at 1000.
    assert np.mean(radii) == pytest.approx(g, rel=0.15)


def test_the_circular_law_holds_at_a_thousand_neurons():
    values = np.linalg.eigvals(Rate.random(1000, g=1.7, rng=0).recurrent)
    assert np.abs(values).max() == pytest.approx(1.7, rel=0.03)
    # Uniform in the disk: half of the values lie within g / sqrt(2).
    assert np.mean(np.abs(values) < 1.7 / np.sqrt(2)) == pytest.approx(0.5, abs=0.03)


def test_what_is_drawn_later_leaves_the_other_weights_as_they_were():
    plain = Rate.random(20, rng=4)
    more = Rate.random(20, rng=4, feedback=2.0, tau=(0.02, 0.2))
    for name in ("recurrent", "input", "output"):
        assert np.array_equal(getattr(plain, name), getattr(more, name))
    assert more.feedback.shape == (20, 1)
    assert 1 < np.abs(more.feedback).max() <= 2
    assert more.tau.min() >= 0.02
    assert more.tau.max() <= 0.2


def test_drawn_time_constants_are_log_uniform():
    tau = np.log10(Rate.random(2000, g=0, tau=(0.02, 2.0), rng=0).tau / 0.02)
    assert np.quantile(tau, [0.25, 0.5, 0.75]) == pytest.approx([0.5, 1.0, 1.5], abs=0.07)
    given_ = np.linspace(0.1, 0.2, 5)
    assert np.array_equal(Rate.random(5, tau=given_).tau, given_)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"excitatory": 0.0}, "excitatory is the share .* found 0.0 of 10 neurons"),
        ({"excitatory": 0.99}, "at least one neuron on each side; found 0.99 of 10"),
        ({"feedback": -1}, "feedback is the largest feedback weight, zero or positive; found -1"),
        ({"tau": (0.1,)}, r"a pair \(shortest, longest\) to draw from.*found \(0.1,\)"),
        ({"tau": (0.3, 0.1)}, r"found \(0.3, 0.1\)"),
        ({"tau": ("a", "b")}, r"a pair \(shortest, longest\).* found \('a', 'b'\)"),
        ({"tau": [0.1, 0.2, 0.3]}, r"each of the 10 neurons; found \[0.1, 0.2, 0.3\]"),
        ({"tau": np.array([0.1, 0.2])}, r"each of the 10 neurons; found an array of shape \(2,\)"),
        ({"tau": ["a", "b", "c"]}, "tau must be seconds: found"),
        ({"g": "a"}, "g must be a number that is zero or positive, found 'a'"),
        ({"g": None}, "g must be a number that is zero or positive, found None"),
        ({"density": "x"}, "density must be a number .* found 'x'"),
        ({"feedback": "x"}, "feedback must be the largest feedback weight, .* found 'x'"),
        ({"excitatory": "x"}, "excitatory must be the share .* found 'x'"),
        ({"n_inputs": True}, "n_inputs must be a whole number of at least 1, found True"),
    ],
)
def test_impossible_random_fields_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        Rate.random(10, **arguments)


def state_dict(n=5, prefix="rnn.", readout="fc."):
    rng = np.random.default_rng(0)
    return {
        f"{prefix}weight_ih_l0": rng.standard_normal((n, 2)).astype(np.float32),
        f"{prefix}weight_hh_l0": rng.standard_normal((n, n)).astype(np.float32),
        f"{prefix}bias_ih_l0": rng.standard_normal(n).astype(np.float32),
        f"{prefix}bias_hh_l0": rng.standard_normal(n).astype(np.float32),
        f"{readout}weight": rng.standard_normal((3, n)).astype(np.float32),
    }


@pytest.mark.parametrize("prefix", ["", "rnn.", "model.core.rnn."])
def test_the_state_dict_of_an_rnn_maps_to_the_fields(prefix):
    state = state_dict(prefix=prefix)
    net = Rate.from_weights(state, dt=0.05)
    assert np.array_equal(net.recurrent, state[f"{prefix}weight_hh_l0"])
    assert np.array_equal(net.input, state[f"{prefix}weight_ih_l0"])
    assert np.array_equal(net.output, state["fc.weight"])
    biases = (state[f"{prefix}bias_ih_l0"], state[f"{prefix}bias_hh_l0"])
    assert np.array_equal(net.bias, np.sum(biases, axis=0, dtype=np.float64))
    assert (net.tau, net.dt, net.nonlinearity) == (0.05, 0.05, "tanh")


def test_what_a_state_dict_does_not_say_can_be_said():
    state = state_dict()
    for name in ("rnn.bias_ih_l0", "rnn.bias_hh_l0"):
        del state[name]
    net = Rate.from_weights(state, dt=0.02, tau=0.1, nonlinearity="relu")
    assert (net.tau, net.dt, net.nonlinearity) == (0.1, 0.02, "relu")
    assert not net.bias.any()


def test_modules_are_chosen_by_name():
    two = state_dict() | state_dict(prefix="other.", readout="value.")
    net = Rate.from_weights(two, dt=0.1, recurrent="other", readout="value")
    assert np.array_equal(net.output, two["value.weight"])
    with pytest.raises(TensorError, match="expected one recurrent module, found rnn.weight_hh_l0, "
                                          "other.weight_hh_l0: say which with recurrent='rnn'"):  # fmt: skip
        Rate.from_weights(two, dt=0.1, readout="fc")
    with pytest.raises(TensorError, match=r"one linear readout with weights \(n_outputs, 5\).*found "
                                          r"fc.weight, value.weight: say which with readout='fc'"):  # fmt: skip
        Rate.from_weights(two, dt=0.1, recurrent="rnn")
    with pytest.raises(TensorError, match="expected one recurrent module named 'core'"):
        Rate.from_weights(two, dt=0.1, recurrent="core")


def test_a_bias_of_the_readout_is_that_of_the_outputs():
    state = state_dict() | {"fc.bias": np.array([1.0, 0, -2])}
    assert Rate.from_weights(state, dt=0.1).output_bias.tolist() == [1.0, 0.0, -2.0]
    assert Rate.from_weights(state_dict(), dt=0.1).output_bias is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rnn.weight_hh_l0": np.ones((20, 5))}, r"square, found shape \(20, 5\): .* an LSTM"),
        ({"rnn.weight_hh_l0": np.ones((15, 5))}, "looks like a GRU"),
        ({"rnn.weight_hh_l1": np.ones((5, 5))}, "the nn.RNN has several layers"),
        ({"rnn.weight_hh_l0_reverse": np.ones((5, 5))}, "the nn.RNN has both directions"),
        ({"rnn.weight_ih_l0": None}, "rnn.weight_ih_l0 is missing; found rnn.weight_hh_l0"),
        ({"fc.weight": np.ones((3, 4))}, r"expected one linear readout .* found none"),
    ],
)
def test_state_dicts_of_other_modules_are_refused_in_plain_words(changes, words):
    state = {name: v for name, v in (state_dict() | changes).items() if v is not None}
    with pytest.raises(TensorError, match=words):
        Rate.from_weights(state, dt=0.1)


def test_weights_without_seconds_or_names_are_refused():
    with pytest.raises(TensorError, match="an nn.RNN knows no seconds: give dt"):
        Rate.from_weights(state_dict())
    with pytest.raises(TensorError, match="weights must be arrays by name.*found ndarray"):
        Rate.from_weights(np.eye(3))
    with pytest.raises(TensorError, match="output is missing, found recurrent, input$"):
        Rate.from_weights({"recurrent": np.eye(2), "input": np.ones((2, 1))})


def test_own_names_make_a_network_and_what_is_said_wins():
    net = full()
    arrays = {name: array.to_numpy() for name, array in net.to_dataset().items()}
    again = Rate.from_weights(arrays, nonlinearity="erf")
    assert again.to_dataset().identical(net.to_dataset())
    assert Rate.from_weights(arrays, dt=0.001).dt == 0.001
