"""Where the share of false findings lies if a test holds its level: one rule for all tests.

Every row of a calibration is held to the interval of 99 % of such measurements; rows outside that
of 95 % are named beside it, and on the page of the method.
"""

from __future__ import annotations

from scipy.stats import binom


def interval(n, level=0.99, share=0.05):
    """Bounds of the share rejected in n independent data sets."""
    low, high = binom.interval(level, n, share)
    return low / n, high / n


def outside(shares, level):
    """Names of the rows, name to (share, n), that lie outside."""
    found = set()
    for name, (share, n) in shares.items():
        low, high = interval(n, level)
        if not low - 1e-9 <= share <= high + 1e-9:
            found.add(name)
    return found
