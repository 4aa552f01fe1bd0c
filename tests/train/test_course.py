"""The course of a training: blocks, tests, the best, what goes on after an interruption."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import FitError, PopdynWarning, TensorError
from popdyn.network import Rate
from popdyn.train.checkpoint import Checkpoint
from popdyn.train.course import FINAL, LEARN, PREPARE, VALIDATE, Course, Lessons, run_course
from popdyn.train.stream import Filters
from popdyn.train.validate import Score

DT = 0.01
TASK = pdn.tasks.PerceptualDecision(stimulus_noise=0.1)
ABOUT = {"method": "counting", "parameters": {"a": 1}, "seed": "0"}


class Counting:
    """Learns nothing, but depends on every block and on all that went before."""

    def __init__(self, interrupt_at=None, diverge_at=()):
        self.value, self.rows, self.n_prepared = np.zeros(1), np.zeros(2), 0
        self.interrupt_at, self.left, self.n_learned = interrupt_at, list(diverge_at), 0
        self.starts = []

    def prepare(self, lessons):
        self.n_prepared += 1
        self.value[0] = lessons.block(PREPARE, 0, 1)[0].inputs.sum()

    def learn(self, stream, rng):
        if self.n_learned == self.interrupt_at:
            raise KeyboardInterrupt
        self.starts.append(float(self.value[0]))
        self.value[0] = np.sin(self.value[0]) + stream.target.sum() + rng.random()
        self.bad = bool(self.left) and self.n_learned == self.left[0]
        if self.bad:
            self.left.pop(0)
        else:
            self.n_learned += 1
        return float(abs(self.value[0]))

    def weights(self):
        return {"value": self.value}

    def network(self, weights):
        output = np.full((1, 2), weights["value"][0])
        return Rate(np.zeros((2, 2)), np.zeros((2, 1)), output, tau=0.1, dt=DT)

    def arrays(self):
        return {"value": self.value, "rows": self.rows}

    def restore(self, arrays):
        self.value, self.rows = np.array(arrays["value"]), np.array(arrays["rows"])

    def soften(self):
        self.rows[0] += 1

    def diverged(self):
        return "weights went astray" if self.bad else ""


def lessons(seed=0, filters=(0.05, 0.05)):
    return Lessons(TASK, DT, Filters.of(*filters, DT), np.random.SeedSequence(seed))


@pytest.fixture
def scores(monkeypatch):
    """Accuracies that tests find, one after the other; streams they were drawn from are kept."""

    class Scores(list):
        streams = []

    scripted = Scores()
    scripted.streams = []

    def scripted_validate(net, task, n_trials, rng, noise_density, **how):
        scripted.streams.append(rng.bit_generator.state["state"]["state"])
        accuracy = scripted.pop(0) if scripted else 0.5
        return Score(accuracy, np.array([accuracy - 0.1, accuracy + 0.1]), 1 - accuracy)

    monkeypatch.setattr(sys.modules[Course.__module__], "validate", scripted_validate)
    return scripted


def run(learner, n_trials=60, place=None, every=20, seed=0):
    course = Course(n_trials, 5, every, 0.0)
    checkpoint = None if place is None else Checkpoint.at(place, {"seed": seed})
    return run_course(learner, lessons(seed), course, checkpoint, ABOUT)


def test_blocks_are_of_at_most_twenty_trials_and_end_at_tests():
    assert Course(50, 1, 30, 0.0).blocks() == [(20, False), (10, True), (20, True)]
    assert Course(45, 1, 100, 0.0).blocks() == [(20, False), (20, False), (5, True)]
    assert Course(3, 1, 1, 0.0).blocks() == [(1, True)] * 3


@pytest.mark.parametrize("name", ["n_trials", "n_validation", "validate_every"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "10", True, None, np.nan])
def test_counts_that_are_none_are_refused(name, value):
    counts = {"n_trials": 5, "n_validation": 5, "validate_every": 5, name: value}
    words = re.escape(f"{name} must be at least 1, a whole number, found {value!r}")
    with pytest.raises(TensorError, match=words):
        Course(**counts, noise_density=0.0)


def test_counts_may_be_numbers_of_numpy():
    assert Course(np.int64(3), np.uint8(1), np.int32(2), 0.0).blocks() == [(2, True), (1, True)]


def test_a_block_depends_on_the_seed_its_kind_and_its_number_alone():
    def inputs(drawn):
        return drawn[0].inputs

    def alone(seed, kind, number):
        return lessons(seed, (0.0, 0.0)).block(kind, number, 3)

    busy = lessons(0, (0.0, 0.0))
    for number in (5, 0, 2):
        busy.block(LEARN, number, 4)
        busy.generators(FINAL, number)
    stream, own = busy.block(LEARN, 1, 3)
    same, same_own = alone(0, LEARN, 1)
    assert np.array_equal(stream.inputs, same.inputs)
    assert own.random() == same_own.random()
    for other in (alone(1, LEARN, 1), alone(0, VALIDATE, 1), alone(0, LEARN, 2)):
        assert not np.array_equal(inputs(other)[:50], stream.inputs[:50])
        assert other[1].random() != alone(0, LEARN, 1)[1].random()


def test_the_best_is_chosen_on_accuracy_of_equals_the_later(scores):
    scores.extend([0.5, 0.9, 0.7, 0.9, 0.8, 0.6])
    learner = Counting()
    seen = []
    learner.network = lambda weights: (seen.append(float(weights["value"][0])),
                                       Counting.network(learner, weights))[1]  # fmt: skip
    net, history = run(learner, 100)
    assert int(history["best"]) == 3
    assert net.output[0, 0] == seen[3] != seen[4]
    assert history["accuracy"].values.tolist() == [0.5, 0.9, 0.7, 0.9, 0.8]
    assert float(history["final_accuracy"]) == 0.6
    assert history["n_trials"].values.tolist() == [20, 40, 60, 80, 100]


def test_the_last_test_is_on_trials_that_no_choice_was_made_on(scores):
    run(Counting(), 60)
    assert len(scores.streams) == 4
    assert len(set(scores.streams)) == 4
    final = lessons().generators(FINAL, 2)[0].bit_generator.state["state"]["state"]
    assert scores.streams[-1] == final


def test_a_test_without_a_score_is_never_the_best(scores):
    scores.extend([np.nan, 0.0, np.nan, 0.4])
    _, history = run(Counting(), 60)
    assert int(history["best"]) == 1
    assert np.isnan(history["accuracy"].values[[0, 2]]).all()


def test_a_network_that_never_came_through_a_test_is_no_result(scores):
    scores.extend([np.nan] * 3)
    with pytest.raises(FitError, match="never came through a test: rates grew beyond all bounds"):
        run(Counting(), 60)


def test_the_history_says_what_happened(scores):
    learner = Counting()
    _, history = run(learner, 50, every=30)
    assert history.attrs["method"] == "counting"
    assert history.attrs["seed"] == "0"
    assert history.attrs["parameters"] == '{"a": 1}'
    assert history["accuracy_bound"].dims == ("bound", "checkpoint")
    assert history["bound"].values.tolist() == ["lower", "upper"]
    assert history["final_accuracy_bound"].values.tolist() == [0.4, 0.6]
    assert history["validation_loss"].values.tolist() == [0.5, 0.5]
    assert int(history["n_restarts"]) == 0
    # Blocks of 20 and 10, then of 20.
    again = Counting()
    again.losses = []
    losses = []
    learn = again.learn
    again.learn = lambda stream, rng: losses.append(learn(stream, rng)) or losses[-1]
    run(again, 50, every=30)
    assert history["loss"].values.tolist() == [np.mean(losses[:2]), losses[2]]


@pytest.mark.parametrize("block", range(6))
def test_interrupted_at_any_block_it_goes_on_to_the_same_bits(scores, tmp_path, block):
    whole, history = run(Counting(), 100, every=30)
    place = tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        run(Counting(interrupt_at=block), 100, place, every=30)
    learner = Counting()
    net, after = run(learner, 100, place, every=30)
    assert learner.n_prepared == 0
    assert np.array_equal(net.output, whole.output)
    assert after.identical(history)
    # Blocks since the last test are learned again, no others.
    assert learner.n_learned == 7 - block // 2 * 2


def test_more_trials_are_the_same_as_a_long_run(scores, tmp_path):
    place = tmp_path / "run.npz"
    run(Counting(), 40, place)
    learner = Counting()
    net, after = run(learner, 100, place)
    assert learner.n_learned == 3
    whole, history = run(Counting(), 100)
    assert np.array_equal(net.output, whole.output)
    assert after.identical(history)
    # And once more, with nothing left to learn.
    learner = Counting()
    assert run(learner, 100, place)[1].identical(history)
    assert learner.n_learned == 0


@pytest.mark.parametrize("n_trials", [40, 20, 61, 50])
def test_fewer_trials_than_were_learned_are_refused(scores, tmp_path, n_trials):
    place = tmp_path / "run.npz"
    run(Counting(), 55 if n_trials == 61 else 60, place)
    words = f"n_trials={n_trials} with validate_every=20 does not pass through"
    with pytest.raises(TensorError, match=words):
        run(Counting(), n_trials, place)


def test_a_divergence_is_said_and_survived(scores):
    learner = Counting(diverge_at=[1, 1])
    words = "weights went astray in block 1 of the training, attempt [12] of 3: .* on other trials"
    with pytest.warns(PopdynWarning, match=words) as said:
        net, history = run(learner, 60)
    assert len(said) == 2
    assert int(history["n_restarts"]) == 2
    # Softened anew with each.
    assert learner.rows.tolist() == [2.0, 0.0]
    assert learner.starts[1] == learner.starts[2] == learner.starts[3]
    whole, plain = run(Counting(), 60)
    # Blocks before and after are as they would have been, on other trials in between.
    assert plain["loss"].values[0] == history["loss"].values[0]
    assert not np.array_equal(net.output, whole.output)
    with pytest.warns(PopdynWarning, match=words):
        again = run(Counting(diverge_at=[1, 1]), 60)
    assert np.array_equal(net.output, again[0].output)


@pytest.mark.filterwarnings("ignore:weights went astray")
def test_no_attempt_at_a_block_repeats_another(scores):
    class Watching(Counting):
        def learn(self, stream, rng):
            seen.append((stream.inputs.sum(), rng.bit_generator.state["state"]["state"]))
            return super().learn(stream, rng)

    seen = []
    run(Watching(diverge_at=[0, 0, 1, 2, 2]), 60)
    assert len(seen) == 3 + 5
    assert len({inputs for inputs, _ in seen}) == len({state for _, state in seen}) == 8


def test_after_three_divergences_of_the_first_block_training_gives_up(scores):
    with (
        pytest.warns(PopdynWarning, match="went astray") as said,
        pytest.raises(FitError, match="diverges in block 0 again and again .weights went astray.*"
                                      "raise regularization"),
    ):  # fmt: skip
        run(Counting(diverge_at=[0, 0, 0]), 60)
    assert len(said) == 3


def test_after_three_divergences_of_a_later_block_the_best_before_is_kept(scores):
    words = "block 2 again and again .weights went astray., and ends: the best network.*is kept"
    with pytest.warns(PopdynWarning, match="went astray") as said:
        net, history = run(Counting(diverge_at=[2, 2, 2]), 80)
    assert len(said) == 4
    assert re.search(words, str(said[3].message))
    assert history["n_trials"].values.tolist() == [20, 40]
    assert np.array_equal(net.output, run(Counting(), 40)[0].output)


def test_training_ends_when_tests_do_not_get_better(scores, tmp_path):
    scores[:] = [0.5, 0.7, 0.7, 0.6, 0.9]
    course = Course(200, 5, 20, patience=2)
    checkpoint = Checkpoint.at(tmp_path / "run.npz", {})
    net, history = run_course(Counting(), lessons(), course, checkpoint, ABOUT)
    assert history["accuracy"].values.tolist() == [0.5, 0.7, 0.7, 0.6]
    learner = Counting()
    again, after = run_course(learner, lessons(), course, checkpoint, ABOUT)
    assert learner.n_learned == 0
    assert np.array_equal(net.output, again.output)
