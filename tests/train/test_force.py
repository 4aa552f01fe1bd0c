"""FORCE: the steps of `simulate`, the plain algebra, and outputs that run by themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import popdyn as pdn
from popdyn.network import Rate, Spiking
from popdyn.tasks import Oscillation
from popdyn.train.course import LEARN, Lessons
from popdyn.train.force_rate import ForceSettings, RateLearner
from popdyn.train.force_spiking import SpikingLearner
from popdyn.train.stream import Filters
from tests.oracles import least_squares as oracle

SETTINGS = ForceSettings(update_every=2, on_mask=False, regularization=1.0, noise_density=0.0)
SINE = Oscillation(sines=[(2, 1.0)])


def lessons_of(task, dt=0.001, seed=0):
    return Lessons(task, dt, Filters.of(0.0, 0.0, dt), np.random.SeedSequence(seed))


def begun(learner, task, seed=0, n_trials=1):
    """A learner that has drawn its first state, and a block to learn."""
    lessons = lessons_of(task, seed=seed)
    learner.prepare(lessons)
    stream, own = lessons.block(LEARN, 0, n_trials)
    return learner, stream, own


def free_run(learner, stream, rng):
    """Outputs with learning off, and the network that then is."""
    return learner.run(stream, np.zeros(stream.n_steps, bool), rng)


@pytest.mark.parametrize("feedback", [0.0, 1.0])
def test_learning_is_the_plain_algebra(feedback):
    net = Rate.random(60, g=1.2, feedback=feedback, tau=0.01, dt=0.001, rng=0)
    learner, stream, own = begun(RateLearner(net, 1, SETTINGS), SINE)
    x = learner.arrays()["state"].copy()
    learns = np.arange(stream.n_steps) % 2 == 0
    steps = (stream.inputs, np.zeros((stream.n_steps, 60)), stream.target, learns)
    part = [array[:400] for array in steps]
    _, p, w, outputs = oracle.force(net, x, np.eye(60), part, np.tanh)
    cut = dataclasses.replace(
        stream, **{name: getattr(stream, name)[:400] for name in vars(stream)}
    )
    loss = learner.learn(cut, own)
    found = learner.arrays()
    assert found["inverse"] == pytest.approx(p, abs=1e-11)
    assert found["weights"] == pytest.approx(w, abs=1e-9 * np.abs(w).max())
    assert loss == pytest.approx(np.mean((outputs - cut.target) ** 2), rel=1e-8)
    # The next block goes on where this one stopped.
    assert int(found["n_steps"]) == 400


@pytest.mark.parametrize("feedback", [0.0, 1.0])
def test_with_learning_off_outputs_are_those_of_simulate(feedback):
    net = Rate.random(80, g=0.9, feedback=feedback, tau=0.01, dt=0.001, rng=1)
    learner, stream, own = begun(RateLearner(net, 1, SETTINGS), SINE, n_trials=2)
    learner.learn(stream, own)
    trained = learner.network(learner.weights())
    state = learner.arrays()["state"].copy()
    trials = SINE.sample(1, 0, dt=0.001)
    # What is fed back at the first step is the output of the weights as they are now.
    learner.arrays()["output"][:] = trained.output @ np.tanh(state)
    (shown, own) = lessons_of(SINE).block(LEARN, 3, 1)
    outputs = free_run(learner, shown, own)[:, 0]
    sim = pdn.simulate(trained, trials, bin_width=0.001, record=("rate",), initial_state=state)
    ends = np.append(trained.output @ np.tanh(state), outputs)
    expected = sim["output"].values[0, :, 0]
    assert np.abs((ends[1:] + ends[:-1]) / 2 - expected).max() < 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("feedback", [0.0, 3.0])
def test_with_learning_off_a_spiking_network_gives_what_simulate_gives(feedback):
    net = spiking_net(60, feedback)
    learner, stream, own = begun(SpikingLearner(net, 1, SETTINGS), SINE)
    learner.learn(stream, own)
    weights = learner.weights()
    fresh, shown, own = begun(SpikingLearner(net, 1, SETTINGS), SINE)
    fresh.arrays()["weights"][:] = np.tile(weights["weights"], 2 if feedback else 1)
    state = fresh.arrays()["potential"].copy()
    outputs = free_run(fresh, shown, own)[:, 0]
    trials = SINE.sample(1, 0, dt=0.001)
    trained = learner.network(weights)
    sim = pdn.simulate(trained, trials, bin_width=0.001, record=("rate",), initial_state=state)
    assert float(sim["rate"].mean()) > 5
    expected = sim["output"].values[0, :, 0]
    ends = np.append(0.0, outputs)
    means = (ends[1:] + ends[:-1]) / 2
    assert np.abs(means - expected).max() < 1e-9 * np.abs(expected).max()


def spiking_net(n_neurons, feedback, seed=0):
    net = Spiking.random(n_neurons, g=0.5, bias=1.3, rng=seed)
    if not feedback:
        return net
    weights = feedback * np.random.default_rng(seed).uniform(-1, 1, (n_neurons, 1))
    return dataclasses.replace(net, feedback=weights)
