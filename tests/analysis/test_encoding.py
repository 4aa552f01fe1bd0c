import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

import popdyn as pdn
from popdyn.analysis import count_regression
from popdyn.analysis.clusters_in_time import cluster_p
from popdyn.analysis.design import make_design
from popdyn.analysis.encoding_permutation import _statistics, induced
from popdyn.analysis.encoding_validation import PENALTIES, deal_folds, validate
from popdyn.analysis.false_discovery import false_discovery_q
from popdyn.analysis.least_squares import fit_least_squares
from popdyn.errors import PopdynWarning, TensorError
from popdyn.resample import shuffled_orders
from tests.oracles import encoding as slow

DATA = Path(__file__).parents[2] / "data"
NAMES = ["choice", "coherence", "speed"]


def columns(n_trials, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "choice": rng.choice([-1, 1], n_trials),
        "coherence": rng.normal(size=n_trials),
        "speed": 500.0 + 20.0 * rng.normal(size=n_trials),
        "odor": rng.choice(["a", "b", "c"], n_trials),
    }


def matrix(trials):
    return np.column_stack([*(trials[name] for name in NAMES), np.ones(len(trials["choice"]))])


def tensor(n_trials=60, n_neurons=4, n_times=5, seed=0, missing=True):
    """Rates around 20 Hz that follow the regressors; each neuron misses trials of its own."""
    rng = np.random.default_rng(seed)
    trials = columns(n_trials, seed)
    weight = rng.normal(size=(n_neurons, n_times, 4)) * [1.0, 1.0, 0.05, 0.0]
    x = matrix(trials)
    x[:, 2] -= 500.0
    values = 40.0 + weight @ x.T + rng.normal(size=(n_neurons, n_times, n_trials))
    if missing:
        for neuron in range(1, n_neurons):
            values[neuron, :, rng.permutation(n_trials)[: 3 * neuron]] = np.nan
        values[-1, 2, :7] = np.nan
    return pdn.make_tensor(values, 0.1 * np.arange(n_times), trials=trials), matrix(trials)


def counts(n_trials=150, n_neurons=3, n_times=2, size=None, seed=0, bin_width=0.1):
    """Counts whose logarithm of the rate follows the regressors; `size` makes them overdispersed."""
    rng = np.random.default_rng(seed)
    trials = columns(n_trials, seed)
    x = matrix(trials)
    mean = bin_width * np.exp(x @ [0.3, -0.2, 0.004, 1.2])
    mean = np.broadcast_to(mean, (n_neurons, n_times, n_trials))
    values = rng.poisson(mean if size is None else rng.gamma(size, mean / size)).astype(float)
    for neuron in range(1, n_neurons):
        values[neuron, :, rng.permutation(n_trials)[: 9 * neuron]] = np.nan
    time = bin_width * np.arange(n_times)
    counted = pdn.make_tensor(values, time, trials=trials, name="spike_count", bin_width=bin_width)
    return counted, x


def cells(x):
    for neuron in range(x.sizes["neuron"]):
        for time in range(x.sizes["time"]):
            values = x.values[neuron, time].astype(float)
            yield neuron, time, values, np.isfinite(values)


def equal(found, expected, neuron, time, **tolerance):
    np.testing.assert_allclose(found.values[:, neuron, time], expected, **tolerance)


@pytest.mark.parametrize("robust", [False, "HC1", "HC3"])
def test_least_squares_equal_statsmodels_with_other_trials_missing_in_every_neuron(robust):
    import statsmodels.api as sm

    x, design = tensor()
    result = pdn.encoding(x, NAMES, robust=robust)
    for neuron, time, y, known in cells(x):
        fit = sm.OLS(y[known], design[known]).fit()
        if robust:
            fit = fit.get_robustcov_results(robust, use_t=True)
        equal(result.coefficient, fit.params, neuron, time, rtol=1e-10)
        equal(result.standard_error, fit.bse, neuron, time, rtol=1e-10)
        equal(result.t, fit.tvalues, neuron, time, rtol=1e-10, atol=1e-10)
        equal(result.p, fit.pvalues, neuron, time, rtol=1e-8, atol=1e-12)
        ratio = float(result.explained_variance_ratio[neuron, time])
        assert ratio == pytest.approx(fit.rsquared, abs=1e-10)
        assert float(result.residual_variance[neuron, time]) == pytest.approx(fit.scale, rel=1e-10)
        assert float(result.degrees_of_freedom[neuron, time]) == pytest.approx(fit.df_resid)
        assert int(result.n_trials[neuron, time]) == known.sum()


@pytest.mark.parametrize("robust", [False, True])
def test_poisson_equals_statsmodels(robust):
    import statsmodels.api as sm

    x, design = counts()
    result = pdn.encoding(x, NAMES, family="poisson", robust=robust, n_folds=0)
    for neuron, time, y, known in cells(x):
        kind = "HC1" if robust else "nonrobust"
        offset = np.full(known.sum(), np.log(0.1))
        model = sm.GLM(y[known], design[known], sm.families.Poisson(), offset=offset)
        fit = model.fit(tol=1e-15, maxiter=300, tol_criterion="params", cov_type=kind)
        equal(result.coefficient, fit.params, neuron, time, rtol=1e-10)
        equal(result.standard_error, fit.bse, neuron, time, rtol=1e-10)
        equal(result.p, fit.pvalues, neuron, time, rtol=1e-8, atol=1e-12)
        share = float(result.explained_deviance_ratio[neuron, time])
        assert share == pytest.approx(1 - fit.deviance / fit.null_deviance, abs=1e-10)
    assert (result.dispersion == 0).all()


def test_negative_binomial_equals_statsmodels_with_the_error_of_the_dispersion_in_it():
    import statsmodels.api as sm

    x, design = counts(size=2.0)
    result = pdn.encoding(x, NAMES, family="negative_binomial", n_folds=0)
    for neuron, time, y, known in cells(x):
        offset = np.full(known.sum(), np.log(0.1))
        model = sm.NegativeBinomial(y[known], design[known], offset=offset)
        start = np.append(result.coefficient.values[:, neuron, time] * 0.9, 0.4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # statsmodels' own, of its line search
            fit = model.fit(start, method="newton", maxiter=300, tol=1e-13, disp=0)
        assert float(result.dispersion[neuron, time]) == pytest.approx(fit.params[-1], rel=1e-10)
        equal(result.coefficient, fit.params[:-1], neuron, time, rtol=1e-10, atol=1e-10)
        equal(result.standard_error, fit.bse[:-1], neuron, time, rtol=1e-10)


def test_counts_that_vary_less_than_poisson_have_no_dispersion():
    x, _ = counts(n_trials=60, n_neurons=1, n_times=1)
    x = x.copy(data=np.tile([2.0, 3.0], 30)[None, None])
    result = pdn.encoding(x, NAMES, family="negative_binomial", n_folds=0)
    plain = pdn.encoding(x, NAMES, family="poisson", n_folds=0)
    assert float(result.dispersion[0, 0]) == 0
    np.testing.assert_array_equal(result.standard_error, plain.standard_error)


def test_held_out_deviance_is_that_of_refitted_models():
    import statsmodels.api as sm

    x, design = counts(n_trials=80, n_neurons=1, n_times=1)
    result = pdn.encoding(x, NAMES, family="poisson", n_folds=4, rng=3)
    fold = deal_folds(80, 4, np.random.default_rng(3))
    y = x.values[0, 0].astype(float)
    family = sm.families.Poisson()
    total = np.zeros(5)
    models = [[3], [0, 1, 2, 3], [1, 2, 3], [0, 2, 3], [0, 1, 3]]
    for k in range(4):
        train, test = fold != k, fold == k
        for i, kept in enumerate(models):
            fit = sm.GLM(y[train], design[train][:, kept], family).fit(tol=1e-14)
            total[i] += family.deviance(y[test], fit.predict(design[test][:, kept]))
    ratio = 1 - total / total[0]
    assert float(result.cross_validated_ratio[0, 0]) == pytest.approx(ratio[1], rel=1e-8)
    unique = result.unique_explained_variance.values[:, 0, 0]
    np.testing.assert_allclose(unique, ratio[1] - ratio[2:], rtol=1e-7, atol=1e-10)


def test_folds_fit_no_mean_and_no_errors_which_they_do_not_need(monkeypatch):
    x, _ = counts(n_trials=80, n_neurons=1, n_times=1, size=2.0)
    fitted, errors = [], []
    maximize, information_at = count_regression.maximize, count_regression.information_at
    monkeypatch.setattr(
        count_regression,
        "maximize",
        lambda *given: fitted.append(given[1].shape[1]) or maximize(*given),
    )
    monkeypatch.setattr(
        count_regression,
        "information_at",
        lambda *given: errors.append(1) or information_at(*given),
    )
    pdn.encoding(x, ["choice", "coherence"], family="negative_binomial", n_folds=4)
    # Of everything, and in each fold of everything and without each term; Poisson first.
    assert sorted(fitted) == sorted([3, 4] * 5 + [2, 3] * 8)
    assert len(errors) == 2


def test_held_out_deviance_of_overdispersed_counts_is_that_of_refitted_models():
    import statsmodels.api as sm

    x, design = counts(n_trials=80, n_neurons=1, n_times=1, size=2.0, bin_width=0.5)
    options = {"family": "negative_binomial", "n_folds": 4, "rng": 3}
    result = pdn.encoding(x, NAMES, **options)
    fold, y = deal_folds(80, 4, np.random.default_rng(3)), x.values[0, 0].astype(float)
    total = np.zeros(5)
    for k in range(4):
        train, test = fold != k, fold == k
        models = [[3], [0, 1, 2, 3], [1, 2, 3], [0, 2, 3], [0, 1, 3]]
        fits = [
            sm.NegativeBinomial(y[train], design[train][:, kept]).fit(
                disp=0, method="newton", maxiter=200, tol=1e-12
            )
            for kept in models
        ]
        family = sm.families.NegativeBinomial(alpha=fits[1].params[-1])
        for i, (kept, fit) in enumerate(zip(models, fits, strict=True)):
            total[i] += family.deviance(y[test], np.exp(design[test][:, kept] @ fit.params[:-1]))
    ratio = 1 - total / total[0]
    assert float(result.cross_validated_ratio[0, 0]) == pytest.approx(ratio[1], abs=1e-6)
    unique = result.unique_explained_variance.values[:, 0, 0]
    np.testing.assert_allclose(unique, ratio[1] - ratio[2:], atol=1e-6)


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_cross_validation_from_sums_is_that_of_refitted_models(penalty):
    x, design = tensor()
    result = pdn.encoding(x, NAMES, regularization=penalty, n_folds=6, rng=2)
    fold = deal_folds(60, 6, np.random.default_rng(2))
    for neuron, time, y, known in cells(x):
        error = slow.held_out_errors(y[known], design[known], fold[known], penalty)
        ratio = 1 - error / error[0]
        assert float(result.cross_validated_ratio[neuron, time]) == pytest.approx(ratio[1])
        equal(result.unique_explained_variance, ratio[1] - ratio[2:], neuron, time, atol=1e-9)


def test_ridge_equals_scikit_learn_on_scaled_regressors():
    from sklearn.linear_model import Ridge

    x, design = tensor()
    result = pdn.encoding(x, NAMES, regularization=0.5, n_folds=0)
    for neuron, time, y, known in cells(x):
        own = design[known][:, :-1]
        model = Ridge(alpha=0.5 * known.sum()).fit((own - own.mean(0)) / own.std(0), y[known])
        equal(result.coefficient[:-1], model.coef_ / own.std(0), neuron, time, rtol=1e-9)
        residual = y[known] - model.predict((own - own.mean(0)) / own.std(0))
        degrees = float(result.degrees_of_freedom[neuron, time])
        found = float(result.residual_variance[neuron, time])
        assert found * degrees == pytest.approx(residual @ residual, rel=1e-9)


def test_a_penalty_of_one_halves_a_lone_regressor():
    x, _ = tensor(missing=False)
    plain, half = (pdn.encoding(x, ["speed"], regularization=r, n_folds=0) for r in (0.0, 1.0))
    np.testing.assert_allclose(half.coefficient[0], plain.coefficient[0] / 2)


def test_the_ridge_is_chosen_per_neuron_by_held_out_error_over_its_bins():
    rng = np.random.default_rng(0)
    trials = {f"r{i}": rng.normal(size=40) for i in range(20)}
    values = 30 + rng.normal(size=(2, 3, 40))
    values[1] += 5 * trials["r0"] + 5 * trials["r1"]
    x = pdn.make_tensor(values, [0.0, 0.1, 0.2], trials=trials)
    result = pdn.encoding(x, list(trials), regularization="cv", rng=1)
    assert result.regularization[0] > 10 * result.regularization[1]
    fold = deal_folds(40, 5, np.random.default_rng(1))
    design = np.column_stack([*trials.values(), np.ones(40)])
    for neuron in range(2):
        error = np.zeros(len(PENALTIES))
        for y in values[neuron]:
            scale = ((y - y.mean()) ** 2).sum()
            error += [slow.held_out_errors(y, design, fold, p)[1] / scale for p in PENALTIES]
        assert float(result.regularization[neuron]) == PENALTIES[error.argmin()]
    plain = pdn.encoding(x, list(trials), rng=1)
    assert (result.cross_validated_ratio[0] > plain.cross_validated_ratio[0]).all()


def test_bins_count_alike_in_the_choice_of_the_ridge_however_much_they_vary():
    rng = np.random.default_rng(0)
    trials = {f"r{i}": rng.normal(size=40) for i in range(20)}
    values = rng.normal(size=(1, 4, 40)) * np.array([100.0, 1.0, 1.0, 1.0])[:, None]
    values[0, 1:] += 5 * trials["r0"] + 5 * trials["r1"]
    x = pdn.make_tensor(values, 0.1 * np.arange(4), trials=trials, units="1")
    found = float(pdn.encoding(x, list(trials), regularization="cv", rng=1).regularization[0])
    fold = deal_folds(40, 5, np.random.default_rng(1))
    design = np.column_stack([*trials.values(), np.ones(40)])
    error = np.array(
        [[slow.held_out_errors(y, design, fold, p)[1] for p in PENALTIES] for y in values[0]]
    )
    scale = ((values[0] - values[0].mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    assert found == PENALTIES[(error / scale[:, None]).sum(axis=0).argmin()]
    assert found != PENALTIES[error.sum(axis=0).argmin()]


def test_the_ratio_of_a_chosen_ridge_does_not_know_the_held_out_fold():
    x, design = tensor(n_neurons=1, n_times=1, missing=False)
    fold = deal_folds(60, 4, np.random.default_rng(5))
    found = validate(x.values, make_design(x, NAMES), fold, None)
    y = x.values[0, 0]
    total = np.zeros(5)
    scaled = design.copy()
    scaled[:, :-1] = (design[:, :-1] - design[:, :-1].mean(0)) / design[:, :-1].std(0)
    for k in range(4):
        inside = fold != k
        inner = []
        for penalty in PENALTIES:
            error = 0.0
            for j in set(range(4)) - {k}:
                train, test = inside & (fold != j), fold == j
                ridge = np.diag([penalty * train.sum()] * 3 + [0.0])
                a = scaled[train]
                b = np.linalg.solve(a.T @ a + ridge, a.T @ y[train])
                error += ((y[test] - scaled[test] @ b) ** 2).sum()
            inner.append(error)
        best = PENALTIES[int(np.argmin(inner))]
        for i, kept in enumerate([[3], [0, 1, 2, 3], [1, 2, 3], [0, 2, 3], [0, 1, 3]]):
            a = scaled[inside][:, kept]
            ridge = np.diag([best * inside.sum()] * (len(kept) - 1) + [0.0])
            b = np.linalg.solve(a.T @ a + ridge, a.T @ y[inside])
            total[i] += ((y[~inside] - scaled[~inside][:, kept] @ b) ** 2).sum()
    assert found.ratio[0, 0] == pytest.approx(1 - total[1] / total[0])
    np.testing.assert_allclose(found.unique[:, 0, 0], (total[2:] - total[1]) / total[0])


def test_permuted_statistics_equal_freedman_and_lane_written_out():
    x, design = tensor(n_neurons=1, n_times=2, missing=False)
    orders = shuffled_orders(60, 6, 0)
    found = _statistics(x.values.reshape(2, -1).astype(float), design, np.array([1]), orders)
    for row, y in enumerate(x.values[0]):
        for draw, order in enumerate([np.arange(60), *(np.argsort(o) for o in orders)]):
            expected = slow.freedman_lane_t(y, design, 1, order)
            assert found[draw, row] == pytest.approx(expected, rel=1e-9)


def test_the_observed_statistic_of_the_cluster_test_is_t_or_f():
    x, _ = tensor()
    result = pdn.encoding(x, ["choice", "odor"])
    design = make_design(x, ["choice", "odor"])
    rows = x.values.reshape(-1, 60).astype(float)
    orders = shuffled_orders(60, 1, 0)
    t = _statistics(rows, design.matrix, np.array([0]), orders)[0].reshape(4, 5)
    np.testing.assert_allclose(t, result.t.sel(regressor="choice"), rtol=1e-9, atol=1e-10)
    f = _statistics(rows, design.matrix, np.array([1, 2]), orders)[0].reshape(4, 5)
    share = pdn.encoding(x, ["choice"], n_folds=0)
    rss = result.residual_variance * result.degrees_of_freedom
    rest = share.residual_variance * share.degrees_of_freedom
    np.testing.assert_allclose(f, (rest - rss) / 2 / result.residual_variance, rtol=1e-8)


@given(st.integers(0, 2**16), st.integers(1, 11))
def test_induced_permutations_are_permutations_and_agree_with_the_whole(seed, n_observed):
    rng = np.random.default_rng(seed)
    orders = shuffled_orders(12, 5, rng)
    observed = np.zeros(12, dtype=bool)
    observed[rng.permutation(12)[:n_observed]] = True
    found = induced(orders, observed)
    assert (np.sort(found, axis=1) == np.arange(n_observed)).all()
    everything = np.ones(12, dtype=bool)
    np.testing.assert_array_equal(induced(orders, everything), orders)


def test_a_planted_epoch_is_one_cluster_and_the_others_none():
    rng = np.random.default_rng(1)
    trials = columns(120)
    values = 30 + rng.normal(size=(2, 20, 120))
    values[0, 8:15] += 0.8 * trials["choice"]
    x = pdn.make_tensor(values, 0.05 * np.arange(20), trials=trials)
    result = pdn.encoding(x, ["choice", "odor"], n_draws=299)
    p = result.cluster_p.sel(term="choice")
    assert (p[0, 8:15] <= 0.01).all() and (p[0, :7] > 0.05).all() and (p[0, 16:] > 0.05).all()
    assert (p[1] > 0.05).all() and (result.cluster_p.sel(term="odor") > 0.02).all()
    assert len(np.unique(result.cluster.sel(term="choice")[0, 8:15])) == 1


def test_bins_beyond_the_two_sided_level_of_t_or_the_upper_one_of_f_make_clusters(monkeypatch):
    from scipy import stats

    asked = []

    def watched(observed, null, threshold, *, side="both"):
        asked.append((np.asarray(threshold), side))
        return cluster_p(observed, null, threshold, side=side)

    monkeypatch.setattr("popdyn.analysis.encoding_permutation.cluster_p", watched)
    x, _ = tensor()
    result = pdn.encoding(x, ["choice", "odor"], n_folds=0, n_draws=9)
    degrees = result["n_trials"].values - 4
    (of_t, both), (of_f, upper) = asked
    assert (both, upper) == ("both", "upper") and np.ptp(degrees) > 0
    np.testing.assert_allclose(of_t, stats.t.isf(0.025, degrees), rtol=1e-12)
    np.testing.assert_allclose(of_f, stats.f.isf(0.05, 2, degrees), rtol=1e-12)


@given(st.lists(st.floats(0, 1) | st.just(np.nan), min_size=1, max_size=30))
def test_q_is_that_of_benjamini_and_hochberg(values):
    p = np.array(values)
    known = np.isfinite(p)
    q = false_discovery_q(p)
    assert np.isnan(q[~known]).all()
    if known.any():
        np.testing.assert_allclose(q[known], false_discovery_control(p[known]), rtol=1e-12)


def test_q_is_corrected_over_neurons_and_bins_of_a_regressor():
    result = pdn.encoding(tensor()[0], NAMES)
    for p, q in zip(result.p.values, result.q.values, strict=True):
        expected = false_discovery_control(p.ravel()).reshape(p.shape)
        np.testing.assert_allclose(q, expected, rtol=1e-12)


def test_a_planted_rate_is_recovered_in_hz_per_unit_whatever_the_bin():
    rng = np.random.default_rng(0)
    trials = columns(4000)
    for bin_width in (0.05, 0.2):
        mean = bin_width * (20 + 4 * trials["choice"] + 2 * trials["coherence"])
        values = rng.poisson(np.maximum(mean, 0), size=(1, 1, 4000))
        x = pdn.make_tensor(values, [0.0], trials=trials, name="spike_count", bin_width=bin_width)
        result = pdn.encoding(x, ["choice", "coherence"])
        z = (result.coefficient.values.ravel() - [4, 2, 20]) / result.standard_error.values.ravel()
        assert (np.abs(z) < 4).all() and (result.standard_error < 0.6).all()
        assert result.coefficient.attrs["units"] == "Hz per unit of the regressor"


def test_counts_and_their_rate_give_the_same():
    x, _ = counts()
    a, b = pdn.encoding(x, NAMES, n_draws=20), pdn.encoding(pdn.rate(x), NAMES, n_draws=20)
    for name in a.data_vars:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_neurons_and_trials_and_the_unit_of_a_regressor_do_not_matter(seed):
    x, _ = tensor(seed=seed)
    rng = np.random.default_rng(seed)
    result = pdn.encoding(x, NAMES, n_folds=0)
    moved = x.isel(neuron=rng.permutation(4), trial=rng.permutation(60))
    moved = moved.assign_coords(speed=moved["speed"] * 1000)
    other = pdn.encoding(moved, NAMES, n_folds=0).sel(neuron=result.neuron)
    np.testing.assert_allclose(other.t, result.t, rtol=1e-7, atol=1e-9)
    scale = np.array([1.0, 1.0, 1e-3, 1.0])[:, None, None]
    np.testing.assert_allclose(other.coefficient, result.coefficient * scale, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(other.q, result.q, rtol=1e-6, atol=1e-12)


def test_relabelled_levels_turn_the_sign_and_nothing_else():
    x, _ = tensor()
    words = np.where(x["choice"].values > 0, "left", "right")
    result = pdn.encoding(x.assign_coords(choice=("trial", words)), NAMES)
    plain = pdn.encoding(x, NAMES)
    np.testing.assert_allclose(result.coefficient[0], -plain.coefficient[0], rtol=1e-9)
    np.testing.assert_allclose(result.p[0], plain.p[0], rtol=1e-7, atol=1e-15)
    np.testing.assert_allclose(result.coefficient[1:3], plain.coefficient[1:3], rtol=1e-8)


@pytest.mark.parametrize("n_folds", [0, 5])
def test_slabs_change_nothing(monkeypatch, n_folds):
    x, _ = tensor(n_neurons=7)
    whole = pdn.encoding(x, NAMES, n_folds=n_folds, n_draws=30, regularization=0.1)
    monkeypatch.setattr("popdyn.analysis.slabs._SLAB", 1)
    parts = pdn.encoding(x, NAMES, n_folds=n_folds, n_draws=30, regularization=0.1)
    for name in whole.data_vars:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-10, atol=1e-12)


def test_the_input_is_not_changed_and_the_seed_repeats_the_numbers():
    x, _ = tensor()
    before = x.copy(deep=True)
    first = pdn.encoding(x, NAMES, n_draws=20, regularization="cv", rng=4)
    assert x.identical(before)
    assert first.identical(pdn.encoding(x, NAMES, n_draws=20, regularization="cv", rng=4))
    assert not first.cluster_p.equals(pdn.encoding(x, NAMES, n_draws=20, rng=5).cluster_p)
    assert first.attrs["seed"] == "4"


def test_a_nearly_perfect_fit_and_a_large_mean_keep_their_digits():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    trials = columns(50)
    design = matrix(trials)
    y = 1e4 + 50 * trials["coherence"] + 1e-3 * rng.normal(size=50)
    x = pdn.make_tensor(y[None, None], [0.0], trials=trials, units="1", bin_width=0.1)
    fit = sm.OLS(y, design).fit()
    found = fit_least_squares(x.values, make_design(x, NAMES))
    np.testing.assert_allclose(found.standard_error[:-1, 0, 0], fit.bse[:-1], rtol=1e-6)


def test_a_small_effect_on_a_large_mean_is_no_constant():
    trials = columns(50)
    y = 1e4 + 0.01 * trials["coherence"] + 1e-4 * np.random.default_rng(0).normal(size=50)
    x = pdn.make_tensor(y[None, None], [0.0], trials=trials, units="1", bin_width=0.1)
    expected = np.polyfit(trials["coherence"], y - 1e4, 1)[0]
    found = fit_least_squares(x.values, make_design(x, ["coherence"]))
    assert found.coefficient[0, 0, 0] == pytest.approx(expected, rel=1e-6)


def test_constant_neurons_are_named_and_not_tested():
    x, _ = tensor(missing=False)
    x.values[1] = 7.3
    with pytest.warns(PopdynWarning, match="1 of 4 neurons never vary .*test: 1"):
        result = pdn.encoding(x, NAMES)
    assert (result.coefficient[:-1, 1] == 0).all()
    np.testing.assert_allclose(result.coefficient[-1, 1], 7.3)
    assert result.p[:-1, 1].isnull().all() and result.q[:-1, 1].isnull().all()
    assert result.cross_validated_ratio[1].isnull().all()
    assert result.p[:, [0, 2, 3]].notnull().all()


def test_a_neuron_without_one_condition_is_named_and_nan():
    x, _ = tensor()
    x.values[2][:, x["choice"].values == 1] = np.nan
    with pytest.warns(PopdynWarning, match="1 of 4 neurons .*NaN: 2 .'choice' has one value"):
        result = pdn.encoding(x, NAMES, n_draws=9)
    assert result.coefficient[:, 2].isnull().all() and result.cluster_p[:, 2].isnull().all()
    assert result.unique_explained_variance[:, 2].isnull().all()
    assert result.coefficient[:, [0, 1, 3]].notnull().all()


def test_a_condition_missing_in_every_neuron_is_refused():
    x, _ = tensor()
    x.values[..., x["choice"].values == 1] = np.nan
    with pytest.raises(TensorError, match="no neuron was observed on trials that determine choice"):
        pdn.encoding(x, NAMES)


def test_bins_with_too_few_trials_are_counted():
    x, _ = tensor(missing=False)
    x.values[1, 3, 3:] = np.nan
    with pytest.warns(PopdynWarning, match="1 of 20 neuron-bins are NaN"):
        result = pdn.encoding(x, NAMES)
    assert int(result.coefficient[0].isnull().sum()) == 1
    x.values[0] = np.nan
    with pytest.warns(PopdynWarning) as said:
        pdn.encoding(x, NAMES)
    assert "1 of 15 neuron-bins of the other neurons are NaN" in str(said[-1].message)


def test_a_level_without_spikes_has_no_coefficient():
    x, _ = counts(n_neurons=2)
    x.values[0, 0, x["choice"].values == 1] = 0.0
    with pytest.warns(PopdynWarning, match="1 of 4 neuron-bins are NaN.*, or spikes are lacking"):
        result = pdn.encoding(x, NAMES, family="poisson", n_folds=0)
    assert result.coefficient[:, 0, 0].isnull().all() and result.p[:, 0, 1].notnull().all()


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_a_silent_neuron_is_said_to_have_no_spikes(family):
    x, _ = counts(n_neurons=2)
    one_sided = x.copy(deep=True)
    x.values[1] = 0.0
    with pytest.warns(PopdynWarning, match="are NaN: 1 .no spike on its 150 trials") as said:
        pdn.encoding(x, NAMES, family=family, n_folds=0)
    assert len(said) == 1
    one_sided.values[1][:, x["choice"].values == 1] = 0.0
    with pytest.warns(PopdynWarning, match="1 .no spike where a regressor is high, .* neuron 1"):
        pdn.encoding(one_sided, NAMES, family=family, n_folds=0)
    with pytest.raises(TensorError, match="no spike on its 150 trials .*, or widen the bins"):
        pdn.encoding(x.isel(neuron=[1]), NAMES, family=family, n_folds=0)


def test_confounded_regressors_are_refused_and_thresholds_warned_of():
    stimulus = np.tile([-2.0, -1.0, 1.0, 2.0], 20)
    values = 30 + np.random.default_rng(0).normal(size=(1, 2, 80))
    trials = {"stimulus": stimulus, "choice": np.sign(stimulus), "twice": 2 * stimulus}
    x = pdn.make_tensor(values, [0.0, 0.1], trials=trials)
    with pytest.warns(PopdynWarning, match="'choice' follows from the sign of 'stimulus'"):
        pdn.encoding(x, ["stimulus", "choice"])
    with pytest.raises(TensorError, match="'stimulus' and 'twice' are the same up to sign, scale"):
        pdn.encoding(x, ["stimulus", "twice"])
    with pytest.raises(TensorError, match="need more than 3 trials, found 3"):
        pdn.encoding(x.isel(trial=[0, 1, 6]), ["stimulus", "choice"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "binomial"}, "family is one of gaussian, poisson, negative_binomial"),
        ({"regularization": -1.0}, "'cv' or a number of at least 0; found -1.0"),
        ({"regularization": "auto"}, "'cv' or a number of at least 0; found 'auto'"),
        ({"regularization": "cv", "n_folds": 0}, "n_folds must be at least 2"),
        ({"n_folds": 1}, "n_folds 0 or a whole number of at least 2"),
        ({"n_folds": 2.5}, "found False, 2.5 and 0"),
        ({"n_draws": "200"}, "n_draws one of at least 0; found False, 5 and '200'"),
        ({"robust": ["HC1"]}, "found .'HC1'., 5 and 0"),
        ({"robust": "HC2"}, "robust is False, True, 'HC1' or 'HC3'"),
        ({"family": "poisson", "robust": "HC3"}, "robust standard errors of counts are HC1"),
        ({"family": "negative_binomial", "robust": True}, "HC1 with family='poisson'"),
        ({"family": "poisson", "n_draws": 9}, "the cluster test permutes residuals"),
        ({"family": "poisson", "regularization": 1.0}, "regularization is for family='gaussian'"),
        ({"family": "poisson"}, "for spike counts, found a tensor of rate in Hz"),
    ],
)
def test_what_cannot_be_had_is_refused(options, message):
    with pytest.raises(TensorError, match=message):
        pdn.encoding(tensor()[0], NAMES, **options)


def test_smoothed_counts_are_no_counts():
    x, _ = counts()
    with pytest.raises(TensorError, match="whole numbers of spikes, found"):
        pdn.encoding(x.copy(data=x * 0.5), NAMES, family="poisson")


def recording():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PopdynWarning)
        x = pdn.read_nwb(
            DATA / "mouse_alm_delay_anm372793.nwb", align="cue_start_time", window=(-1.0, 1.0),
            bin_width=0.1,
        )  # fmt: skip
    x = x.isel(trial=np.isin(x["response"].values, ["correct", "incorrect"]))
    right = (x["type"].values == "lick right") == (x["response"].values == "correct")
    return x.assign_coords(lick=("trial", np.where(right, "right", "left")))


def network():
    task = pdn.tasks.PerceptualDecision(fixation_duration=0.5)
    net, _ = pdn.train.reservoir(
        pdn.network.Rate.random(30, g=1.5, rng=1), task, n_trials=80, rng=2
    )
    return pdn.simulate(net, task.sample(100, rng=3), bin_width=0.1, rng=4)


def test_a_recorded_neuron_encodes_the_lick_and_statsmodels_agrees():
    import statsmodels.formula.api as smf

    x = recording()
    result = pdn.encoding(x, ["type", "lick"], n_draws=99)
    assert result.coefficient.attrs["units"] == "Hz per unit of the regressor"
    table = pdn.trial_table(x).assign(rate=x.values[0, 15] / 0.1)
    fit = smf.ols("rate ~ C(type, Sum) + C(lick, Sum)", table).fit()
    # patsy's Sum gives the first of two levels +1, popdyn the last.
    np.testing.assert_allclose(-result.coefficient[:2, 0, 15], fit.params.iloc[1:], rtol=1e-6)
    np.testing.assert_allclose(result.p[:2, 0, 15], fit.pvalues.iloc[1:], rtol=1e-6, atol=1e-12)
    formula = pdn.encoding(x, "type + lick")
    np.testing.assert_allclose(formula.t[:2], result.t[:2], rtol=1e-8, atol=1e-8)
    for family in ("poisson", "negative_binomial"):
        logs = pdn.encoding(x, ["type", "lick"], family=family, n_folds=0)
        known = logs.t.notnull().all("regressor")
        assert known.mean() > 0.9
        assert np.corrcoef(logs.t[1].values[known], result.t[1].values[known])[0, 1] > 0.9
    assert pdn.show(result).get_ylabel().startswith("coefficient (Hz per unit)")


def test_a_network_takes_the_same_call_as_a_recording_and_encodes_its_stimulus():
    simulation = network()
    x = simulation["rate"]
    stimulus = next(n for n in ("coherence", "stimulus") if n in x.coords)
    result = pdn.encoding(x, [stimulus], n_draws=99, regularization="cv")
    assert result.coefficient.attrs["units"] == "1 per unit of the regressor"
    assert result.attrs["source"] == "network"
    assert (result.cluster_p.isel(time=-1) < 0.05).mean() > 0.3
    observed = pdn.align(
        pdn.observe(simulation, n_neurons=10, rng=5), "stimulus_on_time", (0.0, 0.8), 0.1
    )
    counted = pdn.encoding(observed, [stimulus])
    assert set(result.data_vars) >= set(counted.data_vars)
    assert pdn.show(result).get_ylabel() == "share of neurons"


def test_a_pseudopopulation_is_regressed_on_each_neurons_own_repeats():
    x, _ = tensor()
    pool = pdn.pseudopopulation([x.isel(neuron=[0, 1]), x.isel(neuron=[2, 3])], "choice")
    result = pdn.encoding(pool, ["choice"])
    assert result.sizes["neuron"] == 4 and result.p.notnull().all()


def test_a_result_survives_a_file(tmp_path):
    result = pdn.encoding(tensor()[0], ["choice", "odor"], n_draws=9)
    pdn.save(result, tmp_path / "encoding.nc")
    assert pdn.load(tmp_path / "encoding.nc").identical(result)


def test_one_neuron_is_drawn_by_its_id_and_a_stranger_is_refused():
    result = pdn.encoding(tensor()[0], ["choice", "odor"], n_draws=19)
    ax = pdn.show(result, neuron="2")
    assert [line.get_label() for line in ax.get_lines()][:3] == ["choice", "odor[a]", "odor[b]"]
    drawn = ax.get_lines()[0].get_ydata()
    np.testing.assert_array_equal(drawn, result.coefficient[0, 2])
    with pytest.raises(TensorError, match="there is no neuron 9; neurons are 0, 1, 2, 3"):
        pdn.show(result, neuron=9)


def test_the_share_drawn_is_that_of_corrected_tests():
    result = pdn.encoding(tensor()[0], ["choice", "odor"])
    ax = pdn.show(result)
    expected = (result.q.sel(regressor="choice") < 0.05).mean("neuron")
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), expected)
