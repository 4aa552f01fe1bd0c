"""When does a population encode a regressor?  Permutation that keeps the other regressors.

Freedman and Lane (1983): residuals of the regression without the term are permuted over trials,
all neurons together, so that noise that neurons share stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.design import Design
from popdyn.analysis.encoding_permutation import induced, ordered_basis
from popdyn.analysis.slabs import observed_alike, slabs
from popdyn.resample import shuffled_orders, upper_p_value

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Values of permuted regressors in memory at once.
_BATCH = 2**22


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
    total = np.zeros((len(design.terms), n_draws + 1, n_time))
    with threadpool_limits(limits=1, user_api="blas"):
        for _, rows in slabs(values, design.kept):
            bins = np.tile(np.arange(n_time), len(rows) // n_time)
            for observed, members, known in observed_alike(rows):
                own = induced(place, observed)
                for i, term in enumerate(design.terms):
                    power = _explained(known, design.matrix[observed], design.columns(term), own)
                    np.add.at(total[i].T, bins[members], power.T)
    return _tested(total)


def _explained(rows: Array, matrix: Array, columns: Index, place: Index) -> Array:
    """Sum of squares (1 + draw, row) that a term explains beyond the others."""
    others = np.setdiff1d(np.arange(matrix.shape[1]), columns)
    basis = ordered_basis(matrix[:, [others[-1], *others[:-1], *columns]])
    if basis is None:
        return np.zeros((len(place), len(rows)))
    n_others = len(others)
    residual = rows - rows.mean(axis=1)[:, None]
    residual -= (residual @ basis[:, :n_others]) @ basis[:, :n_others].T
    found = np.empty((len(place), len(rows)))
    step = max(1, _BATCH // max(1, basis.shape[0] * len(columns)))
    for start in range(0, len(place), step):
        part = place[start : start + step]
        permuted = basis[part][..., n_others:].transpose(1, 0, 2).reshape(len(basis), -1)
        product = (residual @ permuted).reshape(len(rows), len(part), -1)
        found[start : start + step] = np.einsum("rdq,rdq->dr", product, product)
    # What the other regressors took is missing in the residuals that are permuted.
    n_trials = len(basis)
    found[1:] *= (n_trials - 1) / (n_trials - n_others)
    return found


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
