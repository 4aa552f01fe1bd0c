"""Signed distances between orbits, with their bounds and what is left without noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.distance_draws import mean_known
from popdyn.analysis.kinet import (
    Alignment,
    Layout,
    Match,
    Sign,
    arc_length,
    match_states,
    neighbor_geometry,
    relative_speed,
    saturated_matches,
    signed_distance,
)
from popdyn.analysis.kinet_axis import axis_distance
from popdyn.analysis.kinet_orbits import Orbits
from popdyn.analysis.trials import Array
from popdyn.errors import FitError, TensorError, warn
from popdyn.network.real_numbers import real_number

Measure = Literal["kinet", "arc_length", "coding_axis"]
MEASURES = ("kinet", "arc_length", "coding_axis")
_ALIGNMENTS = ("nearest", "monotone", "time")
_SIGNS = ("direction", "axis")
# The authors call their rule tested for that many.
_LEAST_FOR_DIRECTION = 5
# Times the window, or seconds: no time that a match may be away.
_LONG_REACH = 10.0
_MUCH_INFLATION = 0.10
_MUCH_SATURATION = 0.10


@dataclass(frozen=True, eq=False)
class Rule:
    """How distances are taken: see `popdyn.relative_distance`.

    ``rows (time)`` are the reference times over which means go; ``reach`` counts bins.
    """

    measure: Measure
    alignment: Alignment
    sign: Sign
    reach: int | None
    rows: NDArray[np.bool_]

    def distance(self, match: Match, states: Array, layout: Layout) -> Array:
        """Signed distances (time, condition) of matched states; ``states`` in all neurons."""
        if self.measure == "arc_length":
            return arc_length(match, layout)
        if self.measure == "coding_axis":
            return axis_distance(match, states, layout, self.rows)
        return signed_distance(match, layout, self.sign)

    def means(self, match: Match, states: Array, layout: Layout) -> dict[str, Array]:
        """Mean distances (condition,) by the name of their variable."""
        found = {"mean_distance": self.distance(match, states, layout)}
        if self.measure == "kinet":
            found["mean_axis_distance"] = axis_distance(match, states, layout, self.rows)
        return {name: mean_known(own[self.rows], axis=0) for name, own in found.items()}

    def match(self, mean: Array, known: NDArray[np.bool_], reference: int) -> Match:
        """Match the states of orbits."""
        return match_states(mean, known, reference, self.alignment, self.reach)


def make_rule(
    method: str,
    alignment: str,
    sign: str,
    reach: float | None,
    window: Sequence[float] | None,
    time: Array,
) -> Rule:
    """Check the options and turn seconds into bins."""
    for name, found, allowed in (("alignment", alignment, _ALIGNMENTS), ("sign", sign, _SIGNS)):
        if found not in allowed:
            message = f"{name} must be one of {', '.join(map(repr, allowed))}, found {found!r}"
            raise TensorError(message)
    step = float(time[1] - time[0]) if len(time) > 1 else 1.0
    bins = None
    if reach is not None:
        if not np.isfinite(reach) or reach < 0:
            message = f"reach is a time in s, 0 or more, found {reach!r}"
            raise TensorError(message)
        if reach > _LONG_REACH * max(step * len(time), 1.0):
            message = (
                f"reach = {reach:g} s is much longer than the window of {step * len(time):g} s, "
                "where nothing is out of reach: 100 ms are 0.1"
            )
            raise TensorError(message)
        bins = round(reach / step)
    return Rule(method, alignment, sign, bins, _rows(window, time, step))  # type: ignore[arg-type]


def _rows(window: Sequence[float] | None, time: Array, step: float) -> NDArray[np.bool_]:
    """Mark the reference times over which means go."""
    if window is None:
        return np.ones(len(time), dtype=bool)
    if not isinstance(window, (Sequence, np.ndarray)) or len(window) != 2:
        message = f"mean_over is a pair (start, stop) in s, found {window!r}"
        raise TensorError(message)
    start, stop = (real_number("mean_over", one, "a pair (start, stop) in s") for one in window)
    rows: NDArray[np.bool_] = (time >= start - 1e-9 * step) & (time < stop)
    span = float(time[-1] - time[0]) + step
    if not rows.any() or max(time[0] - start, stop - time[-1]) > span + step:
        message = (
            f"mean_over = ({start:g}, {stop:g}) s does not lie in the window, which goes from "
            f"{time[0]:g} to {time[-1]:g} s: 400 ms are 0.4"
        )
        raise TensorError(message)
    return rows


def check_sides(orbits: Orbits, rule: Rule) -> None:
    """Refuse the sign rule of the authors where it does not work.

    Raises
    ------
    FitError
        With fewer than five conditions, or the reference at an end of its row.
    """
    chain, at = orbits.layout.chain, orbits.layout.reference
    if len(chain) < 2:
        message = (
            f"the reference {orbits.labels[at]} is the only condition of its set: the order of the "
            "conditions needs two of them; choose another reference="
        )
        raise FitError(message)
    if rule.measure != "kinet" or rule.sign != "direction":
        return
    if len(chain) < _LEAST_FOR_DIRECTION:
        message = (
            f"the sign by direction needs at least {_LEAST_FOR_DIRECTION} conditions, found "
            f"{len(chain)} ({', '.join(orbits.labels[i] for i in chain)}): say sign='axis', the "
            "side along the line from the first condition to the last"
        )
        raise FitError(message)
    if at in (chain[0], chain[-1]):
        message = (
            f"the reference {orbits.labels[at]} is the first or last condition, so that no "
            "direction leads to that side: choose one in the middle, or say sign='axis'"
        )
        raise FitError(message)


def estimates(orbits: Orbits, rule: Rule, time: Array) -> dict[str, Any]:
    """Distances of the orbits, as variables of a result."""
    layout, both = orbits.layout, ("time", "condition")
    match = rule.match(orbits.mean, orbits.known, layout.reference)
    distance = rule.distance(match, orbits.states, layout)
    found = match.index >= 0
    saturated = saturated_matches(match, orbits.known, layout.reference)
    angle, rotation, similarity = neighbor_geometry(match, layout)
    inside = rule.rows[:, None]
    n_found = np.maximum((found & inside).sum(axis=0), 1)
    variables: dict[str, Any] = {
        "distance": (both, distance),
        "matched_time": (both, np.where(found, time[np.maximum(match.index, 0)], np.nan)),
        "saturated": (both, saturated),
        "speed": ("condition", relative_speed(match.index, found & ~saturated & inside)),
        "angle": ("time", angle),
        "rotation": ("time", rotation),
        "similarity": ("time", similarity),
        **{
            name: ("condition", own)
            for name, own in rule.means(match, orbits.states, layout).items()
        },
        "saturated_share": ("condition", (saturated & inside).sum(axis=0) / n_found),
        "trajectory": (("component", "time", "condition"), _shown(orbits)),
    }
    # Projections are not lengthened by noise.
    if orbits.error is not None and rule.measure != "coding_axis":
        inflation = expected_inflation(match, orbits.error, layout.reference)
        variables["expected_inflation"] = ("condition", inflation)
    return variables


def expected_inflation(match: Match, error: Array, reference: int) -> Array:
    """Share by which noise alone makes the distance of each condition too large.

    From the squared standard errors (condition, time) of both orbits against the squared distance
    without them, each averaged over time; infinite where nothing would be left.
    """
    rows = (match.index >= 0).all(axis=1)
    if not rows.any():
        return np.full(len(error), np.nan)
    square = (match.offset[rows] ** 2).sum(axis=2).mean(axis=0)
    own = mean_known(np.take_along_axis(error.T, match.index[rows], axis=0), axis=0)
    noise = own + own[reference]
    left = square - noise
    ratio = np.divide(square, left, out=np.full(square.shape, np.inf), where=left > 0.0)
    inflation: Array = np.sqrt(ratio) - 1.0
    inflation[reference] = 0.0
    return inflation


def warn_of_noise(variables: dict[str, Any], labels: Sequence[str], is_rough: bool) -> None:
    """Say where a distance is mostly noise, was not smoothed, or ran into an end."""
    if is_rough:
        warn(
            "no smoothing: unsmoothed averages are far from each other in all neurons, and "
            "their components miss part of the distance; say smooth=0.040 unless x is smooth"
        )
    inflation = variables["expected_inflation"][1] if "expected_inflation" in variables else ()
    much = [i for i, value in enumerate(inflation) if value > _MUCH_INFLATION]
    if much:
        worst = max(inflation[i] for i in much)
        said = "more than twofold" if worst > 1.0 else f"by up to {worst:.0%}"
        warn(
            f"noise of the averages makes the distance of {len(much)} of {len(labels)} conditions "
            f"too large, {said} ({', '.join(labels[i] for i in much[:5])}"
            f"{', ...' if len(much) > 5 else ''}): smooth more, take fewer components, or use "
            "mean_cross_validated_distance"
        )
    share = variables["saturated_share"][1]
    ended = [i for i, value in enumerate(share) if value > _MUCH_SATURATION]
    if ended:
        warn(
            f"{', '.join(labels[i] for i in ended[:5])}{', ...' if len(ended) > 5 else ''}: the "
            f"nearest state is the first or last of the trajectory at up to "
            f"{max(share[i] for i in ended):.0%} of the times, where the distance is an upper "
            "bound; align a longer window, restrict the means with mean_over=, or, where "
            "trajectories nearly stop, match the same time with alignment='time'"
        )


def _shown(orbits: Orbits) -> Array:
    """First three components or principal axes of the orbits, for drawing."""
    mean = np.where(orbits.known[:, None, :], orbits.mean, np.nan)
    if orbits.axes is None:
        flat = np.moveaxis(mean, 1, 0).reshape(mean.shape[1], -1)
        whole = flat[:, np.isfinite(flat).all(axis=0)]
        axes = np.linalg.svd(whole - whole.mean(axis=1, keepdims=True), full_matrices=False)[0]
        mean = np.einsum("fk,cft->ckt", axes[:, :3], mean)
    return mean[:, :3].transpose(1, 2, 0)
