from __future__ import annotations

import importlib

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.distance_euclidean import euclidean_distance

# The functions bear their modules' names, so the modules are asked for by name.
pca = importlib.import_module("popdyn.plot.pca").pca
explained_variance = importlib.import_module("popdyn.plot.explained_variance").explained_variance
relative_distance = importlib.import_module("popdyn.plot.relative_distance").relative_distance


@pytest.fixture(scope="module")
def tensor():
    rng = np.random.default_rng(0)
    time = np.linspace(-0.5, 0.5, 21)
    choice = ["left", "$right_"] * 8
    values = 10 + rng.normal(size=(6, 21, 16))
    values[:3, 10:, 1::2] += 4.0
    return pdn.make_tensor(values, time, {"choice": choice}, align="cue_time")


@pytest.fixture(scope="module")
def space(tensor):
    return pdn.PCA(3, by="choice", n_splits=4, n_draws=5).fit(tensor).to_dataset()


@pytest.fixture(scope="module")
def distance(tensor):
    return euclidean_distance(tensor, "choice", reference="left", n_draws=19)


def test_trajectories_are_drawn_as_they_are(space):
    ax = pca(space)
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["left"], space.trajectory[:2].sel(condition="left").T)
    assert ax.get_xlabel().startswith("PC1 (") and ax.get_xlabel().endswith("(Hz)")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [r"\$right_", "left"]
    ax.figure.canvas.draw()


def test_a_single_component_is_no_plane(tensor):
    one = pdn.PCA(1, by="choice", n_splits=2, n_draws=2).fit(tensor).to_dataset()
    with pytest.raises(pdn.TensorError, match="at least 2 components"):
        pca(one)
    with pytest.raises(pdn.TensorError, match="at least 2 components"):
        pca(pdn.PCA(2).fit(tensor).to_dataset())
    ax = explained_variance(one)
    assert ax.get_ylabel() == "cumulative variance (%)"


def test_shares_are_drawn_in_percent_with_the_null(space):
    ax = explained_variance(space)
    held_out = ax.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(held_out, 100 * space.cumulative_cross_validated_ratio)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "null, neurons shuffled",
        "data fitted to",
        "other half of the trials",
    ]
    assert "participation ratio" in ax.get_title()
    ax.figure.canvas.draw()


def test_distances_are_drawn_with_bounds_units_and_the_reference(distance):
    ax = relative_distance(distance)
    line = ax.lines[0]
    np.testing.assert_allclose(
        line.get_ydata(), distance.corrected_distance.sel(condition="$right_")
    )
    assert line.get_label() == r"\$right_ (p = 0.05)"
    assert ax.get_ylabel() == "distance to left (Hz √neurons)"
    assert ax.get_xlabel() == "time from cue_time (s)"
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(float(distance.distance_bound.max()))
    ax.figure.canvas.draw()


def test_distances_without_trials_say_that_noise_is_in_them(tensor):
    bare = pdn.condition_average(tensor, "choice")["rate"]
    ax = relative_distance(euclidean_distance(bare))
    assert ax.get_title() == "not corrected for noise"
    ax.figure.canvas.draw()


def test_plots_draw_on_the_given_axes_and_compute_nothing_from_other_results(space, distance):
    from popdyn.plot.style import new_axes

    ax = new_axes()
    assert pca(space, ax=ax) is ax
    for plot in (explained_variance, relative_distance):
        with pytest.raises(pdn.TensorError, match="found a result of method"):
            plot(xr.Dataset({"accuracy": ("time", np.ones(3))}))


def test_many_long_labels_leave_the_limits_to_the_data_and_the_title_within_the_figure():
    labels = [
        f"motion={m}, color={c}, context={k}" for m in (-1, 1) for c in (-1, 1) for k in (0, 1)
    ]
    values = np.random.default_rng(0).normal(size=(9, 20, 8)).cumsum(axis=1)
    average = xr.DataArray(
        values, dims=("neuron", "time", "condition"), coords={"condition": labels}
    )
    result = pdn.PCA(2, n_splits=2).fit(average).to_dataset()
    ax = pdn.plot.pca(result)
    ax.figure.canvas.draw()
    reach = np.abs(result["trajectory"].values).max()
    assert np.abs([*ax.get_xlim(), *ax.get_ylim()]).max() < 1.2 * reach
    assert ax.title.get_window_extent().x0 >= 0
    assert ax.get_window_extent().width > 0.3 * ax.figure.bbox.width


def test_a_single_component_is_told_what_draws_it():
    values = np.random.default_rng(0).normal(size=(9, 20, 2))
    one = pdn.PCA(1, n_splits=2).fit(xr.DataArray(values, dims=("neuron", "time", "condition")))
    with pytest.raises(pdn.TensorError, match=r"plot\.explained_variance\(result\)"):
        pdn.show(one)
