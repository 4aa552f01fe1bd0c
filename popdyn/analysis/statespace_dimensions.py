"""How many dimensions do the data have?  Held-out blocks, and shuffled neurons: arrays only.

Bi-cross-validation (Owen and Perry 2009, Annals of Applied Statistics 3:564) leaves out neurons
and samples at once and predicts what both left out share from the rest; parallel analysis (Horn
1965, Psychometrika 30:179) asks which components are larger than those of neurons that have
nothing to do with each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import Array
from popdyn.progress import watched

N_FOLDS = 10
MOST_CANDIDATES = 50
# Single trials have more samples than it takes to count dimensions.
MOST_SAMPLES = 10_000
LEVEL = 0.05
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
    n_neurons, n_samples = samples.shape[0], int(_complete(samples).sum())
    n_folds = min(N_FOLDS, n_neurons, n_samples)
    if n_folds < 2:
        return 0
    left = [n - -(-n // n_folds) for n in (n_neurons, n_samples)]
    return int(max(0, min(MOST_CANDIDATES, left[0], left[1] - 1)))


def bi_cross_validated_ratio(samples: Array, generators: Sequence[np.random.Generator]) -> Array:
    """Share of the variance of held-out blocks that is predicted, per number of components.

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, item)
        Samples; one in which a neuron is NaN takes no part.
    generators : sequence of numpy.random.Generator
        One per repetition, which deals neurons and samples out into ten folds each; fold k of
        the neurons is left out with fold k of the samples.  A fold of samples is a run of
        successive times of each item, because neighbors in time share their noise.

    Returns
    -------
    ndarray, shape (candidate,)
        For 0, 1, 2 ... components; 0 predicts the neuron's mean and has the ratio 0.
    """
    n_most = n_candidates(samples)
    if n_most < 1:
        return np.full(n_most + 1, np.nan)
    complete = _complete(samples)
    matrix = samples.transpose(0, 2, 1)[:, complete.T]
    n_folds = min(N_FOLDS, *matrix.shape)
    error, total = np.zeros(n_most + 1), 0.0
    for own in generators:
        row = own.permutation(len(matrix)) % n_folds
        column = _runs(complete, n_folds, own)
        for fold in range(n_folds):
            errors = _held_out(matrix, row == fold, column == fold, n_most)
            if errors is not None:
                error += errors
                total += errors[0]
    ratio: Array = 1.0 - error / total if total > 0 else np.full(n_most + 1, np.nan)
    return ratio


def _complete(samples: Array) -> NDArray[np.bool_]:
    """Tell which samples (time, item) are known in every neuron."""
    return np.asarray(np.isfinite(samples).all(axis=0))


def _runs(complete: NDArray[np.bool_], n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Fold of every sample, items one after another: runs of time, in another order per item."""
    folds = []
    for known in complete.T:
        run = np.arange(known.sum()) * n_folds // max(int(known.sum()), 1)
        folds.append(rng.permutation(n_folds)[run])
    return np.concatenate(folds)


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
    matrix = samples.transpose(0, 2, 1)[:, _complete(samples).T]
    matrix = matrix - matrix.mean(axis=1, keepdims=True)
    gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    power = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0)
    shares = np.zeros(n_most)
    if power.sum() > 0:
        shares[: power.size] = power[:n_most] / power.sum()
    return shares


def shuffled_spectra(
    samples: Array, n_most: int, generators: Sequence[np.random.Generator]
) -> Array:
    """Spectra of neurons that have nothing to do with each other.

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, item)
        Samples.
    n_most : int
        Number of components.
    generators : sequence of numpy.random.Generator
        One per draw.

    Returns
    -------
    ndarray, shape (draw, component)
        Every neuron's time courses are rotated by a number of bins of its own, the same for
        all items, and given to other items: each keeps its variance and its smoothness.
    """
    complete = _complete(samples)
    alike = bool((complete == complete[:, :1]).all())
    rows = []
    for own in watched(generators, len(generators), "shuffling neurons"):
        shuffled = np.full(samples.shape, np.nan)
        for neuron, values in enumerate(samples):
            turn = own.random()
            order = own.permutation(values.shape[1]) if alike else np.arange(values.shape[1])
            for known, items in _same_times(complete):
                step = int(turn * known.sum())
                rotated = np.roll(values[np.ix_(known, items)], step, axis=0)
                shuffled[neuron][np.ix_(known, items)] = rotated
            shuffled[neuron] = shuffled[neuron][:, order]
        rows.append(spectrum(shuffled, n_most))
    return np.array(rows)


def _same_times(
    complete: NDArray[np.bool_],
) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Items that are known at the same times."""
    patterns, member = np.unique(complete.T, axis=0, return_inverse=True)
    return [
        (pattern, np.flatnonzero(member.ravel() == i))
        for i, pattern in enumerate(patterns)
        if pattern.any()
    ]


def best_candidate(ratio: Array) -> int:
    """Find the number of components with the largest ratio; -1 where there is none."""
    return int(ratio.argmax()) if ratio.size and np.isfinite(ratio).all() else -1


def leading(p: Array) -> int:
    """Count the leading components with a p of at most `LEVEL`."""
    above = ~(p <= LEVEL)
    return int(above.argmax()) if above.any() else p.size


def plausible(ratio: Array, replicates: Array, reach: float) -> tuple[int, int]:
    """Least and largest number of components that may well be the best.

    Parameters
    ----------
    ratio : ndarray, shape (candidate,)
        Ratios.
    replicates : ndarray, shape (group, candidate)
        The same with a group of trials left out in turn.
    reach : float
        Standard errors by which a candidate must fall behind to be ruled out.

    Returns
    -------
    tuple of int
        Bounds.
    """
    best = best_candidate(ratio)
    behind = replicates[:, [best]] - replicates
    error = np.sqrt((len(replicates) - 1) * behind.var(axis=0))
    kept = np.flatnonzero(ratio[best] - ratio <= reach * error)
    return int(kept.min()), int(kept.max())
