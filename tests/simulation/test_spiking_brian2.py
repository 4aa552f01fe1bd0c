"""Spiking networks beside Brian2: spike for spike when small, by statistics when large.

Brian2 2.9 needs an older NumPy than popdyn may have, so it runs in an interpreter of its own:
``BRIAN2_PYTHON=/path/to/python`` of an environment with ``pip install brian2``.  Without it the
runs are skipped, and popdyn is held to the spikes that Brian2 gave when
``results/brian2_spikes.npz`` was written (by ``pytest -m slow`` on this file).
"""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import sparse

import popdyn as pdn
from popdyn.network import Spiking

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CONSTANTS = ("dt", "delay", "refractory", "rest", "reset", "threshold")
CONSTANTS += ("tau_membrane", "tau_fast", "tau_slow")
COMMAND = "# BRIAN2_PYTHON=... python -m pytest -m slow tests/simulation/test_spiking_brian2.py"
PROGRAMS = ("brian2", "popdyn")
# One run scatters by 0.5 % in its rate (30 runs), less in the others: three against three may
# differ by 1.6 %, four standard errors.
TOLERANCES = {
    "rate": 0.016,
    "rate_spread": 0.03,
    "interval_variation": 0.01,
    "correlation_spread": 0.03,
}
# Millivolts and fine steps with a delay; dimensionless and coarse without one.
SMALL = {
    "millivolt": {"dt": 0.0001, "delay": 0.0015, "n_steps": 5000, "density": 0.3, "scale": 10.0},
    "coarse": {"dt": 0.001, "delay": 0.0, "n_steps": 1000, "density": 1.0, "scale": 1.0},
}


def brian2_python():
    """The interpreter that has Brian2, or skip and say so."""
    if "BRIAN2_PYTHON" in os.environ:
        return os.environ["BRIAN2_PYTHON"]
    if importlib.util.find_spec("brian2"):
        return sys.executable
    return pytest.skip("Brian2 is not installed: BRIAN2_PYTHON says which interpreter has it")


def plain(matrix, n_neurons):
    if matrix is None:
        return np.zeros((n_neurons, n_neurons))
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def small_network(dt, delay, n_steps, density, scale, n_neurons=50):
    """A network, what drives it (step, neuron), and first potentials."""
    rng = np.random.default_rng(7)
    drawn = Spiking.random(n_neurons, g_slow=0.05, density=density, dt=dt, delay=delay, rng=rng)
    net = Spiking(
        scale * drawn.recurrent_fast,
        scale * drawn.recurrent_slow,
        input=scale * drawn.input,
        bias=scale * 1.15,
        threshold=scale - 60 * (scale > 1),
        reset=-60.0 * (scale > 1),
        rest=-60.0 * (scale > 1),
        unit="mV" if scale > 1 else "1",
        dt=dt,
        delay=delay,
    )
    inputs = np.zeros((n_steps, 1))
    inputs[n_steps // 3 : n_steps // 2] = 0.3
    return net, inputs, net.reset + scale * rng.random(n_neurons)


def for_brian2(net, inputs, potential):
    """Everything that `brian2_runs.py` wants."""
    given = {name: getattr(net, name) for name in CONSTANTS}
    given |= {
        name: plain(getattr(net, name), net.n_neurons)
        for name in ("recurrent_fast", "recurrent_slow")
    }
    return given | {"drive": net.bias + inputs @ net.input.T, "potential": potential}


def run_brian2(given, folder):
    """Steps and neurons of the spikes that Brian2 gives, and its version."""
    source, target = folder / "network.npz", folder / "spikes.npz"
    np.savez(source, **given)
    command = [brian2_python(), HERE / "brian2_runs.py", source, target]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(target) as found:
        return found["step"], found["neuron"], str(found["version"])


def run_popdyn(net, inputs, potential, **keywords):
    """Steps and neurons of the spikes that popdyn gives."""
    trials = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), inputs.T[..., None])}, attrs={"dt": net.dt}
    )
    session = pdn.simulate(net, trials, record=("spikes",), initial_state=potential, **keywords)
    step = np.floor(session["spike_time"].values / net.dt + 1e-6).astype(int)
    return step, np.repeat(np.arange(net.n_neurons), np.diff(session["neuron_start"]))


def in_order(step, neuron):
    order = np.lexsort((neuron, step))
    return np.column_stack([step, neuron])[order]


@pytest.mark.parametrize("case", SMALL)
def test_small_networks_spike_as_they_did_in_brian2(case):
    """The network too is read from the file: nothing here depends on how it was drawn."""
    with np.load(RESULTS / "brian2_spikes.npz") as stored:
        given = {
            name.removeprefix(f"{case}_"): stored[name] for name in stored if name.startswith(case)
        }
    net = Spiking(
        given["recurrent_fast"],
        given["recurrent_slow"],
        input=np.eye(50),
        **{name: float(given[name]) for name in CONSTANTS},
    )
    spikes = in_order(*run_popdyn(net, given["drive"], given["potential"]))
    assert np.array_equal(spikes, in_order(given["step"], given["neuron"]))
    assert len(spikes) > 300


@pytest.mark.slow
def test_small_networks_spike_as_brian2_does_now(tmp_path):
    stored = {}
    for case, constants in SMALL.items():
        net, inputs, potential = small_network(**constants)
        given = for_brian2(net, inputs, potential)
        step, neuron, version = run_brian2(given, tmp_path)
        assert np.array_equal(in_order(*run_popdyn(net, inputs, potential)), in_order(step, neuron))
        given |= {"step": step, "neuron": neuron, "version": version}
        stored |= {f"{case}_{name}": values for name, values in given.items()}
    np.savez_compressed(RESULTS / "brian2_spikes.npz", **stored)


def statistics(step, neuron, net, n_steps):
    """Mean rate (Hz), spread of rates, CV of intervals, mean and spread of count correlations."""
    dt, n_neurons = net.dt, net.n_neurons
    after = step * dt > 0.5
    step, neuron = step[after], neuron[after]
    rate = np.bincount(neuron, minlength=n_neurons) / (n_steps * dt - 0.5)
    variations = []
    for one in range(n_neurons):
        intervals = np.diff(np.sort(step[neuron == one]))
        if intervals.size >= 10:
            variations.append(intervals.std() / intervals.mean())
    n_bins = round((n_steps * dt - 0.5) / 0.05)
    place = ((step * dt - 0.5) / 0.05).astype(int)
    cell = neuron * n_bins + np.minimum(place, n_bins - 1)
    counts = np.bincount(cell, minlength=n_neurons * n_bins).reshape(n_neurons, n_bins)
    pairs = np.corrcoef(counts[counts.std(axis=1) > 0])[np.triu_indices(200, 1)]
    return {
        "rate": rate.mean(),
        "rate_spread": rate.std(),
        "interval_variation": float(np.mean(variations)),
        "correlation": pairs.mean(),
        "correlation_spread": pairs.std(),
    }


@pytest.mark.slow
def test_large_networks_have_the_statistics_of_brian2(tmp_path):
    """N=1000, Dale's law, 10 %: the same weights; first potentials and noise of their own.

    Brian2 is given the noise as a current that is constant during each step; popdyn draws what
    that adds to the potentials.  Given the current of Brian2 as its input it spikes as Brian2 does.
    """
    net = Spiking.random(1000, g=0.9, density=0.1, excitatory=0.8, bias=0.85, delay=0.001, rng=3)
    n_steps, current_noise = 10_000, 2.0
    rows = []
    for repeat in range(3):
        rng = np.random.default_rng(repeat)
        given = for_brian2(net, np.zeros((1, 1)), rng.random(1000))
        current = current_noise * rng.standard_normal((n_steps, 1000))
        given["drive"] = net.bias + current
        step, neuron, _ = run_brian2(given, tmp_path)
        if repeat == 0:
            driven = run_popdyn(replace(net, input=np.eye(1000)), current, given["potential"])
            assert np.array_equal(in_order(*driven), in_order(step, neuron))
        rows.append(
            {"program": "brian2", "repeat": repeat} | statistics(step, neuron, net, n_steps)
        )
        noise = -np.expm1(-net.dt / net.tau_membrane) * current_noise
        step, neuron = run_popdyn(
            net, np.zeros((n_steps, 1)), None, noise_step=noise, rng=100 + repeat
        )
        rows.append(
            {"program": "popdyn", "repeat": repeat} | statistics(step, neuron, net, n_steps)
        )
    with (RESULTS / "brian2_statistics.csv").open("w", newline="") as file:
        file.write(f"{COMMAND}\n")
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})
    agree(rows)


def agree(rows):
    """Means over runs differ by little: rates and CV no more than they scatter."""

    def means(name):
        return [np.mean([float(r[name]) for r in rows if r["program"] == p]) for p in PROGRAMS]

    for name, tolerance in TOLERANCES.items():
        one, two = means(name)
        assert one == pytest.approx(two, rel=tolerance), name
    one, two = means("correlation")
    assert one == pytest.approx(two, abs=0.003)


def test_the_statistics_kept_agree_and_are_those_of_irregular_spikes():
    with (RESULTS / "brian2_statistics.csv").open() as file:
        assert file.readline().strip() == COMMAND
        rows = list(csv.DictReader(file))
    agree(rows)
    assert len(rows) == 6
    assert all(0.5 < float(row["interval_variation"]) < 1.2 for row in rows)
    assert all(2 < float(row["rate"]) < 50 for row in rows)
