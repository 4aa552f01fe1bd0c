from __future__ import annotations

import numpy as np
import pytest
import scipy.spatial
import sklearn.cross_decomposition
import sklearn.linear_model
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import popdyn as pdn
from popdyn.analysis.space_map_fit import canonical_correlations, fit_map

LABELS = [f"c{i}" for i in range(6)]


def latents(k=3, n_times=15, n_conditions=6, seed=0):
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, n_times)[None, :, None]
    phase = rng.uniform(0, 2 * np.pi, size=(k, 1, n_conditions))
    return np.sin(2 * np.pi * time * np.arange(1, k + 1)[:, None, None] + phase)


def source(latent, n_neurons, seed, noise=0.0, n_trials=8, units="1"):
    """Tensor whose averages move along random directions with these courses."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n_neurons, len(latent))))[0]
    condition = np.tile(np.arange(latent.shape[2]), n_trials)
    values = np.einsum("nk,ktc->ntc", axes, latent)[:, :, condition]
    values = values + noise * rng.normal(size=values.shape)
    labels = np.array(LABELS)[condition]
    x = pdn.make_tensor(
        values, 0.02 * np.arange(latent.shape[1]), {"stimulus": labels}, units=units
    )
    return x.assign_coords(neuron=[f"s{seed}_{i}" for i in range(n_neurons)])


def mapped(a, b, **kwargs):
    settings_ = {"by": "stimulus", "n_draws": 40, **kwargs}
    return pdn.SpaceMap(settings_.pop("n_components", 3), **settings_).fit(a, b)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 5))
def test_maps_are_those_of_scipy_and_scikit_learn(seed, k):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(k, 30)), rng.normal(size=(k, 30)) + 3.0
    # scipy's Procrustes turns the second into the first after scaling both to norm 1.
    first, second, disparity = scipy.spatial.procrustes(y.T, x.T)
    ours = fit_map(x, y, "procrustes")
    norm = np.linalg.norm(y - y.mean(axis=1, keepdims=True))
    error = np.linalg.norm(y - ours.apply(x)) / norm
    assert error**2 == pytest.approx(disparity, abs=1e-10)
    mean = y.mean(axis=1, keepdims=True)
    np.testing.assert_allclose((ours.apply(x) - mean) / norm, second.T, atol=1e-10)
    theirs = sklearn.linear_model.LinearRegression().fit(x.T, y.T)
    ours = fit_map(x, y, "regression")
    np.testing.assert_allclose(ours.matrix, theirs.coef_, atol=1e-10)
    np.testing.assert_allclose(ours.offset, theirs.intercept_, atol=1e-10)


def test_canonical_correlations_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(2, 200))
    x = np.concatenate([shared + 0.5 * rng.normal(size=(2, 200)), rng.normal(size=(1, 200))])
    y = np.concatenate([rng.normal(size=(1, 200)), shared])
    cca = sklearn.cross_decomposition.CCA(3, scale=False, max_iter=20_000, tol=1e-14)
    a, b = cca.fit_transform(x.T, y.T)
    theirs = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(canonical_correlations(x, y), theirs, atol=1e-5)


@pytest.mark.parametrize("method", ["procrustes", "regression"])
def test_the_same_courses_in_other_neurons_are_found_and_go_there_and_back(method):
    latent = latents()
    network, recording = source(2.0 * latent, 30, 1), source(latent, 12, 2)
    fitted = mapped(network, recording, method=method)
    assert float(fitted.result_.held_out_ratio) == pytest.approx(1.0, abs=1e-8)
    assert float(fitted.result_.held_out_ratio_back) == pytest.approx(1.0, abs=1e-8)
    assert float(fitted.result_.p) <= 1 / 40
    np.testing.assert_allclose(fitted.result_.canonical_correlation, 1.0, atol=1e-10)
    np.testing.assert_allclose(
        fitted.transform(network), fitted.project_target(recording), atol=1e-8
    )
    back = fitted.inverse_transform(fitted.transform(network))
    np.testing.assert_allclose(back, network.transpose("neuron", "time", "trial"), atol=1e-8)
    assert back["neuron"].values.tolist() == network["neuron"].values.tolist()
    shuffled = network.isel(neuron=np.random.default_rng(0).permutation(30))
    np.testing.assert_allclose(fitted.transform(shuffled), fitted.transform(network), atol=1e-10)


def test_a_rotation_cannot_stretch_but_a_regression_can():
    latent = latents()
    other = latent * np.array([1.0, 0.3, 3.0])[:, None, None]
    a, b = source(latent, 20, 1), source(other, 20, 2)
    turned, stretched = mapped(a, b), mapped(a, b, method="regression")
    assert float(stretched.result_.held_out_ratio) == pytest.approx(1.0, abs=1e-8)
    assert float(turned.result_.held_out_ratio) < 0.95
    np.testing.assert_allclose(
        turned.matrix_ @ turned.matrix_.rename(component="other"),
        np.eye(3) * float((turned.matrix_**2).sum() / 3), atol=1e-8,
    )  # fmt: skip


@pytest.mark.parametrize("null", ["condition", "time"])
def test_unrelated_courses_are_not_predicted(null):
    p = []
    for seed in range(12):
        a, b = source(latents(seed=seed), 20, 1, 0.5), source(latents(seed=seed + 50), 20, 2, 0.5)
        result = mapped(a, b, null=null, rng=seed).result_
        assert float(result.held_out_ratio) < 0.5
        p.append(float(result.p))
    assert 0.2 < np.mean(p) < 0.8


def test_noise_lowers_the_ratio_and_makes_bounds():
    latent = latents()
    result = mapped(source(latent, 30, 1, 1.0), source(latent, 12, 2, 1.0)).result_
    low, high = result.held_out_ratio_bound.values
    assert 0.05 < low < float(result.held_out_ratio) < high < 1.0
    few = mapped(source(latent, 30, 1, 2.0, 3), source(latent, 12, 2, 2.0, 3)).result_
    assert np.isnan(few.held_out_ratio_bound).all()


def test_two_conditions_are_judged_on_times_left_out():
    latent = latents(n_conditions=2, n_times=30)
    result = mapped(source(latent, 20, 1), source(latent, 9, 2)).result_
    assert result.attrs["hold_out"] == "time" and result.attrs["null"] == "time"
    assert float(result.held_out_ratio) == pytest.approx(1.0, abs=1e-8)


def test_neurons_and_conditions_without_data_are_named_by_source_and_target():
    a, b = source(latents(), 8, 1), source(latents(), 12, 2)
    values = b.values.copy()
    values[3] = np.nan
    with pytest.warns(pdn.PopdynWarning, match="1 of 12 neurons of the target .* left out: s2_3"):
        result = mapped(a, b.copy(data=values)).result_
    np.testing.assert_allclose(
        result.held_out_ratio, mapped(a, b.drop_isel(neuron=3)).result_.held_out_ratio
    )
    values = a.values.copy()
    values[4][:, a["stimulus"].values == "c2"] = np.nan
    words = "1 of 6 conditions take no part, because some neurons of the source .*: c2. .*: s1_4$"
    with pytest.warns(pdn.PopdynWarning, match=words):
        mapped(a.copy(data=values), b)
    with pytest.raises(pdn.FitError, match="every neuron of the target is NaN"):
        mapped(a, b * np.nan)


@pytest.mark.parametrize("n_conditions", [4, 5])
def test_few_conditions_warn_that_no_p_can_be_small(n_conditions):
    latent = latents(n_conditions=n_conditions)
    a, b = source(latent, 20, 1), source(latent, 9, 2)
    least = {4: "0.042", 5: "0.0083"}[n_conditions]
    with pytest.warns(pdn.PopdynWarning, match=f"fall below about {least}.* null='time'"):
        result = mapped(a, b, n_draws=500).result_
    # A perfect match, whose p is that of the shuffles that leave it as it is.
    assert float(result.p) == pytest.approx(float(least), rel=0.7)
    assert float(mapped(a, b, n_draws=500, null="time").result_.p) < 0.005


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_rotation_order_and_units_change_nothing(seed, factor):
    rng = np.random.default_rng(seed)
    a, b = source(latents(), 8, 1, 0.5), source(latents(), 6, 2, 0.5)
    first = mapped(a, b, n_draws=3).result_
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    turned = mapped(a.copy(data=factor * np.einsum("ij,jtn->itn", turn, a.values)), b, n_draws=3)
    moved = mapped(a.isel(neuron=rng.permutation(8)), b.isel(neuron=rng.permutation(6)), n_draws=3)
    for name in ("held_out_ratio", "held_out_ratio_back", "null_held_out_ratio"):
        np.testing.assert_allclose(turned.result_[name], first[name], rtol=1e-6)
        np.testing.assert_allclose(moved.result_[name], first[name], rtol=1e-6)


def test_a_fitted_map_comes_back_from_its_dataset_and_from_a_file(tmp_path):
    a, b = source(latents(), 8, 1, 0.5), source(latents(), 6, 2, 0.5)
    fitted = mapped(a, b)
    pdn.save(fitted, tmp_path / "map.nc")
    for again in (pdn.SpaceMap.from_dataset(fitted.to_dataset()), pdn.load(tmp_path / "map.nc")):
        xr.testing.assert_allclose(again.transform(a), fitted.transform(a))
        xr.testing.assert_allclose(
            again.inverse_transform(again.project_target(b)),
            fitted.inverse_transform(fitted.project_target(b)),
        )
        assert again.get_params() == fitted.get_params()
    with pytest.raises(pdn.TensorError, match="'space_map', found method 'none'"):
        pdn.SpaceMap.from_dataset(xr.Dataset())
    assert not hasattr(clone(fitted), "result_")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"n_components": 0}, pdn.TensorError, "at least 1, found 0"),
        ({"n_components": 9}, pdn.FitError, "the source has 8 neurons and 90 of 90 samples"),
        ({"n_draws": 0}, pdn.TensorError, "n_draws must be at least 1"),
        ({"method": "cca"}, pdn.TensorError, "'procrustes', 'regression'; found 'cca'"),
        ({"hold_out": "trial"}, pdn.TensorError, "hold_out is one of"),
        ({"null": "trial"}, pdn.TensorError, "null is one of"),
    ],
)
def test_bad_requests_are_refused_in_plain_words(change, error, words):
    with pytest.raises(error, match=words):
        mapped(source(latents(), 8, 1), source(latents(), 12, 2), **change)


def test_sources_that_do_not_match_are_refused():
    a, b = source(latents(), 8, 1), source(latents(), 6, 2)
    with pytest.raises(
        pdn.TensorError, match="source has 15 bins from 0 to 0.28 s, the target has 10"
    ):
        mapped(a, b.isel(time=slice(0, 10)))
    with pytest.raises(
        pdn.TensorError, match=r"source has 6 \(c0; c1;.*, the target has 2 \(c0; c1\)"
    ):
        mapped(a, b.isel(trial=b["stimulus"].isin(["c0", "c1"])))
    with pytest.raises(pdn.TensorError, match=r"source has 6 \(c0; .* the target has 6 \(xc0"):
        mapped(a, b.assign_coords(stimulus=("trial", [f"x{s}" for s in b["stimulus"].values])))
    with pytest.raises(pdn.TensorError, match="by= is for tensors"):
        pdn.SpaceMap(3, by="stimulus").fit(a, pdn.condition_average(b, "stimulus"))
    with pytest.raises(pdn.FitError, match="no neuron of the target varies"):
        mapped(a, b * 0)
    one = a.isel(trial=a["stimulus"].isin(["c0"])), b.isel(trial=b["stimulus"].isin(["c0"]))
    with pytest.raises(pdn.TensorError, match="needs two conditions, found one"):
        mapped(*one, hold_out="condition")
    with pytest.raises(pdn.FitError, match="has not been fitted"):
        pdn.SpaceMap().transform(a)
    fitted = mapped(a, b)
    with pytest.raises(pdn.TensorError, match="8 neurons of the fit, 8 of them are missing"):
        fitted.transform(b)
    with pytest.raises(pdn.TensorError, match="states with 3 components"):
        fitted.inverse_transform(a)
