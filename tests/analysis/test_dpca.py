from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import popdyn as pdn
from popdyn.analysis import dpca_trials, slabs
from popdyn.analysis.dpca_grid import make_grid
from popdyn.analysis.dpca_lambda import fold_errors
from popdyn.analysis.dpca_terms import marginalizations, split
from popdyn.analysis.dpca_trials import make_noise, make_trials
from tests.oracles import dpca as slow

FACTORS = ("stimulus", "decision")
LEVELS = (np.linspace(-1, 1, 4), np.array([-1.0, 1.0]))


def signal(n_neurons, n_times, seed=0, levels=LEVELS):
    """Planted axes of stimulus and decision (cosine 0.6) and of time: rates, axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n_neurons, 3)))[0]
    axes[:, 1] = 0.6 * axes[:, 0] + 0.8 * axes[:, 1]
    time = np.linspace(0, 1, n_times)
    courses = np.exp(-(((time - 0.3) / 0.15) ** 2)), 1 / (1 + np.exp(-(time - 0.6) / 0.05))
    rates = np.zeros((n_neurons, len(levels[0]), len(levels[1]), n_times))
    rates += 3 * np.einsum("n,s,t->nst", axes[:, 0], levels[0], courses[0])[:, :, None]
    rates += 2 * np.einsum("n,q,t->nqt", axes[:, 1], levels[1], courses[1])[:, None]
    rates += 2 * np.einsum("n,t->nt", axes[:, 2], np.sin(2 * np.pi * time))[:, None, None]
    return rates, axes


def planted(n_neurons=20, n_times=12, n_trials=6, noise=0.5, seed=0, levels=LEVELS):
    """Tensor with planted axes and Gaussian noise, units "1"."""
    rates, axes = signal(n_neurons, n_times, seed, levels)
    s, q = (
        np.repeat(grid.ravel(), n_trials)
        for grid in np.meshgrid(*(np.arange(len(level)) for level in levels), indexing="ij")
    )
    rng = np.random.default_rng(seed + 1)
    values = np.moveaxis(rates[:, s, q], 1, 2) + noise * rng.normal(
        size=(n_neurons, n_times, len(s))
    )
    columns = {"stimulus": levels[0][s], "decision": levels[1][q]}
    return pdn.make_tensor(values, 0.05 * np.arange(n_times), columns, units="1"), axes


def component(dpca, name):
    """Encoder and decoder of the first component of a marginalization."""
    first = int(np.flatnonzero(dpca.marginalization_ == name)[0])
    return dpca.encoder_.values[first], dpca.decoder_.values[first]


def test_white_noise_falls_into_marginalizations_by_their_degrees_of_freedom():
    """B13: 6 stimuli, 2 decisions, 50 bins."""
    noise = np.random.default_rng(0).normal(size=(100, 6, 2, 50))
    parts = split(noise, marginalizations(FACTORS))
    power = np.array([part.power() for part in parts])
    assert np.allclose(power / power.sum(), [0.0818, 0.4174, 0.0835, 0.4174], atol=0.006)


def test_planted_axes_that_are_not_orthogonal_are_recovered():
    """B14: encoders within cosine 0.99, decoders free of other variance to 0.94."""
    levels = (np.linspace(-1, 1, 6), LEVELS[1])
    rates, axes = signal(100, 50, levels=levels)
    noise = np.random.default_rng(1).normal(size=rates.shape) / np.sqrt(20)
    average = xr.DataArray(
        np.moveaxis((rates + noise).reshape(100, 12, 50), 1, 2),
        dims=("neuron", "time", "condition"),
        coords={
            "stimulus": ("condition", np.repeat(levels[0], 2)),
            "decision": ("condition", np.tile(levels[1], 6)),
        },
    )
    dpca = pdn.DPCA(n_components=2, regularization=1e-5).fit(average)
    parts = dict(zip(
        [one.name for one in marginalizations(FACTORS)],
        split(rates + noise, marginalizations(FACTORS)), strict=True,
    ))  # fmt: skip
    for name, axis in zip(FACTORS, axes.T, strict=False):
        encoder, decoder = component(dpca, name)
        assert abs(encoder @ axis) > 0.99
        power = {
            key: part.n_copies * ((decoder @ part.values) ** 2).sum() for key, part in parts.items()
        }
        assert power[name] / sum(power.values()) > 0.94


@given(
    shape=st.lists(st.integers(2, 4), min_size=2, max_size=4),
    seed=st.integers(0, 1000),
    join=st.sampled_from(["time", None]),
)
@settings(max_examples=30, deadline=None)
def test_parts_are_orthogonal_and_add_up_to_the_averages(shape, seed, join):
    averages = np.random.default_rng(seed).normal(size=(3, *shape)) + 5
    names = [f"factor {i}" for i in range(len(shape) - 1)]
    parts = split(averages, marginalizations(names, join))
    whole = np.zeros_like(averages)
    for part in parts:
        own = [n if axis in part.axes else 1 for axis, n in enumerate(shape)]
        whole = whole + part.values.reshape(3, *own)
    centered = averages - averages.reshape(3, -1).mean(axis=1).reshape(3, *(1 for _ in shape))
    np.testing.assert_allclose(whole, centered, atol=1e-10)
    assert sum(part.power() for part in parts) == pytest.approx((centered**2).sum(), rel=1e-10)
    expected = slow.joined(averages) if join else list(slow.terms(averages).values())
    slow_powers = sorted((part**2).sum() for part in expected)
    np.testing.assert_allclose(sorted(p.power() for p in parts), slow_powers, atol=1e-10)


@pytest.mark.parametrize("noise", ["none", "diagonal", "full"])
@pytest.mark.parametrize("regularization", [0.0, 3e-3])
def test_components_agree_with_the_slow_formula(noise, regularization):
    tensor, _ = planted(n_neurons=9, noise=1.0)
    dpca = pdn.DPCA(n_components=2, regularization=regularization, noise_covariance=noise)
    dpca.fit(tensor)
    trials = tensor.values.reshape(9, 12, 4, 2, 6)
    averages = np.moveaxis(trials.mean(axis=-1), 1, -1)
    residual = (trials - trials.mean(axis=-1, keepdims=True)).reshape(9, -1)
    covariance = residual @ residual.T / 6
    covariance = {"none": 0.0, "diagonal": np.diag(np.diag(covariance)), "full": covariance}[noise]
    for name, part in zip(
        ["time", *FACTORS, "stimulus x decision"], slow.joined(averages), strict=True
    ):
        encoder, decoder = slow.components(averages, part, regularization, 2, covariance)
        own = dpca.marginalization_.values == name
        ratio = [slow.explained(averages, encoder[:, [i]], decoder[[i]]) for i in np.arange(2)]
        np.testing.assert_allclose(
            dpca.explained_variance_ratio_.values[own], sorted(ratio, reverse=True), atol=1e-9
        )
    both = slow.explained(averages, dpca.encoder_.values.T, dpca.decoder_.values)
    assert float(dpca.result_.cumulative_ratio[-1]) == pytest.approx(both, abs=1e-10)


def test_errors_of_held_out_trials_agree_with_the_slow_formula():
    tensor, _ = planted(n_neurons=7, noise=1.0)
    trials = make_trials(make_grid(tensor, FACTORS, "refuse"))
    index = trials.chosen(np.random.default_rng(3))
    tried = np.array([0.0, 1e-4, 1e-2])
    error, power = fold_errors(
        trials, trials.averages(), marginalizations(FACTORS), [2] * 4,
        make_noise(trials, "full"), tried, index,
    )  # fmt: skip
    kept = np.delete(np.arange(tensor.sizes["trial"]), index[0]).reshape(8, 5)
    train = tensor.values[:, :, kept].mean(axis=-1)
    residual = (tensor.values[:, :, kept] - train[..., None]).reshape(7, -1)
    test = tensor.values[:, :, index[0]]
    grids = [np.moveaxis(x, 2, 1).reshape(7, 4, 2, 12) for x in (train, test)]
    expected = slow.held_out_error(*grids, tried, 2, residual @ residual.T / 5)
    np.testing.assert_allclose(error.sum(axis=0) / power.sum(), expected, rtol=1e-9)


@given(seed=st.integers(0, 100), scale=st.sampled_from([1e-3, 7.0, 1e4]))
@settings(max_examples=8, deadline=None)
def test_order_of_neurons_and_trials_levels_names_and_units_do_not_matter(seed, scale):
    tensor, _ = planted(n_neurons=8, seed=seed % 5)
    rng = np.random.default_rng(seed)
    kwargs = {"n_components": 2, "regularization": 0.0, "noise_covariance": "full"}
    first = pdn.DPCA(**kwargs).fit(tensor)
    neurons, order = rng.permutation(8), rng.permutation(tensor.sizes["trial"])
    other = tensor.isel(neuron=neurons, trial=order).transpose("trial", "neuron", "time") * scale
    other.name, other.attrs = tensor.name, tensor.attrs
    names = np.array(["d", "b", "a", "c"])
    level = np.searchsorted(LEVELS[0], other["stimulus"].values)
    second = pdn.DPCA(**kwargs).fit(other.assign_coords(stimulus=("trial", names[level])))
    np.testing.assert_allclose(
        first.explained_variance_ratio_, second.explained_variance_ratio_, atol=1e-9
    )
    assert first.marginalization_.values.tolist() == second.marginalization_.values.tolist()
    same = second.encoder_.sel(neuron=first.encoder_["neuron"])
    np.testing.assert_allclose(np.abs(first.encoder_), np.abs(same), atol=1e-6)


def test_the_regularization_that_is_found_does_not_depend_on_units():
    tensor, _ = planted(noise=1.5)
    found = []
    for scale in (1.0, 1e3):
        scaled = (tensor * scale).rename("rate").assign_attrs(tensor.attrs)
        dpca = pdn.DPCA(n_components=1, regularization="cv", n_folds=3).fit(scaled)
        found.append((float(dpca.regularization_[0]) * scale, dpca.explained_variance_ratio_))
    assert found[0][0] == pytest.approx(found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-6)


def test_regularization_grows_with_the_noise_and_is_the_same_again():
    strengths = []
    for noise in (0.2, 3.0):
        tensor, _ = planted(noise=noise, n_neurons=30)
        kwargs = {"regularization": "cv", "noise_covariance": "none", "n_components": 1}
        first, second = (pdn.DPCA(**kwargs).fit(tensor) for _ in range(2))
        assert first.result_.identical(second.result_)
        power = float(first.result_.total_variance)
        strengths.append((float(first.regularization_[0]) * power) ** 2 / power)
        error = first.result_.cross_validation_error.mean("fold")
        assert float(error["tried"][int(error.argmin("tried"))]) == float(first.regularization_[0])
    assert strengths[0] < strengths[1]


def test_noise_alone_warns_that_nothing_repeats():
    tensor, _ = planted()
    noise = tensor.copy(data=np.random.default_rng(0).normal(size=tensor.shape))
    with pytest.warns(pdn.PopdynWarning, match="strongest regularization .* little that repeats"):
        pdn.DPCA(n_components=1, regularization="cv", n_folds=3).fit(noise)


def test_each_marginalization_may_have_its_own_regularization():
    tensor, _ = planted()
    each = {"stimulus": 1e-3, "decision": 1e-2}
    dpca = pdn.DPCA(regularization=each).fit(tensor)
    assert dpca.regularization_.values.tolist() == [0.0, 1e-3, 1e-2, 0.0]


def test_noise_alone_has_no_shares_of_signal():
    """Below 0 in all there is no whole; with any tenth left out there are no bounds."""
    without, unbound = [], []
    for seed in range(30):
        tensor, *_ = planted(8, 6, 8)
        noise = tensor.copy(data=np.random.default_rng(seed).normal(size=tensor.shape))
        result = pdn.DPCA(n_components=1).fit(noise).result_
        without.append(bool(np.isnan(result.signal_ratio).all()))
        unbound.append(bool(np.isnan(result.signal_ratio_bound).any()))
        assert without[-1] == (float(result.total_noise_ratio) >= 1.0)
    assert 0.25 < np.mean(without) < 0.8
    assert np.mean(unbound) > np.mean(without)


@pytest.mark.parametrize("smooth", [0, 4])
def test_signal_shares_are_those_of_the_signal_whatever_the_noise_over_time(smooth):
    rates, _ = signal(20, 12)
    power = np.array([part.power() for part in split(rates, marginalizations(FACTORS))])
    shares, naive = [], []
    for seed in range(8):
        tensor, _ = planted(noise=0.0, n_trials=5)
        noise = np.random.default_rng(seed).normal(size=tensor.shape)
        if smooth:
            noise = np.cumsum(noise, axis=1) / 2
        result = pdn.DPCA().fit(tensor + noise.reshape(tensor.shape)).result_
        shares.append(result.signal_ratio.values)
        naive.append(result.marginal_ratio.values)
    error = np.std(shares, axis=0) / np.sqrt(8)
    assert (np.abs(np.mean(shares, axis=0) - power / power.sum()) < 4 * error).all()
    assert (np.abs(np.mean(naive, axis=0) - power / power.sum()) > 4 * error).any()


def test_bounds_surround_the_shares_and_need_four_trials():
    result = pdn.DPCA().fit(planted(noise=1.0)[0]).result_
    for name in ("signal_ratio", "explained_variance_ratio"):
        low, high = result[f"{name}_bound"].transpose("bound", ...).values
        assert (low < result[name]).all() and (result[name] < high).all(), name
    few = pdn.DPCA().fit(planted(n_trials=3)[0]).result_
    assert np.isnan(few.signal_ratio_bound).all()


def missing(tensor, n_most=4, seed=0, together=False):
    """Take away trials of single neurons."""
    rng = np.random.default_rng(seed)
    place = np.arange(tensor.sizes["trial"]) % 6
    n_own = rng.integers(2, n_most + 1, tensor.sizes["neuron"])
    n_own[0] = 6
    holes = tensor.copy(data=np.where(place < n_own[:, None, None], tensor, np.nan))
    return holes.assign_attrs(simultaneous=int(together))


@pytest.mark.parametrize("together", [True, False])
def test_unequal_and_missing_trials_are_averages_over_each_neurons_own(together):
    """What fails elsewhere: https://github.com/machenslab/dPCA/issues/16."""
    tensor, axes = planted(n_neurons=40)
    holes = missing(tensor, together=together)
    dpca = pdn.DPCA(n_components=1, regularization="cv", n_folds=4).fit(holes)
    average = pdn.DPCA(n_components=1).fit(pdn.condition_average(holes, list(FACTORS)))
    np.testing.assert_allclose(dpca.mean_, average.mean_, atol=1e-10)
    np.testing.assert_allclose(
        dpca.result_.marginal_ratio, average.result_.marginal_ratio, atol=1e-10
    )
    for name, axis in zip(FACTORS, axes.T, strict=False):
        assert abs(component(dpca, name)[0] @ axis) > 0.97
    assert (dpca.result_.n_trials.min("condition") < 6).sum() == 39


def test_conditions_count_alike_whatever_their_number_of_trials():
    """Asked in https://github.com/machenslab/dPCA/issues/43: averages are balanced."""
    tensor, _ = planted(noise=0.0)
    place = np.arange(tensor.sizes["trial"])
    few = tensor.isel(trial=np.flatnonzero((place % 6 < 2) | (tensor["stimulus"] > 0)))
    np.testing.assert_allclose(
        pdn.DPCA().fit(tensor).explained_variance_ratio_,
        pdn.DPCA().fit(few).explained_variance_ratio_,
        atol=1e-10,
    )


def test_neurons_recorded_apart_are_pooled_and_demixed():
    """Asked in https://github.com/machenslab/dPCA/issues/30."""
    tensor, axes = planted(n_neurons=30)
    sessions = [
        tensor.isel(neuron=slice(10 * i, 10 * i + 10), trial=slice(None, None, 1 + i % 2))
        for i in range(3)
    ]
    for number, session in enumerate(sessions):
        session.attrs = session.attrs | {"source_id": f"day {number}"}
    pool = pdn.pseudopopulation(sessions, list(FACTORS))
    dpca = pdn.DPCA(n_components=1, regularization="cv", n_folds=4).fit(pool)
    assert abs(component(dpca, "stimulus")[0] @ axes[:, 0]) > 0.95
    with pytest.raises(pdn.FitError, match="recorded apart .*'diagonal'"):
        pdn.DPCA(noise_covariance="full").fit(pool)
    found = dpca.significance(pool, n_folds=4, n_draws=19)
    assert float(found.p_corrected[0].min()) == 0.05


def test_a_network_is_demixed_by_the_same_call():
    task = pdn.tasks.FrequencyDiscrimination()
    trials = task.sample(60, rng=0, dt=0.01)
    net = pdn.network.Rate.random(30, n_inputs=1, rng=0)
    rate = pdn.simulate(net, trials, rng=0, bin_width=0.1)["rate"]
    low = np.where(rate["stimulus"] < np.median(rate["stimulus"]), "low", "high")
    rate = rate.sel(time=slice(0.0, 3.0)).assign_coords(first=("trial", low))
    dpca = pdn.DPCA(("first", "target_choice"), n_components=1).fit(rate)
    assert "first x target_choice" in dpca.marginalization_.values
    assert dpca.result_.attrs["source"] == "network"


@pytest.mark.filterwarnings("ignore:70 of 412 trials have no")
def test_the_thalamus_is_demixed():
    tensor = pdn.read_nwb(
        "data/mouse_thalamus_delay_anm00239123.nwb", align="cue_start_time", window=(-2.5, 1.0),
        bin_width=0.1, observed="session",
    )  # fmt: skip
    kept = np.isin(tensor["response"], ["correct", "incorrect"]) & (tensor["stim_present"] == 0)
    tensor = tensor.isel(trial=np.flatnonzero(kept))
    dpca = pdn.DPCA(("type", "response"), n_components=1).fit(tensor)
    ratio = dpca.result_.signal_ratio
    assert float(ratio.sum()) == pytest.approx(1, abs=1e-9)
    assert str(ratio["marginalization"][int(ratio.argmax("marginalization"))].values) == "time"
    assert dpca.transform(tensor).attrs["units"] == "Hz"


def test_states_and_rates_are_decoded_and_encoded():
    """Encoder and decoder are not mixed up: https://github.com/machenslab/dPCA/issues/18."""
    tensor, _ = planted()
    dpca = pdn.DPCA().fit(tensor)
    average = pdn.condition_average(tensor, list(FACTORS))
    state = dpca.transform(average)
    np.testing.assert_allclose(state, dpca.result_.trajectory, atol=1e-10)
    whole = average["rate"].values - dpca.mean_.values[:, None, None]
    rebuilt = dpca.inverse_transform(state).values - dpca.mean_.values[:, None, None]
    share = 1 - ((whole - rebuilt) ** 2).sum() / (whole**2).sum()
    assert share == pytest.approx(float(dpca.result_.cumulative_ratio[-1]), abs=1e-10)
    two = dpca.inverse_transform(state.isel(component=[0, 1]))
    share = 1 - ((average["rate"] - two) ** 2).sum() / (whole**2).sum()
    assert float(share) == pytest.approx(float(dpca.result_.cumulative_ratio[1]), abs=1e-10)
    assert dpca.transform(tensor).dims == ("component", "time", "trial")
    order = tensor.isel(neuron=slice(None, None, -1))
    np.testing.assert_allclose(dpca.transform(order), dpca.transform(tensor), atol=1e-10)


def test_another_unit_than_that_of_the_fit_is_refused():
    tensor, _ = planted()
    fitted = pdn.DPCA(n_components=1).fit(tensor)
    with pytest.raises(pdn.TensorError, match="expected activity in 1, as in the fit, found Hz"):
        fitted.transform(abs(tensor).assign_attrs(tensor.attrs | {"units": "Hz"}))


def test_trials_without_a_label_are_counted():
    tensor, _ = planted()
    stimulus = tensor["stimulus"].values.astype(float)
    first = np.flatnonzero(stimulus == stimulus[0])[0]
    stimulus[first] = np.nan
    n = tensor.sizes["trial"]
    with pytest.warns(pdn.PopdynWarning, match=f"^1 of {n} trials have no value in 'stimulus, "):
        pdn.DPCA(n_components=1).fit(tensor.assign_coords(stimulus=("trial", stimulus)))


def test_explained_variance_is_of_the_reconstruction_and_bounded_by_that_of_pca():
    """Not that of the projection: https://github.com/machenslab/dPCA/issues/32, 45, 49."""
    result = pdn.DPCA().fit(planted(noise=1.0)[0]).result_
    assert (result.cumulative_ratio <= result.pca_cumulative_ratio + 1e-12).all()
    assert (result.cumulative_ratio.diff("component") > -1e-12).all()
    assert float(result.marginal_ratio.sum()) == pytest.approx(1, abs=1e-10)
    np.testing.assert_allclose(
        result.ratio_by_marginalization.sum("marginalization"),
        result.explained_variance_ratio, atol=1e-10,
    )  # fmt: skip


def test_a_jump_in_one_condition_shows_in_that_condition():
    """Stimulus and decision are not swapped: https://github.com/machenslab/dPCA/issues/15."""
    tensor, _ = planted(noise=0.0)
    one = (tensor["stimulus"] == LEVELS[0][0]) & (tensor["decision"] == LEVELS[1][1])
    jump = xr.where((tensor["time"] > 0.3) & one, tensor + 40, tensor, keep_attrs=True)
    jump = jump.transpose(*tensor.dims).rename("rate").assign_attrs(tensor.attrs)
    result = pdn.DPCA().fit(jump).result_
    step = np.abs(result.trajectory.diff("time")).max(("component", "time"))
    worst = result["condition"][int(step.argmax("condition"))]
    assert (float(worst["stimulus"]), float(worst["decision"])) == (LEVELS[0][0], LEVELS[1][1])


def test_axes_have_names_so_that_their_order_cannot_be_wrong():
    """Wrong orders are the trouble of https://github.com/machenslab/dPCA/issues/31 and 42."""
    tensor, _ = planted(n_neurons=8)
    first = pdn.DPCA().fit(tensor)
    average = pdn.condition_average(tensor, ["decision", "stimulus"])
    turned = average["rate"].transpose("condition", "time", "neuron")
    second = pdn.DPCA(("decision", "stimulus")).fit(turned)
    np.testing.assert_allclose(
        first.explained_variance_ratio_, second.explained_variance_ratio_, atol=1e-10
    )
    assert second.result_.sizes["marginalization"] == 4


def test_significance_finds_what_was_planted_in_several_factors():
    """With more than one factor, too: https://github.com/machenslab/dPCA/issues/23."""
    tensor, _ = planted(noise=0.6, n_trials=8)
    dpca = pdn.DPCA(n_components=2).fit(tensor)
    before = dpca.result_.copy(deep=True)
    found = dpca.significance(tensor, n_folds=5, n_draws=39, rng=1)
    by_name = dict(zip(found.tested_marginalization.values, found.p_corrected, strict=True))
    early, late = tensor["time"].values < 0.25, tensor["time"].values > 0.45
    assert (by_name["decision"][late] < 0.05).all()
    assert (by_name["decision"][:3] > 0.05).all()
    assert (by_name["stimulus"][early] < 0.05).any()
    assert (by_name["stimulus x decision"] > 0.05).all()
    # https://github.com/machenslab/dPCA/issues/45: testing must not change the fit.
    assert dpca.result_.identical(before)
    assert found.identical(dpca.significance(tensor, n_folds=5, n_draws=39, rng=1))
    assert not found.above_every_shuffle.any()  # no run of 10 of these 12 bins


def test_later_components_are_matched_to_those_of_all_trials():
    tensor, _ = planted(noise=0.6)
    found = (
        pdn.DPCA(n_components=2)
        .fit(tensor)
        .significance(tensor, n_components=2, n_folds=3, n_draws=9)
    )
    assert found.tested_component.values.tolist() == [1, 2] * 3
    assert float(found.accuracy[2].max()) > float(found.accuracy[3].max())


def test_a_fit_saved_and_loaded_decodes_the_same(tmp_path):
    tensor, _ = planted()
    join = {"time": ["time"], "stimulus": ["stimulus", "stimulus x time"]}
    dpca = pdn.DPCA(n_components={"stimulus": 2}, join=join).fit(tensor)
    again = pdn.load(pdn.save(dpca, tmp_path / "dpca.nc"))
    assert again.result_.identical(dpca.result_)
    assert again.transform(tensor).identical(dpca.transform(tensor))
    assert again.get_params()["join"] == join
    assert clone(dpca).get_params() == dpca.get_params()
    with pytest.raises(pdn.TensorError, match="expected a result of method 'dpca'"):
        pdn.DPCA.from_dataset(pdn.PCA(2).fit(tensor).to_dataset())


def test_single_bins_have_no_part_in_time():
    tensor, _ = planted()
    dpca = pdn.DPCA(n_components=1).fit(tensor.isel(time=[6]))
    assert "time" not in dpca.marginalization_.values
    assert dpca.encoder_.sizes["component"] == 3


def test_a_fit_needs_little_more_memory_than_its_data(monkeypatch):
    for module in (slabs, dpca_trials):  # large data come in many slabs
        monkeypatch.setattr(module, "_SLAB", 2**16)
    tensor, _ = planted(n_neurons=60, n_times=50, n_trials=100)
    tensor = tensor.astype(np.float32)
    dpca = pdn.DPCA(n_components=1, regularization="cv", n_folds=2, tried=[1e-5])
    dpca.fit(tensor.isel(neuron=slice(5)))
    tracemalloc.start()
    dpca.fit(tensor)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.0 * tensor.nbytes


def refused(error, match, make, *, tensor=None, **kwargs):
    tensor = planted()[0] if tensor is None else tensor
    with warnings.catch_warnings(), pytest.raises(error, match=match):
        warnings.simplefilter("ignore", pdn.PopdynWarning)
        pdn.DPCA(**kwargs).fit(make(tensor))


def same(tensor):
    return tensor


def lacking(tensor):
    """Neurons 3 and 5 without the trials of a condition."""
    one = (tensor["stimulus"] == -1) & (tensor["decision"] == 1)
    some = tensor["neuron"].isin([3, 5])
    return tensor.where(~(one & some)).transpose(*tensor.dims).assign_attrs(tensor.attrs)


@pytest.mark.parametrize(
    ("match", "make"),
    [
        ("'decision' has one level only .1.: nothing can be demixed by it",
         lambda x: x.isel(trial=np.flatnonzero(x["decision"] == 1))),
        ("no trial of stimulus=-1, decision=1 .1 of 8 combinations.*select.trials=",
         lambda x: x.isel(trial=np.flatnonzero((x["stimulus"] > -1) | (x["decision"] < 0)))),
        ("no trial column 'decision'|'decision'", lambda x: x.drop_vars("decision")),
        ("2 conditions share stimulus=-1, decision=-1: average over stimulus, decision alone",
         lambda x: pdn.condition_average(
             x.assign_coords(half=("trial", np.arange(x.sizes["trial"]) % 2)),
             [*FACTORS, "half"])),
        ("the condition average has no 'decision' .* condition_average.tensor",
         lambda x: pdn.condition_average(x, "stimulus")),
    ],
)  # fmt: skip
def test_a_grid_that_is_not_complete_is_refused_by_name(match, make):
    refused(pdn.TensorError, match, make)


def test_neurons_without_a_condition_are_named_or_dropped():
    """What fails elsewhere: https://github.com/machenslab/dPCA/issues/16 and 30."""
    match = "2 of 20 neurons have no trial in some combination: 3 .stimulus=-1, decision=1., 5 "
    refused(pdn.FitError, match + ".*missing='drop_neurons'", lacking)
    tensor = lacking(planted()[0])
    with pytest.warns(pdn.PopdynWarning, match=match + ".*left out"):
        dpca = pdn.DPCA(missing="drop_neurons").fit(tensor)
    assert dpca.encoder_.sizes["neuron"] == 18
    assert dpca.transform(tensor).sizes["component"] == 12
    everybody = tensor.where((tensor["stimulus"] > -1) | (tensor["decision"] < 0))
    everybody = everybody.transpose(*tensor.dims).assign_attrs(tensor.attrs)
    with pytest.raises(pdn.FitError, match="20 of 20 neurons .* none is left"):
        pdn.DPCA(missing="drop_neurons").fit(everybody)


@pytest.mark.parametrize(
    ("error", "match", "make"),
    [
        (pdn.FitError, "NaN in 2 of 12 bins, from 0.5 to 0.55 s.*select.time=.0, 0.45",
         lambda x: x.where(x["time"] < 0.48).transpose(*x.dims).assign_attrs(x.attrs)),
        (pdn.FitError, "no neuron varies", lambda x: x.copy(data=np.ones(x.shape))),
        (pdn.TensorError, "expected a tensor", lambda x: x.values),
    ],
)  # fmt: skip
def test_data_that_cannot_be_demixed_are_refused(error, match, make):
    refused(error, match, make)


def test_neurons_that_never_vary_are_named():
    tensor, _ = planted()
    tensor = tensor.copy()
    tensor[4] = 3.0
    with pytest.warns(pdn.PopdynWarning, match="1 of 20 neurons never vary .*: 4"):
        dpca = pdn.DPCA().fit(tensor)
    assert np.abs(dpca.decoder_.sel(neuron=4)).max() < 1e-10
    assert np.isfinite(dpca.decoder_).all()


@pytest.mark.parametrize(
    ("error", "match", "kwargs"),
    [
        (pdn.TensorError, "n_components names 'stimulis'.*did you mean 'stimulus'",
         {"n_components": {"stimulis": 1}}),
        (pdn.FitError, "99 components of 'time': 20 neurons .* have 0 to 11",
         {"n_components": {"time": 99}}),
        (pdn.FitError, "no component is left", {"n_components": {"time": 0}}),
        (pdn.TensorError, "n_components is an integer", {"n_components": 0}),
        (pdn.TensorError, "regularization is a number", {"regularization": -1.0}),
        (pdn.TensorError, "regularization is a number", {"regularization": "auto"}),
        (pdn.TensorError, "regularization names 'choice'", {"regularization": {"choice": 1.0}}),
        (pdn.TensorError, "noise_covariance is", {"noise_covariance": "pooled"}),
        (pdn.TensorError, "missing is", {"missing": "ignore"}),
        (pdn.TensorError, "n_folds is 1 or more", {"n_folds": 0}),
        (pdn.TensorError, "tried is a list", {"regularization": "cv", "tried": [-1.0]}),
        (pdn.TensorError, "factors is a sequence", {"factors": "stimulus"}),
        (pdn.TensorError, "factors is a sequence", {"factors": ("stimulus", "stimulus")}),
        (pdn.TensorError, "join is 'time', None or a mapping", {"join": "all"}),
        (pdn.TensorError, "join is empty", {"join": {}}),
        (pdn.TensorError, "lists no term", {"join": {"a": []}}),
        (pdn.TensorError, "names 'stimulus x tim'.*did you mean 'stimulus x time'",
         {"join": {"a": ["stimulus x tim"]}}),
        # https://github.com/machenslab/dPCA/issues/35
        (pdn.TensorError, "lists 'stimulus x time' in 'a' and in 'b'",
         {"join": {"a": ["stimulus x time"], "b": ["time x stimulus"]}}),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(error, match, kwargs):
    refused(error, match, same, **kwargs)


def test_averages_know_no_trials_and_say_so():
    average = pdn.condition_average(planted()[0], list(FACTORS))
    for kwargs in ({"regularization": "cv"}, {"noise_covariance": "diagonal"}):
        refused(pdn.TensorError, "no trials left: fit a tensor", lambda _: average, **kwargs)
    dpca = pdn.DPCA().fit(average)
    assert "signal_ratio" not in dpca.result_
    with pytest.raises(pdn.TensorError, match="significance needs trials"):
        dpca.significance(average)


def test_single_trials_are_said():
    tensor = planted(n_trials=1)[0]
    match = "at least 2 trials in every combination; every neuron has 1"
    refused(pdn.FitError, match, same, tensor=tensor, regularization="cv")
    with pytest.warns(pdn.PopdynWarning, match=f"bounds are left out.*{match}"):
        assert "signal_ratio" not in pdn.DPCA().fit(tensor).result_


def test_what_was_not_fitted_is_not_used():
    tensor, _ = planted()
    for use in (
        lambda d: d.transform(tensor), lambda d: d.to_dataset(), lambda d: d.significance(tensor)
    ):  # fmt: skip
        with pytest.raises(pdn.FitError, match="has not been fitted"):
            use(pdn.DPCA())
    dpca = pdn.DPCA().fit(tensor)
    with pytest.raises(pdn.TensorError, match="expected states with a component dimension"):
        dpca.inverse_transform(tensor)
    state = dpca.transform(tensor)
    with pytest.raises(pdn.TensorError, match="expected components of the fit"):
        dpca.inverse_transform(state.drop_vars(["component", "marginalization_of"]))
    with pytest.raises(pdn.TensorError, match="expected n_components, n_folds and n_draws"):
        dpca.significance(tensor, n_draws=0)
    with pytest.raises(pdn.TensorError, match="missing: 19"):
        dpca.transform(tensor.isel(neuron=slice(19)))


@pytest.mark.parametrize("join", ["time", None])
def test_contrasts_of_a_part_have_its_products_and_fewer_columns(join):
    averages = np.random.default_rng(3).normal(size=(5, 4, 2, 3, 7))
    chosen = marginalizations(["a", "b", "c"], join)
    for one, part in zip(chosen, split(averages, chosen), strict=True):
        expected = part.values @ part.values.T
        np.testing.assert_allclose(part.contrasts @ part.contrasts.T, expected, atol=1e-12)
        varying = [
            size for axis, size in enumerate((4, 2, 3)) if {axis} <= set.union(*map(set, one.terms))
        ]
        times = 7 if any(3 in term for term in one.terms) else 1
        assert part.contrasts.shape[1] == np.prod([size - 1 for size in varying]) * times
