"""Tuning by context, of neurons and groups, against planted slopes and another library."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
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
    for seed in range(100):
        tensor, group = made(seed, n_trials=120, noise=3.0)
        result = pdn.context_tuning(tensor, ["motion"], groups=group, n_draws=200)
        lower, upper = result["gain_ratio_bound"].sel(condition="motion", stimulus="motion").values
        held.append((lower < [0.5, -2.0]) & (upper > [0.5, -2.0]))
    assert np.mean(held) > 0.88


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
    import xarray as xr

    labelled = xr.Dataset({"label": ("neuron", group)})
    one = pdn.context_tuning(tensor, ["motion"], groups=labelled, n_draws=1)
    order = np.random.default_rng(1).permutation(60)
    other = pdn.context_tuning(tensor[order], ["motion"], groups=group[order], n_draws=1)
    assert np.allclose(one["gain_ratio"], other["gain_ratio"])


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
        ({"stimuli": ["context"]}, "condition 'color'"),
        ({"by": "rule"}, "rule"),
        ({"groups": ["a", "b"]}, "one name or whole number for each of the 60"),
        ({"n_draws": 0}, "n_draws"),
        ({"window": (100.0, 200.0)}, "time"),
    ],
    ids=["stimulus", "constant", "context", "groups", "draws", "window"],
)
def test_what_cannot_be_told_is_refused(told, words):
    tensor, _ = made()
    with pytest.raises(TensorError, match=words):
        pdn.context_tuning(tensor, **{"stimuli": ["motion"], **told})
