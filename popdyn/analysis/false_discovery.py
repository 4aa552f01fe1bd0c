"""How many of what is called significant is expected to be false."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def false_discovery_q(p: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Turn the p values of one family of tests into q values.

    Calling everything with q <= 0.05 an effect, 5 % of those calls are expected to be false
    (Benjamini and Hochberg 1995), also when tests depend positively on each other.

    Parameters
    ----------
    p : ndarray
        P values; NaN takes no part.

    Returns
    -------
    ndarray
        Q values of the same shape, NaN where p is.

    Examples
    --------
    >>> false_discovery_q(np.array([0.01, 0.04, np.nan, 0.03])).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    sizes = np.asarray(p[known], dtype=np.float64)
    order = np.argsort(sizes)
    scaled = sizes[order] * (sizes.size / np.arange(1, sizes.size + 1))
    adjusted = np.empty(sizes.size)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    q[known] = np.minimum(adjusted, 1.0)
    return q
