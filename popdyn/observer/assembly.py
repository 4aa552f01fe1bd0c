"""What both observers do: estimate, predict, simulate, fit, and put it into a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.behavior.history import trace
from popdyn.behavior.interval import draw_bounds
from popdyn.behavior.plausible import (
    check_comparisons,
    check_responses,
    check_scatter,
    say_contexts,
)
from popdyn.behavior.trials import behavior_table, units_of
from popdyn.errors import FitError, PopdynError
from popdyn.network.real_numbers import real_array
from popdyn.observer.fitting import Fitted, fit_likelihood
from popdyn.observer.kind import Kind, as_trials, current_values
from popdyn.observer.measurement import RESOLUTION, mean_estimate, measurements
from popdyn.observer.parameters import Space, complete, is_noise, make_space
from popdyn.observer.posterior import Observed
from popdyn.resample import BOUND, ResamplePlan, Seed, as_generator
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]
Roles = Mapping[str, Any] | None

_ONE = {"units": "1"}
_FEWEST_TRIALS = 20
_MOST_SHOWN = 40


def estimate_array(kind: Kind, stimulus: Any, at: str) -> xr.DataArray:
    """Return estimates of stimuli, averaged over measurements or at the stimulus itself."""
    shown = _stimuli(stimulus)
    observed = kind.observed(current_values(kind), shown)
    if at == "mean":
        values, error = mean_estimate(observed, shown)
    elif at == "stimulus":
        values, error = observed.estimate(shown), 0.0
    else:
        message = f"at must be 'mean' or 'stimulus', found {at!r}"
        raise PopdynError(message)
    attrs = {"at": at, "quadrature_error": error, **_units(kind)}
    coords = {"stimulus": ("stimulus", shown, _units(kind))}
    return xr.DataArray(values, coords, ("stimulus",), name="estimate", attrs=attrs)


def estimates_dataset(kind: Kind, stimulus: Any) -> xr.Dataset:
    """Return both kinds of estimates, with draws if the observer was fitted to some."""
    shown = _stimuli(stimulus)
    units = _units(kind)
    variables, parameters = _estimates(kind, shown), kind.observer.get_params(deep=False)
    coords = {"stimulus": ("stimulus", shown, units), "bound": BOUND}
    method = kind.method.replace("_observer", "_estimates")
    return make_result(variables, coords=coords, method=method, parameters=parameters)


def predicted(kind: Kind, trials: Any, roles: Roles) -> xr.DataArray:
    """Return what is expected of each trial, NaN where a stimulus is not known."""
    table = behavior_table(trials, roles, kind.shown)
    columns = columns_of(kind, table)
    known = np.isfinite(np.stack(list(columns.values()))).all(axis=0)
    mean = np.full(len(table), np.nan)
    inside = {name: values[known] for name, values in columns.items()}
    mean[known] = kind.mean(current_values(kind), inside)
    return as_trials(mean, table, "prediction")


def simulated(kind: Kind, trials: Any, rng: Seed, roles: Roles) -> pd.DataFrame:
    """Return the trial table with what the observer did."""
    table = behavior_table(trials, roles, kind.shown)
    columns = columns_of(kind, table)
    known = np.isfinite(np.stack(list(columns.values()))).all(axis=0)
    done = np.full(len(table), np.nan)
    inside = {name: values[known] for name, values in columns.items()}
    done[known] = kind.draw(current_values(kind), inside, as_generator(rng)[0])
    table[kind.done] = done
    return table


def trial_log_likelihood(kind: Kind, trials: Any, roles: Roles) -> xr.DataArray:
    """Return the log-likelihood of what was done on each trial, NaN where nothing was."""
    table, known = usable_trials(kind, trials, roles)
    each = np.full(len(table), np.nan)
    likelihood = kind.likelihood(with_trace(kind, table)[known])
    each[known] = likelihood.of_trials(current_values(kind))
    return as_trials(each, table, "log_likelihood")


def usable_trials(kind: Kind, trials: Any, roles: Roles) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return the table, and the trials in which stimuli and answer are known."""
    needed = [*kind.shown, kind.done]
    table = behavior_table(trials, roles, needed)
    (check_responses if kind.done == "response" else check_comparisons)(table)
    known = np.isfinite(table[needed].to_numpy(dtype=np.float64)).all(axis=1)
    return table, known


def with_trace(kind: Kind, table: pd.DataFrame) -> pd.DataFrame:
    """Add the trace of earlier stimuli, where the observer has a history."""
    observer = kind.observer
    if kind.given()["history"] == 0 and "history" not in kind.free():
        return table
    before = trace(table, "stimulus", observer.history_decay)
    # Nothing came before: nothing draws the stimulus anywhere.
    return table.assign(trace=np.where(np.isfinite(before), before, table["stimulus"]))


def columns_of(kind: Kind, table: pd.DataFrame) -> dict[str, Array]:
    """Return the columns that a trial's prediction depends on."""
    table = with_trace(kind, table)
    names = [*kind.shown, *(["trace"] if "trace" in table else [])]
    return {name: table[name].to_numpy(dtype=np.float64) for name in names}


def fit_observer(kind: Kind, trials: Any, roles: Roles, resample: ResamplePlan | None) -> None:
    """Fit an observer and keep what was found in it."""
    observer = kind.observer
    for name in ("parameters_", "result_"):
        if hasattr(observer, name):
            delattr(observer, name)
    table, known = usable_trials(kind, trials, roles)
    used = with_trace(kind, table)[known]
    _check_fit(kind, used, known)
    say_contexts(used, "observer")
    weights = None
    if resample is not None:
        resample.check_trials(table)
        weights = resample.times_drawn()[:, known]
    learnt = kind.learn(used)
    observer.result_ = xr.Dataset(attrs=learnt)  # priors learnt are needed by the model
    try:
        space = make_space(kind.given(), kind.free(), float(np.ptp(used["stimulus"])))
        fitted = fit_likelihood(kind.likelihood(used), space, _start(kind, space), weights)
    except Exception:
        del observer.result_
        raise
    learnt |= {"stimulus_units": units_of(trials, roles, "stimulus")}
    observer.parameters_ = _parameters(fitted)
    observer.result_ = xr.Dataset(attrs=learnt)
    observer.result_ = _result(kind, fitted, used, learnt, resample)
    observer.parameters_ = observer.result_["value"]


def _start(kind: Kind, space: Space) -> Array | None:
    given = kind.given()
    values = {name: given[name] for name in space.names}
    known = {n: v for n, v in values.items() if v is not None and (v > 0 or not is_noise(n))}
    return space.point(known) if len(known) == len(values) else None


def _check_fit(kind: Kind, used: pd.DataFrame, known: NDArray[np.bool_]) -> None:
    if len(used) < _FEWEST_TRIALS:
        message = (
            f"{len(used)} of {known.size} trials have {', '.join(kind.shown)} and {kind.done}; at "
            f"least {_FEWEST_TRIALS} are needed to fit an observer"
        )
        raise FitError(message)
    if np.ptp(used["stimulus"].to_numpy()) == 0:
        message = (
            f"all {len(used)} trials have the one stimulus {used['stimulus'].iloc[0]:g}: what an "
            "observer makes of stimuli takes at least two"
        )
        raise FitError(message)
    if kind.done == "response":
        check_scatter(used)
    if kind.done == "choice" and used["choice"].nunique() < 2:
        message = f"all {len(used)} choices are {used['choice'].iloc[0]:g}: nothing can be fitted"
        raise FitError(message)


def _parameters(fitted: Fitted) -> xr.DataArray:
    names = np.array(fitted.space.names, dtype=np.str_)
    return xr.DataArray(fitted.natural, {"parameter": names}, name="value")


def _result(
    kind: Kind,
    fitted: Fitted,
    used: pd.DataFrame,
    learnt: dict[str, Any],
    resample: ResamplePlan | None,
) -> xr.Dataset:
    names = np.array(fitted.space.names, dtype=np.str_)
    n, n_free = len(used), len(names)
    log_likelihood = fitted.log_likelihood
    variables: dict[str, Any] = {
        "value": ("parameter", fitted.natural),
        "standard_error": ("parameter", fitted.standard_error),
        "profile_bound": (("bound", "parameter"), fitted.profile_bound),
        "identified": ("parameter", fitted.identified.astype(np.int64)),
        "correlation": (("parameter", "parameter_2"), fitted.correlation),
        "condition_number": fitted.condition_number,
        "log_likelihood": log_likelihood,
        "aic": 2 * n_free - 2 * log_likelihood,
        "bic": n_free * np.log(n) - 2 * log_likelihood,
        "n_trials": n,
        "start_log_likelihood": ("start", fitted.start_log_likelihood),
    }
    if len(fitted.draws):
        variables["draw_value"] = (("draw", "parameter"), fitted.draws)
        variables["value_bound"] = (("bound", "parameter"), draw_bounds(fitted.draws))
        kind.observer.result_ = xr.Dataset(
            {"draw_value": variables["draw_value"]}, {"parameter": names}, learnt
        )
    shown = _few(used["stimulus"].to_numpy())
    described, more = kind.described(fitted.values, used)
    coords = {"parameter": names, "parameter_2": names, "bound": BOUND, **more}
    coords["stimulus"] = ("stimulus", shown, _units(kind))
    result = make_result(
        {**variables, **_estimates(kind, shown), **described},
        coords=coords,
        method=kind.method,
        parameters=kind.observer.get_params(deep=False),
        seed=None if resample is None else resample.seed,
    )
    return result.assign_attrs(popdyn_class=kind.place, **learnt)


def _estimates(kind: Kind, shown: Array) -> dict[str, Any]:
    """Return variables of estimates, those of draws on one grid of measurements each."""
    units, values = _units(kind), current_values(kind)
    observed = kind.observed(values, shown)
    variables: dict[str, Any] = {
        "estimate": ("stimulus", mean_estimate(observed, shown)[0], units),
        "estimate_at_stimulus": ("stimulus", observed.estimate(shown), units),
    }
    result = getattr(kind.observer, "result_", None)
    if result is None or "draw_value" not in result:
        return variables
    names = result["parameter"].values.tolist()
    drawn = []
    for row in result["draw_value"].values:
        own = complete({**kind.given(), **dict(zip(names, row, strict=True))})
        drawn.append(_quick_mean(kind.observed(own, shown), shown))
    draws = np.stack(drawn)
    variables["draw_estimate"] = (("draw", "stimulus"), draws, units)
    variables["estimate_bound"] = (("bound", "stimulus"), draw_bounds(draws), units)
    return variables


def _quick_mean(observed: Observed, shown: Array) -> Array:
    nodes = measurements(observed, shown, 2 * RESOLUTION)
    return np.asarray(nodes.probability(shown) @ nodes.estimate)


def _stimuli(stimulus: Any) -> Array:
    shown = np.atleast_1d(real_array("stimulus", stimulus, what="numbers along one dim"))
    if shown.ndim != 1 or not np.isfinite(shown).all():
        message = f"stimuli are numbers along one dim, found shape {shown.shape} or missing values"
        raise PopdynError(message)
    return shown


def _few(stimulus: Array) -> Array:
    """Return the stimuli shown, or as many between their ends as a curve needs."""
    unique = np.unique(stimulus)
    if unique.size <= _MOST_SHOWN:
        return np.asarray(unique)
    return np.linspace(unique[0], unique[-1], _MOST_SHOWN)


def _units(kind: Kind) -> dict[str, str]:
    result = getattr(kind.observer, "result_", None)
    units = "" if result is None else str(result.attrs.get("stimulus_units", ""))
    return {"units": units} if units else {}
