"""Gains of groups by context."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from tests.analysis.test_context_tuning import made


def test_a_point_for_each_group_is_its_gain():
    tensor, group = made()
    result = pdn.context_tuning(tensor, ["motion", "color"], groups=group, n_draws=50)
    ax = pdn.show(result)
    drawn = [line.get_ydata() for line in ax.lines[:2]]
    expected = result["gain_ratio"].sel(condition="motion").values
    assert drawn == [pytest.approx(row) for row in expected]
    bounds = [[side[:, 1] for side in bar.get_segments()] for bar in ax.collections]
    expected = result["gain_ratio_bound"].sel(condition="motion").transpose("group", ..., "bound")
    assert np.allclose(bounds, expected)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one (30)", "two (30)"]
    assert ax.get_title() == "in motion"


def _overlap(ax):
    """Whether names of neighboring columns lie over each other."""
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.get_xticklabels()]
    return any(one.overlaps(other) for one, other in zip(boxes[:-1], boxes[1:], strict=True))


@pytest.mark.parametrize("given", [False, True], ids=["new", "given"])
def test_names_of_contexts_of_two_columns_do_not_overprint(given):
    from matplotlib.figure import Figure

    tensor, group = made()
    other = np.random.default_rng(0).choice([-0.4, 0.4], 240)
    tensor = tensor.assign_coords(stimulus_2=("trial", other))
    by = ["context", "stimulus_2"]
    result = pdn.context_tuning(tensor, ["motion", "color"], by, groups=group, n_draws=50)
    panel = Figure(figsize=(5, 4)).add_subplot() if given else None
    ax = pdn.plot.context_tuning(result, ax=panel)
    assert len(ax.get_xticklabels()) == 6
    assert not _overlap(ax)
    name = ax.yaxis.label.get_window_extent()
    assert name.y0 >= 0
    assert name.y1 <= ax.figure.bbox.height
    assert ax.get_xlim() == (-0.5, 5.5)


def test_many_contexts_are_named_upright():
    tensor, _ = made()
    rule = np.char.add("rule number ", (np.arange(240) % 9).astype(str))
    result = pdn.context_tuning(
        tensor.assign_coords(rule=("trial", rule)), ["motion", "color"], "rule", n_draws=50
    )
    ax = pdn.show(result)
    assert not _overlap(ax)
    assert ax.get_xticklabels()[0].get_rotation() == 90


def test_words_say_why_there_is_no_ratio():
    tensor, group = made()
    result = pdn.context_tuning(tensor, ["motion", "color"], groups=group, n_draws=1)
    assert not pdn.show(result).texts
    result["gain_ratio"][:, 1] = np.nan
    (text,) = pdn.show(result).texts
    assert " ".join(text.get_text().split()) == "no tuning beyond errors in color"
    assert text.get_position() == (1, 0.5)
    result["gain_ratio"][:] = np.nan
    (text,) = pdn.show(result).texts
    assert text.get_position() == (0.5, 0.5)
    once = tensor.assign_coords(context=("trial", ["one"] * 240))
    alone = pdn.context_tuning(once, ["motion"], n_draws=1)
    assert [text.get_text() for text in pdn.show(alone).texts] == ["one context only"]
