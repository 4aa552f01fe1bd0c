"""full-FORCE in rate networks: what is learned, what is refused, and going on after a kill."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import FitError, PopdynWarning, SourceError, TensorError
from popdyn.network import Rate
from popdyn.train import full_force, target_network
from popdyn.train.full_force_rate import RateLearner

DT = 0.001
SINE = pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.2)
SHORT = {"n_trials": 12, "n_validation": 4, "validate_every": 4}


@pytest.fixture(autouse=True)
def _few_trials_before_learning(monkeypatch):
    monkeypatch.setattr("popdyn.train.components._N_SETTLE", 1)
    monkeypatch.setattr("popdyn.train.components._N_SEEN", 4)


def net_of(seed=0, n_neurons=40, **changed):
    return Rate.random(n_neurons, **{"g": 1.2, "tau": 0.01, "dt": DT, "rng": seed, **changed})


def assert_same(one, other):
    assert one.to_dataset().identical(other.to_dataset())


def test_a_network_learns_to_oscillate_by_itself():
    net = net_of(n_neurons=80)
    trained, history = full_force(
        net, SINE, n_trials=60, n_validation=20, validate_every=20, target_filter=0.0
    )
    assert float(history["final_accuracy"]) == 1.0
    trials = SINE.sample(10, 7, dt=DT)
    sim = pdn.simulate(trained, trials, continuous=True)
    assert float(sim["correct"].mean()) == 1.0
    assert float(pdn.simulate(net, trials)["correct"].mean()) == 0.0
    # The network runs by itself: nothing feeds back, input weights are as they were.
    assert trained.feedback is None
    assert np.array_equal(trained.input, net.input)
    assert not np.array_equal(trained.recurrent, net.recurrent)


def test_the_learned_currents_live_in_the_components():
    _, few = full_force(net_of(), SINE, **SHORT, share_explained=0.5)
    trained, _ = full_force(net_of(), SINE, **SHORT, share_explained=0.9)
    assert np.linalg.matrix_rank(trained.recurrent, tol=1e-8) < 20
    assert few.attrs["method"] == "full_force"


def test_the_network_follows_its_target_neuron_by_neuron():
    net = net_of()
    target = target_network(SINE, 40, dt=DT, rng=3)
    trained, _ = full_force(net, SINE, **SHORT, target=target)
    assert np.array_equal(trained.input, target.input[:, -1:])
    other, _ = full_force(net_of(seed=9), SINE, **SHORT, target=target)
    assert_same(trained, other)


def test_integers_of_numpy_are_the_same_training(tmp_path):
    place = tmp_path / "run.npz"
    plain, history = full_force(net_of(), SINE, **SHORT, checkpoint=place, rng=3, hints={})
    whole = {name: np.int64(value) for name, value in SHORT.items()}
    again, after = full_force(
        net_of(),
        SINE,
        **whole,
        checkpoint=place,
        rng=np.int32(3),
        regularization=np.float32(1.0),
        noise_density=np.float64(0.0),
        update_probability=np.array(0.5),
        share_explained=np.float64(0.999),
    )
    assert_same(again, plain)
    assert after.identical(history)


class InterruptedHereError(Exception):
    pass


@pytest.mark.parametrize("block", range(3))
def test_interrupted_in_any_block_it_goes_on_to_the_same_bits(tmp_path, monkeypatch, block):
    arguments = {**SHORT, "noise_density": 0.2, "rng": 5}
    whole, history = full_force(net_of(), SINE, **arguments)
    learn, seen, place = RateLearner.learn, [], tmp_path / "run.npz"

    def until(self, stream, rng):
        loss = learn(self, stream, rng)
        seen.append(loss)
        if len(seen) == block + 1:
            raise InterruptedHereError
        return loss

    monkeypatch.setattr(RateLearner, "learn", until)
    with pytest.raises(InterruptedHereError):
        full_force(net_of(), SINE, checkpoint=place, **arguments)
    monkeypatch.setattr(RateLearner, "learn", learn)
    again, after = full_force(net_of(), SINE, checkpoint=place, **arguments)
    assert_same(again, whole)
    assert after.identical(history)


KILLED = """
import sys
import popdyn as pdn
from popdyn.train import components
components._N_SETTLE, components._N_SEEN = 1, 4
net = pdn.network.Rate.random(40, g=1.2, tau=0.01, dt=0.001, rng=0)
task = pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.2)
pdn.train.full_force(net, task, n_trials=100000, n_validation=4, validate_every=4,
                     noise_density=0.2, rng=5, checkpoint=sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_any_moment_the_same_call_goes_on_to_the_same_bits(tmp_path):
    place = tmp_path / "run.npz"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(place)], env=dict(os.environ))
    try:
        deadline = time.monotonic() + 120
        sizes = set()
        # Until it has written twice at least, with tests in it.
        while len(sizes) < 3 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
            sizes |= {place.stat().st_mtime_ns} if place.exists() else set()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    with np.load(place) as stored:
        assert any(name.startswith("best/") for name in stored.files)
    arguments = {"n_validation": 4, "validate_every": 4, "noise_density": 0.2, "rng": 5}
    done = trials_in(place)
    again, after = full_force(net_of(), SINE, n_trials=done + 8, checkpoint=place, **arguments)
    whole, history = full_force(net_of(), SINE, n_trials=done + 8, **arguments)
    assert_same(again, whole)
    assert after.identical(history)


def trials_in(place):
    import json

    with np.load(place) as stored:
        return json.loads(str(stored["header"]))["progress"]["n_trials"][-1]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rng": 6}, "seed: 5, now 6"),
        ({"task": pdn.tasks.PerceptualDecision()}, "task: Oscillation, now PerceptualDecision"),
        ({"task": pdn.tasks.Oscillation(sines=[(4, 1.0)])}, "task_parameters.sines: "),
        ({"net": net_of(1)}, "network: [0-9a-f]{16}, now "),
        ({"target": target_network(SINE, 40, dt=DT)}, "target network: , now [0-9a-f]{16}"),
        ({"validate_every": 3}, "validate_every: 4, now 3"),
        ({"rule": pdn.train.force}, "method: full_force, now force"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, changed, words):
    place = tmp_path / "run.npz"
    arguments = {"net": net_of(), "task": SINE, **SHORT, "rng": 5, "checkpoint": place}
    full_force(**arguments)
    rule = changed.pop("rule", full_force)
    with pytest.raises(SourceError, match=f"is of another training .{words}"):
        rule(**{**arguments, **changed})


def test_a_full_disk_does_not_stop_a_training(tmp_path):
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("no /dev/full on this system")
    place = tmp_path / "run.npz"
    full_force(net_of(), SINE, **{**SHORT, "n_trials": 4}, checkpoint=place)
    before = place.read_bytes()
    place.with_name(".run.npz.partial").symlink_to("/dev/full")
    with pytest.warns(PopdynWarning, match="could not be written .No space left on device"):
        net, history = full_force(net_of(), SINE, **{**SHORT, "n_trials": 8}, checkpoint=place)
    whole, plain = full_force(net_of(), SINE, **{**SHORT, "n_trials": 8})
    assert_same(net, whole)
    assert history.identical(plain)
    # The link was taken away with the first failure, so that the last write may have gone through.
    assert place.read_bytes() == before or trials_in(place) == 8


def worsened(monkeypatch, kind, n_times):
    """Spoil what is learned, the first times a block was gone through."""
    learn, left = RateLearner.learn, [n_times]

    def spoil(self, stream, rng):
        loss = learn(self, stream, rng)
        if left[0]:
            left[0] -= 1
            if kind == "indefinite":
                self.arrays()["inverse"][2, 2] = -1e-3
            elif kind == "grown":
                self.arrays()["inverse"][2, 2] = 2.0
            elif kind == "state":
                self.arrays()["state"][0] = np.nan
            else:
                self.arrays()["weights"][0, 0] = np.inf
        return loss

    monkeypatch.setattr(RateLearner, "learn", spoil)


DIVERGENCES = {
    "indefinite": "the inverse correlations of the rates are no longer positive",
    "grown": "the inverse correlations of the rates are no longer positive",
    "state": "states grew beyond all bounds",
    "weights": "are no longer positive",
}


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_a_divergence_is_said_and_survived(monkeypatch, kind):
    plain, history = full_force(net_of(), SINE, **SHORT)
    worsened(monkeypatch, kind, 2)
    with pytest.warns(PopdynWarning, match=f"{DIVERGENCES[kind]}.* in block 0") as said:
        net, after = full_force(net_of(), SINE, **SHORT)
    assert len(said) == 2
    assert int(after["n_restarts"]) == 2
    assert int(history["n_restarts"]) == 0
    # Other trials were learned from, once and for all.
    assert not np.array_equal(net.recurrent, plain.recurrent)
    assert np.isfinite(net.recurrent).all()


def test_a_network_with_feedback_is_refused():
    with pytest.raises(TensorError, match="make the network without feedback"):
        full_force(net_of(feedback=1.0), SINE, **SHORT)


def test_after_three_divergences_it_gives_up(monkeypatch):
    worsened(monkeypatch, "state", 3)
    with (
        pytest.warns(PopdynWarning, match="states grew beyond all bounds"),
        pytest.raises(FitError, match="training diverges in block 0 again and again"),
    ):
        full_force(net_of(), SINE, **SHORT)


def test_a_network_that_blows_up_while_learning_is_said():
    net = net_of(g=6.0, nonlinearity="linear")
    inputs = np.full((40, 1), 1e300)
    target = target_network(SINE, 40, dt=DT)
    told = np.concatenate([target.input[:, :-1], inputs], axis=1)
    target = dataclasses.replace(target, input=np.clip(told, -1e30, 1e30))
    with (
        pytest.warns(PopdynWarning, match="grew beyond all bounds|no longer positive"),
        pytest.raises(FitError, match="again and again"),
    ):
        full_force(net, SINE, **SHORT, target=target)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_trials": 0}, "n_trials must be at least 1, a whole number, found 0"),
        ({"n_trials": "many"}, "n_trials must be at least 1, a whole number, found 'many'"),
        ({"n_validation": 0}, "n_validation must be at least 1"),
        ({"validate_every": 2.5}, "validate_every must be at least 1, a whole number, found 2.5"),
        ({"noise_density": -1.0}, "noise_density must be zero or positive"),
        ({"noise_density": "low"}, "noise_density must be"),
        ({"regularization": 0.0}, "regularization must be a positive number, found 0.0"),
        ({"regularization": "cv"}, "regularization must be a positive number, found 'cv'"),
        ({"update_probability": 0.0}, "update_probability must be above 0 and at most 1, found 0"),
        ({"update_probability": 1.5}, "update_probability must be above 0 and at most 1"),
        ({"share_explained": 1.1}, "share_explained must be above 0 and at most 1, found 1.1"),
        ({"share_trained": 0.5}, "share_trained: for spiking networks only"),
        ({"share_trained": 0.2, "current_gain": 3.0}, "share_trained and current_gain: for"),
        ({"target_filter": 0.0004}, "target_filter must be 0 .none. or at least a step, 0.001 s"),
        ({"hint_filter": 0.0009}, "hint_filter must be 0 .none. or at least a step, 0.001 s"),
        ({"hint_filter": "40 ms"}, "hint_filter must be a number of seconds, found '40 ms'"),
        ({"hints": {"memory": 1.0}}, "this task has no hints, found hints={'memory'"),
        ({"hints": "memory"}, "hints must map names of hints to their factors, found 'memory'"),
        ({"rng": "seed"}, "rng must be an integer"),
        ({"target": "net"}, "target must be a rate network, .* found str"),
        ({"target": pdn.network.Spiking.random(40)}, "target must be a rate .* found Spiking"),
        ({"target": net_of()}, "takes 1 inputs in steps of 0.001 s; it must take"),
        ({"target": target_network(SINE, 40, dt=0.0005)}, "in steps of 0.0005 s; it must take"),
        ({"target": target_network(SINE, 30, dt=DT)}, "has 30 neurons and the rate network 40"),
    ],
)
def test_arguments_without_sense_are_refused(arguments, words):
    with pytest.raises(pdn.PopdynError, match=words):
        full_force(net_of(), SINE, **arguments)


@pytest.mark.parametrize(
    "changed",
    [{"nonlinearity": "relu"}, {"bias": np.ones(40)}, {"tau": np.linspace(0.01, 0.02, 40)},
     {"gain": np.full(40, 2.0)}],
)  # fmt: skip
def test_target_networks_of_another_kind_are_refused(changed):
    target = dataclasses.replace(target_network(SINE, 40, dt=DT), **changed)
    with pytest.raises(TensorError, match="a target network has tanh neurons with one tau"):
        full_force(net_of(), SINE, target=target)
    with pytest.raises(TensorError, match="made around net, which then needs tanh neurons"):
        full_force(dataclasses.replace(net_of(), **changed), SINE)


def test_networks_and_tasks_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(TensorError, match="task has 1 input channels, the network takes 3"):
        full_force(net_of(n_inputs=3), SINE)
    with pytest.raises(TensorError, match="the network comes first, then the task"):
        full_force(SINE, net_of())
    with pytest.raises(TensorError, match="task must be a task, .* not its trials"):
        full_force(net_of(), SINE.sample(3))
    with pytest.raises(TensorError, match="dt must not be longer than tau"):
        net_of(tau=0.0005)
    with pytest.raises(SourceError, match="folder of the checkpoint"):
        full_force(net_of(), SINE, checkpoint=tmp_path / "missing" / "run.npz")
    with pytest.raises(SourceError, match="ends in .npz"):
        full_force(net_of(), SINE, checkpoint=tmp_path / "run.nc")


class Own:
    """A task of one's own, around another, that teaches what it is told to."""

    def __init__(self, change=lambda lesson: lesson, drop=()):
        self.change, self.drop = change, list(drop)

    def sample(self, n_trials, rng=0, dt=None):
        return SINE.sample(n_trials, rng, dt).drop_vars(self.drop)

    def teach(self, trials):
        return self.change(SINE.teach(trials))

    def response(self, output, trials):
        return SINE.response(output, trials)


def with_hint(lesson, n_steps, n_trials=None):
    lesson = lesson.drop_vars(["hints", "hint"], errors="ignore")
    n_trials = lesson.sizes["trial"] if n_trials is None else n_trials
    hints = np.ones((1, n_steps, n_trials))
    dims = ("hint", "step_time", "trial")
    if (n_steps, n_trials) != (lesson.sizes["step_time"], lesson.sizes["trial"]):
        dims = ("hint", "hint_step", "hint_trial")
    return lesson.assign(hints=(dims, hints)).assign_coords(hint=["bump"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lesson: lesson.drop_vars("target"), "target"),
        (lambda lesson: with_hint(lesson, 7), "hint"),
        (lambda lesson: with_hint(lesson, lesson.sizes["step_time"], 2), "hint"),
        (lambda lesson: with_hint(lesson, lesson.sizes["step_time"]) * np.nan, "finite"),
        (lambda _: {"inputs": 1}, "teach"),
        (lambda _: xr.Dataset(), "teach"),
    ],
)
def test_hints_and_targets_of_the_wrong_shape_are_refused(change, words):
    with pytest.raises(TensorError, match=words) as error:
        full_force(net_of(), Own(change), **SHORT)
    assert "Own" in str(error.value)


def test_a_task_without_targets_is_refused():
    with pytest.raises(TensorError, match="target"):
        full_force(net_of(), Own(drop=["target"]), **SHORT)


def test_a_task_of_ones_own_trains_as_the_one_it_is_made_of():
    def bump(lesson):
        return with_hint(lesson, lesson.sizes["step_time"])

    own, _ = full_force(net_of(), Own(), **SHORT)
    plain, _ = full_force(net_of(), SINE, **SHORT)
    assert_same(own, plain)
    told, _ = full_force(net_of(), Own(bump), **SHORT)
    assert not np.array_equal(told.recurrent, plain.recurrent)
    silent, _ = full_force(net_of(), Own(bump), **SHORT, hints={"bump": 0.0})
    assert not np.array_equal(told.recurrent, silent.recurrent)


def test_catch_trials_alone_cannot_be_judged():
    task = pdn.tasks.PerceptualDecision(catch_fraction=0.9999, dt=DT)
    with pytest.raises(FitError, match="none of the 4 trials .* catch trials"):
        full_force(net_of(), task, n_trials=1, n_validation=4)
