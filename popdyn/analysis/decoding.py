"""What does the population say about a trial, and when?  Linear decoding over time.

Linear discriminant analysis with a ridge, bin by bin, scored on held-out trials and held
against shuffled labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.accuracy import accuracy_statistics
from popdyn.analysis.discriminant import held_out_correct
from popdyn.errors import FitError, TensorError, warn
from popdyn.progress import watched
from popdyn.resample import (
    BOUND,
    Seed,
    as_generator,
    permute_labels,
    spawn,
)
from popdyn.tensor.contract import check
from popdyn.tensor.result import make_result
from popdyn.tensor.view import Conditions, group_conditions

Index = NDArray[np.intp]

_MANY_VALUES = 8  # a numeric label with more values than this is probably a quantity


@dataclass(frozen=True)
class _Problem:
    """What is decoded: activity of complete trials, their class and their fold."""

    values: NDArray[np.floating[Any]]  # (time, trial, neuron)
    label: Index
    fold: Index
    labels: list[str]


def decode(
    tensor: xr.DataArray,
    label: str | Sequence[str],
    *,
    n_folds: int = 5,
    n_draws: int = 200,
    regularization: float = 1.0,
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
        ``p_corrected (time)``, against the largest null accuracy over time; ``mean_accuracy`` over
        the window, with ``mean_accuracy_bound (bound)``, ``null_mean_accuracy (draw)`` and
        ``mean_p``; ``chance``; ``n_trials (condition)``.

    Raises
    ------
    TensorError
        When `label` is not a trial column, or an argument is out of range.
    FitError
        When the label is constant, a class has fewer complete trials than folds, or no trial is
        complete.

    Warns
    -----
    PopdynWarning
        When trials or neurons are left out.

    Notes
    -----
    Bounds: whether a held-out trial was right is bootstrapped within classes, each with half a
    right and half a wrong trial added.  Trials share their decoders, so the interval is widened
    by the ratio of the spread of the null accuracies to the one independent trials would have
    (about 1.3).  The bounds are for a decoder trained on this many trials;
    ``tests/analysis/results/decoding.csv`` holds their measured coverage, 95 to 99 %.

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
    _check_options(n_folds, n_draws, regularization)
    generator, seed = as_generator(rng)
    problem = _pose(tensor, label, n_folds, generator)
    draws = [permute_labels(problem.label, own, problem.fold) for own in spawn(generator, n_draws)]
    classes = np.stack([problem.label, *draws])
    with threadpool_limits(limits=1, user_api="blas"):
        results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
            joblib.delayed(held_out_correct)(bin_values, classes, problem.fold, regularization)
            for bin_values in problem.values
        )
        correct = list(watched(results, len(problem.values), "decoding"))
    parameters = {
        "label": label,
        "n_folds": n_folds,
        "n_draws": n_draws,
        "regularization": regularization,
    }
    result = make_result(
        accuracy_statistics(np.stack(correct), classes, generator),
        coords={
            "time": tensor["time"],
            "condition": np.array(problem.labels, dtype=np.str_),
            "bound": BOUND,
            "draw": np.arange(n_draws),
        },
        method="decode",
        parameters=parameters,
        source=tensor,
        seed=seed,
    )
    result.attrs["label"] = label if isinstance(label, str) else ", ".join(label)
    result.attrs["n_neurons"] = int(problem.values.shape[2])
    if int(tensor.attrs.get("simultaneous", 1)) == 0:
        result.attrs["note"] = (
            "neurons were not recorded together: a trial is a repeat of a condition, and noise "
            "shared between neurons is absent, which changes accuracy in either direction"
        )
    return result


def _pose(
    tensor: xr.DataArray, label: str | Sequence[str], n_folds: int, rng: np.random.Generator
) -> _Problem:
    """Choose neurons and trials, check that the question can be asked, and deal out the folds."""
    conditions = group_conditions(tensor, label)
    labelled = tensor.isel(trial=np.flatnonzero(conditions.index >= 0))
    observed = np.isfinite(labelled.values)
    seen = observed.any(axis=(1, 2))
    complete = observed[seen].all(axis=(0, 1))
    _say_left_out(tensor, conditions, seen, complete)
    if not seen.any() or not complete.any():
        raise FitError(_nothing_complete(tensor, observed, seen))
    used = labelled.isel(neuron=np.flatnonzero(seen), trial=np.flatnonzero(complete))
    original = conditions.index[conditions.index >= 0][complete]
    counts = np.bincount(original, minlength=len(conditions.labels))
    _check_classes(conditions, counts, label, n_folds, int((~complete).sum()))
    fold = _stratified_folds(original, n_folds, rng)
    return _Problem(used.values.transpose(1, 2, 0), original, fold, conditions.labels)


def _stratified_folds(label: Index, n_folds: int, rng: np.random.Generator) -> Index:
    """Fold of every trial: the trials of each class are dealt out in random order."""
    fold = np.empty(label.size, dtype=np.intp)
    dealt = 0
    for number in np.unique(label):
        members = rng.permutation(np.flatnonzero(label == number))
        fold[members] = (dealt + np.arange(members.size)) % n_folds
        dealt += members.size
    return fold


def _say_left_out(
    tensor: xr.DataArray,
    conditions: Conditions,
    seen: NDArray[np.bool_],
    complete: NDArray[np.bool_],
) -> None:
    """Warn about trials and neurons that do not take part."""
    lines = []
    n_unlabelled = int((conditions.index < 0).sum())
    if n_unlabelled:
        lines.append(f"{n_unlabelled} of {tensor.sizes['trial']} trials have no label")
    if not seen.all():
        names = ", ".join(str(name) for name in tensor["neuron"].values[~seen][:5])
        lines.append(
            f"{int((~seen).sum())} of {seen.size} neurons were not observed in any bin ({names})"
        )
    if not complete.all():
        lines.append(
            f"{int((~complete).sum())} of {complete.size} labelled trials were not observed in "
            "every neuron and bin (NaN)"
        )
    if lines:
        message = f"decode leaves out: {'; '.join(lines)}"
        warn(message)


def _nothing_complete(
    tensor: xr.DataArray, observed: NDArray[np.bool_], seen: NDArray[np.bool_]
) -> str:
    """Message for data without one complete trial: which neuron or bin to give up."""
    per_neuron = observed.all(axis=1).sum(axis=1)
    worst = ", ".join(
        f"{tensor['neuron'].values[index]} ({per_neuron[index]})"
        for index in np.argsort(per_neuron, kind="stable")[:5]
    )
    return (
        f"decode needs trials observed in every neuron and bin; none of {observed.shape[2]} "
        f"labelled trials is. Neurons with the fewest complete trials: {worst}, of "
        f"{int(seen.sum())} neurons. Leave neurons out with select(neurons=), shorten the window "
        "with select(time=), or pool neurons with pseudopopulation()"
    )


def _check_classes(
    conditions: Conditions, counts: Index, label: Any, n_folds: int, n_incomplete: int
) -> None:
    """Refuse a constant label and classes too small for the folds."""
    listed = ", ".join(
        f"{name} ({count})" for name, count in zip(conditions.labels, counts, strict=True)
    )
    if len(conditions.labels) < 2:
        message = (
            f"decode needs a label with two values or more; {label!r} is constant: {listed}. "
            "Choose another column or other trials"
        )
        raise FitError(message)
    if counts.min() >= n_folds:
        return
    small = ", ".join(
        f"{name} ({count})"
        for name, count in zip(conditions.labels, counts, strict=True)
        if count < n_folds
    )
    dropped = f" after leaving out {n_incomplete} trials with NaN" if n_incomplete else ""
    numeric = all(conditions.table[name].dtype.kind in "if" for name in conditions.table)
    if numeric and len(conditions.labels) > _MANY_VALUES:
        advice = (
            f"{label!r} has {len(conditions.labels)} different numbers: group them into a few "
            "classes (a new trial column, say low and high) and decode that"
        )
    else:
        advice = "Leave these trials out with select(trials=), or use fewer folds (n_folds >= 2)"
    message = (
        f"decode with {n_folds} folds needs {n_folds} trials or more in every class of "
        f"{label!r}; too few{dropped} in {small}. {advice}"
    )
    raise FitError(message)


def _check_options(n_folds: int, n_draws: int, regularization: float) -> None:
    """Refuse arguments out of range."""
    if n_folds < 2 or n_draws < 1:
        message = f"n_folds is 2 or more and n_draws 1 or more; found {n_folds} and {n_draws}"
        raise TensorError(message)
    if not np.isfinite(regularization) or regularization <= 0:
        message = (
            f"regularization is a finite number above 0 (the ridge keeps the covariance "
            f"invertible); found {regularization!r}"
        )
        raise TensorError(message)
