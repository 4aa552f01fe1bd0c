import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from popdyn.plot.style import (
    add_legend,
    axis_label,
    condition_colors,
    condition_styles,
    new_axes,
    plain,
    source_colors,
    style_axes,
    time_label,
)


def test_given_axes_are_used_and_left_alone():
    ax = Figure().add_subplot()
    assert new_axes(ax) is ax
    assert ax.spines["top"].get_visible()


def test_new_axes_touch_neither_pyplot_nor_the_settings():
    before = dict(mpl.rcParams)
    ax = new_axes()
    assert not ax.spines["top"].get_visible()
    assert dict(mpl.rcParams) == before
    plt = pytest.importorskip("matplotlib.pyplot")
    assert plt.get_fignums() == []


def test_eight_conditions_have_colors_of_their_own_that_can_be_told_apart():
    colors = condition_colors([str(i) for i in range(8)])
    values = np.array([to_rgb(color) for color in colors.values()])
    distance = np.linalg.norm(values[:, None] - values[None], axis=2) + 9 * np.eye(8)
    assert distance.min() > 0.25


def test_beyond_eight_the_line_style_tells_conditions_apart():
    labels = [str(i) for i in range(24)]
    colors, styles = condition_colors(labels), condition_styles(labels)
    assert len({(colors[label], styles[label]) for label in labels}) == 24


def test_a_source_keeps_its_color_when_another_one_is_added_behind_it():
    assert source_colors(["a", "b"])["a"] == source_colors(["a", "b", "c"])["a"]


def test_labels_name_the_unit():
    assert axis_label("potential", "mV") == "potential (mV)"
    assert axis_label("rate", "1") == "rate (dimensionless)"
    assert axis_label("spike_count", "1") == "spike count (spikes per bin)"
    assert time_label("go_time") == "time from go_time (s)"
    assert time_label("") == "time (s)"


@pytest.mark.parametrize("text", ["$\\frac{", "a $5 b $6", "_hidden", "x^2_3", "<b>&amp;"])
def test_any_text_can_be_drawn_and_appears_in_the_legend(text):
    ax = style_axes(new_axes())
    ax.set_title(plain(text))
    ax.plot([0, 1], [0, 1], label=plain(text))
    assert len(add_legend(ax).get_texts()) == 1
    ax.figure.canvas.draw()
