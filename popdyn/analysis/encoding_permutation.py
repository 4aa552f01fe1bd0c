"""Clusters of bins in which a regressor matters: permutation that keeps the other regressors.

Freedman and Lane (1983): the residuals of the regression without the term are permuted over
trials and the whole regression is run again.  Trials move with all their bins, so that what
neighboring bins share stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special
from threadpoolctl import threadpool_limits

from popdyn.analysis.clusters_in_time import cluster_p
from popdyn.analysis.design import Design
from popdyn.analysis.slabs import n_slabs, observed_alike, slabs
from popdyn.progress import watched
from popdyn.resample import shuffled_orders

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Values of permuted regressors that are in memory at once.
_BATCH = 2**22


def term_clusters(
    values: NDArray[np.floating[Any]],
    design: Design,
    n_draws: int,
    rng: np.random.Generator,
    level: float = 0.05,
) -> tuple[Array, NDArray[np.int64]]:
    """Test every term in clusters of bins, per neuron.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        All trials of the tensor; NaN where not observed.
    design : Design
        Says which trials are used.
    n_draws : int
        Number of permutations, the same for every neuron and term.
    rng : Generator
        For the permutations.
    level : float, default 0.05
        Bins whose t (several columns: F) alone is beyond this two-sided level belong to clusters.

    Returns
    -------
    p, label : ndarray, shape (term, neuron, time)
        As from `cluster_p`.
    """
    orders = shuffled_orders(len(design.kept), n_draws, rng)
    shape = (len(design.terms), *values.shape[:2])
    p, label = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    parts = watched(slabs(values, design.kept), n_slabs(values, design.kept), "permuting residuals")
    # Products with many small blocks: threads of the BLAS would mostly wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        for neurons, rows in parts:
            degrees = np.isfinite(rows).sum(axis=1) - float(design.matrix.shape[1])
            limits = np.maximum(degrees, 1.0).reshape(-1, values.shape[1])
            for i, term in enumerate(design.terms):
                columns = design.columns(term)
                found = _statistics(rows, design.matrix, columns, orders)
                found = found.reshape(n_draws + 1, *limits.shape)
                p[i, neurons], label[i, neurons] = _tested(found, len(columns), limits, level)
    return p, label


def _tested(
    found: Array, n_columns: int, degrees: Array, level: float
) -> tuple[Array, NDArray[np.int64]]:
    """Clusters of t beyond both quantiles, or of F beyond the upper one."""
    if n_columns == 1:
        return cluster_p(found[0], found[1:], -special.stdtrit(degrees, level / 2))
    threshold = special.fdtri(n_columns, degrees, 1 - level)
    return cluster_p(found[0], found[1:], threshold, side="upper")


def _statistics(rows: Array, matrix: Array, columns: Index, orders: Index) -> Array:
    """Give t (one column) or F of a term, (1 + draw, row): the data first, then the draws."""
    found = np.full((len(orders) + 1, len(rows)), np.nan)
    others = np.setdiff1d(np.arange(matrix.shape[1]), columns)
    for observed, members, known in observed_alike(rows):
        # The intercept first: columns with a large mean then lose no digits.
        own = matrix[observed][:, [others[-1], *others[:-1], *columns]]
        basis = ordered_basis(own)
        if basis is None:
            continue
        n_others = len(others)
        centered = known - known.mean(axis=1)[:, None]
        kept = basis[:, :n_others]
        residual = centered - (centered @ kept) @ kept.T
        power = np.einsum("rn,rn->r", residual, residual)
        power[power <= 1e-20 * np.einsum("rn,rn->r", centered, centered)] = 0.0
        place = np.vstack([np.arange(len(own)), induced(orders, observed)])
        step = max(1, _BATCH // basis.size)
        for start in range(0, len(place), step):
            part = place[start : start + step]
            # Permuting the regressors is permuting the residuals the other way round.
            permuted = basis[part].transpose(1, 0, 2).reshape(len(own), -1)
            product = (residual @ permuted).reshape(len(members), len(part), -1)
            found[start : start + step, members] = _statistic(product, power, n_others, len(own)).T
    return found


def _statistic(product: Array, power: Array, n_others: int, n_trials: int) -> Array:
    """Give t or F (row, draw) from projections (row, draw, column) of permuted residuals."""
    projected = product[..., n_others:]
    explained = np.einsum("rdq,rdq->rd", projected, projected)
    lost = np.einsum("rdq,rdq->rd", product[..., :n_others], product[..., :n_others])
    rest = np.maximum(power[:, None] - lost - explained, 0.0)
    degrees = n_trials - product.shape[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        if projected.shape[-1] == 1:
            t: Array = projected[..., 0] / np.sqrt(rest / degrees)
            return t
        ratio: Array = (explained / projected.shape[-1]) / (rest / degrees)
        return ratio


def ordered_basis(columns: Array) -> Array | None:
    """Give an orthonormal basis of the columns in their order; None where they make none."""
    if len(columns) <= columns.shape[1]:
        return None
    centered = columns - columns.mean(axis=0)
    centered[:, 0] = 1.0
    norm = np.linalg.norm(centered, axis=0)
    if (norm <= 1e-12 * np.linalg.norm(columns, axis=0)).any():
        return None
    basis, triangle = np.linalg.qr(centered / norm)
    if np.abs(np.diag(triangle)).min() ** 2 < 1e-10:
        return None
    # QR leaves the sign open: a positive effect gives a positive t.
    oriented: Array = basis * np.sign(np.diag(triangle))
    return oriented


def induced(orders: Index, observed: NDArray[np.bool_]) -> Index:
    """Permutations of the observed trials that agree with permutations of all.

    A trial that would come from one not observed comes from where that one comes from, and so
    on.  If the orders are uniform so are these, and bins observed on almost the same trials are
    permuted almost alike.

    Parameters
    ----------
    orders : ndarray of int, shape (draw, trial)
        Permutations of all trials.
    observed : ndarray of bool, shape (trial,)
        Which trials were observed.

    Returns
    -------
    ndarray of int, shape (draw, observed trial)
        Permutations of the positions among the observed trials.

    Examples
    --------
    >>> induced(np.array([[1, 2, 0]]), np.array([True, False, True])).tolist()
    [[1, 0]]
    """
    source = orders[:, observed]
    while not observed[source].all():
        source = np.where(observed[source], source, np.take_along_axis(orders, source, axis=1))
    return np.asarray((np.cumsum(observed) - 1)[source], dtype=np.intp)
