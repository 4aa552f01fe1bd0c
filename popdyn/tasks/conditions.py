"""Stimulus sets as plain data: read, weighted, drawn in balanced or random order, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.tasks.parameters import as_tuples, did_you_mean, doubt_seconds

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class Conditions:
    """The conditions of a task, one row each.

    Attributes
    ----------
    values : ndarray, shape (condition, column)
        Such as the two stimuli of a trial, in the units of the task.
    weights : ndarray, shape (condition,)
        Share of trials of each, summing to 1.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]


def read_conditions(
    name: str,
    given: Any,
    columns: Sequence[str],
    published: Mapping[str, Rows] | None = None,
) -> Conditions:
    """Read a stimulus set: the name of a published one, or rows of numbers.

    Parameters
    ----------
    name : str
        Of the parameter, for messages.
    given : str or sequence
        Name of a published set; or one row per condition: the positive numbers of `columns`,
        and perhaps a weight at the end.  With one column a bare number is a row.
    columns : sequence of str
        What the numbers of a row are, with units, such as ``"first interval (s)"``.
    published : mapping of name to rows, optional
        The sets that have names.

    Returns
    -------
    Conditions

    Raises
    ------
    TensorError
        If there is no set of this name, or the rows are not as described, or one comes twice.

    Examples
    --------
    >>> from popdyn.tasks.conditions import read_conditions
    >>> read_conditions("stimuli", [(10, 18), (18, 10, 3)], ["f1 (Hz)", "f2 (Hz)"]).weights
    array([0.25, 0.75])
    """
    sets = published or {}
    if isinstance(given, str):
        if given not in sets:
            known = " or ".join(map(repr, sets)) or "a list"
            hint = did_you_mean(given, list(sets))
            message = f"{name} must be {known}, or a list of your own; found {given!r}{hint}"
            raise TensorError(message)
        given = sets[given]
    rows = [_row(row, len(columns)) for row in as_tuples(given)] if _is_list(given) else []
    if not rows or any(row is None for row in rows):
        wanted = ", ".join(columns)
        row = wanted if len(columns) == 1 else f"({wanted})"
        message = f"{name} must be a list of {row}, each perhaps with a weight; found {given!r}"
        raise TensorError(message)
    table = np.array(rows, dtype=np.float64)
    if not np.isfinite(table).all() or (table <= 0).any():
        message = f"{name} and weights must be positive and finite numbers, found {given!r}"
        raise TensorError(message)
    if len(np.unique(table[:, :-1], axis=0)) < len(table):
        message = f"each of {name} must be there once (give weights instead), found {given!r}"
        raise TensorError(message)
    for column, values in zip(columns, table.T, strict=False):
        if column.endswith("(s)"):
            doubt_seconds(name, float(values.max()))
    return Conditions(table[:, :-1], table[:, -1] / table[:, -1].sum())


def draw_positions(
    n_conditions: int,
    n_trials: int,
    balanced: bool,
    generator: np.random.Generator,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Draw the condition of each trial.

    Parameters
    ----------
    n_conditions, n_trials : int
        How many there are.
    balanced : bool
        Whether each condition comes as often as its weight says, rounded down or up, in random
        order; or trials are drawn independently.
    generator : numpy.random.Generator
        To draw from.
    weights : ndarray, shape (condition,), optional
        Share of trials of each condition, summing to 1; equal without.

    Returns
    -------
    ndarray of int, shape (trial,)
        Positions in the list of conditions.
    """
    if not balanced:
        return generator.choice(n_conditions, n_trials, p=weights)
    if weights is None:
        n_each, n_left = divmod(n_trials, n_conditions)
        extra = generator.permutation(n_conditions)[:n_left]
        position = np.concatenate([np.tile(np.arange(n_conditions), n_each), extra])
    else:
        # One offset for all: every condition gets the whole part of its share, or one more.
        # The slack keeps shares that are whole numbers from losing one to rounding.
        edges = np.cumsum(weights) * n_trials
        passed = np.floor(edges + generator.uniform(1e-9, 1 - 1e-9)).astype(np.int64)
        counts = np.diff(passed, prepend=0)
        position = np.repeat(np.arange(n_conditions), counts)
    return generator.permutation(position).astype(np.intp)


def count_conditions(*columns: NDArray[Any]) -> dict[str, int]:
    """Count the trials of each combination of numbers and names, in their order.

    Combinations with a NaN are catch trials, counted together at the end.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.tasks.conditions import count_conditions
    >>> count_conditions(np.array([0.2, np.nan, 0.2]), np.array(["long", "", "long"]))
    {'0.2, long': 2, 'catch': 1}
    """
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    named = sorted(row for row in rows if not any(value != value for value in row))
    names = [", ".join(v if isinstance(v, str) else f"{v:g}" for v in row) for row in named]
    n_catch = len(rows) - len(named)
    return dict(Counter(names)) | ({"catch": n_catch} if n_catch else {})


def _is_list(given: Any) -> bool:
    return isinstance(given, (list, tuple, np.ndarray))


def _row(row: Any, n_columns: int) -> tuple[Any, ...] | None:
    """Return the numbers of a row and its weight; None for what is no row."""
    if not isinstance(row, tuple):
        row = (row,)
    if len(row) == n_columns:
        row = (*row, 1.0)
    is_number = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in row)
    return row if len(row) == n_columns + 1 and is_number else None
