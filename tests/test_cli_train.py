"""Training from the command line: into a file, into a folder, and on after a stop."""

from __future__ import annotations

import importlib

import pytest

import popdyn as pdn
from popdyn import cli
from popdyn.comparison.tables import toml_text

FAST = {
    "network": {"n_neurons": 30, "tau": 0.01, "dt": 0.001},
    "task": {"name": "Oscillation", "sines": [[2, 1.0]]},
    "train": {"rule": "force", "n_trials": 6, "n_validation": 2, "validate_every": 2},
}


@pytest.fixture
def run(capsys):
    """Run the command line; give its exit code, what it printed, and its lines on stderr."""

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err.splitlines()

    return run


def test_a_training_that_was_stopped_goes_on_with_the_same_command(run, tmp_path, monkeypatch):
    model, path = tmp_path / "model.toml", tmp_path / "net.nc"
    model.write_text(toml_text(FAST))
    run("train", model, "-o", path)
    whole = path.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "model.toml", "net.nc", "net_history.nc",
    ]  # fmt: skip
    path.unlink()
    tested = []
    course = importlib.import_module("popdyn.train.course")
    test = course._test

    def stop_at_the_second(*arguments):
        tested.append(1)
        if len(tested) == 2:
            raise KeyboardInterrupt
        return test(*arguments)

    monkeypatch.setattr(course, "_test", stop_at_the_second)
    assert run("train", model, "-o", path)[0] == 130
    assert (tmp_path / "net_checkpoint.npz").exists()
    assert not path.exists()
    assert run("train", model, "-o", path)[0] == 0
    # One test before the stop, the one that was stopped, and two more.
    assert len(tested) == 4
    assert pdn.load(path).to_dataset().identical(_loaded(tmp_path, whole).to_dataset())
    assert not (tmp_path / "net_checkpoint.npz").exists()


def _loaded(folder, stored):
    (folder / "whole.nc").write_bytes(stored)
    return pdn.load(folder / "whole.nc")


def test_a_checkpoint_that_is_named_is_kept(run, tmp_path):
    model, kept = tmp_path / "model.toml", tmp_path / "state.npz"
    model.write_text(toml_text(FAST))
    code, _, _ = run("train", model, "-o", tmp_path / "net.nc", "--checkpoint", kept)
    assert code == 0
    assert kept.exists()
    assert "checkpoint must be a file that ends in .npz" in _told(
        run("train", model, "-o", tmp_path / "other.nc", "--checkpoint", tmp_path / "state")
    )


def test_the_same_command_again_says_that_the_network_is_there(run, tmp_path):
    model, path = tmp_path / "model.toml", tmp_path / "net.nc"
    model.write_text(toml_text(FAST))
    first = run("train", model, "-o", path)[1].splitlines()
    written = path.stat().st_mtime_ns
    code, out, err = run("train", model, "-o", path)
    assert (code, err) == (0, [])
    assert out.splitlines() == [
        f"network: {path} (finished before; remove it to train anew)", *first[1:],
    ]  # fmt: skip
    assert path.stat().st_mtime_ns == written


def test_a_finished_network_of_another_training_is_not_replaced(run, tmp_path):
    model, path = tmp_path / "model.toml", tmp_path / "net.nc"
    model.write_text(toml_text(FAST))
    run("train", model, "-o", path)
    files = {file: file.read_bytes() for file in tmp_path.iterdir()}
    said = _told(run("train", model, "-o", path, "--seed", 4))
    assert "'net_history.nc' is of another training (net: " in said
    assert "rng: " in said
    said = _told(run("train", model, "-o", path, "--n-trials", 8))
    assert "(n_trials: 6, now 8), and its network is not replaced" in said
    path.write_bytes(files[path][:3000])
    assert "a finished network is damaged" in _told(run("train", model, "-o", path))
    path.write_bytes(files[path])
    (tmp_path / "net_history.nc").unlink()
    assert "is there without 'net_history.nc'" in _told(run("train", model, "-o", path))
    assert path.read_bytes() == files[path]
    # A network where the history should be says nothing of a training.
    (tmp_path / "net_history.nc").write_bytes(files[path])
    assert "it does not say of which" in _told(run("train", model, "-o", path))
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "model.toml", "net.nc", "net_history.nc",
    ]  # fmt: skip


def test_a_full_disk_is_one_line_and_the_state_is_kept(run, tmp_path):
    resource = pytest.importorskip("resource", reason="limits on files are of Unix")
    model, path = tmp_path / "model.toml", tmp_path / "net.nc"
    model.write_text(toml_text({**FAST, "network": {**FAST["network"], "n_neurons": 60}}))
    run("train", model, "-o", path)
    whole = path.read_bytes()
    path.unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) - 1000, hard))
    try:
        said = _told(run("train", model, "-o", path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "net.nc (File too large): what was there before is as it was. Make room" in said
    assert (tmp_path / "net_checkpoint.npz").exists()
    assert run("train", model, "-o", path)[0] == 0
    assert path.read_bytes() == whole


def _told(done):
    code, _, err = done
    assert (code, len(err)) == (2, 1)
    return err[0]


def test_a_network_for_each_seed_goes_into_a_folder(run, tmp_path):
    model, folder = tmp_path / "fast.toml", tmp_path / "nets"
    model.write_text(toml_text(FAST))
    code, out, err = run("train", model, "--seeds", "1,4", "-o", folder)
    assert (code, err) == (0, [])
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["fast_1", "fast_4"]
    assert sorted(file.name for file in folder.iterdir()) == [
        "fast_1.nc", "fast_1_history.nc", "fast_4.nc", "fast_4_history.nc", "networks.csv",
    ]  # fmt: skip
    run("train", model, "--seed", 4, "-o", tmp_path / "alone.nc")
    alone, among = pdn.load(tmp_path / "alone.nc"), pdn.load(folder / "fast_4.nc")
    assert alone.to_dataset().identical(among.to_dataset())


def test_what_seeds_cannot_be_is_one_line(run, tmp_path):
    model = tmp_path / "fast.toml"
    model.write_text(toml_text(FAST))
    assert "leave --seed, --checkpoint" in _told(run("train", model, "--seeds", "0", "--seed", 1))
    assert "seeds are whole numbers" in _told(run("train", model, "--seeds", "3-1"))
    file = tmp_path / "net.nc"
    assert "go into a folder" in _told(run("train", model, "--seeds", "0", "-o", file))
    words = ("--rule", "fuce", "-o", file)
    assert "there is no rule 'fuce'; did you mean 'force'" in _told(run("train", model, *words))


def test_a_training_that_fails_among_others_is_named(run, tmp_path, monkeypatch):
    def fail(*_, **__):
        message = "it diverged"
        raise pdn.FitError(message)

    training = importlib.import_module("popdyn.comparison.training")
    monkeypatch.setitem(training.RULES, "force", fail)
    words = ("train", "--rule", "force", "--seeds", "0-1", "-o", tmp_path / "nets")
    assert "2 of 2 trainings failed; network_0: it diverged" in _told(run(*words))


def test_a_low_rank_network_is_trained_by_backpropagation_and_simulated(run, tmp_path):
    path = tmp_path / "net.nc"
    size = ("--n-ranks", 2, "--n-neurons", 40)
    code, out, err = run("train", *size, "--rule", "backprop", "--n-trials", 64, "-o", path)
    assert (code, err) == (0, [])
    assert "accuracy on fresh trials" in out
    net = pdn.load(path)
    assert isinstance(net, pdn.network.LowRank)
    assert (net.n_neurons, net.n_ranks) == (40, 2)
    assert pdn.load(tmp_path / "net_history.nc").attrs["method"] == "backprop"
    code, out, err = run("simulate", "--network", path, "--n-trials", 4, "-o", tmp_path / "s.nc")
    assert (code, err) == (0, [])
    assert pdn.load(tmp_path / "s.nc")["rate"].sizes["neuron"] == 40
    code, _, err = run("simulate", *size, "--n-trials", 4, "-o", tmp_path / "random.nc")
    assert (code, err) == (0, [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--n-ranks", 1), "trained by the rule 'backprop', found 'reservoir' (the default)"),
        (("--n-ranks", 1, "--rule", "force"), "trained by 'backprop', found rule 'force'"),
        (("--n-ranks", 1, "--g", 1.5), "--g is the gain of weights of full rank: leave it out"),
        (("--n-ranks", 0, "--rule", "backprop"), "greater than or equal to 1"),
        (("--n-ranks", 300, "--rule", "backprop"), "300"),
    ],
    ids=["rule", "force", "gain", "zero", "many"],
)
def test_what_a_low_rank_network_cannot_be_is_one_line(run, tmp_path, words, told):
    assert told in _told(run("train", *words, "-o", tmp_path / "net.nc"))
    assert not (tmp_path / "net.nc").exists()
