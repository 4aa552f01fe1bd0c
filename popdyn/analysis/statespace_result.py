"""Variables of a fitted state space: what it holds, how sure it is, how many dimensions."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.statespace_bounds import (
    averages_left_out,
    groups_of,
    held_out_trials,
    replicate,
    trial_moments,
)
from popdyn.analysis.statespace_dimensions import (
    best_candidate,
    bi_cross_validated_ratio,
    leading,
    n_candidates,
    plausible,
    shuffled_spectra,
    spectrum,
    thinned,
)
from popdyn.analysis.statespace_samples import warn_single_trials
from popdyn.analysis.statespace_splits import (
    error_bounds,
    jackknife_error,
    split_shares,
    student_factor,
    summaries,
)
from popdyn.analysis.trials import Array, ConditionTrials, average_trials
from popdyn.resample import bootstrap, percentile_bounds, spawn, upper_p_value

N_REPEATS = 3
_ONE = {"units": "1"}
_NORMAL = 1.959963984540054


class Dimensions:
    """Number of dimensions of samples (neuron, time, condition or trial).

    Parameters
    ----------
    samples : ndarray, shape (neuron, time, item)
        Averages or single trials; of single trials at most 10,000 samples are used.
    n_draws : int
        Draws of the null.
    rng : numpy.random.Generator
        Not advanced, so that nothing else depends on whether dimensions were counted.
    """

    def __init__(self, samples: Array, n_draws: int, rng: np.random.Generator) -> None:
        # The first children are those of the splits; these here are others.
        own = spawn(copy.deepcopy(rng), 2 * n_draws + N_REPEATS + 1)[n_draws:]
        self.folds, drawing = own[:N_REPEATS], own[N_REPEATS:-1]
        samples = thinned(samples, own[-1])
        self.ratio = bi_cross_validated_ratio(samples, copy.deepcopy(self.folds))
        self.n_dimensions = max(1, n_candidates(samples))
        self.share = spectrum(samples, self.n_dimensions)
        self.null = shuffled_spectra(samples, self.n_dimensions, drawing)
        self.p = upper_p_value(self.share, self.null)

    @property
    def cross_validated(self) -> int:
        """Number of components whose prediction of held-out blocks is best."""
        return best_candidate(self.ratio)

    @property
    def beyond_null(self) -> int:
        """Number of leading components larger than those of shuffled neurons."""
        return leading(self.p)

    def variables(self) -> dict[str, Any]:
        """Give the variables of the result."""
        return {
            "bi_cross_validated_ratio": ("candidate", self.ratio, _ONE),
            "n_components_cross_validated": ((), self.cross_validated, _ONE),
            "variance_share": ("dimension", self.share, _ONE),
            "null_variance_share": (("draw", "dimension"), self.null, _ONE),
            "dimension_p": ("dimension", self.p, _ONE),
            "n_components_null": ((), self.beyond_null, _ONE),
        }

    def coords(self) -> dict[str, Any]:
        """Give the coordinates of these variables."""
        return {
            "candidate": np.arange(self.ratio.size),
            "dimension": np.arange(1, self.n_dimensions + 1),
        }


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
    loading: xr.DataArray,
    mean: xr.DataArray,
    n_splits: int,
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[dict[str, Any], list[Array]]:
    """Cross-validated variables and bounds of components of averages.

    Returns
    -------
    variables : dict
    values : list of ndarray, each (trial, neuron, time)
        Trials of each condition, of the neurons fitted.
    """
    kept = trials.tensor["neuron"].isin(loading["neuron"]).to_numpy()
    values = [trials.values(i)[:, kept] for i in range(len(trials.labels))]
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
    trajectory = trajectory_bound(trials, values, loading, mean, n_draws, rng)
    variables = {
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
    return variables, values


def bounds_of_averages(
    values: Sequence[Array],
    loading: xr.DataArray,
    ratio: Array,
    dimensions: Dimensions,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Bounds of shares, loadings and dimensions from leaving trials out in turn."""
    parts = [
        replicate(samples, loading.to_numpy(), copy.deepcopy(dimensions.folds))
        for samples in averages_left_out(values, rng)
    ]
    n_groups = len(parts)
    columns = zip(*parts, strict=True) if parts else ([], [], [])
    ratios, loadings, held_out = (np.array(column) for column in columns)
    variables = _spread(ratio, ratios, loading.to_numpy(), loadings)
    candidates = dimensions.ratio
    bound, number = np.full((2, candidates.size), np.nan), (np.nan, np.nan)
    if n_groups and np.isfinite(held_out).all() and np.isfinite(candidates).all():
        bound = error_bounds(candidates, _error(held_out), n_groups)
        number = plausible(candidates, held_out, student_factor(n_groups) * _NORMAL)
    variables["bi_cross_validated_ratio_bound"] = (("bound", "candidate"), bound, _ONE)
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
    values: Sequence[Array],
    loading: xr.DataArray,
    mean: xr.DataArray,
    n_draws: int,
    rng: np.random.Generator,
) -> Array:
    """Bounds (bound, component, time, condition) of averages along the fitted axes."""
    by = [str(name) for name in trials.table]
    plan = bootstrap(trials.tensor, by, n_draws, rng)
    times_drawn = plan.times_drawn()
    bounds = []
    for position, of_condition in zip(trials.position, values, strict=True):
        average = average_trials(of_condition - mean.to_numpy()[:, None])
        average = average.project(loading.to_numpy())
        flat = average.influence.reshape(len(position), -1)
        error = (times_drawn[:, position] @ flat).reshape(-1, *average.mean.shape)
        error *= student_factor(len(position))
        bounds.append(average.mean + percentile_bounds(error))
    return np.stack(bounds, axis=-1)
