"""The tensor an analysis is given: rates, smoothed and normalized as ``[prepare]`` says."""

from __future__ import annotations

import xarray as xr

from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.preprocess.normalize import rate, soft_normalize
from popdyn.preprocess.smooth import smooth


def ready(source: Prepared, spec: Spec) -> xr.DataArray:
    """Prepare the tensor of a source as ``[prepare]`` says: rates, smoothed, normalized."""
    tensor = smoothed_rate(source, spec)
    # By the average over all trials: a divisor that knew the conditions would bias distances.
    return soft_normalize(tensor) if spec.prepare.soft_normalize else tensor


def smoothed_rate(source: Prepared, spec: Spec) -> xr.DataArray:
    """Rates of a source in their own unit, smoothed: what is drawn of single neurons."""
    tensor = rate(source.tensor)
    return tensor if spec.prepare.smooth is None else smooth(tensor, sigma=spec.prepare.smooth)
