"""From trials or averages to the result of `popdyn.relative_distance` with ordered conditions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.kinet_distance import Rule, check_sides, estimates, make_rule, warn_of_noise
from popdyn.analysis.kinet_draws import neuron_draws, trial_draws
from popdyn.analysis.kinet_orbits import (
    Orbits,
    TrialOrbits,
    orbits_of_average,
    orbits_of_trials,
    raised_width,
)
from popdyn.analysis.kinet_splits import cross_validated
from popdyn.analysis.trials import Array, is_average
from popdyn.errors import TensorError
from popdyn.resample import BOUND, ResamplePlan, Seed, as_generator, bootstrap, percentile_bounds
from popdyn.tensor.contract import check, check_average
from popdyn.tensor.result import make_result

_UNITS = {"trial": "trials", "neuron": "neurons"}


@dataclass(frozen=True)
class Settings:
    """What `popdyn.relative_distance` was asked for."""

    by: str | Sequence[str] | None
    method: str
    reference: Any
    smooth: float | None
    n_components: int | str | None
    n_draws: int
    alignment: str
    reach: float | None
    sign: str
    mean_over: tuple[float, float] | None
    unit: str
    draw_components: str
    n_splits: int

    def check(self, has_plan: bool) -> None:
        """Refuse units and components that do not exist, or not together."""
        for name, found, allowed in (
            ("unit", self.unit, tuple(_UNITS)),
            ("draw_components", self.draw_components, ("fixed", "refit")),
        ):
            if found not in allowed:
                message = f"{name} must be one of {', '.join(map(repr, allowed))}, found {found!r}"
                raise TensorError(message)
        for name, number in (("n_draws", self.n_draws), ("n_splits", self.n_splits)):
            if not isinstance(number, (int, np.integer)) or number < 0:
                message = f"{name} is a whole number, 0 for none, found {number!r}"
                raise TensorError(message)
        if has_plan and self.unit != "trial":
            message = (
                "a resample plan draws trials, but unit='neuron' was asked for: leave out one of "
                "the two"
            )
            raise TensorError(message)

    def rule(self, time: Array) -> Rule:
        """How distances are taken at these times."""
        return make_rule(self.method, self.alignment, self.sign, self.reach, self.mean_over, time)


def ordered_distance(
    x: xr.DataArray | xr.Dataset,
    settings: Settings,
    resample: ResamplePlan | None,
    rng: Seed,
    n_jobs: int | None,
) -> xr.Dataset:
    """Run KiNeT or a variant of it; see `popdyn.relative_distance`."""
    settings.check(resample is not None)
    generator, seed = as_generator(rng)
    if is_average(x):
        if resample is not None:
            message = "a condition average has no trials to draw again: pass the tensor and by="
            raise TensorError(message)
        x = check_average(x)
        sigma = raised_width(x, settings.smooth)
        orbits = orbits_of_average(x, settings.by, sigma, settings.reference, settings.n_components)
        rule = settings.rule(_time(x))
        check_sides(orbits, rule)
        variables = estimates(orbits, rule, _time(x))
    else:
        x = check(x)
        sigma = raised_width(x, settings.smooth)
        source = orbits_of_trials(
            x, settings.by, sigma, settings.reference, settings.n_components,
            2 if settings.n_draws else 1,
        )  # fmt: skip
        orbits, x = source.orbits, source.trials.tensor
        rule = settings.rule(_time(x))
        check_sides(orbits, rule)
        variables = estimates(orbits, rule, _time(x))
        variables |= _validated(source, variables, rule, settings.n_splits, generator)
        variables |= _drawn(source, variables, rule, settings, resample, generator, n_jobs)
        variables["n_trials"] = ("condition", source.trials.n_trials)
    warn_of_noise(variables, orbits.labels, _is_rough(x, sigma, orbits.error is not None))
    coords = orbits.coords | {"time": x["time"]}
    result = make_result(
        variables,
        coords=coords | ({"bound": BOUND} if "speed_bound" in variables else {}),
        method="relative_distance",
        parameters=asdict(settings),
        source=x,
        seed=seed,
    )
    return _described(result, orbits, settings, sigma)


def _validated(
    source: TrialOrbits, variables: dict[str, Any], rule: Rule, n_splits: int, rng: Seed
) -> dict[str, Any]:
    """Cross-validated distances, where there are trials enough."""
    if n_splits < 1:
        return {}
    found = cross_validated(source, variables["distance"][1], rule, n_splits, rng)
    if found is None:
        return {}
    return {
        "cross_validated_distance": (("time", "condition"), found[0]),
        "mean_cross_validated_distance": ("condition", found[1]),
    }


def _drawn(
    source: TrialOrbits,
    variables: dict[str, Any],
    rule: Rule,
    settings: Settings,
    resample: ResamplePlan | None,
    rng: Seed,
    n_jobs: int | None,
) -> dict[str, Any]:
    """Bootstrap draws and the bounds they give."""
    if not settings.n_draws:
        return {}
    if settings.unit == "neuron":
        drawn = neuron_draws(source, settings.n_draws, rng, rule, n_jobs)
    else:
        if resample is None:
            names = [str(name) for name in source.trials.table]
            resample = bootstrap(source.trials.tensor, names, settings.n_draws, rng)
        resample.check_trials(source.trials.tensor)
        refit = settings.draw_components == "refit" and source.orbits.axes is not None
        drawn = trial_draws(source, resample, rule, refit, n_jobs)
    found: dict[str, Any] = {}
    for name, draws in drawn.items():
        seen = variables[name][1]
        bound = (
            np.exp(_reversed_bounds(np.log(seen), np.log(draws)))
            if name == "speed"
            else _reversed_bounds(seen, draws)
        )
        found[f"draw_{name}"] = (("draw", "condition"), draws)
        found[f"{name}_bound"] = (("bound", "condition"), bound)
    return found


def _reversed_bounds(estimate: Array, draws: Array) -> Array:
    """Bounds as far below the estimate as draws go above it, and the other way round."""
    low, high = percentile_bounds(draws)
    return np.stack([2.0 * estimate - high, 2.0 * estimate - low])


def _is_rough(x: xr.DataArray | xr.Dataset, sigma: float, is_noisy: bool) -> bool:
    """Whether averages of noisy trials are compared that were never smoothed."""
    steps = json.loads(str(x.attrs.get("popdyn", "[]")))
    return not sigma and is_noisy and not any(step.get("step") == "smooth" for step in steps)


def _time(x: xr.DataArray | xr.Dataset) -> Array:
    """Give times in s."""
    return x["time"].to_numpy().astype(np.float64)


def _described(result: xr.Dataset, orbits: Orbits, settings: Settings, sigma: float) -> xr.Dataset:
    """Write units, the reference and the unit of inference on a result."""
    units = str(result.attrs.get("units", "1"))
    if "draw" in result.dims:
        result = result.assign_coords(draw=np.arange(result.sizes["draw"]))
    long = "1" if units == "1" else f"{units}*sqrt(neurons)"
    of = {"matched_time": "s", "angle": "rad", "rotation": "rad", "trajectory": long}
    for name in result.data_vars:
        text = str(name)
        result[name].attrs["units"] = of.get(text, long if "distance" in text else "1")
    result.attrs |= {
        "distance_method": settings.method,
        "reference": orbits.labels[orbits.layout.reference],
        "reference_stimulus": float(orbits.stimulus[orbits.layout.reference]),
        "unit_of_inference": _UNITS[settings.unit] if "draw" in result.dims else "none",
        "smooth": sigma,
        "n_neurons": int(orbits.kept.sum()),
        "n_components": 0 if orbits.axes is None else int(orbits.axes.shape[1]),
    }
    return result
