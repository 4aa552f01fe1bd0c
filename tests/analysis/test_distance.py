from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.analysis.distance_draws import distance_bounds, distance_draws, noise_variance
from popdyn.analysis.distance_euclidean import _null, euclidean_distance
from popdyn.analysis.distance_permutation import permuted_mean_squared_distance
from popdyn.analysis.distance_space import Fold, Space
from popdyn.analysis.trials import average_trials
from tests.oracles.distance import (
    corrected_squared_distance,
    cross_products,
    null_variance,
    studentizing_variance,
)


def tensor_of(values, labels, **kwargs):
    """Tensor from (neuron, time, trial) with a column ``stimulus``."""
    time = 0.1 * np.arange(values.shape[1])
    return pdn.make_tensor(values, time, trials={"stimulus": labels}, units="1", **kwargs)


def noisy(difference, n_trials=(12, 15), n_times=4, noise=1.0, seed=0):
    """Two conditions whose averages are ``difference (neuron)`` apart at all times."""
    rng = np.random.default_rng(seed)
    shape = (len(difference), n_times, sum(n_trials))
    values = rng.normal(0.0, noise, shape)
    values[:, :, n_trials[0] :] += np.asarray(difference)[:, None, None]
    return tensor_of(values, ["a"] * n_trials[0] + ["b"] * n_trials[1])


def test_a_planted_difference_without_noise_is_found_exactly():
    values = np.zeros((2, 5, 6))
    values[0, :, 3:], values[1, :, 3:] = 3.0, 4.0
    result = euclidean_distance(tensor_of(values, ["a"] * 3 + ["b"] * 3), "stimulus", n_draws=20)
    assert result.attrs["reference"] == "a"
    assert result.distance.sel(condition="b").values == pytest.approx(5.0)
    assert result.squared_distance.sel(condition="b").values == pytest.approx(25.0)
    assert result.squared_distance_bound.sel(condition="b").values == pytest.approx(25.0)
    assert float(result.distance_per_neuron.sel(condition="b")) == pytest.approx(np.sqrt(12.5))
    assert (result.distance.sel(condition="a") == 0).all()


def test_the_squared_distance_agrees_with_the_plain_formula_where_trials_are_missing():
    x = noisy([1.0, -0.5, 2.0])
    values = x.values.copy()
    values[1, :, :3] = np.nan
    values[2, 2, 20] = np.nan
    result = euclidean_distance(x.copy(data=values), "stimulus", n_draws=5)
    for time in range(4):
        trials = [[None if np.isnan(v) else v for v in row] for row in values[:, time].T]
        expected = corrected_squared_distance(trials[12:], trials[:12])
        found = float(result.squared_distance.sel(condition="b")[time])
        assert found == pytest.approx(expected, rel=1e-10)


def test_the_squared_distance_is_the_products_of_different_trials():
    x = noisy([1.0, -0.5, 2.0])
    result = euclidean_distance(x, "stimulus", n_draws=5)
    trials = x.values[:, 0].T.tolist()
    expected = cross_products(trials[12:], trials[:12])
    assert float(result.squared_distance.sel(condition="b")[0]) == pytest.approx(expected)


def test_the_corrected_squared_distance_is_unbiased_and_the_distance_is_not():
    difference = np.full(20, 0.2)  # squared distance 0.8
    found = [
        euclidean_distance(noisy(difference, (6, 9), n_times=10, seed=seed), "stimulus", n_draws=1)
        for seed in range(60)
    ]
    corrected = np.array([float(one.mean_squared_distance[1]) for one in found])
    naive = np.array([float((one.distance[:, 1] ** 2).mean()) for one in found])
    error = corrected.std() / np.sqrt(60)
    assert abs(corrected.mean() - 0.8) < 4 * error
    assert naive.mean() == pytest.approx(0.8 + 20 * (1 / 6 + 1 / 9), abs=4 * error)


def test_components_do_not_make_noise_look_like_distance():
    found = [
        euclidean_distance(
            noisy(np.zeros(20), seed=seed), "stimulus", n_components=2, n_draws=1
        ).mean_squared_distance[1]
        for seed in range(80)
    ]
    error = np.std(found) / np.sqrt(80)
    assert abs(np.mean(found)) < 4 * error


def test_components_that_hold_everything_keep_the_distance():
    difference = np.linspace(-20, 20, 8)
    x = noisy(difference, (40, 40), n_times=6)
    full = euclidean_distance(x, "stimulus", n_draws=50)
    for n_components in (2, 8, "90%"):
        part = euclidean_distance(x, "stimulus", n_components=n_components, n_draws=50)
        assert float(part.rms_distance[1]) == pytest.approx(float(full.rms_distance[1]), rel=0.01)
        assert float(part.p[1]) == pytest.approx(1 / 51)
    assert part.attrs["n_components"] == 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_rotating_the_space_or_permuting_neurons_changes_no_distance(seed):
    rng = np.random.default_rng(seed)
    x = noisy([1.0, -0.5, 2.0, 0.1])
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    turned = x.copy(data=np.einsum("ij,jtn->itn", rotation, x.values))
    order = rng.permutation(4)
    results = [
        euclidean_distance(y, "stimulus", n_draws=20) for y in (x, turned, x.isel(neuron=order))
    ]
    for other in results[1:]:
        for name in (
            "squared_distance",
            "squared_distance_bound",
            "null_mean_squared_distance",
            "p",
        ):
            np.testing.assert_allclose(other[name], results[0][name], atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_permuting_trials_keeps_the_estimate_and_units_scale_it(seed, factor):
    x = noisy([1.0, -0.5, 2.0])
    order = np.random.default_rng(seed).permutation(x.sizes["trial"])
    first = euclidean_distance(x, "stimulus", n_draws=5)
    second = euclidean_distance(x.isel(trial=order) * factor, "stimulus", n_draws=5)
    np.testing.assert_allclose(
        second.squared_distance,
        first.squared_distance * factor**2,
        rtol=1e-9,
        atol=1e-9 * factor**2,
    )


@pytest.mark.parametrize("n_first", [2, 3, 4])
def test_the_null_is_the_slow_formula_on_shuffled_labels(n_first):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(9, 2, 3))
    values[:n_first] *= 3.0
    in_first = np.array([True] * n_first + [False] * (9 - n_first))
    times = np.array([True, False, True])
    distance, studentized = permuted_mean_squared_distance(values, in_first, times, 1500, 0)
    flat = values[:, :, times].reshape(9, -1)
    possible = []
    for chosen in combinations(range(9), n_first):
        rest = [trial for trial in range(9) if trial not in chosen]
        groups = flat[list(chosen)].tolist(), flat[rest].tolist()
        squared = corrected_squared_distance(*groups)
        possible.append((squared / 2, squared / np.sqrt(studentizing_variance(*groups))))
    of_labels = np.stack([distance, studentized], axis=1)
    assert of_labels[0] == pytest.approx(possible[0], rel=1e-10)
    apart = np.abs(of_labels[1:, None] - np.array(possible)).max(axis=2)
    assert apart.min(axis=1).max() < 1e-9
    assert len(np.unique(apart.argmin(axis=1))) == len(possible)


def test_a_difference_far_above_the_noise_keeps_a_quarter_of_the_plain_variance():
    values = np.random.default_rng(4).normal(size=(9, 2, 1))
    values[:4] += 5.0
    groups = values[:4, :, 0].tolist(), values[4:, :, 0].tolist()
    assert studentizing_variance(*groups) > 2 * null_variance(*groups)
    _, studentized = permuted_mean_squared_distance(
        values, np.arange(9) < 4, np.array([True]), 1, 0
    )
    squared = corrected_squared_distance(*groups)
    assert studentized[0] == pytest.approx(squared / np.sqrt(studentizing_variance(*groups)))


def test_neurons_that_miss_different_trials_are_summed_as_independent():
    values = np.random.default_rng(2).normal(size=(9, 2, 1))
    values[4, 1] = np.nan
    in_first = np.arange(9) < 5
    distance, studentized = permuted_mean_squared_distance(values, in_first, np.array([True]), 1, 0)
    first, second = values[:5, :, 0].tolist(), values[5:, :, 0].tolist()
    one = [[row[0]] for row in first], [[row[0]] for row in second]
    other = [[row[1]] for row in first[:4]], [[row[1]] for row in second]
    squared = corrected_squared_distance(*one) + corrected_squared_distance(*other)
    variance = studentizing_variance(*one) + studentizing_variance(*other)
    assert distance[0] == pytest.approx(squared)
    assert studentized[0] == pytest.approx(squared / np.sqrt(variance), rel=1e-10)


def test_trials_that_do_not_differ_have_no_distance_and_p_one():
    result = euclidean_distance(tensor_of(np.ones((2, 3, 8)), ["a", "b"] * 4), "stimulus")
    assert float(result.p[1]) == 1.0


def test_p_is_the_share_of_studentized_shuffles_that_reach_the_measured_one():
    x = noisy([0.4, -0.3, 0.2], (4, 6))
    values = np.moveaxis(x.values, 2, 0)
    ordered = np.concatenate([values[4:], values[:4]])  # the condition first, then the reference
    _, studentized = permuted_mean_squared_distance(
        ordered, np.arange(10) < 6, np.ones(4, dtype=bool), 99, np.random.default_rng(5)
    )
    expected = (1 + (studentized[1:] >= studentized[0] - 1e-9).sum()) / 100
    plan = pdn.bootstrap(x, "stimulus", 3)
    result = euclidean_distance(x, "stimulus", resample=plan, n_draws=99, rng=5)
    assert 0.05 < expected < 0.95
    assert float(result.p[1]) == pytest.approx(expected)


def test_shuffles_of_both_folds_are_taken_as_wholly_dependent():
    rng = np.random.default_rng(6)
    values = rng.normal(size=(2, 2, 6, 3, 4))  # fold, condition, trial, feature, time
    folds = tuple(
        Fold(tuple(average_trials(one) for one in fold), fold.__getitem__) for fold in values
    )
    space = Space(values[0].mean(axis=1), 0, np.ones(3, dtype=bool), folds=folds)
    estimates = {"squared_distance": (("time", "condition"), np.ones((4, 2)))}
    found = _null(space, estimates, 50, np.random.default_rng(7))
    generator = np.random.default_rng(7)
    drawn = [
        permuted_mean_squared_distance(
            np.concatenate([fold[1], fold[0]]),
            np.arange(12) < 6,
            np.ones(4, dtype=bool),
            50,
            generator,
        )
        for fold in values
    ]
    null = (np.sort(drawn[0][0][1:]) + np.sort(drawn[1][0][1:])) / 2
    studentized = (np.sort(drawn[0][1][1:]) + np.sort(drawn[1][1][1:])) / 2
    observed = (drawn[0][1][0] + drawn[1][1][0]) / 2
    np.testing.assert_allclose(found["null_mean_squared_distance"][1][:, 1], null)
    expected = (1 + (studentized >= observed - 1e-9).sum()) / 51
    assert found["p"][1][1] == pytest.approx(expected)


def test_the_noise_of_the_squared_distance_is_its_plain_formula():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(4, 3, 2)), rng.normal(size=(6, 3, 2))
    of_time, of_mean = noise_variance(average_trials(first), average_trials(second))
    for time in range(2):
        expected = null_variance(first[:, :, time].tolist(), second[:, :, time].tolist())
        assert of_time[time] == pytest.approx(expected)
    both = null_variance(first.reshape(4, -1).tolist(), second.reshape(6, -1).tolist())
    assert of_mean == pytest.approx(both / 4)


def test_draws_are_narrowed_by_the_noise_of_their_direction_and_bounds_turn_them_round():
    linear = np.array([-2.0, -1.0, -1.0, 0.0, 9.0])[:, None]
    variance = float(linear.var())
    draws = distance_draws(np.array([5.0]), linear, np.array([6.0]))
    assert draws.var() == pytest.approx(variance - 6.0)
    np.testing.assert_allclose(draws, 5 + (linear - 1) * np.sqrt((variance - 6) / variance))
    wide = distance_draws(np.array([5.0]), linear, np.array([variance]))
    assert wide.var() == pytest.approx(variance)
    low, high = distance_bounds(np.array([5.0]), draws)[:, 0]
    drawn_low, drawn_high = np.quantile(draws[:, 0], [0.025, 0.975])
    assert 5.0 - low == pytest.approx(drawn_high - 5.0)
    assert high - 5.0 == pytest.approx(5.0 - drawn_low)
    assert 5.0 - low > 2 * (high - 5.0)


def test_the_test_sees_a_difference_and_its_null_has_mean_zero():
    x = noisy(np.full(20, 0.5), n_times=10)
    result = euclidean_distance(x, "stimulus", n_draws=199)
    assert float(result.p.sel(condition="b")) == pytest.approx(1 / 200)
    assert np.isnan(result.p.sel(condition="a"))
    null = result.null_mean_squared_distance.sel(condition="b").values
    assert abs(null.mean()) < 4 * null.std() / np.sqrt(199)
    low, high = result.mean_squared_distance_bound.sel(condition="b").values
    assert low < float(result.mean_squared_distance.sel(condition="b")) < high


def test_a_pseudopopulation_works_and_a_neuron_without_trials_is_named():
    x = noisy([1.0, -0.5, 2.0, 1.0], (20, 20))
    values = x.values.copy()
    values[0, :, 5:20], values[0, :, 26:] = np.nan, np.nan
    values[1, :, 10:20] = np.nan
    values[3, :, 1:20] = np.nan
    pseudo = x.copy(data=values).assign_attrs(simultaneous=0)
    with pytest.warns(pdn.PopdynWarning, match="1 of 4 neurons have fewer than 2 trials.*: 3$"):
        result = euclidean_distance(pseudo, "stimulus", n_draws=99)
    assert result.attrs["n_neurons"] == 3
    assert np.isfinite(result.squared_distance_bound).all()
    assert 1.0 < float(result.rms_distance[1]) < 3.5
    assert float(result.p[1]) < 0.05
    with pytest.warns(pdn.PopdynWarning, match="miss different trials.*p is NaN"):
        part = euclidean_distance(
            pseudo.isel(neuron=[0, 1, 2]), "stimulus", n_components=2, n_draws=9
        )
    assert np.isnan(part.p[1])
    assert np.isfinite(part.mean_squared_distance_bound).all()


def test_times_after_the_end_of_trials_have_no_distance():
    x = noisy([3.0, 1.0], n_times=6)
    values = x.values.copy()
    values[:, 4:, 1:12] = np.nan
    result = euclidean_distance(x.copy(data=values), "stimulus", n_draws=19)
    assert np.isnan(result.squared_distance.sel(condition="b")[4:]).all()
    assert np.isfinite(result.squared_distance.sel(condition="b")[:4]).all()
    assert np.isfinite(result.mean_squared_distance.sel(condition="b"))
    assert float(result.p[1]) == pytest.approx(1 / 20)


def test_the_middle_of_numeric_conditions_is_the_reference():
    rng = np.random.default_rng(0)
    for stimuli, expected in (([1, 2, 3], "2"), ([1, 2, 3, 4], "3"), (["x", "y", "z"], "x")):
        labels = np.repeat(stimuli, 3)
        x = tensor_of(rng.normal(size=(2, 3, len(labels))), labels)
        assert euclidean_distance(x, "stimulus", n_draws=2).attrs["reference"] == expected
    assert euclidean_distance(x, "stimulus", reference="z", n_draws=2).attrs["reference"] == "z"
    x = tensor_of(rng.normal(size=(2, 3, 6)), np.repeat([0.1, 0.30000000000000004], 3))
    assert euclidean_distance(x, "stimulus", reference=0.3, n_draws=2).attrs["reference"] == "0.3"
    with pytest.raises(pdn.TensorError, match="no condition 0.7 .*found 0.1, 0.3"):
        euclidean_distance(x, "stimulus", reference=0.7)


def test_a_condition_average_gives_the_same_distance_without_bounds():
    x = noisy([1.0, -0.5, 2.0])
    full = euclidean_distance(x, "stimulus", n_draws=5)
    average = pdn.condition_average(x, "stimulus")
    part = euclidean_distance(average)
    np.testing.assert_allclose(part.squared_distance, full.squared_distance)
    assert "p" not in part and "distance_bound" not in part
    bare = euclidean_distance(average["rate"])
    np.testing.assert_allclose(bare.distance, full.distance)
    assert "squared_distance" not in bare
    with pytest.raises(pdn.TensorError, match="no trials left to smooth or to draw"):
        euclidean_distance(average, smooth=0.04)


def test_spike_counts_become_rates_and_units_are_said():
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, (3, 5, 8)).astype(float)
    x = pdn.make_tensor(counts, 0.1 * np.arange(5), {"side": [0, 1] * 4}, name="spike_count")
    of_counts = euclidean_distance(x, "side", n_draws=3)
    of_rates = euclidean_distance(pdn.rate(x), "side", n_draws=3)
    np.testing.assert_allclose(of_counts.distance, of_rates.distance)
    assert of_counts.distance.attrs["units"] == "Hz*sqrt(neurons)"
    assert of_counts.squared_distance.attrs["units"] == "Hz^2*neurons"
    assert of_counts.distance_per_neuron.attrs["units"] == "Hz"
    average = euclidean_distance(pdn.condition_average(x, "side"))
    np.testing.assert_allclose(average.distance, of_counts.distance)


def test_smoothing_comes_before_averaging():
    x = noisy([1.0, -0.5, 2.0], n_times=20)
    before = euclidean_distance(pdn.smooth(x, 0.2), "stimulus", n_draws=3)
    after = euclidean_distance(x, "stimulus", smooth=0.2, n_draws=3)
    np.testing.assert_allclose(after.squared_distance, before.squared_distance)


def test_a_shared_plan_gives_the_same_bounds_and_a_foreign_plan_is_refused():
    x = noisy([1.0, -0.5, 2.0])
    plan = pdn.bootstrap(x, by="stimulus", n_draws=30, rng=4)
    bounds = [
        euclidean_distance(x, "stimulus", resample=plan, rng=rng).squared_distance_bound
        for rng in (0, 1)
    ]
    np.testing.assert_array_equal(*bounds)
    with pytest.raises(pdn.TensorError, match="plan was made for 27 trials"):
        euclidean_distance(x.isel(trial=slice(1, None)), "stimulus", resample=plan)


def test_the_draws_are_those_of_the_plan_and_the_shuffles_have_their_own_number():
    x = noisy([1.0, -0.5, 2.0])
    plan = pdn.bootstrap(x, by="stimulus", n_draws=30, rng=4)
    result = euclidean_distance(x, "stimulus", resample=plan, n_draws=50)
    assert result.draw_mean_squared_distance.dims == ("draw", "condition")
    assert result.null_mean_squared_distance.dims == ("null_draw", "condition")
    assert result.draw.values.tolist() == list(range(30))
    assert result.null_draw.values.tolist() == list(range(50))
    parameters = json.loads(result.attrs["parameters"])
    assert (parameters["n_draws"], parameters["n_shuffles"]) == (30, 50)
    # A draw in which the conditions happen to lie further apart has the longer distance.
    means = [
        [x.values[:, :, own].mean(axis=2) for own in (draw[:12], draw[12:])]
        for draw in (np.arange(27), *plan)
    ]
    apart = np.array([second - first for first, second in means])
    along = (apart[0] * apart[1:]).sum(axis=(1, 2))
    found = result.draw_mean_squared_distance.sel(condition="b").values
    assert np.corrcoef(along, found)[0, 1] > 0.9999  # influences know n - 1, averages n
    estimate = float(result.mean_squared_distance.sel(condition="b"))
    low, high = np.quantile(found, [0.025, 0.975])
    bound = result.mean_squared_distance_bound.sel(condition="b")
    assert bound.values == pytest.approx([2 * estimate - high, 2 * estimate - low])


def test_the_same_seed_gives_the_same_result_and_the_input_stays():
    x = noisy([1.0, -0.5, 2.0])
    before = x.copy(deep=True)
    first, second = (
        euclidean_distance(x, "stimulus", n_components=2, n_draws=20, rng=7) for _ in range(2)
    )
    xr.testing.assert_identical(first, second)
    xr.testing.assert_identical(x, before)


def test_too_few_trials_are_said():
    x = noisy([1.0, -0.5], (1, 5))
    with pytest.raises(pdn.FitError, match="reference condition 'a' has 1 trial"):
        euclidean_distance(x, "stimulus", reference="a")
    with pytest.warns(pdn.PopdynWarning, match="at least 2 trials per condition.* fewer in a"):
        result = euclidean_distance(x, "stimulus", reference="b", n_draws=9)
    assert np.isnan(result.squared_distance.sel(condition="a")).all()
    assert np.isfinite(result.distance.sel(condition="a")).all()
    assert np.isnan(result.p.sel(condition="a"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"by": None}, "expected by="),
        ({"by": "stimulos"}, "stimulus"),
        ({"n_components": "90"}, "share of the variance such as '90%', found '90'"),
        ({"n_components": 0}, "at least 1"),
    ],
)
def test_bad_requests_are_refused_in_plain_words(change, words):
    arguments = {"by": "stimulus", **change}
    with pytest.raises(pdn.TensorError, match=words):
        euclidean_distance(noisy([1.0, 2.0]), **arguments)


def test_more_components_than_neurons_are_refused():
    with pytest.raises(pdn.FitError, match="3 components were asked for, but 2 neurons"):
        euclidean_distance(noisy([1.0, 2.0]), "stimulus", n_components=3)


def test_one_condition_has_no_distance():
    x = pdn.make_tensor(np.ones((2, 3, 4)), 0.1 * np.arange(3), trials={"choice": list("aaaa")})
    with pytest.raises(pdn.FitError, match=r"needs two conditions, found one \(a\)"):
        euclidean_distance(x, "choice")
