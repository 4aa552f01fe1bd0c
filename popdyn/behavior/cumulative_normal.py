"""Choices as a cumulative normal whose place and spread are lines in what was shown.

The second of two stimuli is called larger with the probability ``Phi((level - place) / spread)``;
``place`` and ``log(spread)`` are sums of known columns times coefficients.  Coefficients have weak
normal priors, which decide where choices leave them open.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

Array = NDArray[np.float64]

_MOST_STEPS = 200
# Steps after which a fit is at its top; a loss near it changes by the square of a step.
_CLOSE, _NEAR = 1e-10, 1e-5
# Half of the 95 % quantile of chi square with one degree of freedom.
_DROP = 1.920729410347062
# A bound is looked for up to so many doublings of the first step, then halved so often.
_N_DOUBLED, _N_HALVED = 16, 18


@dataclass(frozen=True, eq=False)
class CumulativeNormal:
    """Posteriors of coefficients, each row by itself.

    Attributes
    ----------
    level : ndarray, shape (row, cell)
        What was shown.
    n_larger, n_trials : ndarray, shape (row, cell)
        Choices "larger", of so many.
    place, log_spread : ndarray, shape (row, cell, column)
        Columns of which both are sums.
    prior : ndarray, shape (2, column)
        Means and standard deviations of the coefficients, those of the place first.
    """

    level: Array
    n_larger: Array
    n_trials: Array
    place: Array
    log_spread: Array
    prior: Array

    def rows(self, which: NDArray[np.intp]) -> CumulativeNormal:
        """Return some of the rows."""
        counts = self.n_larger[which], self.n_trials[which]
        return CumulativeNormal(
            self.level[which], *counts, self.place[which], self.log_spread[which], self.prior
        )

    def start(self) -> Array:
        """Return the means of the priors, ``(row, column)``."""
        return np.tile(self.prior[0], (len(self.level), 1))

    def solve(
        self, start: Array, free: Sequence[int] | None = None, close: float = _CLOSE
    ) -> Array:
        """Climb to the top by damped Fisher scoring.

        Parameters
        ----------
        start : ndarray, shape (row, column)
            Where from.
        free : sequence of int, optional
            The coefficients that move; all by default.
        close : float
            The last step is as short.

        Returns
        -------
        ndarray, shape (row, column)
        """
        free = list(range(start.shape[1])) if free is None else list(free)
        point, damping = start.copy(), np.full(len(start), 1e-3)
        loss, left = self.loss(point), np.arange(len(start))
        for _ in range(_MOST_STEPS):
            part = self.rows(left)
            step = np.zeros((len(left), start.shape[1]))
            step[:, free] = part._step(point[left], damping[left], free)
            there = part.loss(point[left] + step)
            better = there < loss[left]
            point[left] += np.where(better[:, None], step, 0.0)
            loss[left] = np.where(better, there, loss[left])
            damping[left] *= np.where(better, 0.1, 10.0)
            left = left[(np.abs(step) > close).any(axis=1)]
            if not left.size:
                break
        return point

    def loss(self, point: Array) -> Array:
        """Return minus the logarithm of the posterior of each row."""
        eta, _ = self._eta(point)
        said = self.n_larger * log_ndtr(eta) + (self.n_trials - self.n_larger) * log_ndtr(-eta)
        away = (point - self.prior[0]) / self.prior[1]
        loss: Array = -said.sum(axis=1) + (away**2).sum(axis=1) / 2
        return loss

    def _eta(self, point: Array) -> tuple[Array, Array]:
        """Return the argument of the normal, and one over the spread, ``(row, cell)``."""
        n_place = self.place.shape[2]
        place = np.einsum("rcp,rp->rc", self.place, point[:, :n_place])
        log_spread = np.einsum("rcp,rp->rc", self.log_spread, point[:, n_place:])
        narrow = np.exp(-np.clip(log_spread, -50, 50))
        # Beyond 40 standard deviations a probability is 0 in double precision.
        return np.clip((self.level - place) * narrow, -40, 40), narrow

    def _gradient(self, point: Array, free: Sequence[int]) -> tuple[Array, Array]:
        """Return where the posterior rises, and its expected curvature."""
        eta, narrow = self._eta(point)
        log_density = -(eta**2) / 2 - np.log(2 * np.pi) / 2
        rise, fall = np.exp(log_density - log_ndtr(eta)), np.exp(log_density - log_ndtr(-eta))
        slope = self.n_larger * rise - (self.n_trials - self.n_larger) * fall
        weight = self.n_trials * rise * fall
        by_place, by_spread = -narrow[..., None] * self.place, -eta[..., None] * self.log_spread
        by = np.concatenate([by_place, by_spread], axis=2)[..., free]
        mean, deviation = self.prior[:, free]
        rises = np.einsum("rc,rcp->rp", slope, by) - (point[:, free] - mean) / deviation**2
        curvature = np.einsum("rcp,rc,rcq->rpq", by, weight, by) + np.diag(1 / deviation**2)
        return rises, curvature

    def _step(self, point: Array, damping: Array, free: Sequence[int]) -> Array:
        """Return the next step."""
        rises, curvature = self._gradient(point, free)
        diagonal = np.einsum("rpp->rp", curvature)
        diagonal *= 1 + damping[:, None]
        step = np.linalg.solve(curvature, rises[..., None])[..., 0]
        # A spread changes by no more than a factor e at once.
        shortened: Array = step / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1.0)
        return shortened

    def bounds(self, best: Array, column: int) -> Array:
        """Return 95 % profile intervals of a coefficient: where choices are not much less likely.

        Parameters
        ----------
        best : ndarray, shape (row, column)
            From `solve`.
        column : int
            Which coefficient.

        Returns
        -------
        ndarray, shape (2, row)
            Infinite where choices do not end it; the prior of the coefficient does not.
        """
        if np.isfinite(self.prior[1, column]):
            prior = self.prior.copy()
            prior[1, column] = np.inf
            return dataclasses.replace(self, prior=prior).bounds(best, column)
        n_rows, n_columns = best.shape
        free = [other for other in range(n_columns) if other != column]
        highest = np.tile(self.loss(best), 2) + _DROP
        owner, side = np.tile(np.arange(n_rows), 2), np.repeat([-1.0, 1.0], n_rows)
        # Steps may be too long, never endless: choices may say nothing at all.
        curvature = self._gradient(best, range(n_columns))[1] + 1e-4 * np.eye(n_columns)
        first = np.sqrt(np.linalg.inv(curvature)[owner, column, column])
        inside, outside = np.zeros(2 * n_rows), np.full(2 * n_rows, np.inf)
        at = best[owner]

        def fits(which: NDArray[np.intp], away: Array) -> NDArray[np.bool_]:
            held = at[which]
            held[:, column] = best[owner[which], column] + side[which] * away
            part = self.rows(owner[which])
            at[which] = part.solve(held, free, _NEAR) if free else held
            return part.loss(at[which]) <= highest[which]

        for doubled in range(_N_DOUBLED):
            open_ = np.flatnonzero(np.isinf(outside))
            if not open_.size:
                break
            away = first[open_] * 2.0**doubled
            within = fits(open_, away)
            inside[open_] = np.where(within, away, inside[open_])
            outside[open_] = np.where(within, np.inf, away)
        ends = np.flatnonzero(np.isfinite(outside))
        for _ in range(_N_HALVED):
            middle = (inside[ends] + outside[ends]) / 2
            within = fits(ends, middle)
            inside[ends] = np.where(within, middle, inside[ends])
            outside[ends] = np.where(within, outside[ends], middle)
        ends_at: Array = best[owner, column] + side * outside
        return ends_at.reshape(2, n_rows)
