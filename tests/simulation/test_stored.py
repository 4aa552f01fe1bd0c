"""Runs that go to a file: the same bits, bounded memory, nothing half done."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import FitError, SourceError
from popdyn.network import Rate, Spiking
from popdyn.simulation import recording, stored
from popdyn.tasks import PerceptualDecision


@pytest.fixture(scope="module")
def net():
    return Rate.random(30, g=0.9, rng=0)


@pytest.fixture(scope="module")
def trials():
    return PerceptualDecision(delay_duration=(0.1, 0.6)).sample(11, rng=0)


@pytest.mark.parametrize(
    "keywords",
    [
        {"noise_density": 0.3, "tile": 4, "record": ("rate", "state")},
        {"continuous": True, "noise_density": 0.1, "around": (0.3, 0.2)},
        {"record": (), "tile": 3},
        {"record": ("rate", "current"), "continuous": True},
        {"record": "current", "tile": 3, "bin_width": 0.03},
        {"dtype": "float32", "bin_width": 0.05},
    ],
)
def test_a_run_in_a_file_has_the_bits_of_the_run_in_memory(net, trials, tmp_path, keywords):
    path = tmp_path / "sim.nc"
    with pdn.simulate(net, trials, rng=1, path=path, **keywords) as there:
        assert not any(there[name].variable._in_memory for name in there.data_vars)
        here = pdn.simulate(net, trials, rng=1, **keywords)
        assert there.load().identical(here)
    assert pdn.load(path).identical(here)
    assert list(tmp_path.iterdir()) == [path]


def test_time_without_input_goes_to_a_file_too(net, tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "_BLOCK", 30 * 7)
    with pdn.simulate(net, duration=1.0, rng=1, path=tmp_path / "sim.nc") as there:
        assert there.load().identical(pdn.simulate(net, duration=1.0, rng=1))


@pytest.mark.parametrize(
    "keywords",
    [
        {"record": ("rate", "potential", "current"), "tile": 2},
        {"record": ("potential",), "tile": 2, "initial_state": np.eye(20, 5)},
        {"record": ("rate",), "continuous": True},
        {"record": ("spikes",)},
    ],
)
def test_spiking_runs_go_to_a_file(tmp_path, keywords):
    net = Spiking.random(20, rng=0)
    trials = PerceptualDecision(stimulus_duration=0.2).sample(5, rng=0, dt=net.dt)
    with pdn.simulate(net, trials, rng=1, path=tmp_path / "sim.nc", **keywords) as there:
        assert there.load().identical(pdn.simulate(net, trials, rng=1, **keywords))
    assert pdn.load(tmp_path / "sim.nc").sizes["trial"] == 5


def test_a_part_is_read_without_the_whole(net, trials, tmp_path):
    path = tmp_path / "sim.nc"
    pdn.simulate(net, trials, rng=1, path=path).close()
    here = pdn.simulate(net, trials, rng=1)
    with pdn.load(path, lazy=True) as there:
        part = there["rate"].isel(neuron=[3, 4], trial=slice(2, 5))
        assert not part.variable._in_memory
        assert part.load().identical(here["rate"].isel(neuron=[3, 4], trial=slice(2, 5)))
        assert not there["rate"].variable._in_memory
        assert not there["output"].variable._in_memory


def test_memory_is_that_of_a_tile(tmp_path, monkeypatch):
    monkeypatch.setattr("popdyn.tensor.result._SLAB", 2**20)
    monkeypatch.setattr(stored, "_BLOCK", 2**17)
    net = Rate.random(150, g=0.9, rng=0)
    trials = PerceptualDecision().sample(400, rng=0)
    pdn.simulate(net, trials.isel(trial=[0, 1]), path=tmp_path / "warm.nc").close()
    tracemalloc.start()
    with pdn.simulate(net, trials, path=tmp_path / "sim.nc", tile=10) as there:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert there["rate"].nbytes > 24e6
        assert peak < there["rate"].nbytes / 3


class Interrupting:
    """Steps that are stopped by Ctrl-C when they begin for the nth time."""

    def __init__(self, at):
        self.at, self.n_calls, self.steps = at, 0, recording.evolve_blocks

    def __call__(self, *args, **keywords):
        self.n_calls += 1
        if self.n_calls == self.at:
            raise KeyboardInterrupt
        return self.steps(*args, **keywords)


def test_an_interrupted_run_goes_on_from_the_last_tile(net, trials, tmp_path, monkeypatch):
    path = tmp_path / "sim.nc"
    keywords = {"rng": 1, "noise_density": 0.3, "tile": 3}
    monkeypatch.setattr(recording, "evolve_blocks", Interrupting(at=3))
    with pytest.raises(KeyboardInterrupt):
        pdn.simulate(net, trials, path=path, **keywords)
    assert [file.name for file in tmp_path.iterdir()] == ["sim.nc.partial"]
    monkeypatch.undo()
    steps = Interrupting(at=99)
    monkeypatch.setattr(recording, "evolve_blocks", steps)
    with pdn.simulate(net, trials, path=path, **keywords) as there:
        assert steps.n_calls == 2  # of four tiles
        assert there.load().identical(pdn.simulate(net, trials, **keywords))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("change", [{"rng": 2}, {"bin_width": 0.02}, {"record": ("state",)}])
def test_another_run_does_not_go_on_with_what_was_left(net, trials, tmp_path, monkeypatch, change):
    path, left = tmp_path / "sim.nc", tmp_path / "sim.nc.partial"
    keywords = {"rng": 1, "noise_density": 0.3, "tile": 3}
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(recording, "evolve_blocks", Interrupting(at=3))
        pdn.simulate(net, trials, path=path, **keywords)
    before = left.read_bytes()
    with pytest.raises(SourceError, match=r"sim.nc.partial is what another call left.*overwrite"):
        pdn.simulate(net, trials, path=path, **(keywords | change))
    assert left.read_bytes() == before
    changed = keywords | change | {"overwrite": True}
    with pdn.simulate(net, trials, path=path, **changed) as there:
        assert there.load().identical(pdn.simulate(net, trials, **(keywords | change)))


def test_what_cannot_be_read_of_an_earlier_run_is_made_anew(net, trials, tmp_path):
    (tmp_path / "sim.nc.partial").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(300))
    with pdn.simulate(net, trials, path=tmp_path / "sim.nc") as there:
        assert there.load().identical(pdn.simulate(net, trials))


def test_a_run_that_fails_leaves_what_was_there(net, trials, tmp_path, monkeypatch):
    path = tmp_path / "sim.nc"
    pdn.simulate(net, trials, path=path).close()
    before = path.read_bytes()
    wild = Rate.random(30, g=60.0, nonlinearity="linear", tau=0.01, rng=0)
    with pytest.raises(FitError, match=r"first in neuron \d+ of trial \d+"):
        pdn.simulate(wild, trials, path=path, tile=2, overwrite=True)
    monkeypatch.setattr(recording, "evolve_blocks", Interrupting(at=1))
    with pytest.raises(KeyboardInterrupt):
        pdn.simulate(net, trials, path=path, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_file_that_exists_is_left_as_it_is(net, trials, tmp_path):
    inputs, itself, sim = (tmp_path / f"{name}.nc" for name in ("inputs", "itself", "sim"))
    pdn.save(trials, inputs)
    pdn.save(net, itself)
    before = {path: path.read_bytes() for path in (inputs, itself)}
    with pdn.load(inputs, lazy=True) as lazy:
        for path in (inputs, itself):
            with pytest.raises(SourceError, match=rf"{path.name} exists and was left as it is"):
                pdn.simulate(pdn.load(itself), lazy, path=path)
            assert path.read_bytes() == before[path]
    pdn.simulate(net, trials, path=sim).close()
    with pytest.raises(SourceError, match="overwrite=True"):
        pdn.simulate(net, trials, path=sim, rng=3, record=("state",))
    with pdn.simulate(net, trials, path=sim, rng=3, overwrite=True) as there:
        assert there.load().identical(pdn.simulate(net, trials, rng=3))
    spiking = Spiking.random(10, rng=0)
    with pytest.raises(SourceError, match="exists"):
        pdn.simulate(spiking, duration=0.1, path=itself, record=("spikes",))
    assert itself.read_bytes() == before[itself]


@pytest.mark.parametrize("name", ["x.txt", "sim.csv", "sim"])
def test_runs_are_written_as_netcdf_alone(net, trials, tmp_path, name):
    with pytest.raises(SourceError, match=rf"written as netCDF: name the file .*found {name}"):
        pdn.simulate(net, trials, path=tmp_path / name)
    with pytest.raises(SourceError, match="path must name a netCDF file to write, found 3"):
        pdn.simulate(net, trials, path=3)
    assert list(tmp_path.iterdir()) == []


def test_what_another_program_left_is_no_run(net, trials, tmp_path):
    left = pdn.save(trials, tmp_path / "sim.nc.partial")
    before = left.read_bytes()
    with pytest.raises(SourceError, match="another call left"):
        pdn.simulate(net, trials, path=tmp_path / "sim.nc")
    assert left.read_bytes() == before


def test_places_that_cannot_be_written_are_named(net, trials, tmp_path):
    with pytest.raises(SourceError, match=r"the folder .*nowhere does not exist"):
        pdn.simulate(net, trials, path=tmp_path / "nowhere" / "sim.nc")
    with pytest.raises(SourceError, match="it is a folder; name a file in it"):
        pdn.simulate(net, trials, path=tmp_path)
    (tmp_path / "sim.nc.partial").mkdir()
    with pytest.raises(SourceError, match=r"cannot write .*sim.nc.partial .*another run"):
        pdn.simulate(net, trials, path=tmp_path / "sim.nc")


def test_text_and_flags_in_the_trial_table_survive(net, trials, tmp_path):
    labelled = trials.assign_coords(
        side=("trial", np.array(["left", "right"] * 5 + [""])),
        probe=("trial", np.arange(11) % 2 == 0),
    )
    with pdn.simulate(net, labelled, path=tmp_path / "sim.nc") as there:
        assert there.load().identical(pdn.simulate(net, labelled))
        assert there["probe"].dtype == bool


def test_a_run_that_the_disk_has_no_room_for_is_refused_before_it_begins(
    net, trials, tmp_path, monkeypatch
):
    path = tmp_path / "sim.nc"
    with pdn.simulate(net, trials, path=path, record="rate") as there:
        kept = 4 * there["rate"].size + 8 * there["output"].size

    def room_for(n_bytes):
        free = SimpleNamespace(free=n_bytes)
        monkeypatch.setattr(stored.shutil, "disk_usage", lambda _: free)

    room_for(kept - 1)
    with pytest.raises(SourceError, match=r"takes .* GB, .* GB are free on its disk: make room"):
        pdn.simulate(net, trials, path=tmp_path / "other.nc", record="rate")
    assert list(tmp_path.iterdir()) == [path]
    # While it runs the file also holds the output at every step.
    room_for(2 * kept)
    pdn.simulate(net, trials, path=tmp_path / "other.nc", record="rate").close()
