"""Arrays by name whose names are not those of the fields."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError
from popdyn.network import Rate, Spiking

WEIGHTS = {"recurrent": np.eye(3), "input": np.ones((3, 1)), "output": np.ones((1, 3))}


def test_what_a_rate_network_does_not_know_is_left_out_aloud():
    words = r"a rate network has no such field: gian, foo; did you mean 'gain' by 'gian'\?"
    with pytest.warns(PopdynWarning, match=words):
        net = Rate.from_weights(WEIGHTS | {"tau": 0.2, "gian": np.ones(3), "foo": 1})
    assert net.gain is None
    assert net.tau == 0.2


def test_a_time_constant_that_nobody_said_is_said():
    with pytest.warns(PopdynWarning, match=r"say no time constant: tau is taken as 0\.1 s"):
        net = Rate.from_weights(WEIGHTS)
    assert net.tau == 0.1
    assert not net.bias.any()
    assert Rate.from_weights(WEIGHTS, tau=0.3).tau == 0.3


def test_a_name_in_capitals_is_both_unknown_and_missing():
    with pytest.warns(PopdynWarning) as said:
        Rate.from_weights(WEIGHTS | {"Tau": 0.2})
    assert "did you mean 'tau' by 'Tau'?" in str(said[0].message)
    assert "tau is taken as 0.1 s" in str(said[1].message)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tau": 0.5}, "no field 'tau'; did you mean tau_membrane or tau_fast or tau_slow"),
        ({"treshold": 1.0}, r"no field 'treshold'; did you mean threshold\?"),
        ({"xyz": 1.0}, "no field 'xyz'; it has recurrent_fast, recurrent_slow, input"),
    ],
)
def test_keywords_that_are_no_field_are_refused_with_the_nearest(fields, words):
    with pytest.raises(TensorError, match=words):
        Spiking.from_weights({"recurrent_fast": np.eye(3)}, **fields)
    with pytest.raises(TensorError, match=words):
        Spiking.random(10, **fields)


def test_weights_in_a_struct_of_matlab_come_with_what_takes_them_out(tmp_path):
    scipy.io.savemat(tmp_path / "net.mat", {"net": WEIGHTS | {"tau": 0.2}})
    weights = pdn.read_weights(tmp_path / "net.mat")
    with pytest.raises(TensorError, match="they lie within 'net': take them out with") as refusal:
        Rate.from_weights(weights)
    code = str(refusal.value).partition("take them out with ")[2]
    net = Rate.from_weights(eval(code, {"weights": weights}))  # noqa: S307
    assert np.array_equal(net.recurrent, np.eye(3))
    assert net.tau == 0.2
    with pytest.raises(TensorError, match="they lie within 'a.b': take them out"):
        Spiking.from_weights({"a.b.recurrent_fast": np.eye(2)})
