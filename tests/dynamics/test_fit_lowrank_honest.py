"""What a fit may not know, and what it must do again: held-out conditions, and its own start."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.dynamics.fit_lowrank_scores import Score, draws

QUICK = {"n_folds": 2, "n_starts": 1, "n_iterations": 150, "n_draws": 20, "ceiling": False}


def of_one_condition(name="rate", n_conditions=8, n_neurons=24):
    """Noise about a mean of each neuron, which was recorded in one condition alone."""
    rng = np.random.default_rng(0)
    mean = rng.uniform(5, 60, n_neurons)
    values = np.full((n_neurons, 30, n_conditions), np.nan)
    for neuron in range(n_neurons):
        noise = rng.standard_normal((30,))
        values[neuron, :, neuron % n_conditions] = mean[neuron] + noise
    time = 0.02 * (np.arange(30) + 0.5)
    names = [f"c{i}" for i in range(n_conditions)]
    coords = {"time": time, "condition": names}
    attrs = {"units": "Hz", "bin_width": 0.02}
    dims = ("neuron", "time", "condition")
    rates = xr.DataArray(values, dims=dims, coords=coords, name="rate", attrs=attrs)
    shown = np.zeros((1, 30, n_conditions))
    shown[0, 5:15] = np.linspace(-1, 1, n_conditions)
    return rates, xr.DataArray(shown, dims=("channel", "time", "condition"), coords=coords)


@pytest.mark.filterwarnings("ignore::popdyn.errors.PopdynWarning")
def test_means_of_neurons_seen_in_held_out_conditions_alone_are_not_known():
    rates, inputs = of_one_condition()
    fit = pdn.dynamics.fit_lowrank(rates, inputs, 1, **QUICK)
    assert float(fit["r2"][0]) < 0.2
    assert float(fit["shuffled_r2"]) < 0.2


@pytest.mark.filterwarnings("ignore::popdyn.errors.PopdynWarning")
def test_what_is_predicted_of_held_out_conditions_does_not_depend_on_them():
    rates, inputs = of_one_condition()
    whole = xr.where(np.isnan(rates), 20.0, rates, keep_attrs=True).assign_attrs(rates.attrs)
    told = {**QUICK, "n_iterations": 20, "rng": 3}
    before = pdn.dynamics.fit_lowrank(whole, inputs, 1, **told)
    out = before["fold"].values == 0
    changed = whole.copy(deep=True)
    changed[:, :, out] = changed[:, :, out] + 30.0
    after = pdn.dynamics.fit_lowrank(changed, inputs, 1, **told)
    one, other = (fit["held_out"].isel(condition=out).values for fit in (before, after))
    assert other == pytest.approx(one, rel=1e-12)


@pytest.fixture(scope="module")
def started():
    """A network with a first state and a bias, and its activity in bins of a step."""
    rng = np.random.default_rng(0)
    m, weights, bias, initial = rng.standard_normal((4, 40, 1))
    n = 1.2 * m + rng.standard_normal((40, 1))
    constants = {"bias": 0.3 * bias[:, 0], "initial": initial[:, 0]}
    net = pdn.network.LowRank(m, n, weights, m.T, **constants)
    trials = pdn.tasks.PerceptualDecision().sample(24, 0, dt=net.dt)
    return net, trials, pdn.simulate(net, trials, bin_width=net.dt)["rate"]


def test_the_first_state_that_is_found_is_that_of_the_network(started):
    net, trials, rate = started
    fit = pdn.dynamics.fit_lowrank(rate, trials, 1, learn=("bias", "initial"), **QUICK)
    slope = float(fit["initial"].values @ net.initial / (net.initial @ net.initial))
    assert slope == pytest.approx(1.0, abs=0.03)
    assert np.corrcoef(fit["bias"], net.bias)[0, 1] > 0.98


def test_a_fitted_network_does_what_the_fit_says_from_its_first_bin_on(started):
    _, trials, rate = started
    fit = pdn.dynamics.fit_lowrank(rate, trials, 1, learn=("bias", "initial"), **QUICK)
    net = pdn.network.LowRank.from_dataset(fit)
    done = pdn.simulate(net, trials, bin_width=net.dt)["rate"].values
    assert np.abs(done - fit["predicted"].values)[:, :3].mean() < 0.005


@pytest.mark.filterwarnings("ignore::popdyn.errors.PopdynWarning")
def test_what_a_fit_stands_beside_knows_nothing_of_held_out_conditions_either(started):
    """Components are those of scikit-learn, averages by hand, of the conditions that are kept."""
    decomposition = pytest.importorskip("sklearn.decomposition")
    _, trials, rate = started
    told = {**QUICK, "n_iterations": 5, "n_folds": 3}
    fit = pdn.dynamics.fit_lowrank(rate, trials, [1, 2], **told)
    values, fold = rate.transpose("trial", "time", "neuron").values, fit["fold"].values
    total = ((values - values.mean()) ** 2).sum()
    for rank in (1, 2):
        left = 0.0
        for number in range(3):
            kept, out = values[fold != number], values[fold == number]
            model = decomposition.PCA(rank).fit(kept.reshape(-1, values.shape[2]))
            flat = out.reshape(-1, values.shape[2])
            left += ((flat - model.inverse_transform(model.transform(flat))) ** 2).sum()
        assert float(fit["pca_r2"].sel(n_ranks=rank)) == pytest.approx(1 - left / total, rel=1e-6)
    parts = [(values[fold == k] - values[fold != k].mean(axis=0)) ** 2 for k in range(3)]
    left = sum(part.sum() for part in parts)
    assert float(fit["average_r2"]) == pytest.approx(1 - left / total, rel=1e-6)


@pytest.mark.parametrize(("n_conditions", "least"), [(4, 0.83), (12, 0.82), (36, 0.87)])
def test_intervals_hold_the_truth_when_conditions_differ_in_how_well_they_are_predicted(
    n_conditions, least
):
    """Errors that vary over conditions by a factor of 2.2 either way: as plain percentiles .72."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        condition = rng.lognormal(0, 0.8, n_conditions)[None]
        neuron = rng.gamma(4, 1 / 4, (60, 1))
        error = 0.1 * condition * neuron * rng.gamma(8, 1 / 8, (60, n_conditions))
        null = neuron * np.ones((1, n_conditions))
        score = Score(error, null, null)
        lower, upper = score.bounds(*draws((60, n_conditions), 200, rng))
        held += lower <= 1 - 0.1 * np.exp(0.32) <= upper
    assert least < held / 200 < 0.99


def test_an_interval_of_a_perfect_prediction_is_no_nan():
    null = np.ones((5, 4))
    score = Score(0 * null, null, null)
    assert score.bounds(*draws((5, 4), 50, np.random.default_rng(0))).tolist() == [1.0, 1.0]
