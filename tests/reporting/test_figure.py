"""Figures are the same bytes every time, whatever the user's settings."""

import re

import matplotlib as mpl
import numpy as np

from popdyn.reporting import figure


def drawn(label="left"):
    with figure.settings():
        own, ax = figure.new_figure()
        ax.plot([0.0, 1.0], [0.0, 1.0], label=label)
        ax.scatter(np.arange(300.0), np.arange(300.0), rasterized=True)
        ax.legend()
        figure.legend_below(own, ax)
        return figure.drawing(own)


def test_the_same_figure_gives_the_same_bytes_and_holds_no_date():
    first, second = drawn(), drawn()
    assert first == second
    assert b"<dc:date>" not in first.svg
    assert b"CreationDate" not in first.pdf


def test_settings_of_the_user_change_nothing_and_come_back():
    before = drawn()
    with mpl.rc_context({"font.size": 20.0, "svg.fonttype": "none", "lines.linewidth": 9.0}):
        assert drawn() == before
        assert mpl.rcParams["font.size"] == 20.0


def test_text_is_drawn_as_shapes_so_that_no_font_is_needed():
    assert b"<text" not in drawn().svg
    assert b"font-family" not in drawn().svg


def test_a_letter_that_the_font_lacks_is_no_warning():
    assert drawn("日本").svg.startswith(b"<?xml")


def test_a_legend_moves_below_and_the_figure_grows_for_it():
    with figure.settings():
        own, ax = figure.new_figure()
        height = own.get_size_inches()[1]
        ax.plot([0, 1], label="a" * 40)
        ax.plot([0, 1], label="b" * 40)
        ax.legend(title="side")
        figure.legend_below(own, ax)
    assert ax.get_legend() is None
    assert [text.get_text()[0] for text in own.legends[0].get_texts()] == ["a", "b"]
    assert own.get_size_inches()[1] > height


def test_the_smallest_text_is_above_nine_pixels_on_a_phone():
    width = float(re.search(rb'<svg [^>]*width="([\d.]+)pt"', drawn().svg).group(1))
    pixels_of_seven_points = 7 * (390 - 2 * 0.7 * 16) / width
    assert pixels_of_seven_points >= 9
