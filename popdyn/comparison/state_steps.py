"""Steps of the comparison that ask what neurons encode, and how the population holds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.dpca import DPCA
from popdyn.analysis.encoding import encoding
from popdyn.analysis.generalization import temporal_generalization
from popdyn.analysis.quantity_decoding import decode_quantity
from popdyn.analysis.timescales import timescale
from popdyn.comparison.analysis_spec import Demixing, Encoding, Generalization, Quantity, Timescale
from popdyn.comparison.overlap_step import run_subspace_overlap
from popdyn.comparison.ready import ready
from popdyn.comparison.shortfall import decoded_label
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.comparison.tdr_step import run_tdr
from popdyn.tensor.contract import bin_width_of

_ENCODING_DRAWS = 200
_COUNTS = ("poisson", "negative_binomial")


def run_encoding(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Regress neurons on trial columns: prepared rates, or the counts of a family of counts."""
    settings = spec.analyses.encoding or Encoding()
    options = settings.model_dump(exclude={"regressors", "n_draws"})
    counts = settings.family in _COUNTS
    usual = 0 if counts else _ENCODING_DRAWS
    return encoding(
        source.tensor if counts else ready(source, spec),
        _listed(settings.regressors or spec.conditions.by),
        n_draws=usual if settings.n_draws is None else settings.n_draws,
        rng=seed,
        **options,
    )


def run_dpca(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Demix the averages, and test the components: one result with both."""
    settings = spec.analyses.dpca or Demixing()
    options = settings.model_dump(exclude={"factors", "n_test_folds", "n_draws"})
    tensor = ready(source, spec)
    model = DPCA(_listed(settings.factors or spec.conditions.by), rng=seed, **options).fit(tensor)
    result: xr.Dataset = model.to_dataset()
    if not settings.n_draws:
        return result
    kept = tensor.sel(neuron=result["neuron"].values)
    test = model.significance(
        kept, n_folds=settings.n_test_folds, n_draws=settings.n_draws, rng=seed
    )
    return result.assign(test.data_vars).assign_attrs(significance=test.attrs["parameters"])


def run_timescale(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Estimate timescales from what was counted: smoothing would add a timescale of its own."""
    settings = spec.analyses.timescale or Timescale()
    tensor = source.tensor
    if settings.window is not None:
        tensor = _within(tensor, settings.window)
    options = settings.model_dump(exclude={"window", "by"})
    result = timescale(tensor, by=_listed(settings.by or spec.conditions.by), rng=seed, **options)
    half, time = bin_width_of(tensor) / 2, tensor["time"].values
    # Without an axis of time a result would not say when it was measured.
    ends = {"window_start": float(time[0] - half), "window_stop": float(time[-1] + half)}
    return result.assign_attrs(ends)


def run_temporal_generalization(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Test decoders of every bin in every bin."""
    settings = spec.analyses.temporal_generalization or Generalization()
    options = settings.model_dump(exclude={"label", "groups"})
    label = decoded_label(spec, "temporal_generalization")
    groups = _listed(settings.groups) if settings.groups else None
    return temporal_generalization(ready(source, spec), label, groups=groups, rng=seed, **options)


def run_decode_quantity(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Decode a trial column of numbers."""
    settings = spec.analyses.decode_quantity or Quantity(label=spec.conditions.by[0])
    options = settings.model_dump(exclude={"label", "groups"})
    groups = _listed(settings.groups) if settings.groups else None
    return decode_quantity(ready(source, spec), settings.label, groups=groups, rng=seed, **options)


def _listed(names: Any) -> Any:
    """Give several names as a list, and a formula as it is."""
    return names if isinstance(names, str) else list(names)


def _within(tensor: xr.DataArray, window: tuple[float, float]) -> xr.DataArray:
    """Keep the bins that lie whole in a window."""
    half, time = bin_width_of(tensor) / 2, tensor["time"].values
    slack = 1e-6 * half
    inside = (time - half >= window[0] - slack) & (time + half <= window[1] + slack)
    return tensor.isel(time=np.flatnonzero(inside))


STATE_STEPS: dict[str, Callable[[Prepared, Spec, int], xr.Dataset]] = {
    "encoding": run_encoding,
    "dpca": run_dpca,
    "tdr": run_tdr,
    "subspace_overlap": run_subspace_overlap,
    "decode_quantity": run_decode_quantity,
    "temporal_generalization": run_temporal_generalization,
    "timescale": run_timescale,
}
