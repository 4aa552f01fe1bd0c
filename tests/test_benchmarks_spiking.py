"""The contestants of the spiking race run the same network."""

import sys

import numpy as np
import pytest

from benchmarks import spiking, spiking_peers
from benchmarks.spiking import NumPySteps, Steps, network, share_of_reading
from benchmarks.spiking_peers import Batch


def test_numpy_and_popdyn_make_the_same_spikes():
    net = network(100)
    ours, plain = Steps(net, "float64", seconds=1.0), NumPySteps(net, seconds=1.0)
    plain()
    assert 1000 < ours.n_spikes < 2000
    assert abs(plain.n_spikes - ours.n_spikes) <= 0.01 * ours.n_spikes


@pytest.mark.parametrize(("name", "more"), [("torch", 0.02), ("jax", 0.02), ("norse", 0.1)])
def test_peers_spike_as_often_as_popdyn(name, more):
    pytest.importorskip(name)
    batch = Batch(network(100), n_trials=5, n_steps=1000)
    loops = {"own": spiking.popdyn_loop, name: spiking_peers.LOOPS[name]}
    own, theirs = (make(batch)() for make in loops.values())
    assert abs(theirs - own) <= more * own


def test_a_program_greets_and_its_last_line_counts():
    code = "import sys; print('hello 1'); print(13.5, 0.25, 0.5 if sys.argv[1:] == ['4', '2', '7'] else 0)"
    command = [sys.executable, "-c", code]
    assert spiking.loops_of(command, 4, 2, 7) == [13.5, 0.25, 0.5]


def test_brian2_is_not_looked_for_where_it_is_not(monkeypatch, tmp_path):
    monkeypatch.setenv("BRIAN2_PYTHON", str(tmp_path / "python"))
    assert not any(str(tmp_path) in command[0] for command in spiking.programs().values())
    (tmp_path / "python").touch()
    assert str(tmp_path) in spiking.programs()["Brian2 cython"][0]


def test_the_share_of_plain_reading_counts_a_row_per_spike():
    steps = Steps(network(50), "float32", seconds=0.5)
    gigabytes = steps.n_spikes * 50 * 4 / 1e9
    assert share_of_reading(steps, seconds=2.0, per_gb=1.0 / gigabytes) == 0.5


def test_without_peers_the_race_says_who_is_missing(monkeypatch):
    monkeypatch.setattr(spiking, "SECONDS", 0.1)
    monkeypatch.setattr(spiking, "programs", dict)
    outcome = spiking.measure_one_trial(n_runs=1, n_rounds=1)
    assert [text for text in outcome.remarks if "not installed" in text] == [
        "Brian2 cpp_standalone is not installed (BRIAN2_PYTHON): skipped",
        "Brian2 cython is not installed (BRIAN2_PYTHON): skipped",
        "NEST is not installed: skipped",
    ]
    assert not outcome.bars
    assert all(np.isfinite(row["rate_hz"]) for row in outcome.rows)
