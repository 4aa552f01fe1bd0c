"""Distances along the axis on which the conditions lie best.

Projections hold neither what else moves states, such as a cue that tells two sets apart, nor the
length that noise adds to a chord.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.kinet import Layout, Match, states_at
from popdyn.analysis.trials import Array


def axis_distance(match: Match, states: Array, layout: Layout, rows: NDArray[np.bool_]) -> Array:
    """Give matched states less those of the reference, along the axis of the conditions.

    Parameters
    ----------
    match : Match
        Which states belong together.
    states : ndarray, shape (condition, neuron, time)
        Trajectories in all neurons.  In few components the axis would lean towards whatever else
        they hold, such as a cue that tells two sets apart.
    layout : Layout
        The conditions of the reference's row define the axis, see `coding_axis`.
    rows : ndarray of bool, shape (time,)
        Times that define it.

    Returns
    -------
    ndarray, shape (time, condition)
        0 for the reference, NaN for no match.
    """
    matched = states_at(match.index, states)
    along: Array = np.einsum("f,cft->tc", coding_axis(matched, layout, rows), matched)
    return along - along[:, [layout.reference]]


def coding_axis(matched: Array, layout: Layout, rows: NDArray[np.bool_]) -> Array:
    """Line on which the conditions lie best, (neuron,); NaN where it is not known.

    The first principal axis of the states (condition, neuron, time) of the reference's row, each
    averaged over those of the times ``rows`` at which all are known; it points from the first
    condition to the last.
    """
    center = _row(matched, layout, rows)
    if not np.isfinite(center).all():
        return np.full(matched.shape[1], np.nan)
    axis = np.linalg.svd(center - center.mean(axis=0), full_matrices=False)[2][0]
    turned: Array = axis * np.sign((center[-1] - center[0]) @ axis)
    return turned


def _row(matched: Array, layout: Layout, rows: NDArray[np.bool_]) -> Array:
    """States (condition, neuron) of the reference's row, averaged; NaN if never all known."""
    row = matched[layout.chain][:, :, rows]
    whole = np.isfinite(row).all(axis=(0, 1))
    if not whole.any():
        return np.full(row.shape[:2], np.nan)
    return np.asarray(row[:, :, whole].mean(axis=2))
