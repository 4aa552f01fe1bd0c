"""The few components in which the currents of a target network live."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError
from popdyn.train.course import PREPARE, Lessons
from popdyn.train.target_network import TargetRun

Array = NDArray[np.float64]

# Trials before currents are looked at, and trials that are.
_N_SETTLE, _N_SEEN = 20, 40


def find_components(target: TargetRun, lessons: Lessons, share_explained: float) -> Array:
    """Find principal components of a target network's currents, about 0.

    Parameters
    ----------
    target : TargetRun
        The network; goes on from where it is.
    lessons : Lessons
        What it is told.
    share_explained : float
        Of the sum of squared currents; 1 keeps every neuron's own.

    Returns
    -------
    ndarray, shape (neuron, component)
        Orthonormal directions of the currents.

    Raises
    ------
    FitError
        If the currents are 0 or not finite.
    """
    n = target.state.size
    total = np.zeros((n, n))
    for number in range(_N_SETTLE + _N_SEEN):
        stream, _ = lessons.block(PREPARE, number, 1)
        for _, currents in target.currents(stream):
            if number >= _N_SETTLE:
                total += currents.T.astype(np.float64) @ currents
    if not np.isfinite(total).all() or not total.any():
        message = (
            "the currents of the target network are 0 or not finite: it has to be told something, "
            "and its weights must not blow up. Give the task hints, or another target network"
        )
        raise FitError(message)
    if share_explained >= 1:
        return np.eye(n)
    values, vectors = np.linalg.eigh(total)
    share = np.cumsum(values[::-1]) / values.sum()
    n_components = int(np.searchsorted(share, share_explained)) + 1
    return np.ascontiguousarray(vectors[:, ::-1][:, :n_components])
