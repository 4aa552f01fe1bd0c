"""The step of the comparison that asks along which directions task variables are encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import xarray as xr

from popdyn.analysis.tdr import TDR
from popdyn.comparison.analysis_spec import TaskAxes
from popdyn.comparison.measures import NO_BAND, Cell, Measure, Results, names_of, smallest
from popdyn.comparison.ready import ready
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec


def run_tdr(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Find the axes of trial columns in prepared rates, which are smoothed already."""
    settings = spec.analyses.tdr or TaskAxes()
    options = settings.model_dump(exclude={"regressors", "by", "axes", "at"})
    asked = settings.regressors or spec.conditions.by
    regressors = asked if isinstance(asked, str) else list(asked)
    model = TDR(
        regressors,
        by=None if settings.by is None else list(settings.by),
        axes=None if settings.axes is None else list(settings.axes),
        at="max_norm" if settings.at is None else settings.at,
        smooth=0.0,
        rng=seed,
        **options,
    )
    result: xr.Dataset = model.fit(ready(source, spec)).to_dataset()
    return result


def tdr_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for how strongly each term is encoded, and for how far each axis repeats."""
    for term in names_of(results, "tdr", "term") or ["the regressors"]:
        words = f"largest strength of {term} in the population (about 1 by chance)"
        yield Measure(words, "1", "tdr", _strength_reader(term))
    for name in names_of(results, "tdr", "regressor") or ["the regressors"]:
        words = f"axis of {name}: cosine between halves of the trials"
        yield Measure(words, "1", "tdr", _halves_reader(name))


def _strength_reader(term: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(result: xr.Dataset, results: Results) -> Cell:
        n_trials = smallest(results["summary"])
        if term not in result["term"].values:
            return Cell(n_trials=n_trials, reason=f"{term} is no regressor of this source")
        own = result.sel(term=term)
        return Cell(float(own["strength"].max()), NO_BAND, NO_BAND, float(own["p_any"]), n_trials)

    return read


def _halves_reader(name: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(result: xr.Dataset, results: Results) -> Cell:
        n_trials = smallest(results["summary"])
        if name not in result["regressor"].values:
            return Cell(n_trials=n_trials, reason=f"{name} has no axis in this source")
        return Cell(float(result["half_split_cosine"].sel(regressor=name)), n_trials=n_trials)

    return read
