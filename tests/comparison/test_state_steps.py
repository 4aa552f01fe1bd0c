"""What neurons encode, how the population holds it, and for how long, in a comparison."""

import json

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.comparison.pipeline import compare
from popdyn.errors import PopdynWarning, SpecError, TensorError
from tests.comparison.conftest import LACKING, tensor

LABELS = ("left", "right") * 15
STATE = {
    "encoding": {"n_draws": 40},
    "dpca": {"n_draws": 20, "n_folds": 3, "n_test_folds": 4, "regularization": 0.01},
    "temporal_generalization": {"n_draws": 20},
    "timescale": {"n_draws": 20},
}


def long(name, tmp_path, *, labels=LABELS, n_neurons=12, **options):
    """Save ten bins of noise with a planted choice; rt grows with the first neurons."""
    made = tensor(list(labels), window=(0.0, 1.0), n_neurons=n_neurons, **options)
    made.coords["rt"] = ("trial", np.linspace(0.2, 0.8, made.sizes["trial"]), {"units": "s"})
    made[:3] += 20 * made.coords["rt"]
    pdn.save(made, tmp_path / f"{name}.nc")
    return {"id": name, "kind": "tensor", "path": f"{tmp_path}/{name}.nc", "align": "go_time"}


def spec_of(*sources, analyses, **tables):
    return {
        "alignment": {"window": [0.0, 1.0], "bin_width": 0.1},
        "conditions": {"by": "choice"},
        "analyses": analyses,
        "source": list(sources),
        **tables,
    }


def rows(tree, source="a"):
    found = tree["comparison/scorecard"].to_dataset().sel(source=source)
    return {str(name): found.sel(measure=name) for name in found["measure"].values}


@pytest.fixture
def whole(tmp_path):
    analyses = {**STATE, "decode_quantity": {"label": "rt", "n_draws": 20}}
    return compare(spec_of(long("a", tmp_path), analyses=analyses, seed=4))


def test_the_scorecard_recovers_what_was_planted(whole):
    found = rows(whole)
    words = "share of neurons encoding choice (.05 or less by chance)"
    assert 0.5 <= float(found[words]["value"]) <= 0.75  # six of twelve
    share = found["share of the signal variance: choice"]
    assert float(share["value"]) > 0.8
    assert share["bound_value"][0] < share["value"] < share["bound_value"][1]
    tested = found["accuracy of choice from its first demixed component, mean"]
    assert float(tested["value"]) > 0.9
    assert float(tested["p"]) == 1 / 21
    assert tested["null_value"][1] < 0.8
    across = found["accuracy of choice across times, mean"]
    assert float(across["value"]) > 0.9
    assert float(across["p"]) == 1 / 21
    assert float(found["stability of the code of choice"]["value"]) == pytest.approx(1, abs=0.1)
    r2 = found["R² of rt, cross-validated, mean"]
    assert float(r2["value"]) > 0.5
    assert r2["bound_value"][0] < r2["value"] < r2["bound_value"][1]


def test_results_are_those_of_the_functions_called_by_hand(whole, tmp_path):
    by_hand = pdn.load(tmp_path / "a.nc")
    node = {name: whole[f"sources/a/{name}"].to_dataset() for name in whole["sources/a"].children}
    seed = {name: int(result.attrs["seed"]) for name, result in node.items() if name in STATE}
    encoded = pdn.encoding(by_hand, ["choice"], n_draws=40, rng=seed["encoding"])
    xr.testing.assert_equal(encoded["cluster_p"], node["encoding"]["cluster_p"])
    space = pdn.DPCA(["choice"], regularization=0.01, n_folds=3, rng=seed["dpca"]).fit(by_hand)
    xr.testing.assert_equal(space.encoder_, node["dpca"]["encoder"])
    test = space.significance(by_hand, n_folds=4, n_draws=20, rng=seed["dpca"])
    np.testing.assert_array_equal(test["p_corrected"], node["dpca"]["p_corrected"])
    kept = pdn.timescale(by_hand, by=["choice"], n_draws=20, rng=seed["timescale"])
    xr.testing.assert_equal(kept["timescale"], node["timescale"]["timescale"])


def test_timescales_are_of_the_part_of_the_window_that_was_asked_for(tmp_path):
    analyses = {"timescale": {"window": [0.1, 0.9], "max_lag": 0.5, "n_draws": 5}}
    tree = compare(spec_of(long("a", tmp_path), analyses=analyses, prepare={"smooth": 0.1}))
    result = tree["sources/a/timescale"]
    assert result.attrs["window_start"] == pytest.approx(0.1)
    assert result.attrs["window_stop"] == pytest.approx(0.9)
    assert '"smooth"' not in result.attrs["popdyn"]  # what was counted, whatever is prepared


def test_a_reason_for_no_timescale_stands_in_the_scorecard(whole):
    cell = rows(whole)["timescale of the population"]
    assert np.isnan(cell["value"]) == bool(cell["reason"].item())


@pytest.mark.parametrize(
    ("analysis", "options", "said"),
    [
        ("dpca", {"n_neurons": 6}, "too few neurons or trials for demixing: 6 neurons, needs 10"),
        ("dpca", {"labels": ("left",) * 20}, "factor 'choice' has one level only"),
        ("encoding", {"labels": ("left",) * 20}, "regressor 'choice' has one level only"),
        ("temporal_generalization", {"labels": ("left",) * 20}, "needs two values of 'choice'"),
        ("temporal_generalization", {"labels": ("left", "right") * 3}, "needs 5"),
        ("timescale", {"labels": ("left", "right") * 2}, "found 4"),
    ],
)
@LACKING
def test_what_cannot_be_had_is_a_reason_and_the_rest_is_computed(tmp_path, analysis, options, said):
    analyses = {analysis: STATE[analysis], "condition_average": {}}
    tree = compare(spec_of(long("a", tmp_path, **options), analyses=analyses))
    assert analysis not in tree["sources/a"].children
    assert "condition_average" in tree["sources/a"].children
    card = tree["comparison/scorecard"].to_dataset()
    reasons = card["reason"].isel(measure=card["analysis"].values == analysis).values.ravel()
    assert reasons.size
    assert all(said in reason for reason in reasons), reasons


@LACKING
def test_text_cannot_be_decoded_as_a_number(tmp_path):
    analyses = {"decode_quantity": {"label": "choice"}}
    card = compare(spec_of(long("a", tmp_path), analyses=analyses))["comparison/scorecard"]
    assert "holds text (left, right)" in str(card["reason"][-1, 0].item())


@LACKING
def test_counts_are_asked_for_where_a_family_needs_them(tmp_path):
    analyses = {"encoding": {"family": "poisson"}}
    card = compare(spec_of(long("a", tmp_path), analyses=analyses))["comparison/scorecard"]
    assert "'poisson' is for spike counts, found a tensor of rate" in str(card["reason"][-1].item())


@pytest.mark.parametrize(
    ("analyses", "column"),
    [
        ({"encoding": {"regressors": ["choise"]}}, "choise"),
        ({"encoding": {"regressors": ["choice:contex"]}}, "contex"),
        ({"encoding": {"regressors": "choise + rt"}}, "choise"),
        ({"tdr": {"regressors": "choice * np.log(rtt)", "by": ["choice"]}}, "rtt"),
        ({"dpca": {"factors": ["choise"]}}, "choise"),
        ({"temporal_generalization": {"label": "choise"}}, "choise"),
        ({"decode_quantity": {"label": "rtt"}}, "rtt"),
        ({"decode": {"groups": "sesion"}}, "sesion"),
        ({"timescale": {"by": "choise"}}, "choise"),
    ],
)
def test_a_column_that_is_not_there_is_a_mistake_in_the_spec(tmp_path, analyses, column):
    with pytest.raises(TensorError, match=f"source 'a': there is no trial column {column!r}"):
        compare(spec_of(long("a", tmp_path), analyses=analyses))


@pytest.mark.parametrize(
    ("analyses", "said"),
    [
        ({"encoding": {"regularization": "CV"}}, 'should be "cv" or a number of 0 or more'),
        ({"encoding": {"regressors": []}}, "should be a list of columns"),
        ({"encoding": {"family": "normal"}}, "'analyses.encoding.family' is not accepted"),
        ({"encoding": {"regressor": "a"}}, "did you mean 'regressors'?"),
        ({"dpca": {"noise_covariance": "all"}}, "is not accepted"),
        ({"timescale": {"window": [0.5]}}, "two times in s, the earlier first"),
        ({"timescale": {"window": [-1, 0.5]}}, r"reaches beyond alignment.window = \[0, 1\]"),
        ({"decode_quantity": {}}, "'analyses.decode_quantity.label' is missing"),
        ({"temporal_generalization": {"n_folds": 1}}, "should be at least 2"),
    ],
)
def test_settings_are_checked_before_anything_is_computed(tmp_path, analyses, said):
    with pytest.raises(SpecError, match=said):
        compare(spec_of(long("a", tmp_path), analyses=analyses))


def test_a_formula_and_a_ridge_reach_the_regression(tmp_path):
    settings = {"regressors": "choice * rt", "regularization": "cv", "robust": True, "n_draws": 0}
    tree = compare(spec_of(long("a", tmp_path), analyses={"encoding": settings}))
    result = tree["sources/a/encoding"]
    assert list(result["term"].values) == ["choice", "rt", "choice:rt"]
    assert json.loads(result.attrs["parameters"])["regularization"] == "cv"
    assert "cluster_p" not in result


def test_trials_that_are_not_complete_are_not_drawn_for_decoders_across_time(tmp_path):
    source = long("a", tmp_path)
    values = pdn.load(tmp_path / "a.nc")
    values[0, 0, :4] = np.nan
    pdn.save(values, tmp_path / "a.nc")
    analyses = {"temporal_generalization": {"n_draws": 5}}
    with pytest.warns(PopdynWarning, match="4 of 30 trials were not observed in every neuron"):
        tree = compare(spec_of(source, analyses=analyses, match={"trials": "smallest"}))
    assert tree["sources/a/temporal_generalization"]["n_trials"].values.tolist() == [13, 13]


def test_neurons_recorded_apart_have_a_diagonal_noise_and_no_crash(tmp_path):
    source = long("a", tmp_path)
    values = pdn.load(tmp_path / "a.nc")
    values.attrs["simultaneous"] = 0
    pdn.save(values, tmp_path / "a.nc")
    dpca = {**STATE["dpca"], "regularization": "cv"}
    tree = compare(spec_of(source, analyses={**STATE, "dpca": dpca}))
    assert set(STATE) <= set(tree["sources/a"].children)
    assert tree["sources/a/dpca"].attrs["simultaneous"] == 0
