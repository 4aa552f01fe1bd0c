"""Is a neuron the same from start to end?  Drift of its rate, and intervals too short for one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Blocks of equal observed time; a third of them at the start, a third at the end.
N_BLOCKS = 18
SHORT_INTERVAL = 0.0015  # s: below, two spikes of one neuron are next to impossible
_ROUNDING = 1e-9  # s: intervals of exactly 1.5 ms are not short, whatever their last bit
_CHUNK = 1 << 20
_FEWEST_SPIKES = 30
# Student's t for 2 * (N_BLOCKS // 3 - 1) = 10 degrees of freedom at 97.5 %.
_T_975 = 2.228138851964939
# A rate that doubles or halves: (2 - 1) / (2 + 1).
LARGE_DRIFT = 1.0 / 3.0
# Short intervals above this share are more than the usual contamination of a good neuron.
_MANY_SHORT = 0.01
_FEWEST_SHORT = 5
_MOST_NAMED = 8


def n_short_intervals(spikes: Floats) -> int:
    """Count the intervals below 1.5 ms between successive spikes of one neuron.

    Examples
    --------
    >>> n_short_intervals(np.array([0.0, 0.001, 0.5]))
    1
    """
    limit = SHORT_INTERVAL - _ROUNDING
    return sum(
        int((np.diff(spikes[first : first + _CHUNK + 1]) < limit).sum())
        for first in range(0, spikes.size - 1, _CHUNK)
    )


def third_rates(n_spikes: NDArray[np.int64], seconds: Floats) -> Floats:
    """Rates (Hz) in the first, middle and last third of the blocks, NaN without blocks.

    Examples
    --------
    >>> third_rates(np.repeat([10, 20, 30], 6), np.ones(18)).tolist()
    [10.0, 20.0, 30.0]
    """
    total = seconds.reshape(3, -1).sum(axis=1)
    n_spikes = n_spikes.reshape(3, -1).sum(axis=1)
    return np.asarray(np.divide(n_spikes, total, out=np.full(3, np.nan), where=total > 0))


def drift_index(n_spikes: NDArray[np.int64], seconds: Floats) -> tuple[float, float, float]:
    """Change of the rate from the first to the last third: index, lower and upper bound.

    Parameters
    ----------
    n_spikes, seconds : ndarray (N_BLOCKS,)
        Spikes and observed time of successive blocks.

    Returns
    -------
    float, float, float
        ``(last - first) / (last + first)``, from -1 (fell silent) to 1 (began to fire), and
        its 95 % interval from the scatter of the blocks within each third (delta method,
        Student's t).  NaN with fewer than 30 spikes.

    Examples
    --------
    >>> drift_index(np.repeat([10, 20, 30], 6), np.ones(18))
    (0.5, 0.5, 0.5)
    """
    if n_spikes.sum() < _FEWEST_SPIKES or not (seconds > 0).all():
        return np.nan, np.nan, np.nan
    third = N_BLOCKS // 3
    rates = n_spikes / seconds
    first, last = rates[:third], rates[-third:]
    low, high = first.mean(), last.mean()
    total = low + high
    if total == 0:
        return np.nan, np.nan, np.nan
    index = (high - low) / total
    errors = np.hypot(high * first.std(ddof=1), low * last.std(ddof=1)) / np.sqrt(third)
    half = _T_975 * 2.0 * errors / total**2
    return float(index), float(max(index - half, -1.0)), float(min(index + half, 1.0))


def unstable(drift: Floats) -> NDArray[np.bool_]:
    """Neurons whose rate doubled or halved beyond doubt.

    Parameters
    ----------
    drift : ndarray (3, neuron)
        Index, lower and upper bound.
    """
    index, lower, upper = drift
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(index) >= LARGE_DRIFT) & ((lower > 0) | (upper < 0)))


def stability_problems(
    ids: NDArray[Any],
    drift: Floats,
    n_short: NDArray[np.int64],
    n_intervals: NDArray[np.int64],
) -> list[str]:
    """Lines for people about neurons that drift, or cannot be one neuron."""
    lines = []
    share = n_short / np.maximum(n_intervals, 1)
    mixed = (share > _MANY_SHORT) & (n_short >= _FEWEST_SHORT)
    if mixed.any():
        worst = np.flatnonzero(mixed)[np.argsort(-share[mixed], kind="stable")]
        told = _named(ids, worst, [f"{100 * value:.1f} %" for value in share[worst]])
        lines.append(
            f"{mixed.sum()} of {ids.size} neurons have more than 1 % of intervals between spikes "
            f"below 1.5 ms ({told}): perhaps more than one neuron each, spikes listed twice, or a "
            "simulation without refractory period"
        )
    moved = unstable(drift)
    if moved.any():
        worst = np.flatnonzero(moved)[np.argsort(-np.abs(drift[0][moved]), kind="stable")]
        told = _named(ids, worst, [_times(value) for value in drift[0][worst]])
        lines.append(
            f"the rate of {moved.sum()} of {ids.size} neurons at least doubles or halves from the "
            f"first to the last third of the time they were observed ({told}): drift, or the task "
            "changed; compare conditions that are spread over the session"
        )
    return lines


def _named(ids: NDArray[Any], positions: NDArray[np.intp], words: list[str]) -> str:
    shown = [
        f"{ids[p]}: {word}"
        for p, word in zip(positions[:_MOST_NAMED], words[:_MOST_NAMED], strict=True)
    ]
    more = positions.size - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _times(index: float) -> str:
    """Write the index as the ratio of last to first."""
    if index >= 1.0:
        return "from silence"
    if index <= -1.0:
        return "to silence"
    return f"x{(1 + index) / (1 - index):.2g}"
