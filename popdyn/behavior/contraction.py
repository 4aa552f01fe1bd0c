"""Are answers drawn towards the middle?  Contraction and central tendency from behavior alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.behavior.arguments import check_count
from popdyn.behavior.interval import draw_bounds, widened
from popdyn.behavior.plausible import (
    check_comparisons,
    check_responses,
    check_varied,
    say_contexts,
)
from popdyn.behavior.probit import fit_probit, is_separable
from popdyn.behavior.trials import (
    answer_roles,
    behavior_table,
    units_of,
)
from popdyn.errors import FitError, warn
from popdyn.resample import BOUND, ResamplePlan, Seed, bootstrap
from popdyn.tensor.result import make_result
from popdyn.train.validate import wilson_interval

Array = NDArray[np.float64]

# Trials of the rarest class, from which draws go within classes.
_LEAST_IN_CLASS = 5
_SQUARES = ("squared_bias", "variance", "squared_error")


def contraction(
    trials: Any,
    roles: Mapping[str, Any] | None = None,
    *,
    resample: ResamplePlan | None = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Measure how far answers are drawn towards the middle of the stimuli.

    Parameters
    ----------
    trials : DataFrame, mapping, tensor, Session or Dataset
    roles : mapping, optional
        With ``stimulus_2`` and ``choice`` (1: the second was called larger) two stimuli are
        compared; else ``response`` reproduces the stimulus.
    resample : ResamplePlan, optional
        From `popdyn.bootstrap` of these trials, to draw them together with other analyses.
    n_draws : int
        Bootstrap draws of trials within classes, without `resample`.
    rng : int or numpy.random.Generator

    Returns
    -------
    Dataset
        Method ``"contraction"``; attribute ``kind`` is ``"discrimination"`` or ``"production"``.
        ``slope``, with ``slope_bound (bound)`` and ``draw_slope (draw)``: 1 is no contraction, 0
        complete.

        Discrimination: ``slope`` is ``b1 / b2`` of ``P(second larger) = Phi(b0 - b1 first + b2
        second)``, ``center = b0 / (b1 - b2)`` what the first is drawn to, ``noise = 1 / b2``;
        ``contraction_index`` half of how much more often one is right on the first stimuli that
        contraction favors, over both branches (thirds of each branch's first stimuli);
        ``accuracy``, ``n_trials (pair)`` with ``first`` and ``second``, pairs ordered by branch
        and first stimulus.

        Production: ``slope`` of mean responses on stimuli, ``regression_index = 1 - slope``,
        ``center = intercept / (1 - slope)`` the indifferent stimulus, ``squared_bias``,
        ``variance`` and ``squared_error``, their sum; ``mean_response``, ``response_deviation``,
        ``n_trials (stimulus)``.  All with bounds.

        Bounds are percentiles of draws, moved apart as `popdyn.behavior.interval` says for so few
        trials in so many classes; of ``accuracy`` they are Wilson's.

    Raises
    ------
    TensorError
        If columns are lacking or hold something else: choices turned round, stimuli exchanged or
        in different units, times of a clock.
    FitError
        If there is one stimulus only, one choice only, or hardly a trial.

    Warns
    -----
    PopdynWarning
        If the second stimulus follows from the first (one difference only), or a line parts all
        answers (none is wrong, say), or answers do not follow the second stimulus: ``slope``,
        ``center`` and ``noise`` are NaN then.  If contexts are taken together.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = np.repeat([0.6, 0.8, 1.0], 20)
    >>> result = pdn.contraction({"stimulus": stimulus, "response": 0.16 + 0.8 * stimulus})
    >>> float(result["slope"].round(3)), float(result["center"].round(3)), result.attrs["kind"]
    (0.8, 0.8, 'production')
    """
    needed = answer_roles(trials, roles)
    compares = "choice" in needed
    table = behavior_table(trials, roles, needed)
    (check_comparisons if compares else check_responses)(table)
    known = np.isfinite(table[list(needed)].to_numpy(dtype=np.float64)).all(axis=1)
    used = table[known]
    check_varied(used[list(needed)], "contraction")
    if len(used) <= len(needed):
        message = f"{len(used)} usable trials: a slope with an interval takes more"
        raise FitError(message)
    if resample is None:
        resample = plan_by_class(table, needed[:-1], n_draws, rng)
    resample.check_trials(table)
    weights = np.vstack([np.ones(len(used)), resample.times_drawn()[:, known]])
    say_contexts(used, "slope")
    measure = _discrimination if compares else _production
    variables, coords = measure(used, weights, n_lost(table.loc[known], resample, len(needed)))
    units = units_of(trials, roles, "stimulus")
    result = make_result(
        variables,
        coords={**coords, "bound": BOUND},
        method="contraction",
        parameters={"n_draws": len(resample)},
        seed=resample.seed,
    )
    kind = "discrimination" if compares else "production"
    return result.assign_attrs(kind=kind, stimulus_units=units)


def plan_by_class(
    table: pd.DataFrame, names: Sequence[str], n_draws: int, rng: Seed
) -> ResamplePlan:
    """Plan draws within each class of stimuli; of all trials where one of them holds few.

    One trial drawn again is always itself: its class would seem to be without noise.
    """
    classes = table[list(names)]
    by = list(names) if classes.value_counts().min() >= _LEAST_IN_CLASS else None
    return bootstrap(classes, by, check_count("n_draws", n_draws, 2), rng)


def n_lost(used: pd.DataFrame, plan: ResamplePlan, n_parameters: int) -> int:
    """Return how many numbers draws take for known: means of classes, or parameters."""
    names = [name for name in plan.by if name in used]
    return max(n_parameters, len(used[names].drop_duplicates()) if names else 0)


def _with_bounds(every: dict[str, Array], n_trials: int, lost: int) -> dict[str, Any]:
    """Part values of the trials themselves, the first, from those of draws."""
    variables: dict[str, Any] = {}
    for name, values in every.items():
        variables[name] = float(values[0])
        ends = draw_bounds(widened(values[0], values[1:], n_trials, lost))
        variables[f"{name}_bound"] = ("bound", np.maximum(ends, 0) if name in _SQUARES else ends)
    variables["draw_slope"] = ("draw", every["slope"][1:])
    return variables


def _discrimination(
    used: pd.DataFrame, weights: Array, lost: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    first, second = (used[name].to_numpy() for name in ("stimulus", "stimulus_2"))
    larger = used["choice"].to_numpy() > 0
    scale = float(np.std(np.concatenate([first, second])))
    middle = float(np.mean(first))
    design = np.column_stack(
        [np.ones(first.size), -(first - middle) / scale, (second - middle) / scale]
    )
    b0, b1, b2 = fit_probit(design, larger, weights).T
    if np.linalg.matrix_rank(design, tol=1e-6 * np.sqrt(first.size)) < design.shape[1]:
        _say_collinear(first, second)
        b0, b1, b2 = np.full((3, len(weights)), np.nan)
    elif is_separable(design, larger):
        _say_separable()
        b0, b1, b2 = np.full((3, len(weights)), np.nan)
    elif b2[0] <= 0:
        _say_unrelated()
        b0, b1, b2 = np.full((3, len(weights)), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = b1 / b2
        center = np.where(np.abs(b1 - b2) > 1e-12, middle + scale * b0 / (b1 - b2), np.nan)
        noise = scale / b2
    pairs, which = np.unique(np.column_stack([first, second]), axis=0, return_inverse=True)
    which = which.ravel()
    right = np.where(second > first, larger, ~larger).astype(np.float64)
    n, n_right = np.bincount(which).astype(np.float64), np.bincount(which, right)
    index = _index(first, second, right, weights)
    variables = _with_bounds(
        {"slope": slope, "center": center, "noise": noise, "contraction_index": index},
        len(used),
        lost,
    )
    # Branch of the larger second stimulus first, each by first stimulus; equal pairs have no right.
    order = np.lexsort((pairs[:, 0], pairs[:, 1] < pairs[:, 0]))
    order = order[pairs[order, 0] != pairs[order, 1]]
    n, accuracy = n[order], (n_right / n)[order]
    wilson = [wilson_interval(float(k), int(m)) for k, m in zip(n * accuracy, n, strict=True)]
    variables |= {
        "accuracy": ("pair", accuracy),
        "accuracy_bound": (("bound", "pair"), np.array(wilson).reshape(-1, 2).T),
        "n_trials": ("pair", n.astype(np.int64)),
    }
    return variables, {"first": ("pair", pairs[order, 0]), "second": ("pair", pairs[order, 1])}


def _say_collinear(first: Array, second: Array) -> None:
    difference = second - first
    found = (
        f"all second stimuli differ by {difference[0]:g} from the first"
        if np.ptp(difference) <= 1e-6 * np.ptp(first)
        else "all second stimuli lie on one line over the first"
    )
    warn(
        f"{found}: these pairs cannot tell the pull on the first stimulus from the noise of the "
        "second; slope, center and noise are NaN (show at least two differences)"
    )


def _say_separable() -> None:
    warn(
        "one line over both stimuli parts all answers: they leave slope and noise open; slope, "
        "center and noise are NaN (show closer pairs, on which some answers are wrong)"
    )


def _say_unrelated() -> None:
    warn(
        'the answer "second larger" does not become more frequent with the second stimulus: slope, '
        "center and noise are NaN (is it the answer to these stimuli?)"
    )


def _index(first: Array, second: Array, right: Array, weights: Array) -> Array:
    """Return half of the gain in accuracy where contraction helps, over both branches."""
    total = np.zeros(len(weights))
    for branch, sign in ((second > first, 1.0), (second < first, -1.0)):
        shown = np.unique(first[branch])
        if not shown.size:
            return np.full(len(weights), np.nan)
        third = max(shown.size // 3, 1)
        for part, side in ((first >= shown[-third], 1.0), (first <= shown[third - 1], -1.0)):
            own = weights * (branch & part)
            with np.errstate(divide="ignore", invalid="ignore"):
                total += 0.5 * sign * side * (own @ right) / own.sum(axis=1)
    return total


def _production(
    used: pd.DataFrame, weights: Array, lost: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    stimulus, response = used["stimulus"].to_numpy(), used["response"].to_numpy()
    total = weights.sum(axis=1)
    mean_s, mean_r = weights @ stimulus / total, weights @ response / total
    covariance = weights @ (stimulus * response) / total - mean_s * mean_r
    scatter = weights @ stimulus**2 / total - mean_s**2
    # A draw of one stimulus alone has no slope.
    known = scatter > 1e-12 * np.ptp(stimulus) ** 2
    slope = np.divide(covariance, scatter, out=np.full(total.shape, np.nan), where=known)
    intercept = mean_r - slope * mean_s
    shown, which = np.unique(stimulus, return_inverse=True)
    n = _sums(which, len(shown), np.ones(stimulus.size), weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = _sums(which, len(shown), response, weights) / n
        variance = _sums(which, len(shown), response**2, weights) / n - mean**2
        center = np.where(np.abs(1 - slope) > 1e-12, intercept / (1 - slope), np.nan)
    bias2 = np.nanmean((mean - shown) ** 2, axis=1)
    spread2 = np.nanmean(variance, axis=1)
    variables = _with_bounds(
        {
            "slope": slope,
            "regression_index": 1 - slope,
            "center": center,
            "squared_bias": bias2,
            "variance": spread2,
            "squared_error": bias2 + spread2,
        },
        len(used),
        lost,
    )
    variables |= {
        "mean_response": ("stimulus", mean[0]),
        "mean_response_bound": (
            ("bound", "stimulus"),
            draw_bounds(widened(mean[0], mean[1:], n[0], 1)),
        ),
        "response_deviation": ("stimulus", np.sqrt(np.maximum(variance[0], 0.0))),
        "n_trials": ("stimulus", n[0].astype(np.int64)),
    }
    return variables, {"stimulus": shown}


def _sums(which: NDArray[np.intp], n_classes: int, values: Array, weights: Array) -> Array:
    """Add up weighted values by class (draw, class)."""
    member = np.zeros((which.size, n_classes))
    member[np.arange(which.size), which] = values
    return np.asarray(weights @ member)
