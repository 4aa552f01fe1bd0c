"""The step of the comparison that fits low-rank networks to every source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from popdyn.comparison.drive import average_inputs, inputs_of
from popdyn.comparison.low_rank_spec import LowRankFit
from popdyn.comparison.measures import Cell, Measure, Results, smallest
from popdyn.comparison.ready import ready
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.dynamics.fit_lowrank import fit_lowrank
from popdyn.errors import warn
from popdyn.tensor.view import condition_average

_TAU = 0.1  # s
# What is learned of activity that is in no unit of a network.
_FREE = ("bias", "initial", "scale", "offset")


def run_fit_lowrank(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Fit low-rank networks to condition averages, given their inputs."""
    settings = spec.analyses.fit_lowrank or LowRankFit()
    by = list(settings.by or spec.conditions.by)
    inputs = inputs_of(source, settings.inputs)
    tensor = ready(source, spec)
    heard = average_inputs(inputs, tensor, by)
    _doubt_inputs(heard)
    options: dict[str, Any] = settings.model_dump(exclude={"n_ranks", "by", "inputs", "tau"})
    result = fit_lowrank(
        condition_average(tensor, by),
        heard,
        settings.n_ranks,
        tau=settings.tau or _time_constant(source),
        learn=_FREE if spec.prepare.soft_normalize else None,
        rng=seed,
        **options,
    )
    said = settings.inputs or {}
    windows = "; ".join(f"{name} from {a:g} to {b:g} s" for name, (a, b) in said.items())
    names = ", ".join(heard["channel"].to_numpy().tolist())
    return result.assign_attrs(inputs=names, input_columns=windows, by=json.dumps(by))


def _doubt_inputs(inputs: xr.DataArray) -> None:
    """Warn of inputs that are heard in one condition alone.

    Warns
    -----
    PopdynWarning
        Naming them: held out, nothing tells what they do.
    """
    n_heard = (np.abs(inputs.to_numpy()) > 0).any(axis=1).sum(axis=1)
    alone = inputs["channel"].to_numpy()[n_heard == 1].tolist()
    if alone:
        warn(
            f"{', '.join(alone[:3])}{', ...' if len(alone) > 3 else ''}: heard in one condition "
            "alone, so that nothing tells what the input does when that is held out. Give a column "
            "of numbers as an input, or average by more columns with fit_lowrank.by"
        )


def _time_constant(source: Prepared) -> float:
    """Return the time constant (s) of the network that a source is, or a usual one."""
    tau = getattr(source.performed.net, "tau", None) if source.performed else None
    return _TAU if tau is None or np.ndim(tau) else float(tau)


def fit_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for how much is predicted, and for the rank."""
    del results
    words = "held-out conditions predicted by a low-rank network (R²)"
    yield Measure(words, "1", "fit_lowrank", _predicted)
    yield Measure("rank of that network", "1", "fit_lowrank", _rank)


def _predicted(result: xr.Dataset, results: Results) -> Cell:
    own = result.sel(n_ranks=int(result["chosen_rank"]))
    n_trials = smallest(results["summary"])
    return Cell(float(own["r2"]), own["r2_bound"].values, n_trials=n_trials)


def _rank(result: xr.Dataset, results: Results) -> Cell:
    return Cell(float(result["chosen_rank"]), n_trials=smallest(results["summary"]))
