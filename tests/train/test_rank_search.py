"""The smallest rank that does a task."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import FitError, TensorError
from popdyn.network import LowRank
from popdyn.train import backprop, rank_search

EASY = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
SHORT = {"n_neurons": 40, "n_trials": 64, "n_validation": 20, "validate_every": 32}


def test_the_smallest_rank_that_is_accurate_enough_is_returned():
    net, result = rank_search(
        EASY, (2, 1), n_neurons=80, n_trials=1600, n_validation=100, accuracy=0.9
    )
    assert result["n_ranks"].values.tolist() == [1, 2]
    assert float(result["smallest"]) == net.n_ranks == 1
    assert (result["accuracy"] > 0.9).all()
    assert (result["accuracy_bound"].sel(bound="lower") < result["accuracy"]).all()
    assert result.attrs["method"] == "rank_search"


def test_if_none_is_the_most_accurate_comes_back_and_is_not_called_enough():
    net, result = rank_search(EASY, (1, 2), **SHORT, accuracy=1.0)
    assert np.isnan(float(result["smallest"]))
    assert net.n_ranks == result["n_ranks"].values[result["accuracy"].values.argmax()]


def test_ranks_can_start_from_what_a_full_rank_network_learned(tmp_path):
    _, result = rank_search(EASY, (1,), **SHORT, n_full_rank_trials=32, folder=tmp_path)
    full = pdn.load(tmp_path / "full_rank.nc")
    training = pdn.load(tmp_path / "rank_1_history.nc")
    told = {name: SHORT[name] for name in ("n_trials", "n_validation", "validate_every")}
    net, history = backprop(
        LowRank.from_rate(full, 1), EASY, **told, rng=int(training.attrs["seed"])
    )
    assert np.array_equal(net.m, pdn.load(tmp_path / "rank_1.nc").m)
    assert float(history["final_accuracy"]) == float(result["accuracy"][0])


def test_a_search_goes_on_from_its_folder(tmp_path):
    _, result = rank_search(EASY, (1,), **SHORT, folder=tmp_path)
    kept = (tmp_path / "rank_1.nc").stat().st_mtime_ns
    net, more = rank_search(EASY, (1, 2), **SHORT, folder=tmp_path)
    assert (tmp_path / "rank_1.nc").stat().st_mtime_ns == kept
    assert float(more["accuracy"][0]) == float(result["accuracy"][0])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ranks": ()}, "ranks must name ranks from 1"),
        ({"ranks": (0,)}, "ranks must be at least 1"),
        ({"ranks": (41,)}, "ranks from 1 to the number of neurons, 40"),
        ({"accuracy": 1.5}, "accuracy must be above 0 and at most 1"),
        ({"n_full_rank_trials": -1}, "n_full_rank_trials must be at least 0"),
        ({"task": "perceptual"}, "task must be a task"),
        ({"learnt": ("m",)}, "learnt"),
    ],
    ids=["none", "zero", "large", "accuracy", "full", "task", "unknown"],
)
def test_what_makes_no_sense_is_refused(changed, words):
    told = {"task": EASY, "ranks": (1,), **SHORT, **changed}
    with pytest.raises(TensorError, match=words):
        rank_search(told.pop("task"), **told)


def test_a_training_that_fails_is_said_with_its_rank():
    with pytest.raises(FitError, match="rank_1: .*learn must be one of"):
        rank_search(EASY, (1,), **SHORT, learn=("recurrent",))
