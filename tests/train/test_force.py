"""FORCE: the steps of `simulate`, the plain algebra, and outputs that run by themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import Rate, Spiking
from popdyn.tasks import Oscillation, PerceptualDecision
from popdyn.train import force
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


def known_answer(seed):
    """Mean absolute error in the last 3 s of 14.4 s of learning the four harmonics, N=400."""
    net = Rate.random(400, g=1.5, density=0.1, feedback=1.0, tau=0.01, dt=0.001, rng=seed)
    task = Oscillation("force", oscillation_duration=14.4, pulse_amplitude=0)
    learner, stream, own = begun(RateLearner(net, 1, SETTINGS), task, seed)
    outputs = learner.run(stream, np.arange(stream.n_steps) % 2 == 0, own)
    assert learner.diverged() == ""
    return float(np.abs(outputs - stream.target)[-3000:].mean())


def test_the_published_oscillation_is_followed_while_learning():
    errors = [known_answer(seed) for seed in range(3)]
    assert np.mean(errors) < 0.03
    # A readout that does not learn is off by about the mean size of the target, 0.62.
    assert np.max(errors) < 0.1


@pytest.mark.slow
def test_the_published_oscillation_over_ten_networks():
    errors = np.array([known_answer(seed) for seed in range(10)])
    half = 2.262 * errors.std(ddof=1) / np.sqrt(10)
    assert errors.mean() + half < 0.035
    assert np.median(errors) < 0.03


def test_an_oscillation_goes_on_with_learning_off():
    net = Rate.random(200, g=1.5, feedback=1.0, tau=0.01, dt=0.001, rng=0)
    trained, history = force(net, SINE, n_trials=40, n_validation=20, validate_every=20, rng=1)
    assert history["n_trials"].values.tolist() == [20, 40]
    assert float(history["final_accuracy"]) >= 0.9
    assert np.array_equal(trained.recurrent, net.recurrent)
    assert np.array_equal(trained.feedback, net.feedback)
    sim = pdn.simulate(trained, SINE.sample(10, 7, dt=0.001), continuous=True)
    assert float(sim["correct"].mean()) >= 0.9
    assert float(pdn.simulate(net, SINE.sample(10, 7, dt=0.001))["correct"].mean()) == 0


def test_a_spiking_network_oscillates_with_learning_off():
    net = oscillating(0)
    trained, history = force(
        net, SINE, n_trials=40, n_validation=20, validate_every=20, regularization=10.0, rng=0
    )
    assert float(history["final_accuracy"]) >= 0.8
    assert trained.feedback is None
    sim = pdn.simulate(trained, SINE.sample(5, 7, dt=0.001), rng=1, continuous=True)
    assert 5 < float(sim["rate"].mean()) < 100


@pytest.mark.slow
def test_spiking_networks_oscillate_over_five_seeds():
    found = [
        force(oscillating(seed), SINE, n_trials=60, n_validation=40, validate_every=20,
              regularization=10.0, rng=seed)[1]["final_accuracy"].item()
        for seed in range(5)
    ]  # fmt: skip
    assert np.median(found) >= 0.9


def oscillating(seed):
    net = Spiking.random(400, g=0.5, g_slow=0.3, bias=1.5, rng=seed)
    weights = np.random.default_rng(seed).uniform(-1, 1, (400, 1))
    return dataclasses.replace(net, feedback=weights)


@pytest.mark.slow
def test_pulses_are_detected_in_noise():
    task = pdn.tasks.Detection(
        stimuli=(0.4, 0.6, 0.8, 1.0), cue_duration=0.05, onset=(0.3, 0.4), stimulus_duration=0.05,
        delay_duration=0.01, report_duration=0.2, no_target=0, inter_trial=0.05,
        stimulus_noise=0.05, dt=0.001,
    )  # fmt: skip
    net = Rate.random(500, g=1.3, feedback=1.0, n_inputs=2, tau=0.01, dt=0.001, rng=0)
    trained, _ = force(net, task, n_trials=150, validate_every=50, rng=0)
    trials = task.sample(200, 99, dt=0.001)
    sim = pdn.simulate(trained, trials, record=(), rng=1, continuous=True)
    present = sim["stimulus"].values > 0
    yes = sim["choice"].values > 0
    assert yes[present].mean() >= 0.95
    assert yes[~present].mean() <= 0.05


def test_without_feedback_it_is_a_readout_of_an_ongoing_reservoir():
    net = Rate.random(100, g=0.9, rng=0)
    trained, history = force(net, PerceptualDecision(), n_trials=100, learn_on="mask", rng=0)
    assert float(history["final_accuracy"]) >= 0.95
    assert trained.output.shape == (1, 100)


def test_only_steps_of_the_mask_are_learned_if_asked():
    net = Rate.random(30, g=0.9, rng=0)
    task = PerceptualDecision()
    learners = {}
    for on_mask in (False, True):
        settings = dataclasses.replace(SETTINGS, on_mask=on_mask)
        learner = RateLearner(net, 1, settings)
        lessons = lessons_of(task, dt=net.dt)
        learner.prepare(lessons)
        stream, _ = lessons.block(LEARN, 0, 5)
        learners[on_mask] = settings.learns(stream, 1)
    assert learners[True].sum() < learners[False].sum()
    assert not (learners[True] & ~stream.counts).any()
    assert np.array_equal(np.flatnonzero(learners[False])[:3], [1, 3, 5])


def test_interrupted_at_any_block_it_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    net = Rate.random(40, g=1.2, feedback=1.0, tau=0.01, dt=0.001, rng=0)
    arguments = {"n_validation": 5, "validate_every": 10, "noise_density": 0.1, "rng": 3}
    whole, history = force(net, SINE, n_trials=30, **arguments)
    place = tmp_path / "force.npz"
    learn, seen = RateLearner.learn, []

    def until_the_third(self, stream, rng):
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return learn(self, stream, rng)

    monkeypatch.setattr(RateLearner, "learn", until_the_third)
    with pytest.raises(KeyboardInterrupt):
        force(net, SINE, n_trials=30, checkpoint=place, **arguments)
    again, after = force(net, SINE, n_trials=30, checkpoint=place, **arguments)
    assert len(seen) == 4
    assert np.array_equal(again.output, whole.output)
    assert after.identical(history)
    with pytest.raises(pdn.SourceError, match="another training .noise_density: 0.1, now 0.2"):
        force(net, SINE, n_trials=30, checkpoint=place, **{**arguments, "noise_density": 0.2})


def test_a_spiking_network_goes_on_to_the_same_bits(tmp_path):
    net, place = spiking_net(50, 1.0), tmp_path / "force.npz"
    arguments = {"n_validation": 3, "validate_every": 4, "rng": 3}
    whole, _ = force(net, SINE, n_trials=8, **arguments)
    force(net, SINE, n_trials=4, checkpoint=place, **arguments)
    again, _ = force(net, SINE, n_trials=8, checkpoint=place, **arguments)
    assert np.array_equal(again.output_slow, whole.output_slow)
    assert np.array_equal(again.recurrent_fast, whole.recurrent_fast)


@pytest.mark.parametrize("kind", ["rate", "spiking"])
def test_inverse_correlations_that_are_no_longer_positive_are_noticed_and_survived(kind):
    if kind == "rate":
        net = Rate.random(40, g=1.2, feedback=1.0, tau=0.01, dt=0.001, rng=0)
        learner, stream, own = begun(RateLearner(net, 1, SETTINGS), SINE)
    else:
        learner, stream, own = begun(SpikingLearner(spiking_net(40, 1.0), 1, SETTINGS), SINE)
    learner.learn(stream, own)
    assert learner.diverged() == ""
    learned = learner.weights()
    learner.arrays()["inverse"][3, 3] = -1.0
    assert "no longer positive" in learner.diverged()
    learner.soften()
    assert learner.diverged() == ""
    assert all(np.array_equal(learner.weights()[name], learned[name]) for name in learned)


def test_rates_that_grow_beyond_all_bounds_are_said():
    net = Rate.random(40, g=3.0, nonlinearity="linear", tau=0.01, dt=0.001, rng=0)
    with (
        pytest.warns(pdn.PopdynWarning, match="states grew beyond all bounds"),
        pytest.raises(pdn.FitError, match="training diverges in block 0 again and again"),
    ):
        force(net, Oscillation(sines=[(2, 1.0)], oscillation_duration=5.0), n_trials=5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_trials": 0}, "n_trials must be at least 1"),
        ({"update_every": 0}, "update_every must be at least 1"),
        ({"learn_on": "masks"}, "learn_on must be one of 'all', 'mask', .* did you mean 'mask'"),
        ({"regularization": 0.0}, "regularization must be a positive number, found 0.0"),
        ({"target_filter": 0.0001}, "target_filter must be 0 .none. or at least a step, 0.001 s"),
        ({"noise_density": -1.0}, "noise_density must be zero or positive"),
    ],
)
def test_arguments_without_sense_are_refused(arguments, words):
    net = Rate.random(10, feedback=1.0, tau=0.01, dt=0.001)
    with pytest.raises(TensorError, match=words):
        force(net, SINE, **arguments)


def test_networks_that_do_not_fit_are_refused():
    two = Rate.random(10, n_outputs=2, feedback=1.0, tau=0.01, dt=0.001)
    with pytest.raises(TensorError, match="feeds back 2 outputs, the task has 1.*n_outputs=1"):
        force(two, SINE)
    with pytest.raises(TensorError, match="1 input channels, the network takes 3.*n_inputs=1"):
        force(Rate.random(10, n_inputs=3, tau=0.01, dt=0.001), SINE)
    with pytest.raises(TensorError, match=r"delay=0, found up to 0.002 s"):
        force(Spiking.random(10, delay=0.002), SINE)
    with pytest.raises(TensorError, match="one tau_membrane for all neurons .* found 10"):
        force(Spiking.random(10, tau_membrane=np.linspace(0.01, 0.02, 10)), SINE)
