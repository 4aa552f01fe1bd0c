"""Tuning by context, of neurons and groups, against planted slopes and another library."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.epoch_mean import epoch_mean
from popdyn.analysis.group_draws import widened_bounds
from popdyn.errors import PopdynWarning, TensorError


def made(seed=0, n_neurons=60, n_trials=240, noise=2.0, name="rate", gains=((1, 0.5), (1, -2))):
    """Two groups whose slopes over motion the second context multiplies by 0.5 and -2."""
    rng = np.random.default_rng(seed)
    motion, color = rng.choice([-2.0, -1.0, 1.0, 2.0], (2, n_trials))
    context = np.repeat(["color", "motion"], n_trials // 2)
    group = np.repeat(["one", "two"], n_neurons // 2)
    slope = rng.normal(size=n_neurons)
    gain = np.array(gains)[(group == "two").astype(int)][:, (context == "motion").astype(int)]
    values = 60 + slope[:, None] * gain * motion + 0.5 * color
    values = values[:, None] + noise * rng.standard_normal((n_neurons, 1, n_trials))
    trials = {"motion": motion, "color": color, "context": context}
    return pdn.make_tensor(values, [0.0], trials, bin_width=0.1), group


def test_gains_that_were_planted_are_found_with_their_sign():
    tensor, group = made(seed=1)
    result = pdn.context_tuning(tensor, ["motion", "color"], groups=group)
    gain = result["gain_ratio"].sel(stimulus="motion")
    lower, upper = result["gain_ratio_bound"].sel(stimulus="motion", condition="motion").values
    truth = np.array([0.5, -2.0])
    assert gain.sel(condition="motion").values == pytest.approx(truth, abs=0.15)
    assert (lower < truth).all()
    assert (upper > truth).all()
    assert gain.sel(condition="color").values.tolist() == [1.0, 1.0]
    assert result["n_neurons"].values.tolist() == [30, 30]
    ratio = result["tuning_ratio"].sel(stimulus="motion", condition="motion").values
    assert ratio == pytest.approx(abs(truth), abs=0.15)


def test_noise_does_not_shrink_gains_on_average():
    """Slopes with errors of .6 of themselves: a plain regression would give .73 of each."""
    found = []
    for seed in range(40):
        tensor, group = made(seed, n_trials=60, noise=5.2)
        result = pdn.context_tuning(tensor, ["motion"], groups=group, n_draws=1)
        found.append(result["gain_ratio"].sel(condition="motion", stimulus="motion").values)
    middle = np.median(found, axis=0)
    assert middle == pytest.approx([0.5, -2.0], abs=0.35)


def test_bounds_hold_the_gain_in_most_data_sets():
    held = []
    for seed in range(60):
        tensor, group = made(seed, n_trials=120, noise=3.0)
        result = pdn.context_tuning(tensor, ["motion"], groups=group, n_draws=100)
        lower, upper = result["gain_ratio_bound"].sel(condition="motion", stimulus="motion").values
        held.append((lower < [0.5, -2.0]) & (upper > [0.5, -2.0]))
    assert np.mean(held) > 0.88


def test_bounds_hold_the_gain_where_neurons_share_noise():
    """Correlation .2, slopes of one sign: draws of neurons alone hold it in 3 of 10 data sets."""
    held = []
    for rng in np.random.default_rng(4).spawn(30):
        motion, context = rng.choice([-2.0, -1.0, 1.0, 2.0], 120), np.repeat(["a", "b"], 60)
        noise = 3 * (
            np.sqrt(0.8) * rng.normal(size=(100, 120)) + np.sqrt(0.2) * rng.normal(size=120)
        )
        rates = np.abs(rng.normal(size=(100, 1))) * np.where(context == "b", 0.5, 1.0) * motion
        trials = {"motion": motion, "context": context}
        tensor = pdn.make_tensor((60 + rates + noise)[:, None], [0.0], trials, bin_width=0.1)
        found = pdn.context_tuning(tensor, ["motion"], n_draws=100)["gain_ratio_bound"]
        lower, upper = found.sel(condition="b").values.ravel()
        held.append(lower < 0.5 < upper)
    assert np.mean(held) > 0.75
    assert tensor.attrs["simultaneous"]
    apart = pdn.context_tuning(tensor.assign_attrs(simultaneous=0), ["motion"], n_draws=100)
    narrow = np.diff(apart["gain_ratio_bound"].sel(condition="b").values.ravel())
    assert narrow < 0.7 * (upper - lower)


def test_tuning_is_less_what_errors_add():
    """Slopes of variance 1 with errors of .6: 1.17 with the errors."""
    tensor, _ = made(n_neurons=600, n_trials=60, noise=5.2)
    tuning = pdn.context_tuning(tensor, ["motion"], n_draws=1)["tuning"].sel(condition="color")
    assert tuning.values.ravel() == pytest.approx([1.0], abs=0.09)


def test_bounds_of_few_neurons_are_those_of_students_t():
    stats = pytest.importorskip("scipy.stats")
    draws = 2 + np.r_[0.0, np.linspace(-1, 1, 1001)][:, None]
    bounds = widened_bounds(np.repeat(draws, 2, axis=1), np.array([4, 1]))
    wide = 0.95 * stats.t.ppf(0.975, 3) / stats.norm.ppf(0.975) * np.sqrt(4 / 3)
    assert bounds[:, 0] == pytest.approx([2 - wide, 2 + wide])
    assert np.isnan(bounds[:, 1]).all()


def test_a_trial_of_which_a_bin_was_not_observed_has_no_mean():
    values = np.ones((1, 2, 3))
    values[0, 1, 2] = np.nan
    for kind in ({"name": "spike_count", "units": "1"}, {}):
        tensor = pdn.make_tensor(values, [0.05, 0.15], bin_width=0.1, **kind)
        assert np.isnan(epoch_mean(tensor).values.ravel()).tolist() == [False, False, True]


def test_slopes_and_errors_are_those_of_another_library():
    api = pytest.importorskip("statsmodels.api")
    tensor, _ = made()
    result = pdn.context_tuning(tensor, ["motion", "color"], n_draws=1)
    own = tensor["context"].values == "motion"
    design = np.column_stack([tensor["motion"][own], tensor["color"][own], np.ones(own.sum())])
    for neuron in (0, 37):
        fit = api.OLS(tensor.values[neuron, 0, own], design).fit()
        found = result.sel(condition="motion").isel(neuron=neuron)
        assert found["slope"].values == pytest.approx(fit.params[:2], rel=1e-9)
        assert found["slope_error"].values == pytest.approx(fit.bse[:2], rel=1e-9)


def test_counts_give_slopes_in_hertz_over_an_epoch():
    tensor, _ = made()
    rng = np.random.default_rng(0)
    hertz = np.repeat(tensor.values, 4, axis=1)
    counts = rng.poisson(0.1 * hertz).astype(float)
    trials = {key: tensor[key].values for key in ("motion", "context")}
    spikes = pdn.make_tensor(counts, 0.1 * np.arange(4), trials, name="spike_count", units="1")
    rates = pdn.rate(spikes)
    one, other = (
        pdn.context_tuning(x, ["motion"], window=(0.05, 0.35), n_draws=1) for x in (spikes, rates)
    )
    assert np.allclose(one["slope"], other["slope"], rtol=1e-6)
    assert one["slope"].attrs["units"] == "Hz per unit of the stimulus"


def test_results_with_labels_are_groups_and_order_does_not_matter():
    tensor, group = made()
    labelled = xr.Dataset({"label": ("neuron", group)})
    one = pdn.context_tuning(tensor, ["motion"], groups=labelled, n_draws=1)
    order = np.random.default_rng(1).permutation(60)
    other = pdn.context_tuning(tensor[order], ["motion"], groups=group[order], n_draws=1)
    assert np.allclose(one["gain_ratio"], other["gain_ratio"])


@pytest.mark.parametrize("as_result", [True, False], ids=["result", "array"])
def test_groups_with_ids_are_taken_by_neuron(as_result):
    tensor, group = made()
    tensor = tensor.assign_coords(neuron=np.arange(60) + 500)
    expected = pdn.context_tuning(tensor, ["motion"], groups=group, n_draws=1)["gain_ratio"]
    order = np.random.default_rng(1).permutation(60)
    groups = xr.DataArray(group, dims="neuron", coords={"neuron": tensor["neuron"]})[order]
    # Ids may be text, as in results of several sources; more neurons than asked for do no harm.
    groups = groups.assign_coords(neuron=groups["neuron"].astype(str))
    given = xr.Dataset({"label": groups}) if as_result else groups
    found = pdn.context_tuning(tensor, ["motion"], groups=given, n_draws=1)
    assert found["label"].values.tolist() == group.tolist()
    assert np.array_equal(found["gain_ratio"], expected)
    part = pdn.context_tuning(tensor[10:50], ["motion"], groups=given, n_draws=1)
    assert part["n_neurons"].values.tolist() == [20, 20]


def test_groups_of_other_neurons_are_refused_by_name():
    tensor, group = made()
    tensor = tensor.assign_coords(neuron=np.arange(60) + 500)
    groups = xr.DataArray(group, dims="neuron", coords={"neuron": np.arange(60) + 502})
    with pytest.raises(TensorError, match=r"no neuron 500, 501 \(2 of the 60 of the tensor\)"):
        pdn.context_tuning(tensor, ["motion"], groups=groups)
    twice = xr.concat([groups, groups], "neuron")
    with pytest.raises(TensorError, match=r"58 neurons more than once .502, 503.*one source"):
        pdn.context_tuning(tensor[2:], ["motion"], groups=twice)
    by_position = pdn.context_tuning(tensor, ["motion"], groups=groups.values, n_draws=1)
    assert by_position["n_neurons"].values.tolist() == [30, 30]


@pytest.mark.parametrize(
    ("kind", "missing"),
    [(str, ""), (object, None), (object, np.nan), (list, np.nan), (float, np.nan)],
    ids=["empty", "None", "nan", "list", "number"],
)
def test_neurons_without_a_group_are_left_out_and_counted(kind, missing):
    tensor, group = made()
    names = np.where(group == "one", 1.0, 2.0) if kind is float else group.astype(object)
    names[[3, 40]] = missing
    names = names.tolist() if kind is list else names.astype(kind)
    with pytest.warns(PopdynWarning, match=r"2 of 60 neurons have no group.*: 3, 40"):
        result = pdn.context_tuning(tensor, ["motion"], groups=names, n_draws=1)
    assert result["group"].values.tolist() == (["1", "2"] if kind is float else ["one", "two"])
    assert result["n_neurons"].values.tolist() == [29, 29]
    assert result["label"].values[[3, 40]].tolist() == ["", ""]
    kept = np.delete(np.arange(60), [3, 40])
    alone = pdn.context_tuning(tensor[kept], ["motion"], groups=group[kept], n_draws=1)
    assert np.array_equal(result["gain_ratio"], alone["gain_ratio"])


def test_the_first_context_is_that_of_the_value_map():
    tensor, group = made()
    order = {"column": "context", "values": {"motion": "motion", "color": "color"}}
    result = pdn.context_tuning(
        tensor, ["motion"], groups=group, n_draws=1, roles={"context": order}
    )
    assert result["condition"].values.tolist() == ["motion", "color"]
    gain = result["gain_ratio"].sel(condition="color").values.ravel()
    assert gain == pytest.approx([2.0, -0.5], abs=0.2)


def test_trials_without_a_context_are_counted():
    tensor, _ = made()
    context = tensor["context"].values.copy()
    context[:3] = ""
    gaps = tensor.assign_coords(context=("trial", context))
    with pytest.warns(PopdynWarning, match="3 of 240 trials have no value of 'context'"):
        result = pdn.context_tuning(gaps, ["motion"], n_draws=1)
    assert result["condition"].values.tolist() == ["color", "motion"]


def test_bins_that_were_never_observed_are_named_with_the_window_that_was():
    tensor, _ = made()
    values = np.repeat(tensor.values, 6, axis=1)
    values[:, [0, 5]] = np.nan
    trials = {key: tensor[key].values for key in ("motion", "context")}
    bins = pdn.make_tensor(values, 0.1 * np.arange(6) + 0.05, trials, bin_width=0.1)
    with pytest.raises(TensorError, match=r"2 of the 6 bins.*at 0.05, 0.55 s.*\(0.1, 0.5\)"):
        pdn.context_tuning(bins, ["motion"])
    assert np.isfinite(pdn.context_tuning(bins, ["motion"], window=(0.1, 0.5))["slope"]).all()
    with pytest.raises(TensorError, match="no trial of any neuron was observed in any bin"):
        pdn.context_tuning(bins, ["motion"], window=(0.0, 0.1))
    values[:, [0, 5]], values[:, 1, ::2], values[:, 2, 1::2] = 0.0, np.nan, np.nan
    gaps = bins.copy(data=values)
    with pytest.raises(TensorError, match="no trial of any neuron was observed in every bin"):
        pdn.context_tuning(gaps, ["motion"])


def test_neurons_that_were_not_observed_in_a_context_are_left_out():
    tensor, group = made()
    tensor = tensor.copy(deep=True)
    tensor[:30, 0, :120] = np.nan
    with pytest.warns(PopdynWarning, match="30 of 60 neurons"):
        result = pdn.context_tuning(tensor, ["motion"], groups=group, n_draws=1)
    assert result["group"].values.tolist() == ["two"]
    with pytest.raises(TensorError, match="no neuron was observed"):
        pdn.context_tuning(tensor[:30], ["motion"], n_draws=1)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"stimuli": ["dots"]}, "dots"),
        ({"stimuli": ["late"]}, "condition 'color'"),
        ({"stimuli": ["side"]}, "'side' has 'left', 'right': assign a column of numbers"),
        ({"stimuli": ["motion:went"]}, "'went' has"),
        ({"groups": xr.Dataset({"coefficient": 1.0})}, "found a Dataset with coefficient: give"),
        ({"groups": np.full(60, 0.5)}, "shape .60,. of type float64"),
        ({"groups": np.full(60, "")}, "none of the 60 neurons has a group"),
        ({"window": 0.5}, "window must be .start, stop., two numbers in s, found 0.5"),
        ({"window": slice(0.1, 0.3)}, "found slice.0.1, 0.3"),
        ({"window": ("a", "b")}, "found .'a', 'b'."),
        ({"by": "rule"}, "rule"),
        ({"groups": ["a", "b"]}, "one name or whole number for each of the 60"),
        ({"n_draws": 0}, "n_draws"),
        ({"window": (100.0, 200.0)}, "time"),
    ],
    ids=["stimulus", "constant", "text", "boolean", "dataset", "decimals", "unnamed"]
    + ["number", "slice", "words", "context", "groups", "draws", "window"],
)
def test_what_cannot_be_told_is_refused(told, words):
    tensor, _ = made()
    motion, late = tensor["motion"].values, np.repeat([0.0, 1.0], 120)
    side = np.where(motion > 0, "right", "left")
    side[0] = "left"
    tensor = tensor.assign_coords(
        side=("trial", side), went=("trial", motion > 0), late=("trial", late)
    )
    with pytest.raises(TensorError, match=words):
        pdn.context_tuning(tensor, **{"stimuli": ["motion"], **told})
