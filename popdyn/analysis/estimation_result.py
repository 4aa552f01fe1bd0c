"""The numbers of the test, with their names and units."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.estimation_errors import error, lack_of_fit, line, normalized_error
from popdyn.analysis.estimation_input import Question
from popdyn.analysis.estimation_noise import Array
from popdyn.analysis.estimation_shift import Shift
from popdyn.analysis.estimation_verdict import LEVEL, Evidence
from popdyn.errors import TensorError
from popdyn.resample import percentile_bounds

# Methods of results that tell how behavior contracts.
_OF_BEHAVIOR = ("contraction", "behavior")
# Of an interval of the slope of behavior.
_LEAST_WIDTH = 1e-6


def errors_of(asked: Question) -> dict[str, Any]:
    """Errors of both hypotheses, raw and free of scale."""
    variables: dict[str, Any] = {"mean_distance": ("condition", asked.distance)}
    for name, target in (("true", asked.stimulus), ("estimate", asked.estimate)):
        intercept, slope = line(asked.distance, target)
        variables |= {
            f"rmse_{name}": float(error(target, asked.distance)),
            f"nrmse_{name}": float(normalized_error(target, asked.distance)),
            f"reverse_rmse_{name}": float(error(asked.distance, target)),
            f"slope_{name}": float(line(target, asked.distance)[1]),
            f"decoded_{name}": ("condition", intercept + slope * asked.distance),
        }
    variables["estimate"] = ("condition", asked.estimate)
    return variables


def p_values_of(asked: Question, null: tuple[Array, Array]) -> dict[str, Any]:
    """P values, powers and lack of fit."""
    if_true, if_estimate = null
    seen = float(
        normalized_error(asked.stimulus, asked.distance)
        - normalized_error(asked.estimate, asked.distance)
    )
    n = len(if_true) + 1.0
    slope = float(line(asked.estimate, asked.distance)[1])
    freedom = asked.noise.freedom
    lack_true = lack_of_fit(asked.stimulus, asked.distance, asked.noise.of_distance, freedom)
    lack_estimate = lack_of_fit(
        asked.estimate, asked.distance, asked.noise.of_residual(slope), freedom
    )
    return {
        "nrmse_difference": seen,
        "p_true": (1 + (if_true >= seen).sum()) / n,
        "p_estimate": (1 + (if_estimate <= seen).sum()) / n,
        "power_true": float(np.mean(if_estimate > np.quantile(if_true, 1 - LEVEL))),
        "power_estimate": float(np.mean(if_true < np.quantile(if_estimate, LEVEL))),
        "lack_of_fit_p_true": lack_true[0],
        "lack_of_fit_p_estimate": lack_estimate[0],
        "null_difference_true": ("draw", if_true),
        "null_difference_estimate": ("draw", if_estimate),
    }


def resampled_errors(asked: Question) -> dict[str, Any]:
    """Errors in bootstrap draws of behavior and activity together."""
    if asked.draws is None:
        return {}
    drawn, estimate = asked.draws
    known = np.isfinite(drawn).all(axis=1) & np.isfinite(estimate).all(axis=1)
    drawn, estimate = drawn[known], estimate[known]
    of_true, of_estimate = error(asked.stimulus, drawn), error(estimate, drawn)
    less = of_true - of_estimate
    seen = error(asked.stimulus, asked.distance) - error(asked.estimate, asked.distance)
    low, high = percentile_bounds(less)
    return {
        "draw_rmse_true": ("resample", of_true),
        "draw_rmse_estimate": ("resample", of_estimate),
        "draw_nrmse_true": ("resample", normalized_error(asked.stimulus, drawn)),
        "draw_nrmse_estimate": ("resample", normalized_error(estimate, drawn)),
        "rmse_difference_bound": ("bound", np.array([2 * seen - high, 2 * seen - low])),
        "resampled_p": (1 + (less <= 0).sum()) / (1.0 + less.size),
    }


def evidence_of(
    variables: dict[str, Any],
    codes: dict[str, float],
    behavior: xr.Dataset | None,
    shift: Shift | None,
) -> Evidence:
    """Put together what the verdict depends on."""
    contracts = np.nan
    if behavior is not None:
        of = getattr(behavior, "attrs", {}).get("method", _OF_BEHAVIOR[0])
        if of not in _OF_BEHAVIOR or "slope_bound" not in behavior:
            found = type(behavior).__name__ if of in _OF_BEHAVIOR else of
            message = f"behavior is a result of pdn.contraction, found {found!r}"
            raise TensorError(message)
        contracts = _contracts(behavior["slope_bound"])
    bent = min(
        own for name, own in codes.items() if name not in ("true", "estimate") and own == own
    )
    return Evidence(
        p_true=float(variables["p_true"]),
        p_estimate=float(variables["p_estimate"]),
        lack_true=variables["lack_of_fit_p_true"],
        lack_estimate=variables["lack_of_fit_p_estimate"],
        power_true=variables["power_true"],
        power_estimate=variables["power_estimate"],
        alternatives=_beaten(codes["estimate"] < bent, variables["alternative_p"]),
        behavior=contracts,
        shift=_shifts(shift, variables["alternative_p"]),
        shift_ratio=0.0 if shift is None or shift.p_none >= LEVEL else shift.ratio,
    )


def _beaten(is_better: bool, p: float) -> float:
    """Whether the estimate beats bent codes; NaN if it does, though not beyond chance."""
    return np.nan if is_better and p >= LEVEL else float(is_better)


def _shifts(shift: Shift | None, p: float) -> float:
    """Whether distances shift as estimates do; NaN if a cue beside a bent code explains it."""
    if shift is None:
        return np.nan
    return np.nan if shift.met == 1 and p >= LEVEL else shift.met


def _contracts(bound: xr.DataArray) -> float:
    """Whether an interval of the slope lies below 1; NaN if trials do not give one."""
    lower, upper = (float(bound.sel(bound=name)) for name in ("lower", "upper"))
    # Answers that are never wrong leave a slope without any width, which is not to be trusted.
    known = np.isfinite(upper) and upper - lower > _LEAST_WIDTH
    return float(upper < 1.0) if known else np.nan


def code_errors(asked: Question, codes: dict[str, float]) -> dict[str, Any]:
    """Errors of codes in units of the stimulus."""
    slope = abs(float(line(asked.stimulus, asked.distance)[1]))
    return {"alternative_error": ("alternative", np.array(list(codes.values())) / slope)}


def shift_variables(shift: Shift | None) -> dict[str, Any]:
    """Shift between two sets, if there are two."""
    if shift is None:
        return {}
    return {
        "set_shift": ("shared", shift.observed),
        "expected_set_shift": ("shared", shift.expected),
        "shift_p_none": shift.p_none,
        "shift_p_amount": shift.p_amount,
        "shift_power": shift.power,
        "shift_ratio": shift.ratio,
        "shift_ratio_bound": ("bound", shift.ratio_bound),
    }


def with_units(result: xr.Dataset, asked: Question) -> xr.Dataset:
    """Write units on everything."""
    own = ("rmse_", "decoded", "estimate", "draw_rmse", "alternative_error")
    of_distance = ("mean_distance", "reverse_rmse", "set_shift", "expected_set_shift")
    for name in map(str, result.data_vars):
        units = "1"
        if name.startswith(own):
            units = asked.units or "unknown"
        elif name.startswith(of_distance):
            units = asked.distance_units
        result[name].attrs["units"] = units
    result["stimulus"].attrs["units"] = asked.units or "unknown"
    return result
