"""Rows of the scorecard from behavior to verdict: contraction, orbits in a row, both errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import xarray as xr

from popdyn.comparison.measures import Cell, Measure, Results, names_of, smallest


def behavior_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for each stimulus set: how far answers follow the stimulus."""
    names = names_of(results, "behavior", "set") or ["all"]
    for name in names:
        where = "" if names == ["all"] else f", {name}"
        yield Measure(
            f"slope of answers on stimuli{where} (1: no contraction)", "1", "behavior",
            _slope_reader(name),
        )  # fmt: skip


def _slope_reader(name: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(result: xr.Dataset, results: Results) -> Cell:
        n_trials = smallest(results["summary"])
        if name not in result["set"].values:
            return Cell(n_trials=n_trials, reason=f"this source has no set {name}")
        own = result.sel(set=name)
        bound = own["slope_bound"].sel(bound=["lower", "upper"]).values
        return Cell(float(own["slope"]), bound, n_trials=n_trials)

    return read


def kinet_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for how far the orbits lie in a row, which distances on one axis assume."""
    del results
    words = "angle between steps from orbit to orbit, mean (0: in a row)"
    yield Measure(words, "rad", "kinet", _mean_angle)


def _mean_angle(result: xr.Dataset, results: Results) -> Cell:
    return Cell(float(result["angle"].mean()), n_trials=smallest(results["summary"]))


def estimation_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for the error of each hypothesis, and one for the conditions of the verdict."""
    units = [own["estimation_test"] for own in results.values() if "estimation_test" in own]
    unit = str(units[0]["rmse_true"].attrs.get("units", "1")) if units else "1"
    for name, words in (("true", "the true stimulus"), ("estimate", "the estimate")):
        told = f"RMSE of {words} told by distances"
        yield Measure(told, unit, "estimation_test", _error_reader(name))
    told = "conditions of the verdict “estimate” that are met, of 4"
    yield Measure(told, "1", "estimation_test", _n_met)


def _error_reader(name: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(result: xr.Dataset, results: Results) -> Cell:
        # The p values of the test are of a difference free of scale, not of this raw error.
        return Cell(float(result[f"rmse_{name}"]), n_trials=smallest(results["summary"]))

    return read


def _n_met(result: xr.Dataset, results: Results) -> Cell:
    return Cell(
        float(np.nansum(result["condition_met"])),
        n_trials=smallest(results["summary"]),
        reason=f"verdict: {result.attrs['verdict']}",
    )
