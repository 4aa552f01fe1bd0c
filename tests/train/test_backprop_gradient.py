"""The gradient that networks are trained by: equal to autograd, differences and a plain form."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from popdyn.train.backprop_gradient import Circuit, loss_and_gradient
from popdyn.train.backprop_loss import Lesson
from popdyn.train.backprop_noise import add_noise
from tests.oracles import backprop as oracle
from tests.oracles import torch_gradients

FAST = {"n_trials": 11, "n_steps": 9, "n": 14}


def difference(found, expected):
    """Largest relative difference of any array, and of the loss."""
    worst = abs(found[0] - expected[0]) / abs(expected[0])
    for name, values in expected[1].items():
        scale = max(np.abs(values).max(), 1e-6)
        worst = max(worst, np.abs(found[1].get(name, 0.0) - values).max() / scale)
    return worst


def lesson_of(given, keys=None):
    keys = np.zeros(len(given["inputs"]), np.uint64) if keys is None else keys
    return Lesson(given["inputs"], given["target"], given["weight"], given["n_steps"], keys)


def case_of(name, **changed):
    rank, nonlinearity, held, poisson = torch_gradients.CASES[name]
    given = torch_gradients.problem(name)
    told = {"held": held, "poisson": poisson, "activity": given["activity"], "dtype": "float64"}
    circuit = Circuit(given["share"], given["gain"], nonlinearity, **{**told, **changed})
    return given, circuit


@pytest.mark.parametrize("name", torch_gradients.CASES)
def test_the_plain_form_equals_the_autograd_that_was_kept(name):
    given, circuit = case_of(name)
    found = oracle.loss_and_gradient(given["parameters"], circuit, lesson_of(given), given["noise"])
    with np.load(torch_gradients.KEPT) as kept:
        values = {key.split("/")[1]: kept[key] for key in kept if key.split("/")[0] == name}
    loss = values.pop("loss")
    assert len(values) >= 6
    assert difference(found, (loss, values)) < 1e-12


@pytest.mark.parametrize("name", torch_gradients.CASES)
def test_what_was_kept_is_what_torch_gives(name):
    pytest.importorskip("torch")
    with np.load(torch_gradients.KEPT) as kept:
        for key, values in torch_gradients.by_autograd(name).items():
            assert np.allclose(values, kept[f"{name}/{key}"], rtol=1e-12, atol=1e-14)


def noise_of(keys, n_steps, n):
    """The normal numbers of trials ``(trial, step, neuron)``."""
    row = np.empty(n, np.float32)
    noise = np.empty((len(keys), n_steps, n))
    for trial, key in enumerate(keys):
        for step in range(n_steps):
            row[:] = 0
            add_noise(row, np.float32(1), key, step)
            noise[trial, step] = row
    return noise


def drawn(rank, held, poisson, seed=0):
    """A problem with more trials than a tile, and NaN where nothing is asked."""
    rng = np.random.default_rng(seed)
    n, n_trials, n_steps = FAST["n"], FAST["n_trials"], FAST["n_steps"]
    p = {
        "input": rng.standard_normal((n, 2)), "output": rng.standard_normal((2, n)),
        "output_bias": rng.standard_normal(2), "bias": 0.1 * rng.standard_normal(n),
        "initial": 0.5 * rng.standard_normal(n), "scale": rng.uniform(0.8, 1.2, n),
        "offset": 0.1 * rng.standard_normal(n),
    }  # fmt: skip
    if rank:
        p |= {"m": rng.standard_normal((n, rank)), "n": rng.standard_normal((n, rank))}
    else:
        p["recurrent"] = rng.standard_normal((n, n)) / n**0.5
    shape = (n_trials, n_steps, 2 if held == "output" else n)
    steps = rng.integers(4, n_steps + 1, n_trials)
    weight = rng.random(shape) * (rng.random(shape) < 0.6)
    weight *= (np.arange(n_steps) < steps[:, None])[..., None]
    target = rng.poisson(1.0, shape) if poisson else rng.standard_normal(shape)
    keys = rng.integers(0, 2**32, n_trials, dtype=np.uint64)
    inputs = rng.standard_normal((n_trials, n_steps, 2))
    return p, Lesson(inputs, np.where(weight > 0, target, np.nan), weight, steps, keys)


HELD = [("output", False), ("rate", False), ("rate", True), ("state", False), ("state", True)]


@pytest.mark.parametrize("nonlinearity", oracle.FUNCTIONS)
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_the_kernels_equal_the_plain_form(rank, nonlinearity):
    rng = np.random.default_rng(3)
    share, gain = rng.uniform(0.1, 0.4, FAST["n"]), rng.uniform(0.6, 1.3, FAST["n"])
    for (held, poisson), (dtype, bound) in product(HELD, [("float64", 1e-12), ("float32", 1e-4)]):
        circuit = Circuit(share, gain, nonlinearity, held, poisson, 0.1, 0.3, dtype)
        p, lesson = drawn(rank, held, poisson)
        noise = 0.1 * noise_of(lesson.keys, FAST["n_steps"], FAST["n"])
        expected = oracle.loss_and_gradient(p, circuit, lesson, noise)
        assert difference(loss_and_gradient(p, circuit, lesson), expected) < bound


@pytest.mark.parametrize("first", [1.0, 0.5])
@pytest.mark.parametrize("name", ["rank_2_tanh_output", "full_sigmoid_rate_poisson"])
def test_the_kernels_equal_finite_differences(name, first):
    """Also where half of the first step is made, so that states are halfway through steps."""
    given, circuit = case_of(name, first=first)
    p, lesson = given["parameters"], lesson_of(given)
    _, gradient = loss_and_gradient(p, circuit, lesson)
    rng = np.random.default_rng(1)
    for key, values in p.items():
        direction = rng.standard_normal(values.shape)
        ends = [
            loss_and_gradient({**p, key: values + h * direction}, circuit, lesson)[0]
            for h in (1e-5, -1e-5)
        ]
        along = (gradient[key] * direction).sum()
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(along, rel=1e-6, abs=1e-9), key


@pytest.mark.parametrize("rank", [0, 2])
def test_half_a_first_step_is_the_middle_of_a_whole_one(rank):
    """By its loss, with a state at the start and a bias; noise comes on top."""
    p, lesson = drawn(rank, "state", False)
    lesson = lesson._replace(
        n_steps=np.ones_like(lesson.n_steps), target=np.zeros(lesson.target.shape)
    )
    share = np.full(FAST["n"], 0.3)
    circuit = Circuit(share, np.ones(FAST["n"]), "tanh", "state", dtype="float64", first=0.5)
    loss, _ = loss_and_gradient(p, circuit, lesson)
    recurrent = p["m"] @ p["n"].T / FAST["n"] if rank else p["recurrent"]
    drive = recurrent @ np.tanh(p["initial"]) + lesson.inputs[:, 0] @ p["input"].T + p["bias"]
    middle = p["initial"] + 0.15 * (drive - p["initial"])
    expected = lesson.weight[:, 0] * (p["scale"] * middle + p["offset"]) ** 2
    assert loss == pytest.approx(expected.sum(), rel=1e-12)


@pytest.mark.parametrize("rank", [0, 2])
def test_what_a_trial_is_shown_after_its_end_may_be_anything(rank):
    p, lesson = drawn(rank, "output", False)
    circuit = Circuit(np.full(FAST["n"], 0.3), np.ones(FAST["n"]), "tanh", dtype="float64")
    after = np.arange(FAST["n_steps"])[None, :, None] >= lesson.n_steps[:, None, None]
    nothing = lesson._replace(inputs=np.where(after, np.nan, lesson.inputs))
    found, expected = (loss_and_gradient(p, circuit, one) for one in (nothing, lesson))
    assert difference(found, expected) < 1e-14


@pytest.mark.parametrize("rank", [0, 2])
def test_threads_change_no_bit(rank, monkeypatch):
    monkeypatch.setattr("popdyn.train.backprop_gradient._TILE", {True: 2, False: 2})
    p, lesson = drawn(rank, "output", False)
    circuit = Circuit(np.full(14, 0.2), np.ones(14), "tanh", noise_step=0.1)
    loss, gradient = loss_and_gradient(p, circuit, lesson)
    other, threaded = loss_and_gradient(p, circuit, lesson, 2)
    assert loss == other
    assert all(np.array_equal(gradient[name], threaded[name]) for name in p)


@pytest.mark.parametrize("rank", [0, 2])
def test_steps_after_the_last_that_counts_are_not_run(rank):
    p, lesson = drawn(rank, "output", False)
    circuit = Circuit(np.full(14, 0.2), np.ones(14), "tanh", activity=1.0, dtype="float64")
    expected = loss_and_gradient(p, circuit, lesson)
    inputs = lesson.inputs.copy()
    for trial, n_steps in enumerate(lesson.n_steps):
        inputs[trial, n_steps:] = np.nan
    longer = lesson._replace(inputs=inputs)
    if rank == 0:
        # All trials of a tile are run to the end of the longest.
        longer = longer._replace(inputs=np.nan_to_num(inputs, nan=9.0))
    assert difference(loss_and_gradient(p, circuit, longer), expected) < 1e-13


def test_what_grows_beyond_all_bounds_is_said_by_the_loss():
    p, lesson = drawn(1, "output", False)
    circuit = Circuit(np.full(14, 0.2), np.ones(14), "tanh")
    loss, _ = loss_and_gradient({**p, "output": np.full((2, 14), np.nan)}, circuit, lesson)
    assert np.isnan(loss)


def test_what_is_not_given_is_zero():
    p, lesson = drawn(2, "output", False)
    circuit = Circuit(np.full(14, 0.2), np.ones(14), "tanh", dtype="float64")
    zero = {name: np.zeros_like(p[name]) for name in ("bias", "initial", "output_bias")}
    few = {name: p[name] for name in ("m", "n", "input", "output")}
    loss, gradient = loss_and_gradient(few, circuit, lesson)
    assert loss == loss_and_gradient({**p, **zero}, circuit, lesson)[0]
    assert set(gradient) == set(few)
