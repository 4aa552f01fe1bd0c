"""Plain forms of what KiNeT adds to the authors' code."""

from __future__ import annotations

from functools import cache


def cheapest_path(cost):
    """Least sum of ``cost[row][column]`` over columns that never fall, by trying all.

    Parameters
    ----------
    cost : ndarray, shape (row, column)

    Returns
    -------
    float
    """

    @cache
    def from_row(row, least):
        if row == len(cost):
            return 0.0
        return min(
            float(cost[row][column]) + from_row(row + 1, column)
            for column in range(least, len(cost[row]))
        )

    return from_row(0, 0)
