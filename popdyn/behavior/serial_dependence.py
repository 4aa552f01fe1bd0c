"""Does what came before pull at answers?  Regression on stimuli of earlier trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.behavior.arguments import check_count
from popdyn.behavior.contraction import n_lost, plan_by_class
from popdyn.behavior.history import blocks, previous
from popdyn.behavior.interval import draw_bounds, widened
from popdyn.behavior.plausible import check_comparisons, check_responses, check_varied
from popdyn.behavior.probit import fit_probit
from popdyn.behavior.trials import answer_roles, behavior_table
from popdyn.errors import FitError, TensorError
from popdyn.resample import BOUND, ResamplePlan, Seed
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

_FEWEST_TRIALS = 20


def serial_dependence(
    trials: Any,
    roles: Mapping[str, Any] | None = None,
    *,
    n_back: int = 1,
    resample: ResamplePlan | None = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Measure how far answers follow the stimuli of earlier trials.

    Parameters
    ----------
    trials : DataFrame, mapping, tensor, Session or Dataset
        All of them, in the order in which they were done; a column ``session`` parts sessions,
        and each session and ``context`` has an intercept of its own.
    roles : mapping, optional
        As for `popdyn.contraction`.
    n_back : int
        Number of earlier trials looked at together.
    resample : ResamplePlan, optional
        From `popdyn.bootstrap` of these trials; a drawn trial brings its own past along.
    n_draws : int
        Bootstrap draws, without `resample`.
    rng : int or numpy.random.Generator

    Returns
    -------
    Dataset
        Method ``"serial_dependence"``.  ``weight (lag)``: by how much of a unit the response, or
        the remembered first stimulus, moves when the (first) stimulus that many trials ago was one
        unit larger; above 0 answers are drawn towards it.  ``weight_bound (bound, lag)``,
        ``draw_weight (draw, lag)`` and ``p (lag)``, two-sided, from the draws as the bounds are;
        ``slope`` on the stimulus itself, as of `popdyn.contraction`, earlier ones held.

    Notes
    -----
    Production: linear regression of responses on stimulus and earlier stimuli.  Discrimination:
    ``P(second larger) = Phi(b0 - b1 first + b2 second - sum_n h_n first(n trials ago))``, and
    ``weight = h_n / b2``.  Intercepts are of each session and context, in which both stimuli and
    answers may be larger without one following the other.  Trials with fewer than `n_back` before
    them in their session are left out.

    Raises
    ------
    TensorError
        If columns are lacking, `n_back` is none, or earlier stimuli follow from the stimulus
        itself, as they do where two alternate.
    FitError
        If fewer than 20 trials have a past, or there is one stimulus or one choice only.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = np.random.default_rng(0).choice([0.6, 0.8, 1.0], 200)
    >>> response = 0.1 + 0.7 * stimulus + 0.2 * np.roll(stimulus, 1)
    >>> table = {"stimulus": stimulus, "response": response}
    >>> float(pdn.serial_dependence(table, n_draws=50)["weight"][0].round(3))
    0.2
    """
    check_count("n_back", n_back)
    needed = answer_roles(trials, roles)
    compares = "choice" in needed
    table = behavior_table(trials, roles, needed)
    (check_comparisons if compares else check_responses)(table)
    lags = np.arange(1, n_back + 1)
    past = np.column_stack([previous(table, "stimulus", int(lag)) for lag in lags])
    numbers = np.column_stack([table[list(needed)].to_numpy(dtype=np.float64), past])
    known = np.isfinite(numbers).all(axis=1)
    block = np.unique(blocks(table)[known], return_inverse=True)[1]
    n_blocks = int(block.max(initial=0)) + 1
    fewest = _FEWEST_TRIALS + 2 * (n_blocks - 1)
    if known.sum() < fewest:
        of_blocks = f" for {n_blocks} sessions and contexts" if n_blocks > 1 else ""
        message = (
            f"{known.sum()} of {len(table)} trials have stimuli, an answer and {n_back} trials "
            f"before them: at least {fewest} are needed{of_blocks}"
        )
        raise FitError(message)
    check_varied(table.loc[known, list(needed)], "serial dependence")
    _check_order(table.loc[known, list(needed[:-1])].to_numpy(dtype=np.float64), past[known], block)
    if resample is None:
        resample = plan_by_class(table, needed[:-1], n_draws, rng)
    resample.check_trials(table)
    weights = np.vstack([np.ones(known.sum()), resample.times_drawn()[:, known]])
    measure = _choices if compares else _responses
    slope, weight = measure(table[known], past[known], np.eye(n_blocks)[block], weights)
    lost = n_lost(table[known], resample, len(needed) + n_back + n_blocks - 1)
    drawn, drawn_slope = (
        widened(values[0], values[1:], known.sum(), lost) for values in (weight, slope)
    )
    below, n = (drawn <= 0).mean(axis=0), len(drawn)
    p = np.minimum(2 * (np.minimum(below, 1 - below) * n + 1) / (n + 1), 1.0)
    return make_result(
        {
            "weight": ("lag", weight[0]),
            "weight_bound": (("bound", "lag"), draw_bounds(drawn)),
            "draw_weight": (("draw", "lag"), weight[1:]),
            "p": ("lag", p),
            "slope": float(slope[0]),
            "slope_bound": ("bound", draw_bounds(drawn_slope)),
            "n_trials": int(known.sum()),
        },
        coords={"lag": lags, "bound": BOUND},
        method="serial_dependence",
        parameters={"n_back": n_back, "n_draws": len(resample)},
        seed=resample.seed,
    ).assign_attrs(kind="discrimination" if compares else "production")


def _check_order(shown: Array, past: Array, block: NDArray[np.intp]) -> None:
    """Refuse earlier stimuli that are sums of the present ones and each other, in all blocks."""
    columns = pd.DataFrame(np.column_stack([shown, past]))
    away = (columns - columns.groupby(block).transform("mean")).to_numpy()
    columns = away / np.maximum(columns.std(ddof=0).to_numpy(), 1e-300)
    if np.linalg.matrix_rank(columns, tol=1e-6 * np.sqrt(len(columns))) < columns.shape[1]:
        message = (
            "the stimuli before a trial follow from those of the trial itself, as where two "
            f"alternate (first trials: {', '.join(f'{x:g}' for x in shown[:6, 0])}): what pulls "
            "at answers cannot be told apart. Show stimuli in random order, or take n_back smaller"
        )
        raise TensorError(message)


def _choices(used: pd.DataFrame, past: Array, block: Array, weights: Array) -> tuple[Array, Array]:
    first, second = (used[name].to_numpy() for name in ("stimulus", "stimulus_2"))
    scale, middle = float(np.std(np.concatenate([first, second]))), float(first.mean())
    parts = [-(first - middle) / scale, (second - middle) / scale, -(past - middle) / scale]
    design = np.column_stack([*parts, block])
    found = fit_probit(design, used["choice"].to_numpy() > 0, weights)
    end = 2 + past.shape[1]
    return found[:, 0] / found[:, 1], found[:, 2:end] / found[:, 1:2]


def _responses(
    used: pd.DataFrame, past: Array, block: Array, weights: Array
) -> tuple[Array, Array]:
    stimulus, response = used["stimulus"].to_numpy(), used["response"].to_numpy()
    design = np.column_stack([stimulus, past, block])
    found = np.empty((len(weights), design.shape[1]))
    for i, own in enumerate(weights):
        gram = design.T @ (design * own[:, None])
        found[i] = np.linalg.lstsq(gram, design.T @ (own * response), rcond=None)[0]
    return found[:, 0], found[:, 1 : 1 + past.shape[1]]
