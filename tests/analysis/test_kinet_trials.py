"""Distances between orbits from trials: smoothing, missing values, noise, draws and sets."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import popdyn as pdn

STIMULUS = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
AXES = np.linalg.qr(np.random.default_rng(99).normal(size=(20, 3)))[0]


def recorded(n_trials=12, noise=0.3, seed=0, stimulus=STIMULUS, **columns):
    """Trials of a planted cylinder of 20 neurons, as long as the stimulus asks for.

    Distance 4 (d - 0.7) sqrt(20), speed 0.7 / d; bins of 10 ms.
    """
    rng = np.random.default_rng(seed)
    time = 0.01 * np.arange(105)
    phase = 2.0 * time[:, None] * (0.7 / stimulus)
    height = np.broadcast_to(4.0 * (stimulus - 0.7), phase.shape)
    planted = np.stack([5.0 * np.cos(phase), 5.0 * np.sin(phase), height])
    planted = np.where(time[:, None] < 0.85 * stimulus - 1e-9, planted, np.nan)
    mean = np.einsum("nk,ktc->ntc", AXES * np.sqrt(20), planted)
    values = np.repeat(mean, n_trials, axis=2)
    values = values + rng.normal(0.0, noise, values.shape)
    table = {"stimulus": np.repeat(stimulus, n_trials)} | columns
    return pdn.make_tensor(values, time, trials=table, units="1")


@pytest.fixture(scope="module")
def result():
    return pdn.relative_distance(recorded(), "stimulus", n_draws=60)


def test_planted_distances_are_found_from_trials_with_bounds_around_them(result):
    true = 4.0 * (STIMULUS - 0.7) * np.sqrt(20)
    np.testing.assert_allclose(result.mean_distance, true, atol=0.06)
    low, high = result.mean_distance_bound.values
    assert (low <= result.mean_distance.values + 1e-9).all()
    assert (high >= result.mean_distance.values - 1e-9).all()
    assert result.draw_mean_distance.dims == ("draw", "condition")
    assert result.sizes["draw"] == 60
    assert (result.draw_mean_distance[:, 2] == 0).all()
    assert result.attrs["unit_of_inference"] == "trials"
    assert result.attrs["n_components"] == 2 or result.attrs["n_components"] == 3
    assert result.attrs["smooth"] == pytest.approx(0.04)
    assert result.mean_distance.attrs["units"] == "1"
    assert (result.n_trials == 12).all()


def test_results_are_saved_and_loaded_as_they_are(result, tmp_path):
    pdn.save(result, tmp_path / "distance.nc")
    assert pdn.load(tmp_path / "distance.nc").equals(result)


def test_an_average_of_smoothed_trials_gives_the_distances_of_the_trials(result):
    average = pdn.condition_average(pdn.smooth(recorded(), 0.04), "stimulus")
    same = pdn.relative_distance(average, smooth=None)
    np.testing.assert_allclose(same.distance, result.distance, atol=1e-9)
    np.testing.assert_allclose(same.speed, result.speed)
    later = pdn.relative_distance(pdn.condition_average(recorded(), "stimulus"))
    np.testing.assert_allclose(later.distance, result.distance, atol=1e-9)
    assert "draw" not in same.dims
    assert same.attrs["unit_of_inference"] == "none"


def test_smoothing_is_at_least_two_bins():
    x = recorded()
    wide = x.assign_coords(time=0.05 * np.arange(105)).assign_attrs(bin_width=0.05)
    result = pdn.relative_distance(wide, "stimulus", n_draws=0, n_splits=0)
    assert result.attrs["smooth"] == pytest.approx(0.1)


def test_noise_makes_distances_too_large_which_is_told_and_corrected():
    x = recorded(noise=6.0, n_trials=9)
    with pytest.warns(pdn.PopdynWarning, match="noise of the averages makes the distance of"):
        result = pdn.relative_distance(x, "stimulus", n_components=None, n_draws=0)
    true = 4.0 * (STIMULUS - 0.7) * np.sqrt(20)
    near = [1, 3]
    naive = np.abs(result.mean_distance[near]).mean()
    corrected = np.abs(result.mean_cross_validated_distance[near]).mean()
    assert naive > 1.4 * abs(true[1])
    assert abs(corrected - abs(true[1])) < 0.4 * abs(naive - abs(true[1]))
    assert (result.expected_inflation[near] > 0.3).all()
    assert result.expected_inflation[2] == 0


def test_rough_trials_are_told_about_and_smoothed_ones_are_not():
    x = recorded(noise=0.1)
    with pytest.warns(pdn.PopdynWarning, match="no smoothing"):
        pdn.relative_distance(x, "stimulus", smooth=None, n_draws=0, n_splits=0)
    pdn.relative_distance(pdn.smooth(x), "stimulus", smooth=None, n_draws=0, n_splits=0)


def test_cross_validated_differences_on_the_coding_axis_keep_their_sign():
    result = pdn.relative_distance(recorded(), "stimulus", method="coding_axis", n_draws=10)
    np.testing.assert_allclose(result.mean_cross_validated_distance, result.mean_distance, atol=0.1)
    arc = pdn.relative_distance(recorded(), "stimulus", method="arc_length", n_draws=10)
    assert "cross_validated_distance" not in arc


def test_draws_are_those_of_the_plan_and_refitted_components_change_little(result):
    x = recorded()
    plan = pdn.bootstrap(x, "stimulus", n_draws=40, rng=3)
    fixed = pdn.relative_distance(x, "stimulus", resample=plan, n_splits=0)
    refit = pdn.relative_distance(x, "stimulus", resample=plan, n_splits=0, draw_components="refit")
    assert fixed.sizes["draw"] == 40
    np.testing.assert_allclose(fixed.draw_mean_distance, refit.draw_mean_distance, atol=0.1)
    assert not np.allclose(fixed.draw_mean_distance, refit.draw_mean_distance, atol=1e-6)
    again = pdn.relative_distance(x, "stimulus", resample=plan, n_splits=0, n_jobs=2)
    np.testing.assert_allclose(fixed.draw_mean_distance, again.draw_mean_distance, atol=1e-12)
    with pytest.raises(pdn.TensorError, match="plan was made for"):
        pdn.relative_distance(x.isel(trial=slice(1, None)), "stimulus", resample=plan)


def test_a_draw_is_the_distance_of_the_trials_it_holds():
    x = pdn.smooth(recorded(n_trials=200, noise=0.5))
    plan = pdn.bootstrap(x, "stimulus", n_draws=2, rng=1)
    options = {"smooth": None, "n_components": None, "n_splits": 0}
    drawn = pdn.relative_distance(x, "stimulus", resample=plan, **options).draw_mean_distance
    for draw, indices in enumerate(plan):
        chosen = x.isel(trial=indices).assign_coords(trial=np.arange(len(indices)).astype(str))
        by_hand = pdn.relative_distance(chosen, "stimulus", n_draws=0, **options)
        # Draws are widened by sqrt(n / (n - 1)).
        np.testing.assert_allclose(drawn[draw], by_hand.mean_distance, atol=2e-3)


def test_neurons_are_drawn_when_they_are_the_unit():
    result = pdn.relative_distance(recorded(), "stimulus", unit="neuron", n_draws=30, n_splits=0)
    assert result.attrs["unit_of_inference"] == "neurons"
    assert float(result.draw_mean_distance[:, 0].std()) > 0.1
    plan = pdn.bootstrap(recorded(), "stimulus", n_draws=3)
    with pytest.raises(pdn.TensorError, match="a resample plan draws trials"):
        pdn.relative_distance(recorded(), "stimulus", unit="neuron", resample=plan)


def test_bounds_of_the_mean_distance_hold_the_truth():
    true, inside = 4.0 * (STIMULUS - 0.7) * np.sqrt(20), []
    for seed in range(25):
        result = pdn.relative_distance(
            recorded(seed=seed, noise=1.0),
            "stimulus",
            n_draws=100,
            n_splits=0,
            mean_over=(0.05, 0.5),
        )
        low, high = result.mean_distance_bound.values[:, [0, 1, 3, 4]]
        inside.append((low <= true[[0, 1, 3, 4]]) & (true[[0, 1, 3, 4]] <= high))
    assert np.mean(inside) > 0.85


def test_trials_that_end_count_until_half_of_them_have():
    x = recorded()
    values = x.values.copy()
    values[:, 30:, :6] = np.nan  # half of the trials of the first condition
    values[:, 36:, 6:8] = np.nan  # then more
    values[:, 30:, 24:36] = np.nan  # all of the reference
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*nearest state is the first or last")
        result = pdn.relative_distance(x.copy(data=values), "stimulus", n_draws=10)
    assert np.isfinite(result.distance[:30]).all()
    assert np.isnan(result.distance[30:]).all()
    assert float(result.matched_time[:, 0].max()) <= 0.355
    assert np.isfinite(result.mean_distance_bound).all()
    lacking = np.isnan(result.trajectory[0]).sum("time")
    assert lacking.values.tolist() == [69, 54, 75, 37, 28]


def test_neurons_recorded_apart_are_drawn_from_their_own_trials():
    x = recorded()
    values = x.values.copy()
    values[:10, :, ::2] = np.nan
    values[10:, :, 1::2] = np.nan
    result = pdn.relative_distance(x.copy(data=values), "stimulus", n_draws=20)
    np.testing.assert_allclose(
        result.mean_distance, 4.0 * (STIMULUS - 0.7) * np.sqrt(20), atol=0.15
    )
    assert np.isfinite(result.draw_mean_distance).all()
    assert np.isfinite(result.mean_cross_validated_distance).all()


def test_one_trial_in_a_condition_is_no_bootstrap():
    x = recorded().isel(trial=[*range(12), 12, *range(24, 60)])
    with pytest.raises(pdn.FitError, match=r"found fewer in 0.6: leave these conditions out"):
        pdn.relative_distance(x, "stimulus")
    with pytest.warns(pdn.PopdynWarning, match="cross-validated distances need 3 trials"):
        result = pdn.relative_distance(x, "stimulus", n_draws=0)
    assert np.isfinite(result.mean_distance).all()


def test_an_average_has_no_trials_to_draw():
    x = recorded()
    plan = pdn.bootstrap(x, "stimulus", n_draws=3)
    with pytest.raises(pdn.TensorError, match="no trials to draw again"):
        pdn.relative_distance(pdn.condition_average(x, "stimulus"), resample=plan)


def test_the_plain_distance_is_asked_for_by_name():
    x = recorded()
    plain = pdn.relative_distance(
        x, "stimulus", method="euclidean", smooth=None, n_components=None, n_draws=9
    )
    assert plain.attrs["distance_method"] == "euclidean"
    assert "squared_distance" in plain


def test_networks_are_pooled_and_are_the_unit():
    results = {
        f"network {seed}": pdn.relative_distance(recorded(seed=seed), "stimulus", n_draws=5)
        for seed in range(3)
    }
    for one in results.values():
        one.attrs["source"] = "network"
    pooled = pdn.pool_distances(results, n_draws=50)
    assert pooled.attrs["unit_of_inference"] == "networks"
    own = np.stack([one.mean_distance / abs(one.mean_distance).mean() for one in results.values()])
    np.testing.assert_allclose(pooled.mean_distance, own.mean(axis=0))
    half = pooled.mean_distance_bound[1] - pooled.mean_distance
    np.testing.assert_allclose(half, 4.302653 * own.std(axis=0, ddof=1) / np.sqrt(3), rtol=1e-6)
    np.testing.assert_array_equal(pooled.stimulus, STIMULUS)
    with pytest.raises(pdn.FitError, match="two or more sources, found 1"):
        pdn.pool_distances({"a": results["network 0"]})
    fewer = results["network 1"].isel(condition=slice(1, None))
    with pytest.raises(pdn.TensorError, match="select the conditions that all have"):
        pdn.pool_distances({"a": results["network 0"], "b": fewer})
    other = results["network 1"].assign_attrs(reference="0.8")
    with pytest.raises(pdn.TensorError, match="'b' and 'a' differ in reference"):
        pdn.pool_distances({"a": results["network 0"], "b": other})
    with pytest.raises(pdn.TensorError, match="lacks mean_distance"):
        pdn.pool_distances({"a": results["network 0"].drop_vars("mean_distance"), "b": other})


def two_sets(shift):
    """Two sets of five stimuli that share 0.8 and 0.9; the second lies ``shift`` higher."""
    context = np.repeat([0, 1], 50)
    x = recorded(10, stimulus=np.concatenate([STIMULUS, STIMULUS + 0.3]), context=context)
    height = shift * np.sqrt(20) * AXES[:, 2]
    return x.copy(data=x.values + height[:, None, None] * context)


def test_a_shift_of_one_set_is_found_at_shared_stimuli():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*nearest state is the first or last")
        still, moved = (
            pdn.relative_distance(two_sets(by), ["stimulus", "context"], n_draws=60, n_splits=0)
            for by in (0.0, 0.6)
        )
    same, other = pdn.distance_shift(still), pdn.distance_shift(moved)
    assert same.stimulus.values.round(2).tolist() == [0.8, 0.9]
    np.testing.assert_allclose(same["set_shift"], 0.0, atol=0.1)
    np.testing.assert_allclose(other["set_shift"], 0.6 * np.sqrt(20), atol=0.15)
    assert float(other.mean_p) < 0.05
    assert float(same.mean_p) > 0.05
    assert (other.set_shift_bound[0] > 0).all()
    assert moved.attrs["reference"] == "stimulus=0.7, context=0"


def test_sets_from_two_sources_are_compared_with_one_reference_stimulus():
    first, second = (
        pdn.relative_distance(recorded(seed=seed), "stimulus", n_draws=20, n_splits=0)
        for seed in (0, 1)
    )
    shift = pdn.distance_shift(first, second)
    np.testing.assert_allclose(shift["set_shift"], 0.0, atol=0.05)
    np.testing.assert_allclose(abs(shift.mean_distance).mean("stimulus"), 1.0)
    with pytest.raises(pdn.TensorError, match=r"different reference stimuli, 0.7 and 0.8"):
        pdn.distance_shift(first, second.assign_attrs(reference_stimulus=0.8))
    with pytest.raises(pdn.TensorError, match=r"expected a result of relative_distance with by="):
        pdn.distance_shift(first)
    later = second.assign_coords(stimulus=second.stimulus + 5.0)
    with pytest.raises(pdn.FitError, match="the sets share no stimulus: 0.5, 0.6"):
        pdn.distance_shift(first, later)
