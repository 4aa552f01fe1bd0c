"""How strongly to regularize: held-out trials rebuild the averages of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.dpca_solve import held_out_errors, products, solver
from popdyn.analysis.dpca_terms import Marginalization
from popdyn.analysis.dpca_trials import Index, Noise, Trials
from popdyn.errors import TensorError, warn
from popdyn.progress import watched
from popdyn.resample import spawn

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Errors of the regularizations that were tried.

    Attributes
    ----------
    tried : ndarray, shape (tried,)
        Regularizations.
    error : ndarray, shape (fold, tried)
        Squared error over the variance of the training averages.
    error_of : ndarray, shape (marginalization, tried)
        The same for each marginalization, mean over folds.
    """

    tried: Array
    error: Array
    error_of: Array

    @property
    def best(self) -> float:
        """Regularization with the least error."""
        return float(self.tried[self.error.mean(axis=0).argmin()])


def strengths(tried: Sequence[float] | None, power: float) -> Array:
    """Regularizations to try; by default 26 whose ridge is 1e-8 to 1 of the total variance."""
    if tried is None:
        return np.asarray(np.sqrt(np.logspace(-8.0, 0.0, 26) / power))
    values = np.asarray(tried, dtype=np.float64)
    if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values >= 0)).all():
        message = f"tried is a list of regularizations of at least 0, found {tried!r}"
        raise TensorError(message)
    return values


def cross_validate(
    trials: Trials,
    averages: Array,
    chosen: Sequence[Marginalization],
    n_components: Sequence[int],
    noise: Noise,
    tried: Array,
    n_folds: int,
    rng: np.random.Generator,
) -> CrossValidation:
    """Try regularizations on held-out trials.

    Parameters
    ----------
    trials : Trials
        With two trials or more in every cell.
    averages : ndarray, shape (neuron, time, cell)
        Their averages.
    chosen, n_components
        Marginalizations and their numbers of components.
    noise : Noise
        For the covariance in the loss.
    tried : ndarray
        Regularizations.
    n_folds : int
        How often one trial of every cell is held out.
    rng : Generator
        Chooses them.
    """
    errors, powers = [], []
    for own in watched(spawn(rng, n_folds), n_folds, "trying regularizations"):
        error, power = fold_errors(
            trials, averages, chosen, n_components, noise, tried, trials.chosen(own)
        )
        errors.append(error)
        powers.append(power)
    error, power = np.stack(errors), np.stack(powers)
    relative = error.sum(axis=1) / power.sum(axis=1)[:, None]
    found = CrossValidation(tried, relative, (error / power[:, :, None]).mean(axis=0))
    if len(tried) > 1 and found.best == tried.max():
        warn(
            "held-out trials are rebuilt best with the strongest regularization that was tried "
            f"({found.best:.3g}): the averages hold little that repeats, or tried= ends too early"
        )
    return found


def fold_errors(
    trials: Trials,
    averages: Array,
    chosen: Sequence[Marginalization],
    n_components: Sequence[int],
    noise: Noise,
    tried: Array,
    index: Index,
) -> tuple[Array, Array]:
    """Errors (marginalization, tried) with these trials held out, and the variances they are of."""
    test = trials.take(index)
    train = without(trials, averages, test)
    known = products(trials.grid(train), chosen)
    solved = solver(known, noise.covariance(trials, averages, test))
    held_out = products(trials.grid(test), chosen)
    error = held_out_errors(solved, held_out, tried, n_components)
    # A part without any variance (rounding apart) cannot be rebuilt badly.
    power = np.array([part.power() for part in known.parts])
    return error, np.maximum(power, np.finfo(np.float64).tiny)


def without(trials: Trials, averages: Array, test: Array) -> Array:
    """Averages (neuron, time, cell) without one trial of each cell."""
    n = trials.counts()[:, None, :]
    return np.asarray((averages * n - test) / (n - 1.0))
