"""What goes into the test: distances, stimuli and estimates of the same conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.distance_shift import judged_distance
from popdyn.analysis.estimation_checks import check_draws, check_numbers, check_sizes
from popdyn.analysis.estimation_noise import (
    Array,
    JointNoise,
    noise_of_covariance,
    noise_of_draws,
)
from popdyn.errors import TensorError, warn

# Share by which noise may lengthen distances before that is said.
_INFLATED = 0.05


@dataclass(frozen=True, eq=False)
class Question:
    """Distances, stimuli and estimates (condition,), and the noise they have together.

    Attributes
    ----------
    stimulus, estimate, distance : ndarray, shape (condition,)
    noise : JointNoise
    draws : (ndarray, ndarray) or None
        Bootstrap draws (draw, condition) of distances, and of the estimates that belong to them.
    labels : ndarray of str, shape (condition,)
    sets : ndarray of str, shape (condition,), or None
        Stimulus set of each condition, if there are two.
    reference : float
        Stimulus of the reference.
    units, distance_units : str
    """

    stimulus: Array
    estimate: Array
    distance: Array
    noise: JointNoise
    draws: tuple[Array, Array] | None
    labels: NDArray[np.str_]
    sets: NDArray[np.str_] | None
    reference: float
    units: str
    distance_units: str

    @property
    def member(self) -> NDArray[np.bool_]:
        """Which conditions are of the second set."""
        if self.sets is None:
            return np.zeros(self.stimulus.size, dtype=bool)
        return np.asarray(self.sets != np.unique(self.sets)[0])


def read_question(
    distance: Any, stimulus: Any, estimate: Any, sets: Any, covariance: Any, draws: Any
) -> Question:
    """Bring what `popdyn.estimation_test` was given into one form, or refuse it."""
    if isinstance(distance, xr.Dataset):
        given = _of_result(distance, stimulus, sets, covariance, draws)
    else:
        given = _of_arrays(distance, stimulus, sets, covariance, draws)
    shown, found, drawn, labels = (
        given[name] for name in ("stimulus", "distance", "draws", "labels")
    )
    names = None if given["sets"] is None else np.asarray(given["sets"]).astype(np.str_)
    check_sizes(shown, found, drawn, names)
    perceived, drawn_estimate, units = _estimates(estimate, shown, names)
    known = np.isfinite(found) & np.isfinite(shown) & np.isfinite(perceived)
    if not known.all():
        lost = ", ".join(labels[~known])
        warn(f"conditions {lost} have no distance, stimulus or estimate and are left out")
    check_numbers(shown[known], found[known], perceived[known])
    own = None if drawn_estimate is None else drawn_estimate[:, known]
    pair = None
    if drawn is None:
        noise = noise_of_covariance(covariance, known, own)
    else:
        noise = noise_of_draws(drawn[:, known], own, given["n_trials"])
        check_draws(drawn[:, known], found[known])
        exact = np.broadcast_to(perceived[known], (len(drawn), int(known.sum())))
        pair = drawn[:, known], exact if own is None else own
    return Question(
        stimulus=shown[known], estimate=perceived[known], distance=found[known], noise=noise,
        draws=pair, labels=labels[known], sets=None if names is None else names[known],
        reference=given["reference"], units=given["units"] or units,
        distance_units=given["distance_units"],
    )  # fmt: skip


def _of_result(
    result: xr.Dataset, stimulus: Any, sets: Any, covariance: Any, draws: Any
) -> dict[str, Any]:
    """Take distances out of a result of `popdyn.relative_distance`."""
    if "mean_distance" not in result or "stimulus" not in result.coords:
        message = (
            "expected a result of relative_distance with ordered conditions, found one of method "
            f"{result.attrs.get('method', 'unknown')!r} without mean_distance or stimulus"
        )
        raise TensorError(message)
    mean, drawn = judged_distance(result)
    if draws is None and covariance is None:
        if drawn is None:
            message = (
                "these distances have no draws, and without their noise nothing can be tested: "
                "compute them from trials with n_draws=, or give covariance="
            )
            raise TensorError(message)
        draws = drawn
    _doubt_inflated(result)
    shown = result["stimulus"].to_numpy() if stimulus is None else np.asarray(stimulus)
    if sets is None:
        by = json.loads(str(result.attrs.get("parameters", "{}"))).get("by")
        if isinstance(by, list) and len(by) == 2 and by[1] in result.coords:
            sets = result[by[1]].to_numpy()
    middle = float(np.sort(shown)[shown.size // 2])
    return {
        "stimulus": shown.astype(np.float64),
        "distance": mean,
        "draws": draws,
        "labels": result["condition"].to_numpy().astype(np.str_),
        "sets": sets,
        "reference": float(result.attrs.get("reference_stimulus", middle)),
        "units": str(result["stimulus"].attrs.get("units", "")),
        "distance_units": str(result["mean_distance"].attrs.get("units", "1")),
        "n_trials": _trials_drawn(result),
    }


def _doubt_inflated(result: xr.Dataset) -> None:
    """Warn of distances that noise makes longer next to the reference: that bends them."""
    if "expected_inflation" not in result or "mean_axis_distance" in result:
        return
    most = float(np.nanmax(result["expected_inflation"].to_numpy(), initial=0.0))
    if most > _INFLATED:
        warn(
            f"noise makes distances up to {most:.0%} too long, most of all near the reference: "
            "this step bends them as estimates bend, and the true stimulus is rejected too often. "
            'Compute them with method="kinet" or "coding_axis", fewer components, or more trials'
        )


def _trials_drawn(result: xr.Dataset) -> float:
    """Trials of a condition (harmonic mean), if trials were drawn again."""
    if "n_trials" not in result or result.attrs.get("unit_of_inference") != "trials":
        return np.inf
    n = result["n_trials"].to_numpy().astype(np.float64)
    return float(1.0 / np.mean(1.0 / n[n > 0]))


def _of_arrays(
    distance: Any, stimulus: Any, sets: Any, covariance: Any, draws: Any
) -> dict[str, Any]:
    """Take bare arrays (condition,), with the noise beside them."""
    found = np.asarray(distance, dtype=np.float64)
    if stimulus is None:
        message = "an array of distances takes stimulus=, one number per condition"
        raise TensorError(message)
    if (draws is None) == (covariance is None):
        message = (
            "an array of distances takes either draws= (draw, condition) or covariance= "
            "(condition, condition): without their noise nothing can be tested"
        )
        raise TensorError(message)
    shown = np.asarray(stimulus, dtype=np.float64)
    return {
        "stimulus": shown,
        "distance": found,
        "draws": None if draws is None else np.asarray(draws, dtype=np.float64),
        "labels": np.array([f"{value:g}" for value in shown.ravel()], dtype=np.str_),
        "sets": sets,
        "reference": float(np.sort(shown.ravel())[shown.size // 2]),
        "units": "",
        "distance_units": "1",
        "n_trials": np.inf,
    }


def _estimates(
    estimate: Any, stimulus: Array, sets: NDArray[np.str_] | None
) -> tuple[Array, Array | None, str]:
    """Estimates of all conditions, their draws if there are any, and their units."""
    if isinstance(estimate, Mapping) and not isinstance(estimate, xr.Dataset):
        return _estimates_by_set({str(key): own for key, own in estimate.items()}, stimulus, sets)
    if isinstance(estimate, (xr.Dataset, xr.DataArray)) and "stimulus" in estimate.coords:
        if sets is not None:
            message = (
                f"there are two stimulus sets, {', '.join(np.unique(sets))}: give estimates of "
                "each, estimate={set: observer.estimates(stimulus), ...}"
            )
            raise TensorError(message)
        return _matched(estimate, stimulus)
    if hasattr(estimate, "estimates"):
        message = "estimate= takes what the observer estimates: give observer.estimates(stimulus)"
        raise TensorError(message)
    values = np.asarray(estimate, dtype=np.float64)
    if values.shape != stimulus.shape:
        message = (
            f"estimates of shape {values.shape} for {stimulus.size} conditions: one estimate is "
            "needed of each"
        )
        raise TensorError(message)
    return values, None, ""


def _estimates_by_set(
    estimate: dict[str, Any], stimulus: Array, sets: NDArray[np.str_] | None
) -> tuple[Array, Array | None, str]:
    """Estimates of each set, put where its conditions are."""
    names = [] if sets is None else np.unique(sets).tolist()
    if sets is None or set(names) != set(estimate):
        message = (
            f"estimates of sets {', '.join(estimate)}, distances of "
            f"{', '.join(names) or 'one set'}: they must be the same sets"
        )
        raise TensorError(message)
    values, parts, units = np.full(stimulus.shape, np.nan), {}, ""
    for name in names:
        own = sets == name
        values[own], parts[name], units = _estimates(estimate[name], stimulus[own], None)
    n_draws = {len(part) for part in parts.values() if part is not None}
    if not n_draws:
        return values, None, units
    if len(n_draws) > 1 or any(part is None for part in parts.values()):
        message = "estimates of both sets need draws of one plan, or none: fit both with resample="
        raise TensorError(message)
    drawn = np.full((n_draws.pop(), stimulus.size), np.nan)
    for name in names:
        drawn[:, sets == name] = parts[name]
    return values, drawn, units


def _matched(
    estimate: xr.Dataset | xr.DataArray, stimulus: Array
) -> tuple[Array, Array | None, str]:
    """Estimates at the stimuli of the conditions."""
    shown = estimate["stimulus"].to_numpy().astype(np.float64)
    same = np.isclose(shown[None, :], stimulus[:, None], rtol=1e-6)
    if not same.any(axis=1).all():
        lacking = ", ".join(f"{value:g}" for value in stimulus[~same.any(axis=1)])
        message = (
            f"no estimate of stimulus {lacking}; there are those of "
            f"{', '.join(f'{value:g}' for value in shown[:12])}: ask observer.estimates for the "
            "stimuli of the conditions"
        )
        raise TensorError(message)
    at = same.argmax(axis=1)
    of = estimate["estimate"] if isinstance(estimate, xr.Dataset) else estimate
    units = str(of.attrs.get("units", ""))
    drawn = None
    if isinstance(estimate, xr.Dataset) and "draw_estimate" in estimate:
        drawn = estimate["draw_estimate"].transpose("draw", "stimulus").to_numpy()[:, at]
    return of.to_numpy().astype(np.float64)[at], drawn, units
