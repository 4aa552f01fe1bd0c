"""A simulated thing works wherever a recording works: events, tables, files, averages, axes."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning
from popdyn.network import Rate, Spiking

CHOSEN = {"response", "choice", "correct"}
PRODUCED = {"response", "correct", "produced_interval", "production_time"}
# What each task says of a network's output.
BEHAVIOR = {
    "ContextDecision": CHOSEN,
    "DelayedMatch": CHOSEN,
    "Detection": CHOSEN | {"outcome"},
    "DualTask": CHOSEN | {f"distractor_{name}" for name in CHOSEN},
    "FlipFlop": CHOSEN,
    "FrequencyDiscrimination": CHOSEN,
    "IntervalDiscrimination": CHOSEN,
    "IntervalProduction": PRODUCED,
    "MultisensoryDecision": CHOSEN,
    "Oscillation": {"response", "correct"},
    "ParametricWorkingMemory": CHOSEN,
    "PerceptualDecision": CHOSEN,
    "ReadySetGo": PRODUCED,
}
PERIOD = (-0.1, 0.1)
# Far above what neurons do: axes are to be seen in few trials.
LIVELY = {"baseline": 200.0, "gain": 195.0}
NOISE = {"rate": 0.5, "spiking": 5.0}


def network(kind, task):
    """A network with the channels of a task."""
    sizes = task.sample(1, rng=0).sizes
    ends = {"n_inputs": sizes["channel"], "n_outputs": sizes["output"], "rng": 0}
    if kind == "rate":
        return Rate.random(24, g=0.9, **ends)
    return Spiking.random(24, inhibition=0.2, bias=1.3, **ends)


def spikes_of(kind, net, trials, sim, **keywords):
    """All neurons as a recording has them."""
    if kind == "rate":
        return pdn.observe(sim, net.n_neurons, rate_map=LIVELY, rng=5)
    own = pdn.simulate(net, trials, record=("spikes",), **keywords)
    return pdn.observe(own, net.n_neurons, rng=5)


def quietly_aligned(x, event, **more):
    """Align, also where a window leaves the trial or a trial lacks the event."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PopdynWarning)
        return pdn.align(x, event, PERIOD, **more)


def events_of(trials, sim):
    """Event columns of the task, and those that the network made."""
    made = [name for name in ("production_time",) if name in sim.coords]
    known = [name for name in made if np.isfinite(sim[name].values).any()]
    return [*json.loads(trials.attrs["events"]), *known]


def looked_up(tensor, times):
    """What a tensor says of the bins around events that lie on edges of its bins, one by one."""
    width = tensor.attrs["bin_width"]
    edges = np.round((tensor["time"].values - width / 2) / width).astype(int)
    own = {edge: position for position, edge in enumerate(edges)}
    steps = np.arange(round(PERIOD[0] / width), round(PERIOD[1] / width))
    found = np.full((tensor.sizes["neuron"], steps.size, times.size), np.nan)
    for trial, time in enumerate(times - tensor["align_time"].values):
        for position, step in enumerate(steps):
            at = own.get(round(time / width) + step)
            if at is not None:
                found[:, position, trial] = tensor.values[:, at, trial]
    return found


def test_no_task_is_left_out():
    assert sorted(BEHAVIOR) == sorted(set(pdn.tasks.__all__) - {"Task", "task_of"})


@pytest.mark.parametrize("continuous", [False, True], ids=["reset", "stream"])
@pytest.mark.parametrize("kind", ["rate", "spiking"])
@pytest.mark.parametrize("name", BEHAVIOR)
def test_tensors_and_spikes_align_to_every_event_and_carry_the_table(name, kind, continuous):
    task = getattr(pdn.tasks, name)(inter_trial=0.5)
    net = network(kind, task)
    trials = task.sample(5, rng=1, dt=net.dt)
    keywords = {"continuous": continuous, "noise_density": NOISE[kind], "rng": 3}
    # Bins of one step hold every event of a task on an edge.
    around = {"around": (0.2, 0.2)} if continuous else {}
    what = "rate" if kind == "rate" else "spike_count"
    sim = pdn.simulate(net, trials, record=(what,), bin_width=net.dt, **around, **keywords)
    session = spikes_of(kind, net, trials, sim, **keywords)
    tensor = sim[what]
    for event in events_of(trials, sim):
        times = sim[event].values
        present = np.isfinite(times)
        aligned = quietly_aligned(tensor, event)
        part = tensor.isel(trial=present)
        assert np.array_equal(aligned.values, looked_up(part, times[present]), equal_nan=True)
        assert aligned["align_time"].values == pytest.approx(times[present], abs=net.dt / 2 + 1e-9)
        assert np.isfinite(aligned.values).any(axis=(0, 1)).all()
        if continuous:
            assert np.isfinite(aligned.isel(trial=slice(1, None)).values).all()
        counts = quietly_aligned(session, event, bin_width=net.dt)
        assert np.array_equal(counts["trial"], aligned["trial"])
        if kind == "spiking" and event != "production_time":
            both = np.isfinite(counts.values) & np.isfinite(aligned.values)
            assert both.any()
            assert np.array_equal(counts.values[both], aligned.values[both])
    columns = {str(column) for column in trials.coords if trials[column].dims == ("trial",)}
    for made in (sim, tensor, session):
        for column in columns:
            np.testing.assert_array_equal(made[column].values, trials[column].values)
            assert made[column].attrs == trials[column].attrs
        assert set(made["trial"].coords) - columns - {"align_time"} == BEHAVIOR[name]


# Each with the event at zero, the columns that make conditions, and whether networks run on.
PIPELINE = {
    "ContextDecision": ("stimulus_on_time", ["context", "target_choice"], True),
    "DelayedMatch": ("test_on_time", ["test", "target_choice"], False),
    "FrequencyDiscrimination": ("decision_time", "target_choice", True),
    "IntervalProduction": ("set_time", "stimulus", False),
    "PerceptualDecision": ("stimulus_on_time", "stimulus", True),
    "ReadySetGo": ("set_time", ["context", "stimulus"], True),
}
WINDOW, WIDTH = (0.0, 0.2), 0.05
N_TRIALS = 50


@pytest.mark.parametrize("kind", ["rate", "spiking"])
@pytest.mark.parametrize("name", PIPELINE)
def test_a_network_goes_through_a_file_to_the_axes_of_its_own_activity(name, kind, tmp_path):
    event, by, continuous = PIPELINE[name]
    task = getattr(pdn.tasks, name)(inter_trial=0.1)
    net = network(kind, task)
    trials = task.sample(N_TRIALS, rng=1, dt=net.dt)
    keywords = {"continuous": continuous, "noise_density": NOISE[kind], "rng": 3}
    what = "rate" if kind == "rate" else "spike_count"
    sim = pdn.simulate(net, trials, record=(what,), bin_width=net.dt, **keywords)
    session = spikes_of(kind, net, trials, sim, **keywords)
    file = pdn.write_nwb(tmp_path / "network.nwb", session)
    again = pdn.read_session(file)
    pd.testing.assert_frame_equal(pdn.trial_table(again), pdn.trial_table(session))
    read = pdn.rate(pdn.read_nwb(file, event, WINDOW, WIDTH))
    own = hertz_of(sim[what], event)
    assert np.array_equal(read["trial"], own["trial"])
    seen, truth = pdn.condition_average(read, by), pdn.condition_average(own, by)
    assert seen["n_trials"].values.tolist() == truth["n_trials"].values.tolist()
    hertz = truth["rate"].values
    error = seen["rate"].values - hertz
    if kind == "spiking":
        assert np.abs(error).max() < 1e-4  # the very same spikes
    else:
        z = error / np.sqrt(hertz / seen["n_trials"].values / WIDTH)
        assert (z**2).mean() == pytest.approx(1, abs=5 * np.sqrt(2 / z.size))
    quick = {"n_splits": 2, "n_draws": 2, "by": by, "rng": 0}
    found = pdn.PCA(3, **quick).fit(read).loading_.values
    centered = hertz.reshape(net.n_neurons, -1)
    centered = centered - centered.mean(axis=1, keepdims=True)
    best = (np.linalg.svd(centered, compute_uv=False)[:3] ** 2).sum()
    kept = (np.linalg.norm(found.T @ centered) ** 2).sum()
    # Any three axes would keep an eighth.
    assert kept > (0.999 if kind == "spiking" else 0.7) * best


def hertz_of(tensor, event):
    """The network's own activity as rates in Hz in wider bins."""
    aligned = pdn.align(tensor, event, WINDOW)
    n_parts = round(WIDTH / tensor.attrs["bin_width"])
    values = aligned.values.astype(float).reshape(len(aligned), -1, n_parts, aligned.sizes["trial"])
    if tensor.name == "rate":
        hertz = (LIVELY["baseline"] + LIVELY["gain"] * values).mean(axis=2)
    else:
        hertz = values.sum(axis=2) / WIDTH
    time = WINDOW[0] + WIDTH * (np.arange(hertz.shape[1]) + 0.5)
    table = {str(c): aligned[c].values for c in aligned.coords if aligned[c].dims == ("trial",)}
    ids = table.pop("trial")
    return pdn.make_tensor(hertz, time, trials={"id": ids, **table}, bin_width=WIDTH)
