"""How far fits from other starts find the same connectivity: what of it the activity tells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Part of the variance of rates that the visited subspace holds.
VISITED = 0.99


def visited_subspace(rates: Array) -> Array:
    """Return axes (neuron, dimension) that hold `VISITED` of the variance of rates about 0.

    Parameters
    ----------
    rates : ndarray, shape (sample, neuron)
    """
    size, axes = np.linalg.eigh(rates.T @ rates)
    share = np.cumsum(size[::-1]) / max(size.sum(), 1e-300)
    return axes[:, ::-1][:, : int(np.searchsorted(share, VISITED)) + 1]


def agreement(fits: Sequence[dict[str, Array]], axes: Array, n_recorded: int) -> dict[str, Any]:
    """Compare the weights of fits pair by pair, means over pairs.

    Parameters
    ----------
    fits : sequence of dict
        With ``m`` and ``n (neuron, latent)``.
    axes : ndarray, shape (recorded neuron, dimension)
        The visited subspace.
    n_recorded : int
        Neurons that are the same in all fits: those that were not recorded have no identity.

    Returns
    -------
    dict
        Correlations of the weights ``raw_correlation``, of their products with the visited
        subspace ``effective_correlation``, and ``loading_cosine``, the least cosine between the
        subspaces of the loadings m.
    """
    raw, effective, cosine = [], [], []
    for one, two in combinations(fits, 2):
        m1, m2 = one["m"][:n_recorded], two["m"][:n_recorded]
        n1, n2 = one["n"][:n_recorded], two["n"][:n_recorded]
        raw.append(_correlation(m1, n1, m2, n2))
        effective.append(_correlation(m1, axes @ (axes.T @ n1), m2, axes @ (axes.T @ n2)))
        between = np.linalg.qr(m1)[0].T @ np.linalg.qr(m2)[0]
        cosine.append(float(np.linalg.svd(between)[1].min()))
    names = ("raw_correlation", "effective_correlation", "loading_cosine")
    return {
        name: float(np.mean(found)) if found else np.nan
        for name, found in zip(names, (raw, effective, cosine), strict=True)
    }


def _correlation(m1: Array, n1: Array, m2: Array, n2: Array) -> float:
    """Return the correlation of the entries of ``m1 n1ᵀ`` and ``m2 n2ᵀ``, at a cost linear in N."""

    def moment(a: Array, b: Array, c: Array, d: Array) -> float:
        means = (a.mean(axis=0) @ b.mean(axis=0)) * (c.mean(axis=0) @ d.mean(axis=0))
        return float(((a.T @ c) * (b.T @ d)).sum() / (len(a) * len(b)) - means)

    spread = moment(m1, n1, m1, n1) * moment(m2, n2, m2, n2)
    return moment(m1, n1, m2, n2) / float(np.sqrt(spread)) if spread > 0 else np.nan
