"""Fits of counts: their likelihood, what is known before, and the rank that is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

import popdyn as pdn
from popdyn.dynamics.fit_lowrank import fit_lowrank
from popdyn.dynamics.fit_lowrank_data import read_recording
from popdyn.dynamics.fit_lowrank_model import EXTRAS, Model, make_model
from popdyn.dynamics.fit_lowrank_scores import Score, chosen
from popdyn.train.backprop_gradient import loss_and_gradient
from tests.dynamics.planted import cosines, recorded

QUICK = {"n_folds": 2, "n_starts": 1, "n_iterations": 60, "n_draws": 50, "ceiling": False}
HERTZ, WIDTH = 20.0, 0.02


def counted(n_neurons=40, n_trials=40):
    """The teacher, trials, counts of 20 Hz on average, and the rates behind them."""
    net, trials, rate = recorded(n_neurons, n_trials=n_trials)
    hertz = HERTZ * (1 + rate.values)
    drawn = np.random.default_rng(0).poisson(hertz * WIDTH).astype(float)
    counts = pdn.make_tensor(
        drawn, rate["time"].values, name="spike_count", units="1", align="start_time",
        bin_width=WIDTH,
    )  # fmt: skip
    return net, trials, counts, hertz


def modeled(counts, trials):
    recording = read_recording(counts, trials, mask=None, lag=0.0, tau=0.1, dt=None)
    model = make_model(
        recording, "poisson", n_neurons=counts.sizes["neuron"], nonlinearity="tanh", tau=0.1,
        learned=EXTRAS, initial=None,
    )  # fmt: skip
    return recording, model


def of_truth(fit, hertz):
    """R² of the rates behind the counts, which the fit never saw."""
    about = hertz.mean(axis=(1, 2), keepdims=True)
    miss = fit["held_out"].values / WIDTH - hertz
    return 1 - (miss**2).sum() / ((hertz - about) ** 2).sum()


def test_counts_are_fitted_by_their_likelihood():
    net, trials, counts, hertz = counted()
    fit = fit_lowrank(counts, trials, 1, **QUICK)
    assert fit.attrs["observation"] == "poisson"
    assert of_truth(fit, hertz) > 0.92
    assert cosines(fit["m"].values, net.m)[0] > 0.93
    assert 0 < float(fit["r2"][0]) < 0.3
    # With tanh a neuron whose scale and loadings change sign is the same neuron.
    assert (fit["scale"].values > 0).all()


def test_a_fit_that_starts_at_the_planted_weights_ends_no_better(monkeypatch):
    net, trials, counts, hertz = counted()
    found = of_truth(fit_lowrank(counts, trials, 1, **QUICK), hertz)
    drawn, size = Model.start, np.abs(trials["inputs"].values).max()
    planted = {"m": net.m, "n": net.n, "input": net.input * size}
    monkeypatch.setattr(Model, "start", lambda *given: drawn(*given) | planted)
    assert of_truth(fit_lowrank(counts, trials, 1, **QUICK), hertz) < found + 0.003


def test_the_loss_of_counts_is_that_of_scipy():
    _, trials, counts, _ = counted(5, 6)
    recording, model = modeled(counts, trials)
    lesson = model.lesson(recording, np.arange(6))

    def both(seed):
        parameters = model.start(1, np.random.default_rng(seed))
        mean = model.predicted(parameters, recording)
        likelihood = poisson.logpmf(recording.values, mean).sum()
        return loss_and_gradient(parameters, model.circuit, lesson)[0], likelihood

    (loss, likelihood), (other, less) = both(0), both(1)
    average = recording.values.mean(axis=(0, 1))
    null = 2 * (
        poisson.logpmf(recording.values, np.maximum(recording.values, 1e-12)).sum()
        - poisson.logpmf(recording.values, average).sum()
    )
    assert loss - other == pytest.approx(-2 * (likelihood - less) / null, rel=1e-6)


def test_the_gradient_of_counts_equals_finite_differences():
    _, trials, counts, _ = counted(5, 6)
    recording, model = modeled(counts, trials)
    lesson = model.lesson(recording, np.arange(6))
    rng = np.random.default_rng(0)
    parameters = model.start(2, rng)
    # Rates far down and far up the softly rectified line too.
    parameters["offset"] += np.linspace(-12, 12, 5)
    _, slope = loss_and_gradient(parameters, model.circuit, lesson)
    for name, values in parameters.items():
        way = rng.standard_normal(values.shape)
        ends = [
            loss_and_gradient(parameters | {name: values + h * way}, model.circuit, lesson)[0]
            for h in (1e-5, -1e-5)
        ]
        along = (slope[name] * way).sum()
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(along, rel=1e-6, abs=1e-9), name


def test_the_prior_of_counts_is_a_normal_distribution_around_the_start():
    _, trials, counts, _ = counted(5, 6)
    recording, model = modeled(counts, trials)
    items = np.arange(6)
    prior = model.prior(recording, items, ["m", "scale", "recurrent"])
    # The loss is twice the negative log likelihood, in this unit.
    mean = recording.values.mean(axis=(0, 1))
    saturated = poisson.logpmf(recording.values, np.maximum(recording.values, 1e-12)).sum()
    unit = 2 * (saturated - poisson.logpmf(recording.values, mean).sum())
    assert prior["m"] == pytest.approx((0.0, 1 / unit), rel=1e-6)
    assert prior["scale"] == pytest.approx((2.0, 1 / unit), rel=1e-6)
    assert prior["recurrent"][1] == pytest.approx(5 * 4 / unit, rel=1e-6)
    assert modeled(counts, trials)[1].prior(recording, items, []) == {}


def test_a_neuron_turned_round_is_the_same_neuron():
    _, trials, counts, _ = counted(5, 6)
    recording, model = modeled(counts, trials)
    parameters = model.start(2, np.random.default_rng(0))
    parameters["initial"] += 0.3
    parameters["bias"] -= 0.2
    parameters["scale"][[1, 3]] *= -1
    turned = model.upright(parameters)
    assert (turned["scale"] > 0).all()
    assert np.array_equal(turned["m"][1], -parameters["m"][1])
    assert np.array_equal(turned["m"][0], parameters["m"][0])
    same = model.predicted(turned, recording)
    assert same == pytest.approx(model.predicted(parameters, recording), abs=1e-12)


def scored(*errors):
    """Scores of ranks with errors (condition,) of one neuron; predicting a mean has 10 each."""
    null = np.full((1, len(errors[0])), 10.0)
    return [Score(np.array([error]), null, null) for error in errors]


def test_the_smallest_rank_that_is_as_good_as_the_best_is_chosen():
    best = np.array([1.0, 2.0, 1.5, 1.0])
    # Sums of .8, whose standard errors over four conditions are .23 and .52.
    sure, unsure = np.array([0.1, 0.3, 0.3, 0.1]), np.array([-0.1, 0.3, 0.5, 0.1])
    assert chosen(scored(best + sure, best)) == 1
    assert chosen(scored(best + unsure, best)) == 0
    # Less than .001 of the 34.5 that the best explains.
    assert chosen(scored(best + 0.008, best)) == 0
    assert chosen(scored(best + 0.009, best)) == 1
    assert chosen(scored(best, best + 1)) == 0
