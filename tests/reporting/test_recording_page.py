"""The page of a recording: what is wrong first, pictures, every column, nothing that runs."""

import html
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest

import popdyn as pdn
from popdyn.reporting import recording_page
from tests.io.recordings import ALM, HUMAN, SHIPPED, STARTS, THALAMUS, beside, make_file, trials

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Collect the text, the tags, the addresses and the attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.images, self.attributes = [], [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def read(path):
    return Reader(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Write the pages of the shipped recordings, once."""
    folder = tmp_path_factory.mktemp("pages")
    return {path: pdn.describe_page(path, folder / f"{path.stem}.html") for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_page_holds_all_of_the_summary_and_asks_for_nothing(path, pages):
    summary, found = pdn.describe_nwb(path), read(pages[path])
    text = found.text
    for line in (*summary.problems, summary.suggestion):
        assert " ".join(line.split()) in text
    for table in summary.tables:
        for column in table.columns:
            assert column.name in text
            assert " ".join(column.values.split()) in text
    assert "script" not in found.tags
    assert all(image["src"].startswith("data:image/") for image in found.images)
    assert all(image["alt"] for image in found.images)
    assert pages[path].stat().st_size < 3_000_000
    written = pages[path].read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:|#)', written)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_looks_wrong_comes_before_everything_else(path, pages):
    text = read(pages[path]).text
    order = [
        text.index(words) for words in ("What looks wrong", "Read it", "Contents", "Rates over")
    ]
    assert order == sorted(order)


def test_each_table_has_its_pictures(pages):
    # Rates, mean rate, spikes, drift; structure and events of three tables.
    assert len(read(pages[HUMAN]).images) == 4 + 2 * 3
    # Of a single neuron a distribution says nothing.
    assert len(read(pages[ALM["369963"]]).images) == 3 + 2


def test_the_page_adds_what_only_the_whole_session_shows(pages):
    text = read(pages[THALAMUS]).text
    assert "all neurons are silent together for 2 s and more" in text
    assert (
        "the rate of 1 of 1 neurons at least doubles or halves" in read(pages[ALM["369963"]]).text
    )


def test_the_same_file_gives_the_same_bytes(pages, tmp_path):
    again = pdn.describe_page(THALAMUS, tmp_path / "again.html")
    assert again.read_bytes() == pages[THALAMUS].read_bytes()


def test_a_table_and_an_event_can_be_asked_for(tmp_path):
    page = pdn.describe_page(
        HUMAN, tmp_path / "page.html", trials="recognition_table", align="response_time"
    )
    text = read(page).text
    call = f"pdn.read_nwb('{HUMAN.as_posix()}', align='response_time', window=(-0.5, 1.0), "
    assert call + "trials='recognition_table')" in text
    assert "around response_time, with its 95 % band over trials" in text
    assert "marks the trials of recognition_table" in text
    assert text.index("Table recognition_table") < text.index("Table encoding_table")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_suggested_call_runs_as_it_stands_and_finds_spikes(path, pages):
    (call,) = re.findall(r'<pre class="whole"[^>]*>(.*?)</pre>', pages[path].read_text(), re.S)
    call = html.unescape(call)
    assert call == pdn.describe_nwb(path).suggestion
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pdn.PopdynWarning)
        tensor = eval(call, {"pdn": pdn})
    assert tensor.attrs["align"] in tensor.coords or tensor.attrs["align"] == "start_time"
    assert np.isfinite(tensor).any()
    seen = tensor.values[np.isfinite(tensor.values)]
    assert 0.05 < seen.mean() / 0.010 < 100  # Hz
    assert (tensor.sum("time") > 0).any("neuron").mean() > 0.3


def test_texts_of_the_file_do_not_run(tmp_path):
    path = make_file(
        tmp_path / "evil.nwb",
        spikes=[np.arange(200) * 0.25],
        trials={**trials(), "note": [EVIL] * 10, "go_time": STARTS + 1.0},
        descriptions={"note": EVIL, "go_time": EVIL},
        neurons={"place": [EVIL]},
        session_description=EVIL,
        identifier=EVIL,
        lab=EVIL,
        table="img_onerror_table",
    )
    found = read(pdn.describe_page(path, tmp_path / "evil.html"))
    assert "script" not in found.tags
    assert not [name for name in found.attributes if name.startswith("on")]
    assert EVIL in found.text


@pytest.mark.parametrize("path", beside("awkward"), ids=lambda path: path.name)
def test_a_file_without_neurons_gets_a_page_all_the_same(path, tmp_path):
    summary = pdn.describe_nwb(path)
    found = read(pdn.describe_page(path, tmp_path / "page.html"))
    assert summary.suggestion in found.text
    assert bool(found.images) == (summary.neurons is not None)
    for table in summary.tables:
        assert f"Table {table.name}" in found.text


@pytest.mark.parametrize("path", beside("invalid"), ids=lambda path: path.name)
def test_a_file_that_cannot_be_read_leaves_no_page(path, tmp_path):
    with pytest.raises(pdn.SourceError) as said:
        pdn.describe_page(path, tmp_path / "page.html")
    assert "\n" not in str(said.value)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read_as_a_session_leaves_the_rest_of_the_page(tmp_path, monkeypatch):
    def refuse(path, trials):
        message = "trials is damaged"
        raise pdn.SourceError(message)

    monkeypatch.setattr(recording_page, "read_session", refuse)
    found = read(pdn.describe_page(ALM["369963"], tmp_path / "page.html"))
    assert "there are no pictures of trials: trials is damaged" in found.text
    assert not found.images
    assert "cue_start_time" in found.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"trials": "encoding"},
            "no interval table 'encoding'; it has encoding_table, recognition",
        ),
        ({"trials": "recogniton_table"}, "did you mean 'recognition_table'"),
        ({"align": "boundary_time"}, "no event in encoding_table 'boundary_time'.*did you mean"),
        ({"align": "Clip_name"}, "no event in encoding_table 'Clip_name'"),
    ],
)
def test_a_table_or_event_that_is_not_there_is_refused_in_words(options, words, tmp_path):
    with pytest.raises(pdn.SourceError, match=words):
        pdn.describe_page(HUMAN, tmp_path / "page.html", **options)
    assert not list(tmp_path.iterdir())


def test_the_page_never_replaces_the_recording(tmp_path):
    path = make_file(tmp_path / "a.nwb")
    before = path.read_bytes()
    (tmp_path / "link.html").hardlink_to(path)
    for target in (path, tmp_path / "." / "a.nwb", tmp_path / "link.html"):
        with pytest.raises(pdn.SourceError, match="is the recording itself: name another file"):
            pdn.describe_page(path, target)
    with pytest.raises(pdn.SourceError, match="is a folder: name the HTML file"):
        pdn.describe_page(path, tmp_path)
    with pytest.raises(pdn.SourceError, match="the folder .*nowhere does not exist; make it first"):
        pdn.describe_page(path, tmp_path / "nowhere" / "a.html")
    assert path.read_bytes() == before


def test_without_a_name_the_page_is_called_like_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pdn.describe_page(ALM["369963"]).name == f"{ALM['369963'].stem}.html"


def test_describing_draws_no_warning_that_the_page_tells(tmp_path):
    # Warnings are errors here: reading this file as a session warns of partial coverage.
    assert (
        "recorded from first to last spike"
        in read(pdn.describe_page(THALAMUS, tmp_path / "page.html")).text
    )
