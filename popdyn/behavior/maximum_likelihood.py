"""Find the most likely parameters: many starts, then damped scoring between bounds.

The log-likelihood is a sum of counts times terms (one per cell).  The outer products of the terms'
gradients, weighted by how often each is expected, stand for its curvature: they need no second
derivatives, and once known serve every bootstrap draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MOST_STEPS = 100
_DIFFERENCE = 1e-5
# A step that promises less than this, in log-likelihood, is the last.
ENOUGH = 1e-6
_MOST_DAMPING = 1e8
_LITTLE = 1e-2
_N_LOOKED_AT = 32
N_STARTS = 5


@dataclass(frozen=True, eq=False)
class Problem:
    """Terms of a log-likelihood over bounded parameters.

    Attributes
    ----------
    terms : callable
        Point (parameter,) to logarithms of probabilities (term,).
    expected : callable
        Counts and terms (term,) to how often each term is expected.
    lower, upper : ndarray, shape (parameter,)
    """

    terms: Callable[[Array], Array]
    expected: Callable[[Array, Array], Array]
    lower: Array
    upper: Array

    def jacobian(self, point: Array, terms: Array) -> Array:
        """Return how the terms change with each parameter (term, parameter)."""
        columns = []
        for i in range(point.size):
            step = _DIFFERENCE if point[i] + _DIFFERENCE <= self.upper[i] else -_DIFFERENCE
            moved = point.copy()
            moved[i] += step
            columns.append((self.terms(moved) - terms) / step)
        return np.stack(columns, axis=1)


@dataclass(frozen=True, eq=False)
class Top:
    """Where a climb ended.

    Attributes
    ----------
    point : ndarray, shape (parameter,)
    loss : float
        Minus the log-likelihood.
    terms : ndarray, shape (term,)
    converged : bool
    """

    point: Array
    loss: float
    terms: Array
    converged: bool


def climb(
    problem: Problem,
    counts: Array,
    start: Array,
    *,
    known: tuple[Array, Array] | None = None,
    held: int | None = None,
    enough: float = ENOUGH,
    second: Array | None = None,
) -> Top:
    """Climb from a start to the nearest top.

    Parameters
    ----------
    problem : Problem
    counts : ndarray, shape (term,)
    start : ndarray, shape (parameter,)
    known : tuple of ndarray, optional
        Terms and their Jacobian at the start, when they have been computed before.
    held : int, optional
        Parameter that stays as it is.
    enough : float
        The climb ends with a step that promises less.
    second : ndarray, shape (parameter, parameter), optional
        Curvature to use at every step, in place of the outer products.

    Returns
    -------
    Top
    """
    point = np.clip(start, problem.lower, problem.upper)
    terms, jacobian = known if known is not None else (problem.terms(point), None)
    loss, damping = float(-counts @ terms), 1e-4
    for _ in range(_MOST_STEPS):
        if jacobian is None:
            jacobian = problem.jacobian(point, terms)
        gradient = -(counts @ jacobian)
        curvature = _curvature(problem, counts, terms, jacobian) if second is None else second
        straight = _bounded_step(gradient, curvature, 0.0, point, problem, held)
        hoped = -(gradient @ straight + straight @ curvature @ straight / 2)
        if hoped < enough:
            return Top(point, loss, terms, True)
        while True:
            step = _bounded_step(gradient, curvature, damping, point, problem, held)
            new_terms = problem.terms(point + step)
            new_loss = float(-counts @ new_terms)
            if new_loss < loss:
                break
            damping = max(10 * damping, 1e-3)
            if damping > _MOST_DAMPING:
                # Rounding hides what little is left to gain.
                return Top(point, loss, terms, bool(hoped < _LITTLE))
        promised = -(gradient @ step + step @ curvature @ step / 2)
        gained = loss - new_loss
        point, loss, terms, jacobian = point + step, new_loss, new_terms, None
        if gained > 0.5 * promised:
            damping = max(damping / 10, 1e-9)
    return Top(point, loss, terms, False)


def _curvature(problem: Problem, counts: Array, terms: Array, jacobian: Array) -> Array:
    curvature: Array = jacobian.T @ (jacobian * problem.expected(counts, terms)[:, None])
    return curvature


def full_curvature(problem: Problem, counts: Array, top: Top) -> Array:
    """Return second derivatives at the top, outer products for parameters at their bounds."""
    jacobian = problem.jacobian(top.point, top.terms)
    curvature = _curvature(problem, counts, top.terms, jacobian)
    second, inner = hessian(problem, counts, top)
    if inner.any() and np.linalg.eigvalsh(second)[0] > 0:
        curvature[np.ix_(inner, inner)] = second
        if np.linalg.eigvalsh(curvature)[0] <= 0:
            curvature[np.ix_(inner, ~inner)] = curvature[np.ix_(~inner, inner)] = 0.0
    return curvature


def _bounded_step(
    gradient: Array,
    curvature: Array,
    damping: float,
    point: Array,
    problem: Problem,
    held: int | None,
) -> Array:
    """Return the damped scoring step; parameters at a bound they lean on stay there."""
    diagonal = np.diag(curvature)
    damped = curvature + np.diag(damping * diagonal + 1e-12 * diagonal.max() + 1e-300)
    at_lower = (point <= problem.lower) & (gradient > 0)
    at_upper = (point >= problem.upper) & (gradient < 0)
    free = ~(at_lower | at_upper)
    if held is not None:
        free[held] = False
    step = np.zeros_like(point)
    while free.any():
        rest = gradient[free] + damped[np.ix_(free, ~free)] @ step[~free]
        step[free] = -np.linalg.solve(damped[np.ix_(free, free)], rest)
        there = point + step
        outside = free & ((there < problem.lower) | (there > problem.upper))
        if not outside.any():
            break
        step[outside] = np.clip(there, problem.lower, problem.upper)[outside] - point[outside]
        free &= ~outside
    return step


def climb_from_many(
    problem: Problem, counts: Array, plausible: Array, first: Array | None = None
) -> tuple[Top, Array]:
    """Climb from the best of many places, spread evenly over what is plausible.

    Parameters
    ----------
    problem : Problem
    counts : ndarray, shape (term,)
    plausible : ndarray, shape (2, parameter)
        Ends between which starts lie.
    first : ndarray, optional
        A start besides.

    Returns
    -------
    top : Top
        The highest.
    losses : ndarray, shape (start,)
        Where each climb ended.
    """
    low, high = plausible
    places = list(low + (high - low) * _spread_out(_N_LOOKED_AT, low.size))
    losses = [float(-counts @ problem.terms(place)) for place in places]
    starts = [places[i] for i in np.argsort(losses)[:N_STARTS]]
    if first is not None:
        starts[-1] = first
    tops = [climb(problem, counts, start) for start in starts]
    best = min(tops, key=lambda top: top.loss)
    return best, np.array([top.loss for top in tops])


def _spread_out(n_points: int, n_dims: int) -> Array:
    """Give a lattice by the generalized golden ratio: even in the unit cube, without chance."""
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (n_dims + 1))
    slopes = ratio ** -np.arange(1.0, n_dims + 1)
    return np.asarray((0.5 + np.arange(1, n_points + 1)[:, None] * slopes) % 1)


def hessian(problem: Problem, counts: Array, top: Top) -> tuple[Array, NDArray[np.bool_]]:
    """Return second derivatives of the loss at the top, by differences of the loss itself.

    Parameters
    ----------
    problem : Problem
    counts : ndarray, shape (term,)
    top : Top

    Returns
    -------
    second : ndarray, shape (inner, inner)
        Of the parameters that lie inside their bounds.
    inner : ndarray of bool, shape (parameter,)
    """
    jacobian = problem.jacobian(top.point, top.terms)
    size = problem.expected(counts, top.terms) @ jacobian**2
    step = 0.05 / np.sqrt(np.maximum(size, 1e-12))
    room = np.minimum(top.point - problem.lower, problem.upper - top.point)
    inner = room > 1e-6 * (problem.upper - problem.lower)
    step = np.minimum(step, 0.9 * room + 1e-300)
    free = np.flatnonzero(inner)
    second = np.empty((free.size, free.size))
    for a, i in enumerate(free):
        for b, j in enumerate(free[: a + 1]):
            total = 0.0
            for sign_i, sign_j in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                moved = top.point.copy()
                moved[i] += sign_i * step[i] / (2 if i == j else 1)
                moved[j] += sign_j * step[j] / (2 if i == j else 1)
                total += sign_i * sign_j * float(-counts @ problem.terms(moved))
            second[a, b] = second[b, a] = total / (step[i] * step[j] * (1 if i == j else 4))
    return second, inner
