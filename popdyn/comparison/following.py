"""Steps that take results of earlier ones, and which."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import xarray as xr

from popdyn.comparison.circuit_steps import run_couplings, run_flow, run_inactivate
from popdyn.comparison.measures import Results
from popdyn.comparison.perceived_step import run_estimation_test
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec

Run = Callable[[Prepared, Spec, int, Mapping[str, xr.Dataset]], xr.Dataset]

FOLLOWING: dict[str, tuple[Run, tuple[str, ...]]] = {
    "estimation_test": (run_estimation_test, ("behavior", "kinet")),
    "flow": (run_flow, ("populations",)),
    "effective_couplings": (run_couplings, ("populations",)),
    "inactivate": (run_inactivate, ("populations",)),
}


def lacking(analysis: str, earlier: Results, reasons: Mapping[str, str]) -> str:
    """Say which earlier result a step lacks, and why; empty if it has all."""
    for name in FOLLOWING[analysis][1]:
        if name not in earlier:
            return f"{name}, which it takes, gave no result: {reasons.get(name) or 'not computed'}"
    return ""
