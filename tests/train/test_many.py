"""Many trainings: one file each, gone on with after an interruption, wherever joblib runs them."""

from __future__ import annotations

import re

import joblib
import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.errors import FitError, SourceError, TensorError
from popdyn.train import force, many

SINE = pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.2)
SHORT = {"n_trials": 6, "n_validation": 4, "validate_every": 3}


def net_of(seed):
    return pdn.network.Rate.random(20, g=1.2, feedback=1.0, tau=0.01, dt=0.001, rng=seed)


def trainings(n=3):
    return {f"sine_{seed}": {"net": net_of(seed), "task": SINE, "rng": seed} for seed in range(n)}


def contents(folder):
    return {path.name: pdn.load(path) for path in sorted(folder.glob("*.nc"))}


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, one in found.items():
        datasets = [x if hasattr(x, "dims") else x.to_dataset() for x in (one, expected[name])]
        assert datasets[0].identical(datasets[1])


def test_each_network_has_its_files_and_its_row(tmp_path):
    table = many(force, trainings(), tmp_path / "new", **SHORT)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    files = [f"sine_{seed}{end}" for seed in range(3) for end in (".nc", "_history.nc")]
    assert names == sorted([*files, "networks.csv"])
    assert table["name"].tolist() == ["sine_0", "sine_1", "sine_2"]
    assert table["seed"].tolist() == ["0", "1", "2"]
    for seed, path in enumerate(table["path"]):
        net, history = force(net_of(seed), SINE, **SHORT, rng=seed)
        assert np.array_equal(pdn.load(path).output, net.output)
        assert table["final_accuracy"][seed] == float(history["final_accuracy"])
        assert table["n_trials"][seed] == int(history["n_trials"][int(history["best"])])
        assert table["lower"][seed] <= table["final_accuracy"][seed] <= table["upper"][seed]
    stored = pd.read_csv(tmp_path / "new" / "networks.csv")
    assert stored["final_accuracy"].tolist() == table["final_accuracy"].tolist()


def interrupted_force(net, task, *, checkpoint, rng, **arguments):
    """Goes through half of the trials of the second network, then Ctrl-C."""
    if rng == 1:
        force(net, task, checkpoint=checkpoint, rng=rng, **{**arguments, "n_trials": 3})
        raise KeyboardInterrupt
    return force(net, task, checkpoint=checkpoint, rng=rng, **arguments)


def counted(seen):
    def counting(net, task, *, checkpoint, rng, **arguments):
        seen.append((rng, checkpoint.exists()))
        return force(net, task, checkpoint=checkpoint, rng=rng, **arguments)

    counting.__name__ = "force"
    return counting


def test_what_was_interrupted_goes_on_and_what_is_done_is_left(tmp_path):
    many(force, trainings(), tmp_path / "whole", **SHORT)
    interrupted_force.__name__ = "force"
    with pytest.raises(KeyboardInterrupt):
        many(interrupted_force, trainings(), tmp_path / "cut", **SHORT)
    assert (tmp_path / "cut" / "sine_1.npz").exists()
    seen = []
    table = many(counted(seen), trainings(), tmp_path / "cut", **SHORT)
    assert seen == [(1, True), (2, False)]
    assert table["error"].tolist() == ["", "", ""]
    assert_same(contents(tmp_path / "cut"), contents(tmp_path / "whole"))
    assert not list((tmp_path / "cut").glob("*.npz"))
    seen.clear()
    again = many(counted(seen), trainings(), tmp_path / "cut", **SHORT)
    assert seen == []
    assert again["final_accuracy"].tolist() == table["final_accuracy"].tolist()


def failing_force(net, task, *, rng, **arguments):
    if rng == 1:
        message = "training diverges in block 0 again and again"
        raise FitError(message)
    return force(net, task, rng=rng, **arguments)


def test_a_training_that_fails_does_not_stop_the_others(tmp_path):
    table = many(failing_force, trainings(), tmp_path, **SHORT)
    assert table["error"].tolist() == ["", "training diverges in block 0 again and again", ""]
    assert table["path"].tolist()[1] == ""
    assert np.isnan(table["final_accuracy"][1])
    assert table["final_accuracy"].notna().tolist() == [True, False, True]
    assert len(contents(tmp_path)) == 4
    assert pd.read_csv(tmp_path / "networks.csv")["error"][1].startswith("training diverges")


def test_a_dask_cluster_gives_the_same_bits(tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs popdyn[dask]: dask.distributed")
    many(force, trainings(), tmp_path / "here", **SHORT)
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        table = many(force, trainings(), tmp_path / "there", **SHORT)
    assert table["error"].tolist() == ["", "", ""]
    assert_same(contents(tmp_path / "there"), contents(tmp_path / "here"))


@pytest.mark.parametrize(
    "changed", [{"noise_density": 0.3}, {"n_trials": 9}, {"task": pdn.tasks.PerceptualDecision()}]
)
def test_a_folder_with_networks_of_another_training_is_refused(tmp_path, changed):
    many(force, trainings(1), tmp_path, **SHORT)
    before = (tmp_path / "sine_0.nc").read_bytes()
    asked = {"sine_0": {**trainings(1)["sine_0"], **changed}}
    with pytest.raises(
        SourceError, match="'sine_0_history.nc' is of another training .* now asked"
    ):
        many(force, asked, tmp_path, **SHORT)
    assert (tmp_path / "sine_0.nc").read_bytes() == before


def test_networks_are_told_apart_by_content(tmp_path):
    many(force, trainings(1), tmp_path, **SHORT)
    with pytest.raises(SourceError, match="is of another training"):
        many(force, {"sine_0": {"net": net_of(7), "task": SINE, "rng": 0}}, tmp_path, **SHORT)


@pytest.mark.parametrize("name", ["a/b", "", "a.nc", "..", "a\\b", "a*", 3, None])
def test_names_that_are_none_of_files_are_refused(tmp_path, name):
    words = re.escape(f"{name!r} cannot be the name of a file: use letters, digits and _")
    with pytest.raises(TensorError, match=words):
        many(force, {name: trainings(1)["sine_0"]}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_trainings_that_lack_something_are_refused(tmp_path):
    with pytest.raises(TensorError, match="training 'a' lacks net and task"):
        many(force, {"a": {}}, tmp_path)
    with pytest.raises(TensorError, match="training 'a' lacks task"):
        many(force, {"a": {}}, tmp_path, net=net_of(0))
    for wrong in ({}, [], "networks", None):
        with pytest.raises(TensorError, match="trainings must map a name to the arguments"):
            many(force, wrong, tmp_path)
    with pytest.raises(TensorError, match="training 'a' names a checkpoint: many keeps its own"):
        many(force, {"a": {"net": net_of(0), "task": SINE, "checkpoint": "a.npz"}}, tmp_path)
    with pytest.raises(TensorError, match="'a_history' would be the history of 'a': rename it"):
        many(force, {"a_history": trainings(1)["sine_0"]}, tmp_path)
    own = {"a": {"net": net_of(0), "task": SINE, "rng": np.random.default_rng(0)}}
    with pytest.raises(TensorError, match="rng of training 'a' must be at least 0, a whole number"):
        many(force, own, tmp_path)
    assert not list(tmp_path.iterdir())
