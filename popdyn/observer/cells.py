"""Trials as counts in cells: a likelihood is computed once per cell, however many trials it holds.

Columns with few values have a cell for each.  Others are put on a grid: what a smooth function is
worth at a trial is the cubic through the four nearest cells, and a sum over trials one over cells,
whose counts need to be made only once for each bootstrap draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Array = NDArray[np.float64]

_FEW_ROWS = 600
_FEW_VALUES = 48


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells and the weight of each in each trial.

    Attributes
    ----------
    columns : dict of ndarray, shape (cell,)
    weights : sparse array, shape (trial, cell)
    is_exact : bool
        Whether every trial is a cell's own.
    """

    columns: dict[str, Array]
    weights: csr_array
    is_exact: bool

    def counts(self, trial_weights: Array) -> Array:
        """Add up trials by cell: one row of counts per row of weights (draw, trial)."""
        return np.asarray((self.weights.T @ trial_weights.T).T)


def make_cells(columns: dict[str, Array], steps: dict[str, float]) -> Cells:
    """Put trials into cells.

    Parameters
    ----------
    columns : dict of ndarray, shape (trial,)
    steps : dict
        Distance of cells along columns that may be put on a grid.

    Returns
    -------
    Cells

    Examples
    --------
    >>> cells = make_cells({"stimulus": np.array([1.0, 2.0, 1.0])}, {})
    >>> cells.columns["stimulus"].tolist(), cells.counts(np.ones((1, 3))).tolist()
    ([1.0, 2.0], [[2.0, 1.0]])
    """
    table = np.stack(list(columns.values()), axis=1)
    rows, which = np.unique(table, axis=0, return_inverse=True)
    n_trials = len(table)
    if len(rows) <= _FEW_ROWS or not steps:
        weights = csr_array(
            (np.ones(n_trials), (np.arange(n_trials), which.ravel())), shape=(n_trials, len(rows))
        )
        parts = {name: rows[:, i] for i, name in enumerate(columns)}
        return Cells(parts, weights, True)
    axes = [_axis(values, steps.get(name)) for name, values in columns.items()]
    return _product(list(columns), axes)


@dataclass(frozen=True, eq=False)
class _Axis:
    """Places along a column, and the index and weight of the nearest in each trial."""

    place: Array
    index: NDArray[np.intp]
    weight: Array


def _axis(values: Array, step: float | None) -> _Axis:
    unique, which = np.unique(values, return_inverse=True)
    if step is None or len(unique) <= _FEW_VALUES:
        return _Axis(unique, which.reshape(-1, 1), np.ones((len(values), 1)))
    low = unique[0] - 1.5 * step
    n_places = int(np.ceil((unique[-1] - low) / step)) + 3
    at = (values - low) / step
    first = np.floor(at).astype(np.intp) - 1
    t = at - (first + 1)
    # Lagrange's cubic through the places -1, 0, 1 and 2.
    weight = np.stack(
        [
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        ],
        axis=1,
    )
    return _Axis(low + step * np.arange(n_places), first[:, None] + np.arange(4), weight)


def _product(names: list[str], axes: list[_Axis]) -> Cells:
    """Combine axes into cells, those that some trial needs."""
    n_trials = len(axes[0].index)
    index, weight = np.zeros((n_trials, 1), dtype=np.intp), np.ones((n_trials, 1))
    for axis in axes:
        index = (index[:, :, None] * len(axis.place) + axis.index[:, None, :]).reshape(n_trials, -1)
        weight = (weight[:, :, None] * axis.weight[:, None, :]).reshape(n_trials, -1)
    used, cell = np.unique(index, return_inverse=True)
    row = np.repeat(np.arange(n_trials), index.shape[1])
    shape = (n_trials, len(used))
    weights = csr_array((weight.ravel(), (row, cell.ravel())), shape=shape)
    columns = {}
    for name, axis in zip(names[::-1], axes[::-1], strict=True):
        columns[name] = axis.place[used % len(axis.place)]
        used = used // len(axis.place)
    return Cells(columns, weights, False)
