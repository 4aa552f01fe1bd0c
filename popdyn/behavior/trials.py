"""Trials as columns of numbers: stimuli, choices, responses, in SI units and checked.

Everything about behavior takes a DataFrame, a tensor, a Session or what `popdyn.simulate` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from popdyn.errors import FitError, TensorError
from popdyn.tensor.columns import table_columns
from popdyn.tensor.view import trial_table

# Responses this many times longer or shorter than stimuli are in another unit.
_FACTOR = 50.0


def behavior_table(
    trials: Any,
    roles: Mapping[str, Any] | None = None,
    needed: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the trial table with a column for each role, and check what is needed.

    Parameters
    ----------
    trials : DataFrame, mapping, tensor, Session or Dataset
        One row per trial, in the order in which they were done.
    roles : mapping, optional
        Role to a column's name, or to ``{"column", "values", "units"}``.  Columns named like
        roles need none; without role or column ``response`` the response is
        ``produced_interval``.
    needed : sequence of str
        Roles without which there is nothing to do; their columns become floats.

    Returns
    -------
    DataFrame
        In SI units; index the trial ids.

    Raises
    ------
    TensorError
        If a role is lacking, has no numbers, or choices are not -1 and 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"ts": [500.0, 800.0], "answer": ["l", "r"]})
    >>> roles = {"stimulus": {"column": "ts", "units": "ms"},
    ...          "choice": {"column": "answer", "values": {"l": -1, "r": 1}}}
    >>> behavior_table(table, roles, ("stimulus", "choice"))[["stimulus", "choice"]].values.tolist()
    [[0.5, -1.0], [0.8, 1.0]]
    """
    table = trial_table(_labelled(trials), None if roles is None else dict(roles))
    given = set(roles or ())
    if "response" not in given and "produced_interval" in table:
        table["response"] = table["produced_interval"]
    for role in needed:
        table[role] = _numbers(table, role)
    if "choice" in needed:
        _check_choices(table["choice"].to_numpy())
    return table


def check_responses(table: pd.DataFrame) -> None:
    """Refuse responses that cannot be productions of the stimulus.

    Parameters
    ----------
    table : DataFrame
        With the columns ``stimulus`` and ``response``.

    Raises
    ------
    TensorError
        If a response comes before its stimulus counts, or the two are in different units.
    """
    stimulus, response = table["stimulus"].to_numpy(), table["response"].to_numpy()
    early = np.flatnonzero(response <= 0)
    if early.size:
        message = (
            f"{early.size} of {response.size} responses are not after the start they are counted "
            f"from (first: {response[early[0]]:g} s in trial {table.index[early[0]]}): the role "
            "response is a produced interval, so subtract the event it starts with, and leave out "
            "trials without an answer (NaN)"
        )
        raise TensorError(message)
    known = np.isfinite(stimulus) & np.isfinite(response) & (stimulus > 0)
    if not known.any():
        return
    ratio = float(np.median(response[known] / stimulus[known]))
    if not 1 / _FACTOR < ratio < _FACTOR:
        message = (
            f"responses are {ratio:.3g} times the stimuli (medians {np.median(response[known]):g} "
            f"and {np.median(stimulus[known]):g}): one of them is in ms, the other in s; say so in "
            'its role, {"column": ..., "units": "ms"}'
        )
        raise TensorError(message)


def check_varied(used: pd.DataFrame, what: str) -> None:
    """Refuse trials in which nothing varies that a slope could be found from.

    Parameters
    ----------
    used : DataFrame
        Usable trials, with the column ``stimulus`` and perhaps ``choice``.
    what : str
        What is to be measured, for the message.

    Raises
    ------
    FitError
        If there is one stimulus only, or one choice only.
    """
    n_stimuli = used["stimulus"].nunique()
    if n_stimuli < 2:
        message = f"{n_stimuli} stimulus in {len(used)} usable trials: {what} takes at least two"
        raise FitError(message)
    if "choice" in used and used["choice"].nunique() < 2:
        message = (
            f"all {len(used)} choices are {used['choice'].iloc[0]:g}: {what} takes both answers"
        )
        raise FitError(message)


def units_of(trials: Any, roles: Mapping[str, Any] | None, role: str) -> str:
    """Return the unit of a role's column in the table; "" if it is not known."""
    entry = (roles or {}).get(role, role)
    said = entry.get("units") if isinstance(entry, Mapping) else None
    column = entry["column"] if isinstance(entry, Mapping) else entry
    if said is None and isinstance(trials, (xr.DataArray, xr.Dataset)) and column in trials.coords:
        said = trials.coords[column].attrs.get("units")
    unit = "" if said is None else str(said)
    return "s" if unit in ("ms", "us") else unit


def _labelled(trials: Any) -> Any:
    """Turn a table into a Dataset with trials."""
    if isinstance(trials, Mapping) and not isinstance(trials, xr.Dataset):
        trials = pd.DataFrame({str(name): np.asarray(values) for name, values in trials.items()})
    if not isinstance(trials, pd.DataFrame):
        return trials
    columns = table_columns(None, trials, 0, len(trials))
    ids = np.array([str(value) for value in trials.index], dtype=np.str_)
    return xr.Dataset(coords={**columns, "trial": ids})


def _numbers(table: pd.DataFrame, role: str) -> np.ndarray:
    if role not in table:
        kinds = ", ".join(str(name) for name in table.columns) or "none"
        message = (
            f"the trials have no {role}: say which column it is, roles={{{role!r}: column}}; "
            f"columns are {kinds}"
        )
        raise TensorError(message)
    values = table[role].to_numpy()
    if values.dtype.kind not in "biuf":
        message = (
            f"the role {role!r} needs numbers, found {np.unique(values.astype(str))[:4].tolist()}: "
            'map them, {"column": ..., "values": {...}}'
        )
        raise TensorError(message)
    return np.asarray(values, dtype=np.float64)


def _check_choices(choice: np.ndarray) -> None:
    known = np.unique(choice[np.isfinite(choice)])
    if not np.isin(known, (-1.0, 1.0)).all():
        message = (
            f"choices are -1 and 1 (NaN where there was none), found {known[:6].tolist()}: map "
            'them in the role, {"column": ..., "values": {"0": -1, "1": 1}}'
        )
        raise TensorError(message)
