"""Distances along the axis on which the conditions lie best.

Projections hold neither what else moves states, such as a cue that tells two sets apart, nor the
length that noise adds to a chord.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.kinet import Layout, Match
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
    axis = coding_axis(match, states, layout, rows)
    projected = np.stack([axis @ own for own in states], axis=1)
    along = np.take_along_axis(projected, np.maximum(match.index, 0), axis=0)
    along = np.where(match.index >= 0, along, np.nan)
    return np.asarray(along - along[:, [layout.reference]])


def coding_axis(match: Match, states: Array, layout: Layout, rows: NDArray[np.bool_]) -> Array:
    """Line on which the conditions lie best, (neuron,); NaN where it is not known.

    The first principal axis of the matched states of the reference's row, each averaged over those
    of the times ``rows`` at which all are known; it points from the first condition to the last.
    """
    index = match.index[:, layout.chain]
    whole = rows & (index >= 0).all(axis=1)
    if not whole.any():
        return np.full(states.shape[1], np.nan)
    parts = zip(layout.chain, index[whole].T, strict=True)
    center = np.stack([_average(states[condition], own) for condition, own in parts])
    axis = np.linalg.svd(center - center.mean(axis=0), full_matrices=False)[2][0]
    turned: Array = axis * np.sign((center[-1] - center[0]) @ axis)
    return turned


def _average(states: Array, index: NDArray[np.intp]) -> Array:
    """Average of the chosen times, (neuron,), without a copy of the states (neuron, time)."""
    first = int(index.min())
    share = np.bincount(index - first) / index.size
    span = states[:, first : first + share.size]
    average = span @ share
    if np.isfinite(average).all():
        return np.asarray(average)
    # In between lie times that are not known.
    return np.asarray(span[:, share > 0] @ share[share > 0])
