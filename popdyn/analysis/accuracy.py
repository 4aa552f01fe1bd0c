"""How often was a held-out trial right, and how sure is that?  Balanced accuracy and its bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.shuffle_test import over_time
from popdyn.resample import percentile_bounds, upper_p_value

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_N_BOOTSTRAPS = 1000


def accuracy_statistics(
    correct: NDArray[np.bool_], classes: Index, rng: np.random.Generator
) -> dict[str, Any]:
    """Accuracy over time and in the window, with bounds, null and p values.

    Parameters
    ----------
    correct : ndarray of bool (time, draw, trial)
        Whether each trial, held out, was given to its class.
    classes : ndarray of int (draw, trial)
        Labelings: the true one first, then those of the null.
    rng : Generator
        Draws the bootstrap.

    Returns
    -------
    dict
        Variables of the result of ``popdyn.decode``, as for a Dataset.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.analysis.accuracy import accuracy_statistics
    >>> correct = np.array([[[True, True, False, True], [False, True, False, True]]])
    >>> classes = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    >>> found = accuracy_statistics(correct, classes, np.random.default_rng(0))
    >>> found["accuracy"][1].tolist(), found["null_accuracy"][1].tolist()
    ([0.75], [[0.5]])
    """
    label = classes[0]
    counts = np.bincount(label)
    n_classes = len(counts)
    accuracy = balanced_accuracy(correct, classes)
    observed, null = accuracy[0], accuracy[1:]
    scores = correct[:, 0].astype(np.float64)
    mean = observed.mean()
    average = correct.mean(axis=0)[np.newaxis]
    bound = _bounds(scores, observed, label, _dependence(correct, classes), rng)
    mean_bound = _bounds(
        average[:, 0],
        observed.mean(keepdims=True),
        label,
        _dependence(average, classes),
        rng,
    )
    return {
        "accuracy": ("time", observed, {"units": "1"}),
        "accuracy_bound": (("bound", "time"), bound),
        "null_accuracy": (("draw", "time"), null),
        **over_time(observed, null),
        "mean_accuracy": ((), mean, {"units": "1"}),
        "mean_accuracy_bound": ("bound", mean_bound[:, 0]),
        "null_mean_accuracy": ("draw", null.mean(axis=1)),
        "mean_p": ((), float(upper_p_value(mean, null.mean(axis=1)))),
        "chance": ((), 1.0 / n_classes),
        "n_trials": ("condition", counts),
    }


def balanced_accuracy(correct: NDArray[np.bool_], classes: Index) -> Array:
    """Mean over classes of the share of right trials, (draw, time).

    Parameters
    ----------
    correct : ndarray of bool (time, draw, trial)
        Whether each trial was given to its class.
    classes : ndarray of int (draw, trial)
        Labelings.

    Returns
    -------
    ndarray (draw, time)
    """
    shares = []
    for number in range(int(classes[0].max()) + 1):
        member = classes == number
        n_right = np.einsum("tdk,dk->dt", correct, member * 1.0)
        # Whole numbers are divided last, so that always right is exactly one.
        shares.append(n_right / member.sum(axis=1, keepdims=True))
    return np.asarray(np.mean(shares, axis=0))


def _bounds(
    scores: Array, observed: Array, label: Index, dependence: float, rng: np.random.Generator
) -> Array:
    """95 % bounds (bound, time) of the balanced mean of the trials' scores (time, trial).

    Every class is bootstrapped together with half a trial that is right and half a trial that is
    wrong, so that a decoder that was always right is not certain to be.
    """
    n_classes = int(label.max()) + 1
    boot = np.zeros((_N_BOOTSTRAPS, len(scores)))
    for number in range(n_classes):
        own = scores[:, label == number]
        n_own = own.shape[1] + 1
        extended = np.concatenate([own, np.zeros((len(own), 1)), np.ones((len(own), 1))], axis=1)
        chance = np.concatenate([np.ones(n_own - 1), [0.5, 0.5]]) / n_own
        drawn = rng.multinomial(n_own, chance, size=_N_BOOTSTRAPS)
        boot += drawn @ extended.T / (n_own * n_classes)
    bound = observed + dependence * (percentile_bounds(boot) - observed)
    bound[0], bound[1] = np.minimum(bound[0], observed), np.maximum(bound[1], observed)
    return np.asarray(np.clip(bound, 0.0, 1.0))


def _dependence(scores: NDArray[Any], classes: Index) -> float:
    """How much wider accuracy spreads over shuffles than independent trials would make it.

    Trials share their decoders, so that their scores (time, draw, trial) are not independent and
    a bootstrap over trials is too narrow; the null draws show by how much.
    """
    null, labels = scores[:, 1:], classes[1:]
    squares = null if null.dtype == bool else null**2
    n_classes = int(classes.max()) + 1
    means, variance = np.zeros(null.shape[:2]), np.zeros(null.shape[:2])
    for number in range(n_classes):
        share = (labels == number) / (labels == number).sum(axis=1, keepdims=True)
        class_mean = np.einsum("tdk,dk->td", null, share)
        spread = np.einsum("tdk,dk->td", squares, share) - class_mean**2
        means += class_mean / n_classes
        variance += spread / (labels == number).sum(axis=1) / n_classes**2
    expected = variance.mean()
    return float(np.sqrt(max(1.0, means.var(axis=1).mean() / expected))) if expected > 0 else 1.0
