"""Runs of neighboring time bins that are larger together than chance makes them.

The cluster-mass test of Maris and Oostenveld (2007, J Neurosci Methods 164:177): bins beyond a
threshold that touch form a cluster, its mass is the sum of the statistic over it, and the mass is
compared with the largest mass that each null draw has anywhere in the window.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import upper_p_value

Array = NDArray[np.float64]
Side = Literal["both", "upper"]


def cluster_p(
    observed: NDArray[np.floating[Any]],
    null: NDArray[np.floating[Any]],
    threshold: float | NDArray[np.floating[Any]],
    *,
    side: Side = "both",
) -> tuple[Array, NDArray[np.int64]]:
    """Test clusters of bins, the chance of any false one in the window held at its level.

    Parameters
    ----------
    observed : ndarray, shape (..., time)
        A statistic that is 0 without an effect.
    null : ndarray, shape (draw, ..., time)
        The same for draws of the null; a draw must keep what neighboring bins share.
    threshold : float or ndarray, shape (..., time)
        Bins beyond it belong to clusters.  Any threshold is valid, it only decides what is found:
        low ones favor long weak effects.
    side : {"both", "upper"}
        Whether the statistic may be large in both directions (a cluster has one sign), or
        upwards only.

    Returns
    -------
    p : ndarray, shape (..., time)
        That of the bin's cluster, ``(1 + draws as large) / (1 + draws)``; 1 outside clusters, NaN
        where the statistic is NaN (which ends a cluster).
    label : ndarray of int, shape (..., time)
        Number of the bin's cluster, from 1 in order of time; 0 outside.

    Raises
    ------
    TensorError
        If the shapes do not fit, or the threshold is not above zero.

    Examples
    --------
    >>> observed = np.array([0.0, 3.0, 3.0, 0.0, 2.5])
    >>> null = np.zeros((99, 5))
    >>> null[:10, 2] = 2.6
    >>> p, label = cluster_p(observed, null, 2.0)
    >>> p.tolist(), label.tolist()
    ([1.0, 0.01, 0.01, 1.0, 0.11], [0, 1, 1, 0, 2])
    """
    observed = np.asarray(observed, dtype=np.float64)
    if null.ndim != observed.ndim + 1 or null.shape[1:] != observed.shape or not len(null):
        message = (
            f"expected null draws of shape (draw, {', '.join(map(str, observed.shape))}), found "
            f"{null.shape}"
        )
        raise TensorError(message)
    if not (np.asarray(threshold) > 0).all():
        message = f"the threshold of clusters must be above 0, found {threshold!r}"
        raise TensorError(message)
    mass, label = cluster_masses(observed, threshold, side=side)
    p = upper_p_value(mass, largest_mass(null, threshold, side=side)[..., None])
    p[label == 0] = 1.0
    p[~np.isfinite(observed)] = np.nan
    return p, label


def largest_mass(
    statistic: NDArray[np.floating[Any]],
    threshold: float | NDArray[np.floating[Any]],
    *,
    side: Side = "both",
) -> Array:
    """Mass of the largest cluster along the last axis.

    Parameters
    ----------
    statistic : ndarray, shape (..., time)
        NaN ends a cluster.
    threshold : float or ndarray
        As in `cluster_p`.
    side : {"both", "upper"}
        As in `cluster_p`.

    Returns
    -------
    ndarray, shape (...)
        0 without a cluster.
    """
    limit = np.broadcast_to(threshold, statistic.shape)
    largest = np.zeros(statistic.shape[:-1])
    for sign in (1.0, -1.0) if side == "both" else (1.0,):
        running = np.zeros(statistic.shape[:-1])
        for time in range(statistic.shape[-1]):
            value = sign * statistic[..., time]
            running = np.where(value > limit[..., time], running + value, 0.0)
            np.maximum(largest, running, out=largest)
    return largest


def cluster_masses(
    statistic: NDArray[np.floating[Any]],
    threshold: float | NDArray[np.floating[Any]],
    *,
    side: Side = "both",
) -> tuple[Array, NDArray[np.int64]]:
    """Give every bin the mass and the number of its cluster.

    Parameters
    ----------
    statistic : ndarray, shape (..., time)
        NaN ends a cluster.
    threshold : float or ndarray
        As in `cluster_p`.
    side : {"both", "upper"}
        As in `cluster_p`.

    Returns
    -------
    mass : ndarray, shape (..., time)
        0 outside clusters.
    label : ndarray of int, shape (..., time)
        From 1 in order of time; 0 outside.
    """
    sign = (statistic > threshold).astype(np.int8)
    if side == "both":
        sign -= (statistic < -np.asarray(threshold)).astype(np.int8)
    before = np.zeros_like(sign)
    before[..., 1:] = sign[..., :-1]
    starts = (sign != 0) & (sign != before)
    label = np.where(sign != 0, np.cumsum(starts, axis=-1), 0)
    # One number per cluster of the whole array; 0 collects what lies outside.
    number = np.where(sign != 0, np.cumsum(starts).reshape(sign.shape), 0)
    size = np.where(sign != 0, np.abs(statistic), 0.0)
    mass = np.bincount(number.ravel(), weights=size.ravel())[number]
    return np.where(sign != 0, mass, 0.0), label.astype(np.int64)
