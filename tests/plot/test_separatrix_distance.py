from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import popdyn as pdn


def test_distance_and_threshold_are_drawn_over_the_onset():
    onset = np.array([1.5, 2.0, 2.5])
    result = xr.Dataset(
        {
            "separatrix_distance": ("onset", [3.0, 1.0, 2.0], {"units": "Hz*sqrt(neurons)"}),
            "separatrix_distance_bound": (("bound", "onset"), [[2.0, 0.5, 1.5], [4.0, 1.5, 2.5]]),
            "threshold": ("onset", [9.0, 7.0, 8.5]),
            "correlation": 0.987,
            "correlation_bound": ("bound", [0.5, 0.999]),
        },
        coords={"onset": onset, "bound": ["lower", "upper"]},
        attrs={"method": "separatrix_distance"},
    )
    ax = pdn.show(result)
    beside = ax.figure.axes[1]
    np.testing.assert_array_equal(ax.lines[0].get_xydata().T, [onset, [3.0, 1.0, 2.0]])
    np.testing.assert_array_equal(beside.lines[0].get_ydata(), [9.0, 7.0, 8.5])
    assert ax.get_ylabel() == "separatrix distance (Hz √neurons)"
    assert ax.get_title() == "correlation 0.99 [0.50, 1.00] of 3 onsets"
    assert [path.vertices[:, 1].tolist() for path in ax.collections[0].get_paths()] == [
        [2.0, 4.0], [0.5, 1.5], [1.5, 2.5],
    ]  # fmt: skip
    plt.close("all")


def test_onsets_without_a_distance_are_crossed_and_those_alone_have_their_bounds():
    result = xr.Dataset(
        {
            "separatrix_distance": ("onset", [3.0, np.nan, 2.0]),
            "corrected_distance": ("onset", [2.5, np.nan, 1.5]),
            "separatrix_distance_bound": (("bound", "onset"), [[2.0, np.nan, 0], [3, np.nan, 2.5]]),
            "threshold": ("onset", [9.0, np.nan, 8.5]),
        },
        coords={"onset": [1.5, 2.0, 2.5]},
    )
    ax = pdn.plot.separatrix_distance(result)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2.5, np.nan, 1.5])
    assert ax.lines[1].get_xdata().tolist() == [2.0]
    assert [one.get_text() for one in ax.texts] == ["× no distance"]
    assert ax.get_ylim()[0] == 0.0
    plt.close("all")


def test_the_distance_by_bisection_has_the_same_picture():
    result = xr.Dataset(
        {"separatrix_distance": ("onset", [3.0, 2.0]), "threshold": ("onset", [0.3, 0.2])},
        coords={"onset": [0.3, 0.8]},
        attrs={"method": "separatrix_bisect"},
    )
    ax = pdn.show(result)
    assert ax.lines[0].get_ydata().tolist() == [3.0, 2.0] and not ax.texts
    plt.close("all")


def test_other_results_are_refused():
    with pytest.raises(pdn.TensorError, match="draws separatrix_distance and threshold"):
        pdn.plot.separatrix_distance(xr.Dataset())
