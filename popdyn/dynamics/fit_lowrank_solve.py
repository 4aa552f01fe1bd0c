"""Weights with the least loss, by a quasi-Newton method over all trials at once (L-BFGS).

Trials of a fit are the same at every step, and its loss is smooth: on planted networks 300 steps
explain what the gradient steps of LINT (Adam) leave over, at a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from popdyn.train.backprop_gradient import Circuit, loss_and_gradient
from popdyn.train.backprop_loss import Lesson

Array = NDArray[np.float64]

# A step that changes the loss by less than this share of it is the last.
_RELATIVE_CHANGE = 1e-8
# Pairs of steps and slopes that are remembered.
_MEMORY = 20


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights that were found.

    Attributes
    ----------
    parameters : dict of str to ndarray
        As they had the least loss.
    loss : ndarray, shape (iteration,)
        After each step, from the start.
    diverged : bool
        Whether infinite states or losses were in the way when it ended.
    """

    parameters: dict[str, Array]
    loss: Array
    diverged: bool


def solve(
    start: dict[str, Array],
    fixed: dict[str, Array],
    circuit: Circuit,
    lesson: Lesson,
    n_iterations: int,
    prior: Mapping[str, tuple[float, float]] | None = None,
) -> Solution:
    """Go down from the start.

    Parameters
    ----------
    start : dict of str to ndarray
        What is learned.
    fixed : dict of str to ndarray
        What is given to the network as it is.
    circuit, lesson
        As `loss_and_gradient` takes them.
    n_iterations : int
        Most steps.
    prior : mapping of name to (mean, pull), optional
        ``pull (value - mean)²`` of each value is added to the loss.
    """
    shapes = {name: values.shape for name, values in start.items()}
    best: tuple[float, Array] = (np.inf, _flat(start))
    was_infinite = False

    def loss_of(point: Array) -> tuple[float, Array]:
        nonlocal best, was_infinite
        parameters = fixed | _named(point, shapes)
        loss, slope = loss_and_gradient(parameters, circuit, lesson)
        for name, (mean, pull) in (prior or {}).items():
            away = parameters[name] - mean
            loss += pull * float((away**2).sum())
            slope[name] = slope[name] + 2 * pull * away
        gradient = _flat({name: slope[name] for name in shapes})
        was_infinite = not (np.isfinite(loss) and np.isfinite(gradient).all())
        if was_infinite:
            # A wall: the line search comes back to where numbers are finite.
            return 1e6 * (1.0 + abs(best[0])), 0.0 * point
        if loss < best[0]:
            best = (loss, point.copy())
        return loss, gradient

    trace = []
    most: dict[str, Any] = {"maxiter": n_iterations, "maxfun": 3 * n_iterations}
    options = {**most, "maxcor": _MEMORY, "ftol": _RELATIVE_CHANGE, "gtol": 1e-9}
    with threadpool_limits(1, user_api="blas"):
        first = loss_of(best[1])[0]
        if not np.isfinite(best[0]):
            return Solution(start, np.array([np.inf]), diverged=True)
        minimize(
            loss_of, best[1], jac=True, method="L-BFGS-B", options=options,
            callback=lambda _: trace.append(best[0]),
        )  # fmt: skip
    return Solution(_named(best[1], shapes), np.array([first, *trace]), was_infinite)


def _flat(parameters: dict[str, Array]) -> Array:
    return np.concatenate([values.ravel() for values in parameters.values()])


def _named(point: Array, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    parts, first = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        parts[name] = point[first : first + size].reshape(shape).copy()
        first += size
    return parts
