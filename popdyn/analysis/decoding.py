"""What does the population say about a trial, and when?  Linear decoding over time.

Linear discriminant analysis with a ridge, bin by bin, scored on held-out trials and held
against shuffled labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.accuracy import accuracy_statistics
from popdyn.analysis.decoding_problem import Problem, as_given, pose_classes
from popdyn.analysis.discriminant import held_out_correct
from popdyn.analysis.folds import check_folds
from popdyn.errors import TensorError
from popdyn.progress import watched
from popdyn.resample import BOUND, Seed, as_generator
from popdyn.tensor.contract import check
from popdyn.tensor.result import make_result


def decode(
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
    """Decode a trial variable from the population in every time bin, on held-out trials.

    In each bin the neurons are scaled to mean 0 and variance 1 over the training trials, and a
    held-out trial is given to the class whose mean is nearest in the metric of the within-class
    covariance plus `regularization` times the identity: linear discriminant analysis with a
    ridge and equal priors.  With two classes this is the direction of a ridge regression on the
    label, with the boundary half way between the class means.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates or spike counts.  Trials with a NaN in any neuron and bin are left out, and so are
        neurons that are NaN throughout; a warning says how many.  In a pseudo-population
        (``simultaneous = 0``) these are the repeats that every neuron has.
    label : str or list of str
        Trial column to decode; several columns are decoded as their combinations.  Numbers equal
        within rounding are one class; trials without a value are left out.
    n_folds : int
        Folds of the cross-validation, stratified by class.
    n_draws : int
        Draws of the null: labels shuffled within folds, which leaves the class counts of each
        fold alone and makes the test exact given the folds.
    regularization : float
        Ridge in units of the variance of a scaled neuron, above 0.
    groups : str or list of str, optional
        Trial columns (session, block) whose trials are held out together, so that what trials of
        a block share cannot be mistaken for the label.  Labels are then shuffled within groups,
        or between whole groups if each has but one label (see Notes).
    rng : int or Generator
        Seed of folds, shuffles and bootstrap.
    n_jobs : int
        Time bins decoded at once (joblib); results do not depend on it.

    Returns
    -------
    Dataset
        ``accuracy (time)``: balanced accuracy, the mean over classes of the share of held-out
        trials given to the right class; ``accuracy_bound (bound, time)``: 95 % bootstrap over
        trials within class (see Notes); ``null_accuracy (draw, time)``; ``p (time)``;
        ``p_corrected (time)``, against the largest null accuracy over time; ``cluster_p`` and
        ``cluster (time)``: runs of bins against the largest run of each draw (see Notes);
        ``mean_accuracy`` over the window, with ``mean_accuracy_bound (bound)``,
        ``null_mean_accuracy (draw)`` and ``mean_p``; ``chance``; ``n_trials (condition)``;
        ``correct (time, trial)`` and ``fold (trial)`` of the trials that took part.

    Raises
    ------
    TensorError
        When `label` is not a trial column, or an argument is out of range.
    FitError
        When the label is constant, a class has fewer complete trials than folds, or no trial is
        complete; when groups leave a fold without a class to train on.

    Warns
    -----
    PopdynWarning
        When trials or neurons are left out, or groups allow but few different shuffles.

    Notes
    -----
    Bounds: whether a held-out trial was right is bootstrapped within classes, each with half a
    right and half a wrong trial added.  Trials share their decoders, so the interval is widened
    by the ratio of the spread of the null accuracies to the one independent trials would have
    (about 1.3).  The bounds are for a decoder trained on this many trials;
    ``tests/analysis/results/decoding.csv`` holds their measured coverage, 95 to 99 %.

    Whole groups of one label: folds dealt to balance the true label would favor it over its
    shuffles.  Ten deals are made without looking at labels, and each labeling, the true one or a
    shuffle, is decoded with the deal that spreads its classes most evenly.

    Neither the order of trials or neurons nor the names of classes and groups change a result:
    folds and shuffles are dealt to trials in the order of their ids, and to classes in the order
    in which those trials show them.  Other ids are other deals.

    Clusters: accuracies are brought to mean 0 and variance 1 over the shuffles and the measured
    one; neighboring bins above 1.645 form a cluster, whose sum is compared with that of the
    largest cluster of every shuffle.  A cluster is significant as a whole: where it starts and
    ends is not.

    p values are ``(1 + exceedances) / (1 + n_draws)``: 200 draws go down to 0.005.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> choice = np.tile([0, 1], 20)
    >>> noise = np.random.default_rng(0).normal(size=(5, 2, 40))
    >>> noise[:, 1] += 3 * choice
    >>> tensor = pdn.make_tensor(noise, [0.0, 0.1], {"choice": choice}, units="1")
    >>> result = pdn.decode(tensor, "choice", n_draws=50)
    >>> bool(result["accuracy"][1] > 0.95), float(result["chance"])
    (True, 0.5)
    """
    tensor = check(tensor)
    check_folds(n_folds, n_draws)
    check_ridge(regularization)
    generator, seed = as_generator(rng)
    problem = pose_classes(tensor, label, groups, n_folds, n_draws, generator)
    classes = problem.target
    with threadpool_limits(limits=1, user_api="blas"):
        results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
            joblib.delayed(_one_bin)(bin_values, problem, regularization)
            for bin_values in problem.values
        )
        correct = np.stack(list(watched(results, len(problem.values), "decoding")))
    result = make_result(
        {
            **accuracy_statistics(correct, classes, generator),
            "correct": (("time", "trial"), correct[:, 0]),
            "fold": ("trial", problem.fold),
        },
        coords={
            "time": tensor["time"],
            "condition": np.array(problem.labels, dtype=np.str_),
            "bound": BOUND,
            "draw": np.arange(n_draws),
            "trial": problem.trial,
        },
        method="decode",
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


def _one_bin(
    values: NDArray[np.floating[Any]], problem: Problem, regularization: float
) -> NDArray[np.bool_]:
    """Whether each held-out trial of one bin was given to its class, (draw, trial)."""
    correct = np.empty(problem.target.shape, dtype=bool)
    for draws, fold in problem.parts():
        correct[draws] = held_out_correct(values, problem.target[draws], fold, regularization)
    return correct


def describe_decoding(
    result: xr.Dataset, tensor: xr.DataArray, label: str | Sequence[str], n_neurons: int
) -> None:
    """Write into the attributes what was decoded from how many neurons, and a caution."""
    result.attrs["label"] = label if isinstance(label, str) else ", ".join(label)
    result.attrs["n_neurons"] = int(n_neurons)
    if int(tensor.attrs.get("simultaneous", 1)) == 0:
        result.attrs["note"] = (
            "neurons were not recorded together: a trial is a repeat of a condition, and noise "
            "shared between neurons is absent, which changes accuracy in either direction"
        )


def check_ridge(regularization: Any) -> None:
    """Refuse a ridge out of range."""
    number = isinstance(regularization, (int, float, np.number))
    if not number or not np.isfinite(regularization) or regularization <= 0:
        message = (
            f"regularization is a finite number above 0 (the ridge keeps the covariance "
            f"invertible); found {regularization!r}"
        )
        if isinstance(regularization, str):
            message += "; only decode_quantity chooses it by cross-validation ('cv')"
        raise TensorError(message)
