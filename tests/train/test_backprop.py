"""Training by gradient: what is learned, what is refused, and going on after a stop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import FitError, PopdynWarning, SourceError, TensorError
from popdyn.network import LowRank, Rate
from popdyn.train import backprop
from popdyn.train.adam import Adam
from popdyn.train.backprop_gradient import Circuit, loss_and_gradient
from popdyn.train.backprop_learner import lesson_of_trials, loss_of_outputs

EASY = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
SHORT = {"n_trials": 96, "n_validation": 20, "validate_every": 32, "batch": 16}


def low_rank(seed=0, n_neurons=30, **changed):
    return LowRank.random(n_neurons, **{"n_ranks": 1, "rng": seed, **changed})


def full_rank(seed=0, n_neurons=20, **changed):
    return Rate.random(n_neurons, **{"g": 0.5, "dt": 0.02, "rng": seed, **changed})


def assert_same(one, other):
    assert one.to_dataset().identical(other.to_dataset())


@pytest.mark.parametrize("make", [low_rank, full_rank])
def test_a_network_learns_to_decide(make):
    net, history = backprop(make(n_neurons=80), EASY, n_trials=1600, n_validation=100)
    assert type(net) is type(make())
    assert float(history["final_accuracy"]) > 0.9
    trials = EASY.sample(200, 9, dt=net.dt)
    after = pdn.simulate(net, trials, noise_step=0.05)
    assert float(after["correct"].mean()) > 0.9
    assert history.attrs["method"] == "backprop"
    assert history["loss"].values[-1] < history["loss"].values[0] / 2


@pytest.mark.parametrize("make", [low_rank, full_rank])
def test_the_loss_is_that_of_the_outputs_that_a_simulation_gives(make):
    """Without noise, on the steps of the mask; trials of any length."""
    task = pdn.tasks.ParametricWorkingMemory()
    n_inputs = {"n_inputs": 1, "nonlinearity": "softplus"}
    net = dataclasses.replace(make(**n_inputs), gain=np.linspace(0.5, 1.0, make().n_neurons))
    trials = task.sample(12, 0, dt=net.dt)
    lesson = lesson_of_trials(trials, np.zeros(12, np.uint64))
    names = ("m", "n", "input", "output") if make is low_rank else ("recurrent", "input", "output")
    circuit = Circuit(np.full(net.n_neurons, 0.2), net.gain, "softplus", dtype="float64")
    parameters = {name: np.asarray(getattr(net, name)) for name in names}
    loss, _ = loss_and_gradient(parameters, circuit, lesson)
    sim = pdn.simulate(net, trials, record=("rate",), bin_width=net.dt, dtype="float64")
    state = np.zeros((12, net.n_neurons))
    squares = np.zeros(12)
    rate = np.logaddexp(0.0, net.gain * state)
    recurrent = net.m @ net.n.T / net.n_neurons if make is low_rank else net.recurrent
    scale = net.n_neurons if make is low_rank else 1
    means = []
    for step in range(trials.sizes["step_time"]):
        inputs = trials["inputs"].isel(step_time=step).transpose("trial", "channel").values
        state = 0.8 * state + 0.2 * (rate @ recurrent.T + inputs @ net.input.T)
        before, rate = rate, np.logaddexp(0.0, net.gain * state)
        means.append((rate + before) / 2)
        miss = rate @ net.output[0] / scale - trials["target"].values[0, step]
        squares += trials["mask"].values[step] * miss**2
    assert loss == pytest.approx((squares / trials["mask"].values.sum(axis=0)).sum(), rel=1e-12)
    # The same network as the simulator's: its rates are means over steps.
    found = sim["rate"].transpose("time", "trial", "neuron").values
    seen = np.isfinite(found)
    assert np.allclose(found[seen], np.array(means)[: len(found)][seen], atol=1e-12)


def test_the_history_is_drawn_by_show():
    _, history = backprop(low_rank(), EASY, **SHORT)
    assert pdn.show(history).get_ylabel() == "share of correct trials"


def test_only_what_is_said_is_learned():
    net = low_rank()
    names = ("m", "n", "input", "output", "bias", "output_bias", "initial")
    for learned in [("n",), ("m", "initial"), ("bias", "output_bias")]:
        trained, _ = backprop(net, EASY, **SHORT, learn=learned)
        for name in names:
            before, after = getattr(net, name), getattr(trained, name)
            same = after is None if before is None else np.array_equal(before, after)
            assert same == (name not in learned), name
    trained, _ = backprop(full_rank(), EASY, **SHORT, learn="recurrent")
    assert np.array_equal(trained.input, full_rank().input)
    assert not np.array_equal(trained.recurrent, full_rank().recurrent)


@pytest.mark.parametrize("make", [low_rank, full_rank])
def test_going_on_from_a_checkpoint_is_the_same_bits(make, tmp_path, monkeypatch):
    whole, history = backprop(make(), EASY, **SHORT, half_life=100.0, rng=3)
    place = tmp_path / "run.npz"
    backprop(make(), EASY, **{**SHORT, "n_trials": 32}, half_life=100.0, rng=3, checkpoint=place)
    again, after = backprop(make(), EASY, **SHORT, half_life=100.0, rng=3, checkpoint=place)
    assert_same(again, whole)
    assert after.identical(history)
    with pytest.raises(SourceError, match=r"another training \(clip: 1.0, now 2"):
        backprop(make(), EASY, **SHORT, half_life=100.0, rng=3, checkpoint=place, clip=2.0)


def test_threads_and_seeds():
    one, history = backprop(low_rank(), EASY, **SHORT)
    many, _ = backprop(low_rank(), EASY, **SHORT, n_jobs=2)
    assert_same(one, many)
    other, after = backprop(low_rank(), EASY, **SHORT, rng=1)
    assert not np.array_equal(one.m, other.m)
    assert not history["loss"].equals(after["loss"])


def test_precision_changes_little():
    single, _ = backprop(low_rank(), EASY, **SHORT)
    double, _ = backprop(low_rank(), EASY, **SHORT, precision="float64")
    assert not np.array_equal(single.m, double.m)
    assert np.allclose(single.m, double.m, atol=2e-3)


def test_penalties_make_rates_and_weights_smaller():
    net, _ = backprop(low_rank(), EASY, **SHORT)
    quiet, history = backprop(low_rank(), EASY, **SHORT, activity_penalty=30.0, learn=("input",))
    assert np.abs(quiet.input).mean() < np.abs(low_rank().input).mean()
    small, _ = backprop(low_rank(), EASY, **SHORT, weight_penalty=30.0)
    assert (small.m**2).mean() < (net.m**2).mean()
    assert history["loss"].values[0] > 1


def test_the_learning_rate_falls_by_half():
    slow, _ = backprop(low_rank(), EASY, **SHORT, half_life=1.0)
    fast, _ = backprop(low_rank(), EASY, **SHORT)
    first, _ = backprop(low_rank(), EASY, **{**SHORT, "n_trials": 32}, half_life=1.0)
    start = low_rank().m
    # After the first batch it is as good as 0.
    assert np.allclose(slow.m, first.m, atol=1e-5)
    assert np.abs(fast.m - start).max() > 2 * np.abs(slow.m - start).max()


def test_adam_goes_where_a_plain_loop_goes():
    rng = np.random.default_rng(0)
    weights, gradients = {"w": rng.standard_normal(4)}, rng.standard_normal((6, 4))
    x, adam = weights["w"].copy(), Adam(weights)
    m, v = np.zeros(4), np.zeros(4)
    for t, g in enumerate(gradients, 1):
        adam.step({"w": g}, 0.1)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert np.allclose(weights["w"], x, atol=1e-12)


def test_the_gradient_is_clipped():
    """Adam does not see the size of gradients that all are clipped, but of one that is not."""
    net, _ = backprop(low_rank(), EASY, **SHORT)
    clipped, _ = backprop(low_rank(), EASY, **SHORT, clip=1e-3)
    assert not np.array_equal(net.m, clipped.m)
    smaller, _ = backprop(low_rank(), EASY, **SHORT, clip=1e-4)
    assert np.allclose(clipped.m, smaller.m, atol=0.02)


def growing():
    """A linear network that leaves all bounds within a trial."""
    return dataclasses.replace(full_rank(), nonlinearity="linear", recurrent=1e9 * np.eye(20))


def test_a_divergence_is_said_and_what_to_do():
    with (
        pytest.warns(PopdynWarning, match="grew beyond all bounds.*half as fast"),
        pytest.raises(FitError, match="again and again.*lower learning_rate or clip"),
    ):
        backprop(growing(), EASY, **SHORT)


def test_a_late_divergence_keeps_the_best(monkeypatch):
    calls = []

    def later_nan(*told):
        calls.append(told)
        loss, gradient = loss_and_gradient(*told)
        return (loss if len(calls) < 4 else np.nan), gradient

    monkeypatch.setattr("popdyn.train.backprop_learner.loss_and_gradient", later_nan)
    with pytest.warns(PopdynWarning) as said:
        trained, history = backprop(low_rank(), EASY, **SHORT)
    assert "best network before it is kept" in str(said[-1].message)
    assert history["n_trials"].values.tolist() == [32]
    assert int(history["n_restarts"]) == len(said) - 1 == 3
    assert np.isfinite(trained.m).all()


def test_training_ends_when_there_is_nothing_left_to_learn():
    told = {"n_trials": 6400, "n_validation": 50, "validate_every": 320, "patience": 3}
    _, history = backprop(low_rank(n_neurons=80), EASY, **told)
    assert history.sizes["checkpoint"] < 20


def test_many_networks_are_trained_into_files(tmp_path):
    trainings = {f"net_{seed}": {"net": low_rank(seed), "task": EASY} for seed in (0, 1)}
    table = pdn.train.many(backprop, trainings, tmp_path, **SHORT)
    assert table["error"].tolist() == ["", ""]
    direct, _ = backprop(low_rank(1), EASY, **SHORT)
    assert_same(pdn.load(table["path"][1]), direct)
    assert table.equals(pdn.train.many(backprop, trainings, tmp_path, **SHORT)[table.columns]) or (
        table["final_accuracy"].notna().all()
    )


def fed_back():
    return full_rank(feedback=1.0)


@pytest.mark.parametrize(
    ("net", "changed", "words"),
    [
        (low_rank(), {"learn": ("recurrent",)}, r"learn must be one of 'm', 'n',.*'recurrent'"),
        (low_rank(), {"learn": ("output", "output")}, "each once"),
        (low_rank(), {"learn": ()}, "learn must name what is learned"),
        (full_rank(), {"learn": "initial"}, "learn must be one of 'recurrent'"),
        (low_rank(), {"batch": 0}, "batch must be at least 1"),
        (low_rank(), {"clip": 0.0}, "clip must be a positive number"),
        (low_rank(), {"learning_rate": -1.0}, "learning_rate must be a positive number"),
        (low_rank(), {"half_life": "long"}, "half_life must be a positive number"),
        (low_rank(), {"patience": 0}, "patience must be at least 1"),
        (low_rank(), {"precision": "half"}, "precision must be one of"),
        (low_rank(), {"weight_penalty": -1}, "weight_penalty must be 0"),
        (low_rank(), {"activity_penalty": None}, "activity_penalty must be 0"),
        (low_rank(), {"noise_step": -0.1}, "noise_step"),
        (low_rank(), {"n_jobs": 0}, "n_jobs"),
        (low_rank(n_inputs=3), {}, "the task has 1 inputs, the network 3: make it with n_inputs=1"),
        (low_rank(n_outputs=2), {}, "the task has 1 outputs, the network 2"),
        (fed_back(), {}, "feeds its outputs back.*recurrent=net.recurrent"),
        (pdn.network.Spiking.random(10), {}, "pdn.network.Rate or pdn.network.LowRank, found Spik"),
        (EASY, {}, "net must be a network"),
    ],
    ids=lambda value: next(iter(value), "plain") if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_makes_no_sense_is_refused(net, changed, words):
    with pytest.raises(TensorError, match=words):
        backprop(net, EASY, **{**SHORT, **changed})


class NoTarget:
    """A task that asks for nothing."""

    def sample(self, n_trials, rng=0, dt=None):
        return EASY.sample(n_trials, rng, dt=dt).drop_vars("target")

    def response(self, output, trials):
        return EASY.response(output, trials)


def test_a_task_without_target_is_refused():
    with pytest.raises(TensorError, match="target"):
        backprop(low_rank(), NoTarget(), **SHORT)


def test_the_loss_on_fresh_trials_is_the_loss_that_is_learned():
    """Of the steps that count, at their ends, without the penalties."""
    start = low_rank(n_neurons=100)
    told = {"n_trials": 640, "validate_every": 64, "n_validation": 64, "activity_penalty": 0.5}
    _, history = backprop(start, EASY, **told)
    rates = history["loss"] - history["validation_loss"]
    assert 0.85 < float(history["validation_loss"][0]) < 1.1  # of outputs near 0, targets of 1
    assert (rates > -0.1).all()
    net, history = backprop(low_rank(n_neurons=100), EASY, n_trials=1600, noise_step=0.0)
    trials = EASY.sample(64, 3, dt=net.dt)
    sim = pdn.simulate(net, trials, bin_width=net.dt, dtype="float64")
    ends = np.zeros((64, 1 + sim.sizes["time"]))
    means = sim["output"].transpose("trial", "time", "output").to_numpy()[..., 0]
    for step in range(means.shape[1]):
        ends[:, step + 1] = 2 * means[:, step] - ends[:, step]
    counts = trials["mask"].transpose("trial", "step_time").to_numpy() > 0
    target = trials["target"].transpose("trial", "step_time", "output").to_numpy()[..., 0]
    expected = ((ends[:, 1:] - target) ** 2)[counts].mean()
    found = loss_of_outputs(net, trials, np.random.default_rng(0))
    assert found == pytest.approx(expected, rel=1e-3)


def test_what_is_worse_than_no_answer_is_said():
    with pytest.warns(PopdynWarning, match="outputs that stay 0 one of 1: learning did not settle"):
        backprop(low_rank(), EASY, **SHORT, learning_rate=10.0)


@pytest.mark.parametrize("price", [0.0, 3.0])
def test_the_first_step_goes_down_the_loss_and_the_price_of_weights(price, monkeypatch):
    """Adam would hide a wrong size of the penalty's slope: it is read before it gets there."""
    seen = []

    def step(self, gradient, rate):
        seen.append({name: slope.copy() for name, slope in gradient.items()})

    monkeypatch.setattr(Adam, "step", step)
    net = low_rank()
    told = {**SHORT, "n_trials": 16, "clip": 1e9, "learn": ("m",), "n_validation": 2}
    backprop(net, EASY, **told)
    backprop(net, EASY, **told, weight_penalty=price)
    free, dear = (one["m"] for one in seen)
    assert dear - free == pytest.approx(2 * price * net.m / net.n_neurons, abs=1e-12)
