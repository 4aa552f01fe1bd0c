"""Populations: planted ones are found and needed, their networks do the task, their gains switch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.metrics import adjusted_rand_score

import popdyn as pdn
from popdyn.dynamics.populations import _mean_bounds
from popdyn.errors import FitError, PopdynWarning, TensorError
from tests.dynamics.gating_network import TASK, gating_network

FEW = {"n_resamples": 3, "n_trials": 144, "n_starts": 4}


@pytest.fixture(scope="module")
def found():
    return pdn.dynamics.populations(gating_network(), task=TASK, **FEW)


@pytest.fixture(scope="module")
def gains():
    net = gating_network()
    return pdn.dynamics.population_gains(net, TASK.sample(144, rng=0, dt=net.dt), n_draws=200)


def test_a_network_that_decides_by_context_needs_the_two_populations_it_was_made_of(found):
    assert float(found["network_accuracy"]) > 0.95
    assert found["tried"].values.tolist() == [1, 2]
    assert float(found["mean_accuracy"][0]) < 0.8
    assert int(found["n_populations"]) == 2
    assert adjusted_rand_score(gating_network().population, found["label"].values) > 0.95
    lower, upper = found["mean_accuracy_bound"].values
    assert (lower < found["mean_accuracy"].values).all()
    assert (upper >= found["mean_accuracy"].values).all()


def test_bounds_of_an_accuracy_are_of_student_and_at_least_those_of_the_trials():
    from scipy import stats
    from statsmodels.stats.proportion import proportion_confint

    scattered, alike = np.array([0.5, 0.7, 0.6, 0.9]), np.ones(4)
    low, high = _mean_bounds(np.stack([scattered, alike]), 50)
    student = stats.t.interval(0.95, 3, scattered.mean(), stats.sem(scattered))
    assert (low[0], high[0]) == pytest.approx((student[0], min(student[1], 1.0)))
    assert (low[1], high[1]) == pytest.approx(proportion_confint(200, 200, method="wilson"))


def test_no_more_populations_are_tried_than_the_loadings_have():
    """A criterion that is out of reach ends the search, not the largest number."""
    with pytest.warns(PopdynWarning) as said:
        found = pdn.dynamics.populations(gating_network(), task=TASK, accuracy=1.0, **FEW)
    words = '"auto" tried a mixture of 3, and of 3 populations 2 have neurons'
    assert words in str(said[0].message)
    with pytest.warns(PopdynWarning, match="^of 3 populations 2 have neurons"):
        pdn.dynamics.populations(gating_network(), 3)
    assert found["tried"].values.tolist() == [1, 2]
    assert np.isnan(found["n_populations"])
    assert found.sizes["population"] == 2


def test_overlaps_by_population_are_those_that_were_written_down(found):
    net = gating_network()
    motion = found["label"].values[0]
    overlap = found["overlap"].sel(population=motion, loading="n 1")
    assert float(overlap.sel(loading_2="input 1")) == pytest.approx(3.0, abs=0.4)
    assert float(overlap.sel(loading_2="input 2")) == pytest.approx(0.0, abs=0.4)
    all_neurons = found["share"] @ found["overlap"].sel(loading="n 1", loading_2="m 1")
    assert float(all_neurons) == pytest.approx(float((net.m * net.n).mean()), abs=1e-12)


def test_labels_do_not_depend_on_how_loadings_are_written():
    rng = np.random.default_rng(0)
    net = pdn.network.LowRank.random(300, n_ranks=2, rng=1)
    net = replace(net, n=net.n + net.m * rng.choice([-3.0, 3.0], (300, 1)))
    mixed = rng.standard_normal((2, 2))
    other = replace(net, m=net.m @ mixed, n=net.n @ np.linalg.inv(mixed).T)
    labels = [pdn.dynamics.populations(one, 2, n_starts=4)["label"].values for one in (net, other)]
    assert adjusted_rand_score(*labels) > 0.99


def test_drawn_networks_keep_overlaps_shares_and_constants_and_lose_the_rest():
    net = replace(gating_network(), bias=np.full(1000, 0.5), output_bias=[0.1], tau=0.2)
    drawn = pdn.dynamics.resample_network(net, n_neurons=40001, rng=0)
    assert (drawn.tau, drawn.dt, drawn.output_bias[0]) == (0.2, net.dt, 0.1)
    assert np.unique(drawn.population, return_counts=True)[1].tolist() == [20001, 20000]
    for name in ("motion", "color"):
        own, new = net.population == name, drawn.population == name
        before = np.column_stack([net.m, net.n, net.input, net.output.T])[own]
        after = np.column_stack([drawn.m, drawn.n, drawn.input, drawn.output.T])[new]
        scale = np.sqrt((before**2).mean(axis=0))
        scale[scale == 0] = 1.0
        difference = (before.T @ before / own.sum() - after.T @ after / new.sum()) / scale
        assert np.abs(difference / scale[:, None]).max() < 0.05
    # A bias of the same sign everywhere is a Gaussian about zero afterwards.
    assert (drawn.bias**2).mean() == pytest.approx(0.25, abs=0.01)
    assert abs(drawn.bias.mean()) < 0.02


def test_the_same_seed_draws_the_same_network():
    net = gating_network(n_neurons=60)
    one, same, other = (pdn.dynamics.resample_network(net, rng=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.n, same.n)
    assert not np.array_equal(one.n, other.n)


def test_gains_are_those_of_gaussian_states_and_switch_with_context(gains):
    """In the context of motion a color neuron hears N(0, 8²) from the cue: seen by quadrature."""
    names, ratio = gains["population"].values.tolist(), gains["gain_ratio"]
    color = gains["gain"].sel(population="color")
    assert gains["condition"].values.tolist() == ["color", "motion"]

    def mean_slope(spread):
        return quad(lambda z: np.exp(-(z**2) / 2) / np.cosh(spread * z) ** 2, -9, 9, points=[0])[
            0
        ] / np.sqrt(2 * np.pi)

    # Latent and stimuli add a little to the spread of 8.
    assert float(color.sel(condition="motion")) == pytest.approx(mean_slope(8.0), abs=0.02)
    assert float(ratio.sel(population="color", condition="motion")) < 0.2
    assert float(ratio.sel(population="motion", condition="motion")) > 5
    lower, upper = gains["gain_ratio_bound"].sel(condition="motion").values
    assert upper[names.index("color")] < 1 < lower[names.index("motion")]


def test_a_neuron_is_tuned_to_its_stimulus_where_its_gain_is_large(gains):
    tuning = gains["tuning"].sel(population="motion", stimulus="stimulus")
    assert float(tuning.sel(condition="motion")) > 2 * float(tuning.sel(condition="color"))


def test_slopes_and_their_errors_are_those_of_least_squares(gains):
    statsmodels = pytest.importorskip("statsmodels.api")
    net = gating_network(n_neurons=40)
    trials = TASK.sample(144, rng=0, dt=net.dt)
    result = pdn.dynamics.population_gains(net, trials, n_draws=2)
    sim = pdn.simulate(net, trials, bin_width=net.dt, record=("rate",))
    inside = (sim["time"] > 0.45) & (sim["time"] < 1.25)
    rate = sim["rate"].isel(neuron=3).where(inside).mean("time").values
    own = trials["context"].values == "motion"
    design = np.column_stack([trials["stimulus"], trials["stimulus_2"]])[own]
    fit = statsmodels.OLS(rate[own], statsmodels.add_constant(design)).fit()
    slope = result.isel(neuron=3).sel(condition="motion")
    assert slope["slope"].values == pytest.approx(fit.params[1:], rel=0.02)
    assert slope["slope_error"].values == pytest.approx(fit.bse[1:], rel=0.05)


NET = pdn.network.LowRank.random(60, n_inputs=4, rng=0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("three",), r'n_populations must be a whole number or "auto", found \'three\''),
        (("auto",), r'n_populations="auto" is the smallest number .* task: give task='),
        ((0,), r"n_populations must be at least 1 population, found 0"),
    ],
    ids=["a word", "no task", "none"],
)
def test_numbers_of_populations_that_mean_nothing_are_refused(arguments, says):
    with pytest.raises(TensorError, match=says):
        pdn.dynamics.populations(NET, *arguments)


def test_an_accuracy_that_is_no_share_is_refused():
    with pytest.raises(TensorError, match=r"accuracy must be above 0 and at most 1, found 95"):
        pdn.dynamics.populations(NET, 1, accuracy=95)


def test_networks_whose_neurons_are_more_than_their_loadings_are_refused():
    with pytest.raises(TensorError, match=r"must share tau; found tau from 0\.1 to 0\.2"):
        pdn.dynamics.populations(replace(NET, tau=np.linspace(0.1, 0.2, 60)), 1)
    with pytest.raises(TensorError, match=r"found Rate; of a Rate network .*from_rate"):
        pdn.dynamics.resample_network(NET.to_rate())


def test_labels_that_do_not_fit_the_network_are_refused():
    with pytest.raises(TensorError, match=r"each of the 60 neurons, found shape \(3,\) of type"):
        pdn.dynamics.resample_network(NET, ["a", "b", "c"])
    with pytest.raises(TensorError, match=r"found a Dataset of method 'reduce'"):
        pdn.dynamics.resample_network(NET, pdn.dynamics.reduce(NET))
    with pytest.raises(TensorError, match=r"smallest of 2 populations, which has 0\.017 of"):
        pdn.dynamics.resample_network(NET, [0] + [1] * 59, n_neurons=10)


def test_a_network_that_does_not_do_the_task_is_said_to():
    with pytest.warns(PopdynWarning, match=r"itself is right in 0\.\d+ of trials, less than 0\.95"):
        pdn.dynamics.populations(NET, 1, task=TASK, n_resamples=2, n_trials=72, n_starts=1)


def test_trials_that_cannot_tell_a_gain_or_a_tuning_are_refused():
    trials = TASK.sample(72, rng=0, dt=NET.dt)
    gains = pdn.dynamics.population_gains
    with pytest.raises(TensorError, match=r"there is no go_time among .*stimulus_on_time"):
        gains(NET, trials, during=("go_time", "stop_time"))
    with pytest.raises(TensorError, match=r"columns of numbers of the trials, found \['context'\]"):
        gains(NET, trials, stimuli=["context"])
    with pytest.raises(FitError, match=r"condition 'color' has 2 trials in which they do not"):
        gains(NET, trials.isel(trial=[0, 1, 2, 3]).assign_coords(
            context=("trial", ["color", "color", "motion", "motion"])))  # fmt: skip
    with pytest.raises(TensorError, match=r"of a pdn\.network\.Rate or LowRank, found Spiking"):
        gains(pdn.network.Spiking.random(20), trials)


def test_neurons_without_a_population_are_said():
    net = pdn.network.LowRank.random(20, rng=0)
    names = np.array(["a"] * 18 + [""] * 2)
    with pytest.raises(TensorError, match="2 of 20 neurons have no population: name one for each"):
        pdn.dynamics.resample_network(net, names, rng=0)
