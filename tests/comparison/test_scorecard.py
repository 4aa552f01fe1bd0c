from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from popdyn.comparison.scorecard import scorecard, scorecard_text
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.sources import Prepared
from popdyn.comparison.summary import example_neuron, summarize, trials_observed
from tests.comparison.conftest import tensor


def results(units="Hz", **options):
    source = Prepared("a", "tensor", tensor(["left", "right"] * 8, units=units, **options))
    return {"summary": summarize(source, ("choice",), 0)}


def decoding(accuracy, null):
    return xr.Dataset(
        {
            "accuracy": ("time", accuracy),
            "null_accuracy": (("draw", "time"), null),
            "p_corrected": ("time", [0.5, 0.2, 0.9]),
            "mean_accuracy": ((), np.mean(accuracy)),
            "mean_accuracy_bound": ("bound", [0.4, 0.9]),
            "null_mean_accuracy": ("draw", np.mean(null, axis=1)),
            "mean_p": ((), 0.1),
            "n_trials": ("condition", [7, 8]),
        },
        coords={"condition": ["left", "right"]},
        attrs={"label": "choice"},
    )


def test_the_largest_accuracy_is_held_against_the_largest_of_each_shuffle():
    null = np.array([[0.1, 0.2, 0.3], [0.6, 0.5, 0.4]])
    own = results() | {"decode": decoding([0.5, 0.8, 0.6], null)}
    row = scorecard({"a": own}, {}, ["decode"]).isel(measure=-1, source=0)
    assert row["value"] == 0.8
    assert row["p"] == 0.2
    assert row["n_trials"] == 7
    np.testing.assert_allclose(row["null_value"], np.quantile([0.3, 0.6], [0.025, 0.975]))
    assert np.isnan(row["bound_value"]).all()


def test_distances_their_bounds_and_their_null_are_those_of_a_neuron():
    draws = np.linspace(-12.0, 12.0, 41)
    distance = xr.Dataset(
        {
            "mean_squared_distance": ("condition", [0.0, 24.0], {"units": "Hz^2*neurons"}),
            "mean_squared_distance_bound": (("bound", "condition"), [[0.0, 12.0], [0.0, 36.0]]),
            "null_mean_squared_distance": (("null_draw", "condition"), np.c_[draws, draws]),
            "p": ("condition", [np.nan, 0.25]),
        },
        coords={"condition": ["left", "right"]},
        attrs={"reference": "left"},
    )
    own = results() | {"relative_distance": distance}  # 12 neurons
    row = scorecard({"a": own}, {}, ["relative_distance"]).isel(measure=-1, source=0)
    assert row["measure"] == "squared distance per neuron, right from left"
    assert row["unit"] == "Hz^2"
    assert row["value"] == 2.0
    assert row["bound_value"].values.tolist() == [1.0, 3.0]
    np.testing.assert_allclose(row["null_value"], np.quantile(draws / 12, [0.025, 0.975]))
    assert row["p"] == 0.25


def test_a_reason_takes_the_place_of_a_number_and_only_there():
    both = {"a": results() | {"decode": decoding([1, 1, 1], np.zeros((2, 3)))}, "b": results()}
    card = scorecard(both, {("b", "decode"): "too few"}, ["decode"])
    decoded = card.isel(measure=card["analysis"].values == "decode")
    assert (decoded["reason"].sel(source="b") == "too few").all()
    assert (decoded["reason"].sel(source="a") == "").all()
    assert np.isnan(decoded["value"].sel(source="b")).all()
    text = scorecard_text(card)
    assert "decoding accuracy of choice, mean\n    a: 1, 95 % 0.4 to 0.9" in text
    assert "    b: too few" in text


def test_a_mean_rate_without_unit_is_not_set_beside_one_in_hz():
    card = scorecard({"a": results(), "b": results(units="1")}, {}, [])
    row = card.sel(measure="mean rate")
    assert np.isfinite(row["value"].sel(source="a"))
    assert np.isnan(row["value"].sel(source="b"))
    assert "not comparable with Hz" in row["reason"].sel(source="b").item()


def test_the_mean_rate_counts_conditions_alike_and_leaves_out_what_was_not_observed():
    x = tensor(["left"] * 30 + ["right"] * 10, n_neurons=6)  # 10 Hz left, 14 Hz right
    x[:, :, :5] = np.nan
    summary = summarize(Prepared("a", "tensor", x), ("choice",), 0)
    assert float(summary["mean_rate"]) == pytest.approx(12.0, abs=0.1)
    assert summary["n_trials_condition"].values.tolist() == [25, 10]


def test_the_interval_of_the_mean_rate_covers_the_truth_as_often_as_it_says():
    covered = 0
    for seed in range(100):
        x = tensor(["left", "right"] * 15, n_neurons=6, seed=seed)
        low, high = summarize(Prepared("a", "tensor", x), ("choice",), seed)["mean_rate_bound"]
        covered += bool(low <= 12.0 <= high)
    assert 86 <= covered <= 100


def test_trials_are_counted_for_the_neuron_that_has_fewest():
    x = tensor(["left", "right"] * 8)
    x[2, :, :6] = np.nan
    x[3, 0, :] = np.nan  # a bin alone does not make a trial unobserved
    assert trials_observed(x, ("choice",)).tolist() == [5, 5]


def test_the_example_neuron_is_the_one_that_differs_most():
    x = tensor(["left", "right"] * 8)
    x[4] += 20 * (x["choice"].values == "right")
    source = Prepared("a", "tensor", x)
    assert example_neuron(source, ("choice",)) == x["neuron"].values[4]
    constant = Prepared(
        "a", "tensor", tensor(["left"] * 8) * np.r_[np.ones(11), 3.0][:, None, None]
    )
    assert example_neuron(constant, ("choice",)) == constant.tensor["neuron"].values[11]


def test_seeds_differ_between_parts_and_between_comparisons():
    seeds = {derive_seed(s, a, b) for s in range(3) for a in "xyz" for b in ("pca", "decode")}
    assert len(seeds) == 18
    assert derive_seed(1, "x", "pca") == derive_seed(1, "x", "pca")
    assert derive_seed(1, "x", "pca") != derive_seed(1, "xpca")
