from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn


def average(factors):
    """Averages over a grid of factors, the first of which moves neuron 0."""
    grid = np.meshgrid(*factors.values(), indexing="ij")
    columns = {name: ("condition", axis.ravel()) for name, axis in zip(factors, grid, strict=True)}
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 15, grid[0].size)) * 0.1
    values[0] += np.searchsorted(np.unique(grid[0]), grid[0].ravel())
    return xr.DataArray(values, dims=("neuron", "time", "condition"), coords=columns)


def courses(ax):
    """Panels with a line per condition."""
    return [panel for panel in ax.child_axes if len(panel.lines) > 3]


def test_courses_carry_the_color_of_the_first_factor_and_the_style_of_the_others():
    """Labels cannot be swapped: https://github.com/machenslab/dPCA/issues/15."""
    factors = {"stimulus": np.array([10.0, 20.0, 30.0]), "decision": np.array(["left", "right"])}
    result = pdn.DPCA(("stimulus", "decision")).fit(average(factors)).to_dataset()
    ax = pdn.show(result)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [
        "stimulus 10", "stimulus 20", "stimulus 30", "decision left", "decision right",
    ]  # fmt: skip
    handles = dict(zip(texts, ax.get_legend().legend_handles, strict=True))
    panels = courses(ax)
    assert len(panels) == 12
    first = int(np.flatnonzero(result["marginalization_of"] == "stimulus")[0])
    panel = next(p for p in panels if p.get_title().startswith(f"{first + 1}: "))
    for line, number in zip(panel.lines, range(6), strict=False):
        np.testing.assert_allclose(
            line.get_ydata(), result["trajectory"].isel(component=first, condition=number)
        )
        stimulus = result["stimulus"].values[number]
        decision = result["decision"].values[number]
        assert line.get_color() == handles[f"stimulus {stimulus:.0f}"].get_color()
        assert line.get_linestyle() == handles[f"decision {decision}"].get_linestyle()


def test_variances_are_drawn_as_they_are():
    result = pdn.DPCA(["stimulus"], 2).fit(average({"stimulus": np.arange(4)})).to_dataset()
    ax = pdn.plot.dpca(result)
    overview = next(
        panel for panel in ax.child_axes if panel.get_ylabel() == "explained variance (%)"
    )
    np.testing.assert_allclose(overview.lines[0].get_ydata(), 100 * result.pca_cumulative_ratio)
    np.testing.assert_allclose(overview.lines[1].get_ydata(), 100 * result.cumulative_ratio)


def test_bars_mark_what_is_significant():
    stimulus = np.repeat([0, 1], 10)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 8, 20)) + 3 * stimulus * (np.arange(8) > 3)[:, None]
    tensor = pdn.make_tensor(values, 0.1 * np.arange(8), {"stimulus": stimulus}, units="1")
    dpca = pdn.DPCA(["stimulus"], 1).fit(tensor)
    found = dpca.significance(tensor, n_folds=20, n_draws=39)
    ax = pdn.plot.dpca(dpca, significance=found)
    bars = [
        line for panel in ax.child_axes for c in panel.collections for line in c.get_segments()
        if len(panel.lines) == 3
    ]  # fmt: skip
    assert len(bars) == int((found.p_corrected < 0.05).sum()) > 2


def test_another_result_is_refused():
    with pytest.raises(pdn.TensorError, match=r"plot\.dpca draws trajectory"):
        pdn.plot.dpca(xr.Dataset(attrs={"method": "decode"}))
    dpca = pdn.DPCA(("stimulus",), 1).fit(average({"stimulus": np.array([1, 2])}))
    with pytest.raises(pdn.TensorError, match=r"plot\.dpca\(significance=\) draws .* 'decode'"):
        pdn.plot.dpca(dpca, significance=xr.Dataset(attrs={"method": "decode"}))
    with pytest.raises(pdn.PopdynError, match=r"plot\.dpca\(result of the DPCA, significance=this"):
        pdn.show(xr.Dataset(attrs={"method": "dpca_significance"}))


def test_with_three_factors_lines_are_named_in_full_and_what_is_not_drawn_is_said():
    levels = {name: np.array([1, 2]) for name in ("motion", "color", "context")}
    ax = pdn.show(pdn.DPCA(tuple(levels), 1).fit(average(levels)).to_dataset())
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[2] == "color 1, context 1"
    drawn = [text.get_text() for text in ax.texts]
    assert "not drawn: color x context, motion x color x context" in drawn
