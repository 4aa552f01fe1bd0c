import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color
from matplotlib.figure import Figure

import popdyn as pdn
from popdyn.plot.style import condition_colors
from popdyn.tensor.session import make_session

TIME = 0.1 * np.arange(6) - 0.25


def rates(n_trials=12, seed=0, label="choice"):
    rng = np.random.default_rng(seed)
    choice = np.tile(["left", "right"], n_trials // 2)
    values = rng.gamma(4, 1, size=(3, 6, n_trials))
    values[1, 3:] += 8 * (choice == "right")
    return pdn.make_tensor(
        values, TIME, {label: choice}, {"id": ["n0", "n1", "n2"]}, align="go_time"
    )


@pytest.fixture
def average():
    return pdn.condition_average(rates(), "choice")


@pytest.fixture
def spikes():
    session = make_session(
        [0.1, 1.2, 2.3],
        [0, 3],
        trials={"go_time": [0.0, 1.0, 2.0], "side": ["r", "l", "r"]},
    )
    return pdn.raster(session, "go_time", (-0.5, 1.0), 0, "side")


@pytest.fixture
def decoded():
    return pdn.decode(rates(40), "choice", n_draws=99)


def drawn(ax):
    """Legend entries, after drawing everything once."""
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_raster_has_a_tick_per_spike_in_the_color_of_its_condition(spikes):
    ax = pdn.plot.raster(spikes)
    ticks = [c for c in ax.collections if isinstance(c, LineCollection)]
    colors = condition_colors(["l", "r"])
    assert [len(c.get_segments()) for c in ticks] == [1, 2]
    assert [same_color(c.get_color(), colors[k]) for c, k in zip(ticks, "lr", strict=True)] == [
        True,
        True,
    ]
    first = ticks[0].get_segments()[0]
    np.testing.assert_allclose(first[:, 0], 0.2)
    np.testing.assert_allclose(first[:, 1].mean(), 0)
    assert ax.get_ylim() == (2.5, -0.5)
    assert ax.get_xlim() == (-0.5, 1.0)
    assert ax.get_xlabel() == "time from go_time (s)"
    assert drawn(ax) == ["l (n = 1)", "r (n = 2)"]
    assert ax.get_legend().get_title().get_text() == "side"


def test_the_average_shows_the_most_modulated_neuron_and_its_standard_error(average):
    ax = pdn.plot.condition_average(average)
    assert ax.get_title() == "neuron n1"
    assert ax.get_ylabel() == "rate (Hz)"
    assert drawn(ax) == ["left (n = 6)", "right (n = 6)"]
    line = next(line for line in ax.lines if line.get_label() == "right (n = 6)")
    right = average.sel(neuron="n1", condition="right")
    np.testing.assert_allclose(line.get_ydata(), right["rate"])
    band = ax.collections[-2].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(float((right["rate"] + right["standard_error"]).max()))


def test_another_neuron_can_be_asked_for_by_its_id(average):
    assert pdn.plot.condition_average(average, neuron="n2").get_title() == "neuron n2"
    with pytest.raises(pdn.TensorError, match=r"no neuron with id 'n22'\. Did you mean 'n2'\?"):
        pdn.plot.condition_average(average, neuron="n22")


def test_bins_with_fewer_than_half_the_trials_are_faded():
    tensor = rates()
    tensor.values[:, 4:, 2:10] = np.nan
    ax = pdn.plot.condition_average(pdn.condition_average(tensor, "choice"), neuron="n1")
    solid = next(line for line in ax.lines if line.get_label() == "left (n = 6)")
    assert np.isnan(solid.get_ydata()).tolist() == [False] * 4 + [True] * 2
    faded = [line for line in ax.lines if (line.get_alpha() or 1) < 0.5]
    assert len(faded) == 2
    assert np.isfinite(faded[0].get_ydata()).all()


def test_a_bare_array_of_averages_is_drawn_without_uncertainty(average):
    from popdyn.tensor.contract import check_average

    ax = pdn.plot.condition_average(check_average(average["rate"]))
    assert drawn(ax) == ["left", "right"]
    assert not ax.collections


def test_decoding_shows_accuracy_null_chance_and_where_the_null_is_beaten(decoded):
    ax = pdn.plot.decode(decoded, color="#123456")
    assert drawn(ax) == ["shuffled labels", "choice", "chance", "p < 0.05 (corrected)"]
    accuracy = next(line for line in ax.lines if line.get_label() == "choice")
    np.testing.assert_array_equal(accuracy.get_ydata(), decoded["accuracy"])
    assert accuracy.get_color() == "#123456"
    bars = next(c for c in ax.collections if isinstance(c, LineCollection))
    centers = [segment[:, 0].mean() for segment in bars.get_segments()]
    np.testing.assert_allclose(centers, TIME[decoded["p_corrected"].values < 0.05])
    assert min(centers) > 0
    assert ax.get_ylabel() == "balanced accuracy (share of trials)"


def scores():
    dims = ("measure", "source")
    value = np.array([[0.8, 0.5], [3.0, np.nan]])
    return xr.Dataset(
        {
            "value": (dims, value),
            "bound_value": (("bound", *dims), np.stack([value - 0.1, value + 0.1])),
            "null_value": (("bound", *dims), np.stack([value * 0 + 0.4, value * 0 + 0.6])),
            "p": (dims, [[0.0001, 0.4], [np.nan, np.nan]]),
            "reason": (dims, [["", ""], ["", "too few neurons or trials for PCA: 6 neurons"]]),
        },
        coords={
            "measure": ["accuracy of choice", "participation ratio"],
            "source": ["mouse", "network"],
            "unit": ("measure", ["1", "1"]),
        },
        attrs={"method": "scorecard"},
    )


def test_the_scorecard_gives_numbers_intervals_and_reasons():
    ax = pdn.plot.scorecard(scores())
    ax.figure.canvas.draw()
    texts = [text.get_text().replace("\n", " ") for text in ax.texts]
    assert "0.8  [0.7, 0.9]  p = .0001" in texts
    assert "0.5  [0.4, 0.6]  p = .40" in texts
    assert "too few neurons or trials for PCA: 6 neurons" in texts
    first, second = ax.child_axes
    assert len(first.patches) == 2  # a null band per source
    assert len(second.patches) == 1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "mouse",
        "network",
        "null (95 %)",
    ]


def test_nothing_of_the_scorecard_overlaps_or_leaves_the_page():
    ax = pdn.plot.scorecard(scores())
    ax.figure.canvas.draw()
    page = ax.figure.bbox
    boxes = [text.get_window_extent() for text in ax.texts]
    boxes += [panel.get_tightbbox() for panel in ax.child_axes]
    for number, box in enumerate(boxes):
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


@pytest.mark.parametrize("kind", ["average", "spikes", "decoded"])
def test_show_draws_by_method_on_the_axes_it_is_given(kind, request):
    result = request.getfixturevalue(kind)
    before = result.copy(deep=True)
    ax = Figure().add_subplot()
    assert pdn.show(result, ax=ax) is ax
    assert result.popdyn.show(ax=ax) is ax
    assert ax.get_xlabel() == "time from go_time (s)"
    assert result.identical(before)


def test_show_draws_a_node_of_a_tree():
    tree = xr.DataTree.from_dict({"/comparison/scorecard": scores()})
    assert len(pdn.show(tree["/comparison/scorecard"]).child_axes) == 2


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (xr.Dataset(attrs={"method": "tea"}), r"raster, condition_average, .*; found method 'tea'"),
        (xr.Dataset(), r"found no method \(attrs\['method'\]\)"),
        (3, r"found int"),
        (rates(), r"found DataArray\. A tensor is averaged first: show\(condition_average"),
    ],
)
def test_what_has_no_picture_is_refused_in_words(thing, words):
    with pytest.raises(pdn.PopdynError, match=words):
        pdn.show(thing)


def test_the_plots_of_the_namespace_are_functions_not_modules():
    for name in pdn.plot.__all__:
        assert callable(getattr(pdn.plot, name)), name


@pytest.mark.parametrize(
    "name", ["raster", "pca", "explained_variance", "relative_distance", "decode", "scorecard"]
)
def test_a_plot_refuses_the_result_of_another_analysis(name):
    other = xr.Dataset({"psychometric": ("stimulus", [0.0])}, attrs={"method": "psychometric"})
    draw = getattr(pdn.plot, name)
    with pytest.raises(pdn.TensorError, match=rf"plot.{name} draws .*method 'psychometric'"):
        draw(other)
    with pytest.raises(pdn.TensorError, match="found ndarray"):
        draw(np.ones(3))
