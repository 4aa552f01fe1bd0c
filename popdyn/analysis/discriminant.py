"""Which class is a trial nearest to?  Cross-validated linear discriminants, for many labelings.

Linear discriminant analysis with a ridge (Friedman 1989, J. Am. Stat. Assoc. 84:165) written so
that all permutations of the labels share one matrix per fold, which makes a permutation test
cost little more than the analysis itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def held_out_correct(
    values: NDArray[np.floating[Any]], classes: Index, fold: Index, regularization: float
) -> NDArray[np.bool_]:
    """Cross-validate one time bin for many labelings at once.

    Parameters
    ----------
    values : ndarray (trial, neuron)
        Activity in one bin, without NaN.
    classes : ndarray of int (draw, trial)
        Labelings 0, 1, ...; outside of every fold each class has a trial.
    fold : ndarray of int (trial,)
        Fold in which a trial is held out.
    regularization : float
        Ridge, see `decode`.

    Returns
    -------
    ndarray of bool (draw, trial)
        Whether each trial, held out, was given to its class.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.analysis.discriminant import held_out_correct
    >>> values = np.array([[0.0], [9.0], [1.0], [8.0]])
    >>> labelings = np.array([[0, 1, 0, 1]])
    >>> held_out_correct(values, labelings, np.array([0, 0, 1, 1]), 1.0).tolist()
    [[True, True, True, True]]
    """
    correct = np.empty(classes.shape, dtype=bool)
    n_classes = int(classes.max()) + 1
    for number in np.unique(fold):
        test = fold == number
        hat = _hat(values[~test].astype(np.float64), values[test], regularization)
        onehot = classes[:, np.newaxis, ~test] == np.arange(n_classes)[:, np.newaxis]
        correct[:, test] = _nearest_class(hat, onehot) == classes[:, test]
    return correct


@dataclass(frozen=True, eq=False)
class Discriminants:
    """Linear rules that give a trial to a class, one set for every labeling.

    Attributes
    ----------
    mean, scale : ndarray (neuron,)
        Of the training trials.
    weights : ndarray (neuron, draw, class)
        What a scaled neuron adds to the score of a class, less what it adds to the first.
    offset : ndarray (draw, class)
        Constant of the score.
    """

    mean: Array
    scale: Array
    weights: Array
    offset: Array

    def predict(self, values: NDArray[np.floating[Any]]) -> Index:
        """Class of every trial (..., trial, neuron), for every labeling: (..., draw, trial)."""
        n_neurons, n_draws, n_others = self.weights.shape
        z = (values - self.mean) * self.scale
        scores = (z @ self.weights.reshape(n_neurons, -1)).reshape(
            *values.shape[:-1], n_draws, n_others
        )
        scores += self.offset
        best = scores[..., 0] > 0 if n_others == 1 else _first_or_best(scores)
        return np.moveaxis(best, -1, -2).astype(np.intp)


def _first_or_best(scores: Array) -> Index:
    """Position of the largest score; 0 where none is above that of the first class."""
    return np.where(scores.max(axis=-1) > 0, scores.argmax(axis=-1) + 1, 0)


def discriminants(train: Array, classes: Index, regularization: float) -> Discriminants:
    """Learn the rules of many labelings from the same trials.

    Parameters
    ----------
    train : ndarray (trial, neuron)
        Activity without NaN.
    classes : ndarray of int (draw, trial)
        Labelings 0, 1, ...; each class has a trial.
    regularization : float
        Ridge, see `decode`.

    Returns
    -------
    Discriminants
        They give the same classes as `held_out_correct`.
    """
    mean, scale = train.mean(axis=0), train.std(axis=0)
    constant = scale <= 1e-12 * np.abs(mean)
    factor = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, scale))
    z = (train - mean) * factor
    n_train, n_neurons = z.shape
    if n_neurons <= n_train:
        covariance = z.T @ z / n_train + regularization * np.eye(n_neurons)
        inverse = scipy.linalg.solve(covariance, z.T, assume_a="pos")
    else:
        kernel = z @ z.T / n_train + regularization * np.eye(n_train)
        inverse = scipy.linalg.solve(kernel, z, assume_a="pos").T
    n_classes = int(classes[0].max()) + 1
    onehot = classes[:, np.newaxis] == np.arange(n_classes)[:, np.newaxis]
    share = onehot / onehot.sum(axis=2, keepdims=True)
    means = share @ z  # (draw, class, neuron)
    toward = share @ inverse.T
    among = toward @ means.transpose(0, 2, 1)
    counts = np.eye(n_classes) / onehot.mean(axis=2)[:, :, np.newaxis]
    # Woodbury, as in `_nearest_class`: the within-class metric from the total one.
    weights = toward + among @ np.linalg.solve(counts - among, toward)
    metric = among + among @ np.linalg.solve(counts - among, among)
    offset = -0.5 * np.diagonal(metric, axis1=1, axis2=2)
    return Discriminants(
        mean,
        factor,
        np.ascontiguousarray((weights[:, 1:] - weights[:, :1]).transpose(2, 0, 1)),
        offset[:, 1:] - offset[:, :1],
    )


def _hat(train: Array, test: NDArray[np.floating[Any]], regularization: float) -> Array:
    """Products of all trials with the training trials, ``z S^-1 z'`` (S: total plus ridge)."""
    mean, scale = train.mean(axis=0), train.std(axis=0)
    # A neuron that never changes in training carries nothing: its scaled value is 0, not NaN.
    constant = scale <= 1e-12 * np.abs(mean)
    scale[constant] = 1.0
    both = (np.concatenate([train, test]) - mean) / scale
    both[:, constant] = 0.0
    n_train, n_neurons = train.shape
    z = both[:n_train]
    if n_neurons <= n_train:
        covariance = z.T @ z / n_train + regularization * np.eye(n_neurons)
        return np.asarray(both @ scipy.linalg.solve(covariance, z.T, assume_a="pos"))
    kernel = z @ z.T / n_train + regularization * np.eye(n_train)
    return np.asarray(scipy.linalg.solve(kernel, z @ both.T, assume_a="pos").T)


def _nearest_class(hat: Array, onehot: NDArray[np.bool_]) -> Index:
    """Class of every test trial, for every labeling (draw, class, train trial).

    The hat matrix does not know the labels, so all labelings share it.  Taking the scatter of
    the class means out of the total covariance leaves the within-class one: a matrix of the
    size of the number of classes to invert (Woodbury).
    """
    n_draws, n_classes, n_train = onehot.shape
    shares = np.eye(n_classes) / onehot.mean(axis=2)[:, :, np.newaxis]
    weights = (onehot / onehot.sum(axis=2, keepdims=True)).reshape(-1, n_train)
    products = (weights @ hat.T).reshape(n_draws, n_classes, -1)
    means = weights.reshape(n_draws, n_classes, n_train)
    among = products[..., :n_train] @ means.transpose(0, 2, 1)
    factor = np.linalg.solve(shares - among, products[..., n_train:])
    scores = products[..., n_train:] + among @ factor
    metric = among + among @ np.linalg.solve(shares - among, among)
    scores -= 0.5 * np.diagonal(metric, axis1=1, axis2=2)[..., np.newaxis]
    return np.asarray(scores.argmax(axis=1))
