"""Selectivity in one spec: every source alike, reasons instead of crashes, the report."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import SpecError
from tests.comparison.conftest import LACKING

FEW = pytest.mark.filterwarnings("ignore:source '[^']*'. [0-9]+ neurons tell little")
QUICK = {"window": [0.2, 0.6], "n_draws": 99}
INDEX = "clustering of selectivity, index (0: random, 1: groups of one direction)"
ANGLES = ("median_angle", "null_median_angle")
N_TRIALS = 80


# Directions without a turn that brings all of them onto each other, 2 Hz long.
CENTERS = 2 * np.array(
    [[1, 0, 0.1], [-0.8, 0.5, 0.3], [0.1, -0.9, -0.6], [-0.2, 0.4, -0.9], [-0.2, -0.5, 1]]
)


def saved(folder, name, *, n_neurons=60, groups=False, n_features=2, seed=2, **columns):
    """Save rates (Hz) that follow columns from 0.2 to 0.6 s, in groups or at random."""
    rng = np.random.default_rng(seed)
    choice, context, cue = (np.arange(N_TRIALS) // n % 2 * 2 - 1 for n in (1, 2, 4))
    weight = rng.standard_normal((n_neurons, 3))
    if groups:
        weight = CENTERS[np.arange(n_neurons) % 5] + 0.1 * rng.standard_normal((n_neurons, 3))
    weight[:, n_features:] = 0
    time = 0.05 + 0.1 * np.arange(8)
    # Outside of the epoch nothing is encoded but noise.
    course = ((time > 0.2) & (time < 0.6))[:, None]
    signal = 80 + (weight @ np.stack([choice, context, cue]))[:, None] * course
    values = signal + 0.5 * rng.normal(size=signal.shape)
    values[:, ~course[:, 0]] += 10 * rng.normal(size=(n_neurons, 4, N_TRIALS))
    table = {
        "choice": np.where(choice > 0, "right", "left"),
        "context": context,
        "cue": cue,
        **columns,
    }
    tensor = pdn.make_tensor(values, time, table, units="Hz", align="go_time")
    pdn.save(tensor, folder / f"{name}.nc")
    return {"id": name, "kind": "tensor", "path": f"{folder}/{name}.nc", "align": "go_time"}


def spec_of(*sources, analyses, **tables):
    return {
        "seed": 3,
        "alignment": {"window": [0.0, 0.8], "bin_width": 0.1},
        "conditions": {"by": ["choice", "context"]},
        "analyses": analyses,
        "source": list(sources),
        **tables,
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("selectivity")
    sources = [saved(folder, "random"), saved(folder, "groups", groups=True)]
    analyses = {"selectivity_test": QUICK, "mixed_selectivity": {"window": [0.2, 0.6]}}
    return pdn.compare(spec_of(*sources, analyses=analyses))


def rows(tree, source):
    found = tree["comparison/scorecard"].to_dataset().sel(source=source)
    return {str(name): found.sel(measure=name) for name in found["measure"].values}


def result_of(tree, source, analysis="selectivity_test"):
    return tree[f"sources/{source}/{analysis}"].to_dataset()


def test_planted_groups_are_told_from_random_selectivity_in_one_row(tree):
    groups, random = (rows(tree, name)[INDEX] for name in ("groups", "random"))
    assert float(groups["p"]) == 0.02
    assert float(groups["value"]) > 0.5
    assert float(random["p"]) > 0.05
    low, high = random["null_value"].values
    assert low < float(random["value"]) < high
    assert float(groups["value"]) > groups["null_value"].values[1]


def test_coefficients_are_those_of_the_epoch_with_their_errors_in_the_null(tree):
    result = result_of(tree, "groups")
    assert (result.attrs["window_start"], result.attrs["window_stop"]) == pytest.approx((0.2, 0.6))
    assert '"standard_error": true' in result.attrs["parameters"]


def test_the_result_is_that_of_the_functions_called_by_hand(tree, tmp_path):
    saved(tmp_path, "groups", groups=True)
    tensor = pdn.select(pdn.load(tmp_path / "groups.nc"), time=(0.2, 0.6))
    mean = tensor.mean("time", keepdims=True).assign_coords(time=[0.4])
    encoded = pdn.encoding(mean.assign_attrs(tensor.attrs), ["choice", "context"])
    result = result_of(tree, "groups")
    seed = int(result.attrs["seed"])
    by_hand = pdn.selectivity_test(encoded, n_draws=99, rng=seed)
    np.testing.assert_allclose(by_hand["angle"], result["angle"], rtol=1e-6)
    np.testing.assert_allclose(by_hand["null_median_angle"], result["null_median_angle"], rtol=1e-6)


def test_neurons_of_sums_are_linear_mixed_with_intervals_of_shares(tree):
    found = rows(tree, "groups")
    share = found["share of neurons of linear mixed selectivity"]
    assert float(share["value"]) > 0.8
    low, high = share["bound_value"].values
    assert low < float(share["value"]) <= high <= 1
    assert float(found["share of neurons of nonlinear mixed selectivity"]["value"]) < 0.1


def test_the_report_shows_both_side_by_side_and_says_how(tree, tmp_path):
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Selectivity of neurons" in text
    assert (
        "averaged in each trial from 0.2 to 0.6\u00a0s around go_time, were regressed on choice"
        in text
    )
    assert "each with an error of the size of its neuron" in text
    assert "not told apart from neurons without groups" in text
    angles = [float(result_of(tree, "groups")[name].mean()) for name in ANGLES]
    found, chance = (f"{np.degrees(angle):.2f}" for angle in angles)
    assert f"p\u00a0=\u00a0.020; clustered; median angle {found}°, by chance {chance}°" in text
    assert "excludes neither groups about one center" in text
    assert "2\u00a0features (choice, context)" in text
    assert "a mean for each combination of choice and context" in text
    assert "interaction in 0)" in text
    files = tmp_path / "report_files"
    assert (files / "figures" / "selectivity_groups.svg").exists()
    assert (files / "figures" / "mixed-selectivity_random.svg").exists()
    assert (files / "tables" / "selectivity_groups_neuron.csv").exists()


@pytest.mark.parametrize(
    ("method", "variant", "row", "told"),
    [
        ("pairs", "default", INDEX, "Raposo, Kaufman and Churchland 2014): vectors were taken as"),
        ("epairs", "hirokawa2019", INDEX, "variant hirokawa2019): vectors were centered"),
        ("cluster", "default", "groups of selectivity that predict held-out", "by the likelihood"),
        ("bingham", "dubreuil2022", "Bingham's statistic", "the chi squared limit"),
    ],
    ids=["pairs", "hirokawa2019", "cluster", "bingham"],
)
def test_other_tests_have_rows_and_words_of_their_own(tmp_path, method, variant, row, told):
    settings = {"method": method, "variant": variant, "n_draws": 9, "window": [0.2, 0.6]}
    source = saved(tmp_path, "groups", groups=True)
    tree = pdn.compare(spec_of(source, analyses={"selectivity_test": settings}))
    found = [own for name, own in rows(tree, "groups").items() if row in name]
    assert np.isfinite(float(found[0]["value"]))
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert told in text.replace("&#39;", "'")


@LACKING
@FEW
@pytest.mark.parametrize(
    ("n_neurons", "settings", "told"),
    [
        (60, {"regressors": ["choice"]}, "expected two features or more, found one (choice)"),
        (5, {}, "too few neurons or trials for a test of selectivity: 5 neurons, needs 10"),
        (12, {"method": "cluster"}, None),
        (60, {"window": [0.21, 0.24]}, "no time bin has its center in [0.21, 0.24)"),
        (60, {"regressors": ["choice", "side"]}, "side"),
    ],
    ids=["one feature", "five neurons", "twelve neurons", "between bins", "collinear"],
)
def test_what_cannot_be_tested_is_a_reason_and_costs_the_others_nothing(
    tmp_path, n_neurons, settings, told
):
    side = np.arange(N_TRIALS) % 2
    source = saved(tmp_path, "a", n_neurons=n_neurons, side=side)
    analyses = {"selectivity_test": {**QUICK, **settings}, "mixed_selectivity": {}}
    tree = pdn.compare(spec_of(source, analyses=analyses))
    assert "mixed_selectivity" in tree["sources/a"].children
    if told is None:
        assert "selectivity_test" in tree["sources/a"].children
        return
    reason = tree["sources/a/summary"].attrs["reason_selectivity_test"]
    assert told in reason
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Random or clustered selectivity" in text or told in text


@pytest.mark.parametrize(
    ("analyses", "told"),
    [
        ({"selectivity_test": {"method": "epair"}}, "found 'epair' (do you mean 'epairs'?)"),
        ({"selectivity_test": {"variant": "hirokawa"}}, "(do you mean 'hirokawa2019'?)"),
        ({"selectivity_test": {"n_draw": 9}}, "did you mean 'n_draws'?"),
        ({"selectivity_test": {"window": [0.2, 2.0]}}, "selectivity_test.window = [0.2, 2]"),
        ({"mixed_selectivity": {"window": [0.2, 2.0]}}, "mixed_selectivity.window = [0.2, 2]"),
        ({"mixed_selectivity": {"factors": ["choice"]}}, "factors should name two columns or more"),
        ({"mixed_selectivity": {"alpha": 1.0}}, "alpha' should be less than 1"),
        ({"selectivity_test": {"regressors": ["choice", "contxt"]}}, "Did you mean 'context'?"),
        ({"mixed_selectivity": {"factors": ["choice", "contxt"]}}, "Did you mean 'context'?"),
    ],
    ids=["method", "variant", "key", "window", "mixed window", "factor", "alpha", "column", "mix"],
)
def test_wrong_settings_are_refused_in_words(tmp_path, analyses, told):
    with pytest.raises(pdn.PopdynError) as caught:
        pdn.compare(spec_of(saved(tmp_path, "a"), analyses=analyses))
    assert told in str(caught.value)


def test_a_single_condition_column_is_refused_for_mixed_selectivity(tmp_path):
    spec = spec_of(saved(tmp_path, "a"), analyses={"mixed_selectivity": {}})
    spec["conditions"] = {"by": "choice"}
    with pytest.raises(SpecError, match=r"conditions.by names only 'choice': give it factors"):
        pdn.compare(spec)


AGREE = {"selectivity_agreement": {"n_clusters": 5, "n_draws": 49}}


@pytest.fixture(scope="module")
def agreed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreed")
    options = {"groups": True, "n_features": 3}
    groups = [saved(folder, name, seed=i, **options) for i, name in enumerate(("one", "two"))]
    few = saved(folder, "few", n_neurons=15)
    settings = {**QUICK, "n_draws": 9, "regressors": ["choice", "context", "cue"]}
    analyses = {"selectivity_test": settings}
    with (
        pytest.warns(pdn.PopdynWarning, match="'few': 15 neurons tell little about clusters"),
        pytest.warns(pdn.PopdynWarning, match="^selectivity_agreement: not compared: few has 15"),
    ):
        return pdn.compare(spec_of(*groups, few, analyses=analyses, comparison=AGREE))


def test_groups_of_two_sources_are_compared_and_who_has_too_few_neurons_is_said(agreed):
    result = agreed["comparison/selectivity_agreement"].to_dataset()
    assert result["source"].values.tolist() == ["one", "two"]
    own = result.sel(source="one", source_2="two")
    assert float(own["agreement"]) > 0.9
    assert np.isfinite(float(own["p"]))
    assert result.attrs["left_out"] == "few has 15 neurons, needs 40"
    loadings = {name: result_of(agreed, name)["loading"] for name in ("one", "two")}
    seed = int(result.attrs["seed"])
    by_hand = pdn.selectivity_agreement(loadings, 5, n_draws=49, rng=seed)
    np.testing.assert_array_equal(by_hand["agreement"], result["agreement"])


def test_the_report_says_how_far_groups_agree(agreed, tmp_path):
    text = pdn.report(agreed, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Groups of neurons across sources" in text
    assert "one and two: " in text
    assert "Not compared: few has 15 neurons, needs 40" in text
    assert "mixtures of 5 Gaussians were fitted to each" in text
    assert (
        tmp_path / "report_files" / "figures" / "selectivity-agreement_all-sources.svg"
    ).exists()


@LACKING
@FEW
def test_one_source_that_can_be_compared_is_a_reason(tmp_path):
    sources = [saved(tmp_path, "one", groups=True), saved(tmp_path, "few", n_neurons=11)]
    analyses = {"selectivity_test": {**QUICK, "n_draws": 9}}
    with pytest.warns(pdn.PopdynWarning, match="^selectivity_agreement: no agreement of groups"):
        tree = pdn.compare(spec_of(*sources, analyses=analyses, comparison=AGREE))
    node = tree["comparison/selectivity_agreement"]
    assert not node.data_vars
    told = "two sources or more, which have the same features: few has 11 neurons, needs 30"
    assert told in node.attrs["reason"]
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert told in text


@FEW
def test_a_source_that_limits_the_number_of_groups_is_told_of_and_what_was_said_is_not(tmp_path):
    options = {"groups": True, "n_features": 3}
    sizes = {"one": 60, "two": 29}
    sources = [saved(tmp_path, name, n_neurons=n, **options) for name, n in sizes.items()]
    settings = {**QUICK, "n_draws": 9, "regressors": ["choice", "context", "cue"]}
    agree = {"selectivity_agreement": {"n_draws": 9}}
    with pytest.warns(pdn.PopdynWarning) as said:
        tree = pdn.compare(
            spec_of(*sources, analyses={"selectivity_test": settings}, comparison=agree)
        )
    own = [str(one.message) for one in said if "selectivity_agreement" in str(one.message)]
    assert len(own) == 1
    assert "source 'two': 29 neurons are enough for 3 groups only, others have more" in own[0]
    assert said[-1].filename == __file__
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "3\u00a0groups in each source (of held-out neurons one 5, two " in text


@pytest.mark.parametrize(
    ("analyses", "comparison", "told"),
    [
        ({"pca": {}}, AGREE, "compares vectors of selectivity_test: ask for it in [analyses]"),
        ({"selectivity_test": {}}, AGREE, "needs two sources or more"),
        (
            {"selectivity_test": {}},
            {"selectivity_agreement": {"n_clusters": 1}},
            "n_clusters' should be at least 2, found 1",
        ),
    ],
    ids=["no test", "one source", "one group"],
)
def test_groups_that_cannot_be_compared_are_refused_at_once(tmp_path, analyses, comparison, told):
    with pytest.raises(SpecError) as caught:
        pdn.compare(spec_of(saved(tmp_path, "a"), analyses=analyses, comparison=comparison))
    assert told in str(caught.value)
