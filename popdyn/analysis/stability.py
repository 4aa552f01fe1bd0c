"""Is a neuron the same from start to end?  Drift of its rate, and intervals too short for one."""

from __future__ import annotations

from functools import lru_cache
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
_THIRD = N_BLOCKS // 3
# Student's t for 3 * (_THIRD - 1) = 15 degrees of freedom at 97.5 %.
_T_975 = 2.131449545559323
_N_ORDERS = 10_000  # the true one among them
DRIFT_LEVEL = 0.01
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
        its 95 % interval.  NaN with fewer than 30 spikes.

    Notes
    -----
    The interval is that of the logarithm of the ratio of two quasi-Poisson counts (Student's
    t): the variance is the mean times a dispersion, pooled from the scatter of the blocks
    within the three thirds and at least that of a Poisson process.  Half a burst is added to
    both counts, so that a third without spikes is no proof of silence.  Whether a neuron
    drifts is decided by `drift_p`, not by the interval.

    Examples
    --------
    >>> index, lower, upper = drift_index(np.repeat([10, 20, 30], 6), np.ones(18))
    >>> index, round(lower, 2), round(upper, 2)
    (0.5, 0.37, 0.61)
    """
    first, _, last = rates = third_rates(n_spikes, seconds)
    if not _enough(n_spikes, seconds) or first + last == 0:
        return np.nan, np.nan, np.nan
    scatter = (n_spikes / seconds).reshape(3, -1) - rates[:, None]
    freedom = _THIRD - 1
    dispersion = (seconds.reshape(3, -1) * scatter**2).sum() / (freedom * rates.sum())
    dispersion = max(float(dispersion), 1.0)
    total = seconds.reshape(3, -1).sum(axis=1)[[0, 2]]
    counts = rates[[0, 2]] * total + dispersion / 2
    middle = np.log(counts[1] / total[1]) - np.log(counts[0] / total[0])
    half = _T_975 * np.sqrt(dispersion * (1 / counts).sum())
    index = (last - first) / (last + first)
    lower, upper = np.tanh((middle - half) / 2), np.tanh((middle + half) / 2)
    return float(index), float(min(lower, index)), float(max(upper, index))


def drift_p(n_spikes: NDArray[np.int64], seconds: Floats) -> float:
    """How often blocks in random order differ as much between the first and the last third.

    Parameters
    ----------
    n_spikes, seconds : ndarray (N_BLOCKS,)
        Spikes and observed time of successive blocks.

    Returns
    -------
    float
        Two-sided p-value of the difference of the rates, from 9,999 orders of the blocks, the
        same for every neuron and every call.  NaN with fewer than 30 spikes.

    Notes
    -----
    While a neuron is stationary its blocks may come in any order, however its spikes cluster
    within them; the seconds of a block move with its spikes.  A rate that wanders over several
    blocks is not stationary in this sense.

    Examples
    --------
    >>> drift_p(np.repeat([10, 20, 30], 6), np.ones(18)) < 0.001
    True
    >>> burst = np.zeros(18, dtype=int)
    >>> burst[8], burst[17] = 40, 1
    >>> drift_p(burst, np.ones(18)) > 0.3
    True
    """
    if not _enough(n_spikes, seconds):
        return np.nan
    moved = _orders() @ np.stack([n_spikes, seconds], axis=1)
    rates = moved[..., 0] / moved[..., 1]
    change = np.abs(rates[1] - rates[0])
    # Equal differences are equal, whatever their last bits.
    slack = 1e-9 * float(np.max(n_spikes / seconds))
    return float((change >= change[0] - slack).mean())


@lru_cache(maxsize=1)
def _orders() -> Floats:
    """Which blocks are first (0) and last (1) in each order, the true order at the head."""
    rng = np.random.default_rng(0)
    order = np.tile(np.arange(N_BLOCKS), (_N_ORDERS, 1))
    order[1:] = rng.permuted(order[1:], axis=1)
    return np.stack([order < _THIRD, order >= N_BLOCKS - _THIRD]).astype(np.float64)


def _enough(n_spikes: NDArray[np.int64], seconds: Floats) -> bool:
    return bool(n_spikes.sum() >= _FEWEST_SPIKES and (seconds > 0).all())


def unstable(index: Floats, p: Floats) -> NDArray[np.bool_]:
    """Neurons whose rate at least doubled or halved, with p below .01.

    Parameters
    ----------
    index, p : ndarray (neuron,)
        From `drift_index` and `drift_p`.

    Examples
    --------
    >>> unstable(np.array([0.5, 0.5, 0.2, np.nan]), np.array([0.001, 0.2, 0.001, np.nan]))
    array([ True, False, False, False])
    """
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(index) >= LARGE_DRIFT) & (p < DRIFT_LEVEL))


def stability_problems(
    ids: NDArray[Any],
    drift: Floats,
    drift_p: Floats,
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
    moved = unstable(drift, drift_p)
    if moved.any():
        worst = np.flatnonzero(moved)[np.argsort(-np.abs(drift[moved]), kind="stable")]
        told = _named(ids, worst, [_times(value) for value in drift[worst]])
        lines.append(
            f"the rate of {moved.sum()} of {ids.size} neurons at least doubles or halves from the "
            f"first to the last third of the time they were observed ({told}; p < .01 each): "
            "drift, or the task changed; compare conditions that are spread over the session"
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
