"""A spiking network from arrays by name, and through files of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.io

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError
from popdyn.network import Rate, Spiking


def dense():
    return Spiking.random(
        12, g_slow=0.3, excitatory=0.75, n_outputs=2, n_inputs=3, rng=0, dt=0.0005,
        tau_membrane=np.linspace(0.01, 0.03, 12), refractory=0.001, delay=0.002,
        feedback=np.ones((12, 2)),
    )  # fmt: skip


def sparse():
    return Spiking.random(60, density=0.05, rng=0)


@pytest.mark.parametrize("ending", ["npz", "nc"])
@pytest.mark.parametrize("make", [dense, sparse], ids=["dense", "sparse"])
def test_a_network_goes_through_a_file_of_arrays_whole(tmp_path, make, ending):
    net = make()
    file = pdn.write_weights(tmp_path / f"net.{ending}", net)
    again = Spiking.from_weights(pdn.read_weights(file))
    assert again.to_dataset().identical(net.to_dataset())
    assert type(again.recurrent_fast) is type(net.recurrent_fast)


def test_a_network_comes_from_matlab_whose_numbers_have_two_dims(tmp_path):
    net = dense()
    file = tmp_path / "net.mat"
    fields = {field.name: getattr(net, field.name) for field in dataclasses.fields(net)}
    scipy.io.savemat(
        file, {name: values for name, values in fields.items() if name != "population"}
    )
    found = pdn.read_weights(file)
    assert found["tau_membrane"].shape == (1, 12)
    assert found["dt"].shape == (1, 1)
    again = Spiking.from_weights(found, population=net.population)
    assert again.to_dataset().identical(net.to_dataset())


def test_what_is_said_wins_over_what_is_stored():
    weights = {"recurrent_fast": np.zeros((2, 2)), "dt": 0.001, "threshold": 1.0, "unit": "1"}
    net = Spiking.from_weights(weights, dt=0.0001, threshold=-50.0, reset=-60.0, unit="mV")
    assert (net.dt, net.threshold, net.reset, net.unit) == (0.0001, -50.0, -60.0, "mV")


def test_arrays_that_are_no_field_are_left_out_aloud():
    weights = {"recurrent_fast": np.zeros((2, 2)), "outptu_slow": np.ones((1, 2)), "epoch": 3}
    words = r"no such field: outptu_slow, epoch; did you mean 'output_slow' by 'outptu_slow'\?"
    with pytest.warns(PopdynWarning, match=words):
        assert not Spiking.from_weights(weights).output_slow.any()


PARTS = {
    "recurrent_fast_weight": np.array([0.5, 0.25]),
    "recurrent_fast_target": np.array([1, 0]),
    "recurrent_fast_start": np.array([0, 1, 2]),
}


def test_sparse_weights_are_three_arrays_by_sender():
    net = Spiking.from_weights(PARTS)
    assert net.recurrent_fast.toarray().tolist() == [[0, 0.25], [0.5, 0]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"recurrent_fast_target": np.array([1, 2])},
            "parts of recurrent_fast do not fit .* below 2",
        ),
        ({"recurrent_fast_target": np.array([1, -1])}, "parts of recurrent_fast do not fit"),
        ({"recurrent_fast_target": np.array([1])}, "parts of recurrent_fast do not fit"),
        ({"recurrent_fast_start": np.array([0, 3, 2])}, "parts of recurrent_fast do not fit"),
        ({"recurrent_fast_start": np.array([1, 1, 2])}, "parts of recurrent_fast do not fit"),
        ({"recurrent_fast_start": np.array([0, 1])}, "parts of recurrent_fast do not fit"),
        ({"recurrent_fast_start": None}, "three arrays, .*: recurrent_fast_start is missing"),
        (
            {"recurrent_fast_weight": None},
            r"expected weights named recurrent_fast, .* found recurr",
        ),
    ],
)
def test_sparse_weights_that_do_not_fit_are_refused(changes, words):
    weights = {name: array for name, array in (PARTS | changes).items() if array is not None}
    with pytest.raises(TensorError, match=words):
        Spiking.from_weights(weights)


def test_a_damaged_dataset_of_sparse_weights_is_refused_too():
    stored = sparse().to_dataset()
    stored["recurrent_fast_target"].values[0] = 1000
    with pytest.raises(TensorError, match="parts of recurrent_fast do not fit each other"):
        Spiking.from_dataset(stored)


def test_weights_of_the_other_kind_of_network_are_told_apart():
    with pytest.raises(TensorError, match="of a spiking network .*Spiking.from_weights reads them"):
        Rate.from_weights({"recurrent_fast": np.zeros((2, 2))})
    with pytest.raises(
        TensorError, match="expected weights named recurrent_fast, .* found recurrent"
    ):
        Spiking.from_weights({"recurrent": np.zeros((2, 2))})
    with pytest.raises(TensorError, match="weights must be arrays by name, .* found ndarray"):
        Spiking.from_weights(np.zeros((2, 2)))
