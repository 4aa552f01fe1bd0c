"""What cannot be fitted is refused in words that say what to do."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.dynamics.fit_lowrank import fit_lowrank
from popdyn.errors import FitError, PopdynWarning, SourceError, TensorError
from tests.dynamics.planted import recorded

QUICK = {"n_folds": 2, "n_starts": 1, "n_iterations": 2, "n_draws": 5, "ceiling": False}


def given(n_neurons=5):
    """Rates of a few neurons, and inputs on their times."""
    _, trials, rate = recorded(n_trials=24)
    inputs = xr.DataArray(
        trials["inputs"].values, dims=("channel", "time", "trial"),
        coords={"time": rate["time"].values, "trial": rate["trial"].values},
    )  # fmt: skip
    return rate.isel(neuron=slice(n_neurons)), inputs


def refused(error, words, change=lambda rate, inputs: (rate, inputs), n_ranks=1, **told):
    rate, inputs = change(*given())
    with pytest.raises(error, match=re.escape(words)):
        fit_lowrank(rate, inputs, n_ranks, **{**QUICK, **told})


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"n_ranks": 0}, "n_ranks must be a whole number of at least 1"),
        ({"n_ranks": [1, 1]}, "several different ones such as range(1, 6); found [1, 1]"),
        ({"n_ranks": "1"}, "n_ranks must be a whole number"),
        ({"n_folds": 2.5}, "n_folds must be a whole number of at least 1; found 2.5"),
        ({"n_starts": 0}, "n_starts must be a whole number of at least 1; found 0"),
        ({"n_neurons": 3}, "at least 5, the neurons that were recorded; found 3"),
        ({"tau": -1}, "tau must be a positive number of seconds, found -1"),
        ({"tau": "fast"}, "tau must be a positive number of seconds, found 'fast'"),
        ({"tau": 0.01, "dt": 0.02}, "dt must be at most tau=0.01 s, found 0.02 s"),
        ({"dt": 0.015}, "dt must go into the bins of 0.02 s a whole number of times"),
        ({"tau": 1e-4}, "Are time and bin_width of the activity in ms?"),
        ({"observation": "state_"}, "found 'state_'; did you mean 'state'?"),
        ({"observation": "poisson"}, "give the spike_count tensor of single trials"),
        ({"learn": "scales"}, "found 'scales'; did you mean 'scale'?"),
        ({"initial": [0.0]}, "initial must be the state of each of 5 neurons, found (1,)"),
        ({"initial": np.zeros(5), "learn": "initial"}, "initial is either given or learned"),
        ({"nonlinearity": "tan"}, "nonlinearity"),
        ({"lag": 50.0}, "lags are in seconds (50 ms is 0.05)"),
        ({"lag": [0.1, 0.2]}, "one number or one for each of 1 channels"),
        (
            {"lag": 0.01},
            "whole number of steps of 0.02 s, found 0.01 s; the nearest are 0 and 0.02",
        ),
        ({"lag": [0.055]}, "found 0.055 s; the nearest are 0.04 and 0.06 s"),
        ({"lag": -0.1}, "lag must be seconds from an input to its effect, at least 0"),
        ({"mask": np.ones(3, bool)}, "mask must be True where activity counts"),
        ({"mask": np.ones(51)}, "found float64"),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, dict) else "",
)
def test_arguments_that_mean_nothing_are_refused(told, words):
    refused(TensorError, words, **told)


def test_a_rank_above_the_dimensions_of_the_activity_is_refused():
    refused(FitError, "n_ranks=6 is above the 5 dimensions of the activity", n_ranks=[1, 6])

    def doubled(rate, inputs):
        return rate.copy(data=np.repeat(rate.values[:1], 5, axis=0)), inputs

    refused(FitError, "is above the 1 dimensions of the activity", doubled, n_ranks=2)


def test_activity_that_does_not_vary_is_refused():
    words = "the activity does not vary, of any neuron: there is nothing to fit"
    refused(FitError, words, lambda r, u: (r.copy(data=np.ones(r.shape)), u))


def test_counts_that_are_called_rates_are_refused():
    words = "observation='rate' is of rates or states, the activity is the counts of single trials"
    refused(
        TensorError, words, lambda r, u: (np.abs(r).rename("spike_count"), u), observation="rate"
    )


def test_trials_beside_averages_are_refused():
    _, trials, rate = recorded(n_trials=24)
    average = rate.drop_vars("trial").rename(trial="condition")
    with pytest.raises(TensorError, match="activity is of conditions and the inputs of single"):
        fit_lowrank(average, trials, 1, **QUICK)


def test_inputs_that_do_not_vary_are_refused():
    refused(FitError, "channel 0 of the inputs does not vary", lambda r, u: (r, 0 * u + 1))
    same = "inputs are the same in all 24 trials: a network cannot tell them apart"
    refused(FitError, same, lambda r, u: (r, u.isel(trial=[0] * 24).assign_coords(trial=r.trial)))


def test_holding_out_all_conditions_is_refused():
    refused(FitError, "n_folds=1 would hold out all conditions, or none", n_folds=1)
    refused(FitError, "there are 24 with inputs of their own, so give 2 to 24", n_folds=25)


def test_activity_of_which_nothing_counts_is_refused():
    refused(FitError, "no value of the activity", lambda r, u: (r * np.nan, u))
    refused(FitError, "all are NaN or masked", mask=np.zeros(51, bool))


def test_neurons_of_which_nothing_counts_are_named():
    rate, inputs = given()
    rate = rate.copy()
    rate[1] = np.nan
    with pytest.warns(PopdynWarning, match="1 of 5 neurons are NaN or masked throughout.*: 1"):
        fit = fit_lowrank(rate, inputs, 1, **QUICK)
    assert np.isnan(fit["neuron_r2"].values[0]).tolist() == [False, True, False, False, False]


def test_times_that_disagree_are_refused():
    words = "inputs must be on the times of the activity, 0.01 to 1.01 s in steps of 0.02 s"
    refused(TensorError, words, lambda r, u: (r, u.assign_coords(time=u.time + 0.01)))
    refused(TensorError, words, lambda r, u: (r, u.isel(time=slice(0, 50))))
    refused(TensorError, "are these ms?", lambda r, u: (r, u.assign_coords(time=1000 * u.time)))
    refused(TensorError, "50 bins without times", lambda r, u: (r, u[:, :50].drop_vars("time")))


def test_inputs_of_other_trials_are_refused():
    moved = "inputs must be of the 24 trials of the activity; found none for 0"
    refused(TensorError, moved, lambda r, u: (r, u.assign_coords(trial=np.arange(24) + 100)))
    bare = "found 3 without ids"
    refused(TensorError, bare, lambda r, u: (r, u.isel(trial=slice(3)).drop_vars("trial")))


def test_trials_of_another_sample_are_refused():
    _, trials, rate = recorded(n_trials=24)
    other = pdn.tasks.PerceptualDecision().sample(24, 9, dt=0.02)
    names = ("stimulus", "measured_stimulus", "target_choice")
    wrong = max(int((other[name].values != trials[name].values).sum()) for name in names)
    words = rf"their 'stimulus' disagrees in {wrong} of 24 trials \(first: .* of the inputs, .* of"
    with pytest.raises(TensorError, match=words):
        fit_lowrank(rate, other, 1, **QUICK)
    # Clocks may differ, and words that say the same.
    moved = trials.assign_coords(
        start_time=trials["start_time"] + 100, stimulus=trials["stimulus"].astype(np.float32)
    )
    fit_lowrank(rate.isel(trial=slice(None, None, -1)), moved, 1, **QUICK)
    named = np.array(["a", "b"] * 12)
    with pytest.raises(TensorError, match=r"their 'side' disagrees in 1 of 24 trials \(first: a"):
        fit_lowrank(
            rate.assign_coords(side=("trial", np.where(np.arange(24) == 4, "c", named))),
            trials.assign_coords(side=("trial", named)), 1, **QUICK,
        )  # fmt: skip


def test_what_is_no_inputs_is_refused():
    refused(TensorError, "found ndarray", lambda r, u: (r, u.values))
    refused(TensorError, "inputs must be the trials of a task", lambda r, _: (r, xr.Dataset()))
    nan = "inputs are NaN or infinite while activity was observed, in 24 trials (first: 0)"
    refused(TensorError, nan, lambda r, u: (r, u.where(u.time > 0.5)))


def test_trials_of_a_task_must_fit_the_activity():
    _, trials, rate = recorded(n_trials=24)
    moved = rate.assign_attrs(align="decision_time")
    with pytest.raises(TensorError, match="the activity is aligned to 'decision_time'"):
        fit_lowrank(moved, trials, 1, **QUICK)
    other = trials.assign_attrs(dt=0.013)
    with pytest.raises(TensorError, match=r"inputs have steps of 0.013 s, the network of 0.02 s"):
        fit_lowrank(rate, other, 1, **QUICK)


def test_inputs_may_be_missing_after_the_activity_ends():
    def shorter(rate, inputs):
        rate = rate.where(rate.time < 0.8)
        return rate, inputs.where(inputs.time < 0.8)

    rate, inputs = shorter(*given())
    assert np.isfinite(fit_lowrank(rate, inputs, 1, **QUICK)["m"].values).all()


def test_a_mask_of_other_neurons_is_refused():
    rate, _ = given()
    mask = (rate > -2).assign_coords(neuron=np.arange(5) + 7)
    refused(TensorError, "mask has other values of 'neuron' than the activity", mask=mask)


def test_what_is_no_tensor_is_refused():
    refused(TensorError, "expected a tensor", lambda r, u: (r.values, u))


def test_states_too_large_for_numbers_are_refused():
    refused(
        FitError, "the loss is infinite before the fit", nonlinearity="linear",
        initial=np.full(5, 1e200),
    )  # fmt: skip


def test_a_prediction_no_better_than_the_mean_is_said():
    rate, inputs = given()
    rng = np.random.default_rng(0)
    noise = rate.copy(data=0.3 * rng.standard_normal(rate.shape).astype(np.float32))
    with pytest.warns(PopdynWarning, match="predicted no better than by a mean"):
        fit = fit_lowrank(noise, inputs, 1, **QUICK)
    assert "no better than a mean (r2 = 0): do not read it" in fit.attrs["note"]


def test_little_that_may_be_nothing_is_said_to_be_no_better_than_the_mean():
    rate, inputs = given()
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(rate.shape).astype(np.float32)
    with pytest.warns(PopdynWarning, match=r"no better than by a mean .r2 = 0., .* \(-.* to .*\)"):
        fit = fit_lowrank(rate.copy(data=0.3 * rate.values + noise), inputs, 1, **{
            **QUICK, "n_iterations": 30, "n_draws": 500, "learn": ("scale",)
        })  # fmt: skip
    low, high = fit["r2_bound"].values[:, 0]
    assert low < 0 < float(fit["r2"][0]) < high
    assert "do not read it" in fit.attrs["note"]


def test_a_prediction_no_better_than_one_without_inputs_is_said():
    rate, inputs = given()
    # The same in all trials: their average is all there is to know.
    same = rate.copy(data=np.repeat(rate.values[:, :, :1], 24, axis=2))
    with pytest.warns(
        PopdynWarning, match=r"than by the average of the other conditions \(r2 = 1\)"
    ):
        fit_lowrank(same, inputs, 1, **QUICK)


def test_activity_that_is_no_rate_of_the_network_is_doubted():
    rate, inputs = given()
    with pytest.warns(PopdynWarning, match="of the activity lie beyond 1.5, rates of 'tanh'"):
        fit_lowrank(40 * rate, inputs, 1, **QUICK)


def test_seconds_that_look_like_milliseconds_are_doubted():
    rate, inputs = given()
    with pytest.warns(PopdynWarning, match="tau=100: these durations are in seconds"):
        fit_lowrank(rate, inputs, 1, tau=100.0, **QUICK)


def test_a_checkpoint_that_is_no_file_is_refused():
    refused(SourceError, "checkpoint must be a file that ends in .npz", checkpoint="fit.txt")


def test_the_front_door_has_it():
    assert pdn.dynamics.fit_lowrank is fit_lowrank
