"""A report: one file that asks for nothing, the same bytes each time, true to its tree."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from popdyn.errors import SourceError, TensorError
from popdyn.reporting import chapters
from popdyn.reporting.chapters import report
from popdyn.reporting.scorecard import scorecard_table
from popdyn.tensor import store
from tests.reporting.conftest import ANALYSES, make_tree, scorecard

EVIL = "<script>alert('x')</script> & \"q\" 日本 $x$ " + "long_" * 60
VOID = {"meta", "link", "img", "br", "hr"}
TOO_FEW = "too few neurons or trials for PCA: 6 neurons, needs 10"


class Balanced(HTMLParser):
    """Refuses tags that do not close in order, and gathers headings, pictures and text."""

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.images, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style",):
            self.text.append(data)
        if self.open and re.fullmatch("h[1-4]", self.open[-1]):
            self.headings.append(data.strip())


def read(path):
    parser = Balanced()
    parser.feed(path.read_text(encoding="utf-8"))
    assert parser.open == []
    return parser


def said(path):
    return " ".join(" ".join(read(path).text).split()).replace("\u00a0", " ")


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    tree = make_tree()
    kept = tree.copy(deep=True)
    path = report(tree, tmp_path_factory.mktemp("report") / "report.html")
    assert tree.identical(kept)
    return path


def test_the_report_is_one_file_that_asks_for_nothing(whole):
    text = whole.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!data:|#|\./report_files/)', text)
    assert not re.search(r"url\((?!data:)", text)
    assert len(text) < 1_500_000


def test_chapters_come_in_order_the_scorecard_first_the_provenance_last(whole):
    titles = [title for title in read(whole).headings if title and not title[0].isdigit()]
    assert titles == [
        "Boundaries in human memory, beside a network",
        "Contents",
        "Scorecard",
        "Sources",
        "Single neurons",
        "State space",
        "Distance between conditions",
        "Decoding over time",
        "Provenance",
    ]


def test_the_scorecard_tells_value_interval_null_and_p(whole):
    text = said(whole)
    assert "0.62 95 %: 0.57 to 0.67 null: 0.28 to 0.38 p = .005" in text
    assert "4.3 Hz² 95 %: 3.8 to 4.8" in text
    assert "p = .010" in text


def test_every_figure_stands_for_every_source_with_its_words(whole):
    images = read(whole).images
    assert len(images) == 1 + 2 * 6
    assert all(len(image["alt"]) > 10 for image in images)
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in images)
    for title in ("Raster", "State space", "Decoding over time"):
        assert [
            f"{title}, {name}." in " ".join(i["alt"] for i in images)
            for name in ("human", "network")
        ] == [True, True]


def test_every_link_leads_to_a_file(whole):
    links = re.findall(r'href="\./([^"]+)"', whole.read_text(encoding="utf-8"))
    assert len(links) > 40
    assert all((whole.parent / link).is_file() for link in links)


def test_figures_numbers_and_tree_stand_beside_the_page(whole):
    folder = whole.with_name("report_files")
    found = files(folder)
    stems = {name.rsplit(".", 1)[0] for name in found if name.startswith("figures/")}
    assert len(stems) == 13
    assert all(f"{stem}.svg" in found and f"{stem}.pdf" in found for stem in stems)
    decoding = pd.read_csv(folder / "tables" / "decode_human_time.csv")
    tree = store.load(folder / "results_1.nc")
    np.testing.assert_allclose(
        decoding["accuracy"], tree["sources/source_0/decode/accuracy"], rtol=1e-8
    )


def test_provenance_tells_versions_seeds_digests_spec_and_how_to_draw_again(whole):
    text = said(whole)
    assert "numpy 2.4.0" in text
    assert "Digest of the content of each input: first 16 digits of SHA-256" in text
    assert "human 0123456789abcdef" in text
    assert f"SHA-256 of the input files. File SHA-256 human: file.nwb {'ab' * 32}" in text
    assert 'title = "Boundaries" seed = 7' in text
    assert "popdyn report report_files/results_1.nc --output report.html" in text
    assert "sources/source_0/decode 7" in text


def test_the_trials_of_a_source_are_accounted_for(whole):
    text = said(whole)
    assert "Trials used 28 of 200 in the source" in text
    assert (
        "Trials left out 10 by the selection, 2 without event or condition, "
        "160 not drawn by matching"
    ) in text


def test_a_measure_on_fewer_trials_than_the_others_says_so():
    card = scorecard(["a"])
    card = card.assign_coords(analysis=("measure", ["summary", "decode", "pca", "pca"]))
    card["n_trials"][1] = 7
    sources = [SimpleNamespace(id="a", header=None)]
    rows = scorecard_table(card, sources, {}).rows[1:]  # the first tells the sizes
    told = [[line for line in row[1].details if "trial" in line] for row in rows]
    assert told == [[], ["7\u00a0trials in the smallest class"], [], []]


def test_problems_of_a_source_are_told(whole):
    assert "no trials table: 3 interval tables were found" in said(whole)


def test_the_same_tree_gives_the_same_bytes(whole, tmp_path):
    again = report(make_tree(), tmp_path / "report.html")
    assert again.read_bytes() == whole.read_bytes()
    assert files(tmp_path / "report_files") == files(whole.with_name("report_files"))


def test_a_saved_comparison_is_redrawn_to_the_same_bytes(whole, tmp_path):
    saved = whole.with_name("report_files") / "results_1.nc"
    again = report(saved, tmp_path / "report.html")
    assert again.read_bytes() == whole.read_bytes()
    assert (tmp_path / "report_files" / "results_1.nc").read_bytes() == saved.read_bytes()


def test_drawing_over_a_report_from_its_own_results_changes_nothing(tmp_path):
    path = report(make_tree(("one",), analyses=("decode",)), tmp_path / "report.html")
    before = files(tmp_path)
    report(tmp_path / "report_files" / "results_1.nc", path)
    assert files(tmp_path) == before


def test_figures_of_an_earlier_report_are_removed_and_nothing_else(tmp_path):
    path = report(make_tree(("one",), analyses=("decode",)), tmp_path / "report.html")
    own = tmp_path / "report_files" / "figures" / "mine.txt"
    own.write_text("kept")
    report(make_tree(("one",), analyses=("pca",)), path)
    names = files(tmp_path / "report_files")
    assert not [name for name in names if "decode" in name]
    assert own.read_text() == "kept"


def test_nothing_is_said_on_stdout(tmp_path, capsys):
    report(make_tree(("one",), analyses=("decode",)), tmp_path / "report.html")
    assert capsys.readouterr().out == ""


def test_any_text_is_escaped_and_drawn(tmp_path):
    tree = make_tree(
        (EVIL[:60], "日本/#x?"),
        labels=(EVIL, "$y$", "_z"),
        note=EVIL,
        title=EVIL,
        spec=EVIL,
        missing=[("participation ratio", "日本/#x?", EVIL)],
        without=[("日本/#x?", analysis) for analysis in ANALYSES[1:]],
    )
    path = report(tree, tmp_path / "a b#1.html")
    assert "<script" not in path.read_text(encoding="utf-8")
    read(path)
    links = re.findall(r'href="\./([^"]+)"', path.read_text(encoding="utf-8"))
    assert all("<" not in link and "#" not in link for link in links)


@pytest.mark.parametrize("analysis", ANALYSES)
def test_any_single_analysis_makes_a_report(tmp_path, analysis):
    read(report(make_tree(("one",), analyses=(analysis,)), tmp_path / "report.html"))


def test_a_comparison_without_analyses_still_tells_its_sources(tmp_path):
    tree = make_tree(analyses=())
    del tree["comparison"]
    assert "Provenance" in said(report(tree, tmp_path / "report.html"))


def test_six_sources_stand_side_by_side(tmp_path):
    ids = [f"source {index}" for index in range(6)]
    parser = read(report(make_tree(ids, analyses=("decode",)), tmp_path / "report.html"))
    assert len(parser.images) == 7


def test_a_missing_analysis_shows_its_reason_in_scorecard_and_chapter(tmp_path):
    missing = [
        (f"{what}", "human", TOO_FEW)
        for what in ("participation ratio", "held-out variance in 3 components")
    ]
    tree = make_tree(analyses=("pca",), without=[("human", "pca")], missing=missing)
    text = said(report(tree, tmp_path / "report.html"))
    # Two rows of the scorecard, its drawing is a picture, two figures of the chapter.
    assert text.count(TOO_FEW) == 4
    assert "2 measures could not be estimated" in text


def test_a_chapter_that_no_source_could_fill_still_says_why(tmp_path):
    missing = [("participation ratio", name, TOO_FEW) for name in ("human", "network")]
    tree = make_tree(analyses=("decode",), missing=missing)
    path = report(tree, tmp_path / "report.html")
    assert "State space" in read(path).headings
    assert said(path).count(TOO_FEW) >= 4


def test_a_source_without_spikes_says_that_it_has_no_raster(tmp_path):
    tree = make_tree(analyses=("raster",), without=[("network", "raster")])
    assert "This source has no spike times" in said(report(tree, tmp_path / "report.html"))


def test_several_comparisons_are_parts_of_one_page(tmp_path):
    trees = [
        make_tree(analyses=("decode",)),
        make_tree(title="B. Mouse", note="Pooled.", analyses=()),
    ]
    path = report(trees, tmp_path / "report.html", title="Demo")
    parser = read(path)
    assert parser.headings[0] == "Demo"
    assert "B. Mouse" in parser.headings
    assert "Pooled." in said(path)
    assert parser.headings.count("Scorecard") == 2
    assert (tmp_path / "report_files" / "results_2.nc").is_file()


def test_an_interrupted_report_leaves_no_half_written_file(tmp_path, monkeypatch):
    path = report(make_tree(("one",), analyses=("decode",)), tmp_path / "report.html")
    before = files(tmp_path)

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(chapters.Folder, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        report(make_tree(("one",), analyses=("decode",)), path)
    assert files(tmp_path) == before


def test_an_interrupted_file_is_not_left_behind(tmp_path, monkeypatch):
    from pathlib import Path

    from popdyn.reporting.folder import write_whole

    def interrupted(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.svg", b"half")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_holds_no_comparison_is_refused_with_what_it_holds(tmp_path):
    saved = store.save(xr.Dataset({"a": 1.0}), tmp_path / "a.nc")
    with pytest.raises(SourceError, match=r"a\.nc holds a Dataset: make one with popdyn\.compare"):
        report(saved, tmp_path / "report.html")
    with pytest.raises(SourceError, match="there is no file"):
        report(tmp_path / "none.nc", tmp_path / "report.html")


def test_anything_but_a_comparison_is_refused_in_words(tmp_path):
    with pytest.raises(TensorError, match="what was given is a Dataset"):
        report(xr.Dataset(), tmp_path / "report.html")
    tree = xr.DataTree.from_dict({"/left": xr.Dataset()})
    with pytest.raises(TensorError, match="is a DataTree with 'left'"):
        report(tree, tmp_path / "report.html")
    with pytest.raises(TensorError, match="found none"):
        report([], tmp_path / "report.html")


def test_a_folder_as_the_place_of_the_page_is_refused_with_a_name_to_use(tmp_path):
    with pytest.raises(SourceError, match=r"is a folder: name the HTML file.*report\.html"):
        report(make_tree(analyses=()), tmp_path)


def test_a_name_without_an_ending_becomes_html(tmp_path):
    assert report(make_tree(analyses=()), tmp_path / "results").name == "results.html"
