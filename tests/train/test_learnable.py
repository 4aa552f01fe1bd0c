"""Which weights learn: names, or masks of the weights of each."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import LowRank, Rate
from popdyn.train import backprop

EASY = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
SHORT = {"n_trials": 96, "n_validation": 20, "validate_every": 32, "batch": 16}


def sparse(n_neurons=30):
    net = Rate.random(n_neurons, g=0.5, dt=0.02, rng=0)
    kept = np.random.default_rng(0).random((n_neurons, n_neurons)) < 0.2
    return dataclasses.replace(net, recurrent=net.recurrent * kept), kept


def test_connections_that_are_absent_stay_absent_and_others_learn():
    net, kept = sparse()
    learn = {"recurrent": kept, "output": True}
    trained, history = backprop(net, EASY, **SHORT, learn=learn, weight_penalty=0.1)
    assert (trained.recurrent[~kept] == 0).all()
    assert (trained.recurrent[kept] != net.recurrent[kept]).mean() > 0.9
    assert (trained.output != net.output).any()
    assert (trained.input == net.input).all()
    assert history.attrs["method"] == "backprop"


def test_a_sparse_network_learns_its_task():
    net, kept = sparse(80)
    learn = {"recurrent": kept, "input": True, "output": True}
    _, history = backprop(net, EASY, n_trials=1600, n_validation=100, learn=learn)
    assert float(history["final_accuracy"]) > 0.9


def test_masks_of_everything_are_names():
    net = LowRank.random(30, n_ranks=1, rng=0)
    by_name, _ = backprop(net, EASY, **SHORT, learn=("m", "n"))
    for masks in ({"m": True, "n": True}, {"m": np.ones((30, 1), bool), "n": True}):
        by_mask, _ = backprop(net, EASY, **SHORT, learn=masks)
        assert by_mask.to_dataset().identical(by_name.to_dataset())


def test_weights_that_do_not_learn_have_no_price():
    """The penalty is that of the learned weights alone, in the loss that is told too."""
    net = LowRank.random(30, n_ranks=1, rng=0)
    some = np.zeros((30, 1), bool)
    some[0] = True
    told = {**SHORT, "n_trials": 16, "learning_rate": 1e-12}
    _, free = backprop(net, EASY, **told, learn={"m": some})
    _, dear = backprop(net, EASY, **told, learn={"m": some}, weight_penalty=3.0)
    found = float(dear["loss"][0]) - float(free["loss"][0])
    assert found == pytest.approx(3.0 / 30 * float(net.m[0, 0]) ** 2, rel=1e-6)


def test_another_mask_is_another_training(tmp_path):
    net, kept = sparse()
    place = tmp_path / "training.npz"
    backprop(net, EASY, **SHORT, learn={"recurrent": kept}, checkpoint=place)
    with pytest.raises(pdn.errors.SourceError, match="learn"):
        backprop(net, EASY, **SHORT, learn={"recurrent": ~kept}, checkpoint=place)


@pytest.mark.parametrize(
    ("learn", "words"),
    [
        ({"recurrent": np.ones((3, 3), bool)}, r"shape \(30, 30\); found bool of shape \(3, 3\)"),
        ({"recurrent": np.ones((30, 30))}, "True and False for each of its weights"),
        ({"recurrent": False}, "True and False for each"),
        ({"recurrent": np.zeros((30, 30), bool)}, "leave 'recurrent' out of learn"),
        ({"recurent": True}, "recurrent"),
        ({}, "must name what is learned"),
    ],
    ids=["shape", "numbers", "false", "empty", "misspelled", "nothing"],
)
def test_what_is_no_mask_is_refused(learn, words):
    net, _ = sparse()
    with pytest.raises(TensorError, match=words):
        backprop(net, EASY, **SHORT, learn=learn)
