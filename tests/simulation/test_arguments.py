"""What simulate cannot take is refused in a sentence, before it runs."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError
from popdyn.network import Rate, Spiking
from popdyn.simulation import memory
from popdyn.tasks import PerceptualDecision

NETS = {"rate": Rate.random(10, g=0.9, dt=0.001, rng=0), "spiking": Spiking.random(10, dt=0.001)}
WRONG = {
    "noise_density": ["a", None, np.ones(10), True, -1.0],
    "noise_step": ["a", None],
    "input_noise_density": ["a", None, [1.0]],
    "input_noise_step": ["a", None],
    "record": [None, 3, [["rate"]]],
    "bin_width": ["a", [0.01], True, 0.0],
    "around": [("a", "b"), None, "ab", (0.1,), ((0.1,), (0.1, 0.2))],
    "tile": [2.5, "a", None, 0, True],
    "initial_state": ["x", {"a": 1}, [[1.0], [1.0, 2.0]], 1j * np.ones(10)],
    "n_jobs": [0, "a", 1.5, True],
    "continuous": ["yes", 1, None],
    "overwrite": ["yes", None, 1],
    "dtype": ["float16", None, np.float64],
    "method": ["heun", None],
}
CASES = [(key, number) for key, values in WRONG.items() for number in range(len(values))]


@pytest.fixture(scope="module")
def trials():
    return PerceptualDecision().sample(3, rng=0, dt=0.001)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize(("name", "number"), CASES)
def test_what_an_argument_cannot_be_is_refused_by_its_name(trials, kind, name, number):
    value = WRONG[name][number]
    with pytest.raises(TensorError, match=rf"^{name} m.*found"):
        pdn.simulate(NETS[kind], trials, **{name: value})


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("duration", ["2", True, [1], -1.0, 0, np.inf, np.nan])
def test_a_duration_is_a_positive_number(kind, duration):
    with pytest.raises(TensorError, match="duration must be a positive number of seconds, found"):
        pdn.simulate(NETS[kind], duration=duration)


@pytest.mark.parametrize("net", [None, "net.nc", 3, {}])
def test_what_is_no_network_is_refused(trials, net):
    with pytest.raises(TensorError, match=r"expected a network, a pdn.network.Rate, .*found"):
        pdn.simulate(net, trials)
    with pytest.raises(TensorError, match="expected a network"):
        pdn.calibrate_noise(net, PerceptualDecision(), {0.4: 0.75})


def test_inputs_of_text_or_complex_numbers_are_refused(trials):
    for dtype in (str, complex):
        changed = trials.assign(inputs=trials["inputs"].astype(dtype))
        with pytest.raises(TensorError, match="inputs must be real numbers, found values of type"):
            pdn.simulate(NETS["rate"], changed)


def test_times_that_look_like_milliseconds_are_asked_about(trials, monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    ask = r"duration=2000 s are 33.3 minutes: if milliseconds were meant, say duration=2$"
    with pytest.warns(PopdynWarning, match=ask), pytest.raises(TensorError, match="memory"):
        pdn.simulate(NETS["rate"], duration=2000)
    ask = r"around=\(500, 500\) s is long: if milliseconds were meant, say around=\(0.5, 0.5\)$"
    with pytest.warns(PopdynWarning, match=ask), pytest.raises(TensorError, match="memory"):
        pdn.simulate(NETS["rate"], trials, continuous=True, around=(500, 500))


@pytest.mark.parametrize("kind", NETS)
def test_what_does_not_fit_in_memory_is_refused_at_once(kind, trials, monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 4e9)
    # 1e8 bins of 10 neurons (4 bytes) and an output (8 bytes), 1e9 steps of an input (8 bytes).
    said = r"1 trials of 1e\+06 s need at least 12.8 GB of memory, 4 GB are free. .*path='run.nc'"
    with pytest.warns(PopdynWarning), pytest.raises(TensorError, match=said):
        pdn.simulate(NETS[kind], duration=1e6)
    with pytest.warns(PopdynWarning), pytest.raises(TensorError, match="8 GB .* free. Please run"):
        pdn.simulate(NETS[kind], duration=1e6, path="run.nc")
    monkeypatch.setattr(memory, "available_memory", lambda: 1e4)
    with pytest.raises(TensorError, match=r"3 trials of 1\.\d+ s need at least"):
        pdn.simulate(NETS[kind], trials)


def test_a_system_that_does_not_say_its_memory_is_trusted(trials, tmp_path, monkeypatch):
    assert 1e7 < memory.available_memory() < 1e14
    monkeypatch.setattr(memory, "_AVAILABLE", tmp_path / "none")
    assert 1e7 < memory.available_memory() < 1e14
    monkeypatch.delattr(memory.os, "sysconf")
    assert memory.available_memory() is None
    pdn.simulate(NETS["rate"], trials)
