"""One tree for every way an NWB file is stored: groups, data, attributes, references.

The reader asks for nothing else, so that HDF5, Zarr and remote files are read by the same code,
and a part of a file that is unknown or damaged does not keep it from the rest.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Protocol

import numpy as np

# No table or series lies deeper, and a file of more groups is searched no further.
_DEEPEST, _MOST_GROUPS = 8, 20_000
# Copies of schemas; nothing of the recording.
_SKIPPED = frozenset(("specifications", ".specloc", "templates"))


class Node(Protocol):
    """A group or a data set of a file.

    Attributes
    ----------
    path : str
        Where it lies, such as ``/units/spike_times``.
    is_group : bool
        Whether it holds other nodes; otherwise it holds data.
    """

    path: str
    is_group: bool

    @property
    def name(self) -> str:
        """Last part of the path."""

    @property
    def identity(self) -> Hashable:
        """Equal for two paths that lead to the same node."""

    @property
    def names(self) -> list[str]:
        """Names of what a group holds, broken links among them."""

    def child(self, name: str) -> Node | None:
        """Return what the group holds under a name; None if nothing, or nothing readable."""

    def absolute(self, path: str) -> Node | None:
        """Return the node at a path from the root of the file; None if nothing is there."""

    def why_absent(self, name: str) -> str:
        """Say why `child` gave None for a name that is listed; ``""`` if it is not listed."""

    def attribute(self, name: str) -> Any:
        """Return an attribute as plain text, number, list of texts or array; None if absent."""

    def referred(self, name: str) -> Node | None:
        """Return the node that an attribute refers to."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of the data; None where it is one that NumPy does not know."""

    @property
    def holds(self) -> str:
        """``numbers``, ``text``, ``references``, ``records`` or ``other``."""

    def read(self) -> np.ndarray:
        """Read all data in one go: numbers as stored, text as str, references as paths.

        Raises
        ------
        ValueError, OSError
            If the data are damaged, were never written, or cannot be taken in safely.
        """


def kind_of(node: Node) -> str:
    """NWB's name for the type of a node, such as ``TimeIntervals``; ``""`` without one."""
    return words_of(node, "neurodata_type")


def words_of(node: Node | None, name: str) -> str:
    """Text of an attribute in one line; ``""`` where there is none."""
    value = node.attribute(name) if node is not None else None
    if isinstance(value, list):
        value = "; ".join(str(word) for word in value)
    return " ".join(str(value).split()) if isinstance(value, (str, int, float)) else ""


def is_table(node: Node) -> bool:
    """Whether a group is a table (NWB's DynamicTable, whatever an extension calls it)."""
    return node.is_group and (node.attribute("colnames") is not None or "id" in node.names)


def holds_data(node: Node, name: str) -> bool:
    """Whether a group holds a data set of that name."""
    child = node.child(name) if name in node.names else None
    return child is not None and not child.is_group


def walk(root: Node) -> Iterator[Node]:
    """Yield every group below a node once, parents first; tables and series are not entered.

    Links may lead to a group by several paths, or in circles: the shortest path counts.

    Parameters
    ----------
    root : Node
    """
    waiting = [(root, 0)]
    seen = {root.identity}
    while waiting:
        group, depth = waiting.pop(0)
        for name in group.names:
            child = group.child(name) if name not in _SKIPPED else None
            if child is None or not child.is_group or child.identity in seen:
                continue
            seen.add(child.identity)
            yield child
            entered = depth < _DEEPEST and len(seen) < _MOST_GROUPS
            if entered and not is_table(child) and not holds_data(child, "data"):
                waiting.append((child, depth + 1))
