"""Draw trials again: generators, splits, permutations and bootstraps.

Every draw owns an independent generator spawned from one seed, so that draw 17 is the same
whether it is computed alone, in a batch, or on another thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import PopdynError, TensorError
from popdyn.tensor.columns import table_columns
from popdyn.tensor.view import group_conditions

Seed = int | np.random.Generator
BOUND = np.array(["lower", "upper"])


@dataclass(frozen=True, eq=False)
class ResamplePlan:
    """Which trials each bootstrap draw holds; iterating gives one index array per draw.

    Give the same plan to every analysis that must see the same draws (behavior and activity,
    say): their ``draw`` coordinates then match.

    Attributes
    ----------
    indices : ndarray of int, shape (draw, trial)
        Positions on the trial dimension, drawn with replacement within a condition.  Trials
        whose condition is missing are in no draw.
    trial : ndarray of str, shape (n_trials,)
        Ids of the trials the plan was made for.
    by : tuple of str
        The columns that define the conditions; empty when all trials were one stratum.
    seed : str
        The seed, or the generator's state when no seed was known.
    """

    indices: NDArray[np.intp]
    trial: NDArray[np.str_]
    by: tuple[str, ...]
    seed: str

    def __repr__(self) -> str:
        """Say what the plan holds without its numbers."""
        n_draws, n_drawn = self.indices.shape
        return f"ResamplePlan({n_draws} draws of {n_drawn} trials, by={self.by}, seed={self.seed})"

    def __len__(self) -> int:
        """Give the number of draws."""
        return len(self.indices)

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Give one index array per draw."""
        return iter(self.indices)

    def times_drawn(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Count how often each trial was drawn, for the draws ``start`` to ``stop``.

        Returns
        -------
        ndarray, shape (draw, trial)
            Counts over all trials of the plan; an average over a draw is a weighted average
            with these weights.
        """
        chunk = self.indices[start:stop]
        n_trials = len(self.trial)
        flat = chunk + n_trials * np.arange(len(chunk))[:, None]
        counts = np.bincount(flat.ravel(), minlength=n_trials * len(chunk))
        return counts.reshape(len(chunk), n_trials).astype(np.float64)

    def check_trials(self, trials: Any) -> None:
        """Refuse a plan that was made for other trials.

        Parameters
        ----------
        trials : DataArray, Dataset or DataFrame
            What is about to be resampled; its trial ids must be those of the plan, in order.

        Raises
        ------
        TensorError
            If the ids differ.
        """
        found = _trial_ids(trials)
        if not np.array_equal(found, self.trial):
            message = (
                f"the resample plan was made for {len(self.trial)} trials "
                f"({_first(self.trial)}), but {len(found)} trials ({_first(found)}) are to be "
                "resampled: make the plan with pdn.bootstrap from the same trials, after any "
                "selection"
            )
            raise TensorError(message)


def bootstrap(
    trials: xr.DataArray | xr.Dataset | pd.DataFrame,
    by: str | Sequence[str] | None = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> ResamplePlan:
    """Plan bootstrap draws of trials: with replacement, within each condition.

    Parameters
    ----------
    trials : DataArray, Dataset or DataFrame
        A tensor, a session, or a trial table whose index holds the trial ids.
    by : str or list of str, optional
        The trial columns that define the conditions; each keeps its number of trials in every
        draw.  None draws from all trials alike.
    n_draws : int, default 1000
        Number of draws.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Returns
    -------
    ResamplePlan
        ``indices (draw, trial)``; draw ``k`` does not depend on ``n_draws``.

    Raises
    ------
    TensorError
        If there are no trials with a condition.

    Examples
    --------
    >>> import pandas as pd
    >>> import popdyn as pdn
    >>> table = pd.DataFrame({"choice": [-1, -1, 1, 1]}, index=["a", "b", "c", "d"])
    >>> plan = pdn.bootstrap(table, by="choice", n_draws=3, rng=1)
    >>> plan.indices.shape
    (3, 4)
    >>> bool((plan.indices[:, :2] < 2).all())
    True
    """
    generator, seed = as_generator(rng)
    condition = _strata(trials, by)
    position = np.flatnonzero(condition >= 0)
    if not position.size:
        message = f"no trial has a value of {by!r}: there is nothing to draw from"
        raise TensorError(message)
    order = position[np.argsort(condition[position], kind="stable")]
    _, stratum, size = np.unique(condition[position], return_inverse=True, return_counts=True)
    start = np.cumsum(size) - size
    indices = np.empty((_positive(n_draws, "n_draws"), len(position)), dtype=np.intp)
    for draw, own in enumerate(spawn(generator, n_draws)):
        indices[draw] = order[start[stratum] + own.integers(0, size[stratum])]
    names = () if by is None else (by,) if isinstance(by, str) else tuple(by)
    return ResamplePlan(indices=indices, trial=_trial_ids(trials), by=names, seed=seed)


def as_generator(rng: Seed) -> tuple[np.random.Generator, str]:
    """Give a generator, and the text from which its numbers can be had again.

    Parameters
    ----------
    rng : int or numpy.random.Generator
        A seed, or a generator (which is advanced by whoever draws from it).

    Returns
    -------
    generator : numpy.random.Generator
        The generator to draw from.
    seed : str
        The integer as text; for a generator its state as JSON.

    Raises
    ------
    PopdynError
        If ``rng`` is neither.

    Examples
    --------
    >>> as_generator(7)[1]
    '7'
    """
    if isinstance(rng, np.random.Generator):
        return rng, json.dumps(rng.bit_generator.state, default=_plain, sort_keys=True)
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng)), str(int(rng))
    message = (
        "rng must be an integer of at least 0 or a numpy.random.Generator, found "
        f"{rng!r}: pass rng=0 for instance, so that the result can be had again"
    )
    raise PopdynError(message)


def spawn(rng: Seed, n: int) -> list[np.random.Generator]:
    """Give ``n`` independent generators, one per draw.

    The entropy is drawn from the generator itself rather than from its seed sequence, because
    the state is what results store; draw ``k`` is then the same for any ``n`` and any batching.

    Parameters
    ----------
    rng : int or numpy.random.Generator
        Parent; a generator is advanced by 128 bits.
    n : int
        Number of children.

    Returns
    -------
    list of numpy.random.Generator
        The children, in order.
    """
    parent = as_generator(rng)[0]
    entropy = [int(word) for word in parent.integers(0, 2**32, size=4, dtype=np.uint64)]
    return [np.random.default_rng(child) for child in np.random.SeedSequence(entropy).spawn(n)]


def shuffled_orders(n_trials: int, n_draws: int, rng: Seed) -> NDArray[np.intp]:
    """Shuffle the positions of trials, once per draw.

    Parameters
    ----------
    n_trials, n_draws : int
        Numbers of trials and of draws.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    ndarray of int, shape (draw, trial)
        A permutation of ``0 ... n_trials - 1`` per draw.
    """
    n_draws = _positive(n_draws, "n_draws")
    return np.stack([own.permutation(n_trials) for own in spawn(rng, n_draws)])


def first_in_order(
    order: NDArray[np.intp], known: NDArray[np.bool_], n_first: int | NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Take the first ``n_first`` of the known trials in each order.

    Neurons recorded on the same trials get the same trials, and each neuron gets exactly
    ``n_first`` of its own: this is how splits and permutations treat missing trials.

    Parameters
    ----------
    order : ndarray of int, shape (draw, trial)
        From `shuffled_orders`.
    known : ndarray of bool, shape (trial,)
        Which trials were observed.
    n_first : int or ndarray of int, shape (draw,)
        How many to take.

    Returns
    -------
    ndarray of bool, shape (draw, trial)
        Which trials are taken.

    Examples
    --------
    >>> order = np.array([[2, 0, 1]])
    >>> first_in_order(order, np.array([True, True, False]), 1).tolist()
    [[True, False, False]]
    """
    ranked = known[order]
    taken = ranked & (ranked.cumsum(axis=1) <= np.reshape(n_first, (-1, 1)))
    member = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(member, order, taken, axis=1)
    return member


def permute_labels(
    labels: NDArray[Any], rng: Seed, strata: NDArray[np.intp] | None = None
) -> NDArray[Any]:
    """Shuffle labels among trials, within strata when given.

    Parameters
    ----------
    labels : ndarray, shape (trial,)
        What to shuffle.
    rng : int or numpy.random.Generator
        Seed or generator.
    strata : ndarray of int, shape (trial,), optional
        Labels only move between trials of the same stratum.

    Returns
    -------
    ndarray, shape (trial,)
        A shuffled copy.
    """
    generator = as_generator(rng)[0]
    if strata is None:
        return generator.permutation(labels)
    shuffled = labels.copy()
    for value in np.unique(strata):
        member = np.flatnonzero(strata == value)
        shuffled[member] = generator.permutation(labels[member])
    return shuffled


def percentile_bounds(
    draws: NDArray[np.floating[Any]], axis: int = 0, level: float = 0.95
) -> NDArray[np.float64]:
    """Central interval of draws: the percentiles that leave equal tails.

    Parameters
    ----------
    draws : ndarray
        Draws along ``axis``; NaN draws are left out, and where all are NaN so are the bounds.
    axis : int, default 0
        The draw axis.
    level : float, default 0.95
        Probability inside.

    Returns
    -------
    ndarray
        The bounds (lower, upper) along the first axis, then the other axes of ``draws``.
    """
    tail = (1.0 - level) / 2.0
    moved = np.moveaxis(np.asarray(draws, dtype=np.float64), axis, 0)
    known = np.isfinite(moved).any(axis=0)
    if np.isfinite(moved).all():
        return np.quantile(moved, [tail, 1.0 - tail], axis=0)
    # An all-NaN slice would warn; it is given a value here and its NaN back below.
    filled = np.where(known, moved, 0.0)
    return np.where(known, np.nanquantile(filled, [tail, 1.0 - tail], axis=0), np.nan)


def upper_p_value(
    observed: NDArray[np.floating[Any]] | float, null: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """P value of a large statistic: (1 + number of null draws as large) / (1 + number of draws).

    Parameters
    ----------
    observed : float or ndarray
        The statistic.
    null : ndarray
        Its null draws along the first axis.

    Returns
    -------
    ndarray
        P values, NaN where the statistic is.  Null draws equal up to rounding count as equal.
    """
    observed = np.asarray(observed, dtype=np.float64)
    slack = 1e-12 * np.maximum(np.abs(observed), np.abs(null).max(axis=0, initial=0.0))
    exceeding = (null >= observed - slack).sum(axis=0)
    p: NDArray[np.float64] = (1.0 + exceeding) / (1.0 + len(null))
    return np.where(np.isfinite(observed), p, np.nan)


def _strata(
    trials: xr.DataArray | xr.Dataset | pd.DataFrame, by: str | Sequence[str] | None
) -> NDArray[np.intp]:
    """Position of each trial's condition, -1 where it is missing."""
    if by is None:
        return np.zeros(len(_trial_ids(trials)), dtype=np.intp)
    if isinstance(trials, pd.DataFrame):
        columns = table_columns(None, trials, 0, len(trials))
        trials = xr.Dataset(coords={**columns, "trial": _trial_ids(trials)})
    return np.asarray(group_conditions(trials, by).index, dtype=np.intp)


def _trial_ids(trials: Any) -> NDArray[np.str_]:
    """Ids of the trials as text, from a labelled array, a Dataset or a table."""
    if isinstance(trials, pd.DataFrame):
        return np.array([str(value) for value in trials.index], dtype=np.str_)
    if isinstance(trials, (xr.DataArray, xr.Dataset)) and "trial" in trials.dims:
        if "trial" in trials.coords:
            return trials["trial"].to_numpy().astype(np.str_)
        return np.arange(trials.sizes["trial"]).astype(np.str_)
    found = getattr(trials, "dims", type(trials).__name__)
    message = (
        f"expected trials (a tensor, a session or a trial table), found {found}: a condition "
        "average has none left to draw from"
    )
    raise TensorError(message)


def _positive(n: int, name: str) -> int:
    """Refuse a number of draws below one."""
    if n < 1:
        message = f"{name} must be at least 1, found {n}"
        raise PopdynError(message)
    return n


def _first(ids: NDArray[np.str_]) -> str:
    """Show the first ids of a long list."""
    return ", ".join(ids[:3].tolist()) + (", ..." if len(ids) > 3 else "")


def _plain(value: Any) -> Any:
    """Turn an array of a generator's state into what JSON can hold."""
    return np.asarray(value).tolist()
