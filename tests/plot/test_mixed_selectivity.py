"""Shares of kinds of selectivity, over time and as bars."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn


def result_of(n_bins):
    rng = np.random.default_rng(0)
    motion, color = np.arange(40) % 2, np.arange(40) // 2 % 2
    values = 20 + 4.0 * motion + rng.normal(size=(8, n_bins, 40))
    trials = {"motion": motion, "color": color}
    tensor = pdn.make_tensor(values, 0.1 * np.arange(n_bins), trials, bin_width=0.1)
    return pdn.mixed_selectivity(tensor, ["motion", "color"])


def test_a_single_bin_is_bars_as_high_as_shares():
    result = result_of(1)
    ax = pdn.show(result)
    assert [bar.get_height() for bar in ax.patches] == result["share"].values[:, 0].tolist()
    assert ax.get_xlabel() == "selectivity of 8 neurons"


def test_several_bins_are_a_line_for_each_kind():
    result = result_of(3)
    ax = pdn.plot.mixed_selectivity(result)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    for kind in result["selectivity_kind"].values:
        assert drawn[str(kind)] == pytest.approx(result["share"].sel(selectivity_kind=kind).values)
    assert ax.get_xlabel() == "time (s)"
