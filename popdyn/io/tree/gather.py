"""A table from many groups: one group per row, one small data set per value.

Files of NWB 1 hold their epochs and units that way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from popdyn.io.tables import counted, one_line
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.made_node import MadeData
from popdyn.io.tree.node import Node, words_of

# A few words of a row are joined; more are a list of something else.
_MOST_WORDS = 10


@dataclass
class _Gathered:
    """Values of one column so far, by row, and what is wrong with some of them."""

    values: dict[int, Any] = field(default_factory=dict)
    damaged: dict[int, str] = field(default_factory=dict)
    several: int = 0
    attributes: dict[str, str] = field(default_factory=dict)


def gather_columns(
    rows: Sequence[Node], path: str, skip: frozenset[str] = frozenset()
) -> tuple[dict[str, Node], dict[str, str]]:
    """Make columns of the data sets that each row's group holds.

    Parameters
    ----------
    rows : sequence of Node
        A group per row.
    path : str
        Of the table that the columns will belong to.
    skip : frozenset of str
        Names somebody else reads.

    Returns
    -------
    columns : dict of str to Node
        A number or text per row: NaN or ``""`` where the row has none.  A few words of a row
        are joined.
    absent : dict of str to str
        What is left out, and why.
    """
    found: dict[str, _Gathered] = {}
    for row, group in enumerate(rows):
        for name in group.names:
            if name not in skip:
                _take(group, name, row, found)
    columns: dict[str, Node] = {}
    absent: dict[str, str] = {}
    for name, gathered in found.items():
        values, why = _joined(gathered, len(rows))
        if values is None and why:
            absent[name] = why
        elif values is not None:
            columns[name] = MadeData(f"{path}/{name}", values, gathered.attributes)
        if gathered.damaged and not why:
            row = min(gathered.damaged)
            more = f" and {len(gathered.damaged) - 1} more" if len(gathered.damaged) > 1 else ""
            absent[f"{name} of {rows[row].name}{more}"] = gathered.damaged[row]
    return columns, absent


def _take(group: Node, name: str, row: int, found: dict[str, _Gathered]) -> None:
    """Add one value of one row."""
    data = group.child(name)
    if data is not None and data.is_group:
        return
    gathered = found.setdefault(name, _Gathered())
    if data is None:
        gathered.damaged[row] = group.why_absent(name) or "is damaged"
        return
    size = int(np.prod(data.shape))
    is_list = size > (_MOST_WORDS if data.holds == "text" else 1)
    if is_list or data.holds not in ("text", "numbers"):
        gathered.several += 1
        return
    try:
        values = data.read().ravel()
    except DAMAGE as error:
        gathered.damaged[row] = f"cannot be read: {one_line(error)}"
        return
    if values.dtype.kind == "U":
        gathered.values[row] = ", ".join(values.tolist())
    elif values.size:
        gathered.values[row] = values[0]
    if not gathered.attributes:
        words = {key: words_of(data, key) for key in ("unit", "description")}
        gathered.attributes.update({key: word for key, word in words.items() if word})


def _joined(gathered: _Gathered, n_rows: int) -> tuple[np.ndarray | None, str]:
    """Return one array of a column's values, or why there is none."""
    if gathered.several:
        return None, f"holds several values in {gathered.several} of {n_rows} rows"
    values = gathered.values
    if not values:
        return None, ""
    n_words = sum(isinstance(value, str) for value in values.values())
    if n_words:
        if n_words < len(values):
            n_others = counted(len(values) - n_words, "row")
            return None, f"is text in {counted(n_words, 'row')} and a number in {n_others}"
        return np.array([values.get(row, "") for row in range(n_rows)], dtype=np.str_), ""
    if len(values) == n_rows:
        return np.array([values[row] for row in range(n_rows)]), ""
    return np.array([values.get(row, np.nan) for row in range(n_rows)], dtype=np.float64), ""


def natural_order(names: Sequence[str]) -> list[str]:
    """Sort names as people number them.

    Examples
    --------
    >>> natural_order(["unit_10", "unit_9", "Unit_1"])
    ['Unit_1', 'unit_9', 'unit_10']
    """

    def key(name: str) -> tuple[list[Any], str]:
        parts: list[Any] = re.split(r"(\d+)", name.casefold())
        digits = [part.lstrip("0") for part in parts[1::2]]
        parts[1::2] = [(len(part), part) for part in digits]
        return parts, name

    return sorted(names, key=key)
