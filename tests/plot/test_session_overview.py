"""Pictures of a session show the numbers of its overview, with units, on the axes they are given."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import popdyn as pdn
from popdyn.tensor.session import make_session

NAMES = [
    "session_overview",
    "population_rate",
    "session_raster",
    "trial_structure",
    "rate_distribution",
    "event_rate",
]


def overview(n_neurons=3, trials=None, obs=None):
    rng = np.random.default_rng(0)
    spikes = [np.sort(rng.uniform(0, 100, 200 * (i + 1))) for i in range(n_neurons)]
    starts = np.cumsum([0] + [own.size for own in spikes])
    if trials is None:
        start = np.arange(20) * 5.0
        go = np.where(np.arange(20) == 3, np.nan, start + 1.0)
        trials = {"start_time": start, "stop_time": start + 4.0, "go_time": go}
    session = make_session(np.concatenate(spikes), starts, trials=trials, obs=obs)
    return pdn.session_overview(session)


@pytest.fixture(scope="module")
def result():
    obs = (np.array([0.0, 0.0, 50.0]), np.array([100.0, 100.0, 100.0]), np.arange(3))
    return overview(obs=obs)


def labels(ax):
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_on_the_axes_it_is_given_and_leaves_the_result_alone(name, result):
    before, ax = result.copy(deep=True), Figure().add_subplot()
    assert getattr(pdn.plot, name)(result, ax=ax) is ax
    ax.figure.canvas.draw()
    assert result.identical(before)
    for label in (ax.get_xlabel(), ax.get_ylabel()):
        assert label.endswith(("(s)", "(Hz)", "(rank by rate)", "(id)", "(row of the table)")), (
            label
        )


@pytest.mark.parametrize("name", NAMES)
def test_another_result_is_refused_in_words(name):
    other = xr.Dataset({"psychometric": ("stimulus", [0.0])}, attrs={"method": "psychometric"})
    with pytest.raises(pdn.TensorError, match=rf"plot.{name} draws .*method 'psychometric'"):
        getattr(pdn.plot, name)(other)


def test_the_image_has_the_highest_rate_on_top_and_gray_where_nothing_was_observed(result):
    ax = pdn.show(result)
    image = ax.images[0].get_array()
    order = [1, 2, 0] if result["mean_rate"][2] < result["mean_rate"][1] else [2, 1, 0]
    np.testing.assert_allclose(image.filled(np.nan), result["rate"].values[order])
    assert image.mask[order.index(2), : image.shape[1] // 2 - 1].all()
    assert [text.get_text() for text in ax.get_yticklabels()] == [str(i) for i in order]
    assert ax.get_xlim() == (0.0, 100.0)


def test_one_burst_does_not_darken_all_the_rest():
    spikes = np.sort(np.r_[np.linspace(0, 100, 1000), np.linspace(50.01, 50.2, 5000)])
    result = pdn.session_overview(make_session(spikes, [0, spikes.size]))
    ax = pdn.plot.session_overview(result)
    assert float(result["rate"].max()) > 1000
    assert ax.images[0].norm.vmax < 50
    assert len(ax.child_axes) == 1


def test_the_population_rate_says_how_many_neurons_there_were(result):
    ax = pdn.plot.population_rate(result)
    (right,) = (other for other in ax.figure.axes if other is not ax)
    assert right.get_ylabel() == "neurons (dashed)"
    np.testing.assert_allclose(ax.patches[0].get_data().values, result["population_rate"])
    assert len(pdn.plot.population_rate(overview()).figure.axes) == 1


def test_the_raster_has_a_tick_per_spike_and_a_span_per_trial(result):
    ax = pdn.plot.session_raster(result)
    ticks = next(c for c in ax.collections if isinstance(c, LineCollection))
    assert len(ticks.get_segments()) == result.sizes["spike"]
    starts = np.array([segment[0, 0] for segment in ticks.get_segments()])
    np.testing.assert_allclose(starts, result["spike_time"])
    assert ax.get_xlim() == (result.attrs["raster_start"], result.attrs["raster_stop"])
    assert labels(ax) == ["trial", "go_time"]


def test_trials_without_a_stop_are_lines_at_their_start():
    start = np.arange(20) * 5.0
    ax = pdn.plot.session_raster(overview(trials={"start_time": start}))
    assert labels(ax) == ["trial"]
    assert not ax.patches
    drawn = [line.get_xdata()[0] for line in ax.lines]
    assert set(drawn) <= set(start)
    assert len(drawn) >= 5


def test_the_structure_has_a_mark_per_event_and_a_bar_per_trial(result):
    ax = pdn.plot.trial_structure(result)
    assert sorted(labels(ax)) == ["go_time (n = 19)", "start to stop"]
    marks = next(line for line in ax.lines if line.get_label() == "go_time (n = 19)")
    np.testing.assert_allclose(marks.get_xdata(), 1.0)
    assert marks.get_ydata().tolist() == [i for i in range(20) if i != 3]
    outline = ax.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in outline} >= {(4.0, -0.5), (4.0, 19.5), (0.0, -0.5)}
    assert ax.get_ylim() == (19.5, -0.5)


def test_an_event_far_off_is_an_arrow_at_the_edge():
    start = np.arange(200) * 5.0
    go = start + 1.0
    go[7] += 900
    ax = pdn.plot.trial_structure(overview(trials={"start_time": start, "go_time": go}))
    arrow = next(line for line in ax.lines if line.get_marker() == ">")
    assert arrow.get_ydata().tolist() == [7]
    assert arrow.get_xdata()[0] == ax.get_xlim()[1] < 10


def test_without_trials_the_structure_says_what_to_do():
    none = overview(trials={})
    with pytest.raises(pdn.TensorError, match="no trials to draw: read the session with trials="):
        pdn.plot.trial_structure(none)
    with pytest.raises(pdn.TensorError, match="there is no event None to draw; there are none"):
        pdn.plot.event_rate(none)
    for name in ("session_overview", "population_rate", "session_raster", "rate_distribution"):
        assert getattr(pdn.plot, name)(none).figure is not None


def test_a_line_leads_from_the_rate_at_the_start_to_that_at_the_end():
    rng = np.random.default_rng(0)
    fading = np.sort(100 * rng.beta(1, 4, 3000))
    steady = np.sort(rng.uniform(0, 100, 1000))
    session = make_session(np.r_[fading, steady], [0, 3000, 4000])
    result = pdn.session_overview(session)
    ax = pdn.plot.rate_distribution(result)
    changed = next(c for c in ax.collections if c.get_label() == "first to last third, changed")
    (segment,) = changed.get_segments()
    np.testing.assert_allclose(segment[:, 1], result["third_rate"][[0, 2], 0])
    dots = next(line for line in ax.lines if line.get_label() == "mean")
    np.testing.assert_allclose(dots.get_ydata(), result["mean_rate"])
    assert ax.get_yscale() == "log"


def test_one_event_has_a_band_and_all_have_a_line(result):
    every = pdn.plot.event_rate(result)
    assert labels(every) == ["start_time", "go_time", "stop_time"]
    assert not every.collections
    one = pdn.plot.event_rate(result, event="go_time")
    assert one.get_xlabel() == "time from go_time (s)"
    band = one.collections[0].get_paths()[0].vertices[:, 1]
    bound = result["event_rate_bound"].sel(around="go_time")
    assert band.max() == pytest.approx(float(bound.max()))
    with pytest.raises(pdn.TensorError, match="no event 'tea'.*; there are start_time, go_time"):
        pdn.plot.event_rate(result, event="tea")


def test_names_from_a_file_are_written_as_they_are():
    start = np.arange(20) * 5.0
    trials = {"start_time": start, "$x_time": start + 1, "_hidden_time": start + 2}
    result = overview(trials=trials)
    for name in ("trial_structure", "session_raster", "event_rate"):
        assert {r"\$x_time", " _hidden_time"} <= set(labels(getattr(pdn.plot, name)(result)))
