"""Which number does the population stand for, and how far off?  Ridge regression over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.decoding import check_ridge, describe_decoding
from popdyn.analysis.decoding_problem import Problem, as_given, pose_quantity
from popdyn.analysis.folds import check_folds
from popdyn.analysis.ridge import held_out_numbers
from popdyn.analysis.shuffle_test import over_time
from popdyn.errors import TensorError
from popdyn.progress import watched
from popdyn.resample import BOUND, Seed, as_generator, percentile_bounds, upper_p_value
from popdyn.tensor.contract import check
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

RIDGES = np.logspace(-3, 3, 13)
_N_BOOTSTRAPS = 1000


def decode_quantity(
    tensor: xr.DataArray,
    label: str,
    *,
    n_folds: int = 5,
    n_draws: int = 200,
    regularization: float | str | Sequence[float] = "cv",
    groups: str | Sequence[str] | None = None,
    rng: Seed = 0,
    n_jobs: int = 1,
) -> xr.Dataset:
    """Decode a number from the population in every time bin, on held-out trials.

    The neurons are scaled to mean 0 and variance 1 over the training trials and the label is
    regressed on them with a ridge.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates or spike counts.  Trials with a NaN in any neuron and bin are left out, and so are
        neurons that are NaN throughout; a warning says how many.
    label : str
        Trial column of numbers: a stimulus, a duration, a confidence.  Trials without a value are
        left out.
    n_folds : int
        Folds of the cross-validation; trials of similar label are spread over them.
    n_draws : int
        Draws of the null: labels shuffled within folds (within groups, or between whole groups if
        each has but one label).
    regularization : float, "cv" or list of float
        Ridge in units of the variance of a scaled neuron.  "cv" chooses among 13 from 0.001 to
        1000, and a list among its numbers, by leaving one trial (or group) of the training trials
        out: for each bin, fold and shuffle on its own.
    groups : str or list of str, optional
        Trial columns (session, block) whose trials are held out together.
    rng : int or Generator
        Seed of folds, shuffles and bootstrap.
    n_jobs : int
        Time bins decoded at once (joblib); results do not depend on it.

    Returns
    -------
    Dataset
        ``r2 (time)``: 1 less the squared error of held-out trials over that of predicting the
        mean of the training trials: at most 1, and below 0 when worse than that mean;
        ``rmse (time)`` and ``chance_rmse`` in the units of the label; ``r2_bound`` and
        ``rmse_bound (bound, time)``: 95 % bootstrap over trials (groups, if there are);
        ``null_r2 (draw, time)``; ``p``, ``p_corrected``, ``cluster_p`` and ``cluster (time)`` as
        of `decode`; ``mean_r2`` over the window with ``mean_r2_bound (bound)``,
        ``null_mean_r2 (draw)`` and ``mean_p``; ``prediction (time, trial)``, ``value`` and
        ``fold (trial)``; ``regularization (time, fold_number)``, as chosen.

    Raises
    ------
    TensorError
        When `label` is not a trial column of numbers, or an argument is out of range.
    FitError
        When the label is constant, or trials or groups are too few for the folds.

    Warns
    -----
    PopdynWarning
        When trials or neurons are left out, or groups allow but few different shuffles.

    Notes
    -----
    The bounds hold trials as the unit and are widened by what shuffles vary beyond independent
    trials.  ``tests/analysis/results/decoding_clusters.csv`` holds their measured coverage: 0.97 to
    0.98 without an effect (0.90 where blocks have one number), 0.79 with one and 40 trials, 0.88 to
    0.90 with more.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> duration = np.tile([0.2, 0.4, 0.6, 0.8], 15)
    >>> noise = np.random.default_rng(0).normal(size=(5, 2, 60))
    >>> noise[:, 1] += 5 * duration
    >>> tensor = pdn.make_tensor(noise, [0.0, 0.1], {"duration": duration}, units="1")
    >>> result = pdn.decode_quantity(tensor, "duration", n_draws=50)
    >>> bool(result["r2"][1] > 0.8), bool(result["rmse"][1] < 0.1)
    (True, True)
    """
    tensor = check(tensor)
    check_folds(n_folds, n_draws)
    ridges = _ridges(regularization)
    generator, seed = as_generator(rng)
    problem = pose_quantity(tensor, label, groups, n_folds, n_draws, generator)
    with threadpool_limits(limits=1, user_api="blas"):
        results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
            joblib.delayed(_one_bin)(bin_values, problem, ridges) for bin_values in problem.values
        )
        bins = _gathered(watched(results, len(problem.values), "decoding"), problem)
    units = str(tensor.coords[label].attrs.get("units", "unknown"))
    result = make_result(
        _statistics(bins, problem, units, generator),
        coords={
            "time": tensor["time"],
            "bound": BOUND,
            "draw": np.arange(n_draws),
            "trial": problem.trial,
            "fold_number": np.arange(n_folds),
        },
        method="decode_quantity",
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
    result.attrs["label_units"] = units
    return as_given(result, problem)


def _ridges(regularization: float | str | Sequence[float]) -> Array:
    """List the ridges to choose from."""
    if isinstance(regularization, str):
        if regularization == "cv":
            return RIDGES
        message = f'regularization is "cv", a number or a list of numbers; found {regularization!r}'
        raise TensorError(message)
    ridges = np.atleast_1d(np.asarray(regularization, dtype=np.float64))
    if not ridges.size:
        message = "regularization is an empty list: give it a number above 0"
        raise TensorError(message)
    for ridge in ridges:
        check_ridge(float(ridge))
    return ridges


@dataclass(frozen=True, eq=False)
class _Bin:
    """What is kept of one bin."""

    prediction: Array  # (trial,)
    error: Array  # (trial,), squared
    baseline: Array  # (trial,), squared error of the training mean
    r2: Array  # (draw,)
    ridge: Array  # (fold,)
    influence: Array  # (draw, trial): what a trial adds to the error of R2


def _one_bin(values: NDArray[np.floating[Any]], problem: Problem, ridges: Array) -> _Bin:
    """Decode one bin for all labelings."""
    target = problem.target
    prediction, guess, chosen = np.empty(target.shape), np.empty(target.shape), []
    for draws, fold in problem.parts():
        prediction[draws], guess[draws], ridge = held_out_numbers(
            values, target[draws], fold, ridges, problem.group
        )
        chosen.append(ridge)
    error, baseline = (target - prediction) ** 2, (target - guess) ** 2
    total = baseline.sum(axis=1)
    r2 = 1.0 - error.sum(axis=1) / total
    influence = (error - (1.0 - r2)[:, np.newaxis] * baseline) / total[:, np.newaxis]
    return _Bin(prediction[0], error[0], baseline[0], r2, chosen[0], influence)


@dataclass(frozen=True, eq=False)
class _Bins:
    """All bins, and what R2 varies by because decoders depend on their training trials."""

    prediction: Array  # (time, trial)
    error: Array
    baseline: Array
    r2: Array  # (time, draw)
    ridge: Array  # (time, fold)
    training_variance: float
    training_variance_of_mean: float


def _gathered(bins: Iterable[_Bin], problem: Problem) -> _Bins:
    """Gather the bins; influences are summed up as they come, since they are large.

    Trials share their decoders, so that R2 varies by more than a bootstrap of trials knows of.
    The shuffles show by how much: their variance less the one that independent trials would have.
    """
    kept, mean_influence, own = [], np.zeros(problem.target.shape), 0.0
    for one in bins:
        mean_influence += one.influence / len(problem.values)
        own += (one.influence[1:] ** 2).sum(axis=1).mean() / len(problem.values)
        kept.append((one.prediction, one.error, one.baseline, one.r2, one.ridge))
    prediction, error, baseline, r2, ridge = (np.stack(part) for part in zip(*kept, strict=True))
    of_mean = (mean_influence[1:] ** 2).sum(axis=1).mean()
    return _Bins(
        prediction,
        error,
        baseline,
        r2,
        ridge,
        max(0.0, float(r2[:, 1:].var(axis=1).mean() - own)),
        max(0.0, float(r2[:, 1:].mean(axis=0).var() - of_mean)),
    )


def _statistics(
    bins: _Bins, problem: Problem, units: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Variables of the result."""
    observed, null = bins.r2[:, 0], bins.r2[:, 1:].T
    mean, null_mean = observed.mean(), null.mean(axis=1)
    in_units = {"units": units}
    return {
        "r2": ("time", observed, {"units": "1"}),
        "rmse": ("time", np.sqrt(bins.error.mean(axis=1)), in_units),
        "chance_rmse": ((), float(np.sqrt(bins.baseline[0].mean())), in_units),
        **_bounds(bins, _bootstrap_weights(problem, rng), units),
        "null_r2": (("draw", "time"), null),
        **over_time(observed, null),
        "mean_r2": ((), float(mean), {"units": "1"}),
        "null_mean_r2": ("draw", null_mean),
        "mean_p": ((), float(upper_p_value(float(mean), null_mean))),
        "prediction": (("time", "trial"), bins.prediction, in_units),
        "value": ("trial", problem.target[0], in_units),
        "fold": ("trial", problem.fold),
        "regularization": (("time", "fold_number"), bins.ridge),
    }


def _bounds(bins: _Bins, weights: Array, units: str) -> dict[str, Any]:
    """95 % bounds: bootstrap over trials, widened by what decoders share."""
    error, baseline = weights @ bins.error.T, weights @ bins.baseline.T
    r2, observed = 1.0 - error / baseline, bins.r2[:, 0]
    # The better the prediction, the less there is to vary.
    left_over = np.clip(1.0 - observed, 0.0, 1.0)
    wider = _wider(r2.var(axis=0), bins.training_variance * left_over)
    mean_r2 = r2.mean(axis=1, keepdims=True)
    of_mean = bins.training_variance_of_mean * left_over.mean(keepdims=True)
    wider_mean = _wider(mean_r2.var(axis=0), of_mean)
    rmse = np.sqrt(error / weights.sum(axis=1, keepdims=True))
    mean_bound = _widened(mean_r2, observed.mean(keepdims=True), wider_mean)
    of_rmse = _widened(rmse, np.sqrt(bins.error.mean(axis=1)), wider)
    return {
        "r2_bound": (("bound", "time"), np.minimum(_widened(r2, observed, wider), 1.0)),
        "rmse_bound": (("bound", "time"), np.maximum(of_rmse, 0.0), {"units": units}),
        "mean_r2_bound": ("bound", np.minimum(mean_bound[:, 0], 1.0)),
    }


def _wider(variance: Array, added: Array) -> Array:
    """How much wider an interval is with more variance than the bootstrap's."""
    return np.sqrt(1.0 + added / np.maximum(variance, 1e-300)) * (variance > 0)


def _widened(draws: Array, observed: Array, factor: Array) -> Array:
    """Percentiles of draws, farther from the measured value, which stays between them."""
    bound = observed + factor * (percentile_bounds(draws) - observed)
    bound[0], bound[1] = np.minimum(bound[0], observed), np.maximum(bound[1], observed)
    return np.asarray(bound)


def _bootstrap_weights(problem: Problem, rng: np.random.Generator) -> Array:
    """How often each trial counts in each bootstrap draw; groups are drawn as a whole."""
    n_trials = problem.fold.size
    group = np.arange(n_trials) if problem.group is None else problem.group
    n_groups = int(group.max()) + 1
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=_N_BOOTSTRAPS)
    return np.asarray(drawn[:, group], dtype=np.float64)
