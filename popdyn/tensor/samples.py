"""Samples of a series in bins: arrays only."""

from __future__ import annotations

import numpy as np

# A line is drawn over a gap of at most this many sampling intervals: two lost video frames.
LONGEST_GAP = 3.0
# Rounding of the median interval.
_ROUNDING = 1e-3


def bin_counts(time: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count events in half-open bins.

    Parameters
    ----------
    time : numpy.ndarray (event,)
        Rising.
    edges : numpy.ndarray (trial, bin + 1)

    Returns
    -------
    numpy.ndarray (trial, bin)

    Examples
    --------
    >>> bin_counts(np.array([0.0, 0.1, 1.0]), np.array([[0.0, 0.5, 1.0, 1.5]]))
    array([[2., 0., 1.]])
    """
    return np.diff(np.searchsorted(time, edges), axis=1).astype(np.float64)


def bin_means(
    time: np.ndarray,
    values: np.ndarray,
    edges: np.ndarray,
    centers: np.ndarray,
    interval: float,
    period: float = 0.0,
) -> np.ndarray:
    """Average samples in half-open bins; draw a line where sampling is sparse.

    Parameters
    ----------
    time, values : numpy.ndarray (sample,)
        Times rise; values that are NaN are left out.
    edges, centers : numpy.ndarray (trial, bin + 1), (trial, bin)
    interval : float
        Sampling interval (s).
    period : float
        Full circle, where values are angles.

    Returns
    -------
    numpy.ndarray (trial, bin)
        NaN in bins without samples in gaps longer than `LONGEST_GAP` intervals.

    Examples
    --------
    >>> edges = np.array([[0.0, 1.0, 2.0, 3.0]])
    >>> bin_means(np.array([0.0, 0.5, 2.5]), np.array([1.0, 3.0, 7.0]), edges,
    ...           edges[:, :-1] + 0.5, interval=1.0)
    array([[2., 5., 7.]])
    """
    finite = np.isfinite(values)
    if not finite.all():
        time, values = time[finite], values[finite]
    if period:
        return _circular(time, values, edges, centers, interval, period)
    on_line = _on_line(time, values, centers, interval)
    if interval > (edges[0, 1] - edges[0, 0]) * (1 + _ROUNDING):
        return on_line
    sums, n_samples = _sums(time, values, edges)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n_samples > 0, sums / n_samples, on_line)


def _sums(time: np.ndarray, values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the samples in each bin."""
    at = np.searchsorted(time, edges)
    n_samples = np.diff(at, axis=1)
    if not values.size:
        return np.zeros(n_samples.shape), n_samples
    # Trials in order of time keep the stretches between their bins, which reduceat adds up too,
    # no longer than the series.
    order = np.argsort(edges[:, 0], kind="stable")
    pairs = np.stack([at[order, :-1], at[order, 1:]], axis=-1).ravel()
    padded = np.append(values, 0.0)
    sums = np.empty(n_samples.shape)
    sums[order] = np.add.reduceat(padded, pairs)[::2].reshape(n_samples.shape)
    # Of an empty stretch reduceat returns its first element.
    sums[n_samples == 0] = 0.0
    return sums, n_samples


def _on_line(
    time: np.ndarray, values: np.ndarray, centers: np.ndarray, interval: float
) -> np.ndarray:
    """Straight line between the samples around each center; NaN in long gaps and outside."""
    line = np.full(centers.shape, np.nan)
    if time.size < 2 or not np.isfinite(interval):
        return line
    after = np.searchsorted(time, centers, side="right")
    inside = (after > 0) & ((after < time.size) | (centers == time[-1]))
    last = np.minimum(after[inside], time.size - 1)
    low, high = time[last - 1], time[last]
    near = (high - low) <= LONGEST_GAP * interval * (1 + _ROUNDING)
    place = centers[inside]
    share = np.where(high > low, (place - low) / np.where(high > low, high - low, 1.0), 0.0)
    drawn = values[last - 1] + share * (values[last] - values[last - 1])
    line[inside] = np.where(near | (place == low) | (place == high), drawn, np.nan)
    return line


def _circular(
    time: np.ndarray,
    values: np.ndarray,
    edges: np.ndarray,
    centers: np.ndarray,
    interval: float,
    period: float,
) -> np.ndarray:
    """Average angles as directions; the answer lies where the samples lie."""
    turn = 2 * np.pi / period
    angle = values * turn
    east, north = (
        bin_means(time, part, edges, centers, interval) for part in (np.cos(angle), np.sin(angle))
    )
    mean = np.arctan2(north, east)
    # Opposite directions have no mean.
    mean[np.hypot(east, north) < 1e-12] = np.nan
    if values.size and values.min() >= 0:
        mean = np.mod(mean, 2 * np.pi)
    return np.asarray(mean / turn)
