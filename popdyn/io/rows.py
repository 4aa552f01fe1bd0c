"""What the values of a table mean row by row: where an index starts each, words for codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from popdyn.io.tree.node import Node


def row_starts(index: Node, n_rows: int, n_values: int) -> tuple[np.ndarray, str]:
    """Return where each row's values start.

    Parameters
    ----------
    index : Node
        Where each row ends, as NWB stores it.
    n_rows, n_values : int

    Returns
    -------
    (numpy.ndarray (n_rows + 1,), str)
        Also a note on values behind the last row's, which belong to none.

    Raises
    ------
    ValueError
        If the index falls, or does not fit the rows or the values.
    """
    # Unsigned numbers too large for int64 become negative, and are refused as such.
    stored = index.read()
    starts = np.concatenate([[0], stored.astype(np.int64).ravel()])
    falls = bool((np.diff(starts) < 0).any())
    if starts.size != n_rows + 1 or falls or starts[-1] > n_values:
        message = (
            f"{index.path} does not fit: {starts.size - 1} entries for {n_rows} rows, the last at "
            f"{starts[-1]} of {n_values} values{_overflow(stored.dtype, n_values) if falls else ''}"
        )
        raise ValueError(message)
    n_left = n_values - int(starts[-1])
    return starts, f"the last {n_left} of {n_values} values belong to no row" if n_left else ""


def _overflow(kind: np.dtype[Any], n_values: int) -> str:
    """Say that an index falls, and whether its type is too small for what it counts."""
    most = int(np.iinfo(kind).max) if kind.kind in "iu" else n_values
    why = f", and {kind} ends at {most}: written with too small a type" if most < n_values else ""
    return f"; it falls{why}"


def enumerated(data: Node, codes: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Return the words of an enumeration; its codes where the words are lost.

    Parameters
    ----------
    data : Node
        The column, which refers to its words.
    codes : numpy.ndarray
        What is stored.

    Returns
    -------
    (numpy.ndarray or None, str)
        A note; None and why where codes and words do not fit each other.
    """
    elements = data.referred("elements")
    if elements is None or elements.is_group:
        return codes, "is an enumeration whose words (elements) are not there; codes as stored"
    words = elements.read()
    if codes.dtype.kind not in "iu" or words.ndim != 1:
        return None, "is an enumeration whose codes or words cannot be used"
    if codes.size and not 0 <= codes.min() <= codes.max() < words.size:
        return None, f"has codes from {codes.min()} to {codes.max()} for {words.size} words"
    return words[codes], ""


def are_elements(node: Node, child: Node) -> bool:
    """Whether a data set holds the words of an enumeration in the same table."""
    base = child.name.removesuffix("_elements")
    column = node.child(base) if base != child.name and base in node.names else None
    words = column.referred("elements") if column is not None else None
    return words is not None and words.path == child.path
