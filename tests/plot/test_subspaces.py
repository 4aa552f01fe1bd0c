from __future__ import annotations

import importlib

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn

# The functions bear their modules' names, so the modules are asked for by name.
subspace_overlap = importlib.import_module("popdyn.plot.subspace_overlap").subspace_overlap
space_map = importlib.import_module("popdyn.plot.space_map").space_map
epoch_axes = importlib.import_module("popdyn.plot.epoch_axes").epoch_axes


@pytest.fixture(scope="module")
def tensor():
    rng = np.random.default_rng(0)
    choice, context = np.tile([0, 0, 1, 1], 4), np.tile([0, 1], 8)
    values = rng.normal(size=(8, 12, 16))
    values[:3, :6] += 4.0 * choice
    values[3:5, 6:] += 4.0 * context
    trials = {"choice": choice, "context": context}
    return pdn.make_tensor(values, 0.1 * np.arange(12), trials, units="1")


def test_angles_are_drawn_in_degrees_beside_noise_and_chance(tensor):
    result = pdn.subspace_overlap(
        tensor, by="choice", epochs={"early $": (0.0, 0.3), "late": (0.3, 0.6)}, n_components=2,
        n_splits=3, n_draws=20,
    )  # fmt: skip
    ax = subspace_overlap(result)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:2] == ["by chance", "halves of the same"]
    assert labels[2] == r"early \$ and late, halves"
    line = next(
        line for line in ax.lines if line.get_marker() == "o" and line.get_color() == "#000000"
    )
    np.testing.assert_allclose(line.get_ydata(), np.degrees(result.between_angle))
    assert f"alignment {float(result.alignment_index):.2f}" in ax.get_title()
    ax.figure.canvas.draw()
    bare = pdn.subspace_overlap(
        np.eye(2, 9), np.eye(2, 9, 1), n_draws=20, covariance=np.eye(9)
    )  # fmt: skip
    assert "without noise" not in pdn.show(bare).get_title()


def test_a_map_is_drawn_over_its_null(tensor):
    average = pdn.condition_average(tensor, ["choice", "context"])
    result = pdn.SpaceMap(2, null="time", n_draws=30).fit(average, average)
    ax = space_map(result.to_dataset())
    there = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert there[0].get_xdata()[0] == pytest.approx(100 * float(result.result_.held_out_ratio))
    assert "unseen conditions" in ax.get_title()
    by_trial = pdn.SpaceMap(2, by="choice", n_draws=10).fit(tensor, tensor)
    ax = pdn.show(by_trial)
    assert "unseen times" in ax.get_title() and " to " in ax.get_title()
    ax.figure.canvas.draw()


def test_stages_are_drawn_with_their_sessions(tensor):
    axes = {"first": ("choice", (0.0, 0.6)), "second": ("context", (0.6, 1.2))}
    result = pdn.epoch_axes(
        [tensor] * 2 + [tensor + 0.1] * 2, axes, stage=["naive", "naive", "expert", "expert"],
        n_splits=3, n_folds=2, n_draws=20,
    )  # fmt: skip
    ax = epoch_axes(result)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["naive", "expert"]
    center = ax.lines[1].get_ydata()
    expected = np.degrees(result.stage_angle.sel(axis="first", other_axis="second"))
    np.testing.assert_allclose(center, expected)
    ax.figure.canvas.draw()
    with pytest.raises(pdn.TensorError, match="two of the axes first, second; found 'x' and"):
        epoch_axes(result, pair=("x", "second"))


@pytest.mark.parametrize("draw", [subspace_overlap, space_map, epoch_axes])
def test_other_results_are_refused(draw):
    with pytest.raises(pdn.TensorError, match="pdn.show.result. chooses the plot"):
        draw(xr.Dataset(attrs={"method": "pca"}))
