"""How choices change with a stimulus: psychometric curves with guesses and lapses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_ndtr, ndtr

from popdyn.behavior.maximum_likelihood import Problem, Top, climb, climb_from_many
from popdyn.behavior.profile import profile_bounds
from popdyn.errors import FitError, PopdynError, TensorError, warn
from popdyn.resample import BOUND, Seed, as_generator, percentile_bounds
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

CURVES = ("normal", "logistic", "weibull")
_NAMES = ("threshold", "spread", "guess", "lapse")
_MOST_LAPSE = 0.4
_N_POINTS = 101
_TINY = 1e-300
_LARGE = 2.0  # of the range of stimuli: a spread that says nothing


def psychometric(
    choice: Any,
    stimulus: Any,
    *,
    curve: str = "normal",
    guess: float | str | None = None,
    lapse: float | str = "free",
    by: Any = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> Any:
    """Fit a psychometric curve to choices by maximum likelihood.

    The share of choices 1 is ``guess + (1 - guess - lapse) F((stimulus - threshold) / spread)``.

    Parameters
    ----------
    choice : array-like (trial,)
        1 (or True), and -1 or 0 for the other answer; NaN where there was none.
    stimulus : array-like (trial,)
    curve : {"normal", "logistic", "weibull"}
        F: cumulative normal, with `spread` its standard deviation; ``1 / (1 + exp(-x))``; or, of
        stimuli above 0, ``1 - exp(-(stimulus / threshold)^(1 / spread))``.
    guess : float, "free" or None
        Share of 1 far below threshold: given, fitted, or (None) the same as `lapse`, which is
        right for choices between two sides.
    lapse : float or "free"
        Share of the other answer far above threshold.
    by : array-like (trial,), optional
        Conditions, each with a curve of its own.
    n_draws : int
        Bootstrap draws of trials, within each stimulus where it was shown five times on average.
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
        If choices are not binary, or lengths differ.
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
    """
    if curve not in CURVES:
        message = f"curve must be one of {', '.join(CURVES)}; found {curve!r}"
        raise PopdynError(message)
    chosen, shown, condition = _checked(choice, stimulus, by, curve)
    generator, seed = as_generator(rng)
    labels = np.unique(condition)
    fits = [
        _fit(_levels(chosen[own], shown[own]), curve, guess, lapse, n_draws, generator, str(label))
        for label in labels
        for own in [condition == label]
    ]
    parameters = {"curve": curve, "guess": guess, "lapse": lapse, "n_draws": n_draws}
    return _result(fits, labels, parameters, seed)


@dataclass(frozen=True, eq=False)
class Levels:
    """Stimuli shown, how often, and how often the answer was 1."""

    stimulus: Array
    n_larger: Array
    n: Array


@dataclass(frozen=True, eq=False)
class _Fit:
    """A curve of one condition: the four parameters, their draws and bounds."""

    levels: Levels
    value: Array
    profile: Array
    draws: Array
    log_likelihood: float
    share: Callable[[Array], Array]


def _checked(choice: Any, stimulus: Any, by: Any, curve: str) -> tuple[Array, Array, Any]:
    chosen, shown = (np.asarray(x, dtype=np.float64).ravel() for x in (choice, stimulus))
    condition = np.full(chosen.size, "all") if by is None else np.asarray(by).ravel().astype(str)
    if not chosen.size == shown.size == condition.size:
        message = (
            f"choice, stimulus and by have a value per trial, found {chosen.size}, {shown.size} "
            f"and {condition.size}"
        )
        raise TensorError(message)
    known = np.isfinite(chosen) & np.isfinite(shown)
    values = np.unique(chosen[known])
    if not (np.isin(values, (-1, 1)).all() or np.isin(values, (0, 1)).all()):
        message = f"choices are -1 and 1, or 0 and 1; found {values[:6].tolist()}"
        raise TensorError(message)
    if curve == "weibull" and (shown[known] <= 0).any():
        message = f"a Weibull curve needs stimuli above 0, found {shown[known].min():g}"
        raise TensorError(message)
    return (chosen[known] > 0).astype(np.float64), shown[known], condition[known]


def _levels(chosen: Array, shown: Array) -> Levels:
    stimulus, which = np.unique(shown, return_inverse=True)
    n = np.bincount(which).astype(np.float64)
    return Levels(stimulus, np.bincount(which, chosen).astype(np.float64), n)


def shape(curve: str, x: Array, threshold: float, spread: float) -> tuple[Array, Array]:
    """Return F and 1 - F, each without loss of digits."""
    if curve == "weibull":
        power = np.exp(np.clip((np.log(x) - np.log(threshold)) / spread, -700, 700))
        return -np.expm1(-power), np.exp(-power)
    z = (x - threshold) / spread
    if curve == "normal":
        return ndtr(z), np.exp(log_ndtr(-z))
    return expit(z), expit(-z)


def _fit(
    levels: Levels,
    curve: str,
    guess: float | str | None,
    lapse: float | str,
    n_draws: int,
    rng: np.random.Generator,
    label: str,
) -> _Fit:
    total, ones = levels.n.sum(), levels.n_larger.sum()
    if levels.stimulus.size < 2 or ones in (0, total):
        message = (
            f"condition {label!r}: a curve needs two stimuli and both answers; found "
            f"{levels.stimulus.size} stimuli and {ones:.0f} of {total:.0f} answers 1"
        )
        raise FitError(message)
    family = _Family(curve, guess, lapse, levels.stimulus)
    problem = Problem(family.terms, _expected, *family.bounds())
    counts = np.concatenate([levels.n_larger, levels.n - levels.n_larger])
    top, _ = climb_from_many(problem, counts, family.plausible())
    bounds = profile_bounds(problem, counts, top)
    _say_open(problem, bounds, family, label)
    draws = _draws(problem, top, levels, n_draws, rng)
    value = family.natural(top.point)
    return _Fit(
        levels,
        value,
        family.natural_bounds(bounds),
        np.stack([family.natural(point) for point in draws]),
        -top.loss,
        lambda x: family.shares(top.point, x)[0],
    )


@dataclass(frozen=True, eq=False)
class _Family:
    """Curves of one kind over some stimuli.

    Fits have a scale of their own, so that units do not matter: stimuli go from 0 to 1, of a
    Weibull curve logarithms from 0; spreads are logarithms.
    """

    curve: str
    guess: float | str | None
    lapse: float | str
    stimulus: Array

    def bounds(self) -> tuple[Array, Array]:
        low, high = self._ends()
        reach = high - low
        spread = (1e-3 * reach, _LARGE * reach) if self.curve != "weibull" else (0.02, 10.0)
        rates = [r for r in (self.guess, self.lapse) if r == "free"]
        place = (low - reach, high + reach)
        pairs = [place, tuple(np.log(spread)), *[(0.0, _MOST_LAPSE)] * len(rates)]
        lower, upper = np.array(pairs, dtype=np.float64).T
        return lower, upper

    def plausible(self) -> Array:
        low, high = self._ends()
        spread = np.array([0.05, 0.5]) * (high - low if self.curve != "weibull" else 1.0)
        rates = [r for r in (self.guess, self.lapse) if r == "free"]
        return np.array([[low, high], np.log(spread), *[[0.0, 0.1]] * len(rates)]).T

    def natural(self, point: Array) -> Array:
        rest = list(point[2:])
        guess = rest.pop(0) if self.guess == "free" else self.guess
        lapse = rest.pop(0) if self.lapse == "free" else self.lapse
        guess = lapse if guess is None else guess
        low, high = self.stimulus[[0, -1]]
        spread = np.exp(point[1])
        if self.curve == "weibull":
            place = low * np.exp(point[0])
        else:
            place, spread = low + (high - low) * point[0], (high - low) * spread
        return np.array([place, spread, float(guess), float(lapse)])

    def natural_bounds(self, bounds: Array) -> Array:
        return np.stack([self.natural(end) for end in bounds])

    def shares(self, point: Array, stimulus: Array) -> tuple[Array, Array]:
        threshold, spread, guess, lapse = self.natural(point)
        above, below = shape(self.curve, stimulus, threshold, spread)
        inner = 1 - guess - lapse
        return guess + inner * above, lapse + inner * below

    def terms(self, point: Array) -> Array:
        return np.log(np.maximum(np.concatenate(self.shares(point, self.stimulus)), _TINY))

    def _ends(self) -> tuple[float, float]:
        """Return the ends of stimuli on the scale of thresholds."""
        low, high = self.stimulus[[0, -1]]
        return 0.0, float(np.log(high / low)) if self.curve == "weibull" else 1.0


def _expected(counts: Array, terms: Array) -> Array:
    larger, smaller = np.split(counts, 2)
    return np.asarray(np.tile(larger + smaller, 2) * np.exp(terms))


def _say_open(problem: Problem, bounds: Array, family: _Family, label: str) -> None:
    names = [
        name
        for i, name in enumerate(_NAMES[:2])
        if bounds[0, i] <= problem.lower[i] or bounds[1, i] >= problem.upper[i]
    ]
    if names:
        warn(
            f"condition {label!r}: the choices leave {' and '.join(names)} open "
            f"({family.stimulus.size} stimuli): the bounds end where the search does"
        )


def _draws(
    problem: Problem, top: Top, levels: Levels, n_draws: int, rng: np.random.Generator
) -> Array:
    """Fit draws of trials, each from where the trials led to."""
    known = (top.terms, problem.jacobian(top.point, top.terms))
    total = int(levels.n.sum())
    often = total >= 5 * levels.n.size
    points = np.empty((n_draws, top.point.size))
    part = np.concatenate([levels.n_larger, levels.n - levels.n_larger]) / total
    for i in range(n_draws):
        if often:
            larger = rng.binomial(levels.n.astype(np.int64), levels.n_larger / levels.n)
            counts = np.concatenate([larger, levels.n - larger])
        else:
            counts = rng.multinomial(total, part).astype(np.float64)
        points[i] = climb(problem, counts, top.point, known=known, enough=1e-4).point
    return points


def _result(fits: list[_Fit], labels: Any, parameters: dict[str, Any], seed: str) -> Any:
    n_levels = max(fit.levels.n.size for fit in fits)
    table = np.full((3, len(fits), n_levels), np.nan)
    for i, fit in enumerate(fits):
        own = fit.levels
        table[:, i, : own.n.size] = own.stimulus, own.n_larger / own.n, own.n
    ends = np.nanmin(table[0]), np.nanmax(table[0])
    points = np.linspace(*ends, _N_POINTS)
    variables: dict[str, Any] = {}
    for k, name in enumerate(_NAMES):
        variables[name] = ("condition", [fit.value[k] for fit in fits])
        drawn = np.stack([fit.draws[:, k] for fit in fits], axis=1)
        variables[f"{name}_bound"] = (("bound", "condition"), percentile_bounds(drawn))
        profile = np.stack([fit.profile[:, k] for fit in fits], axis=1)
        variables[f"{name}_profile_bound"] = (("bound", "condition"), profile)
        if name in ("threshold", "spread"):
            variables[f"draw_{name}"] = (("draw", "condition"), drawn)
    n_levels_of = np.array([fit.levels.n.size for fit in fits])
    variables |= {
        "log_likelihood": ("condition", [fit.log_likelihood for fit in fits]),
        "deviance": ("condition", [_deviance(fit) for fit in fits]),
        "deviance_freedom": ("condition", n_levels_of - _n_free(parameters)),
        "curve": (("condition", "point"), np.stack([fit.share(points) for fit in fits])),
        "share": (("condition", "level"), table[1]),
        "n_trials": (("condition", "level"), table[2]),
        "level_stimulus": (("condition", "level"), table[0]),
    }
    coords = {"condition": labels.astype(np.str_), "bound": BOUND}
    coords["point_stimulus"] = ("point", points)
    return make_result(
        variables, coords=coords, method="psychometric", parameters=parameters, seed=seed
    )


def _n_free(parameters: dict[str, Any]) -> int:
    return 2 + [parameters["guess"], parameters["lapse"]].count("free")


def _deviance(fit: _Fit) -> float:
    """Twice what the likelihood lacks to that of the shares themselves."""
    own, total = fit.levels, 0.0
    for count in (own.n_larger, own.n - own.n_larger):
        some = count > 0
        total += float((count[some] * np.log(count[some] / own.n[some])).sum())
    return 2 * (total - fit.log_likelihood)
