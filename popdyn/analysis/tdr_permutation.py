"""When does a population encode a regressor?  Permutation that keeps the other regressors.

What is left of a regressor after the others is permuted over trials, for all neurons and bins
alike, so that noise that neurons share stays even where they miss trials of their own (the method
of Smith in Winkler, Ridgway, Webster, Smith and Nichols 2014, NeuroImage 92:381).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.design import Design
from popdyn.analysis.least_squares import make_solver
from popdyn.analysis.slabs import observed_alike, slabs
from popdyn.resample import shuffled_orders, upper_p_value

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Values of permuted regressors in memory at once.
_BATCH = 2**20


@dataclass(frozen=True, eq=False)
class PopulationTest:
    """What the permutations say of each term.

    Attributes
    ----------
    strength : ndarray, shape (term, time)
        Sum of squares of standardized activity that the term explains beyond the others, summed
        over neurons, over its mean over permutations; about 1 without effect.
    p : ndarray, shape (term, time)
        Chance of such strength in any bin of the window (largest over time).
    p_any : ndarray, shape (term,)
        The smallest of them.
    """

    strength: Array
    p: Array
    p_any: Array


def population_test(
    values: NDArray[Any], design: Design, n_draws: int, rng: np.random.Generator
) -> PopulationTest:
    """Test every term in every bin.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        Standardized activity; NaN where not observed.
    design : Design
        Says which trials are used.
    n_draws : int
        Number of permutations.
    rng : Generator
        For the permutations.

    Returns
    -------
    PopulationTest
    """
    orders = shuffled_orders(len(design.kept), n_draws, rng)
    place = np.vstack([np.arange(len(design.kept)), orders])
    n_time = values.shape[1]
    left_over = {term: _left_over(design.matrix, design.columns(term)) for term in design.terms}
    total = np.zeros((len(design.terms), n_draws + 1, n_time))
    with threadpool_limits(limits=1, user_api="blas"):
        for _, rows in slabs(values, design.kept):
            bins = np.tile(np.arange(n_time), len(rows) // n_time)
            for observed, members, known in observed_alike(rows):
                # Rows of a design that these trials do not determine add nothing.
                if make_solver(design.matrix[observed]) is None:
                    continue
                part = place[:, observed]
                for i, term in enumerate(design.terms):
                    others = np.delete(design.matrix[observed], design.columns(term), axis=1)
                    power = _explained(known, others, left_over[term], part)
                    np.add.at(total[i].T, bins[members], power.T)
    return _tested(total)


def _left_over(matrix: Array, columns: Index) -> Array:
    """Residuals of some columns after regression on the others."""
    basis = _basis(np.delete(matrix, columns, axis=1))
    own = matrix[:, columns]
    residual: Array = own - basis @ (basis.T @ own)
    return residual


def _basis(others: Array) -> Array:
    """Orthonormal basis of columns of which the last is the intercept."""
    # The intercept first: columns with a large mean then lose no digits.
    centered = others[:, :-1] - others[:, :-1].mean(axis=0)
    first = np.full((len(others), 1), 1.0 / np.sqrt(len(others)))
    return np.hstack([first, np.linalg.qr(centered)[0]])


def _explained(rows: Array, others: Array, left_over: Array, place: Index) -> Array:
    """Sum of squares (1 + draw, row) that permuted regressors explain beyond the others.

    ``rows`` (row, observed trial), ``others`` (observed trial, regressor), ``left_over`` (trial,
    column), ``place`` (1 + draw, observed trial).
    """
    kept = _basis(others)
    residual = rows - rows.mean(axis=1)[:, None]
    residual -= (residual @ kept) @ kept.T
    found = np.empty((len(place), len(rows)))
    step = max(1, _BATCH // max(1, len(others) * left_over.shape[1]))
    for start in range(0, len(place), step):
        permuted = left_over[place[start : start + step]]
        permuted -= kept @ (kept.T @ permuted)
        basis = _orthonormal(permuted)
        product = residual @ basis.transpose(1, 0, 2).reshape(len(others), -1)
        product = product.reshape(len(rows), len(basis), -1)
        found[start : start + step] = np.einsum("rdq,rdq->dr", product, product)
    return found


def _orthonormal(columns: Array) -> Array:
    """Orthonormal columns of each draw (draw, trial, column); 0 where there is nothing left."""
    length = np.linalg.norm(columns, axis=1, keepdims=True)
    unit = np.divide(columns, length, out=np.zeros_like(columns), where=length > 1e-9)
    return unit if columns.shape[2] == 1 else np.linalg.qr(unit)[0]


def _tested(total: Array) -> PopulationTest:
    """Compare with the largest over time; bins count alike because each is over its mean."""
    # With the data among them, so that the data are treated as the permutations are.
    scaled = _over(total, total.mean(axis=1, keepdims=True))
    observed, null = scaled[:, 0], scaled[:, 1:]
    largest = np.where(np.isnan(null), -np.inf, null).max(axis=2)
    p = np.stack(
        [upper_p_value(own, draws[:, None]) for own, draws in zip(observed, largest, strict=True)]
    )
    p[np.isnan(observed)] = np.nan
    p_any = np.where(np.isnan(p), np.inf, p).min(axis=1)
    p_any[np.isinf(p_any)] = np.nan
    return PopulationTest(_over(total[:, 0], total[:, 1:].mean(axis=1)), p, p_any)


def _over(total: Array, mean: Array) -> Array:
    """Ratio; NaN where nothing varies."""
    ratio: Array = np.divide(total, mean, out=np.full(total.shape, np.nan), where=mean > 0)
    return ratio
