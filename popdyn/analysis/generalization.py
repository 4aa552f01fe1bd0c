"""Is what the population says at one moment said so at others?  Decoders across time.

Decoders trained in one time bin are tested in every other (King and Dehaene 2014, Trends Cogn.
Sci. 18:203): a code that holds still fills a square, one that moves on stays on the diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.decoding import check_ridge, describe_decoding
from popdyn.analysis.decoding_problem import Problem, as_given, pose_classes
from popdyn.analysis.discriminant import discriminants
from popdyn.analysis.folds import check_folds
from popdyn.analysis.shuffle_test import over_matrix
from popdyn.progress import watched
from popdyn.resample import Seed, as_generator, upper_p_value
from popdyn.tensor.contract import check
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

_SLAB = 2**23  # scores held at once


def temporal_generalization(
    tensor: xr.DataArray,
    label: str | Sequence[str],
    *,
    n_folds: int = 5,
    n_draws: int = 200,
    regularization: float = 1.0,
    groups: str | Sequence[str] | None = None,
    rng: Seed = 0,
    n_jobs: int = 1,
) -> xr.Dataset:
    """Train a decoder in every time bin and test it in every time bin, on held-out trials.

    The decoders, folds and shuffles are those of `decode`: the diagonal is its accuracy.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates or spike counts; what is left out is as in `decode`.
    label : str or list of str
        Trial column to decode; several columns are decoded as their combinations.
    n_folds, n_draws, regularization, groups, rng
        As in `decode`.  Activity is scaled by mean and variance of the training trials in the
        training bin, wherever it is tested.
    n_jobs : int
        Training bins at once (joblib); results do not depend on it.

    Returns
    -------
    Dataset
        ``accuracy (train_time, test_time)``: balanced accuracy of held-out trials; ``null_mean``
        and ``null_upper (train_time, test_time)``: mean and 95 % quantile over shuffles;
        ``p``, ``p_corrected`` (against the largest null accuracy anywhere), ``cluster_p`` and
        ``cluster (train_time, test_time)``: areas against the largest area of each shuffle;
        ``mean_accuracy`` over all pairs with ``null_mean_accuracy (draw)`` and ``mean_p``;
        ``stability``: mean accuracy off the diagonal, less chance, over that on it (1: the code
        holds still); ``null_largest_accuracy (draw)``; ``chance``; ``n_trials (condition)``.

    Raises
    ------
    TensorError, FitError
        As `decode`.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> choice = np.tile([0, 1], 30)
    >>> values = np.random.default_rng(0).normal(size=(4, 3, 60))
    >>> values[0, :2] += 4 * choice  # the first neuron, then another one
    >>> values[1, 2] += 4 * choice
    >>> tensor = pdn.make_tensor(values, [0.0, 0.1, 0.2], {"choice": choice}, units="1")
    >>> result = pdn.temporal_generalization(tensor, "choice", n_draws=20)
    >>> (result["accuracy"].values > 0.8).astype(int).tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    tensor = check(tensor)
    check_folds(n_folds, n_draws)
    check_ridge(regularization)
    generator, seed = as_generator(rng)
    problem = pose_classes(
        tensor, label, groups, n_folds, n_draws, generator, "temporal_generalization"
    )
    with threadpool_limits(limits=1, user_api="blas"):
        results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
            joblib.delayed(_train_once)(problem, bin_number, regularization)
            for bin_number in range(len(problem.values))
        )
        rows = list(watched(results, len(problem.values), "generalizing"))
    accuracy = np.stack(rows, axis=1)  # (draw, train_time, test_time)
    time = tensor["time"].values
    result = make_result(
        _statistics(accuracy, problem),
        coords={
            "train_time": ("train_time", time, {"units": "s"}),
            "test_time": ("test_time", time, {"units": "s"}),
            "condition": np.array(problem.labels, dtype=np.str_),
            "draw": np.arange(n_draws),
        },
        method="temporal_generalization",
        parameters={
            "label": label,
            "n_folds": n_folds,
            "n_draws": n_draws,
            "regularization": regularization,
            "groups": groups,
        },
        source=tensor,
        seed=seed,
    )
    describe_decoding(result, tensor, label, problem.values.shape[2])
    return as_given(result, problem)


def _train_once(problem: Problem, bin_number: int, regularization: float) -> NDArray[np.float32]:
    """Balanced accuracy in every test bin of decoders trained in one, (draw, test_time)."""
    accuracy = np.empty((len(problem.target), len(problem.values)), dtype=np.float32)
    for draws, fold in problem.parts():
        accuracy[draws] = _same_folds(
            problem.values, problem.target[draws], fold, bin_number, regularization
        )
    return accuracy


def _same_folds(
    values: NDArray[np.floating[Any]],
    classes: NDArray[np.intp],
    fold: NDArray[np.intp],
    bin_number: int,
    regularization: float,
) -> NDArray[np.float32]:
    """Accuracies (draw, test_time) of labelings that share their folds."""
    n_classes = int(classes[0].max()) + 1
    n_right = np.zeros((n_classes, len(classes), len(values)))
    for number in np.unique(fold):
        test = fold == number
        own = discriminants(
            values[bin_number, ~test].astype(np.float64), classes[:, ~test], regularization
        )
        truth = classes[:, test]
        n_once = max(1, _SLAB // (len(classes) * n_classes * int(test.sum())))
        for first in range(0, len(values), n_once):
            part = slice(first, first + n_once)
            right = own.predict(values[part][:, test]) == truth
            for k in range(n_classes):
                n_right[k, :, part] += np.einsum("tdk,dk->dt", right, (truth == k) * 1.0)
    counts = np.stack([(classes == k).sum(axis=1) for k in range(n_classes)])
    # Single precision for the measured one and the null alike, so that ties remain ties.
    return np.asarray((n_right / counts[..., np.newaxis]).mean(axis=0), dtype=np.float32)


def _statistics(accuracy: NDArray[np.float32], problem: Problem) -> dict[str, Any]:
    """Variables of the result."""
    observed, null = accuracy[0], accuracy[1:]
    dims = ("train_time", "test_time")
    chance = 1.0 / len(problem.labels)
    null_mean = null.mean(axis=(1, 2), dtype=np.float64)
    mean = float(observed.mean(dtype=np.float64))
    return {
        "accuracy": (dims, observed.astype(np.float64), {"units": "1"}),
        "null_mean": (dims, null.mean(axis=0, dtype=np.float64)),
        "null_upper": (dims, np.quantile(null, 0.95, axis=0).astype(np.float64)),
        "null_largest_accuracy": ("draw", null.max(axis=(1, 2)).astype(np.float64)),
        **over_matrix(observed, null),
        "mean_accuracy": ((), mean, {"units": "1"}),
        "null_mean_accuracy": ("draw", null_mean),
        "mean_p": ((), float(upper_p_value(mean, null_mean))),
        "stability": ((), _stability(observed.astype(np.float64), chance), {"units": "1"}),
        "chance": ((), chance),
        "n_trials": ("condition", np.bincount(problem.target[0])),
    }


def _stability(accuracy: Array, chance: float) -> float:
    """Accuracy above chance off the diagonal over that on it; NaN when there is none on it."""
    same = np.diagonal(accuracy).mean() - chance
    n_bins = len(accuracy)
    if n_bins < 2 or same <= 0:
        return float("nan")
    other = (accuracy.sum() - np.trace(accuracy)) / (n_bins * (n_bins - 1)) - chance
    return float(other / same)
