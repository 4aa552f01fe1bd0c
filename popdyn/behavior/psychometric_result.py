"""Results of psychometric fits: curves of several conditions side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.behavior.interval import draw_bounds, widened
from popdyn.behavior.psychometric_curve import Levels
from popdyn.resample import BOUND
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

_NAMES = ("threshold", "spread", "guess", "lapse")
_N_POINTS = 101


@dataclass(frozen=True, eq=False)
class Fit:
    """A curve of one condition: the four parameters, their draws and bounds."""

    levels: Levels
    value: Array
    profile: Array
    draws: Array
    log_likelihood: float
    share: Callable[[Array], Array]


def psychometric_result(
    fits: list[Fit], labels: NDArray[np.str_], parameters: dict[str, Any], seed: str
) -> xr.Dataset:
    """Put the fits of all conditions into a result, see `popdyn.psychometric`."""
    n_levels = np.array([fit.levels.n.size for fit in fits])
    table = np.full((3, len(fits), n_levels.max()), np.nan)
    for i, fit in enumerate(fits):
        own = fit.levels
        table[:, i, : own.n.size] = own.stimulus, own.n_larger / own.n, own.n
    points = np.linspace(np.nanmin(table[0]), np.nanmax(table[0]), _N_POINTS)
    free = 2 + [parameters["guess"], parameters["lapse"]].count("free")
    variables = {
        **_parameters(fits, free, parameters["curve"] == "weibull"),
        "log_likelihood": ("condition", [fit.log_likelihood for fit in fits]),
        "deviance": ("condition", [_deviance(fit) for fit in fits]),
        "deviance_freedom": ("condition", n_levels - free),
        "curve": (("condition", "point"), np.stack([fit.share(points) for fit in fits])),
        "share": (("condition", "level"), table[1]),
        "n_trials": (("condition", "level"), table[2]),
        "level_stimulus": (("condition", "level"), table[0]),
    }
    coords = {"condition": labels, "bound": BOUND, "point_stimulus": ("point", points)}
    return make_result(
        variables, coords=coords, method="psychometric", parameters=parameters, seed=seed
    )


def _parameters(fits: list[Fit], n_free: int, above_zero: bool) -> dict[str, Any]:
    n_trials = np.array([fit.levels.n.sum() for fit in fits])
    variables: dict[str, Any] = {}
    for k, name in enumerate(_NAMES):
        value = np.array([fit.value[k] for fit in fits])
        variables[name] = ("condition", value)
        drawn = np.stack([fit.draws[:, k] for fit in fits], axis=1)
        ends = draw_bounds(widened(value, drawn, n_trials, n_free))
        if name != "threshold" or above_zero:
            ends = np.maximum(ends, 0.0)
        variables[f"{name}_bound"] = (("bound", "condition"), ends)
        profile = np.stack([fit.profile[:, k] for fit in fits], axis=1)
        variables[f"{name}_profile_bound"] = (("bound", "condition"), profile)
        if name in ("threshold", "spread"):
            variables[f"draw_{name}"] = (("draw", "condition"), drawn)
    return variables


def _deviance(fit: Fit) -> float:
    """Twice what the likelihood lacks to that of the shares themselves."""
    own, total = fit.levels, 0.0
    for count in (own.n_larger, own.n - own.n_larger):
        some = count > 0
        total += float((count[some] * np.log(count[some] / own.n[some])).sum())
    return 2 * (total - fit.log_likelihood)
