import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from tests.analysis.test_tdr import tensor


def model(regressors=("choice", "stimulus"), **options):
    options = {"smooth": 0, "n_draws": 40, "n_splits": 2, "n_components": None} | options
    return pdn.TDR(list(regressors), **options).fit(tensor())


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_conditions_are_drawn_in_the_plane_of_two_axes():
    result = model(by="stimulus").to_dataset()
    ax = pdn.show(result)
    projection = result["projection"].transpose("regressor", "time", "condition").values
    # Per condition: the line, its start, its end and two arms.
    for i, line in enumerate(ax.lines[::5]):
        np.testing.assert_array_equal(line.get_xdata(), projection[0, :, i])
        np.testing.assert_array_equal(line.get_ydata(), projection[1, :, i])
    assert len(ax.lines) == 20
    at = int(np.argmax(result["norm"].sel(regressor="choice").values))
    arm = result["projection_bound"].values[:, 0, at, 0]
    np.testing.assert_array_equal(ax.lines[3].get_xdata(), arm)
    assert ax.get_xlabel() == "choice axis (dimensionless)"
    assert ax.get_ylabel() == "stimulus axis (dimensionless)"
    assert labels(ax) == ["-1", "-0.5", "0.5", "1"]
    ax.figure.savefig("/dev/null", format="png")


def test_one_axis_is_drawn_over_time_with_bounds():
    result = model(by="choice").to_dataset()
    ax = pdn.plot.tdr(result, regressors=["stimulus"])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), result["projection"][1, :, 0])
    assert len(ax.collections) == 2
    assert ax.get_xlabel() == "time (s)"


def test_many_conditions_are_colored_by_a_column():
    x = tensor(n_trials=300)
    day = np.arange(300) % 2
    x = x.assign_coords(day=("trial", day))
    found = pdn.TDR(
        ["choice", "stimulus", "day"], smooth=0, n_draws=9, n_splits=1, n_components=None
    ).fit(x)
    ax = pdn.plot.tdr(found.to_dataset(), regressors=["choice", "stimulus"])
    assert found.result_.sizes["condition"] == 16
    assert labels(ax) == ["-1", "-0.5", "0.5", "1"]
    assert ax.get_legend().get_title().get_text() == "stimulus"


def test_strength_is_drawn_with_its_significant_bins():
    result = model().to_dataset()
    ax = pdn.plot.tdr_strength(result)
    for i, line in enumerate(ax.lines[:2]):
        np.testing.assert_array_equal(line.get_ydata(), result["strength"][i])
    assert [len(bars.get_segments()) for bars in ax.collections] == (
        (result["p"] < 0.05).sum("time").values.tolist()
    )
    assert ax.get_yscale() == "log"
    ax.figure.savefig("/dev/null", format="png")


def test_subspaces_are_drawn_over_time():
    options = {"smooth": 0, "n_draws": 9, "n_splits": 2, "n_ranks": {"choice": 2, "stimulus": 1}}
    result = pdn.MultiTDR(["choice", "stimulus"], **options).fit(tensor()).to_dataset()
    ax = pdn.show(result)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), result["time_course"][0, 0])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), result["time_course"][1, 0])
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), result["time_course"][2, 1])
    assert labels(ax)[0].startswith("choice: 2 (")
    assert labels(ax)[1].startswith("stimulus: 1 (")
    pdn.plot.tdr_strength(result)
    ax.figure.savefig("/dev/null", format="png")


def test_what_cannot_be_drawn_is_refused():
    result = model().to_dataset()
    with pytest.raises(TensorError, match="one or two of the axes choice, stimulus, found color"):
        pdn.plot.tdr(result, regressors=["color"])
    assert pdn.plot.tdr(result, regressors="choice").get_ylabel().startswith("choice axis")
    with pytest.raises(TensorError, match="plot.tdr draws projection"):
        pdn.plot.tdr(result.drop_vars("projection"))
