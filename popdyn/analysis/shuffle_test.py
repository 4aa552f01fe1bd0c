"""Hold a score over time against shuffled labels: bin by bin, anywhere, in runs of bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from popdyn.analysis.clusters_in_time import cluster_p
from popdyn.resample import upper_p_value

Array = NDArray[np.floating[Any]]

# Bins above the 95 % quantile of a standard normal distribution may form clusters.
CLUSTER_THRESHOLD = 1.645


def standard_scores(observed: Array, null: Array) -> tuple[Array, Array]:
    """Bring every bin to mean 0 and variance 1 over the measured score and the shuffles.

    The measured score takes part as one of the draws, so that a test on what comes out is as
    exact as one on what goes in.

    Parameters
    ----------
    observed : ndarray (...)
        The measured score.
    null : ndarray (draw, ...)
        Scores of shuffled labels.

    Returns
    -------
    ndarray (...), ndarray (draw, ...)
        0 where the score never varies.
    """
    n = len(null) + 1
    mean = (observed + null.sum(axis=0)) / n
    squares = ((observed - mean) ** 2 + ((null - mean) ** 2).sum(axis=0)) / n
    scale = np.sqrt(squares)
    # Scores that differ by rounding alone are equal.
    scale[scale <= 100 * np.finfo(scale.dtype).eps * np.abs(mean)] = np.inf
    return (observed - mean) / scale, (null - mean) / scale


def over_time(observed: Array, null: Array) -> dict[str, Any]:
    """Test a score in every bin.

    Parameters
    ----------
    observed : ndarray (time,)
        The measured score; large is good.
    null : ndarray (draw, time)
        Scores of shuffled labels.

    Returns
    -------
    dict
        ``p``: each bin alone; ``p_corrected``: against the largest null score over time;
        ``cluster_p`` and ``cluster``: the bin's cluster against the largest null cluster.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.analysis.shuffle_test import over_time
    >>> null = np.random.default_rng(0).normal(size=(99, 4))
    >>> found = over_time(np.array([0.0, 5.0, 5.0, 0.0]), null)
    >>> found["cluster_p"][1].tolist(), found["cluster"][1].tolist()
    ([1.0, 0.01, 0.01, 1.0], [0, 1, 1, 0])
    """
    score, draws = standard_scores(observed, null)
    p, label = cluster_p(score, draws, CLUSTER_THRESHOLD, side="upper")
    return {
        "p": ("time", upper_p_value(observed, null)),
        "p_corrected": ("time", upper_p_value(observed, null.max(axis=1)[:, np.newaxis])),
        "cluster_p": ("time", p),
        "cluster": ("time", label),
    }


def over_matrix(observed: Array, null: Array) -> dict[str, Any]:
    """Test a score for every pair of bins; clusters are areas of the plane.

    Parameters
    ----------
    observed : ndarray (train_time, test_time)
        The measured score.
    null : ndarray (draw, train_time, test_time)
        Scores of shuffled labels; overwritten by their standard scores.

    Returns
    -------
    dict
        As of `over_time`, with dims ``(train_time, test_time)``.
    """
    dims = ("train_time", "test_time")
    plain = {
        "p": (dims, upper_p_value(observed, null)),
        "p_corrected": (dims, upper_p_value(observed, null.max(axis=(1, 2))[:, None, None])),
    }
    score, draws = standard_scores(observed, null)
    label, mass = _masses(score)
    largest = np.array([_masses(draw)[1].max(initial=0.0) for draw in draws])
    p = upper_p_value(mass, largest[:, np.newaxis])
    # Cluster 0 is what lies outside.
    p = np.concatenate([[1.0], p])
    return {**plain, "cluster_p": (dims, p[label]), "cluster": (dims, label.astype(np.int64))}


def _masses(score: Array) -> tuple[NDArray[Any], Array]:
    """Give the areas above the threshold (neighbors share an edge) a number and a sum."""
    label, n_clusters = ndimage.label(score > CLUSTER_THRESHOLD)  # type: ignore[attr-defined]
    mass = np.bincount(label.ravel(), weights=score.ravel(), minlength=n_clusters + 1)[1:]
    return label, np.asarray(mass, dtype=np.float64)
