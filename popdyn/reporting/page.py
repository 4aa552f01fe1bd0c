"""A page that knows nothing of science: sections, text, tables and figures to one HTML file."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from urllib.parse import quote

import jinja2
from markupsafe import Markup

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Text:
    """Paragraphs in one voice.

    Attributes
    ----------
    paragraphs
        Plain text, escaped when written.
    kind
        ``"plain"``, ``"note"`` (what to keep in mind), ``"warning"`` (what looks wrong) or
        ``"quote"`` (a sentence to copy).
    label
        A few words set before the first paragraph.
    """

    paragraphs: tuple[str, ...]
    kind: str = "plain"
    label: str = ""


@dataclass(frozen=True)
class Items:
    """A bulleted list.

    Attributes
    ----------
    items
        One text a bullet.
    kind
        As in `Text`.
    label
        Text above the list.
    """

    items: tuple[str, ...]
    kind: str = "plain"
    label: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    main
        What is read first.
    details
        Smaller lines under it.
    quiet
        Whether the cell holds a reason instead of a number.
    """

    main: str
    details: tuple[str, ...] = ()
    quiet: bool = False


@dataclass(frozen=True)
class Header:
    """The head of a column or of a panel.

    Attributes
    ----------
    text
        Its words.
    color
        ``"#rrggbb"`` of the thing it stands for, or ``""``.
    """

    text: str
    color: str = ""


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows.

    Attributes
    ----------
    caption
        What the table holds.
    header
        Head of every column, the first included.
    rows
        Cells of each row, the first of which is the head of the row.
    """

    caption: str
    header: tuple[Header, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Link:
    """A file beside the page.

    Attributes
    ----------
    text
        Its words.
    path
        Path relative to the page, with ``/``.
    """

    text: str
    path: str

    @property
    def address(self) -> str:
        """The path as an address, so that any character may be in a file name."""
        return quote("./" + self.path)


@dataclass(frozen=True)
class Panel:
    """One picture of a figure, or the words that stand in its place.

    Attributes
    ----------
    header
        Name and color.
    svg
        The picture, or None.
    png
        The picture where that is smaller.
    alt
        The picture in words.
    reason
        Why there is no picture.
    links
        Files that hold the same.
    """

    header: Header
    svg: bytes | None = None
    alt: str = ""
    reason: str = ""
    links: tuple[Link, ...] = ()
    png: bytes | None = None

    @property
    def data(self) -> str:
        """The picture as a data address, empty without one."""
        kind, content = ("svg+xml", self.svg) if self.svg else ("png", self.png)
        return f"data:image/{kind};base64,{base64.b64encode(content).decode()}" if content else ""


@dataclass(frozen=True)
class Figure:
    """Panels side by side under one caption.

    Attributes
    ----------
    title
        What the caption starts with.
    panels
        The panels, which wrap on a narrow screen.
    caption
        Sentences under them.
    notes
        Bullets under the caption, as a rule one for each panel.
    wide
        Whether panels take the whole width, and scroll sideways on a narrow screen.
    """

    title: str
    panels: tuple[Panel, ...]
    caption: tuple[str, ...]
    notes: tuple[str, ...] = ()
    wide: bool = False


@dataclass(frozen=True)
class Code:
    """Text in which every space counts.

    Attributes
    ----------
    caption
        What it is.
    text
        The text.
    folded
        Whether a reader has to open it first.
    whole
        Whether a click marks all of it, to be copied.
    """

    caption: str
    text: str
    folded: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Files:
    """A list of files beside the page.

    Attributes
    ----------
    caption
        What they are.
    links
        The files.
    """

    caption: str
    links: tuple[Link, ...]


Block = Text | Items | Table | Figure | Code | Files


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it.

    Attributes
    ----------
    title
        The heading.
    blocks
        Content, in order.
    sections
        Sections one level down, after the content.
    """

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes
    ----------
    title
        Its title.
    lead
        The answer in a paragraph or two, before the table of contents.
    sections
        The rest.
    footer
        The last line.
    """

    title: str
    lead: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = field(default=())
    footer: str = ""


def html(page: Page) -> str:
    """Write a page as one HTML file that asks for nothing else.

    Parameters
    ----------
    page
        The page.

    Returns
    -------
    str
        HTML with its style and its pictures inside; no script.

    Raises
    ------
    ValueError
        If a color is not ``"#rrggbb"``.

    Examples
    --------
    >>> text = html(Page("1 < 2", sections=(Section("Numbers"),)))
    >>> "<h1>1 &lt; 2</h1>" in text, "<script" in text
    (True, False)
    """
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_template),
    )
    environment.tests["kind"] = lambda block, kind: type(block).__name__ == kind
    environment.filters["color"] = _color
    numbers = {anchor: number for anchor, number, _ in _walk(page.sections)}
    # The style is ours, not a reader's text: escaping would break its selectors.
    style = Markup(_template("style.css"))  # noqa: S704
    written = environment.get_template("page.html").render(page=page, style=style, numbers=numbers)
    return written.rstrip() + "\n"


def _template(name: str) -> str:
    """Return the text of a file in ``templates``."""
    return files("popdyn.reporting").joinpath("templates", name).read_text(encoding="utf-8")


def _color(header: Header) -> str:
    """Return the color of a header after checking that it is nothing but a color."""
    if not _COLOR.fullmatch(header.color):
        message = f"A color is written '#rrggbb', found {header.color!r} for {header.text!r}."
        raise ValueError(message)
    return header.color


def _walk(sections: tuple[Section, ...], prefix: str = "") -> Iterator[tuple[str, str, Section]]:
    """Yield the anchor, the number and the section, in reading order."""
    for position, section in enumerate(sections, start=1):
        number = f"{prefix}{position}"
        yield "section-" + number.replace(".", "-"), number, section
        yield from _walk(section.sections, number + ".")
