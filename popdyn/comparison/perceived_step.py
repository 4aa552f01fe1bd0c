"""Steps from behavior to verdict: an observer of the source's own behavior, orbits, the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from popdyn.analysis.distance import relative_distance
from popdyn.analysis.estimation import estimation_test
from popdyn.behavior.contraction import contraction
from popdyn.behavior.trials import behavior_table
from popdyn.comparison.perceived_spec import Behavior, Estimation, Kinet
from popdyn.comparison.ready import ready
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.errors import TensorError, warn
from popdyn.observer.discrimination import Discrimination
from popdyn.observer.production import Production
from popdyn.resample import ResamplePlan, bootstrap
from popdyn.tensor.result import make_result
from popdyn.tensor.view import group_conditions

ALL = "all"
_SMOOTH = 0.040  # s
_WEBER = 0.1
_OF_OBSERVER = (
    "value", "standard_error", "value_bound", "profile_bound", "identified", "log_likelihood",
    "n_trials", "estimate", "estimate_at_stimulus", "estimate_bound", "draw_estimate",
    "mean_response", "response_deviation", "predicted_response", "predicted_deviation",
    "n_stimulus_trials", "share", "predicted_share", "n_pair_trials",
)  # fmt: skip
_OF_CONTRACTION = ("slope", "slope_bound", "center", "center_bound")


def orbit_columns(spec: Spec) -> list[str]:
    """Name the columns that define the orbits: the stimulus, and the stimulus set, if any."""
    asked = spec.analyses.kinet
    return list((asked.by if asked else None) or spec.conditions.by)


def run_behavior(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Measure contraction and fit an observer, in each stimulus set."""
    settings = spec.analyses.behavior or Behavior()
    table = _answers(source, spec)
    plan = _plan(source, spec, settings.n_draws)
    compares = {"stimulus_2", "choice"} <= set(table.columns)
    done = "choice" if compares else "response"
    column = settings.sets or (orbit_columns(spec)[1:] or [""])[0]
    _say_pooled(source, [column])
    known = table[column].astype(str) if column else pd.Series(ALL, index=table.index)
    parts = {}
    for name in sorted(known[known != ""].unique()):
        # Answers of other sets are hidden, not left out: every set then has the draws of all.
        # Contexts that are put together were warned of above.
        own = table.drop(columns="context", errors="ignore")
        own = own.assign(**{done: _numbers(table, done).where(known == name)})
        observer = _observer(settings, own[known == name], compares)
        observer.fit(own, resample=plan)
        found = contraction(own, resample=plan)
        result: xr.Dataset = observer.to_dataset()
        parts[name] = _kept(result, _OF_OBSERVER).merge(_kept(found, _OF_CONTRACTION))
    units = str(source.tensor.coords["stimulus"].attrs.get("units", "")).replace("unknown", "")
    together = _side_by_side(parts)
    return make_result(
        {str(name): own for name, own in together.data_vars.items()},
        coords={str(name): own for name, own in together.coords.items()},
        method="behavior",
        parameters=settings.model_dump(),
        source=source.tensor,
        seed=seed,
    ).assign_attrs(
        kind="discrimination" if compares else "production",
        stimulus_units=units,
        sets=column,
    )


def run_kinet(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Measure signed distances between orbits, drawing the trials that behavior draws."""
    settings = spec.analyses.kinet or Kinet()
    n_draws = settings.n_draws
    _say_pooled(source, orbit_columns(spec))
    options: dict[str, Any] = settings.model_dump(exclude={"by"})
    if settings.reference is None:
        options["reference"] = _middle(source, orbit_columns(spec))
    return relative_distance(
        ready(source, spec),
        orbit_columns(spec),
        smooth=_SMOOTH if spec.prepare.smooth is None else None,
        resample=_plan(source, spec, n_draws) if n_draws else None,
        rng=seed,
        **options,
    )


def least_contracting(behavior: xr.Dataset) -> xr.Dataset:
    """Pick the set that contracts least, or one of unknown slope: all contract if it does."""
    upper = behavior["slope_bound"].sel(bound="upper").fillna(np.inf)
    return behavior.isel(set=int(upper.argmax("set")))


def run_estimation_test(
    source: Prepared, spec: Spec, seed: int, earlier: Mapping[str, xr.Dataset]
) -> xr.Dataset:
    """Test whether the distances follow the stimulus or the observer's estimate of it."""
    del source
    settings = spec.analyses.estimation_test or Estimation()
    behavior, distance = earlier["behavior"], earlier["kinet"]
    columns, sets = orbit_columns(spec), behavior["set"].values.tolist()
    if columns[0] != "stimulus":
        message = (
            f"the orbits are those of {columns[0]!r}, the estimates those of the role 'stimulus': "
            "put 'stimulus' first in kinet.by or conditions.by"
        )
        raise TensorError(message)
    if columns[1:] != [name for name in [behavior.attrs["sets"]] if name]:
        message = (
            f"the orbits have the sets of {', '.join(columns[1:]) or 'no column'}, behavior those "
            f"of {behavior.attrs['sets'] or 'no column'}: name the same in kinet.by and "
            "behavior.sets"
        )
        raise TensorError(message)
    estimates = {name: estimates_of(behavior, name) for name in sets}
    return estimation_test(
        distance,
        estimate=estimates if columns[1:] else estimates[sets[0]],
        behavior=least_contracting(behavior),
        n_draws=settings.n_draws,
        n_repeats=settings.n_repeats,
        rng=seed,
    )


def estimates_of(behavior: xr.Dataset, name: str) -> xr.Dataset:
    """Give the estimates of the stimuli of one set, with their draws."""
    own = behavior[["estimate", "draw_estimate"]].sel(set=name, drop=True)
    return own.isel(stimulus=np.flatnonzero(np.isfinite(own["estimate"].values)))


def _middle(source: Prepared, columns: list[str]) -> str | None:
    """Label the middle orbit, which must be the same in every source.

    Where two sets share a stimulus, the order of the conditions depends on that of the trials.
    """
    conditions = group_conditions(source.tensor, columns)
    rows = conditions.table.assign(label=list(conditions.labels))
    if rows[columns[0]].dtype.kind not in "iuf":
        return None
    rows = rows.sort_values(columns, kind="stable")
    for name in columns[1:]:
        rows = rows[rows[name] == rows[name].iloc[len(rows) // 2]]
    return str(rows["label"].iloc[len(rows) // 2])


def _answers(source: Prepared, spec: Spec) -> pd.DataFrame:
    """Give the trial table; an answer that a role names is not looked for elsewhere."""
    roles = next(one.roles for one in spec.sources if one.id == source.id)
    table = behavior_table(source.tensor, {name: name for name in roles})
    # What follows must not find another answer than this.
    return table.drop(columns="produced_interval", errors="ignore")


def _say_pooled(source: Prepared, columns: list[str]) -> None:
    """Warn of contexts that behavior and orbits put together."""
    if "context" in columns or "context" not in source.tensor.coords:
        return
    known = pd.Series(source.tensor.coords["context"].values).dropna().unique()
    contexts = [str(one) for one in known if str(one)]
    if len(contexts) > 1:
        warn(
            f"trials of {len(contexts)} contexts ({', '.join(contexts[:4])}) are put together: one "
            "observer with one prior, one average for each stimulus. Where the context is the "
            'stimulus set write [conditions] by = ["stimulus", "context"], else keep one with '
            "select = {context = ...} of the source"
        )


def _numbers(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        message = (
            "the trials have no answer: say which column it is with [source.roles] response = "
            "{column = ..., units = ...}, or stimulus_2 and choice where two stimuli are compared"
        )
        raise TensorError(message)
    return table[name]


def _plan(source: Prepared, spec: Spec, n_draws: int) -> ResamplePlan:
    """Plan the draws of trials that behavior and activity share."""
    seed = derive_seed(spec.seed, source.id, "trials drawn again")
    return bootstrap(source.tensor, orbit_columns(spec), n_draws, seed)


def _observer(
    settings: Behavior, table: pd.DataFrame, compares: bool
) -> Discrimination | Production:
    """Make the observer that is fitted: noise is given a value to begin from."""
    shown = table["stimulus"]
    ends = (float(shown.min()), float(shown.max()))
    noise: dict[str, Any] = {}
    if settings.noise == "weber":
        noise = {"weber": _WEBER}
    elif settings.noise == "constant":
        noise = {"sigma": _WEBER * float(shown.abs().mean())}
    kind = Discrimination if compares else Production
    prior = ("uniform", *ends) if settings.prior == "uniform" else None
    return kind(prior=prior, estimator=settings.estimator, **noise)


def _kept(result: xr.Dataset, names: tuple[str, ...]) -> xr.Dataset:
    return result[[name for name in names if name in result]]


def _side_by_side(parts: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Put the results of all sets into one, NaN at stimuli that a set does not hold."""
    sets = xr.DataArray(np.array(list(parts), dtype=np.str_), dims="set", name="set")
    # Pairs of comparisons have no names by which those of two sets could be told apart.
    numbered = [
        part.assign_coords(pair=np.arange(part.sizes["pair"])) if "pair" in part.dims else part
        for part in parts.values()
    ]
    return xr.concat(numbered, dim=sets, join="outer", coords="different", compat="equals")
