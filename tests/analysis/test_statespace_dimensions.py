from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.analysis.statespace_dimensions import (
    _held_out,
    bi_cross_validated_errors,
    predicted_share,
    smallest_good,
    split_trial_share,
)
from popdyn.analysis.statespace_null import (
    LEAST_SHARE,
    _first_axis,
    _first_power,
    leading,
    parallel_analysis,
)
from popdyn.analysis.statespace_splits import split_halves
from popdyn.resample import spawn
from tests.analysis.test_statespace import fitted, planted
from tests.oracles.dimensions import block_errors, half_share


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n_neurons=st.integers(4, 12), n_samples=st.integers(8, 20))
def test_held_out_blocks_agree_with_truncated_inverses(seed, n_neurons, n_samples):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n_neurons, n_samples))
    rows, columns = np.arange(n_neurons) % 3 == 0, np.arange(n_samples) % 4 == 0
    n_most = min((~rows).sum(), (~columns).sum() - 1, 4)
    np.testing.assert_allclose(
        _held_out(matrix, rows, columns, n_most),
        block_errors(matrix, rows, columns, n_most),
        rtol=1e-6,
    )


def test_the_share_predicted_by_the_other_half_is_that_of_its_definition():
    tensor, _, _ = planted(noise=5.0)
    trials = [np.moveaxis(tensor.values[:, :, i::2], 2, 0) for i in (0, 1)]
    own = spawn(3, 1)
    (halves,) = split_halves(trials, spawn(3, 1))
    np.testing.assert_allclose(
        split_trial_share(trials, 5, own), half_share(*halves, 5), rtol=1e-8, atol=1e-12
    )


@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_the_planted_number_is_found_by_every_rule(noise):
    result = fitted(planted(noise=noise)[0], n_splits=40).result_
    assert int(result.n_components_bi_cross_validated) == 3
    assert int(result.n_components_cross_validated) == 3
    assert int(result.n_components_null) == 3
    low, high = result.n_components_cross_validated_bound
    assert low <= 3 <= high < 6
    single = pdn.PCA(3, n_splits=40).fit(planted(noise=noise)[0]).result_
    assert 2 <= int(single.n_components_null) <= 3
    assert 2 <= int(single.n_components_cross_validated) <= 3


def test_noise_alone_has_no_dimension():
    tensor, _, _ = planted()
    numbers = []
    for seed in range(8):
        noise = tensor.copy(data=np.random.default_rng(seed).normal(size=tensor.shape))
        result = fitted(noise, n_splits=40, n_draws=2).result_
        numbers.append([
            int(result[f"n_components_{rule}"])
            for rule in ("bi_cross_validated", "cross_validated", "null")
        ])  # fmt: skip
    assert (np.array(numbers) > 0).mean(axis=0).max() <= 0.25


def test_smooth_courses_of_independent_neurons_share_no_dimension():
    """Shuffled samples would lose their smoothness and let such neurons pass."""
    phase = np.random.default_rng(1).uniform(0, 2 * np.pi, size=(20, 1, 1))
    cycles = np.random.default_rng(2).integers(1, 7, size=(20, 1, 1))
    time = np.arange(40)[None, :, None] / 40
    courses = np.sin(2 * np.pi * cycles * time + phase) + np.zeros((1, 1, 2))
    null, p = parallel_analysis(courses, 3, spawn(0, 60))
    assert null.shape == (60, 3) and p[0] > 0.05
    assert np.isnan(p[1:]).all()


def test_what_is_too_small_to_matter_is_not_tested():
    """In courses without noise every component is real, down to rounding."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(30, 6)))[0]
    time, cycles = np.linspace(0, 1, 40), np.arange(1, 7)[:, None]
    courses = np.cos(np.pi * cycles * time) * np.array([1, 0.5, 0.25, 0.1, 0.008, 0.004])[:, None]
    samples = np.einsum("nk,kt->nt", axes, courses)[:, :, None] + np.zeros((1, 1, 2))
    null, p = parallel_analysis(samples, 6, spawn(0, 40))
    assert leading(p) == 4 and np.isnan(p[4:]).all() and np.isnan(null[:, 4:]).all()
    # The fifth would have passed: it is only too small.
    share = 0.008**2 / (1 + 0.5**2 + 0.25**2 + 0.1**2)
    assert share < LEAST_SHARE
    larger = samples + 9 * np.einsum("nk,kt->nt", axes[:, 4:5], courses[4:5])[:, :, None]
    assert leading(parallel_analysis(larger, 6, spawn(0, 40))[1]) >= 5


def test_shuffles_are_the_same_whether_kept_or_drawn_again(monkeypatch):
    samples = np.random.default_rng(0).normal(size=(6, 10, 5)).cumsum(axis=1)
    samples[:, :2] += 9 * np.random.default_rng(1).normal(size=5)
    kept = parallel_analysis(samples, 3, spawn(0, 20))
    monkeypatch.setattr("popdyn.analysis.statespace_null._KEPT_SHUFFLES", 0)
    np.testing.assert_array_equal(kept[0], parallel_analysis(samples, 3, spawn(0, 20))[0])


@pytest.mark.parametrize("n_neurons", [8, 60])
def test_the_first_of_shuffled_neurons_is_that_of_the_projected_matrix(n_neurons):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(n_neurons, 24))
    axes = np.linalg.qr(rng.normal(size=(n_neurons, 3)))[0]
    left = np.eye(n_neurons) - axes @ axes.T
    expected = np.linalg.svd(left @ matrix, compute_uv=False)[0] ** 2
    assert _first_power(matrix, axes) == pytest.approx(expected, rel=1e-10)
    power, axis = _first_axis(matrix)
    vectors, values, _ = np.linalg.svd(matrix, full_matrices=False)
    assert power == pytest.approx(values[0] ** 2, rel=1e-10)
    assert abs(axis @ vectors[:, 0]) == pytest.approx(1.0, rel=1e-10)


def test_one_condition_has_no_null():
    tensor, _, _ = planted(noise=2.0)
    one = tensor.isel(trial=np.flatnonzero(tensor["choice"].values == tensor["choice"].values[0]))
    with pytest.raises(
        pdn.FitError, match="'null' gives each neuron's courses to other cond.*'cv'"
    ):
        fitted(one, "null")
    result = fitted(one, 3).result_
    assert int(result.n_components_null) == -1
    assert np.isnan(result.dimension_p).all()
    # A second condition without a complete sample is none.
    average = pdn.condition_average(tensor, "choice")["rate"].copy(deep=True)
    average[0, :, 1] = np.nan
    with (
        pytest.warns(pdn.PopdynWarning, match="take no part"),
        pytest.raises(pdn.FitError, match="there is only one"),
    ):
        pdn.PCA("null").fit(average)


def test_few_splits_do_not_keep_the_null_from_finding_components():
    result = fitted(planted(noise=1.0)[0], "null", n_splits=2).result_
    assert int(result.n_components_null) == 3
    assert float(result.dimension_p[0]) == 0.01
    assert result.null_variance_share.sizes["shuffle"] == 99


def test_a_rule_may_choose_the_number_of_components():
    tensor, _, _ = planted(noise=2.0)
    assert fitted(tensor, "cv").loading_.sizes["component"] == 3
    chosen = fitted(tensor, "null", n_splits=40)
    assert chosen.loading_.sizes["component"] == 3
    again = pdn.PCA.from_dataset(chosen.to_dataset())
    assert again.get_params() == chosen.get_params()
    noise = tensor.copy(data=np.random.default_rng(0).normal(size=tensor.shape))
    with pytest.warns(pdn.PopdynWarning, match="'cv' finds no component beyond noise: one is kept"):
        assert fitted(noise, "cv").loading_.sizes["component"] == 1


def test_counting_dimensions_of_padded_and_of_tiny_data():
    tensor, _, _ = planted()
    average = pdn.condition_average(tensor, "choice")["rate"].copy(deep=True)
    average[:, 20:, 1] = np.nan
    padded = pdn.PCA(3, n_splits=40).fit(average).result_
    assert int(padded.n_components_null) == 3
    tiny = average[:2, :4, :1].copy(data=np.random.default_rng(0).normal(size=(2, 4, 1)))
    result = pdn.PCA(1, n_splits=5).fit(tiny).result_
    assert int(result.n_components_cross_validated) in (-1, 0, 1)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 100), factor=st.floats(0.01, 100))
def test_units_do_not_matter(seed, factor):
    samples = np.random.default_rng(seed).normal(size=(8, 12, 5))
    first = bi_cross_validated_errors(samples, spawn(0, 2))
    other = bi_cross_validated_errors(factor * samples, spawn(0, 2))
    np.testing.assert_allclose(predicted_share(first), predicted_share(other), atol=1e-8)
    assert smallest_good(first) == smallest_good(other)


def test_bounds_of_shares_and_loadings_surround_them():
    result = fitted(planted(noise=3.0)[0]).result_
    single = pdn.PCA(3, n_splits=5).fit(planted(noise=3.0)[0]).result_
    for one in (result, single):
        for name in ("explained_variance_ratio", "loading", "cross_validated_ratio"):
            low, high = one[f"{name}_bound"].transpose("bound", ...).values
            assert (low <= one[name].values).all() and (one[name].values <= high).all(), name
            assert np.isfinite(low).all()
    low, high = result.split_trial_ratio_bound.values
    assert (low <= result.split_trial_ratio).all() and (result.split_trial_ratio <= high).all()


def test_single_trials_are_judged_on_trials_left_out():
    tensor, _, _ = planted(noise=5.0)
    result = pdn.PCA(6, n_splits=5).fit(tensor).result_
    fit, held_out = result.explained_variance_ratio.values, result.cross_validated_ratio.values
    assert fit.sum() > held_out.sum() > 0.5 * fit.sum()
    few = pdn.PCA(2, n_splits=5).fit(tensor.isel(trial=[0, 1])).result_
    assert np.isnan(few.cross_validated_ratio).all()


def test_soft_normalization_goes_with_the_components():
    tensor, _, _ = planted()
    tensor = tensor * np.linspace(1, 20, 30)[:, None, None] + 400.0
    tensor.attrs = {"units": "Hz"}
    tensor = tensor.rename("rate")
    pca = fitted(tensor, soft_normalize=True)
    before = fitted(pdn.soft_normalize(tensor))
    np.testing.assert_allclose(pca.loading_, before.loading_, atol=1e-9)
    np.testing.assert_allclose(
        pca.transform(tensor), before.transform(pdn.soft_normalize(tensor)), atol=1e-9
    )
    # Other trials are divided by the range of those fitted to, not by their own.
    some = tensor.isel(trial=slice(0, 3))
    np.testing.assert_allclose(pca.transform(some), pca.transform(tensor)[..., :3])
    full = fitted(tensor, 30, soft_normalize=True, n_splits=2, n_draws=2)
    back = full.inverse_transform(full.transform(tensor))
    np.testing.assert_allclose(back, tensor, rtol=1e-8)
    assert back.attrs["units"] == "Hz" and full.transform(tensor).attrs["units"] == "1"
    again = pdn.PCA.from_dataset(pca.to_dataset())
    xr.testing.assert_allclose(again.transform(tensor), pca.transform(tensor))
    average = pdn.condition_average(tensor, "choice")
    by_hand = pdn.PCA(3).fit(pdn.soft_normalize(average))
    np.testing.assert_allclose(
        pdn.PCA(3, soft_normalize=True).fit(average).loading_, by_hand.loading_, atol=1e-9
    )
