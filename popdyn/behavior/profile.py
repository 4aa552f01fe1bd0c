"""Profile-likelihood intervals: how far a parameter can go when the others make up for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from popdyn.behavior.maximum_likelihood import Problem, Top, climb, full_curvature

Array = NDArray[np.float64]

_MOST_STEPS = 12
# The fall is met to within this part: the bound to half of it.
_CLOSE = 0.03


def profile_bounds(problem: Problem, counts: Array, top: Top, level: float = 0.95) -> Array:
    """Find where the best likelihood with one parameter held falls by a chi-square's quantile.

    Parameters
    ----------
    problem : Problem
    counts : ndarray, shape (term,)
    top : Top
        The most likely point.
    level : float
        Probability inside.

    Returns
    -------
    ndarray, shape (2, parameter)
        A parameter's own bound where the likelihood does not fall that far before it.
    """
    fall = float(chdtri(1, 1 - level)) / 2
    bounds = np.empty((2, top.point.size))
    spread = _spread(full_curvature(problem, counts, top), problem)
    for i in range(top.point.size):
        for side, sign in enumerate((-1.0, 1.0)):
            bounds[side, i] = _one_side(problem, counts, top, i, sign * 2 * spread[i], fall)
    return bounds


def _spread(curvature: Array, problem: Problem) -> Array:
    """Return about how far from the top intervals end; no further than a tenth of the bounds."""
    size = np.maximum(np.diag(curvature), 1e-150)
    scaled = curvature / np.sqrt(np.outer(size, size)) + 1e-3 * np.eye(size.size)
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(np.diag(np.linalg.pinv(scaled)) / size)
    furthest = 0.1 * (problem.upper - problem.lower)
    return np.where(np.isfinite(spread), np.minimum(spread, furthest), furthest)


def _one_side(problem: Problem, counts: Array, top: Top, i: int, step: float, fall: float) -> float:
    """Walk until the fall is passed, then halve the root's bracket along the parabola."""
    limit = problem.lower[i] if step < 0 else problem.upper[i]
    center, inside, outside = top.point[i], (0.0, 0.0), None
    point, to = top.point, step
    for _ in range(_MOST_STEPS):
        if outside is None and (center + to - limit) * step >= 0:
            to = limit - center
        if to == 0:
            return float(limit)
        start = point.copy()
        start[i] = center + to
        held = climb(problem, counts, start, held=i, enough=1e-3)
        fallen = max(held.loss - top.loss, 0.0)
        if abs(fallen - fall) < _CLOSE * fall:
            return float(center + to)
        if fallen < fall:
            if to == limit - center:
                return float(limit)
            # Go on from here: beyond the bound climbs may end on another hill.
            point, inside = held.point, (to, np.sqrt(fallen))
        else:
            outside = (to, np.sqrt(fallen))
        to = _next(inside, outside, np.sqrt(fall))
    return float(center + to)


def _next(inside: tuple[float, float], outside: tuple[float, float] | None, wanted: float) -> float:
    """Guess where the square root of the fall, about linear, is what is wanted."""
    if outside is None:
        to, root = inside
        return to * min(max(wanted / max(root, 1e-9), 1.3), 3.0)
    share = (wanted - inside[1]) / max(outside[1] - inside[1], 1e-12)
    share = min(max(share, 0.05), 0.95)
    return inside[0] + share * (outside[0] - inside[0])
