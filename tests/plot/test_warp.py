import warnings

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import popdyn as pdn
from popdyn.plot.style import GUIDE_COLOR
from popdyn.tensor.session import make_session

EVENTS = ["cue_time", "set_time", "go_time"]
SECOND = np.array([0.6, 0.9, 1.0, 1.2, 1.3, 2.6])


def session(obs=None, n_neurons=2):
    start = 5.0 * np.arange(6)
    trials = dict(zip(EVENTS, (start, start + 0.4, start + 0.4 + SECOND), strict=True))
    spikes = np.sort(np.random.default_rng(0).uniform(0, 30, (n_neurons, 300)))
    return make_session(
        spikes.ravel(), 300 * np.arange(n_neurons + 1), trials=trials | {"side": list("lrlrlr")},
        obs=obs,
    )  # fmt: skip


def warp(x, n_bins=(2, 10)):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pdn.warp(x, EVENTS, list(n_bins))


def cut(window=(0.0, 1.8)):
    return warp(pdn.align(session(), "cue_time", window, 0.02))


def panels(ax):
    ax.figure.canvas.draw()
    below, above = ax.figure.axes
    return below, above


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def steps(ax):
    return [(p.get_data().values, p.get_data().edges) for p in ax.patches if hasattr(p, "get_data")]


def test_every_trial_is_in_a_bar_at_its_duration_and_the_far_ones_stand_out():
    warped = warp(session())
    ax = pdn.plot.warp(warped)
    second = [p for p in ax.patches if hasattr(p, "get_width") and p.get_x() > 1]
    colors = {p.get_facecolor() for p in second}
    assert len(colors) == 2
    far = [p for p in second if p.get_facecolor()[0] > 0.5]
    assert len(far) == 1
    assert far[0].get_y() <= 2.6 <= far[0].get_y() + far[0].get_height()
    unit = far[0].get_width()
    assert round(sum(p.get_width() for p in second) / unit) == SECOND.size
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "duration (s)"


def test_the_axis_names_events_and_median_durations():
    ax = pdn.plot.warp(warp(session()))
    assert ax.get_xlim() == (0, 2)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cue", "set", "go"]
    assert ax.get_xlabel() == "phase of warped time\n(median durations 0.4, 1.1 s)"
    with_four = pdn.warp(session(), EVENTS[:2], 2)
    assert "median durations 0.4 s" in pdn.plot.warp(with_four).get_xlabel()


def test_survivors_and_their_durations_fall_where_the_window_ends():
    warped = cut()
    below, above = panels(pdn.plot.warp(warped))
    ((n_seen, edges),) = steps(above)
    np.testing.assert_array_equal(n_seen, np.isfinite(warped).all("neuron").sum("trial"))
    np.testing.assert_allclose(edges, [0, 0.5, *np.linspace(1, 2, 11)])
    assert (n_seen[0], n_seen[-1]) == (6, 5)
    first, second = (values for values, _ in steps(below))
    np.testing.assert_allclose(first, 0.4)
    assert second[0] == pytest.approx(1.1)
    assert second[-1] == pytest.approx(1.0)


def test_phases_that_no_trial_reaches_are_left_blank():
    below, above = panels(pdn.plot.warp(cut((0.0, 0.8))))
    assert steps(above)[0][0][-1] == 0
    assert np.isnan(steps(below)[1][0][-1])


def test_trials_that_only_some_neurons_saw_are_drawn_apart():
    one = session(([0.0, 0.0], [12.0, 40.0], [0, 1]))
    _, above = panels(pdn.plot.warp(warp(one)))
    (some, _), (every, _) = steps(above)
    assert set(some) == {6}
    assert set(every) == {3}
    assert texts(above) == ["of 6 trials\n(0 left out)", "seen by all neurons"]
    _, whole = panels(pdn.plot.warp(warp(session())))
    assert len(steps(whole)) == 1


def test_trials_left_out_are_counted_in_the_picture():
    late = session()
    late = late.assign_coords(go_time=("trial", [np.nan, *late["go_time"].values[1:]]))
    late["go_time"].attrs = {"units": "s", "clock": "session"}
    _, above = panels(pdn.plot.warp(warp(late)))
    assert texts(above) == ["of 5 trials\n(1 left out)"]


def test_show_draws_a_warped_tensor_and_its_average(tmp_path):
    warped = warp(session())
    assert pdn.show(warped).get_ylabel() == "duration (s)"
    loaded = pdn.load(pdn.save(warped, tmp_path / "warped.nc"))
    assert pdn.show(loaded).get_ylabel() == "duration (s)"
    average = pdn.condition_average(warped, "side")
    assert pdn.show(average).get_xlabel().startswith("phase of warped time")


def test_the_average_is_drawn_on_the_phase_axis_with_the_durations_of_each_condition():
    average = pdn.condition_average(warp(session()), "side")
    ax = pdn.plot.condition_average(average, neuron=1)
    line = next(line for line in ax.lines if line.get_label().startswith("l "))
    np.testing.assert_array_equal(line.get_xdata(), average["phase"])
    np.testing.assert_array_equal(line.get_ydata(), average["rate"].values[1, :, 0])
    assert texts(ax) == ["l (n = 3)\n0.4, 1 s", "r (n = 3)\n0.4, 1.2 s"]
    guides = [line for line in ax.lines if line.get_color() == GUIDE_COLOR]
    assert [line.get_xdata()[0] for line in guides] == [1]
    assert ax.get_ylabel() == "rate (Hz)"


def test_it_draws_on_given_axes_and_changes_nothing():
    warped = cut()
    before = warped.copy(deep=True)
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    assert pdn.plot.warp(warped, ax=right) is right
    figure.canvas.draw()
    assert warped.identical(before)
    assert not left.lines


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (np.ones(3), "found ndarray"),
        (xr.DataArray(np.ones((1, 2)), dims=("neuron", "time")), "dims .'neuron', 'time'."),
        (xr.Dataset(), "found Dataset"),
    ],
)
def test_what_is_not_warped_is_refused(given, found):
    with pytest.raises(pdn.TensorError, match=rf"draws the trials of popdyn.warp.*{found}"):
        pdn.plot.warp(given)


def test_an_average_is_not_the_trials_that_the_picture_needs():
    average = pdn.condition_average(warp(session()), "side")
    with pytest.raises(pdn.TensorError, match="draws the trials of popdyn.warp"):
        pdn.plot.warp(average["rate"])
