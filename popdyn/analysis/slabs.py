"""A tensor in slabs of rows (neuron, bin), so that memory stays near that of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import same_mask

Array = NDArray[np.float64]
# Values per slab: two or three arrays of this size stay in the cache of a core.
_SLAB = 2**18


def slabs(
    values: NDArray[np.floating[Any]], kept: NDArray[np.intp]
) -> Iterator[tuple[slice, Array]]:
    """Give the trials of some neurons at a time, in double precision.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        The tensor's values.
    kept : ndarray of int
        Positions of the trials wanted, rising.

    Yields
    ------
    neurons : slice
        Positions of these neurons.
    rows : ndarray, shape (neuron * time, trial)
        A copy that may be changed.
    """
    whole = len(kept) == values.shape[2]
    step = _neurons_per_slab(values, kept)
    for start in range(0, len(values), step):
        part = values[start : start + step]
        part = part if whole else part[:, :, kept]
        rows = part.reshape(-1, len(kept)).astype(np.float64)
        yield slice(start, start + len(part)), rows


def observed_alike(rows: Array) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp], Array]]:
    """Group rows that were observed on the same trials.

    Parameters
    ----------
    rows : ndarray, shape (row, trial)
        NaN where not observed.

    Yields
    ------
    observed : ndarray of bool, shape (trial,)
        The trials these rows were observed on.
    members : ndarray of int
        Positions of the rows.
    values : ndarray, shape (member, observed trial)
        Their values, without NaN.
    """
    # A sum is not finite if any of its terms is not, and needs no array of its own.
    if np.isfinite(rows.sum()):
        yield np.ones(rows.shape[1], dtype=bool), np.arange(len(rows)), rows
        return
    for observed, members in same_mask(np.isfinite(rows).T):
        yield observed, members, rows[np.ix_(members, np.flatnonzero(observed))]


def averages_of(values: NDArray[np.floating[Any]], groups: Sequence[NDArray[np.intp]]) -> Array:
    """Average groups of trials, a few neurons at a time.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        NaN where not observed.
    groups : sequence of ndarray of int
        Positions of the trials of each group; a trial may be in several.

    Returns
    -------
    ndarray, shape (neuron, time, group)
        NaN where no trial of the group was observed.
    """
    members = np.zeros((values.shape[2], len(groups)))
    for number, group in enumerate(groups):
        members[group, number] = 1.0
    sizes = members.sum(axis=0)
    found = np.full((*values.shape[:2], len(groups)), np.nan)
    step = _neurons_per_slab(values, np.arange(values.shape[2]))
    for start in range(0, len(values), step):
        part = values[start : start + step].astype(np.float64)
        known = np.isfinite(part)
        if known.all() and sizes.all():
            found[start : start + step] = part @ (members / sizes)
            continue
        counts = known.astype(np.float64) @ members
        part[~known] = 0.0
        np.divide(part @ members, counts, out=found[start : start + step], where=counts > 0)
    return found


def n_slabs(values: NDArray[np.floating[Any]], kept: NDArray[np.intp]) -> int:
    """Count the slabs, for a progress bar."""
    return -(-len(values) // _neurons_per_slab(values, kept))


def _neurons_per_slab(values: NDArray[np.floating[Any]], kept: NDArray[np.intp]) -> int:
    per_neuron = int(values.shape[1]) * len(kept)
    return max(1, _SLAB // max(1, per_neuron))
