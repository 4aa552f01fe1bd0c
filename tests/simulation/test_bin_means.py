"""Means over bins: blocks of any lengths give what a plain loop gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from popdyn.simulation.bin_means import BinMeans


def by_hand(values, every):
    """Mean over each bin of the straight lines between steps, one bin after the other."""
    n_bins = (len(values) - 1) // every
    return np.array(
        [np.trapezoid(values[i * every : (i + 1) * every + 1], axis=0) / every
         for i in range(n_bins)]
    ).reshape(n_bins, *values.shape[1:])  # fmt: skip


@given(st.integers(1, 9), st.lists(st.integers(0, 13), min_size=1, max_size=8), st.integers(0, 99))
def test_blocks_of_any_lengths_fill_the_same_bins(every, lengths, seed):
    values = np.random.default_rng(seed).standard_normal((sum(lengths) + 1, 2, 3))
    means, found, first = BinMeans(every), [], 0
    for length in lengths:
        found.append(means.add(values[first : first + length + 1]))
        first += length
    assert np.concatenate(found) == pytest.approx(by_hand(values, every), abs=1e-13)


def test_means_are_arrays_of_their_own_in_the_precision_of_the_values():
    values = np.ones((4, 1, 2), np.float32)
    for every in (1, 3):
        means = BinMeans(every).add(values)
        means[:] = 7
        assert means.dtype == np.float32
        assert (values == 1).all()
