"""How choices change with a stimulus: psychometric curves with guesses and lapses."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.behavior.arguments import check_between, check_count
from popdyn.behavior.maximum_likelihood import Problem, Top, climb, climb_from_many
from popdyn.behavior.plausible import falls
from popdyn.behavior.profile import profile_bounds
from popdyn.behavior.psychometric_curve import CURVES, Family, Levels
from popdyn.behavior.psychometric_result import Fit, psychometric_result
from popdyn.behavior.trials import behavior_table, column_of, is_trials
from popdyn.errors import FitError, PopdynError, TensorError, warn
from popdyn.resample import Seed, as_generator

Array = NDArray[np.float64]

_ENOUGH = 1e-4
_COARSE = 200


def psychometric(
    choice: Any,
    stimulus: Any = None,
    *,
    curve: str = "normal",
    guess: float | str | None = None,
    lapse: float | str = "free",
    by: Any = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Fit a psychometric curve to choices by maximum likelihood.

    The share of choices 1 is ``guess + (1 - guess - lapse) F((stimulus - threshold) / spread)``.

    Parameters
    ----------
    choice : array-like (trial,), or DataFrame, mapping, tensor, Session or Dataset
        1 (or True), and -1 or 0 for the other answer; NaN where there was none.  Or trials with
        the columns ``choice`` and ``stimulus``.
    stimulus : array-like (trial,), or mapping
        Of trials their roles, where these columns have other names.
    curve : {"normal", "logistic", "weibull"}
        F: cumulative normal, with `spread` its standard deviation; ``1 / (1 + exp(-x))``; or, of
        stimuli above 0, ``1 - exp(-(stimulus / threshold)^(1 / spread))``.
    guess : float, "free" or None
        Share of 1 far below threshold: given, fitted, or (None) the same as `lapse`, which is
        right for choices between two sides.
    lapse : float or "free"
        Share of the other answer far above threshold.
    by : array-like (trial,) or str, optional
        Conditions, each with a curve of its own; of trials the name of a column.
    n_draws : int
        Bootstrap draws of answers to the same stimuli from the fitted curve.
    rng : int or numpy.random.Generator

    Returns
    -------
    Dataset
        Method ``"psychometric"``.  ``threshold``, ``spread``, ``guess``, ``lapse (condition)``,
        each with ``_bound (bound, condition)`` by the bootstrap and ``_profile_bound`` by the
        likelihood; ``log_likelihood``, ``deviance (condition)`` and ``deviance_freedom``;
        ``curve (condition, point)`` at ``point_stimulus``; ``share`` and ``n_trials (condition,
        level)`` at ``level_stimulus``, NaN past a condition's levels; ``draw_threshold`` and
        ``draw_spread (draw, condition)``.

    Raises
    ------
    TensorError
        If choices are not binary, lengths differ, rates are none, or answers fall with the
        stimulus by more than chance.
    FitError
        If there are fewer than two stimuli, or one answer only.

    Warns
    -----
    PopdynWarning
        If the likelihood leaves threshold or spread open.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> stimulus = rng.choice([-2.0, -1.0, 0.0, 1.0, 2.0], 2000)
    >>> choice = np.where(stimulus + rng.normal(size=2000) > 0.5, 1, -1)
    >>> result = pdn.psychometric(choice, stimulus, n_draws=100)
    >>> float(result["threshold"][0].round(1)), float(result["spread"][0].round(1))
    (0.5, 1.0)
    >>> table = {"side": choice, "contrast": stimulus}
    >>> roles = {"choice": "side", "stimulus": "contrast"}
    >>> same = pdn.psychometric(table, roles, n_draws=100)
    >>> bool(same["threshold"][0] == result["threshold"][0])
    True
    """
    if curve not in CURVES:
        message = f"curve must be one of {', '.join(CURVES)}; found {curve!r}"
        raise PopdynError(message)
    check_count("n_draws", n_draws, 2)
    guess, lapse = _rates(guess, lapse)
    chosen, shown, condition = _checked(choice, stimulus, by, curve)
    generator, seed = as_generator(rng)
    labels = np.unique(condition)
    fits = []
    for label in labels:
        levels = _levels(chosen[condition == label], shown[condition == label], str(label))
        family = Family(curve, guess, lapse, *map(float, levels.stimulus[[0, -1]]))
        fits.append(_fit(levels, family, n_draws, generator, str(label)))
    parameters = {"curve": curve, "guess": guess, "lapse": lapse, "n_draws": n_draws}
    return psychometric_result(fits, labels, parameters, seed)


def _rates(guess: Any, lapse: Any) -> tuple[float | str | None, float | str]:
    rates: list[Any] = []
    for name, rate in (("guess", guess), ("lapse", lapse)):
        if isinstance(rate, str):
            if rate != "free":
                message = f"{name} must be a number or 'free', found {rate!r}"
                raise TensorError(message)
            rates.append(rate)
        else:
            is_same = name == "guess" and rate is None
            rates.append(None if is_same else check_between(name, rate, 0.0, 0.99))
    given = [rates[1] if rate is None else rate for rate in rates]
    total = sum(rate for rate in given if rate != "free")
    if total > 0.99:
        message = f"guess and lapse add up to {total:g}: nothing is left that follows the stimulus"
        raise TensorError(message)
    return rates[0], rates[1]


def _checked(choice: Any, stimulus: Any, by: Any, curve: str) -> tuple[Array, Array, Any]:
    if is_trials(choice):
        table = behavior_table(choice, stimulus, ("choice", "stimulus"))
    elif stimulus is None or is_trials(stimulus):
        message = (
            "psychometric takes choices and stimuli, or trials and their roles; found "
            f"{type(choice).__name__} and {type(stimulus).__name__}"
        )
        raise TensorError(message)
    else:
        arrays = {"choice": choice, "stimulus": stimulus}
        table = behavior_table(arrays, None, ("choice", "stimulus"))
    names = np.full(len(table), "all") if by is None else column_of(table, by, "by").astype(str)
    known = np.isfinite(table[["choice", "stimulus"]].to_numpy(dtype=np.float64)).all(axis=1)
    if not known.any():
        message = f"none of {len(table)} trials has both a choice and a stimulus"
        raise TensorError(message)
    shown = table["stimulus"].to_numpy()[known]
    if curve == "weibull" and (shown <= 0).any():
        message = f"a Weibull curve needs stimuli above 0, found {shown.min():g}"
        raise TensorError(message)
    chosen = (table["choice"].to_numpy()[known] > 0).astype(np.float64)
    return chosen, shown, names[known]


def _levels(chosen: Array, shown: Array, label: str) -> Levels:
    stimulus, which = np.unique(shown, return_inverse=True)
    if stimulus.size < 2 or chosen.min() == chosen.max():
        message = (
            f"condition {label!r}: a curve needs two stimuli and both answers; found "
            f"{stimulus.size} stimuli and {chosen.sum():.0f} of {chosen.size} answers 1"
        )
        raise FitError(message)
    if falls(shown, chosen):
        above = shown > shown.mean()
        message = (
            f"condition {label!r}: answers 1 fall with the stimulus, from a share of "
            f"{chosen[~above].mean():.2g} below its mean to {chosen[above].mean():.2g} above, and "
            "curves rise. Exchange the answers (-choice, or roles={'choice': {'column': ..., "
            "'values': {-1: 1, 1: -1}}}), or turn the sign of the stimulus round"
        )
        raise TensorError(message)
    n = np.bincount(which).astype(np.float64)
    return Levels(stimulus, np.bincount(which, chosen).astype(np.float64), n)


def _fit(levels: Levels, family: Family, n_draws: int, rng: np.random.Generator, label: str) -> Fit:
    """Fit a curve to single stimuli, and find how well it is known from groups of them."""
    few = levels
    if levels.n.size > _COARSE:
        few = levels.merged(np.arange(levels.n.size) * _COARSE // levels.n.size)
    start, _ = climb_from_many(family.problem(few.stimulus), few.counts, family.plausible())
    top = climb(family.problem(levels.stimulus), levels.counts, start.point)
    grouped = family.grouped(levels, top.point)
    problem = family.problem(grouped.stimulus)
    near = climb(problem, grouped.counts, top.point)
    bounds = profile_bounds(problem, grouped.counts, near)
    _say_open(problem, bounds, levels.n.size, label)
    draws = _draws(problem, near, grouped, n_draws, rng)
    return Fit(
        levels,
        family.natural(top.point),
        np.stack([family.natural(end) for end in bounds]),
        np.stack([family.natural(point) for point in draws]),
        -top.loss,
        lambda x: family.shares(top.point, x)[0],
    )


def _say_open(problem: Problem, bounds: Array, n_stimuli: int, label: str) -> None:
    names = [
        name
        for i, name in enumerate(("threshold", "spread"))
        if bounds[0, i] <= problem.lower[i] or bounds[1, i] >= problem.upper[i]
    ]
    if names:
        warn(
            f"condition {label!r}: the choices leave {' and '.join(names)} open "
            f"({n_stimuli} stimuli): the bounds end where the search does"
        )


def _draws(
    problem: Problem, top: Top, levels: Levels, n_draws: int, rng: np.random.Generator
) -> Array:
    """Fit answers drawn from the curve, each from where the trials led to."""
    known = (top.terms, problem.jacobian(top.point, top.terms))
    share = np.exp(np.split(top.terms, 2)[0])
    points = np.empty((n_draws, top.point.size))
    for i in range(n_draws):
        larger = rng.binomial(levels.n.astype(np.int64), np.clip(share, 0, 1))
        counts = np.concatenate([larger, levels.n - larger])
        points[i] = climb(problem, counts, top.point, known=known, enough=_ENOUGH).point
    return points
