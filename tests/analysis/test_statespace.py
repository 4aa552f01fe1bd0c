from __future__ import annotations

import numpy as np
import pytest
import sklearn.decomposition
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import popdyn as pdn
from popdyn.analysis.statespace_splits import participation_ratio, split_shares
from popdyn.resample import spawn
from tests.oracles.statespace import shares as slow_shares


def planted(n_neurons=30, n_times=25, n_trials=12, noise=1.0, seed=0, n_latents=3):
    """Tensor with two conditions and a few latents; units "1" so that rates may be negative."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n_neurons, n_latents)))[0]
    power = 10.0 * 0.6 ** np.arange(n_latents)
    phase = rng.uniform(0, 2 * np.pi, (n_latents, 2))
    time = np.arange(n_times) / n_times
    cycles = np.arange(1, n_latents + 1)[:, None, None]
    latent = np.sin(2 * np.pi * (cycles * time[:, None] + phase[:, None, :])) * power[:, None, None]
    signal = np.einsum("nk,ktc->ntc", axes, latent) + rng.normal(size=(n_neurons, 1, 1))
    choice = np.tile([0, 1], n_trials)
    values = signal[:, :, choice] + noise * rng.normal(size=(n_neurons, n_times, 2 * n_trials))
    tensor = pdn.make_tensor(values, 0.02 * np.arange(n_times), {"choice": choice}, units="1")
    return tensor, axes, signal


def fitted(tensor, n_components=3, **kwargs):
    return pdn.PCA(n_components, by="choice", **{"n_splits": 10, "n_draws": 20, **kwargs}).fit(
        tensor
    )


def test_planted_directions_are_found():
    tensor, axes, _ = planted(noise=0.3)
    found = fitted(tensor).loading_.values
    assert np.linalg.svd(axes.T @ found)[1].min() > 0.999
    assert np.allclose(found.T @ found, np.eye(3))


def test_complete_data_agree_with_scikit_learn():
    tensor, _, _ = planted()
    average = pdn.condition_average(tensor, "choice")
    for x, matrix in (
        (average, average["rate"].values.reshape(30, -1).T),
        (tensor, tensor.values.reshape(30, -1).T),
    ):
        ours = pdn.PCA(5).fit(x)
        theirs = sklearn.decomposition.PCA(5, svd_solver="full").fit(matrix)
        sign = np.sign((theirs.components_ * ours.loading_.values.T).sum(axis=1))
        np.testing.assert_allclose(
            ours.loading_.values.T, theirs.components_ * sign[:, None], atol=1e-10
        )
        np.testing.assert_allclose(
            ours.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-10
        )
        np.testing.assert_allclose(ours.mean_, theirs.mean_, atol=1e-10)
        state = ours.transform(x).values.reshape(5, -1).T
        np.testing.assert_allclose(state, theirs.transform(matrix) * sign, atol=1e-9)


def test_a_tensor_by_condition_has_the_components_of_its_average():
    tensor, _, _ = planted()
    first = fitted(tensor)
    second = pdn.PCA(3).fit(pdn.condition_average(tensor, "choice"))
    np.testing.assert_allclose(first.loading_, second.loading_, atol=1e-12)
    np.testing.assert_allclose(first.result_.trajectory, second.result_.trajectory, atol=1e-10)
    assert "cross_validated_ratio" not in second.result_


def test_the_largest_loading_of_each_component_is_positive():
    loading = fitted(planted()[0]).loading_.values
    assert (loading[np.abs(loading).argmax(axis=0), range(3)] > 0).all()


def test_shares_agree_with_projections_of_halves():
    tensor, _, _ = planted(noise=5.0)
    trials = [np.moveaxis(tensor.values[:, :, i::2], 2, 0) for i in (0, 1)]
    found = split_shares(trials, 3, spawn(0, 1))
    own = spawn(0, 1)[0]
    halves = []
    for values in trials:
        order = own.permutation(12)
        own.integers(0, 2)
        halves.append([values[order[:6]].mean(axis=0), values[order[6:]].mean(axis=0)])
    first, second = (np.concatenate([h[i] for h in halves], axis=1) for i in (0, 1))
    ratio, signal = slow_shares(first, second, 3)
    np.testing.assert_allclose(found.ratio[0], ratio, rtol=1e-8)
    np.testing.assert_allclose(found.signal[0], signal, rtol=1e-8)


def test_cross_validation_does_not_count_the_noise():
    tensor, _, signal = planted(noise=4.0, n_neurons=40)
    result = fitted(tensor, 6, n_splits=20).result_
    assert result.explained_variance_ratio.sum() > 1.05 * result.cross_validated_ratio.sum()
    # Components beyond the three planted ones hold no reproducible variance.
    assert np.abs(result.signal_variance[3:]).max() < 0.03 * result.signal_variance[0]
    centered = signal.reshape(40, -1) - signal.reshape(40, -1).mean(axis=1, keepdims=True)
    true = np.linalg.svd(centered)[1][0] ** 2 / (centered.shape[1] - 1)
    assert float(result.signal_variance[0]) == pytest.approx(true, rel=0.15)


def test_shared_structure_is_above_the_null_and_noise_alone_is_not():
    strong = fitted(planted(noise=2.0)[0], n_splits=40).result_
    assert (
        strong.cumulative_cross_validated_ratio
        > strong.null_cumulative_ratio.quantile(0.975, "draw")
    ).all()
    tensor, _, _ = planted(seed=3)
    noise = tensor.copy(data=np.random.default_rng(0).normal(size=tensor.shape))
    weak = fitted(noise, n_splits=40).result_
    low, high = weak.null_cumulative_ratio.quantile([0.005, 0.995], "draw").values
    assert (
        (low < weak.cumulative_cross_validated_ratio)
        & (weak.cumulative_cross_validated_ratio < high)
    ).all()


def test_the_participation_ratio_is_that_of_the_signal():
    """B15: 100 neurons, rank 5, 10 trials, noise 4: 3.70 where the averages alone say 4.5."""
    rng = np.random.default_rng(0)
    error = []
    for _ in range(10):
        factor = rng.normal(size=(100, 5)) * np.sqrt([5, 4, 3, 2, 1])
        signal = factor @ rng.normal(size=(5, 200))
        trials = signal + 4.0 * rng.normal(size=(10, 100, 200))
        covariance = np.cov(signal)
        true = np.trace(covariance) ** 2 / np.sum(covariance**2)
        shares = split_shares([trials], 5, spawn(1, 5))
        error.append(float(participation_ratio(shares.participation.mean(axis=0))) - true)
    assert abs(np.mean(error)) < 0.03
    assert np.abs(error).max() < 0.15


def test_bounds_surround_the_estimates():
    result = fitted(planted(noise=4.0)[0], n_draws=60).result_
    for name in (
        "cross_validated_ratio",
        "cumulative_cross_validated_ratio",
        "participation_ratio",
        "trajectory",
    ):
        low, high = result[f"{name}_bound"].transpose("bound", ...).values
        estimate = result[name].values
        assert (low < estimate).all() and (estimate < high).all(), name


def test_bounds_of_trajectories_are_two_standard_errors_each_way():
    result = fitted(planted(noise=4.0, n_trials=30)[0], n_draws=400).result_
    width = np.diff(result.trajectory_bound, axis=0).mean()
    assert width == pytest.approx(2 * 1.96 * 4.0 / np.sqrt(30), rel=0.05)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_rotation_order_and_units_leave_the_shares_as_they_are(seed, factor):
    rng = np.random.default_rng(seed)
    tensor, _, _ = planted(n_neurons=8, n_times=10, n_trials=4)
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    first = fitted(tensor, n_splits=3, n_draws=3)
    turned = fitted(
        tensor.copy(data=np.einsum("ij,jtn->itn", rotation, tensor.values)), n_splits=3, n_draws=3
    )
    order = rng.permutation(8)
    other = fitted(tensor.isel(neuron=order) * factor, n_splits=3, n_draws=3)
    for name in ("explained_variance_ratio", "cross_validated_ratio", "participation_ratio"):
        np.testing.assert_allclose(turned.result_[name], first.result_[name], rtol=1e-7)
        np.testing.assert_allclose(other.result_[name], first.result_[name], rtol=1e-7)
    np.testing.assert_allclose(other.loading_, first.loading_.isel(neuron=order), atol=1e-7)
    shuffled = pdn.PCA(3).fit(
        pdn.condition_average(tensor.isel(trial=rng.permutation(8)), "choice")
    )
    np.testing.assert_allclose(shuffled.loading_, first.loading_, atol=1e-8)


def test_transform_and_its_inverse():
    tensor, _, signal = planted(noise=0.0)
    pca = fitted(tensor)
    back = pca.inverse_transform(pca.transform(tensor))
    np.testing.assert_allclose(back, tensor, atol=1e-9)
    reordered = pca.transform(tensor.isel(neuron=slice(None, None, -1)))
    np.testing.assert_allclose(reordered, pca.transform(tensor), atol=1e-12)
    assert pca.transform(tensor).dims == ("component", "time", "trial")
    with pytest.raises(pdn.TensorError, match="2 of them are missing: 0, 1"):
        pca.transform(tensor.isel(neuron=slice(2, None)))
    with pytest.raises(pdn.TensorError, match="expected states with 3 components"):
        pca.inverse_transform(tensor)


def test_padding_takes_no_part_and_stays_nan():
    tensor, _, _ = planted()
    average = pdn.condition_average(tensor, "choice")["rate"]
    padded = average.copy(deep=True)
    padded[:, 20:, 1] = np.nan
    pca = pdn.PCA(3).fit(padded)
    matrix = padded.values.reshape(30, -1)
    matrix = matrix[:, np.isfinite(matrix).all(axis=0)]
    expected = sklearn.decomposition.PCA(3, svd_solver="full").fit(matrix.T)
    np.testing.assert_allclose(pca.explained_variance_ratio_, expected.explained_variance_ratio_)
    assert np.isnan(pca.transform(padded)[:, 20:, 1]).all()


def test_a_pseudopopulation_is_split_neuron_by_neuron():
    tensor, axes, _ = planted(noise=0.5, n_trials=20)
    values = tensor.values.copy()
    for neuron in range(30):
        values[neuron, :, 12 + neuron % 20 :] = np.nan
    result = fitted(tensor.copy(data=values).assign_attrs(simultaneous=0)).result_
    assert float(result.cross_validated_ratio.sum()) > 0.95
    assert np.isfinite(result.trajectory_bound).all()


def test_neurons_without_data_are_left_out_by_name_and_constant_ones_are_named():
    tensor, _, _ = planted()
    values = tensor.values.copy()
    values[4] = np.nan
    with pytest.warns(pdn.PopdynWarning, match="1 of 30 neurons are NaN throughout, left out: 4$"):
        pca = fitted(tensor.copy(data=values))
    assert pca.loading_.sizes["neuron"] == 29 and 4 not in pca.loading_["neuron"]
    assert np.isfinite(pca.result_.cross_validated_ratio).all()
    values[4] = 7.0
    with pytest.warns(pdn.PopdynWarning, match="1 of 30 neurons never vary.*: 4$"):
        pca = fitted(tensor.copy(data=values))
    assert np.abs(pca.loading_.sel(neuron=4)).max() < 1e-12


def test_a_condition_without_trials_of_a_neuron_is_named_with_what_to_do():
    tensor, _, _ = planted()
    values = tensor.values.copy()
    values[4][:, tensor["choice"].values == 1] = np.nan
    words = "1 of 2 conditions take no part, because .* no trial there: 1. .*neurons=...\\): 4$"
    with (
        pytest.warns(pdn.PopdynWarning, match="cross-validation .* goes without 1$"),
        pytest.warns(pdn.PopdynWarning, match=words),
    ):
        fitted(tensor.copy(data=values))
    average = pdn.condition_average(tensor.copy(data=values), "choice")
    with pytest.warns(pdn.PopdynWarning, match=words):
        pdn.PCA(2).fit(average)


def test_trials_without_a_label_are_counted():
    tensor, _, _ = planted()
    choice = np.where(np.arange(24) < 6, np.nan, tensor["choice"].values)
    with pytest.warns(pdn.PopdynWarning, match="^6 of 24 trials have no value in 'choice'"):
        pca = fitted(tensor.assign_coords(choice=("trial", choice)))
    expected = fitted(tensor.isel(trial=slice(6, None)))
    np.testing.assert_allclose(pca.loading_, expected.loading_)


@pytest.mark.parametrize("soft", [False, True])
def test_activity_in_another_unit_than_that_of_the_fit_is_refused(soft):
    tensor, _, _ = planted()
    pca = fitted(tensor, soft_normalize=soft)
    assert np.isfinite(pca.transform(tensor)).all()
    other = abs(tensor).assign_attrs(tensor.attrs | {"units": "Hz"})
    with pytest.raises(pdn.TensorError, match="expected activity in 1, as in the fit, found Hz"):
        pca.transform(other)
    # Of bare averages no unit is known.
    bare = pdn.condition_average(tensor, "choice")["rate"].drop_attrs()
    pdn.PCA(2).fit(bare).transform(other)


def test_a_condition_of_one_trial_is_not_cross_validated():
    tensor, _, _ = planted()
    one = tensor.isel(trial=[0, *range(1, 24, 2)])
    with pytest.warns(pdn.PopdynWarning, match="at least 2 trials per neuron and condition .* 0$"):
        result = fitted(one).result_
    assert np.isfinite(result.cross_validated_ratio).all()
    assert result.n_trials.values.tolist() == [1, 12]
    with pytest.warns(pdn.PopdynWarning, match="none is left"):
        result = fitted(tensor.isel(trial=[0, 1])).result_
    assert np.isnan(result.cross_validated_ratio).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            {"n_components": 31},
            pdn.FitError,
            "31 components need at least as many neurons, found 30",
        ),
        ({"n_components": 0}, pdn.TensorError, "at least 1, 'cv' or 'null', found 0"),
        ({"by": "choise"}, pdn.TensorError, "choice"),
    ],
)
def test_bad_requests_are_refused_in_plain_words(change, error, words):
    arguments = {"n_components": 3, "by": "choice", **change}
    with pytest.raises(error, match=words):
        pdn.PCA(**arguments).fit(planted()[0])


def test_data_that_carry_no_components_are_refused():
    tensor, _, _ = planted()
    values = tensor.values.copy()
    values[3, :, 1:], values[3, 3:, 0] = np.nan, np.nan
    with pytest.raises(
        pdn.FitError, match="no neuron is NaN, found 3 of 600.*neurons with most NaN .3,"
    ):
        pdn.PCA(3).fit(tensor.copy(data=values))
    with pytest.raises(pdn.FitError, match="no neuron varies"):
        pdn.PCA(3).fit(tensor * 0)
    with pytest.raises(pdn.FitError, match="every neuron is NaN"):
        pdn.PCA(3).fit(tensor * np.nan)
    with pytest.raises(pdn.TensorError, match="by= is for a tensor"):
        fitted(pdn.condition_average(tensor, "choice"))
    with pytest.raises(pdn.FitError, match="has not been fitted"):
        pdn.PCA(3).transform(tensor)


def test_a_fitted_pca_comes_back_from_its_dataset_and_from_a_file(tmp_path):
    tensor, _, _ = planted()
    pca = fitted(tensor)
    for again in (pdn.PCA.from_dataset(pca.to_dataset()), _through_file(pca, tmp_path / "pca.nc")):
        np.testing.assert_allclose(again.transform(tensor), pca.transform(tensor))
        assert again.get_params() == pca.get_params()
        xr.testing.assert_equal(again.to_dataset(), pca.to_dataset())
    with pytest.raises(
        pdn.TensorError, match="expected a result of method 'pca', found method 'none'"
    ):
        pdn.PCA.from_dataset(xr.Dataset())


def _through_file(pca, path):
    pdn.save(pca, path)
    return pdn.load(path)


def test_the_same_seed_gives_the_same_result_and_the_input_stays():
    tensor, _, _ = planted()
    before = tensor.copy(deep=True)
    xr.testing.assert_identical(fitted(tensor).result_, fitted(tensor).result_)
    xr.testing.assert_identical(tensor, before)
    other = fitted(tensor, rng=1).result_
    assert not np.array_equal(
        other.cross_validated_ratio, fitted(tensor).result_.cross_validated_ratio
    )


def test_the_batch_size_changes_nothing(monkeypatch):
    tensor, _, _ = planted()
    whole = fitted(tensor).result_
    monkeypatch.setattr("popdyn.analysis.statespace_splits.CHUNK_NUMBERS", 1)
    xr.testing.assert_allclose(fitted(tensor).result_, whole, rtol=1e-11)


def test_the_constructor_only_stores():
    pca = pdn.PCA("nonsense", by=object)
    assert clone(pdn.PCA(4, by="choice", rng=3)).get_params()["n_components"] == 4
    assert not hasattr(pca, "loading_")


@pytest.mark.parametrize("wrong", [{"n_splits": 0}, {"n_draws": 0}])
def test_no_split_and_no_draw_is_refused(wrong):
    x = pdn.make_tensor(np.ones((3, 4, 2)), 0.1 * np.arange(4), units="1")
    with pytest.raises(pdn.TensorError, match="n_splits and n_draws >= 1"):
        pdn.PCA(1, **wrong).fit(x)
