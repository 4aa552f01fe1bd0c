"""Learning driven by spikes: equal to the plain sequence, with fixed weights, pauses and noise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from popdyn.network import Spiking
from popdyn.train.spiking_kernels import (
    N_PENDING,
    Kept,
    Learned,
    State,
    Task,
    Wiring,
    learn_spiking,
)
from popdyn.train.spiking_steps import by_sender, steps_of
from tests.oracles import spiking_learning as oracle

N, N_COMPONENTS, N_OUTPUTS, N_CHANNELS = 24, 5, 2, 2

NETWORKS = {
    "plain": {},
    "refractory": {"refractory": 0.003},
    "fixed fast": {"g": 0.6, "inhibition": 4.0},
    "fixed fast and slow": {"g": 0.6, "g_slow": 0.8, "inhibition": 4.0, "refractory": 0.001},
}


def machine(seed, n_trained=N, **network):
    """Everything `learn_spiking` takes but the task and what is kept."""
    rng = np.random.default_rng(seed)
    constants = {"g": 0.0, "inhibition": 0.0, "bias": 1.3, "tau_membrane": 0.010, "refractory": 0.0}
    net = Spiking.random(N, rng=seed, **{**constants, **network})
    # Neurons that all differ.
    net = dataclasses.replace(net, threshold=1.0 + 0.1 * rng.random(N))
    neurons, traces = steps_of(net)
    place = np.full(N, -1, np.int64)
    place[np.sort(rng.choice(N, n_trained, replace=False))] = np.arange(n_trained)
    wiring = Wiring(
        input=rng.standard_normal((N_CHANNELS, N)),
        spread=rng.standard_normal((N_COMPONENTS, N)),
        fast=by_sender(net.recurrent_fast),
        slow=by_sender(net.recurrent_slow),
        place=place,
    )
    n_regressors, n_rows = 2 * n_trained, N_COMPONENTS + N_OUTPUTS
    learned = Learned(0.01 * rng.standard_normal((n_regressors, n_rows)), np.eye(n_regressors))
    state = State(
        potential=rng.random(N),
        refractory=np.zeros(N),
        fast=rng.standard_normal(N),
        slow=rng.standard_normal(N),
        trace=0.1 * rng.random(n_regressors),
        heard=rng.standard_normal(N_COMPONENTS),
    )
    return neurons, wiring, traces, learned, state


def lesson(n_steps, seed, *, forced=False, noise=0.0, share=1.0):
    rng = np.random.default_rng(seed)
    times = np.arange(n_steps)[:, None] * 0.001
    frequency = 1 + np.arange(N_COMPONENTS + N_OUTPUTS)
    return Task(
        inputs=rng.standard_normal((n_steps, N_CHANNELS)) * (rng.random((n_steps, 1)) < 0.5),
        noise=noise * rng.standard_normal((n_steps if noise else 0, N)),
        target=np.sin(2 * np.pi * frequency * times + frequency),
        forced=forced,
        update=rng.random(n_steps) < share,
    )


def nothing_kept(n_steps):
    return Kept(np.full((n_steps, N_OUTPUTS), np.nan), np.zeros(N), np.zeros(N, np.int64))


def copy(parts):
    return type(parts)(*(array.copy() for array in parts))


def assert_equal(whole, task, tolerance=1e-12):
    """Run both; they agree relative to the largest entry of each array."""
    neurons, wiring, traces, learned, state = whole
    expected = oracle.learn(neurons, wiring, traces, learned, state, task)
    learned, state, kept = copy(learned), copy(state), nothing_kept(len(task.inputs))
    learn_spiking(neurons, wiring, traces, learned, state, task, kept)
    found = {**learned._asdict(), **state._asdict(), "output": kept.output}
    found["mean_current"] = kept.mean_current
    for name, array in found.items():
        scale = np.abs(expected[name]).max(initial=0.0)
        np.testing.assert_allclose(
            array, expected[name], rtol=0, atol=tolerance * scale, err_msg=name
        )
    counts = np.bincount([neuron for _, neuron in expected["spikes"]], minlength=N)
    assert kept.n_spikes.tolist() == counts.tolist()
    return counts, learned, state


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("n_trained", [N, 9])
def test_three_hundred_updates_equal_the_plain_sequence(network, n_trained):
    counts, learned, _ = assert_equal(
        machine(1, n_trained, **NETWORKS[network]), lesson(300, 2, noise=0.02)
    )
    # Most neurons spike, else nothing was learned.
    assert np.count_nonzero(counts) > N / 2
    assert np.linalg.eigvalsh(learned.inverse).min() > 0
    assert np.abs(learned.weights).max() > 0.1


@pytest.mark.parametrize("n_steps", [1, N_PENDING - 1, N_PENDING, N_PENDING + 1, 3 * N_PENDING])
def test_updates_around_a_flush_equal_the_plain_sequence(n_steps):
    assert_equal(machine(3), lesson(n_steps, 4))


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("forced", [True, False])
def test_steps_that_do_not_learn_equal_the_plain_ones(share, forced):
    whole, task = machine(5, 12), lesson(400, 6, forced=forced, share=share)
    before = copy(whole[3])
    _, learned, _ = assert_equal(whole, task)
    assert np.array_equal(learned.inverse, before.inverse) == (share == 0)


def test_blocks_go_on_where_the_one_before_stopped():
    neurons, wiring, traces, learned, state = machine(7, 15)
    task = lesson(250, 8, share=0.7)
    expected = oracle.learn(neurons, wiring, traces, learned, state, task)
    output = np.zeros((250, N_OUTPUTS))
    for part in (slice(0, 70), slice(70, 71), slice(71, 250)):
        here = task._replace(
            inputs=task.inputs[part], target=task.target[part], update=task.update[part]
        )
        kept = nothing_kept(0)._replace(output=output[part])
        learn_spiking(neurons, wiring, traces, learned, state, here, kept)
    np.testing.assert_allclose(output, expected["output"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(learned.weights, expected["weights"], rtol=0, atol=1e-11)


def test_forgetting_an_update_would_be_seen():
    neurons, wiring, traces, learned, state = machine(9)
    task = lesson(100, 10)
    one_less = task._replace(update=np.arange(100) != 50)
    found = [oracle.learn(neurons, wiring, traces, learned, state, t) for t in (task, one_less)]
    difference = np.abs(found[0]["inverse"] - found[1]["inverse"]).max()
    assert difference > 1e-6
