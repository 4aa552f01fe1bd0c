"""Pure, linear and nonlinear mixed selectivity, against another library's analysis of variance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.analysis.mixed_selectivity import KINDS
from popdyn.analysis.unequal_variance import levene
from popdyn.errors import PopdynWarning, TensorError


def made(mean, n_repeats=12, noise=1.0, seed=0, drop=0):
    """Neurons of given means of a 2 x 3 design ``(neuron, motion, color)``, trials unequal."""
    rng = np.random.default_rng(seed)
    motion, color = (a.ravel() for a in np.meshgrid([-1.0, 1.0], ["a", "b", "c"], indexing="ij"))
    motion, color = np.repeat(motion, n_repeats)[drop:], np.repeat(color, n_repeats)[drop:]
    cell = np.asarray(mean)[:, (motion > 0).astype(int), np.searchsorted(["a", "b", "c"], color)]
    values = 50 + cell[:, None] + noise * rng.standard_normal((len(mean), 1, motion.size))
    trials = {"motion": motion, "color": color}
    return pdn.make_tensor(values, [0.0], trials, bin_width=0.1)


def planted():
    mean = np.zeros((4, 2, 3))
    mean[1] += np.array([-1, 1])[:, None] * 2
    mean[2] += np.array([-1, 1])[:, None] * 2 + np.array([-2, 0, 2.0])
    mean[3] += np.array([-1, 1])[:, None] * np.array([-2, 0, 2.0])
    return mean


def test_kinds_that_were_planted_are_found():
    result = pdn.mixed_selectivity(made(planted()), ["motion", "color"])
    assert result["selectivity"].isel(time=0).values.tolist() == list(KINDS)
    assert result["share"].isel(time=0).values.tolist() == [0.25] * 4
    lower, upper = result["share_bound"].isel(time=0, selectivity_kind=0).values
    assert (lower, upper) == pytest.approx((0.0456, 0.6994), abs=1e-4)  # Wilson, 1 of 4


def test_tests_equal_the_analysis_of_variance_of_another_library():
    """Type II, with unequal numbers of trials."""
    stats = pytest.importorskip("statsmodels.stats.anova")
    formula = pytest.importorskip("statsmodels.formula.api")
    tensor = made(planted() / 4, drop=7)
    result = pdn.mixed_selectivity(tensor, ["motion", "color"])
    rows = {"motion": "C(motion)", "color": "C(color)", "interaction": "C(motion):C(color)"}
    for neuron in range(4):
        table = pd.DataFrame(
            {
                "y": tensor.values[neuron, 0],
                "motion": tensor["motion"].values,
                "color": tensor["color"].values,
            }
        )
        model = formula.ols("y ~ C(motion) * C(color)", table).fit()
        expected = stats.anova_lm(model, typ=2)
        for effect, row in rows.items():
            found = result.sel(effect=effect).isel(neuron=neuron, time=0)
            assert float(found["f"]) == pytest.approx(expected.loc[row, "F"], rel=1e-9)
            assert float(found["p"]) == pytest.approx(expected.loc[row, "PR(>F)"], rel=1e-8)


def test_a_missing_trial_is_left_out_of_its_neuron_alone():
    tensor = made(planted() / 4)
    gone = tensor.copy(deep=True)
    gone[1, 0, 3] = np.nan
    result = pdn.mixed_selectivity(gone, ["motion", "color"])
    others = pdn.mixed_selectivity(tensor, ["motion", "color"])
    kept = np.delete(np.arange(tensor.sizes["trial"]), 3)
    alone = pdn.mixed_selectivity(tensor.isel(trial=kept), ["motion", "color"])
    assert np.allclose(result["f"][:, [0, 2, 3]], others["f"][:, [0, 2, 3]], rtol=1e-10)
    assert np.allclose(result["f"][:, 1], alone["f"][:, 1], rtol=1e-10)
    assert result["n_trials"].values.ravel().tolist() == [72, 71, 72, 72]


@pytest.mark.parametrize("hertz", [5.0, 40.0])
def test_no_more_is_called_an_effect_than_alpha_where_there_is_none(hertz):
    """1,000 neurons of Poisson counts: each test is right in 95 %, and hardly any q is small."""
    rng = np.random.default_rng(1)
    n = 96
    values = rng.poisson(hertz * 0.2, (1000, 1, n)).astype(float) / 0.2
    trials = {"motion": np.arange(n) % 2, "color": np.arange(n) // 2 % 3}
    tensor = pdn.make_tensor(values, [0.0], trials, bin_width=0.2)
    result = pdn.mixed_selectivity(tensor, ["motion", "color"])
    wrong = (result["p"] < 0.05).mean("neuron").values
    assert (np.abs(wrong - 0.05) < 0.022).all()  # 3 standard errors
    assert float(result["share"].sel(selectivity_kind="none")[0]) > 0.99
    assert np.abs(result["explained_variance"].mean().item()) < 0.002


def test_q_goes_over_the_neurons_of_one_effect():
    stats = pytest.importorskip("scipy.stats")
    result = pdn.mixed_selectivity(made(planted() / 4), ["motion", "color"])
    for effect in result["effect"].values:
        own = result.sel(effect=effect)
        expected = stats.false_discovery_control(own["p"].values.ravel())
        assert own["q"].values.ravel() == pytest.approx(expected, rel=1e-9)


def test_alpha_is_the_largest_q_that_is_called_an_effect():
    strict = pdn.mixed_selectivity(made(planted()), ["motion", "color"], alpha=1e-90)
    assert (strict["selectivity"] == "none").all()
    loose = pdn.mixed_selectivity(made(0 * planted()), ["motion", "color"], alpha=0.999)
    assert (loose["selectivity"] != "none").any()


def counts_of_errors(n_neurons=600, equal=False):
    """Counts that follow the stimulus alone, 2 or 20 spikes; errors are rare."""
    cells = [40] * 4 if equal else [108, 12, 4, 36]
    stimulus, choice = np.repeat([0, 0, 1, 1], cells), np.repeat([0, 1, 0, 1], cells)
    mean = np.where(stimulus, 20.0, 2.0) * np.ones((n_neurons, 1, 1))
    values = np.random.default_rng(0).poisson(mean).astype(float)
    trials = {"stimulus": stimulus, "choice": choice}
    return pdn.make_tensor(values, [0.0], trials, bin_width=0.5, name="spike_count", units="1")


def test_counts_in_unequal_numbers_of_trials_make_interactions_and_a_warning():
    words = "stimulus, choice have 4 to 108 trials.* in 100% of neurons.*square roots"
    with pytest.warns(PopdynWarning, match=words):
        result = pdn.mixed_selectivity(counts_of_errors(), ["stimulus", "choice"])
    assert float((result["p"].sel(effect="interaction") < 0.05).mean()) > 0.15


@pytest.mark.parametrize("kind", ["equal numbers", "roots", "roots of rates", "equal variances"])
def test_the_level_holds_where_variances_or_numbers_of_trials_are_alike(kind):
    counts = counts_of_errors(equal=kind == "equal numbers")
    if kind == "roots of rates":
        counts = np.sqrt(pdn.rate(counts))
    elif kind == "roots":
        counts = np.sqrt(counts)
    elif kind == "equal variances":
        mean = np.where(counts["stimulus"], 20.0, 2.0)
        counts = counts.copy(data=50 + mean + np.random.default_rng(1).normal(size=counts.shape))
    result = pdn.mixed_selectivity(counts, ["stimulus", "choice"])
    wrong = float((result["p"].sel(effect="interaction") < 0.05).mean())
    assert 0.01 < wrong < 0.08
    assert abs(float(result["explained_variance"].sel(effect="interaction").mean())) < 0.003


def test_variances_of_cells_are_compared_as_by_another_library():
    stats = pytest.importorskip("scipy.stats")
    cell = np.repeat([0, 1, 2], 20)
    values = np.random.default_rng(0).normal(size=(3, 1, 60)) * (1 + cell)
    p, explained = levene(values, cell)
    for neuron in range(3):
        groups = [values[neuron, 0, cell == number] for number in range(3)]
        expected = stats.levene(*groups, center="mean").pvalue
        assert p[neuron, 0] == pytest.approx(expected, rel=1e-9)
    assert (explained > 0.1).all()


def test_explained_variance_is_what_was_planted():
    """Partial omega squared of a balanced design: signal over signal and noise."""
    mean = np.zeros((400, 2, 3))
    mean += np.array([-1, 1])[None, :, None]
    found = pdn.mixed_selectivity(made(mean, n_repeats=10, noise=2.0), ["motion", "color"])
    about = found["explained_variance"].mean(["neuron", "time"])
    assert float(about.sel(effect="motion")) == pytest.approx(1 / 5, abs=0.01)
    assert float(about.sel(effect="color")) == pytest.approx(0.0, abs=0.005)


def test_three_factors_have_their_interactions_together():
    rng = np.random.default_rng(0)
    a, b, c = (np.arange(160) // k % 2 for k in (1, 2, 4))
    values = 30 + 3.0 * (2 * a - 1) * (2 * b - 1) * (2 * c - 1) + rng.standard_normal((2, 1, 160))
    tensor = pdn.make_tensor(values, [0.0], {"a": a, "b": b, "c": c}, bin_width=0.1)
    result = pdn.mixed_selectivity(tensor, ["a", "b", "c"])
    assert result["effect"].values.tolist() == ["a", "b", "c", "interaction"]
    assert (result["selectivity"] == "nonlinear mixed").all()


def test_roles_name_factors():
    tensor = made(planted())
    renamed = tensor.rename({"motion": "dots"})
    result = pdn.mixed_selectivity(renamed, ["stimulus", "color"], roles={"stimulus": "dots"})
    plain = pdn.mixed_selectivity(tensor, ["motion", "color"])
    assert np.array_equal(result["f"].values, plain["f"].values)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        (["motion"], "two or more trial columns"),
        ("motion", "two or more trial columns"),
        (["motion", "motion"], "each once"),
        (["motion", "colour"], "color"),
        (["motion", "latency"], "has 72 values"),
        (["motion", "copy"], "combinations of motion, copy have no trial"),
        (["motion", "rule"], "factor 'rule' is on on all 72 trials: leave it out"),
    ],
    ids=["one", "text", "twice", "misspelled", "number", "tied", "level"],
)
def test_factors_that_tell_nothing_are_refused(factors, words):
    tensor = made(planted())
    motion = tensor["motion"].values
    tensor = tensor.assign_coords(
        latency=("trial", np.random.default_rng(0).random(72)),
        copy=("trial", -motion),
        rule=("trial", np.full(72, "on")),
    )
    with pytest.raises(TensorError, match=words):
        pdn.mixed_selectivity(tensor, factors)


def test_an_alpha_that_is_no_share_is_refused():
    with pytest.raises(TensorError, match="alpha must lie between 0 and 1, found 5"):
        pdn.mixed_selectivity(made(planted()), ["motion", "color"], alpha=5)


def test_silent_neurons_are_said_and_not_counted():
    tensor = made(planted())
    tensor[0] = 0.0
    with pytest.warns(PopdynWarning, match="1 of 4 neurons never vary"):
        result = pdn.mixed_selectivity(tensor, ["motion", "color"])
    assert result["selectivity"].values[0, 0] == ""
    assert float(result["share"].sel(selectivity_kind="none")[0]) == 0.0
    with pytest.raises(TensorError, match="no neuron can be tested: 4 of 4 never vary"):
        pdn.mixed_selectivity(tensor * 0.0, ["motion", "color"])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums_without_noise_are_not_called_nonlinear_by_their_rounding(dtype):
    a, b = np.tile([0, 0, 1, 1], 10), np.tile([0, 1, 0, 1], 10)
    values = (20.1 + 0.3 * a + 0.7 * b) * np.ones((3, 1, 40))
    values[0] += np.random.default_rng(0).normal(size=40) * 1e-3
    tensor = pdn.make_tensor(values.astype(dtype), [0.0], {"a": a, "b": b}, bin_width=0.1)
    assert tensor.dtype == dtype
    with pytest.warns(PopdynWarning, match=r"2 of 3 neurons never vary.* but by rounding.*: 1, 2"):
        result = pdn.mixed_selectivity(tensor, ["a", "b"])
    assert result["selectivity"].values.ravel().tolist() == ["linear mixed", "", ""]
    assert np.isnan(result["f"].isel(neuron=[1, 2])).all()
    with pytest.raises(TensorError, match=r"2 of 2 never vary.*simulate with noise"):
        pdn.mixed_selectivity(tensor[1:], ["a", "b"])


def test_neurons_of_few_trials_are_told_from_those_without_noise():
    tensor = made(planted())
    tensor[0], tensor[1, 0, 5:] = 0.0, np.nan
    with pytest.warns(PopdynWarning) as said:
        pdn.mixed_selectivity(tensor, ["motion", "color"])
    words = [str(warning.message) for warning in said]
    assert len(words) == 2
    assert words[0].startswith("1 of 4 neurons never vary")
    assert words[1].startswith("1 of 4 neurons have too few trials, and are not tested: 1")


def test_trials_without_a_level_are_counted_once():
    tensor = made(planted())
    motion = tensor["motion"].values.copy()
    motion[:2] = np.nan
    gaps = tensor.assign_coords(motion=("trial", motion))
    with pytest.warns(PopdynWarning) as said:
        found = pdn.mixed_selectivity(gaps, ["motion", "color"])
    (warning,) = said
    assert str(warning.message) == "2 of 72 trials have no value of motion, and are left out"
    alone = pdn.mixed_selectivity(tensor.isel(trial=slice(2, None)), ["motion", "color"])
    assert np.allclose(found["f"], alone["f"], rtol=1e-9)


def test_bins_that_were_never_observed_and_no_window_are_refused():
    one = made(planted())
    values = np.concatenate([one.values, np.nan * one.values], axis=1)
    trials = {key: one[key].values for key in ("motion", "color")}
    tensor = pdn.make_tensor(values, [0.05, 0.15], trials, bin_width=0.1)
    with pytest.raises(TensorError, match=r"1 of the 2 bins.*at 0.15 s.*window=\(0, 0.1\)"):
        pdn.mixed_selectivity(tensor, ["motion", "color"], window=(0.0, 0.2))
    with pytest.raises(TensorError, match="window must be .start, stop., two numbers in s"):
        pdn.mixed_selectivity(tensor, ["motion", "color"], window=0.1)


def test_an_epoch_is_the_mean_of_its_bins():
    """Counts too: what matters is the mean, whatever the unit."""
    first, second = made(planted(), seed=1), made(planted(), seed=2)
    values = np.concatenate([first.values, second.values, 0 * first.values], axis=1)
    trials = {"motion": first["motion"].values, "color": first["color"].values}
    both = pdn.make_tensor(values, [0.0, 0.1, 0.2], trials, bin_width=0.1)
    found = pdn.mixed_selectivity(both, ["motion", "color"], window=(-0.05, 0.15))
    mean = first.copy(data=(first.values + second.values) / 2)
    assert np.allclose(found["f"], pdn.mixed_selectivity(mean, ["motion", "color"])["f"])
    assert found["time"].values == pytest.approx([0.05])
    with pytest.raises(TensorError, match="time"):
        pdn.mixed_selectivity(both, ["motion", "color"], window=(200.0, 800.0))
