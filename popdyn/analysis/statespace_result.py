"""Variables of a fitted state space: what it holds, how sure it is, how many dimensions."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.statespace_bounds import (
    groups_of,
    held_out_trials,
    replicate,
    trial_moments,
    trials_left_out,
)
from popdyn.analysis.statespace_dimensions import (
    bi_cross_validated_errors,
    n_candidates,
    plausible,
    predicted_share,
    smallest_good,
    spectrum,
    split_trial_share,
    thinned,
)
from popdyn.analysis.statespace_null import leading, parallel_analysis, testable
from popdyn.analysis.statespace_samples import warn_single_trials
from popdyn.analysis.statespace_splits import (
    error_bounds,
    jackknife_error,
    split_shares,
    student_factor,
    summaries,
)
from popdyn.analysis.trials import Array, ConditionTrials, average_trials
from popdyn.resample import bootstrap, percentile_bounds, spawn

N_REPEATS = 3
N_SPLITS = 10
N_SHUFFLES = 99  # a p of at most 0.05 has a probability of exactly 5 in 100
_SLAB = 2**20  # values in double precision at once
_ONE = {"units": "1"}
_NORMAL = 1.959963984540054


class Dimensions:
    """Number of dimensions of samples, by three rules.

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, item)
        Averages or single trials; of single trials at most 10,000 samples are used.
    trials : sequence of ndarray, each (trial, neuron, time), or None
        The trials behind averages.
    n_draws : int
        Splits of the trials.
    rng : numpy.random.Generator
        Not advanced, so that nothing else depends on whether dimensions were counted.
    """

    def __init__(
        self,
        samples: Array,
        trials: Sequence[Array] | None,
        n_draws: int,
        rng: np.random.Generator,
    ) -> None:
        # The first children are those of the splits; these here are others.
        n_splits = min(N_SPLITS, n_draws)
        n_own = N_REPEATS + n_splits + N_SHUFFLES + 1
        own = spawn(copy.deepcopy(rng), n_draws + n_own)[n_draws:]
        folds, self.splits = own[:N_REPEATS], own[N_REPEATS : N_REPEATS + n_splits]
        samples = thinned(samples, own[-1])
        self.errors = bi_cross_validated_errors(samples, folds)
        self.n_dimensions = max(1, n_candidates(samples))
        self.share = spectrum(samples, self.n_dimensions)
        drawing = own[N_REPEATS + n_splits : -1]
        self.testable = testable(samples)
        self.null, self.p = parallel_analysis(samples, self.n_dimensions, drawing)
        self.predicted = None if trials is None else self.split_trial_share(trials)

    def split_trial_share(
        self, trials: Sequence[Array], weights: Sequence[Array] | None = None
    ) -> Array:
        """Share of one half's variance predicted by the other half, (candidate)."""
        return split_trial_share(trials, self.errors.shape[1] - 1, self.splits, weights)

    def number(self, rule: str) -> int:
        """Find the number of components by a rule, "cv" or "null"; -1 where it is not known."""
        if rule == "null":
            return leading(self.p) if self.testable else -1
        if self.predicted is None or not np.isfinite(self.predicted).all():
            return smallest_good(self.errors)
        return int(self.predicted.argmax())

    def variables(self) -> dict[str, Any]:
        """Give the variables of the result."""
        variables = {
            "bi_cross_validated_ratio": ("candidate", predicted_share(self.errors), _ONE),
            "n_components_bi_cross_validated": ((), smallest_good(self.errors), _ONE),
            "variance_share": ("dimension", self.share, _ONE),
            "null_variance_share": (("shuffle", "dimension"), self.null, _ONE),
            "dimension_p": ("dimension", self.p, _ONE),
            "n_components_cross_validated": ((), self.number("cv"), _ONE),
            "n_components_null": ((), self.number("null"), _ONE),
        }
        if self.predicted is not None:
            variables["split_trial_ratio"] = ("candidate", self.predicted, _ONE)
        return variables

    def coords(self) -> dict[str, Any]:
        """Give the coordinates of these variables."""
        return {
            "candidate": np.arange(self.errors.shape[1]),
            "dimension": np.arange(1, self.n_dimensions + 1),
        }


def kept_trials(trials: ConditionTrials, values: xr.DataArray) -> list[Array]:
    """Trials (trial, neuron, time) of each condition, of the neurons that are fitted."""
    kept = trials.tensor["neuron"].isin(values["neuron"]).to_numpy()
    whole = (trials.values(i) for i in range(len(trials.labels)))
    if kept.all():
        return list(whole)
    # Picking neurons leaves the order in memory that every average would have to undo.
    return [np.ascontiguousarray(own[:, kept]) for own in whole]


def described(values: xr.DataArray, loading: xr.DataArray, mean: xr.DataArray) -> dict[str, Any]:
    """Trajectories of averages along the loadings, which need no trials."""
    if "condition" not in values.dims:
        return {}
    state = xr.dot(loading, values - mean, dim="neuron")
    order = ("component", "time", "condition")
    return {
        "trajectory": (order, state.transpose(*order).to_numpy(), {"units": mean.attrs["units"]})
    }


def of_conditions(
    trials: ConditionTrials,
    values: Sequence[Array],
    loading: xr.DataArray,
    mean: xr.DataArray,
    n_splits: int,
    n_draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Cross-validated variables and bounds of components of averages."""
    warn_single_trials(values, trials.labels)
    k = loading.sizes["component"]
    shares = split_shares(values, k, spawn(rng, n_splits), with_null=True)
    estimate = summaries(shares)
    error, n_groups = jackknife_error(values, k, rng)
    bound = error_bounds(estimate, error, n_groups)
    n_neurons = mean.size  # no participation ratio is above it
    over = ("bound", "component")
    units = mean.attrs["units"]
    square = {"units": "1" if units == "1" else f"{units}^2"}
    trajectory = trajectory_bound(trials, loading, mean, n_draws, rng)
    return {
        "cross_validated_ratio": ("component", estimate[:k], _ONE),
        "cross_validated_ratio_bound": (over, bound[:, :k], _ONE),
        "cumulative_cross_validated_ratio": ("component", estimate[k:-1], _ONE),
        "cumulative_cross_validated_ratio_bound": (over, bound[:, k:-1], _ONE),
        "null_cumulative_ratio": (("draw", "component"), shares.null.cumsum(1), _ONE),
        "signal_variance": ("component", shares.signal.mean(axis=0), square),
        "participation_ratio": ((), float(estimate[-1]), _ONE),
        "participation_ratio_bound": ("bound", bound[:, -1].clip(1.0, n_neurons), _ONE),
        "trajectory_bound": (
            ("bound", "component", "time", "condition"), trajectory, {"units": units},
        ),
        "n_trials": ("condition", trials.n_trials),
    }  # fmt: skip


def bounds_of_averages(
    values: Sequence[Array],
    loading: xr.DataArray,
    ratio: Array,
    dimensions: Dimensions,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Bounds of shares, loadings and dimensions from leaving trials out in turn."""
    parts, predicted = [], []
    for samples, weights in trials_left_out(values, rng):
        parts.append(replicate(samples, loading.to_numpy()))
        predicted.append(dimensions.split_trial_share(values, weights))
    n_groups, share = len(parts), dimensions.predicted
    ratios, loadings = (np.array([part[i] for part in parts]) for i in (0, 1))
    variables = _spread(ratio, ratios, loading.to_numpy(), loadings)
    bound = np.full((2, dimensions.errors.shape[1]), np.nan)
    number = (np.nan, np.nan)
    if share is not None and n_groups and np.isfinite([share, *predicted]).all():
        bound = error_bounds(share, _error(np.array(predicted)), n_groups)
        number = plausible(share, np.array(predicted), student_factor(n_groups) * _NORMAL)
    variables["split_trial_ratio_bound"] = (("bound", "candidate"), bound, _ONE)
    variables["n_components_cross_validated_bound"] = ("bound", np.array(number), _ONE)
    return variables


def of_single_trials(
    samples: Array, loading: xr.DataArray, ratio: Array, rng: np.random.Generator
) -> dict[str, Any]:
    """Components fitted without a tenth of the trials, judged on that tenth, and bounds."""
    (group,), n_groups = groups_of([samples.shape[2]], spawn(rng, 1)[0])
    k, axes = loading.sizes["component"], loading.to_numpy()
    if n_groups >= 4:
        centered = samples - np.nanmean(samples, axis=(1, 2), keepdims=True)
        moments = trial_moments(centered, group, n_groups)
        if min(part[0] for part in moments) > k:
            held_out, ratios, loadings = held_out_trials(moments, axes)
            return _spread(ratio, ratios, axes, loadings) | _folds(held_out)
    missing = np.full((4, k), np.nan)
    return _spread(ratio, np.empty(0), axes, np.empty(0)) | _folds(missing)


def _folds(held_out: Array) -> dict[str, Any]:
    """Means over folds (fold, component), with bounds from their spread."""
    n = len(held_out)
    over = ("bound", "component")
    variables: dict[str, Any] = {}
    for name, rows in (
        ("cross_validated_ratio", held_out),
        ("cumulative_cross_validated_ratio", held_out.cumsum(axis=1)),
    ):
        mean = rows.mean(axis=0)
        bound = error_bounds(mean, rows.std(axis=0, ddof=1) / np.sqrt(n), n)
        variables[name] = ("component", mean, _ONE)
        variables[f"{name}_bound"] = (over, bound, _ONE)
    return variables


def _spread(ratio: Array, ratios: Array, axes: Array, loadings: Array) -> dict[str, Any]:
    """Bounds of shares and loadings from their replicates."""
    n_groups = len(ratios)
    share, turned = np.full((2, ratio.size), np.nan), np.full((2, *axes.shape), np.nan)
    if n_groups:
        share = error_bounds(ratio, _error(ratios), n_groups)
        turned = error_bounds(axes, _error(loadings), n_groups).clip(-1.0, 1.0)
    return {
        "explained_variance_ratio_bound": (("bound", "component"), share, _ONE),
        "loading_bound": (("bound", "neuron", "component"), turned, _ONE),
    }


def _error(replicates: Array) -> Array:
    """Find standard errors from replicates that leave one group out each."""
    error: Array = np.sqrt((len(replicates) - 1) * replicates.var(axis=0))
    return error


def trajectory_bound(
    trials: ConditionTrials,
    loading: xr.DataArray,
    mean: xr.DataArray,
    n_draws: int,
    rng: np.random.Generator,
) -> Array:
    """Bounds (bound, component, time, condition) of averages along the fitted axes.

    Parameters
    ----------
    trials : ConditionTrials
        Trials of these neurons, and perhaps of others.
    loading : DataArray (neuron, component)
        The axes.
    mean : DataArray (neuron)
        Taken off before.
    n_draws : int
        Draws of the bootstrap of trials.
    rng : numpy.random.Generator
        To draw from.
    """
    by = [str(name) for name in trials.table]
    plan = bootstrap(trials.tensor, by, n_draws, rng)
    times_drawn = plan.times_drawn()
    bounds = []
    found = _along_axes(trials, loading, mean.to_numpy())
    for position, (average, influence) in zip(trials.position, found, strict=True):
        error = times_drawn[:, position] @ influence.reshape(len(position), -1)
        error = error.reshape(-1, *average.shape) * student_factor(len(position))
        bounds.append(average + percentile_bounds(error))
    return np.stack(bounds, axis=-1)


def _along_axes(
    trials: ConditionTrials, loading: xr.DataArray, mean: Array
) -> list[tuple[Array, Array]]:
    """Averages (component, time) along the axes, and what each trial adds to their errors.

    A few neurons at a time: trials in double precision are larger than the data.
    """
    values, axes = trials.tensor.to_numpy(), loading.to_numpy()
    chosen = np.flatnonzero(trials.tensor["neuron"].isin(loading["neuron"]).to_numpy())
    shape = (axes.shape[1], values.shape[1])
    averages = np.zeros((len(trials.position), *shape))
    influences = [np.zeros((len(position), *shape)) for position in trials.position]
    step = max(1, _SLAB // (values.shape[1] * values.shape[2]))
    for start in range(0, len(chosen), step):
        part = slice(start, start + step)
        own = np.moveaxis(values[chosen[part]], 2, 0)
        for number, position in enumerate(trials.position):
            centered = own[position].astype(np.float64) - mean[part, None]
            found = average_trials(centered).project(axes[part])
            averages[number] += found.mean
            influences[number] += found.influence
    return list(zip(averages, influences, strict=True))
