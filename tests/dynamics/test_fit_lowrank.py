"""Low-rank fits: planted networks are found, and the result is what the page says it is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.dynamics.fit_lowrank import fit_lowrank
from popdyn.dynamics.fit_lowrank_inputs import read_inputs
from popdyn.errors import PopdynWarning, SourceError
from popdyn.network import LowRank
from popdyn.train.backprop_gradient import loss_and_gradient
from tests.dynamics.planted import cosines, recorded

QUICK = {"n_folds": 2, "n_starts": 1, "n_iterations": 60, "n_draws": 50, "ceiling": False}


@pytest.fixture(scope="module")
def fit():
    """Rank 1, N = 100: B25 of the known answers."""
    _, trials, rate = recorded(n_neurons=100, n_trials=40)
    told = {**QUICK, "n_starts": 2, "n_iterations": 100, "ceiling": True}
    return fit_lowrank(rate, trials, [1, 2], **told)


def test_a_planted_network_of_rank_1_is_found(fit):
    net = recorded(n_neurons=100, n_trials=40)[0]
    assert int(fit["chosen_rank"]) == 1
    # LINT's own numbers are .983 and .967.
    assert float(fit["r2"].sel(n_ranks=1)) > 0.999
    assert cosines(fit["m"].values, net.m)[0] > 0.999
    lower, upper = fit["r2_bound"].sel(n_ranks=1).values
    assert lower <= float(fit["r2"].sel(n_ranks=1)) <= upper
    assert fit["neuron_r2"].sel(n_ranks=1).min() > 0.99


def test_what_stands_beside_the_fit_is_worse_or_as_good(fit):
    best = float(fit["r2"].max())
    assert float(fit["shuffled_r2"]) < 0.5
    assert float(fit["average_r2"]) < 0.2
    assert float(fit["pca_r2"][0]) < best
    assert 0.98 < float(fit["ceiling_r2"]) < 1.0


def test_weights_are_not_determined_but_what_they_do_to_the_activity_is(fit):
    assert float(fit["raw_correlation"]) < 0.9
    assert float(fit["effective_correlation"]) > 0.99
    assert float(fit["loading_cosine"]) > 0.99
    assert "not single weights" in fit.attrs["note"]
    assert f"{float(fit['raw_correlation']):.2f}" in fit.attrs["note"]


def test_the_result_is_a_network_that_does_what_was_predicted(fit):
    _, trials, rate = recorded(n_neurons=100, n_trials=40)
    net = LowRank.from_dataset(fit)
    again = pdn.simulate(net, trials, bin_width=0.02)["rate"]
    assert np.abs(again.values - fit["predicted"].values).max() < 0.03
    assert np.abs(again.values - rate.values).max() < 0.05


def test_held_out_predictions_score_what_is_said(fit):
    y = fit["observed"].values.ravel()
    rank = int(fit["chosen_rank"])
    miss = ((y - fit["held_out"].values.ravel()) ** 2).sum()
    r2 = 1 - miss / ((y - y.mean()) ** 2).sum()
    assert r2 == pytest.approx(float(fit["r2"].sel(n_ranks=rank)), abs=1e-6)


def test_the_result_says_how_it_was_made(fit):
    assert fit.attrs["method"] == "fit_lowrank"
    assert fit.attrs["seed"] == "0"
    parameters = json.loads(fit.attrs["parameters"])
    assert parameters["n_iterations"] == 100
    assert fit["loss"].dims == ("start", "iteration")
    loss = fit["loss"].values[0]
    assert (np.diff(loss[np.isfinite(loss)]) <= 0).all()


def test_a_planted_network_of_rank_2_is_found():
    net, trials, rate = recorded(n_ranks=2, n_trials=40, task="context")
    told = {**QUICK, "n_iterations": 150}
    fit = fit_lowrank(rate, trials, [1, 2, 3], **told)
    assert int(fit["chosen_rank"]) == 2
    assert float(fit["r2"].sel(n_ranks=2)) > 0.99
    assert float(fit["r2"].sel(n_ranks=1)) < float(fit["r2"].sel(n_ranks=2)) - 0.005
    assert cosines(fit["m"].values, net.m)[1] > 0.97


@pytest.mark.parametrize("n_recorded", [6, 30])
def test_a_part_of_the_neurons_is_enough_with_or_without_the_others(n_recorded):
    net, trials, rate = recorded(n_neurons=60)
    part = rate.isel(neuron=np.arange(0, 60, 60 // n_recorded))
    fit = fit_lowrank(part, trials, 1, n_neurons=60, **QUICK)
    assert fit.sizes["neuron"] == 60
    assert int(fit["recorded"].sum()) == n_recorded
    assert float(fit["r2"][0]) > 0.97
    assert np.isnan(fit["neuron_r2"].values[0, n_recorded:]).all()
    assert np.unique(fit["neuron"].values).size == 60
    assert cosines(fit["m"].values[:n_recorded], net.m[part["neuron"].values])[0] > 0.97


def test_units_of_the_inputs_do_not_matter():
    _, trials, rate = recorded(n_ranks=2, task="context")
    other = trials.copy()
    size = xr.DataArray([1.0, 34.0, 100.0, 0.01], dims="channel")
    other["inputs"] = (trials["inputs"] * size).transpose(*trials["inputs"].dims)
    one, two = (fit_lowrank(rate, shown, 2, **QUICK) for shown in (trials, other))
    assert two["predicted"].values == pytest.approx(one["predicted"].values, abs=1e-3)
    weights = two["input"].values * size.values
    assert weights == pytest.approx(one["input"].values, abs=0.05)
    again = pdn.simulate(LowRank.from_dataset(two), other, bin_width=0.02)["rate"]
    assert np.abs(again.values - two["predicted"].values).max() < 0.05


def test_rates_in_hertz_have_a_scale_and_an_offset():
    _, trials, rate = recorded(n_trials=30)
    hertz = pdn.make_tensor(
        5 + 3 * (1 + rate.values), rate["time"].values, align="start_time", bin_width=0.02
    )
    fit = fit_lowrank(hertz, trials, 1, **{**QUICK, "n_iterations": 100})
    assert fit["scale"].attrs["units"] == "Hz"
    assert float(fit["neuron_r2"].median()) > 0.97
    net = LowRank.from_dataset(fit)
    again = pdn.simulate(net, trials, bin_width=0.02)["rate"]
    seen = fit["offset"].values[:, None, None] + fit["scale"].values[:, None, None] * again.values
    assert np.abs(seen - fit["predicted"].values).max() < 0.3


def test_states_are_fitted_as_they_are():
    net, trials, _ = recorded()
    sim = pdn.simulate(net, trials, bin_width=0.02, record=("state",))
    fit = fit_lowrank(sim["potential"], trials, 1, observation="state", **QUICK)
    assert float(fit["r2"][0]) > 0.99


def test_averages_are_fitted_with_inputs_by_condition():
    _, trials, rate = recorded()
    shown = xr.DataArray(
        trials["inputs"].values,
        dims=("channel", "time", "condition"),
        coords={"time": rate["time"].values},
    )
    average = xr.DataArray(
        rate.values, dims=("neuron", "time", "condition"), coords={"time": rate["time"].values}
    )
    fit = fit_lowrank(average, shown, 1, **QUICK)
    assert fit["held_out"].dims == ("neuron", "time", "condition")
    # The conditions are the trials.
    same = fit_lowrank(rate, trials, 1, **QUICK)
    assert np.array_equal(fit["m"].values, same["m"].values)


def test_what_is_masked_or_nan_may_be_anything():
    _, trials, rate = recorded()
    mask = rate["time"].values > 0.3
    spoiled = rate.copy()
    spoiled[:, ~mask] = np.where(np.arange(24) % 2, np.nan, 7.0)
    one = fit_lowrank(rate, trials, 1, mask=mask, **QUICK)
    two = fit_lowrank(spoiled, trials, 1, mask=mask, **QUICK)
    assert np.array_equal(one["m"].values, two["m"].values)
    assert float(one["r2"][0]) > 0.97
    assert np.isnan(one["observed"].values[:, ~mask]).all()


def test_inputs_may_start_before_the_activity_counts():
    _, trials, rate = recorded()
    late = rate.isel(time=slice(10, None))
    fit = fit_lowrank(late, trials, 1, **QUICK)
    assert float(fit["r2"][0]) > 0.97


def test_a_lag_delays_the_inputs():
    _, trials, rate = recorded()
    earlier = trials.copy()
    earlier["inputs"] = trials["inputs"].shift(step_time=-3).fillna(0.0)
    told = {"width": 0.02, "every": 1}
    shown = read_inputs(trials, rate, lag=0.0, **told)
    later = read_inputs(earlier, rate, lag=0.06, **told)
    assert later.shape == shown.shape == (24, 51, 1)
    # The mean of two neighboring steps, of which the first three are not known.
    assert np.array_equal(later[:, 4:], shown[:, 4:])
    assert not np.array_equal(read_inputs(earlier, rate, lag=0.04, **told)[:, 4:], shown[:, 4:])


def test_the_network_of_a_fit_with_a_lag_asks_for_later_inputs():
    _, trials, rate = recorded()
    # What was heard 60 ms later in the recording.
    earlier = trials.assign(inputs=trials["inputs"].shift(step_time=-3, fill_value=0.0))
    fit = fit_lowrank(rate, earlier, 1, lag=0.06, **QUICK)
    assert fit.attrs["lag"] == 0.06
    assert "fitted with lag=0.06 s: delay what it is shown as much" in fit.attrs["note"]
    with pytest.warns(PopdynWarning, match=r"with lag=0.06 s and does not delay its inputs itself"):
        net = LowRank.from_dataset(fit)
    at = np.maximum(np.arange(51) - 3, 0)
    later = earlier.assign(inputs=earlier["inputs"].copy(data=earlier["inputs"].values[:, at]))
    early, right = (pdn.simulate(net, shown, bin_width=0.02)["rate"] for shown in (earlier, later))
    assert np.abs(right.values - fit["predicted"].values).max() < 0.03
    assert np.abs(early.values - fit["predicted"].values).max() > 0.2


def test_steps_may_be_shorter_than_bins():
    net, trials, _ = recorded()
    rate = pdn.simulate(net, trials, bin_width=0.06)["rate"]
    fit = fit_lowrank(rate, trials, 1, dt=0.02, **QUICK)
    assert float(fit["dt"]) == pytest.approx(0.02)
    assert float(fit["r2"][0]) > 0.99


def test_a_fit_goes_on_from_its_file_to_the_same_bits(tmp_path, monkeypatch):
    _, trials, rate = recorded()
    told = {**QUICK, "n_starts": 2, "n_iterations": 15}
    whole = fit_lowrank(rate, trials, [1, 2], **told)
    from popdyn.dynamics import fit_lowrank_jobs as jobs

    solve, calls = jobs.solve, []

    def interrupted(*given):
        calls.append(1)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return solve(*given)

    monkeypatch.setattr(jobs, "solve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_lowrank(rate, trials, [1, 2], checkpoint=tmp_path / "fit.npz", **told)
    calls.clear()
    monkeypatch.setattr(jobs, "solve", lambda *given: calls.append(1) or solve(*given))
    again = fit_lowrank(rate, trials, [1, 2], checkpoint=tmp_path / "fit.npz", n_jobs=2, **told)
    n_all = 2 * 2 * 2 + 2 + 2
    assert len(calls) == n_all - 4
    assert again.identical(whole)
    words = r"fit.npz' is of another fit \(seed: 0, now 1\)"
    with pytest.raises(SourceError, match=words):
        fit_lowrank(rate, trials, [1, 2], checkpoint=tmp_path / "fit.npz", rng=1, **told)


def test_other_ranks_and_more_starts_use_what_the_file_holds(tmp_path, monkeypatch):
    _, trials, rate = recorded()
    more = {**QUICK, "n_iterations": 10, "n_starts": 2, "ceiling": True}
    whole = fit_lowrank(rate, trials, [1, 2], **more)
    file = tmp_path / "fit.npz"
    fit_lowrank(rate, trials, 2, checkpoint=file, **{**more, "n_starts": 1, "ceiling": False})
    from popdyn.dynamics import fit_lowrank_jobs as jobs

    solve, calls = jobs.solve, []
    monkeypatch.setattr(jobs, "solve", lambda *given: calls.append(1) or solve(*given))
    again = fit_lowrank(rate, trials, [1, 2], checkpoint=file, **more)
    # Held out: rank 2 of the first start and exchanged inputs were there; and full weights.
    n_folds, n_held_out = 2, 2 * 2 * 2 + 2 + 2
    n_there = n_folds + n_folds + int(whole["chosen_rank"] == 2)
    assert len(calls) == n_held_out + 2 - n_there
    assert again.identical(whole)


def test_a_file_that_is_no_fit_is_refused_as_such(tmp_path):
    _, trials, rate = recorded()
    file = tmp_path / "fit.npz"
    file.write_bytes(b"other")
    with pytest.raises(SourceError, match="fit.npz' is no checkpoint of a fit, or is damaged"):
        fit_lowrank(rate, trials, 1, checkpoint=file, **QUICK)


def test_inputs_of_a_single_condition_are_not_exchanged():
    _, trials, rate = recorded()
    two = slice(0, 2)
    fit = fit_lowrank(rate.isel(trial=two), trials.isel(trial=two), 1, **QUICK)
    assert "shuffled_r2" not in fit
    assert "inputs exchanged" not in fit.attrs["note"]
    assert pdn.plot.fit_lowrank(fit).get_legend() is not None


def test_what_is_predicted_of_a_neuron_has_an_interval(fit):
    own, bound = (fit[name].sel(n_ranks=1) for name in ("neuron_r2", "neuron_r2_bound"))
    assert bound.dims == ("bound", "neuron")
    assert bool(((bound[0] < own) & (own < bound[1])).all())
    # A bootstrap of trials, by hand.
    y, guess = (fit[name].values[7].astype(float) for name in ("observed", "held_out"))
    error, null = ((y - guess) ** 2).sum(axis=0), ((y - y.mean()) ** 2).sum(axis=0)
    drawn = np.random.default_rng(5).integers(40, size=(4000, 40))
    wanted = np.quantile(1 - error[drawn].sum(axis=1) / null[drawn].sum(axis=1), [0.025, 0.975])
    width = wanted[1] - wanted[0]
    assert bound.sel(neuron=7).values == pytest.approx(wanted, abs=0.6 * width)


def test_a_diverging_fit_keeps_its_best(monkeypatch):
    from popdyn.dynamics import fit_lowrank_solve as solving

    _, trials, rate = recorded()
    gradient, calls = solving.loss_and_gradient, []

    def exploding(parameters, circuit, lesson):
        calls.append(1)
        loss, slope = gradient(parameters, circuit, lesson)
        return (loss, slope) if len(calls) < 20 else (np.inf, slope)

    monkeypatch.setattr(solving, "loss_and_gradient", exploding)
    start = {"m": np.ones((40, 1)), "n": np.ones((40, 1)), "input": np.ones((40, 1))}
    found, again = _solved(solving, rate, trials, start)
    assert found.diverged
    assert found.loss[-1] == found.loss.min() < found.loss[0]
    assert again(found.parameters) == found.loss[-1]


def test_fits_that_diverge_are_said(monkeypatch):
    from popdyn.dynamics import fit_lowrank_jobs as jobs

    _, trials, rate = recorded()
    solve = jobs.solve
    monkeypatch.setattr(jobs, "solve", lambda *given: replace(solve(*given), diverged=True))
    words = r"fits \(of rank 1\) diverged.*keeps the best weights it had"
    with pytest.warns(PopdynWarning, match=words):
        fit = fit_lowrank(rate, trials, 1, **{**QUICK, "n_iterations": 10})
    assert fit["diverged"].values.all()


def _solved(solving, rate, trials, start):
    from popdyn.dynamics.fit_lowrank_data import read_recording
    from popdyn.dynamics.fit_lowrank_model import make_model

    recording = read_recording(rate, trials, mask=None, lag=0.0, tau=0.1, dt=None)
    model = make_model(
        recording, "rate", n_neurons=40, nonlinearity="tanh", tau=0.1, learned=(), initial=None
    )
    lesson = model.lesson(recording, np.arange(24))
    found = solving.solve(start, {}, model.circuit, lesson, 60)
    return found, lambda p: loss_and_gradient(p, model.circuit, lesson)[0]
