"""A page knows nothing of science: it escapes, numbers its sections and asks for nothing else."""

import re

import pytest

from popdyn.reporting.page import (
    Cell,
    Code,
    Figure,
    Files,
    Header,
    Items,
    Link,
    Page,
    Panel,
    Section,
    Table,
    Text,
    html,
)

EVIL = "<script>alert('x')</script> & \"quoted\" 日本"


def test_text_is_escaped_wherever_it_stands():
    panel = Panel(Header(EVIL, "#112233"), b"<svg/>", alt=EVIL, links=(Link(EVIL, EVIL),))
    blocks = (
        Text((EVIL,), "note", EVIL),
        Items((EVIL,), "warning", EVIL),
        Table(EVIL, (Header(EVIL),), ((Cell(EVIL, (EVIL,)),),)),
        Figure(EVIL, (panel, Panel(Header(EVIL), reason=EVIL)), (EVIL,), (EVIL,)),
        Code(EVIL, EVIL),
        Code(EVIL, EVIL, folded=True),
        Files(EVIL, (Link(EVIL, EVIL),)),
    )
    written = html(Page(EVIL, blocks, (Section(EVIL, blocks, (Section(EVIL, blocks),)),), EVIL))
    assert "<script" not in written
    assert "&lt;script&gt;alert(" in written
    assert not re.search(r'="[^"]*<script', written)


def test_a_page_asks_for_nothing_and_runs_nothing():
    written = html(Page("title", sections=(Section("a", (Text(("b",)),)),)))
    assert not re.search(r"(src|href)=\"(?!data:|#|\./)", written)
    assert "<script" not in written
    assert "http" not in written
    assert "@import" not in written


def test_sections_are_numbered_and_the_contents_lead_to_each():
    inner = (Section("third", sections=(Section("fourth"),)),)
    written = html(Page("title", sections=(Section("first"), Section("second", sections=inner))))
    targets = re.findall(r'href="#([^"]+)"', written)
    assert targets == ["section-1", "section-2", "section-2-1", "section-2-1-1"]
    assert re.findall(r'<section id="([^"]+)"', written) == targets
    assert '<h2><span class="number">2</span> second</h2>' in written
    assert '<h3><span class="number">2.1</span> third</h3>' in written
    assert '<h4><span class="number">2.1.1</span> fourth</h4>' in written


def test_sections_open_and_close_in_pairs():
    inner = (Section("b", (Text(("x",)),)), Section("c"))
    written = html(Page("t", sections=(Section("a", sections=inner), Section("d"))))
    assert written.count("<section") == written.count("</section>") == 4


def test_heads_of_rows_and_columns_say_what_they_are_heads_of():
    table = Table("caption", (Header("a"), Header("b", "#00ff00")), ((Cell("c"), Cell("d")),))
    written = html(Page("t", (table,)))
    assert written.count('<th scope="col">') == 2
    assert written.count('<th scope="row">') == 1
    assert 'role="region" tabindex="0" aria-label="caption"' in written


def test_every_picture_has_its_words():
    panel = Panel(Header("a"), b"<svg/>", alt="what is seen")
    for wide in (False, True):
        written = html(Page("t", (Figure("f", (panel,), ("c",), wide=wide),)))
        assert written.count("<img ") == written.count('alt="what is seen"') == 1


def test_a_color_that_is_no_color_is_refused_in_words():
    with pytest.raises(ValueError, match=r"A color is written '#rrggbb', found 'red;x' for 'a'"):
        html(Page("t", (Table("c", (Header("a", "red;x"),), ()),)))


def test_links_lead_to_files_of_any_name():
    written = html(Page("t", (Files("c", (Link("CSV", "a b_files/x#1?.csv"),)),)))
    assert 'href="./a%20b_files/x%231%3F.csv"' in written
