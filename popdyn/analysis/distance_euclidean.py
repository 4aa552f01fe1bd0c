"""How far apart are the trajectories of different conditions, and beyond noise.

Trials differ, so two averages are apart even where nothing distinguishes the conditions.  The
squared distance is corrected for that (unbiased), drawn again for its bounds, and compared with
what shuffled labels give.  See METHODS 3 and Remington et al. (2018, Neuron 98:1005) for the
relative distance between trajectories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import xarray as xr

from popdyn.analysis.distance_draws import (
    bootstrap_draws,
    corrected_squared_distance,
    distance_bounds,
    distance_draws,
    mean_draws,
    mean_known,
)
from popdyn.analysis.distance_permutation import permuted_mean_squared_distance
from popdyn.analysis.distance_space import (
    Fold,
    Space,
    check_two,
    kept_neurons,
    reduced,
    reference_position,
    space_of_trials,
)
from popdyn.analysis.trials import Array, ConditionTrials, condition_trials, is_average
from popdyn.errors import TensorError, warn
from popdyn.resample import BOUND, ResamplePlan, Seed, as_generator, bootstrap, upper_p_value
from popdyn.tensor.contract import average_values, bin_width_of, check_average
from popdyn.tensor.result import make_result


def euclidean_distance(
    x: xr.DataArray | xr.Dataset,
    by: str | Sequence[str] | None = None,
    *,
    reference: Any = None,
    smooth: float | None = None,
    n_components: int | str | None = None,
    resample: ResamplePlan | None = None,
    n_draws: int = 500,
    rng: Seed = 0,
) -> xr.Dataset:
    """Distance of every condition's average to that of a reference condition, over time.

    Parameters
    ----------
    x : DataArray or Dataset
        A tensor (neuron, time, trial); spike counts are turned into rates (Hz).  Or a condition
        average: then there are neither bounds nor a null, and without its ``standard_error``
        no correction for noise either.
    by : str or list of str
        Trial columns that define the conditions; needed for a tensor.
    reference : str or number, optional
        Label of the reference condition, or its value in the column ``by``.  Default: the
        middle one where ``by`` is one column of numbers (of an even number of conditions the
        one above the middle), else the first.
    smooth : float, optional
        Standard deviation (s) of a Gaussian the trials are smoothed with first.
    n_components : int or str, optional
        Distance in the space of that many principal components of the averages; ``"90%"`` takes
        as many as hold that share of their variance.
    resample : ResamplePlan, optional
        Bootstrap draws from `popdyn.bootstrap`, to be shared with other analyses.
    n_draws : int, default 500
        Number of bootstrap draws (without ``resample``) and of shuffles.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Returns
    -------
    Dataset
        In the units of the rate times sqrt(neurons), or their square:

        - ``distance (time, condition)``: as it is, too large by the noise
        - ``squared_distance``: corrected for noise, unbiased, hence negative at times where the
          conditions do not differ; ``squared_distance_bound (bound, ...)``, 95 %
        - ``corrected_distance``, ``distance_bound``: square roots of these, 0 where negative
        - ``mean_distance``, ``mean_squared_distance`` (condition): means over time of
          ``distance`` and of ``squared_distance``; ``mean_squared_distance_bound``
        - ``rms_distance (condition)``: root of the mean squared distance, with its bounds, and
          ``distance_per_neuron``, the same divided by sqrt(neurons): comparable between sources
          with different numbers of neurons (the root mean square difference of a neuron)
        - ``draw_mean_squared_distance (draw, condition)``: the bootstrap draws behind its
          bounds; ``draw`` counts those of ``resample``
        - ``null_mean_squared_distance (null_draw, condition)``: labels shuffled between a
          condition and the reference
        - ``p (condition)``: of the studentized mean squared distance (see Notes), the share of
          shuffles that reach it
        - ``n_trials (condition)``; attributes ``reference``, ``n_neurons``, ``n_components``

    Raises
    ------
    TensorError
        Unknown reference or column.
    FitError
        If the reference has fewer than two trials, or more components than neurons are wanted.

    Warns
    -----
    PopdynWarning
        When a condition has fewer than two trials (no standard error: its corrected distance is
        NaN), or neurons are left out because they have too few trials in some condition.

    Notes
    -----
    NaN: averages take the trials in which a neuron was observed; a time at which some neuron has
    fewer than two in a condition has no corrected distance there.

    The test: ``p`` compares the mean squared distance divided by the standard deviation that the
    noise of the two conditions gives it, for the labels given and for each shuffle.  Shuffles mix
    the noise of both conditions, so that the distance alone rejected .26 (10 noisy and 30 quiet
    trials) or .00 (the reverse) where .05 was due; divided, .06 and .04, with the same power.
    ``null_mean_squared_distance`` holds the distances themselves, for drawing: with unequal
    noise and numbers of trials it does not decide what ``p`` decides.

    In a pseudo-population (``simultaneous = 0``) a trial is a repeat number under which
    neurons recorded apart were filed; drawing it again draws one trial of each neuron.  The
    bounds then hold for neurons that do not share noise, which cannot be known from such data.

    Components fitted to the same trials as the distances point along their noise, which the
    correction does not cover.  With ``n_components`` the corrected distances are therefore means
    of two: each half of the trials (split at random within conditions) in the components of the
    other half; this needs four trials per condition, and makes a cautious test.  Components
    together with neurons that miss different trials give no permutation test (``p`` is NaN).

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> from popdyn.analysis.distance_euclidean import euclidean_distance
    >>> rng = np.random.default_rng(0)
    >>> values = rng.normal(10.0, 1.0, (4, 5, 40))
    >>> values[:, :, 20:] += 3.0
    >>> trials = {"choice": ["left"] * 20 + ["right"] * 20}
    >>> tensor = pdn.make_tensor(values, 0.1 * np.arange(5), trials=trials)
    >>> result = euclidean_distance(tensor, by="choice", n_draws=99)
    >>> result.rms_distance.values.round(1).tolist()
    [0.0, 5.8]
    >>> float(result.p[1])
    0.01
    """
    parameters = {
        "by": by, "method": "euclidean", "reference": reference, "smooth": smooth,
        "n_components": n_components, "n_draws": n_draws if resample is None else len(resample),
        "n_shuffles": n_draws,
    }  # fmt: skip
    if is_average(x):
        if smooth or resample is not None:
            message = (
                "a condition average has no trials left to smooth or to draw again: pass the "
                "tensor and by=, or say smooth=None"
            )
            raise TensorError(message)
        return _from_average(check_average(x), reference, n_components, parameters)
    generator, seed = as_generator(rng)
    trials = condition_trials(cast(xr.DataArray, x), by, smooth)
    if resample is None:
        resample = bootstrap(
            trials.tensor, [str(name) for name in trials.table], n_draws, generator
        )
    resample.check_trials(trials.tensor)
    table = {str(name): trials.table[name].to_numpy() for name in trials.table}
    check_two(trials.labels)
    at = reference_position(trials.labels, table, reference)
    space = space_of_trials(trials, at, n_components, generator)
    variables = _estimates(space)
    variables |= _bounds(space, trials, resample, variables)
    variables |= _null(space, variables, n_draws, generator)
    result = make_result(
        variables | {"n_trials": ("condition", trials.n_trials)},
        coords=trials.coords()
        | {"time": trials.tensor["time"], "bound": BOUND}
        | {"draw": np.arange(len(resample)), "null_draw": np.arange(n_draws)},
        method="relative_distance",
        parameters=parameters,
        source=trials.tensor,
        seed=seed,
    )
    return _described(result, space, trials.labels)


def _from_average(
    average: xr.Dataset, reference: Any, n_components: int | str | None, parameters: dict[str, Any]
) -> xr.Dataset:
    """Distances of a condition average: no bounds, no null."""
    order = ("condition", "neuron", "time")
    values = average_values(average)
    is_count = values.name == "spike_count"
    scale = bin_width_of(average) if is_count else 1.0
    mean = values.transpose(*order).to_numpy().astype(np.float64) / scale
    error = None
    # The noise along components depends on how neurons vary together, unknown here.
    if "standard_error" in average and n_components is None:
        error = (average["standard_error"].transpose(*order).to_numpy() / scale) ** 2
    labels = tuple(str(label) for label in _condition_labels(average))
    columns = {
        str(name): coord.to_numpy()
        for name, coord in average.coords.items()
        if coord.dims == ("condition",) and name != "condition"
    }
    known = np.asarray(np.isfinite(mean).any(axis=2))
    kept = kept_neurons(known, average["neuron"].to_numpy(), "no value")
    error = None if error is None else error[:, kept].sum(axis=1)
    check_two(labels)
    at = reference_position(labels, columns, reference)
    space = reduced(Space(mean[:, kept], at, kept, error=error), n_components)
    result = make_result(
        _estimates(space),
        coords={"condition": np.array(labels, dtype=np.str_), "time": average["time"]}
        | {name: ("condition", column) for name, column in columns.items()},
        method="relative_distance",
        parameters=parameters,
        source=average,
    )
    if is_count:
        result.attrs["units"] = "Hz"
    return _described(result, space, labels)


def _estimates(space: Space) -> dict[str, Any]:
    """Distances, and what they are after the correction."""
    dims = ("time", "condition")
    naive, corrected = corrected_squared_distance(space.mean, space.error, space.reference)
    if space.folds:
        corrected = np.mean(
            [
                corrected_squared_distance(fold.mean(), fold.error(), space.reference)[1]
                for fold in space.folds
            ],
            axis=0,
        )
    distance = np.sqrt(naive)
    variables: dict[str, Any] = {
        "distance": (dims, distance),
        "mean_distance": ("condition", mean_known(distance, axis=0)),
    }
    if space.folds or space.error is not None:
        mean_squared = mean_known(corrected, axis=0)
        variables |= {
            "squared_distance": (dims, corrected),
            "corrected_distance": (dims, _root(corrected)),
            "mean_squared_distance": ("condition", mean_squared),
            "rms_distance": ("condition", _root(mean_squared)),
            "distance_per_neuron": ("condition", _root(mean_squared / space.kept.sum())),
        }
    return variables


def _bounds(
    space: Space, trials: ConditionTrials, plan: ResamplePlan, estimates: dict[str, Any]
) -> dict[str, Any]:
    """Bounds from bootstrap draws."""
    draws = mean_draws(
        [
            bootstrap_draws(fold.averages, trials.position, space.reference, plan)
            for fold in space.folds
        ]
    )
    of_time, of_mean = (
        estimates[name][1] for name in ("squared_distance", "mean_squared_distance")
    )
    squared = distance_bounds(of_time, distance_draws(of_time, draws.linear, draws.noise))
    mean_drawn = distance_draws(of_mean, mean_known(draws.linear, axis=1), draws.mean_noise)
    mean_squared = distance_bounds(of_mean, mean_drawn)
    over_time, over_condition = ("bound", "time", "condition"), ("bound", "condition")
    return {
        "squared_distance_bound": (over_time, squared),
        "distance_bound": (over_time, _root(squared)),
        "draw_mean_squared_distance": (("draw", "condition"), mean_drawn),
        "mean_squared_distance_bound": (over_condition, mean_squared),
        "rms_distance_bound": (over_condition, _root(mean_squared)),
        "distance_per_neuron_bound": (over_condition, _root(mean_squared / space.kept.sum())),
    }


def _null(space: Space, estimates: dict[str, Any], n_draws: int, rng: Seed) -> dict[str, Any]:
    """Mean squared distances with labels shuffled against the reference, and p values."""
    squared = estimates["squared_distance"][1]
    null = np.full((n_draws, squared.shape[1]), np.nan)
    p = np.full(squared.shape[1], np.nan)
    for condition in range(squared.shape[1]):
        times = np.isfinite(squared[:, condition])
        if condition == space.reference or not times.any():
            continue
        folds = []
        for fold in space.folds:
            own, other = fold.values(condition), fold.values(space.reference)
            if _differently_missing(fold, (condition, own), (space.reference, other)):
                break
            in_first = np.arange(len(own) + len(other)) < len(own)
            values = np.concatenate([own, other])
            folds.append(permuted_mean_squared_distance(values, in_first, times, n_draws, rng))
        if len(folds) == len(space.folds):
            # Each half's axes come from the other half, so that their distances depend on each
            # other in a way the shuffles do not show: sorted, they count as wholly dependent.
            drawn, studentized = np.mean(
                [[np.sort(values[1:]) for values in fold] for fold in folds], axis=0
            )
            observed = np.mean([fold[1][0] for fold in folds])
            # Labels that only change places give the same value but for rounding.
            p[condition] = upper_p_value(observed - 1e-9 * abs(observed), studentized)
            null[:, condition] = drawn
    return {
        "null_mean_squared_distance": (("null_draw", "condition"), null),
        "p": ("condition", p),
    }


def _differently_missing(fold: Fold, *values: tuple[int, Array]) -> bool:
    """Whether neurons miss different trials, so that trials lack components (with a warning)."""
    if all(
        (np.isfinite(trials).sum(axis=0) == fold.averages[condition].n).all()
        for condition, trials in values
    ):
        return False
    message = (
        "neurons miss different trials, so that trials cannot be projected on components: no "
        "permutation test (p is NaN); use n_components=None for it"
    )
    warn(message)
    return True


def _condition_labels(average: xr.Dataset) -> Any:
    """Labels of the conditions of an average; numbers when it has none."""
    if "condition" in average.coords:
        return average["condition"].to_numpy()
    return np.arange(average.sizes["condition"])


def _root(squared: Any) -> Any:
    """Square root, 0 where the corrected square is negative, NaN where it is."""
    return np.sqrt(np.where(squared < 0.0, 0.0, squared))


def _described(result: xr.Dataset, space: Space, labels: Sequence[str]) -> xr.Dataset:
    """Write units and the reference on a result."""
    units = str(result.attrs.get("units", "1"))
    named = {"": units, "d": f"{units}*sqrt(neurons)", "s": f"{units}^2*neurons"}
    for name in result.data_vars:
        text = str(name)
        kind = "s" if "squared_distance" in text else "" if "per_neuron" in text else "d"
        is_distance = "distance" in text
        result[name].attrs["units"] = named[kind] if is_distance and units != "1" else "1"
    result.attrs |= {
        "distance_method": "euclidean",
        "reference": str(labels[space.reference]),
        "n_neurons": int(space.kept.sum()),
        "n_components": 0 if space.axes is None else int(space.axes.shape[1]),
    }
    return result
