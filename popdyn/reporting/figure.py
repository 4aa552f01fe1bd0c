"""A matplotlib figure as SVG and PDF: the same bytes every time, text legible when scaled."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Inches. A phone 390 px wide shows a figure of this width at about 1.35 px a point, so that
# the smallest text of the plots, 7 points, stays above 9 px.
WIDTH = 3.6
HEIGHT = 2.7
# Inches: two columns of a journal page; a phone scrolls sideways through such a figure.
PAGE_WIDTH = 7.0
# Bytes; smaller pictures stay SVG even where PNG would be smaller still.
_LARGE = 100_000
# Letters of a legend that fit in the width.
_LINE = 62

_SETTINGS: dict[str, object] = {
    "svg.hashsalt": "popdyn",
    "svg.fonttype": "path",
    "svg.image_inline": True,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "figure.dpi": 100.0,
    "savefig.dpi": 200.0,
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "savefig.transparent": False,
    "axes.formatter.use_locale": False,
    "axes.unicode_minus": True,
    "text.usetex": False,
    "path.simplify": True,
}


@dataclass(frozen=True)
class Drawing:
    """One figure ready for a page and for a folder.

    Attributes
    ----------
    svg
        The figure as an SVG file.
    pdf
        The figure as a PDF file.
    width, height
        Size in inches.
    """

    svg: bytes
    pdf: bytes
    width: float
    height: float


@contextmanager
def settings() -> Iterator[None]:
    """Draw and save inside this block, so that the user's matplotlib settings change nothing.

    Yields
    ------
    None

    Examples
    --------
    >>> with settings():
    ...     figure, ax = new_figure()
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Make a figure with one pair of axes that no window knows of.

    Parameters
    ----------
    width, height
        Size in inches.

    Returns
    -------
    Figure, Axes

    Examples
    --------
    >>> figure, ax = new_figure(3.0, 2.0)
    >>> [float(side) for side in figure.get_size_inches()]
    [3.0, 2.0]
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def legend_below(figure: Figure, ax: Axes) -> None:
    """Move a legend under the axes, so that a narrow figure keeps its width for the data.

    Parameters
    ----------
    figure
        The figure; it grows by the height of the legend.
    ax
        Axes that may hold a legend; without one nothing happens.

    Examples
    --------
    >>> figure, ax = new_figure()
    >>> _ = ax.plot([0, 1], label="left")
    >>> _ = ax.legend()
    >>> legend_below(figure, ax)
    >>> ax.get_legend() is None, len(figure.legends)
    (True, 1)
    """
    legend = ax.get_legend()
    if legend is None:
        return
    handles, labels = legend.legend_handles, [text.get_text() for text in legend.get_texts()]
    title = legend.get_title().get_text()
    legend.remove()
    lines = [line for label in [*labels, title] for line in label.split("\n")]
    longest = max((len(line) for line in lines), default=1)
    n_columns = max(1, min(len(labels), _LINE // (longest + 6)))
    n_rows = -(-len(labels) // n_columns) + bool(title)
    n_rows += sum(label.count("\n") for label in labels) if n_columns == 1 else 0
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.15 * n_rows)
    figure.legend(
        [handle for handle in handles if handle is not None],
        labels,
        title=title or None,
        loc="outside lower center",
        ncols=n_columns,
        frameon=False,
        fontsize=7.0,
        title_fontsize=7.0,
        handlelength=1.6,
        columnspacing=1.2,
    )


def drawing(figure: Figure) -> Drawing:
    """Save a figure as SVG and PDF without dates or random ids.

    Parameters
    ----------
    figure
        The figure, drawn inside `settings`; its layout is fixed from then on.

    Returns
    -------
    Drawing

    Examples
    --------
    >>> with settings():
    ...     figure, ax = new_figure()
    ...     first, second = drawing(figure), drawing(figure)
    >>> first == second
    True
    """
    width, height = (float(side) for side in figure.get_size_inches())
    with _boxes_for_missing_glyphs():
        figure.draw_without_rendering()
    # A constrained layout moves a little at every draw: SVG and PDF would differ.
    figure.set_layout_engine("none")
    svg = _saved(figure, "svg", {"Date": None, "Creator": None})
    pdf = _saved(figure, "pdf", {"CreationDate": None, "Creator": None, "Producer": None})
    return Drawing(svg, pdf, width, height)


def smaller(figure: Figure) -> tuple[bytes | None, bytes | None]:
    """Save a figure as SVG, or as PNG where that takes much less room.

    Parameters
    ----------
    figure
        The figure, drawn inside `settings`; its layout is fixed from then on.

    Returns
    -------
    bytes or None, bytes or None
        SVG and PNG, one of them None.  Up to 100 kB stay SVG, which is sharp at any size.

    Examples
    --------
    >>> with settings():
    ...     figure, ax = new_figure()
    ...     svg, png = smaller(figure)
    >>> svg is not None, png is None
    (True, True)
    """
    engine = figure.get_layout_engine()
    with _boxes_for_missing_glyphs():
        if engine is not None:
            engine.execute(figure)
    figure.set_layout_engine("none")
    svg = _saved(figure, "svg", {"Date": None, "Creator": None})
    if len(svg) <= _LARGE:
        return svg, None
    png = _saved(figure, "png", {"Software": None})
    return (svg, None) if len(svg) <= len(png) else (None, png)


def _saved(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    """Return the file that matplotlib would write."""
    buffer = io.BytesIO()
    with _boxes_for_missing_glyphs():
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


@contextmanager
def _boxes_for_missing_glyphs() -> Iterator[None]:
    """Let a label hold any character: one that the font lacks is drawn as a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
