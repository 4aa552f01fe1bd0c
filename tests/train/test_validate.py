"""Tests with learning off: fresh trials, the first left out, losses as outputs are averaged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

import popdyn as pdn
from popdyn.errors import FitError
from popdyn.train.validate import validate, wilson_interval

DT = 0.001
SINE = pdn.tasks.Oscillation(sines=[(2, 1.0)], oscillation_duration=0.5)


def silent(n_outputs=1, n_inputs=1, dt=DT):
    return pdn.network.Rate(
        np.zeros((5, 5)), np.zeros((5, n_inputs)), np.zeros((n_outputs, 5)), tau=0.05, dt=dt
    )


def test_silence_is_wrong_by_the_mean_square_of_the_target():
    score = validate(silent(), SINE, 10, np.random.default_rng(0), 0.0)
    assert score.accuracy == 0
    assert score.loss == pytest.approx(0.5, rel=0.01)
    assert score.bound.tolist() == list(wilson_interval(0, 10))


@pytest.mark.parametrize("dt", [0.001, 0.003, 0.02])
def test_the_loss_is_that_of_outputs_and_targets_averaged_over_bins(dt):
    task = pdn.tasks.PerceptualDecision()
    net = silent(n_inputs=task.sample(1).sizes["channel"], dt=dt)
    net = type(net)(net.recurrent, net.input, net.output, tau=0.05, dt=dt, output_bias=[0.3])
    score = validate(net, task, 6, np.random.default_rng(3), 0.0)
    trials = task.sample(7, np.random.default_rng(3), dt=dt).isel(trial=slice(1, None))
    every = max(1, round(0.01 / dt))
    squared = []
    for _, trial in trials.groupby("trial"):
        target = trial["target"].squeeze("trial").values[0]
        mask = trial["mask"].squeeze("trial").values
        n_own = round(float(trial["stop_time"].item() - trial["start_time"].item()) / dt)
        middle = (target + np.append(target[0], target[:-1])) / 2
        for first in range(0, n_own - every + 1, every):
            part = slice(first, first + every)
            if mask[part].any():
                squared.append((0.3 - middle[part].mean()) ** 2)
    assert score.loss == pytest.approx(np.mean(squared), rel=1e-9)


def test_the_trial_in_which_the_network_gets_going_does_not_count(monkeypatch):
    seen = {}

    def watched(net, trials, **options):
        seen.update(options, n=trials.sizes["trial"])
        return pdn.simulate(net, trials, **options)

    monkeypatch.setattr("popdyn.train.validate.simulate", watched)
    validate(silent(), SINE, 10, np.random.default_rng(0), 0.25)
    assert seen["n"] == 11
    assert seen["continuous"] is True
    assert seen["noise_density"] == 0.25


def test_the_same_generator_gives_the_same_score_and_another_does_not():
    net = pdn.network.Rate.random(20, n_inputs=2, tau=0.01, dt=0.01, rng=0)
    task = pdn.tasks.IntervalProduction(dt=0.01)
    scores = [validate(net, task, 5, np.random.default_rng(seed), 0.1) for seed in (0, 0, 1)]
    assert scores[0].loss == scores[1].loss
    assert scores[0].loss != scores[2].loss


def test_rates_beyond_all_bounds_are_no_score():
    net = pdn.network.Rate.random(20, g=4.0, nonlinearity="linear", tau=0.01, dt=DT, rng=0)
    score = validate(net, SINE, 20, np.random.default_rng(0), 0.0)
    assert np.isnan([score.accuracy, score.loss, *score.bound]).all()


def test_catch_trials_alone_are_refused():
    task = pdn.tasks.IntervalProduction(catch_fraction=0.999)
    with pytest.raises(FitError, match="none of the 4 trials .* are catch trials.*catch_fraction"):
        validate(silent(n_inputs=2, dt=0.01), task, 4, np.random.default_rng(0), 0.0)


def test_catch_trials_do_not_count():
    task = pdn.tasks.IntervalProduction(catch_fraction=0.5, dt=0.01)
    net = silent(n_inputs=2, dt=0.01)
    score = validate(net, task, 40, np.random.default_rng(0), 0.0)
    n = round(3.84 * (1 - score.bound[1]) / score.bound[1])
    assert 10 < n < 30


@pytest.mark.parametrize(("n_correct", "n"), [(0, 10), (1, 7), (9, 10), (50, 100), (30, 30)])
def test_the_interval_is_that_of_wilson(n_correct, n):
    expected = binomtest(n_correct, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(n_correct, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
