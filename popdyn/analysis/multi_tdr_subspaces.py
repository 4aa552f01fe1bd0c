"""The subspaces of task variables: ranks, axes, and how far they repeat in halves of the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.multi_tdr_ranks import (
    choose_ranks,
    flattened,
    held_out_cosines,
    repeated,
    subspace,
)
from popdyn.analysis.tdr_axes import axis_names, known_bins, orthogonalized
from popdyn.analysis.tdr_projections import ONE
from popdyn.analysis.tdr_samples import Prepared
from popdyn.analysis.tdr_splits import split_trials
from popdyn.errors import FitError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Subspaces:
    """Subspaces of the terms of a design.

    Attributes
    ----------
    ranks : ndarray of int, shape (term,)
        Number of axes of each.
    cosines : ndarray, shape (term, rank + 1)
        Mean of `held_out_cosines`, NaN past the largest rank.
    raw : ndarray, shape (axis, neuron)
        Orthonormal within a term.
    axes : DataArray (axis, neuron)
        Orthonormal throughout.
    share : ndarray, shape (axis,)
        Of the squared coefficients of the term.
    repeats : ndarray, shape (axis,)
        Cosines of the principal angles between halves.
    """

    ranks: NDArray[np.intp]
    cosines: Array
    raw: Array
    axes: xr.DataArray
    share: Array
    repeats: Array


def find_subspaces(
    ready: Prepared,
    coefficient: Array,
    p_any: Array,
    *,
    axes: Sequence[str] | None,
    n_ranks: int | str | Mapping[str, int],
    n_splits: int,
    rng: np.random.Generator,
) -> Subspaces:
    """Choose the ranks and make the axes.

    Parameters
    ----------
    ready : Prepared
        Trials and design.
    coefficient : ndarray, shape (regressor, neuron, time)
        Without the intercept.
    p_any : ndarray, shape (term,)
        Of the permutation.
    axes : sequence of str or None
        Terms that get axes; None for all but interactions.
    n_ranks : "cv", int, or mapping of str to int
        As for `choose_ranks`.
    n_splits : int
        Random halves of the trials.
    rng : Generator
        To split with.

    Returns
    -------
    Subspaces

    Raises
    ------
    FitError
        If no term has an axis.
    """
    design, known = ready.design, known_bins(coefficient)
    pairs = split_trials(
        ready.scores.values, design, ready.groups, n_splits, rng, with_components=False
    )
    wanted = axis_names(design.terms, axes)
    cosines = {term: held_out_cosines(pairs, design.columns(term), known) for term in design.terms}
    found = dict(zip(design.terms, p_any, strict=True))
    ranks = choose_ranks(
        n_ranks, wanted, [cosines[one] for one in wanted], [found[one] for one in wanted]
    )
    if not any(ranks):
        message = (
            f"there is no axis: the permutation finds none of {', '.join(wanted)} (p_any "
            "above 0.05), or n_ranks is 0; take more trials or neurons, or say how many axes "
            "with n_ranks="
        )
        raise FitError(message)
    rank_of = dict(zip(wanted, ranks, strict=True))
    columns = [design.columns(term) for term in wanted]
    parts = [
        subspace(flattened(coefficient, own, known), rank)
        for own, rank in zip(columns, ranks, strict=True)
    ]
    raw = np.concatenate([own for own, _ in parts])
    return Subspaces(
        np.array([rank_of.get(term, 0) for term in design.terms]),
        _padded([_mean(own) for own in cosines.values()]),
        raw,
        _labelled(raw, rank_of, ready.scores["neuron"].to_numpy()),
        np.concatenate([share for _, share in parts]),
        np.concatenate(
            [repeated(pairs, own, known, rank) for own, rank in zip(columns, ranks, strict=True)]
        ),
    )


def _labelled(raw: Array, ranks: Mapping[str, int], neurons: NDArray[Any]) -> xr.DataArray:
    """Make axes orthonormal in their order and say whose they are."""
    labels = [f"{term} {i}" for term, rank in ranks.items() for i in range(1, rank + 1)]
    owners = [term for term, rank in ranks.items() for _ in range(rank)]
    return xr.DataArray(
        orthogonalized(raw, labels),
        {"axis": np.array(labels), "neuron": neurons, "regressor": ("axis", np.array(owners))},
        dims=("axis", "neuron"),
        attrs=ONE,
    )


def _padded(rows: Sequence[Array]) -> Array:
    """Stack rows of different lengths; NaN past their ends."""
    longest = max(len(own) for own in rows)
    return np.array([np.pad(own, (0, longest - len(own)), constant_values=np.nan) for own in rows])


def _mean(cosines: Array) -> Array:
    """Mean over splits; NaN without any."""
    return np.full(cosines.shape[1], np.nan) if not len(cosines) else cosines.mean(axis=0)
