"""How much of unseen trials a regression explains, and what each term adds.

A regression and its held-out error need only sums of products over trials.  They are taken once
per fold; leaving a fold, a term, or a size of the ridge out is then arithmetic on small matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.design import Design
from popdyn.analysis.least_squares import Solver, make_solver
from popdyn.analysis.slabs import observed_alike, slabs

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Sizes of the ridge that are tried, in units of the variance of a regressor.
PENALTIES = np.concatenate([[0.0], np.logspace(-4, 2, 13)])
# Directions a training set does not determine at this relative precision get no coefficient.
_PRECISION = 1e-10
# Each holds the design once.
_MOST_SPLITS = 64


@dataclass(frozen=True, eq=False)
class Validation:
    """What cross-validation found.

    Attributes
    ----------
    ratio : ndarray, shape (neuron, time)
        One less the held-out error over that of the training mean.
    unique : ndarray, shape (term, neuron, time)
        What is lost of the ratio without a term.
    penalty : ndarray, shape (neuron,)
        Ridge with the least held-out error over all bins.
    """

    ratio: Array
    unique: Array
    penalty: Array


def deal_folds(n_trials: int, n_folds: int, rng: np.random.Generator) -> Index:
    """Deal trials into folds: as equal in size as can be, in random order."""
    return np.asarray(rng.permutation(np.arange(n_trials) % n_folds), dtype=np.intp)


def validate(
    values: NDArray[np.floating[Any]],
    design: Design,
    fold: Index,
    penalty: float | None,
) -> Validation:
    """Cross-validate the regressions of all neurons and time bins.

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        All trials of the tensor; NaN where not observed.
    design : Design
        Says which trials are used.
    fold : ndarray of int, shape (kept trial,)
        From `deal_folds`.
    penalty : float or None
        Ridge as in `fit_least_squares`; None chooses it per neuron, for the ratios anew on the
        training trials of each fold.

    Returns
    -------
    Validation
        NaN where the trials do not determine the regression.
    """
    n_neurons, n_times = values.shape[:2]
    error = np.full((len(design.terms) + 2, n_neurons, n_times), np.nan)
    chosen = np.full(n_neurons, 0.0 if penalty is None else penalty)
    splits: dict[bytes, _Split | None] = {}
    for neurons, rows in slabs(values, design.kept):
        parts = _parts(rows, design, fold, splits)
        row_neuron = np.repeat(np.arange(len(rows) // n_times), n_times)
        found = np.full((len(error), len(rows)), np.nan)
        if penalty is None:
            chosen[neurons] = _choose(parts, row_neuron, None)
            _add_chosen(parts, row_neuron, found)
        else:
            for part in parts:
                found[:, part.members] = part.error(np.arange(len(part.power)), penalty).sum(axis=1)
        error[:, neurons] = found.reshape(len(error), -1, n_times)
        if len(splits) > _MOST_SPLITS:
            splits.clear()
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.where(error[0] > 0, error / error[0], np.nan)
    return Validation(1.0 - scaled[1], scaled[2:] - scaled[1], chosen)


class _Split:
    """Folds of the trials that some rows were observed on, and the inverses they need.

    Attributes
    ----------
    trials : ndarray of int
        Observed trials, in the order of their folds, as positions among the observed.
    bounds : ndarray of int, shape (fold + 1,)
        Where the folds begin.
    regressors : ndarray, shape (trial, regressor)
        In the order of `trials`, brought to mean 0 and variance 1; the intercept last.
    gram : ndarray, shape (fold, regressor, regressor)
        Sums of their products.
    models : ndarray of bool, shape (model, regressor)
        The intercept alone, everything, everything without each term.
    """

    def __init__(self, design: Design, solver: Solver, observed: NDArray[np.bool_], fold: Index):
        own = fold[observed]
        self.trials = np.argsort(own, kind="stable")
        self.bounds = np.searchsorted(own[self.trials], np.arange(fold.max() + 2))
        regressors = np.ones((len(own), design.matrix.shape[1]))
        regressors[:, :-1] = (design.matrix[observed, :-1] - solver.mean) / solver.scale
        self.regressors = regressors[self.trials]
        self.gram = np.stack([self.regressors[s].T @ self.regressors[s] for s in self.spans()])
        terms = np.array(design.term)
        intercept = np.arange(len(terms)) == len(terms) - 1
        self.models = np.stack(
            [intercept, intercept | True, *(terms != term for term in design.terms)]
        )
        self._inverses: dict[tuple[Any, ...], Array] = {}

    def spans(self) -> list[slice]:
        """Give the trials of each fold."""
        return [slice(a, b) for a, b in zip(self.bounds[:-1], self.bounds[1:], strict=True)]

    def inverse(self, without: tuple[int, ...], model: int, size: float) -> Array:
        """Inverse of the products over all folds but some; zero for what the model leaves out."""
        key = (without, model, size)
        if key not in self._inverses:
            train = np.setdiff1d(np.arange(len(self.gram)), without)
            columns = np.flatnonzero(self.models[model])
            # The intercept, always the last column, is not shrunk.
            ridge = np.full(len(columns), size * np.diff(self.bounds)[train].sum())
            ridge[-1] = 0.0
            square = np.ix_(columns, columns)
            gram = self.gram[train].sum(axis=0)[square] + np.diag(ridge)
            inverse = np.zeros(self.gram.shape[1:])
            inverse[square] = np.linalg.pinv(gram, rcond=_PRECISION, hermitian=True)
            self._inverses[key] = inverse
        return self._inverses[key]


@dataclass(frozen=True, eq=False)
class _Part:
    """Sums over the trials of each fold, for rows observed on the same trials.

    Attributes
    ----------
    split : _Split
    members : ndarray of int
        Positions of the rows in their slab.
    cross : ndarray, shape (fold, regressor, row)
        Products of the regressors and the rows.
    power : ndarray, shape (fold, row)
        Squares of the rows.
    """

    split: _Split
    members: Index
    cross: Array
    power: Array

    def error(self, folds: Index, size: float, models: Sequence[int] | None = None) -> Array:
        """Held-out squared error (model, fold, row), each fold from all the others."""
        chosen = range(len(self.split.models)) if models is None else models
        inverse = np.stack(
            [[self.split.inverse((int(k),), m, size) for k in folds] for m in chosen]
        )
        train = self.cross.sum(axis=0) - self.cross[folds]
        return self._squares(inverse @ train, folds)

    def inner_error(self, outer: int | None) -> Array:
        """Held-out squared error (size, row) summed over the folds but the outer one."""
        inside = np.setdiff1d(np.arange(len(self.power)), [] if outer is None else [outer])
        gone = () if outer is None else (outer,)
        inverse = np.stack(
            [[self.split.inverse((*gone, int(k)), 1, float(s)) for k in inside] for s in PENALTIES]
        )
        train = self.cross[inside].sum(axis=0) - self.cross[inside]
        return np.asarray(self._squares(inverse @ train, inside).sum(axis=1))

    def _squares(self, coefficient: Array, folds: Index) -> Array:
        """Squared errors on folds, from coefficients (model, fold, regressor, row)."""
        fitted = self.split.gram[folds] @ coefficient - 2.0 * self.cross[folds]
        squares: Array = self.power[folds] + np.einsum("mkpr,mkpr->mkr", coefficient, fitted)
        return squares


def _parts(
    rows: Array, design: Design, fold: Index, splits: dict[bytes, _Split | None]
) -> list[_Part]:
    """Take the sums of a slab's rows; rows that are not determined are in no part."""
    parts = []
    for observed, members, known in observed_alike(rows):
        key = observed.tobytes()
        if key not in splits:
            solver = make_solver(design.matrix[observed])
            splits[key] = None if solver is None else _Split(design, solver, observed, fold)
        split = splits[key]
        if split is None:
            continue
        ordered = known[:, split.trials]
        # Measured from the mean, squares keep their digits.
        ordered -= ordered.mean(axis=1)[:, None]
        spans = split.spans()
        cross = np.stack([split.regressors[s].T @ ordered[:, s].T for s in spans])
        power = np.stack([np.einsum("rn,rn->r", ordered[:, s], ordered[:, s]) for s in spans])
        parts.append(_Part(split, members, cross, power))
    return parts


def _choose(parts: list[_Part], row_neuron: Index, outer: int | None) -> Array:
    """Ridge with the least held-out error per neuron, over its bins, without the outer fold."""
    total = np.zeros((len(PENALTIES), row_neuron.max() + 1))
    for part in parts:
        # Bins count alike, however much they vary.
        scale = part.power.sum(axis=0)
        error = part.inner_error(outer) / np.where(scale > 0, scale, 1.0)
        for i, own in enumerate(error):
            total[i] += np.bincount(row_neuron[part.members], own, minlength=total.shape[1])
    return np.asarray(PENALTIES[total.argmin(axis=0)])


def _add_chosen(parts: list[_Part], row_neuron: Index, found: Array) -> None:
    """Sum held-out errors (model, row), each fold with the ridge the others choose."""
    for part in parts:
        found[:, part.members] = 0.0
    n_folds = len(parts[0].power) if parts else 0
    for fold in range(n_folds):
        size = _choose(parts, row_neuron, fold)[row_neuron]
        for part in parts:
            for value in np.unique(size[part.members]):
                own = size[part.members] == value
                error = part.error(np.array([fold]), float(value))[:, 0]
                found[:, part.members[own]] += error[:, own]
