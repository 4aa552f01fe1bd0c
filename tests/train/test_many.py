"""Many trainings: one file each, gone on with after an interruption, wherever joblib runs them."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.errors import FitError, PopdynWarning, SourceError, TensorError
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
    ("changed", "words"),
    [
        ({"noise_density": 0.3}, "noise_density: none, now 0.3"),
        ({"n_trials": 9}, "n_trials: 6, now 9"),
        (
            {"task": replace(SINE, tolerance=0.2)},
            "task: …tolerance=0.1, .*, now …tolerance=0.2, .*",
        ),
    ],
    ids=["noise", "trials", "task"],
)
def test_a_folder_with_networks_of_another_training_is_refused(tmp_path, changed, words):
    many(force, trainings(1), tmp_path, **SHORT)
    before = (tmp_path / "sine_0.nc").read_bytes()
    asked = {**trainings(2), "sine_0": {**trainings(1)["sine_0"], **changed}}
    words = rf"'sine_0_history.nc' is of another training \({words}\), and its network is not repl"
    with pytest.raises(SourceError, match=words):
        many(force, dict(reversed(asked.items())), tmp_path, **SHORT)
    # Before any other was trained.
    assert not (tmp_path / "sine_1.nc").exists()
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


class Own:
    """A task of one's own: a plain class that says nothing of itself."""

    def __init__(self, hz=5, wait=0):
        self.hz, self._wait = hz, wait

    def sample(self, n_trials, rng=0, *, dt=None):
        trials = self._inner().sample(n_trials, rng, dt=dt)
        trials["inputs"] = trials["inputs"] + self._wait
        return trials.drop_attrs() if self.hz == 7 else trials

    def response(self, output, trials):
        return self._inner().response(output, trials)

    def _inner(self):
        return pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.2)


def own(**arguments):
    return {"own": {"net": net_of(0), "task": Own(**arguments), "rng": 0}}


def test_a_task_of_ones_own_is_the_same_in_another_object(tmp_path):
    first = many(force, own(), tmp_path, **SHORT)
    before = (tmp_path / "own.nc").stat().st_mtime_ns
    again = many(force, own(), tmp_path, **SHORT)
    assert (tmp_path / "own.nc").stat().st_mtime_ns == before
    assert again["final_accuracy"].tolist() == first["final_accuracy"].tolist()
    with pytest.raises(SourceError, match=r"task.attributes.hz: 5, now 6"):
        many(force, own(hz=6), tmp_path, **SHORT)
    with pytest.raises(SourceError, match=r"\(task.trials: \w+, now \w+\)"):
        many(force, own(wait=1), tmp_path, **SHORT)


def test_a_net_that_does_not_fit_costs_its_own_training_alone(tmp_path):
    wide = pdn.network.Rate.random(20, n_inputs=3, feedback=1.0, tau=0.01, dt=0.001)
    asked = trainings()
    asked["sine_1"] = {**asked["sine_1"], "net": wide}
    table = many(force, asked, tmp_path, **SHORT)
    words = "the trials have 1 input channels, the network takes 3"
    assert [error[: len(words)] for error in table["error"]] == ["", words, ""]
    assert table["final_accuracy"].notna().tolist() == [True, False, True]


def test_what_anybodys_task_raises_costs_its_own_training_alone(tmp_path):
    class Broken(Own):
        def response(self, output, trials):
            told = super().response(output, trials)
            return told if trials.sizes["trial"] < 11 else {}["correct"]

    asked = {**own(), "broken": {"net": net_of(0), "task": Broken(), "n_validation": 11}}
    table = many(force, dict(reversed(asked.items())), tmp_path, **SHORT)
    assert table["error"].tolist() == ["KeyError: 'correct'", ""]


def test_a_task_that_gives_no_trials_is_named_before_anything_is_trained(tmp_path):
    class Broken(Own):
        def sample(self, *_, **__):
            return {}["trials"]

    asked = {**own(), "broken": {"net": net_of(0), "task": Broken()}}
    with pytest.raises(TensorError, match="training 'broken', by force: KeyError: 'trials'"):
        many(force, asked, tmp_path, **SHORT)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_costs_its_own_training_alone(tmp_path):
    (tmp_path / "sine_1.npz").write_text("junk")
    table = many(force, trainings(), tmp_path, **SHORT)
    assert table["error"].str.contains("is no checkpoint of a training").tolist() == [
        False, True, False,
    ]  # fmt: skip


def cut_network(folder):
    path = folder / "sine_0.nc"
    path.write_bytes(path.read_bytes()[:5000])


def cut_history(folder):
    path = folder / "sine_0_history.nc"
    path.write_bytes(path.read_bytes()[:5000])


def other_network(folder):
    (folder / "sine_0.nc").write_bytes((folder / "sine_1.nc").read_bytes())


def no_history(folder):
    (folder / "sine_0_history.nc").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_network, "a finished network is damaged: .*sine_0.nc is not a netCDF file"),
        (cut_history, "a finished network is damaged: .*sine_0_history.nc is not a netCDF file"),
        (other_network, "'sine_0.nc' is not the network that 'sine_0_history.nc' is of"),
        (no_history, "'sine_0.nc' is there without 'sine_0_history.nc'"),
    ],
    ids=["network", "history", "other", "alone"],
)
def test_a_finished_network_that_is_damaged_is_noticed(tmp_path, damage, words):
    many(force, trainings(2), tmp_path, **SHORT)
    damage(tmp_path)
    before = (tmp_path / "sine_0.nc").read_bytes()
    table = many(force, trainings(3), tmp_path, **SHORT)
    assert re.search(words, table["error"][0])
    assert table["error"][1:].tolist() == ["", ""]
    assert (tmp_path / "sine_0.nc").read_bytes() == before


def test_a_partial_rule_is_a_rule(tmp_path):
    one = partial(force, net=net_of(0), noise_density=0.1)
    table = many(one, {"a": {"task": SINE}}, tmp_path, **SHORT)
    assert table["error"].tolist() == [""]
    before = (tmp_path / "a.nc").stat().st_mtime_ns
    again = {"a": {"net": net_of(0), "task": SINE, "noise_density": 0.1}}
    assert many(force, again, tmp_path, **SHORT)["error"].tolist() == [""]
    assert (tmp_path / "a.nc").stat().st_mtime_ns == before
    with pytest.raises(SourceError, match="noise_density: 0.1, now 0.2"):
        many(partial(one, noise_density=0.2), {"a": {"task": SINE}}, tmp_path, **SHORT)


def test_a_full_disk_costs_the_network_that_is_written(tmp_path):
    resource = pytest.importorskip("resource", reason="limits on files are of Unix")
    wide = pdn.network.Rate.random(60, feedback=1.0, tau=0.01, dt=0.001)
    asked = {"wide": {"net": wide, "task": SINE, "rng": 0}, **trainings(1)}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    many(force, asked, tmp_path / "whole", **SHORT)
    limit = (tmp_path / "whole" / "wide.nc").stat().st_size - 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        table = many(force, asked, tmp_path / "full", **SHORT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert re.search(r"cannot write .*wide.nc \(File too large\)", table["error"][0])
    assert table["error"][1] == ""
    again = many(force, asked, tmp_path / "full", **SHORT)
    assert again["error"].tolist() == ["", ""]
    assert_same(contents(tmp_path / "full"), contents(tmp_path / "whole"))


def test_a_table_without_room_is_returned(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.warns(PopdynWarning, match="networks.csv' could not be written .No space left"):
        table = many(force, trainings(1), tmp_path, **SHORT)
    assert table["error"].tolist() == [""]


def test_what_cannot_be_trained_is_said_before_anything_is(tmp_path):
    with pytest.raises(TensorError, match="rule must be a function .*, found 'full_force'"):
        many("full_force", trainings(1), tmp_path)
    for wrong in (0, "x", 1.5, True):
        with pytest.raises(TensorError, match=f"n_jobs must be a whole number, .*{wrong!r}"):
            many(force, trainings(1), tmp_path, n_jobs=wrong)
    asked = trainings(2)
    asked["sine_1"]["trials"] = 3
    with pytest.raises(TensorError, match="training 'sine_1', by force: TypeError: .*'trials'"):
        many(force, asked, tmp_path)
    asked["sine_1"] = {"net": SINE, "task": net_of(0)}
    with pytest.raises(TensorError, match="training 'sine_1', by force: net must be a network"):
        many(force, asked, tmp_path)
    with pytest.raises(TensorError, match="training 'a' must be a mapping of arguments, found 3"):
        many(force, {"a": 3}, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="file' cannot be the folder of the networks .File exis"):
        many(force, trainings(1), tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
