"""Shares, slopes and points of equality are those of other programs, and come with their doubt."""

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.behavior.equality import fit_equality
from tests.oracles.equality import point_of_equality

FIRST = np.array([0.3, 0.5, 0.7, 0.9])
DIFFERENCES = np.array([-0.2, -0.1, -0.05, 0.05, 0.1, 0.2])


def _trials(**columns):
    n_trials = len(next(iter(columns.values())))
    table = {name: ("trial", np.asarray(values)) for name, values in columns.items()}
    return xr.Dataset(coords={**table, "trial": np.arange(n_trials)})


def _comparisons(slope=0.7, spread=0.08, repeats=30, rng=0):
    """Choices of an observer whose points of equality lie on a line through the mean."""
    generator = np.random.default_rng(rng)
    pairs = [(f, f + d) for f in FIRST for d in DIFFERENCES for _ in range(repeats)]
    first, second = np.array(pairs).T
    equal = 0.6 + slope * (first - 0.6)
    choice = np.where(second + spread * generator.standard_normal(first.size) > equal, 1.0, -1.0)
    correct = (choice == np.sign(second - first)).astype(float)
    return _trials(stimulus=first, stimulus_2=second, choice=choice, correct=correct)


def _productions(slope=0.8, n_trials=400, rng=0, noise=0.05):
    generator = np.random.default_rng(rng)
    true = generator.choice([0.5, 0.6, 0.7, 0.8], n_trials)
    made = 0.65 + slope * (true - 0.65) + noise * generator.standard_normal(n_trials)
    return _trials(stimulus=true, produced_interval=made, correct=(made > 0).astype(float))


def test_points_of_equality_are_those_of_a_plain_search():
    trials = _comparisons(repeats=6)
    found = pdn.behavior_by_class(trials, n_draws=5)
    largest = np.abs(trials["stimulus_2"] - trials["stimulus"]).max().item()
    for first in FIRST[:2]:
        own = trials.isel(trial=np.isclose(trials["stimulus"], first))
        larger = own["choice"].to_numpy() > 0
        equal, spread = point_of_equality(first, own["stimulus_2"].to_numpy(), larger, largest)
        one = found.sel(first=first, method="nearest")
        assert one["equality"].item() == pytest.approx(equal, abs=1e-7)
        assert one["spread"].item() == pytest.approx(spread, abs=1e-7)


def test_with_many_trials_they_are_those_of_a_probit_regression():
    import statsmodels.api as sm

    trials = _comparisons(repeats=400)
    found = pdn.behavior_by_class(trials, n_draws=5)
    for first in FIRST:
        own = trials.isel(trial=np.isclose(trials["stimulus"], first))
        design = sm.add_constant(own["stimulus_2"].to_numpy())
        fit = sm.Probit((own["choice"] > 0).to_numpy().astype(float), design).fit(disp=False)
        one = found.sel(first=first, method="nearest")
        assert one["equality"].item() == pytest.approx(-fit.params[0] / fit.params[1], abs=2e-4)
        assert one["spread"].item() == pytest.approx(1 / fit.params[1], rel=5e-3)


def test_the_slope_of_a_contracted_observer_is_found_with_its_interval():
    found = pdn.behavior_by_class(_comparisons(slope=0.7, repeats=60), n_draws=200)
    lower, upper = found["slope_bound"].to_numpy()
    assert lower < 0.7 < upper < 1
    assert upper - lower < 0.2
    assert found["slope"].item() == pytest.approx(
        np.polyfit(FIRST, found["equality"], 1)[0], abs=0.02
    )
    assert found["slope_draw"].sizes == {"draw": 200}


def test_the_slope_is_that_of_a_probit_regression_where_the_spread_is_the_same():
    import statsmodels.api as sm

    trials = _comparisons(slope=0.7, repeats=400)
    found = pdn.behavior_by_class(trials, n_draws=5)
    columns = trials["stimulus_2"].to_numpy(), trials["stimulus"].to_numpy()
    design = sm.add_constant(np.stack(columns, axis=1))
    fit = sm.Probit((trials["choice"] > 0).to_numpy().astype(float), design).fit(disp=False)
    assert found["slope"].item() == pytest.approx(-fit.params[2] / fit.params[1], abs=0.01)
    # The error of the ratio by propagation.
    gradient = np.array([0, fit.params[2] / fit.params[1] ** 2, -1 / fit.params[1]])
    error = np.sqrt(gradient @ fit.cov_params() @ gradient)
    assert float(np.diff(found["slope_bound"])[0]) == pytest.approx(3.92 * error, rel=0.1)


def _never_wrong(difference=0.1, repeats=12):
    pairs = [(f, f + s * difference) for f in FIRST for s in (-1, 1) for _ in range(repeats)]
    first, second = np.array(pairs).T
    return _trials(
        stimulus=first,
        stimulus_2=second,
        choice=np.sign(second - first),
        correct=np.ones(first.size),
    )


def test_pairs_that_are_never_confused_leave_open_what_lies_between_them():
    found = pdn.behavior_by_class(_never_wrong(0.1), n_draws=5)
    lower, upper = found["equality_bound"].to_numpy()
    assert (lower < FIRST - 0.095).all() and (upper > FIRST + 0.095).all()
    assert (lower >= FIRST - 0.1 - 1e-9).all() and (upper <= FIRST + 0.1 + 1e-9).all()
    # The steepest and the flattest line through the gaps 0.1 up and down of 0.3 ... 0.9.
    assert found["slope_bound"].to_numpy() == pytest.approx(
        [1 - 0.2 / 0.6, 1 + 0.2 / 0.6], abs=0.02
    )


def test_profile_intervals_are_those_of_a_search_on_a_grid():
    from scipy.stats import norm

    shown, larger = np.array([-0.2, -0.1, 0.1, 0.2]), np.array([1.0, 2.0, 6.0, 9.0])
    n_trials = np.full(4, 10.0)
    found = fit_equality(shown[None], larger[None], n_trials[None])
    place, spread = np.linspace(-0.2, 0.2, 2001)[:, None, None], np.geomspace(0.02, 1, 801)[:, None]
    z = (shown - place) / spread
    said = larger * norm.logcdf(z) + (n_trials - larger) * norm.logcdf(-z)
    # Of each bound the prior of the other coefficient counts.
    of_place = (place[..., 0] / 0.2 / 5) ** 2 / 2 + 0 * spread[:, 0]
    of_spread = ((np.log(spread[:, 0] / 0.2) + 1) / 5) ** 2 / 2
    for bound, values, prior, other in (
        (found.difference_bound, place[:, 0, 0], of_spread, 1),
        (found.spread_bound, spread[:, 0], of_place, 0),
    ):
        lowest = (prior - said.sum(axis=2)).min(axis=other)
        near = np.flatnonzero(lowest <= lowest.min() + 1.920729)
        assert bound[:, 0] == pytest.approx(values[near[[0, -1]]], rel=8e-3, abs=3e-4)


def test_choices_that_have_nothing_to_do_with_the_pair_have_no_slope():
    trials = _comparisons(repeats=4)
    choice = np.tile([1.0, -1.0], trials.sizes["trial"] // 2)
    right = choice == np.sign(trials["stimulus_2"] - trials["stimulus"]).to_numpy()
    told = trials.assign_coords(choice=("trial", choice), correct=("trial", right.astype(float)))
    found = pdn.behavior_by_class(told, n_draws=5)
    assert not np.isfinite(found["slope_bound"]).any()
    assert np.isnan(found["slope"])


def test_intervals_of_slopes_of_continuous_stimuli_have_the_width_of_a_regression():
    import statsmodels.api as sm

    generator = np.random.default_rng(0)
    true = generator.uniform(0.5, 1.0, 200)
    made = 0.15 + 0.8 * true + 0.05 * generator.standard_normal(200)
    trials = _trials(stimulus=true, produced_interval=made)
    found = pdn.behavior_by_class(trials, n_draws=400)
    fit = sm.OLS(made, sm.add_constant(true)).fit()
    assert found["slope_bound"].to_numpy() == pytest.approx(fit.conf_int()[1], abs=0.02)
    assert np.isnan(found["produced_bound"]).all()


def test_a_plan_that_draws_within_small_classes_is_doubted():
    trials = _productions(n_trials=20)
    plan = pdn.bootstrap(trials, "stimulus", n_draws=5)
    with pytest.warns(pdn.PopdynWarning, match="4 classes by stimulus, of 5.0 trials on average"):
        pdn.behavior_by_class(trials, resample=plan)


def test_the_mean_of_a_class_has_the_interval_of_student():
    from scipy.stats import ttest_1samp

    trials = _productions(n_trials=40)
    found = pdn.behavior_by_class(trials, n_draws=5)
    own = trials["produced_interval"].to_numpy()[trials["stimulus"].to_numpy() == 0.5]
    expected = ttest_1samp(own, 0.0).confidence_interval()
    assert found["produced_bound"].to_numpy()[:, 0] == pytest.approx(list(expected))


def test_choices_that_are_never_wrong_put_equality_between_the_pairs():
    shown = np.array([[-0.15, 0.15]])
    found = fit_equality(shown, np.array([[0.0, 20.0]]), np.full((1, 2), 20.0))
    assert abs(found.difference[0]) < 1e-6
    assert 0 < found.spread[0] < 0.15


def test_a_first_stimulus_with_one_second_has_no_point_of_equality():
    trials = _comparisons()
    alone = np.isclose(trials["stimulus"], 0.3) & (trials["stimulus_2"] < 0.45)
    found = pdn.behavior_by_class(trials.isel(trial=~alone), n_draws=5)
    assert np.isnan(found["equality"].sel(first=0.3).item())
    assert np.isfinite(found["slope"].item())


def test_a_point_beyond_what_was_shown_is_none():
    trials = _comparisons()
    first, second = trials["stimulus"].to_numpy(), trials["stimulus_2"].to_numpy()
    lowest = np.isclose(first, 0.3)
    choice = np.where(lowest, -1.0, trials["choice"])
    correct = (choice == np.sign(second - first)).astype(float)
    told = trials.assign_coords(choice=("trial", choice), correct=("trial", correct))
    found = pdn.behavior_by_class(told, n_draws=20)
    left = pdn.behavior_by_class(trials.isel(trial=~lowest), n_draws=5)
    assert np.isnan(found["equality"].sel(first=0.3).item())
    assert np.isnan(found["equality_bound"].sel(first=0.3)).all()
    assert found["slope"].item() == pytest.approx(left["slope"].item(), abs=1e-6)


def test_extreme_choices_stay_finite():
    shown = np.tile(DIFFERENCES, (3, 1))
    n_trials = np.full(shown.shape, 1e4)
    larger = np.stack([np.zeros(6), np.full(6, 1e4), np.full(6, 5e3)])
    found = fit_equality(shown, larger, n_trials)
    assert np.isfinite(found.difference).all()
    assert found.difference[0] > 0.2 and found.difference[1] < -0.2


def test_slopes_of_production_are_those_of_a_regression():
    import statsmodels.api as sm

    trials = _productions()
    found = pdn.behavior_by_class(trials, n_draws=400)
    true, made = trials["stimulus"].to_numpy(), trials["produced_interval"].to_numpy()
    fit = sm.OLS(made, sm.add_constant(true)).fit()
    assert found["slope"].item() == pytest.approx(fit.params[1], rel=1e-10)
    assert found["slope_bound"].to_numpy() == pytest.approx(fit.conf_int()[1], abs=0.015)
    table = trials["produced_interval"].to_pandas().groupby(true)
    assert found["produced"].to_numpy() == pytest.approx(table.mean().to_numpy())
    assert found["produced_deviation"].to_numpy() == pytest.approx(table.std().to_numpy())


def test_trials_without_an_answer_count_in_the_share_alone():
    trials = _productions(n_trials=100)
    made = trials["produced_interval"].to_numpy().copy()
    made[:10] = np.nan
    told = trials.assign_coords(produced_interval=("trial", made))
    found = pdn.behavior_by_class(told, n_draws=5)
    left = pdn.behavior_by_class(trials.isel(trial=slice(10, None)), n_draws=5)
    assert found["slope"].item() == pytest.approx(left["slope"].item())
    assert found["produced"].to_numpy() == pytest.approx(left["produced"].to_numpy())
    answered = (found["answered"] * found["n_trials"]).sum().item()
    assert answered == pytest.approx(90)


def test_each_context_has_its_slope():
    short, long = _productions(slope=0.6), _productions(slope=1.0, rng=1)
    both = xr.concat([short, long], "trial").assign_coords(trial=np.arange(800))
    both = both.assign_coords(context=("trial", np.repeat(["short", "long"], 400)))
    found = pdn.behavior_by_class(both, n_draws=50)
    slope = found["slope"].sel(slope_context="short").item()
    assert slope == pytest.approx(pdn.behavior_by_class(short, n_draws=5)["slope"].item())
    slope = found["slope"].sel(slope_context="long").item()
    assert slope == pytest.approx(1, abs=0.05)
    assert found.sizes["condition"] == 8


def test_shares_come_with_wilson_intervals():
    from statsmodels.stats.proportion import proportion_confint

    correct = np.repeat([1.0, 0.0, 1.0, np.nan], [7, 3, 10, 5])
    stimulus = np.repeat([1, 1, 2, 2], [7, 3, 10, 5])
    found = pdn.behavior_by_class(_trials(stimulus=stimulus, correct=correct), n_draws=5)
    assert found["accuracy"].to_numpy().tolist() == [0.7, 1.0]
    expected = proportion_confint([7, 10], [10, 10], method="wilson")
    assert found["accuracy_bound"].to_numpy() == pytest.approx(np.array(expected))
    assert found["n_trials"].to_numpy().tolist() == [10, 15]


def test_a_task_that_asks_for_no_comparison_has_no_point_of_equality():
    trials = _comparisons()
    same = (trials["stimulus"] == trials["stimulus_2"]).astype(float)
    found = pdn.behavior_by_class(trials.assign_coords(correct=same), n_draws=5)
    assert "equality" not in found


def test_a_plan_draws_behavior_with_other_analyses():
    trials = _comparisons()
    plan = pdn.bootstrap(trials, n_draws=20, rng=3)
    given = pdn.behavior_by_class(trials, resample=plan)
    assert given.identical(pdn.behavior_by_class(trials, n_draws=20, rng=3))
    with pytest.raises(pdn.TensorError, match="the resample plan was made for"):
        pdn.behavior_by_class(trials.isel(trial=slice(10)), resample=plan)


def test_columns_of_a_recording_play_their_roles():
    trials = _productions().rename(stimulus="ts", produced_interval="tp")
    found = pdn.behavior_by_class(trials, roles={"stimulus": "ts", "response": "tp"}, n_draws=5)
    assert found["slope"].item() == pytest.approx(0.8, abs=0.1)


def test_what_is_no_trial_is_refused():
    with pytest.raises(pdn.TensorError, match="needs trials, such as pdn.simulate"):
        pdn.behavior_by_class("trials")
    with pytest.raises(pdn.TensorError, match="say what the classes are, by= one of correct"):
        pdn.behavior_by_class(_trials(correct=[1.0, 0.0]))


def test_a_trial_without_stimulus_takes_nothing_from_the_others():
    trials = _comparisons()
    first = trials["stimulus"].to_numpy().copy()
    first[3] = np.nan
    found = pdn.behavior_by_class(trials.assign_coords(stimulus=("trial", first)), n_draws=5)
    without = pdn.behavior_by_class(trials.isel(trial=np.arange(trials.sizes["trial"]) != 3))
    assert found["slope"].item() == pytest.approx(without["slope"].item(), abs=1e-9)


def test_choices_of_0_and_1_are_those_of_minus_1_and_1():
    trials = _comparisons()
    binary = trials.assign_coords(choice=(trials["choice"] + 1) / 2)
    found, known = (pdn.behavior_by_class(one, n_draws=5) for one in (binary, trials))
    for name in ("equality", "slope", "choice_share"):
        assert np.array_equal(found[name], known[name])


def test_a_trial_that_contradicts_itself_is_said():
    trials = _comparisons()
    correct = trials["correct"].to_numpy().copy()
    correct[5] = 1 - correct[5]
    wrong = trials.assign_coords(correct=("trial", correct))
    with pytest.warns(pdn.PopdynWarning, match="on 1 of 720 trials"):
        assert "equality" not in pdn.behavior_by_class(wrong, n_draws=5)


def test_choices_that_are_swapped_are_told():
    trials = _comparisons()
    swapped = trials.assign_coords(choice=-trials["choice"])
    with pytest.warns(pdn.PopdynWarning, match="the first stimulus is called larger"):
        assert "equality" not in pdn.behavior_by_class(swapped, n_draws=5)


def test_contexts_taken_together_are_said():
    trials = _comparisons()
    context = np.where(np.arange(trials.sizes["trial"]) % 2, "short", "long")
    with pytest.warns(pdn.PopdynWarning, match=r"of all contexts together \(long, short\)"):
        pdn.behavior_by_class(trials.assign_coords(context=("trial", context)), n_draws=5)


def test_an_infinite_interval_is_none():
    trials = _productions(n_trials=40)
    produced = trials["produced_interval"].to_numpy().copy()
    produced[7] = np.inf
    found = pdn.behavior_by_class(
        trials.assign_coords(produced_interval=("trial", produced)), n_draws=20
    )
    assert np.isfinite(found["produced"]).all()
    assert found["answered"].min() < 1


def test_few_trials_have_no_interval():
    trials = _productions(n_trials=40).isel(trial=slice(0, 6))
    assert trials["stimulus"].to_numpy().std() > 0
    assert np.isnan(pdn.behavior_by_class(trials, n_draws=100)["slope_bound"]).all()
