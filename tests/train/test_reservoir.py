"""A readout by ridge: equal to scikit-learn's, good at the task, honest about it."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge

import popdyn as pdn
from popdyn.errors import FitError, TensorError
from popdyn.network import Rate, Spiking
from popdyn.tasks import PerceptualDecision
from popdyn.train import reservoir
from popdyn.train.reservoir import cross_validated_loss, ridge
from popdyn.train.samples import Samples, collect, filtered_spikes
from popdyn.train.validate import wilson_interval


@pytest.fixture(scope="module")
def net():
    return Rate.random(80, g=0.9, rng=0)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_network_of_the_default_size_learns_the_default_task(seed):
    net = Rate.random(200, g=0.9, rng=seed)
    trained, history = reservoir(net, PerceptualDecision(), rng=seed)
    assert float(history["final_accuracy"]) >= 0.95
    trials = PerceptualDecision().sample(100, rng=1000 + seed)
    for noise_density in (0.0, 0.1):
        sim = pdn.simulate(trained, trials, noise_density=noise_density, rng=1)
        assert float(sim["correct"].mean()) >= 0.95
    assert np.array_equal(trained.recurrent, net.recurrent)
    assert np.array_equal(trained.input, net.input)


def test_on_a_hard_task_it_is_close_to_but_not_above_the_ideal_observer(net):
    task = PerceptualDecision(stimulus_noise=1.0)
    _, history = reservoir(net, task, n_trials=1000, n_validation=3000, rng=1)
    # 40 steps of 20 ms of noise 1: the mean of the input has this standard deviation.
    ideal = stats.norm.cdf(np.array([0.1, 0.2, 0.4]) * np.sqrt(40)).mean()
    assert ideal - 0.05 < float(history["final_accuracy"]) < ideal + 0.02


def test_noise_instead_of_a_stimulus_leaves_chance():
    deaf = Rate(np.zeros((20, 20)), np.zeros((20, 1)), np.ones((1, 20)), np.zeros(20))
    _, history = reservoir(deaf, PerceptualDecision(), noise_density=1.0, n_validation=1000)
    assert float(history["final_accuracy"]) == pytest.approx(0.5, abs=0.07)
    assert history["validation_loss"].item() > 0.8


@pytest.mark.parametrize("penalty", [0.001, 1.0, 50.0])
def test_weights_equal_those_of_scikit_learn(net, penalty):
    trials = PerceptualDecision().sample(60, rng=3)
    samples = collect(net, trials, 0.1, 7)
    oracle = Ridge(alpha=penalty, fit_intercept=False, solver="svd", tol=1e-12)
    oracle.fit(samples.rates, samples.target[:, 0])
    assert ridge(samples.rates, samples.target, penalty)[0] == pytest.approx(oracle.coef_, rel=1e-7)
    trained, history = reservoir(net, PerceptualDecision(), regularization=penalty, rng=3)
    assert float(history["regularization"]) == penalty
    assert "candidate_loss" not in history
    assert trained.output.shape == (1, 80)


def test_a_loss_counts_every_trial_the_same_however_long():
    samples = Samples(
        rates=np.array([[1.0], [1.0], [1.0]]),
        target=np.array([[1.0], [1.0], [3.0]]),
        step=np.array([0, 1, 0]),
        trial=np.array([0, 0, 1]),
    )
    assert samples.loss(np.array([[0.0]])) == pytest.approx((1 + 9) / 2)


def test_cross_validation_equals_fitting_every_fold_anew(net):
    samples = collect(net, PerceptualDecision().sample(23, rng=3), 0.3, 7)
    penalties = np.array([0.01, 1.0, 30.0])
    slow = []
    for penalty in penalties:
        losses = []
        for fold in range(5):
            out = samples.trial % 5 == fold
            fit = ridge(samples.rates[~out], samples.target[~out], penalty)
            losses.append(samples.part(out).loss(fit))
        slow.append(np.mean(losses))
    assert cross_validated_loss(samples, penalties) == pytest.approx(slow, rel=1e-8)


def test_the_penalty_chosen_is_the_best_candidate(net):
    _, history = reservoir(net, PerceptualDecision(stimulus_noise=0.5), rng=0)
    best = int(np.argmin(history["candidate_loss"].values))
    assert float(history["regularization"]) == float(history["candidate"][best])
    assert 0 < best < history.sizes["candidate"] - 1


def test_what_is_collected_are_the_rates_that_simulate_answers_with(net):
    trials = PerceptualDecision(delay_duration=(0.1, 0.3)).sample(300, rng=3)
    samples = collect(net, trials, 0.0, 0)
    assert len(samples.rates) == int(trials["mask"].sum())
    sim = pdn.simulate(net, trials)
    outputs = samples.rates @ net.output[0]
    response = np.bincount(samples.trial, outputs) / np.bincount(samples.trial)
    assert sim["response"].values == pytest.approx(response, rel=1e-9)
    assert np.array_equal(np.sign(samples.target[:, 0]), trials["target_choice"][samples.trial])


def test_history_says_what_was_done(net, tmp_path):
    task = PerceptualDecision(stimuli=(-0.4, 0.0, 0.4))
    _, history = reservoir(net, task, n_trials=60, n_validation=90, rng=5)
    assert (history.attrs["method"], history.attrs["seed"]) == ("reservoir", "5")
    parameters = json.loads(history.attrs["parameters"])
    assert (parameters["n_trials"], parameters["task"]) == (60, "PerceptualDecision")
    # A third of the validation trials are catch trials.
    assert history["final_accuracy"].attrs["n_trials"] == 60
    lower, upper = history["final_accuracy_bound"].values
    assert lower < float(history["final_accuracy"]) <= upper
    assert history["loss"].item() < history["validation_loss"].item()
    assert history["accuracy"].dims == ("checkpoint",)
    assert history["accuracy_bound"].dims == ("bound", "checkpoint")
    assert history["n_trials"].values.tolist() == [60]
    assert int(history["best"]) == 0
    pdn.save(history, tmp_path / "history.nc")
    assert pdn.load(tmp_path / "history.nc").identical(history)


def test_one_seed_one_fit(net):
    first, again, other = (
        reservoir(net, PerceptualDecision(), n_trials=40, n_validation=20, rng=seed)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first[0].output, again[0].output)
    assert first[1].identical(again[1])
    assert not np.array_equal(first[0].output, other[0].output)


@pytest.mark.parametrize(("n_correct", "n"), [(0, 7), (3, 10), (90, 90), (150, 200)])
def test_the_interval_is_that_of_scipy(n_correct, n):
    expected = stats.binomtest(n_correct, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(n_correct, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_trials": 1}, "n_trials must be at least 2, a whole number, found 1"),
        ({"n_validation": 0}, "n_validation must be at least 1, a whole number, found 0"),
        ({"regularization": -1.0}, "zero or positive, or 'cv', found -1.0"),
        ({"n_trials": 2.5}, "n_trials must be at least 2, a whole number, found 2.5"),
        ({"n_trials": "many"}, "n_trials must be at least 2, a whole number, found 'many'"),
        ({"regularization": True}, "or 'cv', found True"),
        ({"regularization": "best"}, "or 'cv', found 'best'"),
        ({"noise_density": -1.0}, "noise_density must be zero or positive"),
    ],
)
def test_arguments_without_sense_are_refused(net, arguments, words):
    with pytest.raises(TensorError, match=words):
        reservoir(net, PerceptualDecision(), **arguments)


def test_too_few_samples_without_a_penalty_are_refused(net):
    with pytest.raises(FitError, match="10 samples do not determine 80 output weights"):
        reservoir(net, PerceptualDecision(), n_trials=5, regularization=0.0)


def test_a_task_of_catch_trials_has_no_accuracy(net):
    with pytest.raises(FitError, match="none of the validation trials has a right answer"):
        reservoir(net, PerceptualDecision(stimuli=(0.0,)), n_trials=10, n_validation=10)


def test_trials_that_count_nowhere_cannot_be_fitted(net):
    trials = PerceptualDecision().sample(4, rng=0)
    trials["mask"][:, 2] = False
    with pytest.raises(TensorError, match="1 of 4 trials have no step that counts"):
        collect(net, trials, 0.0, 0)


@pytest.mark.parametrize("task", [pdn.tasks.PerceptualDecision, "PerceptualDecision"])
def test_a_task_must_be_made_first(task):
    with pytest.raises(pdn.TensorError, match="for example pdn.tasks.PerceptualDecision()"):
        pdn.train.reservoir(pdn.network.Rate.random(10), task)


def test_what_is_no_network_or_no_task_is_refused(net):
    task = PerceptualDecision()
    with pytest.raises(TensorError, match="net must be a network, .*Spiking, found NoneType"):
        reservoir(None, task)
    with pytest.raises(TensorError, match="found PerceptualDecision: the network comes first"):
        reservoir(task, net)
    with pytest.raises(TensorError, match="a Dataset: give the task itself, not its trials"):
        reservoir(net, task.sample(3, rng=0))
    with pytest.raises(TensorError, match=r"for example pdn.tasks.*found None"):
        reservoir(net, None)


def test_a_network_whose_outputs_feed_back_is_refused():
    net = pdn.network.Rate.random(20, feedback=1.0)
    with pytest.raises(
        TensorError, match=r"feed back onto its neurons.*replace\(net, feedback=None"
    ):
        pdn.train.reservoir(net, pdn.tasks.PerceptualDecision())


def test_shares_that_are_correct_count_as_shares():
    task = pdn.tasks.FlipFlop()
    drawn = task.sample(1, rng=0, dt=0.01)
    net = Rate.random(
        40, g=0.9, n_inputs=drawn.sizes["channel"], n_outputs=drawn.sizes["output"], rng=0
    )
    _, history = reservoir(net, task, n_trials=10, n_validation=15, rng=0, regularization=1.0)
    accuracy = float(history["final_accuracy"])
    assert (accuracy * 15) % 1 != 0  # in some trials a part is correct
    z = 1.959963984540054
    center = (accuracy * 15 + z**2 / 2) / (15 + z**2)
    assert history["final_accuracy_bound"].values.mean() == pytest.approx(center, abs=1e-12)


@pytest.fixture(scope="module")
def spiking():
    return Spiking.random(100, g=0.5, rng=0)


def test_a_spiking_network_learns_the_default_task(spiking):
    task = PerceptualDecision(dt=0.001)
    trained, history = reservoir(spiking, task, n_trials=60, n_validation=60, rng=0)
    assert float(history["final_accuracy"]) >= 0.9
    assert np.array_equal(trained.recurrent_fast, spiking.recurrent_fast)
    sim = pdn.simulate(trained, task.sample(60, 77, dt=0.001), noise_density=0.1, rng=1)
    assert float(sim["correct"].mean()) >= 0.9


def test_filtered_spikes_are_what_the_outputs_of_a_spiking_network_see(spiking):
    rng = np.random.default_rng(3)
    weights = {"output_slow": rng.standard_normal((1, 100)), "output_fast": rng.random((1, 100))}
    net = dataclasses.replace(spiking, **weights)
    trials = PerceptualDecision(dt=0.001, delay_duration=(0.1, 0.3)).sample(6, 3)
    samples = collect(net, trials, 0.2, np.random.default_rng(8))
    sim = pdn.simulate(
        net, trials, rng=np.random.default_rng(8), noise_density=0.2, bin_width=0.001, record=()
    )
    ends = samples.rates @ np.concatenate(list(weights.values()), axis=1)[0]
    # Bins of one step hold the mean of its start and its end: ends of two steps make the second.
    for trial in range(6):
        own = samples.trial == trial
        steps, found = samples.step[own], ends[own]
        means = (found[1:] + found[:-1]) / 2
        expected = sim["output"].isel(output=0, trial=trial).values[steps[1:]]
        assert means == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_filtered_spikes_jump_by_one_and_decay(spiking):
    counts = np.zeros((30, 100))
    counts[4, 7] = 1.0
    filtered = filtered_spikes(spiking, counts)
    assert filtered[3, 7] == 0 and filtered[4, 7] == 1 and filtered[4, 107] == 1
    assert filtered[24, 7] == pytest.approx(np.exp(-0.020 / spiking.tau_slow))
    assert filtered[24, 107] == pytest.approx(np.exp(-0.020 / spiking.tau_fast))


def test_a_finished_fit_comes_back_from_its_checkpoint(net, tmp_path, monkeypatch):
    arguments = {"n_trials": 20, "n_validation": 20, "rng": 4, "checkpoint": tmp_path / "fit.npz"}
    first = reservoir(net, PerceptualDecision(), **arguments)
    monkeypatch.setattr(sys.modules["popdyn.train.reservoir"], "collect", None)
    again = reservoir(net, PerceptualDecision(), **arguments)
    assert again[1].identical(first[1])
    assert np.array_equal(again[0].output, first[0].output)
    with pytest.raises(pdn.SourceError, match="another training .n_trials: 20, now 30"):
        reservoir(net, PerceptualDecision(), **{**arguments, "n_trials": 30})


def test_samples_beyond_memory_are_refused_before_they_are_made(net, monkeypatch):
    monkeypatch.setattr("popdyn.train.samples.available_memory", lambda: 1e4)
    with pytest.raises(TensorError, match=r"with 80 regressors they need .* GB .* fewer trials"):
        reservoir(net, PerceptualDecision())
