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
        },
        coords={"onset": onset, "bound": ["lower", "upper"]},
        attrs={"method": "separatrix_distance"},
    )
    ax = pdn.show(result)
    beside = ax.figure.axes[1]
    np.testing.assert_array_equal(ax.lines[0].get_xydata().T, [onset, [3.0, 1.0, 2.0]])
    np.testing.assert_array_equal(beside.lines[0].get_ydata(), [9.0, 7.0, 8.5])
    assert ax.get_ylabel() == "separatrix distance (Hz √neurons)"
    assert ax.get_title() == "correlation 0.99"
    assert {0.5, 4.0} <= set(ax.collections[0].get_paths()[0].vertices[:, 1])
    plt.close("all")


def test_other_results_are_refused():
    with pytest.raises(pdn.TensorError, match="draws separatrix_distance and threshold"):
        pdn.plot.separatrix_distance(xr.Dataset())
