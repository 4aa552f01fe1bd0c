"""Which number does a trial stand for?  Cross-validated ridge regression, for many labelings.

One singular value decomposition per fold serves every labeling and every ridge; the ridge is
chosen within the training trials by leaving out trials (or whole groups), which the hat matrix
gives in closed form.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def held_out_numbers(
    values: NDArray[np.floating[Any]],
    targets: Array,
    fold: Index,
    ridges: Array,
    group: Index | None = None,
) -> tuple[Array, Array, Array]:
    """Predict every held-out trial of one time bin, for many labelings at once.

    Parameters
    ----------
    values : ndarray (trial, neuron)
        Activity in one bin, without NaN.
    targets : ndarray (draw, trial)
        Numbers to predict.
    fold : ndarray of int (trial,)
        Fold in which a trial is held out.
    ridges : ndarray (ridge,)
        Ridges in units of the variance of a scaled neuron; the best is chosen for each fold and
        labeling within the training trials.
    group : ndarray of int (trial,), optional
        Trials that are left out together in that choice.

    Returns
    -------
    prediction : ndarray (draw, trial)
        Prediction for each trial by the fold that held it out.
    guess : ndarray (draw, trial)
        Mean of the training trials: the prediction of who knows no activity.
    ridge : ndarray (fold,)
        Chosen for the first labeling.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.analysis.ridge import held_out_numbers
    >>> values = np.arange(8.0)[:, np.newaxis]
    >>> fold = np.array([0, 1] * 4)
    >>> found = held_out_numbers(values, 3 * values.T, fold, np.array([1e-9]))[0]
    >>> found.round(3).tolist()
    [[0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0, 21.0]]
    """
    prediction, guess = np.empty(targets.shape), np.empty(targets.shape)
    chosen = []
    for number in np.unique(fold):
        test = fold == number
        train, held = scaled(values[~test].astype(np.float64), values[test].astype(np.float64))
        left, singular, right = np.linalg.svd(train, full_matrices=False)
        mean = targets[:, ~test].mean(axis=1, keepdims=True)
        centered = (targets[:, ~test] - mean).T
        own = None if group is None else group[~test]
        best = best_ridge(left, singular, centered, ridges, own)
        penalty = len(train) * ridges[best]
        shrunk = singular[:, np.newaxis] / (singular[:, np.newaxis] ** 2 + penalty)
        prediction[:, test] = mean + (held @ right.T @ (shrunk * (left.T @ centered))).T
        guess[:, test] = mean
        chosen.append(ridges[best[0]])
    return prediction, guess, np.array(chosen)


def scaled(train: Array, test: Array) -> tuple[Array, Array]:
    """Scale neurons to mean 0 and variance 1 over the training trials; silent ones are 0."""
    mean, scale = train.mean(axis=0), train.std(axis=0)
    constant = scale <= 1e-12 * np.abs(mean)
    scale[constant] = 1.0
    both = [(part - mean) / scale for part in (train, test)]
    for part in both:
        part[:, constant] = 0.0
    return both[0], both[1]


def best_ridge(
    left: Array, singular: Array, centered: Array, ridges: Array, group: Index | None
) -> Index:
    """Position of the ridge with the smallest error on trials left out, for every labeling.

    Parameters
    ----------
    left : ndarray (trial, component)
        Left singular vectors of the scaled training trials.
    singular : ndarray (component,)
        Singular values.
    centered : ndarray (trial, draw)
        Labels less their mean.
    ridges : ndarray (ridge,)
        Candidates.
    group : ndarray of int (trial,) or None
        What is left out together; single trials without.

    Returns
    -------
    ndarray of int (draw,)
    """
    n_trials, n_draws = centered.shape
    if ridges.size == 1:
        return np.zeros(n_draws, dtype=np.intp)
    products = left.T @ centered
    errors = np.empty((ridges.size, n_draws))
    for number, ridge in enumerate(ridges):
        keep = singular**2 / (singular**2 + n_trials * ridge)
        residual = centered - left @ (keep[:, np.newaxis] * products)
        errors[number] = (_left_out(residual, left, keep, group) ** 2).sum(axis=0)
    return np.asarray(errors.argmin(axis=0))


def _left_out(residual: Array, left: Array, keep: Array, group: Index | None) -> Array:
    """Residuals of trials, each predicted by a fit that has not seen it (nor its group)."""
    n_trials = len(residual)
    if group is None:
        leverage = 1.0 / n_trials + (left**2) @ keep
        return np.asarray(residual / (1.0 - leverage)[:, np.newaxis])
    result = np.empty_like(residual)
    for number in np.unique(group):
        own = np.flatnonzero(group == number)
        hat = 1.0 / n_trials + (left[own] * keep) @ left[own].T
        result[own] = np.linalg.solve(np.eye(own.size) - hat, residual[own])
    return result
