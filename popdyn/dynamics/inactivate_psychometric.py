"""What inactivations change in psychometric curves: threshold, slope, bias, on the same trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr

from popdyn.behavior.contraction import plan_by_class
from popdyn.behavior.interval import widened
from popdyn.behavior.probit import fit_probit, is_separable
from popdyn.behavior.trials import behavior_table, column_of
from popdyn.dynamics.inactivate_behavior import answers_by_source, with_changes, with_control
from popdyn.errors import FitError, TensorError, warn
from popdyn.resample import BOUND, Seed
from popdyn.tensor.result import make_result
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]

_N_POINTS = 101


def inactivation_psychometric(
    result: xr.Dataset,
    stimulus: Any = "stimulus",
    *,
    by: str | Sequence[str] | None = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Measure what inactivations change in how choices follow a stimulus.

    The share of choices 1 is ``Phi(slope (stimulus - threshold))``, as of `popdyn.psychometric`
    without lapses: choices that follow the stimulus less have a smaller slope.

    Parameters
    ----------
    result : Dataset
        From `inactivate`.
    stimulus : str or array-like (trial,)
        Column of the trials, or values such as ``result["stimulus_2"] - result["stimulus"]``.
    by : str or list of str, optional
        Columns of the trials, each combination with curves of its own.
    n_draws : int
        Draws of trials within each stimulus and condition, the same with and without.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    xarray.Dataset
        Method ``"inactivation_psychometric"``.  ``threshold``, the stimulus at which both choices
        are as frequent, ``slope``, in 1 over the unit of the stimulus, and ``bias``, the share of
        choices 1: each as ``control_... (condition)``, ``... (inactivation, condition)`` and
        ``..._change``, the difference, with ``..._bound (bound, ...)``, 95 % over trials.  The
        ``share (inactivation, condition, stimulus)`` of choices 1 and the ``curve (inactivation,
        condition, point)`` at ``point_stimulus``, and as much of the control.

    Raises
    ------
    TensorError
        If this is no such result, trials have no choices, or there is no such column.
    FitError
        If there is one stimulus only.

    Warns
    -----
    PopdynWarning
        If all choices are alike, or one stimulus parts them (none is wrong, say): threshold and
        slope are NaN there.  If contexts are taken together.

    See Also
    --------
    inactivation_contraction : how far answers are drawn to the middle.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(60, rng=0)
    >>> task = pdn.tasks.PerceptualDecision(stimuli=(-0.02, -0.01, 0.01, 0.02))
    >>> trials = task.sample(80, rng=0, dt=net.dt)
    >>> groups = pdn.dynamics.percentile_groups(net.output[0], 2)
    >>> done = pdn.dynamics.inactivate(net, groups, trials, n_draws=20)
    >>> change = pdn.dynamics.inactivation_psychometric(done, n_draws=20)
    >>> change["slope_change_bound"].dims
    ('bound', 'inactivation', 'condition')
    """
    names, sources = answers_by_source(result, "choice")
    choices = [trials["choice"].to_numpy() for trials in sources]
    shown, index, labels = _shown(result, sources[0], stimulus, by)
    used = np.isfinite(shown) & (index >= 0)
    levels = np.unique(shown[used])
    if levels.size < 2:
        message = f"{levels.size} stimulus in {used.sum()} trials: a curve takes at least two"
        raise FitError(message)
    classes = pd.DataFrame({"stimulus": shown, "place": index})[used]
    plan = plan_by_class(classes, ("stimulus", "place"), n_draws, rng)
    weights = np.zeros((1 + len(plan), shown.size))
    weights[:, used] = np.vstack([np.ones(used.sum()), plan.times_drawn()])
    lost = levels.size if plan.by else 2
    owns = [used & (index == i) for i in range(len(labels))]
    fits = np.array([[_fit(shown[own], choice[own], weights[:, own], lost) for own in owns]
                     for choice in choices])  # fmt: skip
    shares = np.array([[[_share(choice[own & (shown == level)]) for level in levels]
                        for own in owns] for choice in choices])  # fmt: skip
    _say_open(np.isnan(fits[:, :, 1, 0]), names, labels)
    threshold, slope, bias = np.moveaxis(fits, 2, 0)
    points = np.linspace(levels[0], levels[-1], _N_POINTS)
    curve = ndtr(slope[..., :1] * (points - threshold[..., :1]))
    variables = {
        **with_changes("threshold", threshold, "condition"),
        **with_changes("slope", slope, "condition"),
        **with_changes("bias", bias, "condition"),
        **with_control("share", shares, "condition", "stimulus"),
        **with_control("curve", curve, "condition", "point"),
    }
    return make_result(
        variables,
        coords={
            "inactivation": names,
            "condition": labels,
            "stimulus": levels,
            "point_stimulus": ("point", points),
            "bound": BOUND,
        },
        method="inactivation_psychometric",
        parameters={
            "stimulus": stimulus if isinstance(stimulus, str) else "given",
            "by": by,
            "n_draws": n_draws,
        },
        seed=plan.seed,
    )


def _shown(
    result: xr.Dataset, trials: xr.Dataset, stimulus: Any, by: Any
) -> tuple[Array, NDArray[np.intp], list[str]]:
    """Return the stimulus of each trial, its condition, and the names of these."""
    table = behavior_table(trials)
    values = np.asarray(column_of(table, stimulus, "stimulus"))
    _say_contexts(table, by)
    if values.dtype.kind not in "biuf":
        message = f"stimulus must be numbers, found {np.unique(values.astype(str))[:4].tolist()}"
        raise TensorError(message)
    if by is None:
        return values.astype(np.float64), np.zeros(values.size, dtype=np.intp), ["all"]
    conditions = group_conditions(result, by)
    return values.astype(np.float64), conditions.index, conditions.labels


def _say_contexts(table: pd.DataFrame, by: Any) -> None:
    """Warn of curves that mix contexts."""
    contexts = table["context"].dropna().unique() if "context" in table else ()
    if len(contexts) > 1 and "context" not in ([by] if isinstance(by, str) else by or ()):
        listed = ", ".join(str(context) for context in contexts[:4])
        warn(
            f"one curve of all contexts together ({listed}): choices may follow another stimulus "
            'in each. For a curve of each say by="context"'
        )


def _fit(shown: Array, choice: Array, weights: Array, lost: int) -> Array:
    """Return threshold, slope and bias (measure, draw), the first of the trials themselves."""
    known = np.isfinite(choice)
    shown, larger, weights = shown[known], choice[known] > 0, weights[:, known]
    draws = np.full((3, len(weights)), np.nan)
    if not known.any():
        return draws
    draws[2] = weights @ larger / np.maximum(weights.sum(axis=1), 1.0)
    scale = float(np.std(shown)) or 1.0
    center = float(np.mean(shown))
    design = np.column_stack([np.ones(shown.size), (shown - center) / scale])
    if np.ptp(shown) > 0 and not is_separable(design, larger):
        offset, steepness = fit_probit(design, larger, weights).T
        with np.errstate(divide="ignore", invalid="ignore"):
            draws[:2] = center - scale * offset / steepness, steepness / scale
    draws[:, 1:] = widened(draws[:, 0], draws[:, 1:].T, shown.size, lost).T
    return draws


def _share(choice: Array) -> float:
    """Return the share of choices 1, NaN of none."""
    known = choice[np.isfinite(choice)]
    return float(np.mean(known > 0)) if known.size else np.nan


def _say_open(unknown: NDArray[np.bool_], names: list[str], labels: list[str]) -> None:
    """Warn of curves that choices leave open."""
    whose = ["the control", *(f"without {name}" for name in names)]
    listed = [
        whose[i] + (f" ({labels[k]})" if len(labels) > 1 else "") for i, k in np.argwhere(unknown)
    ]
    if listed:
        warn(
            f"threshold and slope are NaN where all choices are alike or one stimulus parts them: "
            f"{', '.join(listed)}. Show stimuli closer to the threshold, or give more noise"
        )
