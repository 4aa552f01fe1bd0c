"""When does a demixed component tell the levels of its factors apart?  Shuffled decoding.

The accuracy of the data and of every shuffle is found by one and the same procedure.  A single
factor's labels are shuffled among trials that agree in all other factors; of several factors
(an interaction) the trials' residuals from everything else are shuffled among all combinations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.dpca_fit import Settings
from popdyn.analysis.dpca_grid import Grid
from popdyn.analysis.dpca_lambda import without
from popdyn.analysis.dpca_solve import products, solver
from popdyn.analysis.dpca_terms import Marginalization, split
from popdyn.analysis.dpca_trials import Index, Noise, Trials, make_noise, make_trials
from popdyn.progress import watched
from popdyn.resample import spawn, upper_p_value

Array = NDArray[np.float64]
_SHORTEST_RUN = 10  # of the reference, in bins


@dataclass(frozen=True, eq=False)
class Question:
    """What is tested, and how components are found.

    Attributes
    ----------
    chosen : list of Marginalization
        The marginalizations of the fit.
    n_components : tuple of int
        Components of each that are tested.
    regularization : tuple of float
        Of each.
    noise : Noise
        For the covariance in the loss.
    n_folds : int
        How often one trial of every cell is held out.
    """

    chosen: list[Marginalization]
    n_components: tuple[int, ...]
    regularization: tuple[float, ...]
    noise: Noise
    n_folds: int


@dataclass(frozen=True, eq=False)
class _One:
    """One marginalization under test.

    Attributes
    ----------
    marginalization : Marginalization
        It.
    regularization : float
        Its regularization.
    trials : Trials
        What is shuffled: trials, or their residuals.
    rest : ndarray, shape (neuron, time, cell), or None
        What is put back to residuals after shuffling.
    stratum : ndarray of int (trial,), or None
        Trials are shuffled within these.
    noise : Noise
        Of these trials.
    label : ndarray of int, shape (cell,)
        Class of each cell.
    """

    marginalization: Marginalization
    regularization: float
    trials: Trials
    rest: Array | None
    stratum: Index | None
    noise: Noise
    label: Index


def shuffled_decoding(
    trials: Trials, question: Question, n_draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Accuracies of held-out trials, and of shuffles.

    Parameters
    ----------
    trials : Trials
        With two trials or more in every cell.
    question : Question
        What is tested.
    n_draws : int
        Number of shuffles.
    rng : Generator
        Seed of folds and shuffles.

    Returns
    -------
    dict
        Variables of the result, as for a Dataset.
    """
    names: list[str] = []
    order: list[int] = []
    chance, observed, null = [], [], []
    for index, one in enumerate(question.chosen):
        n, factors = question.n_components[index], one.factors(len(trials.shape))
        if not factors or not n:
            continue
        asked = _one(trials, question, index, factors)
        draws = spawn(rng, n_draws + 1)
        observed.append(_accuracy(asked, asked.trials, n, question.n_folds, draws[0]))
        shuffles = watched(draws[1:], n_draws, f"shuffling {one.name}")
        null.append([_shuffle(asked, n, question.n_folds, own) for own in shuffles])
        names += [one.name] * n
        order += range(1, n + 1)
        chance += [1.0 / (asked.label.max() + 1)] * n
    accuracy = np.concatenate(observed)
    draw = np.concatenate([np.stack(own, axis=1) for own in null]).swapaxes(0, 1)
    units = {"units": "1"}
    return {
        "tested_marginalization": ("tested", np.array(names, dtype=np.str_)),
        "tested_component": ("tested", np.array(order)),
        "accuracy": (("tested", "time"), accuracy, units),
        "null_accuracy": (("draw", "tested", "time"), draw, units),
        "chance": ("tested", np.array(chance), units),
        "above_every_shuffle": (("tested", "time"), long_runs(accuracy > draw.max(axis=0))),
        **_p_values(accuracy, draw, trials.n_cells * question.n_folds, rng),
    }


def _p_values(
    accuracy: Array, draw: Array, n_scored: int, rng: np.random.Generator
) -> dict[str, Any]:
    """P values of each bin, and of each bin among all.

    Few trials give few different accuracies; equal ones are put in random order, without which
    p values are too large.
    """
    accuracy = accuracy + rng.random(accuracy.shape) / (2.0 * n_scored)
    draw = draw + rng.random(draw.shape) / (2.0 * n_scored)
    largest = draw.max(axis=2, keepdims=True)
    return {
        "p": (("tested", "time"), upper_p_value(accuracy, draw)),
        "p_corrected": (("tested", "time"), upper_p_value(accuracy, largest)),
    }


def check_components(
    grid: Grid,
    chosen: list[Marginalization],
    n_components: Sequence[int],
    regularization: Sequence[float],
    settings: Settings,
    *,
    n_folds: int,
    n_draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Test the components of a fit on its trials.

    Returns
    -------
    dict
        Variables of the result, as for a Dataset.
    """
    trials = make_trials(grid)
    question = Question(
        chosen,
        tuple(n_components),
        tuple(regularization),
        make_noise(trials, settings.noise_covariance),
        n_folds,
    )
    return shuffled_decoding(trials, question, n_draws, rng)


def _one(trials: Trials, question: Question, index: int, factors: tuple[int, ...]) -> _One:
    """Prepare the test of one marginalization."""
    one = question.chosen[index]
    place = np.array(np.unravel_index(np.arange(trials.n_cells), trials.shape))
    label = _codes(place[list(factors)])
    rest, stratum, noise, shuffled = None, None, question.noise, trials
    if len(factors) == 1:
        stratum = _codes(np.delete(place, factors[0], axis=0))[trials.cell]
    else:
        averages = trials.averages()
        rest = averages - _on_grid(trials, averages, one)
        values = (trials.values - rest[:, :, trials.cell]) * trials.known[:, None, :]
        shuffled = replace(trials, values=values)
        noise = make_noise(shuffled, noise.form)
    return _One(one, question.regularization[index], shuffled, rest, stratum, noise, label)


def _codes(place: Index) -> Index:
    """Give each different column of places (factor, cell) a number."""
    if not len(place):
        return np.zeros(place.shape[1], dtype=np.intp)
    return np.asarray(np.unique(place, axis=1, return_inverse=True)[1]).ravel()


def _on_grid(trials: Trials, averages: Array, one: Marginalization) -> Array:
    """One part of averages, (neuron, time, cell)."""
    grid = trials.grid(averages)
    part = split(grid, [one])[0]
    shape = [n if axis in part.axes else 1 for axis, n in enumerate(grid.shape[1:])]
    whole = np.broadcast_to(part.values.reshape(len(grid), *shape), grid.shape)
    return np.moveaxis(whole.reshape(len(grid), trials.n_cells, -1), 1, 2)


def _shuffle(one: _One, n_components: int, n_folds: int, rng: np.random.Generator) -> Array:
    """Accuracy of one shuffle."""
    shuffled = one.trials.shuffled(rng, one.stratum)
    if one.rest is not None:
        # Only the tested part may differ from that of the data: the shuffled residuals' share of
        # everything else is taken off again.
        own = shuffled.averages()
        one = replace(one, rest=one.rest - own + _on_grid(shuffled, own, one.marginalization))
    return _accuracy(one, shuffled, n_components, n_folds, rng)


def _accuracy(
    one: _One,
    trials: Trials,
    n_components: int,
    n_folds: int,
    rng: np.random.Generator,
) -> Array:
    """Share of held-out trials given to their class, (component, time).

    Components of folds are matched to those of all trials: of these trials, so that the
    components of a shuffle are its own, in its own order.
    """
    own = trials.averages()
    reference = _encoders(one, trials, own, n_components)
    correct = np.zeros((n_components, trials.n_times))
    for index in _folds(trials, n_folds, rng):
        correct += fold_accuracy(one, trials, own, index, n_components, reference)
    return correct / n_folds


def _folds(trials: Trials, n_folds: int, rng: np.random.Generator) -> Iterator[Index]:
    """Trials to hold out."""
    for _ in range(n_folds):
        yield trials.chosen(rng)


def fold_accuracy(
    one: _One,
    trials: Trials,
    averages: Array,
    index: Index,
    n_components: int,
    reference: Array,
) -> Array:
    """Share of cells whose held-out trial is nearest to its own class, (component, time)."""
    held_out = trials.take(index)
    train = without(trials, averages, held_out)
    noise = one.noise.covariance(trials, averages, held_out)
    if one.rest is not None:
        train, held_out = train + one.rest, held_out + one.rest
    known = products(trials.grid(train), [one.marginalization])
    ridge = (one.regularization * known.power) ** 2
    encoder, decoder = solver(known, noise).components(0, ridge, n_components)
    decoder = decoder[_matched(encoder, reference)]
    means = np.tensordot(decoder, train, 1)
    state = np.tensordot(decoder, held_out, 1)
    n_classes = int(one.label.max()) + 1
    members = (one.label[:, None] == np.arange(n_classes)).astype(np.float64)
    centers = means @ (members / members.sum(axis=0))
    nearest = np.abs(state[..., None] - centers[:, :, None, :]).argmin(axis=-1)
    return np.asarray((nearest == one.label).mean(axis=-1))


def _encoders(one: _One, trials: Trials, averages: Array, n_components: int) -> Array:
    """Find encoders (neuron, component) of all trials, which those of folds are matched to."""
    covariance = one.noise.covariance(trials, averages, None)
    whole = averages if one.rest is None else averages + one.rest
    known = products(trials.grid(whole), [one.marginalization])
    ridge = (one.regularization * known.power) ** 2
    return solver(known, covariance).components(0, ridge, n_components)[0]


def _matched(encoder: Array, reference: Array) -> Index:
    """Order of components that is closest to the reference."""
    if encoder.shape[1] == 1:
        return np.zeros(1, dtype=np.intp)
    overlap = np.abs(reference.T @ encoder)
    order = np.full(overlap.shape[0], -1)
    for _ in order:  # the best pair first, each encoder once
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        order[row] = column
        overlap[row], overlap[:, column] = -1.0, -1.0
    return order


def long_runs(above: NDArray[np.bool_], shortest: int = _SHORTEST_RUN) -> NDArray[np.bool_]:
    """Keep runs of at least so many bins, along the last axis.

    Examples
    --------
    >>> long_runs(np.array([[True, True, False, True]]), 2).tolist()
    [[True, True, False, False]]
    """
    kept = np.zeros_like(above)
    for row, out in zip(above, kept, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        for start, stop in edges.reshape(-1, 2):
            out[start:stop] = stop - start >= shortest
    return kept
