"""Rows of the scorecard about encoding, demixing, numbers, decoders across time, timescales."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import xarray as xr

from popdyn.comparison.circuit_steps import population_measures
from popdyn.comparison.low_rank_step import fit_measures
from popdyn.comparison.measures import (
    NO_BAND,
    Cell,
    Measure,
    Results,
    attribute_of,
    names_of,
    smallest,
)
from popdyn.comparison.overlap_step import overlap_measures
from popdyn.comparison.perceived_measures import (
    behavior_measures,
    estimation_measures,
    kinet_measures,
)
from popdyn.comparison.selectivity_step import mixed_measures, selectivity_measures
from popdyn.comparison.tdr_step import tdr_measures
from popdyn.resample import percentile_bounds, upper_p_value

_LEVEL = 0.05


def state_measures(results: Mapping[str, Results], analyses: Sequence[str]) -> Iterable[Measure]:
    """List the rows that the analyses of this module make possible.

    Parameters
    ----------
    results : mapping
        Source id -> analysis -> result.
    analyses : sequence of str
        The analyses that were asked for.

    Yields
    ------
    Measure
        An analysis that no source could support still has a row, for the reason.
    """
    for name in analyses:
        if name in _ROWS:
            yield from _ROWS[name](results)


def _encoding(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row per term; bounds and p would take neurons of a session for independent."""
    for term in names_of(results, "encoding", "term") or ["the regressors"]:
        words = f"share of neurons encoding {term} (.05 or less by chance)"
        yield Measure(words, "1", "encoding", _share_reader(term))


def _share_reader(term: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(result: xr.Dataset, results: Results) -> Cell:
        n_trials = smallest(results["summary"])
        if term not in result["term"].values:
            return Cell(n_trials=n_trials, reason=f"{term} is no regressor of this source")
        p = smallest_p(result, term)
        tested = p[np.isfinite(p)]
        if not tested.size:
            return Cell(n_trials=n_trials, reason="no neuron could be tested")
        return Cell(float((tested < _LEVEL).mean()), n_trials=n_trials)

    return read


def smallest_p(result: xr.Dataset, term: str) -> np.ndarray:
    """Smallest corrected p of each neuron over time: of clusters, else the false discovery q."""
    if "cluster_p" in result:
        p = result["cluster_p"].sel(term=term)
    else:
        own = np.flatnonzero(result["regressor_term"].values == term)
        p = result["q"].isel(regressor=own).min("regressor")
    return np.asarray(p.min("time").values, dtype=np.float64)


def _demixing(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Two rows per marginalization: its share of the signal, and what its component tells."""
    for name in names_of(results, "dpca", "marginalization") or ["the marginalizations"]:
        yield Measure(f"share of the signal variance: {name}", "1", "dpca", _share_of_signal(name))
    for name in _tested(results):
        words = f"accuracy of {name} from its first demixed component, mean"
        yield Measure(words, "1", "dpca", _tested_accuracy(name))


def _tested(results: Mapping[str, Results]) -> list[str]:
    """List the marginalizations whose components were tested in any source."""
    fits = [own["dpca"] for own in results.values() if "dpca" in own]
    values = [fit["tested_marginalization"].values for fit in fits if "tested" in fit.dims]
    return list(dict.fromkeys(str(name) for own in values for name in own))


def _share_of_signal(name: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(result: xr.Dataset, results: Results) -> Cell:
        n_trials = smallest(results["summary"])
        if "signal_ratio" not in result:
            return Cell(n_trials=n_trials, reason="too few trials to take the noise off")
        own = result.sel(marginalization=name)
        bound = own["signal_ratio_bound"].values if "signal_ratio_bound" in own else NO_BAND
        return Cell(float(own["signal_ratio"]), bound, n_trials=n_trials)

    return read


def _tested_accuracy(name: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(result: xr.Dataset, results: Results) -> Cell:
        n_trials = smallest(results["summary"])
        if "tested" not in result.dims:
            return Cell(n_trials=n_trials, reason="not tested: n_draws is 0")
        own = result.isel(tested=int(np.argmax(result["tested_marginalization"].values == name)))
        value = float(own["accuracy"].mean())
        null = own["null_accuracy"].mean("time").values
        p = float(upper_p_value(value, null))
        return Cell(value, NO_BAND, percentile_bounds(null), p, n_trials)

    return read


def _quantity(results: Mapping[str, Results]) -> Iterable[Measure]:
    label = attribute_of(results, "decode_quantity", "label", "the number")
    yield Measure(f"R² of {label}, cross-validated, mean", "1", "decode_quantity", _mean_r2)


def _mean_r2(result: xr.Dataset, results: Results) -> Cell:
    null = percentile_bounds(result["null_mean_r2"].values)
    value, p = float(result["mean_r2"]), float(result["mean_p"])
    return Cell(value, result["mean_r2_bound"].values, null, p, smallest(results["summary"]))


def _generalization(results: Mapping[str, Results]) -> Iterable[Measure]:
    method = "temporal_generalization"
    label = attribute_of(results, method, "label", "the label")
    yield Measure(f"accuracy of {label} across times, mean", "1", method, _across_times)
    yield Measure(f"stability of the code of {label}", "1", method, _stability)


def _across_times(result: xr.Dataset, results: Results) -> Cell:  # noqa: ARG001
    null = percentile_bounds(result["null_mean_accuracy"].values)
    value, p = float(result["mean_accuracy"]), float(result["mean_p"])
    return Cell(value, NO_BAND, null, p, int(result["n_trials"].min()))


def _stability(result: xr.Dataset, results: Results) -> Cell:  # noqa: ARG001
    value, n_trials = float(result["stability"]), int(result["n_trials"].min())
    reason = "" if np.isfinite(value) else "nothing is decoded on the diagonal"
    return Cell(value, n_trials=n_trials, reason=reason)


def _timescale(results: Mapping[str, Results]) -> Iterable[Measure]:  # noqa: ARG001
    yield Measure("timescale of the population", "s", "timescale", _population_timescale)


def _population_timescale(result: xr.Dataset, results: Results) -> Cell:
    value, n_trials = float(result["population_timescale"]), smallest(results["summary"])
    reason = str(result["population_reason"].item())
    return Cell(
        value, result["population_timescale_bound"].values, NO_BAND, np.nan, n_trials, reason
    )


_ROWS: dict[str, Callable[[Mapping[str, Results]], Iterable[Measure]]] = {
    "encoding": _encoding,
    "selectivity_test": selectivity_measures,
    "mixed_selectivity": mixed_measures,
    "dpca": _demixing,
    "tdr": tdr_measures,
    "subspace_overlap": overlap_measures,
    "behavior": behavior_measures,
    "kinet": kinet_measures,
    "estimation_test": estimation_measures,
    "decode_quantity": _quantity,
    "temporal_generalization": _generalization,
    "timescale": _timescale,
    "fit_lowrank": fit_measures,
    "populations": population_measures,
}
