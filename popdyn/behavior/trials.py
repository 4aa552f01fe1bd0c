"""Trials as columns of numbers: stimuli, choices, responses, in SI units and checked.

Everything about behavior takes a DataFrame, a tensor, a Session or what `popdyn.simulate` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tensor.columns import table_columns
from popdyn.tensor.view import trial_table

_SLIPS = {
    **dict.fromkeys(("msec", "msecs", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("usec", "microsecond", "microseconds"), "us"),
}


def behavior_table(
    trials: Any,
    roles: Mapping[str, Any] | None = None,
    needed: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the trial table with a column for each role, and check what is needed.

    Choices are -1 and 1, or 0 and 1, which become -1 and 1.

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
        If a role is lacking, has no numbers, or choices are not two.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"ts": [500.0, 800.0], "answer": ["l", "r"]})
    >>> roles = {"stimulus": {"column": "ts", "units": "ms"},
    ...          "choice": {"column": "answer", "values": {"l": -1, "r": 1}}}
    >>> behavior_table(table, roles, ("stimulus", "choice"))[["stimulus", "choice"]].values.tolist()
    [[0.5, -1.0], [0.8, 1.0]]
    """
    _check_units(roles)
    table = trial_table(_labelled(trials), None if roles is None else dict(roles))
    given = set(roles or ())
    if "response" not in given and "produced_interval" in table:
        table["response"] = table["produced_interval"]
    for role in needed:
        table[role] = _numbers(table, role)
    if "choice" in needed:
        table["choice"] = _signs(table["choice"].to_numpy())
    return table


def answer_roles(trials: Any, roles: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return what comparisons of two stimuli need, or productions, whichever the trials hold.

    Trials with ``stimulus_2`` and ``choice`` are comparisons, unless roles name a ``response``
    and no choice.

    Examples
    --------
    >>> answer_roles({"stimulus": [1.0], "stimulus_2": [2.0], "choice": [1]})
    ('stimulus', 'stimulus_2', 'choice')
    """
    columns, given = set(behavior_table(trials, roles).columns), set(roles or ())
    compares = {"stimulus_2", "choice"} <= columns and not (
        "response" in given and "choice" not in given
    )
    if compares or ("choice" in given and "response" not in columns):
        return ("stimulus", "stimulus_2", "choice")
    return ("stimulus", "response")


def is_trials(given: Any) -> bool:
    """Tell trials with their columns from one column.

    Examples
    --------
    >>> is_trials({"stimulus": [1.0]}), is_trials([1.0])
    (True, False)
    """
    several = isinstance(given, xr.DataArray) and given.ndim > 1
    return several or isinstance(given, (pd.DataFrame, Mapping, xr.Dataset))


def column_of(table: pd.DataFrame, given: Any, name: str) -> np.ndarray:
    """Return a column by its name, or the values of an array of one value per trial.

    Parameters
    ----------
    table : DataFrame
    given : str or array-like (trial,)
    name : str
        Of the argument, for the message.

    Raises
    ------
    TensorError
        If there is no such column, or another number of values.
    """
    if isinstance(given, str):
        if given not in table:
            message = f"{name}={given!r} is no column of the trials; columns are {_listed(table)}"
            raise TensorError(message)
        return table[given].to_numpy()
    values = np.asarray(given).ravel()
    if values.size != len(table):
        message = f"{name} has a value per trial, found {values.size} for {len(table)} trials"
        raise TensorError(message)
    return values


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
        columns = {str(name): np.asarray(values).ravel() for name, values in trials.items()}
        if len({values.size for values in columns.values()}) > 1:
            found = ", ".join(f"{name} {values.size}" for name, values in columns.items())
            message = f"columns have a value per trial, found {found}"
            raise TensorError(message)
        trials = pd.DataFrame(columns)
    if not isinstance(trials, pd.DataFrame):
        return trials
    labelled = table_columns(None, trials, 0, len(trials))
    ids = np.array([str(value) for value in trials.index], dtype=np.str_)
    return xr.Dataset(coords={**labelled, "trial": ids})


def _check_units(roles: Any) -> None:
    """Refuse what is no mapping, and spellings of units of time that nothing would convert."""
    if roles is not None and not isinstance(roles, Mapping):
        message = (
            "roles of trials are a mapping from role to column, as {'stimulus': "
            f"'contrast', 'choice': 'side'}}; found {roles!r}"[:300]
        )
        raise TensorError(message)
    for role, entry in (roles or {}).items():
        unit = str(entry.get("units", "")) if isinstance(entry, Mapping) else ""
        if unit.lower() in _SLIPS:
            message = f"role {role!r}: units {unit!r} are written {_SLIPS[unit.lower()]!r}"
            raise TensorError(message)


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(str(name) for name in table.columns) or "none"


def _numbers(table: pd.DataFrame, role: str) -> np.ndarray:
    if role not in table:
        message = (
            f"the trials have no {role}: say which column it is, roles={{{role!r}: column}}; "
            f"columns are {_listed(table)}"
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


def _signs(choice: np.ndarray) -> np.ndarray:
    known = np.unique(choice[np.isfinite(choice)])
    if not (np.isin(known, (-1.0, 1.0)).all() or np.isin(known, (0.0, 1.0)).all()):
        message = (
            "choices are -1 and 1, or 0 and 1 (NaN where there was none), found "
            f"{known[:6].tolist()}: map them in the role, "
            '{"column": ..., "values": {"left": -1, "right": 1}}'
        )
        raise TensorError(message)
    return np.where(choice == 0, -1.0, choice)
