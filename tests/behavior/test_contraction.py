"""Contraction and serial dependence: known answers, identities, other libraries, refusals."""

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.behavior.probit import fit_probit
from popdyn.errors import FitError, PopdynWarning, TensorError

FIRST = np.array([10, 14, 18, 22, 26, 34, 30, 26, 22, 18], dtype=float)
SECOND = FIRST + np.repeat([8.0, -8.0], 5)


def _choices(observer, n=2000):
    table = {"stimulus": np.tile(FIRST, n), "stimulus_2": np.tile(SECOND, n)}
    return observer.simulate(table, rng=0)


def test_an_observer_who_expects_contracts_and_another_does_not():
    bayes = pdn.observer.Discrimination(sigma=5.0, sigma_2=3.0, prior=FIRST)
    result = pdn.contraction(_choices(bayes), n_draws=30)
    assert float(result["contraction_index"]) > 0.13
    assert float(result["contraction_index"]) == pytest.approx(0.9803 - 0.8282, abs=0.015)
    assert result["slope_bound"].values[1] < 0.8
    assert float(result["center"]) == pytest.approx(22, abs=0.5)
    assert result.attrs["kind"] == "discrimination"
    plain = pdn.observer.Discrimination(sigma=5.0, sigma_2=3.0, prior=FIRST, estimator="none")
    result = pdn.contraction(_choices(plain), n_draws=30)
    assert float(result["contraction_index"]) == pytest.approx(0, abs=0.015)
    assert float(result["slope"]) == pytest.approx(1, abs=0.04)
    noise = float(result["noise"])
    assert noise == pytest.approx(np.hypot(5, 3), rel=0.04)


def test_accuracy_rises_on_one_branch_and_falls_on_the_other():
    bayes = pdn.observer.Discrimination(sigma=5.0, sigma_2=3.0, prior=FIRST)
    result = pdn.contraction(_choices(bayes), n_draws=5)
    known = [0.8282, 0.8892, 0.9294, 0.9578, 0.9803]
    assert np.allclose(result["accuracy"], known + known[::-1], atol=0.02)


def test_squared_error_is_bias_and_variance():
    rng = np.random.default_rng(0)
    shown = rng.choice([0.5, 0.7, 0.9], 300)
    response = 0.2 + 0.7 * shown + 0.05 * rng.normal(size=300)
    result = pdn.contraction({"stimulus": shown, "response": response}, n_draws=5)
    parts = [np.mean((response[shown == s] - s) ** 2) for s in np.unique(shown)]
    assert float(result["squared_error"]) == pytest.approx(np.mean(parts), abs=1e-10)
    slope, intercept = np.polyfit(shown, response, 1)
    assert float(result["slope"]) == pytest.approx(slope, abs=1e-10)
    assert float(result["center"]) == pytest.approx(intercept / (1 - slope), abs=1e-9)


def test_probit_agrees_with_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(400), rng.normal(size=(400, 2))])
    larger = design @ [0.3, -1.0, 1.4] + rng.normal(size=400) > 0
    ours = fit_probit(design, larger, np.ones((1, 400)))[0]
    other = sm.Probit(larger.astype(float), design).fit(disp=0).params
    # The weak prior, of deviation 30, pulls by less than this.
    assert np.allclose(ours, other, atol=1e-3)


def test_a_plan_is_used_and_one_of_other_trials_refused():
    table = pd.DataFrame({"stimulus": np.tile([0.5, 0.9], 20), "response": 0.7})
    table["response"] += np.linspace(-0.1, 0.1, 40)
    plan = pdn.bootstrap(table, "stimulus", n_draws=4)
    drawn = pdn.contraction(table, resample=plan)["draw_slope"].values
    again = [np.polyfit(table["stimulus"].iloc[i], table["response"].iloc[i], 1)[0] for i in plan]
    assert np.allclose(drawn, again, atol=1e-10)
    with pytest.raises(TensorError, match="was made for 40 trials"):
        pdn.contraction(table.iloc[:30], resample=plan)


def test_the_pull_of_earlier_trials_is_measured_in_both_kinds():
    rng = np.random.default_rng(1)
    shown = rng.choice([0.5, 0.7, 0.9], 4000)
    made = pdn.observer.Production(
        weber=0.1, motor_weber=0.05, history=0.2, estimator="none", prior=shown
    )
    result = pdn.serial_dependence(made.simulate({"stimulus": shown}), n_back=2, n_draws=50)
    assert float(result["weight"][0]) == pytest.approx(0.2, abs=0.04)
    assert abs(float(result["weight"][1])) < 0.04
    assert float(result["p"][0]) < 0.05
    pairs = rng.integers(10, size=8000)
    compares = pdn.observer.Discrimination(sigma=3.0, history=0.2, estimator="none", prior=FIRST)
    done = compares.simulate({"stimulus": FIRST[pairs], "stimulus_2": SECOND[pairs]})
    result = pdn.serial_dependence(done, n_draws=50)
    assert float(result["weight"][0]) == pytest.approx(0.2, abs=0.05)
    assert float(result["slope"]) == pytest.approx(0.8, abs=0.06)


def test_p_of_the_past_counts_draws_on_both_sides():
    rng = np.random.default_rng(5)
    shown = rng.choice([0.5, 0.7, 0.9], 300)
    table = {"stimulus": shown, "response": shown + 0.1 * rng.normal(size=300)}
    result = pdn.serial_dependence(table, n_draws=200)
    drawn = result["draw_weight"].values[:, 0]
    rarer = min((drawn <= 0).sum(), (drawn > 0).sum())
    assert 0 < rarer < 100
    assert float(result["p"][0]) == pytest.approx(min((2 * rarer + 2) / 201, 1), abs=0.01)


def test_the_past_ends_with_the_session():
    table = pd.DataFrame(
        {"stimulus": [0.5, 0.9, 0.9, 0.5] * 10, "response": [0.6, 0.8, 0.8, 0.6] * 10}
    )
    table["response"] += np.linspace(0, 0.01, 40)
    table["session"] = np.repeat(["a", "b"], 20)
    whole = pdn.serial_dependence(table.drop(columns="session"), n_draws=3)
    parts = pdn.serial_dependence(table, n_draws=3)
    assert int(whole["n_trials"]) == 39
    assert int(parts["n_trials"]) == 38


@pytest.mark.parametrize("measure", [pdn.contraction, pdn.serial_dependence], ids=["pull", "past"])
def test_one_choice_or_one_stimulus_tells_nothing(measure):
    pairs = {"stimulus": np.tile(FIRST, 9), "stimulus_2": np.tile(SECOND, 9)}
    with pytest.raises(FitError, match="all (90|89) choices are 1"):
        measure(pairs | {"choice": np.ones(90)}, n_draws=3)
    response = 0.5 + 0.05 * np.random.default_rng(0).normal(size=60)
    with pytest.raises(FitError, match="1 stimulus in .* usable trials"):
        measure({"stimulus": np.full(60, 0.5), "response": response}, n_draws=3)


@pytest.mark.parametrize(
    ("second", "words"),
    [(FIRST + 8, "all second stimuli differ by 8"), (0 * FIRST + 20, "lie on one line")],
    ids=["one difference", "one second stimulus"],
)
def test_pairs_on_one_line_leave_the_slope_open(second, words):
    pairs = {"stimulus": np.tile(FIRST, 40), "stimulus_2": np.tile(second, 40)}
    plain = pdn.observer.Discrimination(sigma=5.0, sigma_2=3.0, prior=FIRST, estimator="none")
    with pytest.warns(PopdynWarning, match=words):
        result = pdn.contraction(plain.simulate(pairs), n_draws=10)
    for name in ("slope", "center", "noise"):
        assert np.isnan(result[name])
        assert np.isnan(result[f"{name}_bound"]).all()
    assert np.isfinite(result["accuracy"]).all()


@pytest.mark.parametrize("line", [(0.0, 1.0), (15.1, 0.3)], ids=["right", "contracted"])
def test_answers_that_a_line_parts_leave_the_slope_open(line):
    pairs = {"stimulus": np.tile(FIRST, 12), "stimulus_2": np.tile(SECOND, 12)}
    pairs["stimulus_2"] = pairs["stimulus_2"] + np.repeat([-1.0, 1.0], 60)
    choice = np.sign(pairs["stimulus_2"] - (line[0] + line[1] * pairs["stimulus"]))
    with pytest.warns(PopdynWarning, match="one line over both stimuli parts all answers"):
        result = pdn.contraction(pairs | {"choice": choice}, n_draws=10)
    for name in ("slope", "center", "noise"):
        assert np.isnan(result[name])
        assert np.isnan(result[f"{name}_bound"]).all()
    low, high = result["accuracy_bound"].values
    # Six answers of one kind say little of the next.
    assert (high - low > 0.3).all()


@pytest.mark.parametrize(
    "shown", [np.tile([0.6, 0.8], 40), np.tile([0.5, 0.7, 0.9], 30)], ids=["two", "three"]
)
def test_stimuli_in_a_fixed_order_cannot_tell_the_past(shown):
    response = shown + 0.05 * np.random.default_rng(0).normal(size=shown.size)
    with pytest.raises(TensorError, match="follow from those of the trial itself"):
        pdn.serial_dependence({"stimulus": shown, "response": response}, n_back=2, n_draws=3)


def test_what_cannot_be_measured_is_said():
    with pytest.raises(FitError, match="1 stimulus in 30 usable trials"):
        pdn.contraction({"stimulus": [0.5] * 30, "response": [0.5] * 30})
    with pytest.raises(TensorError, match="one of them is in ms"):
        pdn.contraction({"stimulus": [500.0, 700.0] * 9, "response": [0.5] * 18})
    with pytest.raises(TensorError, match="no response: say which column"):
        pdn.contraction({"stimulus": [0.5, 0.7]})
    with pytest.raises(TensorError, match="the role 'choice' needs numbers"):
        pdn.contraction({"stimulus": [1.0], "stimulus_2": [2.0], "choice": ["left"]})
    with pytest.raises(FitError, match="at least 20 are needed"):
        pdn.serial_dependence({"stimulus": [0.5, 0.7] * 5, "response": [0.5] * 10})
    with pytest.raises(TensorError, match="n_back must be a whole number"):
        from popdyn.behavior.history import previous

        previous(pd.DataFrame({"stimulus": [1.0]}), "stimulus", 0)


def test_contexts_taken_together_are_said():
    stimulus = np.tile([0.5, 0.6, 0.7, 0.8], 20)
    trials = pd.DataFrame({"stimulus": stimulus, "response": 0.3 + 0.5 * stimulus})
    trials["response"] += 0.01 * np.random.default_rng(0).standard_normal(80)
    trials["context"] = np.repeat(["short", "long"], 40)
    with pytest.warns(pdn.PopdynWarning, match=r"all contexts together \(short, long\)"):
        pdn.contraction(trials, n_draws=20)


def test_draws_of_rare_stimuli_are_not_always_the_same_trial():
    """One trial drawn again within its class would seem to be without noise."""
    stimulus = np.repeat([0.5, 0.6, 0.7, 0.8, 1.0], [1, 5, 30, 5, 1])
    rng, held = np.random.default_rng(5), 0
    for seed in range(40):
        response = 0.2 + 0.75 * stimulus + 0.08 * rng.normal(size=stimulus.size)
        found = pdn.contraction({"stimulus": stimulus, "response": response}, n_draws=100, rng=seed)
        lower, upper = found.slope_bound.values
        held += lower <= 0.75 <= upper
    # .94 of 120; within classes .76.
    assert held >= 34


def test_a_draw_of_one_stimulus_alone_has_no_slope():
    stimulus = np.repeat([0.5, 0.7, 1.0], [1, 8, 1])
    response = stimulus + np.tile([0.01, -0.01], 5)
    found = pdn.contraction({"stimulus": stimulus, "response": response}, n_draws=400)
    assert np.isfinite(found.slope_bound.values).all()
    assert np.abs(found.slope_bound.values).max() < 10
