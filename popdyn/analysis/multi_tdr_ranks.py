"""How many dimensions does a task variable take?  Low-rank approximations of its coefficients.

The coefficients of a variable are a matrix (neuron, time); its first singular vectors span the
variable's subspace (Aoi, Mante and Pillow 2020, Nature Neuroscience 23:1410).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.tdr_splits import Half
from popdyn.errors import TensorError

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_LEVEL = 0.05


def flattened(coefficient: Array, columns: Index, known: NDArray[np.bool_]) -> Array:
    """Coefficients of a term, one row per neuron: the columns of its regressors side by side.

    Parameters
    ----------
    coefficient : ndarray, shape (regressor, neuron, time)
        Of all regressors.
    columns : ndarray of int
        Of the term.
    known : ndarray of bool, shape (time,)
        Bins used.

    Returns
    -------
    ndarray, shape (neuron, regressor * bin)
    """
    own = coefficient[columns][:, :, known]
    return np.ascontiguousarray(own.transpose(1, 0, 2)).reshape(own.shape[1], -1)


def held_out_cosines(
    pairs: Sequence[tuple[Half, Half]], columns: Index, known: NDArray[np.bool_]
) -> Array:
    """Cosines between low-rank approximations of one half's coefficients and the other half's.

    Errors of halves are independent, so that the cosine is largest where most of the signal and
    least of the noise is kept.  Unlike the squared error it does not mind that noise makes
    coefficients too large.

    Parameters
    ----------
    pairs : sequence of (Half, Half)
        From `halves`.
    columns : ndarray of int
        Of the term.
    known : ndarray of bool, shape (time,)
        Bins used; halves that lack one are left out.

    Returns
    -------
    ndarray, shape (split, rank + 1)
        For ranks 0 (where it is 0), 1, ...; splits whose halves lack bins are left out.
    """
    found = []
    for pair in pairs:
        first, second = (flattened(half.coefficient, columns, known) for half in pair)
        if not (np.isfinite(first).all() and np.isfinite(second).all()):
            continue
        both = [_cosines(own, other) for own, other in ((first, second), (second, first))]
        found.append(np.mean(both, axis=0))
    n_most = min(flattened(pairs[0][0].coefficient, columns, known).shape)
    return np.array(found).reshape(-1, n_most + 1)


def _cosines(own: Array, other: Array) -> Array:
    """Cosines between approximations of rank 0, 1, ... of one matrix and another matrix."""
    left, singular, right = np.linalg.svd(own, full_matrices=False)
    along = np.einsum("nk,nt,kt->k", left, other, right, optimize=True)
    length = np.sqrt(np.cumsum(singular**2) * (other**2).sum())
    product = np.cumsum(singular * along)
    cosine = np.divide(product, length, out=np.zeros_like(length), where=length > 0)
    return np.append(0.0, cosine)


def smallest_rank(cosines: Array) -> int:
    """Find the smallest rank that is not clearly worse than the best one.

    Parameters
    ----------
    cosines : ndarray, shape (split, rank + 1)
        From `held_out_cosines`.

    Returns
    -------
    int
        At least 1; clearly worse is by more than the standard deviation over splits of the
        difference.
    """
    if not len(cosines):
        return 1
    lost = cosines[:, [cosines.mean(axis=0)[1:].argmax() + 1]] - cosines[:, 1:]
    spread = lost.std(axis=0, ddof=1) if len(lost) > 1 else np.zeros(lost.shape[1])
    return 1 + int((lost.mean(axis=0) <= spread).argmax())


def choose_ranks(
    n_ranks: int | str | Mapping[str, int],
    terms: Sequence[str],
    cosines: Sequence[Array],
    p_any: Sequence[float],
) -> list[int]:
    """Take the ranks asked for, or those that come closest to held-out halves.

    Parameters
    ----------
    n_ranks : "cv", int, or mapping of str to int
        A mapping may leave terms out, whose ranks are then chosen.
    terms : sequence of str
        Of the axes.
    cosines : sequence of ndarray
        From `held_out_cosines`, per term.
    p_any : sequence of float
        Of each term; a rank that is chosen is 0 above 0.05.

    Returns
    -------
    list of int

    Raises
    ------
    TensorError
        If ranks are out of range or of unknown terms.
    """
    if isinstance(n_ranks, Mapping):
        given: dict[str, Any] = dict(n_ranks)
    else:
        given = {} if n_ranks == "cv" else dict.fromkeys(terms, n_ranks)
    unknown = [name for name in given if name not in terms]
    if unknown:
        message = f"n_ranks names {unknown[0]!r}, which has no axes; there are {', '.join(terms)}"
        raise TensorError(message)
    ranks = []
    for term, cosine, p in zip(terms, cosines, p_any, strict=True):
        found = given.get(term, smallest_rank(cosine) if p <= _LEVEL else 0)
        most = cosine.shape[1] - 1
        if isinstance(found, bool) or not isinstance(found, (int, np.integer)):
            message = (
                f"n_ranks must be 'cv', whole numbers, or numbers by regressor; found {found!r}"
            )
            raise TensorError(message)
        if not 0 <= found <= most:
            message = (
                f"n_ranks of {term!r} must be from 0 to {most} (neurons, or bins, of its "
                f"coefficients); found {found}"
            )
            raise TensorError(message)
        ranks.append(int(found))
    return ranks


def subspace(matrix: Array, rank: int) -> tuple[Array, Array]:
    """Give the first directions of a matrix and their shares of its sum of squares.

    Parameters
    ----------
    matrix : ndarray, shape (neuron, column)
        From `flattened`.
    rank : int
        How many.

    Returns
    -------
    axes : ndarray, shape (rank, neuron)
        Orthonormal; each points to where its coefficient largest by size is positive.
    share : ndarray, shape (rank,)
    """
    left, singular, right = np.linalg.svd(matrix, full_matrices=False)
    largest = np.abs(right[:rank]).argmax(axis=1)
    sign = np.sign(right[np.arange(rank), largest])
    total = float((singular**2).sum())
    return (left[:, :rank] * sign).T, singular[:rank] ** 2 / (total if total > 0 else 1.0)


def repeated(
    pairs: Sequence[tuple[Half, Half]], columns: Index, known: NDArray[np.bool_], rank: int
) -> Array:
    """Cosines of the principal angles between the subspaces of two halves, mean over splits.

    Parameters
    ----------
    pairs : sequence of (Half, Half)
        From `halves`.
    columns : ndarray of int
        Of the term.
    known : ndarray of bool, shape (time,)
        Bins used; halves that lack one are left out.
    rank : int
        Dimensions of the subspaces.

    Returns
    -------
    ndarray, shape (rank,)
        Falling; NaN where no half has all bins.
    """
    found = []
    for pair in pairs:
        both = [flattened(half.coefficient, columns, known) for half in pair]
        if all(np.isfinite(one).all() for one in both):
            first, second = (subspace(one, rank)[0] for one in both)
            found.append(np.linalg.svd(first @ second.T, compute_uv=False).clip(0.0, 1.0))
    if not found:
        return np.full(rank, np.nan)
    mean: Array = np.mean(found, axis=0)
    return mean
