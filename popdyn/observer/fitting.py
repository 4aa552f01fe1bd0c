"""Fit observers to trials: values, errors, intervals, and whether they can be told apart at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.behavior.maximum_likelihood import (
    Problem,
    Top,
    climb,
    climb_from_many,
    full_curvature,
    hessian,
)
from popdyn.behavior.profile import profile_bounds
from popdyn.errors import FitError, warn
from popdyn.observer.cells import Cells, make_cells
from popdyn.observer.likelihood import Likelihood
from popdyn.observer.parameters import Space, is_noise

Array = NDArray[np.float64]

# The tabulated likelihood may differ by this from the one of each trial by itself.
_GAP = 0.02
_GAP_PER_TRIAL = 2e-6
_MOST_REFINEMENTS = 4
_DRAWS_AT_ONCE = 50
# A warm start is followed until a step promises less than a hundredth of a standard error.
_DRAW_ENOUGH = 5e-5
_CORRELATED = 0.95
_WIDE = 3.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit found, on natural scales.

    Attributes
    ----------
    space : Space
    point : ndarray, shape (parameter,)
        On the scale of the fit.
    log_likelihood : float
        Of the trials themselves.
    standard_error : ndarray, shape (parameter,)
        NaN at a bound.
    profile_bound : ndarray, shape (2, parameter)
    correlation : ndarray, shape (parameter, parameter)
    condition_number : float
        Of the Hessian on the scale of the fit.
    identified : ndarray of bool, shape (parameter,)
    start_log_likelihood : ndarray, shape (start,)
    draws : ndarray, shape (draw, parameter)
    """

    space: Space
    point: Array
    log_likelihood: float
    standard_error: Array
    profile_bound: Array
    correlation: Array
    condition_number: float
    identified: NDArray[np.bool_]
    start_log_likelihood: Array
    draws: Array

    @property
    def values(self) -> dict[str, float]:
        """All parameters."""
        return self.space.values(self.point)

    @property
    def natural(self) -> Array:
        """The free parameters."""
        return self.space.natural(self.point)


def fit_likelihood(
    likelihood: Likelihood, space: Space, first: Array | None, weights: Array | None
) -> Fitted:
    """Fit the free parameters of a model to trials.

    Parameters
    ----------
    likelihood : Likelihood
    space : Space
    first : ndarray, optional
        Point to start from besides others.
    weights : ndarray, shape (draw, trial), optional
        How often each trial is in each bootstrap draw.

    Returns
    -------
    Fitted
    """
    problem, counts, top, losses, cells = _found(likelihood, space, first)
    error, correlation, condition = _errors(problem, counts, top)
    bounds = profile_bounds(problem, counts, top)
    say_ends(space.ends(top.point))
    compares = "stimulus_2" in likelihood.columns
    hint = ", or show stimuli with several differences" if compares else ""
    identified = _identified(space, top, correlation, bounds, hint)
    draws = np.empty((0, top.point.size))
    if weights is not None:
        parts = [weights[i : i + _DRAWS_AT_ONCE] for i in range(0, len(weights), _DRAWS_AT_ONCE)]
        drawn = [likelihood.counts(cells, part) for part in parts]
        draws = space.natural(_draws(problem, counts, top, np.concatenate(drawn)))
    return Fitted(
        space=space,
        point=top.point,
        log_likelihood=float(likelihood.of_trials(space.values(top.point)).sum()),
        standard_error=error * space.derivative(top.point),
        profile_bound=space.natural(bounds),
        correlation=correlation,
        condition_number=condition,
        identified=identified,
        start_log_likelihood=-np.sort(losses),
        draws=draws,
    )


def most_likely(likelihood: Likelihood, space: Space) -> dict[str, float]:
    """Return all parameters at the top of the likelihood, and nothing about how well known."""
    return space.values(_found(likelihood, space, None)[2].point)


def say_ends(ends: Sequence[str], whose: str = "fit") -> None:
    """Warn of parameters at the end of their search: others make up for what they lack."""
    if ends:
        warn(
            f"the {whose} ended where its search does ({', '.join(ends)}): what these answers ask "
            "for lies beyond, and other parameters may make up for it. Are answers counted from "
            "the right event, and in the right unit? Else fix that parameter and leave it out of "
            "free=[...], or take another observer"
        )


def _found(
    likelihood: Likelihood, space: Space, first: Array | None
) -> tuple[Problem, Array, Top, Array, Cells]:
    """Climb on cells, and make them finer until they give what single trials give."""
    n_trials = len(likelihood.columns["stimulus"])
    allowed = max(_GAP, _GAP_PER_TRIAL * n_trials)
    steps, fine = likelihood.steps(), 1.0
    for attempt in range(_MOST_REFINEMENTS):
        cells = make_cells(likelihood.columns, steps)
        problem = _problem(likelihood, space, cells, fine)
        counts = likelihood.counts(cells, np.ones((1, n_trials)))[0]
        if attempt == 0:
            top, losses = climb_from_many(problem, counts, space.plausible, first)
        else:
            top = climb(problem, counts, top.point)
        exact = likelihood.of_trials(space.values(top.point), 2 * fine)
        if abs(top.loss + exact.sum()) < allowed:
            break
        steps, fine = {name: step / 2 for name, step in steps.items()}, 2 * fine
    if not np.isfinite(top.loss) or not top.converged:
        message = (
            f"the fit of {', '.join(space.names)} to {n_trials} trials did not come to an end: "
            "fit fewer parameters, free=[...]"
        )
        raise FitError(message)
    return problem, counts, top, losses, cells


def _problem(likelihood: Likelihood, space: Space, cells: Cells, fine: float) -> Problem:
    def terms(point: Array) -> Array:
        return likelihood.terms(space.values(point), cells.columns, fine)

    return Problem(terms, likelihood.expected, space.lower, space.upper)


def _errors(problem: Problem, counts: Array, top: Top) -> tuple[Array, Array, float]:
    """Return standard errors, correlations and the Hessian's condition number."""
    n = top.point.size
    error, correlation = np.full(n, np.nan), np.full((n, n), np.nan)
    np.fill_diagonal(correlation, 1.0)
    second, inner = hessian(problem, counts, top)
    if not inner.any():
        return error, correlation, np.nan
    eigenvalues = np.linalg.eigvalsh(second)
    if eigenvalues[0] <= 1e-9 * eigenvalues[-1]:
        return error, correlation, np.inf
    covariance = np.linalg.inv(second)
    error[inner] = np.sqrt(np.diag(covariance))
    correlation[np.ix_(inner, inner)] = covariance / np.outer(error[inner], error[inner])
    return error, correlation, float(eigenvalues[-1] / eigenvalues[0])


def _identified(
    space: Space, top: Top, correlation: Array, bounds: Array, hint: str
) -> NDArray[np.bool_]:
    """Tell which parameters the trials determine; warn of the others."""
    n = top.point.size
    others = np.abs(correlation - np.eye(n))
    traded = np.nan_to_num(others).max(axis=1, initial=0.0) > _CORRELATED
    open_ended = (bounds[0] <= space.lower) | (bounds[1] >= space.upper)
    noise = np.array([is_noise(name) for name in space.names], dtype=bool)
    wide = noise & ((bounds[1] - bounds[0] > np.log(_WIDE)) | open_ended)
    identified = ~(traded | wide)
    if not identified.all():
        names = [name for name, good in zip(space.names, identified, strict=True) if not good]
        natural = space.natural(bounds)
        spans = [
            f"{name} {natural[0, i]:.3g} to {natural[1, i]:.3g}"
            + (", where the search ends" if open_ended[i] else "")
            for i, name in enumerate(space.names)
            if name in names
        ]
        warn(
            f"these trials hardly tell {', '.join(names)} (95 % by profile: {'; '.join(spans)}; "
            f"parameters may make up for each other): fix or tie one of them{hint}. Estimates of "
            "the stimulus may be well known all the same"
        )
    return np.asarray(identified)


def _draws(problem: Problem, own_counts: Array, top: Top, counts: Array) -> Array:
    """Fit every bootstrap draw from where the trials themselves led to."""
    known = (top.terms, problem.jacobian(top.point, top.terms))
    second = full_curvature(problem, own_counts, top)
    tops = [
        climb(problem, own, top.point, known=known, enough=_DRAW_ENOUGH, second=second)
        for own in counts
    ]
    return np.stack([one.point for one in tops])
