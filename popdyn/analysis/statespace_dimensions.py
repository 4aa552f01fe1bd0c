"""How many dimensions do the data have?  Held-out blocks, and halves of trials: arrays only.

Bi-cross-validation (Owen and Perry 2009, Annals of Applied Statistics 3:564) leaves out neurons
and samples at once and predicts what both left out share from the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.statespace_splits import split_halves
from popdyn.analysis.trials import Array

N_FOLDS = 10
MOST_CANDIDATES = 50
# Single trials have more samples than it takes to count dimensions.
MOST_SAMPLES = 10_000
# With fewer conditions than these, held-out blocks are runs of time.
LEAST_ITEMS = 4
_SMALLEST = 1e-10  # of the largest eigenvalue: rounding, not structure


def thinned(samples: Array, rng: np.random.Generator) -> Array:
    """Take items (trials) at random until there are at most `MOST_SAMPLES` samples.

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, item)
        Samples.
    rng : numpy.random.Generator
        Chooses.

    Returns
    -------
    ndarray, shape (neuron, time, fewer items)
    """
    n_most = max(2, MOST_SAMPLES // samples.shape[1])
    if samples.shape[2] <= n_most:
        return samples
    return samples[:, :, np.sort(rng.permutation(samples.shape[2])[:n_most])]


def n_candidates(samples: Array) -> int:
    """Largest number of components that bi-cross-validation can judge."""
    n_neurons, n_samples = samples.shape[0], int(complete_samples(samples).sum())
    n_folds = min(N_FOLDS, n_neurons)
    if n_folds < 2 or n_samples < 4:
        return 0
    return int(min(MOST_CANDIDATES, n_neurons - -(-n_neurons // n_folds), n_samples // 2))


def bi_cross_validated_errors(samples: Array, generators: Sequence[np.random.Generator]) -> Array:
    """Squared errors in held-out blocks, for every number of components.

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, item)
        Samples; one in which a neuron is NaN takes no part.
    generators : sequence of numpy.random.Generator
        One per repetition, which deals neurons and samples out into (at most) ten folds each;
        fold k of the neurons is left out with fold k of the samples.  With four items
        (conditions or trials) or more they are dealt out whole; otherwise runs of successive
        times are, because neighbors in time share their noise.

    Returns
    -------
    ndarray, shape (block, candidate)
        For 0, 1, 2 ... components; 0 predicts the neuron's mean.
    """
    n_most = n_candidates(samples)
    complete = complete_samples(samples)
    matrix = samples.transpose(0, 2, 1)[:, complete.T]
    blocks: list[Array] = []
    for own in generators if n_most else ():
        column = _dealt(complete, own)
        n_folds = min(len(matrix), int(column.max()) + 1)
        row = own.permutation(len(matrix)) % n_folds
        found = (_held_out(matrix, row == k, column == k, n_most) for k in range(n_folds))
        blocks.extend(errors for errors in found if errors is not None)
    return np.array(blocks) if blocks else np.full((1, n_most + 1), np.nan)


def predicted_share(errors: Array) -> Array:
    """Share of the variance of held-out blocks that is predicted, (candidate)."""
    total = errors[:, 0].sum()
    if not total > 0:
        return np.full(errors.shape[1], np.nan)
    share: Array = 1.0 - errors.sum(axis=0) / total
    return share


def smallest_good(errors: Array) -> int:
    """Smallest number of components within a standard error of the best; -1 without any.

    Past the best number the share of variance predicted is often flat, so that the very best
    number says little.
    """
    share = predicted_share(errors)
    if not np.isfinite(share).all() or len(errors) < 2:
        return -1
    behind = errors - errors[:, [int(share.argmax())]]
    within = behind.mean(axis=0) <= behind.std(axis=0, ddof=1) / np.sqrt(len(errors))
    return int(within.argmax())


def split_trial_share(
    trials: Sequence[Array],
    n_most: int,
    generators: Sequence[np.random.Generator],
    weights: Sequence[Array] | None = None,
) -> Array:
    """Share of the variance of one half of the trials that the other half predicts.

    Parameters
    ----------
    trials : sequence of ndarray, each (trial, neuron, time)
        Per condition.
    n_most : int
        Largest number of components.
    generators : sequence of numpy.random.Generator
        One per split.
    weights : sequence of ndarray, each (trial,), optional
        Per condition the weight of each trial.

    Returns
    -------
    ndarray, shape (candidate,)
        The prediction is the other half's averages along 0, 1, 2 ... components of themselves.
        A component adds to it while it holds more signal than noise.
    """
    gain, total = np.zeros(n_most + 1), 0.0
    own = copy.deepcopy(list(generators))
    tiled = None if weights is None else [np.tile(weight, (len(own), 1)) for weight in weights]
    for halves in split_halves(trials, own, tiled):
        if min(halves[0].shape) <= 1:
            continue
        between = halves[0] @ halves[1].T
        for first, second in (halves, halves[::-1]):
            power, vectors = np.linalg.eigh(first @ first.T)
            axes = vectors[:, ::-1][:, :n_most]
            shared = np.einsum("nk,nk->k", axes, between @ axes)
            gained = (2.0 * shared - power[::-1][:n_most]).cumsum()
            gain[1 : 1 + gained.size] += gained
            total += float((second**2).sum())
    share: Array = gain / total if total > 0 else np.full(n_most + 1, np.nan)
    return share


def complete_samples(samples: Array) -> NDArray[np.bool_]:
    """Tell which samples (time, item) are known in every neuron."""
    return np.asarray(np.isfinite(samples).all(axis=0))


def _dealt(complete: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.intp]:
    """Fold of every sample, items one after another."""
    n_known, n_items = complete.sum(axis=0), complete.shape[1]
    if n_items >= LEAST_ITEMS:
        return np.repeat(rng.permutation(n_items) % min(N_FOLDS, n_items), n_known)
    n_folds = min(N_FOLDS, int(n_known.max()))
    runs = [np.arange(n) * n_folds // max(int(n), 1) for n in n_known]
    return np.concatenate([rng.permutation(n_folds)[run] for run in runs])


def _held_out(
    matrix: Array, rows: NDArray[np.bool_], columns: NDArray[np.bool_], n_most: int
) -> Array | None:
    """Sum of squared errors (candidate) in the block of these neurons and samples."""
    if not rows.any() or not columns.any() or rows.all() or columns.sum() > columns.size - 2:
        return None
    centered = matrix - matrix[:, ~columns].mean(axis=1, keepdims=True)
    held, beside = centered[np.ix_(rows, columns)], centered[np.ix_(rows, ~columns)]
    above, kept = centered[np.ix_(~rows, columns)], centered[np.ix_(~rows, ~columns)]
    # left @ right is the block predicted by each component: beside @ pinv(kept) @ above.
    if kept.shape[0] <= kept.shape[1]:
        power, vectors = np.linalg.eigh(kept @ kept.T)
        left, right = beside @ kept.T @ vectors, vectors.T @ above
    else:
        power, vectors = np.linalg.eigh(kept.T @ kept)
        left, right = beside @ vectors, vectors.T @ kept.T @ above
    power, left, right = power[::-1][:n_most], left[:, ::-1][:, :n_most], right[::-1][:n_most]
    known = power > _SMALLEST * power[0]
    left = left * np.divide(1.0, power, out=np.zeros(power.shape), where=known)
    cross = np.einsum("ak,ab,kb->k", left, held, right, optimize=True)
    between = (left.T @ left) * (right @ right.T)
    gained = between.cumsum(axis=0).cumsum(axis=1).diagonal() - 2.0 * cross.cumsum()
    errors = np.full(n_most + 1, np.sum(held**2))
    errors[1 : 1 + gained.size] += gained
    return errors


def spectrum(samples: Array, n_most: int) -> Array:
    """Shares of the variance along the main axes (component), of complete samples."""
    matrix = samples.transpose(0, 2, 1)[:, complete_samples(samples).T]
    matrix = matrix - matrix.mean(axis=1, keepdims=True)
    gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    power = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0)
    shares = np.zeros(n_most)
    if power.sum() > 0:
        shares[: power.size] = power[:n_most] / power.sum()
    return shares


def plausible(share: Array, replicates: Array, reach: float) -> tuple[int, int]:
    """Least and largest number of components that may well be the best.

    Parameters
    ----------
    share : ndarray, shape (candidate,)
        Share of the variance predicted.
    replicates : ndarray, shape (group, candidate)
        The same with a group of trials left out in turn.
    reach : float
        Standard errors by which a candidate must fall behind to be ruled out.

    Returns
    -------
    tuple of int
        Bounds.
    """
    best = int(share.argmax())
    behind = replicates[:, [best]] - replicates
    error = np.sqrt((len(replicates) - 1) * behind.var(axis=0))
    kept = np.flatnonzero(share[best] - share <= reach * error)
    return int(kept.min()), int(kept.max())
