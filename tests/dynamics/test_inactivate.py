"""Inactivations: what is silent is not heard, each trial is its own control, fits foretell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.dynamics.inactivate_shares import change_bounds, share_bounds
from popdyn.dynamics.inactivate_trajectories import Trajectories
from popdyn.errors import FitError, PopdynWarning, TensorError
from tests.dynamics.gating_network import TASK as DIFFICULT
from tests.dynamics.gating_network import gating_network

NET = gating_network(n_neurons=600)
TASK = replace(DIFFICULT, stimuli=(-0.4, -0.2, 0.2, 0.4))
TRIALS = TASK.sample(64, rng=0, dt=NET.dt)
FEW = {"n_draws": 50, "noise_step": 0.05}


@pytest.fixture(scope="module")
def populations_out():
    return pdn.dynamics.inactivate(NET, "populations", TRIALS, by="context", **FEW)


def test_without_a_population_its_context_is_lost_and_the_other_is_not(populations_out):
    result = populations_out
    assert float(result["control_accuracy"]) > 0.9
    for out, spared in (("motion", "color"), ("color", "motion")):
        correct = result["correct"].sel(inactivation=out)
        own = result["context"].values == out
        assert float(correct[own].mean()) < 0.75
        assert float(correct[~own].mean()) > 0.85, spared
    upper = result["accuracy_change_bound"].sel(bound="upper")
    assert (result["accuracy_change"] < 0).all()
    assert (upper < 0).all()


def test_responses_change_by_what_each_condition_answers_more(populations_out):
    result = populations_out.sel(inactivation="motion")
    change = result["response"] - result["control_response"]
    expected = change.groupby(result["context"]).mean().sel(context=["color", "motion"])
    found = result["response_change"].sel(condition=["color", "motion"])
    assert found.values == pytest.approx(expected.values)
    lower, upper = result["response_change_bound"].sel(condition="color").values
    assert lower < float(found[0]) < upper


def test_distances_are_those_of_mean_rates_of_the_neurons_left_alone():
    net, out = gating_network(n_neurons=60), np.arange(60) < 20
    result = pdn.dynamics.inactivate(net, {"some": out}, TRIALS, by="context", n_draws=5)
    deaf = replace(net, n=net.n * ~out[:, None], output=net.output * ~out)
    change = pdn.simulate(deaf, TRIALS)["rate"] - pdn.simulate(net, TRIALS)["rate"]
    color = change.values[:, :, TRIALS["context"].values == "color"].mean(axis=2)[20:]
    expected = np.sqrt((color**2).mean(axis=0))
    found = result["distance"].sel(inactivation="some", condition="color")
    assert found.values == pytest.approx(expected, abs=1e-6)
    mean = result["mean_distance"].sel(inactivation="some", condition="color")
    assert float(mean) == pytest.approx(expected.mean(), rel=1e-5)
    control = pdn.simulate(net, TRIALS)["rate"][20:].groupby("context").mean("trial")
    about = control - control.mean(("context", "time"))
    assert float(result["modulation"][0]) == pytest.approx(float(np.sqrt((about**2).mean())))


def test_bounds_of_a_distance_are_without_what_noise_adds_to_it():
    """A shift of 0.3 in 500 neurons: the noise of 50 trials makes 0.33 of it, of draws 0.36."""
    rng = np.random.default_rng(0)
    control = xr.DataArray(np.zeros((500, 2, 50)), dims=("neuron", "time", "trial"))
    weights = np.vstack([np.ones(50), rng.multinomial(50, np.full(50, 0.02), 200)])
    trajectories = Trajectories(control, np.zeros(50, dtype=np.intp), 1, weights)
    noise = rng.standard_normal(control.shape)
    mean = trajectories.moved(control + 0.3 + noise, np.ones(500, dtype=bool))[1]
    assert float(mean[0, 0]) == pytest.approx(np.sqrt(0.11), abs=0.01)
    assert np.median(mean[1:]) == pytest.approx(0.3, abs=0.015)
    assert np.median(trajectories.moved(control + noise, np.ones(500, dtype=bool))[1][1:]) < 0.05


def test_bounds_of_shares_hold_changes_that_are_rare():
    from statsmodels.stats.proportion import proportion_confint

    rng = np.random.default_rng(0)
    none = share_bounds(np.zeros(24), np.zeros(100))
    assert none == pytest.approx(proportion_confint(0, 24, method="wilson"))
    lost, weights = rng.random((400, 100)), rng.multinomial(100, np.full(100, 0.01), 200)
    lost = (lost < 0.02) * 1.0
    before = np.ones(100)
    low, high = change_bounds(before, 1.0 - lost, weights @ -lost.T / 100)
    assert ((low <= -0.02) & (high >= -0.02)).mean() > 0.95
    low, high = share_bounds(lost, weights @ lost.T / 100)
    assert ((low <= 0.02) & (high >= 0.02)).mean() > 0.95
    gained = change_bounds(np.zeros(100), lost, weights @ lost.T / 100)
    assert gained == pytest.approx(
        -change_bounds(before, 1.0 - lost, weights @ -lost.T / 100)[::-1]
    )


def test_a_part_that_changes_no_choice_leaves_open_how_rarely_it_does():
    result = pdn.dynamics.inactivate(NET, {"one": [0]}, TRIALS, **FEW)
    assert float(result["choice_changed"][0]) == 0
    assert float(result["choice_changed_bound"].sel(bound="upper")[0]) > 0.05
    low, high = result["accuracy_change_bound"][:, 0].values
    assert low < -0.05 < 0.05 < high


def test_answers_of_a_network_without_a_readout_are_refused():
    silent = replace(NET, output=np.zeros_like(NET.output))
    half = replace(silent, **{name: getattr(NET, name)[:300] for name in ("m", "n", "input", "bias")},
                   output=np.zeros((1, 300)), population=NET.population[:300])  # fmt: skip
    words = r"no readout and its response means .*output=source.output\), of .*\[:, recorded\]"
    for net in (silent, half):
        with pytest.raises(TensorError, match=words):
            pdn.dynamics.inactivate(net, [0], TRIALS)
    read = replace(half, output=NET.output[:, :300])
    assert float(pdn.dynamics.inactivate(read, [0], TRIALS, n_draws=5)["control_accuracy"]) > 0.4


@pytest.mark.parametrize(
    ("nonlinearity", "clamp", "says"),
    [("tanh", 5.0, "from -1 to 1, found 5"), ("relu", -0.5, "from 0 upwards, found -0.5")],
)
def test_rates_that_neurons_cannot_have_are_refused(nonlinearity, clamp, says):
    net = replace(NET, nonlinearity=nonlinearity)
    words = f"clamp must be a rate that {nonlinearity} neurons can have, {says}"
    with pytest.raises(TensorError, match=words):
        pdn.dynamics.inactivate(net, [0], TRIALS, clamp=clamp)


def rates_by_hand(net, trials, silent, value):
    """Euler steps of the equation in which some neurons have one rate, without noise."""
    x = np.zeros((net.n_neurons, trials.sizes["trial"]))
    inputs = trials["inputs"].transpose("step_time", "channel", "trial").values
    outputs = []
    for u in inputs:
        r = np.tanh(x)
        r[silent] = value
        x = x + net.dt / net.tau * (-x + net.m @ (net.n.T @ r) / net.n_neurons + net.input @ u)
        r = np.tanh(x)
        r[silent] = value
        outputs.append(net.output @ r / net.n_neurons)
    return np.array(outputs)[:, 0]


@pytest.mark.parametrize("kind", ["LowRank", "Rate"])
@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_clamped_neuron_has_that_rate_for_all_who_hear_it(kind, value):
    net = gating_network(n_neurons=80, saturation=3.0)
    trials = TASK.sample(12, rng=1, dt=net.dt)
    silent = np.arange(80) % 3 == 0
    expected = rates_by_hand(net, trials, silent, value)
    given = net if kind == "LowRank" else net.to_rate()
    result = pdn.dynamics.inactivate(given, {"third": silent}, trials, clamp=value, n_draws=5)
    # The response of a trial is the mean of the steps of the decision: one of 20 ms.
    at = np.rint((trials["decision_time"] - trials["start_time"]).values / net.dt).astype(int)
    response = expected[at, np.arange(12)]
    assert result["response"].values[0] == pytest.approx(response, abs=1e-9)


def test_a_clamp_at_the_own_rate_changes_nothing():
    """Neurons without drive rest at 0: to hold them there is no change, noise or not."""
    idle = np.arange(100) < 10
    net = pdn.network.LowRank.random(100, n_inputs=4, rng=0)
    net = replace(net, m=net.m * ~idle[:, None], input=net.input * ~idle[:, None])
    result = pdn.dynamics.inactivate(net, {"idle": idle}, TRIALS, n_draws=5)
    assert float(result["mean_distance"].squeeze()) < 1e-12
    assert float(result["choice_changed"].squeeze()) == 0
    noisy = pdn.dynamics.inactivate(net, {"half": ~idle}, TRIALS, noise_step=0.1, n_draws=5)
    assert float(noisy["mean_distance"].squeeze()) < 1e-12  # idle neurons hear nobody


def test_a_latent_is_removed_by_itself():
    net = pdn.network.LowRank.random(80, n_ranks=2, n_inputs=4, rng=0)
    result = pdn.dynamics.inactivate(net, "latents", TRIALS, n_draws=5)
    alone = pdn.network.LowRank(net.m[:, :1], net.n[:, :1], net.input, net.output)
    expected = pdn.simulate(alone, TRIALS, record=())["response"].values
    assert result["response"].sel(inactivation="latent 2").values == pytest.approx(expected)
    assert result["n_inactivated"].values.tolist() == [0, 0]


def test_a_current_acts_between_its_events_and_on_its_neurons():
    net = gating_network(n_neurons=80)
    own = {"some": np.arange(20)}
    during = ("stimulus_on_time", "stimulus_off_time")
    run = {"trials": TRIALS, "current": 1.5, "n_draws": 5}
    result = pdn.dynamics.inactivate(net, own, during=during, **run)
    distance = result["distance"].squeeze()
    assert float(distance.sel(time=slice(0, 0.44)).max()) < 1e-12
    assert float(distance.sel(time=slice(0.5, 1.2)).min()) > 1e-4
    always = pdn.dynamics.inactivate(net, own, **run)["distance"].squeeze()
    assert float(always.sel(time=slice(0.1, 0.44)).min()) > 1e-6


def test_a_spiking_neuron_that_is_silenced_is_not_heard():
    rng = np.random.default_rng(0)
    recurrent = rng.normal(0, 0.3, (40, 40))
    net = pdn.network.Spiking(
        recurrent, input=rng.normal(size=(40, 4)), output_fast=rng.normal(size=(1, 40)), bias=1.2
    )
    trials = TASK.sample(4, rng=0, dt=net.dt)
    out = np.arange(40) < 8
    result = pdn.dynamics.inactivate(net, {"some": out}, trials, n_draws=5)
    deaf = replace(net, recurrent_fast=recurrent * ~out, output_fast=net.output_fast * ~out)
    # Potentials at the start are drawn alike.
    expected = pdn.dynamics.inactivate(deaf, {"some": out}, trials, n_draws=5)["control_response"]
    assert result["response"].values[0] == pytest.approx(expected.values)
    assert np.abs(result["control_response"].values - expected.values).max() > 0.01
    with pytest.raises(TensorError, match=r"silenced or given a current, .* found clamp=2"):
        pdn.dynamics.inactivate(net, {"some": out}, trials, clamp=2.0)


def test_psychometric_curves_are_fitted_to_what_trials_were_answered(populations_out):
    """Color is decided as before without the population of motion, whose curve is gone."""
    one = populations_out.sel(inactivation="motion")
    color, motion = (one.isel(trial=one["context"].values == name) for name in ("color", "motion"))
    with pytest.warns(PopdynWarning, match="leave"):
        after = pdn.psychometric(color["choice"], color["stimulus_2"], n_draws=20)
    assert float(after["share"][0, -1] - after["share"][0, 0]) > 0.9
    share = (motion["choice"] > 0).groupby(motion["stimulus"]).mean()
    assert abs(float(share[-1] - share[0])) < 0.5


def test_percentiles_hold_equal_numbers_of_neurons_lowest_first():
    score = np.random.default_rng(0).standard_normal(103)
    groups = pdn.dynamics.percentile_groups(score, 4)
    assert sum(groups.values()).tolist() == [1] * 103
    assert {member.sum() for member in groups.values()} == {25, 26}
    assert list(pdn.dynamics.percentile_groups(score, 3))[1] == "33.3 to 66.7 %"
    lowest, *_, highest = groups.values()
    assert score[lowest].max() < np.median(score) < score[highest].min()


def noisy_copy(scale):
    rng = np.random.default_rng(1)
    add = {name: getattr(NET, name) for name in ("m", "n", "input")}
    return replace(NET, **{k: v + scale * rng.standard_normal(v.shape) for k, v in add.items()})


@pytest.fixture(scope="module")
def groups():
    return pdn.dynamics.percentile_groups(NET.n[:, 0] * NET.m[:, 0], 6)


@pytest.fixture(scope="module")
def observed(groups):
    return pdn.dynamics.inactivate(NET, groups, TRIALS, by="context", **FEW)


def test_a_network_close_to_the_source_foretells_its_inactivations(groups, observed):
    predicted = pdn.dynamics.inactivate(noisy_copy(0.1), groups, TRIALS, by="context", **FEW)
    agreement = pdn.dynamics.inactivation_agreement(predicted, observed, n_draws=200)
    correlation = agreement["correlation"].sel(measure="mean_distance")
    values = [one["mean_distance"].values.ravel() for one in (predicted, observed)]
    assert float(correlation) == pytest.approx(np.corrcoef(*values)[0, 1])
    assert float(correlation) > 0.9
    lower, upper = agreement["correlation_bound"].sel(measure="mean_distance").values
    assert lower <= float(correlation) <= upper
    assert upper - lower > 1e-4
    assert float(agreement["same_choice_before"]) > 0.9
    same = (predicted["choice"] == observed["choice"]).mean("trial")
    assert agreement["same_choice"].values == pytest.approx(same.values)
    for name, one in {"predicted": predicted, "observed": observed}.items():
        change = agreement[f"{name}_change"].sel(measure="mean_distance")
        assert change.values == pytest.approx(one["mean_distance"].values)


def test_an_unrelated_network_does_not(groups, observed):
    other = pdn.network.LowRank.random(600, n_inputs=4, rng=5)
    predicted = pdn.dynamics.inactivate(other, groups, TRIALS, by="context", **FEW)
    agreement = pdn.dynamics.inactivation_agreement(predicted, observed, n_draws=200)
    assert float(agreement["correlation"].sel(measure="mean_distance")) < 0.8


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("neurons", r"what='neurons' cannot be inactivated: text can be \"populations\" or"),
        ("motion", r"\"latents\"; give neurons by a name, as \{\"late\": net.population == \"lat"),
        (["motion"], r"'inactivated': neurons cannot be told by \['motion'\]: give neurons by a n"),
        ({"a": "motion"}, r"'a': neurons cannot be told by 'motion': give neurons by a name, as"),
        ({"a": [[1], [2, 3]]}, r"'a': neurons must be True or False .* type object"),
        ({}, r"what must name at least one group of neurons, found none"),
        ({"a": [700]}, r"'a': positions of neurons must be from 0 to 599, found 700 to 700"),
        ({"a": np.ones(5, bool)}, r"'a': neurons must be True or False .* found shape \(5,\)"),
        ({"a": np.ones(600, bool)}, r"'a' must be some of the neurons, found 600 of 600"),
    ],
    ids=["text", "population", "names", "name", "ragged", "nothing", "beyond", "length", "all"],
)
def test_what_the_network_does_not_have_is_refused(what, says):
    with pytest.raises(TensorError, match=says):
        pdn.dynamics.inactivate(NET, what, TRIALS)


def test_latents_and_populations_of_networks_without_them_are_refused():
    rate = replace(gating_network(n_neurons=40).to_rate(), population=None)
    with pytest.raises(TensorError, match=r"a pdn.network.LowRank has latents, this is a Rate"):
        pdn.dynamics.inactivate(rate, "latents", TRIALS)
    with pytest.raises(TensorError, match=r"names none: give the result of pdn.dynamics.popula"):
        pdn.dynamics.inactivate(rate, "populations", TRIALS)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"during": ("start_time", "stop_time")}, r"during says when a current is given: give cu"),
        (
            {"current": np.nan},
            r"current must be a number, in the unit of the potentials, found nan",
        ),
        ({"current": 1.0, "clamp": 0.5}, r"give one, found clamp=0.5 and current=1"),
        ({"current": 1.0, "during": "stimulus"}, r"two events of the trials .*found 'stimulus'"),
        ({"current": 1.0, "during": (100, 500)}, r"two events of the trials .*found \(100, 500\)"),
        ({"current": 1.0, "during": ("go", "stop_time")}, r"two events .*found \('go', 'stop_time"),
        ({"current": 1.0, "during": ("stimulus", "stimulus_2")}, r"two events .*start_time, cont"),
        (
            {"current": 1.0, "during": ("stop_time", "start_time")},
            r"it stops: 'start_time' comes after 'stop_time' in no trial",
        ),
        ({"clamp": np.nan}, r"clamp must be a number, the rate at which .*, found nan"),
        ({"clamp": "0"}, r"clamp must be a number, .* found '0'"),
        ({"n_draws": 0}, r"n_draws must be at least 1 draw of trials, found 0"),
        ({"n_draws": 2.5}, r"n_draws must be at least 1 draw of trials, found 2.5"),
        ({"by": "colour"}, r"there is no trial column 'colour'"),
        ({"noise_step": np.nan}, r"noise_step must be a number, zero or positive, found nan"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_arguments_that_make_no_sense_are_refused(given, says):
    with pytest.raises(TensorError, match=says):
        pdn.dynamics.inactivate(NET, [0], TRIALS, **given)


def test_a_current_into_a_latent_is_refused():
    with pytest.raises(TensorError, match=r"a current is given to neurons, a latent can only be"):
        pdn.dynamics.inactivate(NET, "latents", TRIALS, current=1.0)


def test_trials_that_are_none_or_of_another_network_are_refused():
    inactivate = pdn.dynamics.inactivate
    with pytest.raises(TensorError, match=r"Dataset from task.sample, with their .*; found int"):
        inactivate(NET, [0], 3)
    run = pdn.simulate(gating_network(n_neurons=20), TRIALS)
    with pytest.raises(TensorError, match=r"with their inputs; found a Dataset of rate"):
        inactivate(NET, [0], run)
    with pytest.raises(TensorError, match=r"trials must hold at least one trial, found none"):
        inactivate(NET, [0], TRIALS.isel(trial=slice(0)))
    other = pdn.tasks.PerceptualDecision()
    with pytest.raises(TensorError, match=r"trials have 1 input channels, the network takes 4"):
        inactivate(NET, [0], other.sample(8, dt=NET.dt))
    with pytest.raises(TensorError, match=r"made for steps of 0.005 s, the network has dt=0.02 s"):
        inactivate(NET, [0], TASK.sample(8, dt=0.005))
    events = ("start_time", "stimulus_on_time", "stop_time")
    in_ms = TRIALS.assign_coords({name: 1000 * TRIALS[name] for name in events})
    with pytest.raises(TensorError, match=r"no later than its inputs do \(1.38 s\); found dura"):
        inactivate(NET, [0], in_ms, current=1.0, during=("start_time", "stop_time"))


def test_scores_that_are_none_are_refused():
    with pytest.raises(TensorError, match=r"one finite number for each neuron, found shape \(2,"):
        pdn.dynamics.percentile_groups([1.0, np.nan])
    with pytest.raises(TensorError, match=r"a whole number from 1 to the 3 neurons, found 4"):
        pdn.dynamics.percentile_groups([1.0, 2.0, 3.0], 4)


def test_results_that_cannot_be_compared_are_refused(observed, populations_out):
    agree = pdn.dynamics.inactivation_agreement
    with pytest.raises(TensorError, match=r"predicted must be .*inactivate, found method 'task'"):
        agree(TRIALS, observed)
    with pytest.raises(FitError, match=r"at least three that both networks had, found 2"):
        agree(populations_out, populations_out)
    with pytest.raises(TensorError, match=r"on the same trials; found 64 and 10, not alike"):
        agree(observed, observed.isel(trial=slice(10)))
