"""Mixtures of Gaussians about zero: planted groups, units, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from popdyn.analysis.mixtures import zero_mean_mixture
from popdyn.errors import FitError


def planted(n_points=600, seed=0):
    """Two groups of opposite correlations in a plane, twice as many in the first, and noise."""
    rng = np.random.default_rng(seed)
    member = np.arange(n_points) >= 2 * n_points // 3
    points = rng.standard_normal((n_points, 3))
    points[:, 1] = np.where(member, -1, 1) * points[:, 0] + 0.2 * points[:, 1]
    return points, member


def fitted(points, n_groups=2, n_starts=8):
    return zero_mean_mixture(points, n_groups, np.random.default_rng(1), n_starts=n_starts)


def test_planted_groups_are_found_the_largest_first():
    points, member = planted()
    mixture = fitted(points)
    # Near the origin groups overlap: the best labels agree to 0.74 with those planted.
    assert adjusted_rand_score(member, mixture.label) > 0.65
    assert mixture.weight == pytest.approx([2 / 3, 1 / 3], abs=0.05)
    correlation = [one[0, 1] / np.sqrt(one[0, 0] * one[1, 1]) for one in mixture.covariance]
    assert correlation == pytest.approx([0.98, -0.98], abs=0.02)


def test_neither_units_nor_rotations_change_a_label():
    points, _ = planted()
    turned = points @ np.linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))[0]
    label = fitted(points).label
    assert adjusted_rand_score(label, fitted(points * [1e-3, 1.0, 50.0]).label) > 0.99
    assert adjusted_rand_score(label, fitted(turned).label) > 0.99


def test_the_mean_stays_at_zero_and_is_part_of_the_spread():
    points = np.random.default_rng(0).standard_normal((400, 2)) + [3.0, 0.0]
    mixture = fitted(points, n_groups=1, n_starts=1)
    assert mixture.covariance[0] == pytest.approx(points.T @ points / 400, rel=0.02, abs=0.05)


def test_columns_that_follow_from_others_or_are_zero_are_no_obstacle():
    points, member = planted()
    more = np.column_stack([points, points[:, 0] + points[:, 1], np.zeros(len(points))])
    assert adjusted_rand_score(fitted(points).label, fitted(more).label) > 0.99


def test_too_few_points_are_refused_with_the_number_that_is_needed():
    with pytest.raises(FitError, match=r"3 Gaussians in 3 dimensions needs at least 12 points, fo"):
        fitted(planted()[0][::60], n_groups=3)
