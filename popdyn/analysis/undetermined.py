"""Why the trials of a neuron do not determine its regression: the sentence for people."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.design import Design
from popdyn.analysis.least_squares import make_solver
from popdyn.errors import FitError


def why_undetermined(values: NDArray[Any], design: Design, *, counts: bool = False) -> str:
    """Say what is wrong with the trials of a neuron, in its best observed bin.

    Parameters
    ----------
    values : ndarray, shape (time, trial)
        Of one neuron, all trials of the tensor; NaN where not observed.
    design : Design
        Of the regression.
    counts : bool, default False
        Whether spikes are regressed, of which there must be some.

    Returns
    -------
    str
        To stand in brackets.
    """
    own = values[:, design.kept]
    observed = np.isfinite(own)
    best = observed.sum(axis=1).argmax()
    used = design.matrix[observed[best]]
    n_trials = f"its {len(used)} trials"
    if len(used) <= used.shape[1]:
        return f"{len(used)} trials for {used.shape[1]} coefficients"
    constant = np.flatnonzero(np.ptp(used[:, :-1], axis=0) == 0)
    if constant.size:
        return f"{design.names[constant[0]]!r} has one value on {n_trials}"
    if counts and not np.nansum(own):
        return f"no spike on {n_trials}"
    if counts and make_solver(used) is not None:
        return f"no spike where a regressor is high, or where it is low, on {n_trials}"
    return f"regressors follow from each other on {n_trials}"


def refuse_undetermined(scores: xr.DataArray, design: Design, coefficient: NDArray[Any]) -> None:
    """Refuse a population in which no bin has coefficients of every neuron.

    Parameters
    ----------
    scores : DataArray (neuron, time, trial)
        That were regressed.
    design : Design
        Of the regression.
    coefficient : ndarray, shape (regressor, neuron, time)
        NaN where the trials do not determine them.

    Raises
    ------
    FitError
        Naming the neurons to leave out, and why.
    """
    known = np.isfinite(coefficient).all(axis=0)
    if known.all(axis=0).any():
        return
    start = "no bin has coefficients of every neuron: "
    ids, n_bins = scores["neuron"].to_numpy(), known.sum(axis=1)
    lost = np.flatnonzero(n_bins == 0)
    if lost.size:
        why = why_undetermined(scores.to_numpy()[lost[0]], design)
        message = (
            f"{start}{lost.size} of {len(ids)} neurons have none at all, {_named(ids[lost])} "
            f"({why} for neuron {ids[lost[0]]}). Leave these neurons out with "
            "select(neurons=...), or regressors"
        )
        raise FitError(message)
    few = np.argsort(n_bins, kind="stable")
    message = (
        f"{start}neurons were observed at other times. Leave out those with fewest bins, "
        f"{_named(ids[few[:3]])} ({n_bins[few[0]]} of {known.shape[1]} bins for neuron "
        f"{ids[few[0]]}), with select(neurons=...), or regressors"
    )
    raise FitError(message)


def _named(ids: NDArray[Any]) -> str:
    """Show up to five ids."""
    return ", ".join(map(str, ids[:5])) + (", ..." if len(ids) > 5 else "")
