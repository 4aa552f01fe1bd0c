"""What inactivations change in psychometric curves and contraction, on the same trials."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr

import popdyn as pdn
from popdyn.errors import FitError, PopdynWarning, TensorError

STIMULI = np.array([-0.4, -0.2, -0.1, 0.1, 0.2, 0.4])
FALLING = {"choice": {"column": "choice", "values": {1: -1, -1: 1}}}


def answered(control, *others, **columns):
    """A result of inactivations with choices that are given."""
    return xr.Dataset(
        {
            "control_choice": ("trial", control),
            "choice": (("inactivation", "trial"), np.stack(others)),
        },
        coords={
            "trial": [str(i) for i in range(len(control))],
            "inactivation": [f"part {i}" for i in range(len(others))],
            **{name: ("trial", values) for name, values in columns.items()},
        },
        attrs={"method": "inactivate"},
    )


def signs(values):
    return np.where(values > 0, 1.0, -1.0)


def observers(n_trials=480, seed=0, thresholds=(0.0, 0.1), spreads=(0.15, 0.4), shared=0.8):
    """Two observers of the same stimuli, whose noise is shared in part."""
    rng = np.random.default_rng([seed, n_trials])
    shown = rng.permutation(np.resize(STIMULI, n_trials))
    noise = rng.standard_normal((2, n_trials))
    noise[1] = shared * noise[0] + np.sqrt(1 - shared**2) * noise[1]
    choices = [
        signs(shown - threshold + spread * each)
        for threshold, spread, each in zip(thresholds, spreads, noise, strict=True)
    ]
    return answered(*choices, stimulus=shown)


def test_thresholds_and_slopes_are_those_of_probit_regression():
    from statsmodels.discrete.discrete_model import Probit

    given = observers()
    found = pdn.dynamics.inactivation_psychometric(given, n_draws=50).squeeze()
    design = np.column_stack([np.ones(480), given["stimulus"]])
    for choice, prefix in (("control_choice", "control_"), ("choice", "")):
        offset, slope = Probit((given[choice].values.ravel() > 0) * 1.0, design).fit(disp=0).params
        assert float(found[f"{prefix}slope"]) == pytest.approx(slope, rel=2e-3)
        assert float(found[f"{prefix}threshold"]) == pytest.approx(-offset / slope, abs=1e-3)
    assert float(found["bias"]) == pytest.approx((given["choice"] > 0).mean())
    for name in ("threshold", "slope", "bias"):
        change = found[name] - found[f"control_{name}"]
        assert float(found[f"{name}_change"]) == pytest.approx(float(change))
        low, high = found[f"{name}_change_bound"].values
        assert low < float(change) < high
        assert float(change) - low == pytest.approx(high - float(change))
    # They are told with a shift of 0.1 and less than half of the slope.
    assert (found["slope_change_bound"] < 0).all()
    assert (found["threshold_change_bound"] > 0).all()


def test_shares_are_those_of_each_stimulus_and_curves_go_through_them():
    given = observers(n_trials=1200)
    found = pdn.dynamics.inactivation_psychometric(given, n_draws=50).squeeze()
    share = (given["choice"].squeeze() > 0).groupby(given["stimulus"]).mean()
    assert found["stimulus"].values.tolist() == STIMULI.tolist()
    assert found["share"].values == pytest.approx(share.values)
    for prefix in ("", "control_"):
        at = np.interp(STIMULI, found["point_stimulus"], found[f"{prefix}curve"])
        assert found[f"{prefix}share"].values == pytest.approx(at, abs=0.08)


def test_intervals_of_a_change_are_of_the_same_trials():
    """Noise that both observers share is no doubt about what changed."""
    width = {}
    for shared in (0.0, 0.9):
        given = observers(shared=shared, thresholds=(0.0, 0.0), spreads=(0.2, 0.2))
        found = pdn.dynamics.inactivation_psychometric(given, n_draws=200)
        width[shared] = float(found["threshold_change_bound"].diff("bound").squeeze())
    assert width[0.9] < 0.6 * width[0.0]


def test_conditions_have_curves_of_their_own():
    given = observers().assign_coords(context=("trial", np.resize(["a", "b", "b"], 480)))
    with pytest.warns(PopdynWarning, match=r'all contexts together \(a, b\).* say by="context"'):
        pdn.dynamics.inactivation_psychometric(given, n_draws=20)
    both = pdn.dynamics.inactivation_psychometric(given, by="context", n_draws=50)
    alone = given.isel(trial=given["context"].values == "b")
    own = pdn.dynamics.inactivation_psychometric(alone, n_draws=50)
    assert both["condition"].values.tolist() == ["a", "b"]
    for name in ("slope", "threshold", "bias", "share"):
        assert both[name].sel(condition="b").values == pytest.approx(own[name].values[:, 0])


def test_a_stimulus_can_be_a_difference_of_columns():
    given = observers()
    halved = given.assign_coords(stimulus_2=0.5 * given["stimulus"])
    found = pdn.dynamics.inactivation_psychometric(
        halved, halved["stimulus"] - halved["stimulus_2"], n_draws=20
    )
    whole = pdn.dynamics.inactivation_psychometric(given, n_draws=20)
    assert found["slope"].values == pytest.approx(2 * whole["slope"].values)


def test_trials_without_stimulus_or_choice_do_not_count():
    given = observers()
    more = xr.concat([given, given.isel(trial=slice(6))], "trial")
    stimulus = np.append(given["stimulus"].values, np.full(6, np.nan))
    more = more.assign_coords(trial=[str(i) for i in range(486)], stimulus=("trial", stimulus))
    found = pdn.dynamics.inactivation_psychometric(more, n_draws=20)
    expected = pdn.dynamics.inactivation_psychometric(given, n_draws=20)
    assert found["slope"].values == pytest.approx(expected["slope"].values)
    silent = given["choice"].values.copy()
    silent[0, :6] = np.nan
    lost = given.assign(choice=(given["choice"].dims, silent))
    found = pdn.dynamics.inactivation_psychometric(lost, n_draws=20)
    kept = pdn.dynamics.inactivation_psychometric(given.isel(trial=slice(6, None)), n_draws=20)
    assert found["slope"].values == pytest.approx(kept["slope"].values)


def test_choices_that_leave_a_curve_open_say_whose():
    flawless, one_sided = signs(np.resize(STIMULI, 60)), np.ones(60)
    given = answered(flawless, one_sided, stimulus=np.resize(STIMULI, 60))
    with pytest.warns(PopdynWarning, match=r"or one stimulus parts them: the control, without par"):
        found = pdn.dynamics.inactivation_psychometric(given, n_draws=20).squeeze()
    assert np.isnan([found["slope"], found["control_threshold"]]).all()
    assert float(found["bias_change"]) == 0.5
    assert found["control_share"].values.tolist() == [0, 0, 0, 1, 1, 1]


IDLE = np.arange(60) < 10


def noisy_network():
    """A linear network that is told a stimulus, and ten neurons that hear nothing."""
    rng = np.random.default_rng(0)
    hears = ~IDLE * rng.standard_normal(60)
    return pdn.network.LowRank(
        np.zeros((60, 1)),
        np.zeros((60, 1)),
        input=hears[:, None],
        output=np.where(IDLE, 1.0, 20 * hears)[None],
        nonlinearity="linear",
    )


EASY = pdn.tasks.PerceptualDecision(stimuli=tuple(0.2 * STIMULI), stimulus_noise=0.1)


def test_an_inactivation_that_does_nothing_changes_nothing():
    """Neurons without output weights and without part in the latent."""
    net = noisy_network()
    net = pdn.network.LowRank(net.m, net.n, net.input, net.output * ~IDLE, nonlinearity="linear")
    trials = EASY.sample(120, rng=0, dt=net.dt)
    done = pdn.dynamics.inactivate(net, {"idle": IDLE}, trials, noise_step=0.2, n_draws=20)
    found = pdn.dynamics.inactivation_psychometric(done, n_draws=50).squeeze()
    for name in ("threshold", "slope", "bias"):
        assert float(found[f"{name}_change"]) == 0
        assert found[f"{name}_change_bound"].values.tolist() == [0, 0]
    assert 0 < float(found["bias"]) < 1
    assert np.isfinite(found["slope"])


def test_neurons_held_at_a_rate_shift_the_threshold_by_what_they_add_to_the_output():
    net = noisy_network()
    trials = EASY.sample(600, rng=0, dt=net.dt)
    run = {"noise_step": 0.1, "n_draws": 20, "clamp": -1.5}
    done = pdn.dynamics.inactivate(net, {"idle": IDLE}, trials, **run)
    found = pdn.dynamics.inactivation_psychometric(done, n_draws=200).squeeze()
    gain = np.polyfit(done["stimulus"], done["control_response"], 1)[0]
    expected = 1.5 * IDLE.sum() / 60 / gain
    low, high = found["threshold_change_bound"].values
    assert low < expected < high
    assert float(found["threshold_change"]) == pytest.approx(expected, rel=0.2)
    assert found["slope_change_bound"][0] < 0 < found["slope_change_bound"][1]


def memory_network():
    """The first neuron keeps what was shown, the second relays it, the third reads the memory."""
    return pdn.network.LowRank(
        m=[[1.0], [0.0], [1.0]],
        n=[[2.7], [0.0], [0.0]],
        input=[[1.0], [1.0], [0.0]],
        output=[[1.0, -8.0, 1.0]],
        nonlinearity="linear",
    )


@pytest.fixture(scope="module")
def compared():
    net = memory_network()
    trials = pdn.tasks.ParametricWorkingMemory().sample(480, rng=0, dt=net.dt)
    return pdn.dynamics.inactivate(net, {"reader": [2]}, trials, noise_step=0.03, n_draws=20)


def test_contraction_changes_as_the_weights_of_both_stimuli_in_the_output(compared):
    found = pdn.dynamics.inactivation_contraction(compared, FALLING, n_draws=200).squeeze()
    design = np.column_stack([np.ones(480), compared["stimulus"], compared["stimulus_2"]])
    slopes = []
    for name in ("control_response", "response"):
        _, first, second = np.linalg.lstsq(design, compared[name].values.ravel(), rcond=None)[0]
        slopes.append(-first / second)
    low, high = found["slope_change_bound"].values
    assert low < slopes[1] - slopes[0] < high < 0
    assert float(found["slope"]) == pytest.approx(slopes[1], abs=0.08)
    assert found.attrs["kind"] == "discrimination"


def test_slopes_and_intervals_are_those_of_contraction(compared):
    found = pdn.dynamics.inactivation_contraction(compared, FALLING, n_draws=100, rng=3)
    for name, prefix in (("control_choice", "control_"), ("choice", "")):
        columns = {key: compared[key].values for key in ("stimulus", "stimulus_2")}
        trials = {**columns, "choice": compared[name].values.ravel()}
        one = pdn.contraction(trials, FALLING, n_draws=100, rng=3)
        assert float(found[f"{prefix}slope"].squeeze()) == pytest.approx(float(one["slope"]))
        bound = found[f"{prefix}slope_bound"].values.ravel()
        assert bound == pytest.approx(one["slope_bound"].values)


def test_productions_contract_by_the_slope_of_responses():
    rng = np.random.default_rng(0)
    shown = np.resize([0.6, 0.7, 0.8, 0.9, 1.0], 200)
    noise = 0.05 * rng.standard_normal(200)
    given = answered(np.ones(200), np.ones(200), stimulus=shown).drop_vars(
        ["choice", "control_choice"]
    )
    given["control_response"] = ("trial", 0.1 + 0.9 * shown + noise)
    given["response"] = (("inactivation", "trial"), (0.4 + 0.5 * shown + noise)[None])
    found = pdn.dynamics.inactivation_contraction(given, n_draws=100).squeeze()
    # The same noise: nothing of it is left in the change.
    assert float(found["slope_change"]) == pytest.approx(-0.4)
    assert found["slope_change_bound"].values == pytest.approx([-0.4, -0.4])
    assert float(found["slope_bound"].diff("bound").squeeze()) > 0.05
    assert found.attrs["kind"] == "production"


def test_a_part_without_which_answers_have_no_slope_is_named(compared):
    one_sided = compared.assign(choice=xr.ones_like(compared["choice"]))
    with pytest.warns(
        PopdynWarning, match=r"slopes are NaN without: reader \(all 480 choices are -1\)$"
    ):
        found = pdn.dynamics.inactivation_contraction(one_sided, FALLING, n_draws=20)
    assert np.isnan(found["slope_change"].item())
    assert np.isfinite(found["control_slope"].item())


def test_one_inactivation_that_was_selected_is_measured_as_well(compared):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = pdn.dynamics.inactivation_contraction(
            compared.sel(inactivation="reader"), FALLING, n_draws=20
        )
    assert one["inactivation"].values.tolist() == ["reader"]


def test_what_has_no_psychometric_curve_is_refused(compared):
    psychometric = pdn.dynamics.inactivation_psychometric
    with pytest.raises(TensorError, match=r"result must be a result of .*inactivate, found int"):
        psychometric(3)
    with pytest.raises(TensorError, match=r"these trials have no choice, only response"):
        psychometric(compared.drop_vars(["choice", "control_choice", "correct"]))
    with pytest.raises(TensorError, match=r"stimulus='coherence' is no column of the trials; col"):
        psychometric(compared, "coherence")
    with pytest.raises(TensorError, match=r"stimulus has a value per trial, found 3 for 480"):
        psychometric(compared, [1, 2, 3])
    with pytest.raises(TensorError, match=r"stimulus must be numbers, found \['left'"):
        psychometric(observers(), np.resize(["left", "right"], 480))
    with pytest.raises(FitError, match=r"1 stimulus in 480 trials: a curve takes at least two"):
        psychometric(observers(), np.ones(480))
    with pytest.raises(TensorError, match=r"choices are 1 where the second stimulus is smaller"):
        pdn.dynamics.inactivation_contraction(compared)


def test_pictures_hold_curves_and_slopes_of_the_results(compared):
    given = observers().assign_coords(context=("trial", np.resize(["a", "b"], 480)))
    found = pdn.dynamics.inactivation_psychometric(given, by="context", n_draws=20)
    ax = pdn.show(found, condition="b")
    drawn = {line.get_label(): line for line in ax.lines}
    own = found.sel(condition="b")
    assert drawn["without part 0"].get_ydata() == pytest.approx(own["curve"].values[0])
    assert drawn["control"].get_ydata() == pytest.approx(own["control_curve"].values)
    assert ax.get_title() == "b"
    with pytest.raises(TensorError, match=r"condition must be one of a, b, found 'c'"):
        pdn.show(found, condition="c")
    change = pdn.dynamics.inactivation_contraction(compared, FALLING, n_draws=20)
    ax = pdn.show(change)
    assert ax.lines[1].get_xdata() == pytest.approx(change["slope"].values)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["reader"]


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_intervals_hold_what_changed_as_often_as_they_say(shared):
    observed = {"thresholds": (0.0, 0.1), "spreads": (0.15, 0.4), "shared": shared}
    truth = {
        "threshold": 0.1,
        "slope": 1 / 0.4 - 1 / 0.15,
        "bias": (ndtr((STIMULI - 0.1) / 0.4) - ndtr(STIMULI / 0.15)).mean(),
    }
    held = {name: [] for name in truth}
    for seed in range(200):
        given = observers(144, seed, **observed)
        found = pdn.dynamics.inactivation_psychometric(given, n_draws=200, rng=seed)
        for name, value in truth.items():
            low, high = found[f"{name}_change_bound"].values.ravel()
            held[name].append(low <= value <= high)
    for name, each in held.items():
        assert 0.90 <= np.mean(each) <= 0.99, name
