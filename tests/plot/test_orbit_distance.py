from __future__ import annotations

import importlib

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import popdyn as pdn

# The function bears its module's name, so the module is asked for by name.
draw = importlib.import_module("popdyn.plot.relative_distance").relative_distance


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    stimulus = np.repeat([0.5, 0.6, 0.7, 0.8, 0.9], 8)
    time = 0.02 * np.arange(-10, 20)
    states = np.stack([20 * np.sin(3 * time)[:, None] + 0 * stimulus, 20 * np.cos(3 * time)[:, None]
                       + 0 * stimulus, 10 * stimulus + 0 * time[:, None]])  # fmt: skip
    values = 50 + np.concatenate([states, states]) + rng.normal(0, 0.2, (6, 30, 40))
    x = pdn.make_tensor(values, time, trials={"stimulus": stimulus}, align="go_time")
    x = x.assign_coords(stimulus=x.stimulus.assign_attrs(units="s"))
    return pdn.relative_distance(x, "stimulus", n_components=3, n_draws=20)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_distances_are_drawn_over_time_and_thin_where_an_orbit_ends(result):
    result = result.copy(deep=True)
    result["saturated"][3:6, 1] = True
    ax = draw(result)
    thin, thick = ax.lines[2], ax.lines[3]
    np.testing.assert_allclose(thin.get_ydata(), result.distance[:, 1])
    assert np.isnan(thick.get_ydata()[3:6]).all()
    np.testing.assert_allclose(thick.get_ydata()[6:], result.distance[6:, 1])
    assert ax.get_ylabel() == "distance (Hz √neurons)"
    assert ax.get_xlabel().startswith("time")
    assert [bar.get_ylabel() for bar in ax.figure.axes[1:]] == ["stimulus (s)"]


def test_orbits_are_drawn_in_two_components_or_three(result):
    ax = draw(result, of="orbits")
    np.testing.assert_allclose(ax.lines[0].get_xdata(), result.trajectory[0, :, 0])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), result.trajectory[1, :, 0])
    solid = plt.figure().add_subplot(projection="3d")
    assert draw(result, of="orbits", ax=solid) is solid
    assert solid.get_zlabel() == "component 3"
    line = result.isel(component=[0])
    with pytest.raises(pdn.TensorError, match="one component is no plane"):
        draw(line, of="orbits")


def test_mean_distances_are_drawn_against_the_stimulus(result):
    ax = draw(result, of="mean")
    points = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(points[:, 0], result.stimulus)
    np.testing.assert_allclose(points[:, 1], result.mean_distance)
    bounds = np.array([path.vertices[:, 1] for path in ax.collections[0].get_paths()]).T
    np.testing.assert_allclose(bounds, result.mean_distance_bound)
    assert ax.get_title() == "95 % bounds over trials"
    colors = ax.collections[-1].get_facecolors()
    assert len(np.unique(colors, axis=0)) == 5


def two_sets():
    """Five stimuli of one set and five of another, which share one."""
    stimulus = np.repeat([0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 1.0, 1.1, 1.2, 1.3], 4)
    context = np.repeat(["short", "long"], 20)
    time = 0.02 * np.arange(20)
    values = np.random.default_rng(0).normal(50, 0.2, (3, 20, 40))
    values += 30 * stimulus * np.array([1.0, 0.5, 0.2])[:, None, None]
    return pdn.make_tensor(values, time, {"stimulus": stimulus, "context": context})


def test_sets_of_stimuli_are_told_apart_by_line_and_marker():
    by = ["stimulus", "context"]
    own = pdn.relative_distance(two_sets(), by, n_components=2, n_splits=0, alignment="time")
    dashed = (own["context"] == own["context"][-1]).values
    for part, step in (("distance", 2), ("orbits", 3)):
        ax = draw(own, of=part)
        styles = np.array([line.get_linestyle() for line in ax.lines[: 10 * step : step]])
        assert (styles == "--").tolist() == dashed.tolist(), part
        assert {t.get_text() for t in ax.get_legend().get_texts()} == {"short", "long"}
    ax = draw(own, of="mean")
    points = [part for part in ax.collections if len(part.get_offsets()) == 5]
    assert len({len(part.get_paths()[0].vertices) for part in points}) == 2


def test_ordered_conditions_of_an_average_have_a_scale_of_colors_and_a_style_a_set():
    ax = pdn.plot.condition_average(pdn.condition_average(two_sets(), ["stimulus", "context"]))
    assert len({line.get_color() for line in ax.lines if len(line.get_xdata()) > 2}) == 9
    styles = [line.get_linestyle() for line in ax.lines if len(line.get_xdata()) > 2]
    assert sorted(styles) == ["-"] * 5 + ["--"] * 5
    few = two_sets().assign_coords(code=("trial", np.tile([0, 1, 2, 1], 10)))
    ax = pdn.plot.condition_average(pdn.condition_average(few, "code"))
    assert ax.lines[0].get_color() == "#0072B2"  # categories coded by numbers are no scale


def test_pooled_distances_have_a_mean_alone(result):
    pooled = pdn.pool_distances({"a": result, "b": result}, n_draws=3)
    ax = pdn.show(pooled)
    assert ax.get_xlabel() == "stimulus (s)"
    assert ax.get_ylabel() == "mean distance (dimensionless)"


def test_bad_requests_are_refused(result):
    with pytest.raises(pdn.TensorError, match="of must be one of 'distance', 'orbits', 'mean'"):
        draw(result, of="speed")
    with pytest.raises(pdn.TensorError, match="draws mean_distance"):
        draw(xr.Dataset())
