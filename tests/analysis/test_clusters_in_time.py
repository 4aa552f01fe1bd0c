import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from popdyn.analysis.clusters_in_time import cluster_masses, cluster_p, largest_mass
from popdyn.errors import TensorError

VALUES = st.floats(-4, 4, allow_nan=False, width=32) | st.just(np.nan)


def labelled(statistic, threshold, side):
    """Mass per bin by scipy's labelling, one sign at a time."""
    mass = np.zeros(statistic.shape)
    for sign in (1, -1) if side == "both" else (1,):
        label, n = ndimage.label(np.nan_to_num(sign * statistic) > threshold)
        for i in range(1, n + 1):
            mass[label == i] = np.abs(statistic[label == i]).sum()
    return mass


@given(arrays(np.float64, (12,), elements=VALUES), st.sampled_from(["both", "upper"]))
def test_masses_agree_with_scipys_labels(statistic, side):
    expected = labelled(statistic, 1.5, side)
    mass, label = cluster_masses(statistic, 1.5, side=side)
    np.testing.assert_allclose(mass, expected)
    np.testing.assert_array_equal(label > 0, expected > 0)
    np.testing.assert_allclose(largest_mass(statistic, 1.5, side=side), expected.max())


@given(arrays(np.float64, (3, 2, 7), elements=VALUES))
def test_rows_do_not_touch_each_other(statistic):
    mass, label = cluster_masses(statistic, 1.0)
    for index in np.ndindex(3, 2):
        own_mass, own_label = cluster_masses(statistic[index], 1.0)
        np.testing.assert_allclose(mass[index], own_mass)
        assert (label[index] > 0).tolist() == (own_label > 0).tolist()
        present = label[index][label[index] > 0]
        assert present.size == 0 or (np.diff(present) >= 0).all()


def test_a_change_of_sign_ends_a_cluster():
    mass, label = cluster_masses(np.array([3.0, 3.0, -4.0, 0.0]), 2.0)
    assert mass.tolist() == [6, 6, 4, 0]
    assert label.tolist() == [1, 1, 2, 0]


def test_p_counts_draws_with_a_cluster_as_large_anywhere_in_the_window():
    null = np.zeros((19, 4))
    null[:3, 0] = 7.0
    p, _ = cluster_p(np.array([0.0, 3.0, 3.0, np.nan]), null, 2.0)
    np.testing.assert_array_equal(p, [1.0, 4 / 20, 4 / 20, np.nan])


def test_a_threshold_may_differ_from_bin_to_bin():
    p, label = cluster_p(np.array([2.5, 2.5]), np.zeros((9, 2)), np.array([2.0, 3.0]))
    assert p.tolist() == [0.1, 1.0]
    assert label.tolist() == [1, 0]


@pytest.mark.parametrize("threshold", [0.0, -1.0])
def test_a_threshold_of_zero_is_refused(threshold):
    with pytest.raises(TensorError, match="must be above 0"):
        cluster_p(np.zeros(3), np.zeros((5, 3)), threshold)


def test_null_draws_of_another_shape_are_refused():
    with pytest.raises(TensorError, match=r"shape \(draw, 3\), found \(5, 4\)"):
        cluster_p(np.zeros(3), np.zeros((5, 4)), 1.0)
