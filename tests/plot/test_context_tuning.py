"""Gains of groups by context."""

from __future__ import annotations

import pytest

import popdyn as pdn
from tests.analysis.test_context_tuning import made


def test_a_point_for_each_group_is_its_gain():
    tensor, group = made()
    result = pdn.context_tuning(tensor, ["motion", "color"], groups=group, n_draws=50)
    ax = pdn.show(result)
    drawn = [container.lines[0].get_ydata() for container in ax.containers]
    expected = result["gain_ratio"].sel(condition="motion").values
    assert drawn == [pytest.approx(row) for row in expected]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one (30)", "two (30)"]
    assert ax.get_title() == "in motion"
