"""full-FORCE in spiking networks: what is learned is what runs, interruptions, refusals."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import FitError, PopdynWarning, TensorError
from popdyn.network import Spiking
from popdyn.train import full_force, target_network
from popdyn.train.course import LEARN, Lessons
from popdyn.train.full_force_spiking import SpikingLearner, SpikingSettings
from popdyn.train.stream import Filters

DT = 0.001
SINE = pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.4)
SHORT = {"n_trials": 9, "n_validation": 3, "validate_every": 3}
CONSTANTS = {
    "g": 0.0,
    "inhibition": 60.0,
    "bias": 0.0,
    "tau_membrane": 0.010,
    "threshold": 0.0,
    "reset": -10.0,
    "refractory": 0.0,
}


@pytest.fixture(autouse=True)
def _few_trials_before_learning(monkeypatch):
    monkeypatch.setattr("popdyn.train.components._N_SETTLE", 1)
    monkeypatch.setattr("popdyn.train.components._N_SEEN", 4)
    monkeypatch.setattr("popdyn.train.full_force_spiking._N_FORCED", 6)


def net_of(seed=0, n_neurons=60, **changed):
    return Spiking.random(n_neurons, **{**CONSTANTS, **changed}, rng=seed)


def learner_of(net, task=SINE, seed=0, n_told=None, **changed):
    """A learner that is ready to learn, and its lessons."""
    lessons = Lessons(task, net.dt, Filters.of(0.0, 0.0, net.dt), np.random.SeedSequence(seed))
    target = target_network(task, n_told or net.n_neurons, dt=net.dt, rng=seed)
    n_hints = target.n_inputs - 1 - task.sample(1, 0, dt=net.dt).sizes["channel"]
    told = {
        "factors": np.ones(n_hints),
        "share_explained": 0.999,
        "share_trained": 0.5,
        "current_gain": 6.0,
        "update_probability": 0.5,
        "regularization": 1.0,
        "noise_density": 0.0,
    }
    settings = SpikingSettings(**{**told, **changed})
    learner = SpikingLearner(net, target, 1, settings, np.random.default_rng(seed))
    learner.prepare(lessons)
    return learner, lessons


def assert_same(one, other):
    assert one.to_dataset().identical(other.to_dataset())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"refractory": 0.002},
        {"g": 0.5, "g_slow": 0.5},
        {"g": 0.5, "refractory": 0.003, "rest": 1.0, "bias": np.linspace(0, 2, 60)},
        {"n_told": 45, "share_trained": 1.0},
        {"n_told": 80, "share_trained": 0.1},
    ],
)
def test_with_learning_off_it_is_the_network_that_simulate_runs(changed):
    own = {name: changed.pop(name) for name in ("n_told", "share_trained") if name in changed}
    rest, bias = changed.pop("rest", 0.0), changed.pop("bias", 0.0)
    net = dataclasses.replace(net_of(**changed), rest=rest, bias=bias)
    learner, lessons = learner_of(net, **own)
    for number in range(3):
        learner.learn(*lessons.block(LEARN, number, 2))
    # From potentials alone: nobody has spiked yet.
    state = learner.arrays()
    for name in ("refractory", "fast", "slow", "trace", "heard"):
        state[name][...] = 0.0
    potential = state["potential"].copy()
    trained = learner.network(learner.weights())
    trials = SINE.sample(1, 3, dt=DT)
    session = pdn.simulate(trained, trials, record=("spikes",), initial_state=potential)
    sim = pdn.simulate(trained, trials, bin_width=DT, record=(), initial_state=potential)
    learner._settings = dataclasses.replace(learner._settings, update_probability=0.0)
    stream = lessons.block(LEARN, 9, 1)[0]
    shown = trials["inputs"].transpose("trial", "step_time", "channel").values[0]
    stream = dataclasses.replace(stream, inputs=np.ascontiguousarray(shown))
    kept = learner._run(stream, np.random.default_rng(0), forced=False)
    counts = np.diff(session["neuron_start"].values)
    assert counts.sum() > 60
    assert kept.n_spikes.tolist() == counts.tolist()
    ends = np.append(0.0, kept.output[:, 0])
    expected = sim["output"].values[0, :, 0]
    assert np.abs((ends[1:] + ends[:-1]) / 2 - expected).max() < 1e-9 * np.abs(expected).max()


def test_a_network_learns_to_oscillate_with_spikes():
    task = pdn.tasks.Oscillation(sines=[(2, 1.0), (3, 0.5)], oscillation_duration=0.5)
    trained, history = full_force(
        net_of(n_neurons=150), task, n_trials=90, n_validation=20, validate_every=30,
        target_filter=0.0, rng=1,
    )  # fmt: skip
    trials = task.sample(12, 7, dt=DT)
    sim = pdn.simulate(trained, trials, bin_width=DT, continuous=True)
    target = trials["target"].values[0]
    errors = ((sim["output"].values[0] - target) ** 2).mean(axis=0) / target.var()
    assert np.median(errors[1:]) < 0.1
    assert 3 < float(sim["rate"].mean()) < 40
    assert history["accuracy"].sizes["checkpoint"] == 3


def test_the_mean_of_the_learned_currents_is_taken_away():
    learner, lessons = learner_of(net_of(n_neurons=100))
    stream, own = lessons.block(LEARN, 0, 20)
    kept = learner._run(stream, own, forced=True)
    mean, before = kept.mean_current / stream.n_steps, learner.weights()["mean"]
    assert np.linalg.norm(mean - before) < 0.2 * np.linalg.norm(before)
    trained = learner.network(learner.weights())
    assert trained.bias == pytest.approx(-before)


def test_fixed_weights_stay_and_learned_ones_come_from_the_trained_neurons():
    net = net_of(g=0.5, g_slow=0.3)
    learner, lessons = learner_of(net, share_trained=0.25)
    learner.learn(*lessons.block(LEARN, 0, 2))
    trained = learner.network(learner.weights())
    for name in ("recurrent_fast", "recurrent_slow"):
        change = getattr(trained, name) - getattr(net, name)
        # Of the 15 those that spiked.
        assert 8 < np.count_nonzero(np.abs(change).sum(axis=0)) <= 15
        silent = np.setdiff1d(np.arange(60), learner._trained)
        assert not change[:, silent].any()
        # Through the components, as many as there are.
        n_components = learner.weights()["components"].shape[1]
        assert np.linalg.matrix_rank(change, tol=1e-9) <= n_components


def test_inputs_follow_the_task_whatever_the_network_has():
    trained, _ = full_force(net_of(n_inputs=5), SINE, **SHORT)
    assert trained.n_inputs == 1
    same, _ = full_force(net_of(n_inputs=1), SINE, **SHORT)
    assert np.array_equal(trained.input, same.input)


@pytest.mark.parametrize("block", range(3))
@pytest.mark.parametrize("noise_density", [0.0, 5.0])
def test_interrupted_in_any_block_it_goes_on_to_the_same_bits(
    tmp_path, monkeypatch, block, noise_density
):
    arguments = {**SHORT, "noise_density": noise_density, "rng": 5}
    net = net_of(n_neurons=40, g=0.3, refractory=0.002)
    whole, history = full_force(net, SINE, **arguments)
    learn, seen, place = SpikingLearner.learn, [], tmp_path / "run.npz"

    def until(self, stream, rng):
        seen.append(learn(self, stream, rng))
        if len(seen) == block + 1:
            raise KeyboardInterrupt
        return seen[-1]

    monkeypatch.setattr(SpikingLearner, "learn", until)
    with pytest.raises(KeyboardInterrupt):
        full_force(net, SINE, checkpoint=place, **arguments)
    monkeypatch.setattr(SpikingLearner, "learn", learn)
    # More trials than were asked for at first are those of a long run.
    again, after = full_force(net, SINE, checkpoint=place, **arguments)
    assert_same(again, whole)
    assert after.identical(history)
    longer = {**arguments, "n_trials": 12}
    more, after = full_force(net, SINE, checkpoint=place, **longer)
    whole, history = full_force(net, SINE, **longer)
    assert_same(more, whole)
    assert after.identical(history)


def spoil(learner, kind):
    arrays = learner.arrays()
    if kind == "potential":
        arrays["potential"][3] = np.nan
    elif kind == "weights":
        arrays["weights"][0, 0] = np.inf
    else:
        arrays["inverse"][2, 2] = {"indefinite": -1e-3, "grown": 2.0, "nan": np.nan}[kind]


DIVERGENCES = ("potential", "weights", "indefinite", "grown", "nan")


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_a_divergence_is_said_and_survived(monkeypatch, kind):
    plain, _ = full_force(net_of(), SINE, **SHORT)
    learn, left = SpikingLearner.learn, [2]

    def spoiled(self, stream, rng):
        loss = learn(self, stream, rng)
        if left[0]:
            left[0] -= 1
            spoil(self, kind)
        return loss

    monkeypatch.setattr(SpikingLearner, "learn", spoiled)
    words = "potentials grew beyond" if kind == "potential" else "no longer positive"
    with pytest.warns(PopdynWarning, match=f"{words}.* in block 0 of the training") as said:
        net, history = full_force(net_of(), SINE, **SHORT)
    assert len(said) == 2
    assert int(history["n_restarts"]) == 2
    # Other trials were learned from.
    assert not np.array_equal(net.recurrent_fast, plain.recurrent_fast)
    assert np.isfinite(net.recurrent_fast).all()


def test_an_indefinite_inverse_at_the_start_of_a_block_is_noticed_at_its_end():
    learner, lessons = learner_of(net_of())
    assert learner.diverged() == ""
    before = {name: array.copy() for name, array in learner.arrays().items()}
    learner.arrays()["inverse"][...] *= -1.0
    learner.learn(*lessons.block(LEARN, 0, 2))
    assert learner.diverged() != ""
    learner.restore({**before, "inverse": -before["inverse"]})
    assert "no longer positive" in learner.diverged()
    learner.soften()
    assert learner.diverged() == ""


def test_after_three_divergences_it_gives_up(monkeypatch):
    monkeypatch.setattr(SpikingLearner, "diverged", lambda _: "weights went astray")
    with (
        pytest.warns(PopdynWarning, match="weights went astray in block 0") as said,
        pytest.raises(FitError, match="training diverges in block 0 again and again"),
    ):
        full_force(net_of(), SINE, **SHORT)
    assert len(said) == 3


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bias": -500.0}, "neurons spike at 0.00 Hz on average: learning needs 0.5 to 200 Hz"),
        ({"bias": 500.0, "inhibition": 0.0}, "spike at [0-9.]+ Hz .* Change current_gain"),
    ],
)
def test_networks_that_are_silent_or_spike_all_the_time_are_refused(changed, words):
    with pytest.raises(FitError, match=f"driven by the currents of the target network, .*{words}"):
        full_force(net_of(**changed), SINE, **SHORT)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"delay": 0.002}, "make the network with delay=0, found up to 0.002 s"),
        ({"tau_membrane": np.linspace(0.01, 0.02, 60)}, "one tau_membrane for all .* found 60"),
    ],
)
def test_networks_of_another_kind_are_refused(changed, words):
    with pytest.raises(TensorError, match=words):
        full_force(net_of(**changed), SINE)


_DIGEST = """
import numpy as np, popdyn as pdn
from popdyn.tensor.result import digest
from popdyn.train import components, full_force_spiking
components._N_SETTLE, components._N_SEEN, full_force_spiking._N_FORCED = 1, 4, 4
net = pdn.network.Spiking.random(300, g=0.0, inhibition=60.0, reset=-10.0, threshold=0.0,
                                 tau_membrane=0.01, dt=0.001, rng=0)
task = pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.2)
net, _ = pdn.train.full_force(net, task, n_trials=4, n_validation=2, rng=0)
print(digest(net.to_dataset()))
"""


@pytest.mark.slow
def test_the_bits_do_not_depend_on_the_number_of_threads():
    found = []
    for n_threads in ("1", "2"):
        told = {**os.environ, "OPENBLAS_NUM_THREADS": n_threads, "OMP_NUM_THREADS": n_threads}
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST], env=told, capture_output=True, text=True, check=True
        )
        found.append(done.stdout.strip())
    assert found[0] and found[0] == found[1]


def test_a_network_with_feedback_is_refused():
    net = dataclasses.replace(net_of(), feedback=np.ones((60, 1)))
    with pytest.raises(TensorError, match="make the network without feedback, dataclasses.replace"):
        full_force(net, SINE)


def test_time_constants_below_a_step_make_no_network():
    for name in ("tau_membrane", "tau_fast", "tau_slow"):
        with pytest.raises(TensorError, match=name):
            net_of(**{name: -0.01})


def test_a_target_network_with_another_step_is_refused_another_size_is_fine():
    with pytest.raises(TensorError, match="in steps of 0.0005 s; it must take"):
        full_force(net_of(), SINE, target=target_network(SINE, 60, dt=0.0005))
    target = target_network(SINE, 35, dt=DT)
    trained, _ = full_force(net_of(), SINE, **SHORT, target=target)
    assert trained.n_neurons == 60
