"""The analyses of a comparison: the same step for every source, or the reason why not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from popdyn.analysis.decoding import decode
from popdyn.analysis.distance import relative_distance
from popdyn.analysis.raster import raster
from popdyn.analysis.statespace import PCA
from popdyn.comparison.circuit_steps import run_populations
from popdyn.comparison.following import FOLLOWING, lacking
from popdyn.comparison.low_rank_step import run_fit_lowrank
from popdyn.comparison.perceived_step import run_behavior, run_kinet
from popdyn.comparison.ready import ready, smoothed_rate
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.selectivity_step import SELECTIVITY_STEPS
from popdyn.comparison.shortfall import check_columns, decoded_label, shortfall
from popdyn.comparison.sources import Prepared, blaming, noted
from popdyn.comparison.spec import Spec
from popdyn.comparison.state_steps import STATE_STEPS
from popdyn.comparison.summary import example_neuron, summarize
from popdyn.errors import FitError, SpecError, TensorError
from popdyn.tensor.view import condition_average

# What these refuse belongs to their chapter: it must not cost the numbers of the others.
_REFUSABLE = {
    "raster", "behavior", "kinet", "fit_lowrank", "populations", *FOLLOWING, *STATE_STEPS,
    *SELECTIVITY_STEPS,
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What one analysis of one source gave: a result, or the reason why there is none."""

    source: str
    analysis: str
    result: xr.Dataset | None
    reason: str = ""
    problems: tuple[str, ...] = ()


def analyze(
    source: Prepared, analysis: str, spec: Spec, earlier: Mapping[str, Outcome] | None = None
) -> Outcome:
    """Run one analysis on one source.

    Parameters
    ----------
    source : Prepared
        The source, matched.
    analysis : str
        A key of ``[analyses]``, or "summary".
    spec : Spec
        The whole spec.
    earlier : mapping, optional
        What other analyses of this source gave, for one that follows them.

    Returns
    -------
    Outcome
        Too few neurons or trials, or a constant label, are a reason and no error.
    """
    seed = derive_seed(spec.seed, source.id, analysis)
    check_columns(source, analysis, spec)
    given = {name: own.result for name, own in (earlier or {}).items() if own.result is not None}
    reason = shortfall(source, analysis, spec)
    if analysis in FOLLOWING:
        reason = lacking(analysis, given, {n: own.reason for n, own in (earlier or {}).items()})
    if reason:
        return Outcome(source.id, analysis, None, reason)
    with blaming(source.id), noted() as problems, threadpool_limits(limits=1, user_api="blas"):
        try:
            result: xr.Dataset | None
            if analysis in FOLLOWING:
                result = FOLLOWING[analysis][0](source, spec, seed, given)
            else:
                result = _RUN[analysis](source, spec, seed)
        except (FitError, TensorError) as error:
            if isinstance(error, TensorError) and analysis not in _REFUSABLE:
                raise
            return Outcome(source.id, analysis, None, _in_toml(str(error)), tuple(problems))
    if result is not None:
        result = result.assign_attrs(source_id=source.id)
    return Outcome(source.id, analysis, result, "", tuple(problems))


def _in_toml(message: str) -> str:
    """Write the roles that a message asks for as a spec does."""
    return re.sub(r'"(\w+)": ', r"\1 = ", message)


def _shown_neuron(source: Prepared, spec: Spec) -> Any:
    wanted = next(s.example_neuron for s in spec.sources if s.id == source.id)
    if wanted is None:
        return example_neuron(source, spec.conditions.by)
    ids = source.tensor.coords["neuron"].values
    found = ids[ids.astype(str) == wanted]
    if not found.size:
        message = (
            f"example_neuron = {wanted!r} is not among its neurons: {', '.join(map(str, ids))}"
        )
        raise SpecError(message)
    return found[0]


def _run_raster(source: Prepared, spec: Spec, seed: int) -> xr.Dataset | None:  # noqa: ARG001
    if not source.sessions:
        return None
    neuron = _shown_neuron(source, spec)
    position, own = source.origin[str(neuron)]
    session, event = source.sessions[position]
    keep = np.isin(session.coords["trial"].values, source.tensor.coords["trial"].values)
    trials = session.coords["trial"].values[keep] if len(source.sessions) == 1 else None
    by = list(spec.conditions.by)
    result = raster(session, event, spec.alignment.window, own, by, trials=trials)
    return result.assign_attrs(neuron=str(neuron))


def _run_average(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:  # noqa: ARG001
    settings = spec.analyses.condition_average
    n = settings.min_trials if settings else 1
    result = condition_average(smoothed_rate(source, spec), list(spec.conditions.by), min_trials=n)
    return result.assign_attrs(neuron=str(_shown_neuron(source, spec)))


def _run_pca(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    settings = (spec.analyses.pca).model_dump() if spec.analyses.pca else {}
    model = PCA(by=list(spec.conditions.by), rng=seed, **settings).fit(ready(source, spec))
    result: xr.Dataset = model.to_dataset()
    return result


def _run_distance(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    distance = spec.analyses.relative_distance
    settings = distance.model_dump() if distance else {}
    by = list(spec.conditions.by)
    return relative_distance(
        ready(source, spec), by, method="euclidean", smooth=None, n_components=None, rng=seed,
        **settings,
    )  # fmt: skip


def _run_decode(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    settings = spec.analyses.decode.model_dump(exclude={"label"}) if spec.analyses.decode else {}
    settings["groups"] = list(settings["groups"]) if settings.get("groups") else None
    return decode(ready(source, spec), decoded_label(spec), rng=seed, **settings)


def _run_summary(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    return summarize(source, spec.conditions.by, seed)


_RUN: dict[str, Callable[[Prepared, Spec, int], xr.Dataset | None]] = {
    "summary": _run_summary,
    "raster": _run_raster,
    "condition_average": _run_average,
    "pca": _run_pca,
    "relative_distance": _run_distance,
    "behavior": run_behavior,
    "kinet": run_kinet,
    "decode": _run_decode,
    "fit_lowrank": run_fit_lowrank,
    "populations": run_populations,
    **STATE_STEPS,
    **SELECTIVITY_STEPS,
}
