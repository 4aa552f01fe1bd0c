"""The chapter from behavior to verdict says what was found, and how."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import popdyn as pdn
from popdyn.reporting import methods, verdict_words
from popdyn.reporting.alternative_text import in_words
from popdyn.reporting.perceived_captions import orbits
from popdyn.reporting.perceived_chapter import PERCEIVED
from popdyn.reporting.perceived_methods import SENTENCES
from tests.comparison.test_perceived_step import N_DRAWS, node, saved, spec_of, trials


def plain(text):
    return re.sub(r"<[^>]*>", "", text).replace("\u00a0", " ")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chapter")
    asked = spec_of(saved(folder, "estimate"))
    asked["analyses"]["kinet"] |= {"mean_over": [0.1, 0.4]}
    return pdn.compare(asked)


@pytest.fixture(scope="module")
def written(tree, tmp_path_factory):
    return pdn.report(tree, tmp_path_factory.mktemp("page") / "report.html")


def test_the_chapter_has_its_six_pictures_with_files(written):
    text = plain(written.read_text(encoding="utf-8"))
    assert PERCEIVED.title in text
    assert PERCEIVED.question.split("'")[0] in text
    for picture in PERCEIVED.pictures:
        for kind in ("svg", "pdf"):
            file = written.parent / "report_files" / "figures" / f"{picture.name}_a.{kind}"
            assert file.stat().st_size > 2000, picture.name
    table = written.parent / "report_files" / "tables" / "behavior_a_set.csv"
    assert table.read_text().startswith("set,")


def test_the_page_says_verdict_and_conditions_in_words(tree, written):
    text = plain(written.read_text(encoding="utf-8"))
    test = node(tree, "a", "estimation_test")
    assert f"verdict: {test.attrs['verdict']} – {test.attrs['reason']}" in text
    assert "; met: it needs the true stimulus to be rejected, the estimate not, and to fit " in text
    assert re.search(r"\(found p = \.005 of the true stimulus, p = \.\d+ of the estimate", text)
    assert "it needs the estimate to predict better than bent codes, and these to be re" in text
    assert re.search(r"bent code \(\w+\), [\d.]+ s; p .{1,12} of bent codes\)", text)
    assert "; met: it needs behavior to contract" in text
    assert re.search(r"shift between the sets as estimates do \(found a shift of [\d.]+ ms, ", text)
    lead = text[: text.index("Keep in mind") if "Keep in mind" in text else text.index("Contents")]
    assert f"a: {test.attrs['verdict']} – {test.attrs['reason']}." in lead
    assert "null distribution" not in lead
    assert f"verdict: {test.attrs['verdict']}" in text[text.index("of 4") :][:40]


def test_conditions_that_fail_or_were_not_seen_are_told_so(tree):
    test = node(tree, "a", "estimation_test")
    test["condition_met"] = test["condition_met"].copy(data=[1.0, 0.0, np.nan, np.nan])
    told = verdict_words.verdict_details(test.drop_vars("set_shift"))
    assert [re.split("[:,]", one)[0] for one in told[1:]] == [
        "met",
        "not met",
        "not seen",
        "not seen",
    ]
    assert "not met, as a bent code (" in told[2]
    assert "errors at conditions left out" in told[2]
    assert told[-1].startswith("not seen, as no two sets that share a stimulus: it needs")


@pytest.mark.parametrize(
    ("analysis", "parts"),
    [
        (
            "behavior",
            [
                "slope of responses on stimuli, in each context",
                "mean of its posterior (prior: the frequencies of the stimuli)",
                "Jazayeri & Shadlen 2010",
                "(weber, motor weber, lapse and bias)",
                f"{N_DRAWS} bootstrap draws",
            ],
        ),
        (
            "kinet",
            [
                "from 0 to 0.4 s around set_time in bins of 20 ms",
                "as many principal components as hold 90 % of the variance",
                "the reference (stimulus=0.64, context=short)",
                "state at the same time",
                "KiNeT; Remington et al. 2018",
                "from 0.1 to 0.4 s",
                f"{N_DRAWS} bootstrap draws of the trials, those of behavior",
                "along the axis of all neurons on which the conditions of the reference's set",
            ],
        ),
        (
            "estimation_test",
            [
                "in 200 data sets simulated under either hypothesis",
                "(log, power, quadratic, saturating, sigmoid and arc)",
                "shift of shared stimuli between two stimulus sets",
            ],
        ),
    ],
    ids=["behavior", "kinet", "estimation_test"],
)
def test_sentences_for_the_methods_section_have_the_true_values(tree, written, analysis, parts):
    sentence = plain(methods.sentence(node(tree, "a", analysis)))
    for part in parts:
        assert part in sentence
    page = plain(written.read_text(encoding="utf-8")).replace("&amp;", "&").replace("&#39;", "'")
    assert sentence in page


def test_verdicts_come_first_and_a_source_without_one_says_why(tree):
    test = node(tree, "a", "estimation_test")
    block = verdict_words.verdict_block({"a": test, "b": test}, {"c": "0 of 9 trials"})
    line = f"a and b: {test.attrs['verdict']} – {test.attrs['reason']}."
    assert block.items == (line, "c: no verdict – 0 of 9 trials.")


def test_a_chapter_names_what_no_figure_of_it_shows(tmp_path):
    mute = saved(tmp_path, "estimate", table=trials().assign(response=np.nan))
    with pytest.warns(pdn.PopdynWarning, match="no (behavior|estimation_test)"):
        without = pdn.compare(spec_of(mute))
    page = plain(pdn.report(without, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "a: no verdict – behavior, which it takes, gave no result" in page
    chapter = page[page.rindex("What is missing here, and why") :]
    assert "behavior of a: 0 of 240 trials" in chapter
    assert "estimation test of a: behavior, which it takes" in chapter


def test_pictures_are_told_to_who_cannot_see_them(tree):
    behavior = in_words("Behavior.", "a", node(tree, "a", "behavior"))
    assert re.search(r"long: slope 0\.\d+ .*weber 0\.1", plain(behavior))
    assert "reference stimulus=0.64" in in_words("Orbits.", "a", node(tree, "a", "kinet"))
    assert "RMSE 0.0" in in_words("Errors.", "a", node(tree, "a", "estimation_test"))


def test_pictures_draw_what_the_results_hold(tree):
    behavior, test = node(tree, "a", "behavior"), node(tree, "a", "estimation_test")
    ax = pdn.show(behavior)
    assert [text.get_text() for text in ax.get_legend().get_texts()].count("observer") == 1
    slopes = [f"{float(one):.2f}" for one in behavior["slope"]]
    assert ax.get_title() == f"slope {slopes[0]} (long), {slopes[1]} (short)"
    ax = pdn.plot.decoded(test)
    drawn = np.concatenate([line.get_ydata() for line in ax.lines if line.get_marker() in "os"])
    assert set(drawn) == {*test["decoded_true"].values, *test["decoded_estimate"].values}
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert told[0] == f"true: RMSE {1000 * float(test['rmse_true']):.3g} ms"


def test_along_the_axis_of_all_neurons_no_components_are_claimed(tree):
    result = node(tree, "a", "kinet").drop_vars("mean_axis_distance")
    asked = json.loads(result.attrs["parameters"]) | {"method": "coding_axis", "alignment": "time"}
    along = result.assign_attrs(distance_method="coding_axis", parameters=json.dumps(asked))
    text = " ".join(SENTENCES["kinet"](along))
    assert "principal components" not in text
    assert "along the axis of all neurons" in text
    assert "distances along an axis of all neurons" in " ".join(orbits({"a": along}))
