"""What inactivations change in contraction: how far answers are drawn towards the middle."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from popdyn.behavior.contraction import contraction, n_lost, plan_by_class
from popdyn.behavior.interval import widened
from popdyn.behavior.trials import answer_roles, behavior_table
from popdyn.dynamics.inactivate_behavior import answers_by_source, with_changes
from popdyn.errors import PopdynError, PopdynWarning, warn
from popdyn.resample import BOUND, Seed
from popdyn.tensor.result import make_result


def inactivation_contraction(
    result: xr.Dataset,
    roles: Mapping[str, Any] | None = None,
    *,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Measure what inactivations change in how far answers are drawn towards the middle.

    Parameters
    ----------
    result : Dataset
        From `inactivate`.
    roles : mapping, optional
        Of the trials, as in `popdyn.contraction`.
    n_draws : int
        Draws of trials within each stimulus, the same with and without.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    xarray.Dataset
        Method ``"inactivation_contraction"``.  ``control_slope``, ``slope (inactivation)`` and
        ``slope_change (inactivation)``, the difference, with ``..._bound (bound, ...)``, 95 % over
        trials.  The slope is that of `popdyn.contraction`: 1 is no contraction, 0 complete.

    Raises
    ------
    TensorError
        If this is no such result, or answers of the control cannot be what their roles say.
    FitError
        If answers of the control have no slope.

    Warns
    -----
    PopdynWarning
        If answers of an inactivated network have no slope: it is NaN there.  If contexts are
        taken together.

    Examples
    --------
    A memory of the first stimulus and a relay of the second; another neuron reads the memory too.

    >>> import numpy as np
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank(
    ...     m=[[1.0], [0.0], [1.0]], n=[[2.7], [0.0], [0.0]], input=[[1.0], [1.0], [0.0]],
    ...     output=[[1.0, -8.0, 1.0]], nonlinearity="linear",
    ... )
    >>> trials = pdn.tasks.ParametricWorkingMemory().sample(240, rng=0, dt=net.dt)
    >>> done = pdn.dynamics.inactivate(net, {"reader": [2]}, trials, noise_step=0.02)
    >>> roles = {"choice": {"column": "choice", "values": {1: -1, -1: 1}}}
    >>> change = pdn.dynamics.inactivation_contraction(done, roles, n_draws=100)
    >>> bool(change["slope_change_bound"].sel(bound="upper") < 0)
    True
    """
    names, sources = answers_by_source(result)
    needed = answer_roles(sources[0], roles)
    table = behavior_table(sources[0], roles, needed)
    plan = plan_by_class(table, needed[:-1], n_draws, rng)
    control = contraction(sources[0], roles, resample=plan)
    found, lacking = [control], []
    for name, trials in zip(names, sources[1:], strict=True):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", PopdynWarning)
            try:
                one = contraction(trials, roles, resample=plan)
                reason = str(said[-1].message) if said else ""
            except PopdynError as error:
                one, reason = control * np.nan, str(error)
        if np.isnan(one["slope"]):
            lacking.append(f"{name} ({reason.split(':')[0]})")
        found.append(one)
    if lacking:
        warn(f"slopes are NaN without: {'; '.join(lacking)}")
    slopes = [np.append(one["slope"], one["draw_slope"]) for one in found]
    lost = n_lost(table, plan, len(needed))
    draws = [np.append(one[0], widened(one[0], one[1:], len(table), lost)) for one in slopes]
    return make_result(
        with_changes("slope", np.array(draws)),
        coords={"inactivation": names, "bound": BOUND},
        method="inactivation_contraction",
        parameters={"roles": roles, "n_draws": n_draws},
        seed=plan.seed,
    ).assign_attrs(kind=control.attrs["kind"])
