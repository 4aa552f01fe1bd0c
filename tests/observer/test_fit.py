"""Fits: recovery, errors, bounds, draws, warnings, files, refusals."""

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.errors import FitError, PopdynError, PopdynWarning, TensorError

PAIRS = np.array([(a, a + d) for a in range(10, 35, 4) for d in (-8, -4, -2, 2, 4, 8)], dtype=float)


@pytest.fixture(scope="module")
def choices():
    rows = PAIRS[np.random.default_rng(0).integers(len(PAIRS), size=8000)]
    table = pd.DataFrame(rows, columns=["stimulus", "stimulus_2"])
    truth = pdn.observer.Discrimination(
        sigma=5.0, sigma_2=2.0, lapse=0.03, bias=0.5, prior=rows[:, 0]
    )
    return truth.simulate(table, rng=1)


@pytest.fixture(scope="module")
def responses():
    shown = np.random.default_rng(0).choice(np.arange(0.5, 1.01, 0.05), 4000)
    truth = pdn.observer.Production(
        weber=0.1, motor_weber=0.06, lapse=0.02, bias=0.01, prior=("uniform", 0.5, 1.0)
    )
    return truth.simulate({"stimulus": shown}, rng=1)


def test_choices_give_back_the_parameters(choices):
    plan = pdn.bootstrap(choices, ["stimulus", "stimulus_2"], n_draws=60)
    observer = pdn.observer.Discrimination(sigma=3.0, sigma_2=3.0).fit(choices, resample=plan)
    result = observer.to_dataset()
    truth = np.array([5.0, 2.0, 0.03, 0.5])
    away = (result["value"].values - truth) / result["standard_error"].values
    assert np.abs(away).max() < 3.5
    width = np.diff(result["profile_bound"].values, axis=0)[0]
    assert np.allclose(width / result["standard_error"].values, 2 * 1.96, rtol=0.35)
    spread = result["draw_value"].std("draw").values
    assert np.allclose(spread, result["standard_error"].values, rtol=0.5)
    assert result["identified"].values.tolist() == [1, 1, 1, 1]
    assert np.ptp(result["start_log_likelihood"].values) < 0.01
    assert result["draw_estimate"].dims == ("draw", "stimulus")
    assert float(result["deviance"]) < 70  # 42 pairs less 4 parameters


def test_responses_give_back_the_parameters(responses):
    observer = pdn.observer.Production(prior=("uniform", 0.5, 1.0)).fit(responses)
    result = observer.to_dataset()
    away = result["value"].values - np.array([0.1, 0.06, 0.02, 0.01])
    assert np.abs(away / result["standard_error"].values).max() < 3.5
    exact = float(observer.log_likelihood(responses).sum())
    assert float(result["log_likelihood"]) == pytest.approx(exact, abs=1e-3)


def test_no_other_place_nearby_is_more_likely(responses):
    """The table of cells must lead to the top of the likelihood of the trials themselves."""
    observer = pdn.observer.Production(prior=("uniform", 0.5, 1.0)).fit(responses)
    result = observer.to_dataset()
    top = float(result["log_likelihood"])
    names = result["parameter"].values.tolist()
    for i, name in enumerate(names):
        for side in (-0.3, 0.3):
            values = dict(zip(names, result["value"].values, strict=True))
            values[name] += side * float(result["standard_error"][i])
            other = pdn.observer.Production(
                prior=("uniform", 0.5, 1.0), lapse_range=(0.0, 2.0), **values
            )
            # 0.3 standard errors away the likelihood has fallen by 0.045.
            assert float(other.log_likelihood(responses).sum()) < top - 0.02


def test_history_is_found_and_nothing_where_there_is_none(responses):
    shown = responses["stimulus"].to_numpy()
    truth = pdn.observer.Production(
        weber=0.1, motor_weber=0.06, history=0.15, prior=("uniform", 0.5, 1.0)
    )
    done = truth.simulate({"stimulus": shown}, rng=3)
    free = ["weber", "motor_weber", "history"]
    for table, expected in ((done, 0.15), (responses, 0.0)):
        found = pdn.observer.Production(prior=("uniform", 0.5, 1.0), free=[*free, "lapse", "bias"])
        result = found.fit(table).to_dataset().sel(parameter="history")
        assert abs(float(result["value"]) - expected) < 3.5 * float(result["standard_error"])


def test_pairs_of_one_difference_are_warned_of():
    first = [10, 14, 18, 22, 26, 34, 30, 26, 22, 18]
    pairs = np.column_stack([first, np.array(first) + np.repeat([8, -8], 5)]).astype(float)
    rows = pairs[np.random.default_rng(0).integers(10, size=3000)]
    table = pd.DataFrame(rows, columns=["stimulus", "stimulus_2"])
    truth = pdn.observer.Discrimination(sigma=5.0, sigma_2=3.0, prior=first, lapse=0.02)
    done = truth.simulate(table, rng=0)
    with pytest.warns(
        PopdynWarning, match="hardly tell .*sigma_2.* search ends.* several differences"
    ):
        fitted = pdn.observer.Discrimination(sigma=3.0, sigma_2=3.0).fit(done)
    # What matters for activity is known all the same.
    estimate, known = (o.estimate(np.unique(first)).values for o in (fitted, truth))
    assert np.abs(estimate - known).max() < 0.7


def test_draws_of_the_plan_are_those_of_the_estimates(responses):
    plan = pdn.bootstrap(responses, "stimulus", n_draws=3)
    observer = pdn.observer.Production(prior=("uniform", 0.5, 1.0)).fit(responses, resample=plan)
    for draw, index in enumerate(plan):
        again = pdn.observer.Production(prior=("uniform", 0.5, 1.0)).fit(
            responses.iloc[index].reset_index(drop=True)
        )
        found = observer.estimates([0.5, 1.0])["draw_estimate"].values[draw]
        assert np.allclose(found, again.estimate([0.5, 1.0]), atol=2e-4)


def test_a_saved_observer_is_the_same(responses, tmp_path):
    observer = pdn.observer.Production(weber=0.1, motor_weber=0.05).fit(responses)
    again = pdn.load(pdn.save(observer, tmp_path / "observer.nc"))
    shown = [0.5, 0.8, 1.0]
    assert np.array_equal(again.estimate(shown).values, observer.estimate(shown).values)
    assert again.score(responses) == observer.score(responses)
    bare = pdn.observer.Production(weber=0.1, prior=("uniform", 0.5, 1.0))
    same = pdn.load(pdn.save(bare, tmp_path / "bare.nc"))
    assert np.array_equal(same.estimate(shown).values, bare.estimate(shown).values)


def test_roles_and_units_lead_to_the_same_fit(responses):
    plain = pdn.observer.Production().fit(responses)
    table = pd.DataFrame(
        {"ts": 1000 * responses["stimulus"].to_numpy(), "tp": responses["response"].to_numpy()}
    )
    roles = {"stimulus": {"column": "ts", "units": "ms"}, "response": "tp"}
    other = pdn.observer.Production().fit(table, roles)
    assert np.allclose(other.parameters_, plain.parameters_, rtol=1e-6)


def test_held_out_trials_tell_who_expects(responses):
    result = pdn.observer.compare_observers(responses.iloc[:1500], n_folds=2)
    unbiased = result.sel(observer="unbiased")
    assert float(unbiased["difference"]) > 3 * float(unbiased["difference_error"])
    shown = responses["stimulus"].to_numpy()[:1500]
    plain = pdn.observer.Production(weber=0.05, motor_weber=0.05, estimator="none", prior=shown)
    turned = pdn.observer.compare_observers(plain.simulate({"stimulus": shown}, rng=1), n_folds=2)
    assert float(turned.sel(observer="unbiased")["difference"]) < 0


@pytest.mark.filterwarnings("ignore:these trials hardly tell")
def test_a_network_that_was_trained_with_noise_is_an_observer():
    net = pdn.load("data/networks/interval_production_jitter_0.nc")
    task = pdn.tasks.IntervalProduction(inter_trial=0.2, weber=0.1)
    sim = pdn.simulate(net, task.sample(60, rng=1, dt=net.dt), continuous=True, record=())
    observer = pdn.observer.Production(free=["weber", "motor_weber", "lapse"]).fit(sim)
    assert observer.to_dataset()["stimulus"].attrs["units"] == "s"
    estimate = observer.estimate([0.5, 1.0]).values
    assert estimate[0] > 0.5
    assert estimate[1] < 1.0


def test_bad_trials_are_refused_in_words(responses, choices):
    fit = pdn.observer.Production().fit
    with pytest.raises(FitError, match="one stimulus 0.5"):
        fit(responses.assign(stimulus=0.5))
    with pytest.raises(TensorError, match="one of them is in ms"):
        fit(responses.assign(stimulus=1000 * responses["stimulus"]))
    early = responses["response"].to_numpy().copy()
    early[3] = -0.1
    with pytest.raises(TensorError, match="1 of 4000 responses are not after the start"):
        fit(responses.assign(response=early))
    with pytest.raises(FitError, match="at least 20 are needed"):
        fit(responses.iloc[:10])
    with pytest.raises(TensorError, match="no response: say which column"):
        fit(responses[["stimulus"]])
    with pytest.raises(FitError, match="outside of lapse_range"):
        pdn.observer.Production(lapse_range=(0.4, 0.6)).fit(responses)
    with pytest.raises(PopdynError, match="free names motor"):
        pdn.observer.Production(free=["motor"]).fit(responses)
    compare = pdn.observer.Discrimination().fit
    with pytest.raises(TensorError, match="choices are -1 and 1"):
        compare(choices.assign(choice=(choices["choice"] > 0) + 1))
    with pytest.raises(FitError, match="all 8000 choices are 1"):
        compare(choices.assign(choice=1))
    with pytest.raises(PopdynError, match="compare must be one of"):
        pdn.observer.Discrimination(compare="all").fit(choices)
    with pytest.raises(TensorError, match="was made for 4000 trials"):
        compare(choices, resample=pdn.bootstrap(responses, None, 2))


def test_a_prior_in_another_unit_than_the_trials_is_said(responses):
    in_ms = responses.assign(
        stimulus=1000 * responses["stimulus"], response=1000 * responses["response"]
    )
    for prior in (("uniform", 0.5, 1.0), ("gaussian", 0.75, 0.15), [0.5, 0.75, 1.0]):
        with pytest.raises(TensorError, match="nowhere near the prior, 0.* in ms, the other in s"):
            pdn.observer.Production(prior=prior).fit(in_ms)
    with pytest.raises(TensorError, match="nowhere near the prior, 500 to 1000"):
        pdn.observer.Production(prior=("uniform", 500.0, 1000.0)).fit(responses)
