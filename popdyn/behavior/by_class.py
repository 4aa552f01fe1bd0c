"""Behavior by class of trials: how often right, what was produced, and what counts as equal.

One question for networks and animals alike: are answers drawn towards the middle of what was
shown?  A slope of one says no, a smaller one yes (contraction).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.behavior.comparisons import compares
from popdyn.behavior.equality import fit_contraction, fit_equality
from popdyn.errors import TensorError, warn
from popdyn.resample import BOUND, ResamplePlan, Seed, bootstrap, percentile_bounds
from popdyn.tensor.contract import column_names
from popdyn.tensor.result import make_result
from popdyn.tensor.roles import assign_roles
from popdyn.tensor.view import group_conditions
from popdyn.train.validate import wilson_interval

Array = NDArray[np.float64]
Variables = dict[str, tuple[Any, ...]]

_ONE = {"units": "1"}
# Trials of a class below which draws within it vary too little: by 5 % with 10.
_FEW = 10


def behavior_by_class(
    trials: xr.DataArray | xr.Dataset,
    by: str | Sequence[str] | None = None,
    *,
    roles: Mapping[str, Any] | None = None,
    resample: ResamplePlan | None = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Sum up what was done on trials of each class.

    Columns are found by name: ``stimulus``, ``stimulus_2``, ``context``, ``choice``, ``correct``,
    ``produced_interval``, ``target_interval``.  Missing ones leave out what needs them.

    Parameters
    ----------
    trials : Dataset, tensor or Session
        With a trial table, such as that of `popdyn.simulate` or of a recording.
    by : str or list of str, optional
        Columns whose combinations are the classes; without it ``context``, ``stimulus`` and
        ``stimulus_2``, those that there are.
    roles : mapping, optional
        Which columns play these parts where they have other names; the role ``response`` of
        trials without choices is the produced interval.
    resample : ResamplePlan, optional
        From `popdyn.bootstrap` of these trials, to draw them together with other analyses.  Drawn
        within classes of few trials, slopes vary less than they would in other trials.
    n_draws : int
        Bootstrap draws of trials, without `resample`: whole trials of each context, or of all.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    Dataset
        ``n_trials (condition)``.  With ``correct``: ``accuracy (condition)`` and
        ``accuracy_bound (bound, condition)``, its 95 % Wilson interval, both NaN in classes
        without right answer.  With choices: ``choice_share (condition)`` of choices above 0, and
        ``choice_share_bound``, likewise.

        Of produced intervals: ``produced (condition)``, their mean in s, ``produced_bound`` by
        Student's t (NaN of a single one), ``produced_deviation (condition)``, ``answered
        (condition)``, the share of trials with one, ``true_interval (condition)``; ``slope``, that
        of the line fitted to produced on true interval over trials, for each ``context`` if there
        are any, and ``slope_bound (bound)``, which holds 95 % of ``slope_draw (draw)``.

        Of comparisons of two stimuli: ``equality (first)``, the second stimulus that is called
        larger in half of the trials after each first, and ``spread (first)``, the standard
        deviation of the cumulative normal from which it comes, each with ``_bound (bound,
        first)``.  NaN for a first stimulus that came with fewer than two others; a point further
        away than any of them is NaN, too, and bounds end at what was shown.  ``slope`` of points
        of equality on first stimuli, from one fit to all choices whose place is a line in the
        first stimulus, as is the logarithm of its spread; first stimuli to which one answer was
        given whatever followed take no part.  Bounds are 95 % profile intervals: they hold all
        values that make the choices not much less likely than the best, so that of pairs never
        confused a point lies anywhere between them.  They are infinite where choices do not end
        them, and a slope without any end is NaN.  ``slope_draw (draw)``, of the same fit to each
        draw, is for use with other analyses.  The fit knows no lapses: of 3 % of guesses among
        choices of slope 0.8 it made 0.83.

        Slopes are 1 without contraction.  That of fewer than ten intervals has no bounds.  Points
        of equality take all contexts together, and warn of it.

    Raises
    ------
    TensorError
        If there is nothing to sum up, or the plan is of other trials.

    Warns
    -----
    PopdynWarning
        If the plan draws trials within classes of few.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(100, g=0.9, rng=0)
    >>> task = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
    >>> net, _ = pdn.train.reservoir(net, task, rng=0)
    >>> sim = pdn.simulate(net, task.sample(40, rng=1, dt=net.dt), record=())
    >>> pdn.behavior_by_class(sim)["accuracy"].values.tolist()
    [1.0, 1.0]
    """
    table = _table(trials, roles)
    names = _classes(table, by)
    groups = group_conditions(table, names)
    if resample is None:
        # Within classes of few trials draws would vary too little.
        resample = bootstrap(table, "context" if "context" in names else None, n_draws, rng)
    resample.check_trials(table)
    classes = _Classes(table, groups.index, len(groups.labels), resample)
    variables: Variables = {
        "n_trials": ("condition", classes.sum(np.ones(len(groups.index))).astype(np.int64))
    }
    coords: dict[str, Any] = {
        "condition": np.array(groups.labels, dtype=np.str_),
        "bound": BOUND,
        **{name: ("condition", groups.table[name].to_numpy()) for name in names},
    }
    coords.update({name: (*coords[name], _units(table, name)) for name in names})
    _add_shares(variables, classes)
    if "produced_interval" in table.coords:
        _add_produced(variables, coords, classes)
    if compares(table):
        _add_equality(variables, coords, classes)
    seed = resample.seed
    parameters = {"by": names, "n_draws": len(resample)}
    result = make_result(
        variables, coords=coords, method="behavior_by_class", parameters=parameters, seed=seed
    )
    result.attrs["by"] = json.dumps(names)
    return result


@dataclass(frozen=True, eq=False)
class _Classes:
    """Trials in classes; class -1 is none."""

    table: xr.Dataset
    index: NDArray[np.intp]
    n_classes: int
    plan: ResamplePlan

    def column(self, name: str) -> Array:
        """Return a column as numbers."""
        return self.table[name].to_numpy().astype(np.float64)

    def sum(self, values: Array, weights: Array | None = None) -> Array:
        """Add up values by class; with ``weights (draw, trial)`` in each draw."""
        known = self.index >= 0
        member = np.zeros((len(self.index), self.n_classes))
        member[np.flatnonzero(known), self.index[known]] = 1.0
        filled = np.nan_to_num(values)
        total: Array = filled @ member if weights is None else (weights * filled) @ member
        return total


def _table(trials: Any, roles: Mapping[str, Any] | None) -> xr.Dataset:
    """Return the trial table alone, columns named by their parts."""
    if not isinstance(trials, (xr.DataArray, xr.Dataset)) or "trial" not in trials.dims:
        message = (
            "behavior_by_class needs trials, such as pdn.simulate(net, trials, task=task) or a "
            f"session, found {type(trials).__name__}"
        )
        raise TensorError(message)
    known = column_names(trials, "trial")
    columns = {name: ("trial", trials[name].to_numpy(), trials[name].attrs) for name in known}
    table = xr.Dataset(coords={**columns, "trial": trials["trial"]})
    if roles:
        table = assign_roles(table, roles)
        if "response" in roles and "choice" not in table.coords:
            table = table.assign_coords(produced_interval=table["response"])
    return table


def _classes(table: xr.Dataset, by: str | Sequence[str] | None) -> list[str]:
    """Return the columns whose combinations are classes."""
    if by is not None:
        return [by] if isinstance(by, str) else [str(name) for name in by]
    found = [name for name in ("context", "stimulus", "stimulus_2") if name in table.coords]
    if not found:
        message = (
            "the trials have neither stimulus nor context: say what the classes are, "
            f"by= one of {', '.join(column_names(table, 'trial')) or 'none'}"
        )
        raise TensorError(message)
    return found


def _units(table: xr.Dataset, name: str) -> dict[str, Any]:
    units = table[name].attrs.get("units")
    return {} if units is None else {"units": units}


def _add_shares(variables: Variables, classes: _Classes) -> None:
    """Add the shares of correct trials, and of choices above 0."""
    shares = {"accuracy": "correct", "choice_share": "choice"}
    for name, column in shares.items():
        if column not in classes.table.coords or classes.table[column].dtype.kind not in "biuf":
            continue
        values = classes.column(column)
        known = np.isfinite(values).astype(np.float64)
        if column == "choice":
            values = np.where(known > 0, values > 0, np.nan)
        share, bound = _wilson(classes.sum(values), classes.sum(known))
        variables[name] = ("condition", share, _ONE)
        variables[f"{name}_bound"] = (("bound", "condition"), bound, _ONE)


def _wilson(part: Array, whole: Array) -> tuple[Array, Array]:
    """Return shares with their intervals, NaN of nothing."""
    share, bound = np.full(len(part), np.nan), np.full((2, len(part)), np.nan)
    for i in np.flatnonzero(whole):
        share[i] = part[i] / whole[i]
        bound[:, i] = wilson_interval(float(part[i]), int(whole[i]))
    return share, bound


def _add_produced(variables: Variables, coords: dict[str, Any], classes: _Classes) -> None:
    """Add means of produced intervals, and their slopes on the true ones."""
    produced = classes.column("produced_interval")
    produced = np.where(np.isfinite(produced), produced, np.nan)
    wanted = "target_interval" if "target_interval" in classes.table.coords else "stimulus"
    true = classes.column(wanted)
    answered = np.isfinite(produced).astype(np.float64)
    n, n_all = classes.sum(answered), classes.sum(np.ones(len(produced)))
    mean = _ratio(classes.sum(produced), n)
    square = classes.sum((produced - np.append(mean, np.nan)[classes.index]) ** 2)
    deviation = np.sqrt(_ratio(square, n - 1))
    weights = classes.plan.times_drawn()
    _doubt_plan(classes)
    units = {"units": "s"}
    variables |= {
        "produced": ("condition", mean, units),
        "produced_bound": (("bound", "condition"), _student(mean, deviation, n), units),
        "produced_deviation": ("condition", deviation, units),
        "answered": ("condition", _ratio(n, n_all), _ONE),
        "true_interval": ("condition", _ratio(classes.sum(true), n_all), units),
    }
    usable = answered * np.isfinite(true) * (classes.index >= 0)
    if "context" not in coords:
        slope, draws = (_slope(true, produced, usable * one) for one in (np.ones((1, 1)), weights))
        _add_slope(variables, slope[0], _of_enough(draws, usable.sum()), ())
        return
    # The classes' own column keeps its name; that of the slopes is a dim.
    coords["slope_context"] = np.unique(coords["context"][1])
    context = classes.table["context"].to_numpy()
    used = [usable * (context == name) for name in coords["slope_context"]]
    each = np.array([_slope(true, produced, one[None])[0] for one in used])
    drawn = [_of_enough(_slope(true, produced, one * weights), one.sum()) for one in used]
    _add_slope(variables, each, np.stack(drawn, axis=1), ("slope_context",))


def _of_enough(draws: Array, n_trials: float) -> Array:
    """Return draws of a slope, NaN if so few trials would make them look alike."""
    return draws if n_trials >= _FEW else np.full(draws.shape, np.nan)


def _doubt_plan(classes: _Classes) -> None:
    """Warn of a plan that draws within classes so small that draws are too much alike."""
    by = [name for name in classes.plan.by if name in classes.table.coords]
    if not by:
        return
    strata = group_conditions(classes.table, by)
    size = float((strata.index >= 0).sum()) / len(strata.labels)
    if size < _FEW:
        warn(
            f"the plan draws trials within {len(strata.labels)} classes by {', '.join(by)}, of "
            f"{size:.1f} trials on average: the interval of the slope is too narrow, by a factor "
            f"of about {max(1 - 1 / size, 0.0) ** 0.5:.2f}. Plan with pdn.bootstrap(trials), or "
            "by columns with few values"
        )


def _student(mean: Array, deviation: Array, n: Array) -> Array:
    """Return 95 % t intervals of means, NaN of fewer than two values."""
    from scipy.special import stdtrit

    several = n > 1
    half = np.full(len(n), np.nan)
    half[several] = stdtrit(n[several] - 1, 0.975) * deviation[several] / np.sqrt(n[several])
    return np.stack([mean - half, mean + half])


def _slope(x: Array, y: Array, weights: Array) -> Array:
    """Fit lines by weighted least squares, one for each row of ``weights (draw, trial)``."""
    x, y = np.nan_to_num(x), np.nan_to_num(y)
    total = weights.sum(axis=1)
    mean_x, mean_y = _ratio(weights @ x, total), _ratio(weights @ y, total)
    covariance = _ratio(weights @ (x * y), total) - mean_x * mean_y
    variance = _ratio(weights @ (x * x), total) - mean_x**2
    # Of a single stimulus rounding leaves a variance that is none.
    variance = np.where(variance > 1e-12 * np.nan_to_num(mean_x) ** 2, variance, 0.0)
    return _ratio(covariance, variance)


def _ratio(part: Array, whole: Array) -> Array:
    """Divide, NaN by nothing."""
    ratio = np.full(np.broadcast(part, whole).shape, np.nan)
    np.divide(part, whole, out=ratio, where=np.asarray(whole) > 0)
    return ratio


def _add_slope(
    variables: Variables,
    slope: Array,
    draws: Array,
    dims: tuple[str, ...],
    bound: Array | None = None,
) -> None:
    """Add a slope, its draws, and an interval, by default that of the draws."""
    held = percentile_bounds(draws) if bound is None else bound
    variables["slope"] = (dims, slope, _ONE)
    variables["slope_bound"] = (("bound", *dims), held, _ONE)
    variables["slope_draw"] = (("draw", *dims), draws, _ONE)


def _add_equality(variables: Variables, coords: dict[str, Any], classes: _Classes) -> None:
    """Add the points of subjective equality, and the slope of the line through them."""
    pairs = group_conditions(classes.table, ["stimulus", "stimulus_2"])
    cells = _Classes(classes.table, pairs.index, len(pairs.labels), classes.plan)
    first = pairs.table["stimulus"].to_numpy().astype(np.float64)
    second = pairs.table["stimulus_2"].to_numpy().astype(np.float64)
    values, row = np.unique(first, return_inverse=True)
    choice = cells.column("choice")
    known = np.isfinite(choice).astype(np.float64)
    weights = np.concatenate([np.ones((1, len(choice))), classes.plan.times_drawn()])
    n_trials, n_larger = cells.sum(known, weights), cells.sum((choice > 0) * known, weights)
    level = np.arange(len(row)) - np.searchsorted(row, row)
    padded = np.zeros((3, len(values), int(np.bincount(row).max())))
    for to, counts in zip(padded, (second - first, n_larger[0], n_trials[0]), strict=True):
        to[row, level] = counts
    fitted = fit_equality(*padded)
    reach = np.abs(padded[0]).max(axis=1)
    # A point beyond what was shown is one of the fitted curve, not of the choices.
    inside = np.abs(fitted.difference) <= reach
    lower, upper = fitted.difference_bound
    bound = values + np.clip(fitted.difference_bound, -reach, reach)
    bound = np.where((lower < reach) & (upper > -reach), bound, np.nan)
    units = _units(classes.table, "stimulus")
    coords["first"] = ("first", values, units)
    dims = ("bound", "first")
    variables |= {
        "equality": ("first", np.where(inside, values + fitted.difference, np.nan), units),
        "equality_bound": (dims, bound, units),
        "spread": ("first", fitted.spread, units),
        "spread_bound": (dims, fitted.spread_bound, units),
    }
    # Of one answer to all that follows nothing is learned about equality.
    total, larger = padded[2].sum(axis=1), padded[1].sum(axis=1)
    stuck = (larger == 0) | (larger == total)
    used = ~(stuck & np.isfinite(fitted.difference))[row]
    found = fit_contraction(first[used], second[used], n_larger[:, used], n_trials[:, used])
    _add_slope(variables, found.slope[0], found.slope[1:], (), found.bound)
