"""The step of the comparison that asks whether two epochs, or areas, use the same directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr

from popdyn.analysis.subspace import subspace_overlap
from popdyn.comparison.analysis_spec import Overlap
from popdyn.comparison.measures import NO_BAND, Cell, Measure, Results, attribute_of, smallest
from popdyn.comparison.ready import ready
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.errors import TensorError
from popdyn.resample import percentile_bounds
from popdyn.tensor.contract import bin_width_of
from popdyn.tensor.selection import find_column


def run_subspace_overlap(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Compare the averages of two epochs, or those of two groups of neurons."""
    settings = spec.analyses.subspace_overlap or Overlap(areas="area")
    tensor = ready(source, spec)
    options = settings.model_dump(include={"n_components", "n_splits", "n_draws"})
    options |= {"by": list(spec.conditions.by), "rng": seed}
    if settings.epochs is not None:
        result = subspace_overlap(tensor, epochs=settings.epochs, **options)
        return result.assign_attrs(n_neurons=tensor.sizes["neuron"])
    names, (first, second) = _areas(tensor, settings)
    result = subspace_overlap(first, second, space="sample", **options)
    half, time = bin_width_of(tensor) / 2, tensor["time"].values
    return result.assign_attrs(
        first=names[0],
        second=names[1],
        n_neurons_first=first.sizes["neuron"],
        n_neurons_second=second.sizes["neuron"],
        window_start=float(time[0] - half),
        window_stop=float(time[-1] + half),
    )


def _areas(
    tensor: xr.DataArray, settings: Overlap
) -> tuple[Sequence[str], tuple[xr.DataArray, xr.DataArray]]:
    """Split the neurons by the two values of a column."""
    values = find_column(tensor, "neuron", str(settings.areas)).astype(str)
    known = list(dict.fromkeys(values.tolist()))
    names = settings.between or tuple(known)
    lacking = [name for name in names if name not in known]
    if len(names) != 2 or lacking:
        wanted = f"{' and '.join(names)}" if settings.between else "two areas"
        message = (
            f"expected {wanted} among the values of the neuron column {settings.areas!r}, found "
            f"{', '.join(known)}: name two of them with between = [...]"
        )
        raise TensorError(message)
    first, second = (tensor.isel(neuron=np.flatnonzero(values == name)) for name in names)
    return names, (first, second)


def overlap_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for the alignment of the two, and one for their overlap without noise."""
    method = "subspace_overlap"
    first = attribute_of(results, method, "first", "the first")
    second = attribute_of(results, method, "second", "the second")
    yield Measure(f"alignment of {first} and {second}", "1", method, _alignment)
    words = f"overlap of {first} and {second} without noise (1: the same subspace)"
    yield Measure(words, "1", method, _without_noise)


def _alignment(result: xr.Dataset, results: Results) -> Cell:
    null = percentile_bounds(result["null_alignment_index"].values)
    value, p = float(result["alignment_index"]), float(result["p"])
    return Cell(value, NO_BAND, null, p, smallest(results["summary"]))


def _without_noise(result: xr.Dataset, results: Results) -> Cell:
    n_trials = smallest(results["summary"])
    value = float(result["cross_validated_index"])
    if not np.isfinite(value):
        return Cell(n_trials=n_trials, reason="too few trials, or no signal in quarters of them")
    return Cell(value, result["cross_validated_index_bound"].values, n_trials=n_trials)
