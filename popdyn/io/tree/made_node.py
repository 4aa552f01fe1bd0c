"""Groups and data that are made while reading: tables that a file holds in another form."""

from __future__ import annotations

import posixpath
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from popdyn.io.tree.node import Node

_HOLDS = {"U": "text", **dict.fromkeys("biuf", "numbers")}


class MadeData:
    """Values as a node; see `popdyn.io.tree.node.Node`.

    Parameters
    ----------
    path : str
    values : array_like
        Numbers or NumPy str.
    attributes : mapping, optional
    """

    is_group = False

    def __init__(self, path: str, values: Any, attributes: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._values = np.asarray(values)
        self._attributes = dict(attributes or {})

    @property
    def name(self) -> str:
        """Last part of the path."""
        return posixpath.basename(self.path)

    @property
    def identity(self) -> Hashable:
        """Equal for two paths that lead to the same node."""
        return self.path

    @property
    def names(self) -> list[str]:
        """Nothing: data hold no nodes."""
        return []

    def child(self, name: str) -> Node | None:  # noqa: ARG002 - the protocol's signature
        """Return None: data hold no nodes."""
        return None

    def absolute(self, path: str) -> Node | None:  # noqa: ARG002 - the protocol's signature
        """Return None: nothing made refers to anything."""
        return None

    def why_absent(self, name: str) -> str:  # noqa: ARG002 - the protocol's signature
        """Return ``""``: data list no nodes."""
        return ""

    def attribute(self, name: str) -> Any:
        """Return an attribute; None if absent."""
        return self._attributes.get(name)

    def referred(self, name: str) -> Node | None:  # noqa: ARG002 - the protocol's signature
        """Return None: nothing made refers to anything."""
        return None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""
        return self._values.shape

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of the data."""
        return self._values.dtype

    @property
    def holds(self) -> str:
        """``numbers``, ``text`` or ``other``."""
        return _HOLDS.get(self._values.dtype.kind, "other")

    def read(self) -> np.ndarray:
        """Return all data."""
        return self._values


class MadeGroup(MadeData):
    """A group of nodes, made or stored; see `popdyn.io.tree.node.Node`.

    Parameters
    ----------
    path : str
    children : mapping
        Nodes by name.
    attributes : mapping, optional
    absent : mapping, optional
        Names that are listed though nothing can be read under them, and why.
    """

    is_group = True

    def __init__(
        self,
        path: str,
        children: Mapping[str, Node],
        attributes: Mapping[str, Any] | None = None,
        absent: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(path, np.zeros(0), attributes)
        self._children = dict(children)
        self._absent = dict(absent or {})

    @property
    def names(self) -> list[str]:
        """Names of what the group holds, those that cannot be read among them."""
        return [*self._children, *self._absent]

    def child(self, name: str) -> Node | None:
        """Return what the group holds under a name; None if nothing, or nothing readable."""
        return self._children.get(name)

    def absolute(self, path: str) -> Node | None:
        """Return the node at a path below this group, where it is the root."""
        node: Node | None = self if self.path == "/" else None
        for part in path.strip("/").split("/"):
            node = node.child(part) if node is not None and part else node
        return node

    def why_absent(self, name: str) -> str:
        """Say why `child` gave None for a name that is listed; ``""`` if it is not listed."""
        return self._absent.get(name, "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Nothing: a group has no data."""
        return ()

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Nothing: a group has no data."""
        return None

    @property
    def holds(self) -> str:
        """``other``: a group has no data."""
        return "other"

    def read(self) -> np.ndarray:
        """Refuse: a group has no data."""
        message = f"{self.path} is a group"
        raise ValueError(message)


def made_table(
    path: str,
    ids: Any,
    columns: Mapping[str, Node],
    absent: Mapping[str, str],
    *,
    kind: str,
    description: str,
    hidden: frozenset[str] = frozenset(),
) -> MadeGroup:
    """Return a group that reads as an NWB 2 table.

    Parameters
    ----------
    path : str
    ids : array_like (row,)
    columns : mapping
        Nodes by name.
    absent : mapping
        Columns, or parts of them, that are left out, and why.
    kind, description : str
        NWB 2's name for the type of the table, and what it holds.
    hidden : frozenset of str
        Columns that are not listed in ``colnames``: indexes.
    """
    made = MadeData(f"{path}/id", np.asarray(ids))
    listed = [name for name in (*columns, *absent) if name not in hidden]
    about = {"neurodata_type": kind, "description": description, "colnames": listed}
    return MadeGroup(path, {"id": made, **columns}, about, absent)
