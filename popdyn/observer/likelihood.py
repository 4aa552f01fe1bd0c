"""What fits need to know of trials: their cells, and the likelihood of choices and responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from popdyn.observer.cells import Cells, make_cells
from popdyn.observer.comparison import Comparison
from popdyn.observer.measurement import RESOLUTION
from popdyn.observer.response import Response

Array = NDArray[np.float64]
Parameters = Mapping[str, float]

_STEPS_ACROSS = 40.0
_STEPS_PER_DEVIATION = 6.0
_CHUNK = 4000


class Likelihood(Protocol):
    """Trials and a model of them."""

    @property
    def columns(self) -> dict[str, Array]:
        """What the likelihood of a trial depends on (trial,)."""

    def terms(self, values: Parameters, columns: Mapping[str, Array], fine: float) -> Array:
        """Return logarithms of probabilities (term,) of cells."""

    def counts(self, cells: Cells, weights: Array) -> Array:
        """Return how often each term occurred (draw, term) under weights (draw, trial)."""

    def expected(self, counts: Array, terms: Array) -> Array:
        """Return how often each term is expected (term,), never below 0."""

    def steps(self) -> dict[str, float]:
        """Return the distance of cells along columns with many values."""

    def of_trials(self, values: Parameters, fine: float = 2.0) -> Array:
        """Return the log-likelihood of each trial, without any grid of cells."""


@dataclass(frozen=True, eq=False)
class ChoiceLikelihood:
    """Choices, -1 or 1, between two stimuli."""

    model: Comparison
    columns: dict[str, Array]
    choice: Array

    def terms(self, values: Parameters, columns: Mapping[str, Array], fine: float) -> Array:
        """Return logarithms of both shares, one after the other."""
        first = effective(values, columns)
        return np.concatenate(
            self.model.log_shares(values, first, columns["stimulus_2"], fine * RESOLUTION)
        )

    def counts(self, cells: Cells, weights: Array) -> Array:
        """Return how often the second was called larger, then how often smaller."""
        parts = [cells.counts(weights * (self.choice == sign)) for sign in (1, -1)]
        return np.concatenate(parts, axis=1)

    def expected(self, counts: Array, terms: Array) -> Array:
        """Return how many of the choices in each cell are expected to be so."""
        larger, smaller = np.split(counts, 2)
        return np.asarray(np.tile(np.abs(larger + smaller), 2) * np.exp(terms))

    def steps(self) -> dict[str, float]:
        """Return a small part of each column's range."""
        return {name: max(float(np.ptp(x)), 1e-12) / _STEPS_ACROSS for name, x in _items(self)}

    def of_trials(self, values: Parameters, fine: float = 2.0) -> Array:
        """Return the log-likelihood of each trial."""
        larger, smaller = np.split(_unique_terms(self, values, fine), 2)
        return np.where(self.choice > 0, larger, smaller)


@dataclass(frozen=True, eq=False)
class ResponseLikelihood:
    """Responses on a continuous scale, in the column ``response``."""

    model: Response
    columns: dict[str, Array]

    def terms(self, values: Parameters, columns: Mapping[str, Array], fine: float) -> Array:
        """Return logarithms of densities."""
        first = effective(values, columns)
        return self.model.log_density(values, first, columns["response"], fine * RESOLUTION)

    def counts(self, cells: Cells, weights: Array) -> Array:
        """Return counts of responses."""
        return cells.counts(weights)

    def expected(self, counts: Array, terms: Array) -> Array:
        """Return the counts; interpolation may have left some below 0."""
        del terms
        return np.asarray(np.abs(counts))

    def steps(self) -> dict[str, float]:
        """Return a small part of the responses' spread around their trend, and of ranges."""
        stimulus, response = self.columns["stimulus"], self.columns["response"]
        trend = np.polyval(np.polyfit(stimulus, response, 1), stimulus)
        away = np.abs(response - trend)
        # 1.48 times the median is the standard deviation, whatever outliers do.
        spread = max(1.48 * float(np.median(away)), 1e-3 * float(np.ptp(response)), 1e-9)
        steps = {name: max(float(np.ptp(x)), 1e-12) / _STEPS_ACROSS for name, x in _items(self)}
        return {**steps, "response": spread / _STEPS_PER_DEVIATION}

    def of_trials(self, values: Parameters, fine: float = 2.0) -> Array:
        """Return the log-likelihood of each trial."""
        return _unique_terms(self, values, fine)


def _items(likelihood: ChoiceLikelihood | ResponseLikelihood) -> list[tuple[str, Array]]:
    return list(likelihood.columns.items())


def effective(values: Parameters, columns: Mapping[str, Array]) -> Array:
    """Return the first stimulus, drawn towards the trace of earlier ones."""
    first, history = columns["stimulus"], values["history"]
    if "trace" not in columns or history == 0:
        return first
    return np.asarray((1 - history) * first + history * columns["trace"])


def _unique_terms(
    likelihood: ChoiceLikelihood | ResponseLikelihood, values: Parameters, fine: float
) -> Array:
    """Compute terms once for each kind of trial, some thousands at a time."""
    cells = make_cells(likelihood.columns, {})
    n_cells = len(cells.columns["stimulus"])
    parts = []
    for start in range(0, n_cells, _CHUNK):
        part = {name: x[start : start + _CHUNK] for name, x in cells.columns.items()}
        terms = likelihood.terms(values, part, fine)
        parts.append(terms.reshape(-1, len(part["stimulus"])))
    every = np.concatenate(parts, axis=1)
    return np.asarray((cells.weights @ every.T).T.ravel())
