"""Chapters on encoding, demixing, numbers, decoders across time and timescales tell the truth."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn
from popdyn.reporting import methods, state_captions
from popdyn.reporting.alternative_text import in_words
from popdyn.reporting.pictures import CHAPTERS
from tests.comparison.conftest import LACKING
from tests.comparison.test_state_steps import long, spec_of

pytestmark = LACKING

ANALYSES = {
    "encoding": {"regressors": ["choice", "rt"], "n_draws": 30, "n_folds": 4},
    "dpca": {"n_draws": 15, "n_folds": 3, "n_test_folds": 4, "n_components": 2},
    "decode_quantity": {"label": "rt", "n_draws": 25, "n_folds": 3},
    "temporal_generalization": {"n_draws": 20, "n_folds": 3, "regularization": 2.0},
    "timescale": {"window": [0.1, 0.9], "n_draws": 35, "noise": "free", "max_lag": 0.5},
}
SENTENCES = {
    "encoding": [
        "from 0 to 1 s around go_time in bins of 100 ms",
        "regressed on choice and rt and an intercept by least squares",
        "(4 folds)",
        "30 permutations",
        "Freedman and Lane 1983",
    ],
    "dpca": [
        "Kobak et al. 2016",
        "averages over choice from 0 to 1 s",
        "at most 2 of each marginalization (time and choice)",
        "chosen by holding out one trial of every combination 3 times",
        "noise covariance in the loss: full",
        "(4 times)",
        "15 shuffles",
    ],
    "decode_quantity": ["The number rt was decoded", "3-fold", "25 shuffles", "chosen among 13"],
    "temporal_generalization": [
        "from 0 to 1 s around go_time in bins of 100 ms",
        "ridge of 2 ",
        "3-fold",
        "20 shuffles",
        "King and Dehaene 2014",
    ],
    "timescale": [
        "from 0.1 to 0.9 s around go_time in bins of 100 ms",
        "condition (choice)",
        "lags up to 0.5 s; white noise of a fitted size",
        "35 bootstrap draws",
        "Murray et al. 2014",
    ],
}


def plain(text):
    return text.replace("\u00a0", " ")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    small = long("small", folder, n_neurons=6)
    return pdn.compare(spec_of(long("a", folder), small, analyses=ANALYSES))


@pytest.fixture(scope="module")
def written(tree, tmp_path_factory):
    path = pdn.report(tree, tmp_path_factory.mktemp("page") / "report.html", progress=False)
    return Path(path)


@pytest.mark.parametrize("analysis", ANALYSES)
def test_the_methods_sentence_holds_every_true_parameter(tree, analysis):
    told = plain(methods.sentence(tree[f"sources/a/{analysis}"].to_dataset()))
    assert not [words for words in SENTENCES[analysis] if words not in told], told


@pytest.mark.parametrize("analysis", ANALYSES)
def test_the_seed_is_told(tree, analysis):
    result = tree[f"sources/a/{analysis}"].to_dataset()
    ((_, told),) = methods.shared({"a": result})
    assert f"Random seed: {result.attrs['seed']}." in told


def test_the_sentence_of_an_encoding_of_counts_has_no_permutations(tree):
    result = tree["sources/a/encoding"].to_dataset().drop_vars("cluster_p")
    values = json.loads(result.attrs["parameters"])
    values |= {"family": "poisson", "robust": "HC1", "regressors": "choice * rt"}
    told = methods.sentence(result.assign_attrs(parameters=json.dumps(values)))
    assert "the formula choice * rt" in told
    assert "Poisson regression" in told
    assert "standard errors are HC1" in told
    assert "permutations" not in told


def test_noise_of_neurons_recorded_apart_is_diagonal(tree):
    result = tree["sources/a/dpca"].to_dataset().assign_attrs(simultaneous=0)
    assert "noise covariance in the loss: diagonal" in methods.sentence(result)


def test_captions_hold_the_numbers_of_the_results(tree):
    result = {name: tree[f"sources/a/{name}"].to_dataset() for name in ANALYSES}
    told = {n: plain(getattr(state_captions, n)({"a": r})[1]) for n, r in result.items()}
    clusters = result["encoding"]["cluster_p"].sel(term="choice").min("time").values
    assert f"choice: {(clusters < 0.05).sum()} of 12 neurons" in told["encoding"]
    share = float(result["dpca"]["signal_ratio"].sel(marginalization="choice"))
    assert f"{share:.3g}" in told["dpca"]
    assert "smallest corrected p = .062" in told["dpca"]  # 15 shuffles: 1 / 16
    assert f"mean R² {float(result['decode_quantity']['mean_r2']):.3g}" in told["decode_quantity"]
    assert "30 trials" in told["decode_quantity"]
    accuracy = float(result["temporal_generalization"]["mean_accuracy"])
    assert f"{accuracy:.3g}" in told["temporal_generalization"]
    assert "15 of left and 15 of right" in told["temporal_generalization"]
    known = np.isfinite(result["timescale"]["timescale"].values).sum()
    assert f"estimated in {known} of 12 neurons" in told["timescale"]


def test_a_bound_without_an_end_is_said_as_such(tree):
    result = tree["sources/a/timescale"].to_dataset()
    result["population_timescale"][()] = 0.4
    result["population_timescale_bound"][:] = [0.131, np.inf]
    told = plain(state_captions.timescale({"a": result})[1])
    assert "population 0.400 s (0.131 or more)" in told
    result["population_timescale"][()] = np.nan
    result["population_reason"] = ((), "too few spikes")
    assert "no estimate (too few spikes)" in state_captions.timescale({"a": result})[1]


@pytest.mark.parametrize("analysis", ANALYSES)
def test_who_cannot_see_the_picture_reads_its_numbers(tree, analysis):
    result = tree[f"sources/a/{analysis}"].to_dataset()
    words = in_words("Picture.", "a", result)
    assert words.startswith("Picture, a. ")
    assert re.search(r"\d", words)


def test_every_analysis_has_a_chapter_with_a_picture_and_its_numbers(written):
    page = plain(written.read_text())
    names = {p.analysis: (c.title, p.name) for c in CHAPTERS for p in c.pictures}
    for analysis in ANALYSES:
        title, name = names[analysis]
        assert title in page
        folder = written.with_name("report_files")
        assert (folder / "figures" / f"{name}_a.svg").stat().st_size > 5000
        assert list((folder / "tables").glob(f"{name}_a_*.csv"))


def test_what_a_source_cannot_support_is_a_sentence_in_its_panel(written):
    page = plain(written.read_text())
    panel = '<p class="quiet">too few neurons or trials for demixing: 6 neurons, needs 10</p>'
    assert panel in page
    assert not (
        written.with_name("report_files") / "figures" / "demixed-components_small.svg"
    ).exists()


def test_matrices_of_all_sources_have_the_same_colors(tree):
    (picture,) = [
        p for c in CHAPTERS for p in c.pictures if p.analysis == "temporal_generalization"
    ]
    results = {
        name: tree[f"sources/{name}/temporal_generalization"].to_dataset()
        for name in ("a", "small")
    }
    limits = {one.attrs["color_limit"] for one in picture.together(results).values()}
    largest = max(float(abs(one["accuracy"] - one["chance"]).max()) for one in results.values())
    assert limits == {largest}
    assert "color_limit" not in results["a"].attrs


def test_coefficients_of_very_many_neurons_stay_in_the_netcdf_file(tree, monkeypatch):
    (picture,) = [p for c in CHAPTERS for p in c.pictures if p.analysis == "encoding"]
    result = tree["sources/a/encoding"].to_dataset()
    assert {"coefficient", "share_of_neurons"} <= set(picture.part(result))
    monkeypatch.setattr("popdyn.reporting.state_pictures._MOST_ROWS", 10)
    assert set(picture.part(result).data_vars) == {"share_of_neurons"}
