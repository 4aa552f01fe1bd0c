"""The analyses of a comparison: the same step for every source, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from popdyn.analysis.decoding import decode
from popdyn.analysis.distance import relative_distance
from popdyn.analysis.raster import raster
from popdyn.analysis.statespace import PCA
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.sources import Prepared, blaming, noted
from popdyn.comparison.spec import Spec
from popdyn.comparison.summary import example_neuron, summarize, trials_observed
from popdyn.errors import FitError, SpecError, TensorError
from popdyn.preprocess.normalize import rate, soft_normalize
from popdyn.preprocess.smooth import smooth
from popdyn.tensor.view import condition_average, group_conditions

# Below these a number would say more about the sample than about the brain.
PCA_NEURONS = 10
PCA_TRIALS = 4
DISTANCE_TRIALS = 10


@dataclass(frozen=True)
class Outcome:
    """What one analysis of one source gave: a result, or the reason why there is none."""

    source: str
    analysis: str
    result: xr.Dataset | None
    reason: str = ""
    problems: tuple[str, ...] = ()


def analyze(source: Prepared, analysis: str, spec: Spec) -> Outcome:
    """Run one analysis on one source.

    Parameters
    ----------
    source : Prepared
        The source, matched.
    analysis : str
        A key of ``[analyses]``, or "summary".
    spec : Spec
        The whole spec.

    Returns
    -------
    Outcome
        Too few neurons or trials, or a constant label, are a reason and no error.
    """
    seed = derive_seed(spec.seed, source.id, analysis)
    reason = _shortfall(source, analysis, spec)
    if reason:
        return Outcome(source.id, analysis, None, reason)
    with blaming(source.id), noted() as problems, threadpool_limits(limits=1, user_api="blas"):
        try:
            result = _RUN[analysis](source, spec, seed)
        except (FitError, TensorError) as error:
            # A raster is a picture: what keeps it from being drawn must not cost the numbers.
            if isinstance(error, TensorError) and analysis != "raster":
                raise
            return Outcome(source.id, analysis, None, str(error), tuple(problems))
    if result is not None:
        result = result.assign_attrs(source_id=source.id)
    return Outcome(source.id, analysis, result, "", tuple(problems))


def ready(source: Prepared, spec: Spec) -> xr.DataArray:
    """Prepare the tensor of a source as ``[prepare]`` says: rates, smoothed, normalized."""
    tensor = smoothed_rate(source, spec)
    # By the average over all trials: a divisor that knew the conditions would bias distances.
    return soft_normalize(tensor) if spec.prepare.soft_normalize else tensor


def smoothed_rate(source: Prepared, spec: Spec) -> xr.DataArray:
    """Rates of a source in their own unit, smoothed: what is drawn of single neurons."""
    tensor = rate(source.tensor)
    return tensor if spec.prepare.smooth is None else smooth(tensor, sigma=spec.prepare.smooth)


def decoded_label(spec: Spec) -> str:
    """Name the trial column that is decoded."""
    settings = spec.analyses.decode
    return (settings.label if settings else None) or spec.conditions.by[0]


def _shortfall(source: Prepared, analysis: str, spec: Spec) -> str:
    """Say what a source lacks for an analysis; nothing if it has enough."""
    if analysis == "pca":
        n_neurons = source.tensor.sizes["neuron"]
        n_trials = int(trials_observed(source.tensor, spec.conditions.by).min())
        few = _too_few("PCA", n_neurons, PCA_NEURONS, "neuron")
        return few or _too_few("PCA", n_trials, PCA_TRIALS, "trial", " in the smallest condition")
    if analysis == "relative_distance":
        counts = trials_observed(source.tensor, spec.conditions.by)
        if counts.size < 2:
            return "a distance needs two conditions, found one"
        where = " in the smallest condition"
        return _too_few("distances", int(counts.min()), DISTANCE_TRIALS, "trial", where)
    if analysis == "decode":
        return _too_few_to_decode(source, spec)
    return ""


def _too_few_to_decode(source: Prepared, spec: Spec) -> str:
    label = decoded_label(spec)
    with blaming(source.id):
        classes = group_conditions(source.tensor, label)
    if len(classes.labels) < 2:
        return f"decoding needs two values of {label!r}, found one ({classes.labels[0]})"
    n_folds = spec.analyses.decode.n_folds if spec.analyses.decode else 2
    smallest = int(trials_observed(source.tensor, (label,)).min())
    return _too_few("decoding", smallest, n_folds, "trial", " in the smallest class")


def _too_few(analysis: str, found: int, needed: int, noun: str, where: str = "") -> str:
    if found >= needed:
        return ""
    counted = f"{found} {noun}{'' if found == 1 else 's'}{where}"
    return f"too few neurons or trials for {analysis}: {counted}, needs {needed}"


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
    return relative_distance(ready(source, spec), by, rng=seed, **settings)


def _run_decode(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    settings = spec.analyses.decode.model_dump(exclude={"label"}) if spec.analyses.decode else {}
    return decode(ready(source, spec), decoded_label(spec), rng=seed, **settings)


def _run_summary(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    return summarize(source, spec.conditions.by, seed)


_RUN: dict[str, Callable[[Prepared, Spec, int], xr.Dataset | None]] = {
    "summary": _run_summary,
    "raster": _run_raster,
    "condition_average": _run_average,
    "pca": _run_pca,
    "relative_distance": _run_distance,
    "decode": _run_decode,
}
